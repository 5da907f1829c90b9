#include "store/batch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define PASSING_ATTEMPTS_MAX \
    5 /* batches of its own for an operation that meets deadlocks or locks */

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
    bool full; /* lingering is over */
    bool stopped;

    struct operation *queue, *flight, *uncertain, *rejected; /* utlist: head->prev is the last */
    size_t queue_count, flight_count, uncertain_count, rejected_count;

    /* The batch in flight. */
    struct operation *next_result; /* the member whose result comes next */
    size_t results;                /* seen so far, of all statements */
    size_t leading;                /* statements before the members */
    bool failed, fenced, committed;
    char failure[8]; /* SQLSTATE of the failure */
    int64_t sent_ns;

    struct metric_cell *size, *latency, *waiting, *uncertain_total;
};

/* Lists
 * -----------------------------------------------------------------------------------------------------------
 */

static void queue_append(struct batcher *batcher, struct operation *operation)
{
    DL_APPEND(batcher->queue, operation);
    batcher->queue_count++;
}

/* Puts a whole list before everything that waits, in its order. */
static void queue_return(struct batcher *batcher, struct operation **list, size_t *count)
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

/* Turns
 * -----------------------------------------------------------------------------------------------------------
 */

static void on_turn(uv_idle_t *turn);

static void wake(struct batcher *batcher)
{
    int result = uv_idle_start(batcher->turn, on_turn);
    assert(result == 0);
}

static void on_linger(void *arg)
{
    struct batcher *batcher = arg;
    batcher->full = true;
    wake(batcher);
}

/* Endings
 * ---------------------------------------------------------------------------------------------------------
 */

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

/* Frees it; it is in no list any more. */
static void finish(struct batcher *batcher, struct operation *operation, enum store_outcome outcome)
{
    const char *name = statement_info(operation->statement)->name;
    metric_add(
        metrics_cell(batcher->metrics, &METRICS[METRIC_OPERATIONS], name, outcome_name(outcome)),
        1);
    operation->finish(operation, outcome, outcome == STORE_APPLIED ? operation->rows : NULL);
    operation_free(&operation);
}

static void finish_committed(struct batcher *batcher, struct operation *operation)
{
    bool guarded = statement_info(operation->statement)->guarded;
    bool applied = !guarded || (operation->rows && PQntuples(operation->rows) > 0);
    finish(batcher, operation, applied ? STORE_APPLIED : STORE_CONFLICT);
}

static void reject(struct batcher *batcher, struct operation *operation)
{
    DL_APPEND(batcher->rejected, operation);
    batcher->rejected_count++;
    wake(batcher);
}

static void finish_rejected(struct batcher *batcher)
{
    struct operation *list = TAKE(batcher->rejected), *operation, *next;
    batcher->rejected_count = 0;
    DL_FOREACH_SAFE (list, operation, next) {
        DL_DELETE(list, operation);
        finish(batcher, operation, STORE_UNAVAILABLE);
    }
}

/* Sending
 * ---------------------------------------------------------------------------------------------------------
 */

static void send_statement(struct batcher *batcher, enum statement statement,
                           const struct parameters *parameters)
{
    connection_send(batcher->connection, statement, parameters, batcher->instance_epoch);
}

/* Moves what goes together from the queue to the flight. */
static void take_flight(struct batcher *batcher)
{
    bool alone = batcher->queue->alone;
    size_t max = alone ? 1 : batcher->options.batch_max;
    while (batcher->queue && batcher->flight_count < max && batcher->queue->alone == alone) {
        struct operation *operation = batcher->queue;
        DL_DELETE(batcher->queue, operation);
        batcher->queue_count--;
        DL_APPEND(batcher->flight, operation);
        batcher->flight_count++;
    }
}

static void send_batch(struct batcher *batcher)
{
    take_flight(batcher);
    batcher->phase = FLYING;
    batcher->failed = batcher->fenced = batcher->committed = false;
    batcher->failure[0] = '\0';
    batcher->results = 0;
    batcher->next_result = batcher->flight;
    batcher->sent_ns = clock_monotonic_ns();
    metric_observe(batcher->size, (double)batcher->flight_count);
    send_statement(batcher, STATEMENT_BEGIN, NULL);
    if (batcher->options.fenced)
        send_statement(batcher, STATEMENT_FENCE, NULL);
    batcher->leading = batcher->options.fenced ? 2 : 1;
    struct operation *operation;
    DL_FOREACH (batcher->flight, operation) {
        send_statement(batcher, operation->statement, &operation->parameters);
    }
    send_statement(batcher, STATEMENT_COMMIT, NULL);
    connection_sync(batcher->connection);
}

