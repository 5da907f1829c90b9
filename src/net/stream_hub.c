#include "net/stream_hub.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "net/stream.h"

#include <utlist.h>

static void work_off_dirty(struct stream_hub *hub)
{
    for (size_t left = hub->dirty_count; left > 0 && hub->dirty; left--) {
        struct net_stream *stream = hub->dirty;
        DL_DELETE2(hub->dirty, stream, dirty_prev, dirty_next);
        stream->dirty = false;
        hub->dirty_count--;
        stream_flush(stream);
        CRASH_POINT(after_bytes_sent);
    }
}

static void work_off_ready(struct stream_hub *hub)
{
    for (size_t left = hub->ready_count; left > 0 && hub->ready; left--) {
        struct net_stream *stream = hub->ready;
        DL_DELETE2(hub->ready, stream, ready_prev, ready_next);
        stream->ready = false;
        hub->ready_count--;
        stream_read(stream);
    }
}

static void hub_again(uv_idle_t *handle)
{
    struct stream_hub *hub = handle->data;
    work_off_ready(hub);
    if (!hub->ready)
        (void)uv_idle_stop(handle);
}

static void hub_flush(uv_prepare_t *handle)
{
    struct stream_hub *hub = handle->data;
    hub->handshakes_this_turn = 0;
    work_off_dirty(hub);
    if (hub->dirty) /* a callback of this very flush wrote again */
        (void)uv_idle_start(&hub->again, hub_again);
}

void stream_hub_open(struct stream_hub *hub, uv_loop_t *loop)
{
    hub->loop = loop;
    hub->flush.data = hub->again.data = hub;
    (void)uv_prepare_init(loop, &hub->flush);
    (void)uv_idle_init(loop, &hub->again);
    (void)uv_prepare_start(&hub->flush, hub_flush);
    uv_unref((uv_handle_t *)&hub->flush); /* by itself it is no reason for the loop to go on */
    hub->handles = 2;
}

void stream_hub_close(struct stream_hub *hub, uv_close_cb closed)
{
    uv_close((uv_handle_t *)&hub->flush, closed);
    uv_close((uv_handle_t *)&hub->again, closed);
}

void stream_hub_done(struct stream_hub *hub)
{
    assert(!hub->streams && !hub->dirty && !hub->ready);
    while (hub->spare_count > 0)
        buffer_done(&hub->spares[--hub->spare_count]);
}

void stream_hub_mark_dirty(struct stream_hub *hub, struct net_stream *stream)
{
    if (stream->dirty)
        return;
    stream->dirty = true;
    hub->dirty_count++;
    DL_APPEND2(hub->dirty, stream, dirty_prev, dirty_next);
}

void stream_hub_mark_ready(struct stream_hub *hub, struct net_stream *stream)
{
    if (stream->ready)
        return;
    stream->ready = true;
    hub->ready_count++;
    DL_APPEND2(hub->ready, stream, ready_prev, ready_next);
    (void)uv_idle_start(&hub->again, hub_again);
}

void stream_hub_unmark(struct stream_hub *hub, struct net_stream *stream)
{
    if (stream->dirty) {
        DL_DELETE2(hub->dirty, stream, dirty_prev, dirty_next);
        stream->dirty = false;
        hub->dirty_count--;
    }
    if (stream->ready) {
        DL_DELETE2(hub->ready, stream, ready_prev, ready_next);
        stream->ready = false;
        hub->ready_count--;
    }
}

void stream_hub_lend(struct stream_hub *hub, struct buffer *ret_buffer)
{
    if (hub->spare_count > 0)
        *ret_buffer = hub->spares[--hub->spare_count];
    else
        buffer_init(ret_buffer, hub->write_queue_max);
}

void stream_hub_take_back(struct stream_hub *hub, struct buffer *buffer)
{
    if (hub->spare_count == HUB_SPARES || buffer->capacity == 0 ||
        buffer->capacity > HUB_SPARE_SIZE) {
        buffer_done(buffer);
        return;
    }
    buffer_drop(buffer, buffer->size);
    hub->spares[hub->spare_count++] = *buffer;
    buffer_init(buffer, hub->write_queue_max);
}

bool stream_hub_may_log(struct stream_hub *hub)
{
    int64_t second = clock_monotonic_ms() / 1000;
    if (second != hub->log_second) {
        hub->log_second = second;
        hub->logs_this_second = 0;
    }
    return hub->logs_this_second++ < HUB_LOGS_PER_SECOND;
}
