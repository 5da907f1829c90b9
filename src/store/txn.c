#include "store/txn.h"

#include "base/macros.h"
#include "base/random.h"
#include "store/store_internal.h"

#include <stdio.h>
#include <string.h>

/* --- Encoding: the order is that of STEP_TYPES in statements.c --- */

static const char *text_or_null(const char *text)
{
    return text[0] ? text : NULL;
}

static void add_txn(struct operation *operation, const struct txn_record *txn)
{
    operation_add_integer(operation, txn->id);
    operation_add_integer(operation, txn->integrator_id);
    operation_add_text(operation, txn->ref);
    operation_add_text(operation, text_or_null(txn->vm_id));
    operation_add_integer(operation, txn->session);
    operation_add_text(operation, txn_state_name(txn->state));
    operation_add_integer(operation, txn->version);
    operation_add_integer(operation, txn->balance);
    operation_add_integer(operation, txn->request);
    operation_add_integer(operation, txn->item);
    operation_add_text(operation, txn->selection);
    operation_add_integer(operation, txn->price);
    operation_add_integer(operation, txn->surcharge);
    operation_add_integer(operation, txn->discount);
    operation_add_integer(operation, txn->amount);
    operation_add_text(operation, text_or_null(txn->approval));
    operation_add_integer(operation, txn->approval_n);
    operation_add_text(operation, txn->journal);
}

static void add_txn_progress(struct operation *operation, const struct txn_record *txn)
{
    operation_add_text(operation, txn->timer == TXN_TIMER_NONE ? NULL : txn_timer_name(txn->timer));
    operation_add_time(operation, txn->deadline_ms);
    operation_add_integer(operation, txn->lane_sequence);
    operation_add_bool(operation, txn->lock_answered);
    operation_add_text(operation,
                       txn->closed_by == TXN_EVENT_NONE ? NULL : txn_event_name(txn->closed_by));
    operation_add_integer(operation, txn->outcome_code);
    operation_add_time(operation, txn->paid_ms);
    operation_add_time(operation, txn->created_ms);
}

static void add_decision(struct operation *operation, const struct store_txn_step *step)
{
    int64_t number;
    random_bytes(&number, sizeof(number));
    operation_add_integer(operation, step->owner_epoch);
    operation_add_integer(operation, number);
    operation_add_text(operation, step->from == TXN_NONE ? NULL : txn_state_name(step->from));
    operation_add_text(operation, txn_event_name(step->event));
    operation_add_text(operation, step->actor);
    operation_add_text(operation, step->evidence ? step->evidence : "{}");
}

static void add_machine_event(struct operation *operation, const struct store_machine_event *event)
{
    bool numbered = event && event->seq >= 0;
    operation_add_text(operation, event ? event->name : NULL);
    operation_add_integer_or_null(operation, numbered ? event->event_epoch : -1, -1);
    operation_add_integer_or_null(operation, numbered ? event->seq : -1, -1);
    operation_add_integer_or_null(operation, event ? event->time_s : 0, 0);
    operation_add_bytes(operation, event ? event->raw : "", event ? event->raw_size : 0);
    operation_add_text(operation, event ? event->problem : NULL);
    operation_add_integer(operation, event ? event->state_epoch : 0);
    operation_add_integer(operation, event ? event->mark : 0);
    operation_array_open(operation);
    for (size_t i = 0; event && i < event->above_count; i++)
        operation_array_integer(operation, event->above[i]);
    operation_array_close(operation);
}

#define ADD_CALLBACKS(step, add_item)                                     \
    do {                                                                  \
        operation_array_open(operation);                                  \
        for (size_t i = 0; i < (step)->callback_count; i++) {             \
            const struct store_new_callback *new = &(step)->callbacks[i]; \
            add_item;                                                     \
        }                                                                 \
        operation_array_close(operation);                                 \
    } while (0)

