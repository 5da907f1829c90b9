#include "bench/lib/lines.h"

#include "base/macros.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_SIZE = 64 * 1024 };

struct lines {
    uv_pipe_t pipe;
    struct lines_handlers handlers;
    void *arg;
    size_t kept; /* bytes of a line whose end has not come */
    char text[LINES_SIZE_MAX + READ_SIZE];
};

static void on_room(uv_handle_t *handle, size_t wanted UNUSED, uv_buf_t *ret_room)
{
    struct lines *lines = handle->data;
    *ret_room =
        uv_buf_init(lines->text + lines->kept, (unsigned)(sizeof(lines->text) - lines->kept));
}

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static void hand_out(struct lines *lines, size_t size)
{
    char *line = lines->text;
    char *end;
    while ((end = memchr(line, '\n', (size_t)(lines->text + size - line)))) {
        *end = '\0';
        lines->handlers.line(lines->arg, line);
        line = end + 1;
    }
    lines->kept = (size_t)(lines->text + size - line);
    if (lines->kept > LINES_SIZE_MAX) {
        (void)fprintf(stderr, "a line of more than %d bytes\n", LINES_SIZE_MAX);
        exit(1);
    }
    memmove(lines->text, line, lines->kept);
}

static void on_read(uv_stream_t *stream, ssize_t count, const uv_buf_t *room UNUSED)
{
    struct lines *lines = stream->data;
    if (count >= 0) {
        hand_out(lines, lines->kept + (size_t)count);
        return;
    }
    uv_close((uv_handle_t *)&lines->pipe, on_closed);
    lines->handlers.ended(lines->arg);
}

void lines_open(uv_loop_t *loop, int fd, const struct lines_handlers *handlers, void *arg)
{
    struct lines *lines = memory_zero(1, sizeof(*lines));
    lines->handlers = *handlers;
    lines->arg = arg;
    lines->pipe.data = lines;
    if (uv_pipe_init(loop, &lines->pipe, 0) < 0 || uv_pipe_open(&lines->pipe, fd) < 0 ||
        uv_read_start((uv_stream_t *)&lines->pipe, on_room, on_read) < 0) {
        (void)fprintf(stderr, "descriptor %d is no pipe\n", fd);
        exit(1);
    }
}
