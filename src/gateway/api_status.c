#include "gateway/api_fields.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "store/txn.h"

/* What an integrator may know of a transaction of its own, straight from the database: it holds the
 * truth also about those that ended long ago or live in another process. */

static void answer_found(struct request *request, const char *text)
{
    _cleanup_(json_release) json_t *transaction = json_loads(text, 0, NULL);
    assert(transaction); /* PostgreSQL made it */
    struct envelope envelope = {
        .success = true, .timeout_s = -1, .key = "transaction", .value = transaction};
    request_answer(request, &envelope);
}

/* Nothing was spent by asking, so no action is told: above all not `refund`. */
static void answer_unknown(struct request *request)
{
    struct envelope envelope = envelope_refusal(REASON_TXN_UNKNOWN, NULL);
    envelope.action = ACTION_NONE;
    request_answer(request, &envelope);
}

static void on_status(void *arg, enum store_outcome outcome, const char *json)
{
    struct request *request = ticket_redeem(arg);
    if (!request)
        return;
    if (outcome != STORE_APPLIED)
        request_refuse(request,
                       outcome == STORE_FAILED ? REASON_INTERNAL : REASON_STORE_UNAVAILABLE, NULL);
    else if (json)
        answer_found(request, json);
    else
        answer_unknown(request);
}

struct status_body {
    char ref[TXN_REF_SIZE];
};

void handle_txn_status(struct request *request)
{
    static const struct json_field FIELDS[] = {API_REF_FIELD(struct status_body, ref)};
    struct status_body body = {0};
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &body))
        return;
    store_txn_status(request->gateway->parts.store, request->integrator_id, body.ref, on_status,
                     request_wait(request, REASON_STORE_UNAVAILABLE));
}
