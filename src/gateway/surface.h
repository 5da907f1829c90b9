/* surface.h - one of the gateway's listeners with its libmicrohttpd: connections in, requests out
 * to reception.h.
 *
 *   net/http_front -> socketpair -> pump (libmicrohttpd) -> request -> reception -> handler */
#ifndef VENDGATE_GATEWAY_SURFACE_H
#define VENDGATE_GATEWAY_SURFACE_H

#include "gateway/routes.h"
#include "net/http_front.h"

#include <microhttpd.h>
#include <sys/types.h>
#include <uthash.h>

struct gateway;
struct request;
struct surface;

/* A client's connection; lives until libmicrohttpd closed its end. */
struct connection {
    uint64_t id; /* the front's name for it: the key */
    struct surface *surface;
    struct MHD_Connection *mhd; /* NULL: not started yet */
    struct request *request;    /* under way; NULL: between requests */
    char address[64];           /* of the client, numeric */
    uid_t uid;                  /* UNIX socket: the peer's; else (uid_t)-1 */
    gid_t gid;
    UT_hash_handle hh;
};

MUST_CHECK int surface_open(struct gateway *gateway, enum surface_kind kind,
                            const struct http_front_options *options, struct surface **ret_surface,
                            char ret_error[static NET_ERROR_SIZE]);
enum surface_kind surface_kind(const struct surface *surface);
/* "api", "private", "admin". */
const char *surface_name(const struct surface *surface);
uint16_t surface_port(const struct surface *surface);
/* No more connections; those that are open end with the answers that they owe. */
void surface_stop(struct surface *surface);
size_t surface_connections(const struct surface *surface);
int64_t surface_body_max(const struct surface *surface);
/* Lets a suspended request go on. */
void surface_resume(struct surface *surface, struct request *request);
/* Cancels what waits and closes every connection; the memory goes at the loop's edge. */
void surface_free(struct surface **surface);

#endif
