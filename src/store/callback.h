/* callback.h - the outbox: callbacks not yet delivered, and every attempt.
 *
 * Outcomes go over a connection of their own with asynchronous commit, in batches of 64 rows or 5
 * ms: a crash may repeat a callback, never lose it. */
#ifndef VENDGATE_STORE_CALLBACK_H
#define VENDGATE_STORE_CALLBACK_H

#include "store/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Texts are borrowed for the call. */
struct store_callback_row {
    int64_t callback_id, integrator_id, txn_id, lane, lane_sequence, expires_ms;
    const char *kind, *webhook_id, *body;
    size_t body_size;
    int attempts;
    bool renames;
};
typedef void store_callback_row_cb(void *arg, enum store_outcome outcome,
                                   const struct store_callback_row *row);
/* Undelivered and not parked callbacks that this instance owns, by lane and lane_sequence, at most
 * `limit`, with an id above `after`; then once with NULL. */
void store_callback_load(struct store *store, int64_t after, int64_t limit,
                         store_callback_row_cb *callback, void *arg);

struct store_callback_attempt {
    int64_t callback_id;
    int number;
    int64_t started_ms, dns_us, connect_us, tls_us, first_byte_us, total_us; /* -1: not reached */
    const char *remote, *result, *error,
        *answer; /* result: "delivered", "refused", "retry", "permanent", "gone", "aborted" */
    int http_status;
    const char
        *fate; /* "pending", "delivered", "refused", "expired", "parked", "cancelled", "implied" */
};
/* Never fails towards the caller: kept in memory (bounded; the oldest attempts without a fate are
 * dropped first, with a warning) while the store is away. */
void store_callback_attempt_save(struct store *store, const struct store_callback_attempt *attempt);
/* A fate without an attempt. */
void store_callback_settle(struct store *store, int64_t callback_id, const char *fate);

#endif
