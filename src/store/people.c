#include "store/people.h"

#include "store/store_internal.h"

/* The order is that of STATEMENT_INTEGRATOR_LOAD. */
static void integrator_read(const struct operation *operation, const PGresult *rows, int row,
                            struct store_integrator_row *ret_integrator)
{
    *ret_integrator = (struct store_integrator_row){
        .integrator_id = row_integer(rows, row, 0),
        .name = row_text(rows, row, 1),
        .enabled = row_bool(rows, row, 2),
        .callback_url = row_text(rows, row, 3),
        .callback_ca_file = row_text(rows, row, 4),
        .allow_http = row_bool(rows, row, 5),
        .allow_cidr = row_text(rows, row, 6),
        .present_api_key = row_text(rows, row, 7),
        .present_user = row_text(rows, row, 8),
        .present_password = row_text(rows, row, 9),
        .amount_max = row_integer(rows, row, 18),
        .allow_rename = row_bool(rows, row, 19),
        .allow_multi_vend = row_bool(rows, row, 20),
        .strict_codes = row_bool(rows, row, 21),
        .doubt_policy = row_text(rows, row, 22),
        .requests_per_second = row_integer(rows, row, 23),
        .client_cert_file = row_text(rows, row, 24),
        .client_key_file = row_text(rows, row, 25),
        .public_key_pins = row_text(rows, row, 26),
        .rate_per_second = row_integer(rows, row, 27),
        .v1a_only = row_bool(rows, row, 28),
        .held = row_bool(rows, row, 29),
    };
    for (int i = 0; i < STORE_SIGNING_KEYS_MAX; i++)
        ret_integrator->signing_keys[i] = (struct store_signing_key){
            .secret = row_text(rows, row, 10 + i),
            .until_ms = row_time(operation, rows, row, 14 + i),
        };
}

static void integrators_loaded(struct operation *operation, enum store_outcome outcome,
                               const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        struct store_integrator_row integrator;
        integrator_read(operation, rows, row, &integrator);
        operation->callback.integrator_row(operation->arg, outcome, &integrator);
    }
    operation->callback.integrator_row(operation->arg, outcome, NULL);
}

void store_integrator_load(struct store *store, int64_t integrator_id,
                           store_integrator_row_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_INTEGRATOR_LOAD, integrators_loaded, arg);
    operation->callback.integrator_row = callback;
    operation_add_integer(operation, integrator_id);
    store_queue_step(store, operation);
}

static void keys_loaded(struct operation *operation, enum store_outcome outcome,
                        const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        const struct store_key_row key = {
            .key_id = row_integer(rows, row, 0),
            .integrator_id = row_integer(rows, row, 1),
            .kind = row_text(rows, row, 2),
            .user_name = row_text(rows, row, 3),
            .digest = row_text(rows, row, 4),
        };
        operation->callback.key_row(operation->arg, outcome, &key);
    }
    operation->callback.key_row(operation->arg, outcome, NULL);
}

void store_key_load(struct store *store, store_key_row_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_KEY_LOAD, keys_loaded, arg);
    operation->callback.key_row = callback;
    store_queue_step(store, operation);
}

static void grants_loaded(struct operation *operation, enum store_outcome outcome,
                          const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++)
        operation->callback.grant_row(operation->arg, outcome, row_integer(rows, row, 0),
                                      row_text(rows, row, 1));
    operation->callback.grant_row(operation->arg, outcome, 0, NULL);
}

void store_grant_load(struct store *store, store_grant_row_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_GRANT_LOAD, grants_loaded, arg);
    operation->callback.grant_row = callback;
    store_queue_step(store, operation);
}
