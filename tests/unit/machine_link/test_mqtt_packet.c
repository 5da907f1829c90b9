/* Packets as the two standards have them: what is well-formed is read, what is not is told by its
 * reason. */
#include "machine_link/mqtt_packet.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define V3 MQTT_LEVEL_3_1_1
#define V5 MQTT_LEVEL_5

#define BYTES(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

/* The frame inside `bytes`, which must be exactly one. */
static struct mqtt_frame frame_of(const uint8_t *bytes, size_t size)
{
    struct mqtt_frame frame;
    ck_assert_int_eq(mqtt_frame_read(bytes, size, 65536, &frame), MQTT_FRAME_WHOLE);
    ck_assert_uint_eq(frame.size, size);
    return frame;
}

/* --- frames --- */

static const struct {
    const uint8_t *bytes;
    size_t size;
    enum mqtt_frame_verdict verdict;
} FRAMES[] = {
    {BYTES(0xc0), MQTT_FRAME_PARTIAL},
    {BYTES(0xc0, 0x00), MQTT_FRAME_WHOLE},
    {BYTES(0x30, 0x80), MQTT_FRAME_PARTIAL},
    {BYTES(0x30, 0x80, 0x80, 0x80), MQTT_FRAME_PARTIAL},
    {BYTES(0x30, 0x80, 0x80, 0x80, 0x80), MQTT_FRAME_MALFORMED},
    {BYTES(0x30, 0xff, 0xff, 0xff, 0xff, 0x01), MQTT_FRAME_MALFORMED},
    {BYTES(0x30, 0x80, 0x00), MQTT_FRAME_MALFORMED}, /* not minimal */
    {BYTES(0x30, 0x83, 0x00, 1, 2, 3), MQTT_FRAME_MALFORMED},
    {BYTES(0x30, 0x03, 1, 2), MQTT_FRAME_PARTIAL},
    {BYTES(0x30, 0xff, 0x7f), MQTT_FRAME_PARTIAL},         /* 16,383 + 3 */
    {BYTES(0x30, 0x81, 0x80, 0x01), MQTT_FRAME_TOO_LARGE}, /* claimed, not sent */
    {BYTES(0x30, 0xff, 0xff, 0xff, 0x7f), MQTT_FRAME_TOO_LARGE},
    {BYTES(0x00, 0x00), MQTT_FRAME_MALFORMED}, /* reserved type */
    {BYTES(0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0x11, 0x00), MQTT_FRAME_MALFORMED}, /* reserved flags */
    {BYTES(0x41, 0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0x60, 0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0x62, 0x00), MQTT_FRAME_WHOLE},
    {BYTES(0x80, 0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0xa0, 0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0xc1, 0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0xe1, 0x00), MQTT_FRAME_MALFORMED},
    {BYTES(0xf0, 0x00), MQTT_FRAME_WHOLE},
};

START_TEST(frames_are_cut_by_their_claimed_length)
{
    struct mqtt_frame frame;
    ck_assert_int_eq(mqtt_frame_read(FRAMES[_i].bytes, FRAMES[_i].size, 16386, &frame),
                     FRAMES[_i].verdict);
}
END_TEST

/* --- CONNECT --- */

