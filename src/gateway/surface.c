#include "gateway/surface.h"

#include "base/crash_point.h"
#include "base/log.h"
#include "base/memory.h"
#include "gateway/core.h"
#include "gateway/pump.h"
#include "gateway/reception.h"
#include "gateway/refusal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libmicrohttpd keeps head, answer's head and bookkeeping in one pool per connection. */
#define POOL_MIN 8192
#define POOL_BESIDE_HEAD 4096
/* Connections that it may still hold while the front has taken new ones for them. */
#define CONNECTIONS_SPARE 64

static const char *const NAMES[SURFACE_COUNT] = {
    [SURFACE_API] = "api",
    [SURFACE_PRIVATE] = "private",
    [SURFACE_ADMIN] = "admin",
};

struct surface {
    struct gateway *gateway;
    enum surface_kind kind;
    int64_t body_max;
    struct http_front *front;
    struct pump *pump;
    struct connection *connections; /* uthash by id */
    struct connection *starting;    /* during pump_add() */
};

/* --- requests: called by libmicrohttpd
 * -------------------------------------------------------------- */

static void add_headers(struct MHD_Response *response, const struct answer *answer, bool last)
{
    const struct {
        bool wanted;
        const char *name, *value;
    } HEADERS[] = {
        {true, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type},
        {true, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
        {answer->allow != NULL, MHD_HTTP_HEADER_ALLOW, answer->allow},
        {answer->challenge, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
         "Basic realm=\"vendgate\", charset=\"UTF-8\""},
        {answer->retry, MHD_HTTP_HEADER_RETRY_AFTER, "1"},
        {answer->replayed, "Idempotency-Replayed", "true"},
        {last, MHD_HTTP_HEADER_CONNECTION, "close"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++)
        if (HEADERS[i].wanted)
            (void)MHD_add_response_header(response, HEADERS[i].name, HEADERS[i].value);
}

static enum MHD_Result send_answer(struct request *request, struct MHD_Connection *mhd)
{
    struct answer *answer = &request->answer;
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(answer->body_size, answer->body, free);
    if (!response)
        return MHD_NO;
    answer->body = NULL; /* the response owns it */
    add_headers(response, answer, request->gateway->draining);
    enum MHD_Result result = MHD_queue_response(mhd, (unsigned int)answer->status, response);
    CRASH_POINT(after_http_answer);
    MHD_destroy_response(response);
    return result;
}

/* The request is whole, or was resumed. */
static enum MHD_Result go_on(struct request *request, struct MHD_Connection *mhd, const char *path,
                             const char *method)
{
    request->suspended = false;
    if (request->phase == REQUEST_ARRIVING)
        reception_receive(request, mhd, path, method);
    if (request->phase == REQUEST_WAITING) {
        request->suspended = true;
        MHD_suspend_connection(mhd);
        return MHD_YES;
    }
    return request->phase == REQUEST_ANSWERED ? send_answer(request, mhd) : MHD_NO;
}

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

// NOLINTNEXTLINE(readability-function-size): the parameters are libmicrohttpd's
static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *path,
                                  const char *method, const char *version UNUSED, const char *bytes,
                                  size_t *size, void **request_slot)
{
    struct surface *surface = arg;
    struct request *request = *request_slot;
    if (!request) {
        struct connection *connection = connection_of(mhd);
        if (!connection)
            return MHD_NO; /* its start was not told; nobody could answer for it */
        *request_slot = request_new(surface->gateway, connection);
        return MHD_YES;
    }
    if (*size > 0) {
        request_take_body(request, bytes, *size);
        *size = 0;
        return MHD_YES;
    }
    return go_on(request, mhd, path, method);
}

static void on_completed(void *arg UNUSED, struct MHD_Connection *mhd UNUSED, void **request_slot,
                         enum MHD_RequestTerminationCode code UNUSED)
{
    struct request *request = *request_slot;
    *request_slot = NULL;
    if (request)
        request_free(request);
}

/* --- connections
 * ----------------------------------------------------------------------------------- */

static void connection_free(struct connection *connection)
{
    assert(!connection->request);
    HASH_DEL(connection->surface->connections, connection);
    free(connection);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode code)
{
    struct surface *surface = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        assert(surface->starting); /* within pump_add() */
        surface->starting->mhd = mhd;
        *slot = TAKE(surface->starting);
        return;
    }
    struct connection *connection = *slot;
    *slot = NULL;
    if (connection)
        connection_free(connection);
}

