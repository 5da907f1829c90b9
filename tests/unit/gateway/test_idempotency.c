#include "played_parts.h"

/* Calls with an Idempotency-Key: what the caller may rely on when it repeats one. */

#define UNDER(key_) WITH_KEY JSON_TYPE "Idempotency-Key: " key_ "\r\n"
#define OTHER_LOCK "{\"vm_id\":\"VM-1\",\"txnRef\":\"r-2\",\"balance\":65535}"
#define REPLAYED "Idempotency-Replayed: true\r\n"
#define LOCKED "{\"success\":true,\"message\":null,\"timeout\":60}"
#define REUSED "\"code\":\"IDEMPOTENCY_KEY_REUSED\",\"action\":\"fix\"}"

static int call(const char *path, const char *headers, const char *body)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, path, headers, body);
    return fd;
}

static int call_lock(const char *headers)
{
    return call("/api/lock", headers, LOCK);
}

static void turns(int count)
{
    for (int i = 0; i < count; i++)
        turn(-1);
}

/* Until so many requests are with the gateway. */
static void wait_for_requests(size_t count)
{
    for (int i = 0; i < TURNS_MAX && gateway_requests(gateway) != count; i++)
        turn(-1);
    ck_assert_uint_eq(gateway_requests(gateway), count);
}

static void hear_and_close(int fd, const char *status, const char *part, bool replayed)
{
    hear_status(fd, status, part);
    ck_assert_msg((strstr(heard, REPLAYED) != NULL) == replayed, "%s", heard);
    close(fd);
}

static void hang_up(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
    close(fd);
}

/* The whole of a first lock under key k-1. */
static void lock_once(void)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    ck_assert_int_eq(played_store.saves, 1);
}

START_TEST(a_repeat_gets_the_first_answer_and_runs_nothing)
{
    lock_once();
    for (int i = 0; i < 2; i++)
        hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 200 ", "\r\n\r\n" LOCKED, true);
    hear_and_close(call("/connectivity-platform/api/lock", UNDER("k-1"), LOCK), "HTTP/1.1 200 ",
                   LOCKED, true); /* the same path under its other base */
    ck_assert_int_eq(asked.calls, 1);
    ck_assert_int_eq(played_store.saves, 1);
}
END_TEST

START_TEST(a_repeat_is_counted_by_what_it_was_told)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    answer(false, REASON_TXN_REF_REUSED, -1);
    hear_and_close(fd, "HTTP/1.1 200 ", "TXN_REF_REUSED", false);
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 200 ", "TXN_REF_REUSED", true);
    fd = dial(gateway_private_port(gateway));
    say(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_status(fd, "HTTP/1.1 200 ",
                "path=\"/api/lock\",status=\"200\",reason=\"TXN_REF_REUSED\"} 2\n");
    ck_assert_ptr_nonnull(strstr(heard, "vendgate_http_requests_waiting 0\n"));
    ck_assert_ptr_nonnull(strstr(heard, "vendgate_http_requests_under_way 1\n"));
    close(fd);
}
END_TEST

START_TEST(without_a_key_every_call_runs)
{
    for (int i = 0; i < 2; i++) {
        int fd = begin_lock();
        answer(true, REASON_NONE, 60);
        hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    }
    ck_assert_int_eq(asked.calls, 2);
    ck_assert_int_eq(played_store.saves, 0);
}
END_TEST

START_TEST(a_key_names_one_path_and_one_body)
{
    lock_once();
    hear_and_close(call("/api/lock", UNDER("k-1"), OTHER_LOCK), "HTTP/1.1 400 ", REUSED, false);
    hear_and_close(call("/api/unlock", UNDER("k-1"), LOCK), "HTTP/1.1 400 ", REUSED, false);
    ck_assert_int_eq(asked.calls, 1);
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 200 ", LOCKED, true);
}
END_TEST

START_TEST(also_while_the_first_call_is_under_way)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    hear_and_close(call("/api/lock", UNDER("k-1"), OTHER_LOCK), "HTTP/1.1 400 ", REUSED, false);
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    ck_assert_int_eq(asked.calls, 1);
}
END_TEST

