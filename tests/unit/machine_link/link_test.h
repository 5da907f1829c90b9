/* link_test.h - for the socket tests: a machine link on a plain listener with an owner that notes
 * what it is told, and raw MQTT clients on the same thread and loop. */
#ifndef VENDGATE_TESTS_LINK_TEST_H
#define VENDGATE_TESTS_LINK_TEST_H

#include "base/clock.h"
#include "base/log.h"
#include "machine_link/machine_link.h"
#include "machine_link/mqtt_packet.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PATIENCE_MS 5000
#define V3 MQTT_LEVEL_3_1_1
#define V5 MQTT_LEVEL_5
#define NOTES_SIZE 65536

/* --- the owner of the link --- */

struct owner {
    uv_loop_t loop;
    struct metrics *metrics;
    struct machine_link *link;
    struct machine_link_options options;
    /* What it does by itself: */
    bool welcomes, greets, acks;
    enum link_refusal verdict; /* of authenticate() */
    /* What it was told, a line each: "arrived a 1\n". */
    char notes[NOTES_SIZE];
    struct event_ticket ticket; /* of the last event */
    uint64_t connection;        /* that arrived last */
    bool calling;               /* a call down is under way: no callback may come */
};

static inline void note(struct owner *owner, const char *format, ...) PRINTF_LIKE(2, 3);
static inline void note(struct owner *owner, const char *format, ...)
{
    ck_assert_msg(!owner->calling, "a callback ran inside the call that asked");
    size_t used = strlen(owner->notes);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(owner->notes + used, NOTES_SIZE - used, format, arguments);
    va_end(arguments);
}

static inline bool noted(const struct owner *owner, const char *text)
{
    return strstr(owner->notes, text) != NULL;
}

static inline size_t noted_times(const struct owner *owner, const char *text)
{
    size_t count = 0;
    for (const char *at = owner->notes; (at = strstr(at, text)); at += strlen(text))
        count++;
    return count;
}

static inline enum link_refusal on_authenticate(void *arg,
                                                const struct link_credentials *credentials)
{
    struct owner *owner = arg;
    note(owner, "authenticate %s%s token=%s\n", credentials->vm_id,
         credentials->tool ? " tool" : "", credentials->token ? credentials->token : "-");
    return owner->verdict;
}

static inline void on_arrived(void *arg, const char *vm_id, uint64_t connection,
                              const char *fingerprint)
{
    struct owner *owner = arg;
    note(owner, "arrived %s%s\n", vm_id, fingerprint ? " with a certificate" : "");
    owner->connection = connection;
    if (owner->welcomes)
        ck_assert(machine_link_welcome(owner->link, vm_id, connection, 42));
}

static inline struct machine_command command_of(enum machine_op op)
{
    return (struct machine_command){
        .op = op, .ttl_ms = 5000, .session = -1, .request = -1, .txn_id = 9};
}

static inline void on_subscribed(void *arg, const char *vm_id, uint64_t connection UNUSED)
{
    struct owner *owner = arg;
    note(owner, "subscribed %s\n", vm_id);
    struct machine_command hello = command_of(MACHINE_OP_HELLO);
    if (owner->greets)
        ck_assert_int_eq(machine_link_send(owner->link, vm_id, &hello, NULL), 0);
}

static inline void on_event(void *arg, const char *vm_id, struct event_ticket ticket,
                            const struct machine_event *event)
{
    struct owner *owner = arg;
    note(owner, "event %s %s %d\n", vm_id, machine_event_kind_name(event->kind), (int)event->seq);
    owner->ticket = ticket;
    if (owner->acks)
        machine_link_ack(owner->link, ticket,
                         event->kind == MACHINE_EVENT_UNREADABLE ? EVENT_UNREADABLE : EVENT_STORED);
}

static inline void on_reply(void *arg, const char *vm_id, const struct machine_reply *reply)
{
    struct owner *owner = arg;
    note(owner, "reply %s %s %s txn=%d\n", vm_id, machine_op_name(reply->op),
         reply->ok ? "ok" : reply->reason, (int)reply->txn_id);
    if (reply->op == MACHINE_OP_HELLO && owner->greets)
        machine_link_online(owner->link, vm_id);
}

static inline void on_received(void *arg, const char *vm_id, const struct machine_command *command)
{
    note(arg, "received %s %s\n", vm_id, machine_op_name(command->op));
}

static inline void on_dropped(void *arg, const char *vm_id, const struct machine_command *command,
                              bool sent)
{
    note(arg, "dropped %s %s %s\n", vm_id, machine_op_name(command->op), sent ? "sent" : "unsent");
}

static inline void on_status(void *arg, const char *vm_id, const json_t *status)
{
    note(arg, "status %s %zu\n", vm_id, json_object_size(status));
}

