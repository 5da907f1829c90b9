#include "gateway/api_fields.h"
#include "gateway/core.h"
#include "gateway/handlers.h"
#include "store/event.h"

/* An integrator reads its own callbacks back, to reconcile after an outage of its own. */

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 500

static void answer_events(struct request *request, const struct store_events *found)
{
    json_t *events = json_loads(found->events, 0, NULL);
    assert(events); /* PostgreSQL made it */
    _cleanup_(json_release) json_t *fields = json_pack(
        "{s:o, s:I, s:b}", "events", events, "next", (json_int_t)found->next, "more", found->more);
    struct envelope envelope = {.success = true, .timeout_s = -1, .fields = fields};
    request_answer(request, &envelope);
}

static void on_events(void *arg, enum store_outcome outcome, const struct store_events *found)
{
    struct request *request = ticket_redeem(arg);
    if (!request)
        return;
    if (found)
        answer_events(request, found);
    else
        request_refuse(request,
                       outcome == STORE_FAILED ? REASON_INTERNAL : REASON_STORE_UNAVAILABLE, NULL);
}

struct events_query {
    int64_t after, limit;
    bool has_after, has_limit;
};

void handle_events(struct request *request)
{
    static const struct json_field FIELDS[] = {
        {"after", JSON_FIELD_INTEGER, false, 0, API_INTEGER_MAX,
         offsetof(struct events_query, after), offsetof(struct events_query, has_after), NULL},
        {"limit", JSON_FIELD_INTEGER, false, 1, LIMIT_MAX, offsetof(struct events_query, limit),
         offsetof(struct events_query, has_limit), NULL},
    };
    struct events_query query = {0};
    struct store *store = request->gateway->parts.store;
    if (!request_read_fields(request, FIELDS, ARRAY_SIZE(FIELDS), &query))
        return;
    if (store_event_horizon(store) < 0) {
        request_refuse(request, REASON_STORE_UNAVAILABLE,
                       "the gateway has just connected to its database: what may be shown is not "
                       "known yet");
        return;
    }
    store_event_list(store, request->integrator_id, query.after,
                     query.has_limit ? query.limit : LIMIT_DEFAULT, on_events,
                     request_wait(request, REASON_STORE_UNAVAILABLE));
}
