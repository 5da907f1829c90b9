#include "outbound/outbound.h"

#include "base/memory.h"
#include "outbound/dispatch.h"
#include "outbound/outcome.h"
#include "outbound/retry_policy.h"
#include "outbound/room.h"
#include "outbound/sender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAIN_MS = 5000 };

int outbound_submit(struct outbound *outbound, const struct outbound_callback *callback)
{
    assert(callback->kind > CALLBACK_KIND_NONE && callback->kind < CALLBACK_KIND_COUNT);
    assert(!strchr(callback->webhook_id, '.') && callback->webhook_id[0]);
    if (lane_find(outbound->lanes, callback->callback_id) ||
        recorded_has(outbound->recorded, callback->callback_id))
        return -EEXIST;
    struct target *target = dispatch_target(outbound, callback->integrator_id);
    int result = room_ask(outbound, target, callback);
    if (result < 0)
        return result;
    struct parcel *parcel = parcel_new(outbound, target, callback);
    lane_add(outbound->lanes, &parcel->delivery);
    target->count++;
    target->bulk += parcel->class == CLASS_BULK;
    outbound_metrics_pending(&outbound->metrics, lane_book_count(outbound->lanes));
    if (lane_is_front(&parcel->delivery))
        dispatch_ready(parcel);
    else
        dispatch_rest(parcel, STAGE_BEHIND, RETRY_NEVER_EXPIRES);
    return 0;
}

bool outbound_cancel(struct outbound *outbound, int64_t callback_id)
{
    struct delivery *delivery = lane_find(outbound->lanes, callback_id);
    if (!delivery || delivery->callback.renames || delivery->callback.attempts > 0)
        return false;
    struct parcel *parcel = parcel_of(delivery);
    if (parcel->stage == STAGE_FLYING)
        return false;
    dispatch_leave(parcel);
    outcome_count(parcel, CALLBACK_CANCELLED);
    outcome_take_out(parcel);
    parcel_free(parcel);
    return true;
}

void outbound_imply(struct outbound *outbound, int64_t callback_id)
{
    struct delivery *delivery = lane_find(outbound->lanes, callback_id);
    if (!delivery)
        return;
    struct parcel *parcel = parcel_of(delivery);
    dispatch_leave(parcel);
    if (parcel->attempt) {
        struct attempt_end end;
        attempt_abort(&parcel->attempt, &end);
        outcome_record(parcel, &end, CALLBACK_IMPLIED);
    } else {
        outcome_settle(parcel, CALLBACK_IMPLIED);
    }
    outcome_count(parcel, CALLBACK_IMPLIED);
    outcome_take_out(parcel);
    parcel_free(parcel);
}

void outbound_recorded(struct outbound *outbound, int64_t callback_id)
{
    recorded_remove(&outbound->recorded, callback_id);
}

static void forget(struct parcel *parcel)
{
    dispatch_leave(parcel);
    if (parcel->attempt)
        attempt_abort(&parcel->attempt, NULL);
    outcome_take_out(parcel);
    parcel_free(parcel);
}

void outbound_forget(struct outbound *outbound, int64_t callback_id)
{
    recorded_remove(&outbound->recorded, callback_id);
    struct delivery *delivery = lane_find(outbound->lanes, callback_id);
    if (delivery)
        forget(parcel_of(delivery));
}

/* From the end: nothing of it is released on the way. */
void outbound_forget_lane(struct outbound *outbound, int64_t lane)
{
    assert(lane != 0);
    struct delivery *last;
    while ((last = lane_last(outbound->lanes, lane)))
        forget(parcel_of(last));
}

/* Neither its lane nor anybody else goes on because of it. */
static void discard(void *arg, struct delivery *delivery)
{
    struct outbound *outbound = arg;
    struct parcel *parcel = parcel_of(delivery);
    dispatch_leave(parcel);
    if (parcel->attempt)
        attempt_abort(&parcel->attempt, NULL);
    (void)lane_remove(outbound->lanes, delivery);
    parcel->target->count--;
    parcel->target->bulk -= parcel->class == CLASS_BULK;
    room_made(outbound, parcel->target);
    parcel_free(parcel);
}

