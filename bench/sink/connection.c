#include "bench/sink/connection.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    REQUEST_MAX = 64 * 1024,
    READ_SIZE = 16 * 1024,
    DRIP_MS = 200,
};

struct connection {
    struct ward *ward;
    struct connection *prev, *next;
    uv_poll_t poll;
    uv_timer_t drip; /* the next byte of an answer without end */
    int handles;     /* that are not closed yet */
    int fd;
    bool closing;
    SSL *ssl;
    struct buffer request;
};

static const char ANSWER_OK[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                "Content-Length: 16\r\n\r\n{\"success\":true}";
static const char ANSWER_BUSY[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
static const char ANSWER_ENDLESS[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                     "Content-Length: 100000\r\n\r\n ";

static void on_handle_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles > 0)
        return;
    SSL_free(connection->ssl);
    close(connection->fd);
    buffer_done(&connection->request);
    free(connection);
}

void connection_close(struct connection *connection)
{
    if (connection->closing)
        return;
    connection->closing = true;
    DL_DELETE(connection->ward->connections, connection);
    uv_close((uv_handle_t *)&connection->poll, on_handle_closed);
    uv_close((uv_handle_t *)&connection->drip, on_handle_closed);
}

/* Answers are small and come one at a time, so the socket has room for them; if not, the client
 * does not read, and is no client of ours. */
static void answer(struct connection *connection, const char *text, size_t size)
{
    if (SSL_write(connection->ssl, text, (int)size) != (int)size)
        connection_close(connection);
}

static void on_drip(uv_timer_t *timer)
{
    answer(timer->data, " ", 1);
}

static void reset(struct connection *connection)
{
    const struct linger at_once = {.l_onoff = 1};
    (void)setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    connection_close(connection);
}

static void answer_request(struct connection *connection)
{
    switch (connection->ward->fault) {
    case FAULT_NONE:
        answer(connection, ANSWER_OK, strlen(ANSWER_OK));
        break;
    case FAULT_STORM:
        answer(connection, ANSWER_BUSY, strlen(ANSWER_BUSY));
        break;
    case FAULT_DRIP:
        answer(connection, ANSWER_ENDLESS, strlen(ANSWER_ENDLESS));
        if (!connection->closing)
            uv_timer_start(&connection->drip, on_drip, DRIP_MS, DRIP_MS);
        break;
    case FAULT_RESET:
        reset(connection);
        break;
    case FAULT_SILENT:
    case FAULT_TLS_STALL:
    case FAULT_DNS:
    case FAULT_COUNT:
        break;
    }
}

/* The size of the first request in `text`, and where its body begins; 0: it is not whole yet. */
static size_t request_size(const char *text, size_t size, size_t *ret_body)
{
    static const char LENGTH[] = "\r\ncontent-length:";
    const char *end = memmem(text, size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    size_t body = (size_t)(end + 4 - text);
    size_t length = 0;
    for (const char *at = text; at < end; at = memchr(at + 1, '\r', (size_t)(end + 1 - at))) {
        if (strncasecmp(at, LENGTH, strlen(LENGTH)) == 0)
            length = strtoul(at + strlen(LENGTH), NULL, 10);
    }
    *ret_body = body;
    return size >= body + length ? body + length : 0;
}

static void take_requests(struct connection *connection, int64_t arrived_ns)
{
    size_t size, body;
    struct buffer *request = &connection->request;
    while (!connection->closing && request->size > 0 &&
           (size = request_size((const char *)request->bytes, request->size, &body)) > 0) {
        struct event event;
        if (event_of_body((const char *)request->bytes + body, size - body, &event))
            arrivals_add(connection->ward->arrivals, &event, arrived_ns,
                         connection->ward->fault == FAULT_NONE);
        else
            (void)fprintf(stderr, "sink: a request without an event\n");
        buffer_drop(request, size);
        answer_request(connection);
    }
}

/* False: the other side has closed, or never was a client of ours. */
static bool read_all(struct connection *connection)
{
    int count = 1;
    while (count > 0) {
        uint8_t *room;
        if (buffer_reserve(&connection->request, READ_SIZE, &room) < 0)
            return false;
        count = SSL_read(connection->ssl, room, READ_SIZE);
        if (count > 0)
            buffer_commit(&connection->request, (size_t)count);
    }
    bool open = SSL_get_error(connection->ssl, count) == SSL_ERROR_WANT_READ;
    ERR_clear_error();
    return open;
}

static void on_readable(uv_poll_t *poll, int status, int events UNUSED)
{
    struct connection *connection = poll->data;
    int64_t now_ns = clock_monotonic_ns();
    if (connection->ward->fault == FAULT_TLS_STALL && !SSL_is_init_finished(connection->ssl)) {
        uv_poll_stop(poll);
        return;
    }
    bool open = status >= 0 && read_all(connection);
    take_requests(connection, now_ns);
    if (!open)
        connection_close(connection);
}

void connection_open(struct ward *ward, int fd)
{
    struct connection *connection = memory_zero(1, sizeof(*connection));
    connection->ward = ward;
    connection->fd = fd;
    connection->handles = 2;
    connection->ssl = SSL_new(ward->tls);
    assert(connection->ssl);
    SSL_set_fd(connection->ssl, fd);
    SSL_set_accept_state(connection->ssl);
    buffer_init(&connection->request, REQUEST_MAX);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    int polled = uv_poll_init(ward->loop, &connection->poll, fd);
    assert(polled == 0);
    uv_timer_init(ward->loop, &connection->drip);
    connection->poll.data = connection->drip.data = connection;
    uv_poll_start(&connection->poll, UV_READABLE, on_readable);
    DL_APPEND(ward->connections, connection);
    ward->opened++;
}
