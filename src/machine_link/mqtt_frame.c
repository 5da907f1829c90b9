#include "machine_link/mqtt_frame.h"

#include "base/utf8.h"
#include "machine_link/mqtt_cursor.h"

#include <string.h>

#define FLAGS_ANY 0xff

static const struct {
    const char *name;
    uint8_t flags; /* what the low four bits must be */
} TYPES[MQTT_TYPE_COUNT] = {
    [MQTT_CONNECT] = {"connect", 0},
    [MQTT_CONNACK] = {"connack", 0},
    [MQTT_PUBLISH] = {"publish", FLAGS_ANY},
    [MQTT_PUBACK] = {"puback", 0},
    [MQTT_PUBREC] = {"pubrec", 0},
    [MQTT_PUBREL] = {"pubrel", 2},
    [MQTT_PUBCOMP] = {"pubcomp", 0},
    [MQTT_SUBSCRIBE] = {"subscribe", 2},
    [MQTT_SUBACK] = {"suback", 0},
    [MQTT_UNSUBSCRIBE] = {"unsubscribe", 2},
    [MQTT_UNSUBACK] = {"unsuback", 0},
    [MQTT_PINGREQ] = {"pingreq", 0},
    [MQTT_PINGRESP] = {"pingresp", 0},
    [MQTT_DISCONNECT] = {"disconnect", 0},
    [MQTT_AUTH] = {"auth", 0},
};

const char *mqtt_type_name(enum mqtt_type type)
{
    return type >= MQTT_CONNECT && type < MQTT_TYPE_COUNT ? TYPES[type].name : "reserved";
}

bool mqtt_text_is(struct mqtt_text text, const char *expected)
{
    return text.size == strlen(expected) && memcmp(text.bytes, expected, text.size) == 0;
}

bool mqtt_text_copy(struct mqtt_text text, size_t room, char *ret_text)
{
    if (text.size >= room || memchr(text.bytes, 0, text.size))
        return false;
    memcpy(ret_text, text.bytes, text.size);
    ret_text[text.size] = 0;
    return true;
}

bool mqtt_utf8_valid(const char *bytes, size_t size)
{
    for (size_t step; size > 0; bytes += step, size -= step) {
        step = utf8_printable(bytes, size);
        if (step == 0)
            return false;
    }
    return true;
}

enum mqtt_frame_verdict mqtt_frame_read(const uint8_t *bytes, size_t size, size_t size_max,
                                        struct mqtt_frame *ret_frame)
{
    if (size == 0)
        return MQTT_FRAME_PARTIAL;
    enum mqtt_type type = bytes[0] >> 4;
    uint8_t flags = bytes[0] & 0x0f;
    if (type < MQTT_CONNECT)
        return MQTT_FRAME_MALFORMED;
    if (TYPES[type].flags != FLAGS_ANY && TYPES[type].flags != flags)
        return MQTT_FRAME_MALFORMED;
    struct mqtt_cursor cursor = {.at = bytes + 1, .left = size - 1};
    size_t body_size = mqtt_take_varint(&cursor);
    if (cursor.failed) {
        bool unfinished = size < 5 && (size == 1 || (bytes[size - 1] & 0x80));
        return unfinished ? MQTT_FRAME_PARTIAL : MQTT_FRAME_MALFORMED;
    }
    size_t head_size = (size_t)(cursor.at - bytes);
    if (head_size + body_size > size_max)
        return MQTT_FRAME_TOO_LARGE;
    if (cursor.left < body_size)
        return MQTT_FRAME_PARTIAL;
    *ret_frame = (struct mqtt_frame){.type = type,
                                     .flags = flags,
                                     .body = cursor.at,
                                     .body_size = body_size,
                                     .size = head_size + body_size};
    return MQTT_FRAME_WHOLE;
}
