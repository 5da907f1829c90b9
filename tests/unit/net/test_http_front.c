/* What reaches the HTTP library, and what is answered in front of it. */
#include "front_test.h"

#include <signal.h>

/* --- what passes --- */

START_TEST(a_request_and_its_answer_pass_unchanged)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Content-Length: 5\r\n\r\nhello");
    expect_up(POST "Content-Length: 5\r\n\r\nhello");
    ck_assert_str_eq(gateway.peer, "127.0.0.1");
    far_write(OK_ANSWER);
    expect_answer(&client, OK_ANSWER);
    client_write_text(&client, GET("/again"));
    expect_up(GET("/again"));
    ck_assert_uint_eq(gateway.connections, 1);
    client_drop(&client);
    PUMP_UNTIL(&gateway.loop, gateway.gone == 1);
    ck_assert_uint_eq(gateway.last_gone, gateway.connection);
}
END_TEST

START_TEST(a_request_passes_byte_by_byte)
{
    static const char REQUEST[] = POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
    front_open();
    struct client client = connect_client();
    for (size_t i = 0; i < strlen(REQUEST); i++)
        client_write(&client, REQUEST + i, 1);
    expect_up(REQUEST);
    client_drop(&client);
}
END_TEST

START_TEST(an_absolute_target_goes_up_in_origin_form)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("http://api.example:80/livez?a"));
    expect_up(GET("/livez?a"));
    client_drop(&client);
}
END_TEST

START_TEST(an_empty_line_before_a_request_is_passed_over_once)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, "\r\n" GET("/"));
    expect_up(GET("/"));
    far_write(OK_ANSWER);
    expect_answer(&client, OK_ANSWER);
    client_write_text(&client, "\r\n\r\n" GET("/"));
    expect_refused(&client, "400");
    expect_nothing_up();
    client_drop(&client);
}
END_TEST

START_TEST(pipelined_requests_go_up_one_by_one)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/1") GET("/2") GET("/3"));
    static const char *const REQUESTS[] = {GET("/1"), GET("/2"), GET("/3")};
    for (size_t i = 0; i < ARRAY_SIZE(REQUESTS); i++) {
        expect_up(REQUESTS[i]);
        expect_nothing_up();
        far_write(OK_ANSWER);
        expect_answer(&client, OK_ANSWER);
    }
    client_drop(&client);
}
END_TEST

START_TEST(an_interim_answer_does_not_end_the_request)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    expect_up(POST "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    far_write("HTTP/1.1 100 Continue\r\n\r\n");
    expect_answer(&client, "HTTP/1.1 100 Continue\r\n\r\n");
    client_write_text(&client, "hi" GET("/next"));
    expect_up("hi");
    expect_nothing_up();
    far_write(OK_ANSWER);
    expect_up(GET("/next"));
    client_drop(&client);
}
END_TEST

START_TEST(a_big_answer_waits_for_a_slow_reader)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/big"));
    expect_up(GET("/big"));
    enum { SIZE = 20000000 };
    char *bytes = calloc(1, SIZE);
    int head = snprintf(bytes, SIZE, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", SIZE - 50);
    size_t all = (size_t)head + SIZE - 50, sent = 0, got = 0;
    while (sent < all) { /* the client reads only when nothing moves any more */
        ssize_t put =
            send(gateway.far, bytes, all - sent < 60000 ? all - sent : 60000, MSG_NOSIGNAL);
        sent += put > 0 ? (size_t)put : 0;
        pump(&gateway.loop);
        if (put < 0)
            got += client_read(&client, bytes + 100, 60000);
    }
    while (got < all)
        got += client_read(&client, bytes + 100, all - got < 60000 ? all - got : 60000);
    free(bytes);
    client_write_text(&client, GET("/next"));
    expect_up(GET("/next"));
    client_drop(&client);
}
END_TEST

START_TEST(a_body_waits_for_a_library_that_is_slow)
{
    enum { SIZE = 4000000 };
    gateway.options.body_max = SIZE;
    front_open();
    struct client client = connect_client();
    char head[128];
    (void)snprintf(head, sizeof head, POST "Content-Length: %d\r\n\r\n", SIZE);
    client_write_text(&client, head);
    expect_up(head);
    char *body = calloc(1, SIZE);
    size_t sent = 0, got = 0;
    while (got < SIZE) {
        ssize_t put = sent < SIZE ? send(client.fd, body, SIZE - sent, MSG_NOSIGNAL) : -1;
        sent += put > 0 ? (size_t)put : 0;
        for (int i = 0; i < 5; i++)
            pump(&gateway.loop);
        ssize_t taken = recv(gateway.far, body, 50000, 0);
        got += taken > 0 ? (size_t)taken : 0;
    }
    free(body);
    far_write(OK_ANSWER);
    expect_answer(&client, OK_ANSWER);
    client_drop(&client);
}
END_TEST

/* --- what is refused --- */

struct refused_sample {
    const char *request, *status, *reason;
};

