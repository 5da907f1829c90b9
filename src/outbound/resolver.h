/* resolver.h - names to addresses, asked of name servers by the loop itself: c-ares under uv_poll.
 *
 * No thread waits for a name server, so one that hangs holds up nobody but those who want this
 * name; the last word of each lookup comes after a few seconds at most (three tries of 300, 600,
 * 1200 ms at each server). /etc/hosts is read first, search domains are not used, a truncated
 * answer is asked for again over TCP. Remembers nothing: host.h does. Judges no address. Loop
 * thread only. */
#ifndef VENDGATE_OUTBOUND_RESOLVER_H
#define VENDGATE_OUTBOUND_RESOLVER_H

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <uv.h>

#define RESOLVER_ADDRESSES_MAX 32

struct resolver;
struct resolver_lookup;

enum resolver_result {
    RESOLVER_FOUND = 1,
    RESOLVER_NO_SUCH_NAME, /* its servers say so */
    RESOLVER_FAILED,       /* no answer, or none that helps: it may exist all the same */
};

struct resolver_answer {
    enum resolver_result result;
    const char *error; /* NULL when found; static */
    int ttl_s;         /* of the record that ends first; 0: from /etc/hosts */
    size_t count;      /* further ones are left out */
    struct sockaddr_storage addresses[RESOLVER_ADDRESSES_MAX]; /* the best first (RFC 6724) */
};

/* The lookup is gone when this returns; `answer` is borrowed for the call. */
typedef void resolver_done(void *arg, const struct resolver_answer *answer);

/* `servers`: "address[:port],[address]:port,..." for UDP and TCP; NULL or empty: resolv.conf's,
 * which is read again when it changes. -EINVAL: not such a list. */
MUST_CHECK int resolver_new(uv_loop_t *loop, const char *servers, struct resolver **ret_resolver);
/* Lookups under way end here, without a word. */
void resolver_free(struct resolver **resolver);
uv_loop_t *resolver_loop(const struct resolver *resolver);

/* IPv4 and IPv6 addresses of a host name. `done` is called once, from the loop, never inside this
 * call. */
struct resolver_lookup *resolver_look_up(struct resolver *resolver, const char *name,
                                         resolver_done *done, void *arg);
/* `done` is not called any more. */
void resolver_cancel(struct resolver_lookup **lookup);

#endif