static const struct {
    const uint8_t *bytes;
    size_t size;
    enum mqtt_reason reason;
} CONNECTS[] = {
    /* 3.1.1, client id "ab", keep-alive 60 */
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'a', 'b'), MQTT_SUCCESS},
    /* 5.0 without properties */
    {BYTES(0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0, 0, 2, 'a', 'b'), MQTT_SUCCESS},
    /* 5.0: receive maximum 2 */
    {BYTES(0x10, 18, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 3, 33, 0, 2, 0, 2, 'a', 'b'),
     MQTT_SUCCESS},
    /* user "u" and password "p" */
    {BYTES(0x10, 20, 0, 4, 'M', 'Q', 'T', 'T', 4, 0xc2, 0, 60, 0, 2, 'a', 'b', 0, 1, 'u', 0, 1,
           'p'),
     MQTT_SUCCESS},
    /* will "t" -> "m" */
    {BYTES(0x10, 20, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x06, 0, 60, 0, 2, 'a', 'b', 0, 1, 't', 0, 1,
           'm'),
     MQTT_SUCCESS},
    /* 5.0: will with a delay */
    {BYTES(0x10, 27, 0, 4, 'M', 'Q', 'T', 'T', 5, 0x06, 0, 60, 0, 0, 2, 'a', 'b', 5, 24, 0, 0, 0, 1,
           0, 1, 't', 0, 1, 'm'),
     MQTT_SUCCESS},
    /* 5.0: a password without a user name is allowed */
    {BYTES(0x10, 18, 0, 4, 'M', 'Q', 'T', 'T', 5, 0x42, 0, 60, 0, 0, 2, 'a', 'b', 0, 1, 'p'),
     MQTT_SUCCESS},
    /* 3.1.1: it is not */
    {BYTES(0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x42, 0, 60, 0, 2, 'a', 'b', 0, 1, 'p'),
     MQTT_MALFORMED},
    /* levels and names */
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 6, 2, 0, 60, 0, 2, 'a', 'b'),
     MQTT_UNSUPPORTED_VERSION},
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 3, 2, 0, 60, 0, 2, 'a', 'b'),
     MQTT_UNSUPPORTED_VERSION},
    {BYTES(0x10, 14, 0, 4, 'H', 'T', 'T', 'P', 4, 2, 0, 60, 0, 2, 'a', 'b'),
     MQTT_UNSUPPORTED_VERSION},
    {BYTES(0x10, 16, 0, 6, 'M', 'Q', 'I', 's', 'd', 'p', 3, 2, 0, 60, 0, 2, 'a', 'b'),
     MQTT_UNSUPPORTED_VERSION},
    /* reserved flag; will QoS 3; will QoS without a will; will retain without a will */
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 3, 0, 60, 0, 2, 'a', 'b'), MQTT_MALFORMED},
    {BYTES(0x10, 20, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x1e, 0, 60, 0, 2, 'a', 'b', 0, 1, 't', 0, 1,
           'm'),
     MQTT_MALFORMED},
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x0a, 0, 60, 0, 2, 'a', 'b'), MQTT_MALFORMED},
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 0x22, 0, 60, 0, 2, 'a', 'b'), MQTT_MALFORMED},
    /* too short; trailing bytes; bad UTF-8 in the client id */
    {BYTES(0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'a'), MQTT_MALFORMED},
    {BYTES(0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 'a', 'b', 0), MQTT_MALFORMED},
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 0xc0, 0x80), MQTT_MALFORMED},
    {BYTES(0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 0, 60, 0, 2, 0, 'b'), MQTT_MALFORMED},
    {BYTES(0x10, 0), MQTT_MALFORMED},
    {BYTES(0x10, 3, 0, 4, 'M'), MQTT_MALFORMED},
    /* properties: unknown; in the wrong place; twice; a value that is not allowed; longer than the
       packet; not minimal */
    {BYTES(0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 2, 99, 0, 0, 2, 'a', 'b'),
     MQTT_MALFORMED},
    {BYTES(0x10, 18, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 3, 35, 0, 1, 0, 2, 'a', 'b'),
     MQTT_MALFORMED},
    {BYTES(0x10, 21, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 6, 33, 0, 1, 33, 0, 1, 0, 2, 'a', 'b'),
     MQTT_PROTOCOL_ERROR},
    {BYTES(0x10, 18, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 3, 33, 0, 0, 0, 2, 'a', 'b'),
     MQTT_PROTOCOL_ERROR},
    {BYTES(0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 2, 23, 2, 0, 2, 'a', 'b'),
     MQTT_PROTOCOL_ERROR},
    {BYTES(0x10, 15, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 9, 0, 2, 'a', 'b'), MQTT_MALFORMED},
    {BYTES(0x10, 16, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 0x80, 0, 0, 2, 'a', 'b'),
     MQTT_MALFORMED},
    /* user properties may repeat */
    {BYTES(0x10, 29, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 14, 38, 0, 1, 'k', 0, 1, 'v', 38, 0, 1,
           'k', 0, 1, 'v', 0, 2, 'a', 'b'),
     MQTT_SUCCESS},
};

