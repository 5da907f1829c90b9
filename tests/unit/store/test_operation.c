#include "store/operation.h"

#include "base/macros.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static struct operation *operation;

static void make(void)
{
    operation = operation_new(STATEMENT_PING, NULL, NULL);
}

static void drop(void)
{
    operation_free(&operation);
}

static const char *value(size_t index)
{
    const struct parameters *parameters = &operation->parameters;
    ck_assert_uint_lt(index, parameters->count);
    return parameters->values[index].null
               ? NULL
               : (const char *)parameters->bytes.bytes + parameters->values[index].offset;
}

START_TEST(values_are_kept_in_their_order)
{
    operation_add_integer(operation, INT64_MIN);
    operation_add_integer_or_null(operation, 0, 0);
    operation_add_bool(operation, true);
    operation_add_text(operation, "text");
    operation_add_text(operation, NULL);
    operation_add_sized_text(operation, "abcdef", 3);
    operation_add_bytes(operation, "a\0b", 3);
    ck_assert_str_eq(value(0), "-9223372036854775808");
    ck_assert_ptr_null(value(1));
    ck_assert_str_eq(value(2), "t");
    ck_assert_str_eq(value(3), "text");
    ck_assert_ptr_null(value(4));
    ck_assert_str_eq(value(5), "abc");
    ck_assert_mem_eq(value(6), "a\0b", 3);
    ck_assert_uint_eq(operation->parameters.values[6].size, 3);
    ck_assert(operation->parameters.values[6].binary && !operation->parameters.values[5].binary);
}
END_TEST

START_TEST(array_items_are_quoted_so_that_any_text_is_literal)
{
    static const char *const TEXTS[] = {"plain", "", "NULL", "a,b", "{x}", "say \"\\\"", "{"};
    operation_array_open(operation);
    for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++)
        operation_array_text(operation, TEXTS[i], strlen(TEXTS[i]));
    operation_array_close(operation);
    ck_assert_str_eq(value(0),
                     "{\"plain\",\"\",\"NULL\",\"a,b\",\"{x}\",\"say \\\"\\\\\\\"\",\"{\"}");
}
END_TEST

START_TEST(arrays_of_numbers_and_none)
{
    operation_array_open(operation);
    operation_array_close(operation);
    operation_array_open(operation);
    operation_array_integer(operation, 1);
    operation_array_integer(operation, -2);
    operation_array_close(operation);
    operation_array_open(operation);
    operation_array_bool(operation, true);
    operation_array_bool(operation, false);
    operation_array_close(operation);
    ck_assert_str_eq(value(0), "{}");
    ck_assert_str_eq(value(1), "{1,-2}");
    ck_assert_str_eq(value(2), "{t,f}");
}
END_TEST

START_TEST(what_others_sent_is_made_fit_for_the_database)
{
    operation_add_foreign_text(operation, "caf\xc3\xa9\n\x01\xff");
    operation_add_foreign_text(operation, "");
    operation_add_foreign_text(operation, "cut \xe2\x82");
    ck_assert_str_eq(value(0), "caf\xc3\xa9\n?\?");
    ck_assert_ptr_null(value(1));
    ck_assert_str_eq(value(2), "cut ?\?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("operation");
    TCase *operations = tcase_create("operation");
    tcase_add_checked_fixture(operations, make, drop);
    tcase_add_test(operations, values_are_kept_in_their_order);
    tcase_add_test(operations, array_items_are_quoted_so_that_any_text_is_literal);
    tcase_add_test(operations, arrays_of_numbers_and_none);
    tcase_add_test(operations, what_others_sent_is_made_fit_for_the_database);
    suite_add_tcase(suite, operations);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
