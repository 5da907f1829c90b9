/* grant.c - which integrator may use which machine. */
#include "vendctl/commands.h"

#include "base/memory.h"

#include <stdio.h>

/* Machine by machine: those before a wrong one stay done. */
static int each_machine(struct invocation *invocation, const char *statement, const char *missing)
{
    json_t *all = json_array();
    int status = 0;
    for (size_t i = 1; i < invocation->operand_count && status == 0; i++) {
        const char *const parameters[] = {invocation->operands[0], invocation->operands[i]};
        _cleanup_(memory_text_free) char *reason =
            memory_format("%s: \"%s\", \"%s\"", missing, parameters[0], parameters[1]);
        json_t *rows = invocation_query_found(invocation, statement, parameters,
                                              ARRAY_SIZE(parameters), reason);
        status = rows ? 0 : 1;
        if (rows)
            json_array_extend(all, rows);
        json_decref(rows);
    }
    if (status == 0)
        invocation_print_rows(invocation, all);
    json_decref(all);
    return status;
}

int command_grant(struct invocation *invocation)
{
    return each_machine(invocation, "grant_add", "no such integrator or machine");
}

int command_revoke(struct invocation *invocation)
{
    return each_machine(invocation, "grant_remove", "no such grant");
}
