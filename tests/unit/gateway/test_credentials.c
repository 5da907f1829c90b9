#include "gateway/credentials.h"

#include "base/macros.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *authorization, *user, *password;
} GOOD[] = {
    {"Basic dXNlcjpwYXNz", "user", "pass"},
    {"basic dXNlcjpwYXNz", "user", "pass"},
    {"BASIC   dXNlcjpwYXNz", "user", "pass"},
    {"Basic dTpw", "u", "p"},
    {"Basic dTo=", "u", ""},
    {"Basic OnA=", "", "p"},
    {"Basic Og==", "", ""},
    {"Basic dTphOmI6Yw==", "u", "a:b:c"},
    {"Basic w7w6w6Q=", "\xc3\xbc", "\xc3\xa4"},
};

START_TEST(basic_is_read_as_user_and_password)
{
    struct credential_headers headers = {.authorization = GOOD[_i].authorization};
    struct credentials credentials;
    credentials_read(&headers, &credentials);
    ck_assert(!credentials.malformed);
    ck_assert_str_eq(credentials.user, GOOD[_i].user);
    ck_assert_str_eq(credentials.password, GOOD[_i].password);
    ck_assert_ptr_null(credentials.api_key);
}
END_TEST

static const char *const BAD[] = {
    "",
    "Basic",
    "Basic ",
    "Basicd XNlcjpwYXNz",
    "Bearer dXNlcjpwYXNz",
    "dXNlcjpwYXNz",
    "Basic dXNlcjpwYXNz=",
    "Basic dXNlcjpwYXN",
    "Basic =",
    "Basic ==",
    "Basic ====",
    "Basic dT=w",
    "Basic dT$w",
    "Basic dXNlcjpwYXNz x",
    "Basic bm9jb2xvbg==", /* "nocolon" */
    "Basic dTpwAHg=",     /* "u:p", NUL, "x" */
    "Basic AA==",         /* NUL alone */
};

START_TEST(what_is_no_basic_is_malformed_and_proves_nothing)
{
    struct credential_headers headers = {.api_key = "key", .authorization = BAD[_i]};
    struct credentials credentials;
    credentials_read(&headers, &credentials);
    ck_assert_msg(credentials.malformed, "%s", BAD[_i]);
}
END_TEST

START_TEST(a_token_longer_than_any_password_is_malformed)
{
    char text[CREDENTIALS_BASIC_MAX * 2 + 16] = "Basic ";
    size_t prefix = strlen(text);
    memset(text + prefix, 'A', 4 * (CREDENTIALS_BASIC_MAX / 3 + 1));
    struct credential_headers headers = {.authorization = text};
    struct credentials credentials;
    credentials_read(&headers, &credentials);
    ck_assert(credentials.malformed);
}
END_TEST

START_TEST(nothing_sent_is_nothing_read)
{
    struct credential_headers headers = {0};
    struct credentials credentials;
    credentials_read(&headers, &credentials);
    ck_assert(!credentials.malformed);
    ck_assert_ptr_null(credentials.api_key);
    ck_assert_ptr_null(credentials.user);
    ck_assert_ptr_null(credentials.password);
}
END_TEST

START_TEST(a_header_that_came_twice_is_malformed)
{
    struct credential_headers headers = {.api_key = "key", .repeated = true};
    struct credentials credentials;
    credentials_read(&headers, &credentials);
    ck_assert(credentials.malformed);
}
END_TEST

START_TEST(nothing_stays_behind)
{
    struct credential_headers headers = {.authorization = "Basic dXNlcjpwYXNz"};
    struct credentials credentials;
    credentials_read(&headers, &credentials);
    credentials_done(&credentials);
    for (size_t i = 0; i < sizeof(credentials.basic); i++)
        ck_assert_int_eq(credentials.basic[i], 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("credentials");
    TCase *credentials = tcase_create("credentials");
    tcase_add_loop_test(credentials, basic_is_read_as_user_and_password, 0, ARRAY_SIZE(GOOD));
    tcase_add_loop_test(credentials, what_is_no_basic_is_malformed_and_proves_nothing, 0,
                        ARRAY_SIZE(BAD));
    tcase_add_test(credentials, a_token_longer_than_any_password_is_malformed);
    tcase_add_test(credentials, nothing_sent_is_nothing_read);
    tcase_add_test(credentials, a_header_that_came_twice_is_malformed);
    tcase_add_test(credentials, nothing_stays_behind);
    suite_add_tcase(suite, credentials);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
