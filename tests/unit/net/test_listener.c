/* What the users of a listener are promised: who is let in, how bytes go, how a connection ends. */
#include "net/listener.h"
#include "net/tls.h"
#include "net_test.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

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

/* --- the server under test: echoes what it gets
 * -------------------------------------------------------------- */

static void *opened(void *arg, struct net_stream *stream)
{
    struct server *self = arg;
    if (self->refuse)
        return NULL;
    self->opened++;
    self->stream = stream;
    self->peer = *net_stream_peer(stream);
    return self;
}

static void data(void *user, const uint8_t *bytes, size_t size)
{
    struct server *self = user;
    self->received += size;
    self->data_calls++;
    if (self->abort_on_data)
        net_stream_abort(self->stream);
    else if (!self->silent)
        ck_assert_int_eq(net_stream_write(self->stream, bytes, size), 0);
}

static void closed(void *user, enum net_close_reason reason)
{
    struct server *self = user;
    ck_assert_msg(!self->inside, "closed was called inside another call");
    self->closed++;
    self->reason = reason;
}

static void drained(void *user)
{
    ((struct server *)user)->drained++;
}

static const struct net_handlers HANDLERS = {opened, data, closed, drained};

static struct net_listener_options standard_options(void)
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

static void server_listen(const struct net_listener_options *options)
{
    char error[NET_ERROR_SIZE] = "";
    int result = net_listener_open(&server.loop, options, &HANDLERS, &server, server.metrics,
                                   &server.listener, error);
    ck_assert_msg(result == 0, "%s", error);
}

static void server_plain(void)
{
    struct net_listener_options options = standard_options();
    server_listen(&options);
}

static void server_tls(bool client_required)
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

static struct client connect_plain(void)
{
    unsigned before = server.opened;
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    PUMP_UNTIL(&server.loop, server.opened == before + 1);
    return client;
}

static struct client connect_tls(const struct client_options *options)
{
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    ck_assert_int_eq(client_handshake(&client, options), 1);
    return client;
}

static bool echoes(struct client *client, const char *text)
{
    char answer[64] = "";
    client_write_text(client, text);
    return client_read(client, answer, strlen(text)) == strlen(text) && strcmp(answer, text) == 0;
}

static double metric(const char *line)
{
    char *text = metrics_render(server.metrics, &(size_t){0});
    const char *found = strstr(text, line);
    double value = found ? strtod(found + strlen(line), NULL) : -1;
    free(text);
    return value;
}

static void setup(void)
{
    server = (struct server){.metrics = metrics_new()};
    ck_assert_int_eq(uv_loop_init(&server.loop), 0);
    pki_open(&pki);
}

/* Every stream ends, every handle closes, nothing is counted any more. */
static void teardown(void)
{
    net_listener_free(&server.listener);
    net_tls_free(&server.tls); /* its streams may still live */
    loop_finish(&server.loop);
    ck_assert_uint_eq(server.opened, server.closed);
    ck_assert(metric("vendgate_net_connections{listener=\"test\"} ") <= 0);
    metrics_free(&server.metrics);
    pki_close(&pki);
}

/* --- bytes
 * --------------------------------------------------------------------------------------------------
 */

START_TEST(plain_bytes_come_and_go)
{
    server_plain();
    struct client client = connect_plain();
    ck_assert_str_eq(server.peer.address_text, "127.0.0.1");
    ck_assert(!server.peer.tls && !server.peer.certificate);
    ck_assert(echoes(&client, "hello"));
    client_drop(&client);
    PUMP_UNTIL(&server.loop, server.closed == 1);
    ck_assert_int_eq(server.reason, NET_CLOSED_BY_PEER);
}
END_TEST

