/* How bytes go, how sessions are resumed, and how a connection ends. */
#include "server_test.h"

#include <time.h>

static const int VERSIONS[] = {TLS1_2_VERSION, TLS1_3_VERSION};

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

/* --- resumption --- */

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

/* --- ends --- */

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

static void add_resumption(TCase *cases)
{
    tcase_add_loop_test(cases, a_client_that_lost_its_link_resumes_and_keeps_its_identity, 0, 2);
    tcase_add_loop_test(cases, a_session_outlives_a_connection_that_we_cut, 0, 2);
    tcase_add_test(cases, a_reload_forgets_the_sessions_but_not_the_connections);
    tcase_add_test(cases, a_session_does_not_outlive_the_certificate);
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

int main(void)
{
    Suite *suite = suite_create("stream");
    add_bytes(cases_for(suite, "bytes"));
    add_resumption(cases_for(suite, "resumption"));
    add_ends(cases_for(suite, "ends"));
    return run_suite(suite);
}
