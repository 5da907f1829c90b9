/* The words of states, events and timers: the database and the journal hold them, so each must come
 * back as what it was. */
#include "base/macros.h"
#include "txn/state.h"

#include <check.h>
#include <stdlib.h>

START_TEST(every_state_is_read_back_as_it_was_written)
{
    for (int i = 0; i < TXN_STATE_COUNT; i++) {
        enum txn_state back = TXN_STATE_COUNT;
        ck_assert(txn_state_parse(txn_state_name((enum txn_state)i), &back));
        ck_assert_int_eq(back, i);
    }
}
END_TEST

START_TEST(every_event_is_read_back_as_it_was_written)
{
    for (int i = 0; i < TXN_EVENT_COUNT; i++) {
        enum txn_event back = TXN_EVENT_COUNT;
        ck_assert(txn_event_parse(txn_event_name((enum txn_event)i), &back));
        ck_assert_int_eq(back, i);
    }
}
END_TEST

START_TEST(every_timer_is_read_back_as_it_was_written)
{
    for (int i = 0; i < TXN_TIMER_COUNT; i++) {
        enum txn_timer back = TXN_TIMER_COUNT;
        ck_assert(txn_timer_parse(txn_timer_name((enum txn_timer)i), &back));
        ck_assert_int_eq(back, i);
    }
}
END_TEST

START_TEST(a_word_that_is_none_of_ours_is_refused_and_changes_nothing)
{
    static const char *const WORDS[] = {"", "paid ", "VENDE", "IN-DOUBT", "sold"};
    for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
        enum txn_state state = TXN_PAID;
        enum txn_event event = TXN_LOCK;
        enum txn_timer timer = TXN_TIMER_VEND;
        ck_assert(!txn_state_parse(WORDS[i], &state));
        ck_assert(!txn_event_parse(WORDS[i], &event));
        ck_assert(!txn_timer_parse(WORDS[i], &timer));
        ck_assert_int_eq(state, TXN_PAID);
        ck_assert_int_eq(event, TXN_LOCK);
        ck_assert_int_eq(timer, TXN_TIMER_VEND);
    }
}
END_TEST

START_TEST(money_may_be_owed_only_between_the_payment_and_the_end)
{
    for (int i = 0; i < TXN_STATE_COUNT; i++) {
        enum txn_state state = (enum txn_state)i;
        ck_assert_int_eq(txn_state_money(state),
                         state == TXN_PAID || state == TXN_VENDING || state == TXN_IN_DOUBT);
        ck_assert_int_eq(txn_state_final(state),
                         state == TXN_VENDED || state == TXN_FAILED || state == TXN_CLOSED);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/state");
    TCase *tests = tcase_create("words");
    tcase_add_test(tests, every_state_is_read_back_as_it_was_written);
    tcase_add_test(tests, every_event_is_read_back_as_it_was_written);
    tcase_add_test(tests, every_timer_is_read_back_as_it_was_written);
    tcase_add_test(tests, a_word_that_is_none_of_ours_is_refused_and_changes_nothing);
    tcase_add_test(tests, money_may_be_owed_only_between_the_payment_and_the_end);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
