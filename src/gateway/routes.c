#include "gateway/routes.h"

#include "base/macros.h"
#include "gateway/handlers.h"

#include <string.h>

static const struct route ROUTES[] = {
    {SURFACE_API, "POST", "/api/lock", handle_lock},
    {SURFACE_API, "POST", "/api/paid", handle_paid},
    {SURFACE_API, "POST", "/api/unlock", handle_unlock},
    {SURFACE_API, "POST", "/api/vmc_search", handle_search},
    {SURFACE_API, "POST", "/api/vmc_bulk_search", handle_bulk_search},
    {SURFACE_API, "POST", "/api/vmc_user_keys", handle_user_keys},
    {SURFACE_API, "POST", "/ext/txn_status", handle_txn_status},
    {SURFACE_API, "GET", "/ext/events", handle_events},
    {SURFACE_PRIVATE, "GET", "/metrics", handle_metrics},
    {SURFACE_PRIVATE, "GET", "/livez", handle_livez},
    {SURFACE_PRIVATE, "GET", "/readyz", handle_readyz},
    {SURFACE_ADMIN, "GET", "/admin/status", handle_status},
    {SURFACE_ADMIN, "POST", "/admin/txn/verdict", handle_verdict},
    {SURFACE_ADMIN, "POST", "/admin/machine/release", handle_release},
};

static const char *below_base(enum surface_kind surface, const char *path)
{
    size_t size = strlen(ROUTES_BASE_PATH);
    bool based = surface == SURFACE_API && strncmp(path, ROUTES_BASE_PATH, size) == 0;
    return based ? path + size : path;
}

const struct route *routes_find(enum surface_kind surface, const char *path)
{
    const char *wanted = below_base(surface, path);
    for (size_t i = 0; i < ARRAY_SIZE(ROUTES); i++)
        if (ROUTES[i].surface == surface && strcmp(ROUTES[i].path, wanted) == 0)
            return &ROUTES[i];
    return NULL;
}

bool route_takes(const struct route *route, const char *method)
{
    if (strcmp(route->method, method) == 0)
        return true;
    return strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0;
}

const char *route_allow(const struct route *route)
{
    return strcmp(route->method, "GET") == 0 ? "GET, HEAD" : route->method;
}

const struct route *routes_all(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(ROUTES);
    return ROUTES;
}
