#include "txn/judge.h"

#include "base/macros.h"

#include <string.h>

bool txn_price_payable(int64_t price, const struct txn_limits *limits)
{
    assert(limits->scale >= 1);
    if (price < 0 || price % limits->scale != 0 || price / limits->scale > MDB_AMOUNT_MAX)
        return false;
    return limits->amount_max == 0 || price <= limits->amount_max;
}

enum txn_event txn_judge_selection(const struct txn_record *txn,
                                   const struct txn_selection *selection,
                                   const struct txn_limits *limits)
{
    if (selection->session != txn->session)
        return TXN_EVENT_NONE;
    bool first = txn->request < 0;
    if (!first && selection->request == txn->request && selection->item == txn->item &&
        selection->price == txn->price)
        return TXN_SELECTION_REPEATED;
    if (!first)
        return selection->renaming_possible && txn_price_payable(selection->price, limits)
                   ? TXN_SELECTION_RENAMING
                   : TXN_SELECTION_CHANGED;
    return txn_price_payable(selection->price, limits) ? TXN_SELECTION : TXN_SELECTION_UNPAYABLE;
}

static void verdict_set(struct txn_payment_verdict *verdict, enum txn_event event,
                        enum reason reason, enum reason_action action)
{
    *verdict = (struct txn_payment_verdict){.event = event, .reason = reason, .action = action};
}

/* The open request is paid: figures first, since a wrong figure can be mended; then what cannot. */
static void judge_open_payment(const struct txn_record *txn, const struct txn_payment *payment,
                               const struct txn_limits *limits,
                               struct txn_payment_verdict *ret_verdict)
{
    if (txn->deadline_ms != 0 && payment->now_ms >= txn->deadline_ms) {
        verdict_set(ret_verdict, TXN_PAID_NEVER, REASON_CLOSED_BEFORE_PAID, ACTION_REFUND);
        ret_verdict->code = UNLOCK_NOT_PAID;
        return;
    }
    if (payment->price != txn->price) {
        verdict_set(ret_verdict, TXN_PAID_NOT_YET, REASON_PRICE_MISMATCH, ACTION_FIX);
        return;
    }
    int64_t gross, amount;
    if (payment->surcharge < 0 || payment->discount < 0 ||
        __builtin_add_overflow(payment->price, payment->surcharge, &gross) ||
        payment->discount > gross) {
        verdict_set(ret_verdict, TXN_PAID_NOT_YET, REASON_BAD_AMOUNT, ACTION_FIX);
        return;
    }
    amount = gross - payment->discount;
    if (amount / limits->scale > MDB_AMOUNT_MAX ||
        (limits->amount_max != 0 && amount > limits->amount_max)) {
        verdict_set(ret_verdict, TXN_PAID_NEVER, REASON_OVER_LIMIT, ACTION_REFUND);
        ret_verdict->code = UNLOCK_UNPAYABLE;
        return;
    }
    if (amount % limits->scale != 0) {
        verdict_set(ret_verdict, TXN_PAID_NOT_YET, REASON_BAD_AMOUNT, ACTION_FIX);
        return;
    }
    if (!payment->link_up) {
        verdict_set(ret_verdict, TXN_PAID_NOT_YET,
                    payment->link_known ? REASON_MACHINE_RECONCILING : REASON_MACHINE_OFFLINE,
                    ACTION_RETRY);
        return;
    }
    verdict_set(ret_verdict, TXN_PAID_ACCEPTABLE, REASON_NONE, ACTION_NONE);
    ret_verdict->amount = amount;
}

/* Booked before: the first figures stand. */
static void judge_repeated_payment(const struct txn_record *txn, const struct txn_payment *payment,
                                   struct txn_payment_verdict *ret_verdict)
{
    if (payment->price == txn->price && payment->surcharge == txn->surcharge &&
        payment->discount == txn->discount)
        verdict_set(ret_verdict, TXN_PAID_REPEATED, REASON_NONE, ACTION_NONE);
    else
        verdict_set(ret_verdict, TXN_PAID_CONFLICT, REASON_PAID_CONFLICT, ACTION_FIX);
}

