#include "broker/internal.h"

#include "base/log.h"
#include "base/memory.h"

#define STORE_FULL_RETRY_MS 20

struct input *input_new(enum input_kind kind)
{
    struct input *input = memory_zero(1, sizeof *input);
    input->kind = kind;
    return input;
}

void input_free(struct input **input)
{
    if (!*input)
        return;
    free((*input)->raw);
    free((*input)->problem);
    json_decref((*input)->json);
    free(*input);
    *input = NULL;
}

static void input_work(struct machine *machine, struct input *input)
{
    switch (input->kind) {
    case INPUT_CALL:
        call_work(machine, input);
        return;
    case INPUT_EVENT:
        event_work(machine, input);
        return;
    case INPUT_REPLY:
        reply_work(machine, input);
        return;
    case INPUT_SIGNAL:
        signal_work(machine, input);
        return;
    case INPUT_EXPIRED:
        expired_work(machine, input);
        return;
    case INPUT_NUDGE:
        nudge_work(machine, input);
        return;
    case INPUT_ARRIVED:
        arrived_work(machine, input);
        return;
    case INPUT_ABSENT:
        absent_work(machine, input);
        return;
    case INPUT_LATE:
        late_work(machine, input);
        return;
    case INPUT_REVIEW:
        review_work(machine, input);
        return;
    }
    assert(!"an input has a kind");
}

/* Without a store nothing can be promised: calls are refused, the rest waits for the store's
 * return. */
static void calls_refuse(struct machine *machine)
{
    struct input *input, *next;
    DL_FOREACH_SAFE (machine->mailbox, input, next) {
        if (input->kind != INPUT_CALL)
            continue;
        DL_DELETE(machine->mailbox, input);
        machine->waiting--;
        call_answer(input->call, REASON_STORE_UNAVAILABLE, ACTION_NONE);
        input_free(&input);
    }
}

void mailbox_turn(struct machine *machine)
{
    /* During recovery a step could owe a callback that overtakes those still being read. */
    if (machine->turning || !machine->broker->ready)
        return;
    machine->turning = true;
    while (!machine->current && machine->mailbox) {
        if (!store_ready(machine->broker->store)) {
            calls_refuse(machine);
            break;
        }
        struct input *input = machine->mailbox;
        DL_DELETE(machine->mailbox, input);
        machine->waiting--;
        machine->current = input;
        input_work(machine, input);
    }
    machine->turning = false;
}

void input_retry(struct machine *machine)
{
    assert(machine->current);
    input_work(machine, machine->current);
}

void mailbox_post(struct machine *machine, struct input *input)
{
    DL_APPEND(machine->mailbox, input);
    machine->waiting++;
    mailbox_turn(machine);
}

void mailbox_post_first(struct machine *machine, struct input *input)
{
    DL_PREPEND(machine->mailbox, input);
    machine->waiting++;
}

void due_schedule(struct broker *broker, int64_t delay_ms)
{
    if (!timer_running(broker->due_timer))
        timer_start(broker->due_timer, delay_ms);
}

static void machine_due(struct machine *machine, int64_t delay_ms)
{
    if (!machine->next_due) {
        machine->next_due = true;
        LL_PREPEND2(machine->broker->due, machine, due_next);
    }
    due_schedule(machine->broker, delay_ms);
}

void mailbox_post_later(struct machine *machine, struct input *input)
{
    DL_APPEND(machine->mailbox, input);
    machine->waiting++;
    machine_due(machine, 0);
}

void mailbox_signal(struct machine *machine, enum txn_event event, int64_t txn_id)
{
    struct input *input = input_new(INPUT_SIGNAL);
    input->signal = event;
    input->txn_id = txn_id;
    mailbox_post(machine, input);
}

void mailbox_due(void *arg)
{
    struct broker *broker = arg;
    struct call *call = TAKE(broker->due_calls);
    while (call) {
        struct call *next = call->due_next;
        call_answer(call, call->reason, ACTION_NONE);
        call = next;
    }
    struct machine *machine = TAKE(broker->due);
    while (machine) {
        struct machine *next = machine->due_next;
        machine->next_due = false;
        mailbox_turn(machine);
        machine = next;
    }
}

void mailbox_signal_next(struct machine *machine, enum txn_event event)
{
    if (!machine->live)
        return;
    struct input *input = input_new(INPUT_SIGNAL);
    input->signal = event;
    input->txn_id = machine->live->txn.id;
    mailbox_post_first(machine, input);
}

static void call_done(struct input *input, enum store_outcome outcome)
{
    struct call *call = TAKE(input->call);
    if (!call)
        return; /* it waits for the machine's answer */
    switch (outcome) {
    case STORE_APPLIED:
        call_answer(call, input->reason, input->action);
        return;
    case STORE_CONFLICT:
        call_answer(call, REASON_MACHINE_NOT_READY, ACTION_RETRY);
        return;
    case STORE_FAILED:
        call_answer(call, REASON_INTERNAL, ACTION_NONE);
        return;
    case STORE_UNAVAILABLE:
        call_answer(call, REASON_STORE_UNAVAILABLE, ACTION_NONE);
        return;
    }
}

static void event_done(struct machine *machine, struct input *input, enum store_outcome outcome)
{
    enum event_ack ack = EVENT_REFUSED;
    if (outcome == STORE_APPLIED && !input->refused) {
        ack = input->event.kind == MACHINE_EVENT_UNREADABLE ? EVENT_UNREADABLE : EVENT_STORED;
        if (!input->old && input->event.numbered)
            machine->sequence = input->sequence;
    }
    machine_link_ack(machine->broker->link, input->ticket, ack);
}

/* PostgreSQL refuses it, and would each time the machine sends it again: what was read from it is
 * dropped, what was said is kept. */
static void event_distrust(struct machine *machine, struct input *input)
{
    input->distrusted = true;
    input->event.kind = MACHINE_EVENT_UNREADABLE;
    input->event.time_s = 0;
    input->event.problem = "the database refused its fields";
    machine->current = input;
    input_retry(machine);
}

void input_done(struct machine *machine, enum store_outcome outcome)
{
    struct input *input = TAKE(machine->current);
    assert(input);
    if (outcome == STORE_UNAVAILABLE && input->kind != INPUT_CALL) {
        /* Nothing was changed: it waits at the head until the store takes operations again. */
        mailbox_post_first(machine, input);
        if (store_ready(machine->broker->store))
            machine_due(machine, STORE_FULL_RETRY_MS);
        else
            mailbox_turn(machine); /* refuses the calls that wait behind it */
        return;
    }
    if (outcome == STORE_FAILED && input->kind == INPUT_EVENT && !input->distrusted) {
        event_distrust(machine, input);
        return;
    }
    if (input->kind == INPUT_CALL)
        call_done(input, outcome);
    else if (input->kind == INPUT_EVENT)
        event_done(machine, input, outcome);
    input_free(&input);
    event_hole_ask(machine);
    if (machine->broker->draining)
        drain_check(machine->broker);
    mailbox_turn(machine);
}
