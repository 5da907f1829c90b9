#include "store/migrations.h"

#include "base/macros.h"
#include "txn/state.h"

#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Run from the repository's root, as make does. */
#define FOLDER "sql/migrations"

START_TEST(every_file_is_built_in_under_its_number)
{
    size_t count, files = 0;
    const struct store_migration *migrations = store_migrations(&count);
    DIR *folder = opendir(FOLDER);
    ck_assert_ptr_nonnull(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        files += strstr(entry->d_name, ".sql") != NULL;
    closedir(folder);
    ck_assert_uint_eq(files, count);
    for (size_t i = 0; i < count; i++) {
        char path[300];
        ck_assert_int_eq(migrations[i].version, (int64_t)i + 1);
        snprintf(path, sizeof(path), FOLDER "/%04d_%s.sql", (int)migrations[i].version,
                 migrations[i].name);
        FILE *file = fopen(path, "r");
        ck_assert_msg(file, "%s", path);
        ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
        ck_assert_int_eq(ftell(file), (long)strlen(migrations[i].sql));
        fclose(file);
    }
    ck_assert_int_eq(store_schema_version(), (int64_t)count);
}
END_TEST

/* The text between `start` and the next ';' behind it. */
static void passage(const char *start, char *ret_text, size_t size)
{
    size_t count;
    const char *sql = strstr(store_migrations(&count)[0].sql, start);
    ck_assert_ptr_nonnull(sql);
    snprintf(ret_text, size, "%.*s", (int)strcspn(sql, ";"), sql);
}

/* How many quoted words a text has. */
static int quoted(const char *text)
{
    int quotes = 0;
    for (; *text; text++)
        quotes += *text == '\'';
    return quotes / 2;
}

START_TEST(the_states_in_the_database_are_those_of_the_program)
{
    char domain[1000];
    passage("CREATE DOMAIN txn_state", domain, sizeof(domain));
    for (enum txn_state state = TXN_NONE + 1; state < TXN_STATE_COUNT; state++) {
        char name[40];
        snprintf(name, sizeof(name), "'%s'", txn_state_name(state));
        ck_assert_msg(strstr(domain, name), "%s", name);
    }
    ck_assert_int_eq(quoted(domain), TXN_STATE_COUNT - 1);
}
END_TEST

START_TEST(the_final_and_the_paid_states_are_those_of_the_program)
{
    char live[200], paid[200];
    size_t count;
    const char *sql = store_migrations(&count)[0].sql;
    snprintf(live, sizeof(live), "%.*s", (int)strcspn(strstr(sql, "live boolean"), "\n"),
             strstr(sql, "live boolean"));
    const char *when = strstr(sql, "WHEN state IN");
    snprintf(paid, sizeof(paid), "%.*s", (int)strcspn(when, ")"), when);
    for (enum txn_state state = TXN_NONE + 1; state < TXN_STATE_COUNT; state++) {
        char name[40];
        snprintf(name, sizeof(name), "'%s'", txn_state_name(state));
        ck_assert_int_eq(strstr(live, name) != NULL, txn_state_final(state));
        bool is_paid = txn_state_money(state) || state == TXN_VENDED || state == TXN_FAILED;
        ck_assert_int_eq(strstr(paid, name) != NULL, is_paid);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("migrations");
    TCase *migrations = tcase_create("migrations");
    tcase_add_test(migrations, every_file_is_built_in_under_its_number);
    tcase_add_test(migrations, the_states_in_the_database_are_those_of_the_program);
    tcase_add_test(migrations, the_final_and_the_paid_states_are_those_of_the_program);
    suite_add_tcase(suite, migrations);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
