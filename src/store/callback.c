#include "store/callback.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/macros.h"
#include "store/store_internal.h"

#include <stdlib.h>
#include <string.h>

/* The order is that of CALLBACK_ROWS. */
static void row_read(const struct operation *operation, const PGresult *rows, int row,
                     struct store_callback_row *ret_callback)
{
    *ret_callback = (struct store_callback_row){
        .callback_id = row_integer(rows, row, 0),
        .integrator_id = row_integer(rows, row, 1),
        .txn_id = row_integer(rows, row, 2),
        .lane = row_integer(rows, row, 3),
        .lane_sequence = row_integer(rows, row, 4),
        .expires_ms = row_time(operation, rows, row, 5),
        .kind = row_text(rows, row, 6),
        .webhook_id = row_text(rows, row, 7),
        .body = row_text(rows, row, 8),
        .body_size = (size_t)PQgetlength(rows, row, 8),
        .attempts = (int)row_integer(rows, row, 9),
        .renames = row_bool(rows, row, 10),
        .not_before_ms = row_time(operation, rows, row, 11),
        .replay = row_bool(rows, row, 12),
    };
}

static void loaded(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        struct store_callback_row callback;
        row_read(operation, rows, row, &callback);
        operation->callback.callback_row(operation->arg, outcome, &callback);
    }
    operation->callback.callback_row(operation->arg, outcome, NULL);
}

static struct operation *load_new(enum statement statement, store_callback_row_cb *callback,
                                  void *arg)
{
    struct operation *operation = operation_new(statement, loaded, arg);
    operation->callback.callback_row = callback;
    return operation;
}

void store_callback_page(struct store *store, const struct store_callback_page_order *order,
                         store_callback_row_cb *callback, void *arg)
{
    struct operation *operation = load_new(STATEMENT_CALLBACK_PAGE, callback, arg);
    operation_add_integer(operation, order->integrator_id);
    operation_add_integer(operation, order->after);
    operation_add_integer(operation, order->limit);
    operation_add_bool(operation, order->with_lane);
    store_queue_step(store, operation);
}

void store_callback_replays(struct store *store, int64_t after, int64_t limit,
                            store_callback_row_cb *callback, void *arg)
{
    struct operation *operation = load_new(STATEMENT_CALLBACK_REPLAYS, callback, arg);
    operation_add_integer(operation, after);
    operation_add_integer(operation, limit);
    store_queue_step(store, operation);
}

void store_callback_look(struct store *store, int64_t callback_id, store_callback_row_cb *callback,
                         void *arg)
{
    struct operation *operation = load_new(STATEMENT_CALLBACK_LOOK, callback, arg);
    operation_add_integer(operation, callback_id);
    store_queue_step(store, operation);
}

static void surveyed(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++)
        operation->callback.survey(operation->arg, outcome, row_integer(rows, row, 0),
                                   row_bool(rows, row, 1));
    operation->callback.survey(operation->arg, outcome, 0, false);
}

void store_callback_survey(struct store *store, store_callback_survey_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_CALLBACK_SURVEY, surveyed, arg);
    operation->callback.survey = callback;
    store_queue_step(store, operation);
}

static void done(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    (void)rows;
    operation->callback.done(operation->arg, outcome);
}

void store_callback_claim(struct store *store, const char *vm_id, store_done_cb *callback,
                          void *arg)
{
    struct operation *operation = operation_new(STATEMENT_LANES_CLAIM, done, arg);
    operation->callback.done = callback;
    operation_add_text(operation, vm_id);
    store_queue_step(store, operation);
}

void store_endpoint_hold(struct store *store, int64_t integrator_id, const char *reason,
                         store_done_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_ENDPOINT_HOLD, done, arg);
    operation->callback.done = callback;
    operation_add_integer(operation, integrator_id);
    operation_add_text(operation, reason);
    store_queue_step(store, operation);
}

/* An outcome that is not recorded makes the callback be sent again, under the same webhook-id. */
static void recorded(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    CRASH_POINT(after_callback_recorded);
    const char *callback = (const char *)operation->parameters.bytes.bytes;
    enum store_recorded result = STORE_RECORDED;
    int64_t lane = 0;
    if (outcome != STORE_APPLIED) {
        result = STORE_NOT_RECORDED;
        log_warning("callback_outcome_not_recorded", LOG_TEXT("callback", callback));
    } else if (!row_bool(rows, 0, 0)) {
        result = STORE_NOT_OURS;
        lane = row_integer(rows, 0, 1);
        log_warning("callback_completion_refused", LOG_TEXT("callback", callback),
                    LOG_TEXT("error", "another process has taken it over, or a person"));
    }
    operation->callback.recorded(operation->arg, strtoll(callback, NULL, 10), result, lane);
}

/* Attempts of callbacks that are still pending: the last value is their fate. */
static bool droppable(const struct operation *operation)
{
    if (operation->statement != STATEMENT_CALLBACK_ATTEMPT)
        return false;
    const struct parameters *parameters = &operation->parameters;
    const char *fate =
        (const char *)parameters->bytes.bytes + parameters->values[parameters->count - 1].offset;
    return !strcmp(fate, "pending");
}

static void queue_outcome(struct store *store, struct operation *operation)
{
    if (batcher_waiting(store->outcomes) >= (size_t)store->options.queue_max &&
        batcher_drop(store->outcomes, droppable) && store->attempts_dropped++ % 1000 == 0)
        log_warning("callback_attempts_dropped", LOG_INT("so_far", store->attempts_dropped));
    store_queue_outcome(store, operation);
}

static void add_time(struct operation *operation, int64_t time_us)
{
    operation_add_integer_or_null(operation, time_us, -1);
}

static struct operation *outcome_new(enum statement statement, store_recorded_cb *callback,
                                     void *arg)
{
    struct operation *operation = operation_new(statement, recorded, arg);
    operation->callback.recorded = callback;
    return operation;
}

void store_callback_attempt_save(struct store *store, const struct store_callback_attempt *attempt,
                                 store_recorded_cb *callback, void *arg)
{
    struct operation *operation = outcome_new(STATEMENT_CALLBACK_ATTEMPT, callback, arg);
    operation_add_integer(operation, attempt->callback_id);
    operation_add_integer(operation, attempt->number);
    operation_add_integer(operation, attempt->started_ms);
    add_time(operation, attempt->dns_us);
    add_time(operation, attempt->connect_us);
    add_time(operation, attempt->tls_us);
    add_time(operation, attempt->first_byte_us);
    add_time(operation, attempt->total_us);
    operation_add_foreign_text(operation, attempt->remote);
    operation_add_integer_or_null(operation, attempt->http_status, 0);
    operation_add_text(operation, attempt->result);
    operation_add_foreign_text(operation, attempt->error);
    operation_add_foreign_text(operation, attempt->answer);
    operation_add_text(operation, attempt->fate);
    queue_outcome(store, operation);
}

void store_callback_settle(struct store *store, int64_t callback_id, const char *fate,
                           store_recorded_cb *callback, void *arg)
{
    struct operation *operation = outcome_new(STATEMENT_CALLBACK_SETTLE, callback, arg);
    operation_add_integer(operation, callback_id);
    operation_add_integer(operation, store_now_ms(store) + store->clock_shift_ms);
    operation_add_text(operation, fate);
    queue_outcome(store, operation);
}
