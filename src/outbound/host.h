/* host.h - one host name of an endpoint and the addresses it has, looked up beside the loop.
 *
 * One lookup at a time per host, in libuv's thread pool: a resolver that hangs holds one thread and
 * delays only those who wait for this name, each up to its own deadline. Addresses are fresh for 30
 * s, then still used for 10 min while a new lookup runs. Only addresses that address.h lets pass
 * are ever given out. */
#ifndef VENDGATE_OUTBOUND_HOST_H
#define VENDGATE_OUTBOUND_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <uv.h>

struct host;
struct timer;

/* `error`: NULL, and host_address() now answers; or why not (borrowed for the call). */
typedef void host_known(void *arg, const char *error);

/* One who waits; memory of the caller, until `known` was called or host_forget_waiter(). */
struct host_waiter {
    host_known *known;
    void *arg;
    struct host *host; /* the rest is host.c's */
    struct timer *deadline;
    struct host_waiter *prev, *next;
};

/* `name`: a host name or a literal address without brackets; copied. */
struct host *host_new(uv_loop_t *loop, const char *name, bool allow_private);
/* Nobody may be waiting. */
void host_free(struct host **host);

bool host_is_literal(const struct host *host);
/* True: the address to use now. False: wait for it. */
bool host_address(struct host *host, struct sockaddr_storage *ret_address);
/* `known` is called once, from the loop, at most `timeout_ms` later. */
void host_wait(struct host *host, struct host_waiter *waiter, int64_t timeout_ms);
/* It is not called any more. Not waiting: nothing happens. */
void host_forget_waiter(struct host_waiter *waiter);
/* `address` could not be connected to: the next one is used, and after the last the name is looked
 * up anew. */
void host_failed(struct host *host, const struct sockaddr_storage *address);

#endif
