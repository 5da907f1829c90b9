#include "outbound/outbound.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/timer.h"
#include "outbound/attempt.h"
#include "outbound/lane.h"
#include "outbound/outbound_metrics.h"
#include "outbound/retry_policy.h"
#include "outbound/target.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum { DRAIN_MS = 5000 };

#define NEVER RETRY_NEVER_EXPIRES

/* Where a callback is. All but FLYING may have a timer, which wakes it at its expiry at the latest.
 *
 *   BEHIND -> READY -> FLYING -> (settled)
 *               ^ |       |
 *               | +-> HELD| <-- 410, or the directory does not give the endpoint
 *               +- WAITING <-- retry */
enum stage {
    STAGE_BEHIND = 1, /* another of its lane comes first */
    STAGE_READY,      /* its turn, but as many as allowed are on their way to this integrator */
    STAGE_FLYING,     /* an attempt is under way */
    STAGE_WAITING,    /* for the next attempt's time */
    STAGE_HELD,       /* until the endpoint changes */
};

/* One callback on its way. */
struct parcel {
    struct delivery delivery;
    struct outbound *outbound;
    struct target *target;
    struct parcel *prev, *next; /* in target->ready */
    enum stage stage;
    struct attempt *attempt; /* FLYING only */
    struct timer *timer;     /* made when first needed */
    int permanents;          /* permanent answers so far */
    bool fresh;              /* the next attempt takes a new connection */
    int64_t submitted_ns;
};

struct outbound {
    uv_loop_t *loop;
    struct outbound_options options;
    struct outbound_journal journal;
    struct outbound_directory directory;
    struct outbound_handlers handlers;
    void *arg;
    struct outbound_metrics metrics;
    struct http_client *client;
    struct lane_book *lanes;
    struct target *targets;
    size_t flying;
    void (*drained)(void *arg); /* not NULL: draining */
    void *drained_arg;
    bool draining;
    struct timer *drain_timer;
};

static struct parcel *parcel_of(struct delivery *delivery)
{
    return CONTAINER_OF(delivery, struct parcel, delivery);
}

static int64_t left_ms(const struct parcel *parcel)
{
    int64_t expires_ms = parcel->delivery.callback.expires_ms;
    const struct outbound *outbound = parcel->outbound;
    return expires_ms > 0 ? expires_ms - outbound->journal.now_ms(outbound->arg) : NEVER;
}

static void on_timer(void *arg);

/* Into a stage where nothing happens until `wait_ms` have passed, or the callback expires, or
 * somebody else moves it. */
static void rest(struct parcel *parcel, enum stage stage, int64_t wait_ms)
{
    int64_t left = left_ms(parcel);
    int64_t delay = wait_ms < left ? wait_ms : left;
    parcel->stage = stage;
    if (delay == NEVER) {
        if (parcel->timer)
            timer_stop(parcel->timer);
        return;
    }
    if (!parcel->timer)
        parcel->timer = timer_new(parcel->outbound->loop, on_timer, parcel);
    timer_start(parcel->timer, delay);
}

/* Out of its stage, into none; the caller says what comes. */
static void leave(struct parcel *parcel)
{
    if (parcel->stage == STAGE_READY)
        DL_DELETE(parcel->target->ready, parcel);
    if (parcel->stage == STAGE_FLYING) {
        parcel->target->flying--;
        parcel->outbound->flying--;
    }
    if (parcel->timer)
        timer_stop(parcel->timer);
}

static void on_attempt_done(void *arg, const struct attempt_end *end);

static void fly(struct parcel *parcel, int64_t left)
{
    struct outbound *outbound = parcel->outbound;
    const struct attempt_order order = {
        .callback = &parcel->delivery.callback,
        .endpoint = parcel->target->endpoint,
        .number = parcel->delivery.callback.attempts + 1,
        .left_ms = left,
        .now_ms = outbound->journal.now_ms(outbound->arg),
        .fresh = parcel->fresh,
    };
    parcel->stage = STAGE_FLYING;
    parcel->target->flying++;
    outbound->flying++;
    parcel->attempt =
        attempt_start(outbound->loop, outbound->client, &order, on_attempt_done, parcel);
}

