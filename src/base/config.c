#include "base/config.h"

#include "base/config_value.h"
#include "base/memory.h"

#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SIZE = 8192 };

/* What one key was given: by its default, the file (then `line` is set) or the environment. */
struct setting {
    char *text; /* NULL: nothing yet */
    int line;
};

struct reader {
    const struct config_key *keys;
    size_t count;
    struct setting *settings; /* one for each key */
    const char *path;
    FILE *file;
    char *line_text; /* getline(3)'s */
    size_t line_capacity;
    int line; /* of the file, from 1 */
    int error;
    char *ret_error; /* holds CONFIG_ERROR_SIZE */
};

/* Keeps the first failure; what follows it is often only its echo. */
static void fail(struct reader *reader, int error, const char *format, ...) PRINTF_LIKE(3, 4);
static void fail(struct reader *reader, int error, const char *format, ...)
{
    if (reader->error)
        return;
    reader->error = error;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reader->ret_error, CONFIG_ERROR_SIZE, format, arguments);
    va_end(arguments);
}

/* "section, section" or, of one section, "key, key". */
static char *list_names(const struct reader *reader, const char *section)
{
    char *list = memory_text("");
    const char *last = "";
    for (size_t i = 0; i < reader->count; i++) {
        const struct config_key *key = &reader->keys[i];
        if (section && strcmp(section, key->section) != 0)
            continue;
        const char *name = section ? key->name : key->section;
        if (strcmp(last, name) == 0)
            continue;
        _cleanup_(memory_text_free) char *shorter = list;
        list = memory_format("%s%s%s", shorter, *last ? ", " : "", name);
        last = name;
    }
    return list;
}

static bool section_exists(const struct reader *reader, const char *section)
{
    for (size_t i = 0; i < reader->count; i++)
        if (strcmp(reader->keys[i].section, section) == 0)
            return true;
    return false;
}

/* inih tells of a section only with its first key, and forgives what stands behind the bracket. */
static void check_heading(struct reader *reader, const char *text)
{
    text += strspn(text, " \t");
    const char *end = strchr(text, ']');
    if (*text != '[' || !end)
        return;
    _cleanup_(memory_text_free) char *section = memory_bytes(text + 1, (size_t)(end - text) - 1);
    if (!section_exists(reader, section)) {
        _cleanup_(memory_text_free) char *list = list_names(reader, NULL);
        fail(reader, -EINVAL, "%s:%d: unknown section [%s]; there are: %s", reader->path,
             reader->line, section, list);
    }
    if (end[1 + strspn(end + 1, " \t\r\n")])
        fail(reader, -EINVAL, "%s:%d: text behind [%s]; write it on a line of its own",
             reader->path, reader->line, section);
}

/* inih's fgets(): counts the lines, because Debian's inih does not tell their number. */
static char *next_line(char *ret_line, int size, void *arg)
{
    struct reader *reader = arg;
    if (reader->error)
        return NULL;
    errno = 0;
    ssize_t length = getline(&reader->line_text, &reader->line_capacity, reader->file);
    if (length < 0) {
        if (!feof(reader->file))
            fail(reader, errno ? -errno : -EIO, "%s: cannot be read: %s", reader->path,
                 strerror(errno));
        return NULL;
    }
    reader->line++;
    if (length >= size - 2)
        fail(reader, -EINVAL, "%s:%d: the line is longer than %d bytes; shorten it", reader->path,
             reader->line, size - 3);
    if (memchr(reader->line_text, '\0', (size_t)length))
        fail(reader, -EINVAL, "%s:%d: a NUL byte; remove it", reader->path, reader->line);
    check_heading(reader, reader->line_text);
    if (reader->error)
        return NULL;
    memcpy(ret_line, reader->line_text, (size_t)length + 1);
    return ret_line;
}

static void fail_unknown(struct reader *reader, const char *section, const char *name)
{
    if (!*section) {
        fail(reader, -EINVAL, "%s:%d: key '%s' stands before any [section]; move it into one",
             reader->path, reader->line, name);
        return;
    }
    _cleanup_(memory_text_free) char *list = list_names(reader, section);
    fail(reader, -EINVAL, "%s:%d: unknown key '%s'; [%s] has: %s", reader->path, reader->line, name,
         section, list);
}

/* A text is not repeated: it may be a secret, and errors go into logs. */
static char *describe_mistake(const struct config_key *key, const char *text)
{
    _cleanup_(memory_text_free) char *range = config_value_describe(key);
    if (key->kind == CONFIG_TEXT)
        return memory_format("must be %s, not of %zu", range, strlen(text));
    return memory_format("must be %s, not '%.64s'", range, text);
}

