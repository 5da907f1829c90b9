#include "base/config.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct settings {
    char *address, *note;
    int64_t port, timeout_ms, body_size;
    bool strict;
};

static const struct config_key KEYS[] = {
    {"gateway", "address", CONFIG_TEXT, "127.0.0.1", 1, 64, offsetof(struct settings, address),
     "Where the gateway listens."},
    {"gateway", "port", CONFIG_INTEGER, "8443", 1, 65535, offsetof(struct settings, port),
     "Its port."},
    {"gateway", "body-size", CONFIG_SIZE, "64KiB", 1024, 1048576,
     offsetof(struct settings, body_size),
     "The longest body that a caller may send. A longer one is answered with 413 before it is "
     "read, and the "
     "connection is closed."},
    {"outbound", "timeout", CONFIG_DURATION, "5s", 100, 60000,
     offsetof(struct settings, timeout_ms), "How long a callback may take."},
    {"outbound", "strict", CONFIG_BOOL, "yes", 0, 0, offsetof(struct settings, strict),
     "Whether certificates are checked."},
    {"outbound", "note", CONFIG_TEXT, "", 0, 2000, offsetof(struct settings, note),
     "A note of your own."},
};

static const struct config_key REQUIRED[] = {
    {"store", "database", CONFIG_TEXT, NULL, 1, 64, offsetof(struct settings, address),
     "The connection string."},
};

static char path[64];
static char error[CONFIG_ERROR_SIZE];
static struct settings settings;

