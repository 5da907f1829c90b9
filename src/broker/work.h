/* work.h - what is done with each kind of input, by file. */
#ifndef VENDGATE_BROKER_WORK_H
#define VENDGATE_BROKER_WORK_H

#include "broker/core.h"

#define STEP_TRIES_MAX 3   /* a step that finds its row changed is decided again this often */
#define STEP_RETRY_MS 1000 /* after a step that PostgreSQL refused */
#define REFUSAL_REPEATED_MS 60000
#define KEYS_PENDING_MS 5000
#define MACHINE_RESPONSE_MIN_S 8 /* a machine less patient cannot be locked */
#define MACHINE_RESPONSE_MARGIN_MS 3000
#define EXPIRY_PATIENCE_MS 60000 /* how long the policy waits for a connected machine's word */

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

/* call_*.c */
void call_work(struct machine *machine, struct input *input);
void call_lock_work(struct machine *machine, struct input *input);
void call_paid_work(struct machine *machine, struct input *input);
void call_unlock_work(struct machine *machine, struct input *input);
void call_keys_work(struct machine *machine, struct input *input);

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

#endif
