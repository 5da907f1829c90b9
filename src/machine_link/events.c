#include "machine_link/events.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "machine_link/message_json.h"

#include <stdlib.h>
#include <string.h>

/* Events at QoS 0 that may wait for one machine; those at QoS 1 and 2 are bounded by each
 * connection's window. */
#define UNACKNOWLEDGED_MAX 8

struct queued_event {
    uint64_t connection;
    uint16_t packet_id; /* 0: came at QoS 0 */
    bool tool;
    struct queued_event *prev, *next;
    size_t size;
    char bytes[];
};

static bool may_hand_up(const struct machine *machine)
{
    return !machine->handed && machine->live && machine->live->phase == PHASE_ONLINE;
}

static void hand_up(struct machine *machine, uint64_t connection, uint16_t packet_id,
                    struct mqtt_text body)
{
    struct machine_link *link = machine->link;
    assert(!machine->handed);
    machine->handed = true;
    machine->handed_packet_id = packet_id;
    machine->handed_ticket =
        (struct event_ticket){.connection = connection, .number = ++link->last_ticket};
    HASH_ADD(by_ticket, link->handed, handed_ticket.number, sizeof(uint64_t), machine);
    machine_add_user(machine);

    _cleanup_(machine_event_done) struct event_reading reading;
    machine_event_read(body.bytes, body.size, &reading);
    metric_add(link->metrics.events[reading.event.kind], 1);
    if (reading.event.kind == MACHINE_EVENT_UNREADABLE)
        log_warning("machine_event_unreadable", LOG_TEXT("vm", machine->vm_id),
                    LOG_TEXT("problem", reading.event.problem), LOG_INT("size", body.size));
    CRASH_POINT(after_event_received);
    link->handlers.event(link->arg, machine->vm_id, machine->handed_ticket, &reading.event);
}

static void queue(struct connection *connection, const struct mqtt_publish *publish)
{
    struct machine *machine = connection->machine;
    struct queued_event *event = memory_zero(1, sizeof *event + publish->payload_size);
    event->connection = connection->id;
    event->packet_id = publish->packet_id;
    event->tool = connection->tool;
    event->size = publish->payload_size;
    memcpy(event->bytes, publish->payload, publish->payload_size);
    DL_APPEND(machine->events, event);
    machine->event_count++;
    machine_add_user(machine);
}

/* Counts down the machine's users, so the caller must be one. */
static void unqueue(struct machine *machine, struct queued_event *event)
{
    DL_DELETE(machine->events, event);
    machine->event_count--;
    machine_release(machine);
}

void events_receive(struct connection *connection, const struct mqtt_publish *publish)
{
    struct machine *machine = connection->machine;
    if (!machine->events && may_hand_up(machine)) {
        hand_up(machine, connection->id, publish->packet_id,
                (struct mqtt_text){.bytes = publish->payload, .size = publish->payload_size});
        events_pump(machine);
        return;
    }
    if (publish->qos == 0 && machine->event_count >= UNACKNOWLEDGED_MAX) {
        connection_break(connection, MQTT_RATE_TOO_HIGH);
        return;
    }
    queue(connection, publish);
}

void events_pump(struct machine *machine)
{
    while (machine->events && may_hand_up(machine)) {
        struct queued_event *event = machine->events;
        unqueue(machine, event);
        hand_up(machine, event->connection, event->packet_id,
                (struct mqtt_text){.bytes = event->bytes, .size = event->size});
        free(event);
    }
}

static void answer(struct connection *connection, uint16_t packet_id, enum event_ack ack)
{
    if (connection->phase == PHASE_CLOSING)
        return;
    if (ack == EVENT_REFUSED)
        connection_end(connection, LINK_DOWN_CLOSED, MQTT_SERVER_BUSY);
    else if (packet_id > 0)
        connection_answer(connection, packet_id,
                          ack == EVENT_STORED ? MQTT_SUCCESS : MQTT_PAYLOAD_FORMAT_INVALID);
}

void events_ack(struct machine_link *link, struct event_ticket ticket, enum event_ack ack)
{
    struct machine *machine;
    HASH_FIND(by_ticket, link->handed, &ticket.number, sizeof ticket.number, machine);
    if (!machine || machine->handed_ticket.connection != ticket.connection)
        return;
    machine->handed = false;
    HASH_DELETE(by_ticket, link->handed, machine);
    struct connection *connection = link_connection(link, ticket.connection);
    CRASH_POINT(before_puback);
    if (connection)
        answer(connection, machine->handed_packet_id, ack);
    if (machine->events)
        machine_wake(machine);
    machine_release(machine);
}

void events_forget(struct machine *machine, const struct connection *connection)
{
    struct queued_event *event, *next;
    DL_FOREACH_SAFE (machine->events, event, next) {
        /* What a tool sent at QoS 0 will not come again: it stays. */
        bool stays = event->packet_id == 0 && event->tool;
        if (event->connection != connection->id || stays)
            continue;
        unqueue(machine, event);
        free(event);
    }
}

void events_free(struct machine *machine)
{
    struct queued_event *event, *next;
    DL_FOREACH_SAFE (machine->events, event, next)
        free(event);
    machine->events = NULL;
}
