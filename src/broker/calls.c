/* calls.c - the calls of integrators: entry, answer, deadline, and the answers for refs that are
 * not live here. Operators' calls (call_operator.c) are answered the same way. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

#define LOOKUP_TRIES_MAX 3

static const char *const CALL_NAMES[] = {
    [CALL_LOCK] = "lock", [CALL_PAID] = "paid",       [CALL_UNLOCK] = "unlock",
    [CALL_KEYS] = "keys", [CALL_VERDICT] = "verdict", [CALL_RELEASE] = "release"};

static void call_forget(struct call *call)
{
    DL_DELETE(call->broker->calls, call);
    call->broker->call_count--;
    if (call->broker->draining)
        due_schedule(call->broker, 0); /* it may have been the last that a stop waits for */
}

static void call_tell(struct call *call, const struct broker_answer *answer)
{
    const struct reason_info *info = reason_info(answer->reason);
    metric_add(metrics_cell(call->broker->metrics, &BROKER_ANSWERS, CALL_NAMES[call->kind],
                            info->code ? info->code : "OK"),
               1);
    log_info("answer", LOG_TEXT("call", CALL_NAMES[call->kind]), LOG_TEXT("ref", call->ref),
             LOG_TEXT("vm", call->vm_id), LOG_INT("integrator", call->integrator_id),
             LOG_TEXT("code", info->code ? info->code : "OK"));
    CRASH_POINT(after_commit_before_answer);
    broker_answer_cb *callback = TAKE(call->callback);
    call_forget(call);
    callback(call->arg, answer);
}

void call_answer_full(struct call *call, const struct broker_answer *answer)
{
    if (call->callback)
        call_tell(call, answer);
    free(call->operator);
    free(call->because);
    free(call);
}

void call_answer(struct call *call, enum reason reason, enum reason_action action)
{
    struct broker_answer answer = {
        .success = reason == REASON_NONE,
        .reason = reason,
        .action = action != ACTION_NONE ? action : reason_info(reason)->action,
        .timeout_s = -1,
    };
    call_answer_full(call, &answer);
}

void call_refuse_later(struct call *call, enum reason reason)
{
    call->reason = reason;
    LL_PREPEND2(call->broker->due_calls, call, due_next);
    due_schedule(call->broker, 0);
}

void calls_sweep(struct broker *broker)
{
    int64_t now = clock_monotonic_ms();
    struct call *call, *next;
    DL_FOREACH_SAFE (broker->calls, call, next) {
        if (call->deadline_ms > now)
            continue;
        struct broker_answer answer = {
            .reason = REASON_OUTCOME_UNKNOWN, .action = ACTION_RETRY, .timeout_s = -1};
        call_tell(call, &answer); /* its step goes on; the object goes when that ends */
    }
}

struct call *call_new(struct broker *broker, enum call_kind kind, int64_t integrator_id,
                      const char *ref)
{
    struct call *call = memory_zero(1, sizeof *call);
    call->kind = kind;
    call->integrator_id = integrator_id;
    call->broker = broker;
    call->deadline_ms = clock_monotonic_ms() + broker->options.call_deadline_ms;
    snprintf(call->ref, sizeof call->ref, "%s", ref);
    DL_APPEND(broker->calls, call);
    broker->call_count++;
    return call;
}

bool call_admit(struct call *call)
{
    struct broker *broker = call->broker;
    if (!broker->ready || !store_ready(broker->store))
        call_refuse_later(call, REASON_STORE_UNAVAILABLE);
    else if (broker->call_count > (size_t)broker->options.calls_max)
        call_refuse_later(call, REASON_RATE_LIMITED);
    else
        return true;
    return false;
}

void call_post(struct machine *machine, struct call *call)
{
    if (machine->waiting >= MAILBOX_MAX) {
        call_refuse_later(call, REASON_RATE_LIMITED);
        return;
    }
    struct input *input = input_new(INPUT_CALL);
    input->call = call;
    mailbox_post_later(machine, input);
}

/* A machine that was not granted does not exist for the caller. */
static bool machine_exists_for(const struct call *call)
{
    return fleet_directory_find(call->broker->directory, call->vm_id) &&
           people_granted(call->broker->people, call->integrator_id, call->vm_id);
}

void broker_lock(struct broker *broker, const struct broker_lock_call *given,
                 broker_answer_cb *callback, void *arg)
{
    struct call *call = call_new(broker, CALL_LOCK, given->integrator_id, given->ref);
    call->callback = callback;
    call->arg = arg;
    call->balance = given->balance;
    snprintf(call->vm_id, sizeof call->vm_id, "%s", given->vm_id);
    if (!call_admit(call))
        return;
    if (!machine_exists_for(call))
        call_refuse_later(call, REASON_MACHINE_UNKNOWN);
    else
        call_post(broker_machine_get(broker, call->vm_id), call);
}

void broker_paid(struct broker *broker, const struct broker_paid_call *given,
                 broker_answer_cb *callback, void *arg)
{
    struct call *call = call_new(broker, CALL_PAID, given->integrator_id, given->ref);
    call->callback = callback;
    call->arg = arg;
    call->price = given->price;
    call->discount = given->discount;
    call->surcharge = given->surcharge;
    if (!call_admit(call))
        return;
    struct live *live = live_find(broker, call->integrator_id, call->ref);
    if (live)
        call_post(live->machine, call);
    else
        call_settle_from_store(call);
}

