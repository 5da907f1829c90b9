/* test_backoff.c - a server that returns is noticed soon, and one that stays away is not hammered.
 */
#include "base/clock.h"
#include "base/macros.h"
#include "store/backoff.h"

#include <check.h>
#include <stdlib.h>

static int64_t now_ms;

static int64_t played_monotonic_ns(void *arg)
{
    (void)arg;
    return now_ms * 1000 * 1000;
}

static int64_t played_unix_ms(void *arg)
{
    (void)arg;
    return now_ms;
}

static void begin(void)
{
    static const struct clock_source PLAYED = {played_monotonic_ns, played_unix_ms, NULL};
    now_ms = 1000;
    clock_replace(&PLAYED);
}

static void end(void)
{
    clock_replace(NULL);
}

START_TEST(waits_grow_to_a_quarter_of_a_second)
{
    static const int64_t MOST[] = {50, 100, 200, 250, 250, 250};
    for (int round = 0; round < 100; round++) {
        struct backoff backoff = {0};
        for (size_t i = 0; i < ARRAY_SIZE(MOST); i++) {
            int64_t wait = backoff_down(&backoff);
            ck_assert_int_ge(wait, MOST[i] / 2);
            ck_assert_int_le(wait, MOST[i]);
        }
    }
}
END_TEST

START_TEST(waits_stay_the_longest_however_long_it_fails)
{
    struct backoff backoff = {0};
    for (int i = 0; i < 10000; i++)
        ck_assert_int_le(backoff_down(&backoff), 250);
}
END_TEST

START_TEST(a_connection_that_stood_begins_anew_and_one_that_did_not_goes_on)
{
    struct backoff backoff = {0};
    for (int i = 0; i < 10; i++)
        (void)backoff_down(&backoff);
    backoff_up(&backoff);
    now_ms += 5000;
    ck_assert_int_ge(backoff_down(&backoff), 125);
    backoff_up(&backoff);
    now_ms += 5001;
    ck_assert_int_le(backoff_down(&backoff), 50);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backoff");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, end);
    tcase_add_test(all, waits_grow_to_a_quarter_of_a_second);
    tcase_add_test(all, waits_stay_the_longest_however_long_it_fails);
    tcase_add_test(all, a_connection_that_stood_begins_anew_and_one_that_did_not_goes_on);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