static void add_callbacks(struct operation *operation, const struct store_txn_step *step)
{
    assert(step->callback_count <= STORE_STEP_CALLBACKS_MAX);
    ADD_CALLBACKS(step, operation_array_text(operation, new->kind, strlen(new->kind)));
    ADD_CALLBACKS(step, operation_array_text(operation, new->webhook_id, strlen(new->webhook_id)));
    ADD_CALLBACKS(step, operation_array_integer(operation, new->lane));
    ADD_CALLBACKS(step, operation_array_integer(operation, new->lane_sequence));
    ADD_CALLBACKS(step, operation_array_text(operation, new->body, new->body_size));
    ADD_CALLBACKS(step, operation_array_integer(operation, new->expires_ms + operation->shift_ms));
    ADD_CALLBACKS(step, operation_array_bool(operation, new->renames));
}

static void add_rest(struct operation *operation, const struct store_txn_step *step)
{
    operation_add_integer_or_null(operation, step->cancel_callback_id, 0);
    operation_add_integer(operation, step->txn->keys_n);
    operation_add_integer(operation, step->txn->keys_digest);
    ADD_CALLBACKS(step, operation_array_integer(operation, new->txn_id));
    operation_add_text(operation, step->adjusts);
}

static void add_former(struct operation *operation, const struct txn_record *old,
                       enum txn_state from)
{
    operation_add_integer(operation, old->id);
    operation_add_integer(operation, old->version);
    operation_add_integer(operation, old->lane_sequence);
    operation_add_text(operation, txn_state_name(from));
    operation_add_text(operation, txn_state_name(old->state));
    operation_add_text(operation,
                       old->closed_by == TXN_EVENT_NONE ? NULL : txn_event_name(old->closed_by));
    operation_add_integer(operation, old->outcome_code);
}

/* --- Steps --- */

static void step_done(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    struct store_txn_result result = {0};
    if (rows) {
        result.txn_id = row_integer(rows, 0, 0);
        (void)row_integers(rows, 0, 1, result.callback_ids, STORE_STEP_CALLBACKS_MAX);
        result.cancelled = row_text(rows, 0, 2) != NULL;
    }
    operation->callback.txn(operation->arg, outcome, &result);
}

/* approval_n is kept with the link, so a row that has one writes the link too. */
static enum statement variant_of(enum statement statement, const struct store_txn_step *step)
{
    if (statement == STATEMENT_TXN_SPEND)
        return statement;
    int says = step->machine_event || step->txn->approval_n ? STEP_SAYS : 0;
    int calls = step->callback_count || step->cancel_callback_id ? STEP_CALLS : 0;
    return statement + (enum statement)(says + calls);
}

static struct operation *step_new(const struct store *store, enum statement statement,
                                  const struct store_txn_step *step, store_txn_cb *callback,
                                  void *arg)
{
    struct operation *operation = operation_new(variant_of(statement, step), step_done, arg);
    operation->shift_ms = store->clock_shift_ms;
    operation->probe = STATEMENT_TXN_PROBE;
    operation->callback.txn = callback;
    add_txn(operation, step->txn);
    add_txn_progress(operation, step->txn);
    add_decision(operation, step);
    add_machine_event(operation, step->machine_event);
    add_callbacks(operation, step);
    add_rest(operation, step);
    return operation;
}

static void step_queue(struct store *store, enum statement statement,
                       const struct store_txn_step *step, store_txn_cb *callback, void *arg)
{
    assert(!step->adjusts || statement == STATEMENT_TXN_NOTE);
    store_queue_step(store, step_new(store, statement, step, callback, arg));
}

void store_txn_begin(struct store *store, const struct store_txn_step *step, store_txn_cb *callback,
                     void *arg)
{
    assert(step->txn->id == 0 && step->txn->vm_id[0]);
    step_queue(store, STATEMENT_TXN_BEGIN, step, callback, arg);
}

void store_txn_advance(struct store *store, const struct store_txn_step *step,
                       store_txn_cb *callback, void *arg)
{
    assert(step->txn->id > 0 && step->txn->version > 1);
    step_queue(store, STATEMENT_TXN_ADVANCE, step, callback, arg);
}

