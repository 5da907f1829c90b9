/* coverage.c - base/metrics.h and base/log.h: the counters of steps are kept, log lines go to the
 * trace when it is printed, the rest costs nothing. */
#include "coverage.h"

#include "base/log.h"
#include "base/macros.h"
#include "base/metrics.h"
#include "trace.h"
#include "txn/state.h"
#include "txn/step.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const double METRICS_SECONDS[] = {1, 0};

struct metric_cell {
    double value;
};

static struct metric_cell taken[TXN_STATE_COUNT][TXN_EVENT_COUNT],
    ignored[TXN_STATE_COUNT][TXN_EVENT_COUNT], other;

struct metrics *metrics_new(void)
{
    return NULL;
}

void metrics_free(struct metrics **metrics UNUSED)
{
}

void metrics_declare(struct metrics *metrics UNUSED, const struct metric_def *defs UNUSED,
                     size_t count UNUSED)
{
}

void metrics_collect(struct metrics *metrics UNUSED, metrics_collector *collector UNUSED,
                     void *arg UNUSED)
{
}

static struct metric_cell *step_cell(struct metric_cell cells[][TXN_EVENT_COUNT],
                                     const char *state_name, const char *event_name)
{
    enum txn_state state;
    enum txn_event event;
    bool known = txn_state_parse(state_name, &state) && txn_event_parse(event_name, &event);
    assert(known);
    return &cells[state][event];
}

struct metric_cell *metrics_cell(struct metrics *metrics UNUSED, const struct metric_def *def, ...)
{
    bool steps = strcmp(def->name, "vendgate_transaction_events_total") == 0;
    bool unexpected = strcmp(def->name, "vendgate_transaction_unexpected_events_total") == 0;
    if (!steps && !unexpected)
        return &other;
    va_list arguments;
    va_start(arguments, def);
    const char *state = va_arg(arguments, const char *), *event = va_arg(arguments, const char *);
    va_end(arguments);
    return step_cell(steps ? taken : ignored, state, event);
}

void metric_add(struct metric_cell *cell, double amount)
{
    cell->value += amount;
}

void metric_set(struct metric_cell *cell, double value)
{
    cell->value = value;
}

void metric_observe(struct metric_cell *cell UNUSED, double value UNUSED)
{
}

double metric_value(const struct metric_cell *cell)
{
    return cell->value;
}

char *metrics_render(struct metrics *metrics UNUSED, size_t *ret_size UNUSED)
{
    return NULL;
}

/* --- log --- */

void log_set_level(enum log_level level UNUSED)
{
}

enum log_level log_get_level(void)
{
    return LOG_LEVEL_DEBUG;
}

bool log_level_parse(const char *name UNUSED, enum log_level *ret_level UNUSED)
{
    return false;
}

void log_fields(enum log_level level UNUSED, const char *event, const struct log_field *fields)
{
    if (!trace_printing())
        return;
    printf("                     log %s", event);
    for (const struct log_field *field = fields; field->kind != LOG_FIELD_END; field++) {
        if (field->kind == LOG_FIELD_TEXT)
            printf(" %s=%s", field->key, field->text ? field->text : "-");
        else
            printf(" %s=%" PRId64, field->key, field->integer);
    }
    printf("\n");
}

/* --- the table --- */

void coverage_add(enum txn_state from, enum txn_event event)
{
    taken[from][event].value++;
}

static bool in_table(int state, int event)
{
    struct txn_step step;
    return txn_step((enum txn_state)state, (enum txn_event)event, &step);
}

static void print_cells(struct metric_cell cells[][TXN_EVENT_COUNT], const char *heading)
{
    printf("%s\n", heading);
    for (int state = 0; state < TXN_STATE_COUNT; state++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++)
            if (cells[state][event].value > 0)
                printf("  %-10s %-28s %12.0f\n", txn_state_name((enum txn_state)state),
                       txn_event_name((enum txn_event)event), cells[state][event].value);
}

int coverage_missing(void)
{
    int missing = 0;
    for (int state = 0; state < TXN_STATE_COUNT; state++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++)
            missing += in_table(state, event) && taken[state][event].value <= 0;
    return missing;
}

void coverage_print(void)
{
    print_cells(taken, "rows of the step table that were taken:");
    print_cells(ignored, "events that met a state without such a row:");
    printf("rows of the step table that were never taken:\n");
    for (int state = 0; state < TXN_STATE_COUNT; state++)
        for (int event = 1; event < TXN_EVENT_COUNT; event++)
            if (in_table(state, event) && taken[state][event].value <= 0)
                printf("  %-10s %s\n", txn_state_name((enum txn_state)state),
                       txn_event_name((enum txn_event)event));
}