/* inih's handler: 1 goes on, 0 stops. */
static int on_pair(void *arg, const char *section, const char *name, const char *value)
{
    struct reader *reader = arg;
    size_t i = 0;
    while (i < reader->count && (strcmp(reader->keys[i].section, section) != 0 ||
                                 strcmp(reader->keys[i].name, name) != 0))
        i++;
    if (i == reader->count) {
        fail_unknown(reader, section, name);
        return 0;
    }
    struct setting *setting = &reader->settings[i];
    int64_t number;
    if (setting->line) {
        fail(reader, -EINVAL, "%s:%d: [%s] %s is given twice, first in line %d; remove one",
             reader->path, reader->line, section, name, setting->line);
    } else if (!config_value_parse(&reader->keys[i], value, &number)) {
        _cleanup_(memory_text_free) char *mistake = describe_mistake(&reader->keys[i], value);
        fail(reader, -EINVAL, "%s:%d: [%s] %s %s", reader->path, reader->line, section, name,
             mistake);
    } else {
        free(setting->text);
        *setting = (struct setting){.text = memory_text(value), .line = reader->line};
    }
    return reader->error == 0;
}

/* inih keeps its options in variables: no continuation lines, no comments behind values, long
 * lines. */
static void parse_file(struct reader *reader)
{
    ini_max_line = LINE_SIZE;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
    ini_stop_on_first_error = true;
    int result = ini_parse_stream(next_line, reader, on_pair, reader);
    if (result != 0)
        fail(reader, -EINVAL, "%s:%d: neither 'key = value' nor a [section]", reader->path,
             reader->line);
}

static void read_file(struct reader *reader)
{
    reader->file = fopen(reader->path, "re");
    if (!reader->file) {
        fail(reader, -errno, "%s: cannot be opened: %s", reader->path, strerror(errno));
        return;
    }
    parse_file(reader);
    free(reader->line_text);
    fclose(reader->file);
}

static void read_defaults(struct reader *reader)
{
    for (size_t i = 0; i < reader->count; i++)
        reader->settings[i].text = memory_text(reader->keys[i].standard);
}

static void read_environment(struct reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        const struct config_key *key = &reader->keys[i];
        _cleanup_(memory_text_free) char *variable = config_variable(key);
        const char *value = getenv(variable);
        int64_t number;
        if (!value)
            continue;
        if (!config_value_parse(key, value, &number)) {
            _cleanup_(memory_text_free) char *mistake = describe_mistake(key, value);
            fail(reader, -EINVAL, "environment variable %s %s", variable, mistake);
        }
        free(reader->settings[i].text);
        reader->settings[i].text = memory_text(value);
    }
}

static void check_required(struct reader *reader)
{
    for (size_t i = 0; i < reader->count; i++) {
        const struct config_key *key = &reader->keys[i];
        if (reader->settings[i].text)
            continue;
        _cleanup_(memory_text_free) char *variable = config_variable(key);
        fail(reader, -EINVAL, "%s: [%s] %s is required; write '%s = ...' under [%s], or set %s",
             reader->path ? reader->path : "no config file", key->section, key->name, key->name,
             key->section, variable);
    }
}

/* The text was parsed before, unless it is the table's own default. */
static void store(const struct config_key *key, const char *text, void *ret_struct)
{
    char *place = (char *)ret_struct + key->offset;
    int64_t number;
    bool valid = config_value_parse(key, text, &number);
    assert(valid);
    if (key->kind == CONFIG_TEXT)
        *(char **)(void *)place = memory_text(text);
    else if (key->kind == CONFIG_BOOL)
        *(bool *)(void *)place = number != 0;
    else
        *(int64_t *)(void *)place = number;
}

int config_read(const struct config_key *keys, size_t count, const char *path, void *ret_struct,
                char ret_error[static CONFIG_ERROR_SIZE])
{
    struct reader reader = {.keys = keys, .count = count, .path = path, .ret_error = ret_error};
    reader.settings = memory_zero(count, sizeof(*reader.settings));
    read_defaults(&reader);
    if (path)
        read_file(&reader);
    read_environment(&reader);
    check_required(&reader);
    for (size_t i = 0; i < count; i++) {
        if (reader.error == 0)
            store(&keys[i], reader.settings[i].text, ret_struct);
        free(reader.settings[i].text);
    }
    free(reader.settings);
    return reader.error;
}

void config_done(const struct config_key *keys, size_t count, void *values)
{
    for (size_t i = 0; i < count; i++)
        if (keys[i].kind == CONFIG_TEXT)
            memory_text_free((char **)(void *)((char *)values + keys[i].offset));
}
