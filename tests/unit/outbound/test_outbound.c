/* The sender against a real receiver: sockets, TLS, time and all. */
#include "sender_fixture.h"

START_TEST(a_callback_is_delivered_signed_with_our_credentials)
{
    SERVE({.answer = YES});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_DELIVERED);
    ck_assert_uint_eq(outbound_pending(outbound), 0);
    static const char *const PARTS[] = {
        "POST /hooks/txn/vend HTTP/1.1\r\n",
        "\r\nContent-Type: application/json\r\n",
        "\r\nX-API-Key: our-key\r\n",
        "\r\nAuthorization: Basic b3VyLXVzZXI6c2VjcmV0\r\n",
        "\r\nUser-Agent: vendgate-test\r\n",
        "\r\nwebhook-id: msg_00000000000000000000000000000001\r\n",
        "\r\nwebhook-timestamp: ",
        "\r\nwebhook-signature: v1,",
        "\r\nwebhook-lane-sequence: 1\r\n",
        "\r\nContent-Length: 16\r\n",
        "\r\n\r\n{\"txn_ref\":\"r1\"}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(PARTS); i++)
        ck_assert_msg(strstr(request(0), PARTS[i]), "%s not in %s", PARTS[i], request(0));
    ck_assert_ptr_null(strstr(request(0), "Expect"));
}
END_TEST

START_TEST(the_attempt_is_recorded_with_its_phases)
{
    SERVE({.answer = YES, .delay_ms = 20});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 1);
    ck_assert_uint_eq(attempt_count, 1);
    const struct outbound_attempt *attempt = &attempts[0];
    ck_assert_int_eq(attempt->callback_id, 1);
    ck_assert_int_eq(attempt->number, 1);
    ck_assert_int_eq(attempt->http_status, 200);
    ck_assert_int_eq(attempt->result, ATTEMPT_DELIVERED);
    ck_assert_int_eq(attempt->fate, CALLBACK_DELIVERED);
    ck_assert_str_eq(attempt->answer, "{\"success\":true}");
    ck_assert_str_eq(attempt->error, "");
    ck_assert_ptr_nonnull(strstr(attempt->remote, "127.0.0.1:"));
    ck_assert_int_ge(attempt->dns_us, 0);
    ck_assert_int_ge(attempt->connect_us, attempt->dns_us);
    ck_assert_int_eq(attempt->tls_us, -1);
    ck_assert_int_ge(attempt->first_byte_us, 20000);
    ck_assert_int_ge(attempt->total_us, attempt->first_byte_us);
    ck_assert_int_le(clock_unix_ms() - attempt->started_ms, PATIENCE_MS);
    ck_assert_uint_eq(quiet_count, 0);
}
END_TEST

START_TEST(success_false_is_a_refusal_with_its_reason_and_no_retry)
{
    SERVE({.answer = NO});
    send_one(1, CALLBACK_REQUEST, 5);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_REFUSED);
    ck_assert_str_eq(settlements[0].message, "no money");
    run_for(50);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
}
END_TEST

START_TEST(a_500_is_tried_again_with_the_same_id_until_it_is_delivered)
{
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")}, {.answer = ANSWER("503 Busy", "", "0", "")},
          {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_DELIVERED);
    ck_assert_uint_eq(attempt_count, 3);
    for (size_t i = 0; i < attempt_count; i++) {
        ck_assert_int_eq(attempts[i].number, (int)i + 1);
        ck_assert_int_eq(attempts[i].fate, i < 2 ? CALLBACK_PENDING : CALLBACK_DELIVERED);
        ck_assert_ptr_nonnull(strstr(request(i), "msg_00000000000000000000000000000001"));
    }
    ck_assert_int_eq(attempts[0].http_status, 500);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_RETRY);
}
END_TEST

