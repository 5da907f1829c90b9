/* request.c - calls to the gateway on their way, and what people at the operator's do. */
#include "base/macros.h"
#include "base/memory.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct request *request_new(struct world *world, enum request_kind kind, struct shop *shop,
                            struct purchase *purchase)
{
    struct request *request = memory_zero(1, sizeof *request);
    struct gateway *gateway = &world->gateway;
    request->gateway = gateway;
    request->kind = kind;
    request->number = ++gateway->last_request;
    request->shop = shop;
    request->integrator_id = shop ? shop->id : 0;
    request->purchase = purchase;
    if (purchase) {
        request->device = purchase->device;
        snprintf(request->ref, sizeof request->ref, "%s", purchase->ref);
        purchase->pending = request;
    }
    return request;
}

static void request_free(struct request *request)
{
    if (request->purchase && request->purchase->pending == request)
        request->purchase->pending = NULL;
    free(request);
}

static void answered(void *arg, const struct broker_answer *answer)
{
    struct request *request = arg;
    struct gateway *gateway = request->gateway;
    struct world *world = gateway->world;
    if (request->inside)
        promise_broken(PROMISE_ASYNC, "call %lld was answered inside itself",
                       (long long)request->number);
    DL_DELETE(gateway->requests, request); /* a second answer would meet freed memory */
    bool lost = true;
    if (gateway_effect(gateway)) {
        trace_add(answer->success ? "answers yes" : "answers no", request->ref, request->kind,
                  (int64_t)answer->reason * 10 + (int64_t)answer->action);
        promise_answered(world, request, answer);
        lost = !world->calm && world_hits(world, world->weather.call_lost);
    }
    struct purchase *purchase = request->purchase;
    if (purchase && purchase->pending == request) {
        purchase->pending = NULL;
        shop_answered(request->shop, purchase, request, lost ? NULL : answer);
    }
    request_free(request);
}

static void lock_make(struct broker *broker, struct request *request, const char *vm_id)
{
    int64_t balance = request->purchase ? request->purchase->balance : TXN_BALANCE_UNKNOWN;
    broker_lock(broker,
                &(struct broker_lock_call){.integrator_id = request->integrator_id,
                                           .vm_id = vm_id,
                                           .ref = request->ref,
                                           .balance = balance},
                answered, request);
}

static void keys_make(struct broker *broker, struct request *request, const char *vm_id)
{
    static const int64_t KEYS[] = {1, 2, 3, 9};
    size_t count = (size_t)request->price % 4;
    broker_keys(broker,
                &(struct broker_keys_call){.integrator_id = request->integrator_id,
                                           .vm_id = vm_id,
                                           .ref = request->ref,
                                           .keys = KEYS + (request->price & 4 ? 0 : 1),
                                           .count = count ? count : 1},
                answered, request);
}

void request_make(struct request *request)
{
    struct gateway *gateway = request->gateway;
    struct broker *broker = gateway->broker;
    const char *vm_id = gateway->world->devices[request->device].vm_id;
    DL_APPEND(gateway->requests, request);
    request->inside = true;
    trace_add("calls", request->ref, request->kind, request->price);
    switch (request->kind) {
    case REQUEST_LOCK:
        lock_make(broker, request, vm_id);
        break;
    case REQUEST_PAID:
        broker_paid(broker,
                    &(struct broker_paid_call){.integrator_id = request->integrator_id,
                                               .ref = request->ref,
                                               .price = request->price,
                                               .discount = request->discount,
                                               .surcharge = request->surcharge},
                    answered, request);
        break;
    case REQUEST_UNLOCK:
        broker_unlock(broker,
                      &(struct broker_unlock_call){.integrator_id = request->integrator_id,
                                                   .vm_id = vm_id,
                                                   .ref = request->ref},
                      answered, request);
        break;
    case REQUEST_KEYS:
        keys_make(broker, request, vm_id);
        break;
    case REQUEST_VERDICT:
        broker_verdict(broker,
                       &(struct broker_verdict_call){.txn_id = request->txn_id,
                                                     .vended = request->vended,
                                                     .operator_name = "o",
                                                     .because = "seen"},
                       answered, request);
        break;
    case REQUEST_RELEASE:
        broker_release(
            broker,
            &(struct broker_release_call){.vm_id = vm_id, .operator_name = "o", .because = "stuck"},
            answered, request);
        break;
    }
    request->inside = false;
}

