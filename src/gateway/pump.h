/* pump.h - libmicrohttpd on the loop: its epoll descriptor under uv_poll, its timeouts under a
 * timer.
 *
 * Owns the daemon. It has no listening socket; connections are handed in as descriptors. Used by
 * surface.c only. */
#ifndef VENDGATE_GATEWAY_PUMP_H
#define VENDGATE_GATEWAY_PUMP_H

#include "base/macros.h"

#include <microhttpd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct pump;

/* libmicrohttpd's own callbacks, called from the loop with `arg`. */
struct pump_handlers {
    MHD_AccessHandlerCallback request;
    MHD_RequestCompletedCallback completed;
    MHD_NotifyConnectionCallback connection;
    void *arg;
};

/* `memory_max`: bytes per connection for heads and bookkeeping. -EIO: libmicrohttpd refused. */
MUST_CHECK int pump_open(uv_loop_t *loop, const struct pump_handlers *handlers, size_t memory_max,
                         size_t connections_max, struct pump **ret_pump);
/* Takes `fd` in every case; the start of the connection is told within. False: it could not be
 * added and was closed. */
MUST_CHECK bool pump_add(struct pump *pump, int fd, const struct sockaddr *address,
                         socklen_t address_size);
/* A suspended connection goes on, in this turn of the loop. */
void pump_resume(struct pump *pump, struct MHD_Connection *connection);
/* Lets what was resumed end, then closes every connection; all callbacks run within. Nothing may be
 * suspended any more. The memory goes at the loop's edge. */
void pump_free(struct pump **pump);

#endif
