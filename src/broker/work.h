/* work.h - what is done with each kind of input, by file. */
#ifndef VENDGATE_BROKER_WORK_H
#define VENDGATE_BROKER_WORK_H

#include "broker/core.h"

#define STEP_TRIES_MAX 3   /* a step that finds its row changed is decided again this often */
#define STEP_RETRY_MS 1000 /* after a step that PostgreSQL refused */
#define CONFLICT_WAIT_MS 10000
#define REFUSAL_REPEATED_MS 60000
#define KEYS_PENDING_MS 5000
#define MACHINE_RESPONSE_MIN_S 8 /* a machine less patient cannot be locked */
#define MACHINE_RESPONSE_MARGIN_MS 3000
#define EXPIRY_PATIENCE_MS 60000 /* how long the policy waits for a connected machine's word */

/* step.c - the only place where a transaction moves */
/* Decides by the table, commits with the current input's machine event, acts, then input_done(). */
void step_take(struct machine *machine, struct plan *plan);
void plan_init(struct plan *plan, const struct live *live, enum txn_event event, const char *actor);

/* 0 where none runs. */
int64_t timer_length_ms(const struct machine *machine, enum txn_timer timer);
void step_timer_set(const struct machine *machine, struct txn_record *txn, enum txn_timer timer);
/* The parts of a step, for succession.c: what is planned is completed by the table, ... */
void plan_complete(struct machine *machine);
/* ... told to the store (`ret_event` and *ret_evidence must outlive its call), ... */
void plan_store(struct machine *machine, enum txn_state from, struct store_txn_step *ret_step,
                struct store_machine_event *ret_event, char **ret_evidence);
/* ... decided anew from the row as it is now, ... */
void plan_conflict(struct machine *machine);
/* ... told to people, and forgotten. */
void plan_log(const struct machine *machine, const struct txn_record *txn, enum txn_state from);
void plan_drop(struct machine *machine);
/* Takes the live row's unsent /txn/request back from outbound; the step's commit takes it from the
 * queue. */
void step_cancel_request(struct machine *machine);
/* The commit is answered; what it did not cancel is owed as before. */
void step_cancel_settle(struct machine *machine, enum store_outcome outcome, bool cancelled);
void signal_work(struct machine *machine, struct input *input);

/* succession.c - another selection in the same session takes over under a new ref */
/* Whether the live transaction's integrator can be told of another choice by a new ref. */
bool succession_possible(const struct live *live);
/* The current input is the selection; `old` is the live row, or that of the open session. */
void succession_take(struct machine *machine, const struct txn_record *old);

/* act.c - after the commit */
void act(struct machine *machine, struct live *live, const struct txn_step *step,
         enum txn_event event);
void act_query(struct live *live);
void act_keys(struct live *live, const struct call *call);
void act_alert(const struct machine *machine, const struct txn_record *txn, const char *what);

/* callbacks.c - the bodies we owe, and their hand-over */
/* Prepares what machine->step owes and counts it in the plan's lane. */
void callbacks_prepare(struct machine *machine);
/* The /txn/request by which the successor's ref takes over. */
void callbacks_prepare_rename(struct machine *machine);
/* They are committed under these ids, for the transaction `live`: hands them to outbound. */
void callbacks_submit(struct live *live, const int64_t *callback_ids);

/* outbox.c - callbacks that are only in the database, on their way into outbound */
/* Finds all that are ours; ends in recovery_done() at the start. */
void outbox_survey(struct broker *broker);
/* A callback of this lane, that of the machine's session, may be there: what is committed now for
 * it is left there too. */
bool outbox_holds(const struct machine *machine, int64_t integrator_id, int64_t lane);
/* Finds them again, not before `wait_ms` have passed: something of ours may be left there. */
void outbox_again(struct broker *broker, int64_t wait_ms);
/* It stays there for now: with those that follow it, it is read when outbound has room. */
void outbox_left(struct machine *machine, int64_t integrator_id, int64_t lane, int64_t callback_id);
/* Outbound has room again for this integrator's. */
void outbox_room(const struct broker *broker, int64_t integrator_id);
/* A person has touched the callback of this id; empty: has ordered replays. */
void outbox_changed(struct broker *broker, const char *key);
/* Another process has taken our callbacks; to be called before the store is ready again. */
void outbox_dispossessed(struct broker *broker);
/* Once a second: reads on. */
void outbox_sweep(struct broker *broker);
void outbox_free(struct broker *broker);

/* call_*.c */
void call_work(struct machine *machine, struct input *input);
void call_lock_work(struct machine *machine, struct input *input);
void call_paid_work(struct machine *machine, struct input *input);
void call_unlock_work(struct machine *machine, struct input *input);
void call_keys_work(struct machine *machine, struct input *input);
void call_verdict_work(struct machine *machine, struct input *input);
void call_release_work(struct machine *machine, struct input *input);

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
/* What a reply says of the approval that its command named. */
enum txn_approval_word reply_word(const struct machine_reply *reply);
json_t *event_evidence(const struct machine_event *event);
enum txn_approval_word event_word(enum machine_event_kind kind);
/* It moves no transaction; perhaps it changes what we know of the machine (NULL: nothing). */
void event_save(struct machine *machine, const struct store_machine_effects *effects);
int evidence_vend_code(enum txn_event event, int64_t machine_code, const char *refusal);

/* late.c - evidence for transactions that have ended: an adjustment, never an edit */
void late_event_work(struct machine *machine, const struct machine_event *event);
/* A reply to approve or query, or hello's word on the last approval. */
void late_work(struct machine *machine, struct input *input);
/* Hello was answered: has late_work() look into what it says of an approval, once. */
void late_hello_look(struct machine *machine, const struct machine_reply *reply);

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
/* All that is owed is in outbound, or waits for room there. */
void recovery_done(struct broker *broker);
void drain_check(struct broker *broker);

#endif