void outbound_forget_all(struct outbound *outbound)
{
    lane_each(outbound->lanes, discard, outbound);
    recorded_clear(&outbound->recorded);
    outbound_metrics_pending(&outbound->metrics, 0);
    struct target *target, *next;
    HASH_ITER (hh, outbound->targets, target, next)
        dispatch_tend(outbound, target);
}

void outbound_lease(struct outbound *outbound, int64_t until_ms)
{
    outbound->lease_ms = until_ms;
    dispatch_run(outbound);
}

void outbound_endpoint_changed(struct outbound *outbound, int64_t integrator_id)
{
    struct target *target = dispatch_target(outbound, integrator_id);
    target_changed(target);
    dispatch_wake(outbound, target, WAKE_EVERY);
}

size_t outbound_pending(const struct outbound *outbound)
{
    return lane_book_count(outbound->lanes);
}

static void ground(void *arg UNUSED, struct delivery *delivery)
{
    struct parcel *parcel = parcel_of(delivery);
    if (parcel->stage != STAGE_FLYING)
        return;
    struct attempt_end end;
    dispatch_leave(parcel);
    attempt_abort(&parcel->attempt, &end);
    parcel->delivery.callback.attempts++;
    outcome_record(parcel, &end, CALLBACK_PENDING);
    dispatch_ready(parcel);
    assert(parcel->stage == STAGE_READY);
}

static void on_drain_timer(void *arg)
{
    struct outbound *outbound = arg;
    void (*drained)(void *) = TAKE(outbound->drained);
    lane_each(outbound->lanes, ground, outbound);
    drained(outbound->drained_arg);
}

void outbound_drain(struct outbound *outbound, void (*drained)(void *arg), void *arg)
{
    assert(!outbound->draining);
    outbound->draining = true;
    outbound->drained = drained;
    outbound->drained_arg = arg;
    timer_start(outbound->drain_timer, admission_flying(&outbound->admission) > 0 ? DRAIN_MS : 0);
}

int outbound_open(uv_loop_t *loop, const struct outbound_options *options,
                  const struct outbound_parts *parts, struct metrics *metrics,
                  struct outbound **ret_outbound, char ret_error[static OUTBOUND_ERROR_SIZE])
{
    assert(options->connections_per_endpoint > 0 && options->queue_max > 0 &&
           options->endpoint_waiting_max > 0);
    assert(parts->handlers->settled && parts->handlers->room && parts->handlers->gone);
    const struct http_client_options client_options = {
        .connections_max = (size_t)options->connections_max,
        .dns_servers = options->dns_servers,
        .proxy = options->proxy,
        .user_agent = options->user_agent,
    };
    struct http_client *client;
    int result = http_client_new(loop, &client_options, &client, ret_error);
    if (result < 0)
        return result;
    struct outbound *outbound = memory_zero(1, sizeof(*outbound));
    outbound->loop = loop;
    outbound->options = *options;
    outbound->options.user_agent = NULL; /* the client has its copies */
    outbound->options.dns_servers = outbound->options.proxy = NULL;
    outbound->journal = *parts->journal;
    outbound->directory = *parts->directory;
    outbound->handlers = *parts->handlers;
    outbound->arg = parts->arg;
    outbound->client = client;
    outbound->lanes = lane_book_new();
    outbound->drain_timer = timer_new(loop, on_drain_timer, outbound);
    outbound->lease_ms = INT64_MAX;
    admission_init(&outbound->admission, options->connections_max);
    room_open(outbound);
    outbound_metrics_init(&outbound->metrics, metrics);
    *ret_outbound = outbound;
    return 0;
}

void outbound_free(struct outbound **outbound)
{
    struct outbound *old = TAKE(*outbound);
    if (!old)
        return;
    lane_each(old->lanes, discard, old);
    recorded_clear(&old->recorded);
    lane_book_free(&old->lanes);
    targets_free(&old->targets);
    http_client_free(&old->client);
    room_close(old);
    timer_free(&old->drain_timer);
    outbound_metrics_pending(&old->metrics, 0);
    free(old);
}
