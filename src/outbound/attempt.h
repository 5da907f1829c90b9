/* attempt.h - one try to deliver one callback: name, signature, request, answer, and the record of
 * it.
 *
 * Owns nothing but itself. Decides nothing: what the result means for the callback is the caller's
 * business. */
#ifndef VENDGATE_OUTBOUND_ATTEMPT_H
#define VENDGATE_OUTBOUND_ATTEMPT_H

#include "outbound/answer.h"
#include "outbound/endpoint.h"
#include "outbound/http_client.h"
#include "outbound/outbound.h"

struct attempt;

struct attempt_end {
    struct outbound_attempt record; /* its fate is left to the caller */
    struct verdict verdict;         /* result as in record */
    bool dropped; /* a kept connection was gone; nothing is known against the endpoint */
};

/* The attempt is gone when this returns; `end` is borrowed for the call. */
typedef void attempt_done(void *arg, const struct attempt_end *end);

struct attempt_order {
    const struct outbound_callback *callback; /* borrowed until done or abort */
    struct endpoint *endpoint;                /* kept by the attempt */
    int number;                               /* from 1 */
    int64_t left_ms; /* until the callback expires, above 0; the attempt ends by then */
    int64_t now_ms;  /* unix ms on PostgreSQL's clock: which signing keys are over */
    bool fresh;      /* on a new connection */
    bool bulk;       /* over the connections of feeds and replays */
    bool probe;      /* asks a broken endpoint whether it is back: at most 1 s in all */
};

/* `done` is called once, from the loop. */
struct attempt *attempt_start(uv_loop_t *loop, struct http_client *client,
                              const struct attempt_order *order, attempt_done *done, void *arg);
/* `done` is not called; *ret_end tells how far it got, its result is ATTEMPT_ABORTED. NULL: nobody
 * asks. */
void attempt_abort(struct attempt **attempt, struct attempt_end *ret_end);

#endif
