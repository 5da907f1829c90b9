/* peer.h - finds out who is at the other end of a socket. Only for src/net. */
#ifndef VENDGATE_NET_PEER_H
#define VENDGATE_NET_PEER_H

#include "net/listener.h"

#include <openssl/ssl.h>

/* Address and, on a UNIX socket, the peer's user; everything about TLS is left empty. */
void peer_read_socket(int fd, const struct sockaddr_storage *address, socklen_t address_size,
                      struct net_peer *ret_peer);
/* Adds what the finished handshake told. -EKEYEXPIRED: a resumed session's certificate has run out
 * meanwhile (OpenSSL looks at it in a full handshake only); -EINVAL: it cannot be read. */
MUST_CHECK int peer_read_tls(const SSL *ssl, struct net_peer *peer);

#endif
