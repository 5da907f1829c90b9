/* mqtt_frame.h - the vocabulary of MQTT 3.1.1 and 5.0, and the cutting of bytes into packets. Pure:
 * no I/O, no allocation, no state.
 *
 * References: MQTT 3.1.1 and MQTT 5.0, OASIS Standards. */
#ifndef VENDGATE_MACHINE_LINK_MQTT_FRAME_H
#define VENDGATE_MACHINE_LINK_MQTT_FRAME_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mqtt_type {
    MQTT_CONNECT = 1,
    MQTT_CONNACK,
    MQTT_PUBLISH,
    MQTT_PUBACK,
    MQTT_PUBREC,
    MQTT_PUBREL,
    MQTT_PUBCOMP,
    MQTT_SUBSCRIBE,
    MQTT_SUBACK,
    MQTT_UNSUBSCRIBE,
    MQTT_UNSUBACK,
    MQTT_PINGREQ,
    MQTT_PINGRESP,
    MQTT_DISCONNECT,
    MQTT_AUTH,
    MQTT_TYPE_COUNT
};
/* "connect" ... "auth"; "reserved" for anything else. */
const char *mqtt_type_name(enum mqtt_type type);

/* The protocol level of CONNECT. */
#define MQTT_LEVEL_3_1_1 4
#define MQTT_LEVEL_5 5

enum mqtt_reason { /* MQTT 5.0, section 2.4 */
                   MQTT_SUCCESS = 0x00,
                   MQTT_GRANTED_QOS_1 = 0x01,
                   MQTT_NO_SUBSCRIPTION_EXISTED = 0x11,
                   MQTT_UNSPECIFIED = 0x80,
                   MQTT_MALFORMED = 0x81,
                   MQTT_PROTOCOL_ERROR = 0x82,
                   MQTT_IMPLEMENTATION_SPECIFIC = 0x83,
                   MQTT_UNSUPPORTED_VERSION = 0x84,
                   MQTT_CLIENT_ID_INVALID = 0x85,
                   MQTT_BAD_USER_OR_PASSWORD = 0x86,
                   MQTT_NOT_AUTHORIZED = 0x87,
                   MQTT_SERVER_UNAVAILABLE = 0x88,
                   MQTT_SERVER_BUSY = 0x89,
                   MQTT_SHUTTING_DOWN = 0x8B,
                   MQTT_BAD_AUTHENTICATION_METHOD = 0x8C,
                   MQTT_KEEP_ALIVE_TIMEOUT = 0x8D,
                   MQTT_SESSION_TAKEN_OVER = 0x8E,
                   MQTT_TOPIC_NAME_INVALID = 0x90,
                   MQTT_PACKET_ID_NOT_FOUND = 0x92,
                   MQTT_RECEIVE_MAXIMUM_EXCEEDED = 0x93,
                   MQTT_TOPIC_ALIAS_INVALID = 0x94,
                   MQTT_PACKET_TOO_LARGE = 0x95,
                   MQTT_RATE_TOO_HIGH = 0x96,
                   MQTT_QUOTA_EXCEEDED = 0x97,
                   MQTT_ADMINISTRATIVE_ACTION = 0x98,
                   MQTT_PAYLOAD_FORMAT_INVALID = 0x99,
                   MQTT_RETAIN_NOT_SUPPORTED = 0x9A,
                   MQTT_SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9E,
                   MQTT_CONNECTION_RATE_EXCEEDED = 0x9F,
                   MQTT_SUBSCRIPTION_IDS_NOT_SUPPORTED = 0xA1,
};

/* Borrowed, not terminated; checked to be UTF-8 without control characters unless said otherwise
 * (the standard lets a receiver refuse U+0001..U+001F and U+007F..U+009F, and U+0000 must be
 * refused). */
struct mqtt_text {
    const char *bytes;
    size_t size;
};
bool mqtt_text_is(struct mqtt_text text, const char *expected);
/* A copy with a NUL behind it; false (and untouched) when it does not fit or holds a NUL. */
bool mqtt_text_copy(struct mqtt_text text, size_t room, char *ret_text);
bool mqtt_utf8_valid(const char *bytes, size_t size);

struct mqtt_frame {
    enum mqtt_type type;
    uint8_t flags; /* the low four bits of the first byte; already checked against the type */
    const uint8_t *body;
    size_t body_size;
    size_t size; /* of the whole packet */
};

enum mqtt_frame_verdict {
    MQTT_FRAME_WHOLE = 1,
    MQTT_FRAME_PARTIAL, /* nothing wrong so far, more bytes needed */
    MQTT_FRAME_TOO_LARGE,
    MQTT_FRAME_MALFORMED, /* reserved type, wrong flags, a length that is longer than 4 bytes or not
                             minimal */
};
/* `size_max` bounds the whole packet; it is judged by the claimed length, before the bytes have
 * come. */
enum mqtt_frame_verdict mqtt_frame_read(const uint8_t *bytes, size_t size, size_t size_max,
                                        struct mqtt_frame *ret_frame);

#endif
