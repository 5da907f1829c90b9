/* schedule.c - what happens next: one choice after the other, all from one generator. */
#include "schedule.h"

#include "base/macros.h"
#include "base/memory.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <stdlib.h>
#include <string.h>

#define KEYPAD                                                                     \
    "{\"virtual_keypad_enabled\":true,\"total_action_needed\":2,\"keypad_items\":" \
    "[{\"id\":1},{\"id\":2},{\"id\":3}]}"
#define EPOCH_MS INT64_C(1700000000000)
#define CALM_EVENTS_MAX 60000
#define CALM_MS_MAX (INT64_C(24) * 3600 * 1000)

void offer(struct choices *choices, unsigned weight, const char *what, choice_act *act,
           void *subject, int64_t argument)
{
    if (weight == 0)
        return;
    assert(choices->count < CHOICES_MAX);
    choices->list[choices->count++] = (struct choice){what, act, subject, argument, weight};
    choices->total += weight;
}

bool world_hits(struct world *world, unsigned parts)
{
    return chance_hits(&world->chance, parts);
}

int64_t world_server_now_ms(const struct world *world)
{
    return world->now_ms + world->server_ms;
}

/* --- the world's beginning --- */

/* Mostly none of it, sometimes a little, sometimes a lot. */
static unsigned draw(struct chance *chance, unsigned most)
{
    static const unsigned PARTS[] = {0, 0, 0, 0, 1, 1, 3, 10};
    return most * PARTS[chance_below(chance, ARRAY_SIZE(PARTS))] / 10;
}

static void weather_draw(struct chance *chance, struct weather *w)
{
    w->kill = draw(chance, 10);
    w->kill_at_effect = draw(chance, 10000);
    w->drain = draw(chance, 4);
    w->store_lost = draw(chance, 6);
    w->store_late = draw(chance, 600000);
    w->store_refuses = draw(chance, 5000);
    w->store_full = draw(chance, 10);
    w->link_cut = draw(chance, 30);
    w->half_open = draw(chance, 20);
    w->takeover = draw(chance, 10);
    w->power_cut = draw(chance, 12);
    w->journal_lost = draw(chance, 500000);
    w->hole = draw(chance, 20);
    w->garbled = draw(chance, 30000);
    w->attempt_lost = draw(chance, 400000);
    w->answer_lost = draw(chance, 400000);
    w->refusals = draw(chance, 300000);
    w->gone = draw(chance, 30000);
    w->call_lost = draw(chance, 300000);
    w->wrong_figures = draw(chance, 300000);
    w->rogue_calls = draw(chance, 600000);
    w->impatient = draw(chance, 60);
    w->operator= draw(chance, 12);
    w->wall_jump = draw(chance, 3);
    w->late_timers = draw(chance, 500000);
    w->fickle = draw(chance, 100);
    w->stranger = draw(chance, 12);
}

static void database_fill(struct world *world)
{
    static const char *const POLICIES[] = {"refund", "refund", "capture", "hold"};
    struct database *database = &world->database;
    struct chance *chance = &world->chance;
    for (size_t i = 0; i < world->device_count; i++) {
        struct machine_row *machine = &database->machines[database->machine_count++];
        memcpy(machine->vm_id, world->devices[i].vm_id, sizeof machine->vm_id);
        machine->enabled = true;
        machine->scale = 1;
        machine->sequence.mark = -1;
        machine->keypad = memory_text(KEYPAD);
        machine->price_max = chance_below(chance, 2) ? 5000 : 0;
        if (chance_below(chance, 3) == 0)
            machine->doubt_policy = POLICIES[chance_below(chance, ARRAY_SIZE(POLICIES))];
    }
    for (size_t i = 0; i < world->shop_count; i++)
        database->integrators[database->integrator_count++] = (struct integrator_row){
            .id = (int64_t)i + 1,
            .allow_rename = chance_below(chance, 2) == 0,
            .allow_multi_vend = chance_below(chance, 3) == 0,
            .strict_codes = chance_below(chance, 3) == 0,
            .doubt_policy = POLICIES[chance_below(chance, ARRAY_SIZE(POLICIES))],
            .amount_max = chance_below(chance, 3) == 0 ? 1500 : 0,
        };
}

struct world *world_new(uint64_t seed)
{
    struct world *world = memory_zero(1, sizeof *world);
    chance_seed(&world->chance, seed);
    chance_seed(&world->product, ~seed);
    world->now_ms = 1000000;
    world->wall_ms = world->server_ms = EPOCH_MS;
    weather_draw(&world->chance, &world->weather);
    world->pace = (unsigned)chance_between(&world->chance, 2, 40);
    database_init(&world->database);
    world->database.now_ms = &world->now_ms;
    world->database.server_ms = &world->server_ms;
    world->database.clocks_jump = world->weather.wall_jump > 0;
    world->device_count = (size_t)chance_between(&world->chance, 1, DATABASE_MACHINES_MAX);
    world->shop_count = (size_t)chance_between(&world->chance, 1, DATABASE_INTEGRATORS_MAX);
    gateway_init(&world->gateway, world);
    for (size_t i = 0; i < world->device_count; i++) {
        device_init(&world->devices[i], world, (int)i);
        link_add_device(&world->gateway.link, &world->devices[i]);
    }
    for (size_t i = 0; i < world->shop_count; i++)
        shop_init(&world->shops[i], world, (int)i);
    database_fill(world);
    time_bind(world);
    gateway_start(&world->gateway);
    return world;
}

