/* parcel.h - one callback in memory, and the queues in which it waits at its endpoint.
 *
 *   BEHIND -> READY -> FLYING -> (settled)
 *               ^         |
 *               +- AWAY --+ failed: until its time, or until the endpoint serves another
 *               +- WAITING+ turned down, or too early: until its time
 *
 * READY is also where it stays while its endpoint is held, closed off by its breaker, or at its
 * rate. All but FLYING have a timer, which wakes it at its expiry at the latest. */
#ifndef VENDGATE_OUTBOUND_PARCEL_H
#define VENDGATE_OUTBOUND_PARCEL_H

#include "outbound/admission.h"
#include "outbound/attempt.h"
#include "outbound/breaker.h"
#include "outbound/lane.h"

#include "base/timer.h"

struct outbound;
struct target;

enum stage {
    STAGE_BEHIND = 1, /* another of its lane comes first */
    STAGE_READY,      /* its turn, and there is no place for it yet */
    STAGE_FLYING,     /* an attempt is under way */
    STAGE_WAITING,    /* for a time of its own */
    STAGE_AWAY,       /* the same, but it was perhaps the endpoint that failed, not the callback */
};

struct parcel {
    struct delivery delivery;
    struct outbound *outbound;  /* borrowed */
    struct target *target;      /* borrowed */
    struct parcel *prev, *next; /* in its stage's queue */
    enum stage stage;
    enum callback_class class;
    struct attempt *attempt; /* FLYING only */
    enum probe probe;        /* FLYING: as which it was begun */
    uint64_t window_number;  /* FLYING: the window's number of the attempt */
    int64_t left_ms;         /* FLYING: until it expired, when the attempt began */
    int64_t endpoint_ms;     /* FLYING: target->changed_ms then */
    struct timer *timer;     /* made when first needed */
    int permanents;          /* permanent answers so far */
    bool fresh;              /* the next attempt takes a new connection */
    bool on_wire;            /* an attempt has begun since it came here */
    int64_t pinned_ms;       /* monotonic: no success of another wakes it before */
    int64_t pulled_ms;       /* monotonic: when another's success last cut its wait; 0: never */
    int64_t submitted_ns;
};

struct parcel *parcel_of(struct delivery *delivery);
struct parcel *parcel_new(struct outbound *outbound, struct target *target,
                          const struct outbound_callback *callback);
/* Out of every queue, without an attempt. */
void parcel_free(struct parcel *parcel);

/* A queue is utlist's: NULL when empty, else the oldest, by callback_id, but every /txn/unlock
 * after the others: nobody stands at the machine for it any more. From the nearer end: what comes
 * is nearly always the youngest or the oldest. */
void parcel_enqueue(struct parcel **queue, struct parcel *parcel);
void parcel_dequeue(struct parcel **queue, struct parcel *parcel);

#endif
