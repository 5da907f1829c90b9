/* store_calls.c - src/store's headers: each call becomes an operation in the queue. */
#include "base/macros.h"
#include "base/memory.h"
#include "gateway.h"
#include "promises.h"
#include "store/callback.h"
#include "store/machine.h"
#include "store/txn.h"
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <string.h>
#include <utlist.h>

static void queue(struct store *store, struct operation *operation)
{
    struct gateway *gateway = store->gateway;
    bool sent = gateway_effect(gateway); /* a dead process's question is never sent */
    store->pending++;
    if (sent && store->up) {
        DL_APPEND(store->queue, operation);
        return;
    }
    operation->outcome = STORE_UNAVAILABLE;
    DL_APPEND(store->rejected, operation);
}

bool store_ready(const struct store *store)
{
    return store->ready && !store->gateway->dead;
}

int64_t store_instance_id(const struct store *store UNUSED)
{
    return 1;
}

int64_t store_now_ms(const struct store *store)
{
    return store->gateway->world->now_ms + store->offset_ms;
}

int64_t store_away_ms(const struct store *store)
{
    return store->away_ms;
}

size_t store_pending(const struct store *store)
{
    return store->pending;
}

static uint64_t hash_of(const char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static struct said_event said_of(const struct store_machine_event *event)
{
    struct said_event said = {.any = event != NULL};
    if (!event)
        return said;
    said.event_epoch = event->event_epoch;
    said.seq = event->seq;
    said.hash = hash_of(event->raw, event->raw_size);
    said.after.event_epoch = event->state_epoch;
    said.after.mark = event->mark;
    said.after.above_count = event->above_count;
    memcpy(said.after.above, event->above, event->above_count * sizeof event->above[0]);
    return said;
}

static void step_queue(struct store *store, enum operation_kind kind,
                       const struct store_txn_step *step, const struct txn_record *old,
                       enum txn_state old_from, store_txn_cb *callback, void *arg)
{
    struct operation *operation = operation_new(kind, arg);
    operation->callback.txn = callback;
    operation->txn = *step->txn;
    if (old)
        operation->old = *old;
    operation->from = step->from;
    operation->old_from = old_from;
    operation->event = step->event;
    operation->owner_epoch = step->owner_epoch;
    operation->said = said_of(step->machine_event);
    operation->cancel_id = step->cancel_callback_id;
    operation->adjusts = !step->adjusts ? 0 : strcmp(step->adjusts, "dispensed") == 0 ? 1 : 2;
    operation->unreadable = step->evidence && strstr(step->evidence, "\"unreadable\"");
    operation->callback_count = step->callback_count;
    for (size_t i = 0; i < step->callback_count; i++) {
        operation->callbacks[i] = step->callbacks[i];
        operation->callbacks[i].body =
            memory_bytes(step->callbacks[i].body, step->callbacks[i].body_size);
        snprintf(operation->webhook_ids[i], WEBHOOK_ID_SIZE, "%s", step->callbacks[i].webhook_id);
    }
    queue(store, operation);
}

void store_txn_begin(struct store *store, const struct store_txn_step *step, store_txn_cb *callback,
                     void *arg)
{
    assert(step->txn->id == 0 && step->txn->vm_id[0]);
    step_queue(store, OPERATION_BEGIN, step, NULL, TXN_NONE, callback, arg);
}

void store_txn_advance(struct store *store, const struct store_txn_step *step,
                       store_txn_cb *callback, void *arg)
{
    assert(step->txn->id > 0 && step->txn->version > 1);
    step_queue(store, OPERATION_ADVANCE, step, NULL, TXN_NONE, callback, arg);
}

void store_txn_succeed(struct store *store, const struct store_txn_step *step,
                       const struct txn_record *old, enum txn_state old_from,
                       store_txn_cb *callback, void *arg)
{
    assert(step->txn->id == 0 && step->txn->predecessor_id == old->id && !step->adjusts);
    assert(old->id > 0 && old->version > 1 && txn_state_final(old->state));
    step_queue(store, OPERATION_SUCCEED, step, old, old_from, callback, arg);
}

void store_txn_note(struct store *store, const struct store_txn_step *step, store_txn_cb *callback,
                    void *arg)
{
    assert(step->txn->id > 0 && (step->owner_epoch > 0 || !step->machine_event));
    step_queue(store, OPERATION_NOTE, step, NULL, TXN_NONE, callback, arg);
}

void store_txn_spend(struct store *store, int64_t integrator_id, const char *ref,
                     const char *evidence UNUSED, store_txn_cb *callback, void *arg)
{
    struct txn_record txn = {.integrator_id = integrator_id,
                             .state = TXN_CLOSED,
                             .version = 1,
                             .balance = TXN_BALANCE_UNKNOWN,
                             .request = -1,
                             .item = -1,
                             .closed_by = TXN_PAID_NEVER};
    snprintf(txn.ref, sizeof txn.ref, "%s", ref);
    const struct store_txn_step step = {
        .txn = &txn, .event = TXN_PAID_NEVER, .actor = "integrator"};
    step_queue(store, OPERATION_SPEND, &step, NULL, TXN_NONE, callback, arg);
}

/* --- reading --- */

void store_txn_find(struct store *store, int64_t integrator_id, const char *ref,
                    store_txn_found_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_FIND, arg);
    operation->callback.found = callback;
    operation->number = integrator_id;
    snprintf(operation->text, sizeof operation->text, "%s", ref);
    queue(store, operation);
}

