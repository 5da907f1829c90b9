/* promises_end.c - what must be true when all has come to its end. */
#include "base/macros.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <inttypes.h>

/* --- quiet --- */

static const char *device_unrest(const struct world *world, const struct device *device)
{
    if (!device->powered || !device->wire || !device->welcome)
        return "a machine is not online";
    if (device_busy(device))
        return "a machine is vending";
    if (device->session >= 0)
        return "a machine is not unlocked";
    if (device->flash.event_count > 0)
        return "a machine's event is not acknowledged";
    if (!broker_machine_online(world->gateway.broker, device->vm_id))
        return "the gateway does not know that a machine is online";
    if (broker_machine_busy(world->gateway.broker, device->vm_id))
        return "the gateway holds a machine busy";
    return NULL;
}

static const char *database_unrest(const struct database *database)
{
    for (size_t i = 0; i < database->machine_count; i++)
        if (database->machines[i].live_id != 0)
            return "a row is not final";
    for (size_t i = 0; i < database->callback_count; i++)
        if (database->callbacks[i].queued && !database->callbacks[i].parked)
            return "a callback is neither delivered nor parked";
    return NULL;
}

const char *promise_unrest(const struct world *world)
{
    const struct gateway *gateway = &world->gateway;
    if (!gateway->running || gateway->draining || !broker_ready(gateway->broker))
        return "the gateway is not ready";
    if (gateway->requests)
        return "a call is not answered";
    if (gateway->store.pending > 0)
        return "an operation is not answered";
    for (size_t i = 0; i < world->shop_count; i++)
        for (size_t n = 0; n < SHOP_PURCHASES_MAX; n++) {
            enum purchase_stage stage = world->shops[i].purchases[n].stage;
            if (stage != PURCHASE_UNUSED && stage < PURCHASE_BOOKED)
                return "an integrator has not come to its end";
        }
    for (size_t i = 0; i < world->device_count; i++) {
        const char *unrest = device_unrest(world, &world->devices[i]);
        if (unrest)
            return unrest;
    }
    return database_unrest(&world->database);
}

/* --- the books --- */

/* Callbacks that end the row, and how many there must be. */
static void endings_check(const struct database *database, const struct row *row)
{
    const struct txn_record *txn = &row->txn;
    int vends = txn->state == TXN_VENDED || txn->state == TXN_FAILED ? 1 : 0, unlocks = 0;
    const struct row *after = database_row(database, row->successor_id);
    if (txn->state == TXN_CLOSED && txn->lock_answered && txn->closed_by != TXN_UNLOCK &&
        txn->closed_by != TXN_SELECTION_RENAMING)
        unlocks = 1;
    bool renamed = txn->closed_by == TXN_SELECTION_RENAMING && after;
    bool both_closed = renamed && after->txn.state == TXN_CLOSED && row->unlocks == 1;
    if (both_closed)
        unlocks = 1; /* the rename was not confirmed: both refs were ended */
    if (row->vends != vends || row->unlocks != unlocks)
        promise_broken(
            PROMISE_ENDING, "row %" PRId64 " (%s by %s): %d /txn/vend and %d /txn/unlock", txn->id,
            txn_state_name(txn->state), txn_event_name(txn->closed_by), row->vends, row->unlocks);
}

/* A rename that never reached the integrator leaves the old ref without its ending. */
static void rename_check(const struct database *database, const struct row *row)
{
    if (row->txn.closed_by != TXN_SELECTION_RENAMING || row->unlocks > 0)
        return;
    const struct row *after = database_row(database, row->successor_id);
    if (after->txn.closed_by == TXN_UNLOCK || after->paid_commit > 0)
        return; /* the integrator has named the new ref */
    for (size_t i = 0; i < database->callback_count; i++)
        if (database->callbacks[i].renames && database->callbacks[i].txn_id == after->txn.id &&
            database->callbacks[i].arrived)
            return;
    promise_broken(PROMISE_ENDING,
                   "row %" PRId64 " was renamed to one that its integrator never heard of, and "
                   "has no ending of its own",
                   row->txn.id);
}

static bool nobody_can_know(const struct txn_record *txn)
{
    return txn->closed_by == TXN_DOUBT_REFUND || txn->closed_by == TXN_DOUBT_CAPTURE ||
           txn->closed_by == TXN_VERDICT_VENDED || txn->closed_by == TXN_VERDICT_FAILED;
}

static void goods_check(const struct row *row)
{
    const struct txn_record *txn = &row->txn;
    bool owed = txn->state == TXN_VENDED;
    if (owed != (row->goods > 0) && !nobody_can_know(txn))
        promise_broken(PROMISE_OWED, "row %" PRId64 " is %s by %s, and %d fell", txn->id,
                       txn_state_name(txn->state), txn_event_name(txn->closed_by), row->goods);
}

static void adjustment_broken(const struct row *row, const char *why)
{
    promise_broken(PROMISE_FINAL, "row %" PRId64 " is %s by %s, %d fell: %s", row->txn.id,
                   txn_state_name(row->txn.state), txn_event_name(row->txn.closed_by), row->goods,
                   why);
}

/* What the machine told in the end against the outcome has become an adjustment, and nothing else
 * has. */
static void adjustment_check(const struct world *world, const struct row *row)
{
    const struct weather *weather = &world->weather;
    enum txn_state state = row->txn.state;
    if (row->adjustments[0] > 0 && (row->goods == 0 || state == TXN_VENDED))
        adjustment_broken(row, "an adjustment says dispensed");
    if (row->adjustments[1] > 0 && (row->goods > 0 || state != TXN_VENDED))
        adjustment_broken(row, "an adjustment says not dispensed");
    if (weather->hole || weather->garbled || weather->journal_lost || weather->store_refuses)
        return; /* the machine may have been kept from telling, or we from reading */
    if (state == TXN_FAILED && row->reported_fallen && row->adjustments[0] == 0)
        adjustment_broken(row, "the machine has told that they fell, and there is no adjustment");
    if (state == TXN_VENDED && row->reported_not && row->adjustments[1] == 0)
        adjustment_broken(row,
                          "the machine has told that nothing fell, and there is no adjustment");
}

static void arrival_check(const struct database *database)
{
    for (size_t i = 0; i < database->callback_count; i++) {
        const struct callback_row *callback = &database->callbacks[i];
        bool ending = callback->kind != CALLBACK_REQUEST;
        if (ending && !callback->arrived && !callback->parked)
            promise_broken(PROMISE_ENDING, "callback %" PRId64 " of row %" PRId64 " never arrived",
                           callback->id, callback->txn_id);
    }
}

void promise_end(const struct world *world)
{
    const struct database *database = &world->database;
    for (size_t i = 0; i < database->row_count; i++) {
        const struct row *row = &database->rows[i];
        endings_check(database, row);
        rename_check(database, row);
        goods_check(row);
        adjustment_check(world, row);
        if (row->paid_said && row->vends != 1)
            promise_broken(PROMISE_PAID_ON_DISK, "row %" PRId64 " has no /txn/vend", row->txn.id);
    }
    arrival_check(database);
}
