/* arrivals.h - which events came, when, and whether they were answered; kept in memory, written at
 * the end. */
#ifndef VENDGATE_BENCH_SINK_ARRIVALS_H
#define VENDGATE_BENCH_SINK_ARRIVALS_H

#include "base/macros.h"
#include "bench/lib/event.h"

#include <stdbool.h>

struct arrivals;

struct arrivals *arrivals_new(void);
void arrivals_free(struct arrivals **arrivals);
/* `answered`: with success; the sender must not send it again. */
void arrivals_add(struct arrivals *arrivals, const struct event *event, int64_t arrived_ns,
                  bool answered);
size_t arrivals_count(const struct arrivals *arrivals);
/* One line each, in the order of arrival: the event's line, arrived_ns, answered as 0 or 1. 0 or a
 * negative errno. */
MUST_CHECK int arrivals_write(const struct arrivals *arrivals, const char *path);

#endif
