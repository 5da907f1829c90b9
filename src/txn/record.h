/* record.h - one transaction as a plain record; a row of table `txn` holds the same. No I/O. */
#ifndef VENDGATE_TXN_RECORD_H
#define VENDGATE_TXN_RECORD_H

#include "txn/state.h"

#include <stdbool.h>
#include <stdint.h>

#define VM_ID_SIZE 65     /* 1-64 of A-Za-z0-9._- (contract) */
#define TXN_REF_SIZE 129  /* 1-128 printable ASCII (contract) */
#define SELECTION_SIZE 33 /* label of the selection as the machine shows it */
#define APPROVAL_SIZE 33  /* 128 random bits in hexadecimal */
#define JOURNAL_SIZE 65   /* id of the device's journal, 1-64 of A-Za-z0-9._- */

#define TXN_BALANCE_UNKNOWN 65535

struct txn_record {
    int64_t id; /* txn.txn_id; 0 until inserted */
    int64_t integrator_id;
    char ref[TXN_REF_SIZE];
    char vm_id[VM_ID_SIZE];
    int64_t
        session; /* the machine session and the callback lane: txn_id of the session's first row */
    enum txn_state state;
    int64_t version; /* rises by one with every step */
    int64_t balance; /* as given to lock, smallest unit; TXN_BALANCE_UNKNOWN */

    int64_t request; /* the machine's number of the open choice; -1: none yet */
    int64_t item;    /* raw MDB code; -1: none yet */
    char selection[SELECTION_SIZE];
    int64_t price; /* as selected, smallest unit */

    int64_t surcharge, discount;  /* as paid */
    int64_t amount;               /* price + surcharge - discount; what the approval carries */
    char approval[APPROVAL_SIZE]; /* empty before PAID */
    int64_t approval_n;           /* the machine's rising approval number */
    char journal[JOURNAL_SIZE];   /* the device's journal id as of the PAID step */

    enum txn_timer timer;  /* which deadline runs */
    int64_t deadline_ms;   /* unix ms on PostgreSQL's clock; 0: none */
    int64_t lane_sequence; /* number of the lane's last callback */
    bool lock_answered; /* the lock call was answered success:true, so a callback is owed (promise
                           3) */
    enum txn_event closed_by; /* the event that made it final, TXN_EVENT_NONE while live */
    int outcome_code;         /* code of its final callback, 0: success or none */
    int64_t created_ms;
    int64_t paid_ms; /* 0: not paid */

    int64_t keys_n;      /* number of the last keys that the machine was told to press; 0: none */
    int64_t keys_digest; /* of those keys: a repeat of the same call is known by it */

    int64_t predecessor_id; /* the row of the same session whose ref this one took over; 0: none */
    char predecessor_ref[TXN_REF_SIZE];
    bool predecessor_closed; /* it ended by this rename (else it is VENDED): until the rename is
                                confirmed, its ref is owed an ending too (promise 3) */
    char successor_ref[TXN_REF_SIZE]; /* the ref that took over from this row; empty: none */
};

#endif
