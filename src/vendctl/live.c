/* live.c - what an operator decides about the running gateway's transactions and machines. */
#include "vendctl/admin_client.h"
#include "vendctl/commands.h"

#include "base/json.h"
#include "base/memory.h"
#include "vendctl/operator.h"

#include <string.h>

/* The number of the integrator's purchase; 0: complained. */
static json_int_t find_txn(const struct invocation *invocation, const char *integrator,
                           const char *ref)
{
    const char *const parameters[] = {ref, integrator};
    _cleanup_(memory_text_free) char *missing =
        memory_format("no purchase of \"%s\" with the ref \"%s\"", integrator, ref);
    _cleanup_(json_release) json_t *rows =
        invocation_query_found(invocation, "txn_find", parameters, ARRAY_SIZE(parameters), missing);
    return json_integer_value(json_object_get(json_array_get(rows, 0), "txn_id"));
}

int command_txn_verdict(struct invocation *invocation)
{
    const char *outcome = invocation->operands[2], *because = operator_because(invocation);
    if (strcmp(outcome, "vended") != 0 && strcmp(outcome, "failed") != 0) {
        complain("the verdict is `vended` (the goods came out) or `failed` (nothing is owed)");
        return 2;
    }
    if (!because)
        return 2;
    json_int_t txn_id = find_txn(invocation, invocation->operands[0], invocation->operands[1]);
    if (txn_id == 0)
        return 1;
    json_t *body =
        json_pack("{s:I, s:s, s:s}", "txn_id", txn_id, "outcome", outcome, "because", because);
    return admin_client_act(invocation, "/admin/txn/verdict", body);
}

int command_machine_release(struct invocation *invocation)
{
    const char *because = operator_because(invocation);
    if (!because)
        return 2;
    json_t *body = json_pack("{s:s, s:s}", "vm_id", invocation->operands[0], "because", because);
    if (!body) { /* the operand is no UTF-8 */
        complain("a vm_id is 1 to 64 of A-Z a-z 0-9 . _ -");
        return 2;
    }
    return admin_client_act(invocation, "/admin/machine/release", body);
}
