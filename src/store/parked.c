#include "store/parked.h"

#include "store/store_internal.h"

/* The order is that of STATEMENT_PARKED_LIST. */
static void listed(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        const struct store_parked parked = {
            .kind = row_text(rows, row, 0),
            .count = row_integer(rows, row, 1),
            .callback_id = row_integer(rows, row, 2),
            .integrator_id = row_integer(rows, row, 3),
            .txn_id = row_integer(rows, row, 4),
            .age_ms = row_integer(rows, row, 5),
        };
        operation->callback.parked(operation->arg, outcome, &parked);
    }
    operation->callback.parked(operation->arg, outcome, NULL);
}

void store_parked_list(struct store *store, store_parked_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_PARKED_LIST, listed, arg);
    operation->callback.parked = callback;
    operation_add_integer(operation, STORE_PARKED_VENDS_MAX);
    store_queue_step(store, operation);
}
