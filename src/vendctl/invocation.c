#include "vendctl/invocation.h"

#include "base/memory.h"
#include "vendctl/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void complain(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("vendctl: ", stderr);
    vfprintf(stderr, format, arguments);
    fputs("\n", stderr);
    va_end(arguments);
}

const char *invocation_option(const struct invocation *invocation, const char *name)
{
    const struct command *command = invocation->command;
    size_t size = strlen(name);
    for (size_t i = 0; command->options[i]; i++) {
        const char *option = command->options[i];
        if (!strncmp(option, name, size) && (option[size] == '=' || option[size] == '\0'))
            return invocation->values[i];
    }
    assert(0 && "the command has no such option"); /* its table and its function disagree */
    return NULL;
}

bool invocation_flag(const struct invocation *invocation, const char *name)
{
    return invocation_option(invocation, name) != NULL;
}

json_t *invocation_query(const struct invocation *invocation, const char *statement,
                         const char *const *parameters, size_t count)
{
    char error[STORE_ERROR_SIZE];
    json_t *rows = store_tool_run(invocation->tool, statement, parameters, count, error);
    if (!rows)
        complain("%s", error);
    return rows;
}

json_t *invocation_query_found(const struct invocation *invocation, const char *statement,
                               const char *const *parameters, size_t count, const char *missing)
{
    json_t *rows = invocation_query(invocation, statement, parameters, count);
    if (!rows || json_array_size(rows) > 0)
        return rows;
    complain("%s", missing);
    json_decref(rows);
    return NULL;
}

static void print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    fputs("\n", stdout);
}

void invocation_print_rows(const struct invocation *invocation, const json_t *rows)
{
    if (invocation->json)
        print_json(rows);
    else
        table_print(rows, stdout);
}

void invocation_print_object(const struct invocation *invocation, const json_t *object)
{
    if (invocation->json)
        print_json(object);
    else
        table_print_object(object, stdout);
}

int invocation_finish_rows(const struct invocation *invocation, json_t *rows)
{
    if (!rows)
        return 1;
    invocation_print_rows(invocation, rows);
    json_decref(rows);
    return 0;
}

int invocation_finish_object(const struct invocation *invocation, json_t *rows)
{
    if (!rows)
        return 1;
    invocation_print_object(invocation, json_array_get(rows, 0));
    json_decref(rows);
    return 0;
}
