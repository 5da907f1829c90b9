#include "gateway/envelope.h"

#include "base/json.h"
#include "gateway/refusal.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *render(struct envelope envelope)
{
    size_t size = 0;
    char *text = envelope_render(&envelope, &size);
    ck_assert_uint_eq(strlen(text), size);
    return text;
}

START_TEST(a_success_is_what_the_published_contract_says_and_no_more)
{
    char *text = render((struct envelope){.success = true, .timeout_s = -1});
    ck_assert_str_eq(text, "{\"success\":true,\"message\":null}");
    free(text);
}
END_TEST

START_TEST(a_lock_tells_how_long_the_machine_stays_locked)
{
    char *text = render((struct envelope){.success = true, .timeout_s = 60});
    ck_assert_str_eq(text, "{\"success\":true,\"message\":null,\"timeout\":60}");
    free(text);
}
END_TEST

START_TEST(a_refusal_says_why_and_what_to_do)
{
    struct envelope envelope = envelope_refusal(REASON_MACHINE_BUSY_SELF, NULL);
    envelope.timeout_s = 0;
    envelope.txn_ref = "my \"ref\"";
    char *text = render(envelope);
    ck_assert_str_eq(
        text, "{\"success\":false,\"message\":\"the machine is held by your own transaction\","
              "\"code\":\"MACHINE_BUSY_SELF\",\"action\":\"retry\",\"timeout\":0,"
              "\"txn_ref\":\"my \\\"ref\\\"\"}");
    free(text);
}
END_TEST

START_TEST(an_action_of_the_step_stands_instead_of_the_reasons_own)
{
    struct envelope envelope = envelope_refusal(REASON_OVER_LIMIT, NULL);
    envelope.action = ACTION_FIX;
    char *text = render(envelope);
    ck_assert_ptr_nonnull(strstr(text, "\"action\":\"fix\""));
    free(text);
}
END_TEST

START_TEST(every_reason_renders_with_code_and_message)
{
    char *text = render(envelope_refusal((enum reason)_i, NULL));
    char error[JSON_ERROR_SIZE];
    json_t *object = json_read_object(text, strlen(text), error);
    ck_assert_ptr_nonnull(object);
    ck_assert_str_eq(json_string_value(json_object_get(object, "code")),
                     reason_info((enum reason)_i)->code);
    ck_assert_ptr_nonnull(json_string_value(json_object_get(object, "message")));
    ck_assert(json_is_false(json_object_get(object, "success")));
    json_decref(object);
    free(text);
}
END_TEST

START_TEST(a_message_that_is_no_text_gives_way_to_the_reasons_own)
{
    char *text = render(envelope_refusal(REASON_BAD_FIELD, "broken \xff byte"));
    ck_assert_ptr_nonnull(strstr(text, reason_info(REASON_BAD_FIELD)->message));
    free(text);
}
END_TEST

START_TEST(a_further_field_is_carried_along)
{
    json_t *machine = json_pack("{s:s}", "id", "VM-1");
    char *text = render((struct envelope){
        .success = true, .timeout_s = -1, .key = "vendingMachine", .value = machine});
    ck_assert_str_eq(text,
                     "{\"success\":true,\"message\":null,\"vendingMachine\":{\"id\":\"VM-1\"}}");
    free(text);
    json_decref(machine);
}
END_TEST

static const struct {
    enum http_refusal refusal;
    enum reason reason;
    const char *status;
} REFUSALS[] = {
    {HTTP_REFUSED_BAD_HEAD, REASON_BAD_REQUEST, "HTTP/1.1 400 "},
    {HTTP_REFUSED_SLOW, REASON_SLOW_CLIENT, "HTTP/1.1 408 "},
    {HTTP_REFUSED_BODY_TOO_LARGE, REASON_BODY_TOO_LARGE, "HTTP/1.1 413 "},
    {HTTP_REFUSED_HEAD_TOO_LARGE, REASON_BAD_REQUEST, "HTTP/1.1 431 "},
    {HTTP_REFUSED_METHOD, REASON_METHOD_NOT_ALLOWED, "HTTP/1.1 501 "},
};

START_TEST(what_the_front_refuses_is_answered_with_the_same_envelope)
{
    const char *response = refusal_response(REFUSALS[_i].refusal);
    ck_assert_int_eq(strncmp(response, REFUSALS[_i].status, strlen(REFUSALS[_i].status)), 0);
    const char *body = strstr(response, "\r\n\r\n") + 4;
    const char *length = strstr(response, "Content-Length: ") + strlen("Content-Length: ");
    ck_assert_uint_eq(strtoul(length, NULL, 10), strlen(body));
    char error[JSON_ERROR_SIZE];
    json_t *object = json_read_object(body, strlen(body), error);
    ck_assert_ptr_nonnull(object);
    const struct reason_info *info = reason_info(REFUSALS[_i].reason);
    ck_assert_str_eq(json_string_value(json_object_get(object, "code")), info->code);
    ck_assert_str_eq(json_string_value(json_object_get(object, "action")),
                     reason_action_name(info->action));
    ck_assert(json_is_false(json_object_get(object, "success")));
    json_decref(object);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("envelope");
    TCase *envelope = tcase_create("envelope");
    tcase_add_test(envelope, a_success_is_what_the_published_contract_says_and_no_more);
    tcase_add_test(envelope, a_lock_tells_how_long_the_machine_stays_locked);
    tcase_add_test(envelope, a_refusal_says_why_and_what_to_do);
    tcase_add_test(envelope, an_action_of_the_step_stands_instead_of_the_reasons_own);
    tcase_add_loop_test(envelope, every_reason_renders_with_code_and_message, REASON_NONE + 1,
                        REASON_COUNT);
    tcase_add_test(envelope, a_message_that_is_no_text_gives_way_to_the_reasons_own);
    tcase_add_test(envelope, a_further_field_is_carried_along);
    tcase_add_loop_test(envelope, what_the_front_refuses_is_answered_with_the_same_envelope, 0,
                        ARRAY_SIZE(REFUSALS));
    suite_add_tcase(suite, envelope);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
