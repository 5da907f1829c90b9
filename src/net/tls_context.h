/* tls_context.h - what the streams need from a net_tls: a connection's SSL on top of a socket. Only
 * for src/net. */
#ifndef VENDGATE_NET_TLS_CONTEXT_H
#define VENDGATE_NET_TLS_CONTEXT_H

#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

/* A connection may outlive its listener's net_tls (and the files it was made from), so each holds a
 * share of it. */
struct net_tls *net_tls_share(struct net_tls *tls);
/* A server-side SSL with the files now in force, reading and writing `fd` (borrowed). NULL: OpenSSL
 * is out of memory. */
SSL *net_tls_accept(struct net_tls *tls, int fd);
/* The text of OpenSSL's oldest error, for a log line; never NULL. Empties the error queue. */
const char *net_tls_reason(void);

#endif
