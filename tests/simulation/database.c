/* database.c - the tables, and the statements that read or say something of a machine. */
#include "database.h"

#include "base/memory.h"
#include "database_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void database_init(struct database *database)
{
    memset(database, 0, sizeof *database);
}

void database_free(struct database *database)
{
    for (size_t i = 0; i < database->callback_count; i++)
        free(database->callbacks[i].body);
    for (size_t i = 0; i < database->machine_count; i++) {
        free(database->machines[i].events);
        free(database->machines[i].keypad);
    }
    free(database->rows);
    free(database->callbacks);
}

struct row *database_row(const struct database *database, int64_t id)
{
    bool there = id > 0 && (size_t)id <= database->row_count;
    return there ? &database->rows[id - 1] : NULL;
}

struct callback_row *database_callback(const struct database *database, int64_t id)
{
    bool there = id > 0 && (size_t)id <= database->callback_count;
    return there ? &database->callbacks[id - 1] : NULL;
}

struct row *database_find(const struct database *database, int64_t integrator_id, const char *ref)
{
    for (size_t i = database->row_count; i > 0; i--) {
        struct row *row = &database->rows[i - 1];
        if (row->txn.integrator_id == integrator_id && strcmp(row->txn.ref, ref) == 0)
            return row;
    }
    return NULL;
}

struct row *database_find_approval(const struct database *database, const char *approval)
{
    for (size_t i = database->row_count; i > 0; i--)
        if (database->rows[i - 1].txn.approval[0] &&
            strcmp(database->rows[i - 1].txn.approval, approval) == 0)
            return &database->rows[i - 1];
    return NULL;
}

struct machine_row *database_machine(struct database *database, const char *vm_id)
{
    for (size_t i = 0; i < database->machine_count; i++)
        if (strcmp(database->machines[i].vm_id, vm_id) == 0)
            return &database->machines[i];
    return NULL;
}

static const struct event_row *event_find(const struct machine_row *machine, int64_t event_epoch,
                                          int64_t seq)
{
    for (size_t i = machine->event_count; i > 0; i--)
        if (machine->events[i - 1].event_epoch == event_epoch && machine->events[i - 1].seq == seq)
            return &machine->events[i - 1];
    return NULL;
}

bool database_event_stored(const struct machine_row *machine, int64_t event_epoch, int64_t seq)
{
    return event_find(machine, event_epoch, seq) ||
           (event_epoch == machine->sequence.event_epoch &&
            event_sequence_check(&machine->sequence, event_epoch, seq) == SEQUENCE_REPEAT);
}

/* --- reading --- */

/* The columns that TXN_COLUMNS joins from the rows before and after. */
static struct txn_record txn_read(const struct database *database, const struct row *row)
{
    struct txn_record txn = row->txn;
    const struct row *before = database_row(database, txn.predecessor_id);
    const struct row *after = database_row(database, row->successor_id);
    if (before) {
        snprintf(txn.predecessor_ref, sizeof txn.predecessor_ref, "%s", before->txn.ref);
        txn.predecessor_closed = before->txn.state == TXN_CLOSED;
    }
    if (after)
        snprintf(txn.successor_ref, sizeof txn.successor_ref, "%s", after->txn.ref);
    return txn;
}

static void found_set(const struct database *database, struct operation *operation,
                      const struct row *row)
{
    operation->found = row != NULL;
    if (row)
        operation->txn = txn_read(database, row);
    operation->outcome = STORE_APPLIED;
}

static bool rename_unconfirmed(const struct database *database, const struct row *row)
{
    if (row->txn.predecessor_id == 0)
        return false;
    for (size_t i = 0; i < database->callback_count; i++) {
        const struct callback_row *callback = &database->callbacks[i];
        if (callback->txn_id == row->txn.id && callback->renames && callback->told)
            return false;
    }
    return true;
}

static int64_t request_owed(const struct database *database, int64_t txn_id)
{
    for (size_t i = database->callback_count; i > 0; i--) {
        const struct callback_row *callback = &database->callbacks[i - 1];
        if (callback->txn_id == txn_id && callback->kind == CALLBACK_REQUEST && callback->queued &&
            !callback->parked)
            return callback->id;
    }
    return 0;
}