START_TEST(retry_after_is_waited_for)
{
    SERVE({.answer = ANSWER("429 Slow down", "retry-after:  1 \r\n", "0", "")}, {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_DELIVERED);
    ck_assert_int_ge(clock_monotonic_ms() - start, 1000);
    ck_assert_int_lt(clock_monotonic_ms() - start, 2500);
}
END_TEST

START_TEST(connections_are_kept_and_used_again)
{
    SERVE({.answer = YES});
    for (int64_t id = 1; id <= 5; id++) {
        send_one(id, CALLBACK_VEND, 5);
        RUN_UNTIL(settlement_count == (size_t)id);
    }
    ck_assert_int_eq(receiver.connections, 1);
}
END_TEST

/* libcurl would send the POST again and tell nobody. */
START_TEST(a_kept_connection_that_dies_makes_a_second_attempt_that_is_recorded)
{
    SERVE({.answer = YES}, {.answer = NULL}, {.answer = YES});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 1);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 2);
    check_settled(1, 2, CALLBACK_DELIVERED);
    ck_assert_uint_eq(receiver_count(&receiver), 3);
    ck_assert_uint_eq(attempt_count, 3);
    ck_assert_int_eq(attempts[1].result, ATTEMPT_RETRY);
    ck_assert_int_eq(attempts[1].number, 1);
    ck_assert_str_ne(attempts[1].error, "");
    ck_assert_int_eq(attempts[2].number, 2);
    ck_assert_int_eq(receiver.connections, 2);
    /* The base of /txn/vend is a second: this one did not wait, for nothing was known against the
     * endpoint. */
    ck_assert_int_lt(attempts[2].started_ms - attempts[1].started_ms, 500);
}
END_TEST

START_TEST(a_connection_that_is_always_dropped_is_a_failure_like_any_other)
{
    SERVE({.answer = NULL});
    send_one(1, CALLBACK_REQUEST, 5);
    RUN_UNTIL(attempt_count == 3);
    ck_assert_uint_eq(receiver_count(&receiver), 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(attempts[i].result, ATTEMPT_RETRY);
}
END_TEST

START_TEST(a_request_that_is_not_delivered_in_time_expires)
{
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")});
    struct outbound_callback callback = callback_of(1, CALLBACK_REQUEST, 5);
    callback.expires_ms = clock_unix_ms() + 300;
    ck_assert_int_eq(submit(&callback), 0);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_EXPIRED);
    ck_assert_int_le(clock_monotonic_ms() - start, 400);
}
END_TEST

START_TEST(an_attempt_under_way_ends_when_its_callback_expires)
{
    SERVE({.answer = YES, .delay_ms = 600});
    struct outbound_callback callback = callback_of(1, CALLBACK_REQUEST, 5);
    callback.expires_ms = clock_unix_ms() + 200;
    ck_assert_int_eq(submit(&callback), 0);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_EXPIRED);
    ck_assert_int_le(clock_monotonic_ms() - start, 400);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_RETRY);
    ck_assert_int_eq(attempts[0].fate, CALLBACK_EXPIRED);
}
END_TEST

START_TEST(what_expired_before_it_came_is_not_sent)
{
    SERVE({.answer = YES});
    struct outbound_callback callback = callback_of(1, (enum callback_kind)_i, 5);
    callback.expires_ms = clock_unix_ms() - 1;
    ck_assert_int_eq(submit(&callback), 0);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, _i == CALLBACK_REQUEST ? CALLBACK_EXPIRED : CALLBACK_PARKED);
    ck_assert_uint_eq(quiet_count, 1);
    ck_assert_int_eq(quiet[0].fate, settlements[0].fate);
    ck_assert_uint_eq(receiver_count(&receiver), 0);
}
END_TEST

START_TEST(a_lane_goes_one_by_one_in_order)
{
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")}, {.answer = YES, .delay_ms = 30},
          {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    send_one(2, CALLBACK_UNLOCK, 5);
    send_one(3, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 3);
    for (size_t i = 0; i < 3; i++)
        check_settled(i, (int64_t)i + 1, CALLBACK_DELIVERED);
    ck_assert_ptr_nonnull(strstr(request(0), "/txn/request"));
    ck_assert_ptr_nonnull(strstr(request(1), "/txn/request"));
    ck_assert_ptr_nonnull(strstr(request(2), "/txn/unlock"));
    ck_assert_ptr_nonnull(strstr(request(3), "/txn/vend"));
}
END_TEST

START_TEST(lanes_do_not_wait_for_each_other)
{
    SERVE({.answer = YES, .delay_ms = 300}, {.answer = YES});
    send_one(1, CALLBACK_VEND, 5);
    run_for(50);
    send_one(2, CALLBACK_VEND, 6);
    RUN_UNTIL(settlement_count == 2);
    check_settled(0, 2, CALLBACK_DELIVERED);
    check_settled(1, 1, CALLBACK_DELIVERED);
}
END_TEST

START_TEST(one_behind_another_expires_on_time_too)
{
    SERVE({.answer = YES, .delay_ms = 500});
    send_one(1, CALLBACK_VEND, 5);
    struct outbound_callback callback = callback_of(2, CALLBACK_REQUEST, 5);
    callback.expires_ms = clock_unix_ms() + 100;
    ck_assert_int_eq(submit(&callback), 0);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 2, CALLBACK_EXPIRED);
    RUN_UNTIL(settlement_count == 2);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
}
END_TEST

