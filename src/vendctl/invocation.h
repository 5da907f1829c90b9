/* invocation.h - one call of vendctl: its operands and options, the database, and how answers are
 * printed.
 *
 * A command's function returns an exit status: 0 done, 1 refused or failed (the reason went to
 * standard error), 2 wrong usage. */
#ifndef VENDGATE_VENDCTL_INVOCATION_H
#define VENDGATE_VENDCTL_INVOCATION_H

#include "base/macros.h"
#include "store/tool.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define COMMAND_OPTIONS_MAX 24
#define OPERANDS_MAX 1024

struct invocation;

/* "callback-url=" takes a value, "allow-http" does not; "dir=!" must be given. NULL ends the list.
 */
struct command {
    const char *name;     /* "integrator add"; or one word */
    const char *operands; /* as shown in the help: "NAME", "INTEGRATOR VM_ID..." */
    size_t operands_min, operands_max;
    int database; /* 0: needs none; else the exit status when it cannot be reached */
    int (*run)(struct invocation *invocation);
    const char *help; /* one line */
    const char *options[COMMAND_OPTIONS_MAX];
};

struct invocation {
    const struct command *command;
    const char *operands[OPERANDS_MAX];
    size_t operand_count;
    const char *values[COMMAND_OPTIONS_MAX]; /* by the command's options; "" for a given flag, NULL:
                                                not given */
    bool json;
    const char *master_key; /* the file of --master-key or VENDGATE_MASTER_KEY_FILE; NULL: none */
    struct store_tool *tool;
};

/* NULL: not given. The option must be one of the command's. */
const char *invocation_option(const struct invocation *invocation, const char *name);
bool invocation_flag(const struct invocation *invocation, const char *name);

/* Runs a named statement (store/tool.h). NULL: it failed, and the reason was printed. */
json_t *invocation_query(const struct invocation *invocation, const char *statement,
                         const char *const *parameters, size_t count);
/* The same, and at least one row is expected: else `missing` is printed ("no integrator \"acme\"").
 */
json_t *invocation_query_found(const struct invocation *invocation, const char *statement,
                               const char *const *parameters, size_t count, const char *missing);

/* Rows (an array of objects) as JSON or as a table. */
void invocation_print_rows(const struct invocation *invocation, const json_t *rows);
/* One object, as JSON or as `name: value` lines. */
void invocation_print_object(const struct invocation *invocation, const json_t *object);
/* The usual ends of a command: prints the rows, or the first row, and releases them. NULL:
 * status 1. */
int invocation_finish_rows(const struct invocation *invocation, json_t *rows);
int invocation_finish_object(const struct invocation *invocation, json_t *rows);

/* "vendctl: ..." on standard error. */
void complain(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