static struct connection *connection_new(struct surface *surface, uint64_t id,
                                         const struct net_peer *peer)
{
    struct connection *connection = memory_zero(1, sizeof(*connection));
    connection->id = id;
    connection->surface = surface;
    connection->uid = peer->uid;
    connection->gid = peer->gid;
    snprintf(connection->address, sizeof(connection->address), "%s", peer->address_text);
    HASH_ADD(hh, surface->connections, id, sizeof(connection->id), connection);
    return connection;
}

static bool on_front_connection(void *arg, int fd, uint64_t id, const struct net_peer *peer)
{
    struct surface *surface = arg;
    surface->starting = connection_new(surface, id, peer);
    if (!pump_add(surface->pump, fd, (const struct sockaddr *)&peer->address, peer->address_size)) {
        log_warning("http_connection_not_added", LOG_TEXT("surface", NAMES[surface->kind]));
        connection_free(TAKE(surface->starting));
    }
    return true; /* the descriptor was taken in every case */
}

static void on_front_gone(void *arg, uint64_t id)
{
    struct surface *surface = arg;
    struct connection *connection;
    HASH_FIND(hh, surface->connections, &id, sizeof(id), connection);
    if (connection && connection->request)
        request_cancel(connection->request);
}

static const char *on_front_refusal(void *arg UNUSED, enum http_refusal refusal)
{
    return refusal_response(refusal);
}

/* --- life
 * ------------------------------------------------------------------------------------------ */

static int open_pump(struct surface *surface, const struct http_front_options *options,
                     char ret_error[static NET_ERROR_SIZE])
{
    struct pump_handlers handlers = {.request = on_request,
                                     .completed = on_completed,
                                     .connection = on_connection,
                                     .arg = surface};
    size_t pool = (size_t)options->head_max + POOL_BESIDE_HEAD;
    size_t connections = (size_t)options->listener.connections_max + CONNECTIONS_SPARE;
    int result = pump_open(surface->gateway->loop, &handlers, pool > POOL_MIN ? pool : POOL_MIN,
                           connections, &surface->pump);
    if (result < 0)
        snprintf(ret_error, NET_ERROR_SIZE, "%s: libmicrohttpd did not start",
                 NAMES[surface->kind]);
    return result;
}

int surface_open(struct gateway *gateway, enum surface_kind kind,
                 const struct http_front_options *options, struct surface **ret_surface,
                 char ret_error[static NET_ERROR_SIZE])
{
    static const struct http_front_handlers HANDLERS = {
        .connection = on_front_connection, .gone = on_front_gone, .refusal = on_front_refusal};
    struct surface *surface = memory_zero(1, sizeof(*surface));
    surface->gateway = gateway;
    surface->kind = kind;
    surface->body_max = options->body_max;
    int result = open_pump(surface, options, ret_error);
    if (result == 0)
        result = http_front_open(gateway->loop, options, &HANDLERS, surface, gateway->parts.metrics,
                                 &surface->front, ret_error);
    if (result < 0)
        surface_free(&surface);
    else
        *ret_surface = surface;
    return result;
}

enum surface_kind surface_kind(const struct surface *surface)
{
    return surface->kind;
}

const char *surface_name(const struct surface *surface)
{
    return NAMES[surface->kind];
}

uint16_t surface_port(const struct surface *surface)
{
    return http_front_port(surface->front);
}

void surface_stop(struct surface *surface)
{
    http_front_stop(surface->front);
}

size_t surface_connections(const struct surface *surface)
{
    return http_front_connections(surface->front);
}

int64_t surface_body_max(const struct surface *surface)
{
    return surface->body_max;
}

void surface_resume(struct surface *surface, struct request *request)
{
    request->suspended = false;
    pump_resume(surface->pump, request->connection->mhd);
}

void surface_free(struct surface **surface)
{
    struct surface *old = TAKE(*surface);
    if (!old)
        return;
    http_front_free(&old->front);
    struct connection *connection, *next;
    HASH_ITER (hh, old->connections, connection, next) {
        if (connection->request)
            request_cancel(connection->request);
    }
    pump_free(&old->pump);
    assert(!old->connections);
    free(old);
}