START_TEST(only_what_was_never_sent_and_renames_nothing_can_be_cancelled)
{
    SERVE({.answer = YES, .delay_ms = 50});
    send_one(1, CALLBACK_REQUEST, 5);
    send_one(2, CALLBACK_REQUEST, 5);
    struct outbound_callback renaming = callback_of(3, CALLBACK_REQUEST, 5);
    renaming.renames = true;
    ck_assert_int_eq(submit(&renaming), 0);
    struct outbound_callback tried = callback_of(4, CALLBACK_REQUEST, 5);
    tried.attempts = 1;
    ck_assert_int_eq(submit(&tried), 0);
    ck_assert(!outbound_cancel(outbound, 1)); /* under way */
    ck_assert(outbound_cancel(outbound, 2));
    ck_assert(!outbound_cancel(outbound, 3));
    ck_assert(!outbound_cancel(outbound, 4));
    ck_assert(!outbound_cancel(outbound, 99));
    RUN_UNTIL(settlement_count == 3);
    check_settled(0, 1, CALLBACK_DELIVERED);
    check_settled(1, 3, CALLBACK_DELIVERED);
    check_settled(2, 4, CALLBACK_DELIVERED);
    ck_assert_int_eq(attempts[2].number, 2); /* goes on counting */
    ck_assert_uint_eq(quiet_count, 0);
}
END_TEST

START_TEST(an_implied_one_is_aborted_and_releases_its_lane)
{
    SERVE({.answer = NO, .delay_ms = 400}, {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(receiver_count(&receiver) == 1);
    int64_t start = clock_monotonic_ms();
    imply(1);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 2, CALLBACK_DELIVERED);
    ck_assert_int_lt(clock_monotonic_ms() - start, 300);
    ck_assert_int_eq(attempts[0].callback_id, 1);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_ABORTED);
    ck_assert_int_eq(attempts[0].fate, CALLBACK_IMPLIED);
    run_for(500); /* its late answer reaches nobody */
    ck_assert_uint_eq(settlement_count, 1);
    ck_assert_uint_eq(attempt_count, 2);
}
END_TEST

START_TEST(an_implied_one_that_waits_is_journalled_without_an_attempt)
{
    SERVE({.answer = ANSWER("500 Oops", "Retry-After: 30\r\n", "0", "")}, {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(attempt_count == 1);
    imply(1);
    imply(1); /* unknown by now: nothing happens */
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 2, CALLBACK_DELIVERED);
    ck_assert_uint_eq(quiet_count, 1);
    ck_assert_int_eq(quiet[0].fate, CALLBACK_IMPLIED);
}
END_TEST

START_TEST(a_redirect_is_not_followed)
{
    SERVE({.answer = ANSWER("307 Elsewhere", "Location: /other\r\n", "0", "")});
    send_one(1, CALLBACK_REQUEST, 5);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_EXPIRED);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_PERMANENT);
    run_for(50);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
}
END_TEST

START_TEST(gone_at_a_former_address_holds_nothing)
{
    SERVE({.answer = ANSWER("410 Gone", "", "0", ""), .delay_ms = 100}, {.answer = YES});
    send_one(1, CALLBACK_VEND, 1);
    RUN_UNTIL(receiver_count(&receiver) == 1);
    outbound_endpoint_changed(outbound, 9); /* while the answer is on its way */
    RUN_UNTIL(settlement_count == 1);
    ck_assert_int_eq(settlements[0].fate, CALLBACK_DELIVERED);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_GONE);
}
END_TEST

