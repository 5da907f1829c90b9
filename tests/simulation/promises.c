#include "promises.h"

#include "base/macros.h"
#include "trace.h"
#include "txn/step.h"
#include "world.h"

#include <inttypes.h>
#include <string.h>

static bool same_text(const char *left, const char *right)
{
    return strcmp(left, right) == 0;
}

/* --- commits --- */

void promise_row_begun(const struct database *database, const struct row *row)
{
    int live = 0;
    for (size_t i = 0; i < database->row_count; i++)
        live += !txn_state_final(database->rows[i].txn.state) &&
                same_text(database->rows[i].txn.vm_id, row->txn.vm_id);
    if (live > 1)
        promise_broken(PROMISE_ONE_LIVE, "row %" PRId64 " is the second of %s", row->txn.id,
                       row->txn.vm_id);
    if (row->txn.version != 1)
        promise_broken(PROMISE_JOURNAL, "row %" PRId64 " begins with version %" PRId64, row->txn.id,
                       row->txn.version);
}

static void approval_check(const struct database *database, const struct row *row,
                           const struct txn_record *before)
{
    const struct txn_record *txn = &row->txn;
    if (before->approval[0]) {
        if (!same_text(before->approval, txn->approval) || before->amount != txn->amount ||
            before->approval_n != txn->approval_n || !same_text(before->journal, txn->journal))
            promise_broken(PROMISE_ONCE, "row %" PRId64 " has another approval now", txn->id);
        return;
    }
    if (!txn->approval[0])
        return;
    for (size_t i = 0; i < database->row_count; i++) {
        const struct txn_record *other = &database->rows[i].txn;
        if (other->id != txn->id && other->approval[0] && same_text(other->vm_id, txn->vm_id) &&
            (same_text(other->approval, txn->approval) || other->approval_n >= txn->approval_n))
            promise_broken(PROMISE_ONCE, "rows %" PRId64 " and %" PRId64 " share an approval",
                           txn->id, other->id);
    }
}

static void paid_check(const struct database *database, struct row *row,
                       const struct txn_record *before)
{
    const struct txn_record *txn = &row->txn;
    if (txn->state != TXN_PAID || before->state == TXN_PAID)
        return;
    row->paid_commit = database->commits;
    bool sound = before->state == TXN_REQUESTED && txn->approval[0] && txn->paid_ms > 0 &&
                 txn->price == before->price && txn->amount >= 0 &&
                 txn->amount == txn->price + txn->surcharge - txn->discount;
    if (!sound)
        promise_broken(PROMISE_PAID_FIRST, "row %" PRId64 " became PAID without a choice", txn->id);
    if (row->refund_said)
        promise_broken(PROMISE_REFUND, "row %" PRId64 " is PAID after refund was said", txn->id);
}

static bool hard_evidence(enum txn_event event)
{
    return event == TXN_NOT_DISPENSED || event == TXN_APPROVAL_REFUSED || event == TXN_NEVER_SEEN ||
           event == TXN_INTERRUPTED_OFF_BUS;
}

static bool by_policy(enum txn_event event)
{
    return event == TXN_DOUBT_REFUND || event == TXN_DOUBT_CAPTURE || event == TXN_DOUBT_HOLD;
}

static void outcome_check(const struct row *row, const struct operation *operation)
{
    const struct txn_record *txn = &row->txn;
    enum txn_event event = operation->event;
    bool vended = txn->state == TXN_VENDED;
    bool one_vend =
        operation->callback_count == 1 && same_text(operation->callbacks[0].kind, "/txn/vend");
    if (!one_vend)
        promise_broken(PROMISE_PAID_ON_DISK, "row %" PRId64 " ended without its /txn/vend",
                       txn->id);
    bool says = strstr(operation->callbacks[0].body, "\"success\":true") != NULL;
    if (says != vended)
        promise_broken(PROMISE_OWED, "row %" PRId64 ": /txn/vend says something else", txn->id);
    if (vended && event == TXN_DISPENSED && row->goods == 0)
        promise_broken(PROMISE_OWED, "row %" PRId64 " is VENDED, and nothing fell", txn->id);
    if (vended)
        return;
    if (!hard_evidence(event) && event != TXN_DOUBT_REFUND && event != TXN_VERDICT_FAILED)
        promise_broken(PROMISE_SILENCE, "row %" PRId64 " FAILED by %s", txn->id,
                       txn_event_name(event));
    if (hard_evidence(event) && row->goods > 0)
        promise_broken(PROMISE_OWED, "row %" PRId64 " FAILED by %s, and goods fell", txn->id,
                       txn_event_name(event));
}

