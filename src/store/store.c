#include "store/store_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OUTCOMES_BATCH_MAX 64
#define OUTCOMES_LINGER_MS 5

/* --- Steps --- */

static void steps_up(void *arg)
{
    instance_take(arg);
}

static void steps_down(void *arg)
{
    struct store *store = arg;
    bool was_ready = store->ready;
    store->ready = store->taking = false;
    batcher_lost(store->steps);
    if (store->overdue)
        batcher_give_up(store->steps);
    if (was_ready)
        store->handlers.lost(store->arg);
}

static void steps_result(void *arg, PGresult *result)
{
    struct store *store = arg;
    if (store->taking)
        instance_result(store, result);
    else
        batcher_result(store->steps, result);
}

static void steps_synced(void *arg)
{
    struct store *store = arg;
    if (!store->taking)
        batcher_synced(store->steps);
    else if (instance_synced(store))
        batcher_resume(store->steps, store->steps_connection);
}

static void steps_resumed(void *arg)
{
    struct store *store = arg;
    store->ready = true;
    store->handlers.ready(store->arg);
}

/* A second process runs under our name, or another has taken us for dead. We take the epoch back;
 * whoever is meant to stop will be seen in both logs. */
static void steps_fenced(void *arg)
{
    struct store *store = arg;
    log_error("store_fenced", LOG_INT("instance", store->instance_epoch[0]),
              LOG_INT("epoch", store->instance_epoch[1]),
              LOG_TEXT("error", "another process runs under this name, or took this one for dead"));
    connection_drop(store->steps_connection, "fenced");
}

static void steps_unusable(void *arg, const char *cause)
{
    struct store *store = arg;
    connection_drop(store->steps_connection, cause);
}

/* --- Outcomes of callbacks --- */

static void outcomes_up(void *arg)
{
    struct store *store = arg;
    batcher_resume(store->outcomes, store->outcomes_connection);
}

static void outcomes_down(void *arg)
{
    struct store *store = arg;
    batcher_lost(store->outcomes);
    if (store->overdue)
        batcher_give_up(store->outcomes);
}

static void outcomes_result(void *arg, PGresult *result)
{
    struct store *store = arg;
    batcher_result(store->outcomes, result);
}

static void outcomes_synced(void *arg)
{
    struct store *store = arg;
    batcher_synced(store->outcomes);
}

