/* front_test.h - for the tests of the HTTP front: the HTTP library is played by the test, which
 * holds the far end of the socketpair. */
#ifndef VENDGATE_TESTS_FRONT_TEST_H
#define VENDGATE_TESTS_FRONT_TEST_H

#include "net/http_front.h"
#include "net_test.h"

#define HEAD_MAX 2048
#define BODY_MAX 1000
#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"
#define POST "POST /p HTTP/1.1\r\nHost: x\r\n"
#define OK_ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

struct gateway {
    uv_loop_t loop;
    struct metrics *metrics;
    struct http_front *front;
    struct http_front_options options;
    int far; /* the newest; -1: none */
    uint64_t connection;
    char peer[64];
    unsigned connections, gone;
    uint64_t last_gone;
    bool refuse, free_when_gone;
};

static struct gateway gateway;

static inline bool take_connection(void *arg, int fd, uint64_t connection,
                                   const struct net_peer *peer)
{
    struct gateway *self = arg;
    if (self->refuse)
        return false;
    self->far = fd;
    self->connection = connection;
    self->connections++;
    (void)snprintf(self->peer, sizeof self->peer, "%s", peer->address_text);
    return true;
}

static inline void gone(void *arg, uint64_t connection)
{
    struct gateway *self = arg;
    self->gone++;
    self->last_gone = connection;
    if (self->free_when_gone)
        http_front_free(&self->front);
}

static inline const char *refusal(void *arg, enum http_refusal which)
{
    static const char *const ANSWERS[] = {
        [HTTP_REFUSED_BAD_HEAD] = "HTTP/1.1 400 X\r\n\r\n",
        [HTTP_REFUSED_SLOW] = "HTTP/1.1 408 X\r\n\r\n",
        [HTTP_REFUSED_BODY_TOO_LARGE] = "HTTP/1.1 413 X\r\n\r\n",
        [HTTP_REFUSED_HEAD_TOO_LARGE] = "HTTP/1.1 431 X\r\n\r\n",
        [HTTP_REFUSED_METHOD] = "HTTP/1.1 501 X\r\n\r\n",
    };
    (void)arg;
    return ANSWERS[which];
}

static const struct http_front_handlers HANDLERS = {take_connection, gone, refusal};

static inline void front_open(void)
{
    char error[NET_ERROR_SIZE] = "";
    int result = http_front_open(&gateway.loop, &gateway.options, &HANDLERS, &gateway,
                                 gateway.metrics, &gateway.front, error);
    ck_assert_msg(result == 0, "%s", error);
}

static inline void setup(void)
{
    gateway = (struct gateway){.metrics = metrics_new(), .far = -1};
    ck_assert_int_eq(uv_loop_init(&gateway.loop), 0);
    gateway.options = (struct http_front_options){
        .listener = {.name = "api",
                     .address = "127.0.0.1",
                     .fd = -1,
                     .connections_max = 100,
                     .connections_per_address_max = 100,
                     .write_queue_max = 100000},
        .head_max = HEAD_MAX,
        .body_max = BODY_MAX,
        .head_ms = 2000,
        .body_ms = 2000,
        .idle_ms = 2000,
    };
}

static inline void far_close(void)
{
    if (gateway.far >= 0)
        (void)close(gateway.far);
    gateway.far = -1;
}

static inline void teardown(void)
{
    http_front_free(&gateway.front);
    loop_finish(&gateway.loop);
    far_close();
    metrics_free(&gateway.metrics);
}

static inline struct client connect_client(void)
{
    return client_connect(&gateway.loop, http_front_port(gateway.front));
}

/* What the HTTP library has been given so far, at least `size` bytes of it. */
static inline const char *far_read(size_t size)
{
    static char bytes[65536];
    size_t have = 0;
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (have < size) {
        ck_assert_msg(clock_monotonic_ms() < until, "only %zu of %zu bytes went up", have, size);
        pump(&gateway.loop);
        ssize_t got =
            gateway.far < 0 ? 0 : recv(gateway.far, bytes + have, sizeof bytes - 1 - have, 0);
        have += got > 0 ? (size_t)got : 0;
    }
    bytes[have] = '\0';
    return bytes;
}

static inline void expect_up(const char *bytes)
{
    ck_assert_str_eq(far_read(strlen(bytes)), bytes);
}

static inline void expect_nothing_up(void)
{
    char byte;
    for (int i = 0; i < 30; i++)
        pump(&gateway.loop);
    ck_assert(gateway.far < 0 || recv(gateway.far, &byte, 1, 0) <= 0);
}

static inline void far_write(const char *text)
{
    ck_assert_int_eq(send(gateway.far, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void expect_answer(struct client *client, const char *answer)
{
    char text[4096] = "";
    ck_assert_uint_lt(strlen(answer), sizeof text);
    (void)client_read(client, text, strlen(answer));
    ck_assert_str_eq(text, answer);
}

static inline void expect_refused(struct client *client, const char *status)
{
    char text[256] = "";
    (void)client_read(client, text, sizeof text - 1); /* up to the end of the connection */
    ck_assert_msg(strncmp(text, "HTTP/1.1 ", 9) == 0 && strncmp(text + 9, status, 3) == 0, "got %s",
                  text);
    ck_assert_msg(strlen(text) == strlen("HTTP/1.1 400 X\r\n\r\n"), "got %s", text);
}

static inline double refused(const char *reason)
{
    char line[128];
    (void)snprintf(line, sizeof line,
                   "vendgate_http_refused_total{listener=\"api\",reason=\"%s\"} ", reason);
    char *text = metrics_render(gateway.metrics, &(size_t){0});
    const char *found = strstr(text, line);
    double value = found ? strtod(found + strlen(line), NULL) : -1;
    free(text);
    return value;
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
