#include "base/json.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char error[JSON_ERROR_SIZE];

static json_t *parse(const char *text)
{
    return json_read_object(text, strlen(text), error);
}

static const struct {
    const char *text, *reason;
} MALFORMED[] = {
    {"", "'[' or '{' expected"},
    {"   ", "'[' or '{' expected"},
    {"[1]", "must be one JSON object"},
    {"\"text\"", "'[' or '{' expected"},
    {"null", "'[' or '{' expected"},
    {"{\"a\":1,\"a\":2}", "duplicate object key near '\"a\"'"},
    {"{\"a\":{\"b\":1,\"b\":1}}", "duplicate object key near '\"b\"'"},
    {"{\"a\":1,\"\\u0061\":2}", "duplicate object key"},
    {"{\"a\":1}x", "end of file expected near 'x'"},
    {"{\"a\":1}{}", "end of file expected"},
    {"{\"a\":\"x\\u0000y\"}", "\\u0000 is not allowed"},
    {"{\"a\\u0000b\":1}", "NUL byte in object key"},
    {"{\"a\":1,}", "string or '}' expected"},
    {"{'a':1}", "string or '}' expected"},
    {"{\"a\":01}", "invalid token"},
    {"{\"a\":NaN}", "invalid token"},
    {"{\"a\":\"\xff\"}", "unable to decode byte"},
    {"{\"a\":\"\n\"}", "unexpected newline"},
    {"{\"a\":\"\x01\"}", "control character"},
    {"{\"a\":\"\\ud800\"}", "invalid Unicode"},
    {"{\"a\":9223372036854775808}", "too big integer"},
    {"{\"a\":1", "expected near end of file"},
    {"{\"a\":\"x", "premature end of input"},
    {"{\"a\":\"x\\", "invalid escape"},
};

START_TEST(malformed_text_is_refused_with_a_reason)
{
    ck_assert_ptr_null(parse(MALFORMED[_i].text));
    ck_assert_msg(strstr(error, MALFORMED[_i].reason), "%s: %s", MALFORMED[_i].text, error);
}
END_TEST

START_TEST(a_nul_byte_is_refused_wherever_it_stands)
{
    static const char BEHIND[] = "{\"a\":1}";
    static const char INSIDE[] = "{\"a\":\"x\0y\"}";
    ck_assert_ptr_null(json_read_object(BEHIND, sizeof(BEHIND), error));
    ck_assert_ptr_null(json_read_object(INSIDE, sizeof(INSIDE) - 1, error));
    ck_assert_ptr_null(json_read_object(NULL, 0, error));
}
END_TEST

/* An object whose innermost array is at `depth`; the object itself counts as 1. */
static json_t *parse_nested(size_t depth)
{
    char text[256] = "{\"]\\\"[\":";
    size_t size = strlen(text);
    memset(text + size, '[', depth - 1);
    memset(text + size + depth - 1, ']', depth - 1);
    strcpy(text + size + 2 * (depth - 1), "}");
    return parse(text);
}

START_TEST(sixteen_levels_are_taken_and_seventeen_refused)
{
    _cleanup_(json_release) json_t *json = parse_nested(JSON_DEPTH_MAX);
    ck_assert_msg(json != NULL, "%s", error);
    ck_assert_ptr_null(parse_nested(JSON_DEPTH_MAX + 1));
    ck_assert_str_eq(error, "JSON nested deeper than 16 levels");
}
END_TEST

START_TEST(brackets_in_texts_and_side_by_side_are_no_depth)
{
    _cleanup_(json_release) json_t *text = parse("{\"a\":\"[[[[[[[[[[[[[[[[[[[[\\\"{{{{{{{{{{\"}");
    ck_assert_msg(text != NULL, "%s", error);
    _cleanup_(json_release) json_t *flat =
        parse("{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}");
    ck_assert_msg(flat != NULL, "%s", error);
}
END_TEST

START_TEST(a_reason_is_valid_utf8_whatever_was_sent)
{
    char text[400] = "{\"a\":1}";
    for (size_t i = strlen(text); i < sizeof(text) - 3; i += 2)
        memcpy(text + i, "\xc3\xa4", 3);
    ck_assert_ptr_null(parse(text));
    _cleanup_(json_release) json_t *answer = json_string(error);
    ck_assert_ptr_nonnull(answer);
}
END_TEST

struct call {
    char ref[9];
    bool has_ref;
    int64_t price;
    bool has_price;
    bool success;
    json_t *keys;
};

static const struct json_field FIELDS[] = {
    {"txnRef", JSON_FIELD_TEXT, true, 1, 8, offsetof(struct call, ref),
     offsetof(struct call, has_ref), "abc123"},
    {"price", JSON_FIELD_INTEGER, false, 0, 65534, offsetof(struct call, price),
     offsetof(struct call, has_price), NULL},
    {"success", JSON_FIELD_BOOL, false, 0, 0, offsetof(struct call, success), SIZE_MAX, NULL},
    {"keys", JSON_FIELD_JSON, false, 1, 2, offsetof(struct call, keys), SIZE_MAX, NULL},
};

static enum json_verdict read_call(const json_t *json, struct call *ret_call)
{
    return json_fields_read(json, FIELDS, ARRAY_SIZE(FIELDS), ret_call, error);
}

