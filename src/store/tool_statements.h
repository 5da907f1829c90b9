/* tool_statements.h - the SQL of the command-line tools: one table, name -> statement. */
#ifndef VENDGATE_STORE_TOOL_STATEMENTS_H
#define VENDGATE_STORE_TOOL_STATEMENTS_H

#include <stddef.h>

#define TOOL_PARAMETERS_MAX 24

struct tool_statement {
    const char *name;
    size_t parameters; /* how many, all given as text */
    const char *sql;
};

/* NULL: no statement of that name. */
const struct tool_statement *tool_statement_find(const char *name);
/* All of them, for tests. */
const struct tool_statement *tool_statements(size_t *ret_count);

/* What a broken constraint means to the person at the keyboard; NULL: not one of the known. */
const char *tool_constraint_meaning(const char *constraint);

#endif
