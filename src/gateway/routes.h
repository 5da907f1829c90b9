/* routes.h - every path that the gateway answers, in one table; docs/openapi.yaml is compared with
 * it by a test. */
#ifndef VENDGATE_GATEWAY_ROUTES_H
#define VENDGATE_GATEWAY_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#define ROUTES_BASE_PATH \
    "/connectivity-platform" /* of the published API; the root serves the same */

struct request;

enum surface_kind {
    SURFACE_API = 0, /* HTTPS, integrators */
    SURFACE_PRIVATE, /* loopback, plain: metrics and health */
    SURFACE_ADMIN,   /* UNIX socket, plain, peer credentials */
    SURFACE_COUNT
};

/* Answers the request, or waits (request.h). On the API: credentials are known, and request->json
 * is an object: the body of a POST, the query of a GET (query.h). */
typedef void route_handler(struct request *request);

struct route {
    enum surface_kind surface;
    const char *method; /* "GET" also answers HEAD */
    const char *path;   /* also its label in metrics and logs */
    route_handler *handle;
};

/* NULL: no such path on this surface. The path is compared byte by byte. */
const struct route *routes_find(enum surface_kind surface, const char *path);
bool route_takes(const struct route *route, const char *method);
/* For the header `Allow`. */
const char *route_allow(const struct route *route);
/* The whole table. */
const struct route *routes_all(size_t *ret_count);

#endif
