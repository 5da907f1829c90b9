/* outbound_metrics.h - what outbound counts. Owns no memory but pointers into the registry. */
#ifndef VENDGATE_OUTBOUND_OUTBOUND_METRICS_H
#define VENDGATE_OUTBOUND_OUTBOUND_METRICS_H

#include "base/metrics.h"
#include "outbound/outbound.h"

struct outbound_metrics {
    struct metrics *registry; /* borrowed */
    struct metric_cell *pending;
};

void outbound_metrics_init(struct outbound_metrics *metrics, struct metrics *registry);
void outbound_metrics_pending(struct outbound_metrics *metrics, size_t count);
void outbound_metrics_attempt(struct outbound_metrics *metrics, enum callback_kind kind,
                              const struct outbound_attempt *attempt);
/* `age_ns`: since the callback came here. */
void outbound_metrics_settled(struct outbound_metrics *metrics, enum callback_kind kind,
                              enum callback_fate fate, int64_t age_ns);

#endif
