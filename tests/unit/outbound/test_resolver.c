#include "base/clock.h"
#include "base/macros.h"
#include "name_server.h"
#include "outbound/address.h"
#include "outbound/resolver.h"

#include <errno.h>
#include <stdlib.h>

enum { ALL_TRIES_MS = 300 + 600 + 1200 };

static uv_loop_t loop;
static struct name_server server;
static struct resolver *resolver;

struct probe {
    struct resolver_lookup *lookup;
    int told;
    struct resolver_answer answer;
    struct resolver_lookup **cancels; /* when told */
    bool frees;                       /* the resolver, when told */
};

static void on_done(void *arg, const struct resolver_answer *answer)
{
    struct probe *probe = arg;
    probe->told++;
    probe->lookup = NULL;
    probe->answer = *answer;
    if (probe->cancels)
        resolver_cancel(probe->cancels);
    if (probe->frees)
        resolver_free(&resolver);
}

static void ask(struct probe *probe, const char *name)
{
    probe->lookup = resolver_look_up(resolver, name, on_done, probe);
    ck_assert_int_eq(probe->told, 0);
}

static void ask_and_wait(struct probe *probe, const char *name)
{
    ask(probe, name);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe->told, 1);
}

static bool has(const struct probe *probe, const char *address)
{
    char text[ADDRESS_TEXT_SIZE];
    for (size_t i = 0; i < probe->answer.count; i++) {
        address_text((const struct sockaddr *)&probe->answer.addresses[i], text);
        if (strcmp(text, address) == 0)
            return true;
    }
    return false;
}

static void setup(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    name_server_start(&server);
    ck_assert_int_eq(resolver_new(&loop, server.address, &resolver), 0);
}

static void teardown(void)
{
    resolver_free(&resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    name_server_stop(&server);
}

static const struct name_server_record SHOP[] = {
    {"shop.example", "192.0.2.7", 60},
    {"shop.example", "192.0.2.8", 20},
    {"shop.example", "2001:db8::7", 90},
    {NULL, NULL, 0},
};

START_TEST(a_name_has_all_its_addresses_and_the_shortest_ttl)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_ANSWERS, SHOP);
    ask_and_wait(&probe, "shop.example");
    ck_assert_int_eq(probe.answer.result, RESOLVER_FOUND);
    ck_assert_ptr_null(probe.answer.error);
    ck_assert_uint_eq(probe.answer.count, 3);
    ck_assert(has(&probe, "192.0.2.7") && has(&probe, "192.0.2.8") && has(&probe, "2001:db8::7"));
    ck_assert_int_eq(probe.answer.ttl_s, 20);
}
END_TEST

START_TEST(a_name_is_not_tried_in_search_domains)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_ANSWERS, SHOP);
    ask_and_wait(&probe, "shop");
    ck_assert_int_eq(probe.answer.result, RESOLVER_NO_SUCH_NAME);
    ck_assert_int_eq(name_server_queries(&server), 2); /* A and AAAA of the one name */
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_told_as_such)
{
    struct probe probe = {0};
    ask_and_wait(&probe, "no.example");
    ck_assert_int_eq(probe.answer.result, RESOLVER_NO_SUCH_NAME);
    ck_assert_ptr_nonnull(probe.answer.error);
    ck_assert_uint_eq(probe.answer.count, 0);
}
END_TEST

START_TEST(a_server_that_fails_does_not_deny_the_name)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_FAILS, SHOP);
    ask_and_wait(&probe, "shop.example");
    ck_assert_int_eq(probe.answer.result, RESOLVER_FAILED);
    ck_assert_ptr_nonnull(probe.answer.error);
}
END_TEST

START_TEST(a_silent_server_ends_after_all_tries_and_holds_up_no_other_name)
{
    struct probe silent = {0};
    struct probe local = {0};
    name_server_set(&server, NAME_SERVER_SILENT, NULL);
    int64_t start_ms = clock_monotonic_ms();
    ask(&silent, "shop.example");
    ask(&local, "localhost");
    while (!local.told)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_int_eq(silent.told, 0);
    ck_assert(has(&local, "127.0.0.1") || has(&local, "::1"));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(silent.told, 1);
    ck_assert_int_eq(silent.answer.result, RESOLVER_FAILED);
    ck_assert_int_ge(clock_monotonic_ms() - start_ms, ALL_TRIES_MS - 100);
    ck_assert_int_eq(name_server_queries(&server), 6); /* A and AAAA, three tries */
}
END_TEST

START_TEST(a_truncated_answer_is_asked_for_over_tcp)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_TRUNCATES, SHOP);
    ask_and_wait(&probe, "shop.example");
    ck_assert_int_eq(probe.answer.result, RESOLVER_FOUND);
    ck_assert_uint_eq(probe.answer.count, 3);
    ck_assert_int_eq(server.tcp_queries, 2);
}
END_TEST

START_TEST(whoever_is_told_may_cancel_another_and_free_the_resolver)
{
    struct probe second = {0};
    struct probe first = {.cancels = &second.lookup, .frees = true};
    ask(&first, "localhost");
    ask(&second, "localhost");
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(first.told, 1);
    ck_assert_int_eq(second.told, 0);
}
END_TEST

START_TEST(a_cancelled_lookup_is_told_to_nobody)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_ANSWERS, SHOP);
    ask(&probe, "shop.example");
    resolver_cancel(&probe.lookup);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 0);
}
END_TEST

START_TEST(it_may_be_freed_while_a_server_is_silent)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_SILENT, NULL);
    ask(&probe, "shop.example");
    uv_run(&loop, UV_RUN_NOWAIT);
    resolver_free(&resolver);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 0);
}
END_TEST

START_TEST(what_is_no_list_of_servers_is_refused)
{
    static const char *const LISTS[] = {"shop.example", "127.0.0.1:53:53", "127.0.0.1 127.0.0.2"};
    struct resolver *other = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(LISTS); i++) {
        ck_assert_msg(resolver_new(&loop, LISTS[i], &other) == -EINVAL, "%s", LISTS[i]);
        ck_assert_ptr_null(other);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolver");
    TCase *tests = tcase_create("resolver");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 20);
    tcase_add_test(tests, a_name_has_all_its_addresses_and_the_shortest_ttl);
    tcase_add_test(tests, a_name_is_not_tried_in_search_domains);
    tcase_add_test(tests, a_name_that_does_not_exist_is_told_as_such);
    tcase_add_test(tests, a_server_that_fails_does_not_deny_the_name);
    tcase_add_test(tests, a_silent_server_ends_after_all_tries_and_holds_up_no_other_name);
    tcase_add_test(tests, a_truncated_answer_is_asked_for_over_tcp);
    tcase_add_test(tests, whoever_is_told_may_cancel_another_and_free_the_resolver);
    tcase_add_test(tests, a_cancelled_lookup_is_told_to_nobody);
    tcase_add_test(tests, it_may_be_freed_while_a_server_is_silent);
    tcase_add_test(tests, what_is_no_list_of_servers_is_refused);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
