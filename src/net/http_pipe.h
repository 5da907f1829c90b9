/* http_pipe.h - our end of the socketpair that leads to the HTTP library. Only for src/net.
 *
 * Owns its descriptor and poll. A write that the far end no longer takes is dropped silently: the
 * far end may close while its last answer still waits to be read, and the end of that reading is
 * what `ended` tells. */
#ifndef VENDGATE_NET_HTTP_PIPE_H
#define VENDGATE_NET_HTTP_PIPE_H

#include "base/macros.h"

#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#define HTTP_PIPE_READ_SIZE 16384

struct http_pipe;

struct http_pipe_handlers {
    void (*data)(void *arg, const uint8_t *bytes,
                 size_t size);  /* bytes are borrowed for the call */
    void (*drained)(void *arg); /* everything written has gone */
    void (*ended)(void *arg); /* once: the far end has closed, and all its bytes were handed over */
};

struct http_pipe_options {
    uv_loop_t *loop;
    const struct http_pipe_handlers *handlers; /* borrowed as long as the pipe lives, as is `arg` */
    void *arg;
    uint8_t *scratch; /* HTTP_PIPE_READ_SIZE bytes, borrowed; many pipes of a loop may share them */
};

/* *ret_far_fd is the other end, nonblocking, owned by the caller. Negative errno: no descriptors.
 */
MUST_CHECK int http_pipe_open(const struct http_pipe_options *options, struct http_pipe **ret_pipe,
                              int *ret_far_fd);
/* Writes what the socket takes and queues the rest. -ENOBUFS: more than `HTTP_PIPE_QUEUE_MAX`
 * waits. */
#define HTTP_PIPE_QUEUE_MAX 262144
MUST_CHECK int http_pipe_write(struct http_pipe *pipe, const void *bytes, size_t size);
size_t http_pipe_queued(const struct http_pipe *pipe);
void http_pipe_pause(struct http_pipe *pipe);
void http_pipe_resume(struct http_pipe *pipe);
/* The far end sees the end at once; no callback follows; descriptor and memory go at the loop's
 * edge. */
void http_pipe_free(struct http_pipe **pipe);

#endif
