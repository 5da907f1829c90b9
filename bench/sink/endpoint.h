/* endpoint.h - one integrator's server: a port of its own on 127.0.0.1 and a fault of its own.
 *
 * Owns the listening socket and its connections. */
#ifndef VENDGATE_BENCH_SINK_ENDPOINT_H
#define VENDGATE_BENCH_SINK_ENDPOINT_H

#include "base/macros.h"
#include "bench/sink/connection.h"

#include <stdint.h>

struct endpoint;

/* On a port that the system chooses. NULL with errno: it cannot listen. `tls` and `arrivals` are
 * borrowed. */
struct endpoint *endpoint_open(uv_loop_t *loop, SSL_CTX *tls, struct arrivals *arrivals);
uint16_t endpoint_port(const struct endpoint *endpoint);
/* From now on. Like a server that is started anew, it hangs up on everybody. */
void endpoint_set_fault(struct endpoint *endpoint, enum fault fault);
enum fault endpoint_fault(const struct endpoint *endpoint);
size_t endpoint_opened(const struct endpoint *endpoint); /* connections so far */
/* The memory goes at the loop's edge. */
void endpoint_close(struct endpoint *endpoint);

#endif
