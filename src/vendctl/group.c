/* group.c - groups of machines that an operator treats alike. */
#include "vendctl/commands.h"

#include "base/memory.h"

#include <string.h>

int command_group_add(struct invocation *invocation)
{
    const char *const parameters[] = {invocation->operands[0],
                                      invocation_option(invocation, "doubt-policy")};
    return invocation_finish_object(
        invocation, invocation_query(invocation, "group_add", parameters, ARRAY_SIZE(parameters)));
}

int command_group_set(struct invocation *invocation)
{
    const char *policy = invocation_option(invocation, "doubt-policy");
    const char *const parameters[] = {invocation->operands[0],
                                      !strcmp(policy, "none") ? NULL : policy};
    _cleanup_(memory_text_free) char *missing = memory_format("no group \"%s\"", parameters[0]);
    return invocation_finish_object(invocation,
                                    invocation_query_found(invocation, "group_set", parameters,
                                                           ARRAY_SIZE(parameters), missing));
}

int command_group_list(struct invocation *invocation)
{
    return invocation_finish_rows(invocation, invocation_query(invocation, "group_list", NULL, 0));
}
