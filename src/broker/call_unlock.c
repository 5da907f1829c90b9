/* call_unlock.c - /api/unlock: cancel before payment; afterwards it only explains. */
#include "broker/internal.h"

#include <string.h>

void call_unlock_work(struct machine *machine, struct input *input)
{
    struct call *call = input->call;
    struct live *live = live_find(machine->broker, call->integrator_id, call->ref);
    if (!live || live->machine != machine) {
        call_settle_from_store(TAKE(input->call));
        input_done(machine, STORE_APPLIED);
        return;
    }
    if (strcmp(call->vm_id, live->txn.vm_id) != 0) {
        input->reason = REASON_TXN_MACHINE_MISMATCH;
        input_done(machine, STORE_APPLIED);
        return;
    }
    live_named(live);
    input->reason = txn_judge_unlock(&live->txn);
    struct plan plan;
    plan_init(&plan, live, TXN_UNLOCK, "integrator");
    step_take(machine, &plan);
}