void store_txn_succeed(struct store *store, const struct store_txn_step *step,
                       const struct txn_record *old, enum txn_state old_from,
                       store_txn_cb *callback, void *arg)
{
    assert(step->txn->id == 0 && step->txn->predecessor_id == old->id && !step->adjusts);
    assert(old->id > 0 && old->version > 1 && txn_state_final(old->state));
    struct operation *operation = step_new(store, STATEMENT_TXN_SUCCEED, step, callback, arg);
    operation->probe = STATEMENT_TXN_SUCCEED_PROBE;
    add_former(operation, old, old_from);
    store_queue_step(store, operation);
}

void store_txn_note(struct store *store, const struct store_txn_step *step, store_txn_cb *callback,
                    void *arg)
{
    assert(step->txn->id > 0 && (step->owner_epoch > 0 || !step->machine_event));
    step_queue(store, STATEMENT_TXN_NOTE, step, callback, arg);
}

void store_txn_spend(struct store *store, int64_t integrator_id, const char *ref,
                     const char *evidence, store_txn_cb *callback, void *arg)
{
    struct txn_record txn = {
        .integrator_id = integrator_id,
        .state = TXN_CLOSED,
        .version = 1,
        .balance = TXN_BALANCE_UNKNOWN,
        .request = -1,
        .item = -1,
        .closed_by = TXN_PAID_NEVER,
    };
    snprintf(txn.ref, sizeof(txn.ref), "%s", ref);
    const struct store_txn_step step = {
        .txn = &txn,
        .event = TXN_PAID_NEVER,
        .actor = "integrator",
        .evidence = evidence,
    };
    step_queue(store, STATEMENT_TXN_SPEND, &step, callback, arg);
}

/* --- Reading --- */

static void copy_text(char *ret_text, size_t size, const PGresult *rows, int row, int column)
{
    snprintf(ret_text, size, "%s", PQgetvalue(rows, row, column));
}

static void read_progress(const struct operation *operation, const PGresult *rows, int row,
                          struct txn_record *ret_txn)
{
    bool known = txn_timer_parse(PQgetvalue(rows, row, 18), &ret_txn->timer);
    assert(known);
    ret_txn->deadline_ms = row_time(operation, rows, row, 19);
    ret_txn->lane_sequence = row_integer(rows, row, 20);
    ret_txn->lock_answered = row_bool(rows, row, 21);
    /* Stays TXN_EVENT_NONE for a name that this program does not know. */
    (void)txn_event_parse(PQgetvalue(rows, row, 22), &ret_txn->closed_by);
    ret_txn->outcome_code = (int)row_integer(rows, row, 23);
    ret_txn->created_ms = row_time(operation, rows, row, 24);
    ret_txn->paid_ms = row_time(operation, rows, row, 25);
    ret_txn->keys_n = row_integer(rows, row, 26);
    ret_txn->keys_digest = row_integer(rows, row, 27);
}

static void read_relatives(const PGresult *rows, int row, struct txn_record *ret_txn)
{
    ret_txn->predecessor_id = row_integer(rows, row, 28);
    copy_text(ret_txn->predecessor_ref, sizeof(ret_txn->predecessor_ref), rows, row, 29);
    ret_txn->predecessor_closed = row_bool(rows, row, 30);
    copy_text(ret_txn->successor_ref, sizeof(ret_txn->successor_ref), rows, row, 31);
}

