/* What happens at an endpoint that is down, and when it is back. */
#include "sender_fixture.h"

enum { BACKLOG = 10000 };

static const struct receiver_step JUST_YES[] = {{.answer = YES}};
static const struct receiver_step SLOW[] = {{.answer = YES, .delay_ms = 20}};
static const struct receiver_step SILENT[] = {{.silent = true}};

#define BREAKER "vendgate_callback_endpoint_breaker{integrator=\"9\"}"
#define WINDOW "vendgate_callback_endpoint_window{integrator=\"9\"}"

/* Its address is known, and nobody listens there. */
static void be_down(void)
{
    serve(JUST_YES, 1);
    receiver_stop(&receiver);
}

static void break_it(void)
{
    be_down();
    for (int64_t id = 1; id <= 5; id++)
        send_one(id, CALLBACK_VEND, id);
    RUN_UNTIL(metric_of(BREAKER) == 1);
    ck_assert_uint_eq(attempt_count, 5);
}

START_TEST(an_endpoint_that_is_down_costs_those_that_come_no_attempts)
{
    reopen(64, 8);
    break_it();
    for (int64_t id = 11; id <= 30; id++)
        send_one(id, CALLBACK_VEND, id);
    run_for(2500);
    size_t spent = 0;
    for (int64_t id = 11; id <= 30; id++)
        spent += attempts_of(id);
    ck_assert_uint_ge(attempt_count, 5 + 3); /* the probes: about each half second, one */
    ck_assert_uint_le(attempt_count, 5 + 7);
    ck_assert_uint_le(spent, 3);
    ck_assert_double_eq(metric_of("vendgate_callback_breaker_openings_total"), 1);
}
END_TEST

START_TEST(what_waited_goes_in_order_when_it_is_back_and_never_more_than_its_window)
{
    reopen(64, 3); /* of three, two are the customers': the others go one by one */
    break_it();
    for (int64_t id = 6; id <= 60; id++)
        send_one(id, id % 2 ? CALLBACK_VEND : CALLBACK_FEED_ALERTS, 0);
    receiver_start(&receiver, SLOW, 1, NULL);
    RUN_UNTIL(settlement_count == 60);
    ck_assert_int_eq(receiver.busy_max, 1);
    ck_assert_double_eq(metric_of(BREAKER), 0);
    /* But for the first, which was the probe: vends before feeds, each by age. */
    int64_t last = 0;
    bool feeds = false;
    for (size_t i = 1; i < 60; i++) {
        int64_t id = settlements[i].callback_id;
        bool feed = id > 5 && id % 2 == 0;
        ck_assert(feed || !feeds);
        ck_assert(id > last || (feed && !feeds));
        feeds = feed;
        last = id;
    }
}
END_TEST

/* All that is told of 9, one after another in each of its lanes, the oldest first in all. */
static void check_backlog_order(int64_t lanes, int64_t slack)
{
    int64_t last[128] = {0};
    int64_t told = 0;
    for (size_t i = 0; i < settlement_count; i++) {
        int64_t id = settlements[i].callback_id;
        ck_assert_int_eq(settlements[i].fate, CALLBACK_DELIVERED);
        if (id > BACKLOG)
            continue;
        ck_assert_int_gt(id, last[id % lanes]);
        last[id % lanes] = id;
        told++;
        ck_assert_int_le(id, told + slack);
    }
    ck_assert_int_eq(told, BACKLOG);
}

START_TEST(ten_thousand_that_waited_drain_in_order_while_others_are_untouched)
{
    outbound_free(&outbound);
    options.connections_max = 64;
    options.connections_per_endpoint = 32;
    options.queue_max = options.endpoint_waiting_max = 2 * BACKLOG;
    open_outbound();
    break_it();
    serve_other(JUST_YES, 1);
    for (int64_t id = 6; id <= BACKLOG; id++)
        send_one(id, CALLBACK_VEND, 1 + id % 100);
    receiver_start(&receiver, JUST_YES, 1, NULL);
    int64_t end = clock_monotonic_ms() + 50000;
    for (int64_t id = BACKLOG + 1; outbound_pending(outbound) > 0; id++) {
        ck_assert_int_lt(clock_monotonic_ms(), end);
        size_t before = outbound_pending(outbound);
        int64_t start = clock_monotonic_ms();
        send_other(id, CALLBACK_VEND, id);
        RUN_UNTIL(receiver_count(&other) >= (size_t)(id - BACKLOG));
        ck_assert_int_lt(clock_monotonic_ms() - start, 500);
        RUN_UNTIL(outbound_pending(outbound) == 0 || outbound_pending(outbound) + 50 < before);
    }
    ck_assert_int_le(receiver.busy_max, 30);
    check_backlog_order(100, 200); /* a hundred lanes, and those under way */
}
END_TEST

