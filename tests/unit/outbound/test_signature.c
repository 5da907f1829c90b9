#include "outbound/webhook_signature.h"

#include <check.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char KEY_1[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const char KEY_2[] = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
/* The seeds of RFC 8032's tests 1 and 2; the first also with its public key behind it. */
static const char SEED_1[] = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=";
static const char PAIR_1[] =
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy"
    "89qmIyWvAhpo9wdRGg==";
static const char SEED_2[] = "whsk_TM0Imyj/ltqdtsNG7BFOD1uKMZ81q6Yk2oz27U+4pvs=";

struct vector {
    const char *key, *id;
    int64_t timestamp_s;
    const char *body, *signature;
};

/* v1: published with Standard Webhooks and by the platforms that use it. v1a: made by another
 * library from the same texts and RFC 8032's keys. */
static const struct vector VECTORS[] = {
    {KEY_1, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
    {KEY_2, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
     "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
     "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw="},
    {SEED_1, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw="
     "="},
    {PAIR_1, "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
     "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
     "v1a,jfp5j4J3Buv9EPOcc9Bqo8rJqAO1H6lrRl0WZQdzVZI6IttNPT8HSLyPvUvY54dJJt2BQGA01di1ePvigCwlCw="
     "="},
    {SEED_2, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
     "v1a,7anDmyOh9LNskt5GJUTacHmbvyUkT0/"
     "S1jnxFAp+h2hcVXnQLWhtWA2+wP6vO0AUwEYP23IIZVuneGRhNj7hDQ=="},
};

/* The same message by each key: what the tests of rotation look for. */
enum { MESSAGE = 0 };
static const char V1_1[] = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
static const char V1A_1[] =
    "v1a,fldxM4gAKugP6nnt1hdz3sgGfZ6d99nzrMFnZOELIxbzEHoVmAb2ADpkJK7zgPePmPsle0zV9jSeGlHFG2NVAw==";
static const char V1A_2[] =
    "v1a,7anDmyOh9LNskt5GJUTacHmbvyUkT0/S1jnxFAp+h2hcVXnQLWhtWA2+wP6vO0AUwEYP23IIZVuneGRhNj7hDQ==";

typedef struct outbound_key key_list[OUTBOUND_KEYS_MAX];

static struct webhook_message message_of(const struct vector *vector, int64_t now_ms)
{
    return (struct webhook_message){.id = vector->id,
                                    .timestamp_s = vector->timestamp_s,
                                    .now_ms = now_ms,
                                    .body = vector->body,
                                    .body_size = strlen(vector->body)};
}

struct signed_text {
    bool live;
    char text[WEBHOOK_SIGNATURE_SIZE];
};

static struct signed_text sign_at(const key_list keys, bool v1a_only, const struct vector *vector,
                                  int64_t now_ms)
{
    struct webhook_signer *signer = NULL;
    ck_assert_int_eq(webhook_signer_new(keys, v1a_only, &signer), 0);
    struct webhook_message message = message_of(vector, now_ms);
    struct signed_text first, again;
    first.live = webhook_sign(signer, &message, first.text);
    again.live = webhook_sign(signer, &message, again.text);
    ck_assert_str_eq(first.text, again.text); /* a signer has no memory of what it signed */
    webhook_signer_free(&signer);
    ck_assert_ptr_null(signer);
    return first;
}

static void signs(const key_list keys, bool v1a_only, int64_t now_ms, const char *expected)
{
    struct signed_text got = sign_at(keys, v1a_only, &VECTORS[MESSAGE], now_ms);
    ck_assert_str_eq(got.text, expected);
    ck_assert(got.live);
}

static const char *both(const char *first, const char *second)
{
    static char text[WEBHOOK_SIGNATURE_SIZE];
    (void)snprintf(text, sizeof(text), "%s %s", first, second);
    return text;
}

START_TEST(a_verifier_of_the_standard_accepts_it)
{
    const struct vector *vector = &VECTORS[_i];
    bool v1a = strncmp(vector->key, "whsk_", 5) == 0;
    struct signed_text got = sign_at((key_list){{vector->key, 0}}, v1a, vector, 1);
    ck_assert_str_eq(got.text, vector->signature);
    ck_assert(got.live);
}
END_TEST

START_TEST(another_id_time_body_or_key_is_signed_otherwise)
{
    const struct vector *from = &VECTORS[_i];
    bool v1a = strncmp(from->key, "whsk_", 5) == 0;
    struct vector others[] = {*from, *from, *from, *from};
    others[0].id = "msg_p5jXN8AQM9LWM0D4loKWxJel";
    others[1].timestamp_s++;
    others[2].body = "{\"test\": 2432232315}";
    others[3].key =
        v1a ? (from->key == SEED_2 ? SEED_1 : SEED_2) : "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx";
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct signed_text got = sign_at((key_list){{others[i].key, 0}}, v1a, &others[i], 1);
        ck_assert_uint_eq(strlen(got.text), strlen(from->signature));
        ck_assert_str_ne(got.text, from->signature);
    }
}
END_TEST

START_TEST(while_a_key_is_rotated_both_sign_and_the_newest_is_first)
{
    struct signed_text new_alone = sign_at((key_list){{KEY_2, 0}}, false, &VECTORS[MESSAGE], 1);
    signs((key_list){{KEY_2, 0}, {KEY_1, 1000}}, false, 999, both(new_alone.text, V1_1));
}
END_TEST

