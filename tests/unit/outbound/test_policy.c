#include "base/random.h"
#include "outbound/retry_policy.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_KIND (CALLBACK_KIND_NONE + 1)
#define RESULTS 6 /* ATTEMPT_DELIVERED to ATTEMPT_ABORTED */

/* All ones: the longest wait that the jitter can give. All zeros: the shortest. */
static void fill(void *arg, void *ret_bytes, size_t size)
{
    memset(ret_bytes, *(const int *)arg, size);
}

static int zeros = 0;

static struct retry_facts facts_of(int kind, int result)
{
    return (struct retry_facts){.kind = (enum callback_kind)kind,
                                .result = (enum attempt_result)result,
                                .attempts = 1,
                                .permanents = result == ATTEMPT_PERMANENT,
                                .retry_after_ms = -1,
                                .left_ms = RETRY_NEVER_EXPIRES};
}

static bool is_feed(int kind)
{
    return kind >= CALLBACK_FEED_TRANSACTIONS;
}

START_TEST(every_kind_has_sane_times)
{
    const struct retry_policy *policy = retry_policy_of((enum callback_kind)_i);
    ck_assert_int_gt(policy->connect_ms, 0);
    ck_assert_int_gt(policy->total_ms, policy->connect_ms);
    ck_assert_int_gt(policy->base_ms, 0);
    ck_assert_int_gt(policy->cap_ms, policy->base_ms);
    ck_assert(policy->given_up == CALLBACK_EXPIRED || policy->given_up == CALLBACK_PARKED);
    ck_assert_int_eq(callback_lifetime_ms((enum callback_kind)_i), policy->lifetime_ms);
}
END_TEST

START_TEST(the_published_times_hold)
{
    const int64_t hour = 60 * 60 * 1000;
    const struct retry_policy *request = retry_policy_of(CALLBACK_REQUEST);
    ck_assert_int_eq(request->total_ms, 3000);
    ck_assert_int_eq(request->cap_ms, 1000);
    ck_assert_int_eq(request->lifetime_ms, 0);
    ck_assert_int_eq(retry_policy_of(CALLBACK_UNLOCK)->lifetime_ms, 24 * hour);
    ck_assert_int_eq(retry_policy_of(CALLBACK_VEND)->lifetime_ms, 72 * hour);
    ck_assert_int_eq(retry_policy_of(CALLBACK_VEND)->cap_ms, hour / 4);
    ck_assert(retry_policy_of(CALLBACK_VEND)->alarm);
    ck_assert_int_eq(retry_policy_of(CALLBACK_FEED_ALERTS)->lifetime_ms, 72 * hour);
}
END_TEST

START_TEST(an_answer_that_says_yes_or_no_ends_it_for_every_kind)
{
    struct retry_facts facts = facts_of(_i, ATTEMPT_DELIVERED);
    ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_DELIVERED);
    facts.result = ATTEMPT_REFUSED;
    ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_REFUSED);
}
END_TEST

/* Over all kinds, results and numbers of attempts. */
START_TEST(a_vend_is_never_lost)
{
    for (int result = 1; result <= RESULTS; result++) {
        for (int n = 1; n <= 100; n++) {
            struct retry_facts facts = facts_of(CALLBACK_VEND, result);
            facts.attempts = facts.permanents = n;
            facts.left_ms = n % 2 ? 1 : RETRY_NEVER_EXPIRES;
            enum callback_fate fate = retry_decide(&facts).fate;
            ck_assert(fate == CALLBACK_PENDING || fate == CALLBACK_DELIVERED ||
                      fate == CALLBACK_REFUSED || fate == CALLBACK_PARKED);
        }
    }
}
END_TEST

START_TEST(only_a_request_expires_and_everything_else_is_parked)
{
    struct retry_facts facts = facts_of(_i, ATTEMPT_RETRY);
    facts.left_ms = 0;
    enum callback_fate expected = _i == CALLBACK_REQUEST ? CALLBACK_EXPIRED : CALLBACK_PARKED;
    ck_assert_int_eq(retry_decide(&facts).fate, expected);
}
END_TEST

START_TEST(waits_double_up_to_the_cap_and_are_jittered_down_to_zero)
{
    const struct retry_policy *policy = retry_policy_of((enum callback_kind)_i);
    struct retry_facts facts = facts_of(_i, ATTEMPT_RETRY);
    int64_t ceiling = policy->base_ms;
    for (facts.attempts = 1; facts.attempts <= 60; facts.attempts++) {
        int64_t longest = 0;
        for (int draw = 0; draw < 40; draw++) {
            struct retry_plan plan = retry_decide(&facts);
            ck_assert_int_eq(plan.fate, CALLBACK_PENDING);
            ck_assert_int_ge(plan.wait_ms, 0);
            ck_assert_int_le(plan.wait_ms, ceiling);
            longest = plan.wait_ms > longest ? plan.wait_ms : longest;
        }
        ck_assert_int_gt(longest, ceiling / 4); /* fails by chance once in 10^24 */
        ceiling = ceiling * 2 < policy->cap_ms ? ceiling * 2 : policy->cap_ms;
    }
    random_replace(fill, &zeros);
    ck_assert_int_eq(retry_decide(&facts).wait_ms, 0);
    random_replace(NULL, NULL);
}
END_TEST

