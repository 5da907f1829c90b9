/* link.c - the gateway's end of the wires: machine_link/machine_link.h. */
#include "base/macros.h"
#include "base/timer.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <utlist.h>

#define WELCOME_MS 10000
#define COMMAND_ACK_MS 15000
#define KEEP_ALIVE_DEAD_MS 45000
#define PROBE_AFTER_MS 45000
#define IN_FLIGHT_MAX 4
#define QUEUE_MAX 16

void link_init(struct machine_link *link, struct gateway *gateway)
{
    *link = (struct machine_link){.gateway = gateway};
}

void link_add_device(struct machine_link *link, struct device *device)
{
    link->machines[link->machine_count++] =
        (struct link_machine){.vm_id = device->vm_id, .device = device};
}

static void *broker_of(const struct machine_link *link)
{
    return link->gateway->broker;
}

static struct link_machine *machine_of(struct machine_link *link, const char *vm_id)
{
    for (size_t i = 0; i < link->machine_count; i++)
        if (strcmp(link->machines[i].vm_id, vm_id) == 0)
            return &link->machines[i];
    return NULL;
}

static struct machine_link *link_of(const struct wire *wire)
{
    return &wire->device->world->gateway.link;
}

static int64_t now_of(const struct machine_link *link)
{
    return link->gateway->world->now_ms;
}

const char *link_down_reason_name(enum link_down_reason reason)
{
    return reason == LINK_DOWN_TAKEOVER ? "takeover" : "down";
}

/* --- time --- */

/* A device that is there pings; only one that speaks the old protocol is silent for long. */
static void heard_lately(struct wire *wire)
{
    if (!wire->silent && wire->machine_open && !wire->device->quiet)
        wire->heard_ms = now_of(link_of(wire));
}

static int64_t watch_due_ms(const struct wire *wire)
{
    int64_t due = wire->heard_ms + (wire->device->quiet ? 40 : 1) * KEEP_ALIVE_DEAD_MS;
    if (wire->phase_deadline_ms && wire->phase_deadline_ms < due)
        due = wire->phase_deadline_ms;
    for (size_t i = 0; i < wire->command_count; i++) {
        const struct wire_command *command = &wire->commands[i];
        int64_t this_ms = command->state == WIRE_QUEUED ? command->deadline_ms
                          : command->state == WIRE_SENT ? command->sent_ms + COMMAND_ACK_MS
                                                        : INT64_MAX;
        due = this_ms < due ? this_ms : due;
    }
    return due;
}

static void watch_set(struct wire *wire)
{
    if (wire->watch && wire->phase != WIRE_ENDED)
        timer_start(wire->watch, watch_due_ms(wire) - now_of(link_of(wire)));
}

static void command_remove(struct wire *wire, size_t n)
{
    wire->command_count--;
    memmove(&wire->commands[n], &wire->commands[n + 1],
            (wire->command_count - n) * sizeof wire->commands[0]);
}

static void command_drop(struct wire *wire, size_t n, bool sent)
{
    struct machine_link *link = link_of(wire);
    struct machine_command command = wire->commands[n].command;
    command_remove(wire, n);
    link->handlers.dropped(broker_of(link), wire->device->vm_id, &command, sent);
}

static void commands_expire(struct wire *wire)
{
    int64_t now = now_of(link_of(wire));
    for (size_t i = 0; i < wire->command_count;) {
        if (wire->commands[i].state == WIRE_QUEUED && now >= wire->commands[i].deadline_ms)
            command_drop(wire, i, false);
        else
            i++;
    }
}

static bool command_overdue(const struct wire *wire)
{
    int64_t now = now_of(link_of(wire));
    for (size_t i = 0; i < wire->command_count; i++)
        if (wire->commands[i].state == WIRE_SENT &&
            now >= wire->commands[i].sent_ms + COMMAND_ACK_MS)
            return true;
    return false;
}

