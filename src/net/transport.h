/* transport.h - the bytes of one nonblocking socket, with or without TLS. Only for src/net.
 *
 * Owns the socket's SSL, not its descriptor. Hides that TLS may have to write in order to read, and
 * the reverse. */
#ifndef VENDGATE_NET_TRANSPORT_H
#define VENDGATE_NET_TRANSPORT_H

#include "net/tls_context.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct transport {
    int fd;
    SSL *ssl;            /* NULL: plain */
    struct net_tls *tls; /* a share, so that it lasts as long as the SSL */
    bool broken;         /* TLS failed: nothing may be sent any more */
    int read_wants;      /* UV_READABLE or UV_WRITABLE: what to wait for after -EAGAIN */
    int write_wants;
};

/* `tls` NULL: plain. -ENOMEM: OpenSSL is out of memory. */
MUST_CHECK int transport_init(struct transport *transport, int fd, struct net_tls *tls);
/* Frees the SSL; its session stays resumable unless TLS itself failed. */
void transport_done(struct transport *transport);

/* 0: done; -EAGAIN: wait for `read_wants`; -EPROTO: TLS failed, net_tls_reason()
 * says why; other: the network did. */
MUST_CHECK int transport_handshake(struct transport *transport);
/* Bytes read (above 0); 0: the peer's orderly end; -EAGAIN: wait for `read_wants`; other: broken.
 */
MUST_CHECK ssize_t transport_read(struct transport *transport, void *ret_bytes, size_t size);
/* Bytes taken (above 0); -EAGAIN: wait for `write_wants`, then offer the same bytes again; other:
 * broken. */
MUST_CHECK ssize_t transport_write(struct transport *transport, const void *bytes, size_t size);
/* Sends close_notify and FIN. 0; -EAGAIN: wait for `write_wants`; other: broken. */
MUST_CHECK int transport_finish(struct transport *transport);
/* Reads and drops what the peer still sends after our FIN. Results as in transport_read(). */
MUST_CHECK ssize_t transport_discard(struct transport *transport, void *scratch, size_t size);
/* Bytes have left the socket and wait in OpenSSL, where no poll sees them. */
bool transport_holds_bytes(const struct transport *transport);

#endif