void requests_forget(struct gateway *gateway)
{
    if (gateway->requests)
        promise_broken(PROMISE_ANSWERED, "call %lld was never answered, not even at the end",
                       (long long)gateway->requests->number);
}

/* --- operators --- */

static struct machine_row *any_machine(struct world *world)
{
    size_t n = chance_below(&world->chance, world->database.machine_count);
    return &world->database.machines[n];
}

static void told(struct world *world, const struct machine_row *machine)
{
    trace_add("operator changes", machine->vm_id, machine->enabled, machine->out_of_service);
    if (world->gateway.running)
        store_sim_changed(&world->gateway.store, "machine", machine->vm_id);
}

static void toggles_enabled(void *subject, int64_t argument UNUSED)
{
    struct machine_row *machine = any_machine(subject);
    machine->enabled = !machine->enabled;
    told(subject, machine);
}

static void toggles_service(void *subject, int64_t argument UNUSED)
{
    struct machine_row *machine = any_machine(subject);
    machine->out_of_service = !machine->out_of_service;
    told(subject, machine);
}

static void sets_policy(void *subject, int64_t argument UNUSED)
{
    static const char *const POLICIES[] = {NULL, "refund", "capture", "hold"};
    struct world *world = subject;
    struct machine_row *machine = any_machine(world);
    machine->doubt_policy = POLICIES[chance_below(&world->chance, ARRAY_SIZE(POLICIES))];
    told(world, machine);
}

static void judges(void *subject, int64_t argument)
{
    struct world *world = subject;
    struct request *request = request_new(world, REQUEST_VERDICT, NULL, NULL);
    request->txn_id = argument;
    request->vended = chance_below(&world->chance, 2) == 0;
    request_make(request);
}

static void releases(void *subject, int64_t argument UNUSED)
{
    struct world *world = subject;
    struct request *request = request_new(world, REQUEST_RELEASE, NULL, NULL);
    request->device = (int)chance_below(&world->chance, world->device_count);
    request_make(request);
}

/* When all is calm again everything is in service, and every doubt that is held gets a verdict. */
static void puts_in_order(void *subject, int64_t argument UNUSED)
{
    struct world *world = subject;
    for (size_t i = 0; i < world->database.machine_count; i++) {
        struct machine_row *machine = &world->database.machines[i];
        if (machine->enabled && !machine->out_of_service)
            continue;
        machine->enabled = true;
        machine->out_of_service = false;
        told(world, machine);
    }
}

/* An endpoint that has answered 410 is held until a person has looked at it. */
static void endpoints_release(void *subject, int64_t argument)
{
    struct world *world = subject;
    world->database.integrators[argument].revision++;
    if (world->gateway.running)
        store_sim_changed(&world->gateway.store, "integrator", "");
}

static bool in_order(const struct world *world)
{
    for (size_t i = 0; i < world->database.machine_count; i++)
        if (!world->database.machines[i].enabled || world->database.machines[i].out_of_service)
            return false;
    return true;
}

void operators_offer(struct world *world, struct choices *choices)
{
    const struct database *database = &world->database;
    unsigned busy = world->calm ? 0 : world->weather.operator;
    if (world->calm && !in_order(world))
        offer(choices, 100, "put in order", puts_in_order, world, 0);
    for (size_t i = 0; i < database->integrator_count; i++)
        offer(choices, world->calm ? 1 : busy / 12, "endpoint", endpoints_release, world,
              (int64_t)i);
    offer(choices, busy / 3, "enabled", toggles_enabled, world, 0);
    offer(choices, busy / 3, "service", toggles_service, world, 0);
    if (!world->calm && !in_order(world))
        offer(choices, 30, "put in order", puts_in_order, world, 0);
    offer(choices, busy, "policy", sets_policy, world, 0);
    if (!world->gateway.running || world->gateway.draining || !broker_ready(world->gateway.broker))
        return;
    offer(choices, busy, "release", releases, world, 0);
    for (size_t i = 0; i < database->machine_count; i++) {
        const struct row *row = database_row(database, database->machines[i].live_id);
        if (!row)
            continue;
        bool held =
            row->txn.state == TXN_IN_DOUBT && world->now_ms - row->doubt_began_ms > 3 * 900 * 1000;
        unsigned weight = row->txn.state == TXN_IN_DOUBT ? 5 * busy : busy / 4;
        offer(choices, world->calm && held ? 50 : weight, "verdict", judges, world, row->txn.id);
    }
}
