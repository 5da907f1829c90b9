/* connection.h - one connection of a client to the sink: TLS, requests with Content-Length, answers
 * as the endpoint's health allows.
 *
 * Owned by its endpoint through the list; frees itself at the loop's edge when either side closes
 * it. */
#ifndef VENDGATE_BENCH_SINK_CONNECTION_H
#define VENDGATE_BENCH_SINK_CONNECTION_H

#include "bench/sink/arrivals.h"
#include "bench/sink/fault.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <uv.h>

struct connection;

/* What the connections of one endpoint share. */
struct ward {
    uv_loop_t *loop;
    SSL_CTX *tls;
    struct arrivals *arrivals;
    enum fault fault;
    struct connection *connections;
    size_t opened; /* connections so far */
};

/* Takes the socket over. */
void connection_open(struct ward *ward, int fd);
void connection_close(struct connection *connection);

#endif
