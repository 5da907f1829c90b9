#include "base/log.h"
#include "base/memory.h"
#include "gateway/api_fields.h"
#include "gateway/broker_reply.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "gateway/operator_name.h"

#include <stdlib.h>
#include <string.h>

/* What an operator decides about a live transaction or machine. It goes down in the journal with
 * the operator's name, which is looked up first, and the reason given, which is mandatory. */

#define BECAUSE_SIZE 201

struct act;
typedef void act_do(const struct act *act, struct request *request, const char *name);

/* From the request until the operator's name is known. */
struct act {
    act_do *carry_out;
    struct ticket *ticket;
    int64_t txn_id;
    char outcome[8]; /* "vended" or "failed" */
    char vm_id[VM_ID_SIZE];
    char because[BECAUSE_SIZE];
};

static void on_name(void *arg, const char *name)
{
    struct act *act = arg;
    struct request *request = ticket_redeem(act->ticket);
    if (request) /* whoever hung up before that may still think again */
        act->carry_out(act, request, name);
    free(act);
}

/* Takes a copy of `act`. */
static void begin(struct request *request, const struct act *act)
{
    struct act *begun = memory_zero(1, sizeof(*begun));
    *begun = *act;
    begun->ticket = request_wait(request, REASON_STORE_UNAVAILABLE);
    operator_name_find(request->gateway->loop, request->connection->uid, on_name, begun);
}

#define BECAUSE_FIELD                                                                         \
    {                                                                                         \
        "because", JSON_FIELD_TEXT, true, 1, BECAUSE_SIZE - 1, offsetof(struct act, because), \
            SIZE_MAX, NULL                                                                    \
    }

static void give_verdict(const struct act *act, struct request *request, const char *name)
{
    log_notice("operator_verdict", LOG_TEXT("operator", name), LOG_INT("txn", act->txn_id),
               LOG_TEXT("outcome", act->outcome), LOG_TEXT("because", act->because));
    struct broker_verdict_call call = {.txn_id = act->txn_id,
                                       .vended = strcmp(act->outcome, "vended") == 0,
                                       .operator_name = name,
                                       .because = act->because};
    broker_verdict(request->gateway->parts.broker, &call, broker_reply, broker_reply_wait(request));
}

void handle_verdict(struct request *request)
{
    static const struct json_field FIELDS[] = {
        API_INTEGER_FIELD("txn_id", 1, struct act, txn_id),
        {"outcome", JSON_FIELD_TEXT, true, 1, sizeof(((struct act *)NULL)->outcome) - 1,
         offsetof(struct act, outcome), SIZE_MAX, NULL},
        BECAUSE_FIELD,
    };
    struct act act = {.carry_out = give_verdict};
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &act))
        return;
    if (strcmp(act.outcome, "vended") == 0 || strcmp(act.outcome, "failed") == 0)
        begin(request, &act);
    else
        request_refuse(request, REASON_BAD_FIELD, "field 'outcome' must be 'vended' or 'failed'");
}

static void release(const struct act *act, struct request *request, const char *name)
{
    log_notice("operator_release", LOG_TEXT("operator", name), LOG_TEXT("vm_id", act->vm_id),
               LOG_TEXT("because", act->because));
    struct broker_release_call call = {
        .vm_id = act->vm_id, .operator_name = name, .because = act->because};
    broker_release(request->gateway->parts.broker, &call, broker_reply, broker_reply_wait(request));
}

void handle_release(struct request *request)
{
    static const struct json_field FIELDS[] = {
        {"vm_id", JSON_FIELD_TEXT, true, 1, VM_ID_SIZE - 1, offsetof(struct act, vm_id), SIZE_MAX,
         API_VM_ID_CHARACTERS},
        BECAUSE_FIELD,
    };
    struct act act = {.carry_out = release};
    if (request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &act))
        begin(request, &act);
}
