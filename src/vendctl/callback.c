/* callback.c - what people see of callbacks and do to them, short of sending them again
 * (replay.c). Each act is noted with its operator in the same commit. */
#include "vendctl/commands.h"

#include "base/clock.h"
#include "base/memory.h"
#include "vendctl/operator.h"

#include <inttypes.h>
#include <string.h>

#define LIST_LIMIT "50"

static bool is_one_of(const char *text, const char *const *names)
{
    for (; *names; names++)
        if (!strcmp(*names, text))
            return true;
    return false;
}

int command_callback_list(struct invocation *invocation)
{
    static const char *const STATES[] = {"waiting", "held",    "parked",    "delivered", "refused",
                                         "expired", "skipped", "cancelled", "implied",   NULL};
    const char *state = invocation_option(invocation, "state");
    const char *limit = invocation_option(invocation, "limit");
    if (state && !is_one_of(state, STATES)) {
        complain("--state is waiting, held, parked, delivered, refused, expired, skipped, "
                 "cancelled or implied");
        return 2;
    }
    const char *const parameters[] = {
        invocation_option(invocation, "integrator"),
        invocation_option(invocation, "kind"),
        state,
        invocation_option(invocation, "since"),
        invocation_option(invocation, "until"),
        limit ? limit : LIST_LIMIT,
    };
    return invocation_finish_rows(invocation, invocation_query(invocation, "callback_list",
                                                               parameters, ARRAY_SIZE(parameters)));
}

int command_callback_show(struct invocation *invocation)
{
    return invocation_finish_object(
        invocation, invocation_query_found(invocation, "callback_show", invocation->operands, 1,
                                           "no callback of that number: see `callback list`"));
}

/* An act on the callback or integrator that is the operand. */
static int act(struct invocation *invocation, const char *statement, const char *because,
               const char *missing)
{
    _cleanup_(memory_text_free) char *name = operator_name();
    const char *const parameters[] = {invocation->operands[0], name, because};
    return invocation_finish_object(
        invocation,
        invocation_query_found(invocation, statement, parameters, ARRAY_SIZE(parameters), missing));
}

int command_callback_skip(struct invocation *invocation)
{
    const char *because = operator_because(invocation);
    if (!because)
        return 2;
    return act(invocation, "callback_skip", because, "no callback of that number is owed");
}

int command_callback_acknowledge(struct invocation *invocation)
{
    const char *because;
    if (!operator_because_if_given(invocation, &because))
        return 2;
    return act(invocation, "callback_acknowledge", because, "no callback of that number is parked");
}

int command_callback_hold(struct invocation *invocation)
{
    const char *because = operator_because(invocation);
    if (!because)
        return 2;
    return act(invocation, "endpoint_hold", because,
               "no such integrator, or it is held already: see `integrator show`");
}

int command_callback_release(struct invocation *invocation)
{
    const char *because;
    if (!operator_because_if_given(invocation, &because))
        return 2;
    return act(invocation, "endpoint_release", because, "no such integrator, or it is not held");
}

/* --- A test callback --- */

/* Bodies as the real ones, of a machine that nobody has; the time comes first. */
static const struct {
    const char *kind, *rest;
} TESTS[] = {
    {"/feed/alerts", "\"message\":\"Test callback: nothing has happened\",\"level\":\"Low\""},
    {"/feed/transactions",
     "\"dispense_quantity\":0,\"cash_value\":0,\"cashless_value\":0,\"code\":0,"
     "\"planogram\":[]"},
    {"/feed/refills", "\"refill_detail\":[],\"planogram\":[]"},
    {"/feed/button_actions", "\"button\":1"},
};

/* free() the result; NULL: there is no such feed. */
static char *test_body(const char *kind)
{
    for (size_t i = 0; i < ARRAY_SIZE(TESTS); i++)
        if (!strcmp(TESTS[i].kind, kind))
            return memory_format("{\"vm_id\":\"TEST\",\"time\":%" PRId64 ",%s}", clock_unix_s(),
                                 TESTS[i].rest);
    return NULL;
}

int command_callback_test(struct invocation *invocation)
{
    const char *kind = invocation_option(invocation, "kind");
    if (!kind)
        kind = TESTS[0].kind;
    _cleanup_(memory_text_free) char *body = test_body(kind);
    if (!body) {
        complain("--kind is /feed/alerts, /feed/transactions, /feed/refills or "
                 "/feed/button_actions");
        return 2;
    }
    _cleanup_(memory_text_free) char *name = operator_name();
    const char *const parameters[] = {invocation->operands[0], name, kind, body};
    return invocation_finish_object(
        invocation,
        invocation_query_found(invocation, "callback_test", parameters, ARRAY_SIZE(parameters),
                               "no such integrator, or no gateway runs that could "
                               "send it: see `integrator list` and `instances`"));
}
