/* promises_calls.c - what the gateway's answers to calls mean. */
#include "base/macros.h"
#include "coverage.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <inttypes.h>

static void lock_said(struct row *row, const struct request *request)
{
    if (!row || !row->txn.lock_answered)
        promise_broken(PROMISE_LOCKED_ON_DISK, "%s", request->ref);
    row->lock_said = true;
}

static void paid_said(struct row *row, const struct request *request)
{
    bool paid = row && row->paid_commit > 0 && row->txn.approval[0] &&
                row->txn.price == request->price && row->txn.discount == request->discount &&
                row->txn.surcharge == request->surcharge;
    if (!paid)
        promise_broken(PROMISE_PAID_ON_DISK, "%s is %s on disk", request->ref,
                       row ? txn_state_name(row->txn.state) : "not");
    row->paid_said = true;
}

static void unlock_said(struct row *row, const struct request *request)
{
    bool closed = row && row->txn.state == TXN_CLOSED && row->txn.closed_by == TXN_UNLOCK;
    if (!closed)
        promise_broken(PROMISE_UNLOCKED_ON_DISK, "%s is %s on disk", request->ref,
                       row ? txn_state_name(row->txn.state) : "not");
    row->unlock_said = true;
}

static void refund_said(struct row *row, const struct request *request)
{
    if (!row || row->txn.state != TXN_CLOSED || row->goods > 0)
        promise_broken(PROMISE_REFUND, "%s is %s on disk", request->ref,
                       row ? txn_state_name(row->txn.state) : "not");
    row->refund_said = true;
}

static void verdict_said(const struct database *database, const struct request *request)
{
    const struct row *row = database_row(database, request->txn_id);
    if (!row || row->txn.state != (request->vended ? TXN_VENDED : TXN_FAILED))
        promise_broken(PROMISE_OPERATOR, "verdict on row %" PRId64, request->txn_id);
}

static void release_said(struct world *world, const struct request *request)
{
    const struct machine_row *machine = &world->database.machines[request->device];
    const struct row *live = database_row(&world->database, machine->live_id);
    bool ours = machine->owner_instance == 1; /* what another process holds, only that one frees */
    if (live && ours)
        promise_broken(PROMISE_OPERATOR, "%s was released, and row %" PRId64 " is %s",
                       machine->vm_id, live->txn.id, txn_state_name(live->txn.state));
}

static void keys_said(const struct row *row, const struct request *request)
{
    if (!row || row->txn.keys_n == 0)
        promise_broken(PROMISE_COMMIT_FIRST, "keys for %s are not on disk", request->ref);
}

/* Calls about rows that have ended are answered from the database, beside the step table. */
static void ended_count(const struct row *row, const struct request *request,
                        const struct broker_answer *answer)
{
    if (!row || !txn_state_final(row->txn.state))
        return;
    if (request->kind == REQUEST_UNLOCK)
        coverage_add(row->txn.state, TXN_UNLOCK);
    else if (request->kind == REQUEST_PAID && row->txn.state == TXN_CLOSED)
        coverage_add(TXN_CLOSED, TXN_PAID_NEVER);
    else if (request->kind == REQUEST_PAID)
        coverage_add(row->txn.state, answer->success ? TXN_PAID_REPEATED : TXN_PAID_CONFLICT);
}

void promise_answered(struct world *world, const struct request *request,
                      const struct broker_answer *answer)
{
    struct row *row = database_find(&world->database, request->integrator_id, request->ref);
    if (answer->success != (answer->reason == REASON_NONE))
        promise_broken(PROMISE_ANSWERED, "success with a reason");
    ended_count(row, request, answer);
    if (answer->action == ACTION_REFUND)
        refund_said(row, request);
    if (!answer->success)
        return;
    switch (request->kind) {
    case REQUEST_LOCK:
        lock_said(row, request);
        return;
    case REQUEST_PAID:
        paid_said(row, request);
        return;
    case REQUEST_UNLOCK:
        unlock_said(row, request);
        return;
    case REQUEST_KEYS:
        keys_said(row, request);
        return;
    case REQUEST_VERDICT:
        verdict_said(&world->database, request);
        return;
    case REQUEST_RELEASE:
        release_said(world, request);
        return;
    }
}