static void outcomes_unusable(void *arg, const char *cause)
{
    struct store *store = arg;
    connection_drop(store->outcomes_connection, cause);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void no_news(void *arg, const char *payload)
{
    (void)arg;
    (void)payload;
}

/* --- Closing --- */

static void last_gone(uv_handle_t *handle)
{
    struct store *store = handle->data;
    free(handle);
    void (*closed)(void *arg) = store->closed;
    void *arg = store->closed_arg;
    free(store);
    closed(arg);
}

static void release(struct store *store)
{
    listen_done(store);
    connection_free(&store->outcomes_connection);
    connection_free(&store->steps_connection);
    instance_done(store);
    batcher_free(&store->outcomes);
    batcher_free(&store->steps);
    timer_free(&store->close_deadline);
}

static void on_drained(void *arg)
{
    struct store *store = arg;
    if (!store->closing || store_pending(store))
        return;
    release(store);
    uv_idle_t *last = memory_zero(1, sizeof(*last));
    uv_idle_init(store->loop, last);
    last->data = store;
    uv_close((uv_handle_t *)last, last_gone);
}

static void on_close_deadline(void *arg)
{
    struct store *store = arg;
    store->overdue = true;
    batcher_give_up(store->steps);
    batcher_give_up(store->outcomes);
}

void store_close(struct store *store, int64_t deadline_ms, void (*closed)(void *arg), void *arg)
{
    assert(!store->closing);
    store->closing = true;
    store->closed = closed;
    store->closed_arg = arg;
    batcher_stop(store->steps);
    batcher_stop(store->outcomes);
    timer_start(store->close_deadline, deadline_ms);
}

/* --- Opening --- */

static const struct connection_handlers STEPS_CONNECTION = {steps_up, steps_down, steps_result,
                                                            steps_synced, no_news};
static const struct connection_handlers OUTCOMES_CONNECTION = {
    outcomes_up, outcomes_down, outcomes_result, outcomes_synced, no_news};

static void open_batchers(struct store *store)
{
    const struct batcher_options steps = {
        .name = "steps",
        .batch_max = (size_t)store->options.batch_max,
        .queue_max = (size_t)store->options.queue_max,
        .fenced = true,
    };
    const struct batcher_options outcomes = {
        .name = "outcomes",
        .batch_max = OUTCOMES_BATCH_MAX,
        .queue_max = (size_t)store->options.queue_max,
        .linger_ms = OUTCOMES_LINGER_MS,
        .asynchronous = true,
        .patient = true,
    };
    static const struct batcher_handlers STEPS = {steps_fenced, steps_unusable, on_drained,
                                                  steps_resumed};
    static const struct batcher_handlers OUTCOMES = {nothing, outcomes_unusable, on_drained,
                                                     nothing};
    store->steps =
        batcher_new(store->loop, &steps, &STEPS, store, store->instance_epoch, store->metrics);
    store->outcomes = batcher_new(store->loop, &outcomes, &OUTCOMES, store, store->instance_epoch,
                                  store->metrics);
}

static int open_connections(struct store *store, const struct store_options *options,
                            char ret_error[static STORE_ERROR_SIZE])
{
    _cleanup_(memory_text_free) char *application =
        memory_format("vendgated %s", options->instance);
    struct connection_options shared = {
        .conninfo = options->conninfo,
        .password = options->password,
        .application = application,
        .durable = true,
        .statement_timeout_ms = options->statement_timeout_ms,
        .connect_timeout_ms = options->connect_timeout_ms,
        .silence_ms = 2 * options->statement_timeout_ms,
    };
    shared.name = "steps";
    shared.on = ON_STEPS;
    int result = connection_open(store->loop, &shared, &STEPS_CONNECTION, store, store->metrics,
                                 &store->steps_connection, ret_error);
    if (result < 0)
        return result;
    shared.name = "news";
    shared.on = ON_NEWS;
    result = listen_open(store, &shared, ret_error);
    if (result < 0)
        return result;
    shared.name = "outcomes";
    shared.on = ON_OUTCOMES;
    shared.durable = false;
    return connection_open(store->loop, &shared, &OUTCOMES_CONNECTION, store, store->metrics,
                           &store->outcomes_connection, ret_error);
}

static bool is_instance_name(const char *name)
{
    size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return size >= 1 && size <= 64 && name[size] == '\0';
}

int store_open(uv_loop_t *loop, const struct store_options *options,
               const struct store_handlers *handlers, void *arg, struct metrics *metrics,
               struct store **ret_store, char ret_error[static STORE_ERROR_SIZE])
{
    assert(options->batch_max >= 1 && options->batch_max <= 1024 && options->queue_max >= 1);
    assert(options->statement_timeout_ms > 0 && options->connect_timeout_ms > 0 &&
           options->heartbeat_ms > 0);
    if (options->lease_ms < 3 * options->heartbeat_ms) {
        snprintf(ret_error, STORE_ERROR_SIZE,
                 "the lease must be at least three heartbeats: raise store.lease");
        return -EINVAL;
    }
    if (!is_instance_name(options->instance)) {
        snprintf(ret_error, STORE_ERROR_SIZE,
                 "the instance name must be 1 to 64 of A-Z a-z 0-9 . _ -");
        return -EINVAL;
    }
    struct store *store = memory_zero(1, sizeof(*store));
    store->loop = loop;
    store->options = *options;
    store->options.conninfo = store->options.password = store->options.instance = NULL;
    store->handlers = *handlers;
    store->arg = arg;
    store->metrics = metrics;
    store->close_deadline = timer_new(loop, on_close_deadline, store);
    open_batchers(store);
    instance_open(store, options->instance);
    int result = open_connections(store, options, ret_error);
    if (result < 0) {
        release(store);
        free(store);
        return result;
    }
    *ret_store = store;
    return 0;
}

/* --- Asking --- */

bool store_ready(const struct store *store)
{
    return store->ready && !store->closing;
}

int64_t store_instance_id(const struct store *store)
{
    return store->instance_epoch[0];
}

int64_t store_away_ms(const struct store *store)
{
    return store->away_ms > 0 ? store->away_ms : 0;
}

int64_t store_now_ms(const struct store *store)
{
    return clock_monotonic_ms() + store->clock_offset_ms;
}

size_t store_pending(const struct store *store)
{
    return batcher_pending(store->steps) + batcher_pending(store->outcomes);
}

void store_queue_step(struct store *store, struct operation *operation)
{
    operation->shift_ms = store->clock_shift_ms;
    batcher_queue(store->steps, operation);
}

void store_queue_outcome(struct store *store, struct operation *operation)
{
    batcher_queue(store->outcomes, operation);
}
