#include "vendsim/lines.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { LINE_MAX_SIZE = 64 * 1024, READ_SIZE = 4096 };

struct lines {
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_pipe_t pipe;
        uv_tty_t tty;
    } uv;
    struct lines_hooks hooks;
    void *arg;
    struct buffer input;
};

static struct lines *lines_new(const struct lines_hooks *hooks, void *arg)
{
    struct lines *lines = memory_zero(1, sizeof(*lines));
    lines->hooks = *hooks;
    lines->arg = arg;
    buffer_init(&lines->input, LINE_MAX_SIZE);
    return lines;
}

static void on_closed(uv_handle_t *handle)
{
    struct lines *lines = handle->data;
    lines->hooks.closed(lines->arg, lines);
    buffer_done(&lines->input);
    free(lines);
}

void lines_close(struct lines *lines)
{
    if (!uv_is_closing(&lines->uv.handle))
        uv_close(&lines->uv.handle, on_closed);
}

static void on_room(uv_handle_t *handle, size_t suggested UNUSED, uv_buf_t *ret_buffer)
{
    struct lines *lines = handle->data;
    uint8_t *room;
    size_t free_size = LINE_MAX_SIZE - lines->input.size;
    size_t size = free_size < READ_SIZE ? free_size : READ_SIZE;
    *ret_buffer = uv_buf_init(NULL, 0); /* UV_ENOBUFS: the line is too long */
    if (size > 0 && buffer_reserve(&lines->input, size, &room) == 0)
        *ret_buffer = uv_buf_init((char *)room, (unsigned)size);
}

static void take_lines(struct lines *lines)
{
    const char *end;
    size_t done = 0;
    struct buffer *input = &lines->input;
    while (!uv_is_closing(&lines->uv.handle) && done < input->size &&
           (end = memchr(input->bytes + done, '\n', input->size - done))) {
        const char *line = (const char *)input->bytes + done;
        size_t size = (size_t)(end - line);
        done += size + 1;
        if (size > 0)
            lines->hooks.line(lines->arg, lines, line, size);
    }
    buffer_drop(input, done);
}

static void on_read(uv_stream_t *stream, ssize_t size, const uv_buf_t *buffer UNUSED)
{
    struct lines *lines = stream->data;
    if (size < 0) {
        lines_close(lines);
        return;
    }
    buffer_commit(&lines->input, (size_t)size);
    take_lines(lines);
}

/* The handle is initialised; from here on it is closed only through lines_close(). */
static struct lines *start(struct lines *lines)
{
    lines->uv.handle.data = lines;
    if (uv_read_start(&lines->uv.stream, on_room, on_read) < 0)
        lines_close(lines);
    return lines;
}

struct lines *lines_open(struct uv_loop_s *loop, int fd, const struct lines_hooks *hooks, void *arg)
{
    uv_handle_type type = uv_guess_handle(fd);
    struct lines *lines = lines_new(hooks, arg);
    int result = UV_EINVAL;
    if (type == UV_NAMED_PIPE) {
        result = uv_pipe_init(loop, &lines->uv.pipe, 0);
        assert(result == 0);
        result = uv_pipe_open(&lines->uv.pipe, fd);
        assert(result == 0); /* it is one */
    } else if (type == UV_TTY) {
        result = uv_tty_init(loop, &lines->uv.tty, fd, 0);
    }
    if (result == 0)
        return start(lines);
    buffer_done(&lines->input);
    free(lines);
    return NULL;
}

struct lines *lines_accept(struct uv_stream_s *server, const struct lines_hooks *hooks, void *arg)
{
    struct lines *lines = lines_new(hooks, arg);
    int result = uv_pipe_init(server->loop, &lines->uv.pipe, 0);
    assert(result == 0);
    lines->uv.handle.data = lines;
    if (uv_accept(server, &lines->uv.stream) == 0)
        return start(lines);
    lines_close(lines);
    return lines;
}

/* Our lines are short and few: what does not go into the socket's buffer at once has no reader. */
void lines_write(struct lines *lines, const char *text)
{
    uv_buf_t parts[] = {uv_buf_init((char *)text, (unsigned)strlen(text)), uv_buf_init("\n", 1)};
    int whole = (int)strlen(text) + 1;
    if (!uv_is_closing(&lines->uv.handle) && uv_try_write(&lines->uv.stream, parts, 2) != whole)
        lines_close(lines);
}
