/* core.h - the inside of the gateway, shared by its files. */
#ifndef VENDGATE_GATEWAY_CORE_H
#define VENDGATE_GATEWAY_CORE_H

#include "gateway/gateway.h"
#include "gateway/http_metrics.h"
#include "gateway/idempotency.h"
#include "gateway/rate.h"
#include "gateway/request.h"
#include "gateway/surface.h"

struct gateway {
    uv_loop_t *loop;
    struct gateway_options options;
    struct gateway_parts parts;
    struct surface *surfaces[SURFACE_COUNT]; /* NULL: off */
    struct request *requests;                /* uthash by id */
    uint64_t last_request;
    struct ticket *tickets; /* utlist: out, not redeemed yet */
    struct rate *rate;
    struct idempotency *idempotency;
    struct http_metrics metrics;
    int64_t started_ms; /* monotonic */
    bool draining;
};

#endif
