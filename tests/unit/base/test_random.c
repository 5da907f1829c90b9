#include "base/clock.h"
#include "base/macros.h"
#include "base/random.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Gives the draws of a script, one after the other. */
struct script {
    const uint64_t *draws;
    size_t next;
};

static void draw_script(void *arg, void *ret_bytes, size_t size)
{
    struct script *script = arg;
    ck_assert_uint_eq(size, sizeof(uint64_t));
    memcpy(ret_bytes, &script->draws[script->next++], size);
}

static void draw_byte(void *arg, void *ret_bytes, size_t size)
{
    memset(ret_bytes, *(const int *)arg, size);
}

START_TEST(below_is_below_its_bound)
{
    ck_assert_uint_eq(random_below(0), 0);
    ck_assert_uint_eq(random_below(1), 0);
    bool seen[7] = {false};
    for (int i = 0; i < 2000; i++) {
        uint64_t drawn = random_below(7);
        ck_assert_uint_lt(drawn, 7);
        seen[drawn] = true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
        ck_assert(seen[i]);
}
END_TEST

/* 2^64 is no multiple of 3 * 2^62: the top quarter of the draws would make the small results twice
 * as likely. */
START_TEST(draws_that_would_bias_are_drawn_again)
{
    static const uint64_t DRAWS[] = {UINT64_MAX, (uint64_t)3 << 62, ((uint64_t)3 << 62) - 1};
    struct script script = {.draws = DRAWS};
    random_replace(draw_script, &script);
    ck_assert_uint_eq(random_below((uint64_t)3 << 62), ((uint64_t)3 << 62) - 1);
    ck_assert_uint_eq(script.next, 3);
    random_replace(NULL, NULL);
}
END_TEST

START_TEST(a_power_of_two_rejects_no_draw)
{
    static const uint64_t DRAWS[] = {UINT64_MAX};
    struct script script = {.draws = DRAWS};
    random_replace(draw_script, &script);
    ck_assert_uint_eq(random_below(16), 15);
    random_replace(NULL, NULL);
}
END_TEST

START_TEST(hexadecimal_shows_each_byte)
{
    int byte = 0xa5;
    char text[2 * 20 + 1];
    random_replace(draw_byte, &byte);
    random_hex(text, 20);
    ck_assert_str_eq(text, "a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5");
    random_hex(text, 0);
    ck_assert_str_eq(text, "");
    random_replace(NULL, NULL);
}
END_TEST

START_TEST(a_uuid_tells_version_and_variant)
{
    int byte = 0xff;
    char uuid[RANDOM_UUID_SIZE];
    random_replace(draw_byte, &byte);
    random_uuid(uuid);
    ck_assert_str_eq(uuid, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    byte = 0;
    random_uuid(uuid);
    ck_assert_str_eq(uuid, "00000000-0000-4000-8000-000000000000");
    random_replace(NULL, NULL);
}
END_TEST

START_TEST(the_system_draws_anew_each_time)
{
    char first[RANDOM_UUID_SIZE], second[RANDOM_UUID_SIZE];
    random_uuid(first);
    random_uuid(second);
    ck_assert_str_ne(first, second);
}
END_TEST

static int64_t fixed_monotonic(void *arg)
{
    return *(const int64_t *)arg;
}

static int64_t fixed_unix(void *arg UNUSED)
{
    return 1700000000999;
}

START_TEST(a_replaced_clock_tells_its_own_time)
{
    int64_t monotonic = 5999999;
    struct clock_source source = {fixed_monotonic, fixed_unix, &monotonic};
    clock_replace(&source);
    ck_assert_int_eq(clock_monotonic_ns(), 5999999);
    ck_assert_int_eq(clock_monotonic_ms(), 5);
    ck_assert_int_eq(clock_unix_ms(), 1700000000999);
    ck_assert_int_eq(clock_unix_s(), 1700000000);
    clock_replace(NULL);
    ck_assert_int_gt(clock_unix_s(), 1700000001);
}
END_TEST

START_TEST(the_monotonic_clock_never_goes_back)
{
    int64_t last = clock_monotonic_ns();
    for (int i = 0; i < 1000; i++) {
        int64_t now = clock_monotonic_ns();
        ck_assert_int_ge(now, last);
        last = now;
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("random");
    TCase *random = tcase_create("random");
    tcase_add_test(random, below_is_below_its_bound);
    tcase_add_test(random, draws_that_would_bias_are_drawn_again);
    tcase_add_test(random, a_power_of_two_rejects_no_draw);
    tcase_add_test(random, hexadecimal_shows_each_byte);
    tcase_add_test(random, a_uuid_tells_version_and_variant);
    tcase_add_test(random, the_system_draws_anew_each_time);
    suite_add_tcase(suite, random);
    TCase *clock = tcase_create("clock");
    tcase_add_test(clock, a_replaced_clock_tells_its_own_time);
    tcase_add_test(clock, the_monotonic_clock_never_goes_back);
    suite_add_tcase(suite, clock);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
