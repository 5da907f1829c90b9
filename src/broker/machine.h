/* machine.h - a machine as the broker knows it: its presence, what it remembers, the step in
 * flight. */
#ifndef VENDGATE_BROKER_MACHINE_H
#define VENDGATE_BROKER_MACHINE_H

#include "base/timer.h"
#include "broker/input.h"
#include "txn/judge.h"
#include "txn/step.h"

#include <uthash.h>

enum presence {
    PRESENCE_ABSENT = 0, /* not connected, and the grace is over */
    PRESENCE_GONE,       /* not connected, within the grace */
    PRESENCE_ARRIVED,    /* authenticated; ownership is being taken */
    PRESENCE_WELCOME,    /* ours; hello not answered yet */
    PRESENCE_ONLINE,
};

struct live;
struct open_session;

/* What is decided; the step table turns it into what happens. */
struct plan {
    enum txn_event event;
    const char *actor;
    struct txn_record next; /* the row as it is, with the input's own changes */
    int code;               /* where the table says TXN_CODE_FROM_EVIDENCE */
    bool row_changed;       /* `next` differs from the row though its state and timer stay */
    json_t *evidence;       /* taken over; may be NULL */
};

/* A callback of the step in flight. */
struct owed {
    struct store_new_callback made;
    char *body; /* owned */
    char webhook_id[WEBHOOK_ID_SIZE];
};

struct machine {
    char vm_id[VM_ID_SIZE];
    struct broker *broker;
    enum presence presence;
    uint64_t connection;
    int64_t owner_epoch; /* 0: not taken by this instance */
    struct event_sequence sequence;
    int64_t approval_n;
    char journal[JOURNAL_SIZE];
    char fingerprint[65]; /* of the live connection's certificate; empty: token */
    bool new_epoch;       /* the next hello orders one */
    int64_t hole_asked;   /* `from` of the last hole asked for; -1 */
    struct timer *grace;
    struct live *live;               /* owned */
    struct open_session *open;       /* owned; only while nothing is live */
    struct input *mailbox, *current; /* owned */
    size_t waiting;
    bool turning;
    bool reloaded;        /* a row was found while a step is decided again, or on arrival */
    int64_t shelved_lane; /* of this lane something may be in the outbox only; 0: of none */
    struct plan plan;     /* in flight: what current decided */
    struct txn_step step;
    struct txn_record *successor; /* of the step in flight: the row that takes over; owned */
    struct owed owed[STORE_STEP_CALLBACKS_MAX]; /* of the step in flight */
    size_t owed_count;
    int64_t cancelled_callback; /* taken from outbound by this step; 0 */
    bool next_due;              /* in broker->due */
    struct machine *due_next;
    /* The last lock it refused, repeated for a while to the same ref. */
    int64_t refused_integrator, refused_at_ms;
    char refused_ref[TXN_REF_SIZE];
    enum reason refused_reason;
    /* What its hello said last of an approval, if that was looked into. */
    char looked_approval[APPROVAL_SIZE];
    enum approval_state looked_state;
    UT_hash_handle hh;
};

struct machine *broker_machine_find(const struct broker *broker, const char *vm_id);
struct machine *broker_machine_get(struct broker *broker, const char *vm_id);
void broker_machine_free(struct machine **machine);
/* Connected and reconciled, and heard of lately. */
bool broker_machine_up(const struct machine *machine);
/* Another process holds it. */
bool broker_machine_elsewhere(const struct machine *machine);
void broker_machine_limits(const struct machine *machine, int64_t integrator_id,
                           struct txn_limits *ret_limits);
/* False: not even queued (logged). */
bool broker_machine_send(struct machine *machine, struct machine_command *command);

#endif
