/* mqtt_decode.c - reading the packets that clients send. */
#include "machine_link/mqtt_cursor.h"

#include <string.h>

#define CONNECT_RESERVED 0x01
#define CONNECT_WILL 0x04
#define CONNECT_WILL_QOS 0x18
#define CONNECT_WILL_RETAIN 0x20
#define CONNECT_PASSWORD 0x40
#define CONNECT_USER 0x80

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
