/* sender.h - vendgate's way from an event to the wire, and back to the record of its outcome.
 *
 * Owns a store and an outbound, wired as in the daemon:
 *
 *   event -> commit -> outbound_submit() -> HTTPS -> attempt's record -> count
 *
 * Loop thread only. */
#ifndef VENDGATE_BENCH_SENDER_SENDER_H
#define VENDGATE_BENCH_SENDER_SENDER_H

#include "bench/lib/event.h"
#include "bench/sender/options.h"

#include <uv.h>

struct sender;

struct sender_figures {
    int64_t events, committed, delivered;
    int64_t failed_attempts; /* that were tried again */
    int64_t recorded_ns;     /* when the last outcome was on disk, CLOCK_MONOTONIC */
};

struct sender_handlers {
    void (*ready)(void *arg); /* events are welcome */
    void (*done)(
        void *arg); /* after sender_end(): the last outcome is on disk, or patience ended */
};

/* `options` is borrowed. Exits with a message when it cannot be opened. */
struct sender *sender_open(uv_loop_t *loop, const struct sender_options *options,
                           const struct sender_handlers *handlers, void *arg);
void sender_take(struct sender *sender, const struct event *event);
/* No further event comes. */
void sender_end(struct sender *sender);
struct sender_figures sender_figures(const struct sender *sender);
/* Once done; what it holds open ends within the next turns of the loop. */
void sender_close(struct sender **sender);

#endif
