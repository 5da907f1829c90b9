#include "store/answer.h"

#include "store/store_internal.h"

/* The order is that of STATEMENT_ANSWER_FIND. */
static void answer_read(const PGresult *rows, struct store_answer *ret_answer)
{
    *ret_answer = (struct store_answer){
        .integrator_id = row_integer(rows, 0, 1),
        .key = row_text(rows, 0, 2),
        .path = row_text(rows, 0, 3),
        .body_sha256 = row_text(rows, 0, 4),
        .status = (int)row_integer(rows, 0, 5),
        .body = row_text(rows, 0, 6),
        .body_size = (size_t)PQgetlength(rows, 0, 6),
    };
}

static void done(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    struct store_answer answer;
    bool any = rows && PQntuples(rows) > 0;
    if (any)
        answer_read(rows, &answer);
    if (outcome == STORE_CONFLICT)
        outcome = STORE_FAILED; /* not our epoch: nothing is known of what stands */
    else if (any && !row_bool(rows, 0, 0))
        outcome = STORE_CONFLICT;
    operation->callback.answer(operation->arg, outcome, any ? &answer : NULL);
}

void store_answer_find(struct store *store, int64_t integrator_id, const char *key,
                       store_answer_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_ANSWER_FIND, done, arg);
    operation->callback.answer = callback;
    operation_add_integer(operation, integrator_id);
    operation_add_text(operation, key);
    store_queue_step(store, operation);
}

/* Without a probe: what was committed is found to be the same. */
void store_answer_save(struct store *store, const struct store_answer *answer,
                       store_answer_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_ANSWER_SAVE, done, arg);
    operation->callback.answer = callback;
    operation_add_integer(operation, answer->integrator_id);
    operation_add_text(operation, answer->key);
    operation_add_text(operation, answer->path);
    operation_add_text(operation, answer->body_sha256);
    operation_add_integer(operation, answer->status);
    operation_add_sized_text(operation, answer->body, answer->body_size);
    store_queue_step(store, operation);
}
