/* mqtt_cursor.h - reading a packet's body field by field; for the codec's own files only.
 *
 * A failed read makes the cursor `failed` for good and yields zero, so that a reader checks once,
 * at the end. */
#ifndef VENDGATE_MACHINE_LINK_MQTT_CURSOR_H
#define VENDGATE_MACHINE_LINK_MQTT_CURSOR_H

#include "machine_link/mqtt_packet.h"

struct mqtt_cursor {
    const uint8_t *at;
    size_t left;
    bool failed;
};

uint8_t mqtt_take_u8(struct mqtt_cursor *cursor);
uint16_t mqtt_take_u16(struct mqtt_cursor *cursor);
uint32_t mqtt_take_u32(struct mqtt_cursor *cursor);
/* At most 4 bytes and minimal (MQTT 5.0, 1.5.5). */
uint32_t mqtt_take_varint(struct mqtt_cursor *cursor);
/* Length-prefixed bytes of any kind. */
struct mqtt_text mqtt_take_binary(struct mqtt_cursor *cursor);
/* The same, checked to be UTF-8. */
struct mqtt_text mqtt_take_text(struct mqtt_cursor *cursor);
/* `size` bytes as they are. */
struct mqtt_cursor mqtt_take_part(struct mqtt_cursor *cursor, size_t size);

/* Where a property may stand: a packet type, or the will inside CONNECT. */
#define MQTT_PROPERTIES_OF_WILL 0
/* Reads a whole property section, its length included. */
enum mqtt_reason mqtt_properties_read(struct mqtt_cursor *cursor, unsigned int where,
                                      struct mqtt_properties *ret_properties);

#endif
