/* presence.c - a machine comes and goes: ownership on arrival, the grace after it is gone. */
#include "broker/internal.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "store/callback.h"

#include <stdio.h>
#include <string.h>

static void welcome(struct machine *machine)
{
    bool there = machine->connection == machine->current->connection &&
                 machine->presence == PRESENCE_ARRIVED &&
                 machine_link_welcome(machine->broker->link, machine->vm_id, machine->connection,
                                      machine->owner_epoch);
    if (there)
        machine->presence = PRESENCE_WELCOME;
}

/* The live row hears of the connection before anything that comes over it. */
static void arrival_settle(struct machine *machine)
{
    welcome(machine);
    mailbox_signal_next(machine, TXN_NEW_CONNECTION);
    input_done(machine, STORE_APPLIED);
}

static void adopted(void *arg, enum store_outcome outcome, const struct store_live_row *row)
{
    struct machine *machine = arg;
    if (row) {
        outbox_left(machine, row->txn->integrator_id, row->txn->session, 1);
        outbox_room(machine->broker, row->txn->integrator_id);
        live_reload(machine, row);
        machine->reloaded = true;
        log_notice("txn_adopted", LOG_INT("txn", row->txn->id), LOG_TEXT("vm", machine->vm_id));
        return;
    }
    if (outcome != STORE_APPLIED) {
        input_done(machine, outcome);
        return;
    }
    struct live *gone = machine->reloaded ? NULL : machine->live;
    live_free(&gone); /* another process has ended it */
    arrival_settle(machine);
}

static void lane_claimed(void *arg, enum store_outcome outcome)
{
    struct machine *machine = arg;
    if (outcome == STORE_APPLIED)
        store_txn_load_live(machine->broker->store, machine->vm_id, adopted, machine);
    else
        input_done(machine, outcome);
}

static void owned(void *arg, enum store_outcome outcome, const struct store_machine_owned *owned)
{
    struct machine *machine = arg;
    if (outcome == STORE_UNAVAILABLE) {
        input_done(machine, outcome);
        return;
    }
    if (outcome != STORE_APPLIED) {
        machine_link_refuse(machine->broker->link, machine->vm_id, machine->current->connection,
                            LINK_NOT_ALLOWED);
        input_done(machine, STORE_APPLIED);
        return;
    }
    CRASH_POINT(after_machine_owned_before_welcome);
    bool held_elsewhere = owned->owner_epoch != machine->owner_epoch + 1;
    machine->owner_epoch = owned->owner_epoch;
    machine->reloaded = false;
    machine->sequence.event_epoch = owned->state_epoch;
    machine->sequence.mark = owned->mark;
    machine->sequence.above_count = owned->above_count;
    memcpy(machine->sequence.above, owned->above, owned->above_count * sizeof owned->above[0]);
    if (owned->approval_n > machine->approval_n)
        machine->approval_n = owned->approval_n;
    snprintf(machine->journal, sizeof machine->journal, "%s", owned->journal);
    if (machine->live && !held_elsewhere)
        arrival_settle(machine);
    else /* another process may have moved its transaction, or left one behind, with callbacks */
        store_callback_claim(machine->broker->store, machine->vm_id, lane_claimed, machine);
}

void arrived_work(struct machine *machine, struct input *input)
{
    if (machine->connection != input->connection || machine->presence != PRESENCE_ARRIVED) {
        input_done(machine, STORE_APPLIED); /* gone again, or replaced */
        return;
    }
    store_machine_own(machine->broker->store, machine->vm_id, owned, machine);
}

static void absence_saved(void *arg, enum store_outcome outcome)
{
    (void)arg;
    (void)outcome; /* for people's eyes only; the next change writes it again */
}

void absent_work(struct machine *machine, struct input *input)
{
    (void)input;
    if (machine->presence != PRESENCE_GONE) {
        input_done(machine, STORE_APPLIED);
        return;
    }
    machine->presence = PRESENCE_ABSENT;
    log_notice("machine_offline", LOG_TEXT("vm", machine->vm_id));
    store_machine_presence_save(machine->broker->store, machine->vm_id, machine->owner_epoch, false,
                                "link lost", absence_saved, NULL);
    open_session_end(machine, false);
    mailbox_signal_next(machine, TXN_LINK_LOST);
    input_done(machine, STORE_APPLIED);
}