static void on_watch(void *arg)
{
    struct wire *wire = arg;
    int64_t now = now_of(link_of(wire));
    heard_lately(wire);
    commands_expire(wire);
    if (wire->phase == WIRE_ENDED)
        return;
    if (wire->phase_deadline_ms && now >= wire->phase_deadline_ms)
        link_end(wire, LINK_DOWN_NOT_WELCOME);
    else if (command_overdue(wire))
        link_end(wire, LINK_DOWN_NO_PUBACK);
    else if (now >= wire->heard_ms + (wire->device->quiet ? 40 : 1) * KEEP_ALIVE_DEAD_MS)
        link_end(wire, LINK_DOWN_KEEP_ALIVE);
    else
        watch_set(wire);
}

static void phase_set(struct wire *wire, enum wire_phase phase, int64_t limit_ms)
{
    wire->phase = phase;
    wire->phase_deadline_ms = limit_ms ? now_of(link_of(wire)) + limit_ms : 0;
    watch_set(wire);
}

/* --- commands --- */

static void commands_pump(struct wire *wire)
{
    struct machine_link *link = link_of(wire);
    size_t in_flight = 0;
    if (wire->phase != WIRE_HELLO && wire->phase != WIRE_ONLINE)
        return;
    for (size_t i = 0; i < wire->command_count; i++)
        in_flight += wire->commands[i].state == WIRE_SENT;
    for (size_t i = 0; i < wire->command_count && in_flight < IN_FLIGHT_MAX; i++) {
        struct wire_command *command = &wire->commands[i];
        if (command->state != WIRE_QUEUED || now_of(link) >= command->deadline_ms)
            continue;
        struct wire_message message = {.kind = WIRE_COMMAND,
                                       .ttl_ms = command->deadline_ms - now_of(link),
                                       .generation = wire->generation,
                                       .of.command = command->command};
        memcpy(message.id, command->id, sizeof message.id);
        command->state = WIRE_SENT;
        command->sent_ms = now_of(link);
        if (!wire->silent)
            (void)wire_push(&wire->down, &message);
        in_flight++;
    }
    watch_set(wire);
}

int machine_link_send(struct machine_link *link, const char *vm_id,
                      const struct machine_command *command, char ret_id[COMMAND_ID_SIZE])
{
    struct world *world = link->gateway->world;
    struct wire *wire = machine_of(link, vm_id)->live;
    if (ret_id)
        ret_id[0] = '\0';
    assert(command->ttl_ms > 0);
    bool hello = command->op == MACHINE_OP_HELLO;
    if (!wire || (wire->phase != WIRE_ONLINE && !(hello && wire->phase == WIRE_HELLO)))
        return -ENOTCONN;
    size_t queued = 0;
    for (size_t i = 0; i < wire->command_count; i++)
        queued += wire->commands[i].state == WIRE_QUEUED;
    if (queued >= QUEUE_MAX || wire->command_count == WIRE_COMMANDS_MAX)
        return -ENOBUFS;
    if (!gateway_effect(link->gateway))
        return 0;
    promise_command_sent(&world->database, vm_id, command, wire->generation);
    trace_add("sends", machine_op_name(command->op), wire->device->number, command->session);
    struct wire_command *added = &wire->commands[wire->command_count++];
    *added = (struct wire_command){
        .command = *command, .state = WIRE_QUEUED, .deadline_ms = now_of(link) + command->ttl_ms};
    snprintf(added->id, sizeof added->id, "%016" PRIx64, ++link->last_command);
    if (ret_id)
        memcpy(ret_id, added->id, COMMAND_ID_SIZE);
    if (hello)
        phase_set(wire, WIRE_HELLO, WELCOME_MS);
    commands_pump(wire);
    return 0;
}

void machine_link_cancel(struct machine_link *link, const char *vm_id, const char *command_id)
{
    struct wire *wire = machine_of(link, vm_id)->live;
    for (size_t i = 0; wire && i < wire->command_count; i++)
        if (wire->commands[i].state == WIRE_QUEUED &&
            strcmp(wire->commands[i].id, command_id) == 0) {
            command_remove(wire, i);
            return;
        }
}

