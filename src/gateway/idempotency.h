/* idempotency.h - calls with an Idempotency-Key: the first runs, its answer is kept by the store,
 * and every repeat gets that answer.
 *
 *   first --> LOOKING --(none kept)--> RUNNING --(final answer)--> SAVING --(committed)--> answers
 *                |                        |
 *                +--(kept) replay         +--(not final: nothing is kept) answers
 *
 * While a key is in one of these phases, further calls under it wait for the same end. The call
 * runs under a request of its own (request.h), so it goes on when clients hang up; each that waits
 * has its own deadline. An answer is final if it reached the business and does not ask for the same
 * call later (`retry`, `wait`). Owns the keys under way, for all integrators; the store owns the
 * answers. Used by src/gateway only. */
#ifndef VENDGATE_GATEWAY_IDEMPOTENCY_H
#define VENDGATE_GATEWAY_IDEMPOTENCY_H

#include <microhttpd.h>
#include <stddef.h>

struct idempotency;
struct request;

/* `callers_max`: requests that may wait under keys; beyond: RATE_LIMITED. */
struct idempotency *idempotency_new(size_t callers_max);
/* Takes note of the header. */
void idempotency_read_key(struct request *request, struct MHD_Connection *mhd);
/* Everything before the business has been passed. Without a key the request goes to its handler;
 * with one it waits or was answered when this returns. */
void idempotency_admit(struct request *request);
/* Runs under way (request_new_run()). */
size_t idempotency_runs(const struct idempotency *idempotency);
/* All clients have gone. Ends the runs; the store may still answer. */
void idempotency_free(struct idempotency **idempotency);

#endif
