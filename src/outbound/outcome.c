#include "outbound/outcome.h"

#include "base/clock.h"
#include "base/log.h"
#include "outbound/dispatch.h"
#include "outbound/retry_policy.h"
#include "outbound/room.h"

enum { US_PER_MS = 1000, TELLING_MS = 1000 };

/* --- the journal and memory --- */

void outcome_record(struct parcel *parcel, const struct attempt_end *end, enum callback_fate fate)
{
    struct outbound *outbound = parcel->outbound;
    struct outbound_attempt record = end->record;
    record.fate = fate;
    outbound_metrics_attempt(&outbound->metrics, parcel->delivery.callback.kind, &record);
    if (fate != CALLBACK_PENDING)
        recorded_add(&outbound->recorded, record.callback_id);
    outbound->journal.record(outbound->arg, &record);
}

void outcome_settle(struct parcel *parcel, enum callback_fate fate)
{
    struct outbound *outbound = parcel->outbound;
    int64_t callback_id = parcel->delivery.callback.callback_id;
    recorded_add(&outbound->recorded, callback_id);
    outbound->journal.settle(outbound->arg, callback_id, fate);
}

void outcome_count(struct parcel *parcel, enum callback_fate fate)
{
    outbound_metrics_settled(&parcel->outbound->metrics, parcel->delivery.callback.kind, fate,
                             clock_monotonic_ns() - parcel->submitted_ns);
}

void outcome_take_out(struct parcel *parcel)
{
    struct outbound *outbound = parcel->outbound;
    struct target *target = parcel->target;
    struct delivery *next = lane_remove(outbound->lanes, &parcel->delivery);
    target->count--;
    target->bulk -= parcel->class == CLASS_BULK;
    outbound_metrics_pending(&outbound->metrics, lane_book_count(outbound->lanes));
    room_made(outbound, target);
    if (next) {
        dispatch_leave(parcel_of(next));
        dispatch_ready(parcel_of(next));
    }
    dispatch_tend(outbound, target);
}

/* --- the end of a callback --- */

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
    outcome_count(parcel, fate);
    log_fate(&parcel->delivery.callback, fate, reason);
    outcome_take_out(parcel);
    outbound->handlers.settled(outbound->arg, &parcel->delivery.callback, fate, message);
    parcel_free(parcel);
}

void outcome_give_up(struct parcel *parcel)
{
    enum callback_fate fate = retry_policy_of(parcel->delivery.callback.kind)->given_up;
    dispatch_leave(parcel);
    outcome_settle(parcel, fate);
    conclude(parcel, fate, NULL, "its time is over");
}

/* --- what it says of the endpoint --- */

/* By the callback's own deadline, before the endpoint could have been expected to answer. */
static bool cut_short(const struct parcel *parcel, const struct attempt_end *end)
{
    return parcel->left_ms < TELLING_MS && end->record.total_us >= parcel->left_ms * US_PER_MS;
}

/* The endpoint was changed since: what its former address answers says nothing of the new one. */
static bool of_former_endpoint(const struct parcel *parcel)
{
    return parcel->endpoint_ms != parcel->target->changed_ms;
}

static enum health health_of(const struct parcel *parcel, const struct attempt_end *end)
{
    int status = end->record.http_status;
    bool kept_connection = end->dropped && !parcel->fresh;
    if (end->record.result == ATTEMPT_ABORTED || kept_connection || of_former_endpoint(parcel))
        return HEALTH_UNKNOWN;
    if (end->record.result == ATTEMPT_RETRY && status == 0)
        return cut_short(parcel, end) ? HEALTH_UNKNOWN : HEALTH_UNREACHABLE;
    return status == 502 || status == 503 || status == 504 ? HEALTH_OVERLOADED : HEALTH_WELL;
}

static bool is_overtaxed(const struct attempt_end *end)
{
    int status = end->record.http_status;
    return end->record.result == ATTEMPT_RETRY && (status == 0 || status == 429 || status >= 500);
}

static void log_breaker(const struct target *target, enum breaker_change change, int64_t open_ms,
                        const struct attempt_end *end)
{
    int64_t waiting = target->count - target_flying(target);
    if (change == BREAKER_OPENED)
        log_warning("callback_breaker_opened", LOG_INT("integrator", target->integrator_id),
                    LOG_INT("status", end->record.http_status),
                    LOG_TEXT("error", end->record.error), LOG_INT("waiting", waiting));
    else
        log_notice("callback_breaker_closed", LOG_INT("integrator", target->integrator_id),
                   LOG_INT("status", end->record.http_status), LOG_INT("open_ms", open_ms),
                   LOG_INT("waiting", waiting));
}

