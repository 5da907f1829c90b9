/* What one endpoint, one class or one flood may take from the others. */
#include "sender_fixture.h"

static const struct receiver_step SILENT[] = {{.silent = true}};
static const struct receiver_step SLOW[] = {{.answer = YES, .delay_ms = 100}};

START_TEST(two_places_are_kept_for_a_waiting_customer)
{
    reopen(64, 8);
    serve(SILENT, 1);
    for (int64_t id = 1; id <= 10; id++)
        send_one(id, CALLBACK_VEND, id);
    run_for(100);
    ck_assert_uint_eq(receiver_count(&receiver), 2); /* the first window is 4 */
    send_one(11, CALLBACK_REQUEST, 11);
    send_one(12, CALLBACK_UNLOCK, 12);
    RUN_UNTIL(receiver_count(&receiver) == 4);
    for (size_t i = 2; i < 4; i++)
        ck_assert(strstr(request(i), "/txn/request") || strstr(request(i), "/txn/unlock"));
}
END_TEST

START_TEST(customers_go_first_then_vends_then_feeds_and_replays)
{
    reopen(1, 1);
    serve(SLOW, 1);
    send_one(1, CALLBACK_VEND, 1);
    struct outbound_callback replay = callback_of(2, CALLBACK_REQUEST, 0);
    replay.replay = true;
    ck_assert_int_eq(submit(&replay), 0);
    send_one(3, CALLBACK_FEED_ALERTS, 0);
    send_one(4, CALLBACK_VEND, 4);
    send_one(5, CALLBACK_UNLOCK, 5);
    RUN_UNTIL(settlement_count == 5);
    static const int64_t ORDER[] = {1, 5, 4, 2, 3};
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++)
        check_settled(i, ORDER[i], CALLBACK_DELIVERED);
}
END_TEST

START_TEST(feeds_take_half_of_all_connections_and_vends_leave_some_for_customers)
{
    reopen(8, 32);
    serve(SILENT, 1);
    serve_other(SILENT, 1);
    for (int64_t id = 1; id <= 10; id++) {
        send_one(id, CALLBACK_FEED_ALERTS, 0);
        send_other(100 + id, CALLBACK_FEED_ALERTS, 0);
    }
    run_for(100);
    ck_assert_uint_eq(receiver_count(&receiver) + receiver_count(&other), 4);
    for (int64_t id = 1; id <= 4; id++) {
        send_one(200 + id, CALLBACK_REQUEST, 200 + id);
        send_other(300 + id, CALLBACK_REQUEST, 300 + id);
    }
    RUN_UNTIL(receiver_count(&receiver) + receiver_count(&other) == 8);
}
END_TEST

/* 9 has one under way, the next is waiting for the only connection, and more behind it; 10 comes
 * and needs not wait for all of that. */
START_TEST(endpoints_take_turns_when_connections_are_short)
{
    reopen(2, 32);
    serve(SLOW, 1);
    serve_other(SLOW, 1);
    for (int64_t id = 1; id <= 6; id++)
        send_one(id, CALLBACK_FEED_ALERTS, 0);
    for (int64_t id = 11; id <= 13; id++)
        send_other(id, CALLBACK_FEED_ALERTS, 0);
    RUN_UNTIL(settlement_count == 9);
    static const int64_t ORDER[] = {1, 2, 11, 3, 12, 4, 13, 5, 6};
    for (size_t i = 0; i < ARRAY_SIZE(ORDER); i++)
        check_settled(i, ORDER[i], CALLBACK_DELIVERED);
}
END_TEST

START_TEST(a_silent_endpoint_does_not_delay_another)
{
    reopen(64, 8);
    serve(SILENT, 1);
    serve_other((const struct receiver_step[]){{.answer = YES}}, 1);
    for (int64_t id = 1; id <= 100; id++)
        send_one(id, (enum callback_kind)_i, id);
    for (int64_t id = 101; id <= 120; id++) {
        size_t before = settlement_count;
        int64_t start = clock_monotonic_ms();
        send_other(id, (enum callback_kind)_i, id);
        RUN_UNTIL(settlement_count > before);
        check_settled(before, id, CALLBACK_DELIVERED);
        ck_assert_int_lt(clock_monotonic_ms() - start, 500);
    }
}
END_TEST