START_TEST(connects_are_read_or_refused)
{
    struct mqtt_frame frame = frame_of(CONNECTS[_i].bytes, CONNECTS[_i].size);
    struct mqtt_connect connect;
    ck_assert_int_eq(mqtt_connect_read(&frame, &connect), CONNECTS[_i].reason);
    if (CONNECTS[_i].reason != MQTT_SUCCESS)
        return;
    ck_assert(mqtt_text_is(connect.client_id, "ab"));
    ck_assert_uint_eq(connect.keep_alive_s, 60);
}
END_TEST

START_TEST(the_fields_of_connect_arrive)
{
    struct mqtt_connect connect;
    struct mqtt_frame frame = frame_of(CONNECTS[2].bytes, CONNECTS[2].size);
    ck_assert_int_eq(mqtt_connect_read(&frame, &connect), MQTT_SUCCESS);
    ck_assert_uint_eq(connect.level, 5);
    ck_assert_uint_eq(mqtt_property_number(&connect.properties, MQTT_PROPERTY_RECEIVE_MAXIMUM, 9),
                      2);
    ck_assert_uint_eq(
        mqtt_property_number(&connect.properties, MQTT_PROPERTY_MAXIMUM_PACKET_SIZE, 9), 9);
    frame = frame_of(CONNECTS[3].bytes, CONNECTS[3].size);
    ck_assert_int_eq(mqtt_connect_read(&frame, &connect), MQTT_SUCCESS);
    ck_assert(connect.has_user && mqtt_text_is(connect.user, "u"));
    ck_assert(connect.has_password && mqtt_text_is(connect.password, "p"));
    frame = frame_of(CONNECTS[4].bytes, CONNECTS[4].size);
    ck_assert_int_eq(mqtt_connect_read(&frame, &connect), MQTT_SUCCESS);
    ck_assert(connect.will && mqtt_text_is(connect.will_topic, "t"));
}
END_TEST

/* Every CONNECT cut short anywhere is refused, never read beyond its end (the sanitizer watches).
 */
START_TEST(a_connect_cut_short_is_malformed)
{
    size_t body_size = CONNECTS[_i].size - 2;
    for (size_t cut = 0; cut < body_size; cut++) {
        uint8_t *body = malloc(cut + 1);
        memcpy(body, CONNECTS[_i].bytes + 2, cut);
        struct mqtt_frame frame = {.type = MQTT_CONNECT, .body = body, .body_size = cut};
        struct mqtt_connect connect;
        ck_assert_int_ne(mqtt_connect_read(&frame, &connect), MQTT_SUCCESS);
        free(body);
    }
}
END_TEST

/* --- the other packets that clients send --- */

