/* coverage.h - which cells of the step table the episodes went through, counted by the broker's own
 * metrics. */
#ifndef VENDGATE_TESTS_SIMULATION_COVERAGE_H
#define VENDGATE_TESTS_SIMULATION_COVERAGE_H

#include "txn/state.h"

/* What the metrics do not count: the beginning, and what meets a row that has ended. */
void coverage_add(enum txn_state from, enum txn_event event);
/* Every cell with its count; at the end how many of the table's rows were never taken. */
void coverage_print(void);
/* Cells of the step table that were never taken. */
int coverage_missing(void);

#endif
