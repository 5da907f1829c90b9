/* rows_paid.h - the rows of the step table while money may be owed: PAID, VENDING, IN_DOUBT. */
#ifndef VENDGATE_TESTS_UNIT_TXN_ROWS_PAID_H
#define VENDGATE_TESTS_UNIT_TXN_ROWS_PAID_H

#include "step_rows.h"

/* The goods are out: /txn/vend tells success, and the machine is freed. */
#define SOLD                                                                  \
    {                                                                         \
        TXN_VENDED, TXN_TIMER_NONE, TXN_CALL_VEND | TXN_SEND_RELEASE, VEND_OK \
    }
/* Nothing is owed: /txn/vend tells `code_`, and the machine is freed. */
#define NOTHING_OWED(code_)                                                   \
    {                                                                         \
        TXN_FAILED, TXN_TIMER_NONE, TXN_CALL_VEND | TXN_SEND_RELEASE, (code_) \
    }
/* Nobody knows: the machine stays reserved and is asked. */
#define UNKNOWN                                          \
    {                                                    \
        TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_SEND_QUERY, 0 \
    }

static const struct row MACHINE_TELLS_GOODS[] = {
    {"a machine that holds the approval has time to dispense",
     TXN_PAID,
     TXN_APPROVAL_TAKEN,
     {TXN_VENDING, TXN_TIMER_VEND, 0, 0}},
    {"goods that come out before the approval's reply are sold", TXN_PAID, TXN_DISPENSED, SOLD},
    {"goods that come out are sold", TXN_VENDING, TXN_DISPENSED, SOLD},
    {"goods that came out while nobody knew are sold", TXN_IN_DOUBT, TXN_DISPENSED, SOLD},
    {"a vend that fails before the approval's reply owes nothing, for the machine's reason",
     TXN_PAID, TXN_NOT_DISPENSED, NOTHING_OWED(TXN_CODE_FROM_EVIDENCE)},
    {"a vend that fails owes nothing, for the machine's reason", TXN_VENDING, TXN_NOT_DISPENSED,
     NOTHING_OWED(TXN_CODE_FROM_EVIDENCE)},
    {"a vend that failed while nobody knew owes nothing, for the machine's reason", TXN_IN_DOUBT,
     TXN_NOT_DISPENSED, NOTHING_OWED(TXN_CODE_FROM_EVIDENCE)},
};

static const struct row APPROVAL_IS_VOID[] = {
    {"an approval that the same journal declares void owes nothing", TXN_PAID, TXN_APPROVAL_REFUSED,
     NOTHING_OWED(TXN_CODE_FROM_EVIDENCE)},
    {"an approval declared void while nobody knew owes nothing", TXN_IN_DOUBT, TXN_APPROVAL_REFUSED,
     NOTHING_OWED(TXN_CODE_FROM_EVIDENCE)},
    {"an approval that the same journal never saw owes nothing and tells 202", TXN_IN_DOUBT,
     TXN_NEVER_SEEN, NOTHING_OWED(VEND_NEVER_ARRIVED)},
    {"a power cut before the approval was used owes nothing, whether it was known as taken or not",
     TXN_PAID, TXN_INTERRUPTED_OFF_BUS, NOTHING_OWED(VEND_DEVICE_RESET)},
    {"a power cut before the approval was put on the bus owes nothing", TXN_VENDING,
     TXN_INTERRUPTED_OFF_BUS, NOTHING_OWED(VEND_DEVICE_RESET)},
    {"a power cut off the bus that is told while nobody knew owes nothing", TXN_IN_DOUBT,
     TXN_INTERRUPTED_OFF_BUS, NOTHING_OWED(VEND_DEVICE_RESET)},
};

static const struct row JOURNAL_PROVES_NOTHING[] = {
    {"a refusal from another journal proves nothing and alarms a person",
     TXN_PAID,
     TXN_APPROVAL_REFUSED_ELSEWHERE,
     {TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_SEND_QUERY | TXN_ALERT, 0}},
    {"another journal's refusal decides no doubt and alarms a person",
     TXN_IN_DOUBT,
     TXN_APPROVAL_REFUSED_ELSEWHERE,
     {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_ALERT, 0}},
    {"an approval that the journal forgot, or another never saw, decides no doubt but alarms",
     TXN_IN_DOUBT,
     TXN_EVIDENCE_LOST,
     {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_ALERT, 0}},
};

static const struct row SILENCE_BEFORE_APPROVAL[] = {
    {"an approval without an answer is sent again, the same one",
     TXN_PAID,
     TXN_APPROVE_ACK_TIMER,
     {TXN_PAID, TXN_TIMER_APPROVE, TXN_SEND_APPROVE, 0}},
    {"an approval without an answer until it expires is unknown", TXN_PAID, TXN_APPROVE_TTL_TIMER,
     UNKNOWN},
    {"a paid sale waits for a machine whose link is lost",
     TXN_PAID,
     TXN_LINK_LOST,
     {TXN_PAID, TXN_TIMER_VEND, 0, 0}},
    {"a paid sale waits for the hello of a new connection",
     TXN_PAID,
     TXN_NEW_CONNECTION,
     {TXN_PAID, TXN_TIMER_VEND, 0, 0}},
    {"a paid sale waits for its machine after a restart of the gateway",
     TXN_PAID,
     TXN_RESTART,
     {TXN_PAID, TXN_TIMER_VEND, 0, 0}},
    {"a machine that does not come back in time leaves it unknown", TXN_PAID, TXN_VEND_TIMER,
     UNKNOWN},
    {"a hello with the same session, request and journal gets the same approval again",
     TXN_PAID,
     TXN_HELLO_SAME,
     {TXN_PAID, TXN_TIMER_APPROVE, TXN_SEND_APPROVE, 0}},
    {"a hello that remembers something else leaves it unknown", TXN_PAID, TXN_HELLO_OTHER, UNKNOWN},
    {"a session that ends does not end what was paid in it", TXN_PAID, TXN_SESSION_ENDED,
     STAYS(TXN_PAID)},
    {"a device that resets leaves it unknown", TXN_PAID, TXN_SESSION_RESET, UNKNOWN},
};

