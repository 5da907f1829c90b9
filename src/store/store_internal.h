/* store_internal.h - the store as its own files see it. Internal to store/. */
#ifndef VENDGATE_STORE_INTERNAL_H
#define VENDGATE_STORE_INTERNAL_H

#include "base/timer.h"
#include "store/batch.h"
#include "store/connection.h"
#include "store/operation.h"
#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* Which callbacks can be shown in the order of their ids; see event.c. */
struct horizon {
    int64_t known;                /* -1: not yet */
    int64_t last_id, number;      /* waits until nothing below `number` goes on; 0: nothing waits */
    int64_t read_id, read_number; /* of the last heartbeat; 0: none */
};

struct store {
    uv_loop_t *loop;
    struct store_options options; /* texts in it are gone */
    struct store_handlers handlers;
    void *arg;
    struct metrics *metrics;

    struct connection *steps_connection, *outcomes_connection, *news_connection;
    struct batcher *steps, *outcomes;

    int64_t instance_epoch[2];       /* instance_id and epoch; 0 before the first connect */
    struct operation *epoch_take;    /* its parameters: this process's name */
    bool taking;                     /* the epoch is being taken; answers belong to instance.c */
    bool epoch_blocked, epoch_taken; /* what its answer was */

    int64_t clock_offset_ms; /* store_now_ms() minus our monotonic clock; kept once known */
    int64_t clock_shift_ms;  /* PostgreSQL's clock minus store_now_ms(): how far it has jumped */
    bool clock_known;        /* PostgreSQL's clock was read */
    int64_t away_ms;         /* see store_away_ms() */
    int64_t clock_asked_ms;  /* monotonic time when PostgreSQL's clock was asked for */
    struct timer *heartbeat, *ping;
    struct horizon horizon;
    struct peer *peers; /* adoption.c: the other processes */

    bool ready, closing, overdue;
    struct timer *close_deadline;
    void (*closed)(void *arg);
    void *closed_arg;
    uint64_t attempts_dropped;
};

/* Each takes the operation. */
void store_queue_step(struct store *store, struct operation *operation);
void store_queue_outcome(struct store *store, struct operation *operation);

/* instance.c: this process's row, its epoch, its heartbeat and PostgreSQL's clock. */
void instance_open(struct store *store, const char *name);
void instance_done(struct store *store);
void instance_take(struct store *store);
void instance_result(struct store *store, PGresult *result);
/* True: the epoch is ours. */
bool instance_synced(struct store *store);

/* adoption.c: other processes whose heartbeat has stopped. */
void adoption_look(struct store *store);
/* Connected anew: what was seen before counts for nothing. */
void adoption_forget(struct store *store);

/* event.c */
void horizon_forget(struct horizon *horizon);
/* What a heartbeat has read: the last callback's id, the number of its own transaction, and the
 * lowest number of one under way. */
void horizon_learn(struct horizon *horizon, int64_t last_id, int64_t number, int64_t oldest_number);

/* listen.c: the connection that hears of changes. */
MUST_CHECK int listen_open(struct store *store, const struct connection_options *options,
                           char ret_error[static STORE_ERROR_SIZE]);
void listen_done(struct store *store);

#endif
