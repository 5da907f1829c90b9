#include "people/keyring.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static struct keyring *keyring;

static void set_up(void)
{
    keyring = keyring_new();
}

static void tear_down(void)
{
    keyring_free(&keyring);
}

static const char *const BAD[] = {
    "",
    "abc",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015a",
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
    "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
    "ga7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
};

START_TEST(a_text_that_is_no_digest_is_refused)
{
    ck_assert_int_eq(keyring_add_api_key(keyring, BAD[_i], 1), -EINVAL);
}
END_TEST

START_TEST(a_key_is_found_by_its_digest_only)
{
    char digest[SECRET_SHA256_SIZE];
    secret_sha256_hex("abc", 3, digest);
    ck_assert_int_eq(keyring_add_api_key(keyring, digest, 5), 0);
    ck_assert_int_eq(keyring_find_api_key(keyring, digest), 5);
    secret_sha256_hex("abd", 3, digest);
    ck_assert_int_eq(keyring_find_api_key(keyring, digest), 0);
}
END_TEST

START_TEST(a_user_may_have_several_passwords_but_not_endlessly_many)
{
    for (int i = 0; i < KEYRING_PASSWORDS_MAX; i++)
        ck_assert_int_eq(keyring_add_password(keyring, "ada", "scrypt", i + 1), 0);
    ck_assert_int_eq(keyring_add_password(keyring, "ada", "scrypt", 9), -ENOSPC);
    size_t count = 0;
    const struct keyring_password *passwords = keyring_find_user(keyring, "ada", &count);
    ck_assert_uint_eq(count, KEYRING_PASSWORDS_MAX);
    ck_assert_int_eq(passwords[1].integrator_id, 2);
    ck_assert_ptr_null(keyring_find_user(keyring, "bob", &count));
    ck_assert_uint_eq(count, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyring");
    TCase *tests = tcase_create("keyring");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_text_that_is_no_digest_is_refused, 0, ARRAY_SIZE(BAD));
    tcase_add_test(tests, a_key_is_found_by_its_digest_only);
    tcase_add_test(tests, a_user_may_have_several_passwords_but_not_endlessly_many);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