/* On PostgreSQL's clock. */
static int64_t database_now_ms(const struct database *database)
{
    return *database->now_ms + *database->server_ms;
}

/* A machine that was there all the time since the deadline is asked before anything is decided over
 * its head. */
static void asked_check(const struct database *database, const struct row *row,
                        const struct txn_record *before)
{
    int64_t deadline_ms = row->doubt_deadline_ms - *database->server_ms;
    for (size_t i = 0; i < database->machine_count; i++) {
        const struct machine_row *machine = &database->machines[i];
        bool there = machine->online_since_ms != 0 && machine->online_since_ms <= deadline_ms &&
                     same_text(machine->vm_id, before->vm_id);
        if (there && row->asked_ms < deadline_ms)
            promise_broken(PROMISE_SILENCE,
                           "row %" PRId64 ": a policy decided over the head of %s, which is online",
                           row->txn.id, machine->vm_id);
    }
}

/* What the policies for unknown outcomes need: when the doubt began, and when it may end. */
static void doubt_note(const struct database *database, struct row *row,
                       const struct txn_record *before, enum txn_event event)
{
    bool begins = before->state != TXN_IN_DOUBT && row->txn.state == TXN_IN_DOUBT;
    if (begins)
        row->doubt_began_ms = *database->now_ms;
    if (begins || event == TXN_DOUBT_HOLD)
        row->doubt_deadline_ms = row->txn.deadline_ms;
    if (event == TXN_INTERRUPTED_ON_BUS)
        row->policy_at_once = true;
}

static void policy_check(const struct database *database, const struct row *row,
                         const struct txn_record *before, enum txn_event event)
{
    if (!by_policy(event) || before->state != TXN_IN_DOUBT)
        return;
    if (row->unread && event != TXN_DOUBT_HOLD)
        promise_broken(PROMISE_SILENCE,
                       "row %" PRId64 ": a policy decided over evidence that nobody could read",
                       row->txn.id);
    if (row->policy_at_once || database->clocks_jump)
        return;
    /* Deadlines are only ever moved to later, unless a clock jumps. */
    if (database_now_ms(database) < before->deadline_ms)
        promise_broken(PROMISE_SILENCE, "row %" PRId64 ": a policy decided before its deadline",
                       row->txn.id);
    asked_check(database, row, before);
}

static void final_check(const struct row *row, const struct txn_record *before)
{
    const struct txn_record *txn = &row->txn;
    bool same = txn->state == before->state && txn->closed_by == before->closed_by &&
                txn->outcome_code == before->outcome_code && txn->amount == before->amount &&
                txn->price == before->price && same_text(txn->approval, before->approval);
    if (!same)
        promise_broken(PROMISE_FINAL, "row %" PRId64 " was %s and is %s", txn->id,
                       txn_state_name(before->state), txn_state_name(txn->state));
}

static void table_check(const struct row *row, const struct txn_record *before,
                        const struct operation *operation)
{
    struct txn_step step = {.next = before->state};
    (void)txn_step(before->state, operation->event, &step);
    if (row->txn.state != step.next)
        promise_broken(PROMISE_JOURNAL, "row %" PRId64 ": %s by %s became %s", row->txn.id,
                       txn_state_name(before->state), txn_event_name(operation->event),
                       txn_state_name(row->txn.state));
    if (row->txn.version != before->version + 1)
        promise_broken(PROMISE_JOURNAL, "row %" PRId64 ": version %" PRId64 " after %" PRId64,
                       row->txn.id, row->txn.version, before->version);
}

void promise_row_moved(const struct database *database, struct row *row,
                       const struct txn_record *before, const struct operation *operation)
{
    enum txn_state now = row->txn.state;
    table_check(row, before, operation);
    approval_check(database, row, before);
    paid_check(database, row, before);
    policy_check(database, row, before, operation->event);
    doubt_note(database, row, before, operation->event);
    if (txn_state_final(before->state))
        final_check(row, before);
    else if (now == TXN_VENDED || now == TXN_FAILED)
        outcome_check(row, operation);
}

