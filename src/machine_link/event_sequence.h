/* event_sequence.h - which of a machine's event numbers are stored already. Pure.
 *
 * The mark is the highest number below which nothing is missing; at most 64 numbers above it are
 * kept one by one. The record is saved in the same commit as an event's effect, so a repeat has
 * none (machine-protocol.md, "Events"). */
#ifndef VENDGATE_MACHINE_LINK_EVENT_SEQUENCE_H
#define VENDGATE_MACHINE_LINK_EVENT_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#define EVENT_SEQUENCE_ABOVE_MAX 64

struct event_sequence {
    int64_t event_epoch; /* 0 before the first event */
    int64_t mark;        /* -1: nothing stored in this epoch; numbers start at 0 */
    int64_t above[EVENT_SEQUENCE_ABOVE_MAX]; /* rising, all > mark + 1 */
    size_t above_count;
};

enum sequence_verdict {
    SEQUENCE_NEW = 1, /* not stored: store it */
    SEQUENCE_REPEAT,  /* stored: acknowledge, no effect */
    SEQUENCE_AHEAD, /* new, but the record has no room for it: do not acknowledge, ask for the hole
                     */
    SEQUENCE_OLD_EPOCH, /* of an epoch that has ended: stored or lost long ago; acknowledge, journal
                           only */
};

/* An event of a higher epoch than the record's is NEW whatever its number. */
enum sequence_verdict event_sequence_check(const struct event_sequence *sequence,
                                           int64_t event_epoch, int64_t seq);
/* Only after NEW. A higher epoch starts the record anew. */
void event_sequence_add(struct event_sequence *sequence, int64_t event_epoch, int64_t seq);
/* A `gap` event: from..to count as stored for good. */
void event_sequence_fill(struct event_sequence *sequence, int64_t from, int64_t to);
/* The first hole above the mark, if any number above is stored. */
int event_sequence_hole(const struct event_sequence *sequence, int64_t *ret_from, int64_t *ret_to);

#endif
