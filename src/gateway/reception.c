#include "gateway/reception.h"

#include "base/log.h"
#include "base/memory.h"
#include "gateway/core.h"
#include "gateway/credentials.h"
#include "gateway/query.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

bool reception_is_json(const char *content_type)
{
    static const char JSON[] = "application/json";
    if (!content_type || strncasecmp(content_type, JSON, sizeof(JSON) - 1) != 0)
        return false;
    const char *rest = content_type + sizeof(JSON) - 1;
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == ';';
}

const char *reception_not_ready(const struct gateway *gateway)
{
    const struct gateway_parts *parts = &gateway->parts;
    if (!store_ready(parts->store))
        return "the database is not reachable";
    if (!people_loaded(parts->people) || !fleet_directory_loaded(parts->directory))
        return "the gateway is starting: integrators and machines are being read";
    if (!broker_ready(parts->broker))
        return "the gateway is starting: live transactions are being recovered";
    return NULL;
}

/* --- credentials ---------------------------------------------------------------------------------
 */

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind UNUSED, const char *name,
                                 const char *value)
{
    struct credential_headers *headers = arg;
    const char **field = NULL;
    if (strcasecmp(name, "X-API-Key") == 0)
        field = &headers->api_key;
    else if (strcasecmp(name, MHD_HTTP_HEADER_AUTHORIZATION) == 0)
        field = &headers->authorization;
    if (!field)
        return MHD_YES;
    headers->repeated = headers->repeated || *field;
    *field = value ? value : "";
    return MHD_YES;
}

static void log_stranger(const struct request *request, enum people_verdict verdict)
{
    log_info("http_unauthenticated", LOG_TEXT("address", request->connection->address),
             LOG_TEXT("path", request->route->path),
             LOG_TEXT("verdict", verdict == PEOPLE_WRONG ? "wrong" : "none"));
}

static bool parse_body(struct request *request)
{
    char error[JSON_ERROR_SIZE];
    if (request->too_large) {
        request_refuse(request, REASON_BODY_TOO_LARGE, NULL);
        return false;
    }
    request->json = json_read_object((const char *)request->body.bytes, request->body.size, error);
    if (!request->json)
        request_refuse(request, REASON_BAD_JSON, error);
    return request->json != NULL;
}

static bool take_from_rate(struct request *request)
{
    struct gateway *gateway = request->gateway;
    const struct integrator *integrator =
        people_integrator(gateway->parts.people, request->integrator_id);
    if (integrator &&
        rate_take(gateway->rate, request->integrator_id, integrator->requests_per_second))
        return true;
    request_refuse(request, REASON_RATE_LIMITED, NULL);
    return false;
}

static bool check_ready(struct request *request)
{
    const char *not_ready = reception_not_ready(request->gateway);
    if (not_ready)
        request_refuse(request, REASON_STORE_UNAVAILABLE, not_ready);
    return !not_ready;
}

/* Who asks is known: the rest of the way. */
static void admit(struct request *request, int64_t integrator_id)
{
    request->integrator_id = integrator_id;
    if (!take_from_rate(request))
        return;
    if (route_takes(request->route, MHD_HTTP_METHOD_GET)) {
        if (check_ready(request))
            request->route->handle(request);
        return;
    }
    if (!request->json_media) {
        request_refuse(request, REASON_BAD_MEDIA_TYPE, NULL);
        return;
    }
    if (parse_body(request) && check_ready(request))
        idempotency_admit(request);
}

static void judge(struct request *request, enum people_verdict verdict, int64_t integrator_id)
{
    if (verdict == PEOPLE_KNOWN) {
        admit(request, integrator_id);
        return;
    }
    if (verdict == PEOPLE_OVERLOADED) {
        request_refuse(request, REASON_RATE_LIMITED, "too many password checks under way");
        return;
    }
    log_stranger(request, verdict);
    request_refuse(request, REASON_UNAUTHENTICATED,
                   verdict == PEOPLE_WRONG ? "wrong credentials" : "no credentials");
}

static void on_authenticated(void *arg, enum people_verdict verdict, int64_t integrator_id)
{
    struct request *request = ticket_redeem(arg);
    if (request)
        judge(request, verdict, integrator_id);
}

/* A ticket in every case, because people may answer later; at once it is redeemed here. */
static void authenticate(struct request *request, struct MHD_Connection *mhd)
{
    struct credential_headers headers = {0};
    struct credentials credentials;
    (void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, on_header, &headers);
    credentials_read(&headers, &credentials);
    struct people_credentials shown = {.api_key = credentials.api_key,
                                       .user = credentials.user,
                                       .password = credentials.password,
                                       .malformed = credentials.malformed};
    struct ticket *ticket = request_wait(request, REASON_RATE_LIMITED);
    enum people_verdict verdict;
    int64_t integrator_id = 0;
    if (people_authenticate(request->gateway->parts.people, &shown, &verdict, &integrator_id,
                            on_authenticated, ticket))
        on_authenticated(ticket, verdict, integrator_id);
    credentials_done(&credentials);
}

static void receive_api(struct request *request, struct MHD_Connection *mhd)
{
    struct gateway *gateway = request->gateway;
    if (gateway->draining) {
        request_refuse(request, REASON_SHUTTING_DOWN, NULL);
        return;
    }
    size_t under_way = HASH_COUNT(gateway->requests) - idempotency_runs(gateway->idempotency);
    if (under_way > (size_t)gateway->options.requests_max) {
        request_refuse(request, REASON_RATE_LIMITED, "too many requests under way");
        return;
    }
    if (!people_loaded(gateway->parts.people)) {
        request_refuse(request, REASON_STORE_UNAVAILABLE, reception_not_ready(gateway));
        return;
    }
    if (route_takes(request->route, MHD_HTTP_METHOD_GET)) {
        request->json = query_read(mhd);
    } else {
        request->json_media = reception_is_json(
            MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE));
        idempotency_read_key(request, mhd);
    }
    authenticate(request, mhd);
}

static void receive_admin(struct request *request)
{
    const struct connection *connection = request->connection;
    if (connection->uid != 0 && connection->uid != geteuid() && connection->gid != getegid()) {
        struct envelope envelope =
            envelope_refusal(REASON_FORBIDDEN, "only root and the gateway's own user or group");
        request_answer_status(request, &envelope, MHD_HTTP_FORBIDDEN);
        return;
    }
    bool acts = route_takes(request->route, MHD_HTTP_METHOD_POST);
    if (!acts || (parse_body(request) && check_ready(request)))
        request->route->handle(request);
}

void reception_receive(struct request *request, struct MHD_Connection *mhd, const char *path,
                       const char *method)
{
    enum surface_kind kind = surface_kind(request->connection->surface);
    request->route = routes_find(kind, path);
    if (!request->route)
        request_refuse(request, REASON_NOT_FOUND, NULL);
    else if (!route_takes(request->route, method))
        request_refuse_method(request);
    else if (kind == SURFACE_API)
        receive_api(request, mhd);
    else if (kind == SURFACE_ADMIN)
        receive_admin(request);
    else
        request->route->handle(request);
}
