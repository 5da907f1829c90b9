#include "device.h"

#include "base/macros.h"
#include "trace.h"
#include "world.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define UNACKNOWLEDGED_MAX 8

static void journal_new(struct device *device)
{
    snprintf(device->flash.journal, sizeof device->flash.journal, "j%016" PRIx64,
             chance_next(&device->world->chance));
}

void device_init(struct device *device, struct world *world, int number)
{
    *device = (struct device){.world = world, .number = number, .session = -1, .request = -1};
    snprintf(device->vm_id, sizeof device->vm_id, "m%d", number);
    device->quiet = chance_below(&world->chance, 4) == 0;
    device->powered = true;
    device->flash.fresh = true;
    device->flash.event_epoch = 1;
    journal_new(device);
}

bool device_busy(const struct device *device)
{
    return device->vending[0] != '\0';
}

/* --- events --- */

bool device_say(struct device *device, struct device_event event)
{
    struct device_flash *flash = &device->flash;
    if (flash->event_count == DEVICE_EVENTS_MAX)
        return false;
    event.event_epoch = flash->event_epoch;
    event.seq = flash->next_seq++;
    event.garbled = world_hits(device->world, device->world->weather.garbled);
    flash->events[flash->event_count++] = event;
    return true;
}

void device_event_write(const struct device_event *event,
                        char ret_raw[static DEVICE_EVENT_RAW_SIZE], struct machine_event *ret_event)
{
    enum machine_event_kind kind = event->garbled ? MACHINE_EVENT_UNREADABLE : event->kind;
    int size =
        snprintf(ret_raw, DEVICE_EVENT_RAW_SIZE,
                 "%d %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %s",
                 (int)event->kind, event->event_epoch, event->seq, event->session, event->request,
                 event->item, event->price, event->approval);
    *ret_event = (struct machine_event){.kind = kind,
                                        .numbered = true,
                                        .event_epoch = event->event_epoch,
                                        .seq = event->seq,
                                        .name = machine_event_kind_name(event->kind),
                                        .raw = ret_raw,
                                        .raw_size = (size_t)size,
                                        .problem = event->garbled ? "garbled" : NULL,
                                        .session = event->session,
                                        .request = event->request,
                                        .item = event->item,
                                        .price = event->price,
                                        .end = event->end,
                                        .quantity = 1,
                                        .code = event->code,
                                        .on_bus = event->on_bus,
                                        .gap_from = event->gap_from,
                                        .gap_to = event->gap_to};
    memcpy(ret_event->approval, event->approval, sizeof event->approval);
    snprintf(ret_event->label, sizeof ret_event->label, "%d", (int)(event->item % 100));
    if (kind == MACHINE_EVENT_INFO)
        ret_event->json =
            json_pack("{s:s, s:I, s:I}", "event", "info", "scale", (json_int_t)event->scale,
                      "max_response_s", (json_int_t)event->max_response_s);
    if (kind == MACHINE_EVENT_KEYPAD)
        ret_event->json =
            json_pack("{s:s, s:b, s:I, s:[{s:i}, {s:i}, {s:i}]}", "event", "keypad",
                      "virtual_keypad_enabled", 1, "total_action_needed", (json_int_t)event->keys,
                      "keypad_items", "id", 1, "id", 2, "id", 3);
}

/* --- the session --- */

void device_session_end(struct device *device)
{
    if (device->session >= 0) {
        if (device->ended_count == DEVICE_ENDED_MAX)
            memmove(&device->ended[0], &device->ended[1],
                    --device->ended_count * sizeof device->ended[0]);
        device->ended[device->ended_count++] = device->session;
    }
    device->session = device->request = -1;
    device->ends_when_done = false;
}

/* --- the link --- */

void device_disconnected(struct device *device, struct wire *wire)
{
    if (device->wire != wire)
        return;
    device->wire = NULL;
    device->welcome = device->held = false;
    device->sent = device->inbox_count = 0;
    device->connect_at_ms =
        device->world->now_ms + (int64_t)chance_below(&device->world->chance, 3000);
}

