/* feed.h - feeds: what an integrator gets of its machines without a purchase, by subscription. */
#ifndef VENDGATE_STORE_FEED_H
#define VENDGATE_STORE_FEED_H

#include "store/store.h"

#include <stddef.h>
#include <stdint.h>

/* Borrowed for the call. */
struct store_feed {
    const char *vm_id;
    const char *kind; /* "/feed/alerts" ... */
    const char *body; /* exact bytes, valid UTF-8 */
    size_t body_size;
};

/* One integrator's callback, to be submitted: lane 0, no transaction, no attempts. The text is
 * borrowed for the call. */
struct store_feed_callback {
    int64_t callback_id, integrator_id, expires_ms; /* of store_now_ms() */
    const char *webhook_id;
};
typedef void store_feed_cb(void *arg, enum store_outcome outcome,
                           const struct store_feed_callback *made);
/* A callback for every enabled integrator that is granted the machine and has subscribed to the
 * kind, owned by this process: each in turn, then once with NULL. After a lost connection it may
 * be stored twice, but under the same webhook-id. */
void store_feed_publish(struct store *store, const struct store_feed *feed, store_feed_cb *callback,
                        void *arg);

#endif
