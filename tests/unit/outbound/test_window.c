#include "outbound/window.h"

#include <check.h>
#include <stdlib.h>

static struct window window;

static void setup(void)
{
    window_init(&window, 32);
}

/* As many successes as fit into it at once. */
static void one_window(void)
{
    for (int64_t left = window.size; left > 0; left--)
        window_succeeded(&window);
}

START_TEST(it_starts_small_and_grows_by_one_for_each_window_of_successes)
{
    ck_assert_int_eq(window.size, 4);
    for (int64_t size = 5; size <= 32; size++) {
        one_window();
        ck_assert_int_eq(window.size, size);
    }
    one_window();
    ck_assert_int_eq(window.size, 32); /* its greatest */
}
END_TEST

START_TEST(its_greatest_may_be_less_than_the_start)
{
    window_init(&window, 2);
    ck_assert_int_eq(window.size, 2);
    one_window();
    ck_assert_int_eq(window.size, 2);
}
END_TEST

START_TEST(a_burst_of_failures_from_one_event_halves_it_once)
{
    window.size = 32;
    uint64_t numbers[32];
    for (int i = 0; i < 32; i++)
        numbers[i] = window_begin(&window);
    ck_assert(window_overtaxed(&window, numbers[3]));
    for (int i = 0; i < 32; i++)
        ck_assert(!window_overtaxed(&window, numbers[i]));
    ck_assert_int_eq(window.size, 16);
    ck_assert(window_overtaxed(&window, window_begin(&window)));
    ck_assert_int_eq(window.size, 8);
}
END_TEST

START_TEST(it_never_falls_below_one)
{
    for (int i = 0; i < 10; i++)
        (void)window_overtaxed(&window, window_begin(&window));
    ck_assert_int_eq(window.size, 1);
    ck_assert(!window_overtaxed(&window, window_begin(&window)));
}
END_TEST

START_TEST(failures_start_the_count_of_successes_anew)
{
    window_succeeded(&window);
    window_succeeded(&window);
    ck_assert(window_overtaxed(&window, window_begin(&window)));
    window_succeeded(&window);
    ck_assert_int_eq(window.size, 2);
    window_succeeded(&window);
    ck_assert_int_eq(window.size, 3);
}
END_TEST

START_TEST(after_an_outage_it_starts_at_one_and_doubles_until_it_has_its_size_again)
{
    window.size = 16;
    window_restart(&window);
    static const int64_t SIZES[] = {1, 2, 4, 8, 16};
    for (int i = 0; i < 5; i++) {
        ck_assert_int_eq(window.size, SIZES[i]);
        ck_assert_int_eq(window.slow_start, i < 4);
        one_window();
    }
    ck_assert_int_eq(window.size, 17); /* by one from here on */
}
END_TEST

START_TEST(a_second_outage_in_the_slow_start_does_not_lower_its_goal)
{
    window.size = 16;
    window_restart(&window);
    one_window();
    window_restart(&window);
    ck_assert_int_eq(window.size, 1);
    for (int i = 0; i < 4; i++)
        one_window();
    ck_assert_int_eq(window.size, 16);
}
END_TEST

START_TEST(a_failure_ends_the_slow_start)
{
    window.size = 16;
    window_restart(&window);
    one_window();
    one_window();
    one_window();
    ck_assert(window_overtaxed(&window, window_begin(&window)));
    ck_assert_int_eq(window.size, 4);
    one_window();
    ck_assert_int_eq(window.size, 5);
}
END_TEST

START_TEST(what_was_begun_before_the_outages_end_does_not_halve_it)
{
    window.size = 16;
    uint64_t before = window_begin(&window);
    window_restart(&window);
    one_window();
    ck_assert(!window_overtaxed(&window, before));
    ck_assert_int_eq(window.size, 2);
}
END_TEST

START_TEST(two_places_are_kept_for_a_waiting_customer)
{
    for (window.size = 1; window.size <= 32; window.size++) {
        int64_t others = 0;
        while (window_has_place(&window, false, 0, others))
            others++;
        ck_assert_int_eq(others, window.size > 3 ? window.size - 2 : 1);
        ck_assert(window_has_place(&window, true, 0, others));
        ck_assert(window_has_place(&window, true, 1, others));
        ck_assert_int_eq(window_has_place(&window, true, 2, others), 2 + others < window.size);
    }
}
END_TEST

START_TEST(customers_may_have_all_of_it_and_then_the_others_wait)
{
    ck_assert(window_has_place(&window, true, 3, 0));
    ck_assert(!window_has_place(&window, true, 4, 0));
    ck_assert(!window_has_place(&window, false, 4, 0));
    ck_assert(window_has_place(&window, false, 3, 0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *tests = tcase_create("window");
    tcase_add_checked_fixture(tests, setup, NULL);
    tcase_add_test(tests, it_starts_small_and_grows_by_one_for_each_window_of_successes);
    tcase_add_test(tests, its_greatest_may_be_less_than_the_start);
    tcase_add_test(tests, a_burst_of_failures_from_one_event_halves_it_once);
    tcase_add_test(tests, it_never_falls_below_one);
    tcase_add_test(tests, failures_start_the_count_of_successes_anew);
    tcase_add_test(tests, after_an_outage_it_starts_at_one_and_doubles_until_it_has_its_size_again);
    tcase_add_test(tests, a_second_outage_in_the_slow_start_does_not_lower_its_goal);
    tcase_add_test(tests, a_failure_ends_the_slow_start);
    tcase_add_test(tests, what_was_begun_before_the_outages_end_does_not_halve_it);
    tcase_add_test(tests, two_places_are_kept_for_a_waiting_customer);
    tcase_add_test(tests, customers_may_have_all_of_it_and_then_the_others_wait);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
