/* The guards: which payment, selection and evidence leads to which event and answer. */
#include "txn/judge.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const struct txn_limits NO_LIMITS = {.scale = 1};

static struct txn_record requested(void)
{
    struct txn_record txn = {.state = TXN_REQUESTED,
                             .session = 7,
                             .request = 1,
                             .item = 12,
                             .price = 250,
                             .deadline_ms = 10000};
    strcpy(txn.journal, "j1");
    return txn;
}

static struct txn_payment payment(int64_t price, int64_t surcharge, int64_t discount)
{
    return (struct txn_payment){.price = price,
                                .surcharge = surcharge,
                                .discount = discount,
                                .now_ms = 5000,
                                .link_up = true,
                                .link_known = true};
}

static struct txn_payment_verdict judge(const struct txn_record *txn, struct txn_payment call,
                                        struct txn_limits limits)
{
    struct txn_payment_verdict verdict;
    txn_judge_payment(txn, &call, &limits, &verdict);
    return verdict;
}

START_TEST(the_approval_carries_price_plus_surcharge_minus_discount)
{
    struct txn_record txn = requested();
    struct txn_payment_verdict verdict = judge(&txn, payment(250, 50, 100), NO_LIMITS);
    ck_assert_int_eq(verdict.event, TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(verdict.reason, REASON_NONE);
    ck_assert_int_eq(verdict.amount, 200);
    verdict = judge(&txn, payment(250, 0, 250), NO_LIMITS);
    ck_assert_int_eq(verdict.event, TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(verdict.amount, 0);
}
END_TEST

START_TEST(the_limits_themselves_can_be_paid)
{
    struct txn_record txn = requested();
    struct txn_limits limits = {.scale = 1, .amount_max = 300};
    ck_assert_int_eq(judge(&txn, payment(250, 50, 0), limits).event, TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(judge(&txn, payment(250, 80, 30), limits).event, TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(judge(&txn, payment(250, MDB_AMOUNT_MAX - 250, 0), NO_LIMITS).amount,
                     MDB_AMOUNT_MAX);
    struct txn_payment last_moment = payment(250, 0, 0);
    last_moment.now_ms = txn.deadline_ms - 1;
    ck_assert_int_eq(judge(&txn, last_moment, NO_LIMITS).event, TXN_PAID_ACCEPTABLE);
    txn.deadline_ms = 0;
    last_moment.now_ms = INT64_MAX;
    ck_assert_int_eq(judge(&txn, last_moment, NO_LIMITS).event, TXN_PAID_ACCEPTABLE);
}
END_TEST

START_TEST(a_machine_of_coarse_scale_is_paid_in_its_units)
{
    struct txn_record txn = requested();
    struct txn_limits tens = {.scale = 10};
    ck_assert_int_eq(judge(&txn, payment(250, 10, 0), tens).amount, 260);
    ck_assert_int_eq(judge(&txn, payment(250, 7, 7), tens).amount, 250);
    ck_assert_int_eq(judge(&txn, payment(250, MDB_AMOUNT_MAX * 10 - 250, 0), tens).amount,
                     MDB_AMOUNT_MAX * 10);
    ck_assert_int_eq(judge(&txn, payment(250, MDB_AMOUNT_MAX * 10, 0), tens).reason,
                     REASON_OVER_LIMIT);
}
END_TEST

START_TEST(a_price_can_be_asked_within_the_scale_and_the_limits)
{
    static const struct {
        int64_t price;
        struct txn_limits limits;
        bool payable;
    } PRICES[] = {
        {0, {.scale = 1}, true},
        {-1, {.scale = 1}, false},
        {INT64_MIN, {.scale = 1}, false},
        {INT64_MAX, {.scale = 1}, false},
        {MDB_AMOUNT_MAX, {.scale = 1}, true},
        {MDB_AMOUNT_MAX + 1, {.scale = 1}, false},
        {250, {.scale = 10}, true},
        {255, {.scale = 10}, false},
        {MDB_AMOUNT_MAX * 10, {.scale = 10}, true},
        {300, {.scale = 1, .amount_max = 300}, true},
        {301, {.scale = 1, .amount_max = 300}, false},
    };
    for (size_t i = 0; i < sizeof PRICES / sizeof PRICES[0]; i++)
        ck_assert_msg(txn_price_payable(PRICES[i].price, &PRICES[i].limits) == PRICES[i].payable,
                      "%lld", (long long)PRICES[i].price);
}
END_TEST

START_TEST(figures_that_can_be_mended_are_never_told_to_refund)
{
    struct txn_record txn = requested();
    struct txn_payment wrong[] = {
        payment(249, 0, 0),   payment(250, -1, 0),        payment(250, 0, -1),
        payment(250, 0, 251), payment(250, INT64_MAX, 0), payment(-250, 0, 0),
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct txn_payment_verdict verdict = judge(&txn, wrong[i], NO_LIMITS);
        ck_assert_int_eq(verdict.event, TXN_PAID_NOT_YET);
        ck_assert_int_eq(verdict.action, ACTION_FIX);
    }
    struct txn_payment_verdict verdict =
        judge(&txn, payment(250, 3, 0), (struct txn_limits){.scale = 10});
    ck_assert_int_eq(verdict.reason, REASON_BAD_AMOUNT);
    ck_assert_int_eq(verdict.action, ACTION_FIX);
}
END_TEST

START_TEST(a_link_that_is_down_asks_for_a_retry)
{
    struct txn_record txn = requested();
    struct txn_payment call = payment(250, 0, 0);
    call.link_up = false;
    struct txn_payment_verdict verdict = judge(&txn, call, NO_LIMITS);
    ck_assert_int_eq(verdict.event, TXN_PAID_NOT_YET);
    ck_assert_int_eq(verdict.reason, REASON_MACHINE_RECONCILING);
    ck_assert_int_eq(verdict.action, ACTION_RETRY);
    call.link_known = false;
    ck_assert_int_eq(judge(&txn, call, NO_LIMITS).reason, REASON_MACHINE_OFFLINE);
}
END_TEST

START_TEST(out_of_time_and_over_the_limit_close_and_refund)
{
    struct txn_record txn = requested();
    struct txn_payment late = payment(250, 0, 0);
    late.now_ms = txn.deadline_ms;
    struct txn_payment_verdict verdict = judge(&txn, late, NO_LIMITS);
    ck_assert_int_eq(verdict.event, TXN_PAID_NEVER);
    ck_assert_int_eq(verdict.action, ACTION_REFUND);
    ck_assert_int_eq(verdict.code, UNLOCK_NOT_PAID);
    verdict = judge(&txn, payment(250, 51, 0), (struct txn_limits){.scale = 1, .amount_max = 300});
    ck_assert_int_eq(verdict.event, TXN_PAID_NEVER);
    ck_assert_int_eq(verdict.reason, REASON_OVER_LIMIT);
    ck_assert_int_eq(verdict.code, UNLOCK_UNPAYABLE);
    verdict = judge(&txn, payment(250, MDB_AMOUNT_MAX, 0), NO_LIMITS);
    ck_assert_int_eq(verdict.reason, REASON_OVER_LIMIT);
}
END_TEST

START_TEST(paying_again_answers_as_before_or_says_conflict)
{
    static const enum txn_state PAID[] = {TXN_PAID, TXN_VENDING, TXN_IN_DOUBT, TXN_VENDED,
                                          TXN_FAILED};
    for (size_t i = 0; i < sizeof PAID / sizeof PAID[0]; i++) {
        struct txn_record txn = requested();
        txn.state = PAID[i];
        txn.surcharge = 10;
        struct txn_payment late = payment(250, 10, 0);
        late.now_ms = INT64_MAX;
        ck_assert_int_eq(judge(&txn, late, NO_LIMITS).event, TXN_PAID_REPEATED);
        ck_assert_int_eq(judge(&txn, late, NO_LIMITS).reason, REASON_NONE);
        struct txn_payment other[] = {payment(250, 0, 0), payment(251, 10, 0), payment(250, 10, 1)};
        for (size_t j = 0; j < sizeof other / sizeof other[0]; j++) {
            struct txn_payment_verdict verdict = judge(&txn, other[j], NO_LIMITS);
            ck_assert_int_eq(verdict.event, TXN_PAID_CONFLICT);
            ck_assert_int_eq(verdict.reason, REASON_PAID_CONFLICT);
            ck_assert_int_eq(verdict.action, ACTION_FIX);
        }
    }
}
END_TEST

START_TEST(paying_too_early_waits_and_paying_after_the_end_refunds)
{
    struct txn_record txn = requested();
    static const enum txn_state EARLY[] = {TXN_LOCKING, TXN_LOCKED, TXN_WITHDRAWN};
    for (size_t i = 0; i < sizeof EARLY / sizeof EARLY[0]; i++) {
        txn.state = EARLY[i];
        struct txn_payment_verdict verdict = judge(&txn, payment(250, 0, 0), NO_LIMITS);
        ck_assert_int_eq(verdict.reason, REASON_NO_SELECTION);
        ck_assert_int_eq(verdict.action, ACTION_WAIT);
    }
    txn.state = TXN_CLOSED;
    struct txn_payment_verdict verdict = judge(&txn, payment(250, 0, 0), NO_LIMITS);
    ck_assert_int_eq(verdict.reason, REASON_CLOSED_BEFORE_PAID);
    ck_assert_int_eq(verdict.action, ACTION_REFUND);
}
END_TEST

START_TEST(a_ref_that_another_took_over_is_refunded_by_that_name)
{
    struct txn_record txn = requested();
    txn.state = TXN_CLOSED;
    txn.closed_by = TXN_SELECTION_RENAMING;
    struct txn_payment_verdict verdict = judge(&txn, payment(250, 0, 0), NO_LIMITS);
    ck_assert_int_eq(verdict.event, TXN_PAID_NEVER);
    ck_assert_int_eq(verdict.reason, REASON_REF_SUPERSEDED);
    ck_assert_int_eq(verdict.action, ACTION_REFUND);
    ck_assert_int_eq(txn_judge_unlock(&txn), REASON_REF_SUPERSEDED);
}
END_TEST

START_TEST(a_selection_counts_once_and_a_changed_one_closes)
{
    struct txn_record txn = requested();
    struct txn_selection same = {.session = 7, .request = 1, .item = 12, .price = 250};
    ck_assert_int_eq(txn_judge_selection(&txn, &same, &NO_LIMITS), TXN_SELECTION_REPEATED);
    struct txn_selection other = same;
    other.request = 2;
    ck_assert_int_eq(txn_judge_selection(&txn, &other, &NO_LIMITS), TXN_SELECTION_CHANGED);
    other.renaming_possible = true;
    ck_assert_int_eq(txn_judge_selection(&txn, &other, &NO_LIMITS), TXN_SELECTION_RENAMING);
    other.session = 8;
    ck_assert_int_eq(txn_judge_selection(&txn, &other, &NO_LIMITS), TXN_EVENT_NONE);
    txn.request = -1;
    ck_assert_int_eq(txn_judge_selection(&txn, &same, &NO_LIMITS), TXN_SELECTION);
    same.price = 0;
    ck_assert_int_eq(txn_judge_selection(&txn, &same, &NO_LIMITS), TXN_SELECTION);
    same.price = -1;
    ck_assert_int_eq(txn_judge_selection(&txn, &same, &NO_LIMITS), TXN_SELECTION_UNPAYABLE);
    same.price = 65535;
    ck_assert_int_eq(txn_judge_selection(&txn, &same, &NO_LIMITS), TXN_SELECTION_UNPAYABLE);
    same.price = 255;
    ck_assert_int_eq(txn_judge_selection(&txn, &same, &(struct txn_limits){.scale = 10}),
                     TXN_SELECTION_UNPAYABLE);
}
END_TEST

START_TEST(a_selection_is_the_same_only_in_every_figure)
{
    struct txn_record txn = requested();
    struct txn_selection other[] = {
        {.session = 7, .request = 2, .item = 12, .price = 250},
        {.session = 7, .request = 1, .item = 13, .price = 250},
        {.session = 7, .request = 1, .item = 12, .price = 251},
    };
    for (size_t i = 0; i < sizeof other / sizeof other[0]; i++)
        ck_assert_int_eq(txn_judge_selection(&txn, &other[i], &NO_LIMITS), TXN_SELECTION_CHANGED);
    txn.request = other[1].request = 0; /* a number like any other */
    ck_assert_int_eq(txn_judge_selection(&txn, &other[1], &NO_LIMITS), TXN_SELECTION_CHANGED);
}
END_TEST

START_TEST(another_choice_that_nobody_can_pay_is_not_renamed)
{
    struct txn_record txn = requested();
    struct txn_selection other = {
        .session = 7, .request = 2, .item = 12, .price = 255, .renaming_possible = true};
    ck_assert_int_eq(txn_judge_selection(&txn, &other, &(struct txn_limits){.scale = 10}),
                     TXN_SELECTION_CHANGED);
}
END_TEST

START_TEST(only_the_same_journal_proves_that_nothing_happened)
{
    struct txn_record txn = requested();
    txn.state = TXN_IN_DOUBT;
    static const struct {
        enum txn_approval_word word;
        const char *journal;
        enum txn_event event;
    } CASES[] = {
        {TXN_WORD_VOID, "j1", TXN_APPROVAL_REFUSED},
        {TXN_WORD_VOID, "j2", TXN_APPROVAL_REFUSED_ELSEWHERE},
        {TXN_WORD_VOID, NULL, TXN_APPROVAL_REFUSED_ELSEWHERE},
        {TXN_WORD_WRONG_JOURNAL, "j1", TXN_APPROVAL_REFUSED_ELSEWHERE},
        {TXN_WORD_NEVER_SEEN, "j1", TXN_NEVER_SEEN},
        {TXN_WORD_NEVER_SEEN, "j2", TXN_EVIDENCE_LOST},
        {TXN_WORD_NEVER_SEEN, "", TXN_EVIDENCE_LOST},
        {TXN_WORD_FORGOTTEN, "j1", TXN_EVIDENCE_LOST},
        {TXN_WORD_DISPENSED, "j2", TXN_DISPENSED},
        {TXN_WORD_NOT_DISPENSED, "j2", TXN_NOT_DISPENSED},
        {TXN_WORD_TAKEN, "j2", TXN_APPROVAL_TAKEN},
        {TXN_WORD_NONE, "j1", TXN_EVENT_NONE},
        {(enum txn_approval_word)99, "j1", TXN_EVENT_NONE}, /* none of ours: says nothing */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct txn_evidence evidence = {.word = CASES[i].word, .journal = CASES[i].journal};
        ck_assert_int_eq(txn_judge_evidence(&txn, &evidence), CASES[i].event);
    }
    struct txn_evidence cut = {.word = TXN_WORD_INTERRUPTED, .journal = "j1", .on_bus = true};
    ck_assert_int_eq(txn_judge_evidence(&txn, &cut), TXN_INTERRUPTED_ON_BUS);
    cut.on_bus = false;
    ck_assert_int_eq(txn_judge_evidence(&txn, &cut), TXN_INTERRUPTED_OFF_BUS);
}
END_TEST

START_TEST(unlock_repeats_its_own_success_and_explains_everything_else)
{
    struct txn_record txn = requested();
    ck_assert_int_eq(txn_judge_unlock(&txn), REASON_NONE);
    txn.state = TXN_CLOSED;
    txn.closed_by = TXN_UNLOCK;
    ck_assert_int_eq(txn_judge_unlock(&txn), REASON_NONE);
    txn.closed_by = TXN_PAYMENT_TIMER;
    ck_assert_int_eq(txn_judge_unlock(&txn), REASON_ALREADY_CLOSED);
    for (int state = TXN_PAID; state <= TXN_FAILED; state++) {
        txn.state = (enum txn_state)state;
        ck_assert_int_eq(txn_judge_unlock(&txn), REASON_ALREADY_PAID);
    }
}
END_TEST

START_TEST(an_unknown_outcome_is_refunded_unless_the_operator_says_otherwise)
{
    ck_assert_int_eq(txn_judge_policy("capture"), TXN_DOUBT_CAPTURE);
    ck_assert_int_eq(txn_judge_policy("hold"), TXN_DOUBT_HOLD);
    ck_assert_int_eq(txn_judge_policy("refund"), TXN_DOUBT_REFUND);
    ck_assert_int_eq(txn_judge_policy("Capture"), TXN_DOUBT_REFUND);
    ck_assert_int_eq(txn_judge_policy(NULL), TXN_DOUBT_REFUND);
}
END_TEST

START_TEST(every_deadline_that_runs_means_something_or_is_left_to_the_policy)
{
    static const enum txn_event EVENTS[] = {
        [TXN_TIMER_NONE] = TXN_EVENT_NONE,
        [TXN_TIMER_KEEP] = TXN_EVENT_NONE,
        [TXN_TIMER_LOCK_ACK] = TXN_LOCK_ACK_TIMER,
        [TXN_TIMER_SELECTION] = TXN_SELECTION_TIMER,
        [TXN_TIMER_PAYMENT] = TXN_PAYMENT_TIMER,
        [TXN_TIMER_APPROVE] = TXN_APPROVE_TTL_TIMER,
        [TXN_TIMER_VEND] = TXN_VEND_TIMER,
        [TXN_TIMER_DOUBT] = TXN_EVENT_NONE, /* txn_judge_policy() */
    };
    for (int timer = 0; timer < TXN_TIMER_COUNT; timer++)
        ck_assert_int_eq(txn_timer_event((enum txn_timer)timer), EVENTS[timer]);
    ck_assert_int_eq(txn_timer_event((enum txn_timer)99), TXN_EVENT_NONE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/judge");
    TCase *tests = tcase_create("guards");
    tcase_add_test(tests, the_approval_carries_price_plus_surcharge_minus_discount);
    tcase_add_test(tests, the_limits_themselves_can_be_paid);
    tcase_add_test(tests, a_machine_of_coarse_scale_is_paid_in_its_units);
    tcase_add_test(tests, a_price_can_be_asked_within_the_scale_and_the_limits);
    tcase_add_test(tests, figures_that_can_be_mended_are_never_told_to_refund);
    tcase_add_test(tests, a_link_that_is_down_asks_for_a_retry);
    tcase_add_test(tests, out_of_time_and_over_the_limit_close_and_refund);
    tcase_add_test(tests, paying_again_answers_as_before_or_says_conflict);
    tcase_add_test(tests, paying_too_early_waits_and_paying_after_the_end_refunds);
    tcase_add_test(tests, a_ref_that_another_took_over_is_refunded_by_that_name);
    tcase_add_test(tests, a_selection_counts_once_and_a_changed_one_closes);
    tcase_add_test(tests, a_selection_is_the_same_only_in_every_figure);
    tcase_add_test(tests, another_choice_that_nobody_can_pay_is_not_renamed);
    tcase_add_test(tests, only_the_same_journal_proves_that_nothing_happened);
    tcase_add_test(tests, unlock_repeats_its_own_success_and_explains_everything_else);
    tcase_add_test(tests, an_unknown_outcome_is_refunded_unless_the_operator_says_otherwise);
    tcase_add_test(tests, every_deadline_that_runs_means_something_or_is_left_to_the_policy);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
