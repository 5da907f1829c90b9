#include "played_parts.h"

#include <pwd.h>

/* What an operator's tool may ask of the gateway at its admin socket. */

static int act(const char *path, const char *body)
{
    int fd = dial_admin();
    post(fd, path, JSON_TYPE, body);
    return fd;
}

static const char *own_name(void)
{
    const struct passwd *user = getpwuid(getuid());
    ck_assert_ptr_nonnull(user);
    return user->pw_name;
}

static const struct {
    const char *outcome;
    bool vended;
} OUTCOMES[] = {{"vended", true}, {"failed", false}};

START_TEST(a_verdict_reaches_the_broker_with_the_operators_name_and_reason)
{
    char *body =
        memory_format("{\"txn_id\":77,\"outcome\":\"%s\",\"because\":\"die Kamera zeigt's, "
                      "\\u00e4hem\"}",
                      OUTCOMES[_i].outcome);
    int fd = act("/admin/txn/verdict", body);
    free(body);
    wait_for_call(fd);
    ck_assert_str_eq(asked.what, "verdict");
    ck_assert_int_eq(asked.figures[0], 77);
    ck_assert_int_eq(asked.vended, OUTCOMES[_i].vended);
    ck_assert_str_eq(asked.operator_name, own_name());
    ck_assert_str_eq(asked.because, "die Kamera zeigt's, \xc3\xa4hem");
    answer(true, REASON_NONE, -1);
    hear_status(fd, "HTTP/1.1 200 ", "{\"success\":true,\"message\":null}");
    close(fd);
}
END_TEST

START_TEST(a_verdict_that_decides_nothing_says_why)
{
    int fd = act("/admin/txn/verdict", "{\"txn_id\":77,\"outcome\":\"vended\",\"because\":\"b\"}");
    wait_for_call(fd);
    answer(false, REASON_NOT_IN_DOUBT, -1);
    hear_status(fd, "HTTP/1.1 200 ", "\"code\":\"NOT_IN_DOUBT\"");
    close(fd);
}
END_TEST

START_TEST(a_release_reaches_the_broker_with_the_operators_name_and_reason)
{
    int fd = act("/admin/machine/release", "{\"vm_id\":\"VM-1\",\"because\":\"stuck\"}");
    wait_for_call(fd);
    ck_assert_str_eq(asked.what, "release");
    ck_assert_str_eq(asked.vm_id, "VM-1");
    ck_assert_str_eq(asked.operator_name, own_name());
    ck_assert_str_eq(asked.because, "stuck");
    answer(false, REASON_ALREADY_PAID, -1);
    hear_status(fd, "HTTP/1.1 200 ", "\"code\":\"ALREADY_PAID\"");
    close(fd);
}
END_TEST

#define VERDICT "/admin/txn/verdict"
#define RELEASE "/admin/machine/release"
#define FIFTY "12345678901234567890123456789012345678901234567890"
#define TWO_HUNDRED FIFTY FIFTY FIFTY FIFTY

static const struct {
    const char *path, *body, *part;
} REFUSED[] = {
    {VERDICT, "", "BAD_JSON"},
    {VERDICT, "{\"outcome\":\"vended\",\"because\":\"b\"}", "field 'txn_id'"},
    {VERDICT, "{\"txn_id\":\"7\",\"outcome\":\"vended\",\"because\":\"b\"}", "field 'txn_id'"},
    {VERDICT, "{\"txn_id\":0,\"outcome\":\"vended\",\"because\":\"b\"}", "field 'txn_id'"},
    {VERDICT, "{\"txn_id\":7,\"because\":\"b\"}", "field 'outcome'"},
    {VERDICT, "{\"txn_id\":7,\"outcome\":\"eaten\",\"because\":\"b\"}", "'vended' or 'failed'"},
    {VERDICT, "{\"txn_id\":7,\"outcome\":\"vended\"}", "field 'because'"},
    {VERDICT, "{\"txn_id\":7,\"outcome\":\"vended\",\"because\":\"\"}", "field 'because'"},
    {VERDICT, "{\"txn_id\":7,\"outcome\":\"vended\",\"because\":\"a\\nb\"}", "field 'because'"},
    {VERDICT, "{\"txn_id\":7,\"outcome\":\"vended\",\"because\":\"" TWO_HUNDRED "1\"}",
     "field 'because'"},
    {RELEASE, "{\"because\":\"b\"}", "field 'vm_id'"},
    {RELEASE, "{\"vm_id\":\"V 1\",\"because\":\"b\"}", "field 'vm_id'"},
    {RELEASE, "{\"vm_id\":\"VM-1\"}", "field 'because'"},
};

START_TEST(an_act_without_all_that_it_needs_is_refused)
{
    int fd = act(REFUSED[_i].path, REFUSED[_i].body);
    hear_status(fd, "HTTP/1.1 400 ", REFUSED[_i].part);
    ck_assert_int_eq(asked.calls, 0);
    close(fd);
}
END_TEST

START_TEST(an_act_is_a_post)
{
    int fd = dial_admin();
    say(fd, "GET /admin/txn/verdict HTTP/1.1\r\nHost: x\r\n\r\n");
    hear_status(fd, "HTTP/1.1 405 ", "Allow: POST\r\n");
    close(fd);
}
END_TEST

START_TEST(integrators_cannot_act)
{
    int fd = dial(gateway_api_port(gateway));
    post(fd, RELEASE, WITH_KEY JSON_TYPE, "{\"vm_id\":\"VM-1\",\"because\":\"b\"}");
    hear_status(fd, "HTTP/1.1 404 ", "NOT_FOUND");
    ck_assert_int_eq(asked.calls, 0);
    close(fd);
}
END_TEST

START_TEST(without_the_database_an_act_is_told_to_come_back)
{
    store_is_ready = false;
    int fd = act(RELEASE, "{\"vm_id\":\"VM-1\",\"because\":\"b\"}");
    hear_status(fd, "HTTP/1.1 503 ", "STORE_UNAVAILABLE");
    ck_assert_int_eq(asked.calls, 0);
    close(fd);
}
END_TEST

START_TEST(an_operator_who_hangs_up_while_the_name_is_looked_up_leaves_nothing_behind)
{
    int fd = act(RELEASE, "{\"vm_id\":\"VM-1\",\"because\":\"b\"}");
    for (int i = 0; i < TURNS_MAX && gateway_requests(gateway) == 0; i++)
        turn(-1);
    gateway_free(&gateway);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operator");
    TCase *tests = tcase_create("operator");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, a_verdict_reaches_the_broker_with_the_operators_name_and_reason, 0,
                        ARRAY_SIZE(OUTCOMES));
    tcase_add_test(tests, a_verdict_that_decides_nothing_says_why);
    tcase_add_test(tests, a_release_reaches_the_broker_with_the_operators_name_and_reason);
    tcase_add_loop_test(tests, an_act_without_all_that_it_needs_is_refused, 0, ARRAY_SIZE(REFUSED));
    tcase_add_test(tests, an_act_is_a_post);
    tcase_add_test(tests, integrators_cannot_act);
    tcase_add_test(tests, without_the_database_an_act_is_told_to_come_back);
    tcase_add_test(tests,
                   an_operator_who_hangs_up_while_the_name_is_looked_up_leaves_nothing_behind);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
