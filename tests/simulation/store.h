/* store.h (simulated) - the connection to PostgreSQL: batches, COMMITs that are answered late or
 * never, and what follows a lost connection, as src/store/store.h promises it. */
#ifndef VENDGATE_TESTS_SIMULATION_STORE_H
#define VENDGATE_TESTS_SIMULATION_STORE_H

#include "choices.h"
#include "database.h"

struct gateway;

struct store {
    struct gateway *gateway;
    bool ready;  /* as the header means it */
    bool up;     /* connected, epoch taken: operations are accepted */
    bool taking; /* settles what was uncertain: accepted, but not ready */
    struct operation *queue, *flight, *uncertain, *rejected, *outcomes;
    size_t pending;
    bool clock_known;
    int64_t offset_ms, away_ms, back_at_ms;
};

void store_sim_init(struct store *store, struct gateway *gateway);
/* The process is dead: what was in flight may have been committed, the rest is forgotten. */
void store_sim_die(struct store *store);
/* Ends what its former owner still waits for, so that its memory can be freed. */
void store_sim_answer_dead(struct store *store);
void store_sim_offer(struct store *store, struct choices *choices);
/* PostgreSQL tells of a change made by a tool. */
void store_sim_changed(struct store *store, const char *what, const char *key);
void store_sim_people(struct store *store, void (*loaded)(void *arg, enum store_outcome outcome),
                      void *arg);

#endif
