/* target.h - one integrator as the sender sees it: its endpoint as last read, and who waits for a
 * place.
 *
 * Owns the endpoint. A table of them grows to the number of integrators and is freed as a whole. */
#ifndef VENDGATE_OUTBOUND_TARGET_H
#define VENDGATE_OUTBOUND_TARGET_H

#include "outbound/endpoint.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct parcel;

struct target {
    int64_t integrator_id;
    struct endpoint *endpoint; /* NULL: not read yet, or changed since */
    int64_t changed_ms;        /* monotonic; 0: never */
    bool gone;                 /* answered 410: held until it is changed */
    int64_t flying;            /* attempts under way; the sender's */
    struct parcel *ready;      /* those whose turn it is and who wait for a place; the sender's */
    UT_hash_handle hh;
};

/* The integrator's entry in the table at `targets`; made when it is not there. */
struct target *target_of(struct target **targets, int64_t integrator_id);
/* Takes in what the directory says if it is not known yet. False: held. */
bool target_open(struct target *target, struct resolver *resolver,
                 const struct outbound_endpoint *given);
/* 410: nothing more is sent, and a person is told. */
void target_hold(struct target *target);
/* Read anew before the next attempt; connections and certificates from before are not used again.
 */
void target_changed(struct target *target);
void targets_free(struct target **targets);

#endif