/* The PUBACK ends the resending. */
static void event_acknowledged(struct device *device, const struct device_event *event)
{
    struct device_flash *flash = &device->flash;
    for (size_t i = 0; i < flash->event_count && i < device->sent; i++) {
        if (flash->events[i].event_epoch != event->event_epoch ||
            flash->events[i].seq != event->seq)
            continue;
        flash->event_count--;
        device->sent--;
        memmove(&flash->events[i], &flash->events[i + 1],
                (flash->event_count - i) * sizeof flash->events[0]);
        return;
    }
}

static void command_taken(struct device *device, const struct wire_message *message)
{
    struct wire_message ack = {.kind = WIRE_COMMAND_ACK};
    memcpy(ack.id, message->id, sizeof ack.id);
    if (device->inbox_count == DEVICE_INBOX_MAX)
        return; /* not acknowledged */
    device->inbox_at_ms[device->inbox_count] = device->world->now_ms;
    device->inbox[device->inbox_count++] = *message;
    (void)wire_say(device->wire, &ack);
}

static void works(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct wire_message message = device->inbox[0];
    int64_t arrived_ms = device->inbox_at_ms[0];
    device->inbox_count--;
    memmove(&device->inbox[0], &device->inbox[1], device->inbox_count * sizeof device->inbox[0]);
    memmove(&device->inbox_at_ms[0], &device->inbox_at_ms[1],
            device->inbox_count * sizeof device->inbox_at_ms[0]);
    device_obey(device, &message, arrived_ms);
}

void device_receive(struct device *device, struct wire *wire, const struct wire_message *message)
{
    if (device->wire != wire)
        return;
    switch (message->kind) {
    case WIRE_CONNACK: {
        struct wire_message subscribe = {.kind = WIRE_SUBSCRIBE};
        (void)wire_say(wire, &subscribe);
        return;
    }
    case WIRE_COMMAND:
        command_taken(device, message);
        if (device->inbox_count == 1 && chance_below(&device->world->chance, 5) != 0)
            works(device, 0);
        return;
    case WIRE_EVENT_ACK:
        event_acknowledged(device, &message->of.event);
        return;
    default:
        return;
    }
}

static void reply_leaves(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    device->held = false;
    (void)wire_say(device->wire, &device->held_reply);
}

static void sends_event(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct wire_message message = {.kind = WIRE_EVENT,
                                   .of.event = device->flash.events[device->sent]};
    if (wire_say(device->wire, &message))
        device->sent++;
}

/* The same once more, though nobody asked: DUP, or a clumsy client. */
static void repeats_event(void *subject, int64_t argument)
{
    struct device *device = subject;
    struct wire_message message = {.kind = WIRE_EVENT, .of.event = device->flash.events[argument]};
    (void)wire_say(device->wire, &message);
}

static void connects(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    device->wire = wire_connect(&device->world->gateway.link, device);
    device->welcome = false;
    device->sent = device->inbox_count = 0;
}

/* A modem that has lost its old connection, and its server does not know yet. */
static void connects_anew(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct wire *old = device->wire;
    wire_leave(old, true);
    device_disconnected(device, old);
    connects(device, 0);
}

/* --- power --- */

static void power_lost(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    trace_add("power lost", device->vm_id, device->session, device_busy(device));
    device_bus_power_lost(device);
    if (device->wire) {
        struct wire *wire = device->wire;
        wire_leave(wire, chance_below(&device->world->chance, 2) == 0);
        device_disconnected(device, wire);
    }
    device->powered = false;
    device_session_end(device);
    device->keys_n = 0;
    device->generation = 0;
}

