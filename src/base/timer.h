/* timer.h - one deadline on the loop. The simulation puts its own scheduler behind this header.
 *
 * A timer fires at most once per start, from the loop, never inside timer_start(). */
#ifndef VENDGATE_BASE_TIMER_H
#define VENDGATE_BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct timer;
struct uv_loop_s;

typedef void timer_cb(void *arg);

struct timer *timer_new(struct uv_loop_s *loop, timer_cb *callback, void *arg);
/* In `delay_ms` from now (below 0 counts as 0); a running timer is set anew. */
void timer_start(struct timer *timer, int64_t delay_ms);
void timer_stop(struct timer *timer);
bool timer_running(const struct timer *timer);
/* Milliseconds until it fires; 0 when it does not run. */
int64_t timer_left_ms(const struct timer *timer);
/* Never fires again; the memory goes at the loop's edge. NULL inside is fine. */
void timer_free(struct timer **timer);

#endif
