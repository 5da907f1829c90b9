/* mqtt_packet.h - MQTT 3.1.1 and 5.0 packets to structs and back. Pure: no I/O, no allocation, no
 * state.
 *
 * Only what a server needs: it reads what clients send and writes what servers send. Everything
 * read borrows from the frame's bytes. A reader answers MQTT_SUCCESS, or the v5 reason code of what
 * is wrong; the caller decides how that is told in 3.1.1. References: MQTT 3.1.1 and MQTT 5.0,
 * OASIS Standards. */
#ifndef VENDGATE_MACHINE_LINK_MQTT_PACKET_H
#define VENDGATE_MACHINE_LINK_MQTT_PACKET_H

#include "machine_link/mqtt_frame.h"

enum mqtt_property_id {
    MQTT_PROPERTY_MESSAGE_EXPIRY = 2,
    MQTT_PROPERTY_SUBSCRIPTION_ID = 11,
    MQTT_PROPERTY_SESSION_EXPIRY = 17,
    MQTT_PROPERTY_SERVER_KEEP_ALIVE = 19,
    MQTT_PROPERTY_AUTHENTICATION_METHOD = 21,
    MQTT_PROPERTY_RECEIVE_MAXIMUM = 33,
    MQTT_PROPERTY_TOPIC_ALIAS_MAXIMUM = 34,
    MQTT_PROPERTY_TOPIC_ALIAS = 35,
    MQTT_PROPERTY_RETAIN_AVAILABLE = 37,
    MQTT_PROPERTY_USER = 38,
    MQTT_PROPERTY_MAXIMUM_PACKET_SIZE = 39,
    MQTT_PROPERTY_WILDCARD_AVAILABLE = 40,
    MQTT_PROPERTY_SUBSCRIPTION_IDS_AVAILABLE = 41,
    MQTT_PROPERTY_SHARED_AVAILABLE = 42,
    MQTT_PROPERTY_ID_MAX = 42,
};

struct mqtt_properties {
    uint64_t present;                          /* one bit per property id */
    uint32_t number[MQTT_PROPERTY_ID_MAX + 1]; /* value of the numeric ones */
};
bool mqtt_property_present(const struct mqtt_properties *properties, enum mqtt_property_id id);
/* The number, or `standard` when the property was not there. */
uint32_t mqtt_property_number(const struct mqtt_properties *properties, enum mqtt_property_id id,
                              uint32_t standard);

struct mqtt_connect {
    bool known_protocol; /* the name was "MQTT", or 3.1's "MQIsdp" */
    uint8_t level;       /* 0 until it was read; set even when the rest is refused */
    uint16_t keep_alive_s;
    struct mqtt_text client_id;
    bool will, will_retain;
    struct mqtt_text will_topic;
    bool has_user, has_password;
    struct mqtt_text user;
    struct mqtt_text password; /* any bytes */
    struct mqtt_properties properties;
};
/* MQTT_UNSUPPORTED_VERSION: known_protocol and level are all that was read. */
enum mqtt_reason mqtt_connect_read(const struct mqtt_frame *frame,
                                   struct mqtt_connect *ret_connect);

struct mqtt_publish {
    uint8_t qos;
    bool dup, retain;
    uint16_t packet_id; /* 0 at QoS 0 */
    struct mqtt_text topic;
    const char *payload;
    size_t payload_size;
    struct mqtt_properties properties;
};
enum mqtt_reason mqtt_publish_read(const struct mqtt_frame *frame, uint8_t level,
                                   struct mqtt_publish *ret_publish);

/* PUBACK, PUBREC, PUBREL and PUBCOMP. */
struct mqtt_ack {
    uint16_t packet_id;
    uint8_t reason;
};
enum mqtt_reason mqtt_ack_read(const struct mqtt_frame *frame, uint8_t level,
                               struct mqtt_ack *ret_ack);

#define MQTT_FILTERS_MAX 16

/* SUBSCRIBE and UNSUBSCRIBE (there without options). */
struct mqtt_filters {
    uint16_t packet_id;
    size_t count;
    struct {
        struct mqtt_text filter;
        uint8_t qos;
    } list[MQTT_FILTERS_MAX];
    struct mqtt_properties properties;
};
/* MQTT_QUOTA_EXCEEDED: more than MQTT_FILTERS_MAX filters. */
enum mqtt_reason mqtt_filters_read(const struct mqtt_frame *frame, uint8_t level,
                                   struct mqtt_filters *ret_filters);

/* PINGREQ and DISCONNECT: is the body what it may be? */
enum mqtt_reason mqtt_empty_read(const struct mqtt_frame *frame, uint8_t level);

/* A packet to send. The largest is a command; one that would not fit is a bug of ours and asserted.
 */
#define MQTT_OUT_SIZE 4096
struct mqtt_out {
    size_t size;
    uint8_t bytes[MQTT_OUT_SIZE];
};

struct mqtt_connack {
    uint8_t code; /* 3.1.1: return code; 5.0: reason code */
    /* 5.0 and accepted only: */
    uint16_t receive_maximum;
    uint32_t packet_size_max;
    uint16_t keep_alive_s;
    bool session_expiry_zero; /* tell a client that asked for a longer one that nothing is kept */
};
void mqtt_connack_write(uint8_t level, const struct mqtt_connack *connack,
                        struct mqtt_out *ret_out);
/* PUBACK, PUBREC, PUBCOMP; the reason is left out where it is success, or in 3.1.1. */
void mqtt_ack_write(uint8_t level, enum mqtt_type type, struct mqtt_ack ack,
                    struct mqtt_out *ret_out);
/* SUBACK, UNSUBACK (no codes in 3.1.1). */
void mqtt_suback_write(uint8_t level, enum mqtt_type type, uint16_t packet_id, const uint8_t *codes,
                       size_t count, struct mqtt_out *ret_out);
void mqtt_pingresp_write(struct mqtt_out *ret_out);
/* 5.0 only: a 3.1.1 server just closes. */
void mqtt_disconnect_write(enum mqtt_reason reason, struct mqtt_out *ret_out);

struct mqtt_publish_out {
    uint8_t qos;        /* 0 or 1 */
    uint16_t packet_id; /* at QoS 1 */
    const char *topic;
    const char *payload;
    size_t payload_size;
    uint32_t expiry_s; /* 5.0: Message Expiry Interval */
};
void mqtt_publish_write(uint8_t level, const struct mqtt_publish_out *publish,
                        struct mqtt_out *ret_out);

#endif
