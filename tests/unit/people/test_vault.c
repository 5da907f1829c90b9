#include "people/vault.h"

#include "base/memory.h"
#include "people/secret.h"

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char KEY_A[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
static const char KEY_B[] = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
static const char SECRET[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
static const struct vault_place PLACE = {7, VAULT_SIGNING};

static char folder[] = "/tmp/vault.XXXXXX";
static char *path, *beside;

static void set_up(void)
{
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    path = memory_format("%s/key", folder);
    beside = memory_format("%s/key.new", folder);
    ck_assert_int_eq(unsetenv("CREDENTIALS_DIRECTORY"), 0);
}

static void tear_down(void)
{
    (void)unlink(path);
    ck_assert_int_ne(access(beside, F_OK), 0); /* nothing half-made is left behind */
    ck_assert_int_eq(rmdir(folder), 0);
    free(path);
    free(beside);
}

static void write_file(const char *text, mode_t mode)
{
    (void)unlink(path);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(chmod(path, mode), 0);
}

static struct vault *vault_of(const char *keys)
{
    struct vault *vault = NULL;
    char error[MASTER_KEY_ERROR_SIZE];
    write_file(keys, 0400);
    ck_assert_int_eq(vault_open(path, &vault, error), 0);
    return vault;
}

static void opens_to(const struct vault *vault, const char *sealed, const char *expected)
{
    char *secret = NULL;
    ck_assert_int_eq(vault_unseal(vault, &PLACE, sealed, &secret), 0);
    ck_assert_str_eq(secret, expected);
    free(secret);
}

static void stays_shut(const struct vault *vault, const struct vault_place *place,
                       const char *sealed, int why)
{
    char *secret = NULL;
    ck_assert_int_eq(vault_unseal(vault, place, sealed, &secret), why);
    ck_assert_ptr_null(secret);
}

START_TEST(a_secret_comes_back_and_does_not_show_meanwhile)
{
    struct vault *vault = vault_of(KEY_A);
    char *sealed = vault_seal(vault, &PLACE, SECRET);
    ck_assert(vault_is_sealed(sealed));
    ck_assert(!vault_is_sealed(SECRET));
    ck_assert_ptr_null(strstr(sealed, SECRET + 6));
    /* "sealed:", the first 8 digits of the key's SHA-256, a colon. */
    ck_assert_int_eq(strncmp(sealed, "sealed:66687aad:", 16), 0);
    opens_to(vault, sealed, SECRET);
    char *again = vault_seal(vault, &PLACE, SECRET); /* another nonce each time */
    ck_assert_str_ne(again, sealed);
    free(again);
    free(sealed);
    vault_free(&vault);
    ck_assert_ptr_null(vault);
}
END_TEST

START_TEST(secrets_of_any_length_fit)
{
    static const size_t SIZES[] = {0, 1, VAULT_SECRET_MAX};
    struct vault *vault = vault_of(KEY_A);
    char *secret = memory_zero(SIZES[_i] + 1, 1);
    memset(secret, 'x', SIZES[_i]);
    char *sealed = vault_seal(vault, &PLACE, secret);
    opens_to(vault, sealed, secret);
    free(sealed);
    free(secret);
    vault_free(&vault);
}
END_TEST

/* AES-256-GCM by another library: key 32 times 0x00, nonce 12 times 0x02, the place's text as
 * additional data. */
START_TEST(it_is_aes_256_gcm_bound_to_its_place)
{
    struct vault *vault = vault_of(KEY_A);
    opens_to(vault, "sealed:66687aad:AgICAgICAgICAgICN51vn10HWM3mPgDGqsgRoNm3BVZRpQ==", "secret");
    vault_free(&vault);
}
END_TEST

START_TEST(nothing_opens_in_another_place)
{
    static const struct vault_place OTHERS[] = {
        {8, VAULT_SIGNING}, {7, VAULT_API_KEY}, {7, VAULT_PASSWORD}};
    struct vault *vault = vault_of(KEY_A);
    char *sealed = vault_seal(vault, &PLACE, SECRET);
    stays_shut(vault, &OTHERS[_i], sealed, -EBADMSG);
    free(sealed);
    vault_free(&vault);
}
END_TEST

START_TEST(every_altered_byte_shows)
{
    struct vault *vault = vault_of(KEY_A);
    char *sealed = vault_seal(vault, &PLACE, SECRET);
    for (size_t i = strlen("sealed:66687aad:"); sealed[i + 2]; i++) {
        char was = sealed[i];
        sealed[i] = was == 'A' ? 'B' : 'A';
        stays_shut(vault, &PLACE, sealed, -EBADMSG);
        sealed[i] = was;
    }
    opens_to(vault, sealed, SECRET);
    free(sealed);
    vault_free(&vault);
}
END_TEST

static const char *const NOT_SEALED[] = {
    "",
    "sealed:",
    "sealed:66687aad",
    "sealed:66687aad:",
    "sealed:66687aad:AAAA",
    "sealed:66687aad:not base64!!",
    "sealed:66687aadd:AAAA",
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
};

START_TEST(what_is_no_sealed_text_is_refused)
{
    struct vault *vault = vault_of(KEY_A);
    stays_shut(vault, &PLACE, NOT_SEALED[_i], -EINVAL);
    vault_free(&vault);
}
END_TEST

START_TEST(another_master_key_opens_nothing)
{
    struct vault *vault = vault_of(KEY_A);
    char *sealed = vault_seal(vault, &PLACE, SECRET);
    vault_free(&vault);
    vault = vault_of(KEY_B);
    stays_shut(vault, &PLACE, sealed, -ENOKEY);
    stays_shut(NULL, &PLACE, sealed, -ENOKEY);
    ck_assert(!vault_has_key_of(vault, sealed));
    free(sealed);
    vault_free(&vault);
}
END_TEST

START_TEST(after_a_rotation_the_old_master_key_still_opens_and_the_new_one_seals)
{
    struct vault *vault = vault_of(KEY_A);
    char *old = vault_seal(vault, &PLACE, SECRET);
    char *keys = memory_format("# the keys\r\n\n%s\n%s\n", KEY_B, KEY_A), error[512];
    write_file(keys, 0600);
    ck_assert_int_eq(vault_reread(vault, error), 0); /* without a restart */
    opens_to(vault, old, SECRET);
    ck_assert(vault_has_key_of(vault, old));
    ck_assert(!vault_is_newest(vault, old));
    char *sealed = vault_seal(vault, &PLACE, SECRET);
    ck_assert(vault_is_newest(vault, sealed));
    ck_assert_int_eq(strncmp(sealed + 7, vault_key_id(vault), 8), 0);
    ck_assert_int_ne(strncmp(sealed, old, 16), 0);
    free(keys);
    free(sealed);
    free(old);
    vault_free(&vault);
}
END_TEST

START_TEST(keys_stay_in_force_while_the_file_is_bad)
{
    struct vault *vault = vault_of(KEY_A);
    char *sealed = vault_seal(vault, &PLACE, SECRET), error[MASTER_KEY_ERROR_SIZE];
    write_file("nonsense\n", 0600);
    ck_assert_int_eq(vault_reread(vault, error), -EINVAL);
    opens_to(vault, sealed, SECRET);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(vault_reread(vault, error), -ENOENT);
    opens_to(vault, sealed, SECRET);
    free(sealed);
    vault_free(&vault);
}
END_TEST

static const struct {
    mode_t mode;
    bool credential;
    int result;
} MODES[] = {
    {0400, false, 0},       {0600, false, 0},       {0440, false, -EACCES}, {0404, false, -EACCES},
    {0620, false, -EACCES}, {0601, false, -EACCES}, {0400, true, 0},        {0440, true, 0},
    {0460, true, -EACCES},  {0444, true, -EACCES},
};

START_TEST(a_master_key_that_others_may_use_is_refused)
{
    struct vault *vault = NULL;
    char error[MASTER_KEY_ERROR_SIZE] = "";
    write_file(KEY_A, MODES[_i].mode);
    if (MODES[_i].credential)
        ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    ck_assert_int_eq(vault_open(path, &vault, error), MODES[_i].result);
    ck_assert(MODES[_i].result == 0 ? vault != NULL : strstr(error, "chmod 0400") != NULL);
    vault_free(&vault);
}
END_TEST

static const char *const BAD_FILES[] = {
    "",
    "# only a comment\n",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==\n",        /* 31 bytes */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",        /* 33 bytes */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= \n",       /* a blank behind */
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nwrong\n", /* the second is no key */
};

START_TEST(a_file_that_is_not_whole_is_refused_and_never_quoted)
{
    struct vault *vault = NULL;
    char error[MASTER_KEY_ERROR_SIZE] = "";
    write_file(BAD_FILES[_i], 0600);
    ck_assert_int_eq(vault_open(path, &vault, error), -EINVAL);
    ck_assert_ptr_null(vault);
    ck_assert_ptr_nonnull(strstr(error, path));
    ck_assert_ptr_null(strstr(error, "AAAA"));
}
END_TEST

START_TEST(a_missing_file_is_told_with_the_remedy)
{
    struct vault *vault = NULL;
    char error[MASTER_KEY_ERROR_SIZE] = "";
    ck_assert_int_eq(vault_open(path, &vault, error), -ENOENT);
    ck_assert_ptr_nonnull(strstr(error, "vendctl secret init"));
}
END_TEST

START_TEST(a_new_master_key_is_for_its_owner_only_and_never_written_over)
{
    struct master_key key, other;
    char error[MASTER_KEY_ERROR_SIZE] = "";
    ck_assert_int_eq(master_key_make(path, false, &key, error), 0);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_eq(master_key_make(path, false, &other, error), -EEXIST);
    struct master_keys keys;
    ck_assert_int_eq(master_keys_read(path, &keys, error), 0);
    ck_assert_uint_eq(keys.count, 1);
    ck_assert_mem_eq(keys.keys[0].bytes, key.bytes, MASTER_KEY_SIZE);
    master_keys_done(&keys);
}
END_TEST

START_TEST(a_renewed_file_has_the_new_key_above_the_old_ones)
{
    struct master_key first, next;
    struct master_keys keys;
    char error[MASTER_KEY_ERROR_SIZE] = "";
    ck_assert_int_eq(master_key_make(path, true, &first, error), -ENOENT);
    ck_assert_int_eq(master_key_make(path, false, &first, error), 0);
    for (size_t count = 2; count <= MASTER_KEYS_MAX; count++) {
        ck_assert_int_eq(master_key_make(path, true, &next, error), 0);
        ck_assert_int_eq(master_keys_read(path, &keys, error), 0);
        ck_assert_uint_eq(keys.count, count);
        ck_assert_str_eq(keys.keys[0].id, next.id);
        ck_assert_str_eq(keys.keys[count - 1].id, first.id);
    }
    ck_assert_int_eq(master_key_make(path, true, &next, error), -ENOSPC);
    struct stat status;
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
}
END_TEST

START_TEST(the_credential_of_systemd_is_found)
{
    ck_assert_ptr_null(master_key_credential());
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", folder, 1), 0);
    ck_assert_ptr_null(master_key_credential());
    free(path);
    path = memory_format("%s/master_key", folder);
    write_file(KEY_A, 0400);
    char *found = master_key_credential();
    ck_assert_str_eq(found, path);
    free(found);
}
END_TEST

START_TEST(places_are_told_apart_by_name)
{
    enum vault_what what;
    ck_assert(vault_what_parse("signing", &what) && what == VAULT_SIGNING);
    ck_assert(vault_what_parse("api_key", &what) && what == VAULT_API_KEY);
    ck_assert(vault_what_parse("password", &what) && what == VAULT_PASSWORD);
    ck_assert(!vault_what_parse("other", &what));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vault");
    TCase *tests = tcase_create("vault");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_secret_comes_back_and_does_not_show_meanwhile);
    tcase_add_loop_test(tests, secrets_of_any_length_fit, 0, 3);
    tcase_add_test(tests, it_is_aes_256_gcm_bound_to_its_place);
    tcase_add_loop_test(tests, nothing_opens_in_another_place, 0, 3);
    tcase_add_test(tests, every_altered_byte_shows);
    tcase_add_loop_test(tests, what_is_no_sealed_text_is_refused, 0, ARRAY_SIZE(NOT_SEALED));
    tcase_add_test(tests, another_master_key_opens_nothing);
    tcase_add_test(tests, after_a_rotation_the_old_master_key_still_opens_and_the_new_one_seals);
    tcase_add_test(tests, keys_stay_in_force_while_the_file_is_bad);
    tcase_add_loop_test(tests, a_master_key_that_others_may_use_is_refused, 0, ARRAY_SIZE(MODES));
    tcase_add_loop_test(tests, a_file_that_is_not_whole_is_refused_and_never_quoted, 0,
                        ARRAY_SIZE(BAD_FILES));
    tcase_add_test(tests, a_missing_file_is_told_with_the_remedy);
    tcase_add_test(tests, a_new_master_key_is_for_its_owner_only_and_never_written_over);
    tcase_add_test(tests, a_renewed_file_has_the_new_key_above_the_old_ones);
    tcase_add_test(tests, the_credential_of_systemd_is_found);
    tcase_add_test(tests, places_are_told_apart_by_name);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
