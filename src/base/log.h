/* log.h - one line per event, `event=name key=value ...`, to standard error.
 *
 * Under journald (JOURNAL_STREAM names our standard error) each line starts with its priority
 * `<N>`, else with a UTC time and the level's name. Values are escaped here: a text with a blank,
 * quote, '=' or control byte is quoted, so that a value from outside never forges a field or a
 * line. At most 2 KiB a line; a longer one is cut and ends in `...`. The same field names
 * everywhere: txn, vm, integrator, callback, ref, error. Never log a secret. */
#ifndef VENDGATE_BASE_LOG_H
#define VENDGATE_BASE_LOG_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum log_level { /* syslog's numbers */
                 LOG_LEVEL_ERROR = 3,
                 LOG_LEVEL_WARNING = 4,
                 LOG_LEVEL_NOTICE = 5,
                 LOG_LEVEL_INFO = 6,
                 LOG_LEVEL_DEBUG = 7,
};

enum log_field_kind { LOG_FIELD_END = 0, LOG_FIELD_TEXT, LOG_FIELD_INTEGER };

struct log_field {
    const char *key;
    enum log_field_kind kind;
    const char *text; /* borrowed for the call; NULL is written as "-" */
    int64_t integer;
};

#define LOG_TEXT(key_, text_) \
    ((struct log_field){.key = (key_), .kind = LOG_FIELD_TEXT, .text = (text_)})
#define LOG_INT(key_, value_) \
    ((struct log_field){.key = (key_), .kind = LOG_FIELD_INTEGER, .integer = (int64_t)(value_)})

/* log_event(LOG_LEVEL_INFO, "machine_online", LOG_TEXT("vm", id), LOG_INT("generation", n)); */
#define log_event(level_, event_, ...) \
    log_fields((level_), (event_), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
#define log_error(...) log_event(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_event(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_notice(...) log_event(LOG_LEVEL_NOTICE, __VA_ARGS__)
#define log_info(...) log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* Lines less urgent than `level` are dropped; the default is LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/* "error" ... "debug"; false: no such level. */
bool log_level_parse(const char *name, enum log_level *ret_level);

void log_fields(enum log_level level, const char *event, const struct log_field *fields);

#endif