/* The order is that of TXN_COLUMNS in statements.c. */
static void read_txn(const struct operation *operation, const PGresult *rows, int row,
                     struct txn_record *ret_txn)
{
    *ret_txn = (struct txn_record){.id = row_integer(rows, row, 0),
                                   .integrator_id = row_integer(rows, row, 1)};
    copy_text(ret_txn->ref, sizeof(ret_txn->ref), rows, row, 2);
    copy_text(ret_txn->vm_id, sizeof(ret_txn->vm_id), rows, row, 3);
    ret_txn->session = row_integer(rows, row, 4);
    bool known = txn_state_parse(PQgetvalue(rows, row, 5), &ret_txn->state);
    assert(known); /* the column's domain allows no other */
    ret_txn->version = row_integer(rows, row, 6);
    ret_txn->balance = row_integer(rows, row, 7);
    ret_txn->request = row_integer(rows, row, 8);
    ret_txn->item = row_integer(rows, row, 9);
    copy_text(ret_txn->selection, sizeof(ret_txn->selection), rows, row, 10);
    ret_txn->price = row_integer(rows, row, 11);
    ret_txn->surcharge = row_integer(rows, row, 12);
    ret_txn->discount = row_integer(rows, row, 13);
    ret_txn->amount = row_integer(rows, row, 14);
    copy_text(ret_txn->approval, sizeof(ret_txn->approval), rows, row, 15);
    ret_txn->approval_n = row_integer(rows, row, 16);
    copy_text(ret_txn->journal, sizeof(ret_txn->journal), rows, row, 17);
    read_progress(operation, rows, row, ret_txn);
    read_relatives(rows, row, ret_txn);
}

static void found(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    struct txn_record txn;
    bool any = rows && PQntuples(rows) > 0;
    if (any)
        read_txn(operation, rows, 0, &txn);
    operation->callback.found(operation->arg, outcome, any ? &txn : NULL);
}

void store_txn_find(struct store *store, int64_t integrator_id, const char *ref,
                    store_txn_found_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_TXN_FIND, found, arg);
    operation->callback.found = callback;
    operation_add_integer(operation, integrator_id);
    operation_add_text(operation, ref);
    store_queue_step(store, operation);
}

void store_txn_find_approval(struct store *store, const char *vm_id, const char *approval,
                             store_txn_found_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_TXN_FIND_APPROVAL, found, arg);
    operation->callback.found = callback;
    operation_add_text(operation, vm_id);
    operation_add_text(operation, approval);
    store_queue_step(store, operation);
}

void store_txn_find_id(struct store *store, int64_t txn_id, store_txn_found_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_TXN_FIND_ID, found, arg);
    operation->callback.found = callback;
    operation_add_integer(operation, txn_id);
    store_queue_step(store, operation);
}

static void status_read(struct operation *operation, enum store_outcome outcome,
                        const PGresult *rows)
{
    bool any = rows && PQntuples(rows) > 0;
    operation->callback.txn_status(operation->arg, outcome, any ? row_text(rows, 0, 0) : NULL);
}

void store_txn_status(struct store *store, int64_t integrator_id, const char *ref,
                      store_txn_status_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_TXN_STATUS, status_read, arg);
    operation->callback.txn_status = callback;
    operation_add_integer(operation, integrator_id);
    operation_add_text(operation, ref);
    store_queue_step(store, operation);
}

static void loaded(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        struct txn_record txn;
        read_txn(operation, rows, row, &txn);
        const struct store_live_row live = {.txn = &txn,
                                            .request_callback_id = row_integer(rows, row, 32),
                                            .unread_evidence = row_bool(rows, row, 33),
                                            .rename_unconfirmed = row_bool(rows, row, 34),
                                            .elsewhere = row_bool(rows, row, 35)};
        operation->callback.txn_row(operation->arg, outcome, &live);
    }
    operation->callback.txn_row(operation->arg, outcome, NULL);
}

void store_txn_load_live(struct store *store, const char *vm_id, store_txn_row_cb *callback,
                         void *arg)
{
    struct operation *operation =
        operation_new(vm_id ? STATEMENT_TXN_LOAD_LIVE : STATEMENT_TXN_LOAD_OURS, loaded, arg);
    operation->callback.txn_row = callback;
    if (vm_id)
        operation_add_text(operation, vm_id);
    store_queue_step(store, operation);
}
