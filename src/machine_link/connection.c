/* connection.c - phases, deadlines and the cutting of bytes into packets. */
#include "machine_link/connection.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "machine_link/commands.h"
#include "machine_link/events.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is kept of bytes that must wait: the largest packet and what the stream hands over at once.
 */
#define INPUT_MAX (PACKET_SIZE_MAX + 131072)

/* Packets a second that one connection may send in the long run, and at once. Beyond, reading
 * pauses; a client that stays at the limit for PAUSES_MAX pauses is sent away. */
#define RATE_PER_S 200
#define RATE_BURST 1000
#define PAUSE_MS 1000
#define PAUSES_MAX 10

const char *const LINK_PHASE_NAMES[PHASE_COUNT] = {
    [PHASE_CONNECT] = "connect", [PHASE_WELCOME] = "welcome", [PHASE_SUBSCRIBE] = "subscribe",
    [PHASE_HELLO] = "hello",     [PHASE_ONLINE] = "online",   [PHASE_TOOL] = "tool",
    [PHASE_CLOSING] = "closing",
};
static_assert(PHASE_COUNT <= LINK_PHASES_MAX, "the metrics have room for every phase");

#define TO(phase_) (1U << (phase_))
static const unsigned int MAY_MOVE_TO[PHASE_COUNT] = {
    [PHASE_CONNECT] = TO(PHASE_WELCOME) | TO(PHASE_TOOL) | TO(PHASE_CLOSING),
    [PHASE_WELCOME] = TO(PHASE_SUBSCRIBE) | TO(PHASE_CLOSING),
    [PHASE_SUBSCRIBE] = TO(PHASE_HELLO) | TO(PHASE_CLOSING),
    [PHASE_HELLO] = TO(PHASE_ONLINE) | TO(PHASE_CLOSING),
    [PHASE_ONLINE] = TO(PHASE_CLOSING),
    [PHASE_TOOL] = TO(PHASE_CLOSING),
};

/* --- phases and the end --- */

void connection_move(struct connection *connection, enum link_phase phase, int64_t deadline_ms)
{
    assert(MAY_MOVE_TO[connection->phase] & TO(phase));
    struct link_metrics *metrics = &connection->link->metrics;
    metric_add(metrics->phases[connection->phase], -1);
    metric_add(metrics->phases[phase], 1);
    connection->phase = phase;
    connection->phase_deadline_ms = deadline_ms > 0 ? clock_monotonic_ms() + deadline_ms : 0;
    if (phase != PHASE_CLOSING)
        connection_schedule(connection);
}

void connection_write(struct connection *connection, const struct mqtt_out *out)
{
    struct link_metrics *metrics = &connection->link->metrics;
    /* When it fails the stream is closing or will be closed; its `closed` tells. */
    if (net_stream_write(connection->stream, out->bytes, out->size) != 0)
        return;
    metric_add(metrics->packets_out[out->bytes[0] >> 4], 1);
    metric_add(metrics->bytes_out, (double)out->size);
}

/* Takes the connection from its machine: from now on nothing is sent to it and nothing of it handed
 * up. */
static void detach(struct connection *connection)
{
    struct machine *machine = connection->machine;
    if (!machine)
        return;
    if (machine->live == connection)
        machine->live = NULL;
    if (connection->tool) {
        DL_DELETE2(machine->tools, connection, tool_prev, tool_next);
        machine->tool_count--;
    }
    events_forget(machine, connection);
}

/* The end as such; whether goodbye is said or the stream is gone already is the caller's matter. */
static void finish(struct connection *connection, enum link_down_reason down)
{
    struct machine_link *link = connection->link;
    connection_move(connection, PHASE_CLOSING, 0);
    timer_stop(connection->timer);
    connection->down = down;
    detach(connection);
    if (!connection->machine)
        return;
    link_metrics_down(&link->metrics, link_down_reason_name(down));
    log_info(connection->tool ? "machine_tool_down" : "machine_link_down",
             LOG_TEXT("vm", connection->machine->vm_id), LOG_INT("connection", connection->id),
             LOG_TEXT("reason", link_down_reason_name(down)));
    DL_APPEND(link->ended, connection);
    connection->ended_listed = true;
    link_wake(link);
}

