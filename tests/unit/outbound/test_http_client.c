#include "base/clock.h"
#include "base/macros.h"
#include "outbound/address.h"
#include "outbound/http_client.h"
#include "receiver.h"

enum { CA_FILES = 70, PIN_SIZE = 64, SHA256_SIZE = 32 };

static uv_loop_t loop;
static struct receiver receiver;
static struct http_client *client;
static struct networks *loopback;
static struct sockaddr_storage address;
static char directory[40];
static char url[64];

struct heard {
    bool done;
    struct http_outcome outcome;
    char error[256];
};

static void on_done(void *arg, const struct http_outcome *outcome)
{
    struct heard *heard = arg;
    heard->done = true;
    heard->outcome = *outcome;
    snprintf(heard->error, sizeof(heard->error), "%s", outcome->error ? outcome->error : "");
}

static const char *file(const char *name)
{
    static char paths[512][128];
    static size_t next;
    ck_assert_uint_lt(next, ARRAY_SIZE(paths));
    char *path = paths[next++];
    snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
    return path;
}

static void serve(const char *ca_name, const char *host)
{
    static const struct receiver_step STEPS[] = {{.answer = YES}};
    receiver_start(&receiver, STEPS, 1, ca_name ? file(ca_name) : NULL);
    snprintf(url, sizeof(url), "%s://%s:%u/x", ca_name ? "https" : "http", host, receiver.port);
}

static void open_client(const char *proxy)
{
    const struct http_client_options options = {
        .connections_max = 16, .proxy = proxy, .user_agent = "test"};
    char error[HTTP_CLIENT_ERROR_SIZE] = "";
    ck_assert_msg(http_client_new(&loop, &options, &client, error) == 0, "%s", error);
}

static void setup(void)
{
    char error[NETWORKS_ERROR_SIZE];
    snprintf(directory, sizeof(directory), "/tmp/vendgate-http-client-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(networks_parse("127.0.0.0/8", &loopback, error), 0);
    ck_assert(address_parse("127.0.0.1", &address));
}

static void teardown(void)
{
    char command[128];
    http_client_free(&client);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    receiver_stop(&receiver);
    networks_free(&loopback);
    snprintf(command, sizeof(command), "rm -r %s", directory);
    ck_assert_int_eq(system(command), 0);
}

/* What every test asks for; it changes what matters to it. */
static struct http_post post_of(const char *ca_name)
{
    return (struct http_post){
        .url = url,
        .pinned = &address,
        .headers = {"Content-Type: application/json", "X-API-Key: secret", NULL},
        .body = "{}",
        .body_size = 2,
        .ca_file = ca_name ? file(ca_name) : NULL,
        .allow_http = true,
        .allowed = loopback,
        .connect_ms = 5000,
        .total_ms = 5000,
        .trust_age_s = 3600,
    };
}

static struct heard send_post(const struct http_post *post)
{
    struct heard heard = {0};
    struct http_exchange *exchange = NULL;
    ck_assert_int_eq(http_client_post(client, post, on_done, &heard, &exchange), 0);
    ck_assert(!heard.done);
    while (!heard.done)
        uv_run(&loop, UV_RUN_ONCE);
    return heard;
}

static void check_answered(const struct http_post *post)
{
    struct heard heard = send_post(post);
    ck_assert_msg(heard.outcome.answered, "%s", heard.error);
}

static void check_refused(const struct http_post *post, const char *why)
{
    size_t before = receiver_count(&receiver);
    struct heard heard = send_post(post);
    ck_assert(!heard.outcome.answered && heard.outcome.unreachable);
    ck_assert_msg(strstr(heard.error, why) != NULL, "%s", heard.error);
    ck_assert_uint_eq(receiver_count(&receiver), before);
}

static int connection_of(size_t request)
{
    return receiver.requests[request].connection;
}

/* "sha256//..." of the key in a certificate's file. */
static void pin_of(const char *name, char ret_pin[static PIN_SIZE])
{
    FILE *in = fopen(file(name), "r");
    X509 *certificate = PEM_read_X509(in, NULL, NULL, NULL);
    unsigned char *key = NULL, digest[SHA256_SIZE];
    int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &key);
    ck_assert(EVP_Digest(key, (size_t)size, digest, NULL, EVP_sha256(), NULL) == 1);
    strcpy(ret_pin, "sha256//");
    EVP_EncodeBlock((unsigned char *)ret_pin + 8, digest, sizeof(digest));
    OPENSSL_free(key);
    X509_free(certificate);
    fclose(in);
}

/* Certificate and key of one who calls, named as the file. */
static void make_client(const char *name)
{
    SSL_CTX *made = receiver_certificate(file(name));
    char key_name[64];
    snprintf(key_name, sizeof(key_name), "%s.key", name);
    FILE *out = fopen(file(key_name), "w");
    PEM_write_PrivateKey(out, SSL_CTX_get0_privatekey(made), NULL, NULL, 0, NULL, NULL);
    fclose(out);
    SSL_CTX_free(made);
}

