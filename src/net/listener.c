#include "net/listener.h"

#include "base/log.h"
#include "base/memory.h"
#include "net/address_counts.h"
#include "net/listen_socket.h"
#include "net/peer.h"
#include "net/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <unistd.h>
#include <utlist.h>

#define ACCEPTS_PER_TURN 16
#define BACKOFF_MS 100 /* after accept() failed for want of descriptors or memory */

struct net_listener {
    struct stream_hub hub;
    struct net_listener_options options; /* `name` is `own_name`, `address` is not kept */
    char *own_name;
    struct listen_socket socket;
    struct address_counts addresses;
    uv_poll_t poll;
    uv_timer_t backoff;
    unsigned handles; /* of the two above that are not closed yet */
    int closing_fd;   /* goes with the poll's close callback */
    bool accepting;   /* the poll runs */
    bool stopped, freeing;
    bool exhausted; /* logged; until an accept succeeds again */
};

static void listener_accept(uv_poll_t *poll, int status, int events);

static struct net_listener *listener_of(struct stream_hub *hub)
{
    return CONTAINER_OF(hub, struct net_listener, hub);
}

static bool handshakes_full(const struct net_listener *listener)
{
    return listener->options.tls &&
           (int64_t)listener->hub.handshaking >= listener->options.handshakes_max;
}

/* Waits for connections, or not: while the handshakes under way are enough, or descriptors are out.
 */
static void listener_watch(struct net_listener *listener)
{
    if (listener->stopped)
        return;
    bool wanted =
        !handshakes_full(listener) && !uv_is_active((const uv_handle_t *)&listener->backoff);
    if (wanted == listener->accepting)
        return;
    listener->accepting = wanted;
    if (wanted)
        (void)uv_poll_start(&listener->poll, UV_READABLE, listener_accept);
    else
        (void)uv_poll_stop(&listener->poll);
}

static void listener_backoff_over(uv_timer_t *timer)
{
    listener_watch(timer->data);
}

static void listener_back_off(struct net_listener *listener, int error)
{
    if (!listener->exhausted)
        log_error("accept_failed", LOG_TEXT("listener", listener->options.name),
                  LOG_TEXT("error", uv_strerror(-error)));
    listener->exhausted = true;
    (void)uv_timer_start(&listener->backoff, listener_backoff_over, BACKOFF_MS, 0);
}

