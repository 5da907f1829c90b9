#include "vendsim/machine.h"
#include "vendsim/machine_private.h"
#include "vendsim/planogram.h"

#include <stdio.h>

enum { MS_PER_S = 1000 };

static void pause_customer(struct machine *machine)
{
    if (machine->plan.behaviour.steps[machine->step] != STEP_END)
        timer_start(machine->customer, machine->plan.pace.select_after_ms);
}

void machine_session_plan(struct machine *machine, int64_t session)
{
    if (session == machine->plan_session)
        return;
    machine->plan_session = session;
    machine->struck = false;
    machine->plan = machine->habit;
    if (machine->ordered_times == 0)
        return;
    machine->ordered_times--;
    machine->plan = machine->ordered;
}

void machine_session_open(struct machine *machine, int64_t timeout_s)
{
    machine->step = 0;
    timer_stop(machine->customer);
    timer_stop(machine->session_end);
    if (timeout_s > 0)
        timer_start(machine->session_end, timeout_s * MS_PER_S);
    pause_customer(machine);
}

void machine_session_stop(struct machine *machine)
{
    timer_stop(machine->customer);
    timer_stop(machine->session_end);
    timer_stop(machine->motor);
}

static void session_end(struct machine *machine, const char *reason)
{
    machine_session_stop(machine);
    device_end_session(machine->device, reason);
    machine_flush(machine);
}

/* An approval that was taken is finished first; then the gateway unlocks. */
void machine_session_timeout(void *arg)
{
    struct machine *machine = arg;
    if (!ledger_unfinished(journal_ledger(machine->journal)))
        session_end(machine, "timeout");
}

static void select_item(struct machine *machine, const struct device_choice *choice)
{
    device_select(machine->device, choice);
    if (machine_strikes(machine, POINT_SELECTION_MADE))
        return;
    machine_flush(machine);
    (void)machine_strikes(machine, POINT_SELECTION_SENT);
}

static void customer_selects(struct machine *machine)
{
    const struct planogram_item *item = planogram_item(machine->choices);
    const struct pace *pace = &machine->plan.pace;
    struct device_choice choice = {.item = item->code, .price = item->price, .label = item->label};
    char label[32];
    if (pace->item != LEDGER_NONE) {
        snprintf(label, sizeof(label), "X%lld", (long long)pace->item);
        choice.item = pace->item;
        choice.label = label;
    }
    if (pace->price != LEDGER_NONE)
        choice.price = pace->price;
    machine->choices++;
    select_item(machine, &choice);
}

static void take_step(struct machine *machine, enum step step)
{
    switch (step) {
    case STEP_SELECT:
    case STEP_SELECT_OTHER:
        customer_selects(machine);
        break;
    case STEP_REPEAT:
        device_repeat_selection(machine->device);
        machine_flush(machine);
        break;
    case STEP_WITHDRAW:
        device_withdraw(machine->device);
        machine_flush(machine);
        break;
    case STEP_GIVE_UP:
        session_end(machine, "customer");
        break;
    case STEP_CASH:
        session_end(machine, "cash");
        break;
    case STEP_OPEN_DOOR:
        session_end(machine, "door");
        break;
    case STEP_END:
    case STEP_COUNT:
        break;
    }
}

void machine_session_customer(void *arg)
{
    struct machine *machine = arg;
    enum step step = machine->plan.behaviour.steps[machine->step];
    machine->step++;
    if (machine->step < BEHAVIOUR_STEPS_MAX)
        pause_customer(machine);
    take_step(machine, step);
}

/* One key names one item (planogram.h). The virtual keypad is the customer now. */
void machine_session_keys(struct machine *machine)
{
    const json_t *key = json_array_get(device_keys(machine->device), 0);
    const struct planogram_item *item = planogram_by_key(json_integer_value(key));
    if (!item)
        return; /* a key without a meaning; the machine beeps */
    timer_stop(machine->customer);
    machine->step = BEHAVIOUR_STEPS_MAX - 1;
    select_item(machine, &(struct device_choice){
                             .item = item->code, .price = item->price, .label = item->label});
}

void machine_session_dispense(struct machine *machine)
{
    const struct plan *plan = &machine->plan;
    int64_t slowness = plan->behaviour.slowness > 0 ? plan->behaviour.slowness : 1;
    timer_stop(machine->customer);
    device_put_on_bus(machine->device);
    machine_tell(machine, "motor runs", NULL);
    if (machine_strikes(machine, POINT_ON_BUS) && !machine->powered)
        return;
    if (plan->behaviour.vend != VEND_NEVER)
        timer_start(machine->motor, plan->pace.vend_ms * slowness);
}

static void goods_fall(struct machine *machine)
{
    const struct ledger_approval *approval = ledger_unfinished(journal_ledger(machine->journal));
    if (!approval)
        return;
    journal_goods_fell(machine->journal,
                       json_pack("{s:s, s:I, s:I, s:I}", "approval", approval->id, "item",
                                 (json_int_t)approval->item, "price", (json_int_t)approval->price,
                                 "amount", (json_int_t)approval->amount));
    machine_tell(
        machine, "goods fell",
        json_pack("{s:I, s:s}", "item", (json_int_t)approval->item, "approval", approval->id));
}

/* Once: the customer comes back for another item while the session is open. */
static void customer_again(struct machine *machine)
{
    if (!machine->plan.behaviour.again)
        return;
    machine->plan.behaviour.again = false;
    machine->step = 0;
    pause_customer(machine);
}

void machine_session_motor(void *arg)
{
    struct machine *machine = arg;
    const struct behaviour *behaviour = &machine->plan.behaviour;
    bool dispensed = behaviour->vend == VEND_DISPENSE;
    if (dispensed)
        goods_fall(machine);
    if (machine_strikes(machine, POINT_FELL) && !machine->powered)
        return;
    device_finish(machine->device, dispensed, behaviour->code);
    machine_tell(machine, dispensed ? "dispensed" : "not dispensed", NULL);
    if (machine_strikes(machine, POINT_RESULT_WRITTEN) && !machine->powered)
        return;
    machine_flush(machine);
    if (machine_strikes(machine, POINT_RESULT_SENT) && !machine->powered)
        return;
    customer_again(machine);
}
