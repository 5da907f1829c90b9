/* replies.c - a machine's answers to commands, read as evidence. */
#include "broker/internal.h"

#include "base/log.h"

#include <string.h>

enum txn_approval_word approval_word(enum approval_state state)
{
    switch (state) {
    case APPROVAL_TAKEN:
        return TXN_WORD_TAKEN;
    case APPROVAL_DISPENSED:
        return TXN_WORD_DISPENSED;
    case APPROVAL_NOT_DISPENSED:
        return TXN_WORD_NOT_DISPENSED;
    case APPROVAL_INTERRUPTED:
        return TXN_WORD_INTERRUPTED;
    case APPROVAL_VOID:
        return TXN_WORD_VOID;
    case APPROVAL_NEVER_SEEN:
        return TXN_WORD_NEVER_SEEN;
    case APPROVAL_FORGOTTEN:
        return TXN_WORD_FORGOTTEN;
    case APPROVAL_UNSAID:
        break;
    }
    return TXN_WORD_NONE;
}

/* A refusal voids the approval only for the reasons that the protocol says do. */
static enum txn_approval_word refusal_word(const char *reason)
{
    static const char *const VOIDING[] = {"stale", "expired", "session_over", "void"};
    for (size_t i = 0; i < ARRAY_SIZE(VOIDING); i++)
        if (strcmp(reason, VOIDING[i]) == 0)
            return TXN_WORD_VOID;
    return TXN_WORD_WRONG_JOURNAL;
}

enum txn_approval_word reply_word(const struct machine_reply *reply)
{
    if (reply->state != APPROVAL_UNSAID)
        return approval_word(reply->state);
    if (reply->op != MACHINE_OP_APPROVE)
        return TXN_WORD_NONE;
    return reply->ok ? TXN_WORD_TAKEN : refusal_word(reply->reason);
}

static json_t *reply_evidence(const struct machine_reply *reply)
{
    json_t *body = json_loadb(reply->raw, reply->raw_size, 0, NULL);
    return json_pack("{s:s, s:o}", "op", machine_op_name(reply->op), "reply",
                     body ? body : json_null());
}

static void reply_step(struct machine *machine, enum txn_event event, int code)
{
    struct plan plan;
    plan_init(&plan, machine->live, event, "machine");
    plan.code = code;
    plan.evidence = reply_evidence(&machine->current->reply);
    step_take(machine, &plan);
}

static void lock_reply(struct machine *machine, const struct machine_reply *reply)
{
    static const enum reason REASONS[] = {
        [LOCK_REFUSAL_OTHER] = REASON_MACHINE_NOT_READY,
        [LOCK_REFUSAL_CASH_IN_USE] = REASON_MACHINE_BUSY,
        [LOCK_REFUSAL_OUT_OF_SERVICE] = REASON_MACHINE_FAULT,
        [LOCK_REFUSAL_DOOR_OPEN] = REASON_MACHINE_FAULT,
        [LOCK_REFUSAL_READER_NOT_READY] = REASON_MACHINE_NOT_READY,
        [LOCK_REFUSAL_UPDATING] = REASON_MACHINE_NOT_READY,
    };
    if (!reply->ok)
        machine->refused_reason = REASONS[reply->lock_refusal];
    reply_step(machine, reply->ok ? TXN_LOCK_ACCEPTED : TXN_LOCK_REFUSED, 0);
}

/* An answer to approve or query: what the device's journal says of the approval. */
static void approval_reply(struct machine *machine, const struct machine_reply *reply)
{
    struct live *live = machine->live;
    struct txn_evidence evidence = {
        .word = reply_word(reply), .journal = reply->journal, .on_bus = reply->on_bus};
    enum txn_event event = txn_judge_evidence(&live->txn, &evidence);
    struct txn_step step;
    bool settles = event != TXN_EVENT_NONE && txn_step(live->txn.state, event, &step) &&
                   step.next != live->txn.state;
    if (live->expiring && !settles && strcmp(reply->command_id, live->query_id) == 0) {
        if (live->heard)
            act_query(live); /* its backlog is still coming, and may hold the outcome */
        else
            doubt_policy_apply(machine); /* asked after the deadline, and no wiser */
    }
    if (event == TXN_INTERRUPTED_ON_BUS && live->interrupted) {
        input_done(machine, STORE_APPLIED); /* said before; the policy holds it for a person */
        return;
    }
    if (event == TXN_EVENT_NONE) {
        log_warning("reply_without_state", LOG_TEXT("vm", machine->vm_id),
                    LOG_TEXT("op", machine_op_name(reply->op)), LOG_INT("txn", live->txn.id));
        input_done(machine, STORE_APPLIED);
        return;
    }
    reply_step(machine, event, evidence_vend_code(event, reply->code, reply->reason));
}

void reply_work(struct machine *machine, struct input *input)
{
    const struct machine_reply *reply = &input->reply;
    struct live *live = machine->live;
    if (reply->op == MACHINE_OP_HELLO) {
        hello_work(machine, input);
        return;
    }
    bool ours = live && reply->txn_id == live->txn.id;
    if (ours && reply->op == MACHINE_OP_LOCK) {
        lock_reply(machine, reply);
        return;
    }
    if (reply->op == MACHINE_OP_APPROVE || reply->op == MACHINE_OP_QUERY) {
        if (ours && strcmp(reply->approval, live->txn.approval) == 0)
            approval_reply(machine, reply);
        else
            late_work(machine, input);
        return;
    }
    if (ours && reply->op == MACHINE_OP_KEYS)
        live->keys_sent_ms = 0;
    input_done(machine, STORE_APPLIED);
}