static void live_load(struct database *database, struct operation *operation)
{
    for (size_t i = 0; i < database->machine_count; i++) {
        const struct machine_row *machine = &database->machines[i];
        const struct row *row = database_row(database, machine->live_id);
        bool wanted = operation->vm_id[0] ? strcmp(operation->vm_id, machine->vm_id) == 0
                                          : machine->owner_instance == 1;
        if (!row || !wanted)
            continue;
        size_t n = operation->live_count++;
        operation->lives[n] = txn_read(database, row);
        operation->live_rows[n] =
            (struct store_live_row){.txn = &operation->lives[n],
                                    .request_callback_id = request_owed(database, row->txn.id),
                                    .rename_unconfirmed = rename_unconfirmed(database, row),
                                    .unread_evidence = row->unread,
                                    .elsewhere = machine->owner_instance > 1};
    }
    operation->outcome = STORE_APPLIED;
}

/* For a page: `number` is where it begins, `owner_epoch` the integrator. */
static bool callback_wanted(const struct operation *operation, const struct callback_row *callback)
{
    if (!callback->queued || callback->parked)
        return false;
    switch (operation->kind) {
    case OPERATION_CALLBACK_PAGE:
        return callback->integrator_id == operation->owner_epoch &&
               callback->id > operation->number;
    case OPERATION_CALLBACK_LOOK:
        return callback->id == operation->number;
    case OPERATION_CALLBACK_REPLAYS:
        return false; /* nobody orders any */
    default:
        return true;
    }
}

static void callbacks_load(struct database *database, struct operation *operation)
{
    operation->ids = memory_zero((size_t)operation->limit, sizeof operation->ids[0]);
    for (size_t i = 0; i < database->callback_count; i++) {
        const struct callback_row *callback = &database->callbacks[i];
        if (callback_wanted(operation, callback) && operation->id_count < (size_t)operation->limit)
            operation->ids[operation->id_count++] = callback->id;
    }
    operation->outcome = STORE_APPLIED;
}

/* --- what is said of a machine --- */

static void own(struct database *database, struct operation *operation)
{
    struct machine_row *machine = database_machine(database, operation->vm_id);
    if (!machine || !machine->enabled) {
        operation->outcome = STORE_CONFLICT;
        return;
    }
    machine->owner_instance = 1;
    struct store_machine_owned *owned = &operation->owned;
    owned->owner_epoch = ++machine->owner_epoch;
    owned->state_epoch = machine->sequence.event_epoch;
    owned->mark = machine->sequence.mark;
    owned->above_count = machine->sequence.above_count;
    memcpy(owned->above, machine->sequence.above,
           owned->above_count * sizeof machine->sequence.above[0]);
    owned->approval_n = machine->approval_n;
    snprintf(owned->journal, sizeof owned->journal, "%s", machine->journal);
    operation->outcome = STORE_APPLIED;
}

static void compare(struct database *database, struct operation *operation)
{
    const struct machine_row *machine = database_machine(database, operation->vm_id);
    const struct event_row *event =
        event_find(machine, operation->said.event_epoch, operation->said.seq);
    operation->outcome = !event                                ? STORE_FAILED
                         : event->hash == operation->said.hash ? STORE_APPLIED
                                                               : STORE_CONFLICT;
}

static void event_save(struct database *database, struct operation *operation)
{
    struct machine_row *machine = database_machine(database, operation->vm_id);
    if (!machine_owned(machine, operation) || !event_is_new(machine, &operation->said)) {
        operation->outcome = STORE_CONFLICT;
        return;
    }
    event_write(machine, &operation->said);
    if (operation->keypad) {
        free(machine->keypad);
        machine->keypad = memory_text(operation->keypad);
    }
    if (operation->scale >= 0)
        machine->scale = operation->scale;
    if (operation->max_response_s >= 0)
        machine->max_response_s = operation->max_response_s;
    operation->outcome = STORE_APPLIED;
}

