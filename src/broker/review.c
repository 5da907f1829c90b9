/* review.c - an operator has disabled a machine, taken it out of service, or revoked its
 * certificate. */
#include "broker/internal.h"

#include <string.h>

static bool credential_valid(const struct machine *machine, const struct fleet_machine *known)
{
    if (machine->fingerprint[0] == '\0')
        return known->token_sha256[0] != '\0';
    for (size_t i = 0; i < STORE_FINGERPRINTS_MAX; i++)
        if (strcmp(known->fingerprints[i], machine->fingerprint) == 0)
            return true;
    return false;
}

static bool link_unwanted(const struct machine *machine, const struct fleet_machine *known)
{
    return machine->presence >= PRESENCE_ARRIVED &&
           (!known->enabled || !credential_valid(machine, known));
}

bool review_due(const struct machine *machine)
{
    const struct fleet_machine *known =
        fleet_directory_find(machine->broker->directory, machine->vm_id);
    return known && (!known->enabled || known->out_of_service || link_unwanted(machine, known));
}

/* In the mailbox, so that a lock or a payment whose commit is under way is seen. A machine keeps
 * its link while money may be owed: its journal must speak. The end of that transaction comes here
 * again. */
void review_work(struct machine *machine, struct input *input)
{
    (void)input;
    const struct fleet_machine *known =
        fleet_directory_find(machine->broker->directory, machine->vm_id);
    const struct live *live = machine->live;
    bool money = live && txn_state_money(live->txn.state);
    if (known && (!known->enabled || known->out_of_service))
        open_session_end(machine, true);
    if (live && !money && known && (!known->enabled || known->out_of_service)) {
        struct plan plan;
        plan_init(&plan, live, TXN_OUT_OF_SERVICE, "operator");
        step_take(machine, &plan);
        return;
    }
    if (known && !money && link_unwanted(machine, known))
        machine_link_cut(machine->broker->link, machine->vm_id, LINK_DOWN_REVOKED);
    input_done(machine, STORE_APPLIED);
}
