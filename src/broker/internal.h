/* internal.h - what the files of the broker share: machines with their mailbox, live transactions,
 * inputs.
 *
 * Everything that can move a transaction is an input in the mailbox of its machine. A mailbox works
 * off one input at a time: while its step is being committed the others wait, so each is judged
 * against what is on disk (transaction.md: one step in flight per row).
 *
 *   post -> [mailbox] -> work: judge -> step_take -> store -> act -> input_done -> next
 */
#ifndef VENDGATE_BROKER_INTERNAL_H
#define VENDGATE_BROKER_INTERNAL_H

#include "base/metrics.h"
#include "base/timer.h"
#include "broker/broker.h"
#include "machine_link/event_sequence.h"
#include "txn/judge.h"
#include "txn/step.h"

#include <uthash.h>
#include <utlist.h>

#define MAILBOX_MAX 64   /* inputs waiting for one machine; calls beyond are refused */
#define STEP_TRIES_MAX 3 /* a step that finds its row changed is decided again this often */
#define REFUSAL_REPEATED_MS 60000
#define KEYS_PENDING_MS 5000
#define MACHINE_RESPONSE_MIN_S 8 /* a machine less patient cannot be locked */
#define MACHINE_RESPONSE_MARGIN_MS 3000
#define EXPIRY_PATIENCE_MS 60000 /* how long the policy waits for a connected machine's word */

enum call_kind { CALL_LOCK = 1, CALL_PAID, CALL_UNLOCK, CALL_KEYS };

/* A call of an integrator until it is answered. */
struct call {
    enum call_kind kind;
    int64_t integrator_id;
    char ref[TXN_REF_SIZE];
    char vm_id[VM_ID_SIZE]; /* empty for CALL_PAID */
    int64_t balance, price, discount, surcharge;
    int64_t keys[32];
    size_t key_count;
    broker_answer_cb *callback; /* NULL: answered */
    void *arg;
    int64_t deadline_ms; /* monotonic */
    int tries;
    struct broker *broker;
    enum reason reason;                       /* refused later: why */
    struct call *due_next;                    /* broker->due_calls */
    struct call *prev, *next;                 /* broker->calls */
    struct call *waiting_prev, *waiting_next; /* live->lock_calls */
};

enum input_kind {
    INPUT_CALL = 1,
    INPUT_EVENT,   /* a machine's event */
    INPUT_REPLY,   /* a machine's reply */
    INPUT_SIGNAL,  /* a txn_event that needs no further judgement */
    INPUT_EXPIRED, /* the deadline of a state */
    INPUT_NUDGE,   /* approve_ack, or time to query again */
    INPUT_ARRIVED, /* the machine has connected */
    INPUT_ABSENT,  /* the machine is gone and the grace is over */
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
    struct machine_reply reply;     /* REPLY; raw is owned */
    char *raw, *problem;            /* EVENT, REPLY: owned copies */
    json_t *json;
    enum txn_event signal; /* SIGNAL */
    int64_t txn_id;        /* SIGNAL, EXPIRED, NUDGE: of which transaction; 0: whichever lives */
    int64_t version;       /* EXPIRED: of which step */
    uint64_t connection;   /* ARRIVED */
    bool old;              /* EVENT: repeated or of an ended epoch: no effect */
};

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

#define LIVE_KEY_SIZE (TXN_REF_SIZE + 24)

/* A transaction that is not final, as it is on disk. */
struct live {
    struct txn_record txn;
    char key[LIVE_KEY_SIZE]; /* "integrator:ref" */
    struct machine *machine; /* back pointer */
    struct call *lock_calls; /* waiting for the machine's answer; linked by waiting_* */
    struct timer *deadline, *nudge;
    int64_t request_callback_id; /* the last /txn/request; 0 */
    int64_t approve_since_ms;    /* monotonic, first send on this connection; 0 */
    int64_t keys_sent_ms;        /* monotonic; 0: none pending */
    bool expiring; /* the deadline has passed; the connected machine is asked once more */
    int64_t expiring_until_ms; /* monotonic */
    bool needs_person;         /* an unreadable event named its approval: only hold */
    bool approve_received; /* the last approve was PUBACKed or never left: it may be sent anew */
    bool recovered;        /* lived before this start: its deadlines wait for the recovery grace */
    UT_hash_handle hh;     /* broker->lives by key */
    UT_hash_handle hh_id;  /* broker->lives_by_id by txn.id */
};

struct broker {
    uv_loop_t *loop;
    struct broker_options options;
    struct store *store;
    struct people *people;
    struct fleet_directory *directory;
    struct metrics *metrics;
    struct machine_link *link; /* bound later */
    struct outbound *outbound;
    struct machine *machines; /* by vm_id */
    struct live *lives;       /* by key */
    struct live *lives_by_id; /* the same by txn.id */
    struct machine *due;      /* mailboxes to be worked off at the next turn */
    struct call *due_calls;   /* refusals to be answered at the next turn */
    struct timer *due_timer;
    struct call *calls; /* unanswered, oldest first */
    size_t call_count;
    struct timer *sweep; /* once a second: calls over their deadline */
    bool recovery_begun, ready, draining;
    int64_t started_ms;     /* monotonic, when recovery was done */
    int64_t lost_at_ms;     /* monotonic; 0: the store is there */
    bool outbox_loading;    /* a page of the outbox is being read */
    bool backlog;           /* the outbox holds callbacks that outbound had no room for */
    int64_t outbox_after;   /* callbacks up to this id are in outbound, or done */
    int64_t outbox_highest; /* of the page being read */
    size_t outbox_rows;     /* of the page being read */
    void (*drained)(void *arg);
    void *drained_arg;
};

