/* step.c - decide, commit, act: the only place where a transaction moves. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"

void plan_init(struct plan *plan, const struct live *live, enum txn_event event, const char *actor)
{
    *plan = (struct plan){.event = event, .actor = actor, .next = live->txn};
}

int64_t timer_length_ms(const struct machine *machine, enum txn_timer timer)
{
    const struct broker_options *options = &machine->broker->options;
    switch (timer) {
    case TXN_TIMER_LOCK_ACK:
        return options->lock_ack_ms;
    case TXN_TIMER_SELECTION:
        return options->selection_ms;
    case TXN_TIMER_PAYMENT: {
        const struct fleet_machine *known =
            fleet_directory_find(machine->broker->directory, machine->vm_id);
        int64_t patience = known ? known->max_response_s * 1000 - MACHINE_RESPONSE_MARGIN_MS : 0;
        return patience > 0 && patience < options->payment_ms ? patience : options->payment_ms;
    }
    case TXN_TIMER_APPROVE:
        return options->approve_ttl_ms;
    case TXN_TIMER_VEND:
        return options->vend_ms;
    case TXN_TIMER_DOUBT:
        return options->doubt_ms;
    case TXN_TIMER_NONE:
    case TXN_TIMER_KEEP:
    case TXN_TIMER_COUNT:
        break;
    }
    return 0;
}

void step_timer_set(const struct machine *machine, struct txn_record *txn, enum txn_timer timer)
{
    if (timer == TXN_TIMER_KEEP)
        return;
    if (timer == TXN_TIMER_VEND && txn->state == TXN_PAID && txn->timer == TXN_TIMER_VEND)
        return; /* a machine that comes and goes without a word gets no further time */
    txn->timer = timer;
    txn->deadline_ms = timer == TXN_TIMER_NONE
                           ? 0
                           : store_now_ms(machine->broker->store) + timer_length_ms(machine, timer);
}

/* The row as it will be, besides what the input itself has changed. */
void plan_complete(struct machine *machine)
{
    const struct txn_step *step = &machine->step;
    struct txn_record *next = &machine->plan.next;
    bool ends = txn_state_final(step->next) && !txn_state_final(next->state);
    next->state = step->next;
    next->version++;
    step_timer_set(machine, next, step->timer);
    if (step->actions & TXN_ANSWER_LOCK_OK)
        next->lock_answered = true;
    if (ends) {
        next->closed_by = machine->plan.event;
        next->outcome_code = step->code == TXN_CODE_FROM_EVIDENCE ? machine->plan.code : step->code;
    }
}

void plan_drop(struct machine *machine)
{
    json_decref(machine->plan.evidence);
    machine->plan.evidence = NULL;
    for (size_t i = 0; i < machine->owed_count; i++)
        free(TAKE(machine->owed[i].body));
    machine->owed_count = 0;
    free(TAKE(machine->successor));
}

/* The machine has gone to another process, which goes on with its purchase and sends its callbacks.
 */
static void let_go(struct machine *machine)
{
    struct live *live = machine->live;
    if (!live)
        return;
    log_notice("txn_left_to_another_process", LOG_INT("txn", live->txn.id),
               LOG_TEXT("vm", machine->vm_id));
    outbound_forget_lane(machine->broker->outbound, live->txn.session);
    live_free(&live);
}

static void reloaded(void *arg, enum store_outcome outcome, const struct store_live_row *row)
{
    struct machine *machine = arg;
    if (row && row->elsewhere) {
        let_go(machine);
        return;
    }
    if (row) {
        live_reload(machine, row);
        machine->reloaded = true;
        return;
    }
    if (outcome == STORE_APPLIED && !machine->reloaded) {
        struct live *gone = machine->live;
        live_free(&gone);
    }
    if (outcome == STORE_UNAVAILABLE)
        input_done(machine, outcome);
    else
        input_retry(machine);
}

/* It is likely another process's by now: what time decides is not tried again at once. */
static void conflict_wait(struct live *live)
{
    if (live && timer_running(live->deadline) && timer_left_ms(live->deadline) < CONFLICT_WAIT_MS)
        timer_start(live->deadline, CONFLICT_WAIT_MS);
}

