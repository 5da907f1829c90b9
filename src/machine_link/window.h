/* window.h - the packets at QoS 1 and 2 that one client has sent and we have not answered to the
 * end. Pure.
 *
 * Answers leave in the order in which the packets came [MQTT-4.6.0-2], although replies can be
 * answered at once and events only after a commit: an answer that is ready waits for those before
 * it.
 *
 *   taken -> answered -> (QoS 1) PUBACK written, gone
 *                     -> (QoS 2) PUBREC written, held until PUBREL; gone at once when the PUBREC
 * refused it */
#ifndef VENDGATE_MACHINE_LINK_WINDOW_H
#define VENDGATE_MACHINE_LINK_WINDOW_H

#include "machine_link/mqtt_packet.h"

/* The Receive Maximum that we announce. */
#define WINDOW_MAX 8

struct window {
    struct {
        uint16_t packet_id;
        uint8_t qos;
        uint8_t state;
        uint8_t reason;
    } slots[WINDOW_MAX]; /* in order of arrival */
    uint8_t count;
};

enum window_verdict {
    WINDOW_TAKEN = 1, /* a new packet: handle it, then window_answer() */
    WINDOW_REPEAT,    /* sent again before its answer: the answer will come, nothing to do */
    WINDOW_RECEIVED,  /* QoS 2, sent again after its PUBREC: PUBREC again */
    WINDOW_IN_USE,    /* another packet with an id that is in use: the client breaks the protocol */
    WINDOW_FULL,      /* more than WINDOW_MAX */
};

enum window_verdict window_take(struct window *window, const struct mqtt_publish *publish);
/* The packet was handled. False: it was not waiting for an answer. */
bool window_answer(struct window *window, uint16_t packet_id, enum mqtt_reason reason);
/* The next answer that is due; false: none (yet). ret_type is MQTT_PUBACK or MQTT_PUBREC. */
bool window_next(struct window *window, enum mqtt_type *ret_type, struct mqtt_ack *ret_ack);
/* PUBREL came. False: no such packet was held. */
bool window_release(struct window *window, uint16_t packet_id);

#endif