static const struct {
    uint8_t level;
    const uint8_t *bytes;
    size_t size;
    enum mqtt_reason reason;
} PACKETS[] = {
    /* PUBLISH "t", QoS 0, 1 and 2 */
    {V3, BYTES(0x30, 4, 0, 1, 't', 'x'), MQTT_SUCCESS},
    {V3, BYTES(0x30, 3, 0, 1, 't'), MQTT_SUCCESS},
    {V3, BYTES(0x3a, 6, 0, 1, 't', 0, 7, 'x'), MQTT_SUCCESS},
    {V3, BYTES(0x34, 6, 0, 1, 't', 0, 7, 'x'), MQTT_SUCCESS},
    {V5, BYTES(0x32, 7, 0, 1, 't', 0, 7, 0, 'x'), MQTT_SUCCESS},
    {V5, BYTES(0x32, 12, 0, 1, 't', 0, 7, 5, 2, 0, 0, 0, 9, 'x'), MQTT_SUCCESS},
    {V3, BYTES(0x36, 6, 0, 1, 't', 0, 7, 'x'), MQTT_MALFORMED},      /* QoS 3 */
    {V3, BYTES(0x38, 4, 0, 1, 't', 'x'), MQTT_MALFORMED},            /* DUP at QoS 0 */
    {V3, BYTES(0x32, 6, 0, 1, 't', 0, 0, 'x'), MQTT_PROTOCOL_ERROR}, /* id 0 */
    {V3, BYTES(0x32, 4, 0, 1, 't', 0), MQTT_MALFORMED},
    {V3, BYTES(0x30, 3, 0, 9, 't'), MQTT_MALFORMED},
    {V3, BYTES(0x30, 3, 0, 1, 0xff), MQTT_MALFORMED},
    {V3, BYTES(0x30, 5, 0, 3, 0xed, 0xa0, 0x80), MQTT_MALFORMED}, /* a surrogate */
    {V5, BYTES(0x30, 3, 0, 1, 't'), MQTT_MALFORMED},              /* no property section */
    {V5, BYTES(0x30, 6, 0, 1, 't', 2, 11, 1), MQTT_MALFORMED}, /* subscription id from a client */
    {V5, BYTES(0x30, 6, 0, 1, 't', 2, 1, 2), MQTT_PROTOCOL_ERROR},
    /* PUBACK and its kin */
    {V3, BYTES(0x40, 2, 0, 7), MQTT_SUCCESS},
    {V3, BYTES(0x50, 2, 0, 7), MQTT_SUCCESS},
    {V3, BYTES(0x62, 2, 0, 7), MQTT_SUCCESS},
    {V3, BYTES(0x70, 2, 0, 7), MQTT_SUCCESS},
    {V3, BYTES(0x40, 3, 0, 7, 0), MQTT_MALFORMED},
    {V3, BYTES(0x40, 1, 0), MQTT_MALFORMED},
    {V3, BYTES(0x40, 2, 0, 0), MQTT_PROTOCOL_ERROR},
    {V5, BYTES(0x40, 2, 0, 7), MQTT_SUCCESS},
    {V5, BYTES(0x40, 3, 0, 7, 0x97), MQTT_SUCCESS},
    {V5, BYTES(0x40, 4, 0, 7, 0x10, 0), MQTT_SUCCESS},
    {V5, BYTES(0x40, 8, 0, 7, 0x83, 4, 31, 0, 1, 'r'), MQTT_SUCCESS},
    {V5, BYTES(0x40, 3, 0, 7, 0x92), MQTT_PROTOCOL_ERROR},
    {V5, BYTES(0x62, 3, 0, 7, 0x92), MQTT_SUCCESS},
    {V5, BYTES(0x62, 3, 0, 7, 0x80), MQTT_PROTOCOL_ERROR},
    {V5, BYTES(0x40, 6, 0, 7, 0, 2, 1, 0), MQTT_MALFORMED},
    {V5, BYTES(0x40, 5, 0, 7, 0, 0, 0), MQTT_MALFORMED},
    /* SUBSCRIBE */
    {V3, BYTES(0x82, 6, 0, 1, 0, 1, 'a', 1), MQTT_SUCCESS},
    {V3, BYTES(0x82, 10, 0, 1, 0, 1, 'a', 1, 0, 1, 'b', 2), MQTT_SUCCESS},
    {V5, BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x2d), MQTT_SUCCESS},
    {V5, BYTES(0x82, 9, 0, 1, 2, 11, 1, 0, 1, 'a', 1), MQTT_SUCCESS},
    {V5, BYTES(0x82, 9, 0, 1, 2, 11, 0, 0, 1, 'a', 1), MQTT_PROTOCOL_ERROR},
    {V3, BYTES(0x82, 2, 0, 1), MQTT_PROTOCOL_ERROR},
    {V3, BYTES(0x82, 6, 0, 0, 0, 1, 'a', 1), MQTT_PROTOCOL_ERROR},
    {V3, BYTES(0x82, 6, 0, 1, 0, 1, 'a', 3), MQTT_PROTOCOL_ERROR},
    {V3, BYTES(0x82, 6, 0, 1, 0, 1, 'a', 4), MQTT_MALFORMED},
    {V5, BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x40), MQTT_MALFORMED},
    {V5, BYTES(0x82, 7, 0, 1, 0, 0, 1, 'a', 0x30), MQTT_PROTOCOL_ERROR},
    {V3, BYTES(0x82, 5, 0, 1, 0, 0, 1), MQTT_MALFORMED},
    {V3, BYTES(0x82, 5, 0, 1, 0, 1, 'a'), MQTT_MALFORMED},
    /* UNSUBSCRIBE */
    {V3, BYTES(0xa2, 5, 0, 1, 0, 1, 'a'), MQTT_SUCCESS},
    {V5, BYTES(0xa2, 6, 0, 1, 0, 0, 1, 'a'), MQTT_SUCCESS},
    {V3, BYTES(0xa2, 2, 0, 1), MQTT_PROTOCOL_ERROR},
    {V3, BYTES(0xa2, 6, 0, 1, 0, 1, 'a', 0), MQTT_MALFORMED},
    /* PINGREQ and DISCONNECT */
    {V3, BYTES(0xc0, 0), MQTT_SUCCESS},
    {V3, BYTES(0xc0, 1, 0), MQTT_MALFORMED},
    {V3, BYTES(0xe0, 0), MQTT_SUCCESS},
    {V3, BYTES(0xe0, 1, 0), MQTT_MALFORMED},
    {V5, BYTES(0xe0, 0), MQTT_SUCCESS},
    {V5, BYTES(0xe0, 1, 4), MQTT_SUCCESS},
    {V5, BYTES(0xe0, 7, 0, 5, 17, 0, 0, 0, 9), MQTT_SUCCESS},
    {V5, BYTES(0xe0, 4, 0, 2, 33, 1), MQTT_MALFORMED},
};

