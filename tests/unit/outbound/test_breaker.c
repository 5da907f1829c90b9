#include "outbound/breaker.h"

#include <check.h>
#include <stdlib.h>

#define START_MS INT64_C(1000000)

static struct breaker breaker;
static int64_t now_ms;

static enum breaker_change tell(enum health health)
{
    return breaker_told(&breaker, health, PROBE_NONE, now_ms);
}

static void open_it(void)
{
    for (int i = 0; i < BREAKER_IN_ROW; i++)
        (void)tell(HEALTH_UNREACHABLE);
    ck_assert(breaker.open);
}

/* A probe that may go now and ends so, after a while. */
static enum breaker_change probe(enum probe expected, enum health health, int64_t after_ms)
{
    enum probe probe = breaker_probe(&breaker, expected == PROBE_URGENT, now_ms);
    ck_assert_int_eq(probe, expected);
    breaker_probe_begun(&breaker, probe);
    now_ms += after_ms;
    breaker_probe_over(&breaker, probe);
    return breaker_told(&breaker, health, probe, now_ms);
}

START_TEST(five_in_a_row_without_an_answer_open_it)
{
    for (int i = 1; i <= 4; i++)
        ck_assert_int_eq(tell(HEALTH_UNREACHABLE), BREAKER_AS_BEFORE);
    ck_assert_int_eq(tell(HEALTH_UNREACHABLE), BREAKER_OPENED);
    ck_assert_int_eq(tell(HEALTH_UNREACHABLE), BREAKER_AS_BEFORE);
}
END_TEST

START_TEST(an_answer_in_between_starts_the_row_anew)
{
    static const enum health ANSWERS[] = {HEALTH_WELL, HEALTH_OVERLOADED};
    for (int i = 0; i < 4; i++)
        (void)tell(HEALTH_UNREACHABLE);
    (void)tell(ANSWERS[_i]);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(tell(HEALTH_UNREACHABLE), BREAKER_AS_BEFORE);
}
END_TEST

START_TEST(half_of_the_last_twenty_open_it)
{
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(tell(HEALTH_WELL), BREAKER_AS_BEFORE);
    for (int i = 0; i < 9; i++)
        ck_assert_int_eq(tell(HEALTH_OVERLOADED), BREAKER_AS_BEFORE);
    ck_assert_int_eq(tell(HEALTH_OVERLOADED), BREAKER_OPENED);
}
END_TEST

START_TEST(failures_among_enough_successes_do_not_open_it)
{
    for (int i = 0; i < 200; i++)
        ck_assert_int_eq(tell(i % 3 ? HEALTH_WELL : HEALTH_UNREACHABLE), BREAKER_AS_BEFORE);
}
END_TEST

START_TEST(failures_that_are_long_ago_do_not_count)
{
    for (int i = 0; i < 200; i++) {
        ck_assert_int_eq(tell(HEALTH_OVERLOADED), BREAKER_AS_BEFORE);
        now_ms += BREAKER_LAST_MS / (BREAKER_LAST_BAD - 1) + 1;
    }
}
END_TEST

START_TEST(a_dropped_kept_connection_counts_for_nothing)
{
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(tell(HEALTH_UNKNOWN), BREAKER_AS_BEFORE);
    ck_assert(!breaker_suspects(&breaker));
}
END_TEST

START_TEST(any_answer_closes_it)
{
    open_it();
    ck_assert_int_eq(tell(HEALTH_OVERLOADED), BREAKER_AS_BEFORE);
    ck_assert_int_eq(tell(HEALTH_WELL), BREAKER_CLOSED); /* begun before it was opened */
    ck_assert(!breaker_suspects(&breaker));
    ck_assert_int_eq(tell(HEALTH_UNREACHABLE), BREAKER_AS_BEFORE); /* the old ones are void */
}
END_TEST

START_TEST(probes_are_spaced_by_a_quarter_of_the_outage_within_limits)
{
    open_it();
    int64_t start = now_ms;
    int64_t longest = 0;
    for (int i = 0; i < 300; i++) {
        int64_t due = breaker.due_ms[PROBE_SPACED];
        ck_assert_int_eq(breaker_probe(&breaker, false, due - 1), PROBE_NONE);
        int64_t space = due - now_ms;
        int64_t quarter = (now_ms - start) / 4;
        ck_assert_int_ge(space, 375);
        ck_assert_int_le(space, 15000);
        ck_assert_int_le(space, quarter < 500 ? 625 : quarter + quarter / 4 + 1);
        longest = space > longest ? space : longest;
        now_ms = due;
        ck_assert_int_eq(probe(PROBE_SPACED, HEALTH_UNREACHABLE, 0), BREAKER_AS_BEFORE);
    }
    ck_assert_int_gt(longest, 12000);
}
END_TEST

