#include "net/http_connection.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/timer.h"
#include "net/http_answer.h"
#include "net/http_head.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

enum http_state {
    HTTP_IDLE = 1,
    HTTP_HEAD,
    HTTP_BODY,
    HTTP_ANSWER,
    HTTP_LAST_ANSWER, /* no more requests: close when this answer is out */
    HTTP_OVER,        /* the stream is closing; nothing goes either way any more */
};

struct http_connection {
    struct http_front *front;
    struct net_stream *stream;
    uint64_t id;
    enum http_state state;
    bool passed_empty_line; /* one before a head is allowed (RFC 9112 section 2.2) */
    bool answer_begun, answer_done, reading_paused;
    bool announced;    /* `gone` is owed */
    struct buffer in;  /* came in, and could not be looked at yet */
    size_t scanned;    /* of a head that is not complete */
    const uint8_t *up; /* checked, not yet written to the pipe; borrowed from the bytes at work */
    size_t up_size;
    struct http_body body;
    struct http_answer answer;
    struct http_pipe *pipe; /* NULL until the first request has passed, and after the end */
    struct timer *deadline;
    struct http_connection *prev, *next;
};

static size_t connection_work(struct http_connection *connection, const uint8_t *bytes,
                              size_t size);

/* --- ends --- */

/* Sends what is queued for the client, then hangs up on both sides. */
static void connection_close(struct http_connection *connection)
{
    connection->state = HTTP_OVER;
    timer_stop(connection->deadline);
    http_pipe_free(&connection->pipe);
    net_stream_close(connection->stream);
}

static void connection_refuse(struct http_connection *connection, enum http_refusal refusal)
{
    struct http_front *front = connection->front;
    metric_add(front->refused[refusal], 1);
    if (connection->answer_begun) { /* to the request whose body went wrong; a second one must not
                                       mix in */
        connection->state = HTTP_LAST_ANSWER;
        timer_start(connection->deadline, front->options.idle_ms);
        if (connection->answer_done)
            connection_close(connection);
        return;
    }
    const char *answer = front->handlers.refusal(front->arg, refusal);
    int unsent = net_stream_write(connection->stream, answer, strlen(answer));
    (void)unsent; /* a stream whose queue is full has ended already */
    connection_close(connection);
}

static void connection_deadline(void *arg)
{
    struct http_connection *connection = arg;
    switch (connection->state) {
    case HTTP_IDLE:
        connection_close(connection);
        break;
    case HTTP_HEAD:
    case HTTP_BODY:
        connection_refuse(connection, HTTP_REFUSED_SLOW);
        break;
    case HTTP_ANSWER:
    case HTTP_LAST_ANSWER:
        connection->state = HTTP_OVER;
        net_stream_abort(connection->stream); /* the client does not read */
        break;
    case HTTP_OVER:
        break;
    }
}

/* --- from the client --- */

/* Back-pressure: what the far end does not take, and what was pipelined beyond a head's size, waits
 * with the client. */
static void connection_pace_reading(struct http_connection *connection)
{
    if (connection->state == HTTP_OVER)
        return;
    bool far_end_slow = connection->pipe && http_pipe_queued(connection->pipe) > 0;
    bool enough = connection->state == HTTP_ANSWER &&
                  connection->in.size >= (size_t)connection->front->options.head_max;
    bool pause = far_end_slow || enough;
    if (pause == connection->reading_paused)
        return;
    connection->reading_paused = pause;
    if (pause)
        net_stream_pause(connection->stream);
    else
        net_stream_resume(connection->stream);
}

/* While an answer is owed only the client's reading is bounded. */
static void connection_bound_answer(struct http_connection *connection)
{
    if (connection->answer_begun || net_stream_queued(connection->stream) > 0)
        timer_start(connection->deadline, connection->front->options.idle_ms);
    else
        timer_stop(connection->deadline);
}

static void connection_request_over(struct http_connection *connection)
{
    connection->answer_begun = connection->answer_done = false;
    if (connection->front->stopped) {
        connection_close(connection);
        return;
    }
    connection->state = HTTP_IDLE;
    timer_start(connection->deadline, connection->front->options.idle_ms);
}

static void connection_body_over(struct http_connection *connection)
{
    connection->state = HTTP_ANSWER;
    if (connection->answer_done) /* the answer did not wait for the body */
        connection_request_over(connection);
    else
        connection_bound_answer(connection);
}

/* Writes what was passed on so far; a head and its body mostly go in one write. */
static void connection_flush_up(struct http_connection *connection)
{
    size_t size = connection->up_size;
    connection->up_size = 0;
    if (size == 0 || !connection->pipe ||
        http_pipe_write(connection->pipe, connection->up, size) == 0)
        return;
    connection->state = HTTP_OVER; /* cannot be: reading pauses long before */
    net_stream_abort(connection->stream);
}

