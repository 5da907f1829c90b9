#include "gateway/gateway.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "gateway/core.h"

#include <stdlib.h>

static int open_surfaces(struct gateway *gateway, char ret_error[static NET_ERROR_SIZE])
{
    const struct http_front_options *const OPTIONS[SURFACE_COUNT] = {
        [SURFACE_API] = &gateway->options.api,
        [SURFACE_PRIVATE] = &gateway->options.private_surface,
        [SURFACE_ADMIN] = &gateway->options.admin,
    };
    for (size_t i = 0; i < SURFACE_COUNT; i++) {
        if (!OPTIONS[i]->listener.address)
            continue;
        int result = surface_open(gateway, (enum surface_kind)i, OPTIONS[i], &gateway->surfaces[i],
                                  ret_error);
        if (result < 0)
            return result;
    }
    return 0;
}

int gateway_open(uv_loop_t *loop, const struct gateway_options *options,
                 const struct gateway_parts *parts, struct gateway **ret_gateway,
                 char ret_error[static NET_ERROR_SIZE])
{
    assert(options->request_ms > 0 && options->requests_max > 0 && options->bulk_max > 0);
    assert(parts->broker && parts->people && parts->directory && parts->store && parts->metrics);
    struct gateway *gateway = memory_zero(1, sizeof(*gateway));
    gateway->loop = loop;
    gateway->options = *options;
    gateway->parts = *parts;
    gateway->rate = rate_new();
    gateway->idempotency = idempotency_new((size_t)options->requests_max);
    gateway->started_ms = clock_monotonic_ms();
    http_metrics_init(&gateway->metrics, parts->metrics);
    int result = open_surfaces(gateway, ret_error);
    if (result < 0)
        gateway_free(&gateway);
    else
        *ret_gateway = gateway;
    return result;
}

static uint16_t port_of(const struct gateway *gateway, enum surface_kind kind)
{
    return gateway->surfaces[kind] ? surface_port(gateway->surfaces[kind]) : 0;
}

uint16_t gateway_api_port(const struct gateway *gateway)
{
    return port_of(gateway, SURFACE_API);
}

uint16_t gateway_private_port(const struct gateway *gateway)
{
    return port_of(gateway, SURFACE_PRIVATE);
}

void gateway_drain(struct gateway *gateway)
{
    gateway->draining = true;
    log_info("gateway_draining", LOG_INT("requests", gateway_requests(gateway)));
}

size_t gateway_requests(const struct gateway *gateway)
{
    return HASH_COUNT(gateway->requests);
}

void gateway_stop(struct gateway *gateway)
{
    surface_stop(gateway->surfaces[SURFACE_API]);
}

size_t gateway_connections(const struct gateway *gateway)
{
    return surface_connections(gateway->surfaces[SURFACE_API]);
}

void gateway_free(struct gateway **gateway)
{
    struct gateway *old = TAKE(*gateway);
    if (!old)
        return;
    for (size_t i = 0; i < SURFACE_COUNT; i++)
        surface_free(&old->surfaces[i]);
    idempotency_free(&old->idempotency);
    assert(!old->requests); /* each ended with its connection, or with its key */
    tickets_orphan(old);
    rate_free(&old->rate);
    free(old);
}
