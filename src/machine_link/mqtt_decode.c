/* mqtt_decode.c - reading the packets that clients send. */
#include "base/utf8.h"
#include "machine_link/mqtt_cursor.h"

#include <string.h>

#define CONNECT_RESERVED 0x01
#define CONNECT_WILL 0x04
#define CONNECT_WILL_QOS 0x18
#define CONNECT_WILL_RETAIN 0x20
#define CONNECT_PASSWORD 0x40
#define CONNECT_USER 0x80

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

static const uint8_t *take(struct mqtt_cursor *cursor, size_t size)
{
    if (cursor->failed || cursor->left < size) {
        cursor->failed = true;
        cursor->left = 0;
        return NULL;
    }
    const uint8_t *at = cursor->at;
    cursor->at += size;
    cursor->left -= size;
    return at;
}

uint8_t mqtt_take_u8(struct mqtt_cursor *cursor)
{
    const uint8_t *at = take(cursor, 1);
    return at ? at[0] : 0;
}

uint16_t mqtt_take_u16(struct mqtt_cursor *cursor)
{
    const uint8_t *at = take(cursor, 2);
    return at ? (uint16_t)((unsigned int)at[0] << 8 | at[1]) : (uint16_t)0;
}

uint32_t mqtt_take_u32(struct mqtt_cursor *cursor)
{
    uint32_t high = mqtt_take_u16(cursor);
    return high << 16 | mqtt_take_u16(cursor);
}

uint32_t mqtt_take_varint(struct mqtt_cursor *cursor)
{
    uint32_t value = 0;
    for (unsigned int i = 0; i < 4; i++) {
        uint8_t byte = mqtt_take_u8(cursor);
        value |= (uint32_t)(byte & 0x7f) << (7 * i);
        if (byte & 0x80)
            continue;
        if (i > 0 && byte == 0)
            break; /* not minimal */
        return value;
    }
    cursor->failed = true;
    return 0;
}

struct mqtt_cursor mqtt_take_part(struct mqtt_cursor *cursor, size_t size)
{
    const uint8_t *at = take(cursor, size);
    return (struct mqtt_cursor){.at = at, .left = at ? size : 0, .failed = !at};
}

struct mqtt_text mqtt_take_binary(struct mqtt_cursor *cursor)
{
    size_t size = mqtt_take_u16(cursor);
    const uint8_t *at = take(cursor, size);
    return (struct mqtt_text){.bytes = at ? (const char *)at : "", .size = at ? size : 0};
}

