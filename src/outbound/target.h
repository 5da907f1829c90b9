/* target.h - one integrator as the sender sees it: its endpoint as last read, how it is doing, and
 * who waits for it.
 *
 * Owns the endpoint. A table of them grows to the number of integrators and is freed as a whole.
 * Decides whether an attempt of a class may begin as far as this endpoint is concerned; what all
 * endpoints share is admission.h's. */
#ifndef VENDGATE_OUTBOUND_TARGET_H
#define VENDGATE_OUTBOUND_TARGET_H

#include "outbound/admission.h"
#include "outbound/breaker.h"
#include "outbound/endpoint.h"
#include "outbound/outbound_metrics.h"
#include "outbound/parcel.h"
#include "outbound/rate.h"
#include "outbound/window.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

#define TARGET_NEVER INT64_MAX

/* A target in the row of those who wait for one of the common places, one row for each class. */
struct target_turn {
    struct target *target;
    struct target_turn *prev, *next;
    bool queued;
};

struct target {
    int64_t integrator_id;
    struct outbound *outbound; /* borrowed */
    struct endpoint *endpoint; /* NULL: not read yet, or changed since */
    int64_t changed_ms;        /* monotonic; 0: never */
    bool held;                 /* by the directory, or it answered 410: until it is changed */
    struct window window;
    struct rate rate;
    struct breaker breaker;
    int64_t quiet_ms; /* monotonic: its Retry-After for all but urgent ones; 0: none */
    int64_t flying[CLASS_COUNT];
    int64_t count;                     /* callbacks in memory */
    int64_t bulk;                      /* of them */
    struct parcel *ready[CLASS_COUNT]; /* queues of parcel.h */
    struct parcel *waiting, *away;
    struct timer *timer; /* when a probe, a token or the end of a Retry-After is due */
    struct target_turn turns[CLASS_COUNT];
    bool short_of_room;               /* in room.c's list */
    bool refused_bulk, refused_other; /* since then */
    struct target *room_prev, *room_next;
    struct outbound_target_cells cells;
    UT_hash_handle hh;
};

/* NULL: not in the table. */
struct target *target_find(struct target *targets, int64_t integrator_id);
/* Adds a new one; `timer` becomes its own. */
struct target *target_add(struct target **targets, int64_t integrator_id, int64_t window_max);
/* Takes in what the directory says if it is not known yet. */
void target_take(struct target *target, struct resolver *resolver,
                 const struct outbound_endpoint *given);
/* Read anew before the next attempt; connections and certificates from before are not used again,
 * and nothing that was known of its health holds. */
void target_changed(struct target *target);
void targets_free(struct target **targets);

/* One of `class` is ready, and its endpoint takes it now. *ret_probe: as what. */
bool target_admits(const struct target *target, enum callback_class class, enum probe *ret_probe);
/* Until something happens by time alone; 0: it is due; TARGET_NEVER. */
int64_t target_wait_ms(const struct target *target);
/* The endpoint fails, nobody is on the way or ready to find out whether it is back, and one of
 * those who wait for a retry should: the oldest of them, if the time for it has come. NULL. */
struct parcel *target_scout(const struct target *target);

/* An attempt of the parcel begins, or has ended in whatever way. */
void target_begin(struct target *target, struct parcel *parcel, enum probe probe);
void target_end(struct target *target, struct parcel *parcel);
/* What the end of an attempt says about the endpoint. */
struct target_news {
    enum health health;
    enum probe probe;       /* as which it was begun */
    uint64_t window_number; /* its number */
    bool overtaxed;         /* timeout, 429, 5xx: send less at once */
};
struct target_change {
    enum breaker_change breaker;
    bool halved; /* the window */
};
struct target_change target_told(struct target *target, const struct target_news *news);

/* Attempts under way. */
int64_t target_flying(const struct target *target);

#endif
