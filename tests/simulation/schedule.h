/* schedule.h - one episode from its seed to its calm end. */
#ifndef VENDGATE_TESTS_SIMULATION_SCHEDULE_H
#define VENDGATE_TESTS_SIMULATION_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* `events` in which things may go wrong, then as many as it takes until all is quiet. Returns how
 * many there were; a broken promise ends the program. */
int64_t episode_run(uint64_t seed, int64_t events, bool print);

#endif
