/* test_step_ended.c - the promises after the end, each with the rows of the step table that keep
 * it. */
#include "rows_ended.h"

#include <stdlib.h>

static_assert(ARRAY_SIZE(ENDED_GROUPS) == 4, "each group of rows is a test below");

START_TEST(late_contrary_evidence_is_an_adjustment_and_never_an_edit)
{
    ROWS_HOLD(CONTRARY);
}
END_TEST

START_TEST(late_evidence_that_agrees_changes_nothing)
{
    ROWS_HOLD(AGREEING);
}
END_TEST

START_TEST(no_call_changes_an_outcome)
{
    ROWS_HOLD(CALLS_AFTER_END);
}
END_TEST

START_TEST(a_further_choice_in_the_session_is_a_new_sale)
{
    ROWS_HOLD(NEXT_IN_SESSION);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/step_ended");
    TCase *tests = tcase_create("rows");
    tcase_add_test(tests, late_contrary_evidence_is_an_adjustment_and_never_an_edit);
    tcase_add_test(tests, late_evidence_that_agrees_changes_nothing);
    tcase_add_test(tests, no_call_changes_an_outcome);
    tcase_add_test(tests, a_further_choice_in_the_session_is_a_new_sale);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
