/* txn.h - the transactions and their journal in PostgreSQL: begin, advance, note, find, load.
 *
 * Each call is one statement, so it applies whole or not at all. Structs and texts are encoded
 * during the call; nothing is borrowed after it. A step applies only if the row's version is the
 * record's version - 1, this process's epoch is current, and (vm_id, owner_epoch) is still ours. */
#ifndef VENDGATE_STORE_TXN_H
#define VENDGATE_STORE_TXN_H

#include "store/store.h"
#include "txn/reason.h"
#include "txn/record.h"

#include <stddef.h>

/* An event of a machine that is stored in the same commit as its effect. */
struct store_machine_event {
    const char *vm_id;
    int64_t event_epoch, seq; /* -1, -1: no usable number; machine_link_state stays as it is */
    int64_t time_s;           /* as told; 0: unknown */
    const char *name;         /* the field `event` */
    const char *raw;          /* the body; any bytes */
    size_t raw_size;
    const char *problem; /* why it could not be understood; NULL */
    /* machine_link_state after it (event_sequence). */
    int64_t state_epoch, mark;
    const int64_t *above;
    size_t above_count;
};

#define STORE_STEP_CALLBACKS_MAX 2

/* A callback that the step causes; it is owned by this process from the commit on. */
struct store_new_callback {
    int64_t txn_id;   /* whose ending or beginning it tells; 0: the step's own row */
    const char *kind; /* "/txn/request" ... */
    const char *webhook_id;
    int64_t lane, lane_sequence;
    const char *body;
    size_t body_size;
    int64_t expires_ms; /* unix ms, PostgreSQL's clock */
    bool renames;
};

struct store_txn_step {
    const struct txn_record *txn; /* as it is after the step; txn->version is the new one */
    enum txn_state from;
    enum txn_event event;
    const char *actor;    /* "integrator", "machine", "timer", "operator", "gateway" */
    const char *evidence; /* JSON object for the journal; NULL: {} */
    int64_t owner_epoch;  /* of the machine, as this process took it */
    const struct store_machine_event *machine_event; /* NULL: none */
    struct store_new_callback callbacks[STORE_STEP_CALLBACKS_MAX];
    size_t callback_count;
    int64_t cancel_callback_id; /* this queue row goes in the same commit, fate CANCELLED, if never
                                   attempted; 0: none */
    const char *adjusts;        /* note only: late evidence against a final outcome, "dispensed" or
                                   "not_dispensed": an adjustment row in the same commit, once per row and
                                   word; NULL: none */
};

struct store_txn_result {
    int64_t txn_id;
    int64_t callback_ids[STORE_STEP_CALLBACKS_MAX];
    bool cancelled; /* cancel_callback_id was taken out of the queue */
};

typedef void store_txn_cb(void *arg, enum store_outcome outcome,
                          const struct store_txn_result *result);

/* Inserts step->txn (id and session are given by the database: session = id). CONFLICT: the ref is
 * used, the machine has a live row, or is not ours. */
void store_txn_begin(struct store *store, const struct store_txn_step *step, store_txn_cb *callback,
                     void *arg);
void store_txn_advance(struct store *store, const struct store_txn_step *step,
                       store_txn_cb *callback, void *arg);
/* Another selection takes over in the same session: `old` (as it is after the step: CLOSED by the
 * rename, or VENDED as before, version + 1) and the insert of step->txn (id 0; session and
 * predecessor_id are old's) in one commit, each with its journal row; step->from is TXN_NONE.
 * Callbacks belong to the new row unless they say otherwise; cancel_callback_id is old's. CONFLICT:
 * old is not as believed, the ref exists, the machine is not ours. */
void store_txn_succeed(struct store *store, const struct store_txn_step *step,
                       const struct txn_record *old, enum txn_state old_from,
                       store_txn_cb *callback, void *arg);
/* Journal row and machine event only; the row of `txn` stays untouched (step->txn gives id and
 * vm_id; from = its state). owner_epoch 0: the machine need not be ours; only without its event. */
void store_txn_note(struct store *store, const struct store_txn_step *step, store_txn_cb *callback,
                    void *arg);
/* Records a ref that was never locked as used up: a CLOSED row without a machine, closed by
 * TXN_PAID_NEVER. CONFLICT: the ref exists by now. */
void store_txn_spend(struct store *store, int64_t integrator_id, const char *ref,
                     const char *evidence, store_txn_cb *callback, void *arg);

/* `txn` is NULL: none. Borrowed for the call. */
typedef void store_txn_found_cb(void *arg, enum store_outcome outcome,
                                const struct txn_record *txn);
void store_txn_find(struct store *store, int64_t integrator_id, const char *ref,
                    store_txn_found_cb *callback, void *arg);
/* Finds the row of an approval id (late evidence), whatever its state. */
void store_txn_find_approval(struct store *store, const char *vm_id, const char *approval,
                             store_txn_found_cb *callback, void *arg);

void store_txn_find_id(struct store *store, int64_t txn_id, store_txn_found_cb *callback,
                       void *arg);

/* What an integrator may know of its own transaction, as a JSON object (docs/openapi.yaml,
 * /ext/txn_status); `json` NULL: it has no such ref. Borrowed for the call. */
typedef void store_txn_status_cb(void *arg, enum store_outcome outcome, const char *json);
void store_txn_status(struct store *store, int64_t integrator_id, const char *ref,
                      store_txn_status_cb *callback, void *arg);

/* A live row with what belongs to it; borrowed for the call. */
struct store_live_row {
    const struct txn_record *txn;
    int64_t request_callback_id; /* its undelivered /txn/request; 0: none */
    bool rename_unconfirmed; /* it has a predecessor, and no attempt has told the integrator of the
                                new ref yet */
    bool unread_evidence;    /* an event that nobody could read named its approval */
    bool elsewhere;          /* another process holds its machine */
};

/* Each row in turn, then once with NULL. Every live row of a machine (NULL: of all machines that
 * this instance owns). */
typedef void store_txn_row_cb(void *arg, enum store_outcome outcome,
                              const struct store_live_row *row);
void store_txn_load_live(struct store *store, const char *vm_id, store_txn_row_cb *callback,
                         void *arg);

#endif
