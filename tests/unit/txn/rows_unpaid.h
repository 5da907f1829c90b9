/* rows_unpaid.h - the rows of the step table up to the payment: LOCKING, LOCKED, REQUESTED,
 * WITHDRAWN. */
#ifndef VENDGATE_TESTS_UNIT_TXN_ROWS_UNPAID_H
#define VENDGATE_TESTS_UNIT_TXN_ROWS_UNPAID_H

#include "step_rows.h"

/* The machine is freed and the waiting lock call refused; a lock that was never answered with
 * success owes no callback. */
#define LOCK_FAILS                                                           \
    {                                                                        \
        TXN_CLOSED, TXN_TIMER_NONE, TXN_SEND_RELEASE | TXN_ANSWER_LOCK_NO, 0 \
    }
/* The machine is freed, /txn/unlock with `code_` is owed, an unsent /txn/request is not any more.
 */
#define UNLOCKED(code_)                                                                      \
    {                                                                                        \
        TXN_CLOSED, TXN_TIMER_NONE, TXN_SEND_RELEASE | TXN_CALL_UNLOCK | TXN_CANCEL_REQUEST, \
            (code_)                                                                          \
    }
/* The machine is freed; the answer to the integrator's own call is all that it is told. */
#define CANCELLED                                                            \
    {                                                                        \
        TXN_CLOSED, TXN_TIMER_NONE, TXN_SEND_RELEASE | TXN_CANCEL_REQUEST, 0 \
    }

static const struct row LOCK_BEGINS[] = {
    {"a lock asks the machine and waits for its answer only so long",
     TXN_NONE,
     TXN_LOCK,
     {TXN_LOCKING, TXN_TIMER_LOCK_ACK, TXN_SEND_LOCK, 0}},
    {"a machine that accepts gives the customer time to choose",
     TXN_LOCKING,
     TXN_LOCK_ACCEPTED,
     {TXN_LOCKED, TXN_TIMER_SELECTION, TXN_ANSWER_LOCK_OK, 0}},
    {"a selection that overtakes the reply answers the lock before it asks for money",
     TXN_LOCKING,
     TXN_SELECTION,
     {TXN_REQUESTED, TXN_TIMER_PAYMENT, TXN_ANSWER_LOCK_OK | TXN_CALL_REQUEST, 0}},
};

static const struct row LOCK_FAILS_ROWS[] = {
    {"a machine that refuses fails the lock", TXN_LOCKING, TXN_LOCK_REFUSED, LOCK_FAILS},
    {"a machine that does not answer fails the lock", TXN_LOCKING, TXN_LOCK_ACK_TIMER, LOCK_FAILS},
    {"a price that nobody can pay fails the lock", TXN_LOCKING, TXN_SELECTION_UNPAYABLE,
     LOCK_FAILS},
    {"a session that ends at once fails the lock", TXN_LOCKING, TXN_SESSION_ENDED, LOCK_FAILS},
    {"a device that resets fails the lock", TXN_LOCKING, TXN_SESSION_RESET, LOCK_FAILS},
    {"a lost link fails the lock", TXN_LOCKING, TXN_LINK_LOST, LOCK_FAILS},
    {"a new connection fails the lock that the old one was asked for", TXN_LOCKING,
     TXN_NEW_CONNECTION, LOCK_FAILS},
    {"a restart fails the lock, whose caller has gone with the process", TXN_LOCKING, TXN_RESTART,
     LOCK_FAILS},
    {"an unlock before the machine has answered fails the lock", TXN_LOCKING, TXN_UNLOCK,
     LOCK_FAILS},
    {"an operator's release fails the lock", TXN_LOCKING, TXN_OPERATOR_RELEASE, LOCK_FAILS},
    {"a machine taken out of service fails the lock", TXN_LOCKING, TXN_OUT_OF_SERVICE, LOCK_FAILS},
    {"a gateway that stops fails the lock", TXN_LOCKING, TXN_DRAIN, LOCK_FAILS},
};

static const struct row CHOICE[] = {
    {"keys go to the machine and buy no further time",
     TXN_LOCKED,
     TXN_KEYS,
     {TXN_LOCKED, TXN_TIMER_KEEP, TXN_SEND_KEYS, 0}},
    {"a selection asks the integrator for money and waits only so long",
     TXN_LOCKED,
     TXN_SELECTION,
     {TXN_REQUESTED, TXN_TIMER_PAYMENT, TXN_CALL_REQUEST, 0}},
    {"the same selection told again asks for no second payment", TXN_REQUESTED,
     TXN_SELECTION_REPEATED, STAYS(TXN_REQUESTED)},
    {"a choice taken back gives the customer time anew and spares an unsent request",
     TXN_REQUESTED,
     TXN_SELECTION_WITHDRAWN,
     {TXN_WITHDRAWN, TXN_TIMER_SELECTION, TXN_CANCEL_REQUEST, 0}},
    {"a selection that was taken back stays so when it is told again", TXN_WITHDRAWN,
     TXN_SELECTION_REPEATED, STAYS(TXN_WITHDRAWN)},
    {"another choice goes on under a new ref; the old one ends without a word of its own",
     TXN_REQUESTED,
     TXN_SELECTION_RENAMING,
     {TXN_CLOSED, TXN_TIMER_NONE, TXN_NEXT_ROW | TXN_CANCEL_REQUEST, 0}},
    {"another choice after one taken back goes on under a new ref too",
     TXN_WITHDRAWN,
     TXN_SELECTION_RENAMING,
     {TXN_CLOSED, TXN_TIMER_NONE, TXN_NEXT_ROW, 0}},
};

