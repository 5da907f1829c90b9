/* What the file of a machine survives: torn lines, nonsense, loss, compaction. */
#include "vendsim/journal.h"

#include "base/memory.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/vendsim-journal-XXXXXX";
static struct journal *journal;

static char *path_of(const char *name)
{
    return memory_format("%s/%s", folder, name);
}

static void open_journal(void)
{
    ck_assert_int_eq(journal_open(folder, "vm", &journal), 0);
}

static void setup(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    open_journal();
}

static void teardown(void)
{
    _cleanup_(memory_text_free) char *command = memory_format("rm -rf '%s'", folder);
    journal_close(&journal);
    ck_assert_int_eq(system(command), 0);
}

static void append_raw(const char *text)
{
    _cleanup_(memory_text_free) char *path = path_of("vm.journal");
    int fd = open(path, O_WRONLY | O_APPEND);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void take(const char *id, int n)
{
    journal_write(journal, json_pack("{s:s, s:s, s:i, s:i}", "approval", id, "verdict", "taken",
                                     "n", n, "price", 120));
}

START_TEST(a_torn_last_line_is_cut_off)
{
    take("aa", 1);
    journal_close(&journal);
    append_raw("{\"approval\":\"bb\",\"verd");
    open_journal();
    ck_assert_ptr_nonnull(ledger_find(journal_ledger(journal), "aa"));
    ck_assert_ptr_null(ledger_find(journal_ledger(journal), "bb"));
    take("cc", 2);
    journal_close(&journal);
    open_journal();
    ck_assert_ptr_nonnull(ledger_find(journal_ledger(journal), "cc"));
}
END_TEST

START_TEST(nonsense_is_put_aside_and_never_taken_for_innocence)
{
    char before[LEDGER_JOURNAL_SIZE];
    strcpy(before, journal_ledger(journal)->journal);
    take("aa", 1);
    journal_close(&journal);
    append_raw("nonsense\n");
    open_journal();
    ck_assert_str_ne(before, journal_ledger(journal)->journal);
    ck_assert_ptr_null(ledger_find(journal_ledger(journal), "aa"));
}
END_TEST

START_TEST(a_lost_journal_has_a_new_id_and_no_past)
{
    char before[LEDGER_JOURNAL_SIZE];
    strcpy(before, journal_ledger(journal)->journal);
    take("aa", 1);
    journal_lose(journal);
    ck_assert_str_ne(before, journal_ledger(journal)->journal);
    ck_assert_uint_eq(journal_ledger(journal)->approval_count, 0);
    ck_assert_int_eq(journal_ledger(journal)->seq, LEDGER_NONE);
    ck_assert(!journal_ledger(journal)->welcomed);
}
END_TEST

START_TEST(compaction_forgets_nothing_that_is_owed)
{
    char before[LEDGER_JOURNAL_SIZE];
    strcpy(before, journal_ledger(journal)->journal);
    take("aa", 40);
    journal_write(journal, json_pack("{s:s, s:b}", "approval", "aa", "on_bus", 1));
    journal_write(journal, json_pack("{s:i, s:i}", "session", 7, "request", 2));
    journal_write(journal, json_pack("{s:[i]}", "ended", 6));
    for (int i = 0; i < 40000; i++)
        journal_note(journal, json_pack("{s:{s:s, s:i, s:i, s:s}, s:[i, i]}", "event", "event",
                                        "alert", "event_epoch", 0, "seq", i, "message",
                                        "some more text for bulk", "acked", 0, i < 39999 ? i : -1));
    journal_close(&journal);
    _cleanup_(memory_text_free) char *path = path_of("vm.journal");
    FILE *file = fopen(path, "r");
    fseek(file, 0, SEEK_END);
    ck_assert_int_lt(ftell(file), 4 << 20);
    fclose(file);
    open_journal();
    const struct ledger *ledger = journal_ledger(journal);
    ck_assert_str_eq(before, ledger->journal);
    ck_assert_int_eq(ledger->seq, 39999);
    ck_assert_int_eq(ledger->events->prev->seq, 39999);
    ck_assert_int_eq(ledger->session, 7);
    ck_assert_int_eq(ledger->request, 2);
    ck_assert_int_eq(ledger->highest_n, 40);
    ck_assert(ledger_session_ended(ledger, 6));
    ck_assert_str_eq(ledger_unfinished(ledger)->id, "aa");
    ck_assert(ledger_unfinished(ledger)->on_bus);
}
END_TEST

START_TEST(the_last_16_approvals_are_known_and_the_open_one_always)
{
    char id[16];
    take("open", 0);
    for (int i = 1; i < 100; i++) {
        snprintf(id, sizeof(id), "v%d", i);
        journal_write(journal,
                      json_pack("{s:s, s:s, s:i}", "approval", id, "verdict", "void", "n", i));
    }
    for (int i = 84; i < 100; i++) {
        snprintf(id, sizeof(id), "v%d", i);
        ck_assert_ptr_nonnull(ledger_find(journal_ledger(journal), id));
    }
    ck_assert_str_eq(ledger_unfinished(journal_ledger(journal))->id, "open");
    ck_assert_int_eq(journal_ledger(journal)->highest_n, 99);
    ck_assert_str_eq(ledger_last(journal_ledger(journal))->id, "v99");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vendsim/journal");
    TCase *tests = tcase_create("file");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_torn_last_line_is_cut_off);
    tcase_add_test(tests, nonsense_is_put_aside_and_never_taken_for_innocence);
    tcase_add_test(tests, a_lost_journal_has_a_new_id_and_no_past);
    tcase_add_test(tests, compaction_forgets_nothing_that_is_owed);
    tcase_add_test(tests, the_last_16_approvals_are_known_and_the_open_one_always);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
