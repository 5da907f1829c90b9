/* stranger.c - another process of the gateway, as far as this one can tell: it takes a machine that
 * connects to it, and may move that machine's transaction before the machine comes back.
 *
 * Everything that this process then still believes of the machine is stale, and must meet the guard
 * of owner, epoch and version. */
#include "base/macros.h"
#include "base/memory.h"
#include "outbound/outbound.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

static struct machine_row *row_of(struct device *device)
{
    return database_machine(&device->world->database, device->vm_id);
}

/* What it owes, it delivers at once. */
static void deliver(struct world *world, int64_t callback_id)
{
    struct callback_row *callback = database_callback(&world->database, callback_id);
    callback->queued = false;
    callback->over = callback->told = true;
    callback->fate = CALLBACK_DELIVERED;
    struct outbound_callback sent = {.callback_id = callback->id,
                                     .integrator_id = callback->integrator_id,
                                     .txn_id = callback->txn_id,
                                     .kind = callback->kind,
                                     .body = callback->body,
                                     .body_size = callback->body_size};
    memcpy(sent.webhook_id, callback->webhook_id, sizeof sent.webhook_id);
    (void)shop_receive(world, &sent);
}

/* With the machine it takes its purchase's lane, from whoever had it. */
static void lane_take(struct world *world, int64_t live_id)
{
    const struct row *row = database_row(&world->database, live_id);
    for (size_t i = 0; row && i < world->database.callback_count; i++) {
        const struct callback_row *callback = &world->database.callbacks[i];
        if (callback->lane == row->txn.session && callback->queued && !callback->parked)
            deliver(world, callback->id);
    }
}

/* The machine connects to it; the connection to us dies, with or without a word. */
static void takes(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct machine_row *machine = row_of(device);
    if (device->wire) {
        struct wire *wire = device->wire;
        wire_leave(wire, chance_below(&device->world->chance, 2) == 0);
        device_disconnected(device, wire);
    }
    device->elsewhere = true;
    device->world->gateway.drain_hampered = true; /* what it holds is not ours to close */
    machine->owner_instance = 2;
    machine->owner_epoch++;
    lane_take(device->world, machine->live_id);
    trace_add("stranger takes", device->vm_id, machine->owner_epoch, machine->live_id);
}

static void comes_back(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    device->elsewhere = false;
}

static void callback_owe(struct operation *operation, const char *kind, char *body)
{
    struct txn_record *txn = &operation->txn;
    operation->callbacks[0] = (struct store_new_callback){.kind = kind,
                                                          .lane = txn->session,
                                                          .lane_sequence = ++txn->lane_sequence,
                                                          .body = body,
                                                          .body_size = strlen(body)};
    snprintf(operation->webhook_ids[0], WEBHOOK_ID_SIZE, "msg_stranger%020lld",
             (long long)txn->id * 100 + txn->version);
    operation->callback_count = 1;
}

/* The row as it is after `event`, and the callback that ends it. */
static void decide(const struct database *database, struct operation *operation,
                   enum txn_event event, enum txn_state to)
{
    struct txn_record *txn = &operation->txn;
    operation->event = event;
    operation->from = txn->state;
    txn->state = to;
    txn->version++;
    if (to == TXN_IN_DOUBT) {
        txn->timer = TXN_TIMER_DOUBT;
        txn->deadline_ms = *database->now_ms + *database->server_ms + 900000;
        return;
    }
    txn->timer = TXN_TIMER_NONE;
    txn->deadline_ms = 0;
    txn->closed_by = event;
    if (to == TXN_CLOSED && txn->lock_answered)
        callback_owe(operation, "/txn/unlock",
                     memory_format("{\"txn_ref\":\"%s\",\"code\":\"107\"}", txn->ref));
    if (to == TXN_VENDED || to == TXN_FAILED)
        callback_owe(operation, "/txn/vend",
                     memory_format("{\"txn_ref\":\"%s\",\"success\":%s,\"code\":\"\"}", txn->ref,
                                   to == TXN_VENDED ? "true" : "false"));
}

/* What the machine's journal tells it; TXN_EVENT_NONE: nothing that ends the row. */
static enum txn_event journal_says(struct device *device, const struct txn_record *txn)
{
    const struct device_approval *approval = device_approval_find(device, txn->approval);
    if (!approval || strcmp(device->flash.journal, txn->journal) != 0)
        return TXN_EVENT_NONE;
    return approval->state == APPROVAL_DISPENSED       ? TXN_DISPENSED
           : approval->state == APPROVAL_NOT_DISPENSED ? TXN_NOT_DISPENSED
                                                       : TXN_EVENT_NONE;
}

static void next_step(struct device *device, struct operation *operation)
{
    struct database *database = &device->world->database;
    enum txn_event said;
    switch (operation->txn.state) {
    case TXN_LOCKING:
        decide(database, operation, TXN_NEW_CONNECTION, TXN_CLOSED);
        return;
    case TXN_LOCKED:
    case TXN_REQUESTED:
    case TXN_WITHDRAWN:
        decide(database, operation, TXN_HELLO_OTHER, TXN_CLOSED);
        return;
    case TXN_PAID:
        decide(database, operation, TXN_HELLO_OTHER, TXN_IN_DOUBT);
        return;
    case TXN_VENDING:
        decide(database, operation, TXN_NEW_CONNECTION, TXN_IN_DOUBT);
        return;
    default:
        said = journal_says(device, &operation->txn);
        if (said != TXN_EVENT_NONE)
            decide(database, operation, said, said == TXN_DISPENSED ? TXN_VENDED : TXN_FAILED);
        return;
    }
}

/* A rename that the integrator may not have heard of needs two endings; it leaves that to us. */
static bool may_move(const struct database *database, const struct row *row)
{
    return row && (row->txn.predecessor_id == 0 || txn_state_money(row->txn.state)) &&
           database_row(database, row->txn.id);
}

static void moves(void *subject, int64_t argument UNUSED)
{
    struct device *device = subject;
    struct world *world = device->world;
    struct machine_row *machine = row_of(device);
    const struct row *row = database_row(&world->database, machine->live_id);
    struct operation *operation = operation_new(OPERATION_ADVANCE, NULL);
    operation->instance = 2;
    operation->owner_epoch = machine->owner_epoch;
    operation->txn = row->txn;
    next_step(device, operation);
    if (operation->event != TXN_EVENT_NONE) {
        trace_add("stranger moves", row->txn.ref, row->txn.id, operation->event);
        database_run(&world->database, operation);
        bool applied = operation->outcome == STORE_APPLIED; /* else we have it back already */
        for (size_t i = 0; applied && i < operation->callback_count; i++)
            deliver(world, operation->result.callback_ids[i]);
        if (applied && txn_state_final(operation->txn.state) &&
            device->session == operation->txn.session)
            device_session_end(device);
    }
    operation_free(operation);
}

void stranger_offer(struct world *world, struct choices *choices)
{
    for (size_t i = 0; i < world->device_count; i++) {
        struct device *device = &world->devices[i];
        const struct machine_row *machine = row_of(device);
        if (!device->elsewhere) {
            if (!world->calm && device->powered)
                offer(choices, world->weather.stranger, "stranger takes", takes, device, 0);
            continue;
        }
        offer(choices, 60, "comes back", comes_back, device, 0);
        if (!world->calm &&
            may_move(&world->database, database_row(&world->database, machine->live_id)))
            offer(choices, 60, "stranger moves", moves, device, 0);
    }
}