static void connection_pass_on(struct http_connection *connection, const uint8_t *bytes,
                               size_t size)
{
    if (connection->up_size > 0 && connection->up + connection->up_size != bytes)
        connection_flush_up(connection);
    if (connection->up_size == 0)
        connection->up = bytes;
    connection->up_size += size;
}

static void pipe_data(void *arg, const uint8_t *bytes, size_t size);
static void pipe_drained(void *arg);
static void pipe_ended(void *arg);

static const struct http_pipe_handlers PIPE_HANDLERS = {
    .data = pipe_data, .drained = pipe_drained, .ended = pipe_ended};

/* Made late, so that a connection that never sends a good request costs nobody above anything. */
static bool connection_open_pipe(struct http_connection *connection)
{
    struct http_front *front = connection->front;
    if (connection->pipe)
        return true;
    int far_fd = -1;
    struct http_pipe_options options = {.loop = front->loop,
                                        .handlers = &PIPE_HANDLERS,
                                        .arg = connection,
                                        .scratch = front->scratch};
    if (http_pipe_open(&options, &connection->pipe, &far_fd) != 0)
        return false;
    connection->announced = front->handlers.connection(front->arg, far_fd, connection->id,
                                                       net_stream_peer(connection->stream));
    if (!connection->announced)
        (void)close(far_fd);
    return connection->announced;
}

static void connection_begin_request(struct http_connection *connection, const uint8_t *bytes,
                                     size_t size, const struct http_head *head)
{
    const struct http_front_options *options = &connection->front->options;
    if (!connection_open_pipe(connection)) {
        connection_close(connection);
        return;
    }
    metric_add(connection->front->heads, 1);
    connection->scanned = 0;
    connection->passed_empty_line = false;
    http_answer_start(&connection->answer, head->response_has_no_body);
    http_body_start(&connection->body, head->framing, head->length, (uint64_t)options->body_max);
    connection->state = HTTP_BODY;
    timer_start(connection->deadline, options->body_ms);
    size_t rest = head->skip_at + head->skip_size;
    connection_pass_on(connection, bytes, head->skip_at);
    connection_pass_on(connection, bytes + rest, size - rest);
    if (head->framing == HTTP_FRAMING_NONE)
        connection_body_over(connection);
}

static void connection_judge_head(struct http_connection *connection, const uint8_t *bytes,
                                  size_t size)
{
    struct http_head head;
    switch (http_head_check(bytes, size, &head)) {
    case HTTP_HEAD_BAD:
        connection_refuse(connection, HTTP_REFUSED_BAD_HEAD);
        return;
    case HTTP_HEAD_METHOD:
        connection_refuse(connection, HTTP_REFUSED_METHOD);
        return;
    case HTTP_HEAD_OK:
        break;
    }
    if (head.length > (uint64_t)connection->front->options.body_max)
        connection_refuse(connection, HTTP_REFUSED_BODY_TOO_LARGE);
    else
        connection_begin_request(connection, bytes, size, &head);
}

/* How many bytes are done with; 0: the head is not complete. */
static size_t connection_take_head(struct http_connection *connection, const uint8_t *bytes,
                                   size_t size)
{
    size_t head_max = (size_t)connection->front->options.head_max, head_size = size;
    enum http_head_end end = http_head_find_end(bytes, size, &connection->scanned, &head_size);
    if (end == HTTP_HEAD_END_NEVER) {
        connection_refuse(connection, HTTP_REFUSED_BAD_HEAD);
        return 0;
    }
    if (head_size > head_max) {
        connection_refuse(connection, HTTP_REFUSED_HEAD_TOO_LARGE);
        return 0;
    }
    if (end == HTTP_HEAD_END_MISSING)
        return 0;
    if (head_size == 2 && !connection->passed_empty_line) {
        connection->passed_empty_line = true;
        connection->scanned = 0;
        return head_size;
    }
    connection_judge_head(connection, bytes, head_size);
    return head_size;
}

static size_t connection_take_body(struct http_connection *connection, const uint8_t *bytes,
                                   size_t size)
{
    enum http_body_verdict verdict;
    size_t taken = http_body_take(&connection->body, bytes, size, &verdict);
    connection_pass_on(connection, bytes, taken);
    if (verdict == HTTP_BODY_DONE)
        connection_body_over(connection);
    else if (verdict == HTTP_BODY_BAD)
        connection_refuse(connection, HTTP_REFUSED_BAD_HEAD);
    else if (verdict == HTTP_BODY_TOO_LARGE)
        connection_refuse(connection, HTTP_REFUSED_BODY_TOO_LARGE);
    return taken;
}

