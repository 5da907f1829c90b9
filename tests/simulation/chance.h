/* chance.h - the dice of the simulation: xoshiro256** seeded by splitmix64 (Blackman and Vigna,
 * public domain).
 *
 * Our own dozen lines, because a failing seed must replay bit for bit on any machine: the C
 * library's generators differ between libraries and versions. */
#ifndef VENDGATE_TESTS_SIMULATION_CHANCE_H
#define VENDGATE_TESTS_SIMULATION_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chance {
    uint64_t state[4];
};

void chance_seed(struct chance *chance, uint64_t seed);
uint64_t chance_next(struct chance *chance);
/* 0 .. bound - 1; bound 0 gives 0. The slight favour of small results does not matter here. */
uint64_t chance_below(struct chance *chance, uint64_t bound);
/* low .. high, both included. */
int64_t chance_between(struct chance *chance, int64_t low, int64_t high);
/* True in `parts` of a million. */
bool chance_hits(struct chance *chance, unsigned parts);
/* A random_source (base/random.h); `chance` is a struct chance. */
void chance_fill(void *chance, void *ret_bytes, size_t size);

#endif
