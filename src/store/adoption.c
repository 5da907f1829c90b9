/* adoption.c - the other processes on this database: who shows no sign of life for a whole lease is
 * taken for dead, and its callbacks become ours.
 *
 * A heartbeat is judged by whether it changes while we look, not by anybody's clock. Only what was
 * seen over one connection counts: after PostgreSQL was away all heartbeats look old. */
#include "store/store_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>
#include <uthash.h>

struct peer {
    int64_t instance_id;
    int64_t heartbeat_us; /* as it was seen last */
    int64_t since_ms;     /* monotonic; since when it has been that */
    bool settled;         /* with this heartbeat there is nothing to take over (any more) */
    UT_hash_handle hh;
};

static struct peer *peer_seen(struct store *store, int64_t instance_id, int64_t heartbeat_us)
{
    struct peer *peer;
    HASH_FIND(hh, store->peers, &instance_id, sizeof(instance_id), peer);
    if (!peer) {
        peer = memory_zero(1, sizeof(*peer));
        peer->instance_id = instance_id;
        HASH_ADD(hh, store->peers, instance_id, sizeof(instance_id), peer);
    }
    if (peer->heartbeat_us != heartbeat_us) {
        peer->heartbeat_us = heartbeat_us;
        peer->since_ms = clock_monotonic_ms();
        peer->settled = false;
    }
    return peer;
}

static void adopted(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    (void)rows;
    struct store *store = operation->callback.store;
    if (outcome == STORE_UNAVAILABLE || outcome == STORE_FAILED)
        adoption_forget(store); /* looks anew; a conflict says that there was nothing */
    if (outcome != STORE_APPLIED)
        return;
    log_warning("callbacks_adopted",
                LOG_TEXT("instance", (const char *)operation->parameters.bytes.bytes));
    store->handlers.adopted(store->arg);
}

static void adopt(struct store *store, struct peer *peer)
{
    peer->settled = true;
    struct operation *operation = operation_new(STATEMENT_ADOPT, adopted, NULL);
    operation->callback.store = store;
    operation_add_integer(operation, peer->instance_id);
    operation_add_integer(operation, peer->heartbeat_us);
    store_queue_step(store, operation);
}

static void looked(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    (void)outcome;
    struct store *store = operation->callback.store;
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        struct peer *peer = peer_seen(store, row_integer(rows, row, 0), row_integer(rows, row, 1));
        if (!peer->settled && clock_monotonic_ms() - peer->since_ms >= store->options.lease_ms)
            adopt(store, peer);
    }
}

void adoption_look(struct store *store)
{
    if (!store->ready || store->closing)
        return;
    struct operation *operation = operation_new(STATEMENT_PEERS, looked, NULL);
    operation->callback.store = store;
    store_queue_step(store, operation);
}

void adoption_forget(struct store *store)
{
    struct peer *peer, *next;
    HASH_ITER (hh, store->peers, peer, next) {
        HASH_DEL(store->peers, peer);
        free(peer);
    }
}
