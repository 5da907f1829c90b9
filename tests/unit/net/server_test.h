/* server_test.h - for the tests of listeners: a server that echoes, and what it saw. */
#ifndef VENDGATE_TESTS_SERVER_TEST_H
#define VENDGATE_TESTS_SERVER_TEST_H

#include "net/listener.h"
#include "net/tls.h"
#include "net_test.h"

#define QUEUE_MAX 1048576

struct server {
    uv_loop_t loop;
    struct metrics *metrics;
    struct net_tls *tls;
    struct net_listener *listener;
    struct net_stream *stream; /* the newest */
    struct net_peer peer;      /* of it */
    enum net_close_reason reason;
    unsigned opened, closed, drained, data_calls;
    size_t received;
    bool refuse, silent, abort_on_data;
    bool inside; /* one of our calls into the stream is on the stack */
};

static struct pki pki;
static struct server server;

/* --- the server under test: echoes what it gets --- */

static inline void *opened(void *arg, struct net_stream *stream)
{
    struct server *self = arg;
    if (self->refuse)
        return NULL;
    self->opened++;
    self->stream = stream;
    self->peer = *net_stream_peer(stream);
    return self;
}

static inline void data(void *user, const uint8_t *bytes, size_t size)
{
    struct server *self = user;
    self->received += size;
    self->data_calls++;
    if (self->abort_on_data)
        net_stream_abort(self->stream);
    else if (!self->silent)
        ck_assert_int_eq(net_stream_write(self->stream, bytes, size), 0);
}

static inline void closed(void *user, enum net_close_reason reason)
{
    struct server *self = user;
    ck_assert_msg(!self->inside, "closed was called inside another call");
    self->closed++;
    self->reason = reason;
}

static inline void drained(void *user)
{
    ((struct server *)user)->drained++;
}

static const struct net_handlers HANDLERS = {opened, data, closed, drained};

static inline struct net_listener_options standard_options(void)
{
    return (struct net_listener_options){.name = "test",
                                         .address = "127.0.0.1",
                                         .fd = -1,
                                         .tls = server.tls,
                                         .connections_max = 100,
                                         .connections_per_address_max = 100,
                                         .handshakes_max = 10,
                                         .handshake_ms = 2000,
                                         .write_queue_max = QUEUE_MAX};
}

static inline void server_listen(const struct net_listener_options *options)
{
    char error[NET_ERROR_SIZE] = "";
    int result = net_listener_open(&server.loop, options, &HANDLERS, &server, server.metrics,
                                   &server.listener, error);
    ck_assert_msg(result == 0, "%s", error);
}

static inline void server_plain(void)
{
    struct net_listener_options options = standard_options();
    server_listen(&options);
}

static inline void server_tls(bool client_required)
{
    struct net_tls_options tls = {.certificate_file = pki.server.certificate_file,
                                  .key_file = pki.server.key_file,
                                  .client_ca_file = pki.ca.certificate_file,
                                  .client_required = client_required,
                                  .session_lifetime_s = 3600,
                                  .sessions_max = 100};
    char error[NET_ERROR_SIZE] = "";
    ck_assert_msg(net_tls_open(&tls, &server.tls, error) == 0, "%s", error);
    server_plain();
}

static inline struct client connect_plain(void)
{
    unsigned before = server.opened;
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    PUMP_UNTIL(&server.loop, server.opened == before + 1);
    return client;
}

static inline struct client connect_tls(const struct client_options *options)
{
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    ck_assert_int_eq(client_handshake(&client, options), 1);
    return client;
}

static inline bool echoes(struct client *client, const char *text)
{
    char answer[64] = "";
    client_write_text(client, text);
    return client_read(client, answer, strlen(text)) == strlen(text) && strcmp(answer, text) == 0;
}

static inline double metric(const char *line)
{
    char *text = metrics_render(server.metrics, &(size_t){0});
    const char *found = strstr(text, line);
    double value = found ? strtod(found + strlen(line), NULL) : -1;
    free(text);
    return value;
}

static inline void setup(void)
{
    server = (struct server){.metrics = metrics_new()};
    ck_assert_int_eq(uv_loop_init(&server.loop), 0);
    pki_open(&pki);
}

/* Every stream ends, every handle closes, nothing is counted any more. */
static inline void teardown(void)
{
    net_listener_free(&server.listener);
    net_tls_free(&server.tls); /* its streams may still live */
    loop_finish(&server.loop);
    ck_assert_uint_eq(server.opened, server.closed);
    ck_assert(metric("vendgate_net_connections{listener=\"test\"} ") <= 0);
    metrics_free(&server.metrics);
    pki_close(&pki);
}

/* --- who came --- */

static inline void spki_fingerprint(const struct pki_cert *cert, char ret_text[static 65])
{
    unsigned char *der = NULL, digest[32];
    int size = i2d_PUBKEY(cert->key, &der);
    ck_assert_int_eq(EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}

static inline void expect_vm_1(void)
{
    char fingerprint[65];
    spki_fingerprint(&pki.client, fingerprint);
    ck_assert(server.peer.tls && server.peer.certificate);
    ck_assert_str_eq(server.peer.fingerprint, fingerprint);
    ck_assert_str_eq(server.peer.urn, "urn:vm:VM-1");
    ck_assert_str_eq(server.peer.common_name, "VM-1");
    ck_assert_int_gt(server.peer.certificate_expires_at, clock_unix_s() + 9 * 86400);
}

static inline TCase *cases_for(Suite *suite, const char *name)
{
    TCase *cases = tcase_create(name);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 20);
    suite_add_tcase(suite, cases);
    return cases;
}

static inline int run_suite(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