START_TEST(it_is_given_more_step_by_step_when_it_is_back)
{
    reopen(64, 8);
    break_it();
    for (int64_t id = 6; id <= 30; id++)
        send_one(id, CALLBACK_VEND, id);
    receiver_start(&receiver, SLOW, 1, NULL);
    RUN_UNTIL(settlement_count == 1);
    ck_assert_double_eq(metric_of(WINDOW), 1);
    ck_assert_double_eq(metric_of(BREAKER), 2);
    RUN_UNTIL(settlement_count == 30);
    ck_assert_double_ge(metric_of(WINDOW), 4);
}
END_TEST

/* Their own waits are up to 15 minutes and an hour by then. */
START_TEST(nobody_waits_out_a_long_back_off_when_the_endpoint_is_back)
{
    reopen(64, 8);
    be_down();
    for (int64_t id = 1; id <= _i; id++) {
        struct outbound_callback callback =
            callback_of(id, id % 2 ? CALLBACK_FEED_ALERTS : CALLBACK_VEND, 0);
        callback.attempts = 12; /* before a restart */
        callback.expires_ms += 24 * 60 * 60 * 1000;
        ck_assert_int_eq(submit(&callback), 0);
    }
    run_for(3000);
    ck_assert_uint_eq(settlement_count, 0);
    receiver_start(&receiver, JUST_YES, 1, NULL);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == (size_t)_i);
    ck_assert_int_lt(clock_monotonic_ms() - start, 1500);
}
END_TEST

START_TEST(a_customer_asks_at_once_whether_it_is_back)
{
    reopen(64, 8);
    break_it();
    receiver_start(&receiver, JUST_YES, 1, NULL);
    int64_t start = clock_monotonic_ms();
    send_one(20, CALLBACK_REQUEST, 20);
    RUN_UNTIL(settlement_count == 6);
    check_settled(0, 20, CALLBACK_DELIVERED);
    ck_assert_int_lt(clock_monotonic_ms() - start, 300); /* with all that waited behind it */
}
END_TEST

START_TEST(customers_probe_one_at_a_time)
{
    reopen(64, 8);
    break_it();
    receiver_start(&receiver, SILENT, 1, NULL);
    for (int64_t id = 21; id <= 30; id++)
        send_one(id, CALLBACK_REQUEST, id);
    run_for(1500);
    ck_assert_int_le(receiver.busy_max, 2); /* theirs, and the one that is due by time */
    ck_assert_uint_le(receiver_count(&receiver), 4);
}
END_TEST

START_TEST(a_request_expires_on_time_at_an_endpoint_that_is_closed_off)
{
    reopen(64, 8);
    break_it();
    receiver_start(&receiver, SILENT, 1, NULL);
    for (int64_t id = 21; id <= 25; id++) {
        struct outbound_callback callback = callback_of(id, CALLBACK_REQUEST, id);
        callback.expires_ms = clock_unix_ms() + 400;
        ck_assert_int_eq(submit(&callback), 0);
    }
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == 5);
    ck_assert_int_lt(clock_monotonic_ms() - start, 550);
    for (size_t i = 0; i < 5; i++)
        ck_assert_int_eq(settlements[i].fate, CALLBACK_EXPIRED);
}
END_TEST

