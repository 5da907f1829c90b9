#include "net/stream.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#define CLOSE_MS 5000  /* to send what is queued */
#define LINGER_MS 2000 /* to let the peer read it */
#define READS_PER_TURN 4

static void stream_watch(struct net_stream *stream);
static void stream_opened(struct net_stream *stream);

/* --- the end --- */

static void stream_tell_closed(struct net_stream *stream)
{
    void *user = TAKE(stream->user);
    if (!user)
        return;
    metric_add(stream->hub->metrics.closed[stream->reason], 1);
    stream->hub->handlers.closed(user, stream->reason);
}

static void stream_handle_closed(uv_handle_t *handle)
{
    struct net_stream *stream = handle->data;
    if (--stream->handles > 0)
        return;
    struct stream_hub *hub = stream->hub;
    transport_done(&stream->transport);
    (void)close(stream->transport.fd);
    stream_tell_closed(stream);
    DL_DELETE(hub->streams, stream);
    hub->stream_count--;
    metric_add(hub->metrics.open, -1);
    hub->stream_gone(hub, stream); /* the hub may be gone after this */
    free(stream);
}

static void stream_handshake_over(struct net_stream *stream)
{
    stream->hub->handshaking--;
    stream->hub->handshake_over(stream->hub);
}

void stream_end(struct net_stream *stream, enum net_close_reason reason)
{
    if (stream->state == STREAM_ENDED)
        return;
    bool handshaking = stream->state == STREAM_HANDSHAKING;
    if (stream->state == STREAM_HANDSHAKING || stream->state == STREAM_OPEN)
        stream->reason = reason;
    stream->state = STREAM_ENDED;
    stream_hub_unmark(stream->hub, stream);
    stream_hub_take_back(stream->hub, &stream->queue);
    uv_close((uv_handle_t *)&stream->poll, stream_handle_closed);
    uv_close((uv_handle_t *)&stream->deadline, stream_handle_closed);
    if (handshaking)
        stream_handshake_over(stream);
}

static void stream_deadline(uv_timer_t *timer)
{
    struct net_stream *stream = timer->data;
    if (stream->state == STREAM_HANDSHAKING)
        metric_add(stream->hub->metrics.handshakes[NET_HANDSHAKE_LATE], 1);
    stream_end(stream, NET_CLOSED_RESET);
}

static void stream_set_deadline(struct net_stream *stream, uint64_t delay_ms)
{
    /* The loop's idea of now may be old by the length of this turn. */
    uv_update_time(stream->hub->loop);
    (void)uv_timer_start(&stream->deadline, stream_deadline, delay_ms, 0);
}

/* Stops reading, sends the rest, then FIN. */
static void stream_close_softly(struct net_stream *stream, enum net_close_reason reason)
{
    stream->state = STREAM_CLOSING;
    stream->reason = reason;
    stream_set_deadline(stream, CLOSE_MS);
    stream_hub_mark_dirty(stream->hub, stream);
    stream_watch(stream);
}

static void stream_send_fin(struct net_stream *stream)
{
    int result = transport_finish(&stream->transport);
    if (result == -EAGAIN) {
        stream->blocked = true;
        return;
    }
    if (result != 0 || stream->reason == NET_CLOSED_BY_PEER) { /* nobody there to linger for */
        stream_end(stream, stream->reason);
        return;
    }
    stream->state = STREAM_LINGERING;
    stream_set_deadline(stream, LINGER_MS);
    stream_tell_closed(stream);
}

static void stream_discard(struct net_stream *stream)
{
    for (int i = 0; i < READS_PER_TURN; i++) {
        ssize_t got =
            transport_discard(&stream->transport, stream->hub->read_buffer, HUB_READ_SIZE);
        if (got == -EAGAIN)
            return;
        if (got <= 0) {
            stream_end(stream, stream->reason);
            return;
        }
    }
}

/* --- events --- */

static int stream_wanted(const struct net_stream *stream)
{
    const struct transport *transport = &stream->transport;
    switch (stream->state) {
    case STREAM_HANDSHAKING:
        return transport->read_wants;
    case STREAM_OPEN:
        return (stream->paused ? 0 : transport->read_wants) |
               (stream->blocked ? transport->write_wants : 0);
    case STREAM_CLOSING:
        return stream->blocked ? transport->write_wants : 0;
    case STREAM_LINGERING:
        return UV_READABLE;
    case STREAM_ENDED:
        break;
    }
    return 0;
}

static void stream_happened(uv_poll_t *poll, int status, int events);

