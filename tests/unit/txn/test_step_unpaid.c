/* test_step_unpaid.c - the promises until money is taken, each with the rows of the step table that
 * keep it. */
#include "rows_unpaid.h"

#include <stdlib.h>

static_assert(ARRAY_SIZE(UNPAID_GROUPS) == 10, "each group of rows is a test below");

START_TEST(a_lock_is_answered_by_the_machine)
{
    ROWS_HOLD(LOCK_BEGINS);
}
END_TEST

START_TEST(a_lock_that_fails_frees_the_machine_and_owes_no_callback)
{
    ROWS_HOLD(LOCK_FAILS_ROWS);
}
END_TEST

START_TEST(a_choice_asks_once_for_its_money_and_may_be_taken_back)
{
    ROWS_HOLD(CHOICE);
}
END_TEST

START_TEST(only_a_payment_that_every_guard_lets_through_is_booked)
{
    ROWS_HOLD(PAYMENT);
}
END_TEST

START_TEST(the_integrators_own_unlock_is_its_own_answer)
{
    ROWS_HOLD(OWN_UNLOCK);
}
END_TEST

START_TEST(an_unpaid_purchase_ends_with_one_unlock_that_says_why)
{
    ROWS_HOLD(CUSTOMER_ENDS);
}
END_TEST

START_TEST(a_request_that_fails_frees_the_machine)
{
    ROWS_HOLD(REQUEST_FAILS);
}
END_TEST

START_TEST(a_link_lost_before_payment_frees_the_machine_and_tells)
{
    ROWS_HOLD(LINK_GOES);
}
END_TEST

START_TEST(an_unpaid_purchase_survives_a_short_break_of_the_link)
{
    ROWS_HOLD(LINK_RETURNS);
}
END_TEST

START_TEST(operators_and_a_stopping_gateway_end_only_what_was_not_paid)
{
    ROWS_HOLD(PEOPLE_END);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/step_unpaid");
    TCase *tests = tcase_create("rows");
    tcase_add_test(tests, a_lock_is_answered_by_the_machine);
    tcase_add_test(tests, a_lock_that_fails_frees_the_machine_and_owes_no_callback);
    tcase_add_test(tests, a_choice_asks_once_for_its_money_and_may_be_taken_back);
    tcase_add_test(tests, only_a_payment_that_every_guard_lets_through_is_booked);
    tcase_add_test(tests, the_integrators_own_unlock_is_its_own_answer);
    tcase_add_test(tests, an_unpaid_purchase_ends_with_one_unlock_that_says_why);
    tcase_add_test(tests, a_request_that_fails_frees_the_machine);
    tcase_add_test(tests, a_link_lost_before_payment_frees_the_machine_and_tells);
    tcase_add_test(tests, an_unpaid_purchase_survives_a_short_break_of_the_link);
    tcase_add_test(tests, operators_and_a_stopping_gateway_end_only_what_was_not_paid);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
