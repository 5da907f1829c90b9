/* late.c - evidence for transactions that have ended: journalled with them; what contradicts the
 * outcome becomes an adjustment and a person is told, but nothing is edited (transaction.md,
 * promise 6). */
#include "broker/internal.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

static void late_noted(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    (void)result;
    struct machine *machine = arg;
    plan_drop(machine);
    input_done(machine, outcome);
}

/* "dispensed" or "not_dispensed"; NULL: it contradicts nothing. */
static const char *contradiction(const struct txn_record *txn, enum txn_event event)
{
    struct txn_step step;
    if (event == TXN_EVENT_NONE || !txn_step(txn->state, event, &step) ||
        !(step.actions & TXN_ADJUST))
        return NULL;
    return event == TXN_DISPENSED ? "dispensed" : "not_dispensed";
}

/* Takes `evidence` over. */
static void late_note(struct machine *machine, const struct txn_record *txn, enum txn_event event,
                      json_t *evidence)
{
    struct store_txn_step store_step;
    struct store_machine_event stored;
    _cleanup_(memory_text_free) char *text = NULL;
    machine->plan =
        (struct plan){.event = event, .actor = "machine", .next = *txn, .evidence = evidence};
    plan_store(machine, txn->state, &store_step, &stored, &text);
    store_step.adjusts = contradiction(txn, event);
    if (store_step.adjusts)
        act_alert(machine, txn, "contrary_evidence");
    store_txn_note(machine->broker->store, &store_step, late_noted, machine);
}

/* --- by event --- */

static void event_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    struct machine *machine = arg;
    const struct machine_event *event = &machine->current->event;
    if (outcome != STORE_APPLIED) {
        input_done(machine, outcome);
        return;
    }
    if (!txn) {
        act_alert(machine, NULL, "unknown_approval");
        event_save(machine, NULL);
        return;
    }
    struct txn_evidence evidence = {.word = event_word(event->kind), .on_bus = event->on_bus};
    late_note(machine, txn, txn_judge_evidence(txn, &evidence), event_evidence(event));
}

void late_event_work(struct machine *machine, const struct machine_event *event)
{
    store_txn_find_approval(machine->broker->store, machine->vm_id, event->approval, event_found,
                            machine);
}

/* --- by reply, and by what hello says of the last approval --- */

struct late_word {
    const char *approval, *journal;
    enum txn_approval_word word;
    bool on_bus;
};

static struct late_word late_word_of(const struct input *input)
{
    const struct machine_reply *reply = &input->reply;
    bool hello = input->kind == INPUT_LATE;
    return (struct late_word){
        .approval = hello ? reply->last_approval : reply->approval,
        .journal = reply->journal,
        .word = hello ? approval_word(reply->last_state) : reply_word(reply),
        .on_bus = hello ? reply->last_on_bus : reply->on_bus,
    };
}

/* Only a contradiction is worth a row: what agrees has been said before. */
static void word_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    struct machine *machine = arg;
    struct late_word late = late_word_of(machine->current);
    struct txn_evidence evidence = {
        .word = late.word, .journal = late.journal, .on_bus = late.on_bus};
    enum txn_event event = txn ? txn_judge_evidence(txn, &evidence) : TXN_EVENT_NONE;
    if (!txn || !contradiction(txn, event)) {
        input_done(machine, outcome);
        return;
    }
    const struct machine_reply *reply = &machine->current->reply;
    json_t *body = json_loadb(reply->raw, reply->raw_size, 0, NULL);
    late_note(machine, txn, event,
              json_pack("{s:s, s:o}", "op", machine_op_name(reply->op), "reply",
                        body ? body : json_null()));
}

void late_work(struct machine *machine, struct input *input)
{
    struct late_word late = late_word_of(input);
    const struct live *live = machine->live;
    bool alive = live && strcmp(live->txn.approval, late.approval) == 0;
    if (alive || late.approval[0] == '\0' || late.word == TXN_WORD_NONE ||
        late.word == TXN_WORD_TAKEN || late.word == TXN_WORD_FORGOTTEN) {
        input_done(machine, STORE_APPLIED);
        return;
    }
    store_txn_find_approval(machine->broker->store, machine->vm_id, late.approval, word_found,
                            machine);
}

void late_hello_look(struct machine *machine, const struct machine_reply *reply)
{
    if (!reply->last || (machine->looked_state == reply->last_state &&
                         strcmp(machine->looked_approval, reply->last_approval) == 0))
        return;
    machine->looked_state = reply->last_state;
    snprintf(machine->looked_approval, sizeof machine->looked_approval, "%s", reply->last_approval);
    struct input *input = input_new(INPUT_LATE);
    input->reply = *reply;
    input->raw = memory_bytes(reply->raw, reply->raw_size);
    input->reply.raw = input->raw;
    mailbox_post_later(machine, input);
}