START_TEST(fields_fill_the_struct_and_unknown_ones_are_ignored)
{
    struct call call = {0};
    _cleanup_(json_release) json_t *json = parse(
        "{\"txnRef\":\"abc12312\",\"price\":65534,\"success\":true,\"keys\":[1,2],\"more\":{}}");
    ck_assert_int_eq(read_call(json, &call), JSON_OK);
    ck_assert_str_eq(call.ref, "abc12312");
    ck_assert(call.has_ref && call.has_price && call.success);
    ck_assert_int_eq(call.price, 65534);
    ck_assert_uint_eq(json_array_size(call.keys), 2);
}
END_TEST

START_TEST(absent_and_null_leave_the_value_and_say_so)
{
    static const char *const TEXTS[] = {"{\"txnRef\":\"a\"}",
                                        "{\"txnRef\":\"a\",\"price\":null,\"keys\":null}"};
    struct call call = {.price = 7, .has_price = true, .success = true};
    _cleanup_(json_release) json_t *json = parse(TEXTS[_i]);
    ck_assert_int_eq(read_call(json, &call), JSON_OK);
    ck_assert_int_eq(call.price, 7);
    ck_assert(!call.has_price);
    ck_assert(call.success);
}
END_TEST

static const struct {
    const char *text;
    enum json_verdict verdict;
    const char *reason;
} WRONG[] = {
    {"{}", JSON_MISSING,
     "field 'txnRef' is required and must be a string of 1 to 8 bytes of the allowed characters"},
    {"{\"txnRef\":null}", JSON_MISSING, "field 'txnRef' is required"},
    {"{\"txnRef\":1}", JSON_BAD_TYPE, "field 'txnRef' must be a string of 1 to 8 bytes"},
    {"{\"txnRef\":\"\"}", JSON_BAD_VALUE, "field 'txnRef' must be a string of 1 to 8 bytes"},
    {"{\"txnRef\":\"aaaaaaaaa\"}", JSON_BAD_VALUE, "field 'txnRef' must"},
    {"{\"txnRef\":\"a-b\"}", JSON_BAD_VALUE, "field 'txnRef' must"},
    {"{\"txnRef\":\"a\",\"price\":\"1\"}", JSON_BAD_TYPE,
     "field 'price' must be an integer from 0 to 65534"},
    {"{\"txnRef\":\"a\",\"price\":1.0}", JSON_BAD_TYPE, "field 'price' must"},
    {"{\"txnRef\":\"a\",\"price\":true}", JSON_BAD_TYPE, "field 'price' must"},
    {"{\"txnRef\":\"a\",\"price\":-1}", JSON_BAD_VALUE, "field 'price' must"},
    {"{\"txnRef\":\"a\",\"price\":65535}", JSON_BAD_VALUE, "field 'price' must"},
    {"{\"txnRef\":\"a\",\"success\":1}", JSON_BAD_TYPE, "field 'success' must be true or false"},
    {"{\"txnRef\":\"a\",\"keys\":\"1\"}", JSON_BAD_TYPE,
     "field 'keys' must be an array or object of 1 to 2 entries"},
    {"{\"txnRef\":\"a\",\"keys\":[]}", JSON_BAD_VALUE, "field 'keys' must"},
    {"{\"txnRef\":\"a\",\"keys\":[1,2,3]}", JSON_BAD_VALUE, "field 'keys' must"},
};

START_TEST(a_wrong_field_is_named_with_what_it_should_be)
{
    struct call call = {0};
    _cleanup_(json_release) json_t *json = parse(WRONG[_i].text);
    ck_assert_msg(json != NULL, "%s", error);
    ck_assert_int_eq(read_call(json, &call), WRONG[_i].verdict);
    ck_assert_msg(strstr(error, WRONG[_i].reason) == error, "%s: %s", WRONG[_i].text, error);
}
END_TEST

START_TEST(free_text_is_any_utf8_without_control_characters)
{
    static const struct {
        const char *text;
        enum json_verdict verdict;
    } NAMES[] = {
        {"{\"name\":\"Getr\xc3\xa4nke \xf0\x9f\xa5\xa4\"}", JSON_OK},
        {"{\"name\":\"a\\nb\"}", JSON_BAD_VALUE},
        {"{\"name\":\"a\\u007f\"}", JSON_BAD_VALUE},
        {"{\"name\":\"a\\u0085\"}", JSON_BAD_VALUE},
    };
    struct {
        char name[33];
    } named;
    static const struct json_field NAME = {"name", JSON_FIELD_TEXT, true, 0, 32, 0, SIZE_MAX, NULL};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
        _cleanup_(json_release) json_t *json = parse(NAMES[i].text);
        ck_assert_ptr_nonnull(json);
        ck_assert_int_eq(json_fields_read(json, &NAME, 1, &named, error), NAMES[i].verdict);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json");
    TCase *json = tcase_create("json");
    tcase_add_loop_test(json, malformed_text_is_refused_with_a_reason, 0, ARRAY_SIZE(MALFORMED));
    tcase_add_test(json, a_nul_byte_is_refused_wherever_it_stands);
    tcase_add_test(json, sixteen_levels_are_taken_and_seventeen_refused);
    tcase_add_test(json, brackets_in_texts_and_side_by_side_are_no_depth);
    tcase_add_test(json, a_reason_is_valid_utf8_whatever_was_sent);
    tcase_add_test(json, fields_fill_the_struct_and_unknown_ones_are_ignored);
    tcase_add_loop_test(json, absent_and_null_leave_the_value_and_say_so, 0, 2);
    tcase_add_loop_test(json, a_wrong_field_is_named_with_what_it_should_be, 0, ARRAY_SIZE(WRONG));
    tcase_add_test(json, free_text_is_any_utf8_without_control_characters);
    suite_add_tcase(suite, json);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
