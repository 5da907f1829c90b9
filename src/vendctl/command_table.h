/* command_table.h - every command of vendctl with its operands, options and help: the reference of
 * the command line. */
#ifndef VENDGATE_VENDCTL_COMMAND_TABLE_H
#define VENDGATE_VENDCTL_COMMAND_TABLE_H

#include "vendctl/invocation.h"

/* All of them, in the order of the help. */
const struct command *command_table(size_t *ret_count);

#endif
