/* Which certificate files the server takes, and what it says about those it does not. */
#include "net/tls.h"
#include "net_test.h"

static struct pki pki;

static struct net_tls_options options_for(const struct pki_cert *own)
{
    return (struct net_tls_options){.certificate_file = own->certificate_file,
                                    .key_file = own->key_file,
                                    .client_ca_file = pki.ca.certificate_file,
                                    .client_required = true,
                                    .session_lifetime_s = 3600,
                                    .sessions_max = 100};
}

START_TEST(the_expiry_of_the_certificate_is_told)
{
    struct net_tls_options options = options_for(&pki.server);
    struct net_tls *tls = NULL;
    char error[NET_ERROR_SIZE];
    ck_assert_int_eq(net_tls_open(&options, &tls, error), 0);
    int64_t left_s = net_tls_expires_at(tls) - clock_unix_s();
    ck_assert_int_le(left_s, 10 * 86400);
    ck_assert_int_gt(left_s, 10 * 86400 - 60);
    net_tls_free(&tls);
    ck_assert_ptr_null(tls);
}
END_TEST

static void expect_refused(const struct net_tls_options *options, int expected, const char *file)
{
    struct net_tls *tls = NULL;
    char error[NET_ERROR_SIZE] = "";
    ck_assert_int_eq(net_tls_open(options, &tls, error), expected);
    ck_assert_ptr_null(tls);
    ck_assert_msg(strstr(error, file) == error, "error is: %s", error);
}

START_TEST(a_missing_file_is_named)
{
    struct net_tls_options options = options_for(&pki.server);
    options.certificate_file = "/nowhere/cert.pem";
    expect_refused(&options, -ENOENT, "/nowhere/cert.pem");
    options = options_for(&pki.server);
    options.key_file = "/nowhere/key.pem";
    expect_refused(&options, -ENOENT, "/nowhere/key.pem");
    options = options_for(&pki.server);
    options.client_ca_file = "/nowhere/ca.pem";
    expect_refused(&options, -ENOENT, "/nowhere/ca.pem");
}
END_TEST

START_TEST(the_key_of_another_certificate_is_refused)
{
    struct net_tls_options options = options_for(&pki.server);
    options.key_file = pki.client.key_file;
    expect_refused(&options, -EINVAL, pki.client.key_file);
}
END_TEST

START_TEST(a_file_of_another_kind_is_refused)
{
    struct net_tls_options options = options_for(&pki.server);
    options.certificate_file = pki.server.key_file;
    expect_refused(&options, -EINVAL, pki.server.key_file);
    options = options_for(&pki.server);
    options.client_ca_file = pki.server.key_file;
    expect_refused(&options, -EINVAL, pki.server.key_file);
}
END_TEST

/* A daemon has no terminal where somebody could type. */
START_TEST(an_encrypted_key_is_refused_without_asking)
{
    char path[96];
    (void)snprintf(path, sizeof path, "%s/encrypted.key", pki.directory);
    FILE *file = fopen(path, "w");
    ck_assert_int_eq(PEM_write_PrivateKey(file, pki.server.key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"secret", 6, NULL, NULL),
                     1);
    ck_assert_int_eq(fclose(file), 0);
    struct net_tls_options options = options_for(&pki.server);
    options.key_file = path;
    expect_refused(&options, -EINVAL, path);
    (void)unlink(path);
}
END_TEST

START_TEST(a_failed_reload_keeps_the_old_files_in_force)
{
    struct net_tls_options options = options_for(&pki.server);
    struct net_tls *tls = NULL;
    char error[NET_ERROR_SIZE];
    ck_assert_int_eq(net_tls_open(&options, &tls, error), 0);
    int64_t expires_at = net_tls_expires_at(tls);
    ck_assert_int_eq(truncate(pki.server.certificate_file, 0), 0);
    ck_assert_int_eq(net_tls_reload(tls, error), -EINVAL);
    ck_assert_int_eq(net_tls_expires_at(tls), expires_at);
    struct pki_cert renewed;
    pki_issue(&pki, &(struct pki_request){"server", "localhost", NULL, &pki.ca, 20}, &renewed);
    ck_assert_int_eq(net_tls_reload(tls, error), 0);
    ck_assert_int_gt(net_tls_expires_at(tls), expires_at);
    net_tls_free(&tls);
    X509_free(renewed.certificate);
    EVP_PKEY_free(renewed.key);
}
END_TEST

static void setup(void)
{
    pki_open(&pki);
}

static void teardown(void)
{
    pki_close(&pki);
}

int main(void)
{
    Suite *suite = suite_create("tls");
    TCase *cases = tcase_create("all");
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_add_test(cases, the_expiry_of_the_certificate_is_told);
    tcase_add_test(cases, a_missing_file_is_named);
    tcase_add_test(cases, the_key_of_another_certificate_is_refused);
    tcase_add_test(cases, a_file_of_another_kind_is_refused);
    tcase_add_test(cases, an_encrypted_key_is_refused_without_asking);
    tcase_add_test(cases, a_failed_reload_keeps_the_old_files_in_force);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