START_TEST(the_window_grows_with_success)
{
    reopen(64, 8);
    static const struct receiver_step QUICK[] = {{.answer = YES, .delay_ms = 5}};
    serve(QUICK, 1);
    for (int64_t id = 1; id <= 60; id++)
        send_one(id, CALLBACK_VEND, id);
    ck_assert_double_eq(metric_of("vendgate_callback_endpoint_window{integrator=\"9\"}"), 4);
    RUN_UNTIL(settlement_count == 60);
    ck_assert_double_eq(metric_of("vendgate_callback_endpoint_window{integrator=\"9\"}"), 8);
    ck_assert_int_gt(receiver.busy_max, 2);
    ck_assert_int_le(receiver.busy_max, 6);
}
END_TEST

START_TEST(an_endpoint_that_asks_for_a_rate_gets_no_more)
{
    reopen(64, 32);
    endpoint.rate_per_second = 20;
    serve((const struct receiver_step[]){{.answer = YES}}, 1);
    int64_t start = clock_monotonic_ms();
    for (int64_t id = 1; id <= 8; id++)
        send_one(id, CALLBACK_VEND, id);
    RUN_UNTIL(attempt_count == 3);
    send_one(9, CALLBACK_UNLOCK, 9);
    RUN_UNTIL(settlement_count == 9);
    ck_assert_int_ge(clock_monotonic_ms() - start, 350 - 5); /* two at once, then one in 50 ms */
    check_settled(3, 9, CALLBACK_DELIVERED); /* the customer's was the next that went */
}
END_TEST

START_TEST(retry_after_holds_the_others_back_but_no_customer)
{
    reopen(64, 8);
    SERVE({.answer = ANSWER("429 Slow down", "Retry-After: 1\r\n", "0", "")}, {.answer = YES});
    int64_t start = clock_monotonic_ms();
    send_one(1, CALLBACK_VEND, 1);
    RUN_UNTIL(attempt_count == 1);
    send_one(2, CALLBACK_VEND, 2);
    send_one(3, CALLBACK_REQUEST, 3);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 3, CALLBACK_DELIVERED);
    ck_assert_int_lt(clock_monotonic_ms() - start, 500);
    RUN_UNTIL(settlement_count == 3);
    ck_assert_int_ge(clock_monotonic_ms() - start, 1000);
    ck_assert_int_lt(clock_monotonic_ms() - start, 1800);
    ck_assert_uint_eq(attempts_of(2), 1);
}
END_TEST

START_TEST(the_time_from_event_to_wire_is_measured_by_class)
{
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")}, {.answer = YES});
    send_one(1, CALLBACK_REQUEST, 1);
    send_one(2, CALLBACK_FEED_ALERTS, 0);
    RUN_UNTIL(settlement_count == 2);
    /* First attempts only. */
    ck_assert_double_eq(metric_of("vendgate_callback_wire_seconds_count{class=\"urgent\"}"), 1);
    ck_assert_double_eq(metric_of("vendgate_callback_wire_seconds_count{class=\"bulk\"}"), 1);
    ck_assert_double_eq(metric_of("vendgate_callback_wire_seconds_count{class=\"vend\"}"), 0);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, two_places_are_kept_for_a_waiting_customer);
    tcase_add_test(tests, customers_go_first_then_vends_then_feeds_and_replays);
    tcase_add_test(tests, feeds_take_half_of_all_connections_and_vends_leave_some_for_customers);
    tcase_add_test(tests, endpoints_take_turns_when_connections_are_short);
    tcase_add_loop_test(tests, a_silent_endpoint_does_not_delay_another, CALLBACK_REQUEST,
                        CALLBACK_FEED_REFILLS);
    tcase_add_test(tests, the_window_grows_with_success);
    tcase_add_test(tests, an_endpoint_that_asks_for_a_rate_gets_no_more);
    tcase_add_test(tests, retry_after_holds_the_others_back_but_no_customer);
    tcase_add_test(tests, the_time_from_event_to_wire_is_measured_by_class);
}

int main(void)
{
    return run_tests("isolation", add_tests);
}
