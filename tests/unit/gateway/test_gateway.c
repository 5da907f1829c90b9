#include "played_parts.h"

START_TEST(a_lock_waits_for_the_machine_and_is_answered_with_the_time_left)
{
    int fd = begin_lock();
    ck_assert_str_eq(asked.what, "lock");
    ck_assert_str_eq(asked.vm_id, "VM-1");
    ck_assert_str_eq(asked.ref, "r-1");
    ck_assert_int_eq(asked.integrator_id, 1);
    ck_assert_int_eq(asked.figures[0], 65535);
    answer(true, REASON_NONE, 60);
    hear_status(fd, "HTTP/1.1 200 ", "{\"success\":true,\"message\":null,\"timeout\":60}");
    ck_assert_ptr_nonnull(strstr(heard, "Content-Type: application/json\r\n"));
    ck_assert_ptr_nonnull(strstr(heard, "Cache-Control: no-store\r\n"));
    close(fd);
}
END_TEST

START_TEST(one_that_waits_keeps_nobody_else_waiting)
{
    int waiting = begin_lock();
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
    hear_status(fd, "HTTP/1.1 200 ", "\"online\":true");
    answer(false, REASON_MACHINE_BUSY, 5);
    hear_status(waiting, "HTTP/1.1 200 ",
                "\"code\":\"MACHINE_BUSY\",\"action\":\"retry\",\"timeout\":5}");
    close(waiting);
    close(fd);
}
END_TEST

START_TEST(every_call_reaches_the_broker_as_it_was_meant)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/connectivity-platform/api/paid", WITH_KEY JSON_TYPE,
         "{\"txnRef\":\"r\",\"price\":250,\"discount\":-1,\"surcharge\":3}");
    wait_for_call(fd);
    ck_assert_str_eq(asked.what, "paid");
    ck_assert_int_eq(asked.figures[0], 250);
    ck_assert_int_eq(asked.figures[1], -1);
    ck_assert_int_eq(asked.figures[2], 3);
    answer(false, REASON_BAD_AMOUNT, -1);
    hear_status(fd, "HTTP/1.1 200 ", "\"code\":\"BAD_AMOUNT\",\"action\":\"fix\"}");
    post(fd, "/api/unlock", WITH_KEY JSON_TYPE, "{\"id\":\"VM-1\",\"txnRef\":\"r\"}");
    wait_for_call(fd);
    ck_assert_str_eq(asked.what, "unlock");
    ck_assert_str_eq(asked.vm_id, "VM-1");
    answer(true, REASON_NONE, -1);
    hear_status(fd, "HTTP/1.1 200 ", "{\"success\":true,\"message\":null}");
    post(fd, "/api/vmc_user_keys", WITH_KEY JSON_TYPE,
         "{\"vm_id\":\"VM-1\",\"txnRef\":\"r\",\"keys\":[4,5]}");
    wait_for_call(fd);
    ck_assert_int_eq(asked.figures[0], 4);
    ck_assert_int_eq(asked.figures[1], 5);
    answer(false, REASON_STORE_UNAVAILABLE, -1);
    hear_status(fd, "HTTP/1.1 503 ", "Retry-After: 1\r\n");
    close(fd);
}
END_TEST

