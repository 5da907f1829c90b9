#include "base/timer.h"

#include "base/macros.h"
#include "base/memory.h"

#include <stdlib.h>
#include <uv.h>

enum { NS_PER_MS = 1000 * 1000 };

struct timer {
    uv_timer_t handle;
    timer_cb *callback;
    void *arg;
};

/* How far the loop's cached time is behind. Deadlines count from the real time, and the cached one
 * is left alone: a callback that keeps starting its own timer with 0 then waits for the next turn
 * and starves nobody. */
static uint64_t loop_lag_ms(const struct timer *timer)
{
    uint64_t now = uv_hrtime() / NS_PER_MS;
    uint64_t cached = uv_now(timer->handle.loop);
    return now > cached ? now - cached : 0;
}

static void on_due(uv_timer_t *handle)
{
    struct timer *timer = CONTAINER_OF(handle, struct timer, handle);
    timer->callback(timer->arg);
}

struct timer *timer_new(struct uv_loop_s *loop, timer_cb *callback, void *arg)
{
    assert(callback);
    struct timer *timer = memory_zero(1, sizeof(*timer));
    int result = uv_timer_init(loop, &timer->handle);
    assert(result == 0);
    timer->callback = callback;
    timer->arg = arg;
    return timer;
}

void timer_start(struct timer *timer, int64_t delay_ms)
{
    uint64_t delay = delay_ms > 0 ? (uint64_t)delay_ms : 0;
    int result = uv_timer_start(&timer->handle, on_due, delay + loop_lag_ms(timer), 0);
    assert(result == 0);
}

void timer_stop(struct timer *timer)
{
    (void)uv_timer_stop(&timer->handle); /* cannot fail */
}

bool timer_running(const struct timer *timer)
{
    return uv_is_active((const uv_handle_t *)&timer->handle);
}

int64_t timer_left_ms(const struct timer *timer)
{
    if (!timer_running(timer))
        return 0;
    uint64_t left = uv_timer_get_due_in(&timer->handle);
    uint64_t lag = loop_lag_ms(timer);
    return left > lag ? (int64_t)(left - lag) : 0;
}

static void on_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF(handle, struct timer, handle));
}

void timer_free(struct timer **timer)
{
    struct timer *old = TAKE(*timer);
    if (old)
        uv_close((uv_handle_t *)&old->handle, on_closed);
}
