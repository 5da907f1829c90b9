#include "store/machine.h"

#include "base/macros.h"
#include "base/random.h"
#include "store/store_internal.h"

#include <stdio.h>

/* The order is that of STATEMENT_MACHINE_LOAD. */
static void row_read(const PGresult *rows, int row, struct store_machine_row *ret_machine)
{
    *ret_machine = (struct store_machine_row){
        .vm_id = row_text(rows, row, 0),
        .enabled = row_bool(rows, row, 1),
        .allow_tool = row_bool(rows, row, 2),
        .out_of_service = row_bool(rows, row, 3),
        .address = row_text(rows, row, 4),
        .business_address = row_text(rows, row, 5),
        .company_external_name = row_text(rows, row, 6),
        .operator_name = row_text(rows, row, 7),
        .operator_contact_number = row_text(rows, row, 8),
        .photo_url = row_text(rows, row, 9),
        .fingerprints = {row_text(rows, row, 10), row_text(rows, row, 11)},
        .token_sha256 = row_text(rows, row, 12),
        .keypad = row_text(rows, row, 13),
        .firmware = row_text(rows, row, 14),
        .model = row_text(rows, row, 15),
        .currency = row_text(rows, row, 16),
        .scale = row_integer(rows, row, 17),
        .decimals = row_integer(rows, row, 18),
        .max_response_s = row_integer(rows, row, 19),
        .price_max = row_integer(rows, row, 20),
        .owner_instance = row_integer(rows, row, 21),
        .owner_epoch = row_integer(rows, row, 22),
        .doubt_policy = row_text(rows, row, 23),
    };
}

static void loaded(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    for (int row = 0; rows && row < PQntuples(rows); row++) {
        struct store_machine_row machine;
        row_read(rows, row, &machine);
        operation->callback.machine_row(operation->arg, outcome, &machine);
    }
    operation->callback.machine_row(operation->arg, outcome, NULL);
}

void store_machine_load(struct store *store, const char *vm_id, store_machine_row_cb *callback,
                        void *arg)
{
    struct operation *operation =
        operation_new(vm_id ? STATEMENT_MACHINE_LOAD : STATEMENT_MACHINE_LOAD_ALL, loaded, arg);
    operation->callback.machine_row = callback;
    if (vm_id)
        operation_add_text(operation, vm_id);
    store_queue_step(store, operation);
}

static void owned(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    struct store_machine_owned machine = {.mark = -1};
    if (rows) {
        machine.owner_epoch = row_integer(rows, 0, 0);
        machine.state_epoch = row_integer(rows, 0, 1);
        machine.mark = row_integer(rows, 0, 2);
        machine.above_count = row_integers(rows, 0, 3, machine.above, ARRAY_SIZE(machine.above));
        machine.approval_n = row_integer(rows, 0, 4);
        snprintf(machine.journal, sizeof(machine.journal), "%s", PQgetvalue(rows, 0, 5));
    }
    operation->callback.owned(operation->arg, outcome, &machine);
}

/* Without a probe: taking it once more only raises the epoch once more. */
void store_machine_own(struct store *store, const char *vm_id, store_machine_owned_cb *callback,
                       void *arg)
{
    struct operation *operation = operation_new(STATEMENT_MACHINE_OWN, owned, arg);
    operation->callback.owned = callback;
    operation_add_text(operation, vm_id);
    store_queue_step(store, operation);
}

static void done(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    (void)rows;
    operation->callback.done(operation->arg, outcome);
}

static struct operation *guarded_new(enum statement statement, const char *vm_id,
                                     int64_t owner_epoch, store_done_cb *callback, void *arg)
{
    struct operation *operation = operation_new(statement, done, arg);
    operation->callback.done = callback;
    operation_add_text(operation, vm_id);
    operation_add_integer(operation, owner_epoch);
    return operation;
}