struct mqtt_text mqtt_take_text(struct mqtt_cursor *cursor)
{
    struct mqtt_text text = mqtt_take_binary(cursor);
    if (!mqtt_utf8_valid(text.bytes, text.size))
        cursor->failed = true;
    return text;
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

static struct mqtt_cursor body_cursor(const struct mqtt_frame *frame)
{
    return (struct mqtt_cursor){.at = frame->body, .left = frame->body_size};
}

/* A reader has taken all it wanted: was it there, and is nothing left? */
static enum mqtt_reason whole(const struct mqtt_cursor *cursor)
{
    return cursor->failed || cursor->left > 0 ? MQTT_MALFORMED : MQTT_SUCCESS;
}

/* Nothing but a property section, which only 5.0 has. */
static enum mqtt_reason properties_if_5(struct mqtt_cursor *cursor, uint8_t level,
                                        unsigned int where, struct mqtt_properties *ret_properties)
{
    if (level >= MQTT_LEVEL_5)
        return mqtt_properties_read(cursor, where, ret_properties);
    memset(ret_properties, 0, sizeof *ret_properties);
    return MQTT_SUCCESS;
}

static bool connect_flags_valid(uint8_t flags, uint8_t level)
{
    if (flags & CONNECT_RESERVED)
        return false;
    if ((flags & CONNECT_WILL_QOS) == CONNECT_WILL_QOS)
        return false;
    if (!(flags & CONNECT_WILL) && (flags & (CONNECT_WILL_QOS | CONNECT_WILL_RETAIN)))
        return false;
    /* 3.1.1 forbids a password without a user name [MQTT-3.1.2-22]; 5.0 allows it. */
    return level >= MQTT_LEVEL_5 || !(flags & CONNECT_PASSWORD) || (flags & CONNECT_USER);
}

static enum mqtt_reason connect_will_read(struct mqtt_cursor *cursor, struct mqtt_connect *connect)
{
    struct mqtt_properties ignored;
    enum mqtt_reason reason =
        properties_if_5(cursor, connect->level, MQTT_PROPERTIES_OF_WILL, &ignored);
    if (reason != MQTT_SUCCESS)
        return reason;
    connect->will_topic = mqtt_take_text(cursor);
    (void)mqtt_take_binary(cursor);
    return MQTT_SUCCESS;
}

static enum mqtt_reason connect_payload_read(struct mqtt_cursor *cursor, uint8_t flags,
                                             struct mqtt_connect *connect)
{
    connect->client_id = mqtt_take_text(cursor);
    connect->will = flags & CONNECT_WILL;
    connect->will_retain = flags & CONNECT_WILL_RETAIN;
    if (connect->will) {
        enum mqtt_reason reason = connect_will_read(cursor, connect);
        if (reason != MQTT_SUCCESS)
            return reason;
    }
    connect->has_user = flags & CONNECT_USER;
    if (connect->has_user)
        connect->user = mqtt_take_text(cursor);
    connect->has_password = flags & CONNECT_PASSWORD;
    if (connect->has_password)
        connect->password = mqtt_take_binary(cursor);
    return whole(cursor);
}

enum mqtt_reason mqtt_connect_read(const struct mqtt_frame *frame, struct mqtt_connect *ret_connect)
{
    assert(frame->type == MQTT_CONNECT);
    memset(ret_connect, 0, sizeof *ret_connect);
    struct mqtt_cursor cursor = body_cursor(frame);
    struct mqtt_text name = mqtt_take_text(&cursor);
    uint8_t level = mqtt_take_u8(&cursor);
    if (cursor.failed)
        return MQTT_MALFORMED;
    bool old = mqtt_text_is(name, "MQIsdp");
    ret_connect->known_protocol = old || mqtt_text_is(name, "MQTT");
    ret_connect->level = level;
    if (!ret_connect->known_protocol || old || (level != MQTT_LEVEL_3_1_1 && level != MQTT_LEVEL_5))
        return MQTT_UNSUPPORTED_VERSION;
    uint8_t flags = mqtt_take_u8(&cursor);
    ret_connect->keep_alive_s = mqtt_take_u16(&cursor);
    if (cursor.failed || !connect_flags_valid(flags, level))
        return MQTT_MALFORMED;
    enum mqtt_reason reason =
        properties_if_5(&cursor, level, MQTT_CONNECT, &ret_connect->properties);
    if (reason != MQTT_SUCCESS)
        return reason;
    return connect_payload_read(&cursor, flags, ret_connect);
}

enum mqtt_reason mqtt_publish_read(const struct mqtt_frame *frame, uint8_t level,
                                   struct mqtt_publish *ret_publish)
{
    assert(frame->type == MQTT_PUBLISH);
    struct mqtt_cursor cursor = body_cursor(frame);
    ret_publish->dup = frame->flags & 8;
    ret_publish->qos = (frame->flags >> 1) & 3;
    ret_publish->retain = frame->flags & 1;
    if (ret_publish->qos > 2 || (ret_publish->qos == 0 && ret_publish->dup))
        return MQTT_MALFORMED;
    ret_publish->topic = mqtt_take_text(&cursor);
    ret_publish->packet_id = ret_publish->qos > 0 ? mqtt_take_u16(&cursor) : 0;
    if (cursor.failed)
        return MQTT_MALFORMED;
    enum mqtt_reason reason =
        properties_if_5(&cursor, level, MQTT_PUBLISH, &ret_publish->properties);
    if (reason != MQTT_SUCCESS)
        return reason;
    if (ret_publish->qos > 0 && ret_publish->packet_id == 0)
        return MQTT_PROTOCOL_ERROR;
    ret_publish->payload = (const char *)cursor.at;
    ret_publish->payload_size = cursor.left;
    return MQTT_SUCCESS;
}

static bool ack_reason_known(enum mqtt_type type, uint8_t reason)
{
    static const uint8_t OF_RECEIPT[] = {0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99};
    if (type == MQTT_PUBREL || type == MQTT_PUBCOMP)
        return reason == MQTT_SUCCESS || reason == MQTT_PACKET_ID_NOT_FOUND;
    return memchr(OF_RECEIPT, reason, sizeof OF_RECEIPT) != NULL;
}

enum mqtt_reason mqtt_ack_read(const struct mqtt_frame *frame, uint8_t level,
                               struct mqtt_ack *ret_ack)
{
    struct mqtt_cursor cursor = body_cursor(frame);
    ret_ack->packet_id = mqtt_take_u16(&cursor);
    ret_ack->reason = MQTT_SUCCESS;
    /* 5.0 may leave out the properties, and with them the reason (3.4.2.1). */
    if (level >= MQTT_LEVEL_5 && cursor.left > 0)
        ret_ack->reason = mqtt_take_u8(&cursor);
    if (level >= MQTT_LEVEL_5 && cursor.left > 0) {
        struct mqtt_properties ignored;
        enum mqtt_reason reason = mqtt_properties_read(&cursor, frame->type, &ignored);
        if (reason != MQTT_SUCCESS)
            return reason;
    }
    if (whole(&cursor) != MQTT_SUCCESS)
        return MQTT_MALFORMED;
    if (ret_ack->packet_id == 0 || !ack_reason_known(frame->type, ret_ack->reason))
        return MQTT_PROTOCOL_ERROR;
    return MQTT_SUCCESS;
}

static enum mqtt_reason options_read(struct mqtt_cursor *cursor, uint8_t level, uint8_t *ret_qos)
{
    uint8_t options = mqtt_take_u8(cursor);
    uint8_t reserved = level >= MQTT_LEVEL_5 ? 0xc0 : 0xfc;
    *ret_qos = options & 3;
    if (cursor->failed || (options & reserved))
        return MQTT_MALFORMED;
    bool bad_retain_handling = (options & 0x30) == 0x30;
    return *ret_qos > 2 || bad_retain_handling ? MQTT_PROTOCOL_ERROR : MQTT_SUCCESS;
}

static enum mqtt_reason filter_read(struct mqtt_cursor *cursor, const struct mqtt_frame *frame,
                                    uint8_t level, struct mqtt_filters *filters)
{
    if (filters->count == MQTT_FILTERS_MAX)
        return MQTT_QUOTA_EXCEEDED;
    struct mqtt_text filter = mqtt_take_text(cursor);
    uint8_t qos = 0;
    if (cursor->failed || filter.size == 0)
        return MQTT_MALFORMED;
    if (frame->type == MQTT_SUBSCRIBE) {
        enum mqtt_reason reason = options_read(cursor, level, &qos);
        if (reason != MQTT_SUCCESS)
            return reason;
    }
    filters->list[filters->count].filter = filter;
    filters->list[filters->count].qos = qos;
    filters->count++;
    return MQTT_SUCCESS;
}

enum mqtt_reason mqtt_filters_read(const struct mqtt_frame *frame, uint8_t level,
                                   struct mqtt_filters *ret_filters)
{
    assert(frame->type == MQTT_SUBSCRIBE || frame->type == MQTT_UNSUBSCRIBE);
    struct mqtt_cursor cursor = body_cursor(frame);
    ret_filters->count = 0;
    ret_filters->packet_id = mqtt_take_u16(&cursor);
    if (cursor.failed)
        return MQTT_MALFORMED;
    enum mqtt_reason reason =
        properties_if_5(&cursor, level, frame->type, &ret_filters->properties);
    while (reason == MQTT_SUCCESS && cursor.left > 0)
        reason = filter_read(&cursor, frame, level, ret_filters);
    if (reason != MQTT_SUCCESS)
        return reason;
    return ret_filters->packet_id == 0 || ret_filters->count == 0 ? MQTT_PROTOCOL_ERROR
                                                                  : MQTT_SUCCESS;
}

enum mqtt_reason mqtt_empty_read(const struct mqtt_frame *frame, uint8_t level)
{
    struct mqtt_cursor cursor = body_cursor(frame);
    if (frame->type == MQTT_DISCONNECT && level >= MQTT_LEVEL_5 && cursor.left > 0) {
        (void)mqtt_take_u8(&cursor);
        struct mqtt_properties ignored;
        if (cursor.left > 0) {
            enum mqtt_reason reason = mqtt_properties_read(&cursor, frame->type, &ignored);
            if (reason != MQTT_SUCCESS)
                return reason;
        }
    }
    return whole(&cursor);
}
