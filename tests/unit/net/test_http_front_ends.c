/* When a connection of the HTTP front ends, and who is told. */
#include "front_test.h"

#include <signal.h>

/* --- deadlines --- */

START_TEST(a_slow_head_is_refused_however_lively_it_drips)
{
    gateway.options.head_ms = 100;
    front_open();
    struct client client = connect_client();
    client_write_text(&client, "GET / HTTP/1.1\r\nHost: x\r\nX-A: ");
    for (int64_t until = clock_monotonic_ms() + 150; clock_monotonic_ms() < until;) {
        (void)send(client.fd, "a", 1, MSG_NOSIGNAL);
        for (int i = 0; i < 20; i++)
            pump(&gateway.loop);
    }
    expect_refused(&client, "408");
    ck_assert(refused("slow") == 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_slow_body_is_refused)
{
    gateway.options.body_ms = 50;
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Content-Length: 5\r\n\r\nhel");
    expect_refused(&client, "408");
    PUMP_UNTIL(&gateway.loop, gateway.gone == 1);
    client_drop(&client);
}
END_TEST

START_TEST(an_idle_client_is_closed_without_an_answer)
{
    gateway.options.idle_ms = 50;
    front_open();
    struct client client = connect_client();
    if (_i == 1) { /* also after a request */
        client_write_text(&client, GET("/"));
        expect_up(GET("/"));
        far_write(OK_ANSWER);
        expect_answer(&client, OK_ANSWER);
    }
    ck_assert(client_is_at_end(&client));
    client_drop(&client);
}
END_TEST

START_TEST(a_client_that_waits_for_its_answer_is_not_idle)
{
    gateway.options.idle_ms = gateway.options.head_ms = gateway.options.body_ms = 30;
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Content-Length: 2\r\n\r\nhi");
    (void)far_read(10);
    for (int64_t until = clock_monotonic_ms() + 200; clock_monotonic_ms() < until;)
        pump(&gateway.loop);
    far_write(OK_ANSWER);
    expect_answer(&client, OK_ANSWER);
    client_drop(&client);
}
END_TEST

START_TEST(a_client_that_does_not_read_its_answer_is_dropped)
{
    gateway.options.idle_ms = 100;
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/big"));
    expect_up(GET("/big"));
    far_write("HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    static const char block[60000];
    int64_t until = clock_monotonic_ms() + PATIENCE_MS;
    while (gateway.gone == 0) {
        ck_assert_int_lt(clock_monotonic_ms(), until);
        (void)send(gateway.far, block, sizeof block, MSG_NOSIGNAL);
        pump(&gateway.loop);
    }
    client_drop(&client);
}
END_TEST

/* --- ends --- */

START_TEST(a_hang_up_during_a_request_is_told)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/wait"));
    expect_up(GET("/wait"));
    client_drop(&client);
    PUMP_UNTIL(&gateway.loop, gateway.gone == 1);
    ck_assert_int_eq(recv(gateway.far, &(char){0}, 1, 0), 0); /* by then the library sees it too */
}
END_TEST

START_TEST(what_the_library_wrote_before_it_closed_arrives)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Content-Length: 900\r\n\r\nwill never be read");
    PUMP_UNTIL(&gateway.loop, gateway.far >= 0);
    if (_i == 1)
        (void)far_read(
            10); /* else it closes with our bytes unread, which is an error on the socketpair */
    far_write("HTTP/1.1 401 No\r\n\r\nuntil the end");
    far_close();
    expect_answer(&client, "HTTP/1.1 401 No\r\n\r\nuntil the end");
    ck_assert(client_is_at_end(&client));
    client_drop(&client);
}
END_TEST

START_TEST(an_answer_to_nothing_is_never_sent)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/"));
    expect_up(GET("/"));
    far_write(OK_ANSWER);
    expect_answer(&client, OK_ANSWER);
    far_write("HTTP/1.1 408 Timeout\r\nContent-Length: 0\r\n\r\n");
    ck_assert(client_is_at_end(&client));
    client_drop(&client);
}
END_TEST

START_TEST(a_stopped_front_lets_the_running_request_finish)
{
    front_open();
    struct client busy = connect_client();
    client_write_text(&busy, GET("/wait") GET("/never"));
    expect_up(GET("/wait"));
    struct client idle = connect_client();
    PUMP_UNTIL(&gateway.loop, http_front_connections(gateway.front) == 2);
    http_front_stop(gateway.front);
    ck_assert(client_is_at_end(&idle));
    far_write(OK_ANSWER);
    expect_answer(&busy, OK_ANSWER);
    ck_assert(client_is_at_end(&busy));
    PUMP_UNTIL(&gateway.loop, http_front_connections(gateway.front) == 0);
    ck_assert_int_eq(recv(gateway.far, &(char){0}, 1, 0), 0);
    client_drop(&busy);
    client_drop(&idle);
}
END_TEST

START_TEST(a_freed_front_calls_nobody)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/wait"));
    expect_up(GET("/wait"));
    http_front_free(&gateway.front);
    ck_assert(client_is_at_end(&client));
    for (int i = 0; i < 20; i++)
        pump(&gateway.loop);
    ck_assert_uint_eq(gateway.gone, 0);
    client_drop(&client);
}
END_TEST

START_TEST(the_front_may_be_freed_when_its_last_connection_goes)
{
    gateway.free_when_gone = true;
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/"));
    expect_up(GET("/"));
    client_drop(&client);
    PUMP_UNTIL(&gateway.loop, gateway.gone == 1);
    ck_assert_ptr_null(gateway.front);
}
END_TEST

static void add_deadlines(TCase *cases)
{
    tcase_add_test(cases, a_slow_head_is_refused_however_lively_it_drips);
    tcase_add_test(cases, a_slow_body_is_refused);
    tcase_add_loop_test(cases, an_idle_client_is_closed_without_an_answer, 0, 2);
    tcase_add_test(cases, a_client_that_waits_for_its_answer_is_not_idle);
    tcase_add_test(cases, a_client_that_does_not_read_its_answer_is_dropped);
}

static void add_ends(TCase *cases)
{
    tcase_add_test(cases, a_hang_up_during_a_request_is_told);
    tcase_add_loop_test(cases, what_the_library_wrote_before_it_closed_arrives, 0, 2);
    tcase_add_test(cases, an_answer_to_nothing_is_never_sent);
    tcase_add_test(cases, a_stopped_front_lets_the_running_request_finish);
    tcase_add_test(cases, a_freed_front_calls_nobody);
    tcase_add_test(cases, the_front_may_be_freed_when_its_last_connection_goes);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the test's own client may write to a closed connection */
    Suite *suite = suite_create("http_front_ends");
    add_deadlines(cases_for(suite, "deadlines"));
    add_ends(cases_for(suite, "ends"));
    return run_suite(suite);
}
