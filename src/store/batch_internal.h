/* batch_internal.h - the batcher as batch.c (queue, life, uncertain operations) and flight.c (the
 * batch in flight) see it. */
#ifndef VENDGATE_STORE_BATCH_INTERNAL_H
#define VENDGATE_STORE_BATCH_INTERNAL_H

#include "base/timer.h"
#include "store/batch.h"
#include "store/recent.h"

enum phase { DOWN = 1, PROBING, READY, FLYING, ROLLING_BACK };

struct batcher {
    uv_loop_t *loop;
    struct batcher_options options;
    struct batcher_handlers handlers;
    void *arg;
    const int64_t *instance_epoch;
    struct metrics *metrics;
    enum phase phase;
    struct connection *connection; /* borrowed; NULL while DOWN */
    uv_idle_t *turn;               /* runs once when there is something to do */
    struct timer *linger;
    bool full;   /* lingering is over */
    bool paused; /* nothing is sent until `linger` says so */
    bool stopped;
    bool starved; /* the last failure was a shortage on the server, and no batch was committed since
                   */

    struct operation *queue, *flight, *uncertain, *rejected; /* utlist: head->prev is the last */
    struct recent *recent;                                   /* NULL: commits are durable */
    size_t queue_count, flight_count, uncertain_count, rejected_count;

    /* The batch in flight. */
    struct operation *next_result; /* the member whose result comes next */
    size_t results;                /* seen so far, of all statements */
    size_t leading;                /* statements before the members */
    bool failed, fenced, committed;
    char failure[8]; /* SQLSTATE of the failure */
    int64_t sent_ns;

    struct metric_cell *size, *latency, *waiting, *uncertain_total;
    struct metric_cell *operations[STATEMENT_COUNT][STORE_UNAVAILABLE + 1]; /* NULL: none so far */
};

/* --- batch.c --- */

/* There is something to do at the end of this turn. */
void batcher_wake(struct batcher *batcher);
/* Sends nothing for a while. */
void batcher_pause(struct batcher *batcher);
/* Runs the operation's callback and frees it; it is in no list any more. */
void batcher_finish(struct batcher *batcher, struct operation *operation,
                    enum store_outcome outcome);
/* The same; its rows tell whether it applied. */
void batcher_finish_committed(struct batcher *batcher, struct operation *operation);
/* Puts a whole list before everything that waits, in its order. */
void batcher_return(struct batcher *batcher, struct operation **list, size_t *count);
void batcher_count(struct batcher *batcher, const char *result);
void operations_forget(struct operation *list);

/* --- flight.c --- */

void batcher_send(struct batcher *batcher, enum statement statement,
                  const struct parameters *parameters);
/* The queue is not empty. */
void flight_send(struct batcher *batcher);
void flight_result(struct batcher *batcher, PGresult *result);
void flight_synced(struct batcher *batcher);
/* The transaction of a failed batch is over. */
void flight_rolled_back(struct batcher *batcher);
/* Keeps and logs the first failure of a unit. */
void flight_note_failure(struct batcher *batcher, const PGresult *result);

#endif
