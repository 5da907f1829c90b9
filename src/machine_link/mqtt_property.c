/* mqtt_property.c - the properties of MQTT 5.0: one table of id, type, place and repetition
 * (section 2.2.2.2). */
#include "machine_link/mqtt_cursor.h"

#include <string.h>

enum property_type {
    PROPERTY_UNKNOWN = 0,
    PROPERTY_BYTE,
    PROPERTY_U16,
    PROPERTY_U32,
    PROPERTY_VARINT,
    PROPERTY_TEXT,
    PROPERTY_BINARY,
    PROPERTY_PAIR,
};

struct property_rule {
    enum property_type type;
    uint32_t where; /* one bit per packet type; bit 0 is the will */
    bool repeats;
    uint32_t min, max; /* of the numeric ones; max 0: no bound */
};

#define IN(type_) (UINT32_C(1) << (type_))
#define IN_WILL IN(MQTT_PROPERTIES_OF_WILL)
#define IN_MESSAGE (IN(MQTT_PUBLISH) | IN_WILL)
#define IN_OPENING (IN(MQTT_CONNECT) | IN(MQTT_CONNACK))
#define IN_ACKS (IN(MQTT_PUBACK) | IN(MQTT_PUBREC) | IN(MQTT_PUBREL) | IN(MQTT_PUBCOMP))
#define IN_ANSWERS                                                                            \
    (IN_ACKS | IN(MQTT_CONNACK) | IN(MQTT_SUBACK) | IN(MQTT_UNSUBACK) | IN(MQTT_DISCONNECT) | \
     IN(MQTT_AUTH))
#define IN_ALL \
    (IN_ANSWERS | IN_MESSAGE | IN(MQTT_CONNECT) | IN(MQTT_SUBSCRIBE) | IN(MQTT_UNSUBSCRIBE))

/* clang-format off */
static const struct property_rule RULES[MQTT_PROPERTY_ID_MAX + 1] = {
    /* payload format indicator    */ [1]  = {PROPERTY_BYTE, IN_MESSAGE, false, 0, 1},
    /* message expiry interval     */ [2]  = {PROPERTY_U32, IN_MESSAGE, false, 0, 0},
    /* content type                */ [3]  = {PROPERTY_TEXT, IN_MESSAGE, false, 0, 0},
    /* response topic              */ [8]  = {PROPERTY_TEXT, IN_MESSAGE, false, 0, 0},
    /* correlation data            */ [9]  = {PROPERTY_BINARY, IN_MESSAGE, false, 0, 0},
    /* subscription identifier: never from a client in PUBLISH [MQTT-3.3.4-6] */
                                      [11] = {PROPERTY_VARINT, IN(MQTT_SUBSCRIBE), false, 1, 0},
    /* session expiry interval     */ [17] = {PROPERTY_U32, IN_OPENING | IN(MQTT_DISCONNECT), false, 0, 0},
    /* assigned client identifier  */ [18] = {PROPERTY_TEXT, IN(MQTT_CONNACK), false, 0, 0},
    /* server keep alive           */ [19] = {PROPERTY_U16, IN(MQTT_CONNACK), false, 0, 0},
    /* authentication method       */ [21] = {PROPERTY_TEXT, IN_OPENING | IN(MQTT_AUTH), false, 0, 0},
    /* authentication data         */ [22] = {PROPERTY_BINARY, IN_OPENING | IN(MQTT_AUTH), false, 0, 0},
    /* request problem information */ [23] = {PROPERTY_BYTE, IN(MQTT_CONNECT), false, 0, 1},
    /* will delay interval         */ [24] = {PROPERTY_U32, IN_WILL, false, 0, 0},
    /* request response information*/ [25] = {PROPERTY_BYTE, IN(MQTT_CONNECT), false, 0, 1},
    /* response information        */ [26] = {PROPERTY_TEXT, IN(MQTT_CONNACK), false, 0, 0},
    /* server reference            */ [28] = {PROPERTY_TEXT, IN(MQTT_CONNACK) | IN(MQTT_DISCONNECT), false, 0, 0},
    /* reason string               */ [31] = {PROPERTY_TEXT, IN_ANSWERS, false, 0, 0},
    /* receive maximum             */ [33] = {PROPERTY_U16, IN_OPENING, false, 1, 0},
    /* topic alias maximum         */ [34] = {PROPERTY_U16, IN_OPENING, false, 0, 0},
    /* topic alias                 */ [35] = {PROPERTY_U16, IN(MQTT_PUBLISH), false, 0, 0},
    /* maximum QoS                 */ [36] = {PROPERTY_BYTE, IN(MQTT_CONNACK), false, 0, 1},
    /* retain available            */ [37] = {PROPERTY_BYTE, IN(MQTT_CONNACK), false, 0, 1},
    /* user property               */ [38] = {PROPERTY_PAIR, IN_ALL, true, 0, 0},
    /* maximum packet size         */ [39] = {PROPERTY_U32, IN_OPENING, false, 1, 0},
    /* wildcard available          */ [40] = {PROPERTY_BYTE, IN(MQTT_CONNACK), false, 0, 1},
    /* subscription ids available  */ [41] = {PROPERTY_BYTE, IN(MQTT_CONNACK), false, 0, 1},
    /* shared available            */ [42] = {PROPERTY_BYTE, IN(MQTT_CONNACK), false, 0, 1},
};
/* clang-format on */
static_assert(MQTT_PROPERTY_ID_MAX < 64, "one bit per property");