/* Goes as far as the bytes and the state allow; returns how many bytes are done with. */
static size_t connection_work(struct http_connection *connection, const uint8_t *bytes, size_t size)
{
    size_t used = 0;
    while (used < size) {
        size_t taken = 0;
        if (connection->state == HTTP_IDLE) {
            connection->state = HTTP_HEAD;
            timer_start(connection->deadline, connection->front->options.head_ms);
        }
        if (connection->state == HTTP_HEAD)
            taken = connection_take_head(connection, bytes + used, size - used);
        else if (connection->state == HTTP_BODY)
            taken = connection_take_body(connection, bytes + used, size - used);
        used += taken;
        if (taken == 0)
            break;
    }
    connection_flush_up(connection);
    bool no_more = connection->state == HTTP_OVER || connection->state == HTTP_LAST_ANSWER;
    return no_more ? size : used;
}

static void connection_work_off_in(struct http_connection *connection)
{
    buffer_drop(&connection->in,
                connection_work(connection, connection->in.bytes, connection->in.size));
    if (connection->in.size == 0)
        buffer_done(&connection->in);
    connection_pace_reading(connection);
}

static void stream_data(void *user, const uint8_t *bytes, size_t size)
{
    struct http_connection *connection = user;
    bool direct = connection->in.size == 0;
    size_t used = direct ? connection_work(connection, bytes, size) : 0;
    if (used < size && buffer_add(&connection->in, bytes + used, size - used) != 0) {
        connection->state = HTTP_OVER; /* cannot be: reading pauses long before */
        net_stream_abort(connection->stream);
        return;
    }
    if (direct)
        connection_pace_reading(connection);
    else
        connection_work_off_in(connection);
}

/* --- from the HTTP library --- */

static void pipe_data(void *arg, const uint8_t *bytes, size_t size)
{
    struct http_connection *connection = arg;
    if (connection->state == HTTP_IDLE || connection->state == HTTP_HEAD) {
        connection_close(
            connection); /* an answer to nothing would pass for the answer to the next request */
        return;
    }
    connection->answer_done = http_answer_take(&connection->answer, bytes, size);
    connection->answer_begun = http_answer_begun(&connection->answer);
    if (net_stream_write(connection->stream, bytes, size) != 0) {
        connection->state = HTTP_OVER;
        return;
    }
    if (net_stream_queued(connection->stream) >
        (size_t)connection->front->options.listener.write_queue_max / 2)
        http_pipe_pause(connection->pipe);
    if (connection->state == HTTP_BODY)
        return;
    if (!connection->answer_done) {
        connection_bound_answer(connection);
    } else if (connection->state == HTTP_LAST_ANSWER) {
        connection_close(connection);
    } else {
        connection_request_over(connection);
        connection_work_off_in(connection);
    }
}

static void pipe_drained(void *arg)
{
    connection_pace_reading(arg);
}

static void pipe_ended(void *arg)
{
    connection_close(arg);
}

static void stream_drained(void *user)
{
    struct http_connection *connection = user;
    if (connection->pipe)
        http_pipe_resume(connection->pipe);
    if (connection->state == HTTP_ANSWER)
        connection_bound_answer(connection);
}

/* --- life --- */

static void *stream_opened(void *arg, struct net_stream *stream)
{
    struct http_front *front = arg;
    struct http_connection *connection = memory_zero(1, sizeof *connection);
    connection->front = front;
    connection->stream = stream;
    connection->id = ++front->last_connection;
    connection->state = HTTP_IDLE;
    buffer_init(&connection->in, (size_t)front->options.head_max + HTTP_PIPE_QUEUE_MAX);
    connection->deadline = timer_new(front->loop, connection_deadline, connection);
    timer_start(connection->deadline, front->options.idle_ms);
    DL_APPEND(front->connections, connection);
    front->connection_count++;
    return connection;
}

static void stream_closed(void *user, enum net_close_reason reason)
{
    struct http_connection *connection = user;
    struct http_front *front = connection->front;
    (void)reason;
    http_pipe_free(
        &connection->pipe); /* before `gone`, so that what is resumed there sees the end */
    timer_free(&connection->deadline);
    buffer_done(&connection->in);
    DL_DELETE(front->connections, connection);
    front->connection_count--;
    front->telling = true;
    if (connection->announced && front->listener)
        front->handlers.gone(front->arg, connection->id);
    front->telling = false;
    free(connection);
    http_front_free_if_done(front);
}

const struct net_handlers HTTP_CONNECTION_HANDLERS = {
    .opened = stream_opened,
    .data = stream_data,
    .closed = stream_closed,
    .drained = stream_drained,
};

void http_connections_close_idle(struct http_front *front)
{
    struct http_connection *connection = NULL;
    DL_FOREACH (front->connections, connection)
        if (connection->state == HTTP_IDLE)
            connection_close(connection);
}
