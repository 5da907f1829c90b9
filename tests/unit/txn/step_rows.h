/* step_rows.h - how a row of the step table is written down for a test, and compared.
 *
 * Every row stands once, with all that it does, under the sentence that it promises. The rows are
 * written from transaction.md, "Steps", not from the table: rows_unpaid.h up to the payment,
 * rows_paid.h while money may be owed, rows_ended.h after the end. */
#ifndef VENDGATE_TESTS_UNIT_TXN_STEP_ROWS_H
#define VENDGATE_TESTS_UNIT_TXN_STEP_ROWS_H

#include "base/macros.h"
#include "txn/reason.h"
#include "txn/step.h"

#include <check.h>
#include <stddef.h>

struct row {
    const char *promise;
    enum txn_state from;
    enum txn_event event;
    struct txn_step does;
};

/* Rows that keep one promise of the user's. */
struct group {
    const struct row *rows;
    size_t count;
};
#define GROUP(rows_)               \
    {                              \
        (rows_), ARRAY_SIZE(rows_) \
    }

/* It goes on as it was: the event is journalled or answered, and nothing else happens. */
#define STAYS(state_)                  \
    {                                  \
        (state_), TXN_TIMER_KEEP, 0, 0 \
    }

static void row_holds(const struct row *row)
{
    struct txn_step step = {.next = TXN_NONE};
    const char *from = txn_state_name(row->from), *event = txn_event_name(row->event);
    ck_assert_msg(txn_step(row->from, row->event, &step), "%s + %s is no step, but %s", from, event,
                  row->promise);
    ck_assert_msg(step.next == row->does.next, "%s + %s gives %s, but %s", from, event,
                  txn_state_name(step.next), row->promise);
    ck_assert_msg(step.timer == row->does.timer, "%s + %s runs %s, but %s", from, event,
                  txn_timer_name(step.timer), row->promise);
    ck_assert_msg(step.actions == row->does.actions, "%s + %s does %#x and not %#x, but %s", from,
                  event, step.actions, row->does.actions, row->promise);
    ck_assert_msg(step.code == row->does.code, "%s + %s tells %d, but %s", from, event, step.code,
                  row->promise);
}

static UNUSED void group_holds(const struct group *group)
{
    for (size_t i = 0; i < group->count; i++)
        row_holds(&group->rows[i]);
}

#define ROWS_HOLD(rows_) group_holds(&(struct group)GROUP(rows_))

#endif
