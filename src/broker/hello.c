/* hello.c - the handshake after each connection: what the machine remembers against what is on
 * disk. */
#include "broker/internal.h"

#include "base/crash_point.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define HELLO_TTL_MS 10000
#define STRAY_TTL_MS 30000

void hello_send(struct machine *machine)
{
    const struct live *live = machine->live;
    int64_t open = machine->open ? machine->open->txn.session : -1;
    struct machine_command command = {
        .op = MACHINE_OP_HELLO,
        .ttl_ms = HELLO_TTL_MS,
        .session = live ? live->txn.session : open,
        .request = live && live->txn.state != TXN_WITHDRAWN ? live->txn.request : -1,
        .have_epoch = machine->sequence.event_epoch,
        .have_seq = machine->sequence.mark,
        .new_epoch = machine->new_epoch,
    };
    broker_machine_send(machine, &command);
}

static bool hello_names(const struct machine_reply *reply, const struct txn_record *txn)
{
    if (reply->session != txn->session)
        return false;
    switch (txn->state) {
    case TXN_LOCKED: /* a choice we have not heard of yet is on its way as an event */
    case TXN_WITHDRAWN:
        return true;
    case TXN_PAID:
        return reply->request == txn->request && strcmp(reply->journal, txn->journal) == 0;
    default:
        return reply->request == txn->request;
    }
}

/* What `last` says of the live approval, if it says anything that moves it. */
static enum txn_event last_event(const struct machine_reply *reply, const struct txn_record *txn)
{
    if (!reply->last || txn->approval[0] == '\0' ||
        strcmp(reply->last_approval, txn->approval) != 0)
        return TXN_EVENT_NONE;
    struct txn_evidence evidence = {.word = approval_word(reply->last_state),
                                    .journal = reply->journal,
                                    .on_bus = reply->last_on_bus};
    enum txn_event event = txn_judge_evidence(txn, &evidence);
    struct txn_step step;
    if (event == TXN_EVENT_NONE || !txn_step(txn->state, event, &step) || step.next == txn->state)
        return TXN_EVENT_NONE;
    return event;
}

static void online_begin(struct machine *machine, const struct machine_reply *reply)
{
    const struct live *live = machine->live;
    if (machine->presence == PRESENCE_ONLINE)
        return; /* only its step is decided again */
    machine->presence = PRESENCE_ONLINE;
    machine->new_epoch = false;
    machine->hole_asked = -1;
    log_info("machine_online", LOG_TEXT("vm", machine->vm_id),
             LOG_INT("generation", machine->owner_epoch));
    machine_link_online(machine->broker->link, machine->vm_id);
    CRASH_POINT(after_online);
    late_hello_look(machine, reply);
    if (machine->open && machine->open->txn.session != reply->session)
        open_session_end(machine, false);
    if (reply->session < 0 || (live && live->txn.session == reply->session) || machine->open)
        return;
    struct machine_command unlock = {
        .op = MACHINE_OP_UNLOCK, .ttl_ms = STRAY_TTL_MS, .session = reply->session, .request = -1};
    broker_machine_send(machine, &unlock);
}

static void hello_settle(struct machine *machine)
{
    const struct machine_reply *reply = &machine->current->reply;
    online_begin(machine, reply);
    struct live *live = machine->live;
    if (!live) {
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    enum txn_event event = last_event(reply, &live->txn);
    if (event == TXN_EVENT_NONE)
        event = hello_names(reply, &live->txn) ? TXN_HELLO_SAME : TXN_HELLO_OTHER;
    plan_init(&plan, live, event, "machine");
    plan.code = evidence_vend_code(event, reply->last_code, NULL);
    json_t *body = json_loadb(reply->raw, reply->raw_size, 0, NULL);
    plan.evidence = json_pack("{s:o}", "hello", body ? body : json_null());
    step_take(machine, &plan);
}

/* The connection may have gone or been replaced while something was committed. */
static bool hello_current(const struct machine *machine)
{
    return machine->current->connection == machine->connection &&
           machine->presence >= PRESENCE_WELCOME;
}

static void journal_saved(void *arg, enum store_outcome outcome)
{
    struct machine *machine = arg;
    if (outcome != STORE_APPLIED) {
        if (outcome != STORE_UNAVAILABLE)
            machine_link_cut(machine->broker->link, machine->vm_id, LINK_DOWN_NOT_WELCOME);
        input_done(machine, outcome);
        return;
    }
    snprintf(machine->journal, sizeof machine->journal, "%s", machine->current->reply.journal);
    if (hello_current(machine))
        hello_settle(machine);
    else
        input_done(machine, STORE_APPLIED);
}

static void presence_saved(void *arg, enum store_outcome outcome)
{
    (void)arg;
    (void)outcome; /* for people's eyes only; the next change writes it again */
}

/* May run again for the same reply: a conflict, or a store that came back. */
void hello_work(struct machine *machine, struct input *input)
{
    const struct machine_reply *reply = &input->reply;
    if (!hello_current(machine)) { /* an answer of a connection that is no more */
        input_done(machine, STORE_APPLIED);
        return;
    }
    if (!reply->ok || reply->journal[0] == '\0') {
        log_warning("hello_refused", LOG_TEXT("vm", machine->vm_id),
                    LOG_TEXT("reason", reply->reason),
                    LOG_TEXT("remedy", "the machine must answer hello with ok and its journal id"));
        machine_link_cut(machine->broker->link, machine->vm_id, LINK_DOWN_PROTOCOL);
        input_done(machine, STORE_APPLIED);
        return;
    }
    CRASH_POINT(after_hello_before_online);
    if (machine->presence != PRESENCE_ONLINE)
        store_machine_presence_save(machine->broker->store, machine->vm_id, machine->owner_epoch,
                                    true, NULL, presence_saved, NULL);
    if (strcmp(machine->journal, reply->journal) == 0) {
        hello_settle(machine);
        return;
    }
    if (machine->journal[0] != '\0')
        log_warning("journal_changed", LOG_TEXT("vm", machine->vm_id),
                    LOG_TEXT("before", machine->journal), LOG_TEXT("now", reply->journal));
    store_machine_journal_save(machine->broker->store, machine->vm_id, machine->owner_epoch,
                               reply->journal, journal_saved, machine);
}