START_TEST(gone_holds_everything_until_the_endpoint_changes)
{
    SERVE({.answer = ANSWER("410 Gone", "", "0", "")}, {.answer = YES});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(attempt_count == 1);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_GONE);
    ck_assert_int_eq(attempts[0].fate, CALLBACK_PENDING);
    send_one(2, CALLBACK_VEND, 6);
    run_for(50);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
    outbound_endpoint_changed(outbound, 9);
    RUN_UNTIL(settlement_count == 2);
    ck_assert_int_eq(settlements[0].fate, CALLBACK_DELIVERED);
    ck_assert_int_eq(settlements[1].fate, CALLBACK_DELIVERED);
}
END_TEST

START_TEST(a_held_endpoint_is_not_called_but_its_requests_still_expire)
{
    SERVE({.answer = YES});
    held = true;
    send_one(1, CALLBACK_VEND, 5);
    struct outbound_callback callback = callback_of(2, CALLBACK_REQUEST, 6);
    callback.expires_ms = clock_unix_ms() + 80;
    ck_assert_int_eq(submit(&callback), 0);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 2, CALLBACK_EXPIRED);
    held = false;
    outbound_endpoint_changed(outbound, 9);
    RUN_UNTIL(settlement_count == 2);
    check_settled(1, 1, CALLBACK_DELIVERED);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
}
END_TEST

START_TEST(a_changed_endpoint_gets_a_new_connection_and_new_credentials_and_waiting_ones_go_at_once)
{
    SERVE({.answer = YES}, {.answer = ANSWER("401 Who", "", "0", "")}, {.answer = YES});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 1);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(attempt_count == 2);
    endpoint.api_key = "new-key";
    outbound_endpoint_changed(outbound, 9);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == 2);
    ck_assert_int_lt(clock_monotonic_ms() - start, 500);
    ck_assert_ptr_nonnull(strstr(request(2), "X-API-Key: new-key\r\n"));
    ck_assert_int_eq(receiver.requests[1].connection, 1);
    ck_assert_int_eq(receiver.requests[2].connection, 2);
}
END_TEST

START_TEST(no_more_are_on_their_way_to_one_integrator_than_allowed)
{
    SERVE({.answer = YES, .delay_ms = 60});
    for (int64_t id = 1; id <= 6; id++)
        send_one(id, CALLBACK_VEND, 0);
    RUN_UNTIL(settlement_count == 6);
    ck_assert_int_eq(receiver.connections, 2); /* of four, two are kept for urgent ones */
}
END_TEST

START_TEST(what_does_not_fit_in_memory_is_refused_and_what_is_there_is_not_taken_twice)
{
    held = true;
    for (int64_t id = 1; id <= 8; id++)
        send_one(id, CALLBACK_VEND, id);
    struct outbound_callback again = callback_of(8, CALLBACK_VEND, 8);
    ck_assert_int_eq(submit(&again), -EEXIST);
    struct outbound_callback ninth = callback_of(9, CALLBACK_VEND, 9);
    ck_assert_int_eq(submit(&ninth), -ENOBUFS);
    ck_assert_uint_eq(outbound_pending(outbound), 8);
}
END_TEST

static const struct receiver_step JUST_YES[] = {{.answer = YES}};

START_TEST(an_integrator_may_move_to_https_and_back)
{
    static struct receiver plain;
    receiver_start(&plain, JUST_YES, 1, NULL);
    serve_tls(JUST_YES, 1, "127.0.0.1");
    for (int64_t id = 1; id <= 4; id++) {
        bool https = id % 2 == 0;
        endpoint.allow_http = !https;
        endpoint.ca_file = https ? ca_file : NULL;
        snprintf(base_url, sizeof(base_url), "%s://127.0.0.1:%u", https ? "https" : "http",
                 https ? receiver.port : plain.port);
        outbound_endpoint_changed(outbound, 9);
        send_one(id, CALLBACK_VEND, 5);
        RUN_UNTIL(settlement_count == (size_t)id);
        check_settled((size_t)id - 1, id, CALLBACK_DELIVERED);
    }
    ck_assert_uint_eq(receiver_count(&receiver), 2);
    ck_assert_uint_eq(receiver_count(&plain), 2);
    receiver_stop(&plain);
}
END_TEST

static const char *const HOSTS[] = {"127.0.0.1", "localhost"};

