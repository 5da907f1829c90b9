#include "outbound/dispatch.h"

#include "base/clock.h"
#include "outbound/outcome.h"
#include "outbound/retry_policy.h"

#include <utlist.h>

#define NEVER RETRY_NEVER_EXPIRES

enum {
    PULL_AGAIN_MS = 30 * 1000, /* one that fails alone is not driven by the others' successes */
};

/* --- stages --- */

int64_t dispatch_left_ms(const struct parcel *parcel)
{
    int64_t expires_ms = parcel->delivery.callback.expires_ms;
    const struct outbound *outbound = parcel->outbound;
    return expires_ms > 0 ? expires_ms - outbound->journal.now_ms(outbound->arg) : NEVER;
}

static struct parcel **queue_of(struct parcel *parcel)
{
    switch (parcel->stage) {
    case STAGE_READY:
        return &parcel->target->ready[parcel->class];
    case STAGE_WAITING:
        return &parcel->target->waiting;
    case STAGE_AWAY:
        return &parcel->target->away;
    case STAGE_BEHIND:
    case STAGE_FLYING:
        break;
    }
    return NULL;
}

static void on_due(void *arg)
{
    struct parcel *parcel = arg;
    enum stage stage = parcel->stage;
    assert(stage != STAGE_FLYING);
    if (dispatch_left_ms(parcel) <= 0) {
        outcome_give_up(parcel);
        return;
    }
    dispatch_leave(parcel);
    if (stage == STAGE_WAITING || stage == STAGE_AWAY)
        dispatch_ready(parcel);
    else
        dispatch_rest(parcel, stage, NEVER); /* PostgreSQL's clock is a little behind ours */
}

static void wake_in(struct parcel *parcel, int64_t wait_ms)
{
    int64_t left_ms = dispatch_left_ms(parcel);
    int64_t delay_ms = wait_ms < left_ms ? wait_ms : left_ms;
    if (delay_ms == NEVER)
        return;
    if (!parcel->timer)
        parcel->timer = timer_new(parcel->outbound->loop, on_due, parcel);
    timer_start(parcel->timer, delay_ms);
}

static void enter(struct parcel *parcel, enum stage stage)
{
    parcel->stage = stage;
    struct parcel **queue = queue_of(parcel);
    if (queue)
        parcel_enqueue(queue, parcel);
}

void dispatch_rest(struct parcel *parcel, enum stage stage, int64_t wait_ms)
{
    enter(parcel, stage);
    wake_in(parcel, wait_ms);
}

static void check_drained(struct outbound *outbound)
{
    if (outbound->drained && admission_flying(&outbound->admission) == 0)
        timer_start(outbound->drain_timer, 0);
}

void dispatch_leave(struct parcel *parcel)
{
    struct parcel **queue = queue_of(parcel);
    if (queue)
        parcel_dequeue(queue, parcel);
    if (parcel->stage == STAGE_FLYING) {
        target_end(parcel->target, parcel);
        admission_end(&parcel->outbound->admission, parcel->class);
        check_drained(parcel->outbound);
    }
    if (parcel->timer)
        timer_stop(parcel->timer);
    parcel->stage = STAGE_BEHIND;
}

static int64_t too_early_ms(const struct parcel *parcel)
{
    int64_t not_before_ms = parcel->delivery.callback.not_before_ms;
    const struct outbound *outbound = parcel->outbound;
    int64_t wait_ms =
        not_before_ms > 0 ? not_before_ms - outbound->journal.now_ms(outbound->arg) : 0;
    return wait_ms > 0 ? wait_ms : 0;
}

void dispatch_ready(struct parcel *parcel)
{
    int64_t wait_ms = too_early_ms(parcel);
    if (wait_ms > 0) {
        parcel->pinned_ms = clock_monotonic_ms() + wait_ms;
        dispatch_rest(parcel, STAGE_WAITING, wait_ms);
        return;
    }
    enter(parcel, STAGE_READY);
    dispatch_tend(parcel->outbound, parcel->target);
    if (parcel->stage == STAGE_READY)
        wake_in(parcel, NEVER);
}

/* --- one attempt --- */

static void note_on_wire(struct parcel *parcel)
{
    const struct outbound_callback *callback = &parcel->delivery.callback;
    bool at_once = !parcel->on_wire && callback->attempts == 0 && callback->not_before_ms == 0;
    parcel->on_wire = true;
    if (at_once)
        metric_observe(parcel->outbound->metrics.wire[parcel->class],
                       (double)(clock_monotonic_ns() - parcel->submitted_ns) / 1e9);
}

static void fly(struct parcel *parcel, int64_t left_ms, enum probe probe)
{
    struct outbound *outbound = parcel->outbound;
    const struct attempt_order order = {
        .callback = &parcel->delivery.callback,
        .endpoint = parcel->target->endpoint,
        .number = parcel->delivery.callback.attempts + 1,
        .left_ms = left_ms,
        .now_ms = outbound->journal.now_ms(outbound->arg),
        .fresh = parcel->fresh,
        .bulk = parcel->class == CLASS_BULK,
        .probe = probe == PROBE_URGENT,
    };
    parcel->stage = STAGE_FLYING;
    parcel->left_ms = left_ms;
    parcel->endpoint_ms = parcel->target->changed_ms;
    target_begin(parcel->target, parcel, probe);
    admission_begin(&outbound->admission, parcel->class);
    note_on_wire(parcel);
    parcel->attempt =
        attempt_start(outbound->loop, outbound->client, &order, outcome_of_attempt, parcel);
}

