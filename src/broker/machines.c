#include "broker/internal.h"

#include "base/log.h"
#include "base/memory.h"

#include <stdio.h>
#include <string.h>

struct machine *broker_machine_find(const struct broker *broker, const char *vm_id)
{
    struct machine *machine;
    HASH_FIND_STR(broker->machines, vm_id, machine);
    return machine;
}

static void grace_over(void *arg)
{
    struct machine *machine = arg;
    mailbox_post(machine, input_new(INPUT_ABSENT));
}

struct machine *broker_machine_get(struct broker *broker, const char *vm_id)
{
    struct machine *machine = broker_machine_find(broker, vm_id);
    if (machine)
        return machine;
    machine = memory_zero(1, sizeof *machine);
    snprintf(machine->vm_id, sizeof machine->vm_id, "%s", vm_id);
    machine->broker = broker;
    machine->sequence.mark = -1;
    machine->hole_asked = -1;
    machine->grace = timer_new(broker->loop, grace_over, machine);
    HASH_ADD_STR(broker->machines, vm_id, machine);
    return machine;
}

void broker_machine_free(struct machine **machine)
{
    struct machine *old = TAKE(*machine);
    if (!old)
        return;
    struct input *input, *next;
    DL_FOREACH_SAFE (old->mailbox, input, next) {
        DL_DELETE(old->mailbox, input);
        if (input->call)
            call_answer(input->call, REASON_SHUTTING_DOWN, ACTION_NONE);
        input_free(&input);
    }
    if (old->current && old->current->call)
        call_answer(old->current->call, REASON_OUTCOME_UNKNOWN, ACTION_NONE);
    input_free(&old->current);
    struct live *live = old->live;
    live_free(&live);
    old->presence = PRESENCE_ABSENT;
    open_session_end(old, false);
    plan_drop(old);
    timer_free(&old->grace);
    HASH_DEL(old->broker->machines, old);
    free(old);
}

bool broker_machine_up(const struct machine *machine)
{
    return machine->presence == PRESENCE_ONLINE &&
           machine_link_fresh(machine->broker->link, machine->vm_id);
}

bool broker_machine_elsewhere(const struct machine *machine)
{
    const struct broker *broker = machine->broker;
    const struct fleet_machine *known = fleet_directory_find(broker->directory, machine->vm_id);
    return machine->owner_epoch == 0 && known && known->owner_instance != 0 &&
           known->owner_instance != store_instance_id(broker->store);
}

void broker_machine_limits(const struct machine *machine, int64_t integrator_id,
                           struct txn_limits *ret_limits)
{
    const struct fleet_machine *known =
        fleet_directory_find(machine->broker->directory, machine->vm_id);
    const struct integrator *integrator = people_integrator(machine->broker->people, integrator_id);
    int64_t limit = known ? known->price_max : 0;
    if (integrator && integrator->amount_max != 0 && (limit == 0 || integrator->amount_max < limit))
        limit = integrator->amount_max;
    *ret_limits = (struct txn_limits){.scale = known && known->scale > 0 ? known->scale : 1,
                                      .amount_max = limit};
}

bool broker_machine_send(struct machine *machine, struct machine_command *command)
{
    int result = machine_link_send(machine->broker->link, machine->vm_id, command, NULL);
    if (result == 0)
        return true;
    /* What was not sent is made good by the state's own timer, or by the next hello. */
    log_notice("command_not_sent", LOG_TEXT("vm", machine->vm_id),
               LOG_TEXT("op", machine_op_name(command->op)), LOG_INT("txn", command->txn_id),
               LOG_TEXT("error", strerror(-result)));
    return false;
}

bool broker_machine_online(const struct broker *broker, const char *vm_id)
{
    const struct machine *machine = broker_machine_find(broker, vm_id);
    return machine && machine->presence == PRESENCE_ONLINE;
}

bool broker_machine_busy(const struct broker *broker, const char *vm_id)
{
    const struct machine *machine = broker_machine_find(broker, vm_id);
    return machine && (machine->live || machine->open);
}