void connection_end(struct connection *connection, enum link_down_reason down,
                    enum mqtt_reason reason)
{
    if (connection->phase == PHASE_CLOSING)
        return;
    bool connected = connection->phase != PHASE_CONNECT && connection->phase != PHASE_WELCOME;
    if (connected && connection->level >= MQTT_LEVEL_5 && reason != MQTT_SUCCESS) {
        struct mqtt_out out;
        mqtt_disconnect_write(reason, &out);
        connection_write(connection, &out);
    }
    finish(connection, down);
    net_stream_close(connection->stream);
}

void connection_break(struct connection *connection, enum mqtt_reason reason)
{
    if (connection->phase == PHASE_CLOSING)
        return;
    /* A stranger must not fill the log: the metric counts it. */
    log_event(connection->machine ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "machine_protocol_error",
              LOG_TEXT("vm", connection->machine ? connection->machine->vm_id : NULL),
              LOG_TEXT("address", net_stream_peer(connection->stream)->address_text),
              LOG_INT("reason_code", reason));
    link_metrics_refused(&connection->link->metrics, "protocol");
    connection_end(connection, LINK_DOWN_PROTOCOL, reason);
}

void connection_report(struct connection *connection)
{
    struct machine_link *link = connection->link;
    assert(connection->ended_listed);
    DL_DELETE(link->ended, connection);
    connection->ended_listed = false;
    commands_abandon(connection);
    if (!connection->gone_owed)
        return;
    connection->gone_owed = false;
    link->handlers.gone(link->arg, connection->machine->vm_id, connection->id, connection->down);
}

static enum link_down_reason down_reason_of(enum net_close_reason reason)
{
    switch (reason) {
    case NET_CLOSED_BY_PEER:
    case NET_CLOSED_BY_US:
        return LINK_DOWN_CLOSED;
    case NET_CLOSED_SHUTDOWN:
        return LINK_DOWN_DRAIN;
    case NET_CLOSED_RESET:
    case NET_CLOSED_OVERFLOW:
        break;
    }
    return LINK_DOWN_RESET;
}

void connection_closed(void *arg, enum net_close_reason reason)
{
    struct connection *connection = arg;
    struct machine_link *link = connection->link;
    if (!link->freeing) {
        if (connection->phase != PHASE_CLOSING)
            finish(connection, down_reason_of(reason));
        if (connection->ended_listed)
            connection_report(connection);
        metric_add(link->metrics.phases[PHASE_CLOSING], -1);
    }
    HASH_DELETE(by_id, link->connections, connection);
    if (connection->machine)
        machine_release(connection->machine);
    timer_free(&connection->timer);
    buffer_done(&connection->input);
    free(connection);
    link_closed_one(link);
}

void connection_answer(struct connection *connection, uint16_t packet_id, enum mqtt_reason reason)
{
    bool v5 = connection->level >= MQTT_LEVEL_5;
    if (!window_answer(&connection->window, packet_id, v5 ? reason : MQTT_SUCCESS))
        return;
    enum mqtt_type type;
    struct mqtt_ack ack;
    while (window_next(&connection->window, &type, &ack)) {
        struct mqtt_out out;
        mqtt_ack_write(connection->level, type, ack, &out);
        connection_write(connection, &out);
    }
}

/* --- deadlines --- */

static int64_t silence_due_ms(const struct connection *connection)
{
    if (connection->phase == PHASE_CONNECT || connection->phase == PHASE_WELCOME)
        return INT64_MAX; /* the phase has its own deadline */
    return connection->heard_ms + connection->keep_alive_s * 1500;
}

static int64_t earlier(int64_t due_ms, int64_t other_ms)
{
    return other_ms > 0 && other_ms < due_ms ? other_ms : due_ms;
}

static int64_t due_ms_of(const struct connection *connection)
{
    int64_t due_ms = earlier(silence_due_ms(connection), connection->phase_deadline_ms);
    due_ms = earlier(due_ms, connection->paused_until_ms);
    return earlier(due_ms, commands_due_ms(connection));
}

/* The timer is only ever set nearer; when it fires too early it looks again. So a packet costs no
 * timer call. */
void connection_schedule(struct connection *connection)
{
    int64_t due_ms = due_ms_of(connection);
    if (due_ms == INT64_MAX || (connection->timer_due_ms > 0 && connection->timer_due_ms <= due_ms))
        return;
    connection->timer_due_ms = due_ms;
    timer_start(connection->timer, due_ms - clock_monotonic_ms());
}

