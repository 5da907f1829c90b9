#include "outbound/answer.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

enum { NOW_S = 1445412000 }; /* Wed, 21 Oct 2015 07:20:00 GMT */

static struct verdict read_text(int status, const char *body, const char *retry_after)
{
    const struct answer answer = {
        .http_status = status, .body = body, .body_size = strlen(body), .retry_after = retry_after};
    struct verdict verdict;
    answer_read(&answer, NOW_S, &verdict);
    return verdict;
}

START_TEST(a_2xx_is_delivered_unless_it_says_success_false)
{
    static const char *const BODIES[] = {
        "",
        "{\"success\":true}",
        "{}",
        "ok",
        "[1]",
        "{\"success\":null}",
        "{\"success\":\"false\"}",
        "{\"success\":tr",
        "<html>success:false</html>",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BODIES); i++)
        ck_assert_int_eq(read_text(_i, BODIES[i], NULL).result, ATTEMPT_DELIVERED);
}
END_TEST

START_TEST(success_false_is_a_verdict_with_the_integrators_reason)
{
    struct verdict verdict = read_text(_i, "{\"success\":false,\"message\":\"no balance\"}", NULL);
    ck_assert_int_eq(verdict.result, ATTEMPT_REFUSED);
    ck_assert_str_eq(verdict.message, "no balance");
    ck_assert_ptr_null(verdict.note);
}
END_TEST

START_TEST(a_readable_no_is_read_even_in_a_sloppy_envelope)
{
    static const char *const BODIES[] = {
        "\xEF\xBB\xBF{\"success\":false}",
        "{\"success\":false}\n\n<!-- served by x -->",
        "{\"success\":true,\"success\":false}",
        "{\"success\":false,\"message\":null,\"data\":{\"a\":[1]}}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(BODIES); i++)
        ck_assert_int_eq(read_text(200, BODIES[i], NULL).result, ATTEMPT_REFUSED);
}
END_TEST

START_TEST(what_was_not_understood_is_said)
{
    ck_assert_ptr_nonnull(read_text(200, "ok", NULL).note);
    ck_assert_ptr_nonnull(read_text(200, "{}", NULL).note);
    ck_assert_ptr_null(read_text(204, "", NULL).note);
}
END_TEST

/* Every status that HTTP knows: exactly these may be tried again as if nothing had happened. */
START_TEST(every_status_has_its_meaning)
{
    enum attempt_result result = read_text(_i, "{\"success\":false}", NULL).result;
    if (_i < 300)
        ck_assert_int_eq(result, ATTEMPT_REFUSED);
    else if (_i == 410)
        ck_assert_int_eq(result, ATTEMPT_GONE);
    else if (_i == 408 || _i == 425 || _i == 429 || _i >= 500)
        ck_assert_int_eq(result, ATTEMPT_RETRY);
    else
        ck_assert_int_eq(result, ATTEMPT_PERMANENT);
}
END_TEST

struct wait {
    const char *text;
    int64_t ms;
};

static const struct wait WAITS[] = {
    {"0", 0},
    {"120", 120000},
    {"99999999999999999999999999", INT64_C(24) * 60 * 60 * 1000},
    {"Wed, 21 Oct 2015 07:28:00 GMT", 480000},
    {"Wednesday, 21-Oct-15 07:28:00 GMT", 480000},
    {"Wed Oct 21 07:28:00 2015", 480000},
    {"Wed, 21 Oct 2015 07:00:00 GMT", 0}, /* past */
    {"soon", -1},
    {"", -1},
    {NULL, -1},
};

START_TEST(retry_after_is_seconds_or_a_date)
{
    ck_assert_int_eq(read_text(503, "", WAITS[_i].text).retry_after_ms, WAITS[_i].ms);
}
END_TEST

START_TEST(text_from_outside_becomes_printable_and_is_never_cut_inside_a_character)
{
    char text[8];
    answer_printable("a\nb\x00\xff", 5, text, sizeof(text));
    ck_assert_str_eq(text, "a?b??");
    answer_printable("12345\xE2\x82\xAC", 8, text, sizeof(text));
    ck_assert_str_eq(text, "12345");
    answer_printable("1234\xE2\x82\xAC", 7, text, sizeof(text));
    ck_assert_str_eq(text, "1234\xE2\x82\xAC");
    answer_printable("", 0, text, sizeof(text));
    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(a_long_reason_is_cut)
{
    char body[2000];
    memset(body, 'x', sizeof(body));
    static const char HEAD[] = "{\"success\":false,\"message\":\"";
    memcpy(body, HEAD, strlen(HEAD));
    strcpy(body + sizeof(body) - 3, "\"}");
    struct verdict verdict = read_text(200, body, NULL);
    ck_assert_int_eq(verdict.result, ATTEMPT_REFUSED);
    ck_assert_uint_eq(strlen(verdict.message), ANSWER_MESSAGE_SIZE - 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("answer");
    TCase *tests = tcase_create("answer");
    tcase_add_loop_test(tests, a_2xx_is_delivered_unless_it_says_success_false, 200, 209);
    tcase_add_loop_test(tests, success_false_is_a_verdict_with_the_integrators_reason, 200, 209);
    tcase_add_test(tests, a_readable_no_is_read_even_in_a_sloppy_envelope);
    tcase_add_test(tests, what_was_not_understood_is_said);
    tcase_add_loop_test(tests, every_status_has_its_meaning, 200, 600);
    tcase_add_loop_test(tests, retry_after_is_seconds_or_a_date, 0, ARRAY_SIZE(WAITS));
    tcase_add_test(tests, text_from_outside_becomes_printable_and_is_never_cut_inside_a_character);
    tcase_add_test(tests, a_long_reason_is_cut);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner,
                            CK_NOFORK); /* pure, and a fork for each status costs a second */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
