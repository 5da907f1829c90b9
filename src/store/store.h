/* store.h - the connection to PostgreSQL and its group commit. The only folder that knows SQL.
 *
 * Owns two asynchronous pipeline-mode connections (steps; outcomes of callbacks with asynchronous
 * commit) and one that LISTENs. Operations that wait when the previous commit's answer arrives go
 * out together as one pipeline with one COMMIT; the answer releases them all. No timer: when idle,
 * an operation is flushed at the end of the loop turn that queued it. Loop thread only.
 *
 *   queue -> batch: BEGIN, fence FOR SHARE, operations ..., COMMIT, Sync -> answers -> callbacks
 *
 *     error in a member:  ROLLBACK, then the members one by one; a bad one harms only itself
 *     connection lost:    what waits is UNAVAILABLE; what was in flight is uncertain: reconnect,
 *                         raise our epoch (waits for the old backend and shuts it out; after 5 s it
 *                         is ended), probe each member: applied, or run again
 *
 * Each family of tables has a header of its own: store/txn.h, store/machine.h, store/callback.h,
 * store/people.h; tools that may block use store/tool.h. A callback runs exactly once, from the
 * loop, never inside the call. */
#ifndef VENDGATE_STORE_H
#define VENDGATE_STORE_H

#include "base/macros.h"
#include "base/metrics.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define STORE_ERROR_SIZE 512

struct store;

/* What became of an operation. */
enum store_outcome {
    STORE_APPLIED = 1, /* committed */
    STORE_CONFLICT, /* a guard matched no row (state, version, owner, ref); nothing was changed */
    STORE_FAILED,   /* PostgreSQL refused it; logged with its SQLSTATE; nothing was changed */
    /* Never sent; nothing was changed. But while the store closes with its connection lost in the
     * middle of a commit, nobody may be left to ask: then the outcome is unknown. */
    STORE_UNAVAILABLE,
};

typedef void store_done_cb(void *arg, enum store_outcome outcome);

struct store_options {
    const char *conninfo; /* libpq connection string; hosts are resolved off the loop */
    const char *password; /* NULL: as conninfo says; wiped by the caller */
    const char *instance; /* key of gateway_instance: 1-64 of A-Za-z0-9._- */
    int64_t batch_max;    /* operations in one commit, 1..1024; 128 */
    int64_t queue_max;    /* operations waiting; further ones get STORE_UNAVAILABLE; 20,000 */
    int64_t statement_timeout_ms; /* PostgreSQL's statement_timeout, and half of our patience with a
                                     silent server */
    int64_t connect_timeout_ms;
    int64_t heartbeat_ms; /* gateway_instance.heartbeat_at is renewed this often; 2 s */
    int64_t lease_ms; /* a process without a heartbeat for so long is taken for dead; at least three
                         heartbeats; 15 s */
};

struct store_handlers {
    /* Connected, epoch taken, uncertain operations settled: operations are accepted. Also after
     * each reconnect. */
    void (*ready)(void *arg);
    /* The connection was lost: new operations get STORE_UNAVAILABLE until ready() again; those in
     * flight stay pending. */
    void (*lost)(void *arg);
    /* Something was changed by a tool: `what` is a table family ("integrator", "machine", "grant",
     * ...), `key` the row; both empty: the LISTEN connection was new, reread everything. */
    void (*changed)(void *arg, const char *what, const char *key);
    /* This process has shown that it lives: nobody takes its callbacks over before `until_ms`
     * (monotonic). */
    void (*alive)(void *arg, int64_t until_ms);
    /* It was taken for dead, and another process has its callbacks; before ready(). */
    void (*dispossessed)(void *arg);
    /* Another process was taken for dead; its callbacks are ours now. */
    void (*adopted)(void *arg);
};

/* Connects in the background and keeps reconnecting (backoff with jitter, at most 250 ms). 0, or a
 * negative errno with ret_error for options that can never work. A database whose schema is older
 * or newer than this program is logged and never ready(). */
MUST_CHECK int store_open(uv_loop_t *loop, const struct store_options *options,
                          const struct store_handlers *handlers, void *arg, struct metrics *metrics,
                          struct store **ret_store, char ret_error[static STORE_ERROR_SIZE]);
bool store_ready(const struct store *store);
/* gateway_instance.instance_id of this process; valid once ready() ran. */
int64_t store_instance_id(const struct store *store);
/* Now, unix ms: PostgreSQL's clock as it was at the first connect, carried on by our monotonic one.
 * Neither clock's jumps move it, so what is timed by it keeps its length. */
int64_t store_now_ms(const struct store *store);
/* How long nobody of this instance's name had been alive when the epoch was taken; 0 for a new one.
 */
int64_t store_away_ms(const struct store *store);
/* Operations queued or in flight, on both connections. */
size_t store_pending(const struct store *store);
/* Takes no new operations, answers all that are queued (those not sent after `deadline_ms` get
 * STORE_UNAVAILABLE), then `closed` runs once and the store is freed. */
void store_close(struct store *store, int64_t deadline_ms, void (*closed)(void *arg), void *arg);

#endif
