/* outbound_metrics.h - what outbound counts. Owns no memory but pointers into the registry. */
#ifndef VENDGATE_OUTBOUND_OUTBOUND_METRICS_H
#define VENDGATE_OUTBOUND_OUTBOUND_METRICS_H

#include "base/metrics.h"
#include "outbound/admission.h"
#include "outbound/outbound.h"

struct outbound_metrics {
    struct metrics *registry; /* borrowed */
    struct metric_cell *pending, *openings, *halvings, *left;
    struct metric_cell *wire[CLASS_COUNT];
};

/* One integrator's gauges. */
struct outbound_target_cells {
    struct metric_cell *window, *breaker, *held, *waiting;
};

struct outbound_target_figures {
    int64_t window;
    bool open, slow_start; /* of the breaker */
    bool held;
    int64_t waiting; /* in memory, but not on their way */
};

void outbound_metrics_init(struct outbound_metrics *metrics, struct metrics *registry);
void outbound_metrics_pending(struct outbound_metrics *metrics, size_t count);
void outbound_metrics_attempt(struct outbound_metrics *metrics, enum callback_kind kind,
                              const struct outbound_attempt *attempt);
/* `age_ns`: since the callback came here. */
void outbound_metrics_settled(struct outbound_metrics *metrics, enum callback_kind kind,
                              enum callback_fate fate, int64_t age_ns);
void outbound_metrics_target(struct outbound_metrics *metrics, int64_t integrator_id,
                             struct outbound_target_cells *ret_cells);
void outbound_metrics_show(const struct outbound_target_cells *cells,
                           const struct outbound_target_figures *figures);

#endif
