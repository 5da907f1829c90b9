#include "gateway/request.h"

#include "base/clock.h"
#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "gateway/core.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#define JSON_TYPE "application/json"

struct ticket {
    struct gateway *gateway; /* NULL: gone */
    uint64_t request_id;
    struct ticket *prev, *next; /* in gateway->tickets */
};

static struct request *make(struct gateway *gateway)
{
    struct request *request = memory_zero(1, sizeof(*request));
    request->id = ++gateway->last_request;
    request->gateway = gateway;
    request->phase = REQUEST_ARRIVING;
    request->started_ns = clock_monotonic_ns();
    HASH_ADD(hh, gateway->requests, id, sizeof(request->id), request);
    return request;
}

struct request *request_new(struct gateway *gateway, struct connection *connection)
{
    struct request *request = make(gateway);
    request->connection = connection;
    buffer_init(&request->body, (size_t)surface_body_max(connection->surface));
    assert(!connection->request);
    connection->request = request;
    metric_add(gateway->metrics.under_way, 1);
    return request;
}

struct request *request_new_run(struct request *caller, request_ran_cb *ran, void *arg)
{
    assert(caller->json);
    struct request *run = make(caller->gateway);
    run->route = caller->route;
    run->json = TAKE(caller->json);
    run->integrator_id = caller->integrator_id;
    run->ran = ran;
    run->ran_arg = arg;
    return run;
}

/* Runs are not counted: the requests that wait for them are. */
static void set_phase(struct request *request, enum request_phase phase)
{
    int change = (phase == REQUEST_WAITING) - (request->phase == REQUEST_WAITING);
    if (request->connection)
        metric_add(request->gateway->metrics.waiting, change);
    request->phase = phase;
}

void request_free(struct request *request)
{
    struct gateway *gateway = request->gateway;
    if (request->phase == REQUEST_WAITING)
        set_phase(request, REQUEST_CANCELLED);
    HASH_DEL(gateway->requests, request);
    if (request->connection) {
        metric_add(gateway->metrics.under_way, -1);
        request->connection->request = NULL;
    }
    timer_free(&request->deadline);
    json_release(&request->json);
    buffer_done(&request->body);
    free(request->answer.body);
    free(request);
}

void request_take_body(struct request *request, const char *bytes, size_t size)
{
    if (!request->too_large && buffer_add(&request->body, bytes, size) < 0)
        request->too_large = true;
}

static void go_on(struct request *request, enum request_phase phase)
{
    set_phase(request, phase);
    if (request->deadline)
        timer_stop(request->deadline);
    if (request->ran)
        request->ran(request->ran_arg);
    else if (request->suspended)
        surface_resume(request->connection->surface, request);
}

void request_cancel(struct request *request)
{
    if (request->phase == REQUEST_WAITING)
        go_on(request, REQUEST_CANCELLED);
}

/* --- answering -----------------------------------------------------------------------------------
 */

static void count(const struct request *request)
{
    if (!request->connection)
        return;
    enum reason reason = request->answer.reason;
    const char *surface = surface_name(request->connection->surface);
    const char *path = request->route ? request->route->path : "unknown";
    int64_t spent_ns = clock_monotonic_ns() - request->started_ns;
    http_metrics_answered(&request->gateway->metrics, surface, path, request->answer.status, reason,
                          (double)spent_ns / 1e9);
    log_debug("http_request", LOG_TEXT("surface", surface), LOG_TEXT("path", path),
              LOG_INT("status", request->answer.status),
              LOG_TEXT("code", reason_info(reason)->code),
              LOG_INT("integrator", request->integrator_id), LOG_INT("us", spent_ns / 1000));
}

