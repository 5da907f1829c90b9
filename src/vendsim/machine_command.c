#include "base/clock.h"
#include "base/memory.h"
#include "vendsim/machine.h"
#include "vendsim/machine_private.h"

#include <string.h>

/* What a command means for the story, and where misfortune may wait around it. */
static const struct {
    const char *op;
    const char *received, *answered;
    enum point before, taken, replied;
} OPS[] = {
    {"hello", "hello received", "hello answered", POINT_NONE, POINT_NONE, POINT_NONE},
    {"lock", "lock received", "lock answered", POINT_LOCK_RECEIVED, POINT_LOCK_TAKEN,
     POINT_LOCK_REPLIED},
    {"approve", "approve received", "approve answered", POINT_APPROVE_RECEIVED, POINT_APPROVE_TAKEN,
     POINT_APPROVE_REPLIED},
    {"keys", "keys received", "keys answered", POINT_NONE, POINT_NONE, POINT_NONE},
    {"deny", "deny received", "deny answered", POINT_NONE, POINT_NONE, POINT_NONE},
    {"unlock", "unlock received", "unlock answered", POINT_NONE, POINT_NONE, POINT_NONE},
    {"query", "query received", "query answered", POINT_NONE, POINT_NONE, POINT_NONE},
    {"", "command received", "command answered", POINT_NONE, POINT_NONE, POINT_NONE},
};

static const char *op_of(const json_t *command)
{
    const char *op = json_string_value(json_object_get(command, "op"));
    return op ? op : "";
}

static bool is_op(const json_t *command, const char *op)
{
    return strcmp(op_of(command), op) == 0;
}

static int64_t integer(const json_t *command, const char *name)
{
    const json_t *value = json_object_get(command, name);
    return json_is_integer(value) ? json_integer_value(value) : LEDGER_NONE;
}

/* The last row stands for every other op. */
static size_t find_op(const json_t *command)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(OPS) - 1 && !is_op(command, OPS[i].op))
        i++;
    return i;
}

static void send_status(struct machine *machine)
{
    int mid;
    /* QoS 0: lost is lost. */
    int result = wire_publish(machine->wire, WIRE_STATUS,
                              "{\"signal\":-67,\"temperature\":5,\"door\":\"closed\"}", &mid);
    if (result == 0)
        machine_tell(machine, "status sent", NULL);
}

static void react(struct machine *machine, const json_t *command, enum device_effect effect)
{
    switch (effect) {
    case DEVICE_ONLINE:
        machine->online = true;
        machine->failures = 0;
        machine_tell(machine, "online", NULL);
        send_status(machine);
        machine_flush(machine);
        break;
    case DEVICE_SESSION_OPENED:
        machine_session_open(machine, integer(command, "timeout_s"));
        break;
    case DEVICE_SESSION_CLOSED:
        machine_session_stop(machine);
        break;
    case DEVICE_KEYS_PRESSED:
        machine_session_keys(machine);
        break;
    case DEVICE_TAKEN:
        machine_session_dispense(machine);
        break;
    case DEVICE_RESEND:
        machine_flush(machine);
        break;
    case DEVICE_REBOOT:
        machine_strike(machine, MISFORTUNE_POWER_LOSS);
        break;
    case DEVICE_DENIED:
    case DEVICE_NOTHING:
        break;
    }
}

static void answer(struct machine *machine, const char *what, json_t *reply)
{
    _cleanup_(memory_text_free) char *body = json_dumps(reply, JSON_COMPACT | JSON_PRESERVE_ORDER);
    int mid;
    if (wire_publish(machine->wire, WIRE_REPLIES, body, &mid) == 0)
        machine_tell(machine, what, json_incref(reply));
    /* Else the link is breaking: the gateway asks again on the next one. */
}

/* What the session's plan makes of a lock, before the device sees it. False: it never does. */
static bool prepare_lock(struct machine *machine, const json_t *command)
{
    machine_session_plan(machine, integer(command, "session"));
    const struct behaviour *behaviour = &machine->plan.behaviour;
    device_refuse_locks(machine->device,
                        behaviour->lock == LOCK_REFUSE ? behaviour->refusal : NULL);
    return behaviour->lock != LOCK_MUTE;
}

/* A misfortune after the reply was decided takes the reply with it; unless the power went, too, the
 * machine goes on with what it has decided. */
static void work_off(struct machine *machine, const json_t *command, int64_t waited_ms)
{
    size_t op = find_op(command);
    enum device_effect effect;
    bool heard = !is_op(command, "lock") || prepare_lock(machine, command);
    machine_tell(machine, OPS[op].received, json_deep_copy(command));
    if (!heard || machine_strikes(machine, OPS[op].before))
        return;
    json_t *reply = device_command(machine->device, command, waited_ms, &effect);
    if (!reply)
        return;
    bool done = effect == DEVICE_SESSION_OPENED || effect == DEVICE_TAKEN;
    if (!done || !machine_strikes(machine, OPS[op].taken)) {
        answer(machine, OPS[op].answered, reply);
        if (done)
            (void)machine_strikes(machine, OPS[op].replied);
    }
    if (machine->powered)
        react(machine, command, effect);
    json_decref(reply);
}

static struct waiting_command queue_take(struct machine *machine)
{
    struct waiting_command head = machine->queue[0];
    machine->queue_size--;
    memmove(machine->queue, machine->queue + 1, machine->queue_size * sizeof(machine->queue[0]));
    return head;
}

/* How much longer the command at the head is to be held back. */
static int64_t hold_ms(const struct machine *machine)
{
    const struct waiting_command *head = &machine->queue[0];
    int64_t ttl_ms = integer(head->command, "ttl_ms");
    int64_t left_ms = head->arrived_ms + ttl_ms - clock_monotonic_ms();
    bool held = machine->plan.behaviour.late && is_op(head->command, "approve");
    return held && left_ms > 0 ? left_ms : 0;
}

/* Strictly in order: while one is held back, the others wait behind it. */
static void work(struct machine *machine)
{
    while (machine->queue_size > 0 && !timer_running(machine->hold)) {
        int64_t wait_ms = hold_ms(machine);
        if (wait_ms > 0) {
            timer_start(machine->hold, wait_ms);
            return;
        }
        struct waiting_command head = queue_take(machine);
        work_off(machine, head.command, clock_monotonic_ms() - head.arrived_ms);
        json_decref(head.command);
    }
}

void machine_commands_held(void *arg)
{
    work(arg);
}

/* Worked off at the loop's edge: inside libmosquitto's callback a reply would only be queued, and a
 * misfortune that is to strike after it would swallow it. */
void machine_command_arrived(struct machine *machine, const char *bytes, size_t size)
{
    json_t *command = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(command) || machine->queue_size == MACHINE_QUEUE_MAX) {
        machine_tell(machine, json_is_object(command) ? "command queue full" : "senseless command",
                     NULL);
        json_decref(command);
        return;
    }
    machine->queue[machine->queue_size++] = (struct waiting_command){
        .command = command,
        .arrived_ms = clock_monotonic_ms(),
    };
    if (!timer_running(machine->hold))
        timer_start(machine->hold, 0);
}

void machine_commands_forget(struct machine *machine)
{
    timer_stop(machine->hold);
    while (machine->queue_size > 0)
        json_decref(queue_take(machine).command);
}
