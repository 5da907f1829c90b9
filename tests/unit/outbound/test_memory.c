/* What is in memory, what is not taken again, and what is given away. */
#include "sender_fixture.h"

static const struct receiver_step JUST_YES[] = {{.answer = YES}};
static const struct receiver_step SLOW[] = {{.answer = YES, .delay_ms = 150}};

static void open_with(int64_t queue_max, int64_t endpoint_waiting_max)
{
    outbound_free(&outbound);
    options.queue_max = queue_max;
    options.endpoint_waiting_max = endpoint_waiting_max;
    open_outbound();
}

static int try_one(int64_t id, enum callback_kind kind)
{
    struct outbound_callback callback = callback_of(id, kind, id);
    return submit(&callback);
}

START_TEST(one_integrator_fills_no_more_than_its_share_and_customers_have_a_reserve)
{
    open_with(100, 8);
    held = true;
    for (int64_t id = 1; id <= 4; id++)
        ck_assert_int_eq(try_one(id, CALLBACK_FEED_ALERTS), 0);
    ck_assert_int_eq(try_one(5, CALLBACK_FEED_ALERTS), -ENOBUFS); /* half is not for them */
    for (int64_t id = 5; id <= 8; id++)
        ck_assert_int_eq(try_one(id, CALLBACK_VEND), 0);
    ck_assert_int_eq(try_one(9, CALLBACK_VEND), -ENOBUFS);
    ck_assert_int_eq(try_one(9, CALLBACK_UNLOCK), -ENOBUFS);
    ck_assert_int_eq(try_one(10, CALLBACK_REQUEST), 0);
    ck_assert_int_eq(try_one(11, CALLBACK_REQUEST), 0);
    ck_assert_int_eq(try_one(12, CALLBACK_REQUEST), -ENOBUFS);
    send_other(13, CALLBACK_FEED_ALERTS, 0);
    ck_assert_double_eq(metric_of("vendgate_callbacks_left_total"), 4);
}
END_TEST

START_TEST(that_there_is_room_again_is_told_once_when_a_quarter_is_free)
{
    open_with(100, 8);
    serve(JUST_YES, 1);
    held = true;
    for (int64_t id = 1; id <= 8; id++)
        ck_assert_int_eq(try_one(id, CALLBACK_VEND), 0);
    ck_assert_int_eq(try_one(9, CALLBACK_VEND), -ENOBUFS);
    ck_assert_int_eq(try_one(10, CALLBACK_VEND), -ENOBUFS);
    calling = true;
    for (int64_t id = 1; id <= 2; id++)
        outbound_forget(outbound, id);
    calling = false;
    run_for(30);
    ck_assert_int_eq(rooms, 0);
    calling = true;
    outbound_forget(outbound, 3);
    calling = false;
    RUN_UNTIL(rooms == 1);
    held = false;
    outbound_endpoint_changed(outbound, 9);
    RUN_UNTIL(settlement_count == 5);
    run_for(30);
    ck_assert_int_eq(rooms, 1);
}
END_TEST

START_TEST(room_in_all_is_told_to_whoever_was_refused)
{
    open_with(4, 8);
    held = true;
    for (int64_t id = 1; id <= 4; id++)
        send_other(id, CALLBACK_VEND, id);
    ck_assert_int_eq(try_one(9, CALLBACK_VEND), -ENOBUFS);
    for (int64_t id = 1; id <= 2; id++)
        outbound_forget(outbound, id);
    run_for(30);
    ck_assert_int_eq(rooms, 0);
    outbound_forget(outbound, 3);
    RUN_UNTIL(rooms == 1);
    ck_assert_int_eq(try_one(9, CALLBACK_VEND), 0);
}
END_TEST