void broker_unlock(struct broker *broker, const struct broker_unlock_call *given,
                   broker_answer_cb *callback, void *arg)
{
    struct call *call = call_new(broker, CALL_UNLOCK, given->integrator_id, given->ref);
    call->callback = callback;
    call->arg = arg;
    snprintf(call->vm_id, sizeof call->vm_id, "%s", given->vm_id);
    if (!call_admit(call))
        return;
    if (!machine_exists_for(call)) {
        call_refuse_later(call, REASON_MACHINE_UNKNOWN);
        return;
    }
    /* The machine's mailbox even if nothing is live yet: a lock of this ref may stand before us in
     * it. */
    struct live *live = live_find(broker, call->integrator_id, call->ref);
    call_post(live ? live->machine : broker_machine_get(broker, call->vm_id), call);
}

void broker_keys(struct broker *broker, const struct broker_keys_call *given,
                 broker_answer_cb *callback, void *arg)
{
    struct call *call = call_new(broker, CALL_KEYS, given->integrator_id, given->ref);
    call->callback = callback;
    call->arg = arg;
    snprintf(call->vm_id, sizeof call->vm_id, "%s", given->vm_id);
    assert(given->count <= ARRAY_SIZE(call->keys));
    memcpy(call->keys, given->keys, given->count * sizeof call->keys[0]);
    call->key_count = given->count;
    if (!call_admit(call))
        return;
    if (!machine_exists_for(call)) {
        call_refuse_later(call, REASON_MACHINE_UNKNOWN);
        return;
    }
    struct live *live = live_find(broker, call->integrator_id, call->ref);
    call_post(live ? live->machine : broker_machine_get(broker, call->vm_id), call);
}

void call_work(struct machine *machine, struct input *input)
{
    switch (input->call->kind) {
    case CALL_LOCK:
        call_lock_work(machine, input);
        return;
    case CALL_PAID:
        call_paid_work(machine, input);
        return;
    case CALL_UNLOCK:
        call_unlock_work(machine, input);
        return;
    case CALL_KEYS:
        call_keys_work(machine, input);
        return;
    case CALL_VERDICT:
        call_verdict_work(machine, input);
        return;
    case CALL_RELEASE:
        call_release_work(machine, input);
        return;
    }
    assert(!"a call has a kind");
}

static void ref_spent(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    (void)result;
    struct call *call = arg;
    if (outcome == STORE_APPLIED)
        call_answer(call, REASON_TXN_UNKNOWN, ACTION_REFUND);
    else if (outcome == STORE_CONFLICT && ++call->tries < LOOKUP_TRIES_MAX)
        call_settle_from_store(call); /* it exists by now */
    else
        call_answer(call, REASON_STORE_UNAVAILABLE, ACTION_NONE);
}

static void unknown_settle(struct call *call)
{
    if (call->kind == CALL_PAID)
        store_txn_spend(call->broker->store, call->integrator_id, call->ref,
                        "{\"reason\":\"paid without a lock\"}", ref_spent, call);
    else
        call_answer(call, REASON_TXN_UNKNOWN, ACTION_NONE);
}

/* A ref that another took over is answered with that one, so that a caller who missed the rename
 * can still unlock. */
static void final_answer(struct call *call, const struct txn_record *txn, enum reason reason,
                         enum reason_action action)
{
    struct broker_answer answer = {
        .success = reason == REASON_NONE,
        .reason = reason,
        .action = action != ACTION_NONE ? action : reason_info(reason)->action,
        .timeout_s = -1,
        .txn_ref =
            reason == REASON_REF_SUPERSEDED && txn->successor_ref[0] ? txn->successor_ref : NULL,
    };
    call_answer_full(call, &answer);
}

static void final_settle(struct call *call, const struct txn_record *txn)
{
    if (call->vm_id[0] != '\0' && txn->vm_id[0] != '\0' && strcmp(call->vm_id, txn->vm_id) != 0) {
        call_answer(call, REASON_TXN_MACHINE_MISMATCH, ACTION_NONE);
        return;
    }
    if (call->kind == CALL_PAID) {
        struct txn_payment payment = {
            .price = call->price, .discount = call->discount, .surcharge = call->surcharge};
        struct txn_payment_verdict verdict;
        txn_judge_payment(txn, &payment, &(struct txn_limits){.scale = 1}, &verdict);
        final_answer(call, txn, verdict.reason, verdict.action);
        return;
    }
    enum reason reason = txn_judge_unlock(txn);
    if (call->kind == CALL_KEYS && reason == REASON_NONE)
        reason = REASON_ALREADY_CLOSED;
    final_answer(call, txn, reason, ACTION_NONE);
}

static void ref_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    struct call *call = arg;
    if (outcome != STORE_APPLIED) {
        call_answer(call, outcome == STORE_FAILED ? REASON_INTERNAL : REASON_STORE_UNAVAILABLE,
                    ACTION_NONE);
        return;
    }
    if (!txn) {
        unknown_settle(call);
        return;
    }
    if (txn_state_final(txn->state)) {
        final_settle(call, txn);
        return;
    }
    struct live *live = live_find(call->broker, call->integrator_id, call->ref);
    if (live)
        call_post(live->machine, call); /* it came alive meanwhile */
    else
        call_answer(call, REASON_MACHINE_NOT_READY, ACTION_RETRY); /* another process holds it */
}

void call_settle_from_store(struct call *call)
{
    store_txn_find(call->broker->store, call->integrator_id, call->ref, ref_found, call);
}
