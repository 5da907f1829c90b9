/* recovery.c - after a start: what was under way goes on; before a stop: what was not paid is
 * closed. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

void recovery_done(struct broker *broker)
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
        machine->shelved_lane = row->txn->session; /* until the outbox is read */
        return;
    }
    CRASH_POINT(start_rows_read);
    if (outcome == STORE_APPLIED)
        outbox_survey(broker);
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