START_TEST(also_when_both_come_before_the_store_has_answered)
{
    played_store.holds = true;
    int first = call_lock(UNDER("k-1"));
    wait_for_requests(1);
    int other = call("/api/lock", UNDER("k-1"), OTHER_LOCK), copy = call_lock(UNDER("k-1"));
    wait_for_requests(3);
    played_store.holds = false;
    wait_for_call(first);
    ck_assert_str_eq(asked.ref, "r-1");
    hear_and_close(other, "HTTP/1.1 400 ", REUSED, false);
    answer(true, REASON_NONE, 60);
    hear_and_close(first, "HTTP/1.1 200 ", LOCKED, false);
    hear_and_close(copy, "HTTP/1.1 200 ", LOCKED, true);
    ck_assert_int_eq(asked.calls, 1);
}
END_TEST

START_TEST(a_repeat_beside_another_call_gets_its_answer_all_the_same)
{
    lock_once();
    played_store.holds = true;
    int other = call("/api/lock", UNDER("k-1"), OTHER_LOCK);
    wait_for_requests(1);
    int repeat = call_lock(UNDER("k-1"));
    wait_for_requests(2);
    played_store.holds = false;
    hear_and_close(other, "HTTP/1.1 400 ", REUSED, false);
    hear_and_close(repeat, "HTTP/1.1 200 ", LOCKED, true);
}
END_TEST

START_TEST(each_integrator_has_keys_of_its_own)
{
    lock_once();
    int fd = call_lock("X-API-Key: key-of-bob\r\n" JSON_TYPE "Idempotency-Key: k-1\r\n");
    wait_for_call(fd);
    ck_assert_int_eq(asked.integrator_id, 2);
    answer(false, REASON_TXN_REF_REUSED, -1);
    hear_and_close(fd, "HTTP/1.1 200 ", "TXN_REF_REUSED", false);
}
END_TEST

START_TEST(also_while_another_integrators_call_is_under_way)
{
    int of_ada = call_lock(UNDER("k-1"));
    wait_for_call(of_ada);
    int of_bob = call_lock("X-API-Key: key-of-bob\r\n" JSON_TYPE "Idempotency-Key: k-1\r\n");
    wait_for_call(of_bob);
    answer(true, REASON_NONE, 60);
    answer(false, REASON_MACHINE_UNKNOWN, -1);
    hear_and_close(of_ada, "HTTP/1.1 200 ", LOCKED, false);
    hear_and_close(of_bob, "HTTP/1.1 200 ", "MACHINE_UNKNOWN", false);
}
END_TEST

#define FIFTY_ "12345678901234567890123456789012345678901234567890"
#define TWO_HUNDRED_FIFTY FIFTY_ FIFTY_ FIFTY_ FIFTY_ FIFTY_

static const char *const NO_KEYS[] = {
    UNDER(""),
    UNDER("a\tb"),
    UNDER("schl\xc3\xbcssel"),
    UNDER(TWO_HUNDRED_FIFTY "123456"),
    UNDER("k-1") "Idempotency-Key: k-1\r\n",
    UNDER("k-1") "idempotency-key: k-2\r\n",
};

START_TEST(what_cannot_be_a_key_is_refused)
{
    hear_and_close(call_lock(NO_KEYS[_i]), "HTTP/1.1 400 ", "\"code\":\"BAD_FIELD\"", false);
    ck_assert_ptr_nonnull(strstr(heard, "Idempotency-Key"));
    ck_assert_int_eq(asked.calls, 0);
}
END_TEST

START_TEST(a_key_may_have_255_bytes_and_blanks)
{
    int fd = call_lock(UNDER("a ~" TWO_HUNDRED_FIFTY "12"));
    wait_for_call(fd);
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    ck_assert_uint_eq(strlen(played_store.kept[0].key), 255);
}
END_TEST

START_TEST(copies_that_come_at_once_run_once_and_all_get_the_answer)
{
    int fds[4];
    fds[0] = call_lock(UNDER("k-1"));
    wait_for_call(fds[0]);
    for (int i = 1; i < 3; i++)
        fds[i] = call_lock(UNDER("k-1"));
    wait_for_requests(4); /* and the run */
    played_store.holds = true;
    answer(true, REASON_NONE, 60);
    turns(5);
    fds[3] = call_lock(UNDER("k-1")); /* while the answer is being saved */
    wait_for_requests(5);
    played_store.holds = false;
    for (int i = 0; i < 4; i++)
        hear_and_close(fds[i], "HTTP/1.1 200 ", "\r\n\r\n" LOCKED, i > 0);
    ck_assert_int_eq(asked.calls, 1);
    wait_for_requests(0);
}
END_TEST

