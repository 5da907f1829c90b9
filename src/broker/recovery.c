/* recovery.c - after a start: what was under way goes on; before a stop: what was not paid is
 * closed. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "store/callback.h"

#include <errno.h>
#include <stdio.h>

#define OUTBOX_PAGE 1000

static void outbox_page(struct broker *broker);

/* A step that takes it back is being committed. */
static bool being_cancelled(const struct broker *broker, const struct store_callback_row *row)
{
    const struct live *live = live_find_id(broker, row->txn_id);
    return live && live->machine->cancelled_callback == row->callback_id;
}

static void row_submit(struct broker *broker, const struct store_callback_row *row)
{
    if (being_cancelled(broker, row))
        return;
    struct outbound_callback callback = {
        .callback_id = row->callback_id,
        .integrator_id = row->integrator_id,
        .txn_id = row->txn_id,
        .lane = row->lane,
        .lane_sequence = row->lane_sequence,
        .body = row->body,
        .body_size = row->body_size,
        .expires_ms = row->expires_ms,
        .attempts = row->attempts,
        .renames = row->renames,
    };
    if (!callback_kind_parse(row->kind, &callback.kind)) {
        log_error("callback_kind_unknown", LOG_INT("callback", row->callback_id),
                  LOG_TEXT("kind", row->kind));
        return;
    }
    snprintf(callback.webhook_id, sizeof callback.webhook_id, "%s", row->webhook_id);
    int result = outbound_submit(broker->outbound, &callback);
    if (result == -ENOBUFS)
        backlog_left(broker,
                     broker->outbox_after + 1); /* the page is read again: it is not in id order */
    struct live *live = live_find_id(broker, row->txn_id);
    if (result == 0 && live && live->request_callback_id == row->callback_id)
        live->request_withheld = false; /* else -EEXIST: outbound has it already */
}

static void recovery_done(struct broker *broker)
{
    CRASH_POINT(start_outbox_read);
    broker->ready = true;
    broker->started_ms = clock_monotonic_ms();
    log_notice("recovered", LOG_INT("transactions", HASH_COUNT(broker->lives)),
               LOG_INT("callbacks", (int64_t)outbound_pending(broker->outbound)));
    struct machine *machine, *next;
    HASH_ITER (hh, broker->machines, machine, next) {
        if (!machine->live) {
            mailbox_turn(machine);
            continue;
        }
        machine->presence = PRESENCE_GONE;
        timer_start(machine->grace, broker->options.offline_grace_ms);
        live_deadline_start(machine->live);
        mailbox_signal(machine, TXN_RESTART, machine->live->txn.id);
    }
    CRASH_POINT(start_recovered);
}

static void outbox_row(void *arg, enum store_outcome outcome, const struct store_callback_row *row)
{
    struct broker *broker = arg;
    if (row) {
        broker->outbox_rows++;
        if (row->callback_id > broker->outbox_highest)
            broker->outbox_highest = row->callback_id;
        if (!broker->backlog)
            row_submit(broker, row);
        return;
    }
    broker->outbox_loading = false;
    if (outcome != STORE_APPLIED) {
        if (!broker->ready)
            broker->recovery_begun = false; /* once more when the store is back */
        else
            broker->backlog = true;
        return;
    }
    if (!broker->backlog)
        broker->outbox_after = broker->outbox_highest;
    bool more = broker->outbox_rows == OUTBOX_PAGE || broker->outbox_more;
    if (more && !broker->backlog)
        outbox_page(broker);
    else if (!broker->ready)
        recovery_done(broker);
}

static void outbox_page(struct broker *broker)
{
    broker->outbox_loading = true;
    broker->outbox_more = false;
    broker->outbox_rows = 0;
    broker->outbox_highest = broker->outbox_after;
    store_callback_load(broker->store, broker->outbox_after, OUTBOX_PAGE, outbox_row, broker);
}

void backlog_left(struct broker *broker, int64_t callback_id)
{
    if (callback_id <= broker->outbox_after)
        broker->outbox_after = callback_id - 1;
    broker->backlog = true;
}

void backlog_read(struct broker *broker)
{
    if (!broker->backlog || broker->outbox_loading || !store_ready(broker->store))
        return;
    broker->backlog = false;
    outbox_page(broker);
}

void backlog_load(struct broker *broker)
{
    if (outbound_pending(broker->outbound) <= OUTBOX_PAGE)
        backlog_read(broker);
}

/* A doubt ages only while its machine could be heard: not while this process was away. */
static void live_recover(struct live *live)
{
    const struct broker *broker = live->machine->broker;
    live->recovered = true;
    live->keys_unsure = live->txn.keys_n > 0;
    if (live->txn.timer != TXN_TIMER_DOUBT)
        return;
    live->txn.deadline_ms += store_away_ms(broker->store);
    live->deadline_moved = true;
    live_deadline_bound(live);
}

static void live_row(void *arg, enum store_outcome outcome, const struct store_live_row *row)
{
    struct broker *broker = arg;
    if (row) {
        const char *vm_id = row->txn->vm_id;
        struct machine *machine = broker_machine_get(broker, vm_id);
        const struct fleet_machine *known = fleet_directory_find(broker->directory, vm_id);
        machine->owner_epoch = known ? known->owner_epoch : 0;
        if (!machine->live) /* else read before the store was lost during recovery */
            live_recover(live_new(machine, row));
        return;
    }
    CRASH_POINT(start_rows_read);
    if (outcome == STORE_APPLIED)
        outbox_page(broker);
    else
        broker->recovery_begun = false;
}

void recovery_begin(struct broker *broker)
{
    if (broker->recovery_begun || !store_ready(broker->store) || !people_loaded(broker->people) ||
        !fleet_directory_loaded(broker->directory))
        return;
    broker->recovery_begun = true;
    store_txn_load_live(broker->store, NULL, live_row, broker);
}

static bool idle(const struct machine *machine)
{
    bool unpaid = machine->live && !txn_state_money(machine->live->txn.state);
    return !machine->current && !machine->mailbox && !unpaid;
}

void drain_check(struct broker *broker)
{
    struct machine *machine, *next;
    if (!broker->drained)
        return;
    HASH_ITER (hh, broker->machines, machine, next)
        if (!idle(machine))
            return;
    if (!broker->calls)
        TAKE(broker->drained)(broker->drained_arg);
}

void broker_drain(struct broker *broker, void (*drained)(void *arg), void *arg)
{
    broker->draining = true;
    broker->drained = drained;
    broker->drained_arg = arg;
    struct machine *machine, *next;
    HASH_ITER (hh, broker->machines, machine, next) {
        /* Whichever lives by then: a lock may be under way. Without one the signal means nothing.
         */
        bool unpaid = machine->live && !txn_state_money(machine->live->txn.state);
        if (unpaid || machine->current)
            mailbox_signal(machine, TXN_DRAIN, 0);
        else
            open_session_end(machine, true);
    }
    due_schedule(broker, 0); /* the check runs from the loop even if nothing was under way */
}
