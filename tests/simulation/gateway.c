#include "gateway.h"

#include "base/macros.h"
#include "fleet/directory.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

static const struct broker_options OPTIONS = {.lock_ack_ms = 5000,
                                              .selection_ms = 60000,
                                              .payment_ms = 30000,
                                              .approve_ack_ms = 5000,
                                              .approve_ttl_ms = 15000,
                                              .vend_ms = 120000,
                                              .doubt_ms = 900000,
                                              .recovery_grace_ms = 120000,
                                              .offline_grace_ms = 10000,
                                              .query_every_ms = 30000,
                                              .call_deadline_ms = 10000,
                                              .calls_max = 1000};

void gateway_init(struct gateway *gateway, struct world *world)
{
    *gateway = (struct gateway){.world = world};
    store_sim_init(&gateway->store, gateway);
    link_init(&gateway->link, gateway);
}

static void outbound_make(struct gateway *gateway)
{
    struct outbound_journal journal;
    struct outbound_directory directory;
    struct outbound_handlers handlers;
    broker_outbound_journal(&journal);
    broker_outbound_directory(&directory);
    broker_outbound_handlers(&handlers);
    const struct outbound_parts parts = {&journal, &directory, &handlers, gateway->broker};
    const struct outbound_options options = {.connections_max = 64,
                                             .connections_per_endpoint = 4,
                                             .queue_max = 100000,
                                             .endpoint_waiting_max = 1000,
                                             .user_agent = "simulation"};
    char error[OUTBOUND_ERROR_SIZE];
    int result = outbound_open((uv_loop_t *)gateway, &options, &parts, gateway->metrics,
                               &gateway->outbound, error);
    assert(result == 0);
}

void gateway_start(struct gateway *gateway)
{
    struct world *world = gateway->world;
    trace_add("gateway starts", NULL, gateway->starts, 0);
    int64_t died_ms = gateway->store.back_at_ms; /* of the former process, kept while none ran */
    gateway->running = true;
    gateway->dead = gateway->draining = gateway->drained = false;
    gateway->metrics = metrics_new();
    gateway->broker = broker_new((uv_loop_t *)gateway, &OPTIONS, gateway->metrics);
    store_sim_init(&gateway->store, gateway);
    gateway->store.back_at_ms = world->now_ms;
    gateway->store.away_ms = gateway->starts++ == 0 ? 0 : world->now_ms - died_ms;
    broker_store_handlers(&gateway->store_handlers);
    struct people_handlers people;
    broker_people_handlers(&people);
    gateway->people = people_simulated(gateway, &people, gateway->broker);
    struct fleet_directory_handlers directory;
    broker_directory_handlers(&directory);
    gateway->directory = fleet_directory_new(&gateway->store, &directory, gateway->broker);
    link_open(&gateway->link);
    outbound_make(gateway);
    const struct broker_parts parts = {&gateway->store, gateway->people, gateway->directory,
                                       &gateway->link, gateway->outbound};
    broker_bind(gateway->broker, &parts);
}

bool gateway_effect(struct gateway *gateway)
{
    struct world *world = gateway->world;
    if (gateway->dead)
        return false;
    if (world->calm || !world_hits(world, world->weather.kill_at_effect))
        return true;
    gateway_kill(gateway);
    return false;
}

void gateway_kill(struct gateway *gateway)
{
    trace_add("gateway killed", NULL, 0, 0);
    gateway->dead = true;
}

/* Only memory is left of it: what is answered now reaches nobody. */
static void bury(struct gateway *gateway)
{
    store_sim_die(&gateway->store);
    link_die(&gateway->link);
    store_sim_answer_dead(&gateway->store);
    broker_free(&gateway->broker);
    store_sim_answer_dead(&gateway->store);
    outbound_free(&gateway->outbound);
    store_sim_answer_dead(&gateway->store);
    fleet_directory_free(&gateway->directory);
    people_free(&gateway->people);
    link_close(&gateway->link);
    metrics_free(&gateway->metrics);
    gateway->running = gateway->dead = false;
    gateway->store.back_at_ms = gateway->world->now_ms;
    promise_nothing_left(gateway);
    requests_forget(gateway);
}

void gateway_settle(struct gateway *gateway)
{
    if (gateway->dead)
        bury(gateway);
}

/* --- what happens to it --- */

static void starts(void *subject, int64_t argument UNUSED)
{
    gateway_start(subject);
}

static void killed(void *subject, int64_t argument UNUSED)
{
    gateway_kill(subject);
}

static void on_drained(void *arg)
{
    struct gateway *gateway = arg;
    gateway->drained = true;
}

/* Nothing has kept it from coming to its end. */
static void drain_overdue(void *subject, int64_t argument UNUSED)
{
    struct gateway *gateway = subject;
    if (!gateway->drain_hampered && !gateway->requests && gateway->store.pending == 0)
        promise_broken(PROMISE_LIVENESS, "a stop never ended, though nothing was left to do");
    gateway_kill(gateway);
}

static void terminated(void *subject, int64_t argument UNUSED)
{
    struct gateway *gateway = subject;
    gateway->draining = true;
    gateway->drain_hampered = !store_ready(&gateway->store);
    for (size_t i = 0; i < gateway->world->device_count; i++)
        gateway->drain_hampered |= gateway->world->database.machines[i].owner_instance != 1;
    gateway->drain_until_ms = gateway->world->now_ms + 30000;
    broker_drain(gateway->broker, on_drained, gateway);
}

void gateway_offer(struct gateway *gateway, struct choices *choices)
{
    const struct world *world = gateway->world;
    if (!gateway->running) {
        offer(choices, 200, "start", starts, gateway, 0);
        return;
    }
    if (gateway->drained)
        offer(choices, 1000, "stop", killed, gateway, 0);
    else if (gateway->draining && world->now_ms >= gateway->drain_until_ms &&
             timers_next_ms(gateway) > world->now_ms)
        offer(choices, 1000, "drain overdue", drain_overdue, gateway, 0);
    if (world->calm)
        return;
    offer(choices, world->weather.kill, "kill", killed, gateway, 0);
    if (!gateway->draining && broker_ready(gateway->broker))
        offer(choices, world->weather.drain, "terminate", terminated, gateway, 0);
}