static void write_file_bytes(const char *bytes, size_t size)
{
    int file = memfd_create("config", 0);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(write(file, bytes, size), (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
}

static int read_text(const char *text)
{
    write_file_bytes(text, strlen(text));
    return config_read(KEYS, ARRAY_SIZE(KEYS), path, &settings, error);
}

static void setup(void)
{
    memset(&settings, 0, sizeof(settings));
    error[0] = '\0';
}

static void teardown(void)
{
    config_done(KEYS, ARRAY_SIZE(KEYS), &settings);
    ck_assert_ptr_null(settings.address);
}

static void assert_defaults(void)
{
    ck_assert_str_eq(settings.address, "127.0.0.1");
    ck_assert_int_eq(settings.port, 8443);
    ck_assert_int_eq(settings.body_size, 65536);
    ck_assert_int_eq(settings.timeout_ms, 5000);
    ck_assert(settings.strict);
    ck_assert_str_eq(settings.note, "");
}

START_TEST(without_a_file_the_defaults_hold)
{
    ck_assert_int_eq(config_read(KEYS, ARRAY_SIZE(KEYS), NULL, &settings, error), 0);
    assert_defaults();
}
END_TEST

START_TEST(the_file_goes_over_the_defaults)
{
    ck_assert_msg(read_text("# comment\n; comment\n\n[gateway]\naddress = ::1\r\n  port=1\n"
                            "body-size = 1MiB\n[outbound]\ntimeout = 1min\nstrict = no\n"
                            "note = a=b ; c # d") == 0,
                  "%s", error);
    ck_assert_str_eq(settings.address, "::1");
    ck_assert_int_eq(settings.port, 1);
    ck_assert_int_eq(settings.body_size, 1048576);
    ck_assert_int_eq(settings.timeout_ms, 60000);
    ck_assert(!settings.strict);
    ck_assert_str_eq(settings.note, "a=b ; c # d");
}
END_TEST

START_TEST(the_environment_goes_over_the_file)
{
    setenv("VENDGATE_GATEWAY_BODY_SIZE", "2KiB", 1);
    setenv("VENDGATE_GATEWAY_ADDRESS", "10.0.0.1", 1);
    ck_assert_msg(read_text("[gateway]\nbody-size = 4KiB\nport = 9\n") == 0, "%s", error);
    ck_assert_int_eq(settings.body_size, 2048);
    ck_assert_str_eq(settings.address, "10.0.0.1");
    ck_assert_int_eq(settings.port, 9);
}
END_TEST

START_TEST(a_wrong_environment_variable_is_named)
{
    setenv("VENDGATE_OUTBOUND_TIMEOUT", "5", 1);
    ck_assert_int_eq(config_read(KEYS, ARRAY_SIZE(KEYS), NULL, &settings, error), -EINVAL);
    ck_assert_str_eq(error, "environment variable VENDGATE_OUTBOUND_TIMEOUT must be a duration "
                            "from 100ms to 1min, not '5'");
}
END_TEST

static const struct {
    const char *text, *reason; /* the reason without the path before it */
} WRONG[] = {
    {"[gateway]\n\nprot = 1\n", ":3: unknown key 'prot'; [gateway] has: address, port, body-size"},
    {"[gatway]\n", ":1: unknown section [gatway]; there are: gateway, outbound"},
    {"[outbound]\nport = 1\n", ":2: unknown key 'port'; [outbound] has: timeout, strict, note"},
    {"port = 1\n", ":1: key 'port' stands before any [section]; move it into one"},
    {"[gateway]\nport = 1\n[outbound]\n[gateway]\nport = 1\n",
     ":5: [gateway] port is given twice, first in line 2; remove one"},
    {"[gateway]\nport = 0\n", ":2: [gateway] port must be a number from 1 to 65535, not '0'"},
    {"[gateway]\nport = 65536\n", ":2: [gateway] port must be"},
    {"[gateway]\nport = 99999999999999999999\n", ":2: [gateway] port must be"},
    {"[gateway]\nport = 80 # web\n", ":2: [gateway] port must be"},
    {"[gateway]\nport = 0x10\n", ":2: [gateway] port must be"},
    {"[gateway]\nport = +1\n", ":2: [gateway] port must be"},
    {"[gateway]\nport =\n", ":2: [gateway] port must be"},
    {"[gateway]\nport = 8\n  443\n", ":3: neither 'key = value' nor a [section]"},
    {"[gateway]\nport\n[nonsense]\n", ":2: neither 'key = value' nor a [section]"},
    {"[gateway\n", ":1: neither 'key = value' nor a [section]"},
    {"[gateway] port = 1\n", ":1: text behind [gateway]; write it on a line of its own"},
    {"[gateway]\naddress =\n", ":2: [gateway] address must be a text of 1 to 64 bytes, not of 0"},
    {"[gateway]\nbody-size = 1KB\n",
     ":2: [gateway] body-size must be a size from 1KiB to 1MiB, not '1KB'"},
    {"[gateway]\nbody-size = 1023\n", ":2: [gateway] body-size must be"},
    {"[gateway]\nbody-size = 9223372036854775807KiB\n", ":2: [gateway] body-size must be"},
    {"[outbound]\ntimeout = 5\n", ":2: [outbound] timeout must be a duration from 100ms to 1min"},
    {"[outbound]\ntimeout = 5 s\n", ":2: [outbound] timeout must be"},
    {"[outbound]\ntimeout = 61s\n", ":2: [outbound] timeout must be"},
    {"[outbound]\nstrict = true\n", ":2: [outbound] strict must be yes or no, not 'true'"},
};

START_TEST(a_mistake_is_told_with_file_line_and_remedy)
{
    char expected[256];
    ck_assert_int_eq(read_text(WRONG[_i].text), -EINVAL);
    snprintf(expected, sizeof(expected), "%s%s", path, WRONG[_i].reason);
    ck_assert_msg(strstr(error, expected) == error, "expected: %s\ngot:      %s", expected, error);
    ck_assert_ptr_null(settings.address);
}
END_TEST

START_TEST(a_text_that_is_refused_is_not_repeated)
{
    ck_assert_int_eq(
        read_text("[gateway]\naddress = "
                  "secretsecretsecretsecretsecretsecretsecretsecretsecretsecretsecret\n"),
        -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, ":2: [gateway] address must be a text of 1 to 64 bytes"));
    ck_assert_ptr_null(strstr(error, "secret"));
}
END_TEST

START_TEST(units_are_exact)
{
    static const struct {
        const char *text;
        int64_t timeout_ms, body_size;
    } UNITS[] = {
        {"[outbound]\ntimeout = 100ms\n[gateway]\nbody-size = 1024\n", 100, 1024},
        {"[outbound]\ntimeout = 7s\n[gateway]\nbody-size = 1KiB\n", 7000, 1024},
        {"[outbound]\ntimeout = 1min\n[gateway]\nbody-size = 1MiB\n", 60000, 1048576},
    };
    for (size_t i = 0; i < ARRAY_SIZE(UNITS); i++) {
        ck_assert_msg(read_text(UNITS[i].text) == 0, "%s", error);
        ck_assert_int_eq(settings.timeout_ms, UNITS[i].timeout_ms);
        ck_assert_int_eq(settings.body_size, UNITS[i].body_size);
        config_done(KEYS, ARRAY_SIZE(KEYS), &settings);
    }
}
END_TEST

START_TEST(long_values_are_whole_and_lines_have_a_limit)
{
    char text[9000] = "[outbound]\nnote = ";
    size_t size = strlen(text);
    memset(text + size, 'x', 2000);
    ck_assert_msg(read_text(text) == 0, "%s", error);
    ck_assert_uint_eq(strlen(settings.note), 2000);
    memset(text + size, 'x', sizeof(text) - size - 1);
    config_done(KEYS, ARRAY_SIZE(KEYS), &settings);
    ck_assert_int_eq(read_text(text), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, ":2: the line is longer than 8189 bytes; shorten it"));
}
END_TEST

