#include "gateway/rate.h"

#include "base/clock.h"
#include "base/macros.h"

#include <check.h>
#include <stdlib.h>

static int64_t now_ms;

static int64_t read_ns(void *arg UNUSED)
{
    return now_ms * 1000 * 1000;
}

static int64_t read_unix_ms(void *arg UNUSED)
{
    return now_ms;
}

static struct rate *rate;

static void set_up(void)
{
    static const struct clock_source SOURCE = {read_ns, read_unix_ms, NULL};
    now_ms = 1000;
    clock_replace(&SOURCE);
    rate = rate_new();
}

static void tear_down(void)
{
    rate_free(&rate);
    clock_replace(NULL);
}

static int take_all(int64_t integrator_id, int64_t per_second)
{
    int taken = 0;
    while (taken < 1000 && rate_take(rate, integrator_id, per_second))
        taken++;
    return taken;
}

START_TEST(a_burst_of_one_seconds_worth_passes_and_no_more)
{
    ck_assert_int_eq(take_all(1, 10), 10);
}
END_TEST

START_TEST(calls_come_back_with_time)
{
    take_all(1, 10);
    now_ms += 100;
    ck_assert_int_eq(take_all(1, 10), 1);
    now_ms += 350;
    ck_assert_int_eq(take_all(1, 10), 3);
    now_ms += 50;
    ck_assert_int_eq(take_all(1, 10), 1);
}
END_TEST

START_TEST(a_long_silence_saves_up_one_second_only)
{
    take_all(1, 10);
    now_ms += 3600 * 1000;
    ck_assert_int_eq(take_all(1, 10), 10);
}
END_TEST

START_TEST(each_integrator_has_its_own_bucket)
{
    take_all(1, 10);
    ck_assert_int_eq(take_all(2, 5), 5);
}
END_TEST

START_TEST(a_lowered_limit_counts_at_once)
{
    ck_assert(rate_take(rate, 1, 100));
    ck_assert_int_eq(take_all(1, 3), 3);
}
END_TEST

START_TEST(no_limit_is_no_limit)
{
    ck_assert_int_eq(take_all(1, 0), 1000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rate");
    TCase *tests = tcase_create("rate");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_burst_of_one_seconds_worth_passes_and_no_more);
    tcase_add_test(tests, calls_come_back_with_time);
    tcase_add_test(tests, a_long_silence_saves_up_one_second_only);
    tcase_add_test(tests, each_integrator_has_its_own_bucket);
    tcase_add_test(tests, a_lowered_limit_counts_at_once);
    tcase_add_test(tests, no_limit_is_no_limit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