static inline void on_gone(void *arg, const char *vm_id, uint64_t connection UNUSED,
                           enum link_down_reason reason)
{
    note(arg, "gone %s %s\n", vm_id, link_down_reason_name(reason));
}

/* A kind owner: it lets everybody in, says hello, acknowledges at once. Options may be changed
 * before owner_open(). */
static inline void owner_init(struct owner *owner)
{
    log_set_level(LOG_LEVEL_ERROR);
    memset(owner, 0, sizeof *owner);
    ck_assert_int_eq(uv_loop_init(&owner->loop), 0);
    owner->metrics = metrics_new();
    owner->welcomes = owner->greets = owner->acks = true;
    owner->options = (struct machine_link_options){
        .listener = {.name = "machines",
                     .address = "127.0.0.1",
                     .fd = -1,
                     .connections_max = 100,
                     .connections_per_address_max = 100,
                     .handshakes_max = 10,
                     .handshake_ms = 2000,
                     .write_queue_max = 1 << 20},
        .connect_ms = 2000,
        .welcome_ms = 2000,
        .keep_alive_s = 30,
        .keep_alive_max_s = 1200,
        .probe_after_ms = 45000,
        .command_ack_ms = 3000,
        .in_flight_max = 4,
        .queue_max = 16,
        .takeovers_per_minute = 5,
        .tools_max = 2,
    };
}

static inline void owner_open(struct owner *owner)
{
    static const struct machine_link_handlers HANDLERS = {.authenticate = on_authenticate,
                                                          .arrived = on_arrived,
                                                          .subscribed = on_subscribed,
                                                          .event = on_event,
                                                          .reply = on_reply,
                                                          .received = on_received,
                                                          .dropped = on_dropped,
                                                          .status = on_status,
                                                          .gone = on_gone};
    char error[NET_ERROR_SIZE];
    ck_assert_int_eq(machine_link_open(&owner->loop, &owner->options, &HANDLERS, owner,
                                       owner->metrics, &owner->link, error),
                     0);
}

static inline void pump(struct owner *owner)
{
    (void)uv_run(&owner->loop, UV_RUN_NOWAIT);
    (void)usleep(100);
}

#define PUMP_UNTIL(owner, condition)                                                          \
    do {                                                                                      \
        int64_t until_ = clock_monotonic_ms() + PATIENCE_MS;                                  \
        while (!(condition)) {                                                                \
            ck_assert_msg(clock_monotonic_ms() < until_, "never: " #condition "; notes:\n%s", \
                          (owner)->notes);                                                    \
            pump(owner);                                                                      \
        }                                                                                     \
    } while (0)

#define EXPECT_NOTE(owner, text) PUMP_UNTIL(owner, noted(owner, text))

/* Lets everything happen that is about to happen. */
static inline void settle(struct owner *owner)
{
    for (int i = 0; i < 30; i++)
        pump(owner);
}

static inline void owner_close(struct owner *owner)
{
    machine_link_free(&owner->link);
    ck_assert_ptr_null(owner->link);
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (uv_loop_alive(&owner->loop)) {
        ck_assert_msg(clock_monotonic_ms() < until, "the loop does not end");
        pump(owner);
    }
    ck_assert_int_eq(uv_loop_close(&owner->loop), 0);
    metrics_free(&owner->metrics);
}

/* --- packets of a client --- */

struct packet {
    size_t size;
    uint8_t bytes[40000];
};

static inline void add(struct packet *packet, const void *bytes, size_t size)
{
    ck_assert_uint_le(packet->size + size, sizeof packet->bytes);
    memcpy(packet->bytes + packet->size, bytes, size);
    packet->size += size;
}

static inline void add_u8(struct packet *packet, unsigned int value)
{
    add(packet, &(uint8_t){(uint8_t)value}, 1);
}

static inline void add_u16(struct packet *packet, unsigned int value)
{
    add_u8(packet, value >> 8);
    add_u8(packet, value & 0xff);
}

static inline void add_text(struct packet *packet, const char *text)
{
    add_u16(packet, (unsigned int)strlen(text));
    add(packet, text, strlen(text));
}

/* Puts the fixed header in front of what was added. */
static inline void finish(struct packet *packet, unsigned int first)
{
    struct packet whole = {0};
    add_u8(&whole, first);
    size_t left = packet->size;
    do {
        add_u8(&whole, (unsigned int)(left % 128) | (left > 127 ? 128 : 0));
        left /= 128;
    } while (left > 0);
    add(&whole, packet->bytes, packet->size);
    *packet = whole;
}

struct connect_options {
    const char *client_id, *user, *password, *will;
    bool will_retain, authentication_method;
    uint16_t keep_alive_s, receive_max;
    uint32_t packet_max, session_expiry_s;
};

