#include "store.h"

#include "base/macros.h"
#include "base/memory.h"
#include "gateway.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

static struct world *world_of(const struct store *store)
{
    return store->gateway->world;
}

void store_sim_init(struct store *store, struct gateway *gateway)
{
    *store = (struct store){.gateway = gateway};
}

/* --- answers --- */

static void answer_found(struct operation *operation)
{
    bool found = operation->outcome == STORE_APPLIED && operation->found;
    operation->callback.found(operation->arg, operation->outcome, found ? &operation->txn : NULL);
}

static void answer_rows(struct operation *operation)
{
    for (size_t i = 0; i < operation->live_count; i++)
        operation->callback.txn_row(operation->arg, operation->outcome, &operation->live_rows[i]);
    operation->callback.txn_row(operation->arg, operation->outcome, NULL);
}

static void answer_callbacks(struct store *store, struct operation *operation)
{
    struct database *database = &world_of(store)->database;
    for (size_t i = 0; i < operation->id_count; i++) {
        const struct callback_row *callback = database_callback(database, operation->ids[i]);
        operation->callback.callback_row(
            operation->arg, operation->outcome,
            &(struct store_callback_row){.callback_id = callback->id,
                                         .integrator_id = callback->integrator_id,
                                         .txn_id = callback->txn_id,
                                         .lane = callback->lane,
                                         .lane_sequence = callback->lane_sequence,
                                         .expires_ms = callback->expires_ms,
                                         .kind = callback_kind_path(callback->kind),
                                         .webhook_id = callback->webhook_id,
                                         .body = callback->body,
                                         .body_size = callback->body_size,
                                         .attempts = callback->attempts,
                                         .renames = callback->renames});
    }
    operation->callback.callback_row(operation->arg, operation->outcome, NULL);
}

/* An integrator may be told several times. */
static void answer_survey(struct store *store, struct operation *operation)
{
    struct database *database = &world_of(store)->database;
    for (size_t i = 0; i < operation->id_count; i++) {
        const struct callback_row *callback = database_callback(database, operation->ids[i]);
        operation->callback.survey(operation->arg, operation->outcome, callback->integrator_id,
                                   callback->lane != 0);
    }
    operation->callback.survey(operation->arg, operation->outcome, 0, false);
}

static void machine_tell(const struct machine_row *machine, struct operation *operation)
{
    operation->callback.machine_row(operation->arg, operation->outcome,
                                    &(struct store_machine_row){
                                        .vm_id = machine->vm_id,
                                        .enabled = machine->enabled,
                                        .out_of_service = machine->out_of_service,
                                        .fingerprints = {DEVICE_FINGERPRINT},
                                        .keypad = machine->keypad,
                                        .scale = machine->scale,
                                        .decimals = 2,
                                        .max_response_s = machine->max_response_s,
                                        .price_max = machine->price_max,
                                        .doubt_policy = machine->doubt_policy,
                                        .owner_instance = machine->owner_instance,
                                        .owner_epoch = machine->owner_epoch,
                                    });
}

static void answer_machines(struct store *store, struct operation *operation)
{
    struct database *database = &world_of(store)->database;
    for (size_t i = 0; operation->outcome == STORE_APPLIED && i < database->machine_count; i++)
        if (!operation->vm_id[0] || strcmp(database->machines[i].vm_id, operation->vm_id) == 0)
            machine_tell(&database->machines[i], operation);
    operation->callback.machine_row(operation->arg, operation->outcome, NULL);
}

/* Takes the operation over. */
static void operation_answer(struct store *store, struct operation *operation)
{
    store->pending--;
    switch (operation->kind) {
    case OPERATION_BEGIN:
    case OPERATION_ADVANCE:
    case OPERATION_SUCCEED:
    case OPERATION_NOTE:
    case OPERATION_SPEND:
        operation->callback.txn(operation->arg, operation->outcome, &operation->result);
        break;
    case OPERATION_FIND:
    case OPERATION_FIND_ID:
    case OPERATION_FIND_APPROVAL:
        answer_found(operation);
        break;
    case OPERATION_LOAD_LIVE:
        answer_rows(operation);
        break;
    case OPERATION_EVENT_SAVE:
    case OPERATION_EVENT_COMPARE:
    case OPERATION_JOURNAL_SAVE:
    case OPERATION_PRESENCE_SAVE:
    case OPERATION_CALLBACK_CLAIM:
    case OPERATION_ENDPOINT_HOLD:
        operation->callback.done(operation->arg, operation->outcome);
        break;
    case OPERATION_OWN:
        operation->callback.owned(operation->arg, operation->outcome, &operation->owned);
        break;
    case OPERATION_CALLBACK_SURVEY:
        answer_survey(store, operation);
        break;
    case OPERATION_CALLBACK_PAGE:
    case OPERATION_CALLBACK_LOOK:
    case OPERATION_CALLBACK_REPLAYS:
        answer_callbacks(store, operation);
        break;
    case OPERATION_MACHINE_LOAD:
        answer_machines(store, operation);
        break;
    case OPERATION_PEOPLE_LOAD:
        operation->callback.people(operation->arg, operation->outcome);
        break;
    case OPERATION_ATTEMPT:
    case OPERATION_SETTLE:
        operation->callback.recorded(operation->arg, operation->number,
                                     operation->outcome != STORE_APPLIED ? STORE_NOT_RECORDED
                                     : operation->found                  ? STORE_RECORDED
                                                                         : STORE_NOT_OURS,
                                     0);
        break;
    }
    operation_free(operation);
}