START_TEST(one_that_was_delivered_but_is_not_yet_recorded_is_not_taken_again)
{
    serve(JUST_YES, 1);
    ck_assert_int_eq(try_one(1, CALLBACK_VEND), 0);
    RUN_UNTIL(settlement_count == 1);
    ck_assert_int_eq(try_one(1, CALLBACK_VEND), -EEXIST);
    outbound_recorded(outbound, 1);
    ck_assert_int_eq(try_one(1, CALLBACK_VEND), 0); /* the caller's business from now on */
}
END_TEST

START_TEST(one_that_was_implied_or_expired_is_not_taken_again_either)
{
    held = true;
    struct outbound_callback late = callback_of(1, CALLBACK_REQUEST, 1);
    late.expires_ms = clock_unix_ms() + 20;
    ck_assert_int_eq(submit(&late), 0);
    ck_assert_int_eq(try_one(2, CALLBACK_REQUEST), 0);
    imply(2);
    RUN_UNTIL(settlement_count == 1);
    for (int64_t id = 1; id <= 2; id++) {
        ck_assert_int_eq(try_one(id, CALLBACK_REQUEST), -EEXIST);
        outbound_recorded(outbound, id);
        ck_assert_int_eq(try_one(id, CALLBACK_REQUEST), 0);
    }
}
END_TEST

START_TEST(one_that_will_be_tried_again_is_not_taken_twice_when_its_attempt_is_recorded)
{
    SERVE({.answer = ANSWER("500 Oops", "", "0", "")});
    ck_assert_int_eq(try_one(1, CALLBACK_FEED_ALERTS), 0);
    RUN_UNTIL(attempt_count == 1);
    outbound_recorded(outbound, 1);
    ck_assert_int_eq(try_one(1, CALLBACK_FEED_ALERTS), -EEXIST);
}
END_TEST

START_TEST(what_is_forgotten_ends_without_a_word_and_its_lane_goes_on)
{
    serve(SLOW, 1);
    send_one(1, CALLBACK_VEND, 5);
    send_one(2, CALLBACK_VEND, 5);
    RUN_UNTIL(receiver_count(&receiver) == 1);
    calling = true;
    outbound_forget(outbound, 1);
    outbound_forget(outbound, 77);
    calling = false;
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 2, CALLBACK_DELIVERED);
    ck_assert_uint_eq(attempt_count, 1);
    ck_assert_int_eq(attempts[0].callback_id, 2);
    ck_assert_uint_eq(quiet_count, 0);
}
END_TEST

START_TEST(a_lane_is_forgotten_whole_and_no_other)
{
    serve(SLOW, 1);
    for (int64_t id = 1; id <= 3; id++)
        send_one(id, CALLBACK_VEND, 5);
    send_one(4, CALLBACK_VEND, 6);
    RUN_UNTIL(receiver_count(&receiver) == 2);
    outbound_forget_lane(outbound, 5);
    outbound_forget_lane(outbound, 5);
    ck_assert_uint_eq(outbound_pending(outbound), 1);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 4, CALLBACK_DELIVERED);
    run_for(200);
    ck_assert_uint_eq(receiver_count(&receiver), 2);
    ck_assert_uint_eq(attempt_count, 1);
}
END_TEST

START_TEST(everything_is_forgotten_and_may_be_taken_anew)
{
    serve(SLOW, 1);
    send_one(1, CALLBACK_VEND, 1);
    RUN_UNTIL(settlement_count == 1);
    for (int64_t id = 2; id <= 7; id++)
        send_one(id, CALLBACK_VEND, 1 + id % 2);
    RUN_UNTIL(receiver_count(&receiver) == 3); /* one of each lane */
    calling = true;
    outbound_forget_all(outbound);
    calling = false;
    ck_assert_uint_eq(outbound_pending(outbound), 0);
    run_for(200);
    ck_assert_uint_eq(settlement_count, 1);
    ck_assert_uint_eq(attempt_count, 1);
    ck_assert_uint_eq(receiver_count(&receiver), 3);
    for (int64_t id = 1; id <= 7; id++)
        send_one(id, CALLBACK_VEND, id);
    RUN_UNTIL(settlement_count == 8);
}
END_TEST

