#include "store/batch_internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define PAUSE_MS 200

static const double BATCH_SIZES[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 0};

static const struct metric_def METRICS[] = {
    {.name = "vendgate_store_batches_total",
     .kind = METRIC_COUNTER,
     .help = "Commits asked for, by what became of them.",
     .labels = {"connection", "result"}},
    {.name = "vendgate_store_batch_operations",
     .kind = METRIC_HISTOGRAM,
     .help = "Operations that shared one commit.",
     .labels = {"connection"},
     .buckets = BATCH_SIZES},
    {.name = "vendgate_store_commit_seconds",
     .kind = METRIC_HISTOGRAM,
     .help = "From sending a batch to its answer.",
     .labels = {"connection"}},
    {.name = "vendgate_store_operations_total",
     .kind = METRIC_COUNTER,
     .help = "Operations by statement and outcome.",
     .labels = {"statement", "outcome"}},
    {.name = "vendgate_store_queue_operations",
     .kind = METRIC_GAUGE,
     .help = "Operations queued or in flight.",
     .labels = {"connection"}},
    {.name = "vendgate_store_uncertain_total",
     .kind = METRIC_COUNTER,
     .help = "Operations whose commit was unknown after a lost connection.",
     .labels = {"connection"}},
};
enum {
    METRIC_BATCHES,
    METRIC_SIZE,
    METRIC_LATENCY,
    METRIC_OPERATIONS,
    METRIC_QUEUE,
    METRIC_UNCERTAIN
};

/* --- Lists --- */

static void queue_append(struct batcher *batcher, struct operation *operation)
{
    DL_APPEND(batcher->queue, operation);
    batcher->queue_count++;
}

void batcher_return(struct batcher *batcher, struct operation **list, size_t *count)
{
    DL_CONCAT(*list, batcher->queue);
    batcher->queue = TAKE(*list);
    batcher->queue_count += *count;
    *count = 0;
}

size_t batcher_pending(const struct batcher *batcher)
{
    return batcher->queue_count + batcher->flight_count + batcher->uncertain_count +
           batcher->rejected_count;
}

size_t batcher_waiting(const struct batcher *batcher)
{
    return batcher->queue_count;
}

/* --- Turns --- */

static void on_turn(uv_idle_t *turn);

void batcher_wake(struct batcher *batcher)
{
    int result = uv_idle_start(batcher->turn, on_turn);
    assert(result == 0);
}

static void on_linger(void *arg)
{
    struct batcher *batcher = arg;
    batcher->full = true;
    batcher->paused = false;
    batcher_wake(batcher);
}

void batcher_pause(struct batcher *batcher)
{
    batcher->paused = true;
    timer_start(batcher->linger, PAUSE_MS);
}

/* --- Endings --- */

static const char *outcome_name(enum store_outcome outcome)
{
    static const char *const NAMES[] = {
        [STORE_APPLIED] = "applied",
        [STORE_CONFLICT] = "conflict",
        [STORE_FAILED] = "failed",
        [STORE_UNAVAILABLE] = "unavailable",
    };
    return NAMES[outcome];
}

static struct metric_cell *operations_cell(struct batcher *batcher, enum statement statement,
                                           enum store_outcome outcome)
{
    struct metric_cell **cell = &batcher->operations[statement][outcome];
    if (!*cell)
        *cell = metrics_cell(batcher->metrics, &METRICS[METRIC_OPERATIONS],
                             statement_info(statement)->name, outcome_name(outcome));
    return *cell;
}

void batcher_finish(struct batcher *batcher, struct operation *operation,
                    enum store_outcome outcome)
{
    metric_add(operations_cell(batcher, operation->statement, outcome), 1);
    operation->finish(operation, outcome, outcome == STORE_APPLIED ? operation->rows : NULL);
    if (batcher->recent && outcome == STORE_APPLIED)
        recent_add(batcher->recent, operation);
    else
        operation_free(&operation);
}

void batcher_finish_committed(struct batcher *batcher, struct operation *operation)
{
    bool guarded = statement_info(operation->statement)->guarded;
    bool applied = !guarded || (operation->rows && PQntuples(operation->rows) > 0);
    batcher_finish(batcher, operation, applied ? STORE_APPLIED : STORE_CONFLICT);
}

static void reject(struct batcher *batcher, struct operation *operation)
{
    DL_APPEND(batcher->rejected, operation);
    batcher->rejected_count++;
    batcher_wake(batcher);
}

