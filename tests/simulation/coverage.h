/* coverage.h - which cells of the step table the episodes went through, counted by the broker's own
 * metrics. */
#ifndef VENDGATE_TESTS_SIMULATION_COVERAGE_H
#define VENDGATE_TESTS_SIMULATION_COVERAGE_H

/* Every cell with its count; at the end how many of the table's rows were never taken. */
void coverage_print(void);
/* Cells of the step table that were never taken. */
int coverage_missing(void);

#endif
