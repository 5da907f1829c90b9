#include "database_steps.h"

#include "base/memory.h"
#include "coverage.h"
#include "promises.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool machine_owned(const struct machine_row *machine, const struct operation *operation)
{
    return machine && machine->owner_instance == operation->instance &&
           machine->owner_epoch == operation->owner_epoch;
}

bool event_is_new(const struct machine_row *machine, const struct said_event *said)
{
    return !said->any || said->seq < 0 || said->event_epoch != machine->sequence.event_epoch ||
           event_sequence_check(&machine->sequence, said->event_epoch, said->seq) !=
               SEQUENCE_REPEAT;
}

void event_write(struct machine_row *machine, const struct said_event *said)
{
    if (!said->any || said->seq < 0)
        return;
    promise_event_written(machine, said);
    if (machine->event_count == machine->event_room) {
        machine->event_room = machine->event_room ? 2 * machine->event_room : 64;
        machine->events =
            memory_grow(machine->events, machine->event_room, sizeof machine->events[0]);
    }
    machine->events[machine->event_count++] =
        (struct event_row){said->event_epoch, said->seq, said->hash};
    if (said->event_epoch >= machine->sequence.event_epoch)
        machine->sequence = said->after;
}

static bool refused(struct operation *operation)
{
    operation->outcome = STORE_CONFLICT;
    return false;
}

/* The guard that all steps of a machine's transaction share. */
static bool guarded(struct database *database, struct operation *operation,
                    struct machine_row **ret_machine)
{
    *ret_machine = database_machine(database, operation->txn.vm_id);
    if (!machine_owned(*ret_machine, operation) || !event_is_new(*ret_machine, &operation->said))
        return refused(operation);
    return true;
}

static struct row *row_add(struct database *database, const struct txn_record *txn)
{
    if (database->row_count == database->row_room) {
        database->row_room = database->row_room ? 2 * database->row_room : 64;
        database->rows = memory_grow(database->rows, database->row_room, sizeof database->rows[0]);
    }
    struct row *row = &database->rows[database->row_count++];
    memset(row, 0, sizeof *row);
    row->txn = *txn;
    row->txn.id = (int64_t)database->row_count;
    if (row->txn.session == 0)
        row->txn.session = row->txn.id;
    return row;
}

static void callback_add(struct database *database, const struct operation *operation, size_t n,
                         const struct row *row)
{
    if (database->callback_count == database->callback_room) {
        database->callback_room = database->callback_room ? 2 * database->callback_room : 64;
        database->callbacks = memory_grow(database->callbacks, database->callback_room,
                                          sizeof database->callbacks[0]);
    }
    const struct store_new_callback *made = &operation->callbacks[n];
    struct callback_row *callback = &database->callbacks[database->callback_count++];
    memset(callback, 0, sizeof *callback);
    callback->id = (int64_t)database->callback_count;
    callback->integrator_id = row->txn.integrator_id;
    callback->txn_id = made->txn_id ? made->txn_id : row->txn.id;
    callback->lane = made->lane;
    callback->lane_sequence = made->lane_sequence;
    callback->expires_ms = made->expires_ms;
    if (!callback_kind_parse(made->kind, &callback->kind))
        promise_broken("callbacks have a kind", "%s", made->kind);
    snprintf(callback->webhook_id, sizeof callback->webhook_id, "%s", operation->webhook_ids[n]);
    callback->body = memory_bytes(made->body, made->body_size);
    callback->body_size = made->body_size;
    callback->renames = made->renames;
    callback->queued = true;
    promise_callback_committed(database, callback);
}

/* What a step owes, and what it takes back. */
static void calls_write(struct database *database, struct operation *operation,
                        const struct row *row)
{
    for (size_t i = 0; i < operation->callback_count; i++) {
        callback_add(database, operation, i, row);
        operation->result.callback_ids[i] = (int64_t)database->callback_count;
    }
    struct callback_row *cancelled = database_callback(database, operation->cancel_id);
    if (cancelled && cancelled->queued && cancelled->attempts == 0 && !cancelled->renames) {
        cancelled->queued = false;
        cancelled->fate = CALLBACK_CANCELLED;
        operation->result.cancelled = true;
    }
}

static void link_write(struct machine_row *machine, const struct operation *operation)
{
    event_write(machine, &operation->said);
    if (operation->txn.approval_n > machine->approval_n)
        machine->approval_n = operation->txn.approval_n;
}

