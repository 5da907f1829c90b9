/* rows_ended.h - the rows of the step table after the end: VENDED, FAILED, CLOSED. */
#ifndef VENDGATE_TESTS_UNIT_TXN_ROWS_ENDED_H
#define VENDGATE_TESTS_UNIT_TXN_ROWS_ENDED_H

#include "step_rows.h"

/* The outcome stands; what contradicts it becomes an adjustment, and a person is told. */
#define ADJUSTED(state_)                                    \
    {                                                       \
        (state_), TXN_TIMER_KEEP, TXN_ADJUST | TXN_ALERT, 0 \
    }

static const struct row CONTRARY[] = {
    {"goods that did not come out after all adjust a sale", TXN_VENDED, TXN_NOT_DISPENSED,
     ADJUSTED(TXN_VENDED)},
    {"an approval declared void adjusts a sale", TXN_VENDED, TXN_APPROVAL_REFUSED,
     ADJUSTED(TXN_VENDED)},
    {"an approval that was never seen adjusts a sale", TXN_VENDED, TXN_NEVER_SEEN,
     ADJUSTED(TXN_VENDED)},
    {"an approval never put on the bus adjusts a sale", TXN_VENDED, TXN_INTERRUPTED_OFF_BUS,
     ADJUSTED(TXN_VENDED)},
    {"goods that came out after all adjust a failed vend", TXN_FAILED, TXN_DISPENSED,
     ADJUSTED(TXN_FAILED)},
    {"goods of a sale that was never paid are adjusted", TXN_CLOSED, TXN_DISPENSED,
     ADJUSTED(TXN_CLOSED)},
};

static const struct row AGREEING[] = {
    {"goods told again change nothing", TXN_VENDED, TXN_DISPENSED, STAYS(TXN_VENDED)},
    {"a failed vend told again changes nothing", TXN_FAILED, TXN_NOT_DISPENSED, STAYS(TXN_FAILED)},
};

static const struct row CALLS_AFTER_END[] = {
    {"paying a sale again changes nothing", TXN_VENDED, TXN_PAID_REPEATED, STAYS(TXN_VENDED)},
    {"paying a failed vend again changes nothing", TXN_FAILED, TXN_PAID_REPEATED,
     STAYS(TXN_FAILED)},
    {"other figures do not replace those of a sale", TXN_VENDED, TXN_PAID_CONFLICT,
     STAYS(TXN_VENDED)},
    {"other figures do not replace those of a failed vend", TXN_FAILED, TXN_PAID_CONFLICT,
     STAYS(TXN_FAILED)},
    {"paying what has ended unpaid revives nothing", TXN_CLOSED, TXN_PAID_NEVER, STAYS(TXN_CLOSED)},
    {"unlocking a sale changes nothing", TXN_VENDED, TXN_UNLOCK, STAYS(TXN_VENDED)},
    {"unlocking a failed vend changes nothing", TXN_FAILED, TXN_UNLOCK, STAYS(TXN_FAILED)},
    {"unlocking again changes nothing", TXN_CLOSED, TXN_UNLOCK, STAYS(TXN_CLOSED)},
};

static const struct row NEXT_IN_SESSION[] = {
    {"a further choice in the session is a sale of its own; the one before stands",
     TXN_VENDED,
     TXN_SELECTION_RENAMING,
     {TXN_VENDED, TXN_TIMER_NONE, TXN_NEXT_ROW, 0}},
};

static const struct group ENDED_GROUPS[] = {
    GROUP(CONTRARY),
    GROUP(AGREEING),
    GROUP(CALLS_AFTER_END),
    GROUP(NEXT_IN_SESSION),
};

#endif
