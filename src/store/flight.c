/* flight.c - one batch on its way: what is sent, how its answers are read, what becomes of its
 * members. */
#include "store/batch_internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

#include <string.h>
#include <utlist.h>

/* Batches of its own for an operation that meets deadlocks or locks. */
#define PASSING_ATTEMPTS_MAX 5

/* --- Sending --- */

void batcher_send(struct batcher *batcher, enum statement statement,
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

void flight_send(struct batcher *batcher)
{
    take_flight(batcher);
    batcher->phase = FLYING;
    batcher->failed = batcher->fenced = batcher->committed = false;
    batcher->failure[0] = '\0';
    batcher->results = 0;
    batcher->next_result = batcher->flight;
    batcher->sent_ns = clock_monotonic_ns();
    metric_observe(batcher->size, (double)batcher->flight_count);
    batcher_send(batcher, STATEMENT_BEGIN, NULL);
    if (batcher->options.fenced)
        batcher_send(batcher, STATEMENT_FENCE, NULL);
    batcher->leading = batcher->options.fenced ? 2 : 1;
    struct operation *operation;
    DL_FOREACH (batcher->flight, operation) {
        batcher_send(batcher, operation->statement, &operation->parameters);
    }
    CRASH_POINT(before_commit_sent);
    batcher_send(batcher, STATEMENT_COMMIT, NULL);
    connection_sync(batcher->connection);
    CRASH_POINT(after_commit_sent);
}

/* --- Answers --- */

/* Deadlock, serialization failure, a lock or time limit, a row that came first and is seen now:
 * another attempt may do better. */
static bool is_passing(const char *state)
{
    static const char *const PASSING[] = {"40P01", "40001", "55P03", "57014", "23505"};
    for (size_t i = 0; i < ARRAY_SIZE(PASSING); i++)
        if (!strcmp(state, PASSING[i]))
            return true;
    return false;
}

/* No disk, memory or connections, or the disk fails: what is asked for is right, and goes through
 * once there is room. */
static bool is_shortage(const char *state)
{
    return !strncmp(state, "53", 2) || !strcmp(state, "58030");
}

/* Read-only (a standby now), prepared statements gone (a pooler), shutting down. */
static bool is_unusable(const char *state)
{
    return !strcmp(state, "25006") || !strcmp(state, "26000") || !strncmp(state, "57P", 3);
}

void flight_note_failure(struct batcher *batcher, const PGresult *result)
{
    if (batcher->failed)
        return; /* those behind a failed one are only aborted */
    batcher->failed = true;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    strncpy(batcher->failure, state ? state : "", sizeof(batcher->failure) - 1);
    if (batcher->starved && is_shortage(batcher->failure))
        return; /* said when it began; it is tried many times a second */
    const struct operation *member =
        batcher->results > batcher->leading ? batcher->next_result : NULL;
    log_warning("store_statement_failed",
                LOG_TEXT("statement",
                         member ? statement_info(member->statement)->name : "around the batch"),
                LOG_INT("batch", batcher->flight_count), LOG_TEXT("sqlstate", batcher->failure),
                LOG_TEXT("error", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY)),
                LOG_TEXT("detail", PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME)));
}

void flight_result(struct batcher *batcher, PGresult *result)
{
    batcher->results++;
    if (PQresultStatus(result) == PGRES_FATAL_ERROR)
        flight_note_failure(batcher, result);
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

static void flight_committed(struct batcher *batcher)
{
    CRASH_POINT(after_commit_before_anything);
    batcher_count(batcher, "committed");
    batcher->starved = false;
    metric_observe(batcher->latency, (double)(clock_monotonic_ns() - batcher->sent_ns) / 1e9);
    struct operation *list = TAKE(batcher->flight), *operation, *next;
    batcher->flight_count = 0;
    DL_FOREACH_SAFE (list, operation, next) {
        DL_DELETE(list, operation);
        batcher_finish_committed(batcher, operation);
    }
}

static void flight_fenced(struct batcher *batcher)
{
    batcher_count(batcher, "fenced");
    struct operation *operation;
    DL_FOREACH (batcher->flight, operation) {
        operation->kept = true;
    }
    operations_forget(batcher->flight);
    batcher_return(batcher, &batcher->flight, &batcher->flight_count);
    batcher->handlers.fenced(batcher->arg);
}

/* Nothing was changed, and nothing is wrong with the lone member: it waits here, or its caller
 * tries again. */
static void flight_starved(struct batcher *batcher)
{
    batcher->starved = true;
    if (batcher->options.patient) {
        batcher_return(batcher, &batcher->flight, &batcher->flight_count);
        batcher_pause(batcher);
        return;
    }
    struct operation *operation = batcher->flight;
    DL_DELETE(batcher->flight, operation);
    batcher->flight_count--;
    batcher_finish(batcher, operation, STORE_UNAVAILABLE);
}

/* A lone member has failed for good, unless the cause may pass; several go again one by one. */
void flight_rolled_back(struct batcher *batcher)
{
    batcher_count(batcher, "failed");
    operations_forget(batcher->flight);
    struct operation *first = batcher->flight, *operation;
    DL_FOREACH (batcher->flight, operation) {
        operation->alone = true;
    }
    bool again = batcher->flight_count > 1 ||
                 (is_passing(batcher->failure) && ++first->attempts < PASSING_ATTEMPTS_MAX);
    if (again) {
        batcher_return(batcher, &batcher->flight, &batcher->flight_count);
        return;
    }
    if (is_shortage(batcher->failure)) {
        flight_starved(batcher);
        return;
    }
    DL_DELETE(batcher->flight, first);
    batcher->flight_count--;
    log_error("store_operation_failed",
              LOG_TEXT("statement", statement_info(first->statement)->name),
              LOG_TEXT("sqlstate", batcher->failure));
    batcher_finish(batcher, first, STORE_FAILED);
}

void flight_synced(struct batcher *batcher)
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
        batcher_send(batcher, STATEMENT_ROLLBACK, NULL);
        connection_sync(batcher->connection);
    } else {
        batcher->phase = READY;
        flight_committed(batcher);
    }
}
