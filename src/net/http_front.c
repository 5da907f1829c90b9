#include "net/http_front.h"

#include "base/memory.h"
#include "net/http_connection.h"

#include <stdlib.h>

/* The pipe is read while half of a stream's queue is free. */
#define WRITE_QUEUE_MIN (2 * HTTP_PIPE_READ_SIZE)

enum { HEADS, REFUSED, DEF_COUNT };

static const struct metric_def DEFS[DEF_COUNT] = {
    [HEADS] = {"vendgate_http_heads_total",
               METRIC_COUNTER,
               "Requests whose head passed the check and went on.",
               {"listener"},
               NULL},
    [REFUSED] = {"vendgate_http_refused_total",
                 METRIC_COUNTER,
                 "Requests answered by the check itself.",
                 {"listener", "reason"},
                 NULL},
};

static const char *const REASONS[HTTP_REFUSAL_COUNT] = {
    [HTTP_REFUSED_BAD_HEAD] = "malformed",
    [HTTP_REFUSED_SLOW] = "slow",
    [HTTP_REFUSED_BODY_TOO_LARGE] = "body_too_large",
    [HTTP_REFUSED_HEAD_TOO_LARGE] = "head_too_large",
    [HTTP_REFUSED_METHOD] = "unknown_method",
};

static void front_count(struct http_front *front, struct metrics *metrics, const char *name)
{
    metrics_declare(metrics, DEFS, DEF_COUNT);
    front->heads = metrics_cell(metrics, &DEFS[HEADS], name);
    for (size_t i = HTTP_REFUSED_BAD_HEAD; i < HTTP_REFUSAL_COUNT; i++)
        front->refused[i] = metrics_cell(metrics, &DEFS[REFUSED], name, REASONS[i]);
}

int http_front_open(uv_loop_t *loop, const struct http_front_options *options,
                    const struct http_front_handlers *handlers, void *arg, struct metrics *metrics,
                    struct http_front **ret_front, char ret_error[static NET_ERROR_SIZE])
{
    assert(handlers->connection && handlers->gone && handlers->refusal);
    assert(options->head_max > 0 && options->body_max > 0);
    assert(options->head_ms > 0 && options->body_ms > 0 && options->idle_ms > 0);
    struct http_front *front = memory_zero(1, sizeof *front);
    front->loop = loop;
    front->options = *options;
    front->handlers = *handlers;
    front->arg = arg;
    if (front->options.listener.write_queue_max < WRITE_QUEUE_MIN)
        front->options.listener.write_queue_max = WRITE_QUEUE_MIN;
    front_count(front, metrics, options->listener.name);
    int error = net_listener_open(loop, &front->options.listener, &HTTP_CONNECTION_HANDLERS, front,
                                  metrics, &front->listener, ret_error);
    if (error != 0) {
        free(front);
        return error;
    }
    *ret_front = front;
    return 0;
}

uint16_t http_front_port(const struct http_front *front)
{
    return net_listener_port(front->listener);
}

size_t http_front_connections(const struct http_front *front)
{
    return front->connection_count;
}

void http_front_stop(struct http_front *front)
{
    net_listener_stop(front->listener);
    front->stopped = true;
    http_connections_close_idle(front);
}

void http_front_free_if_done(struct http_front *front)
{
    if (!front->listener && front->connection_count == 0 && !front->telling)
        free(front);
}

void http_front_free(struct http_front **front)
{
    struct http_front *gone = TAKE(*front);
    if (!gone)
        return;
    net_listener_free(&gone->listener);
    http_front_free_if_done(gone);
}