static void add_event(struct operation *operation, const struct store_machine_event *event)
{
    bool numbered = event->seq >= 0;
    operation_add_text(operation, event->name);
    operation_add_integer_or_null(operation, numbered ? event->event_epoch : -1, -1);
    operation_add_integer_or_null(operation, numbered ? event->seq : -1, -1);
    operation_add_integer_or_null(operation, event->time_s, 0);
    operation_add_bytes(operation, event->raw, event->raw_size);
    operation_add_text(operation, event->problem);
    operation_add_integer(operation, event->state_epoch);
    operation_add_integer(operation, event->mark);
    operation_array_open(operation);
    for (size_t i = 0; i < event->above_count; i++)
        operation_array_integer(operation, event->above[i]);
    operation_array_close(operation);
}

static void add_effects(struct operation *operation, const struct store_machine_effects *effects)
{
    static const struct store_machine_effects NONE = {
        .scale = -1, .decimals = -1, .max_response_s = -1};
    if (!effects)
        effects = &NONE;
    operation_add_text(operation, effects->keypad);
    operation_add_text(operation, effects->planogram);
    operation_add_text(operation, effects->firmware);
    operation_add_text(operation, effects->model);
    operation_add_text(operation, effects->currency);
    operation_add_integer_or_null(operation, effects->scale, -1);
    operation_add_integer_or_null(operation, effects->decimals, -1);
    operation_add_integer_or_null(operation, effects->max_response_s, -1);
    operation_add_text(operation, effects->journal);
}

void store_machine_event_save(struct store *store, const struct store_machine_event *event,
                              int64_t owner_epoch, const struct store_machine_effects *effects,
                              store_done_cb *callback, void *arg)
{
    struct operation *operation =
        guarded_new(STATEMENT_MACHINE_EVENT_SAVE, event->vm_id, owner_epoch, callback, arg);
    operation->probe = STATEMENT_MACHINE_EVENT_PROBE;
    int64_t number;
    random_bytes(&number, sizeof(number));
    operation_add_integer(operation, number);
    add_event(operation, event);
    add_effects(operation, effects);
    store_queue_step(store, operation);
}

static void compared(struct operation *operation, enum store_outcome outcome, const PGresult *rows)
{
    if (outcome == STORE_APPLIED && !row_text(rows, 0, 0))
        outcome =
            STORE_FAILED; /* no such event: it was lost for good, or is older than the journal */
    else if (outcome == STORE_APPLIED && !row_bool(rows, 0, 0))
        outcome = STORE_CONFLICT;
    operation->callback.done(operation->arg, outcome);
}

void store_machine_event_compare(struct store *store, const struct store_machine_event *event,
                                 store_done_cb *callback, void *arg)
{
    struct operation *operation = operation_new(STATEMENT_MACHINE_EVENT_COMPARE, compared, arg);
    operation->callback.done = callback;
    operation_add_text(operation, event->vm_id);
    operation_add_integer(operation, event->event_epoch);
    operation_add_integer(operation, event->seq);
    operation_add_bytes(operation, event->raw, event->raw_size);
    store_queue_step(store, operation);
}

void store_machine_journal_save(struct store *store, const char *vm_id, int64_t owner_epoch,
                                const char *journal, store_done_cb *callback, void *arg)
{
    struct operation *operation =
        guarded_new(STATEMENT_MACHINE_JOURNAL_SAVE, vm_id, owner_epoch, callback, arg);
    operation_add_text(operation, journal);
    store_queue_step(store, operation);
}

void store_machine_presence_save(struct store *store, const char *vm_id, int64_t owner_epoch,
                                 bool online, const char *reason, store_done_cb *callback,
                                 void *arg)
{
    struct operation *operation =
        guarded_new(STATEMENT_MACHINE_PRESENCE_SAVE, vm_id, owner_epoch, callback, arg);
    operation_add_bool(operation, online);
    operation_add_text(operation, reason);
    store_queue_step(store, operation);
}
