/* connection_pools.h - which libcurl multi handle a request goes through.
 *
 * A multi handle is a cache of connections and of one file of loaded CA certificates. There is a
 * pair of them, for interactive and for bulk requests, for the system's certificates, and a pair
 * for each CA file of an endpoint: so a storm of feeds never closes a connection that a customer's
 * request would use, an endpoint's own certificates neither drive others' out of memory (the
 * system's take 30 ms of the loop to load) nor vouch for another's server, and what was connected
 * under one CA is not used under another. Within a pool libcurl itself keeps connections apart that
 * differ in client certificate or pins. */
#ifndef VENDGATE_OUTBOUND_CONNECTION_POOLS_H
#define VENDGATE_OUTBOUND_CONNECTION_POOLS_H

#include "outbound/multi_loop.h"

#include <stdbool.h>
#include <stddef.h>

struct connection_pools;

struct connection_pool {
    struct multi_loop *multi;
    size_t users; /* requests in it, and who works on it; the client's: above 0 it stays */
};

/* libcurl has worked on this pool; as multi_loop_worked. */
typedef void connection_pool_worked(struct connection_pool *pool);

/* `connections_max`: as many are in use at most, in all; and so many are kept in each pool, used or
 * not, until they have been idle for http_client.c's IDLE_AGE_S. */
struct connection_pools *connection_pools_new(uv_loop_t *loop, size_t connections_max,
                                              connection_pool_worked *worked);
/* No pool may have users. */
void connection_pools_free(struct connection_pools **pools);

/* `ca_file` NULL: the system's certificates. Made when it is not there; valid while it has users.
 * Beyond 64 CA files the pools that were idle the longest are closed. */
struct connection_pool *connection_pools_find(struct connection_pools *pools, const char *ca_file,
                                              bool bulk);

#endif
