#include "txn/state.h"

#include "base/macros.h"

#include <string.h>

static const char *const STATE_NAMES[] = {
    [TXN_NONE] = "NONE",           [TXN_LOCKING] = "LOCKING",     [TXN_LOCKED] = "LOCKED",
    [TXN_REQUESTED] = "REQUESTED", [TXN_WITHDRAWN] = "WITHDRAWN", [TXN_PAID] = "PAID",
    [TXN_VENDING] = "VENDING",     [TXN_IN_DOUBT] = "IN_DOUBT",   [TXN_VENDED] = "VENDED",
    [TXN_FAILED] = "FAILED",       [TXN_CLOSED] = "CLOSED",
};
static_assert(ARRAY_SIZE(STATE_NAMES) == TXN_STATE_COUNT, "every state has a name");

static const char *const EVENT_NAMES[] = {
    [TXN_EVENT_NONE] = "none",
    [TXN_LOCK] = "lock",
    [TXN_LOCK_ACCEPTED] = "lock_accepted",
    [TXN_LOCK_REFUSED] = "lock_refused",
    [TXN_LOCK_ACK_TIMER] = "lock_ack_timer",
    [TXN_KEYS] = "keys",
    [TXN_SELECTION] = "selection",
    [TXN_SELECTION_UNPAYABLE] = "selection_unpayable",
    [TXN_SELECTION_REPEATED] = "selection_repeated",
    [TXN_SELECTION_RENAMING] = "selection_renaming",
    [TXN_SELECTION_CHANGED] = "selection_changed",
    [TXN_SELECTION_WITHDRAWN] = "selection_withdrawn",
    [TXN_SESSION_ENDED] = "session_ended",
    [TXN_SESSION_RESET] = "session_reset",
    [TXN_SELECTION_TIMER] = "selection_timer",
    [TXN_PAYMENT_TIMER] = "payment_timer",
    [TXN_PAID_ACCEPTABLE] = "paid",
    [TXN_PAID_NOT_YET] = "paid_not_yet",
    [TXN_PAID_NEVER] = "paid_never",
    [TXN_PAID_REPEATED] = "paid_repeated",
    [TXN_PAID_CONFLICT] = "paid_conflict",
    [TXN_UNLOCK] = "unlock",
    [TXN_REQUEST_REFUSED] = "request_refused",
    [TXN_REQUEST_UNDELIVERABLE] = "request_undeliverable",
    [TXN_LINK_LOST] = "link_lost",
    [TXN_NEW_CONNECTION] = "new_connection",
    [TXN_RESTART] = "restart",
    [TXN_HELLO_SAME] = "hello_same",
    [TXN_HELLO_OTHER] = "hello_other",
    [TXN_APPROVAL_TAKEN] = "approval_taken",
    [TXN_DISPENSED] = "dispensed",
    [TXN_NOT_DISPENSED] = "not_dispensed",
    [TXN_APPROVAL_REFUSED] = "approval_refused",
    [TXN_APPROVAL_REFUSED_ELSEWHERE] = "approval_refused_elsewhere",
    [TXN_APPROVE_ACK_TIMER] = "approve_ack_timer",
    [TXN_APPROVE_TTL_TIMER] = "approve_ttl_timer",
    [TXN_VEND_TIMER] = "vend_timer",
    [TXN_NEVER_SEEN] = "never_seen",
    [TXN_EVIDENCE_LOST] = "evidence_lost",
    [TXN_INTERRUPTED_OFF_BUS] = "interrupted_off_bus",
    [TXN_INTERRUPTED_ON_BUS] = "interrupted_on_bus",
    [TXN_DOUBT_REFUND] = "doubt_refund",
    [TXN_DOUBT_CAPTURE] = "doubt_capture",
    [TXN_DOUBT_HOLD] = "doubt_hold",
    [TXN_VERDICT_VENDED] = "verdict_vended",
    [TXN_VERDICT_FAILED] = "verdict_failed",
    [TXN_OPERATOR_RELEASE] = "operator_release",
    [TXN_OUT_OF_SERVICE] = "out_of_service",
    [TXN_DRAIN] = "drain",
};
static_assert(ARRAY_SIZE(EVENT_NAMES) == TXN_EVENT_COUNT, "every event has a name");

static const char *const TIMER_NAMES[] = {
    [TXN_TIMER_NONE] = "none",         [TXN_TIMER_KEEP] = "keep",
    [TXN_TIMER_LOCK_ACK] = "lock_ack", [TXN_TIMER_SELECTION] = "selection",
    [TXN_TIMER_PAYMENT] = "payment",   [TXN_TIMER_APPROVE] = "approve",
    [TXN_TIMER_VEND] = "vend",         [TXN_TIMER_DOUBT] = "doubt",
};
static_assert(ARRAY_SIZE(TIMER_NAMES) == TXN_TIMER_COUNT, "every timer has a name");

const char *txn_state_name(enum txn_state state)
{
    assert(state >= 0 && state < TXN_STATE_COUNT);
    return STATE_NAMES[state];
}

const char *txn_event_name(enum txn_event event)
{
    assert(event >= 0 && event < TXN_EVENT_COUNT);
    return EVENT_NAMES[event];
}

const char *txn_timer_name(enum txn_timer timer)
{
    assert(timer >= 0 && timer < TXN_TIMER_COUNT);
    return TIMER_NAMES[timer];
}

static bool name_find(const char *const *names, int count, const char *name, int *ret_index)
{
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) {
            *ret_index = i;
            return true;
        }
    return false;
}

bool txn_state_parse(const char *name, enum txn_state *ret_state)
{
    int index;
    if (!name_find(STATE_NAMES, TXN_STATE_COUNT, name, &index))
        return false;
    *ret_state = (enum txn_state)index;
    return true;
}

bool txn_event_parse(const char *name, enum txn_event *ret_event)
{
    int index;
    if (!name_find(EVENT_NAMES, TXN_EVENT_COUNT, name, &index))
        return false;
    *ret_event = (enum txn_event)index;
    return true;
}

bool txn_timer_parse(const char *name, enum txn_timer *ret_timer)
{
    int index;
    if (!name_find(TIMER_NAMES, TXN_TIMER_COUNT, name, &index))
        return false;
    *ret_timer = (enum txn_timer)index;
    return true;
}

bool txn_state_final(enum txn_state state)
{
    return state == TXN_VENDED || state == TXN_FAILED || state == TXN_CLOSED;
}

bool txn_state_money(enum txn_state state)
{
    return state == TXN_PAID || state == TXN_VENDING || state == TXN_IN_DOUBT;
}
