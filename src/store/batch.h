/* batch.h - group commit: the operations that wait while one batch is in flight form the next.
 * Internal to store/.
 *
 *   DOWN -> resume(): [PROBING] -> READY -> FLYING -> READY ...
 *                                            | a member failed
 *                                            v
 *                                         ROLLING_BACK -> READY, its members alone
 *   any -> lost(): DOWN; what was in flight is uncertain until resume() has asked for it
 *   READY or FLYING, the server has no room -> its member is unavailable, or all wait a while
 *
 * An operation's `finish` runs once, from the loop, never inside batcher_queue(). Operations finish
 * in the order of their batches. */
#ifndef VENDGATE_STORE_BATCH_H
#define VENDGATE_STORE_BATCH_H

#include "base/metrics.h"
#include "store/connection.h"
#include "store/operation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct batcher;

struct batcher_options {
    const char *name;  /* of its connection; borrowed for ever */
    size_t batch_max;  /* operations in one commit */
    size_t queue_max;  /* waiting operations */
    int64_t linger_ms; /* a batch that is not full waits this long for more; 0: to the end of the
                          loop's turn */
    bool fenced;       /* each batch checks and holds this process's epoch */
    bool asynchronous; /* a crash of the server takes back the last commits: they are made again */
    bool patient;      /* while the connection is down operations wait; else they are unavailable */
};

struct batcher_handlers {
    /* Another process took our epoch; nothing of the batch applied, and it waits. The connection is
     * to be dropped. */
    void (*fenced)(void *arg);
    /* The server cannot do what is asked on this connection any more (a standby, shutting down). */
    void (*unusable)(void *arg, const char *cause);
    /* There is nothing queued or in flight any more. */
    void (*drained)(void *arg);
    /* Every probe of resume() is answered. */
    void (*resumed)(void *arg);
};

/* `instance_epoch` is borrowed: $1 and $2 as they are at the moment of sending. */
struct batcher *batcher_new(uv_loop_t *loop, const struct batcher_options *options,
                            const struct batcher_handlers *handlers, void *arg,
                            const int64_t *instance_epoch, struct metrics *metrics);
/* Only when nothing is pending. */
void batcher_free(struct batcher **batcher);

/* Takes the operation. */
void batcher_queue(struct batcher *batcher, struct operation *operation);
size_t batcher_pending(const struct batcher *batcher);
size_t batcher_waiting(const struct batcher *batcher);
/* Drops the oldest waiting operation that `droppable` accepts; its `finish` does not run. False:
 * there is none. */
bool batcher_drop(struct batcher *batcher, bool (*droppable)(const struct operation *operation));

/* The connection is up (and the epoch taken): settles what is uncertain, then sends. `connection`
 * is borrowed until lost(). */
void batcher_resume(struct batcher *batcher, struct connection *connection);
void batcher_lost(struct batcher *batcher);
void batcher_result(struct batcher *batcher, PGresult *result);
void batcher_synced(struct batcher *batcher);

/* No new operations from now on. */
void batcher_stop(struct batcher *batcher);
/* Gives up what has not been sent, and, if the connection is down, what is uncertain too. */
void batcher_give_up(struct batcher *batcher);

#endif
