/* act.c - what follows a commit: commands to the machine, answers to calls, alerts. */
#include "broker/internal.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

/* The machine bounds the whole session by its own clock; ours always ends it first. */
#define SESSION_MARGIN_S 10
#define SESSION_CHOICES 5 /* of a customer who may choose again */
#define RELEASE_TTL_MS 30000

static struct machine_command command_for(const struct live *live, enum machine_op op,
                                          int64_t ttl_ms)
{
    return (struct machine_command){
        .op = op,
        .ttl_ms = ttl_ms,
        .txn_id = live->txn.id,
        .session = live->txn.session,
        .request = live->txn.request,
    };
}

/* MDB carries at most FFFE units of the machine's scale; FFFF would mean unknown. */
static int64_t balance_clamped(const struct live *live)
{
    struct txn_limits limits;
    broker_machine_limits(live->machine, live->txn.integrator_id, &limits);
    int64_t most = MDB_AMOUNT_MAX * limits.scale;
    int64_t balance = live->txn.balance;
    return balance != TXN_BALANCE_UNKNOWN && balance > most ? most : balance;
}

static void send_lock(struct live *live)
{
    const struct broker_options *options = &live->machine->broker->options;
    struct machine_command command = command_for(live, MACHINE_OP_LOCK, options->lock_ack_ms);
    const struct integrator *integrator =
        people_integrator(live->machine->broker->people, live->txn.integrator_id);
    bool again = integrator && (integrator->allow_rename || integrator->allow_multi_vend);
    command.timeout_s =
        (again ? SESSION_CHOICES : 1) * (options->selection_ms + options->payment_ms) / 1000 +
        SESSION_MARGIN_S;
    command.balance = balance_clamped(live);
    broker_machine_send(live->machine, &command);
}

static void send_approve(struct live *live)
{
    const struct broker_options *options = &live->machine->broker->options;
    const struct txn_record *txn = &live->txn;
    struct machine_command command = command_for(live, MACHINE_OP_APPROVE, options->approve_ttl_ms);
    command.item = txn->item;
    command.price = txn->price;
    command.amount = txn->amount;
    command.n = txn->approval_n;
    snprintf(command.approval, sizeof command.approval, "%s", txn->approval);
    snprintf(command.journal, sizeof command.journal, "%s", txn->journal);
    if (live->approve_since_ms == 0)
        live->approve_since_ms = clock_monotonic_ms();
    CRASH_POINT(after_payment_commit_before_approve);
    live->approve_received = !broker_machine_send(live->machine, &command);
    timer_start(live->nudge, options->approve_ack_ms);
    CRASH_POINT(after_approve_queued);
}

void act_query(struct live *live)
{
    const struct broker_options *options = &live->machine->broker->options;
    if (live->machine->presence != PRESENCE_ONLINE)
        return; /* hello asks first thing when it is back */
    CRASH_POINT(before_query);
    struct machine_command command = command_for(live, MACHINE_OP_QUERY, options->query_every_ms);
    command.n = live->txn.approval_n;
    snprintf(command.approval, sizeof command.approval, "%s", live->txn.approval);
    if (machine_link_send(live->machine->broker->link, live->txn.vm_id, &command, live->query_id) !=
        0)
        live->query_id[0] = '\0'; /* its queue is full: asked again with the next nudge */
    live->heard = false;
    int64_t next_ms = options->query_every_ms;
    if (!live->expiring || timer_left_ms(live->nudge) > next_ms || !timer_running(live->nudge))
        timer_start(live->nudge, next_ms);
}

static void send_release(struct live *live)
{
    struct machine *machine = live->machine;
    if (machine->presence != PRESENCE_ONLINE)
        return; /* the next hello names no session, or its answer names this one: either ends it */
    if (live->txn.request >= 0 && live->txn.approval[0] == '\0') {
        struct machine_command deny = command_for(live, MACHINE_OP_DENY, RELEASE_TTL_MS);
        broker_machine_send(machine, &deny);
    }
    CRASH_POINT(before_unlock);
    struct machine_command unlock = command_for(live, MACHINE_OP_UNLOCK, RELEASE_TTL_MS);
    broker_machine_send(machine, &unlock);
}