static enum mqtt_reason packet_read(const struct mqtt_frame *frame, uint8_t level)
{
    struct mqtt_publish publish;
    struct mqtt_ack ack;
    struct mqtt_filters filters;
    switch (frame->type) {
    case MQTT_PUBLISH:
        return mqtt_publish_read(frame, level, &publish);
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
        return mqtt_filters_read(frame, level, &filters);
    case MQTT_PINGREQ:
    case MQTT_DISCONNECT:
        return mqtt_empty_read(frame, level);
    default:
        return mqtt_ack_read(frame, level, &ack);
    }
}

START_TEST(packets_are_read_or_refused)
{
    struct mqtt_frame frame = frame_of(PACKETS[_i].bytes, PACKETS[_i].size);
    ck_assert_int_eq(packet_read(&frame, PACKETS[_i].level), PACKETS[_i].reason);
}
END_TEST

/* Whatever the bytes are, no reader goes beyond them. */
START_TEST(noise_does_no_harm)
{
    static const enum mqtt_type TYPES[] = {MQTT_CONNECT,   MQTT_PUBLISH,   MQTT_PUBACK,
                                           MQTT_PUBREL,    MQTT_SUBSCRIBE, MQTT_UNSUBSCRIBE,
                                           MQTT_DISCONNECT};
    srand((unsigned int)_i);
    for (int round = 0; round < 4000; round++) {
        size_t size = (size_t)rand() % 40;
        uint8_t *body = malloc(size + 1);
        for (size_t i = 0; i < size; i++)
            body[i] = (uint8_t)(rand() % 3 == 0 ? rand() % 256 : rand() % 6);
        struct mqtt_frame frame = {.type = TYPES[(size_t)rand() % ARRAY_SIZE(TYPES)],
                                   .flags = (uint8_t)(rand() % 16),
                                   .body = body,
                                   .body_size = size};
        struct mqtt_connect connect;
        if (frame.type == MQTT_CONNECT)
            (void)mqtt_connect_read(&frame, &connect);
        else
            (void)packet_read(&frame, rand() % 2 ? V3 : V5);
        free(body);
    }
}
END_TEST