static void journal_save(struct database *database, struct operation *operation)
{
    struct machine_row *machine = database_machine(database, operation->vm_id);
    operation->outcome = machine_owned(machine, operation) ? STORE_APPLIED : STORE_CONFLICT;
    if (operation->outcome == STORE_APPLIED)
        snprintf(machine->journal, sizeof machine->journal, "%.64s", operation->text);
}

static void presence_save(struct database *database, struct operation *operation)
{
    const struct machine_row *machine = database_machine(database, operation->vm_id);
    operation->outcome = machine_owned(machine, operation) ? STORE_APPLIED : STORE_CONFLICT;
}

/* --- outcomes of callbacks --- */

/* As STATEMENT_CALLBACK_ATTEMPT and _SETTLE: a refused /txn/vend waits for a person. */
static void outcome_save(struct database *database, struct operation *operation)
{
    struct callback_row *callback = database_callback(database, operation->number);
    operation->outcome = STORE_APPLIED;
    operation->found = callback->queued;
    callback->told |= operation->told;
    if (!callback->queued)
        return;
    bool refused_vend = operation->kind == OPERATION_ATTEMPT &&
                        operation->fate == CALLBACK_REFUSED && callback->kind == CALLBACK_VEND;
    bool parked = operation->fate == CALLBACK_PARKED || refused_vend;
    if ((int)operation->limit > callback->attempts)
        callback->attempts = (int)operation->limit;
    if (operation->fate == CALLBACK_PENDING)
        return;
    callback->fate = operation->fate;
    callback->parked = parked;
    callback->queued = parked;
}

void database_run(struct database *database, struct operation *operation)
{
    operation->committed = true;
    switch (operation->kind) {
    case OPERATION_BEGIN:
        step_begin(database, operation);
        break;
    case OPERATION_ADVANCE:
        step_advance(database, operation);
        break;
    case OPERATION_SUCCEED:
        step_succeed(database, operation);
        break;
    case OPERATION_NOTE:
        step_note(database, operation);
        break;
    case OPERATION_SPEND:
        step_spend(database, operation);
        break;
    case OPERATION_EVENT_SAVE:
        event_save(database, operation);
        break;
    case OPERATION_FIND:
        found_set(database, operation, database_find(database, operation->number, operation->text));
        break;
    case OPERATION_FIND_ID:
        found_set(database, operation, database_row(database, operation->number));
        break;
    case OPERATION_FIND_APPROVAL:
        found_set(database, operation, database_find_approval(database, operation->text));
        break;
    case OPERATION_LOAD_LIVE:
        live_load(database, operation);
        break;
    case OPERATION_EVENT_COMPARE:
        compare(database, operation);
        break;
    case OPERATION_JOURNAL_SAVE:
        journal_save(database, operation);
        break;
    case OPERATION_PRESENCE_SAVE:
        presence_save(database, operation);
        break;
    case OPERATION_OWN:
        own(database, operation);
        break;
    case OPERATION_CALLBACK_SURVEY:
        operation->limit = (int64_t)database->callback_count + 1;
        callbacks_load(database, operation);
        break;
    case OPERATION_CALLBACK_PAGE:
    case OPERATION_CALLBACK_LOOK:
    case OPERATION_CALLBACK_REPLAYS:
        callbacks_load(database, operation);
        break;
    case OPERATION_CALLBACK_CLAIM:
    case OPERATION_ENDPOINT_HOLD:
    case OPERATION_MACHINE_LOAD:
    case OPERATION_PEOPLE_LOAD:
        operation->outcome = STORE_APPLIED;
        break;
    case OPERATION_ATTEMPT:
    case OPERATION_SETTLE:
        outcome_save(database, operation);
        break;
    }
}

struct operation *operation_new(enum operation_kind kind, void *arg)
{
    struct operation *operation = memory_zero(1, sizeof *operation);
    operation->kind = kind;
    operation->instance = 1;
    operation->arg = arg;
    return operation;
}

void operation_free(struct operation *operation)
{
    for (size_t i = 0; i < operation->callback_count; i++)
        free((char *)operation->callbacks[i].body);
    free(operation->keypad);
    free(operation->ids);
    free(operation);
}