static void socket_set_options(const struct net_listener *listener, int fd, int family)
{
    if (family == AF_UNIX)
        return;
    int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    unsigned timeout_ms = (unsigned)listener->options.user_timeout_ms;
    if (timeout_ms > 0)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void listener_refuse(struct net_listener *listener, int fd, enum net_refusal refusal)
{
    metric_add(listener->hub.metrics.refused[refusal], 1);
    if (fd >= 0)
        (void)close(fd);
}

static void listener_admit(struct net_listener *listener, int fd,
                           const struct sockaddr_storage *address, socklen_t address_size)
{
    const struct net_listener_options *options = &listener->options;
    metric_add(listener->hub.metrics.accepted, 1);
    if ((int64_t)listener->hub.stream_count >= options->connections_max) {
        listener_refuse(listener, fd, NET_REFUSED_LIMIT);
        return;
    }
    if (!address_counts_take(&listener->addresses, address, options->connections_per_address_max)) {
        listener_refuse(listener, fd, NET_REFUSED_ADDRESS_LIMIT);
        return;
    }
    socket_set_options(listener, fd, address->ss_family);
    struct net_peer peer;
    peer_read_socket(fd, address, address_size, &peer);
    if (stream_start(&listener->hub, fd, options->tls, &peer) != 0) { /* it has closed fd */
        address_counts_give(&listener->addresses, address);
        listener_refuse(listener, -1, NET_REFUSED_RESOURCES);
    }
}

/* False: nothing more to accept in this turn. */
static bool listener_accept_one(struct net_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int fd = accept4(listener->socket.fd, (struct sockaddr *)&address, &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
        listener->exhausted = false;
        listener_admit(listener, fd, &address, size);
        return true;
    }
    switch (errno) {
    case EAGAIN:
        return false;
    case EINTR: /* and the errors of a connection that died in the backlog, accept(2) */
    case ECONNABORTED:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case EOPNOTSUPP:
    case ENETUNREACH:
        return true;
    default: /* EMFILE, ENFILE, ENOBUFS, ENOMEM: the backlog stays readable and would spin the loop
              */
        listener_back_off(listener, errno);
        return false;
    }
}

static void listener_accept(uv_poll_t *poll, int status, int events)
{
    struct net_listener *listener = poll->data;
    (void)events;
    if (status < 0) { /* libuv has stopped the poll */
        listener->accepting = false;
        listener_back_off(listener, -status);
    }
    for (int i = 0; status == 0 && i < ACCEPTS_PER_TURN; i++)
        if (listener->stopped || handshakes_full(listener) || !listener_accept_one(listener))
            break;
    listener_watch(listener);
}

/* --- the end --- */

static void listener_free_if_done(struct net_listener *listener)
{
    if (!listener->freeing || listener->handles > 0 || listener->hub.handles > 0 ||
        listener->hub.stream_count > 0)
        return;
    stream_hub_done(&listener->hub);
    assert(!listener->addresses.table);
    free(listener->own_name);
    free(listener);
}

static void listener_handle_closed(uv_handle_t *handle)
{
    struct net_listener *listener = handle->data;
    if (handle == (uv_handle_t *)&listener->poll)
        (void)close(listener->closing_fd);
    listener->handles--;
    listener_free_if_done(listener);
}

static void listener_hub_handle_closed(uv_handle_t *handle)
{
    struct stream_hub *hub = handle->data;
    hub->handles--;
    listener_free_if_done(listener_of(hub));
}

static void listener_handshake_over(struct stream_hub *hub)
{
    listener_watch(listener_of(hub));
}

static void listener_stream_gone(struct stream_hub *hub, struct net_stream *stream)
{
    struct net_listener *listener = listener_of(hub);
    address_counts_give(&listener->addresses, &stream->peer.address);
    listener_free_if_done(listener);
}

void net_listener_stop(struct net_listener *listener)
{
    if (listener->stopped)
        return;
    listener->stopped = true;
    listener->closing_fd = listen_socket_release(&listener->socket);
    uv_close((uv_handle_t *)&listener->poll, listener_handle_closed);
    uv_close((uv_handle_t *)&listener->backoff, listener_handle_closed);
}

void net_listener_free(struct net_listener **listener)
{
    struct net_listener *gone = TAKE(*listener);
    if (!gone)
        return;
    net_listener_stop(gone);
    gone->freeing = true;
    struct net_stream *stream = NULL;
    DL_FOREACH (gone->hub.streams, stream) /* they leave the list from the loop, not here */
        stream_end(stream, NET_CLOSED_SHUTDOWN);
    stream_hub_close(&gone->hub, listener_hub_handle_closed);
}

/* --- the beginning --- */

static struct net_listener *listener_new(const struct net_listener_options *options,
                                         const struct net_handlers *handlers, void *arg)
{
    struct net_listener *listener = memory_zero(1, sizeof *listener);
    listener->options = *options;
    listener->options.name = listener->own_name = memory_text(options->name);
    listener->options.address = NULL;
    listener->hub.name = listener->options.name;
    listener->hub.handlers = *handlers;
    listener->hub.arg = arg;
    listener->hub.write_queue_max = (size_t)options->write_queue_max;
    listener->hub.handshake_ms = (uint64_t)options->handshake_ms;
    listener->hub.handshake_over = listener_handshake_over;
    listener->hub.stream_gone = listener_stream_gone;
    return listener;
}

int net_listener_open(uv_loop_t *loop, const struct net_listener_options *options,
                      const struct net_handlers *handlers, void *arg, struct metrics *metrics,
                      struct net_listener **ret_listener, char ret_error[static NET_ERROR_SIZE])
{
    assert(handlers->opened && handlers->data && handlers->closed);
    assert(options->connections_max > 0 && options->write_queue_max > 0);
    assert(!options->tls || (options->handshakes_max > 0 && options->handshake_ms > 0));
    struct listen_socket socket;
    int error =
        listen_socket_open(options->address, options->port, options->fd, &socket, ret_error);
    if (error != 0)
        return error;
    struct net_listener *listener = listener_new(options, handlers, arg);
    error = uv_poll_init(loop, &listener->poll, socket.fd);
    if (error != 0) {
        (void)snprintf(ret_error, NET_ERROR_SIZE, "%s: %s", options->name, uv_strerror(error));
        (void)close(listen_socket_release(&socket));
        free(listener->own_name);
        free(listener);
        return error;
    }
    listener->socket = socket;
    (void)uv_timer_init(loop, &listener->backoff);
    listener->poll.data = listener->backoff.data = listener;
    listener->handles = 2;
    net_metrics_init(&listener->hub.metrics, metrics, listener->options.name);
    stream_hub_open(&listener->hub, loop);
    listener_watch(listener);
    *ret_listener = listener;
    return 0;
}

uint16_t net_listener_port(const struct net_listener *listener)
{
    return listener->socket.port;
}

size_t net_listener_connections(const struct net_listener *listener)
{
    return listener->hub.stream_count;
}
