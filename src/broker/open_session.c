#include "broker/internal.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#define END_TTL_MS 30000

static const struct integrator *integrator_of(const struct machine *machine,
                                              const struct txn_record *txn)
{
    return people_integrator(machine->broker->people, txn->integrator_id);
}

bool open_session_wanted(const struct live *live, enum txn_event event)
{
    const struct machine *machine = live->machine;
    const struct integrator *integrator = integrator_of(machine, &live->txn);
    return event == TXN_DISPENSED && integrator && integrator->allow_multi_vend &&
           !live->session_over && machine->presence == PRESENCE_ONLINE &&
           !machine->broker->draining && !review_due(machine);
}

static void reserved_long_enough(void *arg)
{
    struct open_session *open = arg;
    open_session_end(open->machine, true);
}

void open_session_begin(const struct live *live, int64_t vend_callback_id)
{
    struct machine *machine = live->machine;
    struct broker *broker = machine->broker;
    assert(!machine->open && live->txn.state == TXN_VENDED);
    struct open_session *open = memory_zero(1, sizeof *open);
    open->txn = live->txn;
    open->machine = machine;
    open->vend_callback_id = vend_callback_id;
    open->until_ms = clock_monotonic_ms() + broker->options.selection_ms;
    open->timer = timer_new(broker->loop, reserved_long_enough, open);
    timer_start(open->timer, broker->options.selection_ms);
    HASH_ADD(hh, broker->open_sessions, txn.id, sizeof open->txn.id, open);
    machine->open = open;
}

void open_session_hold(struct machine *machine)
{
    timer_stop(machine->open->timer);
}

void open_session_end(struct machine *machine, bool tell_machine)
{
    struct open_session *open = TAKE(machine->open);
    if (!open)
        return;
    log_info("session_closed", LOG_INT("txn", open->txn.id), LOG_TEXT("vm", machine->vm_id));
    struct machine_command unlock = {
        .op = MACHINE_OP_UNLOCK, .ttl_ms = END_TTL_MS, .session = open->txn.session, .request = -1};
    if (tell_machine && machine->presence == PRESENCE_ONLINE)
        broker_machine_send(machine, &unlock); /* else the next hello names no session */
    HASH_DEL(machine->broker->open_sessions, open);
    timer_free(&open->timer);
    free(open);
}

void open_session_vend_delivered(struct broker *broker, int64_t callback_id, int64_t txn_id)
{
    struct open_session *open;
    HASH_FIND(hh, broker->open_sessions, &txn_id, sizeof txn_id, open);
    if (open && open->vend_callback_id == callback_id)
        open->vend_delivered = true;
}

bool open_session_may_go_on(const struct machine *machine)
{
    const struct open_session *open = machine->open;
    const struct integrator *integrator = integrator_of(machine, &open->txn);
    return open->vend_delivered && integrator && integrator->allow_multi_vend &&
           !machine->broker->draining && !review_due(machine);
}

int64_t open_session_seconds_left(const struct open_session *open)
{
    int64_t left = open->until_ms - clock_monotonic_ms();
    return left > 0 ? (left + 999) / 1000 : 0;
}
