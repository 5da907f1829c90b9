/* What an integrator may rely on when it checks a callback: the published vectors of Standard
 * Webhooks. */
#include "sample_integrator/signature.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *secret, *id, *timestamp, *body, *signature;
} VECTORS[] = {
    {"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
     "{\"test\": 2432232314}", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553",
     "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
};

static enum signature_verdict check(int vector, const char *signature, int64_t now_s)
{
    struct signature_secret secret;
    ck_assert_int_eq(signature_secret_parse(VECTORS[vector].secret, &secret), 0);
    struct signature_claim claim = {
        .id = VECTORS[vector].id,
        .timestamp = VECTORS[vector].timestamp,
        .signature = signature,
        .body = VECTORS[vector].body,
        .body_size = strlen(VECTORS[vector].body),
    };
    return signature_check(&secret, &claim, now_s);
}

static int64_t signed_at(int vector)
{
    return strtoll(VECTORS[vector].timestamp, NULL, 10);
}

START_TEST(the_published_vectors_are_accepted)
{
    ck_assert_int_eq(check(_i, VECTORS[_i].signature, signed_at(_i)), SIGNATURE_GOOD);
}
END_TEST

START_TEST(one_good_signature_in_the_list_is_enough)
{
    char list[256];
    snprintf(list, sizeof(list), "v1a,bm9uZQ== v1,bm9uZQ== %s", VECTORS[_i].signature);
    ck_assert_int_eq(check(_i, list, signed_at(_i)), SIGNATURE_GOOD);
}
END_TEST

START_TEST(a_signature_of_something_else_is_wrong)
{
    ck_assert_int_eq(check(_i, VECTORS[1 - _i].signature, signed_at(_i)), SIGNATURE_WRONG);
    ck_assert_int_eq(check(_i, "", signed_at(_i)), SIGNATURE_WRONG);
    ck_assert_int_eq(check(_i, "v1,", signed_at(_i)), SIGNATURE_WRONG);
}
END_TEST

START_TEST(an_old_callback_cannot_be_replayed)
{
    ck_assert_int_eq(check(0, VECTORS[0].signature, signed_at(0) + 299), SIGNATURE_GOOD);
    ck_assert_int_eq(check(0, VECTORS[0].signature, signed_at(0) + 300), SIGNATURE_STALE);
    ck_assert_int_eq(check(0, VECTORS[0].signature, signed_at(0) - 300), SIGNATURE_STALE);
}
END_TEST

START_TEST(missing_headers_are_told_apart)
{
    ck_assert_int_eq(check(0, NULL, signed_at(0)), SIGNATURE_MISSING);
}
END_TEST

START_TEST(what_is_no_secret_is_refused)
{
    static const char *const BAD[] = {"", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
                                      "whsec_MfKQ", "whsec_????????????????????????????????"};
    struct signature_secret secret;
    ck_assert_int_eq(signature_secret_parse(BAD[_i], &secret), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sample_integrator/signature");
    TCase *tests = tcase_create("signature");
    tcase_add_loop_test(tests, the_published_vectors_are_accepted, 0, 2);
    tcase_add_loop_test(tests, one_good_signature_in_the_list_is_enough, 0, 2);
    tcase_add_loop_test(tests, a_signature_of_something_else_is_wrong, 0, 2);
    tcase_add_test(tests, an_old_callback_cannot_be_replayed);
    tcase_add_test(tests, missing_headers_are_told_apart);
    tcase_add_loop_test(tests, what_is_no_secret_is_refused, 0, 5);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