START_TEST(without_a_lease_nothing_begins_and_with_a_new_one_it_goes_at_once)
{
    serve(JUST_YES, 1);
    outbound_lease(outbound, clock_monotonic_ms());
    send_one(1, CALLBACK_VEND, 1);
    send_one(2, CALLBACK_VEND, 1);
    run_for(50);
    ck_assert_uint_eq(receiver_count(&receiver), 0);
    int64_t start = clock_monotonic_ms();
    calling = true;
    outbound_lease(outbound, start + 10000);
    calling = false;
    RUN_UNTIL(settlement_count == 2);
    ck_assert_int_lt(clock_monotonic_ms() - start, 300);
}
END_TEST

START_TEST(without_a_lease_they_expire_all_the_same)
{
    outbound_lease(outbound, clock_monotonic_ms());
    struct outbound_callback callback = callback_of(1, CALLBACK_REQUEST, 1);
    callback.expires_ms = clock_unix_ms() + 50;
    ck_assert_int_eq(submit(&callback), 0);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 1, CALLBACK_EXPIRED);
    ck_assert_uint_eq(attempt_count, 0);
}
END_TEST

START_TEST(one_with_a_time_of_its_own_waits_for_it_and_blocks_nobody)
{
    SERVE({.answer = YES});
    struct outbound_callback replay = callback_of(1, CALLBACK_VEND, 0);
    replay.replay = true;
    replay.not_before_ms = clock_unix_ms() + 300;
    ck_assert_int_eq(submit(&replay), 0);
    send_one(2, CALLBACK_VEND, 2);
    RUN_UNTIL(settlement_count == 1);
    check_settled(0, 2, CALLBACK_DELIVERED);
    outbound_endpoint_changed(outbound, 9); /* does not make it due */
    run_for(100);
    ck_assert_uint_eq(receiver_count(&receiver), 1);
    RUN_UNTIL(settlement_count == 2);
    check_settled(1, 1, CALLBACK_DELIVERED);
    ck_assert_int_ge(clock_unix_ms(), replay.not_before_ms);
    ck_assert_uint_eq(attempt_count, 2);
}
END_TEST

START_TEST(many_in_memory_cost_no_more_each_than_few)
{
    open_with(100000, 100000);
    held = true;
    int64_t start = clock_monotonic_ms();
    for (int64_t id = 1; id <= 100000; id++)
        send_one(id, CALLBACK_VEND, id);
    ck_assert_int_lt(clock_monotonic_ms() - start, 10000); /* a scan of all would take hours */
    outbound_forget_all(outbound);
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, one_integrator_fills_no_more_than_its_share_and_customers_have_a_reserve);
    tcase_add_test(tests, that_there_is_room_again_is_told_once_when_a_quarter_is_free);
    tcase_add_test(tests, room_in_all_is_told_to_whoever_was_refused);
    tcase_add_test(tests, one_that_was_delivered_but_is_not_yet_recorded_is_not_taken_again);
    tcase_add_test(tests, one_that_was_implied_or_expired_is_not_taken_again_either);
    tcase_add_test(tests,
                   one_that_will_be_tried_again_is_not_taken_twice_when_its_attempt_is_recorded);
    tcase_add_test(tests, what_is_forgotten_ends_without_a_word_and_its_lane_goes_on);
    tcase_add_test(tests, a_lane_is_forgotten_whole_and_no_other);
    tcase_add_test(tests, everything_is_forgotten_and_may_be_taken_anew);
    tcase_add_test(tests, without_a_lease_nothing_begins_and_with_a_new_one_it_goes_at_once);
    tcase_add_test(tests, without_a_lease_they_expire_all_the_same);
    tcase_add_test(tests, one_with_a_time_of_its_own_waits_for_it_and_blocks_nobody);
    tcase_add_test(tests, many_in_memory_cost_no_more_each_than_few);
}

int main(void)
{
    return run_tests("memory", add_tests);
}
