/* The shares of what all endpoints have in common, and the rate that one asks for. */
#include "outbound/admission.h"
#include "outbound/rate.h"

#include <check.h>
#include <stdlib.h>

#define SECOND INT64_C(1000000000)

static struct admission admission;

static int64_t fill(enum callback_class class)
{
    int64_t count = 0;
    for (; admission_open(&admission, class); count++)
        admission_begin(&admission, class);
    return count;
}

START_TEST(every_kind_has_its_class_and_a_replay_is_bulk)
{
    struct outbound_callback callback = {.kind = (enum callback_kind)_i};
    enum callback_class expected = CLASS_BULK;
    if (_i == CALLBACK_REQUEST || _i == CALLBACK_UNLOCK)
        expected = CLASS_URGENT;
    if (_i == CALLBACK_VEND)
        expected = CLASS_VEND;
    ck_assert_int_eq(callback_class_of(&callback), expected);
    callback.replay = true;
    ck_assert_int_eq(callback_class_of(&callback), CLASS_BULK);
}
END_TEST

START_TEST(bulk_gets_half_vends_seven_eighths_and_customers_everything)
{
    admission_init(&admission, 256);
    ck_assert_int_eq(fill(CLASS_BULK), 128);
    ck_assert_int_eq(fill(CLASS_VEND), 224 - 128);
    ck_assert_int_eq(fill(CLASS_BULK), 0);
    ck_assert_int_eq(fill(CLASS_URGENT), 256 - 224);
    ck_assert_int_eq(admission_flying(&admission), 256);
    admission_end(&admission, CLASS_BULK);
    ck_assert(admission_open(&admission, CLASS_BULK));
}
END_TEST

START_TEST(there_are_never_more_than_all)
{
    admission_init(&admission, 256);
    ck_assert_int_eq(fill(CLASS_URGENT), 256);
    ck_assert_int_eq(fill(CLASS_VEND), 0);
    ck_assert_int_eq(fill(CLASS_BULK), 0);
}
END_TEST

START_TEST(however_few_connections_there_are_each_class_gets_one)
{
    for (int each = 0; each < CLASS_COUNT; each++) {
        admission_init(&admission, 1);
        ck_assert_int_eq(fill((enum callback_class)each), 1);
    }
}
END_TEST

static bool room_for(enum callback_kind kind, int64_t count, int64_t bulk)
{
    const struct outbound_callback callback = {.kind = kind};
    return admission_room(1000, count, bulk, &callback);
}

START_TEST(customers_have_a_quarter_of_memory_more)
{
    ck_assert(room_for(CALLBACK_REQUEST, 1249, 0));
    ck_assert(!room_for(CALLBACK_REQUEST, 1250, 0));
    ck_assert(!room_for(CALLBACK_UNLOCK, 1000, 0)); /* nobody stands there any more */
    ck_assert(room_for(CALLBACK_VEND, 999, 0));
    ck_assert(!room_for(CALLBACK_VEND, 1000, 0));
}
END_TEST

START_TEST(what_waits_for_its_time_leaves_half_of_memory_to_the_vends)
{
    ck_assert(room_for(CALLBACK_FEED_ALERTS, 499, 499));
    ck_assert(!room_for(CALLBACK_FEED_ALERTS, 500, 500));
    ck_assert(room_for(CALLBACK_VEND, 500, 500));
    const struct outbound_callback replay = {.kind = CALLBACK_VEND, .replay = true};
    ck_assert(!admission_room(1000, 500, 500, &replay));
}
END_TEST

/* How many pass from `from_ns` on in `span_ns`, if as many as can. */
static int64_t pass(struct rate *rate, int64_t from_ns, int64_t span_ns)
{
    int64_t count = 0;
    for (int64_t now_ns = from_ns; now_ns < from_ns + span_ns;) {
        int64_t wait_ns = rate_wait_ns(rate, now_ns);
        now_ns += wait_ns;
        if (wait_ns > 0)
            continue;
        rate_use(rate, now_ns);
        count++;
    }
    return count;
}

START_TEST(a_rate_lets_through_what_it_says_after_its_first_tenth_of_a_second)
{
    static const int64_t RATES[] = {1, 5, 10, 20, 100, 1000, 10000};
    struct rate rate = {0};
    int64_t burst = RATES[_i] / 10 > 1 ? RATES[_i] / 10 - 1 : 0;
    rate_set(&rate, RATES[_i]);
    ck_assert_int_eq(pass(&rate, 5 * SECOND, 10 * SECOND), 10 * RATES[_i] + burst);
    ck_assert_int_eq(pass(&rate, 15 * SECOND, 10 * SECOND), 10 * RATES[_i]); /* no new burst */
    ck_assert_int_le(pass(&rate, 60 * SECOND, SECOND), RATES[_i] + burst);   /* after a pause one */
}
END_TEST

START_TEST(without_a_rate_nobody_waits)
{
    struct rate rate = {0};
    for (int i = 0; i < 1000; i++) {
        rate_use(&rate, SECOND);
        ck_assert_int_eq(rate_wait_ns(&rate, SECOND), 0);
    }
}
END_TEST

START_TEST(a_rate_that_is_set_again_gives_no_new_tokens)
{
    struct rate rate = {0};
    rate_set(&rate, 1);
    rate_use(&rate, SECOND);
    rate_set(&rate, 1);
    ck_assert_int_eq(rate_wait_ns(&rate, SECOND), SECOND);
    rate_set(&rate, 0);
    ck_assert_int_eq(rate_wait_ns(&rate, SECOND), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("admission");
    TCase *tests = tcase_create("admission");
    tcase_add_loop_test(tests, every_kind_has_its_class_and_a_replay_is_bulk,
                        CALLBACK_KIND_NONE + 1, CALLBACK_KIND_COUNT);
    tcase_add_test(tests, bulk_gets_half_vends_seven_eighths_and_customers_everything);
    tcase_add_test(tests, there_are_never_more_than_all);
    tcase_add_test(tests, however_few_connections_there_are_each_class_gets_one);
    tcase_add_test(tests, customers_have_a_quarter_of_memory_more);
    tcase_add_test(tests, what_waits_for_its_time_leaves_half_of_memory_to_the_vends);
    tcase_add_loop_test(tests, a_rate_lets_through_what_it_says_after_its_first_tenth_of_a_second,
                        0, 7);
    tcase_add_test(tests, without_a_rate_nobody_waits);
    tcase_add_test(tests, a_rate_that_is_set_again_gives_no_new_tokens);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