static const struct {
    const char *path, *headers, *body, *status, *part;
} REFUSED[] = {
    {"/api/look", WITH_KEY JSON_TYPE, LOCK, "HTTP/1.1 404 ", "\"NOT_FOUND\""},
    {"/metrics", WITH_KEY JSON_TYPE, LOCK, "HTTP/1.1 404 ", "\"NOT_FOUND\""},
    {"/api/lock", JSON_TYPE, LOCK, "HTTP/1.1 401 ", "WWW-Authenticate: Basic "},
    {"/api/lock", "X-API-Key: key-of-eve\r\n" JSON_TYPE, LOCK, "HTTP/1.1 401 ",
     "\"UNAUTHENTICATED\""},
    {"/api/lock", "X-API-Key: key-of-ada\r\nX-API-Key: key-of-ada\r\n" JSON_TYPE, LOCK,
     "HTTP/1.1 401 ", "\"UNAUTHENTICATED\""},
    {"/api/lock", WITH_KEY "Authorization: Bearer x\r\n" JSON_TYPE, LOCK, "HTTP/1.1 401 ",
     "\"UNAUTHENTICATED\""},
    {"/api/lock", "Authorization: Basic YWRhOndyb25n\r\n" JSON_TYPE, LOCK, "HTTP/1.1 401 ",
     "\"UNAUTHENTICATED\""},
    {"/api/lock", WITH_KEY, LOCK, "HTTP/1.1 415 ", "\"BAD_MEDIA_TYPE\""},
    {"/api/lock", WITH_KEY "Content-Type: text/plain\r\n", LOCK, "HTTP/1.1 415 ",
     "\"BAD_MEDIA_TYPE\""},
    {"/api/lock", WITH_KEY JSON_TYPE, "", "HTTP/1.1 400 ", "\"BAD_JSON\""},
    {"/api/lock", WITH_KEY JSON_TYPE, "{", "HTTP/1.1 400 ", "\"BAD_JSON\""},
    {"/api/lock", WITH_KEY JSON_TYPE, "{\"txnRef\":\"a\",\"txnRef\":\"a\"}", "HTTP/1.1 400 ",
     "\"BAD_JSON\""},
    {"/api/lock", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\",\"balance\":1}", "HTTP/1.1 400 ",
     "\"MISSING_FIELD\""},
    {"/api/lock", WITH_KEY JSON_TYPE, "{\"txnRef\":\"r\",\"balance\":1}", "HTTP/1.1 400 ",
     "field 'vm_id' is required"},
    {"/api/lock", WITH_KEY JSON_TYPE,
     "{\"vm_id\":\"V\",\"id\":\"W\",\"txnRef\":\"r\",\"balance\":1}", "HTTP/1.1 400 ",
     "\"BAD_FIELD\""},
    {"/api/paid", WITH_KEY JSON_TYPE,
     "{\"txnRef\":\"r\",\"price\":2.5,\"discount\":0,\"surcharge\":0}", "HTTP/1.1 400 ",
     "field 'price' must be an integer"},
    {"/api/vmc_user_keys", WITH_KEY JSON_TYPE,
     "{\"vm_id\":\"V\",\"txnRef\":\"r\",\"keys\":[\"1\"]}", "HTTP/1.1 400 ", "\"BAD_FIELD\""},
    {"/api/vmc_bulk_search", WITH_KEY JSON_TYPE, "{\"vms\":{\"a\":1}}", "HTTP/1.1 400 ",
     "\"BAD_FIELD\""},
    {"/api/vmc_bulk_search", WITH_KEY JSON_TYPE, "{\"vms\":[\"VM-1\",7]}", "HTTP/1.1 400 ",
     "at index 1"},
    {"/api/vmc_bulk_search", WITH_KEY JSON_TYPE, "{\"vms\":[\"a\",\"b\",\"c\",\"d\"]}",
     "HTTP/1.1 200 ", "\"TOO_MANY_IDS\""},
    {"/ext/txn_status", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}", "HTTP/1.1 400 ",
     "field 'txnRef' is required"},
    {"/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-3\"}", "HTTP/1.1 200 ",
     "\"MACHINE_UNKNOWN\""},
    {"/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-OTHERS\"}", "HTTP/1.1 200 ",
     "\"MACHINE_UNKNOWN\""},
};

START_TEST(what_cannot_be_is_refused_with_a_reason_and_changes_nothing)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, REFUSED[_i].path, REFUSED[_i].headers, REFUSED[_i].body);
    hear_status(fd, REFUSED[_i].status, REFUSED[_i].part);
    ck_assert_ptr_nonnull(strstr(heard, "{\"success\":false,"));
    ck_assert_int_eq(asked.calls, 0);
    /* The connection goes on. */
    post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
    hear_status(fd, "HTTP/1.1 200 ", "\"success\":true");
    close(fd);
}
END_TEST