static void operations_answer(struct store *store, struct operation **list)
{
    struct operation *taken = TAKE(*list), *operation, *next;
    DL_FOREACH_SAFE (taken, operation, next) {
        DL_DELETE(taken, operation);
        operation_answer(store, operation);
    }
}

/* --- batches --- */

/* Something in it is refused, or it was tried for too long. */
static bool refuses(struct world *world)
{
    return !world->calm && world_hits(world, world->weather.store_refuses);
}

static void flight_commit(struct store *store)
{
    struct world *world = world_of(store);
    struct operation *operation;
    DL_FOREACH (store->flight, operation) {
        operation->result = (struct store_txn_result){0};
        operation->live_count = operation->id_count = 0;
        free(TAKE(operation->ids));
        if (refuses(world)) {
            operation->committed = true;
            operation->outcome = STORE_FAILED;
            store->gateway->drain_hampered = true;
            trace_add("postgres refuses", NULL, operation->kind, 0);
        } else {
            database_run(&world->database, operation);
        }
    }
}

static void answers_deliver(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    operations_answer(store, &store->flight);
}

static bool late(const struct store *store)
{
    struct world *world = world_of(store);
    return !world->calm && world_hits(world, world->weather.store_late);
}

static void commit_happens(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    flight_commit(store);
    if (!late(store))
        answers_deliver(store, 0);
}

static void batch_sent(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    store->flight = TAKE(store->queue);
    if (!late(store))
        commit_happens(store, 0);
}

static void outcomes_saved(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    struct operation *operation, *next;
    DL_FOREACH_SAFE (store->outcomes, operation, next) {
        DL_DELETE(store->outcomes, operation);
        database_run(&world_of(store)->database, operation);
        operation_answer(store, operation);
    }
}

static void rejections_told(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    operations_answer(store, &store->rejected);
}

/* --- losing and finding PostgreSQL --- */

static bool probed(const struct operation *operation)
{
    return operation->kind <= OPERATION_EVENT_SAVE;
}

static void reject(struct store *store, struct operation *operation)
{
    store->gateway->drain_hampered = true;
    operation->outcome = STORE_UNAVAILABLE;
    DL_APPEND(store->rejected, operation);
}

static void flight_lose(struct store *store)
{
    struct operation *operation, *next, *again = NULL;
    DL_FOREACH_SAFE (store->flight, operation, next) {
        DL_DELETE(store->flight, operation);
        operation->kept = true;
        if (probed(operation)) {
            DL_APPEND(store->uncertain, operation);
            continue;
        }
        operation->committed = false; /* it simply runs again */
        DL_APPEND(again, operation);
    }
    DL_CONCAT(again, store->queue);
    store->queue = again;
}

static void connection_lost(void *subject, int64_t away_ms)
{
    struct store *store = subject;
    struct operation *operation, *next;
    bool was_ready = store->ready;
    store->gateway->drain_hampered = true;
    trace_add("postgres lost", NULL, away_ms, store->flight ? store->flight->committed : -1);
    store->ready = store->up = false;
    store->back_at_ms = world_of(store)->now_ms + away_ms;
    flight_lose(store);
    DL_FOREACH_SAFE (store->queue, operation, next) {
        if (operation->kept)
            continue;
        DL_DELETE(store->queue, operation);
        reject(store, operation);
    }
    if (was_ready)
        store->gateway->store_handlers.lost(store->gateway->broker);
}