START_TEST(nobody_is_answered_before_the_answer_is_kept)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    played_store.holds = true;
    answer(true, REASON_NONE, 60);
    turns(20);
    char byte;
    ck_assert_int_eq(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
    played_store.holds = false;
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
}
END_TEST

START_TEST(a_call_goes_on_when_its_client_has_hung_up)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    int copy = call_lock(UNDER("k-1"));
    wait_for_requests(3);
    hang_up(fd);
    wait_for_requests(2);
    answer(true, REASON_NONE, 60);
    hear_and_close(copy, "HTTP/1.1 200 ", LOCKED, true);
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 200 ", LOCKED, true);
    ck_assert_int_eq(asked.calls, 1);
}
END_TEST

START_TEST(its_answer_is_kept_also_when_nobody_waits)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    hang_up(fd);
    wait_for_requests(1); /* the run */
    answer(true, REASON_NONE, 60);
    wait_for_requests(0);
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 200 ", LOCKED, true);
    ck_assert_int_eq(asked.calls, 1);
}
END_TEST

START_TEST(a_call_whose_clients_left_before_it_began_is_not_begun)
{
    played_store.holds = true;
    int fd = call_lock(UNDER("k-1"));
    wait_for_requests(1);
    hang_up(fd);
    wait_for_requests(0);
    played_store.holds = false;
    turns(5);
    ck_assert_int_eq(asked.calls, 0);
    lock_once(); /* the key is free */
}
END_TEST

START_TEST(the_next_client_takes_the_place_of_one_that_left)
{
    played_store.holds = true;
    int fd = call("/api/lock", UNDER("k-1"), OTHER_LOCK);
    wait_for_requests(1);
    int next = call_lock(UNDER("k-1"));
    wait_for_requests(2);
    hang_up(fd);
    wait_for_requests(1);
    played_store.holds = false;
    wait_for_call(next);
    ck_assert_str_eq(asked.ref, "r-1");
    answer(true, REASON_NONE, 60);
    hear_and_close(next, "HTTP/1.1 200 ", LOCKED, false);
}
END_TEST

static const struct {
    enum reason reason;
    const char *status;
} NOT_FINAL[] = {
    {REASON_MACHINE_BUSY, "HTTP/1.1 200 "}, /* retry */
    {REASON_NO_SELECTION, "HTTP/1.1 200 "}, /* wait */
    {REASON_STORE_UNAVAILABLE, "HTTP/1.1 503 "}, {REASON_OUTCOME_UNKNOWN, "HTTP/1.1 503 "},
    {REASON_RATE_LIMITED, "HTTP/1.1 429 "},      {REASON_INTERNAL, "HTTP/1.1 500 "},
};

START_TEST(an_answer_that_may_change_is_not_kept)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    int copy = call_lock(UNDER("k-1"));
    wait_for_requests(3);
    answer(false, NOT_FINAL[_i].reason, -1);
    const char *code = reason_info(NOT_FINAL[_i].reason)->code;
    hear_and_close(fd, NOT_FINAL[_i].status, code, false);
    hear_and_close(copy, NOT_FINAL[_i].status, code, true);
    ck_assert_int_eq(played_store.saves, 0);
    fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    ck_assert_int_eq(played_store.saves, 1);
}
END_TEST

START_TEST(a_503_says_when_to_come_back_also_to_copies)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    int copy = call_lock(UNDER("k-1"));
    wait_for_requests(3);
    answer(false, REASON_STORE_UNAVAILABLE, -1);
    hear_and_close(fd, "HTTP/1.1 503 ", "Retry-After: 1\r\n", false);
    hear_and_close(copy, "HTTP/1.1 503 ", "Retry-After: 1\r\n", true);
}
END_TEST

START_TEST(a_call_that_was_malformed_may_be_mended_under_its_key)
{
    hear_and_close(call("/api/lock", UNDER("k-1"), "{\"vm_id\":\"VM-1\",\"balance\":1}"),
                   "HTTP/1.1 400 ", "MISSING_FIELD", false);
    hear_and_close(call("/api/lock", UNDER("k-1"), "{"), "HTTP/1.1 400 ", "BAD_JSON", false);
    lock_once();
}
END_TEST

