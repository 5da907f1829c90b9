/* deadlines.c - time: the end of a state, resends of an approval, queries while in doubt, the
 * operator's policy. */
#include "broker/internal.h"

#include "base/clock.h"

static struct live *live_of(const struct machine *machine, int64_t txn_id)
{
    return machine->live && machine->live->txn.id == txn_id ? machine->live : NULL;
}

/* The machine's group says what an unknown outcome counts as, else the integrator. */
static const char *doubt_policy(const struct live *live)
{
    const struct broker *broker = live->machine->broker;
    const struct fleet_machine *known =
        fleet_directory_find(broker->directory, live->machine->vm_id);
    const struct integrator *integrator =
        people_integrator(broker->people, live->txn.integrator_id);
    if (known && known->doubt_policy)
        return known->doubt_policy;
    return integrator ? integrator->doubt_policy : NULL;
}

void doubt_policy_apply(struct machine *machine)
{
    struct live *live = machine->live;
    struct input *input = input_new(INPUT_SIGNAL);
    input->txn_id = live->txn.id;
    input->signal = live->needs_person ? TXN_DOUBT_HOLD : txn_judge_policy(doubt_policy(live));
    live->expiring = false;
    mailbox_post_first(machine, input);
}

/* A machine within reach is asked once more before anything is decided over its head. */
static void expiry_ask(struct live *live)
{
    live->expiring = true;
    live->expiring_until_ms = clock_monotonic_ms() + EXPIRY_PATIENCE_MS;
    live->query_id[0] = '\0'; /* what was asked before does not count */
    timer_start(live->nudge, EXPIRY_PATIENCE_MS);
    act_query(live);
}

/* Asks again; while the deadline has passed, never without a timer that ends the waiting. */
static void query_again(struct live *live)
{
    int64_t left = live->expiring_until_ms - clock_monotonic_ms();
    if (live->expiring && left <= 0) {
        doubt_policy_apply(live->machine);
        return;
    }
    if (live->expiring)
        timer_start(live->nudge, left);
    act_query(live);
}

/* Gone for a moment is not lost: it may be on its way back with the outcome in its journal. */
static bool machine_within_reach(const struct machine *machine)
{
    return machine->presence != PRESENCE_ABSENT;
}

void expired_work(struct machine *machine, struct input *input)
{
    struct live *live = live_of(machine, input->txn_id);
    if (!live || live->txn.version != input->version) {
        input_done(machine, STORE_APPLIED); /* it has moved on while the timer's word waited */
        return;
    }
    if (live->txn.deadline_ms > store_now_ms(machine->broker->store)) {
        live_deadline_start(live); /* it was moved while the timer's word waited */
        input_done(machine, STORE_APPLIED);
        return;
    }
    if (live->txn.timer == TXN_TIMER_DOUBT) {
        if (machine_within_reach(machine))
            expiry_ask(live);
        else
            doubt_policy_apply(machine);
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, txn_timer_event(live->txn.timer), "timer");
    step_take(machine, &plan);
}

static void approve_again(struct machine *machine, struct live *live)
{
    int64_t since = clock_monotonic_ms() - live->approve_since_ms;
    if (machine->presence != PRESENCE_ONLINE || live->approve_since_ms == 0 ||
        since >= machine->broker->options.approve_ttl_ms) {
        input_done(machine, STORE_APPLIED); /* the deadline of PAID decides */
        return;
    }
    if (!live->approve_received) { /* MQTT forbids a resend before the PUBACK; the link closes if
                                      none comes */
        timer_start(live->nudge, machine->broker->options.approve_ack_ms);
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, TXN_APPROVE_ACK_TIMER, "timer");
    step_take(machine, &plan);
}

void nudge_work(struct machine *machine, struct input *input)
{
    struct live *live = live_of(machine, input->txn_id);
    if (live && live->txn.state == TXN_PAID) {
        approve_again(machine, live);
        return;
    }
    if (live && live->txn.state == TXN_IN_DOUBT)
        query_again(live);
    input_done(machine, STORE_APPLIED);
}

void signal_work(struct machine *machine, struct input *input)
{
    struct live *live = machine->live;
    if (!live || (input->txn_id != 0 && input->txn_id != live->txn.id)) {
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, input->signal, "gateway");
    step_take(machine, &plan);
}
