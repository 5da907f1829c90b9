/* parked.h - the callbacks that were given up and wait for a person who has not taken note yet. */
#ifndef VENDGATE_STORE_PARKED_H
#define VENDGATE_STORE_PARKED_H

#include "store/store.h"

#include <stdint.h>

#define STORE_PARKED_VENDS_MAX 20

/* How many of a kind, or (count 0) one /txn/vend. Borrowed for the call. */
struct store_parked {
    const char *kind;
    int64_t count;
    int64_t callback_id, integrator_id, txn_id, age_ms;
};
typedef void store_parked_cb(void *arg, enum store_outcome outcome,
                             const struct store_parked *parked);
/* Of all processes, so that none is overlooked: the kinds of which there are any, and the oldest
 * STORE_PARKED_VENDS_MAX of /txn/vend; then once with NULL. */
void store_parked_list(struct store *store, store_parked_cb *callback, void *arg);

#endif
