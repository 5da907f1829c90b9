/* event.h - one event of a measurement, as the source writes it to both sides and as it travels to
 * the sink. Plain data. */
#ifndef VENDGATE_BENCH_LIB_EVENT_H
#define VENDGATE_BENCH_LIB_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_BODY_SIZE 512

struct event {
    int64_t number; /* from 0, over the whole run */
    int64_t
        intended_ns;  /* CLOCK_MONOTONIC: when it happens, whether or not anybody is ready for it */
    int64_t phase;    /* from 0 */
    int64_t endpoint; /* from 0 */
    int64_t lane;     /* from 0, over all endpoints */
    int64_t sequence; /* from 1 in its lane */
};

/* "number intended_ns phase endpoint lane sequence"; false: it is no such line. */
bool event_read(const char *line, struct event *ret_event);
/* The line, without a line feed; its size. */
size_t event_write(const struct event *event, char *ret_line, size_t size);
/* The callback's body: a JSON object of the size that callbacks have. Returns its size. */
size_t event_body(const struct event *event, char ret_body[static EVENT_BODY_SIZE]);
/* The event that a body tells of; false: it is no such body. */
bool event_of_body(const char *body, size_t size, struct event *ret_event);

#endif