static void phase_overdue(struct connection *connection)
{
    if (connection->phase == PHASE_WELCOME) {
        connect_refuse(connection, LINK_UNAVAILABLE);
        return;
    }
    if (connection->phase == PHASE_CONNECT)
        link_metrics_refused(&connection->link->metrics, "no_connect");
    connection_end(connection, LINK_DOWN_NOT_WELCOME, MQTT_UNSPECIFIED);
}

static bool deadline_passed(struct connection *connection, int64_t now_ms)
{
    if (connection->phase_deadline_ms > 0 && now_ms >= connection->phase_deadline_ms) {
        phase_overdue(connection);
        return true;
    }
    if (now_ms >= silence_due_ms(connection)) {
        connection_end(connection, LINK_DOWN_KEEP_ALIVE, MQTT_KEEP_ALIVE_TIMEOUT);
        return true;
    }
    if (commands_overdue(connection, now_ms)) {
        connection_end(connection, LINK_DOWN_NO_PUBACK, MQTT_UNSPECIFIED);
        return true;
    }
    return false;
}

static void timer_fired(void *arg)
{
    struct connection *connection = arg;
    int64_t now_ms = clock_monotonic_ms();
    connection->timer_due_ms = 0;
    if (connection->phase == PHASE_CLOSING || deadline_passed(connection, now_ms))
        return;
    commands_expire(connection, now_ms);
    if (connection->paused_until_ms > 0 && now_ms >= connection->paused_until_ms)
        connection_resume(connection);
    if (connection->phase != PHASE_CLOSING)
        connection_schedule(connection);
}

/* --- bytes to packets --- */

static void pause_stream(struct connection *connection)
{
    connection->stream_paused = true;
    net_stream_pause(connection->stream);
}

/* False: too fast; reading pauses, or the connection is at its end. */
static bool rate_allows(struct connection *connection)
{
    int64_t now_ms = connection->heard_ms;
    int64_t gained = (now_ms - connection->tokens_ms) * RATE_PER_S / 1000;
    if (gained > 0) {
        connection->tokens += gained;
        connection->tokens_ms = now_ms;
    }
    if (connection->tokens >= RATE_BURST) {
        connection->tokens = RATE_BURST;
        connection->pauses = 0;
    }
    if (connection->tokens > 0) {
        connection->tokens--;
        return true;
    }
    if (++connection->pauses > PAUSES_MAX) {
        connection_break(connection, MQTT_RATE_TOO_HIGH);
        return false;
    }
    connection->paused_until_ms = clock_monotonic_ms() + PAUSE_MS;
    pause_stream(connection);
    connection_schedule(connection);
    return false;
}

static bool reads(const struct connection *connection)
{
    return connection->phase != PHASE_WELCOME && connection->phase != PHASE_CLOSING &&
           connection->paused_until_ms == 0;
}

static void ping_received(struct connection *connection, const struct mqtt_frame *frame)
{
    struct mqtt_out out;
    if (mqtt_empty_read(frame, connection->level) != MQTT_SUCCESS) {
        connection_break(connection, MQTT_MALFORMED);
        return;
    }
    mqtt_pingresp_write(&out);
    connection_write(connection, &out);
}

static void disconnect_received(struct connection *connection, const struct mqtt_frame *frame)
{
    enum mqtt_reason reason = mqtt_empty_read(frame, connection->level);
    if (reason != MQTT_SUCCESS)
        connection_break(connection, reason);
    else
        connection_end(connection, LINK_DOWN_CLOSED, MQTT_SUCCESS);
}

/* The packets that a client may send once it is let in. A second CONNECT, what only servers send,
 * acknowledgements of QoS 2 (we never send it) and AUTH (no method was agreed upon) break the
 * protocol. */
static void (*const RECEIVERS[MQTT_TYPE_COUNT])(struct connection *, const struct mqtt_frame *) = {
    [MQTT_PUBLISH] = publish_received,         [MQTT_PUBACK] = puback_received,
    [MQTT_PUBREL] = pubrel_received,           [MQTT_SUBSCRIBE] = subscribe_received,
    [MQTT_UNSUBSCRIBE] = unsubscribe_received, [MQTT_PINGREQ] = ping_received,
    [MQTT_DISCONNECT] = disconnect_received,
};