/* False: its callbacks wait. */
static bool open_target(struct parcel *parcel)
{
    struct outbound *outbound = parcel->outbound;
    struct target *target = parcel->target;
    struct outbound_endpoint given = {0};
    if (!outbound->directory.endpoint(outbound->arg, target->integrator_id, &given))
        return false;
    return target_open(target, http_client_resolver(outbound->client), &given);
}

static void launch(struct parcel *parcel)
{
    int64_t left = left_ms(parcel);
    leave(parcel);
    if (left <= 0)
        rest(parcel, STAGE_WAITING, 0); /* its timer gives it up */
    else if (open_target(parcel))
        fly(parcel, left);
    else
        rest(parcel, STAGE_HELD, NEVER);
}

static void pump(struct outbound *outbound, struct target *target)
{
    while (!outbound->draining && target->ready &&
           target->flying < outbound->options.connections_per_endpoint)
        launch(target->ready);
}

/* Its turn in its lane: goes at once, or waits for a place. */
static void make_ready(struct parcel *parcel)
{
    struct target *target = parcel->target;
    parcel->stage = STAGE_READY;
    DL_APPEND(target->ready, parcel);
    pump(parcel->outbound, target);
    if (parcel->stage == STAGE_READY)
        rest(parcel, STAGE_READY, NEVER);
}

static void parcel_free(struct parcel *parcel)
{
    timer_free(&parcel->timer);
    free((char *)parcel->delivery.callback.body);
    free(parcel);
}

/* Out of memory's list; its lane and its integrator's place go to the next in this same turn. */
static void take_out(struct parcel *parcel)
{
    struct outbound *outbound = parcel->outbound;
    struct delivery *next = lane_remove(outbound->lanes, &parcel->delivery);
    outbound_metrics_pending(&outbound->metrics, lane_book_count(outbound->lanes));
    if (next) {
        leave(parcel_of(next));
        make_ready(parcel_of(next));
    }
    pump(outbound, parcel->target);
}

static void count_fate(struct parcel *parcel, enum callback_fate fate)
{
    outbound_metrics_settled(&parcel->outbound->metrics, parcel->delivery.callback.kind, fate,
                             clock_monotonic_ns() - parcel->submitted_ns);
}

static void log_fate(const struct outbound_callback *callback, enum callback_fate fate,
                     const char *message)
{
    if (fate == CALLBACK_DELIVERED)
        return;
    bool alarm = retry_policy_of(callback->kind)->alarm;
    log_event(alarm ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "callback_not_delivered",
              LOG_TEXT("fate", callback_fate_name(fate)),
              LOG_TEXT("kind", callback_kind_path(callback->kind)),
              LOG_INT("callback", callback->callback_id), LOG_INT("txn", callback->txn_id),
              LOG_INT("integrator", callback->integrator_id),
              LOG_INT("attempts", callback->attempts), LOG_TEXT("error", message));
}

static void conclude(struct parcel *parcel, enum callback_fate fate, const char *message,
                     const char *reason)
{
    struct outbound *outbound = parcel->outbound;
    count_fate(parcel, fate);
    log_fate(&parcel->delivery.callback, fate, reason);
    take_out(parcel);
    outbound->handlers.settled(outbound->arg, &parcel->delivery.callback, fate, message);
    parcel_free(parcel);
}

static void on_timer(void *arg)
{
    struct parcel *parcel = arg;
    struct outbound *outbound = parcel->outbound;
    const struct outbound_callback *callback = &parcel->delivery.callback;
    enum stage stage = parcel->stage;
    assert(stage != STAGE_FLYING);
    if (left_ms(parcel) <= 0) {
        enum callback_fate fate = retry_policy_of(callback->kind)->given_up;
        leave(parcel);
        outbound->journal.settle(outbound->arg, callback->callback_id, fate);
        conclude(parcel, fate, NULL, "its time is over");
    } else if (stage == STAGE_WAITING) {
        make_ready(parcel);
    } else {
        rest(parcel, stage, NEVER); /* PostgreSQL's clock is a little behind ours */
    }
}

/* A kept connection that was gone says nothing about the endpoint: again at once, on a new one, but
 * only one time. */