START_TEST(one_probe_of_each_sort_is_under_way_at_a_time)
{
    open_it();
    now_ms = breaker.due_ms[PROBE_SPACED];
    breaker_probe_begun(&breaker, PROBE_SPACED);
    ck_assert_int_eq(breaker_probe(&breaker, false, now_ms + 100000), PROBE_NONE);
    ck_assert_int_eq(breaker_probe(&breaker, true, now_ms), PROBE_URGENT);
    breaker_probe_begun(&breaker, PROBE_URGENT);
    ck_assert_int_eq(breaker_probe(&breaker, true, now_ms + 100000), PROBE_NONE);
    breaker_probe_over(&breaker, PROBE_SPACED); /* taken back: another may go at once */
    ck_assert_int_eq(breaker_probe(&breaker, false, now_ms), PROBE_SPACED);
}
END_TEST

START_TEST(an_urgent_one_asks_at_once_and_again_after_a_moment)
{
    open_it();
    ck_assert_int_eq(breaker_probe(&breaker, false, now_ms), PROBE_NONE);
    ck_assert_int_eq(probe(PROBE_URGENT, HEALTH_UNREACHABLE, 3), BREAKER_AS_BEFORE);
    ck_assert_int_eq(breaker_probe(&breaker, true, now_ms + BREAKER_URGENT_GAP_MS - 1), PROBE_NONE);
    now_ms += BREAKER_URGENT_GAP_MS;
    ck_assert_int_eq(probe(PROBE_URGENT, HEALTH_WELL, 3), BREAKER_CLOSED);
}
END_TEST

START_TEST(late_failures_of_what_was_begun_before_put_no_probe_off)
{
    open_it();
    int64_t due = breaker.due_ms[PROBE_SPACED];
    now_ms = due - 1;
    for (int i = 0; i < 10; i++)
        (void)tell(HEALTH_UNREACHABLE);
    ck_assert_int_eq(breaker_probe(&breaker, false, due), PROBE_SPACED);
}
END_TEST

START_TEST(a_reset_forgets_all_but_the_probe_that_is_under_way)
{
    open_it();
    breaker_probe_begun(&breaker, PROBE_URGENT);
    breaker_reset(&breaker);
    ck_assert(!breaker.open && !breaker_suspects(&breaker));
    open_it();
    ck_assert_int_eq(breaker_probe(&breaker, true, now_ms), PROBE_NONE);
    breaker_probe_over(&breaker, PROBE_URGENT);
    ck_assert_int_eq(breaker_probe(&breaker, true, now_ms), PROBE_URGENT);
}
END_TEST

static void begin(void)
{
    breaker = (struct breaker){0};
    now_ms = START_MS;
}

int main(void)
{
    Suite *suite = suite_create("breaker");
    TCase *tests = tcase_create("breaker");
    tcase_add_checked_fixture(tests, begin, NULL);
    tcase_add_test(tests, five_in_a_row_without_an_answer_open_it);
    tcase_add_loop_test(tests, an_answer_in_between_starts_the_row_anew, 0, 2);
    tcase_add_test(tests, half_of_the_last_twenty_open_it);
    tcase_add_test(tests, failures_among_enough_successes_do_not_open_it);
    tcase_add_test(tests, failures_that_are_long_ago_do_not_count);
    tcase_add_test(tests, a_dropped_kept_connection_counts_for_nothing);
    tcase_add_test(tests, any_answer_closes_it);
    tcase_add_test(tests, probes_are_spaced_by_a_quarter_of_the_outage_within_limits);
    tcase_add_test(tests, one_probe_of_each_sort_is_under_way_at_a_time);
    tcase_add_test(tests, an_urgent_one_asks_at_once_and_again_after_a_moment);
    tcase_add_test(tests, late_failures_of_what_was_begun_before_put_no_probe_off);
    tcase_add_test(tests, a_reset_forgets_all_but_the_probe_that_is_under_way);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