static int ask_status(void)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/ext/txn_status", WITH_KEY JSON_TYPE, "{\"txnRef\":\"r-1\"}");
    for (int i = 0; i < TURNS_MAX && !status_asked.callback; i++)
        turn(fd);
    ck_assert_ptr_nonnull(status_asked.callback);
    return fd;
}

START_TEST(the_status_of_a_transaction_is_told_as_the_database_knows_it)
{
    int fd = ask_status();
    ck_assert_int_eq(status_asked.integrator_id, 1);
    ck_assert_str_eq(status_asked.ref, "r-1");
    status_asked.callback(status_asked.arg, STORE_APPLIED, "{\"txnRef\": \"r-1\", \"paid\": null}");
    hear_status(fd, "HTTP/1.1 200 ",
                "{\"success\":true,\"message\":null,"
                "\"transaction\":{\"txnRef\":\"r-1\",\"paid\":null}}");
    close(fd);
}
END_TEST

START_TEST(asking_for_an_unknown_transaction_is_no_reason_to_refund)
{
    int fd = ask_status();
    status_asked.callback(status_asked.arg, STORE_APPLIED, NULL);
    hear_status(fd, "HTTP/1.1 200 ", "\"code\":\"TXN_UNKNOWN\"}");
    close(fd);
}
END_TEST

START_TEST(a_status_that_cannot_be_read_is_told_to_come_back)
{
    int fd = ask_status();
    status_asked.callback(status_asked.arg, STORE_UNAVAILABLE, NULL);
    hear_status(fd, "HTTP/1.1 503 ", "\"STORE_UNAVAILABLE\"");
    close(fd);
}
END_TEST

START_TEST(another_method_is_told_which_one_to_use)
{
    int fd = dial(gateway_api_port(gateway));
    say(fd, "GET /api/lock HTTP/1.1\r\nHost: gateway\r\n\r\n");
    hear_status(fd, "HTTP/1.1 405 ", "Allow: POST\r\n");
    close(fd);
}
END_TEST

START_TEST(a_body_over_the_limit_is_refused)
{
    int fd = dial(gateway_api_port(gateway));
    char body[4096];
    memset(body, ' ', sizeof(body) - 1);
    body[sizeof(body) - 1] = '\0';
    post(fd, "/api/lock", WITH_KEY JSON_TYPE, body);
    hear_status(fd, "HTTP/1.1 413 ", "\"BODY_TOO_LARGE\"");
    close(fd);
}
END_TEST

START_TEST(a_password_is_as_good_as_a_key)
{
    int fd = dial(gateway_api_port(gateway));
    for (int i = 0; i < 2; i++) { /* checked, then remembered */
        post(fd, "/api/vmc_search", "Authorization: Basic YWRhOnNlY3JldA==\r\n" JSON_TYPE,
             "{\"vm_id\":\"VM-2\"}");
        hear_status(fd, "HTTP/1.1 200 ", "\"busy\":true,\"online\":false");
    }
    close(fd);
}
END_TEST

START_TEST(a_search_shows_the_whole_machine)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
    hear_status(fd, "HTTP/1.1 200 ",
                "\"vendingMachine\":{\"id\":\"VM-1\",\"address\":\"\",\"business_address\":\"\","
                "\"busy\":false,\"online\":true,\"company_external_name\":\"\","
                "\"operator_name\":\"Ops\",\"operator_contact_number\":\"\",\"photo_url\":\"\","
                "\"keypad_configuration\":{\"virtual_keypad_enabled\":false,"
                "\"total_action_needed\":0,\"total_column_number\":0,\"total_row_number\":0,"
                "\"keypad_items\":[]}}}");
    close(fd);
}
END_TEST

