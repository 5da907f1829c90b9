/* http_client.h - POSTs over kept connections: libcurl's multi interface on the loop.
 *
 * Owns connections, sockets and their watchers, and the resolver that endpoints' names are looked
 * up with. One exchange is one request on the wire, never two: libcurl would silently send a POST
 * again when a kept connection dies under it; that is stopped and told as `dropped`. Follows no
 * redirect, uses no proxy but the operator's, verifies TLS 1.2 or newer, takes no compressed
 * answer, checks the address of every connection before it is used. Knows nothing of callbacks,
 * lanes or integrators. Loop thread only. */
#ifndef VENDGATE_OUTBOUND_HTTP_CLIENT_H
#define VENDGATE_OUTBOUND_HTTP_CLIENT_H

#include "base/macros.h"
#include "outbound/host.h"
#include "outbound/networks.h"
#include "outbound/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

#define HTTP_HEADERS_MAX 12
#define HTTP_HEADERS_SIZE 8192
#define HTTP_ANSWER_MAX (256 * 1024)
#define HTTP_CLIENT_ERROR_SIZE 128

struct http_client;
struct http_exchange;

struct http_post {
    const char *url; /* copied */
    /* The only address that is connected to: one of http_client_proxy()'s if there is a proxy, else
     * of the URL's host. Copied. */
    const struct sockaddr_storage *pinned;
    const char *headers[HTTP_HEADERS_MAX]; /* lines without an end; NULL ends; copied */
    const char *body;                      /* borrowed until done or abort */
    size_t body_size;
    const char *ca_file;                            /* copied; NULL: the system's */
    const char *client_cert_file, *client_key_file; /* copied; NULL: none */
    const char *public_key_pins;                    /* copied; NULL: none */
    bool allow_http;
    const struct networks *allowed; /* that are not public; borrowed until done or abort */
    int64_t connect_ms, total_ms;   /* from now, above 0 */
    bool bulk;                      /* over the connections of feeds and replays */
    bool fresh;                     /* on a new connection */
    int64_t trust_age_s; /* connections and loaded certificates older than this are not used; 0:
                            nothing kept is */
};

struct http_outcome {
    bool answered;    /* a whole answer, or its first HTTP_ANSWER_MAX bytes */
    bool dropped;     /* the kept connection died before an answer; a new one may well work */
    bool unreachable; /* no connection was made to the address */
    int http_status;  /* 0: none */
    const char *body; /* as far as it was read; borrowed for the call */
    size_t body_size;
    bool body_cut;           /* there was more than HTTP_ANSWER_MAX */
    const char *retry_after; /* NULL: no such header; borrowed for the call */
    const char *error;       /* NULL when answered; borrowed for the call */
    int64_t connect_us, tls_us, first_byte_us,
        total_us;    /* from the start of this exchange; -1: not reached */
    char remote[64]; /* "address:port"; empty: never connected */
};

/* The exchange is gone when this returns. */
typedef void http_done(void *arg, const struct http_outcome *outcome);

struct http_client_options {
    size_t connections_max;  /* kept; see connection_pools.h */
    const char *dns_servers; /* as resolver_new() */
    const char *proxy;       /* as proxy_new() */
    const char *user_agent;  /* copied */
};

/* -EINVAL: dns_servers or proxy is not understood, and ret_error says which. */
MUST_CHECK int http_client_new(uv_loop_t *loop, const struct http_client_options *options,
                               struct http_client **ret_client,
                               char ret_error[static HTTP_CLIENT_ERROR_SIZE]);
/* For the endpoints' hosts; it lives as long as the client. */
struct resolver *http_client_resolver(struct http_client *client);
/* NULL: there is none. Else where to connect to, whatever the URL. */
struct host *http_client_proxy(struct http_client *client);
/* Exchanges under way must have been aborted. */
void http_client_free(struct http_client **client);

/* Sent in this turn when a kept connection is free; `done` is called once, from the loop.
 * -EMSGSIZE: too many or too long headers; -EINVAL: libcurl refuses the rest. */
MUST_CHECK int http_client_post(struct http_client *client, const struct http_post *post,
                                http_done *done, void *arg, struct http_exchange **ret_exchange);
/* `done` is not called; the connection is closed, since the other side may be writing an answer. */
void http_client_abort(struct http_exchange **exchange);
/* How far an exchange under way has got; valid until it ends. */
void http_client_progress(struct http_exchange *exchange, struct http_outcome *ret_outcome);

#endif
