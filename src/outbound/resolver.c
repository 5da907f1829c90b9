#include "outbound/resolver.h"

#include "base/memory.h"
#include "base/timer.h"

#include <ares.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <utlist.h>

#define SYSTEM_SERVERS "/etc/resolv.conf"

enum { FIRST_TIMEOUT_MS = 300, TRIES = 3 };

/* One socket of c-ares. */
struct watcher {
    uv_poll_t poll;
    struct resolver *resolver;
    ares_socket_t socket;
    struct watcher *prev, *next;
};

struct resolver_lookup {
    struct resolver *resolver;
    resolver_done *done; /* NULL: nobody wants the answer any more */
    void *arg;
    struct resolver_answer answer;
    struct resolver_lookup *prev, *next; /* in resolver->answered */
};

struct resolver {
    uv_loop_t *loop;
    char *servers; /* NULL: the system's */
    ares_channel channel;
    struct timespec system_changed; /* when the file of the system's servers did, as we read it */
    size_t asking;                  /* lookups that c-ares has */
    struct watcher *watchers;
    struct timer *timer;   /* c-ares's next deadline */
    struct timer *deliver; /* brings answers out of c-ares's own calls */
    struct resolver_lookup *answered;
    bool telling; /* answers; meanwhile resolver_free() leaves the struct to on_deliver() */
    bool freed;
};

static void arm(struct resolver *resolver)
{
    struct timeval left;
    if (ares_timeout(resolver->channel, NULL, &left))
        timer_start(resolver->timer, left.tv_sec * 1000 + left.tv_usec / 1000 + 1);
    else
        timer_stop(resolver->timer);
}

static void on_timer(void *arg)
{
    struct resolver *resolver = arg;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    arm(resolver);
}

static void on_socket_event(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = CONTAINER_OF(poll, struct watcher, poll);
    struct resolver *resolver = watcher->resolver;
    ares_socket_t socket = watcher->socket; /* the watcher may go in the call */
    bool readable = status < 0 || (events & UV_READABLE);
    bool writable = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(resolver->channel, readable ? socket : ARES_SOCKET_BAD,
                    writable ? socket : ARES_SOCKET_BAD);
    arm(resolver);
}

static void on_watcher_closed(uv_handle_t *handle)
{
    free(CONTAINER_OF((uv_poll_t *)handle, struct watcher, poll));
}

static void watcher_free(struct watcher *watcher)
{
    DL_DELETE(watcher->resolver->watchers, watcher);
    uv_close((uv_handle_t *)&watcher->poll, on_watcher_closed);
}

static struct watcher *watcher_new(struct resolver *resolver, ares_socket_t socket)
{
    struct watcher *watcher = memory_zero(1, sizeof(*watcher));
    watcher->resolver = resolver;
    watcher->socket = socket;
    int result = uv_poll_init(resolver->loop, &watcher->poll, socket);
    assert(result == 0);
    DL_APPEND(resolver->watchers, watcher);
    return watcher;
}

/* c-ares tells what it waits for on a socket; nothing: it closes it right after. */
static void on_socket_wanted(void *arg, ares_socket_t socket, int readable, int writable)
{
    struct resolver *resolver = arg;
    struct watcher *watcher;
    DL_SEARCH_SCALAR(resolver->watchers, watcher, socket, socket);
    if (!readable && !writable) {
        if (watcher)
            watcher_free(watcher);
        return;
    }
    if (!watcher)
        watcher = watcher_new(resolver, socket);
    int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
    int result = uv_poll_start(&watcher->poll, events, on_socket_event);
    assert(result == 0);
}

static int shorter(int ttl_s, int other_s)
{
    return other_s < ttl_s ? other_s : ttl_s;
}

static void take_addresses(struct resolver_answer *answer, const struct ares_addrinfo *found)
{
    int ttl_s = INT_MAX;
    for (const struct ares_addrinfo_cname *name = found->cnames; name; name = name->next)
        ttl_s = shorter(ttl_s, name->ttl);
    for (const struct ares_addrinfo_node *node = found->nodes; node; node = node->ai_next) {
        ttl_s = shorter(ttl_s, node->ai_ttl);
        if (answer->count < RESOLVER_ADDRESSES_MAX)
            memcpy(&answer->addresses[answer->count++], node->ai_addr, node->ai_addrlen);
    }
    answer->ttl_s = ttl_s > 0 ? ttl_s : 0;
}

static void take_status(struct resolver_answer *answer, int status)
{
    if (status == ARES_SUCCESS && answer->count == 0)
        status = ARES_ENODATA;
    bool denied = status == ARES_ENOTFOUND || status == ARES_ENODATA;
    answer->error = status == ARES_SUCCESS ? NULL : ares_strerror(status);
    answer->result = status == ARES_SUCCESS ? RESOLVER_FOUND
                     : denied               ? RESOLVER_NO_SUCH_NAME
                                            : RESOLVER_FAILED;
}