void txn_judge_payment(const struct txn_record *txn, const struct txn_payment *payment,
                       const struct txn_limits *limits, struct txn_payment_verdict *ret_verdict)
{
    enum txn_state state = txn->state;
    assert(state > TXN_NONE && state < TXN_STATE_COUNT);
    if (state == TXN_REQUESTED)
        judge_open_payment(txn, payment, limits, ret_verdict);
    else if (state == TXN_CLOSED)
        verdict_set(ret_verdict, TXN_PAID_NEVER,
                    txn->closed_by == TXN_SELECTION_RENAMING ? REASON_REF_SUPERSEDED
                                                             : REASON_CLOSED_BEFORE_PAID,
                    ACTION_REFUND);
    else if (txn_state_money(state) || txn_state_final(state))
        judge_repeated_payment(txn, payment, ret_verdict);
    else
        verdict_set(ret_verdict, TXN_PAID_NOT_YET, REASON_NO_SELECTION, ACTION_WAIT);
}

enum reason txn_judge_unlock(const struct txn_record *txn)
{
    switch (txn->state) {
    case TXN_CLOSED:
        if (txn->closed_by == TXN_SELECTION_RENAMING)
            return REASON_REF_SUPERSEDED;
        return txn->closed_by == TXN_UNLOCK ? REASON_NONE : REASON_ALREADY_CLOSED;
    case TXN_PAID:
    case TXN_VENDING:
    case TXN_IN_DOUBT:
    case TXN_VENDED:
    case TXN_FAILED:
        return REASON_ALREADY_PAID;
    default:
        return REASON_NONE;
    }
}

static bool journal_same(const struct txn_record *txn, const char *journal)
{
    return journal && journal[0] != '\0' && strcmp(txn->journal, journal) == 0;
}

enum txn_event txn_judge_evidence(const struct txn_record *txn, const struct txn_evidence *evidence)
{
    bool same = journal_same(txn, evidence->journal);
    switch (evidence->word) {
    case TXN_WORD_TAKEN:
        return TXN_APPROVAL_TAKEN;
    case TXN_WORD_DISPENSED:
        return TXN_DISPENSED;
    case TXN_WORD_NOT_DISPENSED:
        return TXN_NOT_DISPENSED;
    case TXN_WORD_INTERRUPTED:
        return evidence->on_bus ? TXN_INTERRUPTED_ON_BUS : TXN_INTERRUPTED_OFF_BUS;
    case TXN_WORD_VOID:
        return same ? TXN_APPROVAL_REFUSED : TXN_APPROVAL_REFUSED_ELSEWHERE;
    case TXN_WORD_WRONG_JOURNAL: /* voids nothing: the journal that took it may still speak */
        return TXN_APPROVAL_REFUSED_ELSEWHERE;
    case TXN_WORD_NEVER_SEEN:
        return same ? TXN_NEVER_SEEN : TXN_EVIDENCE_LOST;
    case TXN_WORD_FORGOTTEN:
        return TXN_EVIDENCE_LOST;
    case TXN_WORD_NONE:
        break;
    }
    return TXN_EVENT_NONE;
}

enum txn_event txn_judge_policy(const char *policy)
{
    if (policy && strcmp(policy, "capture") == 0)
        return TXN_DOUBT_CAPTURE;
    if (policy && strcmp(policy, "hold") == 0)
        return TXN_DOUBT_HOLD;
    return TXN_DOUBT_REFUND;
}

int txn_strict_vend_code(int code)
{
    switch (code) {
    case VEND_APPROVAL_REFUSED:
    case VEND_APPROVAL_EXPIRED:
        return VEND_WRONG_STATE;
    case VEND_NEVER_ARRIVED:
        return VEND_DEVICE_RESET;
    case VEND_UNKNOWN_OUTCOME:
        return VEND_UNCLASSIFIED;
    case VEND_NO_DROP:
    case VEND_MACHINE_LOCKED:
        return VEND_DISPENSE_FAILED;
    default:
        return code;
    }
}

enum txn_event txn_timer_event(enum txn_timer timer)
{
    switch (timer) {
    case TXN_TIMER_LOCK_ACK:
        return TXN_LOCK_ACK_TIMER;
    case TXN_TIMER_SELECTION:
        return TXN_SELECTION_TIMER;
    case TXN_TIMER_PAYMENT:
        return TXN_PAYMENT_TIMER;
    case TXN_TIMER_APPROVE:
        return TXN_APPROVE_TTL_TIMER;
    case TXN_TIMER_VEND:
        return TXN_VEND_TIMER;
    case TXN_TIMER_DOUBT: /* the policy decides which: txn_judge_policy() */
    case TXN_TIMER_NONE:
    case TXN_TIMER_KEEP:
    case TXN_TIMER_COUNT:
        break;
    }
    return TXN_EVENT_NONE;
}