static int accept_any(int fine UNUSED, X509_STORE_CTX *store UNUSED)
{
    return 1;
}

START_TEST(what_was_connected_under_one_authority_is_not_used_under_another)
{
    serve("ca", "127.0.0.1");
    SSL_CTX_free(receiver_certificate(file("other")));
    open_client(NULL);
    struct http_post trusted = post_of("ca");
    struct http_post distrusted = post_of("other");
    check_answered(&trusted);
    check_refused(&distrusted, "certificate");
    check_answered(&trusted);
    ck_assert_int_eq(connection_of(0), connection_of(1));
}
END_TEST

START_TEST(a_pin_that_fits_lets_pass_and_one_that_does_not_is_not_helped_by_a_kept_connection)
{
    char right[PIN_SIZE], wrong[PIN_SIZE], both[2 * PIN_SIZE];
    serve("ca", "127.0.0.1");
    SSL_CTX_free(receiver_certificate(file("other")));
    open_client(NULL);
    pin_of("ca", right);
    pin_of("other", wrong);
    snprintf(both, sizeof(both), "%s;%s", wrong, right);
    struct http_post plain = post_of("ca");
    struct http_post pinned = plain, mispinned = plain, either = plain;
    pinned.public_key_pins = right;
    mispinned.public_key_pins = wrong;
    either.public_key_pins = both;
    check_answered(&plain);
    check_refused(&mispinned, "pinned");
    check_answered(&pinned);
    check_refused(&mispinned, "pinned");
    check_answered(&either);
    check_answered(&plain);
    ck_assert_int_eq(connection_of(0), connection_of(3));
    ck_assert_int_ne(connection_of(0), connection_of(1));
}
END_TEST

START_TEST(each_shows_its_own_certificate_and_never_over_anothers_connection)
{
    static const char *const EXPECTED[] = {"one", "two", "", "one"};
    serve("ca", "127.0.0.1");
    SSL_CTX_set_verify(receiver.tls, SSL_VERIFY_PEER, accept_any);
    make_client("one");
    make_client("two");
    open_client(NULL);
    struct http_post posts[4];
    for (size_t i = 0; i < ARRAY_SIZE(posts); i++) {
        posts[i] = post_of("ca");
        if (EXPECTED[i][0]) {
            char key_name[64];
            snprintf(key_name, sizeof(key_name), "%s.key", EXPECTED[i]);
            posts[i].client_cert_file = file(EXPECTED[i]);
            posts[i].client_key_file = file(key_name);
        }
        check_answered(&posts[i]);
        const char *shown = receiver.requests[i].client;
        ck_assert_str_eq(shown, EXPECTED[i][0] ? file(EXPECTED[i]) : "");
    }
    ck_assert_int_eq(connection_of(0), connection_of(3));
}
END_TEST

START_TEST(a_server_that_wants_a_certificate_gets_no_request_without_one)
{
    serve("ca", "127.0.0.1");
    SSL_CTX_set_verify(receiver.tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, accept_any);
    open_client(NULL);
    struct http_post post = post_of("ca");
    struct heard heard = send_post(&post);
    ck_assert(!heard.outcome.answered);
    ck_assert_uint_eq(receiver_count(&receiver), 0);
}
END_TEST

START_TEST(bulk_requests_have_connections_of_their_own)
{
    serve("ca", "127.0.0.1");
    open_client(NULL);
    struct http_post urgent = post_of("ca");
    struct http_post bulk = urgent;
    bulk.bulk = true;
    check_answered(&urgent);
    check_answered(&bulk);
    check_answered(&urgent);
    check_answered(&bulk);
    ck_assert_int_ne(connection_of(0), connection_of(1));
    ck_assert_int_eq(connection_of(0), connection_of(2));
    ck_assert_int_eq(connection_of(1), connection_of(3));
}
END_TEST

/* More than there are pools; whoever was idle the longest connects anew, and all are served. */
START_TEST(any_number_of_authorities_is_served_and_those_in_use_keep_their_connection)
{
    serve("ca", "127.0.0.1");
    open_client(NULL);
    struct http_post first = post_of("ca");
    check_answered(&first);
    for (int i = 0; i < CA_FILES; i++) {
        char name[32];
        snprintf(name, sizeof(name), "ca-%d", i);
        ck_assert_int_eq(symlink(file("ca"), file(name)), 0);
        if (i % 10 == 0)
            check_answered(&first);
        struct http_post other = post_of(name);
        check_answered(&other);
    }
    check_answered(&first);
    ck_assert_int_eq(connection_of(receiver_count(&receiver) - 1), connection_of(0));
}
END_TEST

START_TEST(each_authority_is_read_from_its_file_once_and_not_for_every_connection)
{
    serve("ca", "127.0.0.1");
    ck_assert_int_eq(link(file("ca"), file("same")), 0);
    open_client(NULL);
    struct http_post first = post_of("ca");
    struct http_post second = post_of("same");
    first.fresh = second.fresh = true;
    check_answered(&first);
    check_answered(&second);
    ck_assert_int_eq(unlink(file("ca")) | unlink(file("same")), 0);
    check_answered(&first);
    check_answered(&second);
    check_answered(&first);
    ck_assert_int_eq(receiver.connections, 5);
    first.trust_age_s = 0; /* the endpoint has changed */
    check_refused(&first, "certificate");
}
END_TEST