START_TEST(writes_of_one_turn_travel_in_one_record)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){0});
    PUMP_UNTIL(&server.loop, server.opened == 1);
    char text[16] = "";
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(net_stream_write(server.stream, "ab", 2), 0);
    ck_assert_uint_eq(net_stream_queued(server.stream), 10);
    PUMP_UNTIL(&server.loop, client_try_read(&client, text, sizeof text) == 10);
    ck_assert_str_eq(text, "ababababab");
    ck_assert_uint_eq(server.drained, 1);
    client_drop(&client);
}
END_TEST

static void carry_a_megabyte(struct client *client)
{
    enum { SIZE = 1000000 };
    uint8_t *bytes = calloc(2, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    for (size_t at = 0; at < SIZE; at += 100000) {
        client_write(client, bytes + at, 100000);
        ck_assert_uint_eq(client_read(client, bytes + SIZE + at, 100000), 100000);
    }
    ck_assert_mem_eq(bytes, bytes + SIZE, SIZE);
    free(bytes);
}

START_TEST(much_passes_unchanged_plain)
{
    server_plain();
    struct client client = connect_plain();
    carry_a_megabyte(&client);
    client_drop(&client);
}
END_TEST

START_TEST(much_passes_unchanged_over_tls)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){0});
    carry_a_megabyte(&client);
    ck_assert(metric("vendgate_net_received_bytes_total{listener=\"test\"} ") == 1000000);
    ck_assert(metric("vendgate_net_sent_bytes_total{listener=\"test\"} ") == 1000000);
    client_drop(&client);
}
END_TEST

START_TEST(nothing_is_read_while_paused)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){0});
    PUMP_UNTIL(&server.loop, server.opened == 1);
    net_stream_pause(server.stream);
    client_write_text(&client, "held back");
    for (int i = 0; i < 50; i++)
        pump(&server.loop);
    ck_assert_uint_eq(server.received, 0);
    net_stream_resume(server.stream);
    char text[16] = "";
    ck_assert_uint_eq(client_read(&client, text, 9), 9);
    client_drop(&client);
}
END_TEST

START_TEST(a_busy_peer_does_not_keep_the_others_waiting)
{
    server_plain();
    server.silent = true;
    struct client client = connect_plain();
    static char flood[400000];
    ssize_t sent = send(client.fd, flood, sizeof flood, MSG_NOSIGNAL);
    ck_assert_int_gt(sent, 200000);
    (void)uv_run(&server.loop, UV_RUN_NOWAIT); /* one turn: idle, then poll */
    ck_assert_uint_gt(server.received, 0);
    ck_assert_uint_lt(server.received, 200000);
    PUMP_UNTIL(&server.loop, server.received == (size_t)sent);
    client_drop(&client);
}
END_TEST

START_TEST(a_peer_that_does_not_read_is_closed_when_its_queue_is_full)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){0});
    PUMP_UNTIL(&server.loop, server.opened == 1);
    static const char block[65536];
    int result = 0;
    server.inside = true;
    for (int i = 0; i <= QUEUE_MAX / 65536 && result == 0; i++)
        result = net_stream_write(server.stream, block, sizeof block);
    ck_assert_int_eq(result, -ENOBUFS);
    ck_assert_int_eq(net_stream_write(server.stream, "x", 1), -ENOTCONN);
    server.inside = false;
    PUMP_UNTIL(&server.loop, server.closed == 1);
    ck_assert_int_eq(server.reason, NET_CLOSED_OVERFLOW);
    client_drop(&client);
}
END_TEST

START_TEST(a_slow_reader_gets_everything_in_the_end)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){0});
    PUMP_UNTIL(&server.loop, server.opened == 1);
    enum { BLOCK = 60000 };
    static char block[BLOCK];
    size_t sent = 0, got = 0;
    while (net_stream_queued(server.stream) < QUEUE_MAX / 2) { /* until the kernel takes no more */
        ck_assert_int_eq(net_stream_write(server.stream, block, BLOCK), 0);
        sent += BLOCK;
        pump(&server.loop);
    }
    for (; got < sent; got += BLOCK)
        ck_assert_uint_eq(client_read(&client, block, BLOCK), BLOCK);
    ck_assert_uint_eq(net_stream_queued(server.stream), 0);
    ck_assert(echoes(&client, "and now"));
    client_drop(&client);
}
END_TEST

