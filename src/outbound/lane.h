/* lane.h - which callback may go now: one at a time per lane, in order; lanes are independent.
 *
 * Owns the lanes and finds deliveries; a delivery belongs to whoever added it. A pure structure: no
 * time, no I/O. */
#ifndef VENDGATE_OUTBOUND_LANE_H
#define VENDGATE_OUTBOUND_LANE_H

#include "outbound/outbound.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uthash.h>

struct lane;
struct lane_book;

/* One callback in memory. */
struct delivery {
    struct outbound_callback callback; /* its body is the delivery's own */
    struct lane *lane;                 /* the rest is lane.c's */
    struct delivery *prev, *next;
    UT_hash_handle hh;
};

struct lane_book *lane_book_new(void);
/* Every delivery must have been removed. */
void lane_book_free(struct lane_book **book);
size_t lane_book_count(const struct lane_book *book);

/* Behind those of its lane with a lower or equal lane_sequence, but never before the one at the
 * front, which may be on its way; lane 0: a lane of its own. The callback_id must not be in the
 * book. */
void lane_add(struct lane_book *book, struct delivery *delivery);
/* NULL: not in the book. */
struct delivery *lane_find(const struct lane_book *book, int64_t callback_id);
/* The youngest of the lane, which is not 0; NULL: it is empty. */
struct delivery *lane_last(const struct lane_book *book, int64_t lane);
/* It is its turn. */
bool lane_is_front(const struct delivery *delivery);
/* The delivery whose turn it now is; NULL: nothing changed for the others. */
struct delivery *lane_remove(struct lane_book *book, struct delivery *delivery);
/* For every delivery once; only the visited one may be removed meanwhile. */
void lane_each(struct lane_book *book, void (*visit)(void *arg, struct delivery *delivery),
               void *arg);

#endif