static const struct refused_sample REFUSED[] = {
    {POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400", "malformed"},
    {POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "400", "malformed"},
    {POST "X-A: b\r\n folded: yes\r\n\r\n", "400", "malformed"},
    {"GET / HTTP/1.1\nHost: x\n\n", "400", "malformed"},
    {"GET / HTTP/1.1\r\n\r\n", "400", "malformed"},
    {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "501", "unknown_method"},
    {POST "Content-Length: 1001\r\n\r\n", "413", "body_too_large"},
    {POST "Content-Length: 99999999999999999999999999\r\n\r\n", "413", "body_too_large"},
};

START_TEST(not_one_byte_of_a_bad_request_goes_up)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, REFUSED[_i].request);
    expect_refused(&client, REFUSED[_i].status);
    ck_assert_uint_eq(gateway.connections, 0);
    ck_assert(refused(REFUSED[_i].reason) == 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_head_without_end_is_refused_when_it_is_too_large)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, "GET / HTTP/1.1\r\nHost: x\r\nX-A: ");
    static char filler[HEAD_MAX];
    memset(filler, 'a', sizeof filler);
    client_write(&client, filler, sizeof filler);
    expect_refused(&client, "431");
    ck_assert_uint_eq(gateway.connections, 0);
    client_drop(&client);
}
END_TEST

START_TEST(a_complete_head_is_refused_when_it_is_too_large)
{
    front_open();
    struct client client = connect_client();
    char request[HEAD_MAX + 100];
    (void)snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: x\r\nX-A: %*d\r\n\r\n",
                   HEAD_MAX, 7);
    client_write_text(&client, request);
    expect_refused(&client, "431");
    client_drop(&client);
}
END_TEST

START_TEST(a_client_that_pushes_a_refused_body_still_reads_why)
{
    front_open();
    struct client client = connect_client();
    static const char body[300000];
    client_write_text(&client, POST "Content-Length: 300000\r\n\r\n");
    client_write(&client, body, sizeof body);
    expect_refused(&client, "413");
    client_drop(&client);
}
END_TEST

START_TEST(a_chunked_body_over_the_limit_is_cut_off)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    expect_up(POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    client_write_text(&client, "3E6\r\n");
    expect_refused(&client, "413");
    PUMP_UNTIL(&gateway.loop, gateway.gone == 1);
    client_drop(&client);
}
END_TEST

START_TEST(a_bad_chunk_is_refused_and_the_library_sees_the_end)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n");
    expect_refused(&client, "400");
    PUMP_UNTIL(&gateway.loop, recv(gateway.far, &(char){0}, 1, 0) == 0);
    client_drop(&client);
}
END_TEST

START_TEST(a_bad_request_behind_a_good_one_is_refused_after_the_answer)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/1") "GET / HTTP/1.1\r\n\r\n");
    expect_up(GET("/1"));
    expect_nothing_up();
    far_write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1");
    expect_answer(&client, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n1");
    far_write("234");
    expect_answer(&client, "234");
    expect_refused(&client, "400");
    client_drop(&client);
}
END_TEST

START_TEST(a_body_that_goes_wrong_never_cuts_into_an_answer_that_has_begun)
{
    front_open();
    struct client client = connect_client();
    client_write_text(&client, POST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    (void)far_read(10);
    far_write("HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\n12");
    expect_answer(&client, "HTTP/1.1 401 No\r\nContent-Length: 4\r\n\r\n12");
    client_write_text(&client, "garbage");
    far_write("34");
    expect_answer(&client, "34");
    ck_assert(client_is_at_end(&client));
    client_drop(&client);
}
END_TEST

START_TEST(a_connection_that_nobody_takes_is_closed)
{
    gateway.refuse = true;
    front_open();
    struct client client = connect_client();
    client_write_text(&client, GET("/"));
    ck_assert(client_is_at_end(&client));
    ck_assert_uint_eq(gateway.gone, 0);
    client_drop(&client);
}
END_TEST

static void add_passing(TCase *cases)
{
    tcase_add_test(cases, a_request_and_its_answer_pass_unchanged);
    tcase_add_test(cases, a_request_passes_byte_by_byte);
    tcase_add_test(cases, an_absolute_target_goes_up_in_origin_form);
    tcase_add_test(cases, an_empty_line_before_a_request_is_passed_over_once);
    tcase_add_test(cases, pipelined_requests_go_up_one_by_one);
    tcase_add_test(cases, an_interim_answer_does_not_end_the_request);
    tcase_add_test(cases, a_big_answer_waits_for_a_slow_reader);
    tcase_add_test(cases, a_body_waits_for_a_library_that_is_slow);
}

static void add_refusing(TCase *cases)
{
    tcase_add_loop_test(cases, not_one_byte_of_a_bad_request_goes_up, 0, ARRAY_SIZE(REFUSED));
    tcase_add_test(cases, a_head_without_end_is_refused_when_it_is_too_large);
    tcase_add_test(cases, a_complete_head_is_refused_when_it_is_too_large);
    tcase_add_test(cases, a_client_that_pushes_a_refused_body_still_reads_why);
    tcase_add_test(cases, a_chunked_body_over_the_limit_is_cut_off);
    tcase_add_test(cases, a_bad_chunk_is_refused_and_the_library_sees_the_end);
    tcase_add_test(cases, a_bad_request_behind_a_good_one_is_refused_after_the_answer);
    tcase_add_test(cases, a_body_that_goes_wrong_never_cuts_into_an_answer_that_has_begun);
    tcase_add_test(cases, a_connection_that_nobody_takes_is_closed);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN); /* the test's own client may write to a closed connection */
    Suite *suite = suite_create("http_front");
    add_passing(cases_for(suite, "passing"));
    add_refusing(cases_for(suite, "refusing"));
    return run_suite(suite);
}
