/* outcome.h - what the end of an attempt, or of a callback's time, means: for the callback, its
 * lane, its endpoint, and whoever is told. Every callback that ends on its own ends here. */
#ifndef VENDGATE_OUTBOUND_OUTCOME_H
#define VENDGATE_OUTBOUND_OUTCOME_H

#include "outbound/sender.h"

/* An attempt_done; `arg` is the parcel. */
void outcome_of_attempt(void *arg, const struct attempt_end *end);
/* Its time is over. */
void outcome_give_up(struct parcel *parcel);

/* Writes an attempt down; a fate other than PENDING is remembered until it is on disk. */
void outcome_record(struct parcel *parcel, const struct attempt_end *end, enum callback_fate fate);
/* Writes a fate down that no attempt has decided. */
void outcome_settle(struct parcel *parcel, enum callback_fate fate);
void outcome_count(struct parcel *parcel, enum callback_fate fate);
/* Out of memory's lists; its lane and its places go to the next in this same turn. It must be in no
 * stage; it is the caller's now. */
void outcome_take_out(struct parcel *parcel);

#endif
