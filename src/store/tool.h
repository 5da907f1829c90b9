/* tool.h - a blocking connection for command-line tools: migrations, and named queries whose rows
 * come as JSON.
 *
 * Not for the daemon. Every statement is one row of a table in tool_statements.c. */
#ifndef VENDGATE_STORE_TOOL_H
#define VENDGATE_STORE_TOOL_H

#include "base/macros.h"
#include "store/store.h"

#include <jansson.h>
#include <stddef.h>

struct store_tool;

MUST_CHECK int store_tool_open(const char *conninfo, struct store_tool **ret_tool,
                               char ret_error[static STORE_ERROR_SIZE]);
void store_tool_close(struct store_tool **tool);

/* Applies the migrations built into this program that the database lacks, under an advisory lock.
 * ret_applied counts them. -EPROTO: the database is newer than this program. */
MUST_CHECK int store_tool_migrate(struct store_tool *tool, int *ret_applied,
                                  char ret_error[static STORE_ERROR_SIZE]);

/* Runs the statement `name` of the table with text parameters (NULL is SQL null). The rows: an
 * array of objects (caller owns). On a failure NULL and the reason; a broken constraint is told in
 * the user's terms. Changes raise change_seq and NOTIFY in the same transaction. */
json_t *store_tool_run(struct store_tool *tool, const char *name, const char *const *parameters,
                       size_t count, char ret_error[static STORE_ERROR_SIZE]);

#endif