START_TEST(retry_after_is_honoured_up_to_an_hour)
{
    struct retry_facts facts = facts_of(_i, ATTEMPT_RETRY);
    random_replace(fill, &zeros);
    facts.retry_after_ms = 7000;
    ck_assert_int_eq(retry_decide(&facts).wait_ms, 7000);
    facts.retry_after_ms = INT64_C(100) * 60 * 60 * 1000;
    ck_assert_int_eq(retry_decide(&facts).wait_ms, 60 * 60 * 1000);
    random_replace(NULL, NULL);
}
END_TEST

START_TEST(one_whose_endpoint_is_closed_off_beyond_its_deadline_is_given_up_now)
{
    struct retry_facts facts = facts_of(CALLBACK_REQUEST, ATTEMPT_RETRY);
    facts.closed_off_ms = facts.left_ms = 7000;
    ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_EXPIRED);
    facts.left_ms = 7001;
    ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_PENDING);
    ck_assert_int_eq(retry_decide(&facts).wait_ms, 7000);
}
END_TEST

START_TEST(a_wait_that_would_pass_the_deadline_gives_up_now)
{
    struct retry_facts facts = facts_of(CALLBACK_REQUEST, ATTEMPT_RETRY);
    facts.retry_after_ms = 7000;
    facts.left_ms = 7000;
    ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_EXPIRED);
    facts.left_ms = 7001;
    ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_PENDING);
}
END_TEST

START_TEST(a_permanent_answer_ends_request_and_feed_but_vend_and_unlock_try_five_times_more)
{
    struct retry_facts facts = facts_of(_i, ATTEMPT_PERMANENT);
    int more = _i == CALLBACK_REQUEST || is_feed(_i) ? 0 : 5;
    for (facts.permanents = 1; facts.permanents <= more; facts.permanents++)
        ck_assert_int_eq(retry_decide(&facts).fate, CALLBACK_PENDING);
    enum callback_fate expected = _i == CALLBACK_REQUEST ? CALLBACK_EXPIRED : CALLBACK_PARKED;
    ck_assert_int_eq(retry_decide(&facts).fate, expected);
}
END_TEST

START_TEST(gone_holds_the_endpoint_and_loses_nothing_but_a_request)
{
    struct retry_facts facts = facts_of(_i, ATTEMPT_GONE);
    struct retry_plan plan = retry_decide(&facts);
    ck_assert(plan.hold);
    ck_assert_int_eq(plan.fate, _i == CALLBACK_REQUEST ? CALLBACK_EXPIRED : CALLBACK_PENDING);
}
END_TEST

START_TEST(paths_and_kinds_name_each_other)
{
    enum callback_kind kind = CALLBACK_KIND_NONE;
    ck_assert(callback_kind_parse(callback_kind_path((enum callback_kind)_i), &kind));
    ck_assert_int_eq(kind, _i);
    ck_assert(!callback_kind_parse("/txn/other", &kind));
    ck_assert_int_eq(kind, _i);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("retry_policy");
    TCase *laws = tcase_create("laws over all kinds");
    tcase_add_loop_test(laws, every_kind_has_sane_times, FIRST_KIND, CALLBACK_KIND_COUNT);
    tcase_add_loop_test(laws, an_answer_that_says_yes_or_no_ends_it_for_every_kind, FIRST_KIND,
                        CALLBACK_KIND_COUNT);
    tcase_add_loop_test(laws, only_a_request_expires_and_everything_else_is_parked, FIRST_KIND,
                        CALLBACK_KIND_COUNT);
    tcase_add_loop_test(laws, waits_double_up_to_the_cap_and_are_jittered_down_to_zero, FIRST_KIND,
                        CALLBACK_KIND_COUNT);
    tcase_add_loop_test(laws, retry_after_is_honoured_up_to_an_hour, FIRST_KIND,
                        CALLBACK_KIND_COUNT);
    tcase_add_loop_test(
        laws, a_permanent_answer_ends_request_and_feed_but_vend_and_unlock_try_five_times_more,
        FIRST_KIND, CALLBACK_KIND_COUNT);
    tcase_add_loop_test(laws, gone_holds_the_endpoint_and_loses_nothing_but_a_request, FIRST_KIND,
                        CALLBACK_KIND_COUNT);
    tcase_add_loop_test(laws, paths_and_kinds_name_each_other, FIRST_KIND, CALLBACK_KIND_COUNT);
    suite_add_tcase(suite, laws);
    TCase *single = tcase_create("single");
    tcase_add_test(single, the_published_times_hold);
    tcase_add_test(single, a_vend_is_never_lost);
    tcase_add_test(single, one_whose_endpoint_is_closed_off_beyond_its_deadline_is_given_up_now);
    tcase_add_test(single, a_wait_that_would_pass_the_deadline_gives_up_now);
    suite_add_tcase(suite, single);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
