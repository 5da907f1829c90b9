/* test_step_paid.c - the promises while money may be owed, each with the rows of the step table
 * that keep it. */
#include "rows_paid.h"

#include <stdlib.h>

static_assert(ARRAY_SIZE(PAID_GROUPS) == 8, "each group of rows is a test below");

START_TEST(the_machines_word_on_the_goods_ends_a_payment)
{
    ROWS_HOLD(MACHINE_TELLS_GOODS);
}
END_TEST

START_TEST(an_approval_that_is_certainly_void_owes_nothing)
{
    ROWS_HOLD(APPROVAL_IS_VOID);
}
END_TEST

START_TEST(another_journal_proves_nothing)
{
    ROWS_HOLD(JOURNAL_PROVES_NOTHING);
}
END_TEST

START_TEST(silence_before_the_approval_is_answered_is_never_failure)
{
    ROWS_HOLD(SILENCE_BEFORE_APPROVAL);
}
END_TEST

START_TEST(silence_after_the_approval_is_never_failure)
{
    ROWS_HOLD(SILENCE_AFTER_APPROVAL);
}
END_TEST

START_TEST(a_doubt_asks_the_machine_whenever_it_is_back)
{
    ROWS_HOLD(DOUBT_ASKS);
}
END_TEST

START_TEST(a_doubt_that_nothing_decides_is_decided_by_policy_or_a_person)
{
    ROWS_HOLD(POLICY_DECIDES);
}
END_TEST

START_TEST(no_call_changes_what_was_paid)
{
    ROWS_HOLD(CALLS_WHILE_PAID);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/step_paid");
    TCase *tests = tcase_create("rows");
    tcase_add_test(tests, the_machines_word_on_the_goods_ends_a_payment);
    tcase_add_test(tests, an_approval_that_is_certainly_void_owes_nothing);
    tcase_add_test(tests, another_journal_proves_nothing);
    tcase_add_test(tests, silence_before_the_approval_is_answered_is_never_failure);
    tcase_add_test(tests, silence_after_the_approval_is_never_failure);
    tcase_add_test(tests, a_doubt_asks_the_machine_whenever_it_is_back);
    tcase_add_test(tests, a_doubt_that_nothing_decides_is_decided_by_policy_or_a_person);
    tcase_add_test(tests, no_call_changes_what_was_paid);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