START_TEST(a_search_is_repeated_like_any_other_call)
{
    for (int i = 0; i < 2; i++)
        hear_and_close(call("/api/vmc_search", UNDER("k-1"), "{\"vm_id\":\"VM-1\"}"),
                       "HTTP/1.1 200 ", "\"vendingMachine\":{\"id\":\"VM-1\"", i > 0);
}
END_TEST

static const struct {
    enum store_outcome outcome;
    const char *status, *code;
} LOOKS[] = {
    {STORE_UNAVAILABLE, "HTTP/1.1 503 ", "\"code\":\"STORE_UNAVAILABLE\",\"action\":\"retry\"}"},
    {STORE_FAILED, "HTTP/1.1 500 ", "\"code\":\"INTERNAL\",\"action\":\"retry\"}"},
};

START_TEST(without_knowing_what_is_kept_nothing_runs)
{
    played_store.outcome = LOOKS[_i].outcome;
    hear_and_close(call_lock(UNDER("k-1")), LOOKS[_i].status, LOOKS[_i].code, false);
    ck_assert_int_eq(asked.calls, 0);
    played_store.outcome = STORE_APPLIED;
    lock_once();
}
END_TEST

START_TEST(an_answer_that_could_not_be_kept_is_an_unknown_outcome)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    played_store.outcome = LOOKS[_i].outcome;
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 503 ", "\"code\":\"OUTCOME_UNKNOWN\",\"action\":\"retry\"}",
                   false);
    ck_assert_ptr_nonnull(strstr(heard, "Retry-After: 1\r\n"));
}
END_TEST

/* As if another process had kept it meanwhile. */
static void keep_elsewhere(const char *request)
{
    char digest[SECRET_SHA256_SIZE];
    secret_sha256_hex(request, strlen(request), digest);
    struct kept kept = {.integrator_id = 1,
                        .key = memory_text("k-1"),
                        .path = memory_text("/api/lock"),
                        .body_sha256 = memory_text(digest),
                        .body = memory_text("{\"success\":true,\"message\":null,\"timeout\":7}"),
                        .status = 200};
    keep(&kept);
}

START_TEST(an_answer_that_another_process_kept_first_stands)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    keep_elsewhere(LOCK);
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", "\"timeout\":7}", true);
}
END_TEST

START_TEST(a_call_that_was_done_is_not_denied_because_another_process_kept_another)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    keep_elsewhere(OTHER_LOCK);
    answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 400 ", REUSED, false);
}
END_TEST

START_TEST(silence_of_the_broker_is_an_unknown_outcome_that_is_not_kept)
{
    int fd = call_lock(UNDER("k-1"));
    wait_for_call(fd);
    hear_and_close(fd, "HTTP/1.1 503 ", "\"OUTCOME_UNKNOWN\"", false);
    wait_for_requests(0); /* the run too has its deadline */
    answer(true, REASON_NONE, 60);
    ck_assert_int_eq(played_store.saves, 0);
    lock_once();
}
END_TEST

START_TEST(a_silent_store_keeps_nobody_waiting_for_ever)
{
    played_store.holds = true;
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 503 ", "\"OUTCOME_UNKNOWN\"", false);
    ck_assert_int_eq(asked.calls, 0);
}
END_TEST

START_TEST(clients_that_hang_up_fill_no_memory)
{
    played_store.holds = true;
    for (int i = 0; i < 4; i++) { /* requests_max */
        int fd = call_lock(UNDER("k-1"));
        wait_for_requests(1);
        hang_up(fd);
        wait_for_requests(0);
    }
    hear_and_close(call_lock(UNDER("k-1")), "HTTP/1.1 429 ", "too many calls with Idempotency-Key",
                   false);
    played_store.holds = false;
    turns(5);
    lock_once();
}
END_TEST

