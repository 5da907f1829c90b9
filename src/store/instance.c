#include "store/store_internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

#include <string.h>

#define JUMP_MS 1000 /* less is drift, not worth a word */

/* PostgreSQL's time was between what our clock showed before the question and after the answer. A
 * reading that fits is kept, so that times do not jitter with the network. The first one sets
 * store_now_ms(); what PostgreSQL's clock does later only moves the shift,
 * by which times are translated when they are written and read. */
static void clock_learn(struct store *store, int64_t server_ms, int64_t before_ms, int64_t after_ms)
{
    int64_t lowest = server_ms - after_ms, highest = server_ms - before_ms;
    int64_t known = store->clock_offset_ms + store->clock_shift_ms;
    if (store->clock_known && known >= lowest && known <= highest)
        return;
    int64_t learnt = lowest + (highest - lowest) / 2;
    if (!store->clock_known) {
        store->clock_known = true;
        store->clock_offset_ms = learnt;
        return;
    }
    store->clock_shift_ms += learnt - known;
    if (learnt - known > JUMP_MS || known - learnt > JUMP_MS)
        log_warning("store_clock_jumped", LOG_INT("by_ms", learnt - known));
}

/* --- Heartbeat --- */

/* Counted from before it was asked: PostgreSQL wrote the time later than that. */
static void alive(struct store *store, int64_t asked_ms)
{
    store->handlers.alive(store->arg, asked_ms + store->options.lease_ms);
}

static void heartbeat_done(struct operation *operation, enum store_outcome outcome,
                           const PGresult *rows)
{
    struct store *store = operation->callback.store;
    if (outcome != STORE_APPLIED)
        return;
    clock_learn(store, row_integer(rows, 0, 0), operation->asked_ms, clock_monotonic_ms());
    horizon_learn(&store->horizon, row_integer(rows, 0, 1), row_integer(rows, 0, 2),
                  row_integer(rows, 0, 3));
    alive(store, operation->asked_ms);
    adoption_look(store);
}

static void heartbeat_send(void *arg)
{
    struct store *store = arg;
    timer_start(store->heartbeat, store->options.heartbeat_ms);
    if (!store->ready || store->closing)
        return;
    struct operation *operation = operation_new(STATEMENT_HEARTBEAT, heartbeat_done, NULL);
    operation->callback.store = store;
    operation->asked_ms = clock_monotonic_ms();
    store_queue_step(store, operation);
}

/* --- Epoch --- */

static void epoch_take_unused(struct operation *operation, enum store_outcome outcome,
                              const PGresult *rows)
{
    (void)operation;
    (void)outcome;
    (void)rows;
}

void instance_open(struct store *store, const char *name)
{
    store->clock_offset_ms = clock_unix_ms() - clock_monotonic_ms();
    horizon_forget(&store->horizon);
    store->epoch_take = operation_new(STATEMENT_EPOCH_TAKE, epoch_take_unused, NULL);
    operation_add_text(store->epoch_take, name);
    store->heartbeat = timer_new(store->loop, heartbeat_send, store);
    timer_start(store->heartbeat, store->options.heartbeat_ms);
}

void instance_done(struct store *store)
{
    operation_free(&store->epoch_take);
    timer_free(&store->heartbeat);
    adoption_forget(store);
}

static void ask(struct store *store, bool end_holder_first)
{
    const struct parameters *name = &store->epoch_take->parameters;
    store->taking = true;
    store->epoch_blocked = store->epoch_taken = false;
    store->clock_asked_ms = clock_monotonic_ms();
    if (end_holder_first)
        connection_send(store->steps_connection, STATEMENT_EPOCH_HOLDER_END, name,
                        store->instance_epoch);
    else
        connection_send(store->steps_connection, STATEMENT_EPOCH_TAKE, name, store->instance_epoch);
    connection_sync(store->steps_connection);
}

void instance_take(struct store *store)
{
    horizon_forget(&store->horizon); /* this server may be another, which knows less */
    ask(store, false);
}

/* Our former backend holds the row: it is still committing, or hangs. Once it has had its time
 * (lock_timeout), it is ended. */
static bool is_blocked(const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    return state && (!strcmp(state, "55P03") || !strcmp(state, "57014"));
}

/* Whoever takes our callbacks raises our epoch. That is looked at, not lane_adoption: the statement
 * that takes the epoch may have waited for the adoption, and does not see its row. An epoch that we
 * took without hearing of it looks the same; then everything is only read once more. */
static void epoch_learn(struct store *store, int64_t epoch)
{
    int64_t before = store->instance_epoch[1];
    store->instance_epoch[1] = epoch;
    if (before == 0 || epoch == before + 1)
        return;
    log_warning("callbacks_taken_over",
                LOG_TEXT("error", "another process raised our epoch: this one showed no sign of "
                                  "life for a lease, or two have the same name"));
    store->handlers.dispossessed(store->arg);
}

void instance_result(struct store *store, PGresult *result)
{
    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQnfields(result) == 4) {
        store->instance_epoch[0] = row_integer(result, 0, 0);
        clock_learn(store, row_integer(result, 0, 2), store->clock_asked_ms, clock_monotonic_ms());
        store->away_ms = row_integer(result, 0, 3);
        store->epoch_taken = true;
        epoch_learn(store, row_integer(result, 0, 1));
    } else if (PQresultStatus(result) == PGRES_FATAL_ERROR) {
        store->epoch_blocked = is_blocked(result);
        log_warning("store_epoch_not_taken",
                    LOG_TEXT("error", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)));
        if (!store->epoch_blocked)
            connection_drop(store->steps_connection, "the epoch cannot be taken");
    }
    PQclear(result);
}

bool instance_synced(struct store *store)
{
    store->taking = false;
    if (store->epoch_taken) {
        log_info("store_epoch_taken", LOG_INT("instance", store->instance_epoch[0]),
                 LOG_INT("epoch", store->instance_epoch[1]));
        CRASH_POINT(start_epoch_taken);
        adoption_forget(store);
        alive(store, store->clock_asked_ms);
        return true;
    }
    ask(store, store->epoch_blocked);
    return false;
}