START_TEST(a_nul_byte_is_refused)
{
    static const char TEXT[] = "[gateway]\nport = 1\0 2\n";
    write_file_bytes(TEXT, sizeof(TEXT) - 1);
    ck_assert_int_eq(config_read(KEYS, ARRAY_SIZE(KEYS), path, &settings, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, ":2: a NUL byte"));
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    ck_assert_int_eq(
        config_read(KEYS, ARRAY_SIZE(KEYS), "/nonexistent/vendgate.conf", &settings, error),
        -ENOENT);
    ck_assert_str_eq(error,
                     "/nonexistent/vendgate.conf: cannot be opened: No such file or directory");
    ck_assert_int_eq(config_read(KEYS, ARRAY_SIZE(KEYS), "/", &settings, error), -EISDIR);
    ck_assert_str_eq(error, "/: cannot be read: Is a directory");
}
END_TEST

START_TEST(a_required_key_is_asked_for)
{
    struct settings required = {0};
    ck_assert_int_eq(config_read(REQUIRED, 1, NULL, &required, error), -EINVAL);
    ck_assert_str_eq(error, "no config file: [store] database is required; write 'database = ...' "
                            "under [store], or set VENDGATE_STORE_DATABASE");
    setenv("VENDGATE_STORE_DATABASE", "dbname=vendgate", 1);
    ck_assert_int_eq(config_read(REQUIRED, 1, NULL, &required, error), 0);
    ck_assert_str_eq(required.address, "dbname=vendgate");
    config_done(REQUIRED, 1, &required);
}
END_TEST

static char *write_example(const struct config_key *keys, size_t count)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    config_write_example(keys, count, out);
    fclose(out);
    return text;
}

/* Removes the '#' in front of each key, as a person would; comments have a blank behind theirs. */
static void uncomment(char *text)
{
    for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (line[0] == '#' && line[1] != ' ' && line[1] != '\n')
            line[0] = ' ';
}

START_TEST(the_example_gives_the_defaults_with_and_without_its_keys)
{
    char *text = write_example(KEYS, ARRAY_SIZE(KEYS));
    ck_assert_msg(read_text(text) == 0, "%s", error);
    assert_defaults();
    config_done(KEYS, ARRAY_SIZE(KEYS), &settings);
    uncomment(text);
    ck_assert_msg(read_text(text) == 0, "%s", error);
    assert_defaults();
    ck_assert_ptr_nonnull(strstr(text, "\n timeout = 5s\n"));
    free(text);
}
END_TEST

START_TEST(the_example_tells_help_range_default_and_variable)
{
    char *text = write_example(KEYS, ARRAY_SIZE(KEYS));
    ck_assert_ptr_nonnull(
        strstr(text, "\n[outbound]\n\n# How long a callback may take.\n"
                     "# A duration from 100ms to 1min. Environment: VENDGATE_OUTBOUND_TIMEOUT\n"
                     "#timeout = 5s\n\n"));
    ck_assert_ptr_nonnull(strstr(text, "\n#note =\n"));
    for (char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        ck_assert_uint_le(strcspn(line, "\n"), 100);
    free(text);
}
END_TEST

START_TEST(a_required_key_stands_open_in_the_example)
{
    char *text = write_example(REQUIRED, 1);
    ck_assert_ptr_nonnull(strstr(text, "# Required: a text of 1 to 64 bytes. Environment: "
                                       "VENDGATE_STORE_DATABASE\ndatabase =\n"));
    struct settings required = {0};
    write_file_bytes(text, strlen(text));
    ck_assert_int_eq(config_read(REQUIRED, 1, path, &required, error), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "[store] database must be a text of 1 to 64 bytes"));
    free(text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("config");
    TCase *config = tcase_create("config");
    tcase_add_checked_fixture(config, setup, teardown);
    tcase_add_test(config, without_a_file_the_defaults_hold);
    tcase_add_test(config, the_file_goes_over_the_defaults);
    tcase_add_test(config, the_environment_goes_over_the_file);
    tcase_add_test(config, a_wrong_environment_variable_is_named);
    tcase_add_loop_test(config, a_mistake_is_told_with_file_line_and_remedy, 0, ARRAY_SIZE(WRONG));
    tcase_add_test(config, a_text_that_is_refused_is_not_repeated);
    tcase_add_test(config, units_are_exact);
    tcase_add_test(config, long_values_are_whole_and_lines_have_a_limit);
    tcase_add_test(config, a_nul_byte_is_refused);
    tcase_add_test(config, a_file_that_cannot_be_read_is_an_error);
    tcase_add_test(config, a_required_key_is_asked_for);
    tcase_add_test(config, the_example_gives_the_defaults_with_and_without_its_keys);
    tcase_add_test(config, the_example_tells_help_range_default_and_variable);
    tcase_add_test(config, a_required_key_stands_open_in_the_example);
    suite_add_tcase(suite, config);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(
        runner, CK_FORK); /* Each case has its own process: some change the environment. */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