/* Inside one of c-ares's calls, perhaps inside resolver_look_up(): told later. */
static void on_answer(void *arg, int status, int timeouts UNUSED, struct ares_addrinfo *found)
{
    struct resolver_lookup *lookup = arg;
    struct resolver *resolver = lookup->resolver;
    resolver->asking--;
    if (found)
        take_addresses(&lookup->answer, found);
    take_status(&lookup->answer, status);
    ares_freeaddrinfo(found);
    DL_APPEND(resolver->answered, lookup);
    if (status != ARES_EDESTRUCTION)
        timer_start(resolver->deliver, 0);
}

/* Whoever is told may ask again, cancel another's lookup, or free the resolver. */
static void on_deliver(void *arg)
{
    struct resolver *resolver = arg;
    size_t count = 0;
    struct resolver_lookup *lookup;
    DL_COUNT(resolver->answered, lookup, count);
    resolver->telling = true;
    for (; count > 0 && !resolver->freed; count--) {
        lookup = resolver->answered;
        DL_DELETE(resolver->answered, lookup);
        if (lookup->done)
            lookup->done(lookup->arg, &lookup->answer);
        free(lookup);
    }
    resolver->telling = false;
    if (resolver->freed)
        free(resolver);
}

static struct timespec system_changed(void)
{
    struct stat status;
    return stat(SYSTEM_SERVERS, &status) == 0 ? status.st_mtim : (struct timespec){0};
}

static int open_channel(struct resolver *resolver)
{
    struct ares_options options = {
        .timeout = FIRST_TIMEOUT_MS,
        .tries = TRIES,
        .lookups = (char *)"fb", /* files, then name servers; copied */
        .sock_state_cb = on_socket_wanted,
        .sock_state_cb_data = resolver,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_DOMAINS |
               ARES_OPT_SOCK_STATE_CB;
    resolver->system_changed = system_changed();
    if (ares_init_options(&resolver->channel, &options, mask) != ARES_SUCCESS) {
        resolver->channel = NULL;
        return -ENOMEM;
    }
    if (resolver->servers &&
        ares_set_servers_ports_csv(resolver->channel, resolver->servers) != ARES_SUCCESS)
        return -EINVAL;
    return 0;
}

int resolver_new(uv_loop_t *loop, const char *servers, struct resolver **ret_resolver)
{
    if (ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        return -ENOMEM;
    _cleanup_(resolver_free) struct resolver *resolver = memory_zero(1, sizeof(*resolver));
    resolver->loop = loop;
    resolver->servers = servers && *servers ? memory_text(servers) : NULL;
    resolver->timer = timer_new(loop, on_timer, resolver);
    resolver->deliver = timer_new(loop, on_deliver, resolver);
    int result = open_channel(resolver);
    if (result < 0)
        return result;
    *ret_resolver = TAKE(resolver);
    return 0;
}

void resolver_free(struct resolver **resolver)
{
    struct resolver *old = TAKE(*resolver);
    if (!old)
        return;
    old->freed = true;
    if (old->channel)
        ares_destroy(old->channel);
    assert(old->asking == 0 && !old->watchers);
    struct resolver_lookup *lookup, *next;
    DL_FOREACH_SAFE (old->answered, lookup, next)
        free(lookup);
    timer_free(&old->timer);
    timer_free(&old->deliver);
    free(old->servers);
    ares_library_cleanup();
    if (!old->telling)
        free(old);
}

uv_loop_t *resolver_loop(const struct resolver *resolver)
{
    return resolver->loop;
}

/* c-ares reads the system's servers only once. While it asks nobody, it may be replaced. */
static void follow_system(struct resolver *resolver)
{
    struct timespec changed = system_changed();
    if (resolver->servers || resolver->asking > 0 ||
        (changed.tv_sec == resolver->system_changed.tv_sec &&
         changed.tv_nsec == resolver->system_changed.tv_nsec))
        return;
    ares_channel old = resolver->channel;
    if (open_channel(resolver) == 0)
        ares_destroy(old);
    else
        resolver->channel = old;
}

struct resolver_lookup *resolver_look_up(struct resolver *resolver, const char *name,
                                         resolver_done *done, void *arg)
{
    const struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct resolver_lookup *lookup = memory_zero(1, sizeof(*lookup));
    lookup->resolver = resolver;
    lookup->done = done;
    lookup->arg = arg;
    follow_system(resolver);
    resolver->asking++;
    ares_getaddrinfo(resolver->channel, name, NULL, &hints, on_answer, lookup);
    arm(resolver);
    return lookup;
}

void resolver_cancel(struct resolver_lookup **lookup)
{
    struct resolver_lookup *old = TAKE(*lookup);
    if (old)
        old->done = NULL; /* freed when c-ares is done with it */
}
