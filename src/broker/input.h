/* input.h - everything that can move a transaction, and the mailbox of each machine in which it
 * waits. */
#ifndef VENDGATE_BROKER_INPUT_H
#define VENDGATE_BROKER_INPUT_H

#include "broker/call.h"
#include "machine_link/event_sequence.h"

#define MAILBOX_MAX 64 /* inputs waiting for one machine; calls beyond are refused */

struct machine;

enum input_kind {
    INPUT_CALL = 1,
    INPUT_EVENT,   /* a machine's event */
    INPUT_REPLY,   /* a machine's reply */
    INPUT_SIGNAL,  /* a txn_event that needs no further judgement */
    INPUT_EXPIRED, /* the deadline of a state */
    INPUT_NUDGE,   /* approve_ack, or time to query again */
    INPUT_ARRIVED, /* the machine has connected */
    INPUT_ABSENT,  /* the machine is gone and the grace is over */
    INPUT_LATE,    /* what hello said of an approval that may not be the live one's */
    INPUT_REVIEW,  /* what its operator allows may have changed */
};

struct input {
    enum input_kind kind;
    struct input *prev, *next;
    int tries;
    struct call *call;  /* CALL */
    enum reason reason; /* CALL: its answer once the step is committed */
    enum reason_action action;
    struct machine_event event; /* EVENT; raw and json are owned */
    struct event_ticket ticket;
    struct event_sequence sequence; /* machine's, as it is after this event */
    struct machine_reply reply;     /* REPLY, LATE; raw is owned */
    char *raw, *problem;            /* EVENT, REPLY, LATE: owned copies */
    json_t *json;
    enum txn_event signal; /* SIGNAL */
    int64_t txn_id;        /* SIGNAL, EXPIRED, NUDGE: of which transaction; 0: whichever lives */
    int64_t version;       /* EXPIRED: of which step */
    uint64_t connection;   /* ARRIVED; REPLY: on which it came */
    bool old;              /* EVENT: repeated or of an ended epoch: no effect */
    bool reused;           /* EVENT: its number is another body's: kept raw, without a number */
    bool refused;          /* EVENT: not acknowledged, whatever was stored of it */
    bool distrusted;       /* EVENT: the database refused what was read from it: kept raw */
};

struct input *input_new(enum input_kind kind);
void input_free(struct input **input);
/* Takes the input over and works it off now if nothing is under way. */
void mailbox_post(struct machine *machine, struct input *input);
void mailbox_post_first(struct machine *machine, struct input *input);
/* Takes it over; worked off from the loop, later. */
void mailbox_post_later(struct machine *machine, struct input *input);
void mailbox_signal(struct machine *machine, enum txn_event event, int64_t txn_id);
/* The same before all others, for the live transaction if there is one: what follows from the
 * current input. */
void mailbox_signal_next(struct machine *machine, enum txn_event event);
void mailbox_turn(struct machine *machine);
/* Works off what was posted for later, from the loop. */
void mailbox_due(void *broker);
/* mailbox_due() runs after `delay_ms`, if it is not due already. */
void due_schedule(struct broker *broker, int64_t delay_ms);
/* The current input is judged again from the row as it is now. */
void input_retry(struct machine *machine);
/* The current input is settled. */
void input_done(struct machine *machine, enum store_outcome outcome);

#endif
