#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "2023-11-14T22:13:20.007Z info "

static int64_t fixed_monotonic(void *arg UNUSED)
{
    return 0;
}

static int64_t fixed_unix(void *arg UNUSED)
{
    return 1700000000007;
}

static const struct clock_source FIXED = {fixed_monotonic, fixed_unix, NULL};

static int real_stderr;
static int capture;
static char logged[8192]; /* what went to standard error since captured() was last called */

static void setup(void)
{
    clock_replace(&FIXED);
    unsetenv("JOURNAL_STREAM");
    real_stderr = dup(STDERR_FILENO);
    capture = memfd_create("log", MFD_CLOEXEC);
    ck_assert_int_ge(capture, 0);
    ck_assert_int_ge(dup2(capture, STDERR_FILENO), 0);
}

static void teardown(void)
{
    dup2(real_stderr, STDERR_FILENO);
    close(real_stderr);
    close(capture);
    clock_replace(NULL);
}

static const char *captured(void)
{
    ssize_t size = pread(capture, logged, sizeof(logged) - 1, 0);
    ck_assert_int_ge(size, 0);
    logged[size] = '\0';
    ck_assert_int_eq(ftruncate(capture, 0), 0);
    ck_assert_int_eq(lseek(capture, 0, SEEK_SET), 0);
    return logged;
}

START_TEST(a_line_has_time_level_event_and_fields)
{
    log_info("machine_online", LOG_TEXT("vm", "vm-1"), LOG_INT("generation", -42));
    ck_assert_str_eq(captured(), PREFIX "event=machine_online vm=vm-1 generation=-42\n");
    log_error("stopped");
    ck_assert_str_eq(captured(), "2023-11-14T22:13:20.007Z error event=stopped\n");
}
END_TEST

