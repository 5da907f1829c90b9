#include "vendsim/wire.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/timer.h"

#include <errno.h>
#include <mosquitto.h>
#include <mqtt_protocol.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

enum {
    KEEPALIVE_S = 30,
    INFLIGHT_MAX = 8,
    UP_DEADLINE_MS = 15 * 1000,
    TOPIC_SIZE = 96,
    REFUSED_FROM = 0x80, /* reason codes and SUBACK codes from here on are refusals */
};

enum wire_state {
    WIRE_IDLE = 0,
    WIRE_CONNECTING, /* TCP is on its way */
    WIRE_OPEN,       /* TLS, CONNECT, SUBSCRIBE, and then everything */
    WIRE_MUTED,
    WIRE_GONE, /* closed() will be called at the loop's edge */
};

static const char *const LEAVES[] = {
    [WIRE_EVENTS] = "ev",
    [WIRE_REPLIES] = "re",
    [WIRE_STATUS] = "st",
};

struct wire {
    struct uv_loop_s *loop;
    struct wire_config config;
    struct wire_hooks hooks;
    void *arg;
    struct timer *edge;

    enum wire_state state;
    struct mosquitto *client;
    uv_poll_t *poll;
    int fd;
    int watched; /* what the poll waits for */
    int depth;   /* libmosquitto is at work: it must not be destroyed now */
    bool subscribed;
    bool close_asked; /* inside a callback; done when libmosquitto returns */
    int64_t opened_ms;
    const char *why;
    size_t bind_index; /* into BIND_ADDRESSES */
};

/* libmosquitto tries only the first address of a name when it does not wait for the connection, and
 * that may be the one nobody listens on. Binding to one family at a time makes it try the other. */
static const char *const BIND_ADDRESSES[] = {"0.0.0.0", "::"};

static void on_edge(void *arg);

struct wire *wire_new(struct uv_loop_s *loop, const struct wire_config *config,
                      const struct wire_hooks *hooks, void *arg)
{
    struct wire *wire = memory_zero(1, sizeof(*wire));
    wire->loop = loop;
    wire->config = *config;
    wire->hooks = *hooks;
    wire->arg = arg;
    wire->fd = -1;
    wire->edge = timer_new(loop, on_edge, wire);
    return wire;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle);
}

/* Must come before the descriptor can be used again by somebody else. */
static void poll_close(struct wire *wire)
{
    uv_poll_t *poll = TAKE(wire->poll);
    wire->fd = -1;
    wire->watched = 0;
    if (!poll)
        return;
    (void)uv_poll_stop(poll);
    uv_close((uv_handle_t *)poll, on_poll_closed);
}

static void tear_down(struct wire *wire)
{
    assert(wire->depth == 0);
    poll_close(wire);
    struct mosquitto *client = TAKE(wire->client);
    wire->state = WIRE_IDLE;
    wire->close_asked = false;
    wire->subscribed = false;
    timer_stop(wire->edge);
    if (client)
        mosquitto_destroy(client);
}

void wire_free(struct wire **wire)
{
    struct wire *old = TAKE(*wire);
    if (!old)
        return;
    tear_down(old);
    timer_free(&old->edge);
    free(old);
}

static void on_edge(void *arg)
{
    struct wire *wire = arg;
    const char *why = wire->why;
    tear_down(wire);
    wire->hooks.closed(wire->arg, why);
}

static void gone(struct wire *wire, const char *why)
{
    if (wire->state == WIRE_GONE)
        return;
    if (wire->state == WIRE_CONNECTING)
        wire->bind_index = (wire->bind_index + 1) % ARRAY_SIZE(BIND_ADDRESSES);
    poll_close(wire);
    wire->state = WIRE_GONE;
    if (!wire->why)
        wire->why = why;
    timer_start(wire->edge, 0);
}

static void on_ready(uv_poll_t *poll, int status, int events);

static void watch(struct wire *wire)
{
    int events = UV_READABLE;
    if (wire->state == WIRE_CONNECTING || mosquitto_want_write(wire->client))
        events |= UV_WRITABLE;
    if (events == wire->watched)
        return;
    int result = uv_poll_start(wire->poll, events, on_ready);
    assert(result == 0);
    wire->watched = events;
}

/* libmosquitto takes a socket that broke during the handshake for one that is still connecting. */
static bool has_peer(const struct wire *wire)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    return getpeername(wire->fd, (struct sockaddr *)&address, &size) == 0;
}

