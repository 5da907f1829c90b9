/* device_bus.c - the customer in front of a machine, and the bus on which goods fall. */
#include "base/macros.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <string.h>

static struct device_event event_of(const struct device *device, enum machine_event_kind kind)
{
    return (struct device_event){.kind = kind,
                                 .session = device->session,
                                 .request = device->request,
                                 .item = device->item,
                                 .price = device->price,
                                 .code = -1};
}

/* --- the customer --- */

static void chooses(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct chance *chance = &device->world->chance;
    static const int64_t PRICES[] = {100, 150, 200, 1000, 2000, 0};
    device->request = ++device->last_request;
    device->item = chance_between(chance, 1, 40);
    device->price = PRICES[chance_below(chance, ARRAY_SIZE(PRICES))];
    if (chance_below(chance, 40) == 0)
        device->price = chance_below(chance, 2) ? 99999999 : -100;
    if (!device_say(device, event_of(device, MACHINE_EVENT_SELECTION)))
        device->request = -1;
}

static void says_again(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    (void)device_say(device, event_of(device, MACHINE_EVENT_SELECTION));
}

/* The choice that was taken back, told once more. */
static void says_old(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct device_event event = event_of(device, MACHINE_EVENT_SELECTION);
    event.request = device->last_request;
    (void)device_say(device, event);
}

static void withdraws(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    if (device_say(device, event_of(device, MACHINE_EVENT_WITHDRAWN)))
        device->request = -1;
}

static void session_ends(void *subject, int64_t argument)
{
    struct device *device = subject;
    struct device_event event = event_of(device, MACHINE_EVENT_SESSION_ENDED);
    event.end = (enum session_end)argument;
    if (device_say(device, event) && !device_busy(device))
        device_session_end(device);
    else
        device->ends_when_done = true;
}

/* --- the goods --- */

static struct device_approval *vending(struct device *device)
{
    return device_approval_find(device, device->vending);
}

static void put_on_bus(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    vending(device)->on_bus = true;
}

static void goods_fall(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    device->fallen = true;
    promise_goods_fell(device->world, device->vm_id, device->vending);
}

static void vend_over(struct device *device)
{
    device->vending[0] = '\0';
    device->request = -1;
    if (device->ends_when_done)
        device_session_end(device);
}

static void reports(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct device_approval *approval = vending(device);
    struct device_event event =
        event_of(device, device->fallen ? MACHINE_EVENT_DISPENSED : MACHINE_EVENT_NOT_DISPENSED);
    memcpy(event.approval, device->vending, sizeof event.approval);
    event.code = device->fallen ? -1 : 5;
    approval->state = device->fallen ? APPROVAL_DISPENSED : APPROVAL_NOT_DISPENSED;
    approval->code = event.code;
    if (device_say(device, event))
        promise_result_written(&device->world->database, device->vending, device->fallen);
    vend_over(device);
}

static void bus_choices(struct device *device, struct choices *choices)
{
    const struct device_approval *approval = vending(device);
    if (!approval->on_bus) {
        offer(choices, 600, "on the bus", put_on_bus, device, 0);
        offer(choices, 20, "cancelled", reports, device, 0);
        return;
    }
    if (device->fallen) {
        offer(choices, 600, "dispensed", reports, device, 0);
        return;
    }
    offer(choices, 600, "goods fall", goods_fall, device, 0);
    offer(choices, 60, "nothing falls", reports, device, 0);
}

void device_bus_power_lost(struct device *device)
{
    struct world *world = device->world;
    if (!device_busy(device))
        return;
    /* The vending machine itself may go on with what it was told. */
    if (vending(device)->on_bus && !device->fallen && chance_below(&world->chance, 2) == 0)
        goods_fall(device, 0);
    device->vending[0] = '\0';
}

void device_bus_booted(struct device *device)
{
    for (size_t i = 0; i < device->flash.approval_count; i++) {
        struct device_approval *approval = &device->flash.approvals[i];
        if (approval->state != APPROVAL_TAKEN)
            continue;
        struct device_event event = {.kind = MACHINE_EVENT_INTERRUPTED,
                                     .session = -1,
                                     .request = -1,
                                     .code = -1,
                                     .on_bus = approval->on_bus};
        memcpy(event.approval, approval->approval, sizeof event.approval);
        approval->state = APPROVAL_INTERRUPTED;
        (void)device_say(device, event);
    }
}

/* --- what may happen --- */

static void session_choices(struct device *device, struct choices *choices)
{
    const struct world *world = device->world;
    unsigned fickle = world->calm ? 0 : world->weather.fickle;
    if (device->flash.event_count >= DEVICE_EVENTS_MAX / 2)
        return;
    if (world->now_ms >= device->session_until_ms)
        offer(choices, 400, "session timeout", session_ends, device, SESSION_END_TIMEOUT);
    if (device->request < 0) {
        offer(choices, world->calm ? 1 : 400, "chooses", chooses, device, 0);
        offer(choices, device->item > 0 ? fickle / 4 : 0, "says old", says_old, device, 0);
    } else {
        offer(choices, fickle, "withdraws", withdraws, device, 0);
        offer(choices, fickle, "chooses another", chooses, device, 0);
        offer(choices, fickle / 2 + 1, "says again", says_again, device, 0);
    }
    offer(choices, world->calm ? 20 : fickle / 2 + 1, "gives up", session_ends, device,
          SESSION_END_CUSTOMER);
    offer(choices, fickle / 8, "pays cash", session_ends, device, SESSION_END_CASH);
    offer(choices, fickle / 8, "bus reset", session_ends, device, SESSION_END_RESET);
}

void device_bus_offer(struct device *device, struct choices *choices)
{
    if (device_busy(device)) {
        bus_choices(device, choices);
        if (device->session >= 0 && !device->ends_when_done && !device->world->calm) {
            offer(choices, 20, "gives up", session_ends, device, SESSION_END_CUSTOMER);
            offer(choices, 8, "bus reset", session_ends, device, SESSION_END_RESET);
        }
        return;
    }
    if (device->session >= 0)
        session_choices(device, choices);
}
