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

enum { ADDRESSES_MAX = 8, FRESH_MS = 30 * 1000, USABLE_MS = 10 * 60 * 1000, ERROR_SIZE = 128 };

/* Lives until the thread pool is done with it, even when its host is gone. */
struct lookup {
    uv_getaddrinfo_t request;
    struct host *host; /* NULL: nobody wants the answer any more */
};

struct host {
    uv_loop_t *loop;
    char *name;
    bool literal;
    bool allow_private;
    struct sockaddr_storage addresses[ADDRESSES_MAX];
    size_t count;
    size_t current;
    int64_t known_ms; /* monotonic; when the addresses were learned */
    struct lookup *lookup;
    struct host_waiter *waiters;
    char error[ERROR_SIZE]; /* why there are no addresses */
    bool *freed;            /* set by host_free() while waiters are being told */
};

static void add_address(struct host *host, const struct sockaddr *address, size_t size)
{
    const char *refusal = address_refusal(address, host->allow_private);
    if (refusal) {
        char text[ADDRESS_TEXT_SIZE];
        address_text(address, text);
        (void)snprintf(host->error, sizeof(host->error), "address %s is refused: %s", text,
                       refusal);
        return;
    }
    if (host->count < ADDRESSES_MAX)
        memcpy(&host->addresses[host->count++], address, size);
}

struct host *host_new(uv_loop_t *loop, const char *name, bool allow_private)
{
    struct host *host = memory_zero(1, sizeof(*host));
    host->loop = loop;
    host->name = memory_text(name);
    host->allow_private = allow_private;
    struct sockaddr_storage address = {0};
    host->literal = address_parse(name, &address);
    if (host->literal)
        add_address(host, (struct sockaddr *)&address, sizeof(address));
    return host;
}

void host_free(struct host **host)
{
    struct host *old = TAKE(*host);
    if (!old)
        return;
    assert(!old->waiters);
    if (old->freed)
        *old->freed = true;
    if (old->lookup) {
        old->lookup->host = NULL;
        (void)uv_cancel((uv_req_t *)&old->lookup->request); /* busy: its answer is dropped */
    }
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
    bool freed = false;
    host->freed = &freed;
    for (; count > 0 && !freed && host->waiters; count--)
        tell(host->waiters, error);
    if (!freed)
        host->freed = NULL;
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
static void take_addresses(struct host *host, const struct addrinfo *found)
{
    struct sockaddr_storage used = {0};
    if (host->count)
        used = host->addresses[host->current];
    memset(host->addresses, 0, sizeof(host->addresses));
    host->count = host->current = 0;
    (void)snprintf(host->error, sizeof(host->error), "the name has no address");
    for (const struct addrinfo *info = found; info; info = info->ai_next)
        add_address(host, info->ai_addr, info->ai_addrlen);
    for (size_t i = 0; used.ss_family != AF_UNSPEC && i < host->count; i++) {
        if (same_address(&host->addresses[i], &used))
            host->current = i;
    }
    host->known_ms = clock_monotonic_ms();
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
    struct host *host = lookup->host;
    free(lookup);
    if (host) {
        host->lookup = NULL;
        if (status == 0)
            take_addresses(host, found);
        else
            (void)snprintf(host->error, sizeof(host->error), "name not resolved: %s",
                           uv_strerror(status));
        tell_all(host);
    }
    uv_freeaddrinfo(found);
}

static int start_lookup(struct host *host)
{
    if (host->lookup)
        return 0;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *lookup = memory_zero(1, sizeof(*lookup));
    lookup->host = host;
    int result =
        uv_getaddrinfo(host->loop, &lookup->request, on_looked_up, host->name, NULL, &hints);
    if (result < 0) {
        (void)snprintf(host->error, sizeof(host->error), "name not looked up: %s",
                       uv_strerror(result));
        free(lookup);
        return result;
    }
    host->lookup = lookup;
    return 0;
}

bool host_address(struct host *host, struct sockaddr_storage *ret_address)
{
    int64_t age_ms = host->literal ? 0 : clock_monotonic_ms() - host->known_ms;
    if (host->count == 0 || age_ms >= USABLE_MS)
        return false;
    if (age_ms >= FRESH_MS)
        (void)start_lookup(host); /* not started: the old ones serve until they are too old */
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
    waiter->deadline = timer_new(host->loop, on_deadline, waiter);
    DL_APPEND(host->waiters, waiter);
    bool asked = !host->literal && start_lookup(host) == 0;
    timer_start(waiter->deadline, asked ? timeout_ms : 0);
}

void host_failed(struct host *host, const struct sockaddr_storage *address)
{
    if (host->literal || host->count == 0 ||
        !same_address(&host->addresses[host->current], address))
        return;
    host->current++;
    if (host->current == host->count)
        host->count = host->current = 0;
}