START_TEST(at_the_end_of_the_overlap_the_old_key_signs_no_more)
{
    struct signed_text new_alone = sign_at((key_list){{KEY_2, 0}}, false, &VECTORS[MESSAGE], 1);
    signs((key_list){{KEY_2, 0}, {KEY_1, 1000}}, false, 1000, new_alone.text);
}
END_TEST

START_TEST(v1a_comes_beside_v1)
{
    signs((key_list){{SEED_1, 0}, {KEY_1, 0}}, false, 1, both(V1A_1, V1_1));
    signs((key_list){{KEY_1, 0}, {SEED_1, 0}}, false, 1, both(V1_1, V1A_1));
}
END_TEST

START_TEST(v1a_comes_alone_only_where_it_is_verified_and_live)
{
    const key_list keys = {{SEED_2, 0}, {KEY_1, 0}, {PAIR_1, 1000}};
    signs(keys, true, 999, both(V1A_2, V1A_1));
    signs(keys, true, 1000, V1A_2);
    signs((key_list){{KEY_1, 0}}, true, 1, V1_1);
    signs((key_list){{SEED_1, 1000}, {KEY_1, 0}}, true, 1000, V1_1);
}
END_TEST

START_TEST(an_endpoint_is_never_left_without_a_signature)
{
    struct signed_text got =
        sign_at((key_list){{KEY_1, 1000}, {KEY_2, 900}}, false, &VECTORS[MESSAGE], 5000);
    ck_assert_str_eq(got.text, V1_1);
    ck_assert(!got.live);
    /* v1 even though a v1a key is live, as this one does not verify v1a. */
    got = sign_at((key_list){{SEED_1, 0}, {KEY_1, 1000}}, false, &VECTORS[MESSAGE], 5000);
    ck_assert_str_eq(got.text, both(V1A_1, V1_1));
    ck_assert(!got.live);
    got = sign_at((key_list){{SEED_1, 1000}, {SEED_2, 900}}, true, &VECTORS[MESSAGE], 5000);
    ck_assert_str_eq(got.text, V1A_1);
    ck_assert(!got.live);
}
END_TEST

START_TEST(as_many_keys_as_may_live_fit_in_the_header)
{
    struct signed_text got = sign_at((key_list){{SEED_1, 0}, {SEED_2, 0}, {PAIR_1, 0}, {SEED_1, 0}},
                                     true, &VECTORS[MESSAGE], 1);
    ck_assert_uint_eq(strlen(got.text), WEBHOOK_SIGNATURE_SIZE - 1);
}
END_TEST

static const char *const BAD_KEYS[] = {
    "",
    "whsec_",
    "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",                  /* no prefix */
    "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", /* a public key */
    "sealed:00000000:AAAA",                              /* not opened */
    "whsk_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",             /* v1a of 24 bytes */
    "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2DXWpgBgrEKt9VL/tPJZAc6DuFy89qmIyWvAhpo9wdRGw==",
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
    const key_list keys = {{KEY_1, 0}, {BAD_KEYS[_i], 0}};
    ck_assert_int_eq(webhook_signer_new(keys, false, &signer), -EINVAL);
    ck_assert_ptr_null(signer);
}
END_TEST

START_TEST(v1a_keys_alone_are_refused_where_v1a_is_not_verified)
{
    struct webhook_signer *signer = NULL;
    ck_assert_int_eq(webhook_signer_new((key_list){{SEED_1, 0}}, false, &signer), -EINVAL);
    ck_assert_ptr_null(signer);
}
END_TEST

START_TEST(nothing_is_signed_without_a_key)
{
    struct webhook_signer *signer = NULL;
    ck_assert_int_eq(webhook_signer_new((key_list){{NULL, 0}}, false, &signer), -EINVAL);
    ck_assert_int_eq(webhook_signer_new((key_list){{NULL, 0}}, true, &signer), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("webhook_signature");
    TCase *tests = tcase_create("signature");
    tcase_add_loop_test(tests, a_verifier_of_the_standard_accepts_it, 0, ARRAY_SIZE(VECTORS));
    tcase_add_loop_test(tests, another_id_time_body_or_key_is_signed_otherwise, 0,
                        ARRAY_SIZE(VECTORS));
    tcase_add_test(tests, while_a_key_is_rotated_both_sign_and_the_newest_is_first);
    tcase_add_test(tests, at_the_end_of_the_overlap_the_old_key_signs_no_more);
    tcase_add_test(tests, v1a_comes_beside_v1);
    tcase_add_test(tests, v1a_comes_alone_only_where_it_is_verified_and_live);
    tcase_add_test(tests, an_endpoint_is_never_left_without_a_signature);
    tcase_add_test(tests, as_many_keys_as_may_live_fit_in_the_header);
    tcase_add_loop_test(tests, what_is_not_a_key_is_refused, 0, ARRAY_SIZE(BAD_KEYS));
    tcase_add_test(tests, v1a_keys_alone_are_refused_where_v1a_is_not_verified);
    tcase_add_test(tests, nothing_is_signed_without_a_key);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
