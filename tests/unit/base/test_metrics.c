#include "base/macros.h"
#include "base/metrics.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double BOUNDS[] = {0.1, 0.5, 2, 0};

static const struct metric_def DEFS[] = {
    {"vendgate_requests_total", METRIC_COUNTER, "Requests by path.", {"path", "outcome"}, NULL},
    {"vendgate_machines", METRIC_GAUGE, "Machines \\ online\nnow, \"live\".", {NULL}, NULL},
    {"vendgate_flush_seconds", METRIC_HISTOGRAM, "Time of a flush.", {"pool"}, BOUNDS},
    {"vendgate_lag_seconds", METRIC_HISTOGRAM, "Lag.", {NULL}, NULL},
};
enum { REQUESTS, MACHINES, FLUSH, LAG };

static struct metrics *metrics;
static char *page;

static void setup(void)
{
    metrics = metrics_new();
}

static void teardown(void)
{
    free(page);
    page = NULL;
    metrics_free(&metrics);
    ck_assert_ptr_null(metrics);
    metrics_free(&metrics);
}

static const char *render(void)
{
    size_t size;
    free(page);
    page = metrics_render(metrics, &size);
    ck_assert_uint_eq(strlen(page), size);
    return page;
}

static void assert_has(const char *text)
{
    ck_assert_msg(strstr(page, text) != NULL, "no '%s' in:\n%s", text, page);
}

START_TEST(an_empty_registry_renders_nothing)
{
    ck_assert_str_eq(render(), "");
}
END_TEST

START_TEST(a_declared_family_is_rendered_before_its_first_cell)
{
    metrics_declare(metrics, DEFS, 2);
    metrics_declare(metrics, DEFS, 2);
    ck_assert_str_eq(render(), "# HELP vendgate_requests_total Requests by path.\n"
                               "# TYPE vendgate_requests_total counter\n"
                               "# HELP vendgate_machines Machines \\\\ online\\nnow, \"live\".\n"
                               "# TYPE vendgate_machines gauge\n"
                               "vendgate_machines 0\n");
}
END_TEST

START_TEST(counters_and_gauges_keep_their_sum)
{
    struct metric_cell *lock = metrics_cell(metrics, &DEFS[REQUESTS], "/api/lock", "ok");
    metric_add(lock, 1);
    metric_add(lock, 2);
    ck_assert_ptr_eq(lock, metrics_cell(metrics, &DEFS[REQUESTS], "/api/lock", "ok"));
    metric_add(metrics_cell(metrics, &DEFS[REQUESTS], "/api/paid", "ok"), 1);
    struct metric_cell *machines = metrics_cell(metrics, &DEFS[MACHINES]);
    metric_set(machines, 10);
    metric_add(machines, -2.5);
    ck_assert_double_eq(metric_value(lock), 3);
    ck_assert_double_eq(metric_value(machines), 7.5);
    ck_assert_str_eq(render(), "# HELP vendgate_requests_total Requests by path.\n"
                               "# TYPE vendgate_requests_total counter\n"
                               "vendgate_requests_total{path=\"/api/lock\",outcome=\"ok\"} 3\n"
                               "vendgate_requests_total{path=\"/api/paid\",outcome=\"ok\"} 1\n"
                               "# HELP vendgate_machines Machines \\\\ online\\nnow, \"live\".\n"
                               "# TYPE vendgate_machines gauge\n"
                               "vendgate_machines 7.5\n");
}
END_TEST

START_TEST(label_values_are_told_apart_however_they_are_joined)
{
    struct metric_cell *one = metrics_cell(metrics, &DEFS[REQUESTS], "ab", "c");
    struct metric_cell *two = metrics_cell(metrics, &DEFS[REQUESTS], "a", "bc");
    struct metric_cell *none = metrics_cell(metrics, &DEFS[REQUESTS], "", (const char *)NULL);
    ck_assert_ptr_ne(one, two);
    ck_assert_ptr_ne(one, none);
    ck_assert_ptr_eq(none, metrics_cell(metrics, &DEFS[REQUESTS], "", ""));
}
END_TEST

START_TEST(label_values_are_escaped_and_always_utf8)
{
    metric_add(metrics_cell(metrics, &DEFS[REQUESTS], "a\"b\\c\nd", "\xc3\xa4\xff\x01"), 1);
    render();
    assert_has("vendgate_requests_total{path=\"a\\\"b\\\\c\\nd\",outcome=\"\xc3\xa4??\"} 1\n");
}
END_TEST

