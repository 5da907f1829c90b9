/* names.h - the name server of the measurement: every name that it is asked for is 127.0.0.1,
 * except those that it is told to be silent about. UDP, A records only; other types have none. */
#ifndef VENDGATE_BENCH_SINK_NAMES_H
#define VENDGATE_BENCH_SINK_NAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct names;

struct names_handlers {
    /* Whether a question for this name stays without an answer. The name has no last dot. */
    bool (*silent)(void *arg, const char *name);
};

/* On 127.0.0.1, a port that the system chooses. NULL: it cannot. */
struct names *names_open(uv_loop_t *loop, const struct names_handlers *handlers, void *arg);
uint16_t names_port(const struct names *names);
/* The memory goes at the loop's edge. */
void names_close(struct names *names);

#endif