static void command_received(struct machine_link *link, struct wire *wire, const char *id)
{
    for (size_t i = 0; i < wire->command_count; i++) {
        struct wire_command *command = &wire->commands[i];
        if (command->state != WIRE_SENT || strcmp(command->id, id) != 0)
            continue;
        struct machine_command copy = command->command;
        command->state = WIRE_RECEIVED;
        if (command->answered)
            command_remove(wire, i);
        link->handlers.received(broker_of(link), wire->device->vm_id, &copy);
        commands_pump(wire);
        return;
    }
}

static void reply_received(struct machine_link *link, struct wire *wire,
                           const struct wire_message *message)
{
    for (size_t i = 0; i < wire->command_count; i++) {
        struct wire_command *command = &wire->commands[i];
        if (command->state == WIRE_QUEUED || command->answered ||
            strcmp(command->id, message->id) != 0)
            continue;
        struct machine_reply reply = message->of.reply;
        reply.op = command->command.op;
        memcpy(reply.command_id, command->id, sizeof reply.command_id);
        reply.txn_id = command->command.txn_id;
        memcpy(reply.approval, command->command.approval, sizeof reply.approval);
        reply.n = command->command.n;
        reply.raw = "{}";
        reply.raw_size = 2;
        command->answered = true;
        if (command->state == WIRE_RECEIVED)
            command_remove(wire, i);
        if (reply.op == MACHINE_OP_HELLO && wire->phase == WIRE_HELLO) {
            wire->hello_answered = true;
            phase_set(wire, WIRE_HELLO, WELCOME_MS);
        }
        link->handlers.reply(broker_of(link), wire->device->vm_id, &reply);
        return;
    }
}

/* --- events --- */

static void hand_up(struct machine_link *link, struct link_machine *machine, uint64_t wire,
                    const struct device_event *given)
{
    struct machine_event event;
    char raw[DEVICE_EVENT_RAW_SIZE];
    machine->handed = true;
    machine->handed_event = *given;
    machine->ticket = (struct event_ticket){.connection = wire, .number = ++link->last_ticket};
    device_event_write(given, raw, &event);
    link->handlers.event(broker_of(link), machine->vm_id, machine->ticket, &event);
    json_decref((json_t *)event.json);
}

static bool may_hand_up(const struct link_machine *machine)
{
    return !machine->handed && machine->live && machine->live->phase == WIRE_ONLINE;
}

static void events_pump(struct machine_link *link, struct link_machine *machine)
{
    while (machine->waiting_count > 0 && may_hand_up(machine)) {
        uint64_t wire = machine->waiting[0].wire;
        struct device_event event = machine->waiting[0].event;
        machine->waiting_count--;
        memmove(&machine->waiting[0], &machine->waiting[1],
                machine->waiting_count * sizeof machine->waiting[0]);
        hand_up(link, machine, wire, &event);
    }
}

static void event_received(struct machine_link *link, struct wire *wire,
                           const struct device_event *event)
{
    struct link_machine *machine = machine_of(link, wire->device->vm_id);
    if (machine->waiting_count == HANDED_QUEUE_MAX) {
        link_end(wire, LINK_DOWN_PROTOCOL);
        return;
    }
    machine->waiting[machine->waiting_count].wire = wire->id;
    machine->waiting[machine->waiting_count++].event = *event;
    events_pump(link, machine);
}

static void events_forget(struct link_machine *machine, uint64_t wire)
{
    size_t kept = 0;
    for (size_t i = 0; i < machine->waiting_count; i++)
        if (machine->waiting[i].wire != wire)
            machine->waiting[kept++] = machine->waiting[i];
    machine->waiting_count = kept;
}

static struct wire *wire_find(const struct machine_link *link, uint64_t id)
{
    struct wire *wire;
    DL_FOREACH (link->wires, wire)
        if (wire->id == id)
            return wire;
    return NULL;
}

static void online_note(const struct wire *wire, int64_t since_ms)
{
    struct world *world = wire->device->world;
    database_machine(&world->database, wire->device->vm_id)->online_since_ms = since_ms;
}

static void turn_soon(const struct machine_link *link)
{
    if (!timer_running(link->turn))
        timer_start(link->turn, 0);
}

