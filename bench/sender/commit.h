/* commit.h - an event becomes a durable callback: the production store commits the rows of the
 * callback and of its place in the queue, together with what caused it. Knows nothing of HTTP. */
#ifndef VENDGATE_BENCH_SENDER_COMMIT_H
#define VENDGATE_BENCH_SENDER_COMMIT_H

#include "bench/lib/event.h"
#include "outbound/outbound.h"
#include "store/store.h"

/* `callback` is to be sent now; NULL: it is not durable, and the run is worth nothing. Borrowed for
 * the call, which comes once, from the loop. */
typedef void commit_cb(void *arg, const struct outbound_callback *callback);

/* An alert of the endpoint's machine: a callback without order, for its one subscriber. */
void commit_feed(struct store *store, const struct event *event, commit_cb *done, void *arg);
/* A sale is told: a journal row of the lane's transaction and a callback in the lane's order. Lanes
 * take turns in being urgent (/txn/unlock) and not (/txn/vend). */
void commit_sale(struct store *store, const struct event *event, commit_cb *done, void *arg);

#endif
