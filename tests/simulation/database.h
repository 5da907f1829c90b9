/* database.h - PostgreSQL as the store's statements leave it: tables in memory, and the guards of
 * src/store/statements.c.
 *
 * Knows nothing of connections or time. Beside the columns it keeps what was said of each row, for
 * the promises. */
#ifndef VENDGATE_TESTS_SIMULATION_DATABASE_H
#define VENDGATE_TESTS_SIMULATION_DATABASE_H

#include "machine_link/event_sequence.h"
#include "outbound/outbound.h"
#include "store/callback.h"
#include "store/machine.h"
#include "store/txn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DATABASE_MACHINES_MAX 4
#define DATABASE_INTEGRATORS_MAX 3
#define LIVE_ROWS_MAX DATABASE_MACHINES_MAX

/* A row of txn, and what the world knows of it. */
struct row {
    struct txn_record txn;
    int64_t paid_commit; /* number of the commit that made it PAID; 0: never */
    int64_t doubt_began_ms;
    int64_t doubt_deadline_ms; /* as it was first set, or by the last hold; it may be moved later */
    bool unread;               /* an event that nobody could read named its approval */
    bool policy_at_once;       /* it was interrupted on the bus: the policy need not wait */
    int64_t successor_id;
    /* Said by the gateway, as success:true. */
    bool lock_said, paid_said, unlock_said;
    bool refund_said;
    int vends, unlocks; /* ending callbacks that name this row */
    int adjustments[2]; /* rows of txn_adjustment: dispensed, not_dispensed */
    /* What the world knows: what the machine did, and what it has told for ever. */
    int taken, goods;
    bool reported_fallen, reported_not;
    int64_t asked_ms; /* monotonic: the last query for its approval; 0: never */
};

struct callback_row {
    int64_t id, integrator_id, txn_id, lane, lane_sequence, expires_ms;
    enum callback_kind kind;
    char webhook_id[WEBHOOK_ID_SIZE];
    char *body;
    size_t body_size;
    bool renames, queued, parked;
    int attempts;            /* as recorded */
    bool told;               /* an attempt is recorded that told the integrator */
    enum callback_fate fate; /* as recorded */
    /* What the world knows. */
    bool arrived; /* the integrator has processed it */
    int begun;    /* attempts that were begun */
    bool over;    /* the sender is through with it, recorded or not */
};

struct event_row {
    int64_t event_epoch, seq;
    uint64_t hash;
};

struct machine_row {
    char vm_id[VM_ID_SIZE];
    bool enabled, out_of_service;
    const char *doubt_policy; /* of its group; NULL */
    int64_t scale, max_response_s, price_max;
    char *keypad;
    int64_t owner_instance, owner_epoch;
    struct event_sequence sequence;
    int64_t approval_n;
    char journal[JOURNAL_SIZE];
    struct event_row *events;
    size_t event_count, event_room;
    int64_t live_id;         /* 0: none */
    int64_t online_since_ms; /* monotonic, as our process has it; 0: it is not online */
};

struct integrator_row {
    int64_t id;
    bool allow_rename, allow_multi_vend, strict_codes;
    const char *doubt_policy;
    int64_t amount_max;
    int64_t revision; /* rises when something else of it was changed */
};

struct database {
    struct row *rows; /* row n has id n + 1 */
    size_t row_count, row_room;
    struct callback_row *callbacks; /* callback n has id n + 1 */
    size_t callback_count, callback_room;
    struct machine_row machines[DATABASE_MACHINES_MAX];
    size_t machine_count;
    struct integrator_row integrators[DATABASE_INTEGRATORS_MAX];
    size_t integrator_count;
    int64_t instance_epoch; /* of the one gateway */
    int64_t commits;
    const int64_t *now_ms, *server_ms; /* the world's: monotonic, and PostgreSQL's offset */
    bool clocks_jump;                  /* in this episode: deadlines mean little */
};

