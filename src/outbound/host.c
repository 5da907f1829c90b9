#include "outbound/host.h"

#include "base/clock.h"
#include "base/macros.h"
#include "base/memory.h"
#include "base/timer.h"
#include "outbound/address.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

enum {
    ADDRESSES_MAX = 8,
    TTL_MIN_S = 5,
    TTL_MAX_S = 5 * 60,
    USABLE_MS = 10 * 60 * 1000,
    PAUSE_MS = 1000, /* between an answer and the next lookup */
    ERROR_SIZE = 128,
};

struct host {
    struct resolver *resolver;
    char *name;
    bool literal;
    const struct networks *allowed;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    size_t count;
    size_t current;
    /* Monotonic: when the addresses were learned, until when no new ones are wanted, and from when
     * on the name may be looked up again. */
    int64_t known_ms, fresh_until_ms, next_lookup_ms;
    struct resolver_lookup *lookup;
    struct host_waiter *waiters;
    char error[ERROR_SIZE]; /* why there are no addresses */
    bool telling;           /* waiters; meanwhile host_free() only marks it as freed */
    bool freed;
};

static void add_address(struct host *host, const struct sockaddr_storage *address)
{
    const char *refusal = address_refusal((const struct sockaddr *)address, host->allowed);
    if (refusal) {
        char text[ADDRESS_TEXT_SIZE];
        address_text((const struct sockaddr *)address, text);
        (void)snprintf(host->error, sizeof(host->error), "address %s is refused: %s", text,
                       refusal);
        return;
    }
    if (host->count < ADDRESSES_MAX)
        host->addresses[host->count++] = *address;
}

struct host *host_new(struct resolver *resolver, const char *name, const struct networks *allowed)
{
    struct host *host = memory_zero(1, sizeof(*host));
    host->resolver = resolver;
    host->name = memory_text(name);
    host->allowed = allowed;
    struct sockaddr_storage address = {0};
    host->literal = address_parse(name, &address);
    if (host->literal)
        add_address(host, &address);
    return host;
}

void host_free(struct host **host)
{
    struct host *old = TAKE(*host);
    if (!old)
        return;
    assert(!old->waiters);
    resolver_cancel(&old->lookup);
    old->freed = true;
    if (old->telling)
        return; /* tell_all() frees it when it comes back */
    free(old->name);
    free(old);
}

bool host_is_literal(const struct host *host)
{
    return host->literal;
}

void host_forget_waiter(struct host_waiter *waiter)
{
    if (!waiter->host)
        return;
    DL_DELETE(waiter->host->waiters, waiter);
    timer_free(&waiter->deadline);
    waiter->host = NULL;
}

static void tell(struct host_waiter *waiter, const char *error)
{
    host_forget_waiter(waiter);
    waiter->known(waiter->arg, error);
}

/* Whoever is told may wait again, take another's wait back, or free the host. */
static void tell_all(struct host *host)
{
    char text[ERROR_SIZE];
    const char *error = host->count ? NULL : strcpy(text, host->error);
    size_t count = 0;
    struct host_waiter *waiter;
    DL_COUNT(host->waiters, waiter, count);
    host->telling = true;
    for (; count > 0 && !host->freed && host->waiters; count--)
        tell(host->waiters, error);
    host->telling = false;
    if (host->freed)
        host_free(&host);
}

static bool same_address(const struct sockaddr_storage *one, const struct sockaddr_storage *other)
{
    char texts[2][ADDRESS_TEXT_SIZE];
    address_text((const struct sockaddr *)one, texts[0]);
    address_text((const struct sockaddr *)other, texts[1]);
    return strcmp(texts[0], texts[1]) == 0;
}

/* Stays with the address in use while the name still has it: the one before it may have been found
 * dead. */
static void take_addresses(struct host *host, const struct resolver_answer *answer)
{
    struct sockaddr_storage used = {0};
    if (host->count)
        used = host->addresses[host->current];
    host->count = host->current = 0;
    for (size_t i = 0; i < answer->count; i++)
        add_address(host, &answer->addresses[i]);
    for (size_t i = 0; used.ss_family != AF_UNSPEC && i < host->count; i++) {
        if (same_address(&host->addresses[i], &used))
            host->current = i;
    }
}

static int64_t fresh_ms(const struct resolver_answer *answer)
{
    int ttl_s = answer->ttl_s < TTL_MIN_S ? TTL_MIN_S : answer->ttl_s;
    return (ttl_s < TTL_MAX_S ? ttl_s : TTL_MAX_S) * INT64_C(1000);
}

static void on_looked_up(void *arg, const struct resolver_answer *answer)
{
    struct host *host = arg;
    int64_t now_ms = clock_monotonic_ms();
    host->lookup = NULL;
    host->next_lookup_ms = now_ms + PAUSE_MS;
    if (answer->result == RESOLVER_FOUND) {
        host->known_ms = now_ms;
        host->fresh_until_ms = now_ms + fresh_ms(answer);
        take_addresses(host, answer);
    } else {
        (void)snprintf(host->error, sizeof(host->error), "name not resolved: %s", answer->error);
        if (answer->result == RESOLVER_NO_SUCH_NAME)
            host->count = host->current = 0;
    }
    tell_all(host);
}

static bool may_look_up(const struct host *host)
{
    return !host->literal && !host->lookup && clock_monotonic_ms() >= host->next_lookup_ms;
}

static void start_lookup(struct host *host)
{
    if (may_look_up(host))
        host->lookup = resolver_look_up(host->resolver, host->name, on_looked_up, host);
}

bool host_address(struct host *host, struct sockaddr_storage *ret_address)
{
    int64_t now_ms = clock_monotonic_ms();
    if (host->count == 0 || (!host->literal && now_ms - host->known_ms >= USABLE_MS))
        return false;
    if (now_ms >= host->fresh_until_ms)
        start_lookup(host); /* beside: the old ones serve until they are too old */
    *ret_address = host->addresses[host->current];
    return true;
}

static void on_deadline(void *arg)
{
    struct host_waiter *waiter = arg;
    struct host *host = waiter->host;
    if (host->lookup) {
        tell(waiter, "name not resolved in time");
        return;
    }
    char error[ERROR_SIZE];
    tell(waiter, strcpy(error, host->error));
}

void host_wait(struct host *host, struct host_waiter *waiter, int64_t timeout_ms)
{
    waiter->host = host;
    waiter->deadline = timer_new(resolver_loop(host->resolver), on_deadline, waiter);
    DL_APPEND(host->waiters, waiter);
    start_lookup(host);
    timer_start(waiter->deadline, host->lookup ? timeout_ms : 0);
}

void host_failed(struct host *host, const struct sockaddr_storage *address)
{
    if (host->literal || host->count == 0 ||
        !same_address(&host->addresses[host->current], address))
        return;
    host->current = (host->current + 1) % host->count;
    if (host->current == 0 && may_look_up(host))
        host->count = 0;
}
