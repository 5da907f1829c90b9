/* socket_bio.h - an OpenSSL BIO on a nonblocking socket.
 *
 * OpenSSL's own socket BIO calls write(2), which raises SIGPIPE when the peer is gone; this one
 * sends with MSG_NOSIGNAL, so that the library's user need not change the process's signals. */
#ifndef VENDGATE_NET_SOCKET_BIO_H
#define VENDGATE_NET_SOCKET_BIO_H

#include <openssl/bio.h>

/* The caller frees it with BIO_meth_free(), after the last BIO made from it. NULL: OpenSSL is out
 * of memory. */
BIO_METHOD *socket_bio_method(void);
/* `fd` is borrowed: freeing the BIO does not close it. NULL: OpenSSL is out of memory. */
BIO *socket_bio_new(const BIO_METHOD *method, int fd);

#endif