void request_answer_status(struct request *request, const struct envelope *envelope, int status)
{
    assert(request->phase == REQUEST_ARRIVING || request->phase == REQUEST_WAITING);
    struct answer *answer = &request->answer;
    answer->status = status;
    answer->content_type = JSON_TYPE;
    answer->challenge = status == MHD_HTTP_UNAUTHORIZED;
    answer->retry = status == MHD_HTTP_TOO_MANY_REQUESTS || status == MHD_HTTP_SERVICE_UNAVAILABLE;
    answer->reason = envelope->reason;
    answer->action = envelope->action;
    CRASH_POINT(before_http_answer);
    answer->body = envelope_render(envelope, &answer->body_size);
    count(request);
    go_on(request, REQUEST_ANSWERED);
}

void request_answer(struct request *request, const struct envelope *envelope)
{
    request_answer_status(request, envelope, reason_info(envelope->reason)->http_status);
}

void request_refuse(struct request *request, enum reason reason, const char *message)
{
    struct envelope envelope = envelope_refusal(reason, message);
    request_answer(request, &envelope);
}

void request_refuse_method(struct request *request)
{
    request->answer.allow = route_allow(request->route);
    request_refuse(request, REASON_METHOD_NOT_ALLOWED, NULL);
}

void request_answer_body(struct request *request, int status, const char *content_type, char *body,
                         size_t body_size)
{
    assert(request->phase == REQUEST_ARRIVING || request->phase == REQUEST_WAITING);
    request->answer.status = status;
    request->answer.content_type = content_type;
    request->answer.body = body;
    request->answer.body_size = body_size;
    count(request);
    go_on(request, REQUEST_ANSWERED);
}

void request_answer_again(struct request *request, const struct answer *given, bool replayed)
{
    assert(request->phase == REQUEST_WAITING && !request->answer.body);
    request->answer = *given;
    request->answer.content_type = JSON_TYPE;
    request->answer.body = memory_bytes(given->body, given->body_size);
    request->answer.replayed = replayed;
    count(request);
    go_on(request, REQUEST_ANSWERED);
}

bool request_read_fields(struct request *request, const struct json_field *fields, size_t count_,
                         void *ret_struct)
{
    char error[JSON_ERROR_SIZE];
    enum json_verdict verdict = json_fields_read(request->json, fields, count_, ret_struct, error);
    if (verdict == JSON_OK)
        return true;
    request_refuse(request, verdict == JSON_MISSING ? REASON_MISSING_FIELD : REASON_BAD_FIELD,
                   error);
    return false;
}

/* --- waiting -------------------------------------------------------------------------------------
 */

static void on_deadline(void *arg)
{
    struct request *request = arg;
    log_warning("http_request_late", LOG_TEXT("path", request->route->path),
                LOG_INT("integrator", request->integrator_id));
    request_refuse(request, request->deadline_reason, NULL);
}

struct ticket *request_wait(struct request *request, enum reason late)
{
    assert(request->phase == REQUEST_ARRIVING || request->phase == REQUEST_WAITING);
    struct gateway *gateway = request->gateway;
    struct ticket *ticket = memory_zero(1, sizeof(*ticket));
    ticket->gateway = gateway;
    ticket->request_id = request->id;
    DL_APPEND(gateway->tickets, ticket);
    if (!request->deadline)
        request->deadline = timer_new(gateway->loop, on_deadline, request);
    timer_start(request->deadline, gateway->options.request_ms);
    request->deadline_reason = late;
    set_phase(request, REQUEST_WAITING);
    return ticket;
}

struct request *ticket_look(const struct ticket *ticket)
{
    struct request *request = NULL;
    if (ticket->gateway)
        HASH_FIND(hh, ticket->gateway->requests, &ticket->request_id, sizeof(ticket->request_id),
                  request);
    return request && request->phase == REQUEST_WAITING ? request : NULL;
}

struct request *ticket_redeem(struct ticket *ticket)
{
    struct request *request = ticket_look(ticket);
    if (ticket->gateway)
        DL_DELETE(ticket->gateway->tickets, ticket);
    free(ticket);
    return request;
}

void tickets_orphan(struct gateway *gateway)
{
    struct ticket *ticket, *next;
    DL_FOREACH_SAFE (gateway->tickets, ticket, next) {
        DL_DELETE(gateway->tickets, ticket);
        ticket->gateway = NULL;
    }
}