/* False: its callbacks wait until it is changed. */
static bool open_target(struct outbound *outbound, struct target *target)
{
    struct outbound_endpoint given = {0};
    target->held = !outbound->directory.endpoint(outbound->arg, target->integrator_id, &given);
    if (!target->held)
        target_take(target, http_client_resolver(outbound->client), &given);
    return !target->held;
}

static void launch(struct parcel *parcel, enum probe probe)
{
    if (!open_target(parcel->outbound, parcel->target))
        return;
    int64_t left_ms = dispatch_left_ms(parcel);
    dispatch_leave(parcel);
    if (left_ms > 0)
        fly(parcel, left_ms, probe);
    else
        dispatch_rest(parcel, STAGE_WAITING, 0); /* its timer gives it up */
}

/* --- taking turns --- */

static void on_target_due(void *arg)
{
    struct target *target = arg;
    dispatch_tend(target->outbound, target);
}

struct target *dispatch_target(struct outbound *outbound, int64_t integrator_id)
{
    struct target *target = target_find(outbound->targets, integrator_id);
    if (target)
        return target;
    target =
        target_add(&outbound->targets, integrator_id, outbound->options.connections_per_endpoint);
    target->outbound = outbound;
    target->timer = timer_new(outbound->loop, on_target_due, target);
    outbound_metrics_target(&outbound->metrics, integrator_id, &target->cells);
    return target;
}

static void show(const struct target *target)
{
    const struct outbound_target_figures figures = {
        .window = target->window.size,
        .open = target->breaker.open,
        .slow_start = target->window.slow_start,
        .held = target->held,
        .waiting = target->count - target_flying(target),
    };
    outbound_metrics_show(&target->cells, &figures);
}

/* What does not go now goes when its time has come, or when something else happens. */
static void settle_down(struct target *target)
{
    int64_t wait_ms = target_wait_ms(target);
    if (wait_ms != TARGET_NEVER)
        timer_start(target->timer, wait_ms);
    else if (timer_running(target->timer))
        timer_stop(target->timer);
    show(target);
}

static void queue_up(struct outbound *outbound, struct target *target, enum callback_class class)
{
    struct target_turn *turn = &target->turns[class];
    enum probe probe;
    if (turn->queued || !target_admits(target, class, &probe))
        return;
    turn->queued = true;
    DL_APPEND(outbound->turns[class], turn);
}

static void take_turn(struct outbound *outbound, enum callback_class class)
{
    struct target_turn *turn = outbound->turns[class];
    struct target *target = turn->target;
    DL_DELETE(outbound->turns[class], turn);
    turn->queued = false;
    enum probe probe;
    if (target_admits(target, class, &probe))
        launch(target->ready[class], probe);
    queue_up(outbound, target, class);
    settle_down(target);
}

void dispatch_run(struct outbound *outbound)
{
    if (outbound->draining || clock_monotonic_ms() >= outbound->lease_ms)
        return;
    for (int i = 0; i < CLASS_COUNT; i++) {
        enum callback_class class = (enum callback_class)i;
        while (outbound->turns[class] && admission_open(&outbound->admission, class))
            take_turn(outbound, class);
    }
}

void dispatch_tend(struct outbound *outbound, struct target *target)
{
    struct parcel *scout = target_scout(target);
    if (scout) {
        dispatch_leave(scout);
        dispatch_rest(scout, STAGE_READY, NEVER);
    }
    for (int i = 0; i < CLASS_COUNT; i++)
        queue_up(outbound, target, (enum callback_class)i);
    dispatch_run(outbound);
    settle_down(target);
}

/* --- waking --- */

static bool wakes(struct parcel *parcel, enum wake wake, int64_t now_ms)
{
    if (wake == WAKE_EVERY)
        return too_early_ms(parcel) == 0;
    if (parcel->pinned_ms > now_ms)
        return false;
    return wake == WAKE_BACK || parcel->pulled_ms == 0 ||
           now_ms - parcel->pulled_ms >= PULL_AGAIN_MS;
}

static void wake_queue(struct parcel *queue, enum wake wake)
{
    int64_t now_ms = clock_monotonic_ms();
    struct parcel *parcel, *next;
    DL_FOREACH_SAFE (queue, parcel, next) {
        if (!wakes(parcel, wake, now_ms))
            continue;
        dispatch_leave(parcel);
        parcel->pulled_ms = wake == WAKE_AWAY ? now_ms : 0;
        dispatch_rest(parcel, STAGE_READY, NEVER);
    }
}

void dispatch_wake(struct outbound *outbound, struct target *target, enum wake wake)
{
    wake_queue(target->away, wake);
    if (wake != WAKE_AWAY)
        wake_queue(target->waiting, wake);
    dispatch_tend(outbound, target);
}