START_TEST(a_publish_yields_its_parts)
{
    struct mqtt_publish publish;
    struct mqtt_frame frame = frame_of(BYTES(0x3a, 6, 0, 1, 't', 0x12, 0x34, 'x'));
    ck_assert_int_eq(mqtt_publish_read(&frame, V3, &publish), MQTT_SUCCESS);
    ck_assert_uint_eq(publish.qos, 1);
    ck_assert(publish.dup && !publish.retain);
    ck_assert_uint_eq(publish.packet_id, 0x1234);
    ck_assert(mqtt_text_is(publish.topic, "t"));
    ck_assert_uint_eq(publish.payload_size, 1);
    ck_assert_int_eq(publish.payload[0], 'x');
}
END_TEST

START_TEST(more_filters_than_we_answer_are_refused)
{
    uint8_t packet[2 + 2 + 4 * (MQTT_FILTERS_MAX + 1)] = {0x82, sizeof packet - 2, 0, 1};
    for (size_t i = 0; i <= MQTT_FILTERS_MAX; i++)
        memcpy(packet + 4 + 4 * i, (uint8_t[]){0, 1, 'a', 1}, 4);
    struct mqtt_frame frame = frame_of(packet, sizeof packet);
    struct mqtt_filters filters;
    ck_assert_int_eq(mqtt_filters_read(&frame, V3, &filters), MQTT_QUOTA_EXCEEDED);
}
END_TEST

START_TEST(utf8_is_checked)
{
    ck_assert(mqtt_utf8_valid("", 0));
    ck_assert(mqtt_utf8_valid("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8d\xab", 10));
    static const char *const BAD[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc3",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "a\x01",
                                      "\x7f"};
    for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
        ck_assert_msg(!mqtt_utf8_valid(BAD[i], strlen(BAD[i])), "entry %zu", i);
    ck_assert(!mqtt_utf8_valid("a\0b", 3));
}
END_TEST

/* --- what we send --- */

static void expect_out(const struct mqtt_out *out, const uint8_t *bytes, size_t size)
{
    ck_assert_uint_eq(out->size, size);
    ck_assert_mem_eq(out->bytes, bytes, size);
}