START_TEST(a_bulk_search_leaves_out_what_does_not_exist_for_the_caller)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/api/vmc_bulk_search", WITH_KEY JSON_TYPE,
         "{\"vms\":[\"VM-2\",\"VM-OTHERS\",\"VM-2\"]}");
    hear_status(fd, "HTTP/1.1 200 ", "\"vendingMachines\":[{\"id\":\"VM-2\"");
    ck_assert_ptr_null(strstr(heard, "VM-OTHERS"));
    ck_assert_ptr_null(strstr(strstr(heard, "VM-2") + 1, "VM-2"));
    close(fd);
}
END_TEST

START_TEST(silence_of_the_broker_is_an_unknown_outcome_and_its_late_answer_is_dropped)
{
    int fd = begin_lock();
    hear_status(fd, "HTTP/1.1 503 ", "\"OUTCOME_UNKNOWN\",\"action\":\"retry\"");
    ck_assert_ptr_nonnull(strstr(heard, "Retry-After: 1\r\n"));
    answer(true, REASON_NONE, 60);
    post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
    hear_status(fd, "HTTP/1.1 200 ", "\"vendingMachine\"");
    close(fd);
}
END_TEST

START_TEST(a_client_that_hangs_up_leaves_nothing_behind)
{
    int fd = begin_lock();
    ck_assert_uint_eq(gateway_requests(gateway), 1);
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
    for (int i = 0; i < TURNS_MAX && gateway_requests(gateway) > 0; i++)
        turn(-1);
    ck_assert_uint_eq(gateway_requests(gateway), 0);
    answer(true, REASON_NONE, 60);
}
END_TEST

static void on_time_over(uv_timer_t *timer)
{
    *(bool *)timer->data = true;
}

/* Turns that the loop makes in 200 ms when it may sleep. */
static int count_turns(void)
{
    bool over = false;
    int turns = 0;
    uv_timer_t timer;
    timer.data = &over;
    uv_timer_init(&loop, &timer);
    uv_update_time(&loop);
    uv_timer_start(&timer, on_time_over, 200, 0);
    for (; !over; turns++)
        uv_run(&loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&timer, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    return turns;
}

START_TEST(connections_that_wait_or_idle_keep_no_processor_busy)
{
    int idle = dial(gateway_api_port(gateway)), fd = begin_lock();
    post(idle, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-2\"}");
    hear_status(idle, "HTTP/1.1 200 ", "vendingMachine");
    ck_assert_int_lt(count_turns(), 10);
    say(idle, "POST /api/lock HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n{");
    for (int i = 0; i < 5; i++)
        turn(-1);
    ck_assert_int_lt(count_turns(), 10); /* one half sent */
    close(idle);
    close(fd);
}
END_TEST

START_TEST(requests_sent_at_once_are_answered_in_order)
{
    int fd = begin_lock();
    post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-2\"}");
    for (int i = 0; i < 20; i++)
        turn(fd);
    answer(true, REASON_NONE, 60);
    hear_status(fd, "HTTP/1.1 200 ", "\"timeout\":60");
    if (!strstr(heard, "vendingMachine"))
        hear_status(fd, "HTTP/1.1 200 ", "vendingMachine");
    close(fd);
}
END_TEST

START_TEST(a_client_that_asks_before_it_sends_is_told_to_go_on)
{
    static const char BODY[] = "{\"vm_id\":\"VM-1\"}";
    int fd = dial(gateway_api_port(gateway));
    char *head = memory_format("POST /api/vmc_search HTTP/1.1\r\nHost: x\r\n" WITH_KEY JSON_TYPE
                               "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
                               strlen(BODY));
    say(fd, head);
    free(head);
    char go_on[64] = "";
    for (int i = 0; i < TURNS_MAX && go_on[0] == '\0'; i++) {
        turn(fd);
        (void)recv(fd, go_on, sizeof(go_on) - 1, MSG_DONTWAIT);
    }
    ck_assert_msg(strncmp(go_on, "HTTP/1.1 100 ", 13) == 0, "%s", go_on);
    say(fd, BODY);
    hear_status(fd, "HTTP/1.1 200 ", "vendingMachine");
    close(fd);
}
END_TEST

