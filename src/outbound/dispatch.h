/* dispatch.h - who goes when: moves parcels between their stages and begins attempts.
 *
 * An attempt begins when its endpoint admits it (target.h), a common place is free (admission.h),
 * the lease holds and nothing is being drained. Urgent ones first over all endpoints, then vends,
 * then bulk; within a class the endpoints take turns, one attempt each; within an endpoint the
 * oldest goes first. Begins nothing inside attempt.h's calls. */
#ifndef VENDGATE_OUTBOUND_DISPATCH_H
#define VENDGATE_OUTBOUND_DISPATCH_H

#include "outbound/sender.h"

/* The integrator's entry; made when it is not there. */
struct target *dispatch_target(struct outbound *outbound, int64_t integrator_id);

/* Until it expires; RETRY_NEVER_EXPIRES. */
int64_t dispatch_left_ms(const struct parcel *parcel);
/* Into a stage in which it waits: BEHIND, READY, WAITING or AWAY. Its timer fires after `wait_ms`,
 * or when it expires if that is sooner. It must be in none. */
void dispatch_rest(struct parcel *parcel, enum stage stage, int64_t wait_ms);
/* Out of its stage into none. An attempt that it may have is the caller's. */
void dispatch_leave(struct parcel *parcel);
/* It is its turn in its lane: goes in this turn if it can, waits for its not_before_ms if that is
 * still to come. It must be in no stage. */
void dispatch_ready(struct parcel *parcel);
/* Something has changed for this target: whatever can go, goes. */
void dispatch_tend(struct outbound *outbound, struct target *target);
/* Something has changed for all: the lease, or a common place is free. */
void dispatch_run(struct outbound *outbound);

enum wake {
    WAKE_AWAY,  /* it has served somebody: those that are AWAY, if they were not pulled lately */
    WAKE_BACK,  /* it is back after an outage: all whose wait it has not asked for */
    WAKE_EVERY, /* it was changed: all */
};
/* Those that wait for a retry are ready, in order; what goes is up to the window. */
void dispatch_wake(struct outbound *outbound, struct target *target, enum wake wake);

#endif