static void linger_or_send(struct batcher *batcher)
{
    bool enough = batcher->full || batcher->stopped || batcher->options.linger_ms == 0 ||
                  batcher->queue_count >= batcher->options.batch_max;
    if (enough) {
        timer_stop(batcher->linger);
        batcher->full = false;
        send_batch(batcher);
    } else if (!timer_running(batcher->linger)) {
        timer_start(batcher->linger, batcher->options.linger_ms);
    }
}

static void on_turn(uv_idle_t *turn)
{
    struct batcher *batcher = turn->data;
    uv_idle_stop(turn);
    finish_rejected(batcher);
    if (batcher->phase == READY && batcher->queue)
        linger_or_send(batcher);
    metric_set(batcher->waiting, (double)batcher_pending(batcher));
    if (!batcher_pending(batcher))
        batcher->handlers.drained(batcher->arg);
}

/* Answers
 * ---------------------------------------------------------------------------------------------------------
 */

/* Deadlock, serialization failure, a lock or time limit: another attempt may do better. */
static bool is_passing(const char *state)
{
    static const char *const PASSING[] = {"40P01", "40001", "55P03", "57014"};
    for (size_t i = 0; i < ARRAY_SIZE(PASSING); i++)
        if (!strcmp(state, PASSING[i]))
            return true;
    return false;
}

/* Read-only (a standby now), prepared statements gone (a pooler), shutting down. */
static bool is_unusable(const char *state)
{
    return !strcmp(state, "25006") || !strcmp(state, "26000") || !strncmp(state, "57P", 3);
}

static void note_failure(struct batcher *batcher, const PGresult *result)
{
    if (batcher->failed)
        return; /* those behind a failed one are only aborted */
    batcher->failed = true;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    strncpy(batcher->failure, state ? state : "", sizeof(batcher->failure) - 1);
    const struct operation *member =
        batcher->results > batcher->leading ? batcher->next_result : NULL;
    log_warning("store_statement_failed",
                LOG_TEXT("statement",
                         member ? statement_info(member->statement)->name : "around the batch"),
                LOG_INT("batch", batcher->flight_count), LOG_TEXT("sqlstate", batcher->failure),
                LOG_TEXT("error", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)),
                LOG_TEXT("detail", PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME)));
}

static void flight_result(struct batcher *batcher, PGresult *result)
{
    batcher->results++;
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        note_failure(batcher, result);
    if (batcher->results <= batcher->leading) {
        if (batcher->results == 2)
            batcher->fenced = PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 0;
    } else if (batcher->next_result) {
        batcher->next_result->rows = result;
        batcher->next_result = batcher->next_result->next;
        return;
    } else {
        batcher->committed = !strcmp(PQcmdStatus(result), "COMMIT");
    }
    PQclear(result);
}

void batcher_result(struct batcher *batcher, PGresult *result)
{
    if (batcher->phase == FLYING) {
        flight_result(batcher, result);
        return;
    }
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        note_failure(batcher, result);
    if (batcher->phase == PROBING && batcher->next_result) {
        batcher->next_result->rows = result;
        batcher->next_result = batcher->next_result->next;
        return;
    }
    PQclear(result);
}

static void forget_rows(struct operation *list)
{
    struct operation *operation;
    DL_FOREACH (list, operation) {
        PQclear(TAKE(operation->rows));
    }
}

static void count_batch(struct batcher *batcher, const char *result)
{
    metric_add(
        metrics_cell(batcher->metrics, &METRICS[METRIC_BATCHES], batcher->options.name, result), 1);
}

static void flight_committed(struct batcher *batcher)
{
    count_batch(batcher, "committed");
    metric_observe(batcher->latency, (double)(clock_monotonic_ns() - batcher->sent_ns) / 1e9);
    struct operation *list = TAKE(batcher->flight), *operation, *next;
    batcher->flight_count = 0;
    DL_FOREACH_SAFE (list, operation, next) {
        DL_DELETE(list, operation);
        finish_committed(batcher, operation);
    }
}

