/* tls.h - the server side of TLS for one listener: certificate, client CA, session resumption.
 *
 * TLS 1.2 (ECDHE with AEAD suites only) and 1.3; stateful session cache, one ticket per handshake,
 * released buffers; no renegotiation, no compression. Files are read here and at net_tls_reload()
 * only; live connections keep what they had. */
#ifndef VENDGATE_NET_TLS_H
#define VENDGATE_NET_TLS_H

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

#define NET_ERROR_SIZE 256

struct net_tls;

struct net_tls_options {
    const char *certificate_file; /* PEM chain, leaf first */
    const char *key_file;         /* PEM */
    const char *client_ca_file; /* PEM, one or more CAs; NULL: no client certificate is asked for */
    bool client_required;       /* false: a client may come without one (token login) */
    int64_t session_lifetime_s; /* how long a session may be resumed, 60..86400 */
    int64_t sessions_max;       /* entries in the session cache */
};

/* 0, or a negative errno with the file and the reason in ret_error. Texts are copied. */
MUST_CHECK int net_tls_open(const struct net_tls_options *options, struct net_tls **ret_tls,
                            char ret_error[static NET_ERROR_SIZE]);
/* Reads the files again. On failure the old ones stay in force. Sessions made before are forgotten,
 * because a client that the new CA would refuse must not get in by one. */
MUST_CHECK int net_tls_reload(struct net_tls *tls, char ret_error[static NET_ERROR_SIZE]);
/* Unix seconds when the leaf certificate expires. */
int64_t net_tls_expires_at(const struct net_tls *tls);
void net_tls_free(struct net_tls **tls);

#endif
