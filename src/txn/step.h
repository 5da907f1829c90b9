/* step.h - the step table: what each event does to a transaction in each state. Pure.
 *
 * The daemon, the exhaustive tests and the printed documentation all use this one table
 * (transaction.md, "Steps"). */
#ifndef VENDGATE_TXN_STEP_H
#define VENDGATE_TXN_STEP_H

#include "txn/state.h"

#include <stdbool.h>

/* What is done after the commit (CALL_ rows are written in it). */
enum txn_action {
    TXN_SEND_LOCK = 1 << 0,
    TXN_SEND_KEYS = 1 << 1,
    TXN_SEND_APPROVE = 1 << 2, /* the same approval id every time */
    TXN_SEND_RELEASE = 1 << 3, /* deny, if a request is open, then unlock */
    TXN_SEND_QUERY = 1 << 4,
    TXN_CALL_REQUEST = 1 << 5,
    TXN_CALL_VEND = 1 << 6,
    TXN_CALL_UNLOCK = 1 << 7,
    TXN_CANCEL_REQUEST =
        1 << 8, /* an unsent /txn/request that does not rename is taken back in the same commit */
    TXN_ANSWER_LOCK_OK = 1 << 9,  /* the waiting lock call: success */
    TXN_ANSWER_LOCK_NO = 1 << 10, /* the waiting lock call: success:false */
    TXN_ALERT = 1 << 11,          /* level High: a person should look */
    TXN_ADJUST = 1 << 12,   /* contrary evidence after the end: an adjustment, never an edit */
    TXN_NEXT_ROW = 1 << 13, /* a new row of the same session in the same commit, with a new ref */
    TXN_APPLY_POLICY = 1 << 14, /* the operator's policy for unknown outcomes decides at once */
};

/* The code comes from the evidence (the machine's reason), not from the table. */
#define TXN_CODE_FROM_EVIDENCE (-1)

struct txn_step {
    enum txn_state next;
    enum txn_timer timer; /* what runs from now on */
    unsigned actions;     /* of enum txn_action */
    int code;             /* of the callback: enum unlock_code or vend_code */
};

/* False: `event` means nothing in `from` (late, repeated, impossible), and *ret_step is untouched.
 */
bool txn_step(enum txn_state from, enum txn_event event, struct txn_step *ret_step);

#endif