START_TEST(https_is_verified_against_the_endpoints_authority)
{
    serve_tls(JUST_YES, 1, HOSTS[_i]);
    for (int64_t id = 1; id <= 3; id++) {
        send_one(id, CALLBACK_VEND, 5);
        RUN_UNTIL(settlement_count == (size_t)id);
        check_settled((size_t)id - 1, id, CALLBACK_DELIVERED);
    }
    /* A name may first lead to an address where nobody listens; from then on one connection serves
     * all. */
    size_t first = attempts[0].result == ATTEMPT_DELIVERED ? 0 : 1;
    ck_assert_int_gt(attempts[first].tls_us, attempts[first].connect_us);
    ck_assert_int_eq(receiver.connections, 1);
}
END_TEST

static void check_not_sent(const char *error)
{
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(attempt_count == 1);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_RETRY);
    ck_assert_int_eq(attempts[0].fate, CALLBACK_PENDING);
    ck_assert_int_eq(attempts[0].http_status, 0);
    ck_assert_msg(strstr(attempts[0].error, error), "%s", attempts[0].error);
    if (receiver.port)
        ck_assert_uint_eq(receiver_count(&receiver), 0);
}

START_TEST(a_certificate_of_another_authority_gets_nothing)
{
    serve_tls(JUST_YES, 1, "127.0.0.1");
    snprintf(other_ca_file, sizeof(other_ca_file), "/tmp/vendgate-test-%d-other.pem",
             (int)getpid());
    SSL_CTX_free(receiver_certificate(other_ca_file));
    endpoint.ca_file = other_ca_file;
    check_not_sent("certificate");
}
END_TEST

START_TEST(the_systems_authorities_do_not_vouch_for_a_private_one)
{
    serve_tls(JUST_YES, 1, "127.0.0.1");
    endpoint.ca_file = NULL;
    check_not_sent("certificate");
}
END_TEST

START_TEST(a_certificate_for_another_name_gets_nothing)
{
    serve_tls(JUST_YES, 1, "127.0.0.2");
    check_not_sent("127.0.0.2");
}
END_TEST

START_TEST(a_private_address_is_refused_without_permission)
{
    serve_tls(JUST_YES, 1, HOSTS[_i]);
    endpoint.allow_cidr = NULL;
    check_not_sent("is refused: loopback");
    ck_assert_int_eq(receiver.connections, 0);
}
END_TEST

START_TEST(a_permission_that_was_taken_back_holds_for_kept_connections_too)
{
    SERVE({.answer = YES});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 1);
    endpoint.allow_cidr = NULL;
    outbound_endpoint_changed(outbound, 9);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(attempt_count == 2);
    ck_assert_int_eq(attempts[1].result, ATTEMPT_RETRY);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
}
END_TEST

struct fault {
    const char *base_url;
    const char *error;
};

static const struct fault FAULTS[] = {
    {"http://127.0.0.1:1", "http, which"},
    {"ftp://127.0.0.1", "not https"},
    {"https://user:secret@127.0.0.1", "user or password"},
    {"https://127.0.0.1/?a=b", "query"},
    {"https://127.0.0.1/#a", "fragment"},
    {"https://b\xC3\xBC"
     "cher.example",
     "ASCII"},
    {"https://127.0.0.1/ x", "character"},
    {"not a url", "character"},
    {"", "missing"},
    {NULL, "missing"},
};

START_TEST(an_address_that_is_not_plain_https_is_not_called)
{
    endpoint.allow_http = false;
    endpoint.base_url = FAULTS[_i].base_url;
    check_not_sent(FAULTS[_i].error);
}
END_TEST

START_TEST(a_credential_that_would_forge_a_header_is_not_sent)
{
    SERVE({.answer = YES});
    endpoint.api_key = "key\r\nX-Forged: 1";
    check_not_sent("API key");
}
END_TEST

START_TEST(nothing_goes_out_unsigned)
{
    SERVE({.answer = YES});
    endpoint.signing_keys[0].secret = NULL;
    check_not_sent("signing key");
}
END_TEST

START_TEST(nobody_listening_is_tried_again)
{
    snprintf(base_url, sizeof(base_url), "http://127.0.0.1:1");
    check_not_sent("");
    ck_assert_str_ne(attempts[0].error, "");
}
END_TEST