static inline void add_connect_properties(struct packet *packet,
                                          const struct connect_options *options)
{
    struct packet properties = {0};
    if (options->receive_max > 0) {
        add_u8(&properties, 33);
        add_u16(&properties, options->receive_max);
    }
    if (options->packet_max > 0) {
        add_u8(&properties, 39);
        add_u16(&properties, options->packet_max >> 16);
        add_u16(&properties, options->packet_max & 0xffff);
    }
    if (options->session_expiry_s > 0) {
        add_u8(&properties, 17);
        add_u16(&properties, options->session_expiry_s >> 16);
        add_u16(&properties, options->session_expiry_s & 0xffff);
    }
    if (options->authentication_method) {
        add_u8(&properties, 21);
        add_text(&properties, "SCRAM");
    }
    add_u8(packet, (unsigned int)properties.size);
    add(packet, properties.bytes, properties.size);
}

static inline struct packet connect_packet(uint8_t level, const struct connect_options *options)
{
    struct packet packet = {0};
    add_text(&packet, "MQTT");
    add_u8(&packet, level);
    add_u8(&packet, 2U | (options->will ? 4U : 0U) | (options->will_retain ? 0x20U : 0U) |
                        (options->password ? 0x40U : 0U) | (options->user ? 0x80U : 0U));
    add_u16(&packet, options->keep_alive_s);
    if (level == V5)
        add_connect_properties(&packet, options);
    add_text(&packet, options->client_id);
    if (options->will) {
        if (level == V5)
            add_u8(&packet, 0);
        add_text(&packet, options->will);
        add_text(&packet, "lost");
    }
    if (options->user)
        add_text(&packet, options->user);
    if (options->password)
        add_text(&packet, options->password);
    finish(&packet, 0x10);
    return packet;
}

/* `flags`: DUP 8, QoS 2 and 4, retain 1. */
static inline struct packet publish_packet(uint8_t level, unsigned int flags, uint16_t packet_id,
                                           const char *topic, const char *payload)
{
    struct packet packet = {0};
    add_text(&packet, topic);
    if (flags & 6)
        add_u16(&packet, packet_id);
    if (level == V5)
        add_u8(&packet, 0);
    add(&packet, payload, strlen(payload));
    finish(&packet, 0x30 | flags);
    return packet;
}

static inline struct packet subscribe_packet(uint8_t level, const char *filter, unsigned int qos)
{
    struct packet packet = {0};
    add_u16(&packet, 11);
    if (level == V5)
        add_u8(&packet, 0);
    add_text(&packet, filter);
    add_u8(&packet, qos);
    finish(&packet, 0x82);
    return packet;
}

/* --- a client --- */

struct client {
    struct owner *owner;
    int fd;
    uint8_t level;
    size_t size; /* received, not taken yet */
    bool ended;  /* the server has closed */
    uint8_t bytes[65536];
};

