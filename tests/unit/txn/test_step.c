/* The step table as a whole: every pair of state and event has its one promise or is refused, and
 * the laws that hold over all rows. The rows by promise: test_step_unpaid.c, _paid.c, _ended.c. */
#include "rows_ended.h"
#include "rows_paid.h"
#include "rows_unpaid.h"

#include <stdlib.h>

static const struct {
    const struct group *groups;
    size_t count;
} FAMILIES[] = {
    {UNPAID_GROUPS, ARRAY_SIZE(UNPAID_GROUPS)},
    {PAID_GROUPS, ARRAY_SIZE(PAID_GROUPS)},
    {ENDED_GROUPS, ARRAY_SIZE(ENDED_GROUPS)},
};

/* Which row promises something of each pair; NULL: none. */
static void rows_find(const struct row *ret_rows[TXN_STATE_COUNT][TXN_EVENT_COUNT])
{
    for (size_t i = 0; i < ARRAY_SIZE(FAMILIES); i++)
        for (size_t j = 0; j < FAMILIES[i].count; j++) {
            const struct group *group = &FAMILIES[i].groups[j];
            for (size_t k = 0; k < group->count; k++) {
                const struct row *row = &group->rows[k];
                ck_assert_msg(!ret_rows[row->from][row->event], "%s + %s is promised twice: %s",
                              txn_state_name(row->from), txn_event_name(row->event), row->promise);
                ret_rows[row->from][row->event] = row;
            }
        }
}

START_TEST(every_pair_keeps_exactly_one_promise_or_is_refused_and_changes_nothing)
{
    static const struct txn_step UNTOUCHED = {TXN_STATE_COUNT, TXN_TIMER_COUNT, ~0U, -7};
    const struct row *rows[TXN_STATE_COUNT][TXN_EVENT_COUNT] = {0};
    rows_find(rows);
    for (int from = 0; from < TXN_STATE_COUNT; from++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++) {
            if (rows[from][event]) {
                row_holds(rows[from][event]);
                continue;
            }
            struct txn_step step = UNTOUCHED;
            ck_assert_msg(!txn_step((enum txn_state)from, (enum txn_event)event, &step),
                          "%s + %s is a step that nobody was promised",
                          txn_state_name((enum txn_state)from),
                          txn_event_name((enum txn_event)event));
            ck_assert_mem_eq(&step, &UNTOUCHED, sizeof step);
        }
}
END_TEST

/* Calls `law` for every legal step. */
static void for_every_step(void (*law)(enum txn_state from, enum txn_event event,
                                       const struct txn_step *step))
{
    for (int from = 0; from < TXN_STATE_COUNT; from++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++) {
            struct txn_step step;
            if (txn_step((enum txn_state)from, (enum txn_event)event, &step))
                law((enum txn_state)from, (enum txn_event)event, &step);
        }
}

static void law_approval(enum txn_state from, enum txn_event event, const struct txn_step *step)
{
    if (step->actions & TXN_SEND_APPROVE)
        ck_assert_msg(step->next == TXN_PAID && (from == TXN_PAID || event == TXN_PAID_ACCEPTABLE),
                      "%s + %s", txn_state_name(from), txn_event_name(event));
}

START_TEST(goods_are_released_only_for_a_row_that_is_paid_on_disk)
{
    for_every_step(law_approval);
}
END_TEST

static void law_callback(enum txn_state from, enum txn_event event, const struct txn_step *step)
{
    bool ends = !txn_state_final(from) && txn_state_final(step->next);
    bool vend = step->actions & TXN_CALL_VEND, unlock = step->actions & TXN_CALL_UNLOCK;
    const char *name = txn_event_name(event);
    ck_assert_msg(!(vend && unlock), "%s", name);
    ck_assert_msg(!(vend || unlock) || ends, "only an end is told: %s", name);
    if (!ends)
        return;
    if (txn_state_money(from))
        ck_assert_msg(vend, "a paid row ends with /txn/vend: %s", name);
    else if (from == TXN_LOCKING || event == TXN_UNLOCK || (step->actions & TXN_NEXT_ROW))
        ck_assert_msg(!vend && !unlock, "the answer or the next row tells: %s", name);
    else
        ck_assert_msg(unlock, "an unpaid row ends with /txn/unlock: %s", name);
}

