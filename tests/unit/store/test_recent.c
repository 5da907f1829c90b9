/* test_recent.c - what a crash of PostgreSQL may take back is made again, and only that. */
#include "base/clock.h"
#include "base/macros.h"
#include "store/recent.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

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

static struct recent *recent;

static void begin(void)
{
    static const struct clock_source PLAYED = {played_monotonic_ns, played_unix_ms, NULL};
    now_ms = 1000;
    clock_replace(&PLAYED);
    recent = recent_new();
}

static void end(void)
{
    recent_free(&recent);
    clock_replace(NULL);
}

static void must_not_run(struct operation *operation, enum store_outcome outcome,
                         const PGresult *rows)
{
    (void)operation;
    (void)outcome;
    (void)rows;
    ck_abort_msg("its caller was answered before");
}

static void commit(int64_t number)
{
    struct operation *operation = operation_new(STATEMENT_CALLBACK_SETTLE, must_not_run, NULL);
    operation_add_integer(operation, number);
    recent_add(recent, operation);
}

/* Takes what is left, runs each as answered, and compares their numbers, one digit each. */
static void assert_left(const char *numbers)
{
    size_t count, seen = 0;
    struct operation *list = recent_take(recent, &count), *operation, *next;
    ck_assert_uint_eq(count, strlen(numbers));
    DL_FOREACH_SAFE (list, operation, next) {
        const char *number = (const char *)operation->parameters.bytes.bytes;
        ck_assert_int_eq(number[0], numbers[seen++]);
        operation->finish(operation, STORE_APPLIED, NULL);
        DL_DELETE(list, operation);
        operation_free(&operation);
    }
    ck_assert_uint_eq(seen, count);
}

START_TEST(the_last_commits_are_made_again_in_their_order)
{
    commit(1);
    now_ms += 100;
    commit(2);
    commit(3);
    assert_left("123");
    assert_left("");
}
END_TEST

START_TEST(what_must_be_on_disk_is_forgotten)
{
    commit(1);
    now_ms += 2000;
    commit(2);
    now_ms += 1001;
    commit(3);
    assert_left("23");
}
END_TEST

/* The server may have crashed right after the last commit, however long nobody noticed. */
START_TEST(the_last_commit_is_kept_however_long_nothing_follows)
{
    commit(1);
    now_ms += 3600 * 1000;
    assert_left("1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("recent");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, begin, end);
    tcase_add_test(all, the_last_commits_are_made_again_in_their_order);
    tcase_add_test(all, what_must_be_on_disk_is_forgotten);
    tcase_add_test(all, the_last_commit_is_kept_however_long_nothing_follows);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
