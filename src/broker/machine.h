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

/* What is decided; the step table turns it into what happens. */
struct plan {
    enum txn_event event;
    const char *actor;
    struct txn_record next; /* the row as it is, with the input's own changes */
    int code;               /* where the table says TXN_CODE_FROM_EVIDENCE */
    json_t *evidence;       /* taken over; may be NULL */
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
    struct input *mailbox, *current; /* owned */
    size_t waiting;
    bool turning;
    bool reloaded;    /* a row was found while a step is decided again */
    struct plan plan; /* in flight: what current decided */
    struct txn_step step;
    struct store_new_callback callback; /* of the step in flight; kind NULL: none */
    char *callback_body;
    int64_t cancelled_callback; /* taken from outbound by this step; 0 */
    char webhook_id[WEBHOOK_ID_SIZE];
    bool next_due; /* in broker->due */
    struct machine *due_next;
    /* The last lock it refused, repeated for a while to the same ref. */
    int64_t refused_integrator, refused_at_ms;
    char refused_ref[TXN_REF_SIZE];
    enum reason refused_reason;
    UT_hash_handle hh;
};

struct machine *broker_machine_find(const struct broker *broker, const char *vm_id);
struct machine *broker_machine_get(struct broker *broker, const char *vm_id);
void broker_machine_free(struct machine **machine);
/* Connected and reconciled, and heard of lately. */
bool broker_machine_up(const struct machine *machine);
void broker_machine_limits(const struct machine *machine, int64_t integrator_id,
                           struct txn_limits *ret_limits);
/* False: not even queued (logged). */
bool broker_machine_send(struct machine *machine, struct machine_command *command);

#endif