/* The row, its version or its owner is not what we believed: read again and decide anew. */
void plan_conflict(struct machine *machine)
{
    log_notice("step_conflict", LOG_TEXT("vm", machine->vm_id),
               LOG_TEXT("event", txn_event_name(machine->plan.event)),
               LOG_INT("tries", machine->current->tries));
    plan_drop(machine);
    if (++machine->current->tries >= STEP_TRIES_MAX) {
        conflict_wait(machine->live);
        input_done(machine, STORE_CONFLICT);
        return;
    }
    machine->reloaded = false;
    store_txn_load_live(machine->broker->store, machine->vm_id, reloaded, machine);
}

static void outcome_count(const struct broker *broker, const struct txn_record *txn,
                          enum txn_state from)
{
    if (txn_state_final(txn->state) && !txn_state_final(from))
        metric_add(metrics_cell(broker->metrics, &BROKER_OUTCOMES, txn_state_name(txn->state),
                                txn_event_name(txn->closed_by)),
                   1);
}

void plan_log(const struct machine *machine, const struct txn_record *txn, enum txn_state from)
{
    outcome_count(machine->broker, txn, from);
    log_info("step", LOG_INT("txn", txn->id), LOG_TEXT("ref", txn->ref),
             LOG_TEXT("vm", machine->vm_id), LOG_INT("integrator", txn->integrator_id),
             LOG_TEXT("from", txn_state_name(from)), LOG_TEXT("to", txn_state_name(txn->state)),
             LOG_TEXT("by", txn_event_name(machine->plan.event)));
}

/* PostgreSQL has refused the step, perhaps because its disk is full. What time has decided is tried
 * again: a transaction is never left without a timer. */
static void step_failed(struct live *live)
{
    if (live->txn.deadline_ms != 0 && !timer_running(live->deadline))
        timer_start(live->deadline, STEP_RETRY_MS);
    if (live->txn.state == TXN_IN_DOUBT && !timer_running(live->nudge))
        timer_start(live->nudge, STEP_RETRY_MS);
}

static void step_acted(struct machine *machine, const int64_t *callback_ids)
{
    CRASH_POINT(after_step_commit_before_act);
    struct live *live = machine->live;
    act(machine, live, &machine->step, machine->plan.event);
    CRASH_POINT(after_act_before_callbacks);
    callbacks_submit(live, callback_ids);
    CRASH_POINT(after_callbacks_submitted);
    if (txn_state_final(live->txn.state)) {
        if (live->goes_on)
            open_session_begin(live, callback_ids[0]);
        live_free(&live);
        if (review_due(machine))
            mailbox_post_later(machine, input_new(INPUT_REVIEW));
    }
    plan_drop(machine);
    input_done(machine, STORE_APPLIED);
}

void step_cancel_request(struct machine *machine)
{
    struct live *live = machine->live;
    int64_t callback_id = live->request_callback_id;
    if (callback_id == 0)
        return;
    if (!live->request_withheld)
        live->request_withheld = outbound_cancel(machine->broker->outbound, callback_id);
    if (live->request_withheld)
        machine->cancelled_callback = callback_id;
}

void step_cancel_settle(struct machine *machine, enum store_outcome outcome, bool cancelled)
{
    int64_t callback_id = machine->cancelled_callback;
    machine->cancelled_callback = 0;
    if (callback_id == 0)
        return;
    if (outcome == STORE_APPLIED && cancelled) {
        machine->live->request_callback_id = 0;
        machine->live->request_withheld = false;
        return;
    }
    const struct txn_record *txn = &machine->live->txn;
    outbox_left(machine, txn->integrator_id, txn->session, callback_id);
    outbox_room(machine->broker, txn->integrator_id);
}