static void frame_received(struct connection *connection, const struct mqtt_frame *frame)
{
    metric_add(connection->link->metrics.packets_in[frame->type], 1);
    if (connection->phase == PHASE_CONNECT && frame->type == MQTT_CONNECT)
        connect_received(connection, frame);
    else if (connection->phase == PHASE_CONNECT || !RECEIVERS[frame->type])
        connection_break(connection, MQTT_PROTOCOL_ERROR);
    else
        RECEIVERS[frame->type](connection, frame);
}

/* Works off whole packets; returns the bytes used. */
static size_t frames_read(struct connection *connection, const uint8_t *bytes, size_t size)
{
    size_t used = 0;
    while (reads(connection)) {
        struct mqtt_frame frame;
        size_t size_max = connection->phase == PHASE_CONNECT ? CONNECT_SIZE_MAX_5 : PACKET_SIZE_MAX;
        switch (mqtt_frame_read(bytes + used, size - used, size_max, &frame)) {
        case MQTT_FRAME_PARTIAL:
            return used;
        case MQTT_FRAME_TOO_LARGE:
            connection_break(connection, MQTT_PACKET_TOO_LARGE);
            return used;
        case MQTT_FRAME_MALFORMED:
            connection_break(connection, MQTT_MALFORMED);
            return used;
        case MQTT_FRAME_WHOLE:
            break;
        }
        if (!rate_allows(connection))
            return used;
        frame_received(connection, &frame);
        used += frame.size;
    }
    return used;
}

static void input_keep(struct connection *connection, const uint8_t *bytes, size_t size)
{
    if (size == 0 || connection->phase == PHASE_CLOSING)
        return;
    if (buffer_add(&connection->input, bytes, size) != 0) {
        connection_break(connection, MQTT_RATE_TOO_HIGH);
        return;
    }
    /* Nothing more is taken from a client that has to wait for its welcome. */
    if (connection->phase == PHASE_WELCOME)
        pause_stream(connection);
}

static void input_work_off(struct connection *connection)
{
    size_t used = frames_read(connection, connection->input.bytes, connection->input.size);
    if (used == connection->input.size || connection->phase == PHASE_CLOSING)
        buffer_done(&connection->input); /* an idle connection holds no memory */
    else
        buffer_drop(&connection->input, used);
}

void connection_data(void *arg, const uint8_t *bytes, size_t size)
{
    struct connection *connection = arg;
    if (connection->phase == PHASE_CLOSING || connection->link->freeing)
        return;
    connection->heard_ms = clock_monotonic_ms();
    metric_add(connection->link->metrics.bytes_in, (double)size);
    if (connection->input.size > 0) {
        input_keep(connection, bytes, size);
        input_work_off(connection);
        return;
    }
    size_t used = frames_read(connection, bytes, size);
    input_keep(connection, bytes + used, size - used);
}

void connection_resume(struct connection *connection)
{
    if (connection->paused_until_ms > 0) {
        if (clock_monotonic_ms() < connection->paused_until_ms)
            return;
        connection->paused_until_ms = 0;
        connection->heard_ms = clock_monotonic_ms();
    }
    if (reads(connection) && connection->input.size > 0)
        input_work_off(connection);
    if (reads(connection) && connection->stream_paused) {
        connection->stream_paused = false;
        net_stream_resume(connection->stream);
    }
}

void connection_silence(struct connection *connection)
{
    connection->phase = PHASE_CLOSING;
    connection->ended_listed = connection->gone_owed = false;
    timer_stop(connection->timer);
    detach(connection);
    commands_free(connection);
}

void *connection_opened(void *arg, struct net_stream *stream)
{
    struct machine_link *link = arg;
    if (link->draining || link->freeing)
        return NULL;
    struct connection *connection = memory_zero(1, sizeof *connection);
    connection->link = link;
    connection->stream = stream;
    connection->id = ++link->last_connection;
    connection->phase = PHASE_CONNECT;
    connection->heard_ms = connection->tokens_ms = clock_monotonic_ms();
    connection->phase_deadline_ms = connection->heard_ms + link->options.connect_ms;
    connection->tokens = RATE_BURST;
    buffer_init(&connection->input, INPUT_MAX);
    connection->timer = timer_new(link->loop, timer_fired, connection);
    HASH_ADD(by_id, link->connections, id, sizeof connection->id, connection);
    metric_add(link->metrics.phases[PHASE_CONNECT], 1);
    connection_schedule(connection);
    return connection;
}