/* Why the lock call fails, by the event that ended LOCKING. */
static enum reason lock_reason(const struct machine *machine, enum txn_event event)
{
    switch (event) {
    case TXN_LOCK_REFUSED:
        return machine->refused_reason;
    case TXN_LOCK_ACK_TIMER:
    case TXN_RESTART:
        return REASON_MACHINE_NO_ANSWER;
    case TXN_LINK_LOST:
    case TXN_NEW_CONNECTION:
        return REASON_MACHINE_OFFLINE;
    case TXN_OUT_OF_SERVICE:
        return REASON_MACHINE_FAULT;
    case TXN_DRAIN:
        return REASON_SHUTTING_DOWN;
    case TXN_UNLOCK:
    case TXN_OPERATOR_RELEASE:
        return REASON_ALREADY_CLOSED;
    default:
        return REASON_MACHINE_NOT_READY;
    }
}

/* The ref is used up; a caller who did not get our answer asks again and gets the same for a while.
 */
static void refusal_remember(struct machine *machine, const struct txn_record *txn,
                             enum reason reason)
{
    machine->refused_integrator = txn->integrator_id;
    machine->refused_at_ms = clock_monotonic_ms();
    machine->refused_reason = reason;
    snprintf(machine->refused_ref, sizeof machine->refused_ref, "%s", txn->ref);
}

void act_alert(const struct machine *machine, const struct txn_record *txn, const char *what)
{
    metric_add(metrics_cell(machine->broker->metrics, &BROKER_ALERTS, what), 1);
    log_error("alert", LOG_TEXT("level", "High"), LOG_TEXT("what", what),
              LOG_TEXT("vm", machine->vm_id), LOG_INT("txn", txn ? txn->id : 0),
              LOG_TEXT("ref", txn ? txn->ref : NULL),
              LOG_TEXT("state", txn ? txn_state_name(txn->state) : NULL));
}

static void policy_apply(struct live *live)
{
    live->interrupted = true;
    live->expiring = true;
    live->expiring_until_ms = 0; /* at once */
    doubt_policy_apply(live->machine);
}

void act(struct machine *machine, struct live *live, const struct txn_step *step,
         enum txn_event event)
{
    unsigned actions = step->actions;
    const struct txn_record *txn = &live->txn;
    if (txn->state != TXN_PAID || event == TXN_NEW_CONNECTION || event == TXN_LINK_LOST)
        live->approve_since_ms = 0;
    if (actions & TXN_ANSWER_LOCK_OK)
        lock_calls_answer(live, REASON_NONE);
    if (actions & TXN_ANSWER_LOCK_NO) {
        enum reason reason = lock_reason(machine, event);
        refusal_remember(machine, txn, reason);
        lock_calls_answer(live, reason);
    }
    if (actions & TXN_SEND_LOCK)
        send_lock(live);
    if (actions & TXN_SEND_KEYS)
        act_keys(live, machine->current->call);
    if (actions & TXN_SEND_APPROVE)
        send_approve(live);
    if (actions & TXN_SEND_QUERY)
        act_query(live);
    if ((actions & TXN_SEND_RELEASE) && !live->goes_on)
        send_release(live);
    if (actions & TXN_ALERT)
        act_alert(machine, txn, txn_event_name(event));
    if (event == TXN_PAID_ACCEPTABLE && live->request_callback_id) {
        /* It named our ref, so it has heard of the request. */
        live->rename_unconfirmed = false;
        outbound_imply(machine->broker->outbound, live->request_callback_id);
    }
    if (actions & TXN_APPLY_POLICY)
        policy_apply(live);
}
