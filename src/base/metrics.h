/* metrics.h - counters, gauges and histograms, rendered as Prometheus text (format 0.0.4).
 *
 * Our own because Debian 12 has no C client library for Prometheus. Each module declares its
 * metrics as one static table of metric_def; cells (one per combination of label values) are made
 * on first use and live as long as the registry. Hot paths keep the cell's pointer. Loop thread
 * only. */
#ifndef VENDGATE_BASE_METRICS_H
#define VENDGATE_BASE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_LABELS_MAX 4
#define METRICS_CELLS_MAX 2000 /* per family; further label values share the cell "other" */

struct metrics;
struct metric_cell;

enum metric_kind { METRIC_COUNTER = 1, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_def {
    const char
        *name; /* with the prefix vendgate_ and the unit's suffix (_seconds, _bytes, _total) */
    enum metric_kind kind;
    const char *help;
    const char *labels[METRICS_LABELS_MAX]; /* names, NULL where fewer */
    const double *buckets; /* histograms: rising upper bounds, ended by 0; NULL: METRICS_SECONDS */
};

/* 0.1 ms to 30 s. */
extern const double METRICS_SECONDS[];

struct metrics *metrics_new(void);
void metrics_free(struct metrics **metrics);

/* Makes the family known, so that it is rendered even before its first cell. `def` is borrowed for
 * ever. */
void metrics_declare(struct metrics *metrics, const struct metric_def *defs, size_t count);
/* The cell of `def` for these label values (as many as the def has labels). Never NULL. */
struct metric_cell *metrics_cell(struct metrics *metrics, const struct metric_def *def, ...);

void metric_add(struct metric_cell *cell, double amount);
void metric_set(struct metric_cell *cell, double value);
void metric_observe(struct metric_cell *cell, double value);
double metric_value(const struct metric_cell *cell); /* a histogram's count */

/* Called at each render, before it, to set gauges that are read rather than kept. */
typedef void metrics_collector(void *arg);
void metrics_collect(struct metrics *metrics, metrics_collector *collector, void *arg);

/* free() the result. */
char *metrics_render(struct metrics *metrics, size_t *ret_size);

#endif
