/* lines.h - text lines over a pipe, a UNIX socket or a terminal, under the libuv loop.
 *
 * A line is at most 64 KiB; a longer one closes the stream. The stream frees itself after closed().
 */
#ifndef VENDGATE_VENDSIM_LINES_H
#define VENDGATE_VENDSIM_LINES_H

#include "base/macros.h"

#include <stddef.h>

struct lines;
struct uv_loop_s;
struct uv_stream_s;

struct lines_hooks {
    /* Without the newline; borrowed for the call. lines_close() may be called inside. */
    void (*line)(void *arg, struct lines *lines, const char *bytes, size_t size);
    /* The other side has ended, or lines_close() was called; `lines` is gone after this call. */
    void (*closed)(void *arg, struct lines *lines);
};

/* Takes the descriptor. NULL: it is of a kind that cannot be waited for, such as a file or
 * /dev/null; it is left alone. */
struct lines *lines_open(struct uv_loop_s *loop, int fd, const struct lines_hooks *hooks,
                         void *arg);
/* Of a connection that waits at `server`; if it went away again, closed() follows. */
struct lines *lines_accept(struct uv_stream_s *server, const struct lines_hooks *hooks, void *arg);
/* Adds the newline. A reader that does not read is closed. */
void lines_write(struct lines *lines, const char *text);
void lines_close(struct lines *lines);

#endif
