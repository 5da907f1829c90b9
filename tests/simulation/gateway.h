/* gateway.h - one process of the gateway: the production broker and sender, with the simulated
 * parts below them, from its start to its death. */
#ifndef VENDGATE_TESTS_SIMULATION_GATEWAY_H
#define VENDGATE_TESTS_SIMULATION_GATEWAY_H

#include "broker/broker.h"
#include "choices.h"
#include "link.h"
#include "store.h"

struct world;
struct timer;
struct attempt;
struct request;

struct gateway {
    struct world *world;
    bool running, dead, draining; /* dead: killed, and buried at the end of this event */
    bool drained;
    bool drain_hampered; /* PostgreSQL was away or refused something meanwhile */
    int64_t drain_until_ms, starts;
    bool inside; /* of the code that is being tested */
    struct broker *broker;
    struct metrics *metrics;
    struct outbound *outbound;
    struct fleet_directory *directory;
    struct people *people;
    struct store store;
    struct machine_link link;
    struct store_handlers store_handlers;
    struct timer *timers; /* all that exist; running or not */
    uint64_t timer_order;
    struct attempt *attempts;
    struct request *requests; /* calls that were not answered */
    int64_t last_request;
};

void gateway_init(struct gateway *gateway, struct world *world);
void gateway_start(struct gateway *gateway);
/* What it does to the outside happens only if this is true: it may be killed before any effect. */
bool gateway_effect(struct gateway *gateway);
/* After each event: buries a process that was killed in it. */
void gateway_settle(struct gateway *gateway);
void gateway_kill(struct gateway *gateway);
void gateway_offer(struct gateway *gateway, struct choices *choices);

/* timer.c */
/* The deadline that comes first, or INT64_MAX. */
int64_t timers_next_ms(const struct gateway *gateway);
/* Fires the earliest one that is due; false: none is. */
bool timers_fire(struct gateway *gateway);
/* A running one, drawn by `number`; INT64_MAX: none runs. */
int64_t timers_pick_ms(const struct gateway *gateway, uint64_t number);
void time_bind(struct world *world);

/* attempt.c */
void attempts_offer(struct gateway *gateway, struct choices *choices);

/* people.c */
struct people *people_simulated(struct gateway *gateway, const struct people_handlers *handlers,
                                void *arg);

#endif