static const struct row SILENCE_AFTER_APPROVAL[] = {
    {"no result in time is unknown", TXN_VENDING, TXN_VEND_TIMER, UNKNOWN},
    {"a link lost while vending is unknown", TXN_VENDING, TXN_LINK_LOST, UNKNOWN},
    {"a new connection while vending is unknown", TXN_VENDING, TXN_NEW_CONNECTION, UNKNOWN},
    {"a restart of the gateway while vending is unknown", TXN_VENDING, TXN_RESTART, UNKNOWN},
    {"a device that resets while vending is unknown", TXN_VENDING, TXN_SESSION_RESET, UNKNOWN},
    {"a session that ends while vending still owes its result", TXN_VENDING, TXN_SESSION_ENDED,
     STAYS(TXN_VENDING)},
};

static const struct row DOUBT_ASKS[] = {
    {"a machine that is back in the same session is asked",
     TXN_IN_DOUBT,
     TXN_HELLO_SAME,
     {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_SEND_QUERY, 0}},
    {"a machine that is back in another session is asked",
     TXN_IN_DOUBT,
     TXN_HELLO_OTHER,
     {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_SEND_QUERY, 0}},
    {"a machine that only holds the approval has not decided the doubt", TXN_IN_DOUBT,
     TXN_APPROVAL_TAKEN, STAYS(TXN_IN_DOUBT)},
};

static const struct row POLICY_DECIDES[] = {
    {"a power cut on the bus before the reply: nobody can know, the policy decides at once",
     TXN_PAID,
     TXN_INTERRUPTED_ON_BUS,
     {TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_ALERT | TXN_APPLY_POLICY, 0}},
    {"a power cut on the bus while vending: the policy decides at once",
     TXN_VENDING,
     TXN_INTERRUPTED_ON_BUS,
     {TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_ALERT | TXN_APPLY_POLICY, 0}},
    {"a power cut on the bus told in doubt: the policy decides at once",
     TXN_IN_DOUBT,
     TXN_INTERRUPTED_ON_BUS,
     {TXN_IN_DOUBT, TXN_TIMER_KEEP, TXN_ALERT | TXN_APPLY_POLICY, 0}},
    {"the policy refund ends a doubt with nothing owed, 203 and an alert",
     TXN_IN_DOUBT,
     TXN_DOUBT_REFUND,
     {TXN_FAILED, TXN_TIMER_NONE, TXN_CALL_VEND | TXN_SEND_RELEASE | TXN_ALERT,
      VEND_UNKNOWN_OUTCOME}},
    {"the policy capture ends a doubt as sold, with an alert",
     TXN_IN_DOUBT,
     TXN_DOUBT_CAPTURE,
     {TXN_VENDED, TXN_TIMER_NONE, TXN_CALL_VEND | TXN_SEND_RELEASE | TXN_ALERT, VEND_OK}},
    {"the policy hold waits anew and repeats the alert",
     TXN_IN_DOUBT,
     TXN_DOUBT_HOLD,
     {TXN_IN_DOUBT, TXN_TIMER_DOUBT, TXN_ALERT, 0}},
    {"an operator's verdict ends a doubt as sold", TXN_IN_DOUBT, TXN_VERDICT_VENDED, SOLD},
    {"an operator's verdict ends a doubt with nothing owed", TXN_IN_DOUBT, TXN_VERDICT_FAILED,
     NOTHING_OWED(VEND_UNKNOWN_OUTCOME)},
};

static const struct row CALLS_WHILE_PAID[] = {
    {"paying again changes nothing before the machine has answered", TXN_PAID, TXN_PAID_REPEATED,
     STAYS(TXN_PAID)},
    {"paying again changes nothing while vending", TXN_VENDING, TXN_PAID_REPEATED,
     STAYS(TXN_VENDING)},
    {"paying again changes nothing in doubt", TXN_IN_DOUBT, TXN_PAID_REPEATED, STAYS(TXN_IN_DOUBT)},
    {"other figures do not replace those on their way to the machine", TXN_PAID, TXN_PAID_CONFLICT,
     STAYS(TXN_PAID)},
    {"other figures do not replace those being vended", TXN_VENDING, TXN_PAID_CONFLICT,
     STAYS(TXN_VENDING)},
    {"other figures do not replace those in doubt", TXN_IN_DOUBT, TXN_PAID_CONFLICT,
     STAYS(TXN_IN_DOUBT)},
    {"an unlock does not take a payment back", TXN_PAID, TXN_UNLOCK, STAYS(TXN_PAID)},
    {"an unlock does not stop a vend", TXN_VENDING, TXN_UNLOCK, STAYS(TXN_VENDING)},
    {"an unlock does not decide a doubt", TXN_IN_DOUBT, TXN_UNLOCK, STAYS(TXN_IN_DOUBT)},
};

static const struct group PAID_GROUPS[] = {
    GROUP(MACHINE_TELLS_GOODS),     GROUP(APPROVAL_IS_VOID),       GROUP(JOURNAL_PROVES_NOTHING),
    GROUP(SILENCE_BEFORE_APPROVAL), GROUP(SILENCE_AFTER_APPROVAL), GROUP(DOUBT_ASKS),
    GROUP(POLICY_DECIDES),          GROUP(CALLS_WHILE_PAID),
};

#endif