static void finish_rejected(struct batcher *batcher)
{
    struct operation *list = TAKE(batcher->rejected), *operation, *next;
    batcher->rejected_count = 0;
    DL_FOREACH_SAFE (list, operation, next) {
        DL_DELETE(list, operation);
        batcher_finish(batcher, operation, STORE_UNAVAILABLE);
    }
}

static void linger_or_send(struct batcher *batcher)
{
    bool enough = batcher->full || batcher->stopped || batcher->options.linger_ms == 0 ||
                  batcher->queue_count >= batcher->options.batch_max;
    if (enough) {
        timer_stop(batcher->linger);
        batcher->full = false;
        flight_send(batcher);
    } else if (!timer_running(batcher->linger)) {
        timer_start(batcher->linger, batcher->options.linger_ms);
    }
}

static void on_turn(uv_idle_t *turn)
{
    struct batcher *batcher = turn->data;
    uv_idle_stop(turn);
    finish_rejected(batcher);
    if (batcher->phase == READY && batcher->queue && !batcher->paused)
        linger_or_send(batcher);
    metric_set(batcher->waiting, (double)batcher_pending(batcher));
    if (!batcher_pending(batcher))
        batcher->handlers.drained(batcher->arg);
}

void batcher_count(struct batcher *batcher, const char *result)
{
    metric_add(
        metrics_cell(batcher->metrics, &METRICS[METRIC_BATCHES], batcher->options.name, result), 1);
}

void operations_forget(struct operation *list)
{
    struct operation *operation;
    DL_FOREACH (list, operation) {
        PQclear(TAKE(operation->rows));
    }
}

/* --- Uncertain operations --- */

static void probes_send(struct batcher *batcher)
{
    batcher->phase = PROBING;
    batcher->failed = false;
    batcher->next_result = batcher->uncertain;
    struct operation *operation;
    DL_FOREACH (batcher->uncertain, operation) {
        batcher_send(batcher, operation->probe, &operation->parameters);
    }
    connection_sync(batcher->connection);
}

static void begin_ready(struct batcher *batcher)
{
    batcher->phase = READY;
    batcher->handlers.resumed(batcher->arg);
    batcher_wake(batcher);
}

/* Those that were committed are answered; the others go first into the next batch. */
static void probes_synced(struct batcher *batcher)
{
    if (batcher->failed || batcher->next_result) {
        operations_forget(batcher->uncertain);
        batcher->handlers.unusable(batcher->arg, "uncertain operations could not be settled");
        return;
    }
    struct operation *committed = NULL, *operation, *next;
    DL_FOREACH_SAFE (batcher->uncertain, operation, next) {
        if (PQntuples(operation->rows) > 0) {
            DL_DELETE(batcher->uncertain, operation);
            batcher->uncertain_count--;
            DL_APPEND(committed, operation);
        }
    }
    operations_forget(batcher->uncertain);
    batcher_return(batcher, &batcher->uncertain, &batcher->uncertain_count);
    batcher->phase = READY;
    DL_FOREACH_SAFE (committed, operation, next) {
        DL_DELETE(committed, operation);
        batcher_finish_committed(batcher, operation);
    }
    begin_ready(batcher);
}

void batcher_result(struct batcher *batcher, PGresult *result)
{
    if (batcher->phase == FLYING) {
        flight_result(batcher, result);
        return;
    }
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        flight_note_failure(batcher, result);
    if (batcher->phase == PROBING && batcher->next_result) {
        batcher->next_result->rows = result;
        batcher->next_result = batcher->next_result->next;
        return;
    }
    PQclear(result);
}

void batcher_synced(struct batcher *batcher)
{
    if (batcher->phase == FLYING) {
        flight_synced(batcher);
    } else if (batcher->phase == ROLLING_BACK) {
        batcher->phase = READY;
        flight_rolled_back(batcher);
    } else if (batcher->phase == PROBING) {
        probes_synced(batcher);
    }
    batcher_wake(batcher);
}

/* --- Connection --- */

void batcher_resume(struct batcher *batcher, struct connection *connection)
{
    assert(batcher->phase == DOWN);
    batcher->connection = connection;
    if (batcher->uncertain)
        probes_send(batcher);
    else
        begin_ready(batcher);
}

