/* lines.h - the lines of a pipe, from the loop.
 *
 * Owns the descriptor. A line longer than LINES_SIZE_MAX ends the program: whoever writes it is one
 * of ours. */
#ifndef VENDGATE_BENCH_LIB_LINES_H
#define VENDGATE_BENCH_LIB_LINES_H

#include <uv.h>

#define LINES_SIZE_MAX 1024

struct lines;

struct lines_handlers {
    /* Without its line feed; borrowed for the call. */
    void (*line)(void *arg, const char *line);
    /* No further one will come. The memory goes at the loop's edge. */
    void (*ended)(void *arg);
};

/* Reads `fd` from now on. */
void lines_open(uv_loop_t *loop, int fd, const struct lines_handlers *handlers, void *arg);

#endif
