/* device_command.c - what a machine does with each command (machine-protocol.md, "Commands and
 * replies"). */
#include "base/macros.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct device_approval *device_approval_find(struct device *device, const char *approval)
{
    for (size_t i = 0; i < device->flash.approval_count; i++)
        if (strcmp(device->flash.approvals[i].approval, approval) == 0)
            return &device->flash.approvals[i];
    return NULL;
}

/* The oldest whose story is over. */
static void approval_forget(struct device *device)
{
    struct device_flash *flash = &device->flash;
    size_t at = strcmp(flash->approvals[0].approval, device->vending) == 0 ? 1 : 0;
    flash->approval_count--;
    memmove(&flash->approvals[at], &flash->approvals[at + 1],
            (flash->approval_count - at) * sizeof flash->approvals[0]);
}

static struct device_approval *approval_write(struct device *device,
                                              const struct machine_command *command,
                                              enum approval_state state)
{
    struct device_flash *flash = &device->flash;
    if (flash->approval_count == DEVICE_APPROVALS_MAX)
        approval_forget(device);
    struct device_approval *approval = &flash->approvals[flash->approval_count++];
    *approval = (struct device_approval){.n = command->n, .state = state, .code = -1};
    memcpy(approval->approval, command->approval, sizeof approval->approval);
    if (command->n > flash->highest_n)
        flash->highest_n = command->n;
    return approval;
}

static void refuse(struct machine_reply *reply, const char *reason)
{
    reply->ok = false;
    snprintf(reply->reason, sizeof reply->reason, "%s", reason);
}

static void tell_state(const struct device_approval *approval, struct machine_reply *reply)
{
    reply->state = approval->state;
    reply->code = approval->code;
    reply->on_bus = approval->on_bus;
}

/* --- hello --- */

/* Our own pair is below what the gateway has: this flash is not the one that said those things. */
static void begin_anew(struct device *device, int64_t have_epoch, bool lost)
{
    struct device_flash *flash = &device->flash;
    flash->event_epoch = have_epoch + 1;
    flash->next_seq = 0;
    if (lost)
        snprintf(flash->journal, sizeof flash->journal, "j%016" PRIx64,
                 chance_next(&device->world->chance));
    for (size_t i = 0; i < flash->event_count; i++) {
        flash->events[i].event_epoch = flash->event_epoch;
        flash->events[i].seq = flash->next_seq++;
    }
    trace_add("begins anew", device->vm_id, flash->event_epoch, lost);
}

static void events_drop_stored(struct device_flash *flash, const struct machine_command *hello)
{
    size_t kept = 0;
    for (size_t i = 0; i < flash->event_count; i++)
        if (flash->events[i].event_epoch > hello->have_epoch ||
            (flash->events[i].event_epoch == hello->have_epoch &&
             flash->events[i].seq > hello->have_seq))
            flash->events[kept++] = flash->events[i];
    flash->event_count = kept;
}

static void on_hello(struct device *device, const struct machine_command *command,
                     struct machine_reply *reply)
{
    struct device_flash *flash = &device->flash;
    bool below =
        (flash->fresh && command->have_seq >= 0) || flash->event_epoch < command->have_epoch ||
        (flash->event_epoch == command->have_epoch && flash->next_seq - 1 < command->have_seq);
    if (below || command->new_epoch)
        begin_anew(device,
                   command->have_epoch > flash->event_epoch ? command->have_epoch
                                                            : flash->event_epoch,
                   below);
    flash->fresh = false;
    events_drop_stored(flash, command);
    if (device->session >= 0 && device->session != command->session)
        device_session_end(device);
    reply->session = device->session;
    reply->request = device->request;
    snprintf(reply->journal, sizeof reply->journal, "%s", flash->journal);
    if (flash->approval_count > 0) {
        const struct device_approval *last = &flash->approvals[flash->approval_count - 1];
        reply->last = true;
        memcpy(reply->last_approval, last->approval, sizeof reply->last_approval);
        reply->last_n = last->n;
        reply->last_state = last->state;
        reply->last_code = last->code;
        reply->last_on_bus = last->on_bus;
    }
    device->welcome = true;
    device->sent = 0;
}

/* --- the session --- */

static bool ended_before(const struct device *device, int64_t session)
{
    for (size_t i = 0; i < device->ended_count; i++)
        if (device->ended[i] == session)
            return true;
    return false;
}

static void on_lock(struct device *device, const struct machine_command *command, bool late,
                    struct machine_reply *reply)
{
    static const enum lock_refusal WHY[] = {LOCK_REFUSAL_CASH_IN_USE, LOCK_REFUSAL_OUT_OF_SERVICE,
                                            LOCK_REFUSAL_DOOR_OPEN, LOCK_REFUSAL_READER_NOT_READY,
                                            LOCK_REFUSAL_UPDATING};
    struct chance *chance = &device->world->chance;
    bool moody = !device->world->calm && chance_below(chance, 25) == 0;
    if (late || ended_before(device, command->session) || device_busy(device) || moody) {
        refuse(reply, "reader_not_ready");
        reply->lock_refusal = WHY[chance_below(chance, ARRAY_SIZE(WHY))];
        return;
    }
    if (device->session == command->session)
        return;
    device_session_end(device);
    device->session = command->session;
    device->last_request = chance_between(chance, 0, 5);
    device->keys_n = 0;
    device->session_until_ms = device->world->now_ms + command->timeout_s * 1000;
}