START_TEST(what_we_send_is_as_the_standards_have_it)
{
    struct mqtt_out out;
    mqtt_connack_write(V3, &(struct mqtt_connack){.code = 0}, &out);
    expect_out(&out, BYTES(0x20, 2, 0, 0));
    mqtt_connack_write(V3, &(struct mqtt_connack){.code = 5}, &out);
    expect_out(&out, BYTES(0x20, 2, 0, 5));
    mqtt_connack_write(V5, &(struct mqtt_connack){.code = 0x87}, &out);
    expect_out(&out, BYTES(0x20, 3, 0, 0x87, 0));
    mqtt_connack_write(V5,
                       &(struct mqtt_connack){.receive_maximum = 8,
                                              .packet_size_max = 16384,
                                              .keep_alive_s = 30,
                                              .session_expiry_zero = true},
                       &out);
    expect_out(&out, BYTES(0x20, 30, 0, 0, 27, 33, 0, 8, 39, 0, 0, 0x40, 0, 19, 0, 30, 34, 0, 0, 37,
                           0, 40, 0, 41, 0, 42, 0, 17, 0, 0, 0, 0));
    const struct mqtt_ack fine = {.packet_id = 0x102};
    const struct mqtt_ack bad = {.packet_id = 0x102, .reason = 0x99};
    mqtt_ack_write(V3, MQTT_PUBACK, bad, &out);
    expect_out(&out, BYTES(0x40, 2, 1, 2));
    mqtt_ack_write(V5, MQTT_PUBACK, fine, &out);
    expect_out(&out, BYTES(0x40, 2, 1, 2));
    mqtt_ack_write(V5, MQTT_PUBREC, bad, &out);
    expect_out(&out, BYTES(0x50, 3, 1, 2, 0x99));
    mqtt_ack_write(V5, MQTT_PUBCOMP, fine, &out);
    expect_out(&out, BYTES(0x70, 2, 1, 2));
    const uint8_t codes[] = {1, 0x80};
    mqtt_suback_write(V3, MQTT_SUBACK, 7, codes, 2, &out);
    expect_out(&out, BYTES(0x90, 4, 0, 7, 1, 0x80));
    mqtt_suback_write(V5, MQTT_SUBACK, 7, codes, 2, &out);
    expect_out(&out, BYTES(0x90, 5, 0, 7, 0, 1, 0x80));
    mqtt_suback_write(V3, MQTT_UNSUBACK, 7, codes, 2, &out);
    expect_out(&out, BYTES(0xb0, 2, 0, 7));
    mqtt_suback_write(V5, MQTT_UNSUBACK, 7, codes, 1, &out);
    expect_out(&out, BYTES(0xb0, 4, 0, 7, 0, 1));
    mqtt_pingresp_write(&out);
    expect_out(&out, BYTES(0xd0, 0));
    mqtt_disconnect_write(MQTT_SESSION_TAKEN_OVER, &out);
    expect_out(&out, BYTES(0xe0, 1, 0x8e));
}
END_TEST

START_TEST(what_we_publish_can_be_read_back)
{
    static char payload[300];
    memset(payload, 'x', sizeof payload);
    for (uint8_t level = V3; level <= V5; level++)
        for (uint8_t qos = 0; qos <= 1; qos++) {
            const struct mqtt_publish_out publish = {.qos = qos,
                                                     .packet_id = 77,
                                                     .topic = "vm/1/me/cmd",
                                                     .payload = payload,
                                                     .payload_size = sizeof payload,
                                                     .expiry_s = 5};
            struct mqtt_out out;
            mqtt_publish_write(level, &publish, &out);
            struct mqtt_frame frame = frame_of(out.bytes, out.size);
            struct mqtt_publish read;
            ck_assert_int_eq(mqtt_publish_read(&frame, level, &read), MQTT_SUCCESS);
            ck_assert_uint_eq(read.qos, qos);
            ck_assert_uint_eq(read.packet_id, qos > 0 ? 77 : 0);
            ck_assert(mqtt_text_is(read.topic, "vm/1/me/cmd"));
            ck_assert_uint_eq(read.payload_size, sizeof payload);
            if (level == V5)
                ck_assert_uint_eq(
                    mqtt_property_number(&read.properties, MQTT_PROPERTY_MESSAGE_EXPIRY, 0), 5);
        }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mqtt_packet");
    TCase *tcase = tcase_create("read");
    tcase_add_loop_test(tcase, frames_are_cut_by_their_claimed_length, 0, ARRAY_SIZE(FRAMES));
    tcase_add_loop_test(tcase, connects_are_read_or_refused, 0, ARRAY_SIZE(CONNECTS));
    tcase_add_test(tcase, the_fields_of_connect_arrive);
    tcase_add_loop_test(tcase, a_connect_cut_short_is_malformed, 0, 7);
    tcase_add_loop_test(tcase, packets_are_read_or_refused, 0, ARRAY_SIZE(PACKETS));
    tcase_add_loop_test(tcase, noise_does_no_harm, 0, 4);
    tcase_add_test(tcase, a_publish_yields_its_parts);
    tcase_add_test(tcase, more_filters_than_we_answer_are_refused);
    tcase_add_test(tcase, utf8_is_checked);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("write");
    tcase_add_test(tcase, what_we_send_is_as_the_standards_have_it);
    tcase_add_test(tcase, what_we_publish_can_be_read_back);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