START_TEST(an_answer_is_read_no_further_than_its_limit)
{
    static char answer[400 * 1024];
    int head =
        snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\nContent-Length: 399000\r\n\r\n");
    memset(answer + head, 'x', 399000);
    struct receiver_step step = {.answer = answer};
    serve(&step, 1);
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_DELIVERED); /* it was received, whatever it says */
    ck_assert_uint_eq(strlen(attempts[0].answer), 4096);
    ck_assert_str_ne(attempts[0].error, "");
}
END_TEST

START_TEST(a_head_without_end_is_cut_off)
{
    static char answer[200 * 1024];
    size_t size = (size_t)snprintf(answer, sizeof(answer), "HTTP/1.1 200 OK\r\n");
    while (size < sizeof(answer) - 64)
        size += (size_t)snprintf(answer + size, 64, "X-Header-%zu: value\r\n", size);
    struct receiver_step step = {.answer = answer};
    serve(&step, 1);
    send_one(1, CALLBACK_REQUEST, 5);
    RUN_UNTIL(attempt_count == 1);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_RETRY);
}
END_TEST

START_TEST(an_answer_that_breaks_off_is_no_delivery)
{
    SERVE({.answer = ANSWER("200 OK", "", "400", "{\"success\":true}"), .close = true},
          {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_DELIVERED);
    ck_assert_uint_eq(attempt_count, 2);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_RETRY);
}
END_TEST

START_TEST(a_silent_integrator_is_given_up_after_the_kinds_time)
{
    SERVE({.answer = YES, .delay_ms = 3500}, {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 5);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(attempt_count == 1);
    ck_assert_int_ge(clock_monotonic_ms() - start, 2900);
    ck_assert_int_lt(clock_monotonic_ms() - start, 3400);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_RETRY);
}
END_TEST

START_TEST(draining_lets_attempts_end_and_starts_none)
{
    SERVE({.answer = YES, .delay_ms = 100});
    send_one(1, CALLBACK_VEND, 5);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(receiver_count(&receiver) == 1);
    calling = true;
    outbound_drain(outbound, on_drained, NULL);
    calling = false;
    RUN_UNTIL(drained);
    check_settled(0, 1, CALLBACK_DELIVERED);
    ck_assert_uint_eq(settlement_count, 1);
    send_one(3, CALLBACK_VEND, 7);
    run_for(50);
    ck_assert_int_eq(drained, 1);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
    ck_assert_uint_eq(outbound_pending(outbound), 2);
}
END_TEST

START_TEST(draining_does_not_wait_for_ever_and_what_it_cut_off_stays_owed)
{
    SERVE({.answer = YES, .delay_ms = 5500});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(receiver_count(&receiver) == 1);
    outbound_drain(outbound, on_drained, NULL);
    RUN_UNTIL(drained);
    ck_assert_uint_eq(settlement_count, 0);
    ck_assert_uint_eq(attempt_count, 1);
    ck_assert_int_eq(attempts[0].result, ATTEMPT_ABORTED);
    ck_assert_int_eq(attempts[0].fate, CALLBACK_PENDING);
    ck_assert_uint_eq(outbound_pending(outbound), 1);
}
END_TEST

START_TEST(draining_when_idle_is_told_from_the_loop)
{
    calling = true;
    outbound_drain(outbound, on_drained, NULL);
    calling = false;
    RUN_UNTIL(drained);
}
END_TEST