START_TEST(too_many_at_once_are_told_to_come_back)
{
    int waiting[4];
    for (int i = 0; i < 4; i++)
        waiting[i] = begin_lock();
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/api/lock", WITH_KEY JSON_TYPE, LOCK);
    hear_status(fd, "HTTP/1.1 429 ", "\"RATE_LIMITED\"");
    ck_assert_ptr_nonnull(strstr(heard, "Retry-After: 1\r\n"));
    for (int i = 0; i < 4; i++) {
        hear_status(waiting[i], "HTTP/1.1 503 ", "OUTCOME_UNKNOWN");
        close(waiting[i]);
    }
    close(fd);
}
END_TEST

START_TEST(an_integrators_rate_is_its_own_limit)
{
    requests_per_second = 2;
    people_refresh(people, "integrator", "1");
    int fd = dial(gateway_api_port(gateway));
    for (int i = 0; i < 3; i++) {
        post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
        hear_status(fd, i < 2 ? "HTTP/1.1 200 " : "HTTP/1.1 429 ", "success");
    }
    close(fd);
}
END_TEST

START_TEST(without_the_database_every_call_is_told_to_come_back)
{
    int fd = dial(gateway_api_port(gateway));
    store_is_ready = false;
    post(fd, "/api/lock", WITH_KEY JSON_TYPE, LOCK);
    hear_status(fd, "HTTP/1.1 503 ", "\"STORE_UNAVAILABLE\"");
    ck_assert_ptr_nonnull(strstr(heard, "Retry-After: 1\r\n"));
    store_is_ready = true;
    broker_is_ready = false;
    post(fd, "/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
    hear_status(fd, "HTTP/1.1 503 ", "the gateway is starting");
    close(fd);
}
END_TEST

START_TEST(while_draining_new_calls_are_refused_and_those_under_way_end)
{
    int waiting = begin_lock();
    gateway_drain(gateway);
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/api/lock", WITH_KEY JSON_TYPE, LOCK);
    hear_status(fd, "HTTP/1.1 503 ", "\"SHUTTING_DOWN\"");
    ck_assert_ptr_nonnull(strstr(heard, "Connection: close\r\n"));
    answer(true, REASON_NONE, 60);
    hear_status(waiting, "HTTP/1.1 200 ", "\"timeout\":60");
    close(waiting);
    close(fd);
}
END_TEST

START_TEST(the_broker_may_answer_after_the_gateway_has_gone)
{
    int fd = begin_lock();
    gateway_free(&gateway);
    uv_run(&loop, UV_RUN_NOWAIT);
    answer(true, REASON_NONE, 60);
    close(fd);
}
END_TEST

static int get_private(const char *path)
{
    int fd = dial(gateway_private_port(gateway));
    char *text = memory_format("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
    say(fd, text);
    free(text);
    return fd;
}

START_TEST(health_says_why_it_is_not_ready)
{
    int fd = get_private("/livez");
    hear_status(fd, "HTTP/1.1 200 ", "\r\n\r\nok\n");
    close(fd);
    fd = get_private("/readyz");
    hear_status(fd, "HTTP/1.1 200 ", "\r\n\r\nok\n");
    close(fd);
    store_is_ready = false;
    fd = get_private("/readyz");
    hear_status(fd, "HTTP/1.1 503 ", "the database is not reachable");
    close(fd);
    store_is_ready = true;
    gateway_drain(gateway);
    fd = get_private("/readyz");
    hear_status(fd, "HTTP/1.1 503 ", "shutting down");
    close(fd);
}
END_TEST

START_TEST(metrics_count_requests_by_path_and_outcome)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, "/connectivity-platform/api/vmc_search", WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\"}");
    hear_status(fd, "HTTP/1.1 200 ", "success");
    close(fd);
    fd = get_private("/metrics");
    hear_status(fd, "HTTP/1.1 200 ",
                "vendgate_http_requests_total{surface=\"api\",path=\"/api/vmc_search\","
                "status=\"200\",reason=\"OK\"} 1\n");
    ck_assert_ptr_nonnull(strstr(heard, "vendgate_http_requests_under_way 1\n"));
    ck_assert_ptr_nonnull(strstr(heard, "vendgate_http_requests_waiting 0\n"));
    close(fd);
}
END_TEST

