/* stream.h - one accepted connection, from accept to the descriptor's end. Only for src/net; its
 * public face is in listener.h.
 *
 *     HANDSHAKING --> OPEN --> CLOSING --> LINGERING --> ENDED
 *                               flush, at   FIN is sent,
 *                               most 5 s    the user told
 *
 * From each a reset or an abort leads straight to ENDED.
 * LINGERING reads and drops for a while, because closing a socket with unread bytes sends a reset,
 * which would take our last answer away from the peer. The memory goes in the close callback of its
 * libuv handles. */
#ifndef VENDGATE_NET_STREAM_H
#define VENDGATE_NET_STREAM_H

#include "base/buffer.h"
#include "net/stream_hub.h"
#include "net/transport.h"

enum stream_state {
    STREAM_HANDSHAKING = 1,
    STREAM_OPEN,
    STREAM_CLOSING,
    STREAM_LINGERING,
    STREAM_ENDED,
};

struct net_stream {
    struct stream_hub *hub;
    struct transport transport;
    enum stream_state state;
    enum net_close_reason reason; /* set when it leaves OPEN */
    bool paused, blocked;         /* `blocked`: the socket takes no more now */
    bool dirty, ready;            /* is on that list of the hub */
    void *user;                   /* NULL: nobody is to be told */
    struct buffer queue;          /* not sent yet */
    uv_poll_t poll;
    int watched; /* events that `poll` now waits for */
    uv_timer_t deadline;
    unsigned handles;
    int64_t accepted_at_ns;
    struct net_stream *prev, *next, *dirty_prev, *dirty_next, *ready_prev, *ready_next;
    struct net_peer peer;
};

/* Takes `fd` over in any case. With TLS the handshake begins; without, the user is told at once -
 * so call it from the loop only. 0; a negative errno: nothing began. */
MUST_CHECK int stream_start(struct stream_hub *hub, int fd, struct net_tls *tls,
                            const struct net_peer *peer);
/* Ends it now, whatever its state; callbacks follow from the loop. */
void stream_end(struct net_stream *stream, enum net_close_reason reason);
/* The hub's two calls: write what is queued; read what is there. */
void stream_flush(struct net_stream *stream);
void stream_read(struct net_stream *stream);

#endif