START_TEST(a_histogram_has_cumulative_buckets_sum_and_count)
{
    struct metric_cell *cell = metrics_cell(metrics, &DEFS[FLUSH], "a");
    static const double VALUES[] = {0.05, 0.1, 0.25, 1, 1.5, 99};
    for (size_t i = 0; i < ARRAY_SIZE(VALUES); i++)
        metric_observe(cell, VALUES[i]);
    ck_assert_double_eq(metric_value(cell), 6);
    ck_assert_str_eq(render(), "# HELP vendgate_flush_seconds Time of a flush.\n"
                               "# TYPE vendgate_flush_seconds histogram\n"
                               "vendgate_flush_seconds_bucket{pool=\"a\",le=\"0.1\"} 2\n"
                               "vendgate_flush_seconds_bucket{pool=\"a\",le=\"0.5\"} 3\n"
                               "vendgate_flush_seconds_bucket{pool=\"a\",le=\"2\"} 5\n"
                               "vendgate_flush_seconds_bucket{pool=\"a\",le=\"+Inf\"} 6\n"
                               "vendgate_flush_seconds_sum{pool=\"a\"} 101.9\n"
                               "vendgate_flush_seconds_count{pool=\"a\"} 6\n");
}
END_TEST

START_TEST(without_own_buckets_a_histogram_spans_a_tenth_of_a_millisecond_to_half_a_minute)
{
    metric_observe(metrics_cell(metrics, &DEFS[LAG]), 0.0001);
    render();
    assert_has("vendgate_lag_seconds_bucket{le=\"0.0001\"} 1\n");
    assert_has("vendgate_lag_seconds_bucket{le=\"30\"} 1\n");
    assert_has("vendgate_lag_seconds_bucket{le=\"+Inf\"} 1\n");
    assert_has("vendgate_lag_seconds_count 1\n");
    for (size_t i = 1; METRICS_SECONDS[i] > 0; i++)
        ck_assert_double_gt(METRICS_SECONDS[i], METRICS_SECONDS[i - 1]);
}
END_TEST

START_TEST(numbers_read_back_as_they_were)
{
    static const struct {
        double number;
        const char *written;
    } NUMBERS[] = {
        {0.1, "0.1"},
        {1e15, "1e+15"},
        {123456789, "123456789"},
        {1.0 / 3, "0.3333333333333333"},
        {INFINITY, "+Inf"},
        {-INFINITY, "-Inf"},
        {NAN, "NaN"},
        {1700000000.25, "1700000000.25"},
    };
    struct metric_cell *cell = metrics_cell(metrics, &DEFS[MACHINES]);
    for (size_t i = 0; i < ARRAY_SIZE(NUMBERS); i++) {
        char line[64];
        metric_set(cell, NUMBERS[i].number);
        snprintf(line, sizeof(line), "vendgate_machines %s\n", NUMBERS[i].written);
        render();
        assert_has(line);
    }
}
END_TEST

START_TEST(label_values_beyond_the_limit_share_one_cell)
{
    char value[32];
    struct metric_cell *first = metrics_cell(metrics, &DEFS[REQUESTS], "0", "ok");
    for (int i = 1; i < METRICS_CELLS_MAX; i++) {
        snprintf(value, sizeof(value), "%d", i);
        ck_assert_ptr_ne(first, metrics_cell(metrics, &DEFS[REQUESTS], value, "ok"));
    }
    struct metric_cell *other = metrics_cell(metrics, &DEFS[REQUESTS], "one more", "ok");
    ck_assert_ptr_eq(other, metrics_cell(metrics, &DEFS[REQUESTS], "and another", "refused"));
    ck_assert_ptr_eq(first, metrics_cell(metrics, &DEFS[REQUESTS], "0", "ok"));
    metric_add(other, 2);
    render();
    assert_has("vendgate_requests_total{path=\"other\",outcome=\"other\"} 2\n");
    ck_assert_ptr_null(strstr(page, "one more"));
}
END_TEST

static void read_machines(void *arg)
{
    int *machines = arg;
    metric_set(metrics_cell(metrics, &DEFS[MACHINES]), ++*machines);
}

START_TEST(collectors_run_before_each_render)
{
    int machines = 3;
    metrics_collect(metrics, read_machines, &machines);
    render();
    assert_has("vendgate_machines 4\n");
    render();
    assert_has("vendgate_machines 5\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_empty_registry_renders_nothing);
    tcase_add_test(tests, a_declared_family_is_rendered_before_its_first_cell);
    tcase_add_test(tests, counters_and_gauges_keep_their_sum);
    tcase_add_test(tests, label_values_are_told_apart_however_they_are_joined);
    tcase_add_test(tests, label_values_are_escaped_and_always_utf8);
    tcase_add_test(tests, a_histogram_has_cumulative_buckets_sum_and_count);
    tcase_add_test(tests,
                   without_own_buckets_a_histogram_spans_a_tenth_of_a_millisecond_to_half_a_minute);
    tcase_add_test(tests, numbers_read_back_as_they_were);
    tcase_add_test(tests, label_values_beyond_the_limit_share_one_cell);
    tcase_add_test(tests, collectors_run_before_each_render);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