static const struct row PAYMENT[] = {
    {"a payment that every guard lets through sends one approval",
     TXN_REQUESTED,
     TXN_PAID_ACCEPTABLE,
     {TXN_PAID, TXN_TIMER_APPROVE, TXN_SEND_APPROVE, 0}},
    {"wrong figures or a link that is down leave the payment open", TXN_REQUESTED, TXN_PAID_NOT_YET,
     STAYS(TXN_REQUESTED)},
    {"a payment before the machine has answered buys nothing", TXN_LOCKING, TXN_PAID_NOT_YET,
     STAYS(TXN_LOCKING)},
    {"a payment before the selection buys nothing", TXN_LOCKED, TXN_PAID_NOT_YET,
     STAYS(TXN_LOCKED)},
    {"a payment for a choice that was taken back buys nothing", TXN_WITHDRAWN, TXN_PAID_NOT_YET,
     STAYS(TXN_WITHDRAWN)},
    {"a payment too late or too large is refunded only once the sale is closed and told",
     TXN_REQUESTED, TXN_PAID_NEVER, UNLOCKED(TXN_CODE_FROM_EVIDENCE)},
};

static const struct row OWN_UNLOCK[] = {
    {"the integrator cancels before a choice and hears no callback", TXN_LOCKED, TXN_UNLOCK,
     CANCELLED},
    {"the integrator cancels instead of paying and hears no callback", TXN_REQUESTED, TXN_UNLOCK,
     CANCELLED},
    {"the integrator cancels between two choices and hears no callback", TXN_WITHDRAWN, TXN_UNLOCK,
     CANCELLED},
};

static const struct row CUSTOMER_ENDS[] = {
    {"no choice in time frees the machine and tells 102", TXN_LOCKED, TXN_SELECTION_TIMER,
     UNLOCKED(UNLOCK_NO_SELECTION)},
    {"no payment in time frees the machine and tells 103", TXN_REQUESTED, TXN_PAYMENT_TIMER,
     UNLOCKED(UNLOCK_NOT_PAID)},
    {"a choice taken back with no other in time tells 104", TXN_WITHDRAWN, TXN_SELECTION_TIMER,
     UNLOCKED(UNLOCK_WITHDRAWN)},
    {"another choice that cannot be renamed tells 104", TXN_REQUESTED, TXN_SELECTION_CHANGED,
     UNLOCKED(UNLOCK_WITHDRAWN)},
    {"another choice after one taken back, not to be renamed, tells 104", TXN_WITHDRAWN,
     TXN_SELECTION_CHANGED, UNLOCKED(UNLOCK_WITHDRAWN)},
    {"a session that ends before a choice tells the machine's reason", TXN_LOCKED,
     TXN_SESSION_ENDED, UNLOCKED(TXN_CODE_FROM_EVIDENCE)},
    {"a session that ends before the payment tells the machine's reason", TXN_REQUESTED,
     TXN_SESSION_ENDED, UNLOCKED(TXN_CODE_FROM_EVIDENCE)},
    {"a session that ends after a choice was taken back tells 105", TXN_WITHDRAWN,
     TXN_SESSION_ENDED, UNLOCKED(UNLOCK_SESSION_ENDED)},
    {"a price that nobody can pay tells 114", TXN_LOCKED, TXN_SELECTION_UNPAYABLE,
     UNLOCKED(UNLOCK_UNPAYABLE)},
};

static const struct row REQUEST_FAILS[] = {
    {"an integrator that refuses the request is told 110", TXN_REQUESTED, TXN_REQUEST_REFUSED,
     UNLOCKED(UNLOCK_REQUEST_REFUSED)},
    {"a request that cannot be delivered is told as 111", TXN_REQUESTED, TXN_REQUEST_UNDELIVERABLE,
     UNLOCKED(UNLOCK_REQUEST_UNDELIVERED)},
};

