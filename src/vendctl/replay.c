/* replay.c - sending callbacks again: the same body under the same webhook-id, marked as a replay.
 */
#include "vendctl/commands.h"

#include "base/memory.h"
#include "vendctl/operator.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_DEFAULT "20" /* callbacks a second */
#define RATE_MAX 10000

/* --- One --- */

static bool is_replayable(struct invocation *invocation)
{
    json_t *rows = invocation_query_found(invocation, "replay_find", invocation->operands, 1,
                                          "no callback of that number: see `callback list`");
    if (!rows)
        return false;
    const char *refusal = json_string_value(json_object_get(json_array_get(rows, 0), "refusal"));
    bool replayable = !refusal;
    if (refusal)
        complain("callback %s cannot be sent again: %s", invocation->operands[0], refusal);
    json_decref(rows);
    return replayable;
}

static int replay_one(struct invocation *invocation)
{
    static const char *const OF_MANY[] = {"integrator", "kind", "since", "until",
                                          "outcome",    "rate", "yes"};
    for (size_t i = 0; i < ARRAY_SIZE(OF_MANY); i++) {
        if (invocation_flag(invocation, OF_MANY[i])) {
            complain("--%s chooses many: leave the number out", OF_MANY[i]);
            return 2;
        }
    }
    if (!invocation_flag(invocation, "because")) {
        complain("`callback replay` needs --because");
        return 2;
    }
    const char *because = operator_because(invocation);
    if (!because)
        return 2;
    if (!is_replayable(invocation))
        return 1;
    _cleanup_(memory_text_free) char *name = operator_name();
    const char *const parameters[] = {invocation->operands[0], name, because};
    return invocation_finish_object(
        invocation,
        invocation_query_found(invocation, "replay_one", parameters, ARRAY_SIZE(parameters),
                               "it has changed at this moment: see `callback show`"));
}

/* --- Many --- */

/* The order of the statements' parameters. */
enum { INTEGRATOR, KIND, SINCE, UNTIL, OUTCOME, CHOICES, OPERATOR = CHOICES, REASON, RATE, ALL };

static bool read_rate(const struct invocation *invocation, const char **ret_rate)
{
    const char *given = invocation_option(invocation, "rate");
    char *end = NULL;
    *ret_rate = given ? given : RATE_DEFAULT;
    long rate = strtol(*ret_rate, &end, 10);
    if (*ret_rate != end && *end == '\0' && rate >= 1 && rate <= RATE_MAX)
        return true;
    complain("--rate is 1 to %d callbacks a second", RATE_MAX);
    return false;
}

static bool read_outcome(const struct invocation *invocation, const char **ret_outcome)
{
    static const char *const OUTCOMES[] = {"delivered", "parked", "refused", "expired"};
    *ret_outcome = invocation_option(invocation, "outcome");
    for (size_t i = 0; *ret_outcome && i < ARRAY_SIZE(OUTCOMES); i++)
        if (!strcmp(OUTCOMES[i], *ret_outcome))
            return true;
    if (*ret_outcome)
        complain("--outcome is delivered, parked, refused or expired");
    return !*ret_outcome;
}

/* Takes `kinds` over. */
static int print_count(struct invocation *invocation, json_t *kinds, const char *rate)
{
    json_int_t total = 0;
    size_t index;
    json_t *row;
    json_array_foreach(kinds, index, row)
    {
        total += json_integer_value(json_object_get(row, "callbacks"));
    }
    json_t *count =
        json_pack("{s:b, s:I, s:I, s:o}", "dry_run", true, "callbacks", total, "seconds",
                  (total + strtol(rate, NULL, 10) - 1) / strtol(rate, NULL, 10), "kinds", kinds);
    invocation_print_object(invocation, count);
    json_decref(count);
    if (total > 0 && !invocation->json)
        puts("Nothing was sent. The same with --yes sends them.");
    return 0;
}

static int replay_many(struct invocation *invocation)
{
    const char *parameters[ALL] = {
        [INTEGRATOR] = invocation_option(invocation, "integrator"),
        [KIND] = invocation_option(invocation, "kind"),
        [SINCE] = invocation_option(invocation, "since"),
        [UNTIL] = invocation_option(invocation, "until"),
    };
    if (!parameters[INTEGRATOR]) {
        complain("`callback replay` needs the number of a callback, or --integrator");
        return 2;
    }
    if (!read_outcome(invocation, &parameters[OUTCOME]) ||
        !read_rate(invocation, &parameters[RATE]) ||
        !operator_because_if_given(invocation, &parameters[REASON]))
        return 2;
    if (!invocation_flag(invocation, "yes")) {
        json_t *kinds = invocation_query(invocation, "replay_count", parameters, CHOICES);
        return kinds ? print_count(invocation, kinds, parameters[RATE]) : 1;
    }
    _cleanup_(memory_text_free) char *name = operator_name();
    parameters[OPERATOR] = name;
    return invocation_finish_object(invocation,
                                    invocation_query(invocation, "replay_many", parameters, ALL));
}

int command_callback_replay(struct invocation *invocation)
{
    return invocation->operand_count ? replay_one(invocation) : replay_many(invocation);
}
