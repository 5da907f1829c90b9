/* callback.h - the outbox: callbacks not yet delivered, and every attempt.
 *
 * "Ours" are the callbacks that this process wrote, or took over from one that was taken for dead,
 * and that no other has taken over since.
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
    int64_t not_before_ms; /* of a replay; 0: none */
    bool replay;
};
typedef void store_callback_row_cb(void *arg, enum store_outcome outcome,
                                   const struct store_callback_row *row);
struct store_callback_page_order {
    int64_t integrator_id;
    bool with_lane; /* those of purchases; else those without a lane */
    int64_t after;  /* above this id */
    int64_t limit;
};
/* Ours that are neither delivered nor parked nor replays: at most `limit` in the order of their
 * ids, which is that of each lane; then once with NULL. */
void store_callback_page(struct store *store, const struct store_callback_page_order *order,
                         store_callback_row_cb *callback, void *arg);
/* The replays among ours that are due within seconds, with an id above `after`, likewise. */
void store_callback_replays(struct store *store, int64_t after, int64_t limit,
                            store_callback_row_cb *callback, void *arg);
/* One callback if it is ours and to be sent; then once with NULL. */
void store_callback_look(struct store *store, int64_t callback_id, store_callback_row_cb *callback,
                         void *arg);

/* Whose callbacks wait (ours, no replays): those of purchases, and apart those without a lane; an
 * id of 0 ends. */
typedef void store_callback_survey_cb(void *arg, enum store_outcome outcome, int64_t integrator_id,
                                      bool with_lane);
void store_callback_survey(struct store *store, store_callback_survey_cb *callback, void *arg);
/* Takes the lane of the live purchase at a machine that this process holds (NULL: at all of them)
 * from whoever sends it. */
void store_callback_claim(struct store *store, const char *vm_id, store_done_cb *callback,
                          void *arg);

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
/* What became of an outcome: on disk; or the callback was not ours any more, and is not settled by
 * it; or PostgreSQL refused it (logged). */
enum store_recorded { STORE_RECORDED = 1, STORE_NOT_OURS, STORE_NOT_RECORDED };
/* `lane`: with NOT_OURS, the lane that another process has with it; 0: a person has taken it out,
 * or it has no lane. */
typedef void store_recorded_cb(void *arg, int64_t callback_id, enum store_recorded recorded,
                               int64_t lane);
/* Never fails towards the caller: kept in memory (bounded; the oldest attempts without a fate are
 * dropped first, with a warning, and their callback does not run) while the store is away. */
void store_callback_attempt_save(struct store *store, const struct store_callback_attempt *attempt,
                                 store_recorded_cb *callback, void *arg);
/* A fate without an attempt. */
void store_callback_settle(struct store *store, int64_t callback_id, const char *fate,
                           store_recorded_cb *callback, void *arg);

/* Nothing is sent to this endpoint any more until a person releases it; announced like any change.
 */
void store_endpoint_hold(struct store *store, int64_t integrator_id, const char *reason,
                         store_done_cb *callback, void *arg);

#endif
