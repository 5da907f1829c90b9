#include "people/secret.h"

#include "base/macros.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

START_TEST(sha256_is_that_of_the_standard)
{
    char hex[SECRET_SHA256_SIZE];
    secret_sha256_hex("abc", 3, hex);
    ck_assert_str_eq(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}
END_TEST

START_TEST(a_password_fits_its_digest_and_no_other_does)
{
    char digest[SECRET_DIGEST_SIZE], again[SECRET_DIGEST_SIZE];
    ck_assert_int_eq(secret_hash_password("correct horse", digest), 0);
    ck_assert_int_eq(secret_hash_password("correct horse", again), 0);
    ck_assert_str_ne(digest, again); /* each has its own salt */
    ck_assert_int_eq(strncmp(digest, "scrypt$16384$8$1$", 17), 0);
    ck_assert(secret_check_password("correct horse", digest));
    ck_assert(!secret_check_password("correct horsf", digest));
    ck_assert(!secret_check_password("", digest));
}
END_TEST

START_TEST(a_digest_made_elsewhere_is_understood)
{
    /* Made with Python's hashlib.scrypt. */
    static const char DIGEST[] = "scrypt$1024$8$1$AAECAwQFBgcICQoLDA0ODw==$"
                                 "TZ+MRhSbc18nU9iX93Loe2VmMYQmnEyn77CsaMZbnI8=";
    ck_assert(secret_check_password("pa55word", DIGEST));
    ck_assert(!secret_check_password("pa55worx", DIGEST));
}
END_TEST

static const char *const NO_DIGESTS[] = {
    "",
    "scrypt",
    "scrypt$16384$8$1$AAECAwQFBgcICQoLDA0ODw==$",
    "scrypt$16384$8$1$AAECAwQFBgcICQoLDA0ODw==$AAAA",
    "scrypt$999999999$8$1$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=",
    "scrypt$1000$8$1$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=",
    "scrypt$1024$0$1$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=",
    "scrypt$1024$8$1$AAECAwQFBgcICQoLDA0ODw==$AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8=x",
};

START_TEST(what_is_no_digest_fits_nothing)
{
    ck_assert(!secret_check_password("", NO_DIGESTS[_i]));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secret");
    TCase *secrets = tcase_create("secret");
    tcase_add_test(secrets, sha256_is_that_of_the_standard);
    tcase_add_test(secrets, a_password_fits_its_digest_and_no_other_does);
    tcase_add_test(secrets, a_digest_made_elsewhere_is_understood);
    tcase_add_loop_test(secrets, what_is_no_digest_fits_nothing, 0, (int)ARRAY_SIZE(NO_DIGESTS));
    suite_add_tcase(suite, secrets);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
