#include "outbound/outbound_metrics.h"

enum family { ATTEMPTS, ATTEMPT_SECONDS, SETTLED, DELIVERY_SECONDS, PENDING, FAMILY_COUNT };

static const struct metric_def DEFS[FAMILY_COUNT] = {
    [ATTEMPTS] = {.name = "vendgate_callback_attempts_total",
                  .kind = METRIC_COUNTER,
                  .help = "Attempts to deliver a callback, by kind and result.",
                  .labels = {"kind", "result"}},
    [ATTEMPT_SECONDS] = {.name = "vendgate_callback_attempt_seconds",
                         .kind = METRIC_HISTOGRAM,
                         .help = "Duration of one attempt, from name to answer.",
                         .labels = {"kind"}},
    [SETTLED] = {.name = "vendgate_callbacks_total",
                 .kind = METRIC_COUNTER,
                 .help = "Callbacks that came to an end, by kind and fate.",
                 .labels = {"kind", "fate"}},
    [DELIVERY_SECONDS] = {.name = "vendgate_callback_delivery_seconds",
                          .kind = METRIC_HISTOGRAM,
                          .help = "From the commit of a callback to its delivery, waits included.",
                          .labels = {"kind"}},
    [PENDING] = {.name = "vendgate_callbacks_pending",
                 .kind = METRIC_GAUGE,
                 .help = "Callbacks held in memory: under way, waiting or behind another."},
};

static const char *const RESULTS[] = {
    [ATTEMPT_DELIVERED] = "delivered", [ATTEMPT_REFUSED] = "refused", [ATTEMPT_RETRY] = "retry",
    [ATTEMPT_PERMANENT] = "permanent", [ATTEMPT_GONE] = "gone",       [ATTEMPT_ABORTED] = "aborted",
};
static_assert(ARRAY_SIZE(RESULTS) == ATTEMPT_ABORTED + 1, "a name for every result");

void outbound_metrics_init(struct outbound_metrics *metrics, struct metrics *registry)
{
    metrics->registry = registry;
    metrics_declare(registry, DEFS, ARRAY_SIZE(DEFS));
    metrics->pending = metrics_cell(registry, &DEFS[PENDING]);
}

void outbound_metrics_pending(struct outbound_metrics *metrics, size_t count)
{
    metric_set(metrics->pending, (double)count);
}

void outbound_metrics_attempt(struct outbound_metrics *metrics, enum callback_kind kind,
                              const struct outbound_attempt *attempt)
{
    const char *path = callback_kind_path(kind);
    const char *result = RESULTS[attempt->result];
    metric_add(metrics_cell(metrics->registry, &DEFS[ATTEMPTS], path, result), 1);
    metric_observe(metrics_cell(metrics->registry, &DEFS[ATTEMPT_SECONDS], path),
                   (double)attempt->total_us / 1e6);
}

void outbound_metrics_settled(struct outbound_metrics *metrics, enum callback_kind kind,
                              enum callback_fate fate, int64_t age_ns)
{
    const char *path = callback_kind_path(kind);
    metric_add(metrics_cell(metrics->registry, &DEFS[SETTLED], path, callback_fate_name(fate)), 1);
    if (fate == CALLBACK_DELIVERED)
        metric_observe(metrics_cell(metrics->registry, &DEFS[DELIVERY_SECONDS], path),
                       (double)age_ns / 1e9);
}
