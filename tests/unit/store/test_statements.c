#include "store/statements.h"

#include "base/macros.h"
#include "store/tool_statements.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The highest $n of a text. */
static long parameters_used(const char *sql)
{
    long highest = 0;
    for (; *sql; sql++) {
        long number = *sql == '$' ? strtol(sql + 1, NULL, 10) : 0;
        if (number > highest)
            highest = number;
    }
    return highest;
}

START_TEST(every_statement_is_complete)
{
    const struct statement_info *info = statement_info((enum statement)_i);
    ck_assert_msg(info->name && info->sql && info->types && info->on, "row %d", _i);
    ck_assert_uint_le(strlen(info->types), PARAMETERS_MAX);
    ck_assert_msg(parameters_used(info->sql) <= (long)strlen(info->types), "%s", info->name);
    for (const char *type = info->types; *type; type++)
        ck_assert_uint_ne(statement_type_oid(*type), 0);
}
END_TEST

START_TEST(names_are_unique)
{
    for (enum statement a = STATEMENT_NONE + 1; a < STATEMENT_COUNT; a++)
        for (enum statement b = a + 1; b < STATEMENT_COUNT; b++)
            ck_assert_str_ne(statement_info(a)->name, statement_info(b)->name);
}
END_TEST

START_TEST(instance_and_epoch_come_first)
{
    for (enum statement s = STATEMENT_NONE + 1; s < STATEMENT_COUNT; s++) {
        const char *types = statement_info(s)->types;
        ck_assert_msg(types[0] == '\0' || !strncmp(types, "ii", 2), "%s", statement_info(s)->name);
    }
}
END_TEST

START_TEST(every_write_of_a_step_is_fenced)
{
    for (enum statement s = STATEMENT_NONE + 1; s < STATEMENT_COUNT; s++) {
        const struct statement_info *info = statement_info(s);
        bool writes = strstr(info->sql, "INSERT INTO") || strstr(info->sql, "UPDATE ") ||
                      strstr(info->sql, "DELETE ");
        if ((info->on & ON_STEPS) && writes && s != STATEMENT_EPOCH_TAKE)
            ck_assert_msg(strstr(info->sql, "epoch = $2") &&
                              (info->guarded || strstr(info->sql, "FOR SHARE")),
                          "%s", info->name);
    }
}
END_TEST

/* Else a clock that jumps between the commit and the question makes a step run twice. */
START_TEST(no_probe_asks_the_clock)
{
    static const enum statement PROBES[] = {STATEMENT_TXN_PROBE, STATEMENT_TXN_SUCCEED_PROBE,
                                            STATEMENT_MACHINE_EVENT_PROBE};
    for (size_t i = 0; i < ARRAY_SIZE(PROBES); i++)
        ck_assert_ptr_null(strstr(statement_info(PROBES[i])->sql, "now()"));
}
END_TEST

/* A probe is sent with the parameters of what it asks for. */
START_TEST(a_probe_takes_the_parameters_of_its_statement)
{
    for (enum statement s = STATEMENT_TXN_BEGIN; s < STATEMENT_TXN_SUCCEED; s++)
        ck_assert_str_eq(statement_info(s)->types, statement_info(STATEMENT_TXN_PROBE)->types);
    for (enum statement s = STATEMENT_TXN_SUCCEED; s <= STATEMENT_TXN_LAST_VARIANT; s++)
        ck_assert_str_eq(statement_info(s)->types,
                         statement_info(STATEMENT_TXN_SUCCEED_PROBE)->types);
    ck_assert_str_eq(statement_info(STATEMENT_MACHINE_EVENT_SAVE)->types,
                     statement_info(STATEMENT_MACHINE_EVENT_PROBE)->types);
}
END_TEST

START_TEST(a_tool_statement_takes_the_parameters_that_it_says)
{
    size_t count;
    const struct tool_statement *statements = tool_statements(&count);
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(parameters_used(statements[i].sql), (long)statements[i].parameters);
        ck_assert_ptr_eq(tool_statement_find(statements[i].name), &statements[i]);
    }
    ck_assert_ptr_null(tool_statement_find("no such"));
    ck_assert_ptr_null(tool_constraint_meaning("no such"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statements");
    TCase *statements = tcase_create("statements");
    tcase_add_loop_test(statements, every_statement_is_complete, STATEMENT_NONE + 1,
                        STATEMENT_COUNT);
    tcase_add_test(statements, names_are_unique);
    tcase_add_test(statements, instance_and_epoch_come_first);
    tcase_add_test(statements, every_write_of_a_step_is_fenced);
    tcase_add_test(statements, no_probe_asks_the_clock);
    tcase_add_test(statements, a_probe_takes_the_parameters_of_its_statement);
    tcase_add_test(statements, a_tool_statement_takes_the_parameters_that_it_says);
    suite_add_tcase(suite, statements);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
