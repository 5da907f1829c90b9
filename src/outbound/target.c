#include "outbound/target.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <stdlib.h>

enum { NS_PER_MS = 1000 * 1000 };

struct target *target_find(struct target *targets, int64_t integrator_id)
{
    struct target *target;
    HASH_FIND(hh, targets, &integrator_id, sizeof(integrator_id), target);
    return target;
}

struct target *target_add(struct target **targets, int64_t integrator_id, int64_t window_max)
{
    struct target *target = memory_zero(1, sizeof(*target));
    target->integrator_id = integrator_id;
    window_init(&target->window, window_max);
    for (int i = 0; i < CLASS_COUNT; i++)
        target->turns[i].target = target;
    HASH_ADD(hh, *targets, integrator_id, sizeof(integrator_id), target);
    return target;
}

void target_take(struct target *target, struct resolver *resolver,
                 const struct outbound_endpoint *given)
{
    if (target->endpoint)
        return;
    target->endpoint = endpoint_new(resolver, given, target->changed_ms);
    rate_set(&target->rate, given->rate_per_second);
}

/* Whether it is another server now nobody knows: step by step. */
static void close_unasked(struct target *target)
{
    log_notice("callback_breaker_closed", LOG_INT("integrator", target->integrator_id),
               LOG_TEXT("why", "the endpoint was changed"),
               LOG_INT("open_ms", target->changed_ms - target->breaker.opened_ms),
               LOG_INT("waiting", target->count - target_flying(target)));
    window_restart(&target->window);
}

void target_changed(struct target *target)
{
    endpoint_free(&target->endpoint);
    target->changed_ms = clock_monotonic_ms();
    target->held = false;
    target->quiet_ms = 0;
    if (target->breaker.open)
        close_unasked(target);
    breaker_reset(&target->breaker);
}

void targets_free(struct target **targets)
{
    struct target *target, *next;
    HASH_ITER (hh, *targets, target, next) {
        HASH_DEL(*targets, target);
        endpoint_free(&target->endpoint);
        timer_free(&target->timer);
        free(target);
    }
}

static int64_t flying_others(const struct target *target)
{
    return target->flying[CLASS_VEND] + target->flying[CLASS_BULK];
}

int64_t target_flying(const struct target *target)
{
    return target->flying[CLASS_URGENT] + flying_others(target);
}

bool target_admits(const struct target *target, enum callback_class class, enum probe *ret_probe)
{
    if (!target->ready[class] || target->held)
        return false;
    bool urgent = class == CLASS_URGENT;
    int64_t now_ns = clock_monotonic_ns();
    int64_t now_ms = now_ns / NS_PER_MS;
    if ((!urgent && now_ms < target->quiet_ms) || rate_wait_ns(&target->rate, now_ns) > 0)
        return false;
    if (target->breaker.open) {
        *ret_probe = breaker_probe(&target->breaker, urgent, now_ms);
        return *ret_probe != PROBE_NONE;
    }
    *ret_probe = PROBE_NONE;
    return window_has_place(&target->window, urgent, target->flying[CLASS_URGENT],
                            flying_others(target));
}

static bool any_ready(const struct target *target)
{
    return target->ready[CLASS_URGENT] || target->ready[CLASS_VEND] || target->ready[CLASS_BULK];
}

/* The earlier of `best_ms` and `at_ms`, if the latter is still to come. */
static int64_t sooner(int64_t best_ms, int64_t at_ms, int64_t now_ms)
{
    return at_ms > now_ms && at_ms < best_ms ? at_ms : best_ms;
}

static int64_t next_probe_ms(const struct target *target, int64_t now_ms)
{
    const struct breaker *breaker = &target->breaker;
    int64_t best_ms = TARGET_NEVER;
    int64_t spaced_ms = breaker->due_ms[PROBE_SPACED];
    if (!target->ready[CLASS_URGENT] && spaced_ms < target->quiet_ms)
        spaced_ms = target->quiet_ms;
    if (!breaker->under_way[PROBE_SPACED])
        best_ms = sooner(best_ms, spaced_ms, now_ms);
    if (target->ready[CLASS_URGENT] && !breaker->under_way[PROBE_URGENT])
        best_ms = sooner(best_ms, breaker->due_ms[PROBE_URGENT], now_ms);
    return best_ms;
}