static void stream_watch(struct net_stream *stream)
{
    int wanted = stream_wanted(stream);
    if (stream->state == STREAM_ENDED || wanted == stream->watched)
        return;
    stream->watched = wanted;
    if (wanted)
        (void)uv_poll_start(&stream->poll, wanted, stream_happened);
    else
        (void)uv_poll_stop(&stream->poll);
}

static void stream_handshake_failed(struct net_stream *stream, const char *reason)
{
    struct stream_hub *hub = stream->hub;
    metric_add(hub->metrics.handshakes[NET_HANDSHAKE_FAILED], 1);
    if (stream_hub_may_log(hub))
        log_info("tls_handshake_failed", LOG_TEXT("listener", hub->name),
                 LOG_TEXT("peer", stream->peer.address_text), LOG_TEXT("error", reason));
    stream_end(stream, NET_CLOSED_RESET);
}

static void stream_handshake_done(struct net_stream *stream)
{
    struct net_metrics *metrics = &stream->hub->metrics;
    int error = peer_read_tls(stream->transport.ssl, &stream->peer);
    if (error != 0) {
        stream_handshake_failed(stream, error == -EKEYEXPIRED ? "client certificate has expired"
                                                              : "client certificate is unreadable");
        return;
    }
    metric_add(
        metrics->handshakes[stream->peer.resumed ? NET_HANDSHAKE_RESUMED : NET_HANDSHAKE_FULL], 1);
    metric_observe(metrics->handshake_seconds,
                   (double)(clock_monotonic_ns() - stream->accepted_at_ns) * 1e-9);
    (void)uv_timer_stop(&stream->deadline);
    stream_opened(stream);
    /* Application bytes may have come in the same segment as the end of the handshake. */
    if (stream->state == STREAM_OPEN && transport_holds_bytes(&stream->transport))
        stream_hub_mark_ready(stream->hub, stream);
}

static void stream_handshake(struct net_stream *stream)
{
    /* The poll is level-triggered: who is over the turn's budget is told again in the next turn. */
    if (stream->hub->handshakes_this_turn >= HUB_HANDSHAKES_PER_TURN)
        return;
    stream->hub->handshakes_this_turn++;
    int result = transport_handshake(&stream->transport);
    if (result == 0)
        stream_handshake_done(stream);
    else if (result == -EPROTO)
        stream_handshake_failed(stream, net_tls_reason());
    else if (result != -EAGAIN)
        stream_handshake_failed(stream, uv_strerror(result));
}

static void stream_happened(uv_poll_t *poll, int status, int events)
{
    struct net_stream *stream = poll->data;
    if (status < 0) { /* libuv has stopped the poll: reset, or TCP_USER_TIMEOUT */
        if (stream->state == STREAM_HANDSHAKING)
            stream_handshake_failed(stream, "connection lost");
        stream_end(stream, NET_CLOSED_RESET);
        return;
    }
    if (stream->blocked && (events & stream->transport.write_wants)) {
        stream->blocked = false;
        stream_hub_mark_dirty(stream->hub, stream);
    }
    if (stream->state == STREAM_HANDSHAKING)
        stream_handshake(stream);
    else if (stream->state == STREAM_OPEN && (events & stream->transport.read_wants))
        stream_read(stream);
    else if (stream->state == STREAM_LINGERING)
        stream_discard(stream);
    stream_watch(stream);
}

/* --- bytes --- */

/* False: this turn's reading is over. */
static bool stream_read_once(struct net_stream *stream)
{
    struct stream_hub *hub = stream->hub;
    ssize_t got = transport_read(&stream->transport, hub->read_buffer, HUB_READ_SIZE);
    if (got == -EAGAIN)
        return false;
    if (got == 0 && stream->queue.size > 0) {
        stream_close_softly(stream, NET_CLOSED_BY_PEER); /* it may still read */
        return false;
    }
    if (got <= 0) {
        stream_end(stream, got == 0 ? NET_CLOSED_BY_PEER : NET_CLOSED_RESET);
        return false;
    }
    metric_add(hub->metrics.received_bytes, (double)got);
    hub->handlers.data(stream->user, hub->read_buffer, (size_t)got);
    if (stream->state != STREAM_OPEN || stream->paused)
        return false;
    /* A short read has emptied the socket; asking again would only fetch EAGAIN. */
    return got == HUB_READ_SIZE || transport_holds_bytes(&stream->transport);
}

void stream_read(struct net_stream *stream)
{
    if (stream->state != STREAM_OPEN || stream->paused)
        return;
    int reads = 0;
    while (reads < READS_PER_TURN && stream_read_once(stream))
        reads++;
    if (reads == READS_PER_TURN)
        stream_hub_mark_ready(stream->hub, stream);
    stream_watch(stream);
}

