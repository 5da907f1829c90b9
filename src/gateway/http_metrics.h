/* http_metrics.h - what is counted of requests. */
#ifndef VENDGATE_GATEWAY_HTTP_METRICS_H
#define VENDGATE_GATEWAY_HTTP_METRICS_H

#include "base/metrics.h"
#include "txn/reason.h"

#include <stdint.h>

struct http_metrics {
    struct metrics *metrics; /* borrowed */
    struct metric_cell *under_way, *waiting;
};

void http_metrics_init(struct http_metrics *http, struct metrics *metrics);
/* One answered request. `path` is the route's, or "unknown"; the duration is from its head to the
 * answer. */
void http_metrics_answered(struct http_metrics *http, const char *surface, const char *path,
                           int status, enum reason reason, double seconds);

#endif