void machine_link_ack(struct machine_link *link, struct event_ticket ticket, enum event_ack ack)
{
    struct link_machine *machine = NULL;
    for (size_t i = 0; i < link->machine_count; i++)
        if (link->machines[i].handed && link->machines[i].ticket.number == ticket.number)
            machine = &link->machines[i];
    if (!machine || !gateway_effect(link->gateway))
        return;
    if (ack != EVENT_REFUSED)
        promise_event_acknowledged(&link->gateway->world->database, machine->vm_id,
                                   &machine->handed_event);
    machine->handed = false;
    struct wire *wire = wire_find(link, ticket.connection);
    if (wire && wire->phase != WIRE_ENDED) {
        struct wire_message message = {.kind = WIRE_EVENT_ACK, .of.event = machine->handed_event};
        if (ack == EVENT_REFUSED)
            link_end(wire, LINK_DOWN_CLOSED);
        else if (!wire->silent && !wire_push(&wire->down, &message))
            link_end(wire, LINK_DOWN_RESET);
    }
    turn_soon(link);
}

/* --- coming and going --- */

void link_end(struct wire *wire, enum link_down_reason reason)
{
    struct machine_link *link = link_of(wire);
    struct link_machine *machine = machine_of(link, wire->device->vm_id);
    if (wire->phase == WIRE_ENDED)
        return;
    trace_add("link ends", wire->device->vm_id, (int64_t)wire->id, reason);
    wire->phase = WIRE_ENDED;
    wire->down_reason = reason;
    wire->gateway_open = false;
    wire->up.count = 0;
    timer_stop(wire->watch);
    if (machine->live == wire) {
        machine->live = NULL;
        online_note(wire, 0);
    }
    events_forget(machine, wire->id);
    turn_soon(link);
}

static void commands_abandon(struct wire *wire)
{
    while (wire->command_count > 0) {
        const struct wire_command *command = &wire->commands[0];
        if (command->state == WIRE_RECEIVED || command->answered)
            command_remove(wire, 0);
        else
            command_drop(wire, 0, command->state == WIRE_SENT);
    }
}

static void report_ended(struct machine_link *link)
{
    struct wire *wire, *next;
    DL_FOREACH_SAFE (link->wires, wire, next) {
        if (wire->phase != WIRE_ENDED || !wire->gone_owed)
            continue;
        commands_abandon(wire);
        wire->gone_owed = false;
        link->handlers.gone(broker_of(link), wire->device->vm_id, wire->id, wire->down_reason);
    }
}

static void on_turn(void *arg)
{
    struct machine_link *link = arg;
    report_ended(link);
    for (size_t i = 0; i < link->machine_count; i++)
        events_pump(link, &link->machines[i]);
    report_ended(link);
}

static void connect_received(struct machine_link *link, struct wire *wire)
{
    struct link_machine *machine = machine_of(link, wire->device->vm_id);
    const struct link_credentials credentials = {.vm_id = machine->vm_id,
                                                 .fingerprint = DEVICE_FINGERPRINT};
    if (link->handlers.authenticate(broker_of(link), &credentials) != LINK_ALLOWED) {
        wire->gateway_open = false;
        return;
    }
    wire->watch = timer_new((struct uv_loop_s *)link->gateway, on_watch, wire);
    wire->heard_ms = now_of(link);
    if (machine->live)
        link_end(machine->live, LINK_DOWN_TAKEOVER);
    report_ended(link); /* gone() of the former comes before arrived() of this one */
    machine->live = wire;
    wire->gone_owed = true;
    phase_set(wire, WIRE_WELCOME, WELCOME_MS);
    link->handlers.arrived(broker_of(link), machine->vm_id, wire->id, DEVICE_FINGERPRINT);
}

bool machine_link_welcome(struct machine_link *link, const char *vm_id, uint64_t connection,
                          int64_t generation)
{
    struct wire *wire = machine_of(link, vm_id)->live;
    if (!wire || wire->id != connection || wire->phase != WIRE_WELCOME ||
        !gateway_effect(link->gateway))
        return false;
    wire->generation = generation;
    struct wire_message connack = {.kind = WIRE_CONNACK};
    if (!wire->silent)
        (void)wire_push(&wire->down, &connack);
    phase_set(wire, WIRE_SUBSCRIBING, WELCOME_MS);
    return true;
}

