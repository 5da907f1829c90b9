/* receiver.h - a small integrator for tests: an HTTP or HTTPS server in threads of its own that
 * answers from a script and writes down what it got. */
#ifndef VENDGATE_TEST_RECEIVER_H
#define VENDGATE_TEST_RECEIVER_H

#include "base/macros.h"

#include <arpa/inet.h>
#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECEIVER_REQUESTS_MAX = 256, RECEIVER_REQUEST_SIZE = 4096, RECEIVER_THREADS_MAX = 128 };

struct receiver_step {
    const char *answer; /* whole, with head; NULL: the connection is closed without one */
    int delay_ms;       /* before it */
    bool close;         /* the connection, after it */
    bool silent;        /* no answer; it waits until the other side hangs up */
    const char *only;   /* from the request's text: this step is for such requests, and no other */
};

#define ANSWER(status_, headers_, length_, body_) \
    "HTTP/1.1 " status_ "\r\n" headers_ "Content-Length: " length_ "\r\n\r\n" body_
#define YES ANSWER("200 OK", "", "16", "{\"success\":true}")
#define NO ANSWER("200 OK", "", "38", "{\"success\":false,\"message\":\"no money\"}")

struct receiver_request {
    int connection;                   /* from 1 */
    char client[64];                  /* the common name in its certificate; empty: none */
    char text[RECEIVER_REQUEST_SIZE]; /* head and body */
};

struct receiver {
    int socket;
    bool running;
    uint16_t port;                     /* stays known when it is stopped */
    SSL_CTX *tls;                      /* NULL: plain */
    const struct receiver_step *steps; /* the last one is for all that follow */
    size_t step_count;
    pthread_mutex_t lock;
    struct receiver_request requests[RECEIVER_REQUESTS_MAX];
    size_t request_count;
    pthread_t acceptor;
    pthread_t threads[RECEIVER_THREADS_MAX];
    int sockets[RECEIVER_THREADS_MAX];
    int connections;
    int busy, busy_max; /* requests under way at once */
};

struct receiver_connection {
    struct receiver *receiver;
    int socket;
    int number;
    SSL *tls;
};

static inline ssize_t receiver_read(struct receiver_connection *connection, char *bytes,
                                    size_t size)
{
    if (connection->tls)
        return SSL_read(connection->tls, bytes, (int)size);
    return read(connection->socket, bytes, size);
}

static inline void receiver_write(struct receiver_connection *connection, const char *text)
{
    ssize_t written = connection->tls ? SSL_write(connection->tls, text, (int)strlen(text))
                                      : send(connection->socket, text, strlen(text), MSG_NOSIGNAL);
    (void)written; /* whoever hung up is the test's business */
}

/* False: the other side is gone. */
static inline bool receiver_read_request(struct receiver_connection *connection, char *ret_text)
{
    size_t size = 0;
    for (;;) {
        ssize_t got = receiver_read(connection, ret_text + size, RECEIVER_REQUEST_SIZE - 1 - size);
        if (got <= 0)
            return false;
        size += (size_t)got;
        ret_text[size] = '\0';
        const char *end = strstr(ret_text, "\r\n\r\n");
        const char *length = strstr(ret_text, "Content-Length: ");
        if (end &&
            (!length || size >= (size_t)(end - ret_text) + 4 + strtoul(length + 16, NULL, 10)))
            return true;
    }
}

static inline void receiver_note_client(struct receiver_connection *connection, char ret_name[64])
{
    X509 *certificate = connection->tls ? SSL_get1_peer_certificate(connection->tls) : NULL;
    if (certificate)
        X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, ret_name, 64);
    X509_free(certificate);
}

/* Its place in the script. */
static inline struct receiver_step receiver_note(struct receiver_connection *connection,
                                                 const char *text)
{
    struct receiver *receiver = connection->receiver;
    pthread_mutex_lock(&receiver->lock);
    size_t number = receiver->request_count++;
    if (number < RECEIVER_REQUESTS_MAX) {
        receiver->requests[number].connection = connection->number;
        receiver_note_client(connection, receiver->requests[number].client);
        memcpy(receiver->requests[number].text, text, RECEIVER_REQUEST_SIZE);
    }
    receiver->busy++;
    if (receiver->busy > receiver->busy_max)
        receiver->busy_max = receiver->busy;
    pthread_mutex_unlock(&receiver->lock);
    for (size_t i = 0; i < receiver->step_count; i++) {
        if (receiver->steps[i].only && strstr(text, receiver->steps[i].only))
            return receiver->steps[i];
    }
    return receiver->steps[number < receiver->step_count ? number : receiver->step_count - 1];
}