static void enter(struct wire *wire)
{
    wire->depth++;
}

/* Every call of libmosquitto ends here: it may have closed its socket, queued a packet, or called a
 * hook that asked for the end. */
static void leave(struct wire *wire, int result)
{
    if (--wire->depth > 0)
        return;
    if (wire->close_asked) {
        tear_down(wire);
        return;
    }
    if (wire->state == WIRE_MUTED && mosquitto_socket(wire->client) != wire->fd)
        poll_close(wire);
    if (wire->state != WIRE_CONNECTING && wire->state != WIRE_OPEN)
        return;
    if (result != MOSQ_ERR_SUCCESS)
        gone(wire, mosquitto_strerror(result));
    else if (mosquitto_socket(wire->client) != wire->fd)
        gone(wire, "closed");
    else if (!wire->subscribed && !has_peer(wire))
        gone(wire, "reset");
    else
        watch(wire);
}

/* The first word from the socket: TCP is up, or it never will be. */
static int finish_connect(struct wire *wire)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(wire->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error || !has_peer(wire))
        return error ? -error : -ECONNREFUSED;
    wire->state = WIRE_OPEN;
    return 0;
}

static void on_ready(uv_poll_t *poll, int status, int events)
{
    struct wire *wire = poll->data;
    if (wire->state == WIRE_CONNECTING && (status < 0 || finish_connect(wire) < 0)) {
        gone(wire, "connection refused");
        return;
    }
    enter(wire);
    int result = MOSQ_ERR_SUCCESS;
    /* Reading also drives the TLS handshake, whatever it waits for. */
    result = mosquitto_loop_read(wire->client, 1);
    if (result == MOSQ_ERR_SUCCESS && !wire->close_asked && (events & UV_WRITABLE))
        result = mosquitto_loop_write(wire->client, 1);
    leave(wire, result);
}

static void on_connected(struct mosquitto *client, void *arg, int code, int flags UNUSED,
                         const mosquitto_property *properties UNUSED)
{
    struct wire *wire = arg;
    char topic[TOPIC_SIZE];
    if (code != 0) {
        wire->why =
            wire->config.v5 ? mosquitto_reason_string(code) : mosquitto_connack_string(code);
        return; /* libmosquitto closes */
    }
    snprintf(topic, sizeof(topic), "vm/1/%s/cmd", wire->config.vm_id);
    if (mosquitto_subscribe(client, NULL, topic, 1) != MOSQ_ERR_SUCCESS)
        wire->why = "could not subscribe"; /* the connection is breaking; its end will be told */
}

static void on_subscribed(struct mosquitto *client UNUSED, void *arg, int mid UNUSED, int count,
                          const int *granted, const mosquitto_property *properties UNUSED)
{
    struct wire *wire = arg;
    if (count != 1 || granted[0] >= REFUSED_FROM) {
        gone(wire, "subscription refused");
        return;
    }
    wire->subscribed = true;
    wire->hooks.connected(wire->arg);
}

static void on_message(struct mosquitto *client UNUSED, void *arg,
                       const struct mosquitto_message *message,
                       const mosquitto_property *properties UNUSED)
{
    struct wire *wire = arg;
    if (wire->close_asked || wire->state != WIRE_OPEN)
        return;
    wire->hooks.command(wire->arg, message->payload,
                        message->payloadlen > 0 ? (size_t)message->payloadlen : 0);
}

static void on_published(struct mosquitto *client UNUSED, void *arg, int mid, int reason,
                         const mosquitto_property *properties UNUSED)
{
    struct wire *wire = arg;
    if (wire->close_asked || wire->state != WIRE_OPEN)
        return;
    wire->hooks.acked(wire->arg, mid, reason);
}

const char WIRE_TAKEN_OVER[] = "another client has connected as this machine";

static void on_disconnected(struct mosquitto *client UNUSED, void *arg, int reason,
                            const mosquitto_property *properties UNUSED)
{
    struct wire *wire = arg;
    if (!wire->why && reason > REFUSED_FROM)
        wire->why = reason == MQTT_RC_SESSION_TAKEN_OVER ? WIRE_TAKEN_OVER
                                                         : mosquitto_reason_string(reason);
}