void machine_link_refuse(struct machine_link *link, const char *vm_id, uint64_t connection,
                         enum link_refusal refusal UNUSED)
{
    struct wire *wire = machine_of(link, vm_id)->live;
    if (wire && wire->id == connection && wire->phase == WIRE_WELCOME &&
        gateway_effect(link->gateway))
        link_end(wire, LINK_DOWN_NOT_WELCOME);
}

void machine_link_online(struct machine_link *link, const char *vm_id)
{
    struct wire *wire = machine_of(link, vm_id)->live;
    if (!wire || wire->phase != WIRE_HELLO || !wire->hello_answered)
        return;
    phase_set(wire, WIRE_ONLINE, 0);
    online_note(wire, now_of(link));
    turn_soon(link);
}

bool machine_link_fresh(const struct machine_link *link, const char *vm_id)
{
    struct wire *wire = machine_of((struct machine_link *)link, vm_id)->live;
    if (!wire)
        return false;
    heard_lately(wire);
    return now_of(link) - wire->heard_ms <= PROBE_AFTER_MS;
}

void machine_link_cut(struct machine_link *link, const char *vm_id, enum link_down_reason reason)
{
    struct wire *wire = machine_of(link, vm_id)->live;
    if (wire && gateway_effect(link->gateway))
        link_end(wire, reason);
}

void link_receive(struct machine_link *link, struct wire *wire, const struct wire_message *message)
{
    if (!link->open || (message->kind != WIRE_CONNECT && wire->phase == WIRE_CONNECTING)) {
        wire->gateway_open = false;
        return;
    }
    wire->heard_ms = now_of(link);
    switch (message->kind) {
    case WIRE_CONNECT:
        connect_received(link, wire);
        return;
    case WIRE_SUBSCRIBE:
        phase_set(wire, WIRE_HELLO, WELCOME_MS);
        link->handlers.subscribed(broker_of(link), wire->device->vm_id, wire->id);
        return;
    case WIRE_EVENT:
        event_received(link, wire, &message->of.event);
        return;
    case WIRE_REPLY:
        reply_received(link, wire, message);
        return;
    case WIRE_COMMAND_ACK:
        command_received(link, wire, message->id);
        return;
    default:
        return;
    }
}

/* --- life --- */

void link_open(struct machine_link *link)
{
    broker_link_handlers(&link->handlers);
    link->turn = timer_new((struct uv_loop_s *)link->gateway, on_turn, link);
    link->open = true;
}

/* The kernel closes a dead process's sockets; what it had sent still arrives. */
void link_die(struct machine_link *link)
{
    struct wire *wire;
    link->open = false;
    DL_FOREACH (link->wires, wire) {
        if (wire->phase == WIRE_CONNECTING && wire->gateway_open)
            continue; /* still in the backlog: refused when it is read */
        wire->gateway_open = wire->gone_owed = false;
        wire->phase = WIRE_ENDED;
        wire->up.count = wire->command_count = 0;
        if (wire->machine_open)
            wire->down.count = chance_below(&link->gateway->world->chance, wire->down.count + 1);
        timer_free(&wire->watch);
        online_note(wire, 0);
    }
    for (size_t i = 0; i < link->machine_count; i++) {
        link->machines[i].live = NULL;
        link->machines[i].handed = false;
        link->machines[i].waiting_count = 0;
    }
}

void link_close(struct machine_link *link)
{
    timer_free(&link->turn);
}

void link_free(struct machine_link *link)
{
    struct wire *wire, *next;
    DL_FOREACH_SAFE (link->wires, wire, next)
        wire->machine_open = wire->gateway_open = wire->gone_owed = false;
    wires_sweep(link);
}

void link_offer(struct machine_link *link, struct choices *choices)
{
    wires_offer(link, choices);
}
