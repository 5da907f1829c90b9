/* broker.h - the only place where a transaction moves: decide (txn), commit (store), act
 * (machine_link, outbound).
 *
 * Owns the live transactions and what is known of each machine's link. Calls of integrators come in
 * as plain structs from the gateway; machines' words from machine_link; fates of callbacks from
 * outbound; time from its timers. Loop thread only.
 *
 *   call / event / fate / timer -> judge -> step table -> store (one commit) -> answer, command,
 * callback, PUBACK */
#ifndef VENDGATE_BROKER_H
#define VENDGATE_BROKER_H

#include "base/metrics.h"
#include "fleet/directory.h"
#include "machine_link/machine_link.h"
#include "outbound/outbound.h"
#include "people/people.h"
#include "store/store.h"
#include "txn/reason.h"
#include "txn/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct broker;

struct broker_options {
    int64_t lock_ack_ms, selection_ms, payment_ms, approve_ack_ms, approve_ttl_ms, vend_ms,
        doubt_ms, recovery_grace_ms, offline_grace_ms; /* transaction.md, "Timers" */
    int64_t query_every_ms;                            /* while IN_DOUBT and online, 30 s */
    int64_t
        call_deadline_ms; /* a call whose step is not answered by then gets OUTCOME_UNKNOWN, 10 s */
    int64_t calls_max;    /* calls waiting for an answer; beyond: RATE_LIMITED */
};

/* The answer to a call; texts are borrowed for the callback. */
struct broker_answer {
    bool success;
    enum reason reason;        /* REASON_NONE on success */
    enum reason_action action; /* what to do; the reason's default unless the step says otherwise */
    const char *message;       /* NULL: the reason's */
    int64_t timeout_s;   /* lock: seconds the machine stays locked; busy: seconds left; -1: none */
    const char *txn_ref; /* MACHINE_BUSY_SELF: the ref that holds the machine; REF_SUPERSEDED: the
                            ref that took over; NULL */
};
typedef void broker_answer_cb(void *arg, const struct broker_answer *answer);

struct broker_lock_call {
    int64_t integrator_id;
    const char *vm_id, *ref;
    int64_t balance;
};
struct broker_paid_call {
    int64_t integrator_id;
    const char *ref;
    int64_t price, discount, surcharge;
};
struct broker_unlock_call {
    int64_t integrator_id;
    const char *vm_id, *ref;
};
struct broker_keys_call {
    int64_t integrator_id;
    const char *vm_id, *ref;
    const int64_t *keys; /* 1-32 */
    size_t count;
};

/* The parts below, all borrowed. */
struct broker_parts {
    struct store *store;
    struct people *people;
    struct fleet_directory *directory;
    struct machine_link *link;
    struct outbound *outbound;
};

/* The parts are opened with the handlers below and the broker as their argument, then bound before
 * the loop runs. */
struct broker *broker_new(uv_loop_t *loop, const struct broker_options *options,
                          struct metrics *metrics);
void broker_bind(struct broker *broker, const struct broker_parts *parts);

/* Each copies what it needs; the callback runs exactly once, from the loop, never inside the call.
 */
void broker_lock(struct broker *broker, const struct broker_lock_call *call,
                 broker_answer_cb *callback, void *arg);
void broker_paid(struct broker *broker, const struct broker_paid_call *call,
                 broker_answer_cb *callback, void *arg);
void broker_unlock(struct broker *broker, const struct broker_unlock_call *call,
                   broker_answer_cb *callback, void *arg);
void broker_keys(struct broker *broker, const struct broker_keys_call *call,
                 broker_answer_cb *callback, void *arg);

/* An operator's word on a transaction IN_DOUBT. Success also when it has ended so already;
 * NOT_IN_DOUBT when nothing is to be decided, ALREADY_CLOSED when it has ended otherwise. */
struct broker_verdict_call {
    int64_t txn_id;
    bool vended;                         /* else: failed, nothing is owed */
    const char *operator_name, *because; /* recorded in the journal */
};
void broker_verdict(struct broker *broker, const struct broker_verdict_call *call,
                    broker_answer_cb *callback, void *arg);
/* An operator frees a machine that is held by an unpaid transaction or an open session. Success
 * also when nothing holds it; ALREADY_PAID when money may be owed: that needs a verdict. */
struct broker_release_call {
    const char *vm_id;
    const char *operator_name, *because;
};
void broker_release(struct broker *broker, const struct broker_release_call *call,
                    broker_answer_cb *callback, void *arg);

/* For searches, from memory. */
bool broker_machine_online(const struct broker *broker, const char *vm_id);
bool broker_machine_busy(const struct broker *broker, const char *vm_id);

/* Recovery is done: transactions of this instance are loaded and their machines may connect. */
bool broker_ready(const struct broker *broker);

/* Counts for the status page. */
struct broker_counts {
    size_t live; /* transactions not final */
    size_t by_state[TXN_STATE_COUNT];
    size_t machines_online;
    int64_t oldest_doubt_ms; /* age; 0: none */
};
void broker_count(const struct broker *broker, struct broker_counts *ret_counts);

/* SIGTERM: no new locks (SHUTTING_DOWN); what was not paid is closed with 116; `drained` runs once
 * when every step is on disk. */
void broker_drain(struct broker *broker, void (*drained)(void *arg), void *arg);
void broker_free(struct broker **broker);

/* What the parts below report upwards; one file per binding in this folder. `arg` is the broker. */
void broker_store_handlers(struct store_handlers *ret_handlers);
void broker_link_handlers(struct machine_link_handlers *ret_handlers);
void broker_outbound_journal(struct outbound_journal *ret_journal);
void broker_outbound_directory(struct outbound_directory *ret_directory);
void broker_outbound_handlers(struct outbound_handlers *ret_handlers);
void broker_people_handlers(struct people_handlers *ret_handlers);
void broker_directory_handlers(struct fleet_directory_handlers *ret_handlers);

#endif