static int client_make(struct wire *wire)
{
    const struct wire_config *config = &wire->config;
    struct mosquitto *client = mosquitto_new(config->vm_id, true, wire);
    if (!client)
        return -errno;
    wire->client = client;
    mosquitto_connect_v5_callback_set(client, on_connected);
    mosquitto_subscribe_v5_callback_set(client, on_subscribed);
    mosquitto_message_v5_callback_set(client, on_message);
    mosquitto_publish_v5_callback_set(client, on_published);
    mosquitto_disconnect_v5_callback_set(client, on_disconnected);
    if (mosquitto_int_option(client, MOSQ_OPT_PROTOCOL_VERSION,
                             config->v5 ? MQTT_PROTOCOL_V5 : MQTT_PROTOCOL_V311) ||
        mosquitto_int_option(client, MOSQ_OPT_SEND_MAXIMUM, INFLIGHT_MAX) ||
        mosquitto_int_option(client, MOSQ_OPT_TCP_NODELAY, 1) ||
        mosquitto_tls_set(client, config->ca_file, NULL, config->cert_file, config->key_file, NULL))
        return -EINVAL;
    return 0;
}

static int poll_open(struct wire *wire)
{
    wire->fd = mosquitto_socket(wire->client);
    wire->poll = memory_zero(1, sizeof(*wire->poll));
    int result = uv_poll_init(wire->loop, wire->poll, wire->fd);
    if (result < 0) {
        free(TAKE(wire->poll));
        return result;
    }
    wire->poll->data = wire;
    wire->state = WIRE_CONNECTING;
    watch(wire);
    return 0;
}

int wire_open(struct wire *wire)
{
    assert(wire->state == WIRE_IDLE && !wire->client);
    wire->why = NULL;
    wire->opened_ms = clock_monotonic_ms();
    int result = client_make(wire);
    if (result == 0 && mosquitto_connect_bind_async(
                           wire->client, wire->config.host, wire->config.port, KEEPALIVE_S,
                           BIND_ADDRESSES[wire->bind_index]) != MOSQ_ERR_SUCCESS) {
        wire->bind_index = (wire->bind_index + 1) % ARRAY_SIZE(BIND_ADDRESSES);
        result = -EHOSTUNREACH;
    }
    if (result == 0)
        result = poll_open(wire);
    if (result < 0)
        tear_down(wire);
    return result;
}

int wire_publish(struct wire *wire, enum wire_leaf leaf, const char *body, int *ret_mid)
{
    char topic[TOPIC_SIZE];
    if (wire->state != WIRE_OPEN || !wire->subscribed || wire->close_asked)
        return -ENOTCONN;
    snprintf(topic, sizeof(topic), "vm/1/%s/%s", wire->config.vm_id, LEAVES[leaf]);
    enter(wire);
    int result = mosquitto_publish(wire->client, ret_mid, topic, (int)strlen(body), body,
                                   leaf == WIRE_STATUS ? 0 : 1, false);
    leave(wire, result);
    return result == MOSQ_ERR_SUCCESS ? 0 : -ENOTCONN;
}

/* A close with nothing lingering is a reset, as from a box that lost its memory. */
static void break_socket(const struct wire *wire)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    if (wire->fd >= 0)
        (void)setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

void wire_close(struct wire *wire, enum wire_end end)
{
    if (!wire->client)
        return;
    if (end == WIRE_POLITE && wire->state == WIRE_OPEN && wire->depth == 0)
        (void)mosquitto_disconnect(wire->client); /* lost with the connection: no matter */
    else if (end == WIRE_BREAK)
        break_socket(wire);
    if (wire->depth > 0)
        wire->close_asked = true;
    else
        tear_down(wire);
}

void wire_mute(struct wire *wire)
{
    if (wire->state != WIRE_OPEN)
        return;
    wire->state = WIRE_MUTED;
    (void)uv_poll_stop(wire->poll);
    wire->watched = 0;
}

void wire_tick(struct wire *wire)
{
    if (wire->state != WIRE_CONNECTING && wire->state != WIRE_OPEN)
        return;
    if (!wire->subscribed && clock_monotonic_ms() - wire->opened_ms > UP_DEADLINE_MS) {
        gone(wire, "did not come up in time");
        return;
    }
    if (wire->state == WIRE_CONNECTING)
        return;
    enter(wire);
    leave(wire, mosquitto_loop_misc(wire->client));
}