void store_txn_find_approval(struct store *store, const char *vm_id, const char *approval,
                             store_txn_found_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_FIND_APPROVAL, arg);
    operation->callback.found = callback;
    snprintf(operation->vm_id, sizeof operation->vm_id, "%s", vm_id);
    snprintf(operation->text, sizeof operation->text, "%s", approval);
    queue(store, operation);
}

void store_txn_find_id(struct store *store, int64_t txn_id, store_txn_found_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_FIND_ID, arg);
    operation->callback.found = callback;
    operation->number = txn_id;
    queue(store, operation);
}

void store_txn_load_live(struct store *store, const char *vm_id, store_txn_row_cb *callback,
                         void *arg)
{
    struct operation *operation = operation_new(OPERATION_LOAD_LIVE, arg);
    operation->callback.txn_row = callback;
    snprintf(operation->vm_id, sizeof operation->vm_id, "%s", vm_id ? vm_id : "");
    queue(store, operation);
}

/* --- machines --- */

void store_machine_load(struct store *store, const char *vm_id, store_machine_row_cb *callback,
                        void *arg)
{
    struct operation *operation = operation_new(OPERATION_MACHINE_LOAD, arg);
    operation->callback.machine_row = callback;
    snprintf(operation->vm_id, sizeof operation->vm_id, "%s", vm_id ? vm_id : "");
    queue(store, operation);
}

void store_machine_own(struct store *store, const char *vm_id, store_machine_owned_cb *callback,
                       void *arg)
{
    struct operation *operation = operation_new(OPERATION_OWN, arg);
    operation->callback.owned = callback;
    snprintf(operation->vm_id, sizeof operation->vm_id, "%s", vm_id);
    queue(store, operation);
}

static struct operation *machine_operation(enum operation_kind kind, const char *vm_id,
                                           int64_t owner_epoch, store_done_cb *callback, void *arg)
{
    struct operation *operation = operation_new(kind, arg);
    operation->callback.done = callback;
    operation->owner_epoch = owner_epoch;
    snprintf(operation->vm_id, sizeof operation->vm_id, "%s", vm_id);
    return operation;
}

void store_machine_event_save(struct store *store, const struct store_machine_event *event,
                              int64_t owner_epoch, const struct store_machine_effects *effects,
                              store_done_cb *callback, void *arg)
{
    struct operation *operation =
        machine_operation(OPERATION_EVENT_SAVE, event->vm_id, owner_epoch, callback, arg);
    operation->said = said_of(event);
    operation->scale = effects ? effects->scale : -1;
    operation->max_response_s = effects ? effects->max_response_s : -1;
    operation->keypad = memory_text(effects ? effects->keypad : NULL);
    queue(store, operation);
}

void store_machine_event_compare(struct store *store, const struct store_machine_event *event,
                                 store_done_cb *callback, void *arg)
{
    struct operation *operation =
        machine_operation(OPERATION_EVENT_COMPARE, event->vm_id, 0, callback, arg);
    operation->said = said_of(event);
    queue(store, operation);
}

void store_machine_journal_save(struct store *store, const char *vm_id, int64_t owner_epoch,
                                const char *journal, store_done_cb *callback, void *arg)
{
    struct operation *operation =
        machine_operation(OPERATION_JOURNAL_SAVE, vm_id, owner_epoch, callback, arg);
    snprintf(operation->text, sizeof operation->text, "%s", journal);
    queue(store, operation);
}

