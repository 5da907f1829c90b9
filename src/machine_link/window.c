#include "machine_link/window.h"

#include <string.h>

enum { SLOT_WAITING = 1, SLOT_ANSWERED, SLOT_HELD };

static size_t slot_of(const struct window *window, uint16_t packet_id)
{
    size_t at = 0;
    while (at < window->count && window->slots[at].packet_id != packet_id)
        at++;
    return at;
}

static void slot_remove(struct window *window, size_t at)
{
    window->count--;
    memmove(window->slots + at, window->slots + at + 1,
            (window->count - at) * sizeof window->slots[0]);
}

/* A PUBLISH whose id is in the window. At QoS 2 the id alone names the message (4.3.3); at QoS 1
 * only DUP tells a repeat from another message, and answering two messages by one PUBACK would lose
 * one. */
static enum window_verdict known(const struct window *window, size_t at,
                                 const struct mqtt_publish *publish)
{
    if (window->slots[at].qos != publish->qos)
        return WINDOW_IN_USE;
    if (window->slots[at].state == SLOT_HELD)
        return WINDOW_RECEIVED;
    return publish->qos == 2 || publish->dup ? WINDOW_REPEAT : WINDOW_IN_USE;
}

enum window_verdict window_take(struct window *window, const struct mqtt_publish *publish)
{
    assert(publish->qos > 0 && publish->packet_id > 0);
    size_t at = slot_of(window, publish->packet_id);
    if (at < window->count)
        return known(window, at, publish);
    if (window->count == WINDOW_MAX)
        return WINDOW_FULL;
    window->slots[at].packet_id = publish->packet_id;
    window->slots[at].qos = publish->qos;
    window->slots[at].state = SLOT_WAITING;
    window->slots[at].reason = MQTT_SUCCESS;
    window->count++;
    return WINDOW_TAKEN;
}

bool window_answer(struct window *window, uint16_t packet_id, enum mqtt_reason reason)
{
    size_t at = slot_of(window, packet_id);
    if (at == window->count || window->slots[at].state != SLOT_WAITING)
        return false;
    window->slots[at].state = SLOT_ANSWERED;
    window->slots[at].reason = (uint8_t)reason;
    return true;
}

bool window_next(struct window *window, enum mqtt_type *ret_type, struct mqtt_ack *ret_ack)
{
    size_t at = 0;
    while (at < window->count && window->slots[at].state == SLOT_HELD)
        at++;
    if (at == window->count || window->slots[at].state != SLOT_ANSWERED)
        return false;
    bool qos2 = window->slots[at].qos == 2;
    *ret_type = qos2 ? MQTT_PUBREC : MQTT_PUBACK;
    *ret_ack = (struct mqtt_ack){.packet_id = window->slots[at].packet_id,
                                 .reason = window->slots[at].reason};
    if (qos2 && ret_ack->reason < MQTT_UNSPECIFIED)
        window->slots[at].state = SLOT_HELD;
    else
        slot_remove(window, at);
    return true;
}

bool window_release(struct window *window, uint16_t packet_id)
{
    size_t at = slot_of(window, packet_id);
    if (at == window->count || window->slots[at].state != SLOT_HELD)
        return false;
    slot_remove(window, at);
    return true;
}