static void on_keys(struct device *device, const struct machine_command *command,
                    struct machine_reply *reply)
{
    if (device->session != command->session) {
        refuse(reply, "session_over");
        return;
    }
    if (command->n > device->keys_n)
        device->keys_n = command->n;
}

static void on_unlock(struct device *device, const struct machine_command *command)
{
    if (device->session != command->session)
        return;
    if (device_busy(device))
        device->ends_when_done = true;
    else
        device_session_end(device);
}

static void on_deny(struct device *device, const struct machine_command *command)
{
    if (device->session == command->session && device->request == command->request &&
        !device_busy(device))
        device->request = -1;
}

/* --- the approval --- */

static const char *objection(const struct device *device, const struct machine_command *command,
                             bool late)
{
    if (late)
        return "expired";
    if (device->session < 0 || device->session != command->session || device->ends_when_done)
        return "session_over";
    if (device_busy(device) || device->request != command->request ||
        device->item != command->item || device->price != command->price)
        return "stale";
    return command->n <= device->flash.highest_n ? "stale" : NULL;
}

static void on_approve(struct device *device, const struct machine_command *command, bool late,
                       struct machine_reply *reply)
{
    snprintf(reply->journal, sizeof reply->journal, "%s", device->flash.journal);
    if (strcmp(command->journal, device->flash.journal) != 0) {
        refuse(reply, "wrong_journal");
        return;
    }
    const struct device_approval *known = device_approval_find(device, command->approval);
    if (known && known->state == APPROVAL_VOID) {
        refuse(reply, known->reason);
        return;
    }
    if (known) {
        tell_state(known, reply);
        return;
    }
    const char *reason = objection(device, command, late);
    if (reason) {
        struct device_approval *approval = approval_write(device, command, APPROVAL_VOID);
        snprintf(approval->reason, sizeof approval->reason, "%s", reason);
        refuse(reply, reason);
        return;
    }
    promise_approval_taken(&device->world->database, device->vm_id, command);
    (void)approval_write(device, command, APPROVAL_TAKEN);
    memcpy(device->vending, command->approval, sizeof device->vending);
    device->fallen = false;
    reply->state = APPROVAL_TAKEN;
}

static void on_query(struct device *device, const struct machine_command *command,
                     struct machine_reply *reply)
{
    snprintf(reply->journal, sizeof reply->journal, "%s", device->flash.journal);
    const struct device_approval *known = device_approval_find(device, command->approval);
    if (known) {
        tell_state(known, reply);
    } else if (command->n > device->flash.highest_n) {
        struct device_approval *approval = approval_write(device, command, APPROVAL_VOID);
        snprintf(approval->reason, sizeof approval->reason, "stale");
        reply->state = APPROVAL_NEVER_SEEN;
    } else {
        reply->state = APPROVAL_FORGOTTEN;
    }
}

/* Events that are gone are filled by a gap; the others are sent again. */
static void on_resend(struct device *device, const struct machine_command *command)
{
    struct device_event gap = {.kind = MACHINE_EVENT_GAP,
                               .session = -1,
                               .request = -1,
                               .gap_from = command->from,
                               .gap_to = command->to};
    for (size_t i = 0; i < device->flash.event_count; i++)
        if (device->flash.events[i].seq >= command->from &&
            device->flash.events[i].seq <= command->to)
            return; /* on its way */
    (void)device_say(device, gap);
}

void device_obey(struct device *device, const struct wire_message *message, int64_t arrived_ms)
{
    const struct machine_command *command = &message->of.command;
    struct wire_message answer = {.kind = WIRE_REPLY};
    struct machine_reply *reply = &answer.of.reply;
    bool late = device->world->now_ms - arrived_ms >= message->ttl_ms;
    memcpy(answer.id, message->id, sizeof answer.id);
    if (message->generation < device->generation)
        return;
    device->generation = message->generation;
    *reply = (struct machine_reply){
        .ok = true, .code = -1, .session = -1, .request = -1, .last_code = -1};
    trace_add("machine obeys", machine_op_name(command->op), device->number, command->session);
    switch (command->op) {
    case MACHINE_OP_HELLO:
        on_hello(device, command, reply);
        break;
    case MACHINE_OP_LOCK:
        on_lock(device, command, late, reply);
        break;
    case MACHINE_OP_KEYS:
        on_keys(device, command, reply);
        break;
    case MACHINE_OP_APPROVE:
        on_approve(device, command, late, reply);
        break;
    case MACHINE_OP_DENY:
        on_deny(device, command);
        break;
    case MACHINE_OP_UNLOCK:
        on_unlock(device, command);
        break;
    case MACHINE_OP_QUERY:
        on_query(device, command, reply);
        break;
    case MACHINE_OP_RESEND:
        on_resend(device, command);
        break;
    default:
        break;
    }
    if (!device->held && !device->world->calm && command->op != MACHINE_OP_HELLO &&
        chance_below(&device->world->chance, 12) == 0) {
        device->held = true;
        device->held_reply = answer;
        return;
    }
    (void)wire_say(device->wire, &answer);
}