static void step_saved(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct machine *machine = arg;
    step_cancel_settle(machine, outcome, outcome == STORE_APPLIED && result->cancelled);
    if (outcome == STORE_CONFLICT) {
        plan_conflict(machine);
        return;
    }
    if (outcome != STORE_APPLIED) {
        if (outcome == STORE_FAILED)
            step_failed(machine->live);
        plan_drop(machine);
        input_done(machine, outcome);
        return;
    }
    struct live *live = machine->live;
    enum txn_state from = live->txn.state;
    live->txn = machine->plan.next;
    live->expiring = live->deadline_moved = false;
    if (live->txn.approval_n > machine->approval_n)
        machine->approval_n = live->txn.approval_n;
    live->goes_on = live->txn.state == TXN_VENDED && from != TXN_IN_DOUBT &&
                    open_session_wanted(live, machine->plan.event);
    plan_log(machine, &live->txn, from);
    live_deadline_start(live);
    step_acted(machine, result->callback_ids);
}

void plan_store(struct machine *machine, enum txn_state from, struct store_txn_step *ret_step,
                struct store_machine_event *ret_event, char **ret_evidence)
{
    *ret_evidence =
        machine->plan.evidence ? json_dumps(machine->plan.evidence, JSON_COMPACT) : NULL;
    *ret_step = (struct store_txn_step){
        .txn = &machine->plan.next,
        .from = from,
        .event = machine->plan.event,
        .actor = machine->plan.actor,
        .evidence = *ret_evidence,
        .owner_epoch = machine->owner_epoch,
        .callback_count = machine->owed_count,
        .cancel_callback_id = machine->cancelled_callback,
    };
    for (size_t i = 0; i < machine->owed_count; i++)
        ret_step->callbacks[i] = machine->owed[i].made;
    if (machine->current->kind == INPUT_EVENT) {
        event_store_fill(machine, machine->current, ret_event);
        ret_step->machine_event = ret_event;
    }
}

static void step_commit(struct machine *machine)
{
    struct store_txn_step store_step;
    struct store_machine_event event;
    _cleanup_(memory_text_free) char *evidence = NULL;
    plan_complete(machine);
    callbacks_prepare(machine);
    if (machine->step.actions & TXN_CANCEL_REQUEST)
        step_cancel_request(machine);
    plan_store(machine, machine->live->txn.state, &store_step, &event, &evidence);
    store_txn_advance(machine->broker->store, &store_step, step_saved, machine);
}

static void step_noted(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct machine *machine = arg;
    if (outcome == STORE_APPLIED && machine->step.actions != 0) {
        step_acted(machine, result->callback_ids);
        return;
    }
    if (outcome == STORE_FAILED)
        step_failed(machine->live);
    plan_drop(machine);
    input_done(machine, outcome);
}

/* Nothing moves: the journal keeps what happened, then its actions follow. */
static void step_note(struct machine *machine)
{
    struct store_txn_step store_step;
    struct store_machine_event event;
    _cleanup_(memory_text_free) char *evidence = NULL;
    plan_store(machine, machine->live->txn.state, &store_step, &event, &evidence);
    store_txn_note(machine->broker->store, &store_step, step_noted, machine);
}

void step_take(struct machine *machine, struct plan *plan)
{
    struct live *live = machine->live;
    assert(live && machine->current && !machine->plan.evidence);
    struct txn_step step = {.next = live->txn.state, .timer = TXN_TIMER_KEEP};
    bool legal = txn_step(live->txn.state, plan->event, &step);
    machine->plan = *plan;
    machine->step = step;
    metric_add(metrics_cell(machine->broker->metrics, legal ? &BROKER_STEPS : &BROKER_UNEXPECTED,
                            txn_state_name(live->txn.state), txn_event_name(plan->event)),
               1);
    if (step.next != live->txn.state || step.timer != TXN_TIMER_KEEP || plan->row_changed ||
        live->deadline_moved) {
        step_commit(machine);
        return;
    }
    /* A call that changes nothing is answered, not journalled: a caller cannot fill the journal by
     * asking again. */
    bool silent = step.actions == 0 && (machine->current->kind == INPUT_CALL || !legal);
    if (silent && machine->current->kind != INPUT_EVENT) {
        log_debug("event_without_effect", LOG_INT("txn", live->txn.id),
                  LOG_TEXT("vm", machine->vm_id), LOG_TEXT("by", txn_event_name(plan->event)));
        plan_drop(machine);
        input_done(machine, STORE_APPLIED);
        return;
    }
    step_note(machine);
}
