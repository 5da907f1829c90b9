#include "base/log.h"

#include "base/clock.h"
#include "base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LINE_SIZE = 2048, CUT_SIZE = LINE_SIZE - 4 /* room for the dots and the newline */ };

/* One line is built here and written by one write(2), so that lines of several processes never mix.
 */
struct line {
    char text[LINE_SIZE];
    size_t size;
    size_t cut_at; /* the last border between characters that still leaves room for the dots */
    bool cut;
};

static const struct {
    enum log_level level;
    const char *name;
} LEVELS[] = {
    {LOG_LEVEL_ERROR, "error"}, {LOG_LEVEL_WARNING, "warning"}, {LOG_LEVEL_NOTICE, "notice"},
    {LOG_LEVEL_INFO, "info"},   {LOG_LEVEL_DEBUG, "debug"},
};

static enum log_level threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    threshold = level;
}

enum log_level log_get_level(void)
{
    return threshold;
}

bool log_level_parse(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < ARRAY_SIZE(LEVELS); i++) {
        if (strcmp(LEVELS[i].name, name) != 0)
            continue;
        *ret_level = LEVELS[i].level;
        return true;
    }
    return false;
}

static const char *level_name(enum log_level level)
{
    for (size_t i = 0; i < ARRAY_SIZE(LEVELS); i++)
        if (LEVELS[i].level == level)
            return LEVELS[i].name;
    return "unknown";
}

/* Adds all of `bytes` or, when the line is full, none and nothing ever after. */
static void line_add(struct line *line, const char *bytes, size_t size)
{
    if (line->cut)
        return;
    if (size > LINE_SIZE - 1 - line->size) {
        line->cut = true;
        line->size = line->cut_at;
        return;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
    if (line->size <= CUT_SIZE)
        line->cut_at = line->size;
}

static void line_add_text(struct line *line, const char *text)
{
    line_add(line, text, strlen(text));
}

static void line_add_escape(struct line *line, unsigned char byte)
{
    char escape[8];
    switch (byte) {
    case '"':
    case '\\':
        snprintf(escape, sizeof(escape), "\\%c", byte);
        break;
    case '\n':
        strcpy(escape, "\\n");
        break;
    case '\r':
        strcpy(escape, "\\r");
        break;
    case '\t':
        strcpy(escape, "\\t");
        break;
    default:
        snprintf(escape, sizeof(escape), "\\x%02x", byte);
    }
    line_add_text(line, escape);
}

/* Bytes of the character at `text` that may stand as it is; 0: it needs an escape. */
static size_t verbatim(const char *text, size_t size)
{
    return *text == '"' || *text == '\\' ? 0 : utf8_printable(text, size);
}

/* A lone "-" is quoted because unquoted it means: no value. */
static bool needs_quotes(const char *text, size_t size)
{
    if (size == 0 || strcmp(text, "-") == 0)
        return true;
    for (size_t i = 0, step; i < size; i += step) {
        step = verbatim(text + i, size - i);
        if (step == 0 || text[i] == ' ' || text[i] == '=')
            return true;
    }
    return false;
}

static void line_add_quoted(struct line *line, const char *text, size_t size)
{
    line_add(line, "\"", 1);
    for (size_t i = 0, step; i < size && !line->cut; i += step) {
        step = verbatim(text + i, size - i);
        if (step) {
            line_add(line, text + i, step);
            continue;
        }
        line_add_escape(line, (unsigned char)text[i]);
        step = 1;
    }
    line_add(line, "\"", 1);
}

/* Character by character, so that a cut never leaves half of one. */
static void line_add_plain(struct line *line, const char *text, size_t size)
{
    for (size_t i = 0, step; i < size && !line->cut; i += step) {
        step = verbatim(text + i, size - i);
        line_add(line, text + i, step);
    }
}

static void line_add_value(struct line *line, const char *text)
{
    size_t size = text ? strlen(text) : 0;
    if (!text)
        line_add_text(line, "-");
    else if (needs_quotes(text, size))
        line_add_quoted(line, text, size);
    else
        line_add_plain(line, text, size);
}

static void line_add_field(struct line *line, const struct log_field *field)
{
    char digits[32];
    line_add_text(line, " ");
    line_add_text(line, field->key);
    line_add_text(line, "=");
    if (field->kind == LOG_FIELD_TEXT) {
        line_add_value(line, field->text);
        return;
    }
    snprintf(digits, sizeof(digits), "%" PRId64, field->integer);
    line_add_text(line, digits);
}

/* JOURNAL_STREAM is inherited by every child of a service; only the one whose standard error is
 * still that very stream speaks to the journal (systemd.exec(5)). */
static bool under_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat status;
    char own[64];
    if (!stream || fstat(STDERR_FILENO, &status) != 0)
        return false;
    snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
    return strcmp(stream, own) == 0;
}

static void line_add_prefix(struct line *line, enum log_level level)
{
    char prefix[64];
    if (under_journal()) {
        snprintf(prefix, sizeof(prefix), "<%d>", (int)level);
        line_add_text(line, prefix);
        return;
    }
    int64_t now = clock_unix_ms();
    time_t seconds = (time_t)(now / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    size_t size = strftime(prefix, sizeof(prefix), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(prefix + size, sizeof(prefix) - size, ".%03dZ %s ", (int)(now % 1000),
             level_name(level));
    line_add_text(line, prefix);
}

static void line_write(struct line *line)
{
    if (line->cut) {
        memcpy(line->text + line->size, "...", 3);
        line->size += 3;
    }
    line->text[line->size++] = '\n';
    ssize_t written;
    do
        written = write(STDERR_FILENO, line->text, line->size);
    while (written < 0 && errno == EINTR);
    /* Nobody is left to tell when standard error itself fails; the daemon serves on. */
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields)
{
    if (level > threshold)
        return;
    int saved_errno = errno; /* a caller may log first and return errno then */
    struct line line;
    line.size = line.cut_at = 0;
    line.cut = false;
    line_add_prefix(&line, level);
    line_add_text(&line, "event=");
    line_add_value(&line, event);
    for (; fields->kind != LOG_FIELD_END; fields++)
        line_add_field(&line, fields);
    line_write(&line);
    errno = saved_errno;
}
