/* wire.c - the connections between devices and the gateway: in order, cut anywhere, silent or not.
 */
#include "base/macros.h"
#include "base/memory.h"
#include "base/timer.h"
#include "trace.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

bool wire_push(struct wire_queue *queue, const struct wire_message *message)
{
    if (queue->count == WIRE_ROOM)
        return false;
    queue->messages[(queue->first + queue->count++) % WIRE_ROOM] = *message;
    return true;
}

bool wire_pop(struct wire_queue *queue, struct wire_message *ret_message)
{
    if (queue->count == 0)
        return false;
    *ret_message = queue->messages[queue->first];
    queue->first = (queue->first + 1) % WIRE_ROOM;
    queue->count--;
    return true;
}

struct wire *wire_connect(struct machine_link *link, struct device *device)
{
    struct wire *wire = memory_zero(1, sizeof *wire);
    wire->id = ++link->last_wire;
    wire->device = device;
    wire->machine_open = wire->gateway_open = true;
    DL_APPEND(link->wires, wire);
    struct wire_message connect = {.kind = WIRE_CONNECT};
    (void)wire_push(&wire->up, &connect);
    trace_add("connects", device->vm_id, (int64_t)wire->id, 0);
    return wire;
}

bool wire_say(struct wire *wire, const struct wire_message *message)
{
    return wire->machine_open && wire_push(&wire->up, message);
}

/* Somewhere in what was on its way the rest is lost. */
static void lose_some(struct chance *chance, struct wire_queue *queue)
{
    queue->count = chance_below(chance, queue->count + 1);
}

void wire_leave(struct wire *wire, bool quietly)
{
    struct chance *chance = &wire->device->world->chance;
    wire->machine_open = false;
    lose_some(chance, &wire->up);
    wire->down.count = 0;
    if (quietly)
        wire->silent = true;
}

void wire_cut(struct wire *wire)
{
    struct chance *chance = &wire->device->world->chance;
    lose_some(chance, &wire->up);
    lose_some(chance, &wire->down);
}

/* --- what can happen to a wire --- */

static void delivered_up(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    struct wire_message message;
    if (wire_pop(&wire->up, &message))
        link_receive(&wire->device->world->gateway.link, wire, &message);
}

static void delivered_down(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    struct wire_message message;
    if (wire_pop(&wire->down, &message))
        device_receive(wire->device, wire, &message);
}

static void close_seen_above(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    if (wire->phase == WIRE_CONNECTING)
        wire->gateway_open = false;
    else
        link_end(wire, LINK_DOWN_RESET);
}

static void close_seen_below(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    wire->machine_open = false;
    device_disconnected(wire->device, wire);
}

static void cut(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    trace_add("link cut", wire->device->vm_id, (int64_t)wire->id, 0);
    wire_cut(wire);
    wire->machine_open = false;
    device_disconnected(wire->device, wire);
    /* The gateway sees the reset once it has read what came before. */
}

static void falls_silent(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    trace_add("link silent", wire->device->vm_id, (int64_t)wire->id, 0);
    wire_cut(wire);
    wire->up.count = wire->down.count = 0;
    wire->silent = true;
}

/* The device finds out that its wire is dead. */
static void silence_noticed(void *subject, int64_t argument UNUSED)
{
    struct wire *wire = subject;
    wire->machine_open = false;
    device_disconnected(wire->device, wire);
}

void wires_offer(struct machine_link *link, struct choices *choices)
{
    const struct world *world = link->gateway->world;
    const struct weather *weather = &world->weather;
    struct wire *wire;
    DL_FOREACH (link->wires, wire) {
        if (wire->silent) {
            if (wire->machine_open)
                offer(choices, 30, "silence noticed", silence_noticed, wire, 0);
            continue;
        }
        if (wire->up.count > 0 && wire->gateway_open)
            offer(choices, 1500, "up", delivered_up, wire, 0);
        else if (wire->gateway_open && !wire->machine_open)
            offer(choices, 200, "close seen above", close_seen_above, wire, 0);
        if (wire->down.count > 0 && wire->machine_open)
            offer(choices, 1500, "down", delivered_down, wire, 0);
        else if (wire->machine_open && !wire->gateway_open)
            offer(choices, 200, "close seen below", close_seen_below, wire, 0);
        if (world->calm || !wire->machine_open || !wire->gateway_open)
            continue;
        unsigned busy = wire->up.count + wire->down.count > 0 ? 5 : 1;
        offer(choices, weather->link_cut * busy, "cut", cut, wire, 0);
        offer(choices, weather->half_open * busy, "silent", falls_silent, wire, 0);
    }
}

void wires_sweep(struct machine_link *link)
{
    struct wire *wire, *next;
    DL_FOREACH_SAFE (link->wires, wire, next) {
        if (wire->machine_open || wire->gateway_open || wire->gone_owed)
            continue;
        DL_DELETE(link->wires, wire);
        timer_free(&wire->watch);
        free(wire);
    }
}
