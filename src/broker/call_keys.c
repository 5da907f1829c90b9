/* call_keys.c - /api/vmc_user_keys: keys that the customer pressed in the integrator's app. */
#include "broker/internal.h"

#include "base/clock.h"

#include <string.h>

static enum reason keys_guard(const struct machine *machine, const struct live *live,
                              const struct call *call)
{
    const struct fleet_machine *known =
        fleet_directory_find(machine->broker->directory, machine->vm_id);
    int64_t most = known ? fleet_keypad_action_count(known) : 0;
    if (strcmp(call->vm_id, live->txn.vm_id) != 0)
        return REASON_TXN_MACHINE_MISMATCH;
    if (most == 0)
        return REASON_KEYPAD_OFF;
    if (call->key_count > (size_t)most)
        return REASON_KEY_COUNT;
    for (size_t i = 0; i < call->key_count; i++)
        if (!fleet_keypad_has_key(known, call->keys[i]))
            return REASON_KEY_UNKNOWN;
    if (machine->presence != PRESENCE_ONLINE)
        return machine->presence >= PRESENCE_ARRIVED ? REASON_MACHINE_RECONCILING
                                                     : REASON_MACHINE_OFFLINE;
    bool pending =
        live->keys_sent_ms != 0 && clock_monotonic_ms() - live->keys_sent_ms < KEYS_PENDING_MS;
    return live->txn.state != TXN_LOCKED || pending ? REASON_KEYS_NOT_EXPECTED : REASON_NONE;
}

void call_keys_work(struct machine *machine, struct input *input)
{
    struct call *call = input->call;
    struct live *live = live_find(machine->broker, call->integrator_id, call->ref);
    if (!live || live->machine != machine) {
        call_settle_from_store(TAKE(input->call));
        input_done(machine, STORE_APPLIED);
        return;
    }
    input->reason = keys_guard(machine, live, call);
    if (input->reason != REASON_NONE) {
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, TXN_KEYS, "integrator");
    json_t *keys = json_array();
    for (size_t i = 0; i < call->key_count; i++)
        json_array_append_new(keys, json_integer(call->keys[i]));
    plan.evidence = json_pack("{s:o}", "keys", keys);
    step_take(machine, &plan);
}

void act_keys(struct live *live, const struct call *call)
{
    struct machine_command command = {
        .op = MACHINE_OP_KEYS,
        .ttl_ms = KEYS_PENDING_MS,
        .txn_id = live->txn.id,
        .session = live->txn.session,
        .request = -1,
        /* Rises over restarts too, so that the machine takes each once. */
        .n = store_now_ms(live->machine->broker->store),
        .key_count = call->key_count,
    };
    memcpy(command.keys, call->keys, sizeof command.keys);
    live->keys_sent_ms = clock_monotonic_ms();
    broker_machine_send(live->machine, &command);
}
