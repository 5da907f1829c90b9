#include "net/tls.h"

#include "base/memory.h"
#include "net/socket_bio.h"
#include "net/tls_context.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Forward secrecy and an authenticated cipher, or no connection (TLS 1.2; every TLS 1.3 suite is so
 * anyway). */
#define CIPHERS_TLS12 "ECDHE+AESGCM:ECDHE+CHACHA20"
#define GROUPS "X25519:P-256:P-384"
#define SECURITY_LEVEL 2 /* RSA from 2048 bits, no SHA-1 */
#define CHAIN_DEPTH_MAX 5

static const unsigned char SESSION_CONTEXT[] = "vendgate";

struct net_tls {
    int shares; /* one of the opener, one of each connection */
    SSL_CTX *context;
    BIO_METHOD *bio_method;
    int64_t expires_at;
    char *certificate_file;
    char *key_file;
    char *client_ca_file; /* NULL: none asked for */
    bool client_required;
    int64_t session_lifetime_s;
    int64_t sessions_max;
};

static void context_free(SSL_CTX **context)
{
    SSL_CTX_free(*context);
}

const char *net_tls_reason(void)
{
    unsigned long error = ERR_get_error();
    ERR_clear_error();
    const char *text = error ? ERR_reason_error_string(error) : NULL;
    return text ? text : "no reason given";
}

/* Without it OpenSSL would ask for the passphrase of an encrypted key on the terminal. */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int file_error(char ret_error[static NET_ERROR_SIZE], const char *file, const char *what)
{
    if (access(file, R_OK) != 0) {
        int error = errno;
        ERR_clear_error();
        (void)snprintf(ret_error, NET_ERROR_SIZE, "%s: cannot be read (%m)", file);
        return -error;
    }
    (void)snprintf(ret_error, NET_ERROR_SIZE, "%s: %s (%s)", file, what, net_tls_reason());
    return -EINVAL;
}

static int context_load_own(SSL_CTX *context, const struct net_tls *tls,
                            char ret_error[static NET_ERROR_SIZE])
{
    if (SSL_CTX_use_certificate_chain_file(context, tls->certificate_file) != 1)
        return file_error(ret_error, tls->certificate_file, "is no PEM certificate chain");
    if (SSL_CTX_use_PrivateKey_file(context, tls->key_file, SSL_FILETYPE_PEM) != 1)
        return file_error(ret_error, tls->key_file, "is no unencrypted PEM key of the certificate");
    return 0;
}

static int context_load_clients(SSL_CTX *context, const struct net_tls *tls,
                                char ret_error[static NET_ERROR_SIZE])
{
    if (!tls->client_ca_file)
        return 0;
    STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(tls->client_ca_file);
    if (!names)
        return file_error(ret_error, tls->client_ca_file, "holds no PEM certificate");
    SSL_CTX_set_client_CA_list(context, names); /* takes the names over */
    if (SSL_CTX_load_verify_locations(context, tls->client_ca_file, NULL) != 1)
        return file_error(ret_error, tls->client_ca_file, "holds no usable CA certificate");
    SSL_CTX_set_verify_depth(context, CHAIN_DEPTH_MAX);
    int required = tls->client_required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE | required, NULL);
    return 0;
}

/* Sessions are kept here and not in tickets that clients hold: no ticket key to rotate, and a
 * reload forgets them all. */
static bool context_set_sessions(SSL_CTX *context, const struct net_tls *tls)
{
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_SERVER);
    SSL_CTX_sess_set_cache_size(context, (long)tls->sessions_max);
    SSL_CTX_set_timeout(context, (long)tls->session_lifetime_s);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    return SSL_CTX_set_num_tickets(context, 1) == 1 &&
           SSL_CTX_set_session_id_context(context, SESSION_CONTEXT, sizeof SESSION_CONTEXT - 1) ==
               1;
}

static bool context_set_policy(SSL_CTX *context)
{
    SSL_CTX_set_security_level(context, SECURITY_LEVEL);
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    /* A FIN without close_notify is how most devices hang up; MQTT and HTTP tell by themselves when
     * bytes are missing. */
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* header and body of a record in one recv() */
    return SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(context, CIPHERS_TLS12) == 1 &&
           SSL_CTX_set1_groups_list(context, GROUPS) == 1;
}

static int64_t certificate_expiry(const X509 *certificate)
{
    struct tm time;
    if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1)
        return 0;
    return (int64_t)timegm(&time);
}

static int context_make(const struct net_tls *tls, SSL_CTX **ret_context,
                        char ret_error[static NET_ERROR_SIZE])
{
    ERR_clear_error();
    _cleanup_(context_free) SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context || !context_set_policy(context) || !context_set_sessions(context, tls)) {
        (void)snprintf(ret_error, NET_ERROR_SIZE, "OpenSSL refuses our settings (%s)",
                       net_tls_reason());
        return -EINVAL;
    }
    int error = context_load_own(context, tls, ret_error);
    if (error == 0)
        error = context_load_clients(context, tls, ret_error);
    if (error == 0)
        *ret_context = TAKE(context);
    return error;
}

int net_tls_reload(struct net_tls *tls, char ret_error[static NET_ERROR_SIZE])
{
    SSL_CTX *context = NULL;
    int error = context_make(tls, &context, ret_error);
    if (error != 0)
        return error;
    SSL_CTX_free(tls->context); /* live connections hold their own reference */
    tls->context = context;
    tls->expires_at = certificate_expiry(SSL_CTX_get0_certificate(context));
    return 0;
}

int net_tls_open(const struct net_tls_options *options, struct net_tls **ret_tls,
                 char ret_error[static NET_ERROR_SIZE])
{
    assert(options->certificate_file && options->key_file);
    assert(options->session_lifetime_s > 0 && options->sessions_max > 0);
    struct net_tls *tls = memory_zero(1, sizeof *tls);
    *tls = (struct net_tls){
        .shares = 1,
        .certificate_file = memory_text(options->certificate_file),
        .key_file = memory_text(options->key_file),
        .client_ca_file = memory_text(options->client_ca_file),
        .client_required = options->client_required,
        .session_lifetime_s = options->session_lifetime_s,
        .sessions_max = options->sessions_max,
        .bio_method = socket_bio_method(),
    };
    int error = -ENOMEM;
    if (!tls->bio_method)
        (void)snprintf(ret_error, NET_ERROR_SIZE, "OpenSSL is out of memory");
    else
        error = net_tls_reload(tls, ret_error);
    if (error != 0) {
        net_tls_free(&tls);
        return error;
    }
    *ret_tls = tls;
    return 0;
}

int64_t net_tls_expires_at(const struct net_tls *tls)
{
    return tls->expires_at;
}

struct net_tls *net_tls_share(struct net_tls *tls)
{
    assert(tls->shares > 0);
    tls->shares++;
    return tls;
}

SSL *net_tls_accept(struct net_tls *tls, int fd)
{
    SSL *ssl = SSL_new(tls->context);
    BIO *bio = ssl ? socket_bio_new(tls->bio_method, fd) : NULL;
    if (!bio) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_accept_state(ssl);
    return ssl;
}

void net_tls_free(struct net_tls **tls)
{
    struct net_tls *gone = TAKE(*tls);
    if (!gone || --gone->shares > 0)
        return;
    SSL_CTX_free(gone->context);
    BIO_meth_free(gone->bio_method);
    free(gone->certificate_file);
    free(gone->key_file);
    free(gone->client_ca_file);
    free(gone);
}