static const struct row LINK_GOES[] = {
    {"a link lost before a choice frees the machine and tells 106", TXN_LOCKED, TXN_LINK_LOST,
     UNLOCKED(UNLOCK_LINK_LOST)},
    {"a link lost before payment frees the machine and tells 106", TXN_REQUESTED, TXN_LINK_LOST,
     UNLOCKED(UNLOCK_LINK_LOST)},
    {"a link lost between two choices frees the machine and tells 106", TXN_WITHDRAWN,
     TXN_LINK_LOST, UNLOCKED(UNLOCK_LINK_LOST)},
    {"a device that resets before a choice tells 107", TXN_LOCKED, TXN_SESSION_RESET,
     UNLOCKED(UNLOCK_DEVICE_RESTARTED)},
    {"a device that resets before payment tells 107", TXN_REQUESTED, TXN_SESSION_RESET,
     UNLOCKED(UNLOCK_DEVICE_RESTARTED)},
    {"a device that resets between two choices tells 107", TXN_WITHDRAWN, TXN_SESSION_RESET,
     UNLOCKED(UNLOCK_DEVICE_RESTARTED)},
    {"a hello without the session of a lock tells 107", TXN_LOCKED, TXN_HELLO_OTHER,
     UNLOCKED(UNLOCK_DEVICE_RESTARTED)},
    {"a hello without the open request tells 107", TXN_REQUESTED, TXN_HELLO_OTHER,
     UNLOCKED(UNLOCK_DEVICE_RESTARTED)},
    {"a hello without the session of a choice taken back tells 107", TXN_WITHDRAWN, TXN_HELLO_OTHER,
     UNLOCKED(UNLOCK_DEVICE_RESTARTED)},
};

static const struct row LINK_RETURNS[] = {
    {"a lock outlives a short break of the link", TXN_LOCKED, TXN_NEW_CONNECTION,
     STAYS(TXN_LOCKED)},
    {"a lock outlives a restart of the gateway", TXN_LOCKED, TXN_RESTART, STAYS(TXN_LOCKED)},
    {"a lock goes on when hello names it", TXN_LOCKED, TXN_HELLO_SAME, STAYS(TXN_LOCKED)},
    {"an open request outlives a short break of the link", TXN_REQUESTED, TXN_NEW_CONNECTION,
     STAYS(TXN_REQUESTED)},
    {"an open request outlives a restart of the gateway", TXN_REQUESTED, TXN_RESTART,
     STAYS(TXN_REQUESTED)},
    {"an open request goes on when hello names it", TXN_REQUESTED, TXN_HELLO_SAME,
     STAYS(TXN_REQUESTED)},
    {"a session between two choices outlives a short break of the link", TXN_WITHDRAWN,
     TXN_NEW_CONNECTION, STAYS(TXN_WITHDRAWN)},
    {"a session between two choices outlives a restart of the gateway", TXN_WITHDRAWN, TXN_RESTART,
     STAYS(TXN_WITHDRAWN)},
    {"a session between two choices goes on when hello names it", TXN_WITHDRAWN, TXN_HELLO_SAME,
     STAYS(TXN_WITHDRAWN)},
};

static const struct row PEOPLE_END[] = {
    {"an operator's release before a choice tells 112", TXN_LOCKED, TXN_OPERATOR_RELEASE,
     UNLOCKED(UNLOCK_RELEASED)},
    {"an operator's release before payment tells 112", TXN_REQUESTED, TXN_OPERATOR_RELEASE,
     UNLOCKED(UNLOCK_RELEASED)},
    {"an operator's release between two choices tells 112", TXN_WITHDRAWN, TXN_OPERATOR_RELEASE,
     UNLOCKED(UNLOCK_RELEASED)},
    {"a machine out of service before a choice tells 113", TXN_LOCKED, TXN_OUT_OF_SERVICE,
     UNLOCKED(UNLOCK_OUT_OF_SERVICE)},
    {"a machine out of service before payment tells 113", TXN_REQUESTED, TXN_OUT_OF_SERVICE,
     UNLOCKED(UNLOCK_OUT_OF_SERVICE)},
    {"a machine out of service between two choices tells 113", TXN_WITHDRAWN, TXN_OUT_OF_SERVICE,
     UNLOCKED(UNLOCK_OUT_OF_SERVICE)},
    {"a gateway that stops before a choice tells 116", TXN_LOCKED, TXN_DRAIN,
     UNLOCKED(UNLOCK_SHUTDOWN)},
    {"a gateway that stops before payment tells 116", TXN_REQUESTED, TXN_DRAIN,
     UNLOCKED(UNLOCK_SHUTDOWN)},
    {"a gateway that stops between two choices tells 116", TXN_WITHDRAWN, TXN_DRAIN,
     UNLOCKED(UNLOCK_SHUTDOWN)},
};

static const struct group UNPAID_GROUPS[] = {
    GROUP(LOCK_BEGINS),  GROUP(LOCK_FAILS_ROWS), GROUP(CHOICE),        GROUP(PAYMENT),
    GROUP(OWN_UNLOCK),   GROUP(CUSTOMER_ENDS),   GROUP(REQUEST_FAILS), GROUP(LINK_GOES),
    GROUP(LINK_RETURNS), GROUP(PEOPLE_END),
};

#endif
