/* house.c - the schema, its upkeep, the processes. */
#include "vendctl/commands.h"

#include "store/migrations.h"

#include <stdio.h>

int command_migrate(struct invocation *invocation)
{
    char error[STORE_ERROR_SIZE];
    int applied;
    if (store_tool_migrate(invocation->tool, &applied, error) < 0) {
        complain("%s", error);
        return 1;
    }
    json_t *result =
        json_pack("{s:i, s:I}", "applied", applied, "version", (json_int_t)store_schema_version());
    if (invocation->json)
        invocation_print_object(invocation, result);
    else
        printf("schema version %lld, %d migration%s applied\n", (long long)store_schema_version(),
               applied, applied == 1 ? "" : "s");
    json_decref(result);
    return 0;
}

int command_maintain(struct invocation *invocation)
{
    const char *days = invocation_option(invocation, "days");
    const char *const parameters[] = {days ? days : "7"};
    json_t *made = invocation_query(invocation, "maintain", parameters, ARRAY_SIZE(parameters));
    json_t *dropped = made ? invocation_query(invocation, "feeds_drop", NULL, 0) : NULL;
    if (dropped)
        json_object_update(json_array_get(dropped, 0), json_array_get(made, 0));
    json_decref(made);
    return invocation_finish_object(invocation, dropped);
}

int command_instances(struct invocation *invocation)
{
    return invocation_finish_rows(invocation,
                                  invocation_query(invocation, "instance_list", NULL, 0));
}