static inline void client_open(struct client *client, struct owner *owner, uint8_t level)
{
    memset(client, 0, sizeof *client);
    client->owner = owner;
    client->level = level;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(client->fd, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(machine_link_port(owner->link)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
}

static inline void client_send(struct client *client, const void *bytes, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        ssize_t step = send(client->fd, (const uint8_t *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (step < 0 && errno != EAGAIN)
            return; /* the server has closed; the test will see it */
        sent += step > 0 ? (size_t)step : 0;
        pump(client->owner);
    }
}

static inline void client_send_packet(struct client *client, struct packet packet)
{
    client_send(client, packet.bytes, packet.size);
}

static inline void client_read(struct client *client)
{
    ssize_t step =
        recv(client->fd, client->bytes + client->size, sizeof client->bytes - client->size, 0);
    if (step > 0)
        client->size += (size_t)step;
    else if (step == 0 || errno != EAGAIN)
        client->ended = true;
}

static inline bool client_has(struct client *client, struct mqtt_frame *ret_frame)
{
    client_read(client);
    return mqtt_frame_read(client->bytes, client->size, sizeof client->bytes, ret_frame) ==
           MQTT_FRAME_WHOLE;
}

static inline void client_take(struct client *client, size_t size)
{
    client->size -= size;
    memmove(client->bytes, client->bytes + size, client->size);
}

/* The next packet is exactly these bytes. */
static inline void client_expect(struct client *client, const void *bytes, size_t size)
{
    struct mqtt_frame frame;
    PUMP_UNTIL(client->owner, client_has(client, &frame) || client->ended);
    ck_assert_uint_ge(client->size, size);
    ck_assert_mem_eq(client->bytes, bytes, size);
    ck_assert_uint_eq(frame.size, size);
    client_take(client, size);
}
#define EXPECT(client, ...) \
    client_expect(client, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define SEND(client, ...) \
    client_send(client, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static inline void client_expect_nothing(struct client *client)
{
    settle(client->owner);
    client_read(client);
    ck_assert_uint_eq(client->size, 0);
    ck_assert(!client->ended);
}

/* The server closes, and says nothing more. */
static inline void client_expect_end(struct client *client)
{
    PUMP_UNTIL(client->owner, (client_read(client), client->ended));
    ck_assert_uint_eq(client->size, 0);
}

static inline void client_close(struct client *client)
{
    if (client->fd > 0)
        close(client->fd);
    client->fd = 0;
}

struct told {
    char id[COMMAND_ID_SIZE];
    char text[4096];
    uint16_t packet_id;
    uint8_t qos;
};

/* The next packet is a command; what it says. */
static inline struct told client_command(struct client *client, const char *op)
{
    struct mqtt_frame frame;
    struct mqtt_publish publish;
    struct told told = {0};
    PUMP_UNTIL(client->owner, client_has(client, &frame) || client->ended);
    ck_assert(!client->ended);
    ck_assert_int_eq(frame.type, MQTT_PUBLISH);
    ck_assert_int_eq(mqtt_publish_read(&frame, client->level, &publish), MQTT_SUCCESS);
    memcpy(told.text, publish.payload, publish.payload_size);
    json_t *json = json_loads(told.text, 0, NULL);
    ck_assert_ptr_nonnull(json);
    ck_assert_str_eq(json_string_value(json_object_get(json, "op")), op);
    ck_assert_int_eq(json_integer_value(json_object_get(json, "generation")), 42);
    strcpy(told.id, json_string_value(json_object_get(json, "id")));
    told.packet_id = publish.packet_id;
    told.qos = publish.qos;
    json_decref(json);
    client_take(client, frame.size);
    return told;
}

static inline void client_puback(struct client *client, uint16_t packet_id)
{
    SEND(client, 0x40, 2, (uint8_t)(packet_id >> 8), (uint8_t)packet_id);
}

static inline void client_reply(struct client *client, const char *command_id)
{
    char text[128];
    snprintf(text, sizeof text, "{\"id\":\"%s\",\"result\":\"ok\"}", command_id);
    client_send_packet(client, publish_packet(client->level, 0, 0, "vm/1/me/re", text));
}

static inline void client_expect_connack(struct client *client)
{
    struct mqtt_frame frame;
    PUMP_UNTIL(client->owner, client_has(client, &frame) || client->ended);
    ck_assert(!client->ended);
    ck_assert_int_eq(frame.type, MQTT_CONNACK);
    ck_assert_uint_eq(frame.body[1], 0);
    client_take(client, frame.size);
}

/* Connected and subscribed; hello is on its way. */
static inline void client_enter(struct client *client, struct owner *owner, uint8_t level,
                                const char *vm_id)
{
    client_open(client, owner, level);
    client_send_packet(client,
                       connect_packet(level, &(struct connect_options){.client_id = vm_id,
                                                                       .user = vm_id,
                                                                       .password = "secret",
                                                                       .keep_alive_s = 60}));
    client_expect_connack(client);
    client_send_packet(client, subscribe_packet(level, "vm/1/me/cmd", 1));
    if (level == V5)
        EXPECT(client, 0x90, 4, 0, 11, 0, 1);
    else
        EXPECT(client, 0x90, 3, 0, 11, 1);
}

/* All the way to online. */
static inline void client_online(struct client *client, struct owner *owner, uint8_t level,
                                 const char *vm_id)
{
    client_enter(client, owner, level, vm_id);
    struct told hello = client_command(client, "hello");
    client_puback(client, hello.packet_id);
    client_reply(client, hello.id);
    EXPECT_NOTE(owner, "reply");
    settle(owner);
    owner->notes[0] = 0;
}

/* An event with number `seq`, at QoS 1 with the packet id seq + 1. */
static inline void client_event(struct client *client, int seq)
{
    char text[128];
    snprintf(text, sizeof text, "{\"event\":\"info\",\"event_epoch\":1,\"seq\":%d}", seq);
    client_send_packet(client,
                       publish_packet(client->level, 2, (uint16_t)(seq + 1), "vm/1/me/ev", text));
}

static inline int owner_send(struct owner *owner, const char *vm_id, enum machine_op op)
{
    struct machine_command command = command_of(op);
    owner->calling = true;
    int result = machine_link_send(owner->link, vm_id, &command, NULL);
    owner->calling = false;
    return result;
}

static inline void owner_ack(struct owner *owner, enum event_ack ack)
{
    owner->calling = true;
    machine_link_ack(owner->link, owner->ticket, ack);
    owner->calling = false;
}

#endif
