/* trace.h - what happened in an episode: its digest, its tail, and how a broken promise is told.
 *
 * One trace for the program, because the product's log lines come here as well and carry no
 * argument. */
#ifndef VENDGATE_TESTS_SIMULATION_TRACE_H
#define VENDGATE_TESTS_SIMULATION_TRACE_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

/* A new episode; `print`: every line goes to standard output as it comes. */
void trace_begin(uint64_t seed, int64_t events, bool print);
/* Events of the episodes before, so that a failure tells how long it took to be found. */
void trace_count_before(int64_t events);
void trace_time(int64_t now_ms);
/* One line; `what` is a constant, `about` a text or NULL. */
void trace_add(const char *what, const char *about, int64_t a, int64_t b);
uint64_t trace_digest(void);
bool trace_printing(void);
/* The scheduler's choices so far. */
void trace_count(int64_t events);

/* Prints the promise, the tail and the one command that replays the episode, and exits with 1. */
_Noreturn void promise_broken(const char *promise, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for a crash of the product: to be called from where the program dies. */
void trace_print_end(const char *promise, const char *why);

#endif