void world_free(struct world *world)
{
    if (world->gateway.running) {
        gateway_kill(&world->gateway);
        gateway_settle(&world->gateway);
    }
    link_free(&world->gateway.link);
    database_free(&world->database);
    free(world);
}

/* --- time --- */

static void timer_fires(void *subject, int64_t argument UNUSED)
{
    (void)timers_fire(subject);
}

static void time_jumps(void *subject, int64_t argument UNUSED)
{
    struct world *world = subject;
    int64_t to_ms = !world->calm && chance_below(&world->chance, 4) == 0
                        ? timers_pick_ms(&world->gateway, chance_next(&world->chance) >> 8)
                        : timers_next_ms(&world->gateway);
    if (to_ms == INT64_MAX)
        to_ms = world->now_ms + 1000;
    if (to_ms > world->now_ms)
        world->now_ms = to_ms;
}

static int64_t jump_ms(struct chance *chance)
{
    static const int64_t JUMPS[] = {1000,         -1000,        3600 * 1000,
                                    -3600 * 1000, 86400 * 1000, INT64_C(315360000) * 1000};
    return JUMPS[chance_below(chance, ARRAY_SIZE(JUMPS))];
}

static void wall_jumps(void *subject, int64_t argument UNUSED)
{
    struct world *world = subject;
    world->wall_ms += jump_ms(&world->chance);
}

static void server_jumps(void *subject, int64_t argument UNUSED)
{
    struct world *world = subject;
    world->server_ms += jump_ms(&world->chance);
}

static void time_offer(struct world *world, struct choices *choices)
{
    struct gateway *gateway = &world->gateway;
    bool late = !world->calm && world_hits(world, world->weather.late_timers);
    if (timers_next_ms(gateway) <= world->now_ms && !late)
        offer(choices, 3000, "timer", timer_fires, gateway, 0);
    else
        offer(choices, world->pace, "time", time_jumps, world, 0);
    if (world->calm)
        return;
    offer(choices, world->weather.wall_jump, "wall clock jumps", wall_jumps, world, 0);
    offer(choices, world->weather.wall_jump, "server's clock jumps", server_jumps, world, 0);
}

/* --- one step --- */

static void choices_collect(struct world *world, struct choices *choices)
{
    struct gateway *gateway = &world->gateway;
    choices->count = 0;
    choices->total = 0;
    gateway_offer(gateway, choices);
    link_offer(&gateway->link, choices);
    if (gateway->running) {
        store_sim_offer(&gateway->store, choices);
        attempts_offer(gateway, choices);
    }
    for (size_t i = 0; i < world->device_count; i++)
        device_offer(&world->devices[i], choices);
    for (size_t i = 0; i < world->shop_count; i++)
        shop_offer(&world->shops[i], choices);
    operators_offer(world, choices);
    stranger_offer(world, choices);
    time_offer(world, choices);
}

static void step(struct world *world, struct choices *choices, int64_t event)
{
    trace_count(event);
    trace_time(world->now_ms);
    choices_collect(world, choices);
    uint64_t at = chance_below(&world->chance, choices->total);
    const struct choice *choice = choices->list;
    while (at >= choice->weight)
        at -= (choice++)->weight;
    trace_add(choice->what, NULL, choice->argument, (int64_t)choices->count);
    choice->act(choice->subject, choice->argument);
    gateway_settle(&world->gateway);
    wires_sweep(&world->gateway.link);
    world->now_ms += (int64_t)chance_below(&world->chance, 4);
}

int64_t episode_run(uint64_t seed, int64_t events, bool print)
{
    static struct choices choices;
    trace_begin(seed, events, print);
    struct world *world = world_new(seed);
    int64_t event = 0;
    while (event < events)
        step(world, &choices, ++event);
    world->calm = true;
    trace_add("calm", NULL, 0, 0);
    int64_t calm_since_ms = world->now_ms;
    const char *unrest;
    while ((unrest = promise_unrest(world)) != NULL) {
        if (event - events > CALM_EVENTS_MAX || world->now_ms - calm_since_ms > CALM_MS_MAX)
            promise_broken(PROMISE_LIVENESS, "after %lld s: %s",
                           (long long)(world->now_ms - calm_since_ms) / 1000, unrest);
        step(world, &choices, ++event);
    }
    promise_end(world);
    world_free(world);
    return event;
}