/* machines.c - the table of machines and their presence */
struct machine *broker_machine_find(const struct broker *broker, const char *vm_id);
struct machine *broker_machine_get(struct broker *broker, const char *vm_id);
void broker_machine_free(struct machine **machine);
/* Connected and reconciled, and heard of lately. */
bool broker_machine_up(const struct machine *machine);
void broker_machine_limits(const struct machine *machine, int64_t integrator_id,
                           struct txn_limits *ret_limits);
/* False: not even queued (logged). */
bool broker_machine_send(struct machine *machine, struct machine_command *command);

/* mailbox.c */
struct input *input_new(enum input_kind kind);
void input_free(struct input **input);
/* Takes the input over and works it off now if nothing is under way. */
void mailbox_post(struct machine *machine, struct input *input);
void mailbox_post_first(struct machine *machine, struct input *input);
/* Takes it over; worked off from the loop, later. */
void mailbox_post_later(struct machine *machine, struct input *input);
void mailbox_signal(struct machine *machine, enum txn_event event, int64_t txn_id);
void mailbox_turn(struct machine *machine);
void mailbox_due(void *broker);
/* The current input is judged again from the row as it is now. */
void input_retry(struct machine *machine);
/* The current input is settled. */
void input_done(struct machine *machine, enum store_outcome outcome);

/* live.c */
struct live *live_new(struct machine *machine, const struct txn_record *txn);
void live_free(struct live **live);
struct live *live_find(const struct broker *broker, int64_t integrator_id, const char *ref);
struct live *live_find_id(const struct broker *broker, int64_t txn_id);
/* Sets the deadline timer by the record; after a start money states wait for the recovery grace. */
void live_deadline_start(struct live *live);
int64_t live_seconds_left(const struct live *live);

/* step.c - the only place where a transaction moves */
/* Decides by the table, commits with the current input's machine event, acts, then input_done(). */
void step_take(struct machine *machine, struct plan *plan);
void plan_init(struct plan *plan, const struct live *live, enum txn_event event, const char *actor);

void step_timer_set(const struct machine *machine, struct txn_record *txn, enum txn_timer timer);
void signal_work(struct machine *machine, struct input *input);

/* act.c - after the commit */
void act(struct machine *machine, struct live *live, const struct txn_step *step,
         enum txn_event event);
void act_query(struct live *live);
void act_keys(struct live *live, const struct call *call);
void act_alert(const struct machine *machine, const struct txn_record *txn, const char *what);

/* callbacks.c - the bodies we owe, and their hand-over */
/* Prepares machine->callback for machine->step and counts it in the plan's lane. */
void callback_prepare(struct machine *machine);
/* It is committed under this id: hands it to outbound. */
void callback_submit(struct machine *machine, int64_t callback_id);
/* Outbound had no room for a committed callback: it is read from the outbox when there is. */
void backlog_left(struct broker *broker, int64_t callback_id);

/* calls.c and call_*.c */
/* Answers (once) and frees the call. ACTION_NONE with a reason: the reason's own action. */
void call_answer(struct call *call, enum reason reason, enum reason_action action);
void call_answer_full(struct call *call, const struct broker_answer *answer);
void call_work(struct machine *machine, struct input *input);
void call_lock_work(struct machine *machine, struct input *input);
void call_paid_work(struct machine *machine, struct input *input);
void call_unlock_work(struct machine *machine, struct input *input);
void call_keys_work(struct machine *machine, struct input *input);
/* The ref is not live here: answers from the database. */
void call_settle_from_store(struct call *call);
void lock_calls_answer(struct live *live, enum reason reason);
void call_refuse_later(struct call *call, enum reason reason);
void due_schedule(struct broker *broker, int64_t delay_ms);
void calls_sweep(void *broker);

/* events.c, replies.c, hello.c */
void event_work(struct machine *machine, struct input *input);
/* Asks for the first hole in the machine's numbers, once. */
void event_hole_ask(struct machine *machine);
void event_store_fill(const struct machine *machine, const struct input *input,
                      struct store_machine_event *ret_event);
void reply_work(struct machine *machine, struct input *input);
void hello_send(struct machine *machine);
void hello_work(struct machine *machine, struct input *input);
enum txn_approval_word approval_word(enum approval_state state);
int evidence_vend_code(enum txn_event event, int64_t machine_code, const char *refusal);

/* presence.c */
void arrived_work(struct machine *machine, struct input *input);
void absent_work(struct machine *machine, struct input *input);

/* review.c */
/* Whether an operator has taken back what this machine's link or transaction stands on. */
bool review_due(const struct machine *machine);
void review_work(struct machine *machine, struct input *input);

/* deadlines.c */
void expired_work(struct machine *machine, struct input *input);
void nudge_work(struct machine *machine, struct input *input);
/* The machine was asked after the deadline had passed and has said nothing that settles it. */
void doubt_policy_apply(struct machine *machine);

/* recovery.c */
void recovery_begin(struct broker *broker);
/* Reads the next page of the outbox once outbound has room again. */
void backlog_load(struct broker *broker);
void drain_check(struct broker *broker);

extern const struct metric_def BROKER_STEPS, BROKER_UNEXPECTED, BROKER_ALERTS, BROKER_ANSWERS,
    BROKER_OUTCOMES;

#endif
