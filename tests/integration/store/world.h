/* world.h - a store on its own loop, machines and integrators of a test, and a second way into the
 * database.
 *
 * The database is VENDGATE_TEST_DATABASE_URL, migrated; each test makes machines, integrators and
 * instances of its own in it. */
#ifndef TESTS_STORE_WORLD_H
#define TESTS_STORE_WORLD_H

#include "store/callback.h"
#include "store/machine.h"
#include "store/people.h"
#include "store/store.h"
#include "store/txn.h"

#include <check.h>
#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct world {
    uv_loop_t *loop;
    bool own_loop;
    struct metrics *metrics;
    struct store *store;
    PGconn *admin; /* blocking */
    char instance[40];
    int64_t integrator_id;
    int readies, losses;
    int64_t heartbeat_ms; /* set before world_open_as(): of its store, whose lease is three */
    int64_t alive_until_ms;
    int adoptions, dispossessions;
    int recorded[STORE_NOT_RECORDED + 1]; /* of count_recorded() */
    int64_t lane;                         /* told by it last */
    char changed[64];                     /* "what key" of the last news */
    bool closed;
    int outcomes[5];                /* by enum store_outcome, of count_outcome() and its like */
    struct store_txn_result result; /* of the last step */
    enum store_outcome outcome;
    int waiting;
};

/* With a store that is ready and an integrator. `shared` NULL: on a loop of its own; else on that
 * world's, with its instance name. */
void world_open(struct world *world, struct world *shared);
/* On another's loop, with that instance name and heartbeat. */
void world_open_as(struct world *world, const struct world *beside, const char *instance,
                   int64_t heartbeat_ms);
/* Closes the store and frees all. */
void world_close(struct world *world);

/* Runs the loop until `done` says so; fails the test after 30 s. */
void world_until(struct world *world, bool (*done)(const struct world *world));
/* Until every operation that was counted in world->waiting is answered. */
void world_wait(struct world *world);
bool is_ready(const struct world *world);

/* Runs SQL (printf-like); returns the first value as a number (-1: none). Fails the test on an
 * error. */
int64_t admin(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A sample of the rendered metrics, 0 if there is none: metric(world,
 * "vendgate_store_batches_total{connection=\"steps\",result=\"committed\"}"). */
double metric(struct world *world, const char *sample);

/* Adds machines `<instance>-<from>` ... and takes them; each has owner epoch 1. */
void machines_add(struct world *world, int from, int to);
void vm_id_of(const struct world *world, int number, char ret_vm_id[static VM_ID_SIZE]);

/* A record in LOCKING for machine `number`, its ref drawn from the machine's number and `round`. */
struct txn_record locking(const struct world *world, int number, int round);
/* A begin step for it, and a step from its state to `state` by `event`; they borrow `txn`, which
 * they change to the state after. */
struct store_txn_step begin_step(const struct txn_record *txn);
struct store_txn_step next_step(struct txn_record *txn, enum txn_state state, enum txn_event event);

/* Each counts its outcome in world->outcomes, keeps it and takes one from world->waiting; `arg` is
 * the world. */
void count_step(void *arg, enum store_outcome outcome, const struct store_txn_result *result);
void count_done(void *arg, enum store_outcome outcome);
/* Counts what became of a callback's outcome in world->recorded. */
void count_recorded(void *arg, int64_t callback_id, enum store_recorded recorded, int64_t lane);

/* Queues the step and waits for it. */
enum store_outcome begin(struct world *world, struct txn_record *txn);
enum store_outcome advance(struct world *world, const struct store_txn_step *step);

/* The machine's event of a selection, number `seq`; borrows `txn`. */
struct store_machine_event selection_event(const struct txn_record *txn, int64_t seq);
/* Adds a callback to the step; `body` is borrowed. */
struct store_new_callback *put_callback(struct world *world, struct store_txn_step *step,
                                        const char *kind, const char *body);
/* A transaction of machine `number` in REQUESTED, with its callback and the machine's event of
 * number `round`; world->result is that of its last step. */
struct txn_record requested(struct world *world, int number, int round);
/* Fills in what /api/paid brings. */
void pay(struct world *world, struct txn_record *txn);
/* The same, paid and dispensed. */
struct txn_record vended(struct world *world, int number, int round);

/* The row by which another ref takes over from `old`. */
struct txn_record successor(const struct txn_record *old, const char *ref);
/* Makes `old` what it is after it was taken over from; returns the state before. */
enum txn_state give_way(struct txn_record *old);
/* The step that inserts the successor `txn`, with the callback that tells of it. */
struct store_txn_step succeed_step(struct world *world, const struct txn_record *txn);
enum store_outcome succeed(struct world *world, const struct store_txn_step *step,
                           const struct txn_record *old, enum txn_state from);

TCase *steps_tests(void);
TCase *succession_tests(void);
TCase *outcomes_tests(void);
TCase *data_tests(void);
TCase *feed_tests(void);
TCase *adoption_tests(void);
TCase *batch_tests(void);
TCase *loss_tests(void);
TCase *hanging_tests(void);

#endif
