#include "broker/internal.h"

#include "base/clock.h"
#include "base/memory.h"

#include <stdio.h>

static void live_key(char ret_key[static LIVE_KEY_SIZE], int64_t integrator_id, const char *ref)
{
    snprintf(ret_key, LIVE_KEY_SIZE, "%lld:%s", (long long)integrator_id, ref);
}

static void live_expired(void *arg)
{
    struct live *live = arg;
    struct input *input = input_new(INPUT_EXPIRED);
    input->txn_id = live->txn.id;
    input->version = live->txn.version;
    mailbox_post(live->machine, input);
}

static void live_nudged(void *arg)
{
    struct live *live = arg;
    struct input *input = input_new(INPUT_NUDGE);
    input->txn_id = live->txn.id;
    mailbox_post(live->machine, input);
}

void live_deadline_bound(struct live *live)
{
    struct txn_record *txn = &live->txn;
    int64_t latest =
        store_now_ms(live->machine->broker->store) + timer_length_ms(live->machine, txn->timer);
    if (txn->deadline_ms <= latest)
        return;
    txn->deadline_ms = latest;
    live->deadline_moved = true;
}

struct live *live_new(struct machine *machine, const struct store_live_row *row)
{
    const struct txn_record *txn = row->txn;
    assert(!machine->live && !txn_state_final(txn->state));
    struct broker *broker = machine->broker;
    struct live *live = memory_zero(1, sizeof *live);
    live->txn = *txn;
    live->request_callback_id = row->request_callback_id;
    live->needs_person = row->unread_evidence;
    live->rename_unconfirmed = row->rename_unconfirmed;
    live->machine = machine;
    live_deadline_bound(live);
    live->deadline = timer_new(broker->loop, live_expired, live);
    live->nudge = timer_new(broker->loop, live_nudged, live);
    live_key(live->key, txn->integrator_id, txn->ref);
    HASH_ADD_STR(broker->lives, key, live);
    HASH_ADD(hh_id, broker->lives_by_id, txn.id, sizeof live->txn.id, live);
    machine->live = live;
    return live;
}

void live_reload(struct machine *machine, const struct store_live_row *row)
{
    struct live *live = machine->live;
    if (live && live->txn.id != row->txn->id)
        live_free(&live); /* another process has ended it and begun the next */
    if (!live) {
        live_deadline_start(live_new(machine, row));
        return;
    }
    live->txn = *row->txn;
    live->request_callback_id = row->request_callback_id;
    live->rename_unconfirmed &= row->rename_unconfirmed; /* heard of here comes to disk later */
    live_deadline_bound(live);
    live_deadline_start(live);
}

void live_named(struct live *live)
{
    if (!live->rename_unconfirmed)
        return;
    live->rename_unconfirmed = false;
    outbound_imply(live->machine->broker->outbound, live->request_callback_id);
}

void live_heard(struct machine *machine)
{
    if (machine->live)
        machine->live->heard = true;
}

void live_free(struct live **live)
{
    struct live *old = TAKE(*live);
    if (!old)
        return;
    lock_calls_answer(old, REASON_MACHINE_NOT_READY);
    HASH_DEL(old->machine->broker->lives, old);
    HASH_DELETE(hh_id, old->machine->broker->lives_by_id, old);
    old->machine->live = NULL;
    timer_free(&old->deadline);
    timer_free(&old->nudge);
    free(old);
}

struct live *live_find(const struct broker *broker, int64_t integrator_id, const char *ref)
{
    char key[LIVE_KEY_SIZE];
    live_key(key, integrator_id, ref);
    struct live *live;
    HASH_FIND_STR(broker->lives, key, live);
    return live;
}

struct live *live_find_id(const struct broker *broker, int64_t txn_id)
{
    struct live *live;
    HASH_FIND(hh_id, broker->lives_by_id, &txn_id, sizeof txn_id, live);
    return live;
}

void live_deadline_start(struct live *live)
{
    const struct broker *broker = live->machine->broker;
    if (live->txn.deadline_ms == 0) {
        timer_stop(live->deadline);
        return;
    }
    int64_t left = live->txn.deadline_ms - store_now_ms(broker->store);
    /* What was paid before a start gets time for its machine to come back and speak. */
    int64_t grace = broker->started_ms + broker->options.recovery_grace_ms - clock_monotonic_ms();
    if (live->recovered && txn_state_money(live->txn.state) && left < grace)
        left = grace;
    timer_start(live->deadline, left);
}

int64_t live_seconds_left(const struct live *live)
{
    int64_t left = live->txn.deadline_ms - store_now_ms(live->machine->broker->store);
    return left > 0 ? (left + 999) / 1000 : 0;
}