/* Nobody else will show whether it is back. */
static bool scout_wanted(const struct target *target)
{
    if (any_ready(target) || target->held || !breaker_suspects(&target->breaker))
        return false;
    if (target->breaker.open)
        return (target->away || target->waiting) && !target->breaker.under_way[PROBE_SPACED];
    return target->away && target_flying(target) == 0;
}

int64_t target_wait_ms(const struct target *target)
{
    if (target->held)
        return TARGET_NEVER;
    int64_t now_ns = clock_monotonic_ns();
    int64_t now_ms = now_ns / NS_PER_MS;
    int64_t best_ms = TARGET_NEVER;
    if (any_ready(target)) {
        int64_t token_ns = rate_wait_ns(&target->rate, now_ns);
        if (token_ns > 0)
            best_ms = sooner(best_ms, now_ms + token_ns / NS_PER_MS + 1, now_ms);
        best_ms = sooner(best_ms, target->quiet_ms, now_ms);
    }
    if (scout_wanted(target) || (target->breaker.open && any_ready(target))) {
        int64_t probe_ms = next_probe_ms(target, now_ms);
        best_ms = probe_ms < best_ms ? probe_ms : best_ms;
    }
    return best_ms == TARGET_NEVER ? TARGET_NEVER : best_ms - now_ms;
}

static struct parcel *oldest_unpinned(const struct target *target, struct parcel *queue,
                                      int64_t now_ms)
{
    for (struct parcel *parcel = queue; parcel; parcel = parcel->next) {
        bool quiet = parcel->class != CLASS_URGENT && now_ms < target->quiet_ms;
        if (parcel->pinned_ms <= now_ms && !quiet)
            return parcel;
    }
    return NULL;
}

struct parcel *target_scout(const struct target *target)
{
    int64_t now_ms = clock_monotonic_ms();
    if (!scout_wanted(target) || now_ms < target->breaker.due_ms[PROBE_SPACED])
        return NULL;
    struct parcel *away = oldest_unpinned(target, target->away, now_ms);
    if (!target->breaker.open)
        return away;
    struct parcel *waiting = oldest_unpinned(target, target->waiting, now_ms);
    if (!away || !waiting)
        return away ? away : waiting;
    bool away_first = away->delivery.callback.callback_id < waiting->delivery.callback.callback_id;
    return away_first ? away : waiting;
}

void target_begin(struct target *target, struct parcel *parcel, enum probe probe)
{
    parcel->probe = probe;
    parcel->window_number = window_begin(&target->window);
    breaker_probe_begun(&target->breaker, probe);
    rate_use(&target->rate, clock_monotonic_ns());
    target->flying[parcel->class]++;
}

void target_end(struct target *target, struct parcel *parcel)
{
    assert(target->flying[parcel->class] > 0);
    target->flying[parcel->class]--;
    breaker_probe_over(&target->breaker, parcel->probe);
}

/* A probe says whether the endpoint is there, not how much it can take. True: halved. */
static bool tell_window(struct target *target, const struct target_news *news)
{
    if (target->breaker.open || news->health == HEALTH_UNKNOWN)
        return false;
    if (news->overtaxed)
        return window_overtaxed(&target->window, news->window_number);
    window_succeeded(&target->window);
    return false;
}

struct target_change target_told(struct target *target, const struct target_news *news)
{
    struct target_change change = {.halved = tell_window(target, news)};
    change.breaker =
        breaker_told(&target->breaker, news->health, news->probe, clock_monotonic_ms());
    if (change.breaker == BREAKER_CLOSED)
        window_restart(&target->window);
    return change;
}