static void flight_fenced(struct batcher *batcher)
{
    count_batch(batcher, "fenced");
    struct operation *operation;
    DL_FOREACH (batcher->flight, operation) {
        operation->kept = true;
    }
    forget_rows(batcher->flight);
    queue_return(batcher, &batcher->flight, &batcher->flight_count);
    batcher->handlers.fenced(batcher->arg);
}

/* A lone member has failed for good, unless the cause may pass; several go again one by one. */
static void flight_failed(struct batcher *batcher)
{
    count_batch(batcher, "failed");
    forget_rows(batcher->flight);
    struct operation *first = batcher->flight, *operation;
    DL_FOREACH (batcher->flight, operation) {
        operation->alone = true;
    }
    bool again = batcher->flight_count > 1 ||
                 (is_passing(batcher->failure) && ++first->attempts < PASSING_ATTEMPTS_MAX);
    if (again) {
        queue_return(batcher, &batcher->flight, &batcher->flight_count);
        return;
    }
    DL_DELETE(batcher->flight, first);
    batcher->flight_count--;
    log_error("store_operation_failed",
              LOG_TEXT("statement", statement_info(first->statement)->name),
              LOG_TEXT("sqlstate", batcher->failure));
    finish(batcher, first, STORE_FAILED);
}

static void flight_synced(struct batcher *batcher)
{
    if (batcher->failed && is_unusable(batcher->failure)) {
        batcher->handlers.unusable(batcher->arg, "the server refuses to write");
        return; /* still in flight: lost() follows */
    }
    if (batcher->fenced) {
        batcher->phase = READY;
        flight_fenced(batcher);
    } else if (batcher->failed || !batcher->committed) {
        batcher->phase = ROLLING_BACK;
        send_statement(batcher, STATEMENT_ROLLBACK, NULL);
        connection_sync(batcher->connection);
    } else {
        batcher->phase = READY;
        flight_committed(batcher);
    }
}

/* Uncertain operations
 * -------------------------------------------------------------------------------------------- */

static void probes_send(struct batcher *batcher)
{
    batcher->phase = PROBING;
    batcher->failed = false;
    batcher->next_result = batcher->uncertain;
    struct operation *operation;
    DL_FOREACH (batcher->uncertain, operation) {
        send_statement(batcher, operation->probe, &operation->parameters);
    }
    connection_sync(batcher->connection);
}

static void begin_ready(struct batcher *batcher)
{
    batcher->phase = READY;
    batcher->handlers.resumed(batcher->arg);
    wake(batcher);
}

/* Those that were committed are answered; the others go first into the next batch. */
static void probes_synced(struct batcher *batcher)
{
    if (batcher->failed || batcher->next_result) {
        forget_rows(batcher->uncertain);
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
    forget_rows(batcher->uncertain);
    queue_return(batcher, &batcher->uncertain, &batcher->uncertain_count);
    batcher->phase = READY;
    DL_FOREACH_SAFE (committed, operation, next) {
        DL_DELETE(committed, operation);
        finish_committed(batcher, operation);
    }
    begin_ready(batcher);
}

void batcher_synced(struct batcher *batcher)
{
    if (batcher->phase == FLYING) {
        flight_synced(batcher);
    } else if (batcher->phase == ROLLING_BACK) {
        batcher->phase = READY;
        flight_failed(batcher);
    } else if (batcher->phase == PROBING) {
        probes_synced(batcher);
    }
    wake(batcher);
}

/* Connection
 * ------------------------------------------------------------------------------------------------------
 */

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
    count_batch(batcher, "uncertain");
    metric_add(batcher->uncertain_total, (double)batcher->flight_count);
    forget_rows(batcher->flight);
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
    queue_return(batcher, &again, &again_count);
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

void batcher_lost(struct batcher *batcher)
{
    enum phase phase = batcher->phase;
    batcher->phase = DOWN;
    batcher->connection = NULL;
    if (phase == FLYING || phase == ROLLING_BACK)
        flight_uncertain(batcher);
    forget_rows(batcher->uncertain);
    if (!batcher->options.patient)
        reject_waiting(batcher, false);
    wake(batcher);
}

/* Life
 * ------------------------------------------------------------------------------------------------------------
 */

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
    wake(batcher);
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
    wake(batcher);
}

void batcher_give_up(struct batcher *batcher)
{
    reject_waiting(batcher, true);
    if (batcher->phase == DOWN) {
        queue_return(batcher, &batcher->uncertain, &batcher->uncertain_count);
        reject_waiting(batcher, true);
    }
    wake(batcher);
}
