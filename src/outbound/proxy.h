/* proxy.h - the operator's HTTP proxy for all callbacks, if there is one.
 *
 * Then it is the proxy that resolves integrators' names and decides what may be reached: our rules
 * for addresses can be kept for those that an endpoint names literally, no more. We connect to the
 * proxy's own address, whichever network it is in, and to nothing else; every request goes through
 * a tunnel (CONNECT), so that TLS ends at the integrator and an answer of the proxy is never taken
 * for one of theirs. */
#ifndef VENDGATE_OUTBOUND_PROXY_H
#define VENDGATE_OUTBOUND_PROXY_H

#include "outbound/host.h"

#define PROXY_URL_SIZE 80

struct proxy;

/* "http://[user:password@]host[:port]", port 3128 when left out. NULL or an empty text gives NULL.
 * -EINVAL: not such a URL. `resolver` is borrowed. */
MUST_CHECK int proxy_new(struct resolver *resolver, const char *url, struct proxy **ret_proxy);
void proxy_free(struct proxy **proxy);

/* Its name and addresses. */
struct host *proxy_host(struct proxy *proxy);
/* What libcurl is told: "http://address:port". */
void proxy_url(const struct proxy *proxy, const struct sockaddr_storage *address,
               char ret_url[static PROXY_URL_SIZE]);
/* "user:password" as libcurl takes it; NULL: none. */
const char *proxy_credentials(const struct proxy *proxy);

#endif