START_TEST(the_admin_socket_tells_the_status)
{
    int fd = dial_admin();
    say(fd, "GET /admin/status HTTP/1.1\r\nHost: x\r\n\r\n");
    const char *body = hear(fd);
    json_t *status = json_loads(body, 0, NULL);
    ck_assert_msg(status != NULL, "%s", heard);
    ck_assert_str_eq(json_string_value(json_object_get(status, "version")), "1.2.3");
    ck_assert(json_is_true(json_object_get(status, "ready")));
    json_t *transactions = json_object_get(status, "transactions");
    ck_assert_int_eq(json_integer_value(json_object_get(transactions, "live")), 2);
    json_t *by_state = json_object_get(transactions, "by_state");
    ck_assert_int_eq(json_integer_value(json_object_get(by_state, "LOCKED")), 2);
    json_decref(status);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("gateway");
    TCase *tests = tcase_create("gateway");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_lock_waits_for_the_machine_and_is_answered_with_the_time_left);
    tcase_add_test(tests, one_that_waits_keeps_nobody_else_waiting);
    tcase_add_test(tests, every_call_reaches_the_broker_as_it_was_meant);
    tcase_add_loop_test(tests, what_cannot_be_is_refused_with_a_reason_and_changes_nothing, 0,
                        ARRAY_SIZE(REFUSED));
    tcase_add_test(tests, the_status_of_a_transaction_is_told_as_the_database_knows_it);
    tcase_add_test(tests, asking_for_an_unknown_transaction_is_no_reason_to_refund);
    tcase_add_test(tests, a_status_that_cannot_be_read_is_told_to_come_back);
    tcase_add_test(tests, another_method_is_told_which_one_to_use);
    tcase_add_test(tests, a_body_over_the_limit_is_refused);
    tcase_add_test(tests, a_password_is_as_good_as_a_key);
    tcase_add_test(tests, a_search_shows_the_whole_machine);
    tcase_add_test(tests, a_bulk_search_leaves_out_what_does_not_exist_for_the_caller);
    tcase_add_test(tests,
                   silence_of_the_broker_is_an_unknown_outcome_and_its_late_answer_is_dropped);
    tcase_add_test(tests, a_client_that_hangs_up_leaves_nothing_behind);
    tcase_add_test(tests, connections_that_wait_or_idle_keep_no_processor_busy);
    tcase_add_test(tests, requests_sent_at_once_are_answered_in_order);
    tcase_add_test(tests, a_client_that_asks_before_it_sends_is_told_to_go_on);
    tcase_add_test(tests, too_many_at_once_are_told_to_come_back);
    tcase_add_test(tests, an_integrators_rate_is_its_own_limit);
    tcase_add_test(tests, without_the_database_every_call_is_told_to_come_back);
    tcase_add_test(tests, while_draining_new_calls_are_refused_and_those_under_way_end);
    tcase_add_test(tests, the_broker_may_answer_after_the_gateway_has_gone);
    tcase_add_test(tests, health_says_why_it_is_not_ready);
    tcase_add_test(tests, metrics_count_requests_by_path_and_outcome);
    tcase_add_test(tests, the_admin_socket_tells_the_status);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