START_TEST(runs_take_no_place_of_other_requests)
{
    int fds[2];
    for (int i = 0; i < 2; i++) {
        fds[i] = call_lock(i ? UNDER("k-1") : UNDER("k-2"));
        wait_for_call(fds[i]);
    }
    wait_for_requests(4); /* requests_max, but two of them are runs */
    int fd = begin_lock();
    for (int i = 0; i < 3; i++)
        answer(true, REASON_NONE, 60);
    hear_and_close(fd, "HTTP/1.1 200 ", LOCKED, false);
    for (int i = 0; i < 2; i++)
        hear_and_close(fds[i], "HTTP/1.1 200 ", LOCKED, false);
}
END_TEST

/* Phases in which the gateway may go; what is left behind the leak checker sees. */
enum { GOES_LOOKING, GOES_RUNNING, GOES_ANSWERED, GOES_SAVING, GOES_COUNT };

START_TEST(the_gateway_may_go_in_any_phase)
{
    played_store.holds = _i == GOES_LOOKING;
    int fd = call_lock(UNDER("k-1"));
    if (_i == GOES_LOOKING)
        wait_for_requests(1);
    else
        wait_for_call(fd);
    played_store.holds = true;
    if (_i >= GOES_ANSWERED)
        answer(true, REASON_NONE, 60);
    if (_i == GOES_SAVING)
        turns(5);
    ck_assert_uint_eq(played_store.question_count, _i == GOES_LOOKING || _i == GOES_SAVING);
    gateway_free(&gateway);
    close(fd);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_repeat_gets_the_first_answer_and_runs_nothing);
    tcase_add_test(tests, a_repeat_is_counted_by_what_it_was_told);
    tcase_add_test(tests, without_a_key_every_call_runs);
    tcase_add_test(tests, a_key_names_one_path_and_one_body);
    tcase_add_test(tests, also_while_the_first_call_is_under_way);
    tcase_add_test(tests, also_when_both_come_before_the_store_has_answered);
    tcase_add_test(tests, a_repeat_beside_another_call_gets_its_answer_all_the_same);
    tcase_add_test(tests, each_integrator_has_keys_of_its_own);
    tcase_add_test(tests, also_while_another_integrators_call_is_under_way);
    tcase_add_loop_test(tests, what_cannot_be_a_key_is_refused, 0, ARRAY_SIZE(NO_KEYS));
    tcase_add_test(tests, a_key_may_have_255_bytes_and_blanks);
    tcase_add_test(tests, copies_that_come_at_once_run_once_and_all_get_the_answer);
    tcase_add_test(tests, nobody_is_answered_before_the_answer_is_kept);
    tcase_add_test(tests, a_call_goes_on_when_its_client_has_hung_up);
    tcase_add_test(tests, its_answer_is_kept_also_when_nobody_waits);
    tcase_add_test(tests, a_call_whose_clients_left_before_it_began_is_not_begun);
    tcase_add_test(tests, the_next_client_takes_the_place_of_one_that_left);
    tcase_add_loop_test(tests, an_answer_that_may_change_is_not_kept, 0, ARRAY_SIZE(NOT_FINAL));
    tcase_add_test(tests, a_503_says_when_to_come_back_also_to_copies);
    tcase_add_test(tests, a_call_that_was_malformed_may_be_mended_under_its_key);
    tcase_add_test(tests, a_search_is_repeated_like_any_other_call);
    tcase_add_loop_test(tests, without_knowing_what_is_kept_nothing_runs, 0, ARRAY_SIZE(LOOKS));
    tcase_add_loop_test(tests, an_answer_that_could_not_be_kept_is_an_unknown_outcome, 0,
                        ARRAY_SIZE(LOOKS));
    tcase_add_test(tests, an_answer_that_another_process_kept_first_stands);
    tcase_add_test(tests, a_call_that_was_done_is_not_denied_because_another_process_kept_another);
    tcase_add_test(tests, silence_of_the_broker_is_an_unknown_outcome_that_is_not_kept);
    tcase_add_test(tests, a_silent_store_keeps_nobody_waiting_for_ever);
    tcase_add_test(tests, clients_that_hang_up_fill_no_memory);
    tcase_add_test(tests, runs_take_no_place_of_other_requests);
    tcase_add_loop_test(tests, the_gateway_may_go_in_any_phase, 0, GOES_COUNT);
}

int main(void)
{
    Suite *suite = suite_create("idempotency");
    TCase *tests = tcase_create("idempotency");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    add_tests(tests);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
