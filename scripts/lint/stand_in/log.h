/* log.h as cppcheck can read it, which does not know __VA_OPT__. For scripts/lint/cppcheck only. */
#define LOG_TEXT(key, text) (key), (text)
#define LOG_INT(key, value) (key), (value)
#define log_event(...) lint_log(__VA_ARGS__)
#define log_error(...) lint_log(__VA_ARGS__)
#define log_warning(...) lint_log(__VA_ARGS__)
#define log_notice(...) lint_log(__VA_ARGS__)
#define log_info(...) lint_log(__VA_ARGS__)
#define log_debug(...) lint_log(__VA_ARGS__)