void promise_callback_committed(const struct database *database,
                                const struct callback_row *callback)
{
    struct row *row = database_row(database, callback->txn_id);
    if (!row)
        promise_broken(PROMISE_CALLBACK, "callback %" PRId64 " belongs to no row", callback->id);
    row->vends += callback->kind == CALLBACK_VEND;
    row->unlocks += callback->kind == CALLBACK_UNLOCK;
    for (size_t i = 0; i + 1 < database->callback_count; i++) {
        const struct callback_row *other = &database->callbacks[i];
        if (other->lane == callback->lane && other->lane_sequence >= callback->lane_sequence)
            promise_broken(PROMISE_LANE, "callbacks %" PRId64 " and %" PRId64 " of a lane",
                           other->id, callback->id);
    }
}

void promise_event_written(const struct machine_row *machine, const struct said_event *said)
{
    for (size_t i = 0; i < machine->event_count; i++)
        if (machine->events[i].event_epoch == said->event_epoch &&
            machine->events[i].seq == said->seq &&
            said->event_epoch == machine->sequence.event_epoch)
            promise_broken(PROMISE_NO_SECOND_EFFECT, "event %" PRId64 "/%" PRId64 " of %s twice",
                           said->event_epoch, said->seq, machine->vm_id);
}

/* --- machines --- */

static void approve_check(const struct database *database, const char *vm_id,
                          const struct machine_command *command, bool current)
{
    const struct row *row = database_find_approval(database, command->approval);
    if (!row || row->paid_commit == 0)
        promise_broken(PROMISE_PAID_FIRST, "%s is told to vend for an approval that is not on disk",
                       vm_id);
    const struct txn_record *txn = &row->txn;
    bool same = same_text(txn->vm_id, vm_id) && txn->session == command->session &&
                txn->request == command->request && txn->item == command->item &&
                txn->price == command->price && txn->amount == command->amount &&
                txn->approval_n == command->n && same_text(txn->journal, command->journal);
    if (!same || (current && txn->state != TXN_PAID))
        promise_broken(PROMISE_ONCE, "approve of row %" PRId64 " (%s) says something else", txn->id,
                       txn_state_name(txn->state));
}

static void release_check(const struct database *database, const struct machine_row *machine,
                          const struct machine_command *command)
{
    const struct row *live = database_row(database, machine->live_id);
    if (live && live->txn.session == command->session)
        promise_broken(PROMISE_COMMIT_FIRST, "%s is unlocked while row %" PRId64 " is %s",
                       machine->vm_id, live->txn.id, txn_state_name(live->txn.state));
}

static void lock_check(const struct database *database, const struct machine_row *machine,
                       const struct machine_command *command)
{
    const struct row *live = database_row(database, machine->live_id);
    if (!live || live->txn.session != command->session || live->txn.state != TXN_LOCKING)
        promise_broken(PROMISE_COMMIT_FIRST, "%s is locked for a session that is not on disk",
                       machine->vm_id);
}

static void keys_check(const struct database *database, const struct machine_row *machine,
                       const struct machine_command *command)
{
    const struct row *live = database_row(database, machine->live_id);
    if (!live || live->txn.session != command->session || live->txn.keys_n != command->n)
        promise_broken(PROMISE_COMMIT_FIRST, "%s is told keys that are not on disk",
                       machine->vm_id);
}

static void asked_note(const struct database *database, const struct machine_command *command)
{
    struct row *row = database_find_approval(database, command->approval);
    if (row)
        row->asked_ms = *database->now_ms;
}

void promise_command_sent(struct database *database, const char *vm_id,
                          const struct machine_command *command, int64_t generation)
{
    const struct machine_row *machine = database_machine(database, vm_id);
    /* Another process may have taken the machine and moved its row: then this goes to a connection
     * that is dead, or to a machine that drops what an older generation says. */
    bool current = machine->owner_instance == 1 && machine->owner_epoch == generation;
    if (!current && command->op != MACHINE_OP_APPROVE)
        return;
    switch (command->op) {
    case MACHINE_OP_APPROVE:
        approve_check(database, vm_id, command, current);
        return;
    case MACHINE_OP_QUERY:
        asked_note(database, command);
        return;
    case MACHINE_OP_LOCK:
        lock_check(database, machine, command);
        return;
    case MACHINE_OP_KEYS:
        keys_check(database, machine, command);
        return;
    case MACHINE_OP_UNLOCK:
    case MACHINE_OP_DENY:
        release_check(database, machine, command);
        return;
    default:
        return;
    }
}

