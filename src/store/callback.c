#include "store/callback.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/macros.h"
#include "store/store_internal.h"

#include <string.h>

/* The order is that of STATEMENT_CALLBACK_LOAD. */
static void loaded(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        const struct store_callback_row callback = {
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
        };
        operation->callback.callback_row(operation->arg, outcome, &callback);
    }
    operation->callback.callback_row(operation->arg, outcome, NULL);
}

void store_callback_load(struct store *store, int64_t after, int64_t limit,
                         store_callback_row_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_CALLBACK_LOAD, loaded, arg);
    operation->callback.callback_row = callback;
    operation_add_integer(operation, after);
    operation_add_integer(operation, limit);
    store_queue_step(store, operation);
}

/* An outcome that is not recorded makes the callback be sent again, under the same webhook-id. */
static void recorded(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    (void)rows;
    CRASH_POINT(after_callback_recorded);
    if (outcome != STORE_APPLIED)
        log_warning("callback_outcome_not_recorded",
                    LOG_TEXT("callback", (const char *)operation->parameters.bytes.bytes));
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

void store_callback_attempt_save(struct store *store, const struct store_callback_attempt *attempt)
{
    struct operation *operation = operation_new(STATEMENT_CALLBACK_ATTEMPT, recorded, NULL);
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

void store_callback_settle(struct store *store, int64_t callback_id, const char *fate)
{
    struct operation *operation = operation_new(STATEMENT_CALLBACK_SETTLE, recorded, NULL);
    operation_add_integer(operation, callback_id);
    operation_add_integer(operation, store_now_ms(store) + store->clock_shift_ms);
    operation_add_text(operation, fate);
    queue_outcome(store, operation);
}