/* --- who is let in
 * ------------------------------------------------------------------------------------------ */

static void spki_fingerprint(const struct pki_cert *cert, char ret_text[static 65])
{
    unsigned char *der = NULL, digest[32];
    int size = i2d_PUBKEY(cert->key, &der);
    ck_assert_int_eq(EVP_Digest(der, (size_t)size, digest, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
}

static void expect_vm_1(void)
{
    char fingerprint[65];
    spki_fingerprint(&pki.client, fingerprint);
    ck_assert(server.peer.tls && server.peer.certificate);
    ck_assert_str_eq(server.peer.fingerprint, fingerprint);
    ck_assert_str_eq(server.peer.urn, "urn:vm:VM-1");
    ck_assert_str_eq(server.peer.common_name, "VM-1");
    ck_assert_int_gt(server.peer.certificate_expires_at, clock_unix_s() + 9 * 86400);
}

static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};

START_TEST(a_client_certificate_names_its_owner)
{
    server_tls(true);
    struct client client = connect_tls(
        &(struct client_options){.certificate = &pki.client, .version_max = VERSIONS[_i]});
    ck_assert(echoes(&client, "hello"));
    expect_vm_1();
    ck_assert(!server.peer.resumed);
    ck_assert_str_eq(server.peer.tls_version, _i == 0 ? "TLSv1.2" : "TLSv1.3");
    ck_assert(metric("vendgate_net_handshakes_total{listener=\"test\",result=\"full\"} ") == 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_client_may_come_without_certificate_where_that_is_allowed)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){.version_max = VERSIONS[_i]});
    ck_assert(echoes(&client, "hello"));
    ck_assert(!server.peer.certificate);
    ck_assert_str_eq(server.peer.fingerprint, "");
    ck_assert_str_eq(server.peer.urn, "");
    client_drop(&client);
}
END_TEST

/* With TLS 1.3 the client's side of the handshake is done before the server has judged. */
static void expect_shut_out(const struct client_options *options)
{
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    if (client_handshake(&client, options) == 1)
        ck_assert(client_is_at_end(&client));
    PUMP_UNTIL(&server.loop, net_listener_connections(server.listener) == 0);
    ck_assert_uint_eq(server.opened, 0);
    ck_assert(metric("vendgate_net_handshakes_total{listener=\"test\",result=\"failed\"} ") == 1);
    client_drop(&client);
}

START_TEST(no_certificate_is_refused_where_one_is_required)
{
    server_tls(true);
    expect_shut_out(&(struct client_options){.version_max = VERSIONS[_i]});
}
END_TEST

START_TEST(a_certificate_of_a_foreign_ca_is_refused_even_where_none_is_required)
{
    server_tls(false);
    expect_shut_out(
        &(struct client_options){.certificate = &pki.foreign_client, .version_max = VERSIONS[_i]});
}
END_TEST

START_TEST(an_expired_certificate_is_refused)
{
    server_tls(true);
    struct pki_cert expired;
    pki_issue(&pki, &(struct pki_request){"expired", "VM-1", NULL, &pki.ca, -1}, &expired);
    expect_shut_out(&(struct client_options){.certificate = &expired, .version_max = VERSIONS[_i]});
    pki_cert_done(&expired);
}
END_TEST

START_TEST(tls_1_1_is_refused)
{
    server_tls(false);
    expect_shut_out(&(struct client_options){.version_max = TLS1_1_VERSION});
}
END_TEST

static const char *const WEAK[] = {"ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA",
                                   "AES128-GCM-SHA256", "AECDH-AES128-SHA"};

