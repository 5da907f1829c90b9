#include "bench/sink/endpoint.h"

#include "base/memory.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum { BACKLOG = 1024 };

struct endpoint {
    uv_poll_t poll;
    int fd;
    uint16_t port;
    struct ward ward;
};

static void on_connect(uv_poll_t *poll, int status UNUSED, int events UNUSED)
{
    struct endpoint *endpoint = poll->data;
    int fd;
    while ((fd = accept4(endpoint->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        connection_open(&endpoint->ward, fd);
}

static int listen_anywhere(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, BACKLOG) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        close(fd);
        return -1;
    }
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct endpoint *endpoint_open(uv_loop_t *loop, SSL_CTX *tls, struct arrivals *arrivals)
{
    uint16_t port = 0;
    int fd = listen_anywhere(&port);
    if (fd < 0)
        return NULL;
    struct endpoint *endpoint = memory_zero(1, sizeof(*endpoint));
    endpoint->fd = fd;
    endpoint->port = port;
    endpoint->ward = (struct ward){.loop = loop, .tls = tls, .arrivals = arrivals};
    int polled = uv_poll_init(loop, &endpoint->poll, fd);
    assert(polled == 0);
    endpoint->poll.data = endpoint;
    uv_poll_start(&endpoint->poll, UV_READABLE, on_connect);
    return endpoint;
}

uint16_t endpoint_port(const struct endpoint *endpoint)
{
    return endpoint->port;
}

static void hang_up(struct endpoint *endpoint)
{
    struct connection *connection = endpoint->ward.connections;
    while (connection) {
        connection_close(connection);
        connection = endpoint->ward.connections;
    }
}

void endpoint_set_fault(struct endpoint *endpoint, enum fault fault)
{
    endpoint->ward.fault = fault;
    hang_up(endpoint);
}

enum fault endpoint_fault(const struct endpoint *endpoint)
{
    return endpoint->ward.fault;
}

size_t endpoint_opened(const struct endpoint *endpoint)
{
    return endpoint->ward.opened;
}

/* Its connections need it no more once they are closing. */
static void on_closed(uv_handle_t *handle)
{
    struct endpoint *endpoint = handle->data;
    close(endpoint->fd);
    free(endpoint);
}

void endpoint_close(struct endpoint *endpoint)
{
    hang_up(endpoint);
    uv_close((uv_handle_t *)&endpoint->poll, on_closed);
}
