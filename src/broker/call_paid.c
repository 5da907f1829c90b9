/* call_paid.c - /api/paid: the guards, then PAID on disk before anyone hears of it. */
#include "broker/internal.h"

#include "base/crash_point.h"
#include "base/random.h"

#include <stdio.h>

#define APPROVAL_BYTES 16
/* A command that no journal can mistake for a payment: an approval number that was never given out.
 */
#define PROBE_APPROVAL "00000000000000000000000000000000"

/* A link that was silent for long is asked for a sign of life; the integrator pays again in a
 * moment. */
static void link_probe(struct machine *machine)
{
    struct machine_command command = {.op = MACHINE_OP_QUERY,
                                      .ttl_ms = machine->broker->options.approve_ack_ms,
                                      .session = -1,
                                      .request = -1,
                                      .n = 0,
                                      .approval = PROBE_APPROVAL};
    broker_machine_send(machine, &command);
}

static void plan_pay(struct plan *plan, const struct machine *machine, const struct call *call,
                     const struct txn_payment_verdict *verdict)
{
    struct txn_record *next = &plan->next;
    next->surcharge = call->surcharge;
    next->discount = call->discount;
    next->amount = verdict->amount;
    next->approval_n = machine->approval_n + 1;
    next->paid_ms = store_now_ms(machine->broker->store);
    random_hex(next->approval, APPROVAL_BYTES);
    snprintf(next->journal, sizeof next->journal, "%s", machine->journal);
}

void call_paid_work(struct machine *machine, struct input *input)
{
    struct call *call = input->call;
    struct live *live = live_find(machine->broker, call->integrator_id, call->ref);
    if (!live || live->machine != machine) {
        call_settle_from_store(TAKE(input->call)); /* it ended while the call waited */
        input_done(machine, STORE_APPLIED);
        return;
    }
    live_named(live);
    struct txn_limits limits;
    struct txn_payment_verdict verdict;
    struct txn_payment payment = {
        .price = call->price,
        .discount = call->discount,
        .surcharge = call->surcharge,
        .now_ms = store_now_ms(machine->broker->store),
        .link_up = broker_machine_up(machine),
        .link_known = machine->presence >= PRESENCE_ARRIVED,
    };
    broker_machine_limits(machine, call->integrator_id, &limits);
    txn_judge_payment(&live->txn, &payment, &limits, &verdict);
    if (verdict.reason == REASON_MACHINE_RECONCILING && machine->presence == PRESENCE_ONLINE)
        link_probe(machine);
    input->reason = verdict.reason;
    input->action = verdict.action;
    struct plan plan;
    plan_init(&plan, live, verdict.event, "integrator");
    plan.code = verdict.code;
    plan.evidence = json_pack("{s:I, s:I, s:I}", "price", (json_int_t)call->price, "surcharge",
                              (json_int_t)call->surcharge, "discount", (json_int_t)call->discount);
    if (verdict.event == TXN_PAID_ACCEPTABLE)
        plan_pay(&plan, machine, call, &verdict);
    CRASH_POINT(before_payment_commit);
    step_take(machine, &plan);
}
