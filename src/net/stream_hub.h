/* stream_hub.h - what all streams of one listener share: handlers, read buffer, spare write
 * buffers, and the two lists of what is due in this turn of the loop. Only for src/net.
 *
 *     poll:  bytes came        --> data --> the user writes --+
 *     idle:  `ready`, left over --> data --> the user writes --+--> `dirty` --> prepare: one flush
 *
 * libuv runs timers, idle, prepare, poll in this order, so whatever was written anywhere is flushed
 * before the loop sleeps. Each list is worked off once per turn: who comes back onto it waits for
 * the next, so nobody starves the others. */
#ifndef VENDGATE_NET_STREAM_HUB_H
#define VENDGATE_NET_STREAM_HUB_H

#include "base/buffer.h"
#include "net/net_metrics.h"

#define HUB_READ_SIZE 16384 /* one TLS record */
#define HUB_SPARES 32
#define HUB_SPARE_SIZE 65536      /* a bigger write buffer is not kept */
#define HUB_HANDSHAKES_PER_TURN 4 /* steps of about half a millisecond of mathematics each */
#define HUB_LOGS_PER_SECOND 5     /* lines about failed handshakes */

struct stream_hub {
    uv_loop_t *loop;
    const char *name; /* borrowed from the listener */
    struct net_handlers handlers;
    void *arg;
    size_t write_queue_max;
    uint64_t handshake_ms;
    /* Upwards, to the listener: a handshake is over, well or not; a stream is gone but for its
     * memory. */
    void (*handshake_over)(struct stream_hub *hub);
    void (*stream_gone)(struct stream_hub *hub, struct net_stream *stream);

    struct net_stream *streams; /* all that live */
    struct net_stream *dirty;   /* to be flushed in this turn */
    struct net_stream *ready;   /* to be read again although no poll may tell */
    size_t stream_count, dirty_count, ready_count, handshaking;
    unsigned handshakes_this_turn;

    int64_t log_second;
    unsigned logs_this_second;
    uv_prepare_t flush;
    /* Runs only while something is left over, so that the loop does not sleep. */
    uv_idle_t again;
    unsigned handles; /* of the two above that are not closed yet */
    struct buffer spares[HUB_SPARES];
    size_t spare_count;
    struct net_metrics metrics;
    uint8_t read_buffer[HUB_READ_SIZE];
};

/* The caller has filled what stands above the first blank line; the rest is zero. */
void stream_hub_open(struct stream_hub *hub, uv_loop_t *loop);
/* Closes the two handles, `closed` is called for each; the caller waits until `handles` is 0 and
 * then calls _done. */
void stream_hub_close(struct stream_hub *hub, uv_close_cb closed);
void stream_hub_done(struct stream_hub *hub);

void stream_hub_mark_dirty(struct stream_hub *hub, struct net_stream *stream);
void stream_hub_mark_ready(struct stream_hub *hub, struct net_stream *stream);
void stream_hub_unmark(struct stream_hub *hub, struct net_stream *stream);
/* Write buffers go round, so that an idle stream holds none and a busy one never allocates. */
void stream_hub_lend(struct stream_hub *hub, struct buffer *ret_buffer);
void stream_hub_take_back(struct stream_hub *hub, struct buffer *buffer);
/* False: enough lines about peers' faults were logged in this second. */
bool stream_hub_may_log(struct stream_hub *hub);

#endif