static struct retry_plan plan_for(struct parcel *parcel, const struct attempt_end *end)
{
    bool again_at_once = end->dropped && !parcel->fresh;
    parcel->fresh = again_at_once;
    if (again_at_once)
        return (struct retry_plan){.fate = CALLBACK_PENDING};
    if (end->record.result == ATTEMPT_PERMANENT)
        parcel->permanents++;
    const struct retry_facts facts = {
        .kind = parcel->delivery.callback.kind,
        .result = end->record.result,
        .attempts = parcel->delivery.callback.attempts,
        .permanents = parcel->permanents,
        .retry_after_ms = end->verdict.retry_after_ms,
        .left_ms = left_ms(parcel),
    };
    return retry_decide(&facts);
}

static void record_attempt(struct parcel *parcel, const struct attempt_end *end,
                           enum callback_fate fate)
{
    struct outbound *outbound = parcel->outbound;
    struct outbound_attempt record = end->record;
    record.fate = fate;
    outbound_metrics_attempt(&outbound->metrics, parcel->delivery.callback.kind, &record);
    outbound->journal.record(outbound->arg, &record);
}

static void drain_check(struct outbound *outbound)
{
    if (outbound->drained && outbound->flying == 0)
        timer_start(outbound->drain_timer, 0);
}

static void on_attempt_done(void *arg, const struct attempt_end *end)
{
    struct parcel *parcel = arg;
    struct outbound *outbound = parcel->outbound;
    struct target *target = parcel->target;
    parcel->attempt = NULL;
    leave(parcel);
    parcel->delivery.callback.attempts++;
    struct retry_plan plan = plan_for(parcel, end);
    record_attempt(parcel, end, plan.fate);
    if (plan.hold)
        target_hold(target);
    drain_check(outbound);
    if (plan.fate == CALLBACK_PENDING) {
        if (parcel->fresh)
            make_ready(parcel);
        else
            rest(parcel, plan.hold ? STAGE_HELD : STAGE_WAITING, plan.hold ? NEVER : plan.wait_ms);
        pump(outbound, target);
        return;
    }
    const char *message = end->verdict.message[0] ? end->verdict.message : NULL;
    conclude(parcel, plan.fate, message, message ? message : end->record.error);
}

static struct parcel *parcel_new(struct outbound *outbound,
                                 const struct outbound_callback *callback)
{
    struct parcel *parcel = memory_zero(1, sizeof(*parcel));
    parcel->delivery.callback = *callback;
    parcel->delivery.callback.body = memory_bytes(callback->body, callback->body_size);
    parcel->outbound = outbound;
    parcel->target = target_of(&outbound->targets, callback->integrator_id);
    parcel->submitted_ns = clock_monotonic_ns();
    return parcel;
}

int outbound_submit(struct outbound *outbound, const struct outbound_callback *callback)
{
    assert(callback->kind > CALLBACK_KIND_NONE && callback->kind < CALLBACK_KIND_COUNT);
    assert(!strchr(callback->webhook_id, '.') && callback->webhook_id[0]);
    if (lane_find(outbound->lanes, callback->callback_id))
        return -EEXIST;
    if (outbound_pending(outbound) >= (size_t)outbound->options.queue_max)
        return -ENOBUFS;
    struct parcel *parcel = parcel_new(outbound, callback);
    lane_add(outbound->lanes, &parcel->delivery);
    outbound_metrics_pending(&outbound->metrics, lane_book_count(outbound->lanes));
    if (lane_is_front(&parcel->delivery))
        make_ready(parcel);
    else
        rest(parcel, STAGE_BEHIND, NEVER);
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
    leave(parcel);
    count_fate(parcel, CALLBACK_CANCELLED);
    take_out(parcel);
    parcel_free(parcel);
    return true;
}

void outbound_imply(struct outbound *outbound, int64_t callback_id)
{
    struct delivery *delivery = lane_find(outbound->lanes, callback_id);
    if (!delivery)
        return;
    struct parcel *parcel = parcel_of(delivery);
    leave(parcel);
    if (parcel->attempt) {
        struct attempt_end end;
        attempt_abort(&parcel->attempt, &end);
        record_attempt(parcel, &end, CALLBACK_IMPLIED);
    } else {
        outbound->journal.settle(outbound->arg, callback_id, CALLBACK_IMPLIED);
    }
    count_fate(parcel, CALLBACK_IMPLIED);
    drain_check(outbound);
    take_out(parcel);
    parcel_free(parcel);
}

