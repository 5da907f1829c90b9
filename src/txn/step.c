#include "txn/step.h"

#include "base/macros.h"
#include "txn/reason.h"

/* Closing an unpaid transaction that was never answered on lock: nobody is owed a callback. */
#define CLOSE_UNANSWERED                                                     \
    {                                                                        \
        TXN_CLOSED, TXN_TIMER_NONE, TXN_SEND_RELEASE | TXN_ANSWER_LOCK_NO, 0 \
    }
/* Closing an unpaid transaction that the integrator knows of. */
#define CLOSE(code_)                                                                         \
    {                                                                                        \
        TXN_CLOSED, TXN_TIMER_NONE, TXN_SEND_RELEASE | TXN_CALL_UNLOCK | TXN_CANCEL_REQUEST, \
            (code_)                                                                          \
    }
/* The integrator's own unlock: the answer is enough. */
#define CLOSE_OWN                                                            \
    {                                                                        \
        TXN_CLOSED, TXN_TIMER_NONE, TXN_SEND_RELEASE | TXN_CANCEL_REQUEST, 0 \
    }
#define SAME(state_)                   \
    {                                  \
        (state_), TXN_TIMER_KEEP, 0, 0 \
    }
#define VENDED                                                                \
    {                                                                         \
        TXN_VENDED, TXN_TIMER_NONE, TXN_CALL_VEND | TXN_SEND_RELEASE, VEND_OK \
    }
#define FAILED(code_)                                                         \
    {                                                                         \
        TXN_FAILED, TXN_TIMER_NONE, TXN_CALL_VEND | TXN_SEND_RELEASE, (code_) \
    }
#define DOUBT                                            \
    {                                                    \
        TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_SEND_QUERY, 0 \
    }
#define DOUBT_POLICY                                                   \
    {                                                                  \
        TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_ALERT | TXN_APPLY_POLICY, 0 \
    }
#define ADJUST(state_)                                      \
    {                                                       \
        (state_), TXN_TIMER_KEEP, TXN_ADJUST | TXN_ALERT, 0 \
    }