static void flight_uncertain(struct batcher *batcher)
{
    batcher_count(batcher, "uncertain");
    metric_add(batcher->uncertain_total, (double)batcher->flight_count);
    operations_forget(batcher->flight);
    struct operation *again = NULL, *operation, *next;
    size_t again_count = 0;
    DL_FOREACH_SAFE (batcher->flight, operation, next) {
        DL_DELETE(batcher->flight, operation);
        operation->kept = true;
        if (operation->probe != STATEMENT_NONE) {
            DL_APPEND(batcher->uncertain, operation);
            batcher->uncertain_count++;
        } else {
            DL_APPEND(again, operation);
            again_count++;
        }
    }
    batcher->flight_count = 0;
    batcher_return(batcher, &again, &again_count);
}

/* What was never sent is given back at once: its caller can say so better than a late answer could.
 */
static void reject_waiting(struct batcher *batcher, bool kept_too)
{
    struct operation *operation, *next;
    DL_FOREACH_SAFE (batcher->queue, operation, next) {
        if (operation->kept && !kept_too)
            continue;
        DL_DELETE(batcher->queue, operation);
        batcher->queue_count--;
        reject(batcher, operation);
    }
}

/* What may have been taken back goes first: it was committed before all that waits. */
static void recent_return(struct batcher *batcher)
{
    size_t count;
    struct operation *list = recent_take(batcher->recent, &count);
    batcher_return(batcher, &list, &count);
}

void batcher_lost(struct batcher *batcher)
{
    enum phase phase = batcher->phase;
    batcher->phase = DOWN;
    batcher->connection = NULL;
    if (phase == FLYING || phase == ROLLING_BACK)
        flight_uncertain(batcher);
    if (batcher->recent)
        recent_return(batcher);
    operations_forget(batcher->uncertain);
    if (!batcher->options.patient)
        reject_waiting(batcher, false);
    batcher_wake(batcher);
}

/* --- Life --- */

struct batcher *batcher_new(uv_loop_t *loop, const struct batcher_options *options,
                            const struct batcher_handlers *handlers, void *arg,
                            const int64_t *instance_epoch, struct metrics *metrics)
{
    struct batcher *batcher = memory_zero(1, sizeof(*batcher));
    batcher->loop = loop;
    batcher->options = *options;
    batcher->handlers = *handlers;
    batcher->arg = arg;
    batcher->instance_epoch = instance_epoch;
    batcher->metrics = metrics;
    batcher->phase = DOWN;
    batcher->recent = options->asynchronous ? recent_new() : NULL;
    batcher->turn = memory_zero(1, sizeof(uv_idle_t));
    uv_idle_init(loop, batcher->turn);
    batcher->turn->data = batcher;
    batcher->linger = timer_new(loop, on_linger, batcher);
    metrics_declare(metrics, METRICS, ARRAY_SIZE(METRICS));
    batcher->size = metrics_cell(metrics, &METRICS[METRIC_SIZE], options->name);
    batcher->latency = metrics_cell(metrics, &METRICS[METRIC_LATENCY], options->name);
    batcher->waiting = metrics_cell(metrics, &METRICS[METRIC_QUEUE], options->name);
    batcher->uncertain_total = metrics_cell(metrics, &METRICS[METRIC_UNCERTAIN], options->name);
    return batcher;
}

static void turn_gone(uv_handle_t *handle)
{
    free(handle);
}

void batcher_free(struct batcher **batcher)
{
    struct batcher *old = TAKE(*batcher);
    if (!old)
        return;
    assert(batcher_pending(old) == 0);
    uv_close((uv_handle_t *)old->turn, turn_gone);
    timer_free(&old->linger);
    recent_free(&old->recent);
    free(old);
}

void batcher_queue(struct batcher *batcher, struct operation *operation)
{
    bool away = batcher->phase == DOWN || batcher->phase == PROBING;
    if (batcher->stopped || batcher->queue_count >= batcher->options.queue_max ||
        (away && !batcher->options.patient)) {
        reject(batcher, operation);
        return;
    }
    queue_append(batcher, operation);
    batcher_wake(batcher);
}

bool batcher_drop(struct batcher *batcher, bool (*droppable)(const struct operation *operation))
{
    struct operation *operation;
    DL_FOREACH (batcher->queue, operation) {
        if (!droppable(operation))
            continue;
        DL_DELETE(batcher->queue, operation);
        batcher->queue_count--;
        operation_free(&operation);
        return true;
    }
    return false;
}

void batcher_stop(struct batcher *batcher)
{
    batcher->stopped = true;
    batcher_wake(batcher);
}

void batcher_give_up(struct batcher *batcher)
{
    reject_waiting(batcher, true);
    if (batcher->phase == DOWN) {
        batcher_return(batcher, &batcher->uncertain, &batcher->uncertain_count);
        reject_waiting(batcher, true);
    }
    batcher_wake(batcher);
}