/* False: the stream has ended. */
static bool stream_write_queue(struct net_stream *stream)
{
    size_t done = 0;
    while (done < stream->queue.size) {
        ssize_t sent = transport_write(&stream->transport, stream->queue.bytes + done,
                                       stream->queue.size - done);
        if (sent == -EAGAIN) {
            stream->blocked = true;
            break;
        }
        if (sent < 0) {
            stream_end(stream, NET_CLOSED_RESET);
            return false;
        }
        done += (size_t)sent;
    }
    metric_add(stream->hub->metrics.sent_bytes, (double)done);
    buffer_drop(&stream->queue, done);
    return true;
}

void stream_flush(struct net_stream *stream)
{
    bool waits = stream->state == STREAM_OPEN || stream->state == STREAM_CLOSING;
    if (!waits || stream->blocked)
        return;
    bool had_bytes = stream->queue.size > 0;
    if (had_bytes && !stream_write_queue(stream))
        return;
    if (stream->queue.size == 0) {
        stream_hub_take_back(stream->hub, &stream->queue);
        if (stream->state == STREAM_CLOSING)
            stream_send_fin(stream);
        else if (had_bytes && stream->hub->handlers.drained)
            stream->hub->handlers.drained(stream->user);
    }
    stream_watch(stream);
}

int net_stream_write(struct net_stream *stream, const void *bytes, size_t size)
{
    if (stream->state != STREAM_OPEN)
        return -ENOTCONN;
    if (size == 0)
        return 0;
    if (stream->queue.capacity == 0)
        stream_hub_lend(stream->hub, &stream->queue);
    if (buffer_add(&stream->queue, bytes, size) != 0) {
        stream_end(stream, NET_CLOSED_OVERFLOW);
        return -ENOBUFS;
    }
    stream_hub_mark_dirty(stream->hub, stream);
    return 0;
}

/* --- the beginning, and the rest of the public face --- */

static void stream_opened(struct net_stream *stream)
{
    struct stream_hub *hub = stream->hub;
    bool handshaking = stream->state == STREAM_HANDSHAKING;
    stream->state = STREAM_OPEN;
    stream->user = hub->handlers.opened(hub->arg, stream);
    if (!stream->user) {
        metric_add(hub->metrics.refused[NET_REFUSED_BY_OWNER], 1);
        stream_end(stream, NET_CLOSED_BY_US);
    }
    stream_watch(stream);
    if (handshaking)
        stream_handshake_over(stream);
}

static int stream_abandon(struct net_stream *stream, int error)
{
    transport_done(&stream->transport);
    (void)close(stream->transport.fd);
    free(stream);
    return error;
}

int stream_start(struct stream_hub *hub, int fd, struct net_tls *tls, const struct net_peer *peer)
{
    struct net_stream *stream = memory_zero(1, sizeof *stream);
    stream->hub = hub;
    stream->peer = *peer;
    stream->accepted_at_ns = clock_monotonic_ns();
    buffer_init(&stream->queue, hub->write_queue_max);
    int error = transport_init(&stream->transport, fd, tls);
    if (error == 0)
        error = uv_poll_init(hub->loop, &stream->poll, fd);
    if (error != 0)
        return stream_abandon(stream, error);
    (void)uv_timer_init(hub->loop, &stream->deadline);
    stream->poll.data = stream->deadline.data = stream;
    stream->handles = 2;
    DL_APPEND(hub->streams, stream);
    hub->stream_count++;
    metric_add(hub->metrics.open, 1);
    if (tls) {
        stream->state = STREAM_HANDSHAKING;
        hub->handshaking++;
        stream_set_deadline(stream, hub->handshake_ms);
        stream_watch(stream);
    } else {
        stream_opened(stream);
    }
    return 0;
}

const struct net_peer *net_stream_peer(const struct net_stream *stream)
{
    return &stream->peer;
}

size_t net_stream_queued(const struct net_stream *stream)
{
    return stream->queue.size;
}

void net_stream_pause(struct net_stream *stream)
{
    stream->paused = true;
    stream_watch(stream);
}

void net_stream_resume(struct net_stream *stream)
{
    if (!stream->paused)
        return;
    stream->paused = false;
    if (stream->state == STREAM_OPEN) /* OpenSSL may hold bytes that the poll does not see */
        stream_hub_mark_ready(stream->hub, stream);
    stream_watch(stream);
}

void net_stream_close(struct net_stream *stream)
{
    if (stream->state == STREAM_OPEN)
        stream_close_softly(stream, NET_CLOSED_BY_US);
}

void net_stream_abort(struct net_stream *stream)
{
    stream_end(stream, NET_CLOSED_BY_US);
}
