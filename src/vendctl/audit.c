/* audit.c - whether the promises were kept, over everything that is stored. */
#include "vendctl/commands.h"

#include "store/tool_audit.h"

#include <stdio.h>

enum { AUDIT_CLEAN = 0, AUDIT_OFFENCES = 1, AUDIT_NOT_CHECKED = 2 };

static json_int_t number_of(const json_t *result, const char *name)
{
    return json_integer_value(json_object_get(result, name));
}

static const char *text_of(const json_t *result, const char *name)
{
    const char *text = json_string_value(json_object_get(result, name));
    return text ? text : "-";
}

static bool warns(const json_t *result)
{
    return json_is_true(json_object_get(result, "warning"));
}

static void put_check(const json_t *result)
{
    json_int_t offences = number_of(result, "offences");
    printf("%-30s %9" JSON_INTEGER_FORMAT "  ", text_of(result, "check"),
           number_of(result, "examined"));
    if (offences == 0)
        puts("ok");
    else
        printf("%" JSON_INTEGER_FORMAT " %s\n", offences, warns(result) ? "to look at" : "BROKEN");
}

static void put_offenders(const json_t *result)
{
    const json_t *offenders = json_object_get(result, "offenders");
    json_int_t more = number_of(result, "offences") - (json_int_t)json_array_size(offenders);
    size_t index;
    json_t *offender;
    if (number_of(result, "offences") == 0)
        return;
    printf("\n%s: %s\n", text_of(result, "check"), text_of(result, "promise"));
    json_array_foreach(offenders, index, offender)
    {
        printf("  %s %s at %s: %s\n", text_of(offender, "integrator"), text_of(offender, "ref"),
               text_of(offender, "vm_id"), text_of(offender, "wrong"));
    }
    if (more > 0)
        printf("  and %" JSON_INTEGER_FORMAT " more\n", more);
    printf("  What to do: %s.\n", text_of(result, "remedy"));
}

static void put_all(const json_t *results)
{
    size_t index;
    json_t *result;
    printf("%-30s %9s\n", "check", "examined");
    json_array_foreach(results, index, result)
    {
        put_check(result);
    }
    json_array_foreach(results, index, result)
    {
        put_offenders(result);
    }
}

static json_int_t offences_of(const json_t *results)
{
    size_t index;
    json_t *result;
    json_int_t offences = 0;
    json_array_foreach(results, index, result)
    {
        offences += warns(result) ? 0 : number_of(result, "offences");
    }
    return offences;
}

int command_audit(struct invocation *invocation)
{
    char error[STORE_ERROR_SIZE];
    json_t *results =
        store_tool_audit(invocation->tool, invocation_option(invocation, "since"), error);
    if (!results) {
        complain("%s", error);
        return AUDIT_NOT_CHECKED;
    }
    if (invocation->json)
        invocation_print_rows(invocation, results);
    else
        put_all(results);
    int status = offences_of(results) == 0 ? AUDIT_CLEAN : AUDIT_OFFENCES;
    json_decref(results);
    return status;
}
