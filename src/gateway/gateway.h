/* gateway.h - HTTP for integrators and operators: parse, ask the broker, render.
 *
 * Owns libmicrohttpd (external epoll mode on the loop, fed by net/http_front) and three surfaces:
 *   api      HTTPS: the six calls of the contract and /ext/..., at the root and under
 *            /connectivity-platform
 *   private  loopback TCP, plain: /metrics, /livez, /readyz
 *   admin    UNIX socket, plain, peer credentials: /admin/status, operators' acts
 * Requests are suspended while they wait, each with its own deadline. Loop thread only. */
#ifndef VENDGATE_GATEWAY_H
#define VENDGATE_GATEWAY_H

#include "broker/broker.h"
#include "net/http_front.h"

#include <uv.h>

struct gateway;

struct gateway_options {
    struct http_front_options api, private_surface, admin; /* address NULL: this surface is off */
    int64_t request_ms;   /* a suspended request is answered OUTCOME_UNKNOWN (503) after this; above
                             broker's call_deadline_ms */
    int64_t requests_max; /* requests under way; beyond: 429 with Retry-After */
    int64_t bulk_max;     /* vms in one vmc_bulk_search, 500 */
    const char *version;  /* told by /admin/status, borrowed; NULL: not told */
};

/* What the gateway asks; all borrowed. */
struct gateway_parts {
    struct broker *broker;
    struct people *people;
    struct fleet_directory *directory;
    struct store *store;
    struct metrics *metrics;
};

MUST_CHECK int gateway_open(uv_loop_t *loop, const struct gateway_options *options,
                            const struct gateway_parts *parts, struct gateway **ret_gateway,
                            char ret_error[static NET_ERROR_SIZE]);
uint16_t gateway_api_port(const struct gateway *gateway);
uint16_t gateway_private_port(const struct gateway *gateway);
/* /readyz says 503 and the API answers SHUTTING_DOWN to new calls; those under way finish. */
void gateway_drain(struct gateway *gateway);
size_t gateway_requests(const struct gateway *gateway);
/* The API takes no more connections; each that is open is closed when the answer it owes is out. */
void gateway_stop(struct gateway *gateway);
/* Open connections of the API. */
size_t gateway_connections(const struct gateway *gateway);
void gateway_free(struct gateway **gateway);

#endif