static void powers_up(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct world *world = device->world;
    device->powered = true;
    trace_add("power up", device->vm_id, 0, 0);
    if (!world->calm && world_hits(world, world->weather.journal_lost)) {
        device->flash = (struct device_flash){.fresh = true, .event_epoch = 1};
        journal_new(device);
        trace_add("journal lost", device->vm_id, 0, 0);
    }
    device_bus_booted(device);
}

/* Only the part that talks to the vending machine starts anew: the modem keeps the connection. */
static void controller_restarts(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct device_event event = {.kind = MACHINE_EVENT_SESSION_ENDED,
                                 .session = device->session,
                                 .request = -1,
                                 .code = -1,
                                 .end = SESSION_END_RESET};
    trace_add("controller restarts", device->vm_id, device->session, device_busy(device));
    device_bus_power_lost(device);
    if (device->session >= 0 && chance_below(&device->world->chance, 2) == 0)
        (void)device_say(device, event);
    device_session_end(device);
    device->keys_n = 0;
    device_bus_booted(device);
}

/* Flash forgets an event that proves nothing which the journal of approvals does not say as well.
 */
static void event_lost(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct device_flash *flash = &device->flash;
    size_t at =
        device->sent + chance_below(&device->world->chance, flash->event_count - device->sent);
    trace_add("event lost", device->vm_id, flash->events[at].seq, flash->events[at].kind);
    flash->event_count--;
    memmove(&flash->events[at], &flash->events[at + 1],
            (flash->event_count - at) * sizeof flash->events[0]);
}

static void describes_itself(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct chance *chance = &device->world->chance;
    static const int64_t SCALES[] = {1, 1, 5, 10}, PATIENCE[] = {0, 0, 30, 12, 7};
    struct device_event info = {.kind = MACHINE_EVENT_INFO,
                                .session = -1,
                                .request = -1,
                                .scale = SCALES[chance_below(chance, 4)],
                                .max_response_s = PATIENCE[chance_below(chance, 5)]};
    struct device_event keypad = {
        .kind = MACHINE_EVENT_KEYPAD, .session = -1, .request = -1, .keys = 2};
    if (device->world->calm)
        info.max_response_s = 30;
    (void)device_say(device, chance_below(chance, 3) == 0 ? keypad : info);
}

static void link_choices(struct device *device, struct choices *choices)
{
    const struct weather *weather = &device->world->weather;
    const struct device_flash *flash = &device->flash;
    if (device->elsewhere)
        return;
    if (!device->wire) {
        offer(choices, device->world->now_ms < device->connect_at_ms ? 1 : 100, "machine connects",
              connects, device, 0);
        return;
    }
    if (device->inbox_count > 0)
        offer(choices, 800, "machine works", works, device, 0);
    if (device->held)
        offer(choices, 200, "late reply", reply_leaves, device, 0);
    if (device->welcome && device->sent < flash->event_count && device->sent < UNACKNOWLEDGED_MAX)
        offer(choices, 1200, "machine sends", sends_event, device, 0);
    if (device->world->calm)
        return;
    if (device->welcome && device->sent > 0)
        offer(choices, weather->hole, "machine repeats", repeats_event, device, 0);
    offer(choices, weather->takeover, "connects anew", connects_anew, device, 0);
}

void device_offer(struct device *device, struct choices *choices)
{
    const struct world *world = device->world;
    if (!device->powered) {
        offer(choices, 60, "power", powers_up, device, 0);
        return;
    }
    link_choices(device, choices);
    device_bus_offer(device, choices);
    if (world->calm)
        return;
    offer(choices, world->weather.power_cut * (device_busy(device) ? 8 : 1), "power cut",
          power_lost, device, 0);
    offer(choices, world->weather.power_cut * (device_busy(device) ? 8 : 1), "controller restart",
          controller_restarts, device, 0);
    if (device->flash.event_count > device->sent)
        offer(choices, world->weather.hole, "event lost", event_lost, device, 0);
    offer(choices, 2, "description", describes_itself, device, 0);
}