static inline void receiver_follow(struct receiver_connection *connection,
                                   const struct receiver_step *step)
{
    char byte;
    usleep((useconds_t)step->delay_ms * 1000);
    if (step->silent)
        (void)receiver_read(connection, &byte, 1);
    struct receiver *receiver = connection->receiver;
    pthread_mutex_lock(&receiver->lock);
    receiver->busy--;
    pthread_mutex_unlock(&receiver->lock);
    if (step->answer && !step->silent)
        receiver_write(connection, step->answer);
}

static inline void *receiver_serve(void *arg)
{
    struct receiver_connection *connection = arg;
    char text[RECEIVER_REQUEST_SIZE];
    bool open = true;
    if (connection->receiver->tls) {
        connection->tls = SSL_new(connection->receiver->tls);
        SSL_set_fd(connection->tls, connection->socket);
        open = SSL_accept(connection->tls) == 1;
    }
    while (open && receiver_read_request(connection, text)) {
        struct receiver_step step = receiver_note(connection, text);
        receiver_follow(connection, &step);
        open = step.answer && !step.close;
    }
    SSL_free(connection->tls);
    shutdown(connection->socket, SHUT_RDWR);
    free(connection);
    return NULL;
}

static inline void *receiver_accept(void *arg)
{
    struct receiver *receiver = arg;
    int socket;
    while ((socket = accept(receiver->socket, NULL, NULL)) >= 0) {
        struct receiver_connection *connection = calloc(1, sizeof(*connection));
        pthread_mutex_lock(&receiver->lock);
        int index = receiver->connections++;
        if (index >= RECEIVER_THREADS_MAX)
            abort();
        receiver->sockets[index] = socket;
        *connection = (struct receiver_connection){
            .receiver = receiver, .socket = socket, .number = index + 1};
        if (pthread_create(&receiver->threads[index], NULL, receiver_serve, connection) != 0)
            abort();
        pthread_mutex_unlock(&receiver->lock);
    }
    return NULL;
}

/* A certificate for localhost and 127.0.0.1 that vouches for itself, written to `file` as PEM. */
static inline SSL_CTX *receiver_certificate(const char *file)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1 + (long)getpid());
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)file, -1, -1, 0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    FILE *out = fopen(file, "w");
    ck_assert_ptr_nonnull(out);
    PEM_write_X509(out, certificate);
    fclose(out);
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_use_certificate(tls, certificate);
    SSL_CTX_use_PrivateKey(tls, key);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return tls;
}

/* `ca_file`: where to write what a client must trust; NULL: plain HTTP. One that was stopped starts
 * again at its old port. */
static inline void receiver_start(struct receiver *receiver, const struct receiver_step *steps,
                                  size_t step_count, const char *ca_file)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes to whoever hung up */
    *receiver = (struct receiver){.steps = steps, .step_count = step_count, .port = receiver->port};
    pthread_mutex_init(&receiver->lock, NULL);
    receiver->tls = ca_file ? receiver_certificate(ca_file) : NULL;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons(receiver->port)};
    socklen_t size = sizeof(address);
    receiver->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int again = 1;
    ck_assert_int_eq(setsockopt(receiver->socket, SOL_SOCKET, SO_REUSEADDR, &again, sizeof(again)),
                     0);
    ck_assert_int_eq(bind(receiver->socket, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(receiver->socket, 64), 0);
    ck_assert_int_eq(getsockname(receiver->socket, (struct sockaddr *)&address, &size), 0);
    receiver->port = ntohs(address.sin_port);
    receiver->running = true;
    ck_assert_int_eq(pthread_create(&receiver->acceptor, NULL, receiver_accept, receiver), 0);
}

static inline size_t receiver_count(struct receiver *receiver)
{
    pthread_mutex_lock(&receiver->lock);
    size_t count = receiver->request_count;
    pthread_mutex_unlock(&receiver->lock);
    return count;
}

/* Not running: nothing happens. */
static inline void receiver_stop(struct receiver *receiver)
{
    if (!receiver->running)
        return;
    receiver->running = false;
    shutdown(receiver->socket, SHUT_RDWR);
    pthread_join(receiver->acceptor, NULL);
    for (int i = 0; i < receiver->connections; i++) {
        shutdown(receiver->sockets[i], SHUT_RDWR);
        pthread_join(receiver->threads[i], NULL);
        close(receiver->sockets[i]);
    }
    close(receiver->socket);
    SSL_CTX_free(receiver->tls);
    pthread_mutex_destroy(&receiver->lock);
}

#endif