/* What the former backend was still committing is in, or is shut out by the new epoch. */
static void uncertain_decide(struct store *store, bool committed)
{
    struct operation *operation;
    if (!committed || !store->uncertain || store->uncertain->committed)
        return;
    DL_FOREACH (store->uncertain, operation)
        database_run(&world_of(store)->database, operation);
}

/* The probes find what was applied; the rest goes first into the next batch. */
static void uncertain_settle(struct store *store)
{
    struct operation *applied = NULL, *again = NULL, *operation, *next;
    DL_FOREACH_SAFE (store->uncertain, operation, next) {
        DL_DELETE(store->uncertain, operation);
        bool there = operation->committed && operation->outcome == STORE_APPLIED;
        if (there) {
            DL_APPEND(applied, operation);
        } else {
            operation->committed = false;
            DL_APPEND(again, operation);
        }
    }
    DL_CONCAT(again, store->queue);
    store->queue = again;
    operations_answer(store, &applied);
}

static void connection_found(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    struct world *world = world_of(store);
    uncertain_decide(store, chance_below(&world->chance, 2) == 0);
    world->database.instance_epoch++;
    if (!store->clock_known)
        store->offset_ms = world->server_ms;
    store->clock_known = true; /* later jumps of the server's clock do not matter */
    store->up = true;
    trace_add("postgres found", NULL, world->database.instance_epoch, 0);
    uncertain_settle(store);
    if (store->gateway->dead)
        return;
    store->ready = true;
    store->gateway->store_handlers.ready(store->gateway->broker);
}

static void queue_refused(void *subject, int64_t argument UNUSED)
{
    struct store *store = subject;
    struct operation *operation, *next;
    DL_FOREACH_SAFE (store->queue, operation, next) {
        if (operation->kept)
            continue;
        DL_DELETE(store->queue, operation);
        reject(store, operation);
    }
}

void store_sim_offer(struct store *store, struct choices *choices)
{
    struct world *world = world_of(store);
    const struct weather *weather = &world->weather;
    if (store->rejected)
        offer(choices, 4000, "rejections", rejections_told, store, 0);
    if (store->outcomes && store->up)
        offer(choices, 300, "outcomes saved", outcomes_saved, store, 0);
    if (!store->up) {
        if (world->now_ms >= store->back_at_ms)
            offer(choices, 500, "postgres answers", connection_found, store, 0);
        return;
    }
    if (store->queue && !store->flight)
        offer(choices, 4000, "batch", batch_sent, store, 0);
    if (store->flight && !store->flight->committed)
        offer(choices, 2000, "commit", commit_happens, store, 0);
    if (store->flight && store->flight->committed)
        offer(choices, 2000, "answers", answers_deliver, store, 0);
    if (world->calm)
        return;
    unsigned busy = store->flight ? 20 : 1; /* losses in the middle of a commit are the point */
    offer(choices, weather->store_lost * busy, "postgres lost", connection_lost, store,
          chance_between(&world->chance, 0, 3) == 0 ? 30000 : 200);
    if (store->queue)
        offer(choices, weather->store_full, "store full", queue_refused, store, 0);
}

void store_sim_die(struct store *store)
{
    struct world *world = world_of(store);
    if (store->flight && !store->flight->committed && chance_below(&world->chance, 2) == 0)
        flight_commit(store); /* the backend finished without us */
    if (!store->up && store->uncertain)
        uncertain_decide(store, chance_below(&world->chance, 2) == 0);
    struct operation *operation, *next;
    bool kept = chance_below(&world->chance, 2) == 0;
    DL_FOREACH_SAFE (store->outcomes, operation, next) {
        DL_DELETE(store->outcomes, operation);
        if (kept)
            database_run(&world->database, operation);
        operation_answer(store, operation);
    }
    store->ready = store->up = false;
}

static void dead_end(struct store *store, struct operation **list)
{
    struct operation *operation;
    DL_FOREACH (*list, operation) {
        operation->outcome = STORE_UNAVAILABLE;
        operation->live_count = operation->id_count = 0;
    }
    operations_answer(store, list);
}

void store_sim_answer_dead(struct store *store)
{
    while (store->queue || store->flight || store->uncertain || store->rejected ||
           store->outcomes) {
        dead_end(store, &store->flight);
        dead_end(store, &store->uncertain);
        dead_end(store, &store->queue);
        dead_end(store, &store->rejected);
        dead_end(store, &store->outcomes);
    }
}

void store_sim_changed(struct store *store, const char *what, const char *key)
{
    if (store->up)
        store->gateway->store_handlers.changed(store->gateway->broker, what, key);
}