START_TEST(a_success_calls_for_those_that_failed_before_it)
{
    reopen(64, 8);
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")}, {.answer = ANSWER("500 Oops", "", "0", "")},
          {.answer = YES});
    for (int64_t id = 1; id <= 2; id++) {
        struct outbound_callback callback = callback_of(id, CALLBACK_VEND, id);
        callback.attempts = 12; /* their own waits are up to 15 minutes by now */
        callback.expires_ms += 24 * 60 * 60 * 1000;
        ck_assert_int_eq(submit(&callback), 0);
    }
    RUN_UNTIL(attempt_count == 2);
    int64_t start = clock_monotonic_ms();
    send_one(3, CALLBACK_REQUEST, 3);
    RUN_UNTIL(settlement_count == 3);
    ck_assert_int_lt(clock_monotonic_ms() - start, 300);
    check_settled(0, 3, CALLBACK_DELIVERED);
}
END_TEST

/* Otherwise each success of the others would drive it. */
START_TEST(one_that_fails_alone_is_not_driven_by_the_others)
{
    reopen(64, 8);
    SERVE({.answer = NULL, .only = "/feed/alerts"}, {.answer = YES});
    send_one(1, CALLBACK_FEED_ALERTS, 0);
    for (int64_t id = 2; id <= 40; id++) {
        send_one(id, CALLBACK_VEND, id);
        RUN_UNTIL(settlement_count == (size_t)id - 1);
    }
    run_for(50);
    ck_assert_uint_le(attempts_of(1), 4); /* its first, each with a second on a new connection */
    ck_assert_double_eq(metric_of(BREAKER), 0);
}
END_TEST

START_TEST(a_storm_of_503_closes_it_off)
{
    reopen(64, 32);
    SERVE({.answer = ANSWER("503 Busy", "", "0", "")});
    for (int64_t id = 1; id <= 40; id++)
        send_one(id, CALLBACK_VEND, id);
    RUN_UNTIL(metric_of(BREAKER) == 1);
    run_for(200);
    ck_assert_uint_ge(attempt_count, 10);
    ck_assert_uint_le(attempt_count, 16);
}
END_TEST

START_TEST(a_changed_endpoint_is_tried_at_once)
{
    reopen(64, 8);
    break_it();
    send_one(6, CALLBACK_VEND, 6);
    receiver.port = 0;
    serve(JUST_YES, 1);
    outbound_endpoint_changed(outbound, 9);
    int64_t start = clock_monotonic_ms();
    RUN_UNTIL(settlement_count == 6);
    ck_assert_int_lt(clock_monotonic_ms() - start, 300);
}
END_TEST

START_TEST(after_a_hold_they_go_in_their_order)
{
    reopen(64, 1);
    SERVE({.answer = ANSWER("410 Gone", "", "0", "")}, {.answer = YES, .delay_ms = 5});
    for (int64_t id = 1; id <= 10; id++)
        send_one(id, CALLBACK_VEND, id);
    RUN_UNTIL(gones == 1);
    run_for(50);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
    ck_assert_double_eq(metric_of("vendgate_callback_endpoint_held{integrator=\"9\"}"), 1);
    outbound_endpoint_changed(outbound, 9);
    RUN_UNTIL(settlement_count == 10);
    for (size_t i = 0; i < 10; i++)
        check_settled(i, (int64_t)i + 1, CALLBACK_DELIVERED);
    ck_assert_int_eq(gones, 1);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, an_endpoint_that_is_down_costs_those_that_come_no_attempts);
    tcase_add_test(tests, what_waited_goes_in_order_when_it_is_back_and_never_more_than_its_window);
    tcase_add_test(tests, ten_thousand_that_waited_drain_in_order_while_others_are_untouched);
    tcase_add_test(tests, it_is_given_more_step_by_step_when_it_is_back);
    tcase_add_loop_test(tests, nobody_waits_out_a_long_back_off_when_the_endpoint_is_back, 1, 4);
    tcase_add_test(tests, a_customer_asks_at_once_whether_it_is_back);
    tcase_add_test(tests, customers_probe_one_at_a_time);
    tcase_add_test(tests, a_request_expires_on_time_at_an_endpoint_that_is_closed_off);
    tcase_add_test(tests, a_success_calls_for_those_that_failed_before_it);
    tcase_add_test(tests, one_that_fails_alone_is_not_driven_by_the_others);
    tcase_add_test(tests, a_storm_of_503_closes_it_off);
    tcase_add_test(tests, a_changed_endpoint_is_tried_at_once);
    tcase_add_test(tests, after_a_hold_they_go_in_their_order);
}

int main(void)
{
    return run_tests("recovery", add_tests);
}