START_TEST(it_can_be_freed_with_attempts_and_waits_under_way)
{
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")}, {.answer = YES, .delay_ms = 200});
    send_one(1, CALLBACK_VEND, 5);
    RUN_UNTIL(attempt_count == 1);
    send_one(2, CALLBACK_VEND, 6);
    send_one(3, CALLBACK_VEND, 6);
    RUN_UNTIL(receiver_count(&receiver) == 2);
    /* teardown frees */
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_callback_is_delivered_signed_with_our_credentials);
    tcase_add_test(tests, the_attempt_is_recorded_with_its_phases);
    tcase_add_test(tests, success_false_is_a_refusal_with_its_reason_and_no_retry);
    tcase_add_test(tests, a_500_is_tried_again_with_the_same_id_until_it_is_delivered);
    tcase_add_test(tests, retry_after_is_waited_for);
    tcase_add_test(tests, connections_are_kept_and_used_again);
    tcase_add_test(tests, a_kept_connection_that_dies_makes_a_second_attempt_that_is_recorded);
    tcase_add_test(tests, a_connection_that_is_always_dropped_is_a_failure_like_any_other);
    tcase_add_test(tests, a_request_that_is_not_delivered_in_time_expires);
    tcase_add_test(tests, an_attempt_under_way_ends_when_its_callback_expires);
    tcase_add_loop_test(tests, what_expired_before_it_came_is_not_sent, CALLBACK_KIND_NONE + 1,
                        CALLBACK_KIND_COUNT);
    tcase_add_test(tests, a_lane_goes_one_by_one_in_order);
    tcase_add_test(tests, lanes_do_not_wait_for_each_other);
    tcase_add_test(tests, one_behind_another_expires_on_time_too);
    tcase_add_test(tests, only_what_was_never_sent_and_renames_nothing_can_be_cancelled);
    tcase_add_test(tests, an_implied_one_is_aborted_and_releases_its_lane);
    tcase_add_test(tests, an_implied_one_that_waits_is_journalled_without_an_attempt);
    tcase_add_test(tests, a_redirect_is_not_followed);
    tcase_add_test(tests, gone_at_a_former_address_holds_nothing);
    tcase_add_test(tests, gone_holds_everything_until_the_endpoint_changes);
    tcase_add_test(tests, a_held_endpoint_is_not_called_but_its_requests_still_expire);
    tcase_add_test(
        tests,
        a_changed_endpoint_gets_a_new_connection_and_new_credentials_and_waiting_ones_go_at_once);
    tcase_add_test(tests, no_more_are_on_their_way_to_one_integrator_than_allowed);
    tcase_add_test(tests,
                   what_does_not_fit_in_memory_is_refused_and_what_is_there_is_not_taken_twice);
    tcase_add_test(tests, nobody_listening_is_tried_again);
    tcase_add_test(tests, an_answer_is_read_no_further_than_its_limit);
    tcase_add_test(tests, a_head_without_end_is_cut_off);
    tcase_add_test(tests, an_answer_that_breaks_off_is_no_delivery);
    tcase_add_test(tests, a_silent_integrator_is_given_up_after_the_kinds_time);
    tcase_add_test(tests, draining_lets_attempts_end_and_starts_none);
    tcase_add_test(tests, draining_does_not_wait_for_ever_and_what_it_cut_off_stays_owed);
    tcase_add_test(tests, draining_when_idle_is_told_from_the_loop);
    tcase_add_test(tests, it_can_be_freed_with_attempts_and_waits_under_way);
}

static void add_safety_tests(TCase *tests)
{
    tcase_add_loop_test(tests, https_is_verified_against_the_endpoints_authority, 0,
                        ARRAY_SIZE(HOSTS));
    tcase_add_test(tests, an_integrator_may_move_to_https_and_back);
    tcase_add_test(tests, a_certificate_of_another_authority_gets_nothing);
    tcase_add_test(tests, the_systems_authorities_do_not_vouch_for_a_private_one);
    tcase_add_test(tests, a_certificate_for_another_name_gets_nothing);
    tcase_add_loop_test(tests, a_private_address_is_refused_without_permission, 0,
                        ARRAY_SIZE(HOSTS));
    tcase_add_test(tests, a_permission_that_was_taken_back_holds_for_kept_connections_too);
    tcase_add_loop_test(tests, an_address_that_is_not_plain_https_is_not_called, 0,
                        ARRAY_SIZE(FAULTS));
    tcase_add_test(tests, a_credential_that_would_forge_a_header_is_not_sent);
    tcase_add_test(tests, nothing_goes_out_unsigned);
}

int main(void)
{
    Suite *suite = suite_create("outbound");
    TCase *delivery = tcase_create("delivery");
    tcase_add_checked_fixture(delivery, setup, teardown);
    tcase_set_timeout(delivery, 20);
    add_tests(delivery);
    suite_add_tcase(suite, delivery);
    TCase *safety = tcase_create("safety");
    tcase_add_checked_fixture(safety, setup, teardown);
    tcase_set_timeout(safety, 20);
    add_safety_tests(safety);
    suite_add_tcase(suite, safety);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner,
                            CK_FORK); /* Each case has its own process: they wait for real
                                         deadlines, and one that hangs must not stop the rest. */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