START_TEST(an_address_that_may_not_be_used_is_not_even_connected_to)
{
    serve(NULL, "127.0.0.1");
    open_client(NULL);
    struct http_post post = post_of(NULL);
    post.allowed = NULL;
    check_refused(&post, "address 127.0.0.1 is refused: loopback");
    ck_assert_int_eq(receiver.connections, 0);
}
END_TEST

START_TEST(a_kept_connection_is_not_used_once_its_address_may_not_be)
{
    serve(NULL, "127.0.0.1");
    open_client(NULL);
    struct http_post post = post_of(NULL);
    check_answered(&post);
    post.allowed = NULL;
    struct heard heard = send_post(&post);
    ck_assert(!heard.outcome.answered);
    ck_assert_str_eq(heard.error, "address 127.0.0.1 is refused: loopback");
    ck_assert_uint_eq(receiver_count(&receiver), 1);
}
END_TEST

START_TEST(no_compressed_answer_is_asked_for_and_no_proxy_of_the_environment_is_used)
{
    serve(NULL, "127.0.0.1");
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    open_client(NULL);
    struct http_post post = post_of(NULL);
    check_answered(&post);
    ck_assert_ptr_null(strcasestr(receiver.requests[0].text, "Accept-Encoding"));
    ck_assert_ptr_null(strcasestr(receiver.requests[0].text, "Proxy"));
}
END_TEST

START_TEST(a_proxy_is_asked_for_a_tunnel_and_shown_nothing_of_the_request)
{
    static const struct receiver_step NO_TUNNEL[] = {
        {.answer = ANSWER("403 Forbidden", "", "0", ""), .close = true}};
    char proxy[64];
    receiver_start(&receiver, NO_TUNNEL, 1, NULL);
    snprintf(proxy, sizeof(proxy), "http://me:pass@127.0.0.1:%u", receiver.port);
    snprintf(url, sizeof(url), "https://shop.example/x");
    open_client(proxy);
    struct http_post post = post_of(NULL);
    post.allowed = NULL; /* the proxy is the operator's, wherever it is */
    ck_assert_ptr_nonnull(http_client_proxy(client));
    struct heard heard = send_post(&post);
    ck_assert(!heard.outcome.answered); /* an answer of the proxy is none of the integrator's */
    ck_assert_msg(strstr(heard.error, "403") != NULL, "%s", heard.error);
    const char *text = receiver.requests[0].text;
    ck_assert_ptr_nonnull(strstr(text, "CONNECT shop.example:443 HTTP/1.1"));
    ck_assert_ptr_nonnull(strstr(text, "Proxy-Authorization: Basic bWU6cGFzcw=="));
    ck_assert_ptr_null(strstr(text, "X-API-Key"));
}
END_TEST

START_TEST(options_that_are_not_understood_are_told)
{
    const struct http_client_options bad_proxy = {.connections_max = 1, .proxy = "socks5://x:1"};
    const struct http_client_options bad_servers = {.connections_max = 1, .dns_servers = "x"};
    char error[HTTP_CLIENT_ERROR_SIZE];
    ck_assert_int_lt(http_client_new(&loop, &bad_proxy, &client, error), 0);
    ck_assert_ptr_nonnull(strstr(error, "proxy"));
    ck_assert_int_lt(http_client_new(&loop, &bad_servers, &client, error), 0);
    ck_assert_ptr_nonnull(strstr(error, "name servers"));
    serve(NULL, "127.0.0.1"); /* for teardown */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_client");
    TCase *tests = tcase_create("http_client");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, what_was_connected_under_one_authority_is_not_used_under_another);
    tcase_add_test(
        tests, a_pin_that_fits_lets_pass_and_one_that_does_not_is_not_helped_by_a_kept_connection);
    tcase_add_test(tests, each_shows_its_own_certificate_and_never_over_anothers_connection);
    tcase_add_test(tests, a_server_that_wants_a_certificate_gets_no_request_without_one);
    tcase_add_test(tests, bulk_requests_have_connections_of_their_own);
    tcase_add_test(tests,
                   any_number_of_authorities_is_served_and_those_in_use_keep_their_connection);
    tcase_add_test(tests, each_authority_is_read_from_its_file_once_and_not_for_every_connection);
    tcase_add_test(tests, an_address_that_may_not_be_used_is_not_even_connected_to);
    tcase_add_test(tests, a_kept_connection_is_not_used_once_its_address_may_not_be);
    tcase_add_test(tests,
                   no_compressed_answer_is_asked_for_and_no_proxy_of_the_environment_is_used);
    tcase_add_test(tests, a_proxy_is_asked_for_a_tunnel_and_shown_nothing_of_the_request);
    tcase_add_test(tests, options_that_are_not_understood_are_told);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
