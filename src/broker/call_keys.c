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
    return REASON_NONE;
}

static bool keys_pending(const struct live *live)
{
    return live->keys_sent_ms != 0 && clock_monotonic_ms() - live->keys_sent_ms < KEYS_PENDING_MS;
}

static enum reason keys_moment(const struct machine *machine, const struct live *live)
{
    if (machine->presence != PRESENCE_ONLINE)
        return machine->presence >= PRESENCE_ARRIVED ? REASON_MACHINE_RECONCILING
                                                     : REASON_MACHINE_OFFLINE;
    return live->txn.state != TXN_LOCKED || keys_pending(live) ? REASON_KEYS_NOT_EXPECTED
                                                               : REASON_NONE;
}

/* Which keys, in one number: a repeat of a call must not press them again, not even after a restart
 * in between. */
static int64_t keys_digest(const struct call *call)
{
    uint32_t low = 0, high = 0;
    HASH_JEN(call->keys, call->key_count * sizeof call->keys[0], low);
    HASH_SAX(call->keys, call->key_count * sizeof call->keys[0], high);
    return (int64_t)((uint64_t)high << 32 | low);
}

/* The keys that were sent last, told again before the machine has answered, or after they led to a
 * selection: they had their effect, or will have it. */
static bool keys_repeated(const struct live *live, const struct call *call)
{
    const struct txn_record *txn = &live->txn;
    return txn->keys_n > 0 && txn->keys_digest == keys_digest(call) &&
           (txn->state == TXN_REQUESTED || keys_pending(live) || live->keys_unsure);
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
    live_named(live);
    input->reason = keys_guard(machine, live, call);
    bool repeated = input->reason == REASON_NONE && keys_repeated(live, call);
    if (input->reason == REASON_NONE && !repeated)
        input->reason = keys_moment(machine, live);
    if (input->reason != REASON_NONE || repeated) {
        if (repeated && live->txn.state == TXN_LOCKED)
            act_keys(live, call); /* under the same number, so the machine presses them once */
        input_done(machine, STORE_APPLIED);
        return;
    }
    struct plan plan;
    plan_init(&plan, live, TXN_KEYS, "integrator");
    plan.next.keys_n++;
    plan.next.keys_digest = keys_digest(call);
    plan.row_changed = true;
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
        .n = live->txn.keys_n, /* rises over restarts too: the machine takes each once */
        .key_count = call->key_count,
    };
    memcpy(command.keys, call->keys, sizeof command.keys);
    live->keys_sent_ms = clock_monotonic_ms();
    live->keys_unsure = false;
    broker_machine_send(live->machine, &command);
}
