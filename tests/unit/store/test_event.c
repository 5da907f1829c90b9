#include "store/event.h"

#include "store/store_internal.h"

#include <check.h>
#include <stdlib.h>

/* Which callbacks may be shown: heartbeats tell the last id drawn, the number of their own
 * transaction, and the lowest number of one under way. */

static struct horizon horizon;

static void forget(void)
{
    horizon_forget(&horizon);
}

START_TEST(it_takes_three_heartbeats_to_know)
{
    ck_assert_int_eq(horizon.known, -1);
    horizon_learn(&horizon, 10, 100, 100);
    ck_assert_int_eq(horizon.known, -1);
    horizon_learn(&horizon, 20, 110, 110);
    ck_assert_int_eq(horizon.known, -1);
    horizon_learn(&horizon, 30, 120, 120);
    ck_assert_int_eq(horizon.known, 10);
    horizon_learn(&horizon, 40, 130, 130);
    ck_assert_int_eq(horizon.known, 20);
}
END_TEST

/* Transaction 105 drew id 9 or 10 and is not decided. */
START_TEST(what_is_under_way_holds_it_back)
{
    horizon_learn(&horizon, 10, 100, 100);
    for (int64_t number = 110; number < 200; number += 10) {
        horizon_learn(&horizon, number, number, 105);
        ck_assert_int_eq(horizon.known, -1);
    }
    horizon_learn(&horizon, 200, 200, 200);
    ck_assert_int_eq(horizon.known, 10);
    horizon_learn(&horizon, 210, 210, 210);
    ck_assert_int_eq(horizon.known, 190);
}
END_TEST

/* A writer numbered after the heartbeat that read its id, but before the next one. */
START_TEST(who_came_during_a_heartbeat_is_waited_for)
{
    horizon_learn(&horizon, 10, 100, 100); /* 101 has drawn 10 between its number and the reading */
    horizon_learn(&horizon, 10, 102, 101);
    horizon_learn(&horizon, 10, 103, 101);
    ck_assert_int_eq(horizon.known, -1);
    horizon_learn(&horizon, 10, 104, 104);
    ck_assert_int_eq(horizon.known, 10);
}
END_TEST

START_TEST(two_heartbeats_of_one_transaction_prove_nothing)
{
    horizon_learn(&horizon, 10, 100, 100);
    horizon_learn(&horizon, 20, 100, 100);
    horizon_learn(&horizon, 20, 110, 110);
    ck_assert_int_eq(horizon.known, -1);
    horizon_learn(&horizon, 30, 120, 120);
    ck_assert_int_eq(horizon.known, 20);
}
END_TEST

START_TEST(without_any_callback_nothing_is_known_to_be_there)
{
    for (int64_t number = 100; number < 130; number += 10)
        horizon_learn(&horizon, 0, number, number);
    ck_assert_int_eq(horizon.known, 0);
}
END_TEST

START_TEST(after_a_new_connection_it_begins_anew)
{
    for (int64_t number = 100; number < 130; number += 10)
        horizon_learn(&horizon, 50, number, number);
    ck_assert_int_eq(horizon.known, 50);
    horizon_forget(&horizon);
    horizon_learn(&horizon, 20, 130, 130);
    ck_assert_int_eq(horizon.known, -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("event");
    TCase *tests = tcase_create("horizon");
    tcase_add_checked_fixture(tests, forget, NULL);
    tcase_add_test(tests, it_takes_three_heartbeats_to_know);
    tcase_add_test(tests, what_is_under_way_holds_it_back);
    tcase_add_test(tests, who_came_during_a_heartbeat_is_waited_for);
    tcase_add_test(tests, two_heartbeats_of_one_transaction_prove_nothing);
    tcase_add_test(tests, without_any_callback_nothing_is_known_to_be_there);
    tcase_add_test(tests, after_a_new_connection_it_begins_anew);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
