/* event.h - callbacks as their integrator reads them back, in the order of their ids.
 *
 * Ids are drawn before the commit, so a lower one may come to light after a higher one. What may
 * still be overtaken like that is not shown: the horizon is the highest id below which nothing can
 * come any more. It follows the newest id within two heartbeats. */
#ifndef VENDGATE_STORE_EVENT_H
#define VENDGATE_STORE_EVENT_H

#include "store/store.h"

#include <stdbool.h>
#include <stdint.h>

/* -1: not known yet, after each connect. */
int64_t store_event_horizon(const struct store *store);

/* Borrowed for the call. */
struct store_events {
    const char *events; /* a JSON array (docs/openapi.yaml, /ext/events) */
    int64_t next;       /* how far was looked: the id to ask after next */
    bool more;          /* there may be more up to the horizon */
};
/* `events` is NULL unless it applied. */
typedef void store_events_cb(void *arg, enum store_outcome outcome,
                             const struct store_events *events);
/* Those of one integrator with an id above `after`, at most `limit`; of all integrators' callbacks
 * at most 5,000 are looked at. Only when the horizon is known. */
void store_event_list(struct store *store, int64_t integrator_id, int64_t after, int64_t limit,
                      store_events_cb *callback, void *arg);

#endif
