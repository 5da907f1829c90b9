/* succession.c - another selection in the same session: the old ref ends or stands, a new one takes
 * over, in one commit (transaction.md, "Steps"; contract, `new_txn_ref`). */
#include "broker/internal.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"

#include <stdio.h>

bool succession_possible(const struct live *live)
{
    const struct integrator *integrator =
        people_integrator(live->machine->broker->people, live->txn.integrator_id);
    return integrator && integrator->allow_rename && !live->rename_unconfirmed;
}

/* The row that takes over, for the selection that is being worked off. */
static struct txn_record *successor_new(struct machine *machine, const struct txn_record *old)
{
    const struct machine_event *selection = &machine->current->event;
    struct txn_record *txn = memory_zero(1, sizeof *txn);
    txn->integrator_id = old->integrator_id;
    random_uuid(txn->ref);
    snprintf(txn->vm_id, sizeof txn->vm_id, "%s", old->vm_id);
    txn->session = old->session;
    txn->state = TXN_REQUESTED;
    txn->version = 1;
    txn->balance = old->balance;
    txn->request = selection->request;
    txn->item = selection->item;
    txn->price = selection->price;
    snprintf(txn->selection, sizeof txn->selection, "%s", selection->label);
    step_timer_set(machine, txn, TXN_TIMER_PAYMENT);
    txn->lane_sequence = old->lane_sequence;
    txn->lock_answered = true; /* the promise given for the first ref goes over to it */
    txn->created_ms = store_now_ms(machine->broker->store);
    txn->predecessor_id = old->id;
    snprintf(txn->predecessor_ref, sizeof txn->predecessor_ref, "%s", old->ref);
    txn->predecessor_closed = old->state != TXN_VENDED;
    return txn;
}

static void taken_over(struct machine *machine, const struct store_txn_result *result)
{
    struct live *old = machine->live;
    if (old)
        plan_log(machine, &machine->plan.next, old->txn.state);
    live_free(&old);
    open_session_end(machine, false);
    machine->successor->id = result->txn_id;
    struct live *live = live_new(
        machine, &(struct store_live_row){.txn = machine->successor, .rename_unconfirmed = true});
    plan_log(machine, &live->txn, TXN_NONE);
    live_deadline_start(live);
    CRASH_POINT(after_rename_commit_before_request);
    callbacks_submit(live, result->callback_ids);
    plan_drop(machine);
    input_done(machine, STORE_APPLIED);
}

static void succeeded(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct machine *machine = arg;
    step_cancel_settle(machine, outcome, outcome == STORE_APPLIED && result->cancelled);
    if (outcome == STORE_APPLIED) {
        taken_over(machine, result);
        return;
    }
    if (outcome != STORE_UNAVAILABLE)
        open_session_end(machine, true); /* its selection is a stray one now */
    if (outcome == STORE_CONFLICT) {
        plan_conflict(machine);
        return;
    }
    plan_drop(machine);
    input_done(machine, outcome);
}

static void commit(struct machine *machine, enum txn_state from)
{
    struct store_txn_step store_step;
    struct store_machine_event event;
    _cleanup_(memory_text_free) char *evidence = NULL;
    plan_complete(machine);
    callbacks_prepare_rename(machine);
    plan_store(machine, TXN_NONE, &store_step, &event, &evidence);
    store_step.txn = machine->successor;
    store_txn_succeed(machine->broker->store, &store_step, &machine->plan.next, from, succeeded,
                      machine);
}

void succession_take(struct machine *machine, const struct txn_record *old)
{
    const struct live *live = machine->live;
    bool legal = txn_step(old->state, TXN_SELECTION_RENAMING, &machine->step);
    assert(legal && !machine->plan.evidence && !machine->successor);
    machine->plan =
        (struct plan){.event = TXN_SELECTION_RENAMING, .actor = "machine", .next = *old};
    machine->plan.evidence = event_evidence(&machine->current->event);
    machine->successor = successor_new(machine, old);
    metric_add(metrics_cell(machine->broker->metrics, &BROKER_STEPS, txn_state_name(old->state),
                            txn_event_name(TXN_SELECTION_RENAMING)),
               1);
    if (live)
        step_cancel_request(machine);
    else
        open_session_hold(machine); /* reserved until the store has answered */
    commit(machine, old->state);
}
