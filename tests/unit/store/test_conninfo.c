#include "store/conninfo.h"

#include "base/macros.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct conninfo *conninfo;

static void parse(const char *text)
{
    char error[STORE_ERROR_SIZE];
    ck_assert_int_eq(conninfo_new(text, "secret", "vendgated a", &conninfo, error), 0);
}

static void clear(void)
{
    conninfo_free(&conninfo);
}

/* What libpq was given. */
static const char *given(PGconn *connection, const char *keyword)
{
    static char value[256];
    PQconninfoOption *options = PQconninfo(connection);
    value[0] = '\0';
    for (PQconninfoOption *option = options; option->keyword; option++)
        if (!strcmp(option->keyword, keyword) && option->val)
            snprintf(value, sizeof(value), "%s", option->val);
    PQconninfoFree(options);
    return value;
}

START_TEST(only_names_are_resolved)
{
    parse("host=/run/postgresql,10.0.0.1,::1,db.example port=1,2,3,4 dbname=d");
    ck_assert_uint_eq(conninfo_host_count(conninfo), 4);
    ck_assert_ptr_null(conninfo_host_name(conninfo, 0));
    ck_assert_ptr_null(conninfo_host_name(conninfo, 1));
    ck_assert_ptr_null(conninfo_host_name(conninfo, 2));
    ck_assert_str_eq(conninfo_host_name(conninfo, 3), "db.example");
}
END_TEST

START_TEST(an_address_that_is_given_is_taken)
{
    parse("host=db.example hostaddr=10.0.0.1 dbname=d");
    ck_assert_uint_eq(conninfo_host_count(conninfo), 0);
}
END_TEST

START_TEST(a_resolved_name_keeps_its_name_and_port)
{
    parse("host=db.example port=7777 dbname=d");
    struct sockaddr_in address = {.sin_family = AF_INET};
    ck_assert_int_eq(inet_pton(AF_INET, "127.0.0.1", &address.sin_addr), 1);
    struct addrinfo second = {.ai_addr = (struct sockaddr *)&address,
                              .ai_addrlen = sizeof(address)};
    struct addrinfo first = second;
    first.ai_next = &second;
    conninfo_resolved(conninfo, 0, &first);
    PGconn *connection = conninfo_connect(conninfo);
    ck_assert_ptr_nonnull(connection);
    ck_assert_str_eq(given(connection, "host"), "db.example,db.example"); /* for TLS to check */
    ck_assert_str_eq(given(connection, "hostaddr"), "127.0.0.1,127.0.0.1");
    ck_assert_str_eq(given(connection, "port"), "7777,7777");
    ck_assert_str_eq(given(connection, "password"), "secret");
    ck_assert_str_eq(given(connection, "application_name"), "vendgated a");
    PQfinish(connection);
}
END_TEST

START_TEST(a_name_without_address_leads_nowhere)
{
    parse("host=db.example dbname=d");
    ck_assert_ptr_null(conninfo_connect(conninfo));
    struct sockaddr_in address = {.sin_family = AF_INET};
    const struct addrinfo found = {.ai_addr = (struct sockaddr *)&address,
                                   .ai_addrlen = sizeof(address)};
    conninfo_resolved(conninfo, 0, &found);
    conninfo_forget(conninfo);
    ck_assert_ptr_null(conninfo_connect(conninfo));
}
END_TEST

START_TEST(a_url_is_understood_and_nonsense_is_not)
{
    parse("postgresql://user@db.example:1234/name?sslmode=require");
    ck_assert_str_eq(conninfo_host_name(conninfo, 0), "db.example");
    char error[STORE_ERROR_SIZE];
    struct conninfo *none = NULL;
    ck_assert_int_lt(conninfo_new("host=a nonsense=1", NULL, NULL, &none, error), 0);
    ck_assert_ptr_null(none);
    ck_assert(strstr(error, "nonsense"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conninfo");
    TCase *conninfos = tcase_create("conninfo");
    tcase_add_checked_fixture(conninfos, NULL, clear);
    tcase_add_test(conninfos, only_names_are_resolved);
    tcase_add_test(conninfos, an_address_that_is_given_is_taken);
    tcase_add_test(conninfos, a_resolved_name_keeps_its_name_and_port);
    tcase_add_test(conninfos, a_name_without_address_leads_nowhere);
    tcase_add_test(conninfos, a_url_is_understood_and_nonsense_is_not);
    suite_add_tcase(suite, conninfos);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
