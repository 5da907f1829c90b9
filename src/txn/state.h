/* state.h - the states, events and timers of a transaction, and their names. Pure. */
#ifndef VENDGATE_TXN_STATE_H
#define VENDGATE_TXN_STATE_H

#include <stdbool.h>

enum txn_state {
    TXN_NONE = 0,  /* there is no row */
    TXN_LOCKING,   /* the machine was asked to let the customer choose */
    TXN_LOCKED,    /* the customer is choosing */
    TXN_REQUESTED, /* a selection was made, /txn/request is owed or sent */
    TXN_WITHDRAWN, /* the choice was taken back; the session is open and another may follow */
    TXN_PAID,      /* the integrator has booked it; the approval is on its way */
    TXN_VENDING,   /* the machine holds the approval */
    TXN_IN_DOUBT,  /* paid; the approval may have been used, we do not know */
    TXN_VENDED,    /* final: price + surcharge - discount is owed */
    TXN_FAILED,    /* final: paid, not dispensed; nothing is owed */
    TXN_CLOSED,    /* final: never paid; nothing is owed */
    TXN_STATE_COUNT
};

/* What may happen to a transaction, already judged: guards that need figures or facts are decided
 * by txn/judge.h, which picks the event; the step table then needs no further condition. */
enum txn_event {
    TXN_EVENT_NONE = 0,
    TXN_LOCK,                  /* integrator: /api/lock on a free machine, new ref */
    TXN_LOCK_ACCEPTED,         /* machine: ok to lock */
    TXN_LOCK_REFUSED,          /* machine: refused to lock */
    TXN_LOCK_ACK_TIMER,        /* no answer to lock in time */
    TXN_KEYS,                  /* integrator: keys of the virtual keypad */
    TXN_SELECTION,             /* machine: a selection that can be paid */
    TXN_SELECTION_UNPAYABLE,   /* machine: price negative, not representable or over the limit */
    TXN_SELECTION_REPEATED,    /* machine: the same session, request, item and price again */
    TXN_SELECTION_RENAMING,    /* machine: another selection; the integrator allows renames and the
                                  earlier one is confirmed */
    TXN_SELECTION_CHANGED,     /* machine: another selection, but a rename is not possible */
    TXN_SELECTION_WITHDRAWN,   /* machine: this request was taken back */
    TXN_SESSION_ENDED,         /* machine: no more choices (any reason but reset) */
    TXN_SESSION_RESET,         /* machine: the session ended by a reset of the device */
    TXN_SELECTION_TIMER,       /* the customer did not choose in time */
    TXN_PAYMENT_TIMER,         /* no /api/paid in time */
    TXN_PAID_ACCEPTABLE,       /* integrator: /api/paid, every guard holds */
    TXN_PAID_NOT_YET,          /* integrator: /api/paid, a guard fails that can still come true */
    TXN_PAID_NEVER,            /* integrator: /api/paid, a guard fails for good */
    TXN_PAID_REPEATED,         /* integrator: /api/paid again, same figures as accepted */
    TXN_PAID_CONFLICT,         /* integrator: /api/paid again, other figures */
    TXN_UNLOCK,                /* integrator: /api/unlock of its own row */
    TXN_REQUEST_REFUSED,       /* integrator answered /txn/request with success:false */
    TXN_REQUEST_UNDELIVERABLE, /* /txn/request could not be delivered in time */
    TXN_LINK_LOST,             /* the machine is away, and the grace is over */
    TXN_NEW_CONNECTION, /* the machine has connected anew (takeover too); hello is not answered yet
                         */
    TXN_RESTART,        /* this gateway took the row over after a start */
    TXN_HELLO_SAME, /* hello names this session and request (PAID: and the journal of the PAID step)
                     */
    TXN_HELLO_OTHER,      /* hello does not */
    TXN_APPROVAL_TAKEN,   /* machine: it holds this approval */
    TXN_DISPENSED,        /* machine: goods came out, by event or as state in a reply */
    TXN_NOT_DISPENSED,    /* machine: they did not */
    TXN_APPROVAL_REFUSED, /* machine: this approval is void for ever; journal as of the PAID step */
    TXN_APPROVAL_REFUSED_ELSEWHERE, /* the same from another journal */
    TXN_APPROVE_ACK_TIMER,          /* no answer to approve, link up, ttl left */
    TXN_APPROVE_TTL_TIMER, /* no answer within the ttl after the last send, or no return within
                              `vend` */
    TXN_VEND_TIMER,        /* no result in time */
    TXN_NEVER_SEEN,    /* machine: never saw this approval, now void; journal as of the PAID step */
    TXN_EVIDENCE_LOST, /* never_seen from another journal, or forgotten */
    TXN_INTERRUPTED_OFF_BUS, /* power cut after taken; the approval was never put on the bus */
    TXN_INTERRUPTED_ON_BUS, /* power cut after taken and put on the bus: nobody can know, the policy
                               decides at once */
    TXN_DOUBT_REFUND,   /* the unknown stayed open to its deadline (or was interrupted on the bus);
                           policy refund */
    TXN_DOUBT_CAPTURE,  /* the same; policy capture */
    TXN_DOUBT_HOLD,     /* the same; policy hold */
    TXN_VERDICT_VENDED, /* an operator decided */
    TXN_VERDICT_FAILED, /* an operator decided */
    TXN_OPERATOR_RELEASE, /* an operator freed the machine */
    TXN_OUT_OF_SERVICE,   /* the machine is out of service, disabled, or its door is open */
    TXN_DRAIN,            /* this gateway is shutting down */
    TXN_EVENT_COUNT
};

/* Which deadline runs in a state; its length is configuration, its end a column of the row. */
enum txn_timer {
    TXN_TIMER_NONE = 0, /* nothing runs */
    TXN_TIMER_KEEP,     /* in a step: what runs goes on */
    TXN_TIMER_LOCK_ACK,
    TXN_TIMER_SELECTION,
    TXN_TIMER_PAYMENT,
    TXN_TIMER_APPROVE, /* approve_ack within approve_ttl */
    TXN_TIMER_VEND,
    TXN_TIMER_DOUBT,
    TXN_TIMER_COUNT
};

/* Upper-case words, as in the database ("IN_DOUBT"). Never NULL; TXN_NONE is "NONE". */
const char *txn_state_name(enum txn_state state);
bool txn_state_parse(const char *name, enum txn_state *ret_state);
/* Lower-case words for the journal ("approval_taken"). */
const char *txn_event_name(enum txn_event event);
bool txn_event_parse(const char *name, enum txn_event *ret_event);
const char *txn_timer_name(enum txn_timer timer);
bool txn_timer_parse(const char *name, enum txn_timer *ret_timer);

/* VENDED, FAILED, CLOSED. */
bool txn_state_final(enum txn_state state);
/* PAID, VENDING, IN_DOUBT: money may be owed, nothing but evidence, the policy or a person ends it.
 */
bool txn_state_money(enum txn_state state);

#endif
