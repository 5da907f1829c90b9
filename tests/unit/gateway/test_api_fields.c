#include "gateway/api_fields.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

struct body {
    struct api_vm vm;
    char ref[TXN_REF_SIZE];
    int64_t balance;
};

static const struct json_field FIELDS[] = {
    API_VM_FIELDS(struct body, vm),
    API_REF_FIELD(struct body, ref),
    API_INTEGER_FIELD("balance", 0, struct body, balance),
};

static struct body body;
static char error[JSON_ERROR_SIZE];

static enum json_verdict read_body(const char *text)
{
    json_t *object = json_read_object(text, strlen(text), error);
    ck_assert_msg(object != NULL, "%s", error);
    memset(&body, 0, sizeof(body));
    enum json_verdict verdict = json_fields_read(object, FIELDS, ARRAY_SIZE(FIELDS), &body, error);
    json_decref(object);
    return verdict;
}

static const struct {
    const char *text;
    enum json_verdict verdict;
    const char *field;
} WRONG[] = {
    {"{\"vm_id\":\"a\",\"balance\":1}", JSON_MISSING, "'txnRef'"},
    {"{\"vm_id\":\"a\",\"txnRef\":null,\"balance\":1}", JSON_MISSING, "'txnRef'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"r\"}", JSON_MISSING, "'balance'"},
    {"{\"vm_id\":1,\"txnRef\":\"r\",\"balance\":1}", JSON_BAD_TYPE, "'vm_id'"},
    {"{\"vm_id\":\"a b\",\"txnRef\":\"r\",\"balance\":1}", JSON_BAD_VALUE, "'vm_id'"},
    {"{\"vm_id\":\"\",\"txnRef\":\"r\",\"balance\":1}", JSON_BAD_VALUE, "'vm_id'"},
    {"{\"id\":[],\"txnRef\":\"r\",\"balance\":1}", JSON_BAD_TYPE, "'id'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"\",\"balance\":1}", JSON_BAD_VALUE, "'txnRef'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"\\t\",\"balance\":1}", JSON_BAD_VALUE, "'txnRef'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"\\u00e4\",\"balance\":1}", JSON_BAD_VALUE, "'txnRef'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"r\",\"balance\":1.0}", JSON_BAD_TYPE, "'balance'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"r\",\"balance\":\"1\"}", JSON_BAD_TYPE, "'balance'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"r\",\"balance\":true}", JSON_BAD_TYPE, "'balance'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"r\",\"balance\":-1}", JSON_BAD_VALUE, "'balance'"},
    {"{\"vm_id\":\"a\",\"txnRef\":\"r\",\"balance\":9007199254740992}", JSON_BAD_VALUE,
     "'balance'"},
};

START_TEST(a_wrong_field_is_named)
{
    ck_assert_int_eq(read_body(WRONG[_i].text), WRONG[_i].verdict);
    ck_assert_msg(strstr(error, WRONG[_i].field), "%s", error);
}
END_TEST

START_TEST(every_printable_ascii_character_may_stand_in_a_ref)
{
    for (int i = ' '; i <= '~'; i++) {
        char letter = (char)i;
        json_t *object = json_pack("{s:s, s:s%, s:i}", "vm_id", "a", "txnRef", &letter, (size_t)1,
                                   "balance", 65535);
        ck_assert_int_eq(json_fields_read(object, FIELDS, ARRAY_SIZE(FIELDS), &body, error),
                         JSON_OK);
        ck_assert_int_eq(body.ref[0], letter);
        json_decref(object);
    }
}
END_TEST

