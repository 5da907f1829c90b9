/* attempt.c - outbound/attempt.h: one HTTP request to a shop, as the network and the shop please.
 *
 * The sender above it - lanes, retries, expiry - is the production code. */
#include "outbound/attempt.h"

#include "base/macros.h"
#include "base/memory.h"
#include "base/timer.h"
#include "outbound/retry_policy.h"
#include "promises.h"
#include "trace.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct http_client {
    struct gateway *gateway;
};

struct attempt {
    struct gateway *gateway;
    const struct outbound_callback *callback; /* borrowed */
    int number;
    attempt_done *done;
    void *arg;
    struct timer *limit;
    bool ghost; /* begun by a dead process: nobody hears of it */
    bool answered;
    enum attempt_result result; /* of the shop, on its way back */
    struct attempt *prev, *next;
};

int http_client_new(uv_loop_t *loop, const struct http_client_options *options UNUSED,
                    struct http_client **ret_client,
                    char ret_error[static HTTP_CLIENT_ERROR_SIZE] UNUSED)
{
    *ret_client = memory_zero(1, sizeof **ret_client);
    (*ret_client)->gateway = (struct gateway *)loop;
    return 0;
}

void http_client_free(struct http_client **client)
{
    free(TAKE(*client));
}

struct resolver *http_client_resolver(struct http_client *client UNUSED)
{
    return NULL;
}

struct endpoint *endpoint_new(struct resolver *resolver UNUSED,
                              const struct outbound_endpoint *given UNUSED,
                              int64_t changed_ms UNUSED)
{
    return memory_zero(1, sizeof(struct endpoint));
}

void endpoint_free(struct endpoint **endpoint)
{
    free(TAKE(*endpoint));
}

static void attempt_free(struct attempt *attempt)
{
    DL_DELETE(attempt->gateway->attempts, attempt);
    timer_free(&attempt->limit);
    free(attempt);
}

static void fill_end(const struct attempt *attempt, enum attempt_result result,
                     struct attempt_end *ret_end)
{
    *ret_end = (struct attempt_end){.record.callback_id = attempt->callback->callback_id,
                                    .record.number = attempt->number,
                                    .record.result = result,
                                    .verdict.result = result,
                                    .verdict.retry_after_ms = -1};
}

static void end(struct attempt *attempt, enum attempt_result result, bool dropped)
{
    struct attempt_end how;
    fill_end(attempt, result, &how);
    how.dropped = dropped;
    attempt_done *done = attempt->done;
    void *arg = attempt->arg;
    trace_add("attempt ends", attempt->callback->webhook_id + 24, attempt->callback->callback_id,
              result);
    attempt_free(attempt);
    done(arg, &how);
}

static void timed_out(void *arg)
{
    end(arg, ATTEMPT_RETRY, false);
}

struct attempt *attempt_start(uv_loop_t *loop UNUSED, struct http_client *client,
                              const struct attempt_order *order, attempt_done *done, void *arg)
{
    struct gateway *gateway = client->gateway;
    struct attempt *attempt = memory_zero(1, sizeof *attempt);
    attempt->gateway = gateway;
    attempt->callback = order->callback;
    attempt->number = order->number;
    attempt->done = done;
    attempt->arg = arg;
    attempt->limit = timer_new((uv_loop_t *)gateway, timed_out, attempt);
    int64_t total_ms = retry_policy_of(order->callback->kind)->total_ms;
    timer_start(attempt->limit, order->left_ms < total_ms ? order->left_ms : total_ms);
    DL_APPEND(gateway->attempts, attempt);
    attempt->ghost = !gateway_effect(gateway);
    if (!attempt->ghost)
        promise_attempt_begun(&gateway->world->database, order->callback);
    return attempt;
}

void attempt_abort(struct attempt **attempt, struct attempt_end *ret_end)
{
    struct attempt *old = TAKE(*attempt);
    struct world *world = old->gateway->world;
    if (ret_end)
        fill_end(old, ATTEMPT_ABORTED, ret_end);
    /* Its bytes may be with the shop already. */
    if (!old->ghost && !old->answered && chance_below(&world->chance, 2) == 0)
        (void)shop_receive(world, old->callback);
    attempt_free(old);
}

/* --- what the network does with it --- */

static void arrives(void *subject, int64_t argument UNUSED)
{
    struct attempt *attempt = subject;
    struct world *world = attempt->gateway->world;
    if (world_hits(world, world->weather.attempt_lost)) {
        end(attempt, ATTEMPT_RETRY, chance_below(&world->chance, 4) == 0);
        return;
    }
    attempt->result = shop_receive(world, attempt->callback);
    attempt->answered = true;
    if (world_hits(world, world->weather.answer_lost)) {
        end(attempt, ATTEMPT_RETRY, false);
        return;
    }
    if (chance_below(&world->chance, 4) != 0)
        end(attempt, attempt->result, false);
}

static void answer_arrives(void *subject, int64_t argument UNUSED)
{
    struct attempt *attempt = subject;
    end(attempt, attempt->result, false);
}

void attempts_offer(struct gateway *gateway, struct choices *choices)
{
    struct attempt *attempt;
    DL_FOREACH (gateway->attempts, attempt) {
        if (attempt->answered)
            offer(choices, 800, "callback answered", answer_arrives, attempt, 0);
        else
            offer(choices, 800, "callback arrives", arrives, attempt, 0);
    }
}
