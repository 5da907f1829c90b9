/* http_front.h - our guard in front of the HTTP library: a listener whose streams are checked
 * request by request.
 *
 * Raw request heads are checked strictly (RFC 9112: CRLF only, token names, no folding, no control
 * bytes, at most one framing, one Host, known method, HTTP/1.0 or 1.1, size limits), chunked bodies
 * too (no extensions, no trailers). A refused request is answered here and the connection closed;
 * of a refused head not one byte goes up.
 *
 * The first good request of a connection makes a socketpair, whose far end is handed up with the
 * real peer address. The requests of a connection go up one by one, each when the answer before it
 * is out. Wall-clock deadlines bound each head, each body and idleness; the library's own time-outs
 * are best switched off, because a deadline here comes with an answer or a clean end. Loop thread
 * only. */
#ifndef VENDGATE_NET_HTTP_FRONT_H
#define VENDGATE_NET_HTTP_FRONT_H

#include "net/listener.h"

struct http_front;

enum http_refusal {
    HTTP_REFUSED_BAD_HEAD = 1,   /* 400 */
    HTTP_REFUSED_SLOW,           /* 408 */
    HTTP_REFUSED_BODY_TOO_LARGE, /* 413 */
    HTTP_REFUSED_HEAD_TOO_LARGE, /* 431 */
    HTTP_REFUSED_METHOD,         /* 501: a method that no HTTP standard knows */
};

struct http_front_handlers {
    /* Takes `fd` (one end of a nonblocking socketpair) over. `connection` names it in `gone` and is
     * never used again. False: refuse; then `fd` is still ours. */
    bool (*connection)(void *arg, int fd, uint64_t connection, const struct net_peer *peer);
    /* The connection is no more, whoever ended it: whatever is suspended for it may be cancelled.
     * Exactly once after each `connection` that gave true, from the loop; not after
     * http_front_free(). */
    void (*gone)(void *arg, uint64_t connection);
    /* The complete response bytes for a refusal, with `Connection: close`; borrowed, static. */
    const char *(*refusal)(void *arg, enum http_refusal refusal);
};

struct http_front_options {
    struct net_listener_options listener; /* write_queue_max is raised to 32 KiB if below */
    int64_t head_max;                     /* bytes of one request head, 1 KiB..32 KiB */
    int64_t body_max;                     /* bytes of one body; above: 413 */
    int64_t head_ms;                      /* wall-clock, first to last byte of a head; then 408 */
    int64_t body_ms; /* wall-clock, end of the head to end of the body; then 408 */
    int64_t idle_ms; /* between requests, and without the client reading its answer; then closed */
};

/* 0, or a negative errno with the reason in ret_error. `handlers` is copied, `arg` borrowed;
 * `metrics` is used until the last connection has gone. */
MUST_CHECK int http_front_open(uv_loop_t *loop, const struct http_front_options *options,
                               const struct http_front_handlers *handlers, void *arg,
                               struct metrics *metrics, struct http_front **ret_front,
                               char ret_error[static NET_ERROR_SIZE]);
uint16_t http_front_port(const struct http_front *front);
/* Stops accepting; live connections go on until their responses are out, then are closed instead of
 * kept alive. */
void http_front_stop(struct http_front *front);
/* Open ones, handshakes not counted. */
size_t http_front_connections(const struct http_front *front);
/* Closes everything now; the memory goes from the loop. */
void http_front_free(struct http_front **front);

#endif
