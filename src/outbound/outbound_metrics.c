#include "outbound/outbound_metrics.h"

#include <inttypes.h>
#include <stdio.h>

enum family {
    ATTEMPTS,
    ATTEMPT_SECONDS,
    SETTLED,
    DELIVERY_SECONDS,
    WIRE_SECONDS,
    PENDING,
    OPENINGS,
    HALVINGS,
    LEFT,
    WINDOW,
    BREAKER,
    HELD,
    WAITING,
    FAMILY_COUNT
};

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
    [WIRE_SECONDS] = {.name = "vendgate_callback_wire_seconds",
                      .kind = METRIC_HISTOGRAM,
                      .help = "From the commit of a callback to the start of its first attempt.",
                      .labels = {"class"}},
    [OPENINGS] = {.name = "vendgate_callback_breaker_openings_total",
                  .kind = METRIC_COUNTER,
                  .help = "Endpoints that were closed off because they failed."},
    [HALVINGS] = {.name = "vendgate_callback_window_halvings_total",
                  .kind = METRIC_COUNTER,
                  .help = "Endpoints that were given half as much at once because they failed."},
    [LEFT] = {.name = "vendgate_callbacks_left_total",
              .kind = METRIC_COUNTER,
              .help = "Callbacks left in the database for want of memory, to be loaded later."},
    [WINDOW] = {.name = "vendgate_callback_endpoint_window",
                .kind = METRIC_GAUGE,
                .help = "Attempts that the endpoint is given at once.",
                .labels = {"integrator"}},
    [BREAKER] = {.name = "vendgate_callback_endpoint_breaker",
                 .kind = METRIC_GAUGE,
                 .help = "0: the endpoint answers; 1: it does not, only probes are sent; 2: it is "
                         "back and given more step by step.",
                 .labels = {"integrator"}},
    [HELD] = {.name = "vendgate_callback_endpoint_held",
              .kind = METRIC_GAUGE,
              .help = "1: nothing is sent until a person or the integrator changes the endpoint.",
              .labels = {"integrator"}},
    [WAITING] = {.name = "vendgate_callback_endpoint_waiting",
                 .kind = METRIC_GAUGE,
                 .help = "Callbacks in memory that are not under way.",
                 .labels = {"integrator"}},
};

void outbound_metrics_init(struct outbound_metrics *metrics, struct metrics *registry)
{
    metrics->registry = registry;
    metrics_declare(registry, DEFS, ARRAY_SIZE(DEFS));
    metrics->pending = metrics_cell(registry, &DEFS[PENDING]);
    metrics->openings = metrics_cell(registry, &DEFS[OPENINGS]);
    metrics->halvings = metrics_cell(registry, &DEFS[HALVINGS]);
    metrics->left = metrics_cell(registry, &DEFS[LEFT]);
    for (int i = 0; i < CLASS_COUNT; i++)
        metrics->wire[i] = metrics_cell(registry, &DEFS[WIRE_SECONDS],
                                        callback_class_name((enum callback_class)i));
}

void outbound_metrics_pending(struct outbound_metrics *metrics, size_t count)
{
    metric_set(metrics->pending, (double)count);
}

void outbound_metrics_attempt(struct outbound_metrics *metrics, enum callback_kind kind,
                              const struct outbound_attempt *attempt)
{
    const char *path = callback_kind_path(kind);
    const char *result = attempt_result_name(attempt->result);
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

void outbound_metrics_target(struct outbound_metrics *metrics, int64_t integrator_id,
                             struct outbound_target_cells *ret_cells)
{
    char label[32];
    (void)snprintf(label, sizeof(label), "%" PRId64, integrator_id);
    *ret_cells = (struct outbound_target_cells){
        .window = metrics_cell(metrics->registry, &DEFS[WINDOW], label),
        .breaker = metrics_cell(metrics->registry, &DEFS[BREAKER], label),
        .held = metrics_cell(metrics->registry, &DEFS[HELD], label),
        .waiting = metrics_cell(metrics->registry, &DEFS[WAITING], label),
    };
}

void outbound_metrics_show(const struct outbound_target_cells *cells,
                           const struct outbound_target_figures *figures)
{
    metric_set(cells->window, (double)figures->window);
    metric_set(cells->breaker, figures->open ? 1 : figures->slow_start ? 2 : 0);
    metric_set(cells->held, figures->held);
    metric_set(cells->waiting, (double)figures->waiting);
}
