/* net_test.h - for the socket tests: certificates made on the spot, and clients that run on the
 * same thread and loop as the server under test. */
#ifndef VENDGATE_TESTS_NET_TEST_H
#define VENDGATE_TESTS_NET_TEST_H

#include "base/clock.h"
#include "base/macros.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#define PATIENCE_MS 5000

/* Runs the loop until the condition holds; fails the test when it does not come to hold. */
#define PUMP_UNTIL(loop, condition)                                             \
    do {                                                                        \
        int64_t until_ = clock_monotonic_ms() + PATIENCE_MS;                    \
        while (!(condition)) {                                                  \
            ck_assert_msg(clock_monotonic_ms() < until_, "never: " #condition); \
            pump(loop);                                                         \
        }                                                                       \
    } while (0)

static inline void pump(uv_loop_t *loop)
{
    (void)uv_run(loop, UV_RUN_NOWAIT);
    (void)usleep(100);
}

/* --- certificates --- */

struct pki_cert {
    X509 *certificate;
    EVP_PKEY *key;
    char certificate_file[96], key_file[96];
};

struct pki {
    char directory[32];
    struct pki_cert ca, server, client, foreign_ca, foreign_client;
};

struct pki_request {
    const char *name, *common_name, *san; /* `san` NULL: none */
    const struct pki_cert *issuer;        /* NULL: a CA that signs itself */
    long days;
};

static inline void pki_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    ck_assert_ptr_nonnull(extension);
    ck_assert_int_eq(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

static inline void pki_write(struct pki_cert *cert, const struct pki *pki, const char *name)
{
    (void)snprintf(cert->certificate_file, sizeof cert->certificate_file, "%s/%s.pem",
                   pki->directory, name);
    (void)snprintf(cert->key_file, sizeof cert->key_file, "%s/%s.key", pki->directory, name);
    FILE *file = fopen(cert->certificate_file, "w");
    ck_assert_int_eq(PEM_write_X509(file, cert->certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
    file = fopen(cert->key_file, "w");
    ck_assert_int_eq(PEM_write_PrivateKey(file, cert->key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file), 0);
}

static inline void pki_issue(const struct pki *pki, const struct pki_request *request,
                             struct pki_cert *ret_cert)
{
    static long serial;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    ck_assert(key && certificate);
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
    X509_time_adj_ex(X509_getm_notAfter(certificate), (int)request->days, 0, NULL);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                               (const unsigned char *)request->common_name, -1, -1, 0);
    X509 *issuer = request->issuer ? request->issuer->certificate : certificate;
    X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
    pki_extension(certificate, NID_basic_constraints,
                  request->issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (request->san)
        pki_extension(certificate, NID_subject_alt_name, request->san);
    ck_assert_int_ne(
        X509_sign(certificate, request->issuer ? request->issuer->key : key, EVP_sha256()), 0);
    *ret_cert = (struct pki_cert){.certificate = certificate, .key = key};
    pki_write(ret_cert, pki, request->name);
}

static inline void pki_open(struct pki *pki)
{
    (void)snprintf(pki->directory, sizeof pki->directory, "/tmp/net_test.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(pki->directory));
    pki_issue(pki, &(struct pki_request){"ca", "Test CA", NULL, NULL, 10}, &pki->ca);
    pki_issue(pki, &(struct pki_request){"other-ca", "Other CA", NULL, NULL, 10}, &pki->foreign_ca);
    pki_issue(pki, &(struct pki_request){"server", "localhost", "DNS:localhost", &pki->ca, 10},
              &pki->server);
    pki_issue(pki, &(struct pki_request){"client", "VM-1", "DNS:x,URI:urn:vm:VM-1", &pki->ca, 10},
              &pki->client);
    pki_issue(pki,
              &(struct pki_request){"foreign", "VM-1", "URI:urn:vm:VM-1", &pki->foreign_ca, 10},
              &pki->foreign_client);
}

static inline void pki_cert_done(struct pki_cert *cert)
{
    (void)unlink(cert->certificate_file);
    (void)unlink(cert->key_file);
    X509_free(cert->certificate);
    EVP_PKEY_free(cert->key);
}

static inline void pki_close(struct pki *pki)
{
    struct pki_cert *all[] = {&pki->ca, &pki->server, &pki->client, &pki->foreign_ca,
                              &pki->foreign_client};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        pki_cert_done(all[i]);
    ck_assert_int_eq(rmdir(pki->directory), 0);
}

/* --- clients --- */

struct client {
    uv_loop_t *loop; /* of the server, pumped while the client waits */
    int fd;
    SSL_CTX *context; /* NULL: plain */
    SSL *ssl;
};

struct client_options {
    const struct pki_cert *certificate; /* NULL: none shown */
    SSL_SESSION *session;               /* to be resumed */
    int version_max;                    /* 0: the newest */
    const char *ciphers;                /* TLS 1.2 */
};

static inline struct client client_connect(uv_loop_t *loop, uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return (struct client){.loop = loop, .fd = fd};
}

/* The result of SSL_connect() once it is no longer waiting: 1 or a failure. */
static inline int client_handshake(struct client *client, const struct client_options *options)
{
    client->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(client->context, 0);
    if (options->version_max)
        SSL_CTX_set_max_proto_version(client->context, options->version_max);
    SSL_CTX_set_min_proto_version(client->context, TLS1_VERSION);
    if (options->ciphers)
        ck_assert_int_eq(SSL_CTX_set_cipher_list(client->context, options->ciphers), 1);
    if (options->certificate) {
        ck_assert_int_eq(
            SSL_CTX_use_certificate(client->context, options->certificate->certificate), 1);
        ck_assert_int_eq(SSL_CTX_use_PrivateKey(client->context, options->certificate->key), 1);
    }
    client->ssl = SSL_new(client->context);
    if (options->session)
        ck_assert_int_eq(SSL_set_session(client->ssl, options->session), 1);
    ck_assert_int_eq(SSL_set_fd(client->ssl, client->fd), 1);
    int result = -1, wanted = SSL_ERROR_WANT_READ;
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (result != 1 && (wanted == SSL_ERROR_WANT_READ || wanted == SSL_ERROR_WANT_WRITE)) {
        ck_assert_msg(clock_monotonic_ms() < until, "handshake hangs");
        ERR_clear_error();
        result = SSL_connect(client->ssl);
        wanted = SSL_get_error(client->ssl, result);
        pump(client->loop);
    }
    ERR_clear_error();
    return result;
}

/* One attempt: bytes, 0 at the end (or on an error), -1 when it would block. */
static inline ssize_t client_try_read(struct client *client, void *bytes, size_t size)
{
    if (!client->ssl) {
        ssize_t got = recv(client->fd, bytes, size, 0);
        return got >= 0 ? got : errno == EAGAIN ? -1 : 0;
    }
    ERR_clear_error();
    int got = SSL_read(client->ssl, bytes, (int)size);
    if (got > 0)
        return got;
    return SSL_get_error(client->ssl, got) == SSL_ERROR_WANT_READ ? -1 : 0;
}

/* Reads until `size` bytes or the end; returns how many. */
static inline size_t client_read(struct client *client, void *ret_bytes, size_t size)
{
    size_t have = 0;
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (have < size) {
        ck_assert_msg(clock_monotonic_ms() < until, "only %zu of %zu bytes", have, size);
        ssize_t got = client_try_read(client, (char *)ret_bytes + have, size - have);
        if (got == 0)
            break;
        if (got > 0)
            have += (size_t)got;
        else
            pump(client->loop);
    }
    return have;
}

static inline bool client_is_at_end(struct client *client)
{
    char byte;
    return client_read(client, &byte, 1) == 0;
}

static inline void client_write(struct client *client, const void *bytes, size_t size)
{
    size_t sent = 0;
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (sent < size) {
        ck_assert_msg(clock_monotonic_ms() < until, "cannot write");
        ssize_t put = client->ssl
                          ? SSL_write(client->ssl, (const char *)bytes + sent, (int)(size - sent))
                          : send(client->fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (put > 0)
            sent += (size_t)put;
        pump(client->loop);
    }
}

static inline void client_write_text(struct client *client, const char *text)
{
    client_write(client, text, strlen(text));
}

/* No close_notify: the descriptor just goes, as with a process that dies. */
static inline void client_drop(struct client *client)
{
    if (client->ssl) /* else OpenSSL would not resume the session of a connection that just broke */
        SSL_set_shutdown(client->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(TAKE(client->ssl));
    SSL_CTX_free(TAKE(client->context));
    (void)close(client->fd);
    client->fd = -1;
}

/* Runs the loop until nothing is left on it, then closes it. */
static inline void loop_finish(uv_loop_t *loop)
{
    PUMP_UNTIL(loop, !uv_loop_alive(loop));
    ck_assert_int_eq(uv_loop_close(loop), 0);
}

#endif
