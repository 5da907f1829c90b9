/* Who is let in, within which limits, and on which sockets. */
#include "server_test.h"

#include <signal.h>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

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

/* --- limits --- */

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

/* --- sockets --- */

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

static void add_sockets(TCase *cases)
{
    tcase_add_test(cases, a_unix_socket_tells_the_user_and_goes_with_the_listener);
    tcase_add_test(cases, a_file_that_is_no_socket_is_left_alone);
    tcase_add_test(cases, an_inherited_socket_is_served);
    tcase_add_test(cases, an_address_that_is_none_is_an_error);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the test's own client may write to a closed connection */
    Suite *suite = suite_create("listener");
    add_admission(cases_for(suite, "admission"));
    add_limits(cases_for(suite, "limits"));
    add_sockets(cases_for(suite, "sockets"));
    return run_suite(suite);
}
