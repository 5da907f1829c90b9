/* window.h - how many attempts may be on their way to one endpoint at once.
 *
 * Grows by one for each window of successes, halves when the endpoint is overtaxed. What was begun
 * before a halving halves nothing again: a burst of failures from one event counts once. After an
 * outage it starts at 1 and doubles with each window of successes until it has its size again. Two
 * places are always kept for urgent callbacks, on top of the window where it is too small for that.
 * Pure: no time, no I/O. */
#ifndef VENDGATE_OUTBOUND_WINDOW_H
#define VENDGATE_OUTBOUND_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define WINDOW_START 4 /* before anything is known of the endpoint */
#define WINDOW_KEPT 2  /* places for urgent callbacks alone */

struct window {
    int64_t size; /* 1 .. max */
    int64_t max;
    int64_t successes; /* towards the next place */
    int64_t goal;      /* size at which the slow start ends */
    bool slow_start;
    uint64_t begun;  /* attempts so far; the number of the last one */
    uint64_t halved; /* the last one that was begun before the window was halved */
};

/* `max` at least 1. */
void window_init(struct window *window, int64_t max);
/* There is room for one more beside these. */
bool window_has_place(const struct window *window, bool urgent, int64_t flying_urgent,
                      int64_t flying_others);
/* Returns the attempt's number, to be given back with its end. */
uint64_t window_begin(struct window *window);
void window_succeeded(struct window *window);
/* Timeout, 429, 5xx. True: it was halved; false: that event has counted already, or it is 1. */
bool window_overtaxed(struct window *window, uint64_t number);
/* The endpoint is back after an outage. */
void window_restart(struct window *window);

#endif