START_TEST(lengths_are_those_of_the_contract)
{
    char vm_id[66], ref[130];
    memset(vm_id, 'v', sizeof(vm_id));
    memset(ref, 'r', sizeof(ref));
    for (int too_long = 0; too_long < 2; too_long++) {
        json_t *object = json_pack("{s:s%, s:s%, s:i}", "vm_id", vm_id, (size_t)64 + (too_long & 1),
                                   "txnRef", ref, (size_t)128, "balance", 0);
        ck_assert_int_eq(json_fields_read(object, FIELDS, ARRAY_SIZE(FIELDS), &body, error),
                         too_long ? JSON_BAD_VALUE : JSON_OK);
        json_decref(object);
    }
    json_t *object =
        json_pack("{s:s, s:s%, s:i}", "vm_id", "v", "txnRef", ref, (size_t)129, "balance", 0);
    ck_assert_int_eq(json_fields_read(object, FIELDS, ARRAY_SIZE(FIELDS), &body, error),
                     JSON_BAD_VALUE);
    json_decref(object);
}
END_TEST

static const struct {
    const char *text;
    enum reason reason;
    const char *vm_id;
} NAMES[] = {
    {"{\"vm_id\":\"new\",\"txnRef\":\"r\",\"balance\":1}", REASON_NONE, "new"},
    {"{\"id\":\"old\",\"txnRef\":\"r\",\"balance\":1}", REASON_NONE, "old"},
    {"{\"id\":\"same\",\"vm_id\":\"same\",\"txnRef\":\"r\",\"balance\":1}", REASON_NONE, "same"},
    {"{\"id\":\"one\",\"vm_id\":\"two\",\"txnRef\":\"r\",\"balance\":1}", REASON_BAD_FIELD, NULL},
    {"{\"txnRef\":\"r\",\"balance\":1}", REASON_MISSING_FIELD, NULL},
    {"{\"vm_id\":null,\"txnRef\":\"r\",\"balance\":1}", REASON_MISSING_FIELD, NULL},
};

START_TEST(a_machine_may_be_named_by_the_older_field_but_not_by_two_that_differ)
{
    const char *vm_id = NULL, *message = NULL;
    ck_assert_int_eq(read_body(NAMES[_i].text), JSON_OK);
    ck_assert_int_eq(api_vm_read(&body.vm, &vm_id, &message), NAMES[_i].reason);
    if (NAMES[_i].vm_id)
        ck_assert_str_eq(vm_id, NAMES[_i].vm_id);
    else
        ck_assert_ptr_nonnull(strstr(message, "'vm_id'"));
}
END_TEST

static const struct {
    const char *array;
    bool good;
    size_t count;
} KEYS[] = {
    {"[1]", true, 1},
    {"[0,9007199254740991,5]", true, 3},
    {"[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", true, 32},
    {"[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", false, 0},
    {"[]", false, 0},
    {"{}", false, 0},
    {"[1.0]", false, 0},
    {"[\"1\"]", false, 0},
    {"[-1]", false, 0},
    {"[1,null]", false, 0},
    {"[9007199254740992]", false, 0},
};

START_TEST(keys_are_one_to_thirty_two_integers)
{
    json_t *array = json_loads(KEYS[_i].array, 0, NULL);
    int64_t keys[API_KEYS_MAX];
    size_t count = 0;
    ck_assert(api_keys_read(array, keys, &count) == KEYS[_i].good);
    ck_assert_uint_eq(count, KEYS[_i].count);
    json_decref(array);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("api_fields");
    TCase *fields = tcase_create("fields");
    tcase_add_loop_test(fields, a_wrong_field_is_named, 0, ARRAY_SIZE(WRONG));
    tcase_add_test(fields, every_printable_ascii_character_may_stand_in_a_ref);
    tcase_add_test(fields, lengths_are_those_of_the_contract);
    tcase_add_loop_test(fields,
                        a_machine_may_be_named_by_the_older_field_but_not_by_two_that_differ, 0,
                        ARRAY_SIZE(NAMES));
    tcase_add_loop_test(fields, keys_are_one_to_thirty_two_integers, 0, ARRAY_SIZE(KEYS));
    suite_add_tcase(suite, fields);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
