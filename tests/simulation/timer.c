/* timer.c - base/timer.h, and the sources behind base/clock.h and base/random.h: all from the
 * world. A loop is only a name for the gateway that it belongs to. */
#include "base/timer.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/memory.h"
#include "base/random.h"
#include "world.h"

#include <stdlib.h>
#include <utlist.h>

struct timer {
    struct gateway *gateway;
    timer_cb *callback;
    void *arg;
    bool running;
    int64_t due_ms;
    uint64_t order; /* of starting: equal deadlines fire in it */
    struct timer *prev, *next;
};

struct timer *timer_new(struct uv_loop_s *loop, timer_cb *callback, void *arg)
{
    struct timer *timer = memory_zero(1, sizeof *timer);
    timer->gateway = (struct gateway *)loop;
    timer->callback = callback;
    timer->arg = arg;
    DL_APPEND(timer->gateway->timers, timer);
    return timer;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    timer->running = true;
    timer->due_ms = timer->gateway->world->now_ms + (delay_ms > 0 ? delay_ms : 0);
    timer->order = ++timer->gateway->timer_order;
}

void timer_stop(struct timer *timer)
{
    timer->running = false;
}

bool timer_running(const struct timer *timer)
{
    return timer->running;
}

int64_t timer_left_ms(const struct timer *timer)
{
    int64_t left = timer->due_ms - timer->gateway->world->now_ms;
    return timer->running && left > 0 ? left : 0;
}

void timer_free(struct timer **timer)
{
    struct timer *old = TAKE(*timer);
    if (!old)
        return;
    DL_DELETE(old->gateway->timers, old);
    free(old);
}

static struct timer *first(const struct gateway *gateway)
{
    struct timer *timer, *first = NULL;
    DL_FOREACH (gateway->timers, timer) {
        if (!timer->running)
            continue;
        if (!first || timer->due_ms < first->due_ms ||
            (timer->due_ms == first->due_ms && timer->order < first->order))
            first = timer;
    }
    return first;
}

int64_t timers_next_ms(const struct gateway *gateway)
{
    const struct timer *timer = first(gateway);
    return timer ? timer->due_ms : INT64_MAX;
}

bool timers_fire(struct gateway *gateway)
{
    struct timer *timer = first(gateway);
    if (!timer || timer->due_ms > gateway->world->now_ms)
        return false;
    timer->running = false;
    timer->callback(timer->arg);
    return true;
}

int64_t timers_pick_ms(const struct gateway *gateway, uint64_t number)
{
    const struct timer *timer;
    uint64_t running = 0;
    DL_FOREACH (gateway->timers, timer)
        running += timer->running;
    if (running == 0)
        return INT64_MAX;
    number %= running;
    DL_FOREACH (gateway->timers, timer)
        if (timer->running && number-- == 0)
            return timer->due_ms;
    return INT64_MAX;
}

static int64_t monotonic_ns(void *arg)
{
    const struct world *world = arg;
    return world->now_ms * 1000000;
}

static int64_t unix_ms(void *arg)
{
    const struct world *world = arg;
    return world->now_ms + world->wall_ms;
}

void time_bind(struct world *world)
{
    static struct clock_source source;
    source = (struct clock_source){.monotonic_ns = monotonic_ns, .unix_ms = unix_ms, .arg = world};
    clock_replace(&source);
    random_replace(chance_fill, &world->product);
}