START_TEST(every_locked_row_ends_with_exactly_one_callback_or_the_own_unlock)
{
    for_every_step(law_callback);
}
END_TEST

static void law_final(enum txn_state from, enum txn_event event, const struct txn_step *step)
{
    (void)event;
    if (!txn_state_final(from))
        return;
    ck_assert_int_eq(step->next, from);
    ck_assert_uint_eq(step->actions & ~(unsigned)(TXN_ADJUST | TXN_ALERT | TXN_NEXT_ROW), 0);
}

START_TEST(final_states_never_change)
{
    for_every_step(law_final);
}
END_TEST

START_TEST(silence_is_never_failure_once_money_may_be_owed)
{
    static const enum txn_event SILENCE[] = {
        TXN_LINK_LOST,         TXN_NEW_CONNECTION,    TXN_RESTART,       TXN_VEND_TIMER,
        TXN_APPROVE_ACK_TIMER, TXN_APPROVE_TTL_TIMER, TXN_SESSION_ENDED, TXN_SESSION_RESET,
        TXN_EVIDENCE_LOST,     TXN_HELLO_OTHER};
    for (int from = TXN_PAID; from <= TXN_IN_DOUBT; from++)
        for (size_t i = 0; i < ARRAY_SIZE(SILENCE); i++) {
            struct txn_step step;
            if (txn_step((enum txn_state)from, SILENCE[i], &step))
                ck_assert_msg(txn_state_money(step.next), "%s + %s",
                              txn_state_name((enum txn_state)from), txn_event_name(SILENCE[i]));
        }
}
END_TEST

static void law_timer(enum txn_state from, enum txn_event event, const struct txn_step *step)
{
    (void)event;
    if (txn_state_final(step->next) && !txn_state_final(from))
        ck_assert_int_eq(step->timer, TXN_TIMER_NONE);
    if (!txn_state_final(step->next) && step->next != from)
        ck_assert_int_gt(step->timer, TXN_TIMER_KEEP);
}

START_TEST(every_live_state_has_a_deadline)
{
    for_every_step(law_timer);
}
END_TEST

START_TEST(money_states_are_left_only_by_evidence_policy_or_a_person)
{
    static const enum txn_event ENDS[] = {
        TXN_DISPENSED,     TXN_NOT_DISPENSED,       TXN_APPROVAL_REFUSED,
        TXN_NEVER_SEEN,    TXN_INTERRUPTED_OFF_BUS, TXN_DOUBT_REFUND,
        TXN_DOUBT_CAPTURE, TXN_VERDICT_VENDED,      TXN_VERDICT_FAILED};
    for (int from = TXN_PAID; from <= TXN_IN_DOUBT; from++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++) {
            struct txn_step step;
            if (!txn_step((enum txn_state)from, (enum txn_event)event, &step) ||
                !txn_state_final(step.next))
                continue;
            bool allowed = false;
            for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++)
                allowed = allowed || ENDS[i] == (enum txn_event)event;
            ck_assert_msg(allowed, "%s", txn_event_name((enum txn_event)event));
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("txn/step");
    TCase *tests = tcase_create("table");
    tcase_add_test(tests, every_pair_keeps_exactly_one_promise_or_is_refused_and_changes_nothing);
    tcase_add_test(tests, goods_are_released_only_for_a_row_that_is_paid_on_disk);
    tcase_add_test(tests, every_locked_row_ends_with_exactly_one_callback_or_the_own_unlock);
    tcase_add_test(tests, final_states_never_change);
    tcase_add_test(tests, silence_is_never_failure_once_money_may_be_owed);
    tcase_add_test(tests, every_live_state_has_a_deadline);
    tcase_add_test(tests, money_states_are_left_only_by_evidence_policy_or_a_person);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