void outbound_recorded(struct outbound *outbound UNUSED, int64_t callback_id UNUSED)
{
}

static void forget(struct outbound *outbound, struct parcel *parcel)
{
    leave(parcel);
    if (parcel->attempt)
        attempt_abort(&parcel->attempt, NULL);
    drain_check(outbound);
    take_out(parcel);
    parcel_free(parcel);
}

void outbound_forget(struct outbound *outbound, int64_t callback_id)
{
    struct delivery *delivery = lane_find(outbound->lanes, callback_id);
    if (delivery)
        forget(outbound, parcel_of(delivery));
}

void outbound_forget_lane(struct outbound *outbound UNUSED, int64_t lane UNUSED)
{
}

void outbound_forget_all(struct outbound *outbound UNUSED)
{
}

void outbound_lease(struct outbound *outbound UNUSED, int64_t until_ms UNUSED)
{
}

static void wake(void *arg, struct delivery *delivery)
{
    const struct target *target = arg;
    struct parcel *parcel = parcel_of(delivery);
    bool waits = parcel->stage == STAGE_WAITING || parcel->stage == STAGE_HELD;
    if (parcel->target != target || !waits)
        return;
    leave(parcel);
    make_ready(parcel);
}

void outbound_endpoint_changed(struct outbound *outbound, int64_t integrator_id)
{
    struct target *target = target_of(&outbound->targets, integrator_id);
    target_changed(target);
    lane_each(outbound->lanes, wake, target);
}

size_t outbound_pending(const struct outbound *outbound)
{
    return lane_book_count(outbound->lanes);
}

static void ground(void *arg, struct delivery *delivery)
{
    struct outbound *outbound = arg;
    struct parcel *parcel = parcel_of(delivery);
    if (parcel->stage != STAGE_FLYING)
        return;
    struct attempt_end end;
    leave(parcel);
    attempt_abort(&parcel->attempt, &end);
    parcel->delivery.callback.attempts++;
    record_attempt(parcel, &end, CALLBACK_PENDING);
    make_ready(parcel);
    assert(outbound->draining && parcel->stage == STAGE_READY);
}

static void on_drain_timer(void *arg)
{
    struct outbound *outbound = arg;
    lane_each(outbound->lanes, ground, outbound);
    void (*drained)(void *) = TAKE(outbound->drained);
    drained(outbound->drained_arg);
}

void outbound_drain(struct outbound *outbound, void (*drained)(void *arg), void *arg)
{
    assert(!outbound->draining);
    outbound->draining = true;
    outbound->drained = drained;
    outbound->drained_arg = arg;
    timer_start(outbound->drain_timer, outbound->flying > 0 ? DRAIN_MS : 0);
}

int outbound_open(uv_loop_t *loop, const struct outbound_options *options,
                  const struct outbound_parts *parts, struct metrics *metrics,
                  struct outbound **ret_outbound, char ret_error[static OUTBOUND_ERROR_SIZE])
{
    assert(options->connections_per_endpoint > 0 && options->queue_max > 0);
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
    outbound_metrics_init(&outbound->metrics, metrics);
    *ret_outbound = outbound;
    return 0;
}

static void discard(void *arg, struct delivery *delivery)
{
    struct outbound *outbound = arg;
    struct parcel *parcel = parcel_of(delivery);
    if (parcel->attempt)
        attempt_abort(&parcel->attempt, NULL);
    (void)lane_remove(outbound->lanes, delivery);
    parcel_free(parcel);
}

void outbound_free(struct outbound **outbound)
{
    struct outbound *old = TAKE(*outbound);
    if (!old)
        return;
    lane_each(old->lanes, discard, old);
    lane_book_free(&old->lanes);
    targets_free(&old->targets);
    http_client_free(&old->client);
    timer_free(&old->drain_timer);
    outbound_metrics_pending(&old->metrics, 0);
    free(old);
}
