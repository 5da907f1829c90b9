#include "net/transport.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <uv.h>

int transport_init(struct transport *transport, int fd, struct net_tls *tls)
{
    *transport =
        (struct transport){.fd = fd, .read_wants = UV_READABLE, .write_wants = UV_WRITABLE};
    if (!tls)
        return 0;
    transport->ssl = net_tls_accept(tls, fd);
    if (!transport->ssl)
        return -ENOMEM;
    transport->tls = net_tls_share(tls);
    return 0;
}

void transport_done(struct transport *transport)
{
    if (!transport->ssl)
        return;
    /* OpenSSL forgets the session of a connection that ends without close_notify; a machine whose
     * link dropped is just the one that needs it. */
    if (!transport->broken)
        SSL_set_shutdown(transport->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(TAKE(transport->ssl));
    net_tls_free(&transport->tls);
}

/* What an SSL call that did not succeed means: 0 (orderly end), -EAGAIN with *wants set, or the
 * failure. */
static int tls_verdict(struct transport *transport, int result, int *wants)
{
    int system_error = errno;
    switch (SSL_get_error(transport->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        *wants = UV_READABLE;
        return -EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        *wants = UV_WRITABLE;
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL: /* the network failed, not TLS: the session stays good */
        return system_error > 0 ? -system_error : -ECONNRESET;
    default:
        transport->broken = true;
        return -EPROTO;
    }
}

static int plain_verdict(void)
{
    return errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

int transport_handshake(struct transport *transport)
{
    ERR_clear_error();
    errno = 0;
    int result = SSL_accept(transport->ssl);
    if (result == 1) {
        transport->read_wants = UV_READABLE;
        return 0;
    }
    int verdict = tls_verdict(transport, result, &transport->read_wants);
    return verdict == 0 ? -ECONNRESET : verdict;
}

ssize_t transport_read(struct transport *transport, void *ret_bytes, size_t size)
{
    if (!transport->ssl) {
        ssize_t received = recv(transport->fd, ret_bytes, size, 0);
        return received >= 0 ? received : plain_verdict();
    }
    ERR_clear_error();
    errno = 0;
    size_t received = 0;
    transport->read_wants = UV_READABLE;
    if (SSL_read_ex(transport->ssl, ret_bytes, size, &received) == 1)
        return (ssize_t)received;
    return tls_verdict(transport, 0, &transport->read_wants);
}

ssize_t transport_write(struct transport *transport, const void *bytes, size_t size)
{
    assert(size > 0);
    if (!transport->ssl) {
        ssize_t sent = send(transport->fd, bytes, size, MSG_NOSIGNAL);
        return sent >= 0 ? sent : plain_verdict();
    }
    ERR_clear_error();
    errno = 0;
    size_t sent = 0;
    transport->write_wants = UV_WRITABLE;
    if (SSL_write_ex(transport->ssl, bytes, size, &sent) == 1)
        return (ssize_t)sent;
    int verdict = tls_verdict(transport, 0, &transport->write_wants);
    return verdict == 0 ? -EPIPE : verdict;
}

int transport_finish(struct transport *transport)
{
    if (transport->ssl && !transport->broken) {
        ERR_clear_error();
        errno = 0;
        int result = SSL_shutdown(transport->ssl);
        int verdict = result < 0 ? tls_verdict(transport, result, &transport->write_wants) : 0;
        if (verdict != 0)
            return verdict;
    }
    return shutdown(transport->fd, SHUT_WR) == 0 ? 0 : -errno;
}

ssize_t transport_discard(struct transport *transport, void *scratch, size_t size)
{
    ssize_t received = recv(transport->fd, scratch, size, 0);
    return received >= 0 ? received : plain_verdict();
}

bool transport_holds_bytes(const struct transport *transport)
{
    return transport->ssl && SSL_has_pending(transport->ssl) == 1;
}