static void applied(struct database *database, struct operation *operation, const struct row *row)
{
    operation->result.txn_id = row->txn.id;
    operation->outcome = STORE_APPLIED;
    database->commits++;
    trace_add(txn_event_name(operation->event), row->txn.ref, row->txn.id,
              (int64_t)row->txn.state * 1000 + row->txn.version);
}

void step_begin(struct database *database, struct operation *operation)
{
    struct machine_row *machine;
    if (!guarded(database, operation, &machine))
        return;
    const struct txn_record *txn = &operation->txn;
    if (machine->live_id != 0 || database_find(database, txn->integrator_id, txn->ref)) {
        refused(operation);
        return;
    }
    struct row *row = row_add(database, txn);
    machine->live_id = row->txn.id;
    link_write(machine, operation);
    calls_write(database, operation, row);
    applied(database, operation, row);
    promise_row_begun(database, row);
    coverage_add(TXN_NONE, TXN_LOCK);
}

void step_advance(struct database *database, struct operation *operation)
{
    struct machine_row *machine;
    if (!guarded(database, operation, &machine))
        return;
    const struct txn_record *txn = &operation->txn;
    struct row *row = database_row(database, txn->id);
    if (!row || strcmp(row->txn.vm_id, txn->vm_id) != 0 || row->txn.version != txn->version - 1 ||
        row->txn.state != operation->from) {
        refused(operation);
        return;
    }
    struct txn_record before = row->txn;
    row->txn = *txn;
    /* What the statement does not write. */
    row->txn.session = before.session;
    row->txn.created_ms = before.created_ms;
    row->txn.predecessor_id = before.predecessor_id;
    row->unread |= operation->unreadable;
    if (txn_state_final(row->txn.state) && machine->live_id == row->txn.id)
        machine->live_id = 0;
    link_write(machine, operation);
    calls_write(database, operation, row);
    applied(database, operation, row);
    promise_row_moved(database, row, &before, operation);
}

void step_succeed(struct database *database, struct operation *operation)
{
    struct machine_row *machine;
    if (!guarded(database, operation, &machine))
        return;
    const struct txn_record *txn = &operation->txn, *old = &operation->old;
    struct row *former = database_row(database, old->id);
    if (!former || former->txn.version != old->version - 1 ||
        former->txn.state != operation->old_from || former->successor_id != 0 ||
        strcmp(former->txn.vm_id, txn->vm_id) != 0 || former->txn.session != txn->session ||
        former->txn.integrator_id != txn->integrator_id ||
        (machine->live_id != 0 && machine->live_id != old->id) ||
        database_find(database, txn->integrator_id, txn->ref)) {
        refused(operation);
        return;
    }
    struct txn_record before = former->txn;
    former->txn.state = old->state;
    former->txn.version = old->version;
    former->txn.lane_sequence = old->lane_sequence;
    former->txn.closed_by = old->closed_by;
    former->txn.outcome_code = old->outcome_code;
    former->txn.timer = TXN_TIMER_NONE;
    former->txn.deadline_ms = 0;
    int64_t former_id = former->txn.id;
    struct row *row = row_add(database, txn); /* `former` may have moved */
    former = database_row(database, former_id);
    former->successor_id = row->txn.id;
    machine->live_id = row->txn.id;
    link_write(machine, operation);
    calls_write(database, operation, row);
    applied(database, operation, row);
    promise_row_moved(database, former, &before, operation);
    promise_row_begun(database, row);
}

void step_note(struct database *database, struct operation *operation)
{
    struct row *row = database_row(database, operation->txn.id);
    struct machine_row *machine = database_machine(database, operation->txn.vm_id);
    bool ours = operation->owner_epoch == 0 || machine_owned(machine, operation);
    if (!row || !ours || (machine && !event_is_new(machine, &operation->said))) {
        refused(operation);
        return;
    }
    row->unread |= operation->unreadable;
    if (txn_state_final(row->txn.state) && operation->event != TXN_EVENT_NONE)
        coverage_add(row->txn.state, operation->event);
    if (operation->event == TXN_INTERRUPTED_ON_BUS)
        row->policy_at_once = true;
    if (operation->adjusts && row->adjustments[operation->adjusts - 1] == 0)
        row->adjustments[operation->adjusts - 1]++;
    if (machine && operation->owner_epoch != 0)
        event_write(machine, &operation->said);
    calls_write(database, operation, row);
    applied(database, operation, row);
}

void step_spend(struct database *database, struct operation *operation)
{
    if (database_find(database, operation->txn.integrator_id, operation->txn.ref)) {
        refused(operation);
        return;
    }
    struct row *row = row_add(database, &operation->txn);
    applied(database, operation, row);
}
