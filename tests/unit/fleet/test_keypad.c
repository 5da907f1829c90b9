#include "fleet/keypad.h"

#include "base/json.h"
#include "base/macros.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define TOLD                                                                                  \
    "{\"virtual_keypad_enabled\":true,\"total_action_needed\":2,\"total_column_number\":3,"   \
    "\"total_row_number\":4,\"extra\":1,\"keypad_items\":["                                   \
    "{\"id\":11,\"display_value\":\"A\",\"x\":0,\"y\":1,\"w\":2,\"h\":1,\"colour\":\"red\"}," \
    "{\"id\":12,\"display_value\":\"B\",\"x\":2,\"y\":1,\"w\":1,\"h\":1}]}"

static json_t *keypad_of(const char *text)
{
    _cleanup_(json_release) json_t *told = json_loads(text, JSON_DECODE_ANY, NULL);
    ck_assert_ptr_nonnull(told);
    return keypad_read(told);
}

START_TEST(a_keypad_shows_the_contracts_fields_and_no_others)
{
    _cleanup_(json_release) json_t *keypad = keypad_of(TOLD);
    char *text = json_dumps(keypad, JSON_COMPACT);
    ck_assert_str_eq(
        text,
        "{\"virtual_keypad_enabled\":true,\"total_action_needed\":2,\"total_column_number\":3,"
        "\"total_row_number\":4,\"keypad_items\":["
        "{\"id\":11,\"display_value\":\"A\",\"x\":0,\"y\":1,\"w\":2,\"h\":1},"
        "{\"id\":12,\"display_value\":\"B\",\"x\":2,\"y\":1,\"w\":1,\"h\":1}]}");
    free(text);
}
END_TEST

START_TEST(a_machine_without_keypad_shows_an_empty_one_of_the_same_shape)
{
    _cleanup_(json_release) json_t *none = keypad_none();
    _cleanup_(json_release) json_t *empty = keypad_of("{}");
    ck_assert(json_equal(none, empty));
    ck_assert(json_is_false(json_object_get(none, "virtual_keypad_enabled")));
    ck_assert_uint_eq(json_array_size(json_object_get(none, "keypad_items")), 0);
}
END_TEST

static const char *const BAD[] = {
    "[]",
    "1",
    "{\"keypad_items\":[{}]}",
    "{\"keypad_items\":[{\"id\":\"1\"}]}",
    "{\"keypad_items\":[{\"id\":1.0}]}",
    "{\"keypad_items\":[1]}",
};

START_TEST(what_is_no_keypad_is_none)
{
    ck_assert_ptr_null(keypad_of(BAD[_i]));
    ck_assert_ptr_null(keypad_read(NULL));
}
END_TEST

START_TEST(keys_are_the_items_ids)
{
    _cleanup_(json_release) json_t *keypad = keypad_of(TOLD);
    ck_assert(keypad_has_key(keypad, 11) && keypad_has_key(keypad, 12));
    ck_assert(!keypad_has_key(keypad, 0) && !keypad_has_key(keypad, 13));
    ck_assert(!keypad_has_key(NULL, 11));
}
END_TEST

static const struct {
    const char *text;
    int64_t count;
} COUNTS[] = {
    {TOLD, 2},
    {"{\"virtual_keypad_enabled\":false,\"total_action_needed\":2}", 0},
    {"{\"virtual_keypad_enabled\":true}", 0},
    {"{\"virtual_keypad_enabled\":true,\"total_action_needed\":-1}", 0},
    {"{\"virtual_keypad_enabled\":true,\"total_action_needed\":\"2\"}", 0},
};

START_TEST(a_keypad_that_is_switched_off_takes_no_keys)
{
    _cleanup_(json_release) json_t *keypad = keypad_of(COUNTS[_i].text);
    ck_assert_int_eq(keypad_action_count(keypad), COUNTS[_i].count);
    ck_assert_int_eq(keypad_action_count(NULL), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keypad");
    TCase *tests = tcase_create("keypad");
    tcase_add_test(tests, a_keypad_shows_the_contracts_fields_and_no_others);
    tcase_add_test(tests, a_machine_without_keypad_shows_an_empty_one_of_the_same_shape);
    tcase_add_loop_test(tests, what_is_no_keypad_is_none, 0, ARRAY_SIZE(BAD));
    tcase_add_test(tests, keys_are_the_items_ids);
    tcase_add_loop_test(tests, a_keypad_that_is_switched_off_takes_no_keys, 0, ARRAY_SIZE(COUNTS));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
