/* call_lock.c - /api/lock: guards, the new row, and everybody who waits for the machine's answer.
 */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void finish(struct machine *machine, enum reason reason)
{
    machine->current->reason = reason;
    input_done(machine, STORE_APPLIED);
}

static void finish_full(struct machine *machine, const struct broker_answer *answer)
{
    call_answer_full(TAKE(machine->current->call), answer);
    input_done(machine, STORE_APPLIED);
}

static void locked_answer(const struct live *live, struct broker_answer *ret_answer)
{
    *ret_answer = (struct broker_answer){.success = true, .timeout_s = live_seconds_left(live)};
}

void lock_calls_answer(struct live *live, enum reason reason)
{
    struct call *call, *next;
    CRASH_POINT(before_lock_answer);
    DL_FOREACH_SAFE2(live->lock_calls, call, next, waiting_next)
    {
        DL_DELETE2(live->lock_calls, call, waiting_prev, waiting_next);
        struct broker_answer answer;
        if (reason == REASON_NONE) {
            locked_answer(live, &answer);
            call_answer_full(call, &answer);
        } else {
            call_answer(call, reason, ACTION_NONE);
        }
    }
}

/* The call waits for the machine; so does every repeat of it. */
static void lock_wait(struct live *live, struct call *call)
{
    const struct broker_options *options = &live->machine->broker->options;
    call->deadline_ms = clock_monotonic_ms() + options->lock_ack_ms + options->call_deadline_ms;
    DL_APPEND2(live->lock_calls, call, waiting_prev, waiting_next);
}

/* The machine has a live transaction already. */
static void lock_on_live(struct machine *machine, struct live *live)
{
    struct call *call = machine->current->call;
    const struct txn_record *txn = &live->txn;
    struct broker_answer answer = {.reason = REASON_MACHINE_BUSY,
                                   .timeout_s = live_seconds_left(live)};
    bool own = txn->integrator_id == call->integrator_id;
    if (own && strcmp(txn->ref, call->ref) == 0) {
        live_named(live);
        if (txn->balance != call->balance) {
            finish(machine, REASON_TXN_REF_REUSED);
            return;
        }
        if (txn->state == TXN_LOCKING) {
            lock_wait(live, TAKE(machine->current->call));
            input_done(machine, STORE_APPLIED);
            return;
        }
        locked_answer(live, &answer);
    } else if (own) {
        bool superseded = strcmp(txn->predecessor_ref, call->ref) == 0;
        answer.reason = superseded ? REASON_REF_SUPERSEDED : REASON_MACHINE_BUSY_SELF;
        answer.txn_ref = txn->ref;
    }
    answer.action = reason_info(answer.reason)->action;
    finish_full(machine, &answer);
}

/* The session of somebody's last purchase may go on; its own integrator begins the next at will. */
static void lock_on_open(struct machine *machine)
{
    struct broker_answer answer = {.reason = REASON_MACHINE_BUSY,
                                   .action = reason_info(REASON_MACHINE_BUSY)->action,
                                   .timeout_s = open_session_seconds_left(machine->open)};
    finish_full(machine, &answer);
}

static enum reason presence_reason(const struct machine *machine)
{
    switch (machine->presence) {
    case PRESENCE_ONLINE:
        return REASON_NONE;
    case PRESENCE_ARRIVED:
    case PRESENCE_WELCOME:
        return REASON_MACHINE_RECONCILING;
    case PRESENCE_GONE:
    case PRESENCE_ABSENT:
        break;
    }
    return broker_machine_elsewhere(machine) ? REASON_MACHINE_NOT_READY : REASON_MACHINE_OFFLINE;
}

static bool refused_lately(const struct machine *machine, const struct call *call)
{
    return machine->refused_ref[0] != '\0' && machine->refused_integrator == call->integrator_id &&
           strcmp(machine->refused_ref, call->ref) == 0 &&
           clock_monotonic_ms() - machine->refused_at_ms < REFUSAL_REPEATED_MS;
}

static enum reason lock_guard(const struct machine *machine, const struct call *call)
{
    const struct fleet_machine *known =
        fleet_directory_find(machine->broker->directory, machine->vm_id);
    if (machine->broker->draining)
        return REASON_SHUTTING_DOWN;
    if (refused_lately(machine, call))
        return machine->refused_reason;
    if (!known)
        return REASON_MACHINE_UNKNOWN;
    if (!known->enabled)
        return REASON_MACHINE_DISABLED;
    if (known->out_of_service)
        return REASON_MACHINE_FAULT;
    if (known->max_response_s != 0 && known->max_response_s < MACHINE_RESPONSE_MIN_S)
        return REASON_MACHINE_NOT_READY;
    return presence_reason(machine);
}

static void conflict_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    struct machine *machine = arg;
    if (outcome != STORE_APPLIED)
        input_done(machine, outcome);
    else
        finish(machine, txn ? REASON_TXN_REF_REUSED : REASON_MACHINE_NOT_READY);
}

static void lock_begun(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct machine *machine = arg;
    struct call *call = machine->current->call;
    if (outcome == STORE_CONFLICT) {
        store_txn_find(machine->broker->store, call->integrator_id, call->ref, conflict_found,
                       machine);
        return;
    }
    if (outcome != STORE_APPLIED) {
        input_done(machine, outcome);
        return;
    }
    CRASH_POINT(after_lock_committed_before_command);
    struct txn_record *txn = &machine->plan.next;
    txn->id = txn->session = result->txn_id;
    open_session_end(machine, false); /* the lock that follows ends the older session */
    struct live *live = live_new(machine, &(struct store_live_row){.txn = txn});
    live_deadline_start(live);
    lock_wait(live, TAKE(machine->current->call));
    log_info("step", LOG_INT("txn", txn->id), LOG_TEXT("ref", txn->ref),
             LOG_TEXT("vm", machine->vm_id), LOG_INT("integrator", txn->integrator_id),
             LOG_TEXT("from", txn_state_name(TXN_NONE)), LOG_TEXT("to", txn_state_name(txn->state)),
             LOG_TEXT("by", txn_event_name(TXN_LOCK)));
    act(machine, live, &machine->step, TXN_LOCK);
    input_done(machine, STORE_APPLIED);
}

void call_lock_work(struct machine *machine, struct input *input)
{
    struct call *call = input->call;
    if (machine->live) {
        lock_on_live(machine, machine->live);
        return;
    }
    if (machine->open && machine->open->txn.integrator_id != call->integrator_id) {
        lock_on_open(machine);
        return;
    }
    enum reason reason = lock_guard(machine, call);
    if (reason != REASON_NONE) {
        finish(machine, reason);
        return;
    }
    struct txn_record *txn = &machine->plan.next;
    bool legal = txn_step(TXN_NONE, TXN_LOCK, &machine->step);
    assert(legal);
    machine->plan.event = TXN_LOCK;
    *txn = (struct txn_record){
        .integrator_id = call->integrator_id,
        .state = machine->step.next,
        .version = 1,
        .balance = call->balance,
        .request = -1,
        .item = -1,
        .created_ms = store_now_ms(machine->broker->store),
    };
    snprintf(txn->ref, sizeof txn->ref, "%s", call->ref);
    snprintf(txn->vm_id, sizeof txn->vm_id, "%s", machine->vm_id);
    step_timer_set(machine, txn, machine->step.timer);
    struct store_txn_step store_step = {.txn = txn,
                                        .from = TXN_NONE,
                                        .event = TXN_LOCK,
                                        .actor = "integrator",
                                        .owner_epoch = machine->owner_epoch};
    store_txn_begin(machine->broker->store, &store_step, lock_begun, machine);
}
