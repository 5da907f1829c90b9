/* The answers that integrators program against: words, actions, and the published numbers. */
#include "base/macros.h"
#include "txn/judge.h"
#include "txn/reason.h"

#include <check.h>
#include <stdlib.h>

START_TEST(every_reason_has_a_stable_word_a_message_and_a_status)
{
    for (int i = 1; i < REASON_COUNT; i++) {
        const struct reason_info *info = reason_info((enum reason)i);
        ck_assert_ptr_nonnull(info->code);
        ck_assert_ptr_nonnull(info->message);
        ck_assert_ptr_nonnull(reason_action_name(info->action));
        ck_assert_int_ge(info->http_status, 200);
        for (int j = 1; j < i; j++)
            ck_assert_str_ne(info->code, reason_info((enum reason)j)->code);
    }
}
END_TEST

START_TEST(success_has_no_code_and_asks_for_nothing)
{
    const struct reason_info *info = reason_info(REASON_NONE);
    ck_assert_ptr_null(info->code);
    ck_assert_int_eq(info->http_status, 200);
    ck_assert_ptr_null(reason_action_name(info->action));
}
END_TEST

START_TEST(money_is_given_back_only_where_nothing_will_be_dispensed)
{
    for (int i = 1; i < REASON_COUNT; i++) {
        bool refunds = reason_info((enum reason)i)->action == ACTION_REFUND;
        ck_assert_int_eq(refunds, i == REASON_CLOSED_BEFORE_PAID || i == REASON_OVER_LIMIT);
    }
    ck_assert_str_eq(reason_action_name(ACTION_REFUND), "refund");
}
END_TEST

START_TEST(strict_integrators_hear_only_the_published_numbers)
{
    static const struct {
        int ours, published;
    } CODES[] = {
        {VEND_APPROVAL_REFUSED, 1},
        {VEND_APPROVAL_EXPIRED, 1},
        {VEND_NEVER_ARRIVED, 3},
        {VEND_UNKNOWN_OUTCOME, 1000},
        {VEND_NO_DROP, 5},
        {VEND_MACHINE_LOCKED, 5},
        {VEND_OK, 0},
        {VEND_WRONG_STATE, 1},
        {VEND_OVERTAKEN, 2},
        {VEND_DEVICE_RESET, 3},
        {VEND_CANCELLED, 4},
        {VEND_DISPENSE_FAILED, 5},
        {VEND_LAUNDRY, 6},
        {VEND_UNCLASSIFIED, 1000},
    };
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++)
        ck_assert_int_eq(txn_strict_vend_code(CODES[i].ours), CODES[i].published);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/reason");
    TCase *tests = tcase_create("answers");
    tcase_add_test(tests, every_reason_has_a_stable_word_a_message_and_a_status);
    tcase_add_test(tests, success_has_no_code_and_asks_for_nothing);
    tcase_add_test(tests, money_is_given_back_only_where_nothing_will_be_dispensed);
    tcase_add_test(tests, strict_integrators_hear_only_the_published_numbers);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
