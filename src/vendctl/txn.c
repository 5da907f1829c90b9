/* txn.c - purchases, and the callbacks that are still owed. */
#include "vendctl/commands.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Milliseconds matter here, the day does not: "12:00:00.123". */
static void put_time(const char *at)
{
    printf("%.12s", strlen(at) >= 23 ? at + 11 : at);
}

/* Who did what, in words; the facts behind it as compact JSON. */
static void put_line(const json_t *row)
{
    const json_t *detail = json_object_get(row, "detail");
    const char *from = json_string_value(json_object_get(detail, "from"));
    const char *to = json_string_value(json_object_get(detail, "to"));
    put_time(json_string_value(json_object_get(row, "at")));
    printf("  %-8s  %-26s", json_string_value(json_object_get(row, "source")),
           json_string_value(json_object_get(row, "what")));
    if (to)
        printf("  %s -> %s", from ? from : "-", to);
    json_t *rest = json_copy((json_t *)(uintptr_t)detail);
    json_object_del(rest, "from");
    json_object_del(rest, "to");
    _cleanup_(memory_text_free) char *text = json_dumps(rest, JSON_COMPACT);
    printf("  %s\n", text);
    json_decref(rest);
}

static void put_timeline(const json_t *timeline)
{
    size_t index;
    json_t *row;
    puts("");
    json_array_foreach(timeline, index, row)
    {
        put_line(row);
    }
}

static json_t *timeline_of(struct invocation *invocation, const json_t *txn)
{
    _cleanup_(memory_text_free) char *id =
        memory_format("%" JSON_INTEGER_FORMAT, json_integer_value(json_object_get(txn, "txn_id")));
    const char *const parameters[] = {id};
    return invocation_query(invocation, "txn_timeline", parameters, ARRAY_SIZE(parameters));
}

static int show_one(struct invocation *invocation, json_t *txn)
{
    json_t *timeline = timeline_of(invocation, txn);
    if (!timeline)
        return 1;
    if (invocation->json) {
        json_object_set_new(txn, "timeline", timeline);
        return 0;
    }
    invocation_print_object(invocation, txn);
    put_timeline(timeline);
    json_decref(timeline);
    return 0;
}

/* Two integrators may use the same ref: then both are shown. */
int command_txn_show(struct invocation *invocation)
{
    const char *const parameters[] = {invocation->operands[0],
                                      invocation_option(invocation, "integrator")};
    _cleanup_(memory_text_free) char *missing =
        memory_format("no purchase with the ref \"%s\"", parameters[0]);
    json_t *txns =
        invocation_query_found(invocation, "txn_find", parameters, ARRAY_SIZE(parameters), missing);
    if (!txns)
        return 1;
    size_t index;
    json_t *txn;
    int status = 0;
    json_array_foreach(txns, index, txn)
    {
        status |= show_one(invocation, txn);
    }
    if (status == 0 && invocation->json)
        invocation_print_rows(invocation, txns);
    json_decref(txns);
    return status;
}

int command_txn_list(struct invocation *invocation)
{
    const char *limit = invocation_option(invocation, "limit");
    const char *const parameters[] = {
        invocation_option(invocation, "integrator"),
        invocation_option(invocation, "machine"),
        invocation_option(invocation, "state"),
        limit ? limit : "20",
    };
    return invocation_finish_rows(
        invocation, invocation_query(invocation, "txn_list", parameters, ARRAY_SIZE(parameters)));
}

int command_doubt_list(struct invocation *invocation)
{
    return invocation_finish_rows(invocation, invocation_query(invocation, "doubt_list", NULL, 0));
}

int command_adjustment_list(struct invocation *invocation)
{
    const char *const parameters[] = {invocation_flag(invocation, "open") ? "t" : "f"};
    return invocation_finish_rows(invocation,
                                  invocation_query(invocation, "adjustment_list", parameters, 1));
}

int command_adjustment_settle(struct invocation *invocation)
{
    const char *const parameters[] = {invocation->operands[0],
                                      invocation_option(invocation, "because")};
    return invocation_finish_object(
        invocation,
        invocation_query_found(invocation, "adjustment_settle", parameters, ARRAY_SIZE(parameters),
                               "no adjustment of that number: see `adjustment list`"));
}

int command_callbacks(struct invocation *invocation)
{
    return invocation_finish_rows(invocation, invocation_query(invocation, "callbacks", NULL, 0));
}
