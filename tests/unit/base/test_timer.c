#include "base/clock.h"
#include "base/timer.h"

#include <check.h>
#include <stdlib.h>
#include <uv.h>

static uv_loop_t loop;

struct probe {
    struct timer *timer;
    int fired;
    int restart; /* how often the callback starts its timer again */
    int64_t fired_at;
};

static void on_probe(void *arg)
{
    struct probe *probe = arg;
    ck_assert(!timer_running(probe->timer));
    probe->fired++;
    probe->fired_at = clock_monotonic_ms();
    if (probe->restart-- > 0)
        timer_start(probe->timer, 0);
}

static void setup(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
}

/* Every handle must have gone: a leaked timer makes this fail. */
static void teardown(void)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

START_TEST(it_fires_once_from_the_loop_and_not_before_its_time)
{
    struct probe probe = {0};
    probe.timer = timer_new(&loop, on_probe, &probe);
    int64_t start = clock_monotonic_ms();
    timer_start(probe.timer, 20);
    ck_assert_int_eq(probe.fired, 0);
    ck_assert(timer_running(probe.timer));
    ck_assert_int_gt(timer_left_ms(probe.timer), 0);
    ck_assert_int_le(timer_left_ms(probe.timer), 21);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 1);
    ck_assert_int_ge(probe.fired_at - start, 20);
    ck_assert_int_eq(timer_left_ms(probe.timer), 0);
    timer_free(&probe.timer);
    ck_assert_ptr_null(probe.timer);
}
END_TEST

/* The loop's own idea of now is old when a callback took long; the delay counts from the real now
 * all the same. */
START_TEST(a_delay_counts_from_now_and_not_from_the_loops_turn)
{
    struct probe probe = {0};
    probe.timer = timer_new(&loop, on_probe, &probe);
    uv_update_time(&loop);
    int64_t busy_until = clock_monotonic_ms() + 30;
    while (clock_monotonic_ms() < busy_until)
        ;
    int64_t start = clock_monotonic_ms();
    timer_start(probe.timer, 10);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_ge(probe.fired_at - start, 10);
    timer_free(&probe.timer);
}
END_TEST

START_TEST(no_delay_and_a_past_one_fire_at_the_next_turn_and_never_inside_start)
{
    static const int64_t DELAYS[] = {0, -1, INT64_MIN};
    struct probe probe = {0};
    probe.timer = timer_new(&loop, on_probe, &probe);
    timer_start(probe.timer, DELAYS[_i]);
    ck_assert_int_eq(probe.fired, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 1);
    timer_free(&probe.timer);
}
END_TEST

START_TEST(a_stopped_timer_stays_silent)
{
    struct probe probe = {0};
    probe.timer = timer_new(&loop, on_probe, &probe);
    timer_start(probe.timer, 1);
    timer_stop(probe.timer);
    timer_stop(probe.timer);
    ck_assert(!timer_running(probe.timer));
    ck_assert_int_eq(timer_left_ms(probe.timer), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 0);
    timer_free(&probe.timer);
}
END_TEST

START_TEST(starting_again_replaces_the_deadline)
{
    struct probe probe = {0};
    probe.timer = timer_new(&loop, on_probe, &probe);
    timer_start(probe.timer, INT64_MAX);
    timer_start(probe.timer, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 1);
    timer_free(&probe.timer);
}
END_TEST

START_TEST(a_callback_may_start_its_own_timer)
{
    struct probe probe = {.restart = 3};
    probe.timer = timer_new(&loop, on_probe, &probe);
    timer_start(probe.timer, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 4);
    timer_free(&probe.timer);
}
END_TEST

START_TEST(a_timer_that_always_starts_itself_does_not_hold_up_the_loop)
{
    struct probe probe = {.restart = INT32_MAX};
    probe.timer = timer_new(&loop, on_probe, &probe);
    timer_start(probe.timer, 0);
    for (int i = 0; i < 5; i++)
        ck_assert_int_ne(uv_run(&loop, UV_RUN_NOWAIT), 0);
    ck_assert_int_ge(probe.fired, 1);
    timer_free(&probe.timer);
}
END_TEST

START_TEST(a_freed_timer_never_fires)
{
    struct probe probe = {0};
    probe.timer = timer_new(&loop, on_probe, &probe);
    timer_start(probe.timer, 0);
    timer_free(&probe.timer);
    timer_free(&probe.timer);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 0);
}
END_TEST

static void free_own(void *arg)
{
    struct probe *probe = arg;
    probe->fired++;
    timer_free(&probe->timer);
}

START_TEST(a_callback_may_free_its_own_timer)
{
    struct probe probe = {0};
    probe.timer = timer_new(&loop, free_own, &probe);
    timer_start(probe.timer, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.fired, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *timer = tcase_create("timer");
    tcase_add_checked_fixture(timer, setup, teardown);
    tcase_add_test(timer, it_fires_once_from_the_loop_and_not_before_its_time);
    tcase_add_test(timer, a_delay_counts_from_now_and_not_from_the_loops_turn);
    tcase_add_loop_test(timer, no_delay_and_a_past_one_fire_at_the_next_turn_and_never_inside_start,
                        0, 3);
    tcase_add_test(timer, a_stopped_timer_stays_silent);
    tcase_add_test(timer, starting_again_replaces_the_deadline);
    tcase_add_test(timer, a_callback_may_start_its_own_timer);
    tcase_add_test(timer, a_timer_that_always_starts_itself_does_not_hold_up_the_loop);
    tcase_add_test(timer, a_freed_timer_never_fires);
    tcase_add_test(timer, a_callback_may_free_its_own_timer);
    suite_add_tcase(suite, timer);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
