/* tool_internal.h - what the parts of tool.h share. */
#ifndef VENDGATE_STORE_TOOL_INTERNAL_H
#define VENDGATE_STORE_TOOL_INTERNAL_H

#include "store/tool.h"

/* Runs one statement; the rest is as store_tool_run(). */
json_t *tool_query(struct store_tool *tool, const char *sql, const char *const *parameters,
                   size_t count, char ret_error[static STORE_ERROR_SIZE]);

#endif