static enum breaker_change tell_target(struct parcel *parcel, const struct attempt_end *end)
{
    struct outbound *outbound = parcel->outbound;
    struct target *target = parcel->target;
    const struct target_news news = {
        .health = health_of(parcel, end),
        .probe = parcel->probe,
        .window_number = parcel->window_number,
        .overtaxed = is_overtaxed(end),
    };
    int64_t now_ms = clock_monotonic_ms();
    int64_t open_ms = now_ms - target->breaker.opened_ms;
    struct target_change change = target_told(target, &news);
    metric_add(outbound->metrics.halvings, change.halved);
    metric_add(outbound->metrics.openings, change.breaker == BREAKER_OPENED);
    if (change.breaker != BREAKER_AS_BEFORE)
        log_breaker(target, change.breaker, open_ms, end);
    return change.breaker;
}

/* What it asked this callback to wait it means for the others too, but a customer is not kept
 * waiting for another's sake. */
static void heed_retry_after(struct parcel *parcel, const struct attempt_end *end)
{
    int64_t asked_ms = end->verdict.retry_after_ms;
    int status = end->record.http_status;
    if (asked_ms <= 0 || end->record.result != ATTEMPT_RETRY || of_former_endpoint(parcel))
        return;
    int64_t until_ms =
        clock_monotonic_ms() + (asked_ms < RETRY_AFTER_MAX_MS ? asked_ms : RETRY_AFTER_MAX_MS);
    parcel->pinned_ms = until_ms;
    if ((status == 429 || status == 503) && until_ms > parcel->target->quiet_ms)
        parcel->target->quiet_ms = until_ms;
}

/* --- the end of an attempt --- */

/* An urgent callback's next chance while the breaker is open. */
static int64_t closed_off_ms(const struct parcel *parcel)
{
    const struct breaker *breaker = &parcel->target->breaker;
    if (!breaker->open || parcel->class != CLASS_URGENT)
        return 0;
    int64_t wait_ms = breaker->due_ms[PROBE_URGENT] - clock_monotonic_ms();
    return wait_ms > 0 ? wait_ms : 0;
}

/* A kept connection that was gone says nothing about the endpoint: again at once, on a new one, but
 * only one time. */
static struct retry_plan plan_for(struct parcel *parcel, const struct attempt_end *end)
{
    bool again_at_once = end->dropped && !parcel->fresh;
    parcel->fresh = again_at_once;
    bool served = end->record.result == ATTEMPT_DELIVERED || end->record.result == ATTEMPT_REFUSED;
    if (again_at_once || (of_former_endpoint(parcel) && !served))
        return (struct retry_plan){.fate = CALLBACK_PENDING};
    if (end->record.result == ATTEMPT_PERMANENT)
        parcel->permanents++;
    const struct retry_facts facts = {
        .kind = parcel->delivery.callback.kind,
        .result = end->record.result,
        .attempts = parcel->delivery.callback.attempts,
        .permanents = parcel->permanents,
        .retry_after_ms = end->verdict.retry_after_ms,
        .closed_off_ms = closed_off_ms(parcel),
        .left_ms = dispatch_left_ms(parcel),
    };
    return retry_decide(&facts);
}

static void put_back(struct parcel *parcel, const struct retry_plan *plan,
                     enum attempt_result result)
{
    if (parcel->fresh || plan->hold)
        dispatch_ready(parcel);
    else
        dispatch_rest(parcel, result == ATTEMPT_RETRY ? STAGE_AWAY : STAGE_WAITING, plan->wait_ms);
}

/* Before its own lane goes on: they are older. */
static void wake_others(struct outbound *outbound, struct target *target,
                        enum attempt_result result, enum breaker_change change)
{
    bool served = result != ATTEMPT_RETRY && result != ATTEMPT_ABORTED;
    if (change == BREAKER_CLOSED)
        dispatch_wake(outbound, target, WAKE_BACK);
    else if (served && target->away)
        dispatch_wake(outbound, target, WAKE_AWAY);
}

void outcome_of_attempt(void *arg, const struct attempt_end *end)
{
    struct parcel *parcel = arg;
    struct outbound *outbound = parcel->outbound;
    struct target *target = parcel->target;
    parcel->attempt = NULL;
    dispatch_leave(parcel);
    parcel->delivery.callback.attempts++;
    enum attempt_result result = end->record.result;
    enum breaker_change change = tell_target(parcel, end);
    heed_retry_after(parcel, end);
    struct retry_plan plan = plan_for(parcel, end);
    bool newly_held = plan.hold && !target->held;
    target->held |= plan.hold;
    outcome_record(parcel, end, plan.fate);
    if (plan.fate == CALLBACK_PENDING)
        put_back(parcel, &plan, result);
    wake_others(outbound, target, result, change);
    dispatch_tend(outbound, target);
    const char *message = end->verdict.message[0] ? end->verdict.message : NULL;
    if (plan.fate != CALLBACK_PENDING)
        conclude(parcel, plan.fate, message, message ? message : end->record.error);
    if (newly_held)
        outbound->handlers.gone(outbound->arg, target->integrator_id);
}