enum operation_kind {
    OPERATION_BEGIN = 1,
    OPERATION_ADVANCE,
    OPERATION_SUCCEED,
    OPERATION_NOTE,
    OPERATION_SPEND,
    OPERATION_EVENT_SAVE, /* up to here: an uncertain one is probed */
    OPERATION_FIND,
    OPERATION_FIND_ID,
    OPERATION_FIND_APPROVAL,
    OPERATION_LOAD_LIVE,
    OPERATION_EVENT_COMPARE,
    OPERATION_JOURNAL_SAVE,
    OPERATION_PRESENCE_SAVE,
    OPERATION_OWN,
    OPERATION_CALLBACK_PAGE,
    OPERATION_CALLBACK_LOOK,
    OPERATION_CALLBACK_REPLAYS,
    OPERATION_CALLBACK_SURVEY,
    OPERATION_CALLBACK_CLAIM,
    OPERATION_ENDPOINT_HOLD,
    OPERATION_MACHINE_LOAD,
    OPERATION_PEOPLE_LOAD,
    OPERATION_ATTEMPT, /* from here on: over the connection for outcomes */
    OPERATION_SETTLE,
};

/* A machine event as a statement carries it. */
struct said_event {
    bool any;
    int64_t event_epoch, seq;
    uint64_t hash;
    struct event_sequence after;
};

/* One statement with its parameters, then with its answer. */
struct operation {
    enum operation_kind kind;
    int64_t instance; /* of which process: 1 is the gateway, 2 a stranger */
    struct operation *prev, *next;
    union {
        store_txn_cb *txn;
        store_txn_found_cb *found;
        store_txn_row_cb *txn_row;
        store_machine_row_cb *machine_row;
        store_machine_owned_cb *owned;
        store_done_cb *done;
        store_callback_row_cb *callback_row;
        store_callback_survey_cb *survey;
        store_recorded_cb *recorded;
        void (*people)(void *arg, enum store_outcome outcome);
    } callback;
    void *arg;
    bool kept;      /* was in flight when the connection was lost */
    bool committed; /* `outcome` and the answer are valid */
    enum store_outcome outcome;

    /* Parameters, as the kind has them. */
    struct txn_record txn, old;
    enum txn_state from, old_from;
    enum txn_event event;
    int64_t owner_epoch;
    struct said_event said;
    struct store_new_callback callbacks[STORE_STEP_CALLBACKS_MAX]; /* bodies are owned */
    char webhook_ids[STORE_STEP_CALLBACKS_MAX][WEBHOOK_ID_SIZE];
    size_t callback_count;
    int64_t cancel_id;
    int adjusts;     /* 0: nothing; 1: dispensed; 2: not_dispensed */
    bool unreadable; /* the evidence says so */
    char vm_id[VM_ID_SIZE];
    char text[TXN_REF_SIZE]; /* ref, approval, journal */
    char *keypad;
    int64_t number, limit, scale, max_response_s;
    enum callback_fate fate;
    bool told;

    /* Answers. */
    struct store_txn_result result;
    struct store_machine_owned owned;
    bool found;
    struct txn_record lives[LIVE_ROWS_MAX];
    struct store_live_row live_rows[LIVE_ROWS_MAX];
    size_t live_count;
    int64_t *ids;
    size_t id_count;
};

void database_init(struct database *database);
void database_free(struct database *database);
struct row *database_row(const struct database *database, int64_t id); /* NULL: none */
struct callback_row *database_callback(const struct database *database, int64_t id);
struct row *database_find(const struct database *database, int64_t integrator_id, const char *ref);
struct row *database_find_approval(const struct database *database, const char *approval);
struct machine_row *database_machine(struct database *database, const char *vm_id);
/* Whether the pair is stored: in the table, or as part of a gap. */
bool database_event_stored(const struct machine_row *machine, int64_t event_epoch, int64_t seq);

/* Runs it; its guards decide between APPLIED and CONFLICT. */
void database_run(struct database *database, struct operation *operation);

struct operation *operation_new(enum operation_kind kind, void *arg);
void operation_free(struct operation *operation);

#endif
