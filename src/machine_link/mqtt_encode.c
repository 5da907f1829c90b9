/* mqtt_encode.c - writing the packets that servers send. */
#include "machine_link/mqtt_packet.h"

#include <string.h>

static void put(struct mqtt_out *out, const void *bytes, size_t size)
{
    assert(size <= MQTT_OUT_SIZE - out->size);
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

static void put_u8(struct mqtt_out *out, unsigned int value)
{
    put(out, &(uint8_t){(uint8_t)value}, 1);
}

static void put_u16(struct mqtt_out *out, unsigned int value)
{
    put(out, (uint8_t[]){(uint8_t)(value >> 8), (uint8_t)value}, 2);
}

static void put_u32(struct mqtt_out *out, uint32_t value)
{
    put_u16(out, value >> 16);
    put_u16(out, value & 0xffff);
}

static void put_varint(struct mqtt_out *out, size_t value)
{
    assert(value < (1U << 28));
    while (value > 0x7f) {
        put_u8(out, (unsigned int)(value & 0x7f) | 0x80);
        value >>= 7;
    }
    put_u8(out, (unsigned int)value);
}

/* The fixed header; the body's size must be known before. */
static void start(struct mqtt_out *out, enum mqtt_type type, unsigned int flags, size_t body_size)
{
    out->size = 0;
    put_u8(out, (unsigned int)type << 4 | flags);
    put_varint(out, body_size);
}

/* What this server can do, told once (machine-protocol: "CONNACK v5 announces"). */
static void put_connack_properties(struct mqtt_out *out, const struct mqtt_connack *connack)
{
    put_u8(out, MQTT_PROPERTY_RECEIVE_MAXIMUM);
    put_u16(out, connack->receive_maximum);
    put_u8(out, MQTT_PROPERTY_MAXIMUM_PACKET_SIZE);
    put_u32(out, connack->packet_size_max);
    put_u8(out, MQTT_PROPERTY_SERVER_KEEP_ALIVE);
    put_u16(out, connack->keep_alive_s);
    put_u8(out, MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM);
    put_u16(out, 0);
    static const uint8_t NOT_AVAILABLE[] = {
        MQTT_PROPERTY_RETAIN_AVAILABLE, MQTT_PROPERTY_WILDCARD_AVAILABLE,
        MQTT_PROPERTY_SUBSCRIPTION_IDS_AVAILABLE, MQTT_PROPERTY_SHARED_AVAILABLE};
    for (size_t i = 0; i < sizeof NOT_AVAILABLE; i++) {
        put_u8(out, NOT_AVAILABLE[i]);
        put_u8(out, 0);
    }
    if (connack->session_expiry_zero) {
        put_u8(out, MQTT_PROPERTY_SESSION_EXPIRY);
        put_u32(out, 0);
    }
}

void mqtt_connack_write(uint8_t level, const struct mqtt_connack *connack, struct mqtt_out *ret_out)
{
    struct mqtt_out properties = {.size = 0};
    if (level >= MQTT_LEVEL_5 && connack->code == MQTT_SUCCESS)
        put_connack_properties(&properties, connack);
    bool v5 = level >= MQTT_LEVEL_5;
    start(ret_out, MQTT_CONNACK, 0, 2 + (v5 ? 1 + properties.size : 0));
    put_u8(ret_out, 0); /* session present: never, nothing is kept between connections */
    put_u8(ret_out, connack->code);
    if (!v5)
        return;
    put_varint(ret_out, properties.size);
    put(ret_out, properties.bytes, properties.size);
}

void mqtt_ack_write(uint8_t level, enum mqtt_type type, struct mqtt_ack ack,
                    struct mqtt_out *ret_out)
{
    bool reason = level >= MQTT_LEVEL_5 && ack.reason != MQTT_SUCCESS;
    start(ret_out, type, 0, reason ? 3 : 2);
    put_u16(ret_out, ack.packet_id);
    if (reason)
        put_u8(ret_out, ack.reason);
}

void mqtt_suback_write(uint8_t level, enum mqtt_type type, uint16_t packet_id, const uint8_t *codes,
                       size_t count, struct mqtt_out *ret_out)
{
    bool v5 = level >= MQTT_LEVEL_5;
    size_t codes_size = v5 || type == MQTT_SUBACK ? count : 0;
    start(ret_out, type, 0, 2 + (v5 ? 1U : 0U) + codes_size);
    put_u16(ret_out, packet_id);
    if (v5)
        put_varint(ret_out, 0);
    put(ret_out, codes, codes_size);
}

void mqtt_pingresp_write(struct mqtt_out *ret_out)
{
    start(ret_out, MQTT_PINGRESP, 0, 0);
}

void mqtt_disconnect_write(enum mqtt_reason reason, struct mqtt_out *ret_out)
{
    start(ret_out, MQTT_DISCONNECT, 0, 1);
    put_u8(ret_out, reason);
}

void mqtt_publish_write(uint8_t level, const struct mqtt_publish_out *publish,
                        struct mqtt_out *ret_out)
{
    assert(publish->qos <= 1);
    bool v5 = level >= MQTT_LEVEL_5;
    size_t topic_size = strlen(publish->topic);
    size_t properties_size = 5;
    size_t body_size = 2 + topic_size + (publish->qos > 0 ? 2U : 0U) +
                       (v5 ? 1 + properties_size : 0) + publish->payload_size;
    start(ret_out, MQTT_PUBLISH, (unsigned int)publish->qos << 1, body_size);
    put_u16(ret_out, (unsigned int)topic_size);
    put(ret_out, publish->topic, topic_size);
    if (publish->qos > 0)
        put_u16(ret_out, publish->packet_id);
    if (v5) {
        put_varint(ret_out, properties_size);
        put_u8(ret_out, MQTT_PROPERTY_MESSAGE_EXPIRY);
        put_u32(ret_out, publish->expiry_s);
    }
    put(ret_out, publish->payload, publish->payload_size);
}