START_TEST(a_weak_cipher_is_refused)
{
    server_tls(false);
    expect_shut_out(&(struct client_options){.version_max = TLS1_2_VERSION, .ciphers = WEAK[_i]});
}
END_TEST

START_TEST(bytes_that_are_no_tls_are_refused)
{
    server_tls(false);
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    client_write_text(&client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    PUMP_UNTIL(&server.loop, metric("result=\"failed\"} ") == 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_name_that_hides_a_nul_names_nobody)
{
    server_tls(true);
    struct pki_cert forged;
    pki_issue(&pki, &(struct pki_request){"forged", "VM-1\x01", NULL, &pki.ca, 1}, &forged);
    struct client client = connect_tls(&(struct client_options){.certificate = &forged});
    ck_assert(echoes(&client, "hello"));
    ck_assert(server.peer.certificate);
    ck_assert_str_eq(server.peer.common_name, "");
    client_drop(&client);
    pki_cert_done(&forged);
}
END_TEST

/* --- resumption
 * --------------------------------------------------------------------------------------------- */

static SSL_SESSION *session_after_use(struct client *client)
{
    ck_assert(echoes(client, "first")); /* with TLS 1.3 the ticket comes with the first bytes */
    return SSL_get1_session(client->ssl);
}

START_TEST(a_client_that_lost_its_link_resumes_and_keeps_its_identity)
{
    server_tls(true);
    struct client_options options = {.certificate = &pki.client, .version_max = VERSIONS[_i]};
    struct client first = connect_tls(&options);
    options.session = session_after_use(&first);
    client_drop(&first);          /* no close_notify */
    for (int i = 0; i < 2; i++) { /* and again with what the resumed connection gave */
        struct client next = connect_tls(&options);
        ck_assert_int_eq(SSL_session_reused(next.ssl), 1);
        SSL_SESSION_free(options.session);
        options.session = session_after_use(&next);
        ck_assert(server.peer.resumed);
        expect_vm_1();
        client_drop(&next);
    }
    SSL_SESSION_free(options.session);
    ck_assert(metric("vendgate_net_handshakes_total{listener=\"test\",result=\"resumed\"} ") == 2);
}
END_TEST

START_TEST(a_session_outlives_a_connection_that_we_cut)
{
    server_tls(true);
    struct client_options options = {.certificate = &pki.client, .version_max = VERSIONS[_i]};
    struct client first = connect_tls(&options);
    options.session = session_after_use(&first);
    net_stream_abort(server.stream);
    PUMP_UNTIL(&server.loop, server.closed == 1);
    client_drop(&first);
    struct client next = connect_tls(&options);
    ck_assert_int_eq(SSL_session_reused(next.ssl), 1);
    SSL_SESSION_free(options.session);
    client_drop(&next);
}
END_TEST

START_TEST(a_reload_forgets_the_sessions_but_not_the_connections)
{
    server_tls(true);
    struct client_options options = {.certificate = &pki.client};
    struct client first = connect_tls(&options);
    options.session = session_after_use(&first);
    char error[NET_ERROR_SIZE];
    ck_assert_int_eq(net_tls_reload(server.tls, error), 0);
    ck_assert(echoes(&first, "still here"));
    client_drop(&first);
    struct client next = connect_tls(&options);
    ck_assert_int_eq(SSL_session_reused(next.ssl), 0);
    SSL_SESSION_free(options.session);
    client_drop(&next);
}
END_TEST

static int64_t tomorrow_week(void *arg)
{
    return *(const int64_t *)arg;
}

static int64_t real_monotonic(void *arg)
{
    (void)arg;
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

START_TEST(a_session_does_not_outlive_the_certificate)
{
    server_tls(true);
    struct client_options options = {.certificate = &pki.client};
    struct client first = connect_tls(&options);
    options.session = session_after_use(&first);
    client_drop(&first);
    int64_t later_ms = clock_unix_ms() + 11LL * 86400 * 1000;
    struct clock_source later = {real_monotonic, tomorrow_week, &later_ms};
    clock_replace(&later);
    struct client next = connect_tls(&options);
    ck_assert(client_is_at_end(&next));
    ck_assert_uint_eq(server.opened, 1);
    clock_replace(NULL);
    SSL_SESSION_free(options.session);
    client_drop(&next);
}
END_TEST

/* --- limits
 * -------------------------------------------------------------------------------------------------
 */

START_TEST(a_handshake_that_takes_too_long_is_ended)
{
    server_tls(false);
    net_listener_free(&server.listener);
    struct net_listener_options options = standard_options();
    options.handshake_ms = 50;
    server_listen(&options);
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    static const char HALF[] = "\x16\x03\x01\x02"; /* of a ClientHello's record header */
    client_write(&client, HALF, 4);
    int64_t began = clock_monotonic_ms();
    ck_assert(client_is_at_end(&client));
    ck_assert_int_lt(clock_monotonic_ms() - began, 1000);
    ck_assert(metric("vendgate_net_handshakes_total{listener=\"test\",result=\"late\"} ") == 1);
    client_drop(&client);
}
END_TEST

START_TEST(stalled_handshakes_hold_up_only_those_behind_them)
{
    server_tls(false);
    net_listener_free(&server.listener);
    struct net_listener_options options = standard_options();
    options.handshakes_max = 2;
    options.handshake_ms = 100;
    server_listen(&options);
    uint16_t port = net_listener_port(server.listener);
    struct client stalled[2] = {client_connect(&server.loop, port),
                                client_connect(&server.loop, port)};
    PUMP_UNTIL(&server.loop, net_listener_connections(server.listener) == 2);
    struct client waiting = client_connect(&server.loop, port);
    for (int i = 0; i < 20; i++)
        pump(&server.loop);
    ck_assert_uint_eq(net_listener_connections(server.listener), 2);
    ck_assert_int_eq(client_handshake(&waiting, &(struct client_options){0}), 1);
    ck_assert(echoes(&waiting, "at last"));
    client_drop(&waiting);
    client_drop(&stalled[0]);
    client_drop(&stalled[1]);
}
END_TEST

START_TEST(an_address_gets_no_more_than_its_share)
{
    struct net_listener_options options = standard_options();
    options.connections_per_address_max = 2;
    server_listen(&options);
    struct client first = connect_plain(), second = connect_plain();
    struct client third = client_connect(&server.loop, net_listener_port(server.listener));
    ck_assert(client_is_at_end(&third));
    ck_assert(metric("vendgate_net_refused_total{listener=\"test\",reason=\"address_limit\"} ") ==
              1);
    client_drop(&first);
    PUMP_UNTIL(&server.loop, server.closed == 1);
    struct client fourth = connect_plain(); /* the place is free again */
    client_drop(&second);
    client_drop(&third);
    client_drop(&fourth);
}
END_TEST

START_TEST(beyond_the_limit_in_all_a_connection_is_closed_at_once)
{
    struct net_listener_options options = standard_options();
    options.connections_max = 1;
    server_listen(&options);
    struct client first = connect_plain();
    struct client second = client_connect(&server.loop, net_listener_port(server.listener));
    ck_assert(client_is_at_end(&second));
    ck_assert(echoes(&first, "mine"));
    client_drop(&first);
    client_drop(&second);
}
END_TEST

START_TEST(without_descriptors_the_listener_waits_and_goes_on)
{
    server_plain();
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    struct rlimit before, none = {0};
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    for (int i = 0; i < 20; i++)
        pump(&server.loop);
    ck_assert_uint_eq(server.opened, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    PUMP_UNTIL(&server.loop, server.opened == 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_refused_stream_is_closed_without_further_calls)
{
    server.refuse = true;
    server_plain();
    struct client client = client_connect(&server.loop, net_listener_port(server.listener));
    ck_assert(client_is_at_end(&client));
    ck_assert_uint_eq(server.closed, 0);
    client_drop(&client);
}
END_TEST

/* --- ends
 * ---------------------------------------------------------------------------------------------------
 */

START_TEST(a_close_sends_what_was_written_before)
{
    server_tls(false);
    struct client client = connect_tls(&(struct client_options){0});
    PUMP_UNTIL(&server.loop, server.opened == 1);
    static char sent[500000], got[500001];
    memset(sent, 'x', sizeof sent);
    server.inside = true;
    ck_assert_int_eq(net_stream_write(server.stream, sent, sizeof sent), 0);
    net_stream_close(server.stream);
    ck_assert_int_eq(net_stream_write(server.stream, "x", 1), -ENOTCONN);
    server.inside = false;
    ck_assert_uint_eq(client_read(&client, got, sizeof got), sizeof sent);
    ck_assert_mem_eq(sent, got, sizeof sent);
    ck_assert_int_eq(SSL_get_shutdown(client.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    PUMP_UNTIL(&server.loop, server.closed == 1);
    ck_assert_int_eq(server.reason, NET_CLOSED_BY_US);
    client_drop(&client);
}
END_TEST

START_TEST(a_peer_that_is_still_sending_reads_our_last_words)
{
    server_plain();
    struct client client = connect_plain();
    ck_assert_int_eq(net_stream_write(server.stream, "bye", 3), 0);
    net_stream_close(server.stream);
    static const char more[100000];
    client_write(&client, more, sizeof more); /* never read by the server's user */
    char text[8] = "";
    ck_assert_uint_eq(client_read(&client, text, 4), 3);
    ck_assert_str_eq(text, "bye");
    client_drop(&client);
}
END_TEST

START_TEST(an_abort_inside_data_ends_in_one_closed_call)
{
    server_tls(false);
    server.abort_on_data = true;
    struct client client = connect_tls(&(struct client_options){0});
    client_write_text(&client, "go away");
    ck_assert(client_is_at_end(&client));
    PUMP_UNTIL(&server.loop, server.closed == 1);
    ck_assert_int_eq(server.reason, NET_CLOSED_BY_US);
    ck_assert_uint_eq(server.data_calls, 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_reset_is_told_as_one)
{
    server_plain();
    struct client client = connect_plain();
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    ck_assert_int_eq(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    client_drop(&client);
    PUMP_UNTIL(&server.loop, server.closed == 1);
    ck_assert_int_eq(server.reason, NET_CLOSED_RESET);
}
END_TEST

/* SIGPIPE has its default action here: it would kill the test. */
START_TEST(writing_to_a_peer_that_has_gone_does_not_kill_the_process)
{
    if (_i == 1)
        server_tls(false);
    else
        server_plain();
    struct client client = _i == 1 ? connect_tls(&(struct client_options){0}) : connect_plain();
    PUMP_UNTIL(&server.loop, server.opened == 1);
    net_stream_pause(server.stream); /* so that the hang-up goes unnoticed */
    client_drop(&client);
    for (int i = 0; i < 100 && server.closed == 0; i++) {
        int unsent = net_stream_write(server.stream, "hello", 5);
        (void)unsent;
        pump(&server.loop);
    }
    PUMP_UNTIL(&server.loop, server.closed == 1);
    ck_assert_int_eq(server.reason, NET_CLOSED_RESET);
}
END_TEST

START_TEST(freeing_the_listener_tells_every_stream_from_the_loop)
{
    server_tls(false);
    struct client first = connect_tls(&(struct client_options){0});
    struct client second = connect_tls(&(struct client_options){0});
    PUMP_UNTIL(&server.loop, server.opened == 2);
    struct client half = client_connect(&server.loop, net_listener_port(server.listener));
    PUMP_UNTIL(&server.loop, net_listener_connections(server.listener) == 3);
    server.inside = true;
    net_listener_free(&server.listener);
    server.inside = false;
    ck_assert_uint_eq(server.closed, 0);
    PUMP_UNTIL(&server.loop, server.closed == 2);
    ck_assert_int_eq(server.reason, NET_CLOSED_SHUTDOWN);
    client_drop(&first);
    client_drop(&second);
    client_drop(&half);
}
END_TEST

START_TEST(a_stopped_listener_lets_live_streams_go_on)
{
    server_plain();
    uint16_t port = net_listener_port(server.listener);
    struct client client = connect_plain();
    net_listener_stop(server.listener);
    ck_assert(echoes(&client, "still here"));
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ne(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    (void)close(fd);
    client_drop(&client);
}
END_TEST

/* --- sockets
 * ------------------------------------------------------------------------------------------------
 */

START_TEST(a_unix_socket_tells_the_user_and_goes_with_the_listener)
{
    char address[64];
    (void)snprintf(address, sizeof address, "unix:%s/admin.sock", pki.directory);
    const char *path = address + strlen("unix:");
    struct net_listener_options options = standard_options();
    options.address = address;
    options.connections_per_address_max = 1;
    server_listen(&options);
    net_listener_free(&server.listener);
    server_listen(&options); /* an old socket file is in nobody's way */
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert_uint_eq(status.st_mode & 07777, 0660);
    struct sockaddr_un where = {.sun_family = AF_UNIX};
    (void)snprintf(where.sun_path, sizeof where.sun_path, "%s", path);
    struct client clients[2];
    for (size_t i = 0; i < 2; i++) {
        clients[i] = (struct client){.loop = &server.loop,
                                     .fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)};
        ck_assert_int_eq(connect(clients[i].fd, (const struct sockaddr *)&where, sizeof where), 0);
    }
    PUMP_UNTIL(&server.loop, server.opened == 2);
    ck_assert_str_eq(server.peer.address_text, "unix");
    ck_assert_uint_eq(server.peer.uid, getuid());
    client_drop(&clients[0]);
    client_drop(&clients[1]);
    net_listener_free(&server.listener);
    ck_assert_int_ne(lstat(path, &status), 0);
}
END_TEST

START_TEST(a_file_that_is_no_socket_is_left_alone)
{
    char address[128];
    (void)snprintf(address, sizeof address, "unix:%s", pki.server.key_file);
    struct net_listener_options options = standard_options();
    options.address = address;
    char error[NET_ERROR_SIZE];
    ck_assert_int_eq(net_listener_open(&server.loop, &options, &HANDLERS, &server, server.metrics,
                                       &server.listener, error),
                     -EADDRINUSE);
    ck_assert_ptr_nonnull(strstr(error, pki.server.key_file));
    ck_assert_int_eq(access(pki.server.key_file, R_OK), 0);
}
END_TEST

START_TEST(an_inherited_socket_is_served)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct net_listener_options options = standard_options();
    options.fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(options.fd, (const struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(listen(options.fd, 10), 0);
    server_listen(&options);
    struct client client = connect_plain();
    ck_assert(echoes(&client, "hello"));
    client_drop(&client);
}
END_TEST

START_TEST(an_address_that_is_none_is_an_error)
{
    struct net_listener_options options = standard_options();
    options.address = "localhost"; /* names are not resolved: that would block */
    char error[NET_ERROR_SIZE];
    ck_assert_int_eq(net_listener_open(&server.loop, &options, &HANDLERS, &server, server.metrics,
                                       &server.listener, error),
                     -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "localhost"));
}
END_TEST

static TCase *cases_for(Suite *suite, const char *name)
{
    TCase *cases = tcase_create(name);
    tcase_add_checked_fixture(cases, setup, teardown);
    tcase_set_timeout(cases, 20);
    suite_add_tcase(suite, cases);
    return cases;
}

static void add_bytes(TCase *cases)
{
    tcase_add_test(cases, plain_bytes_come_and_go);
    tcase_add_test(cases, writes_of_one_turn_travel_in_one_record);
    tcase_add_test(cases, much_passes_unchanged_plain);
    tcase_add_test(cases, much_passes_unchanged_over_tls);
    tcase_add_test(cases, nothing_is_read_while_paused);
    tcase_add_test(cases, a_busy_peer_does_not_keep_the_others_waiting);
    tcase_add_test(cases, a_peer_that_does_not_read_is_closed_when_its_queue_is_full);
    tcase_add_test(cases, a_slow_reader_gets_everything_in_the_end);
}

static void add_admission(TCase *cases)
{
    tcase_add_loop_test(cases, a_client_certificate_names_its_owner, 0, 2);
    tcase_add_loop_test(cases, a_client_may_come_without_certificate_where_that_is_allowed, 0, 2);
    tcase_add_loop_test(cases, no_certificate_is_refused_where_one_is_required, 0, 2);
    tcase_add_loop_test(cases, a_certificate_of_a_foreign_ca_is_refused_even_where_none_is_required,
                        0, 2);
    tcase_add_loop_test(cases, an_expired_certificate_is_refused, 0, 2);
    tcase_add_test(cases, tls_1_1_is_refused);
    tcase_add_loop_test(cases, a_weak_cipher_is_refused, 0, 4);
    tcase_add_test(cases, bytes_that_are_no_tls_are_refused);
    tcase_add_test(cases, a_name_that_hides_a_nul_names_nobody);
    tcase_add_loop_test(cases, a_client_that_lost_its_link_resumes_and_keeps_its_identity, 0, 2);
    tcase_add_loop_test(cases, a_session_outlives_a_connection_that_we_cut, 0, 2);
    tcase_add_test(cases, a_reload_forgets_the_sessions_but_not_the_connections);
    tcase_add_test(cases, a_session_does_not_outlive_the_certificate);
}

static void add_limits(TCase *cases)
{
    tcase_add_test(cases, a_handshake_that_takes_too_long_is_ended);
    tcase_add_test(cases, stalled_handshakes_hold_up_only_those_behind_them);
    tcase_add_test(cases, an_address_gets_no_more_than_its_share);
    tcase_add_test(cases, beyond_the_limit_in_all_a_connection_is_closed_at_once);
    tcase_add_test(cases, without_descriptors_the_listener_waits_and_goes_on);
    tcase_add_test(cases, a_refused_stream_is_closed_without_further_calls);
}

static void add_ends(TCase *cases)
{
    tcase_add_test(cases, a_close_sends_what_was_written_before);
    tcase_add_test(cases, a_peer_that_is_still_sending_reads_our_last_words);
    tcase_add_test(cases, an_abort_inside_data_ends_in_one_closed_call);
    tcase_add_test(cases, a_reset_is_told_as_one);
    tcase_add_loop_test(cases, writing_to_a_peer_that_has_gone_does_not_kill_the_process, 0, 2);
    tcase_add_test(cases, freeing_the_listener_tells_every_stream_from_the_loop);
    tcase_add_test(cases, a_stopped_listener_lets_live_streams_go_on);
}

static void add_sockets(TCase *cases)
{
    tcase_add_test(cases, a_unix_socket_tells_the_user_and_goes_with_the_listener);
    tcase_add_test(cases, a_file_that_is_no_socket_is_left_alone);
    tcase_add_test(cases, an_inherited_socket_is_served);
    tcase_add_test(cases, an_address_that_is_none_is_an_error);
}

int main(void)
{
    Suite *suite = suite_create("listener");
    add_bytes(cases_for(suite, "bytes"));
    add_admission(cases_for(suite, "admission"));
    add_limits(cases_for(suite, "limits"));
    add_ends(cases_for(suite, "ends"));
    add_sockets(cases_for(suite, "sockets"));
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