/* A cell without a row keeps next == TXN_NONE: no step. */
static const struct txn_step STEPS[TXN_STATE_COUNT][TXN_EVENT_COUNT] =
    {
        [TXN_NONE] =
            {
                [TXN_LOCK] = {TXN_LOCKING, TXN_TIMER_LOCK_ACK, TXN_SEND_LOCK, 0},
            },
        [TXN_LOCKING] =
            {
                [TXN_LOCK_ACCEPTED] = {TXN_LOCKED, TXN_TIMER_SELECTION, TXN_ANSWER_LOCK_OK, 0},
                /* The selection overtook the reply to lock: the lock is answered first. */
                [TXN_SELECTION] = {TXN_REQUESTED, TXN_TIMER_PAYMENT,
                                   TXN_ANSWER_LOCK_OK | TXN_CALL_REQUEST, 0},
                [TXN_SELECTION_UNPAYABLE] = CLOSE_UNANSWERED,
                [TXN_LOCK_REFUSED] = CLOSE_UNANSWERED,
                [TXN_LOCK_ACK_TIMER] = CLOSE_UNANSWERED,
                [TXN_SESSION_ENDED] = CLOSE_UNANSWERED,
                [TXN_SESSION_RESET] = CLOSE_UNANSWERED,
                [TXN_LINK_LOST] = CLOSE_UNANSWERED,
                [TXN_NEW_CONNECTION] = CLOSE_UNANSWERED,
                [TXN_RESTART] = CLOSE_UNANSWERED,
                [TXN_UNLOCK] = CLOSE_UNANSWERED,
                [TXN_PAID_NOT_YET] = SAME(TXN_LOCKING),
                [TXN_OPERATOR_RELEASE] = CLOSE_UNANSWERED,
                [TXN_OUT_OF_SERVICE] = CLOSE_UNANSWERED,
                [TXN_DRAIN] = CLOSE_UNANSWERED,
            },
        [TXN_LOCKED] =
            {
                [TXN_KEYS] = {TXN_LOCKED, TXN_TIMER_KEEP, TXN_SEND_KEYS, 0},
                [TXN_SELECTION] = {TXN_REQUESTED, TXN_TIMER_PAYMENT, TXN_CALL_REQUEST, 0},
                [TXN_SELECTION_UNPAYABLE] = CLOSE(UNLOCK_UNPAYABLE),
                [TXN_UNLOCK] = CLOSE_OWN,
                [TXN_SELECTION_TIMER] = CLOSE(UNLOCK_NO_SELECTION),
                [TXN_SESSION_ENDED] = CLOSE(TXN_CODE_FROM_EVIDENCE),
                [TXN_SESSION_RESET] = CLOSE(UNLOCK_DEVICE_RESTARTED),
                [TXN_LINK_LOST] = CLOSE(UNLOCK_LINK_LOST),
                [TXN_NEW_CONNECTION] = SAME(TXN_LOCKED),
                [TXN_RESTART] = SAME(TXN_LOCKED),
                [TXN_HELLO_SAME] = SAME(TXN_LOCKED),
                [TXN_HELLO_OTHER] = CLOSE(UNLOCK_DEVICE_RESTARTED),
                [TXN_PAID_NOT_YET] = SAME(TXN_LOCKED),
                [TXN_OPERATOR_RELEASE] = CLOSE(UNLOCK_RELEASED),
                [TXN_OUT_OF_SERVICE] = CLOSE(UNLOCK_OUT_OF_SERVICE),
                [TXN_DRAIN] = CLOSE(UNLOCK_SHUTDOWN),
            },
        [TXN_REQUESTED] =
            {
                [TXN_SELECTION_REPEATED] = SAME(TXN_REQUESTED),
                [TXN_PAID_ACCEPTABLE] = {TXN_PAID, TXN_TIMER_APPROVE, TXN_SEND_APPROVE, 0},
                [TXN_PAID_NOT_YET] = SAME(TXN_REQUESTED),
                [TXN_PAID_NEVER] = CLOSE(TXN_CODE_FROM_EVIDENCE),
                [TXN_SELECTION_WITHDRAWN] = {TXN_WITHDRAWN, TXN_TIMER_SELECTION, TXN_CANCEL_REQUEST,
                                             0},
                [TXN_SELECTION_RENAMING] = {TXN_CLOSED,
                                            TXN_TIMER_NONE, TXN_NEXT_ROW | TXN_CANCEL_REQUEST, 0},
                [TXN_SELECTION_CHANGED] = CLOSE(UNLOCK_WITHDRAWN),
                [TXN_UNLOCK] = CLOSE_OWN,
                [TXN_SESSION_ENDED] = CLOSE(TXN_CODE_FROM_EVIDENCE),
                [TXN_SESSION_RESET] = CLOSE(UNLOCK_DEVICE_RESTARTED),
                [TXN_PAYMENT_TIMER] = CLOSE(UNLOCK_NOT_PAID),
                [TXN_REQUEST_REFUSED] = CLOSE(UNLOCK_REQUEST_REFUSED),
                [TXN_REQUEST_UNDELIVERABLE] = CLOSE(UNLOCK_REQUEST_UNDELIVERED),
                [TXN_LINK_LOST] = CLOSE(UNLOCK_LINK_LOST),
                [TXN_NEW_CONNECTION] = SAME(TXN_REQUESTED),
                [TXN_RESTART] = SAME(TXN_REQUESTED),
                [TXN_HELLO_SAME] = SAME(TXN_REQUESTED),
                [TXN_HELLO_OTHER] = CLOSE(UNLOCK_DEVICE_RESTARTED),
                [TXN_OPERATOR_RELEASE] = CLOSE(UNLOCK_RELEASED),
                [TXN_OUT_OF_SERVICE] = CLOSE(UNLOCK_OUT_OF_SERVICE),
                [TXN_DRAIN] = CLOSE(UNLOCK_SHUTDOWN),
            },
        [TXN_WITHDRAWN] =
            {
                [TXN_PAID_NOT_YET] = SAME(TXN_WITHDRAWN),
                [TXN_UNLOCK] = CLOSE_OWN,
                [TXN_SELECTION_REPEATED] = SAME(TXN_WITHDRAWN),
                [TXN_SELECTION_RENAMING] = {TXN_CLOSED, TXN_TIMER_NONE, TXN_NEXT_ROW, 0},
                [TXN_SELECTION_CHANGED] = CLOSE(UNLOCK_WITHDRAWN),
                [TXN_SELECTION_TIMER] = CLOSE(UNLOCK_WITHDRAWN),
                [TXN_SESSION_ENDED] = CLOSE(UNLOCK_SESSION_ENDED),
                [TXN_SESSION_RESET] = CLOSE(UNLOCK_DEVICE_RESTARTED),
                [TXN_LINK_LOST] = CLOSE(UNLOCK_LINK_LOST),
                [TXN_NEW_CONNECTION] = SAME(TXN_WITHDRAWN),
                [TXN_RESTART] = SAME(TXN_WITHDRAWN),
                [TXN_HELLO_SAME] = SAME(TXN_WITHDRAWN),
                [TXN_HELLO_OTHER] = CLOSE(UNLOCK_DEVICE_RESTARTED),
                [TXN_OPERATOR_RELEASE] = CLOSE(UNLOCK_RELEASED),
                [TXN_OUT_OF_SERVICE] = CLOSE(UNLOCK_OUT_OF_SERVICE),
                [TXN_DRAIN] = CLOSE(UNLOCK_SHUTDOWN),
            },
        [TXN_PAID] =
            {
                [TXN_APPROVAL_TAKEN] = {TXN_VENDING, TXN_TIMER_VEND, 0, 0},
                [TXN_DISPENSED] = VENDED,
                [TXN_NOT_DISPENSED] = FAILED(TXN_CODE_FROM_EVIDENCE),
                [TXN_APPROVAL_REFUSED] = FAILED(TXN_CODE_FROM_EVIDENCE),
                [TXN_APPROVAL_REFUSED_ELSEWHERE] = {TXN_IN_DOUBT, TXN_TIMER_DOUBT,
                                                    TXN_SEND_QUERY | TXN_ALERT, 0},
                [TXN_APPROVE_ACK_TIMER] = {TXN_PAID, TXN_TIMER_APPROVE, TXN_SEND_APPROVE, 0},
                [TXN_APPROVE_TTL_TIMER] = DOUBT,
                /* While the machine is away the approval may come to it when it returns: wait for
                   `vend`. */
                [TXN_LINK_LOST] = {TXN_PAID, TXN_TIMER_VEND, 0, 0},
                [TXN_NEW_CONNECTION] = {TXN_PAID, TXN_TIMER_VEND, 0, 0},
                [TXN_RESTART] = {TXN_PAID, TXN_TIMER_VEND, 0, 0},
                [TXN_VEND_TIMER] = DOUBT,
                [TXN_HELLO_SAME] = {TXN_PAID, TXN_TIMER_APPROVE, TXN_SEND_APPROVE, 0},
                [TXN_HELLO_OTHER] = DOUBT,
                [TXN_SESSION_ENDED] = SAME(TXN_PAID),
                [TXN_SESSION_RESET] = DOUBT,
                [TXN_INTERRUPTED_OFF_BUS] = FAILED(VEND_DEVICE_RESET),
                [TXN_INTERRUPTED_ON_BUS] = DOUBT_POLICY,
                [TXN_PAID_REPEATED] = SAME(TXN_PAID),
                [TXN_PAID_CONFLICT] = SAME(TXN_PAID),
                [TXN_UNLOCK] = SAME(TXN_PAID),
            },
        [TXN_VENDING] =
            {
                [TXN_DISPENSED] = VENDED,
                [TXN_NOT_DISPENSED] = FAILED(TXN_CODE_FROM_EVIDENCE),
                [TXN_VEND_TIMER] = DOUBT,
                [TXN_LINK_LOST] = DOUBT,
                [TXN_NEW_CONNECTION] = DOUBT,
                [TXN_RESTART] = DOUBT,
                [TXN_SESSION_ENDED] = SAME(TXN_VENDING),
                [TXN_SESSION_RESET] = DOUBT,
                [TXN_INTERRUPTED_OFF_BUS] = FAILED(VEND_DEVICE_RESET),
                [TXN_INTERRUPTED_ON_BUS] = DOUBT_POLICY,
                [TXN_PAID_REPEATED] = SAME(TXN_VENDING),
                [TXN_PAID_CONFLICT] = SAME(TXN_VENDING),
                [TXN_UNLOCK] = SAME(TXN_VENDING),
            },
        [TXN_IN_DOUBT] =
            {
                [TXN_DISPENSED] = VENDED,
                [TXN_NOT_DISPENSED] = FAILED(TXN_CODE_FROM_EVIDENCE),
                [TXN_APPROVAL_REFUSED] = FAILED(TXN_CODE_FROM_EVIDENCE),
                [TXN_APPROVAL_REFUSED_ELSEWHERE] = {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_ALERT, 0},
                [TXN_NEVER_SEEN] = FAILED(VEND_NEVER_ARRIVED),
                [TXN_EVIDENCE_LOST] = {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_ALERT, 0},
                [TXN_INTERRUPTED_OFF_BUS] = FAILED(VEND_DEVICE_RESET),
                [TXN_INTERRUPTED_ON_BUS] = {TXN_IN_DOUBT, TXN_TIMER_KEEP,
                                            TXN_ALERT | TXN_APPLY_POLICY, 0},
                [TXN_APPROVAL_TAKEN] = SAME(TXN_IN_DOUBT),
                [TXN_HELLO_SAME] = {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_SEND_QUERY, 0},
                [TXN_HELLO_OTHER] = {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_SEND_QUERY, 0},
                [TXN_DOUBT_REFUND] = {TXN_FAILED, TXN_TIMER_NONE,
                                      TXN_CALL_VEND | TXN_SEND_RELEASE | TXN_ALERT,
                                      VEND_UNKNOWN_OUTCOME},
                [TXN_DOUBT_CAPTURE] = {TXN_VENDED, TXN_TIMER_NONE,
                                       TXN_CALL_VEND | TXN_SEND_RELEASE | TXN_ALERT, VEND_OK},
                [TXN_DOUBT_HOLD] = {TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_ALERT, 0},
                [TXN_VERDICT_VENDED] = VENDED,
                [TXN_VERDICT_FAILED] = FAILED(VEND_UNKNOWN_OUTCOME),
                [TXN_PAID_REPEATED] = SAME(TXN_IN_DOUBT),
                [TXN_PAID_CONFLICT] = SAME(TXN_IN_DOUBT),
                [TXN_UNLOCK] = SAME(TXN_IN_DOUBT),
            },
        [TXN_VENDED] =
            {
                [TXN_DISPENSED] = SAME(TXN_VENDED),
                [TXN_NOT_DISPENSED] = ADJUST(TXN_VENDED),
                [TXN_APPROVAL_REFUSED] = ADJUST(TXN_VENDED),
                [TXN_NEVER_SEEN] = ADJUST(TXN_VENDED),
                [TXN_INTERRUPTED_OFF_BUS] = ADJUST(TXN_VENDED),
                [TXN_PAID_REPEATED] = SAME(TXN_VENDED),
                [TXN_PAID_CONFLICT] = SAME(TXN_VENDED),
                [TXN_UNLOCK] = SAME(TXN_VENDED),
                [TXN_SELECTION_RENAMING] = {TXN_VENDED, TXN_TIMER_NONE, TXN_NEXT_ROW, 0},
            },
        [TXN_FAILED] =
            {
                [TXN_DISPENSED] = ADJUST(TXN_FAILED),
                [TXN_NOT_DISPENSED] = SAME(TXN_FAILED),
                [TXN_PAID_REPEATED] = SAME(TXN_FAILED),
                [TXN_PAID_CONFLICT] = SAME(TXN_FAILED),
                [TXN_UNLOCK] = SAME(TXN_FAILED),
            },
        [TXN_CLOSED] =
            {
                [TXN_DISPENSED] = ADJUST(TXN_CLOSED),
                [TXN_PAID_NEVER] = SAME(TXN_CLOSED),
                [TXN_UNLOCK] = SAME(TXN_CLOSED),
            },
};

bool txn_step(enum txn_state from, enum txn_event event, struct txn_step *ret_step)
{
    assert(from >= 0 && from < TXN_STATE_COUNT);
    assert(event > 0 && event < TXN_EVENT_COUNT);
    const struct txn_step *step = &STEPS[from][event];
    if (step->next == TXN_NONE)
        return false;
    *ret_step = *step;
    return true;
}
