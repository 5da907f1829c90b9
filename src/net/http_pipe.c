#include "net/http_pipe.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct http_pipe {
    int fd;
    uv_poll_t poll;
    int watched;
    bool paused, deaf, freed; /* `deaf`: the far end takes no more */
    struct buffer queue;
    struct http_pipe_options options;
};

static void pipe_happened(uv_poll_t *poll, int status, int events);

static void pipe_watch(struct http_pipe *pipe)
{
    int wanted = (pipe->paused ? 0 : UV_READABLE) | (pipe->queue.size > 0 ? UV_WRITABLE : 0);
    if (pipe->freed || wanted == pipe->watched)
        return;
    pipe->watched = wanted;
    if (wanted)
        (void)uv_poll_start(&pipe->poll, wanted, pipe_happened);
    else
        (void)uv_poll_stop(&pipe->poll);
}

/* Bytes the socket took. */
static size_t pipe_send(struct http_pipe *pipe, const uint8_t *bytes, size_t size)
{
    if (pipe->deaf)
        return size;
    ssize_t sent = send(pipe->fd, bytes, size, MSG_NOSIGNAL);
    if (sent >= 0)
        return (size_t)sent;
    if (errno == EAGAIN || errno == EINTR)
        return 0;
    pipe->deaf = true;
    return size;
}

static void pipe_flush(struct http_pipe *pipe)
{
    if (pipe->queue.size == 0)
        return;
    buffer_drop(&pipe->queue, pipe_send(pipe, pipe->queue.bytes, pipe->queue.size));
    if (pipe->queue.size > 0)
        return;
    buffer_done(&pipe->queue);
    pipe->options.handlers->drained(pipe->options.arg);
}

static void pipe_read(struct http_pipe *pipe)
{
    const struct http_pipe_options *options = &pipe->options;
    ssize_t got = recv(pipe->fd, options->scratch, HTTP_PIPE_READ_SIZE, 0);
    if (got > 0)
        options->handlers->data(options->arg, options->scratch, (size_t)got);
    else if (got == 0 || (errno != EAGAIN && errno != EINTR))
        options->handlers->ended(options->arg);
}

static void pipe_happened(uv_poll_t *poll, int status, int events)
{
    struct http_pipe *pipe = poll->data;
    if (status < 0) {
        /* The far end closed with bytes of ours unread. That error hides what it wrote before:
         * fetch it, so that the poll shows the bytes, and after them the end. */
        int error = 0;
        socklen_t size = sizeof error;
        (void)getsockopt(pipe->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        pipe->watched = 0; /* libuv has stopped the poll */
        pipe_watch(pipe);
        return;
    }
    if (events & UV_WRITABLE)
        pipe_flush(pipe);
    if ((events & UV_READABLE) && !pipe->paused && !pipe->freed)
        pipe_read(pipe);
    pipe_watch(pipe);
}

int http_pipe_open(const struct http_pipe_options *options, struct http_pipe **ret_pipe,
                   int *ret_far_fd)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    struct http_pipe *pipe = memory_zero(1, sizeof *pipe);
    pipe->fd = ends[0];
    pipe->options = *options;
    buffer_init(&pipe->queue, HTTP_PIPE_QUEUE_MAX);
    int error = uv_poll_init(options->loop, &pipe->poll, pipe->fd);
    if (error != 0) {
        (void)close(ends[0]);
        (void)close(ends[1]);
        free(pipe);
        return error;
    }
    pipe->poll.data = pipe;
    pipe_watch(pipe);
    *ret_pipe = pipe;
    *ret_far_fd = ends[1];
    return 0;
}

int http_pipe_write(struct http_pipe *pipe, const void *bytes, size_t size)
{
    size_t sent = pipe->queue.size == 0 ? pipe_send(pipe, bytes, size) : 0;
    if (sent == size)
        return 0;
    int error = buffer_add(&pipe->queue, (const uint8_t *)bytes + sent, size - sent);
    pipe_watch(pipe);
    return error;
}

size_t http_pipe_queued(const struct http_pipe *pipe)
{
    return pipe->queue.size;
}

void http_pipe_pause(struct http_pipe *pipe)
{
    pipe->paused = true;
    pipe_watch(pipe);
}

void http_pipe_resume(struct http_pipe *pipe)
{
    pipe->paused = false;
    pipe_watch(pipe);
}

static void pipe_closed(uv_handle_t *handle)
{
    struct http_pipe *pipe = handle->data;
    (void)close(pipe->fd);
    free(pipe);
}

void http_pipe_free(struct http_pipe **pipe)
{
    struct http_pipe *gone = TAKE(*pipe);
    if (!gone)
        return;
    gone->freed = true;
    buffer_done(&gone->queue);
    (void)shutdown(gone->fd, SHUT_RDWR);
    uv_close((uv_handle_t *)&gone->poll, pipe_closed);
}
