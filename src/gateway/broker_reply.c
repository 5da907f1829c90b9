#include "gateway/broker_reply.h"

struct ticket *broker_reply_wait(struct request *request)
{
    return request_wait(request, REASON_OUTCOME_UNKNOWN);
}

void broker_reply(void *arg, const struct broker_answer *answer)
{
    struct request *request = ticket_redeem(arg);
    if (!request)
        return;
    struct envelope envelope = {
        .success = answer->success,
        .reason = answer->success ? REASON_NONE : answer->reason,
        .action = answer->success ? ACTION_NONE : answer->action,
        .message = answer->success ? NULL : answer->message,
        .timeout_s = answer->timeout_s,
        .txn_ref = answer->txn_ref,
    };
    request_answer(request, &envelope);
}
