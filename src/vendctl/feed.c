/* feed.c - which integrator gets which feed of its machines. */
#include "vendctl/commands.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <string.h>

#define KINDS_MAX 4096

int command_feed_list(struct invocation *invocation)
{
    const char *const parameters[] = {invocation->operand_count ? invocation->operands[0] : NULL};
    return invocation_finish_rows(invocation,
                                  invocation_query(invocation, "feed_list", parameters, 1));
}

/* The kinds, "alerts" or "/feed/alerts", as paths with commas between. False: complained. */
static bool read_kinds(const struct invocation *invocation, struct buffer *kinds)
{
    for (size_t i = 1; i < invocation->operand_count; i++) {
        const char *kind = invocation->operands[i];
        _cleanup_(memory_text_free) char *path =
            memory_format("%s%s%s", i > 1 ? "," : "", kind[0] == '/' ? "" : "/feed/", kind);
        if (strchr(kind, ',') || buffer_add(kinds, path, strlen(path)) < 0) {
            complain("kinds are given one by one");
            return false;
        }
    }
    return buffer_add(kinds, "", 1) == 0;
}

static int each_kind(struct invocation *invocation, const char *statement, const char *missing)
{
    struct buffer kinds;
    buffer_init(&kinds, KINDS_MAX);
    int status = 2;
    if (read_kinds(invocation, &kinds)) {
        const char *const parameters[] = {invocation->operands[0], (const char *)kinds.bytes};
        status = invocation_finish_rows(invocation,
                                        invocation_query_found(invocation, statement, parameters,
                                                               ARRAY_SIZE(parameters), missing));
    }
    buffer_done(&kinds);
    return status;
}

int command_feed_subscribe(struct invocation *invocation)
{
    return each_kind(invocation, "feed_subscribe", "no such integrator");
}

int command_feed_unsubscribe(struct invocation *invocation)
{
    return each_kind(invocation, "feed_unsubscribe", "no such subscription: see `feed list`");
}
