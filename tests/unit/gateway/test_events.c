#include "played_parts.h"

#include "gateway/query.h"

/* GET /ext/events: the query, who asks, and what is told. */

#define WITH_KEY "X-API-Key: key-of-ada\r\n"

static int get(const char *method, const char *target, const char *headers)
{
    int fd = dial(gateway_api_port(gateway));
    char *head =
        memory_format("%s %s HTTP/1.1\r\nHost: gateway\r\n%s\r\n", method, target, headers);
    say(fd, head);
    free(head);
    return fd;
}

static void wait_for_question(int fd)
{
    for (int i = 0; i < TURNS_MAX && !events_asked.callback; i++)
        turn(fd);
    ck_assert_ptr_nonnull(events_asked.callback);
}

static const struct {
    const char *target;
    int64_t after, limit;
} ASKED[] = {
    {"/ext/events", 0, 100},
    {"/ext/events?after=0&limit=1", 0, 1},
    {"/ext/events?limit=500&after=9007199254740991", 9007199254740991, 500},
    {"/connectivity-platform/ext/events?after=%34%32&whatever=x", 42, 100},
};

START_TEST(what_is_asked_for_reaches_the_store)
{
    int fd = get("GET", ASKED[_i].target, WITH_KEY);
    wait_for_question(fd);
    ck_assert_int_eq(events_asked.integrator_id, 1);
    ck_assert_int_eq(events_asked.after, ASKED[_i].after);
    ck_assert_int_eq(events_asked.limit, ASKED[_i].limit);
    const struct store_events found = {.events = "[{\"id\": 43}]", .next = 43, .more = true};
    events_asked.callback(events_asked.arg, STORE_APPLIED, &found);
    hear_status(fd, "HTTP/1.1 200 ",
                "{\"success\":true,\"message\":null,"
                "\"events\":[{\"id\":43}],\"next\":43,\"more\":true}");
    close(fd);
}
END_TEST

static const struct {
    const char *target, *headers, *status, *part;
} REFUSED[] = {
    {"/ext/events", "", "HTTP/1.1 401 ", "\"UNAUTHENTICATED\""},
    {"/ext/events", "X-API-Key: key-of-eve\r\n", "HTTP/1.1 401 ", "\"UNAUTHENTICATED\""},
    {"/ext/events?after=-1", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=x", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=1.5", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=1&after=1", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=1&after=1&after=1", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=9007199254740992", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?after=99999999999999999999", WITH_KEY, "HTTP/1.1 400 ", "field 'after' must be"},
    {"/ext/events?limit=0", WITH_KEY, "HTTP/1.1 400 ", "field 'limit' must be"},
    {"/ext/events?limit=501", WITH_KEY, "HTTP/1.1 400 ", "field 'limit' must be"},
};

START_TEST(what_cannot_be_meant_is_refused)
{
    int fd = get("GET", REFUSED[_i].target, REFUSED[_i].headers);
    hear_status(fd, REFUSED[_i].status, REFUSED[_i].part);
    ck_assert_ptr_null(events_asked.callback);
    close(fd);
}
END_TEST

START_TEST(another_method_is_told_which_one_to_use)
{
    int fd = get("DELETE", "/ext/events", WITH_KEY);
    hear_status(fd, "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n");
    close(fd);
}
END_TEST

START_TEST(before_the_horizon_is_known_it_is_told_to_come_back)
{
    events_asked.horizon = -1;
    int fd = get("GET", "/ext/events", WITH_KEY);
    hear_status(fd, "HTTP/1.1 503 ", "\"STORE_UNAVAILABLE\"");
    ck_assert_ptr_null(events_asked.callback);
    close(fd);
}
END_TEST

START_TEST(what_cannot_be_read_is_told_to_come_back)
{
    int fd = get("GET", "/ext/events", WITH_KEY);
    wait_for_question(fd);
    events_asked.callback(events_asked.arg, STORE_UNAVAILABLE, NULL);
    hear_status(fd, "HTTP/1.1 503 ", "\"STORE_UNAVAILABLE\"");
    close(fd);
}
END_TEST

START_TEST(the_rate_of_an_integrator_counts_here_too)
{
    requests_per_second = 1;
    people_refresh(people, NULL, NULL);
    int fd = -1;
    bool limited = false;
    for (int i = 0; i < 4 && !limited; i++) {
        events_asked.horizon = -1;
        fd = get("GET", "/ext/events", WITH_KEY);
        hear_status(fd, "HTTP/1.1 ", "\"success\":false");
        limited = strstr(heard, "HTTP/1.1 429 ") != NULL;
        close(fd);
    }
    ck_assert(limited);
}
END_TEST

static const struct {
    const char *text;
    json_type type;
} VALUES[] = {
    {"0", JSON_INTEGER},
    {"-7", JSON_INTEGER},
    {"007", JSON_INTEGER},
    {"123456789012345678", JSON_INTEGER},
    {"1234567890123456789", JSON_STRING},
    {"-", JSON_STRING},
    {"", JSON_STRING},
    {"+1", JSON_STRING},
    {"1 ", JSON_STRING},
    {"\xff", JSON_FALSE},
    {NULL, JSON_FALSE},
};

START_TEST(a_value_is_a_number_when_it_reads_as_one)
{
    json_t *value = query_value(VALUES[_i].text);
    ck_assert_int_eq(json_typeof(value), VALUES[_i].type);
    json_decref(value);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("events");
    TCase *tests = tcase_create("events");
    tcase_set_timeout(tests, 30);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, what_is_asked_for_reaches_the_store, 0, ARRAY_SIZE(ASKED));
    tcase_add_loop_test(tests, what_cannot_be_meant_is_refused, 0, ARRAY_SIZE(REFUSED));
    tcase_add_test(tests, another_method_is_told_which_one_to_use);
    tcase_add_test(tests, before_the_horizon_is_known_it_is_told_to_come_back);
    tcase_add_test(tests, what_cannot_be_read_is_told_to_come_back);
    tcase_add_test(tests, the_rate_of_an_integrator_counts_here_too);
    tcase_add_loop_test(tests, a_value_is_a_number_when_it_reads_as_one, 0, ARRAY_SIZE(VALUES));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