void promise_approval_taken(const struct database *database, const char *vm_id,
                            const struct machine_command *command)
{
    struct row *row = database_find_approval(database, command->approval);
    if (!row || row->paid_commit == 0 || !same_text(row->txn.vm_id, vm_id))
        promise_broken(PROMISE_PAID_FIRST, "%s takes an approval that is not on disk", vm_id);
    if (row->taken++ > 0)
        promise_broken(PROMISE_ONCE, "row %" PRId64 "'s approval is taken twice", row->txn.id);
    if (row->txn.state == TXN_CLOSED ||
        (row->txn.state == TXN_FAILED && hard_evidence(row->txn.closed_by)))
        promise_broken(PROMISE_OWED, "%s takes the approval of row %" PRId64 ", which is %s by %s",
                       vm_id, row->txn.id, txn_state_name(row->txn.state),
                       txn_event_name(row->txn.closed_by));
}

void promise_goods_fell(struct world *world, const char *vm_id, const char *approval)
{
    struct row *row = database_find_approval(&world->database, approval);
    if (!row || row->paid_commit == 0)
        promise_broken(PROMISE_PAID_FIRST, "goods fell at %s for nothing", vm_id);
    world->goods++;
    trace_add("GOODS FELL", row->txn.ref, row->txn.id, row->txn.state);
    if (row->goods++ > 0)
        promise_broken(PROMISE_ONCE, "goods fell twice for row %" PRId64, row->txn.id);
    if (row->refund_said)
        promise_broken(PROMISE_REFUND, "goods fell for row %" PRId64, row->txn.id);
    if (row->txn.state == TXN_CLOSED ||
        (row->txn.state == TXN_FAILED && hard_evidence(row->txn.closed_by)))
        promise_broken(PROMISE_OWED, "goods fell for row %" PRId64 ", which is %s by %s",
                       row->txn.id, txn_state_name(row->txn.state),
                       txn_event_name(row->txn.closed_by));
}

void promise_result_written(const struct database *database, const char *approval, bool fallen)
{
    struct row *row = database_find_approval(database, approval);
    row->reported_fallen |= fallen;
    row->reported_not |= !fallen;
}

void promise_event_acknowledged(struct database *database, const char *vm_id,
                                const struct device_event *event)
{
    const struct machine_row *machine = database_machine(database, vm_id);
    if (!database_event_stored(machine, event->event_epoch, event->seq))
        promise_broken(PROMISE_ACKNOWLEDGED, "%s: event %" PRId64 "/%" PRId64 " is not stored",
                       vm_id, event->event_epoch, event->seq);
}

/* --- callbacks --- */

static const struct callback_row *committed(const struct database *database,
                                            const struct outbound_callback *callback)
{
    const struct callback_row *row = database_callback(database, callback->callback_id);
    bool same = row && row->kind == callback->kind && row->body_size == callback->body_size &&
                memcmp(row->body, callback->body, row->body_size) == 0 &&
                same_text(row->webhook_id, callback->webhook_id) &&
                row->integrator_id == callback->integrator_id;
    if (!same)
        promise_broken(PROMISE_CALLBACK, "callback %" PRId64, callback->callback_id);
    return row;
}

void promise_attempt_begun(const struct database *database,
                           const struct outbound_callback *callback)
{
    (void)committed(database, callback);
    database_callback(database, callback->callback_id)->begun++;
    for (size_t i = 0; i < database->callback_count; i++) {
        const struct callback_row *other = &database->callbacks[i];
        if (other->lane == callback->lane && other->lane_sequence < callback->lane_sequence &&
            other->queued && !other->parked && !other->over)
            promise_broken(PROMISE_LANE, "callback %" PRId64 " is sent before %" PRId64 " is over",
                           callback->callback_id, other->id);
    }
}

void promise_callback_arrived(const struct database *database,
                              const struct outbound_callback *callback)
{
    (void)committed(database, callback);
    database_callback(database, callback->callback_id)->arrived = true;
}

/* --- processes --- */

void promise_nothing_left(struct gateway *gateway)
{
    struct database *database = &gateway->world->database;
    if (gateway->timers || gateway->attempts || gateway->store.pending > 0)
        promise_broken(PROMISE_NOTHING_LEFT, "timers %d, attempts %d, operations %zu",
                       gateway->timers != NULL, gateway->attempts != NULL, gateway->store.pending);
    for (size_t i = 0; i < database->callback_count; i++)
        if (database->callbacks[i].queued && !database->callbacks[i].parked)
            database->callbacks[i].over = false; /* the next process begins again with it */
}
