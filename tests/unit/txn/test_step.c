/* The step table: every pair of state and event, and the laws that hold over all of them. */
#include "txn/reason.h"
#include "txn/step.h"

#include <check.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Written from transaction.md, "Steps", pair by pair; what is not named here must not be a step. */
static const struct {
    const char *from, *events, *to;
} LEGAL[] = {
    {"NONE", "lock", "LOCKING"},
    {"LOCKING", "lock_accepted", "LOCKED"},
    {"LOCKING", "selection", "REQUESTED"},
    {"LOCKING", "paid_not_yet", "LOCKING"},
    {"LOCKING",
     "selection_unpayable lock_refused lock_ack_timer session_ended session_reset link_lost "
     "new_connection restart unlock operator_release out_of_service drain",
     "CLOSED"},
    {"LOCKED", "keys new_connection restart hello_same paid_not_yet", "LOCKED"},
    {"LOCKED", "selection", "REQUESTED"},
    {"LOCKED",
     "selection_unpayable unlock selection_timer session_ended session_reset link_lost hello_other "
     "operator_release out_of_service drain",
     "CLOSED"},
    {"REQUESTED", "selection_repeated paid_not_yet new_connection restart hello_same", "REQUESTED"},
    {"REQUESTED", "paid", "PAID"},
    {"REQUESTED", "selection_withdrawn", "WITHDRAWN"},
    {"REQUESTED",
     "paid_never selection_renaming selection_changed unlock session_ended session_reset "
     "payment_timer request_refused request_undeliverable link_lost hello_other operator_release "
     "out_of_service drain",
     "CLOSED"},
    {"WITHDRAWN", "paid_not_yet selection_repeated new_connection restart hello_same", "WITHDRAWN"},
    {"WITHDRAWN",
     "unlock selection_renaming selection_changed selection_timer session_ended session_reset "
     "link_lost hello_other operator_release out_of_service drain",
     "CLOSED"},
    {"PAID",
     "approve_ack_timer link_lost new_connection restart hello_same session_ended paid_repeated "
     "paid_conflict unlock",
     "PAID"},
    {"PAID", "approval_taken", "VENDING"},
    {"PAID", "dispensed", "VENDED"},
    {"PAID", "not_dispensed approval_refused interrupted_off_bus", "FAILED"},
    {"PAID",
     "approval_refused_elsewhere approve_ttl_timer vend_timer hello_other session_reset "
     "interrupted_on_bus",
     "IN_DOUBT"},
    {"VENDING", "session_ended paid_repeated paid_conflict unlock", "VENDING"},
    {"VENDING", "dispensed", "VENDED"},
    {"VENDING", "not_dispensed interrupted_off_bus", "FAILED"},
    {"VENDING", "vend_timer link_lost new_connection restart session_reset interrupted_on_bus",
     "IN_DOUBT"},
    {"IN_DOUBT",
     "approval_refused_elsewhere evidence_lost interrupted_on_bus approval_taken hello_same "
     "hello_other doubt_hold paid_repeated paid_conflict unlock",
     "IN_DOUBT"},
    {"IN_DOUBT", "dispensed doubt_capture verdict_vended", "VENDED"},
    {"IN_DOUBT",
     "not_dispensed approval_refused never_seen interrupted_off_bus doubt_refund verdict_failed",
     "FAILED"},
    {"VENDED",
     "dispensed not_dispensed approval_refused never_seen interrupted_off_bus paid_repeated "
     "paid_conflict unlock selection_renaming",
     "VENDED"},
    {"FAILED", "dispensed not_dispensed paid_repeated paid_conflict unlock", "FAILED"},
    {"CLOSED", "dispensed paid_never unlock", "CLOSED"},
};

static void expected_fill(enum txn_state expected[TXN_STATE_COUNT][TXN_EVENT_COUNT])
{
    for (size_t i = 0; i < sizeof LEGAL / sizeof LEGAL[0]; i++) {
        enum txn_state from, to;
        ck_assert(txn_state_parse(LEGAL[i].from, &from) && txn_state_parse(LEGAL[i].to, &to));
        char *events = strdup(LEGAL[i].events), *rest = NULL;
        for (char *word = strtok_r(events, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
            enum txn_event event;
            ck_assert_msg(txn_event_parse(word, &event), "%s", word);
            ck_assert_msg(expected[from][event] == TXN_NONE, "%s twice", word);
            expected[from][event] = to;
        }
        free(events);
    }
}

START_TEST(every_pair_of_state_and_event_does_what_the_design_says)
{
    enum txn_state expected[TXN_STATE_COUNT][TXN_EVENT_COUNT] = {0};
    expected_fill(expected);
    for (int from = 0; from < TXN_STATE_COUNT; from++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++) {
            struct txn_step step = {.next = TXN_NONE};
            bool legal = txn_step((enum txn_state)from, (enum txn_event)event, &step);
            ck_assert_msg(step.next == expected[from][event] && legal == (step.next != TXN_NONE),
                          "%s + %s gives %s", txn_state_name((enum txn_state)from),
                          txn_event_name((enum txn_event)event), txn_state_name(step.next));
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
        for (size_t i = 0; i < sizeof SILENCE / sizeof SILENCE[0]; i++) {
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
            for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++)
                allowed = allowed || ENDS[i] == (enum txn_event)event;
            ck_assert_msg(allowed, "%s", txn_event_name((enum txn_event)event));
        }
}
END_TEST

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

int main(void)
{
    Suite *suite = suite_create("txn/step");
    TCase *tests = tcase_create("table");
    tcase_add_test(tests, every_pair_of_state_and_event_does_what_the_design_says);
    tcase_add_test(tests, goods_are_released_only_for_a_row_that_is_paid_on_disk);
    tcase_add_test(tests, every_locked_row_ends_with_exactly_one_callback_or_the_own_unlock);
    tcase_add_test(tests, final_states_never_change);
    tcase_add_test(tests, silence_is_never_failure_once_money_may_be_owed);
    tcase_add_test(tests, every_live_state_has_a_deadline);
    tcase_add_test(tests, money_states_are_left_only_by_evidence_policy_or_a_person);
    tcase_add_test(tests, every_reason_has_a_stable_word_a_message_and_a_status);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
