/* call_operator.c - what people decide: a verdict on an unknown outcome, the release of a machine.
 */
#include "broker/internal.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>

static struct call *operator_call(struct broker *broker, enum call_kind kind, const char *operator,
                                  const char * because)
{
    struct call *call = call_new(broker, kind, 0, "");
    call->operator= memory_text(operator);
    call->because = memory_text(because);
    return call;
}

static json_t *operator_evidence(const struct call *call)
{
    return json_pack("{s:s, s:s}", "operator", call->operator, "because", call->because);
}

/* --- verdict --- */

static void verdict_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    struct call *call = arg;
    if (outcome != STORE_APPLIED)
        call_answer(call, outcome == STORE_FAILED ? REASON_INTERNAL : REASON_STORE_UNAVAILABLE,
                    ACTION_NONE);
    else if (!txn)
        call_answer(call, REASON_TXN_UNKNOWN, ACTION_NONE);
    else if (!txn_state_final(txn->state))
        call_answer(call, REASON_MACHINE_NOT_READY, ACTION_RETRY); /* another process holds it */
    else
        call_answer(call,
                    txn->state == (call->vended ? TXN_VENDED : TXN_FAILED) ? REASON_NONE
                                                                           : REASON_ALREADY_CLOSED,
                    ACTION_NONE);
}

static void verdict_settle_from_store(struct call *call)
{
    store_txn_find_id(call->broker->store, call->txn_id, verdict_found, call);
}

void broker_verdict(struct broker *broker, const struct broker_verdict_call *given,
                    broker_answer_cb *callback, void *arg)
{
    struct call *call = operator_call(broker, CALL_VERDICT, given->operator_name, given->because);
    call->callback = callback;
    call->arg = arg;
    call->txn_id = given->txn_id;
    call->vended = given->vended;
    if (!call_admit(call))
        return;
    struct live *live = live_find_id(broker, given->txn_id);
    if (live)
        call_post(live->machine, call);
    else
        verdict_settle_from_store(call);
}

void call_verdict_work(struct machine *machine, struct input *input)
{
    const struct call *call = input->call;
    struct live *live = live_find_id(machine->broker, call->txn_id);
    if (!live || live->machine != machine) {
        verdict_settle_from_store(TAKE(input->call)); /* it ended while the call waited */
        input_done(machine, STORE_APPLIED);
        return;
    }
    if (live->txn.state != TXN_IN_DOUBT) {
        input->reason = REASON_NOT_IN_DOUBT;
        input_done(machine, STORE_APPLIED);
        return;
    }
    log_notice("verdict", LOG_INT("txn", live->txn.id), LOG_TEXT("vm", machine->vm_id),
               LOG_TEXT("outcome", call->vended ? "vended" : "failed"),
               LOG_TEXT("operator", call->operator), LOG_TEXT("because", call->because));
    struct plan plan;
    plan_init(&plan, live, call->vended ? TXN_VERDICT_VENDED : TXN_VERDICT_FAILED, "operator");
    plan.evidence = operator_evidence(call);
    step_take(machine, &plan);
}

/* --- release --- */

void broker_release(struct broker *broker, const struct broker_release_call *given,
                    broker_answer_cb *callback, void *arg)
{
    struct call *call = operator_call(broker, CALL_RELEASE, given->operator_name, given->because);
    call->callback = callback;
    call->arg = arg;
    snprintf(call->vm_id, sizeof call->vm_id, "%s", given->vm_id);
    if (!call_admit(call))
        return;
    if (!fleet_directory_find(broker->directory, call->vm_id))
        call_refuse_later(call, REASON_MACHINE_UNKNOWN);
    else
        call_post(broker_machine_get(broker, call->vm_id), call);
}

/* Nothing is live here; what the database holds belongs to another process. */
static void release_looked(void *arg, enum store_outcome outcome, const struct store_live_row *row)
{
    struct machine *machine = arg;
    if (row) {
        machine->current->reason = REASON_MACHINE_NOT_READY;
        return;
    }
    input_done(machine, outcome);
}

void call_release_work(struct machine *machine, struct input *input)
{
    const struct call *call = input->call;
    struct live *live = machine->live;
    log_notice("release", LOG_TEXT("vm", machine->vm_id), LOG_INT("txn", live ? live->txn.id : 0),
               LOG_TEXT("operator", call->operator), LOG_TEXT("because", call->because));
    open_session_end(machine, true);
    if (!live) {
        store_txn_load_live(machine->broker->store, machine->vm_id, release_looked, machine);
        return;
    }
    if (txn_state_money(live->txn.state)) {
        input->reason = REASON_ALREADY_PAID;
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, TXN_OPERATOR_RELEASE, "operator");
    plan.evidence = operator_evidence(call);
    step_take(machine, &plan);
}
