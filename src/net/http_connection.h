/* http_connection.h - one client of the HTTP front: checks its requests one by one and lets them
 * through. Only for src/net.
 *
 *     IDLE --first byte--> HEAD --checked--> BODY --last byte--> ANSWER --is out--> IDLE
 *     idle_ms: close       head_ms: 408      body_ms: 408        idle_ms without
 *                                                                the client reading: abort
 *
 * The next head is looked at only when the answer before it is out, so a refusal never falls into
 * the middle of an answer; what was pipelined waits here. How long an answer may take to begin is
 * for those who give it to bound. */
#ifndef VENDGATE_NET_HTTP_CONNECTION_H
#define VENDGATE_NET_HTTP_CONNECTION_H

#include "net/http_front.h"
#include "net/http_pipe.h"

#define HTTP_REFUSAL_COUNT (HTTP_REFUSED_METHOD + 1)

struct http_connection;

struct http_front {
    uv_loop_t *loop;
    struct http_front_options options; /* of `listener`, only write_queue_max is kept */
    struct http_front_handlers handlers;
    void *arg;
    struct net_listener *listener; /* NULL once freed */
    struct http_connection *connections;
    size_t connection_count;
    uint64_t last_connection;
    bool stopped;
    bool telling;              /* `gone` is on the stack, and may free the front */
    struct metric_cell *heads; /* passed on */
    struct metric_cell *refused[HTTP_REFUSAL_COUNT]; /* by enum http_refusal */
    uint8_t scratch[HTTP_PIPE_READ_SIZE];
};

/* The handlers of the front's listener; their `arg` is the front, their `user` the connection. */
extern const struct net_handlers HTTP_CONNECTION_HANDLERS;
/* Closes every connection that waits for a request; the others follow when their answer is out, as
 * front->stopped says. */
void http_connections_close_idle(struct http_front *front);
/* Frees the front when it was asked to go and no connection is left. */
void http_front_free_if_done(struct http_front *front);

#endif