void store_machine_presence_save(struct store *store, const char *vm_id, int64_t owner_epoch,
                                 bool online UNUSED, const char *reason UNUSED,
                                 store_done_cb *callback, void *arg)
{
    queue(store, machine_operation(OPERATION_PRESENCE_SAVE, vm_id, owner_epoch, callback, arg));
}

/* --- callbacks --- */

static void rows_ask(struct store *store, struct operation *operation,
                     store_callback_row_cb *callback)
{
    operation->callback.callback_row = callback;
    queue(store, operation);
}

void store_callback_page(struct store *store, const struct store_callback_page_order *order,
                         store_callback_row_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_CALLBACK_PAGE, arg);
    operation->owner_epoch = order->integrator_id;
    operation->number = order->after;
    operation->limit = order->limit;
    rows_ask(store, operation, callback);
}

void store_callback_look(struct store *store, int64_t callback_id, store_callback_row_cb *callback,
                         void *arg)
{
    struct operation *operation = operation_new(OPERATION_CALLBACK_LOOK, arg);
    operation->number = callback_id;
    operation->limit = 1;
    rows_ask(store, operation, callback);
}

void store_callback_replays(struct store *store, int64_t after, int64_t limit,
                            store_callback_row_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_CALLBACK_REPLAYS, arg);
    operation->number = after;
    operation->limit = limit;
    rows_ask(store, operation, callback);
}

void store_callback_survey(struct store *store, store_callback_survey_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_CALLBACK_SURVEY, arg);
    operation->callback.survey = callback;
    queue(store, operation);
}

void store_callback_claim(struct store *store, const char *vm_id UNUSED, store_done_cb *callback,
                          void *arg)
{
    struct operation *operation = operation_new(OPERATION_CALLBACK_CLAIM, arg);
    operation->callback.done = callback;
    queue(store, operation);
}

void store_endpoint_hold(struct store *store, int64_t integrator_id, const char *reason UNUSED,
                         store_done_cb *callback, void *arg)
{
    struct operation *operation = operation_new(OPERATION_ENDPOINT_HOLD, arg);
    operation->number = integrator_id;
    operation->callback.done = callback;
    queue(store, operation);
}

static void outcome_queue(struct store *store, struct operation *operation, int64_t callback_id,
                          int number, const char *fate_name)
{
    struct gateway *gateway = store->gateway;
    struct callback_row *callback = database_callback(&gateway->world->database, callback_id);
    if (!callback)
        promise_broken("every callback sent equals a committed row", "callback %lld is unknown",
                       (long long)callback_id);
    operation->number = callback_id;
    operation->limit = number;
    for (int fate = CALLBACK_PENDING; fate <= CALLBACK_IMPLIED; fate++)
        if (strcmp(callback_fate_name((enum callback_fate)fate), fate_name) == 0)
            operation->fate = (enum callback_fate)fate;
    operation->told = operation->fate == CALLBACK_DELIVERED || operation->fate == CALLBACK_IMPLIED;
    callback->over |= operation->fate != CALLBACK_PENDING;
    (void)gateway_effect(gateway);
    store->pending++;
    if (gateway->dead)
        DL_APPEND(store->rejected, operation);
    else
        DL_APPEND(store->outcomes, operation);
}

static struct operation *outcome_new(enum operation_kind kind, store_recorded_cb *callback,
                                     void *arg)
{
    struct operation *operation = operation_new(kind, arg);
    operation->callback.recorded = callback;
    return operation;
}

void store_callback_attempt_save(struct store *store, const struct store_callback_attempt *attempt,
                                 store_recorded_cb *callback, void *arg)
{
    outcome_queue(store, outcome_new(OPERATION_ATTEMPT, callback, arg), attempt->callback_id,
                  attempt->number, attempt->fate);
}

void store_callback_settle(struct store *store, int64_t callback_id, const char *fate,
                           store_recorded_cb *callback, void *arg)
{
    outcome_queue(store, outcome_new(OPERATION_SETTLE, callback, arg), callback_id, 0, fate);
}

void store_sim_people(struct store *store, void (*loaded)(void *arg, enum store_outcome outcome),
                      void *arg)
{
    struct operation *operation = operation_new(OPERATION_PEOPLE_LOAD, arg);
    operation->callback.people = loaded;
    queue(store, operation);
}