bool mqtt_property_present(const struct mqtt_properties *properties, enum mqtt_property_id id)
{
    return (properties->present >> id) & 1;
}

uint32_t mqtt_property_number(const struct mqtt_properties *properties, enum mqtt_property_id id,
                              uint32_t standard)
{
    return mqtt_property_present(properties, id) ? properties->number[id] : standard;
}

static uint32_t value_read(struct mqtt_cursor *cursor, enum property_type type)
{
    switch (type) {
    case PROPERTY_BYTE:
        return mqtt_take_u8(cursor);
    case PROPERTY_U16:
        return mqtt_take_u16(cursor);
    case PROPERTY_U32:
        return mqtt_take_u32(cursor);
    case PROPERTY_VARINT:
        return mqtt_take_varint(cursor);
    case PROPERTY_PAIR:
        (void)mqtt_take_text(cursor);
        (void)mqtt_take_text(cursor);
        return 0;
    case PROPERTY_TEXT:
        (void)mqtt_take_text(cursor);
        return 0;
    case PROPERTY_BINARY:
        (void)mqtt_take_binary(cursor);
        return 0;
    case PROPERTY_UNKNOWN:
        break;
    }
    cursor->failed = true;
    return 0;
}

static enum mqtt_reason property_read(struct mqtt_cursor *cursor, unsigned int where,
                                      struct mqtt_properties *properties)
{
    uint32_t id = mqtt_take_varint(cursor);
    if (cursor->failed || id > MQTT_PROPERTY_ID_MAX || !(RULES[id].where & IN(where)))
        return MQTT_MALFORMED;
    const struct property_rule *rule = &RULES[id];
    if (((properties->present >> id) & 1) && !rule->repeats)
        return MQTT_PROTOCOL_ERROR;
    uint32_t value = value_read(cursor, rule->type);
    if (cursor->failed)
        return MQTT_MALFORMED;
    if (value < rule->min || (rule->max > 0 && value > rule->max))
        return MQTT_PROTOCOL_ERROR;
    properties->present |= UINT64_C(1) << id;
    properties->number[id] = value;
    return MQTT_SUCCESS;
}

enum mqtt_reason mqtt_properties_read(struct mqtt_cursor *cursor, unsigned int where,
                                      struct mqtt_properties *ret_properties)
{
    assert(where < MQTT_TYPE_COUNT);
    memset(ret_properties, 0, sizeof *ret_properties);
    uint32_t size = mqtt_take_varint(cursor);
    struct mqtt_cursor part = mqtt_take_part(cursor, size);
    if (cursor->failed)
        return MQTT_MALFORMED;
    while (part.left > 0) {
        enum mqtt_reason reason = property_read(&part, where, ret_properties);
        if (reason != MQTT_SUCCESS)
            return reason;
    }
    return MQTT_SUCCESS;
}
