#include "outbound/webhook_signature.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char KEY_1[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char KEY_2[] = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

struct vector {
    const char *key, *id;
    int64_t timestamp_s;
    const char *body, *signature;
};

/* Published with Standard Webhooks and by the platforms that use it. */
static const struct vector VECTORS[] = {
    {KEY_1, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {KEY_2, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
     "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
};

static struct webhook_signer *signer_with(const char *const keys[OUTBOUND_KEYS_MAX])
{
    struct webhook_signer *signer = NULL;
    ck_assert_int_eq(webhook_signer_new(keys, &signer), 0);
    return signer;
}

static struct webhook_message message_of(const struct vector *vector)
{
    return (struct webhook_message){.id = vector->id,
                                    .timestamp_s = vector->timestamp_s,
                                    .body = vector->body,
                                    .body_size = strlen(vector->body)};
}

START_TEST(a_verifier_of_the_standard_accepts_it)
{
    const struct vector *vector = &VECTORS[_i];
    struct webhook_signer *signer = signer_with((const char *[OUTBOUND_KEYS_MAX]){vector->key});
    struct webhook_message message = message_of(vector);
    char signature[WEBHOOK_SIGNATURE_SIZE];
    webhook_sign(signer, &message, signature);
    ck_assert_str_eq(signature, vector->signature);
    webhook_sign(signer, &message, signature); /* a signer has no memory of what it signed */
    ck_assert_str_eq(signature, vector->signature);
    webhook_signer_free(&signer);
    ck_assert_ptr_null(signer);
}
END_TEST

START_TEST(while_a_key_is_rotated_both_sign_and_the_newest_is_first)
{
    struct webhook_signer *signer = signer_with((const char *[OUTBOUND_KEYS_MAX]){KEY_2, KEY_1});
    struct webhook_message message = message_of(&VECTORS[0]);
    char signature[WEBHOOK_SIGNATURE_SIZE];
    webhook_sign(signer, &message, signature);
    char *blank = strchr(signature, ' ');
    ck_assert_ptr_nonnull(blank);
    ck_assert_str_eq(blank + 1, VECTORS[0].signature);
    *blank = '\0';
    ck_assert_str_ne(signature, VECTORS[0].signature);
    ck_assert_uint_eq(strlen(signature), strlen(VECTORS[0].signature));
    webhook_signer_free(&signer);
}
END_TEST

START_TEST(as_many_keys_as_may_live_fit_in_the_header)
{
    struct webhook_signer *signer =
        signer_with((const char *[OUTBOUND_KEYS_MAX]){KEY_1, KEY_2, KEY_1, KEY_2});
    struct webhook_message message = message_of(&VECTORS[0]);
    char signature[WEBHOOK_SIGNATURE_SIZE];
    webhook_sign(signer, &message, signature);
    ck_assert_uint_eq(strlen(signature), WEBHOOK_SIGNATURE_SIZE - 1);
    webhook_signer_free(&signer);
}
END_TEST

static const char *const BAD_KEYS[] = {
    "",
    "whsec_",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",            /* no prefix */
    "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",       /* another scheme */
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",       /* not whole */
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS ",      /* a blank */
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La====",      /* too much padding */
    "whsec_MfKQ=r8GKYqrTwjUPD8ILPZIo2LaLaSw",      /* padding inside */
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLQ==",      /* 22 bytes: too short */
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx\nX==", /* more than a key */
};

START_TEST(what_is_not_a_key_is_refused)
{
    struct webhook_signer *signer = NULL;
    const char *keys[OUTBOUND_KEYS_MAX] = {KEY_1, BAD_KEYS[_i]};
    ck_assert_int_eq(webhook_signer_new(keys, &signer), -EINVAL);
    ck_assert_ptr_null(signer);
}
END_TEST

START_TEST(nothing_is_signed_without_a_key)
{
    struct webhook_signer *signer = NULL;
    const char *keys[OUTBOUND_KEYS_MAX] = {NULL};
    ck_assert_int_eq(webhook_signer_new(keys, &signer), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("webhook_signature");
    TCase *tests = tcase_create("signature");
    tcase_add_loop_test(tests, a_verifier_of_the_standard_accepts_it, 0, ARRAY_SIZE(VECTORS));
    tcase_add_test(tests, while_a_key_is_rotated_both_sign_and_the_newest_is_first);
    tcase_add_test(tests, as_many_keys_as_may_live_fit_in_the_header);
    tcase_add_loop_test(tests, what_is_not_a_key_is_refused, 0, ARRAY_SIZE(BAD_KEYS));
    tcase_add_test(tests, nothing_is_signed_without_a_key);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
