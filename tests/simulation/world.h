/* world.h - everything that a simulated episode consists of.
 *
 *   shops (integrators) --calls--> gateway [production txn + broker + outbound's lanes] -->
 * database ^                                | ^
 *     +--------- attempts -------------+ | wires
 *                                        v
 *                                     devices (machines) with their journals and customers
 *
 * One random number generator picks what happens next (schedule.h); nothing else decides anything.
 */
#ifndef VENDGATE_TESTS_SIMULATION_WORLD_H
#define VENDGATE_TESTS_SIMULATION_WORLD_H

#include "chance.h"
#include "database.h"
#include "device.h"
#include "gateway.h"
#include "shop.h"

#include <stdbool.h>
#include <stdint.h>

/* How often each thing goes wrong in this episode: weights of choices, or parts of a million of
 * what may be hit. Each is drawn anew, and often 0, so that quiet and stormy episodes alternate. */
struct weather {
    unsigned kill, kill_at_effect, drain;
    unsigned store_lost, store_late, store_refuses, store_full;
    unsigned link_cut, half_open, takeover, power_cut, journal_lost, hole, garbled;
    unsigned attempt_lost, answer_lost, refusals, gone;
    unsigned call_lost, wrong_figures, rogue_calls, impatient;
    unsigned operator, wall_jump, late_timers, stranger;
    unsigned fickle; /* customers who change their mind */
};

struct world {
    struct chance chance;  /* of the scheduler */
    struct chance product; /* behind base/random.h */
    int64_t now_ms;        /* monotonic */
    int64_t wall_ms;       /* unix = monotonic + this, on the gateway's machine */
    int64_t server_ms;     /* the same on PostgreSQL's */
    unsigned pace;         /* how readily time passes */
    bool calm;             /* nothing goes wrong any more, everybody comes to an end */
    struct weather weather;
    struct database database;
    struct gateway gateway;
    struct device devices[DATABASE_MACHINES_MAX];
    size_t device_count;
    struct shop shops[DATABASE_INTEGRATORS_MAX];
    size_t shop_count;
    int64_t goods; /* that fell */
};

/* stranger.c: another process of the gateway, to which machines connect now and then. */
void stranger_offer(struct world *world, struct choices *choices);

struct world *world_new(uint64_t seed);
void world_free(struct world *world);
bool world_hits(struct world *world, unsigned parts);
int64_t world_server_now_ms(const struct world *world);

#endif
