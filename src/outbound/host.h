/* host.h - one host name of an endpoint and the addresses it has: what the resolver said,
 * remembered and judged.
 *
 * One lookup at a time per host; who waits for it waits at most to its own deadline. An answer is
 * fresh for its TTL (at least 5 s, at most 5 min), then still used until it is 10 min old while a
 * new lookup runs beside. A name that does not resolve is not asked for again for a second, nor is
 * one whose addresses all fail, so that a storm of attempts is none of lookups. Every address of an
 * answer is judged by address.h, and only those that it lets pass are ever given out. */
#ifndef VENDGATE_OUTBOUND_HOST_H
#define VENDGATE_OUTBOUND_HOST_H

#include "outbound/networks.h"
#include "outbound/resolver.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

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

/* `name`: a host name or a literal address without brackets; copied. `resolver` and `allowed`
 * (which networks that are not public, NULL: none) are borrowed. */
struct host *host_new(struct resolver *resolver, const char *name, const struct networks *allowed);
/* Nobody may be waiting. */
void host_free(struct host **host);

bool host_is_literal(const struct host *host);
/* True: the address to use now. False: wait for it. */
bool host_address(struct host *host, struct sockaddr_storage *ret_address);
/* `known` is called once, from the loop, at most `timeout_ms` later. */
void host_wait(struct host *host, struct host_waiter *waiter, int64_t timeout_ms);
/* It is not called any more. Not waiting: nothing happens. */
void host_forget_waiter(struct host_waiter *waiter);
/* `address` could not be connected to: the next one is used. After the last the name is looked up
 * anew if the answer is older than a second, else the first has its turn again. */
void host_failed(struct host *host, const struct sockaddr_storage *address);

#endif
