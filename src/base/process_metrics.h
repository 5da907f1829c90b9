/* process_metrics.h - what an operator wants to know of the process itself: memory, CPU,
 * descriptors, the loop's turns. */
#ifndef VENDGATE_BASE_PROCESS_METRICS_H
#define VENDGATE_BASE_PROCESS_METRICS_H

#include "base/metrics.h"

struct uv_loop_s;
struct process_metrics;

/* Measures each turn of the loop from the end of its wait to the next wait: the time in which
 * nobody else was served. `version` is borrowed for ever. */
struct process_metrics *process_metrics_start(struct uv_loop_s *loop, struct metrics *metrics,
                                              const char *version);
/* Frees itself at the loop's edge. */
void process_metrics_stop(struct process_metrics **process);

#endif