START_TEST(only_our_own_journal_stream_gets_priorities)
{
    struct stat status;
    char stream[64];
    ck_assert_int_eq(fstat(STDERR_FILENO, &status), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_warning("slow");
    ck_assert_str_eq(captured(), "<4>event=slow\n");
    setenv("JOURNAL_STREAM", "8:1", 1);
    log_info("inherited");
    ck_assert_str_eq(captured(), PREFIX "event=inherited\n");
}
END_TEST

static const struct {
    const char *value, *written;
} VALUES[] = {
    {"plain", "plain"},
    {NULL, "-"},
    {"-", "\"-\""},
    {"", "\"\""},
    {"two words", "\"two words\""},
    {"a=b", "\"a=b\""},
    {"say \"hi\"", "\"say \\\"hi\\\"\""},
    {"back\\slash", "\"back\\\\slash\""},
    {"x\nevent=forged", "\"x\\nevent=forged\""},
    {"tab\there\r", "\"tab\\there\\r\""},
    {"\x1b[31m", "\"\\x1b[31m\""},
    {"\x7f", "\"\\x7f\""},
    {"Getr\xc3\xa4nke", "Getr\xc3\xa4nke"},
    {"\xe9\xa3\xb2\xe6\x96\x99 1", "\"\xe9\xa3\xb2\xe6\x96\x99 1\""},
    {"\xc2\x9b"
     "31m",
     "\"\\xc2\\x9b"
     "31m\""},
    {"\xff\xc3", "\"\\xff\\xc3\""},
    {"\xc0\xaf", "\"\\xc0\\xaf\""},
    {"\xed\xa0\x80", "\"\\xed\\xa0\\x80\""},
    {"\xf4\x90\x80\x80", "\"\\xf4\\x90\\x80\\x80\""},
    {"\xf0\x9f\xa5\xa4", "\xf0\x9f\xa5\xa4"},
};

START_TEST(no_value_forges_a_field_or_a_line)
{
    char expected[256];
    log_info("e", LOG_TEXT("error", VALUES[_i].value), LOG_INT("n", 1));
    snprintf(expected, sizeof(expected), PREFIX "event=e error=%s n=1\n", VALUES[_i].written);
    ck_assert_str_eq(captured(), expected);
}
END_TEST

/* A value of `length` times `letter`; the line must be whole up to 2 KiB and end in dots beyond. */
static const char *log_long(const char *letter, size_t length)
{
    static char value[6000];
    value[0] = '\0';
    for (size_t i = 0; i < length; i++)
        memcpy(value + i * strlen(letter), letter, strlen(letter) + 1);
    log_info("e", LOG_TEXT("v", value), LOG_INT("n", 1));
    return captured();
}

START_TEST(a_line_of_2_kib_is_written_whole_and_a_longer_one_ends_in_dots)
{
    size_t rest = strlen(PREFIX "event=e v= n=1\n");
    const char *line = log_long("x", 2048 - rest);
    ck_assert_uint_eq(strlen(line), 2048);
    ck_assert_str_eq(line + 2048 - 6, "x n=1\n");
    line = log_long("x", 2048 - rest + 1);
    ck_assert_uint_le(strlen(line), 2048);
    ck_assert_str_eq(line + strlen(line) - 4, "...\n");
    ck_assert_ptr_null(strstr(line, "n=1"));
}
END_TEST

START_TEST(a_cut_never_leaves_half_a_character_or_half_an_escape)
{
    for (size_t length = 980; length < 1100; length++) {
        const char *line = log_long("\xc3\xa4", length);
        size_t size = strlen(line);
        ck_assert_uint_le(size, 2048);
        if (strcmp(line + size - 4, "...\n") == 0)
            ck_assert_mem_eq(line + size - 6, "\xc3\xa4", 2);
    }
    const char *line = log_long("\x01", 1000);
    size_t size = strlen(line);
    ck_assert_str_eq(line + size - 8, "\\x01...\n");
    line = log_long("\n", 3000);
    ck_assert_str_eq(line + strlen(line) - 6, "\\n...\n");
    ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
}
END_TEST

START_TEST(lines_less_urgent_than_the_level_are_dropped)
{
    ck_assert_int_eq(log_get_level(), LOG_LEVEL_INFO);
    log_debug("detail");
    ck_assert_str_eq(captured(), "");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("slow");
    ck_assert_str_eq(captured(), "");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("detail");
    ck_assert_str_eq(captured(), "2023-11-14T22:13:20.007Z debug event=detail\n");
}
END_TEST

START_TEST(logging_leaves_errno_alone)
{
    close(STDERR_FILENO);
    errno = ENOENT;
    log_error("gone");
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(level_names_are_known_exactly)
{
    enum log_level level = LOG_LEVEL_NOTICE;
    ck_assert(!log_level_parse("verbose", &level));
    ck_assert(!log_level_parse("Error", &level));
    ck_assert_int_eq(level, LOG_LEVEL_NOTICE);
    ck_assert(log_level_parse("debug", &level));
    ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
    ck_assert(log_level_parse("error", &level));
    ck_assert_int_eq(level, LOG_LEVEL_ERROR);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *log = tcase_create("log");
    tcase_add_checked_fixture(log, setup, teardown);
    tcase_add_test(log, a_line_has_time_level_event_and_fields);
    tcase_add_test(log, only_our_own_journal_stream_gets_priorities);
    tcase_add_loop_test(log, no_value_forges_a_field_or_a_line, 0, ARRAY_SIZE(VALUES));
    tcase_add_test(log, a_line_of_2_kib_is_written_whole_and_a_longer_one_ends_in_dots);
    tcase_add_test(log, a_cut_never_leaves_half_a_character_or_half_an_escape);
    tcase_add_test(log, lines_less_urgent_than_the_level_are_dropped);
    tcase_add_test(log, logging_leaves_errno_alone);
    tcase_add_test(log, level_names_are_known_exactly);
    suite_add_tcase(suite, log);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
