#include "base/clock.h"
#include "base/macros.h"
#include "name_server.h"
#include "outbound/address.h"
#include "outbound/host.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uv_loop_t loop;
static struct name_server server;
static struct resolver *resolver;
static struct networks *ours; /* what the tests permit */
static struct host *host;

struct probe {
    struct host_waiter waiter;
    int told;
    char error[128];
    int64_t told_ms;
    struct probe *forgets; /* whose wait it takes back when told */
    bool frees;            /* the host, when told */
};

static void on_known(void *arg, const char *error)
{
    struct probe *probe = arg;
    probe->told++;
    probe->told_ms = clock_monotonic_ms();
    strncpy(probe->error, error ? error : "", sizeof(probe->error) - 1);
    if (probe->forgets)
        host_forget_waiter(&probe->forgets->waiter);
    if (probe->frees)
        host_free(&host);
}

static void wait_with(struct probe *probe, int64_t timeout_ms)
{
    probe->waiter = (struct host_waiter){.known = on_known, .arg = probe};
    host_wait(host, &probe->waiter, timeout_ms);
    ck_assert_int_eq(probe->told, 0);
}

/* The clock that hosts see: real, and further on by what tests add. */
static int64_t added_ms;

static int64_t advanced_ns(void *arg UNUSED)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (now.tv_sec * INT64_C(1000) + added_ms) * 1000 * 1000 + now.tv_nsec;
}

static void setup(void)
{
    static const struct clock_source SOURCE = {.monotonic_ns = advanced_ns};
    char error[NETWORKS_ERROR_SIZE];
    added_ms = 0;
    clock_replace(&SOURCE);
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    name_server_start(&server);
    ck_assert_int_eq(resolver_new(&loop, server.address, &resolver), 0);
    ck_assert_int_eq(networks_parse("127.0.0.0/8,::1/128,10.1.0.0/16", &ours, error), 0);
}

static void teardown(void)
{
    host_free(&host);
    resolver_free(&resolver);
    networks_free(&ours);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    name_server_stop(&server);
    clock_replace(NULL);
}

/* The name's addresses, all with this time to live, from now on. */
static void serve(const char *address, const char *other, uint32_t ttl_s)
{
    const struct name_server_record records[] = {
        {"shop.example", address, ttl_s}, {other ? "shop.example" : NULL, other, ttl_s}, {0}};
    name_server_set(&server, NAME_SERVER_ANSWERS, records);
}

/* Each lookup asks for A and AAAA. */
static int lookups(void)
{
    return name_server_queries(&server) / 2;
}

static void check_address(const char *expected)
{
    struct sockaddr_storage address;
    char text[ADDRESS_TEXT_SIZE];
    ck_assert(host_address(host, &address));
    address_text((const struct sockaddr *)&address, text);
    ck_assert_str_eq(text, expected);
}

/* Waits, and gives what it was told. */
static struct probe learn(void)
{
    struct probe probe = {0};
    wait_with(&probe, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 1);
    return probe;
}

static void check_loopback(const struct sockaddr_storage *address)
{
    ck_assert_str_eq(address_refusal((const struct sockaddr *)address, NULL), "loopback");
}

START_TEST(a_name_is_looked_up_once_and_then_known)
{
    struct sockaddr_storage address;
    struct probe probes[3] = {0};
    host = host_new(resolver, "localhost", ours);
    ck_assert(!host_is_literal(host));
    ck_assert(!host_address(host, &address));
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
        wait_with(&probes[i], 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
        ck_assert_int_eq(probes[i].told, 1);
        ck_assert_str_eq(probes[i].error, "");
    }
    ck_assert(host_address(host, &address));
    check_loopback(&address);
}
END_TEST

START_TEST(a_literal_is_known_without_a_look_up)
{
    struct sockaddr_storage address;
    host = host_new(resolver, "127.0.0.1", ours);
    ck_assert(host_is_literal(host));
    ck_assert(host_address(host, &address));
    check_loopback(&address);
    host_failed(host, &address); /* there is no other */
    ck_assert(host_address(host, &address));
}
END_TEST

static const char *const OURS[] = {"localhost", "127.0.0.1", "::1"};

START_TEST(a_name_that_leads_into_our_own_network_is_refused)
{
    struct sockaddr_storage address;
    struct probe probe = {0};
    host = host_new(resolver, OURS[_i], NULL);
    ck_assert(!host_address(host, &address));
    wait_with(&probe, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 1);
    ck_assert_ptr_nonnull(strstr(probe.error, "is refused: loopback"));
    ck_assert(!host_address(host, &address));
}
END_TEST

START_TEST(a_name_that_does_not_exist_is_told)
{
    struct probe probe = {0};
    host = host_new(resolver, "no.example", ours);
    wait_with(&probe, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 1);
    ck_assert_ptr_nonnull(strstr(probe.error, "name not resolved: "));
}
END_TEST

START_TEST(a_name_server_that_hangs_costs_only_the_waiters_deadline)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_SILENT, NULL);
    host = host_new(resolver, "shop.example", ours);
    int64_t start = clock_monotonic_ms();
    wait_with(&probe, 30);
    while (!probe.told)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_str_eq(probe.error, "name not resolved in time");
    ck_assert_int_lt(probe.told_ms - start, 200);
}
END_TEST

START_TEST(a_host_may_go_while_its_look_up_hangs)
{
    struct probe probe = {0};
    name_server_set(&server, NAME_SERVER_SILENT, NULL);
    host = host_new(resolver, "shop.example", ours);
    wait_with(&probe, 5000);
    host_forget_waiter(&probe.waiter);
    host_forget_waiter(&probe.waiter); /* not waiting any more: nothing happens */
    host_free(&host);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 0);
}
END_TEST

START_TEST(many_who_wait_cost_one_look_up)
{
    struct probe probes[50] = {0};
    serve("10.1.0.1", NULL, 60);
    host = host_new(resolver, "shop.example", ours);
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
        wait_with(&probes[i], 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    for (size_t i = 0; i < ARRAY_SIZE(probes); i++)
        ck_assert_int_eq(probes[i].told, 1);
    ck_assert_int_eq(lookups(), 1);
}
END_TEST

START_TEST(only_the_permitted_ones_of_several_addresses_are_given_out)
{
    struct sockaddr_storage address;
    serve("10.2.0.1", "10.1.0.1", 60);
    host = host_new(resolver, "shop.example", ours);
    ck_assert_str_eq(learn().error, "");
    check_address("10.1.0.1");
    ck_assert(host_address(host, &address));
    host_failed(host, &address);
    check_address("10.1.0.1");
}
END_TEST

START_TEST(a_name_that_turns_to_a_private_address_is_refused_from_then_on)
{
    struct sockaddr_storage address;
    serve("10.1.0.1", NULL, 5);
    host = host_new(resolver, "shop.example", ours);
    (void)learn();
    check_address("10.1.0.1");
    serve("169.254.169.254", NULL, 5);
    added_ms = 6 * 1000;
    check_address("10.1.0.1"); /* the one that was checked, and looks up beside */
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(!host_address(host, &address));
    ck_assert_str_eq(learn().error, "address 169.254.169.254 is refused: cloud metadata");
}
END_TEST

struct life {
    uint32_t ttl_s;
    int fresh_s; /* so long no further look-up */
};

static const struct life LIVES[] = {{0, 5}, {4, 5}, {60, 60}, {86400, 300}};

START_TEST(an_answer_is_fresh_for_its_ttl_within_bounds)
{
    serve("10.1.0.1", NULL, LIVES[_i].ttl_s);
    host = host_new(resolver, "shop.example", ours);
    (void)learn();
    added_ms = LIVES[_i].fresh_s * 1000 - 500;
    check_address("10.1.0.1");
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(lookups(), 1);
    added_ms = LIVES[_i].fresh_s * 1000 + 500;
    serve("10.1.0.2", NULL, 60);
    check_address("10.1.0.1");
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(lookups(), 2);
    check_address("10.1.0.2");
}
END_TEST

START_TEST(a_storm_on_a_name_that_does_not_resolve_is_one_look_up_a_second)
{
    host = host_new(resolver, "shop.example", ours);
    for (int i = 0; i < 20; i++)
        ck_assert_ptr_nonnull(strstr(learn().error, "name not resolved: "));
    ck_assert_int_eq(lookups(), 1);
    added_ms = 1500;
    serve("10.1.0.1", NULL, 60);
    ck_assert_str_eq(learn().error, "");
    ck_assert_int_eq(lookups(), 2);
}
END_TEST

START_TEST(a_server_that_fails_does_not_take_the_addresses_away_but_a_denial_does)
{
    struct sockaddr_storage address;
    serve("10.1.0.1", NULL, 5);
    host = host_new(resolver, "shop.example", ours);
    (void)learn();
    name_server_set(&server, NAME_SERVER_FAILS, NULL);
    added_ms = 10 * 1000;
    check_address("10.1.0.1");
    uv_run(&loop, UV_RUN_DEFAULT);
    check_address("10.1.0.1");
    uv_run(&loop, UV_RUN_DEFAULT);
    name_server_set(&server, NAME_SERVER_ANSWERS, NULL);
    added_ms = 20 * 1000;
    check_address("10.1.0.1");
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(!host_address(host, &address));
}
END_TEST

START_TEST(whoever_is_told_may_take_back_another_and_free_the_host)
{
    struct probe last = {0};
    struct probe first = {.forgets = &last, .frees = true};
    host = host_new(resolver, "localhost", ours);
    wait_with(&first, 5000);
    wait_with(&last, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(first.told, 1);
    ck_assert_int_eq(last.told, 0);
}
END_TEST

START_TEST(after_its_last_address_failed_a_name_is_looked_up_again_but_once_a_second)
{
    struct sockaddr_storage addresses[3];
    serve("10.1.0.1", "10.1.0.2", 60);
    host = host_new(resolver, "shop.example", ours);
    (void)learn();
    for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
        ck_assert(host_address(host, &addresses[i]));
        host_failed(host, &addresses[i]);
    }
    ck_assert(memcmp(&addresses[0], &addresses[1], sizeof(addresses[0])) != 0);
    ck_assert(memcmp(&addresses[0], &addresses[2], sizeof(addresses[0])) == 0);
    added_ms = 1500;
    ck_assert(host_address(host, &addresses[1]));
    host_failed(host, &addresses[1]);
    ck_assert(!host_address(host, &addresses[0]));
    ck_assert_str_eq(learn().error, "");
    ck_assert_int_eq(lookups(), 2);
}
END_TEST

START_TEST(old_addresses_serve_while_new_ones_are_looked_up_but_not_for_ever)
{
    struct sockaddr_storage address;
    serve("10.1.0.1", NULL, 60);
    host = host_new(resolver, "shop.example", ours);
    (void)learn();
    name_server_set(&server, NAME_SERVER_FAILS, NULL);
    added_ms = (10 * 60 - 1) * 1000;
    check_address("10.1.0.1");
    uv_run(&loop, UV_RUN_DEFAULT);
    added_ms = (10 * 60 + 1) * 1000;
    ck_assert(!host_address(host, &address));
    serve("10.1.0.2", NULL, 60);
    ck_assert_str_eq(learn().error, "");
    check_address("10.1.0.2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *tests = tcase_create("host");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_name_is_looked_up_once_and_then_known);
    tcase_add_test(tests, a_literal_is_known_without_a_look_up);
    tcase_add_loop_test(tests, a_name_that_leads_into_our_own_network_is_refused, 0,
                        ARRAY_SIZE(OURS));
    tcase_add_test(tests, a_name_that_does_not_exist_is_told);
    tcase_add_test(tests, a_name_server_that_hangs_costs_only_the_waiters_deadline);
    tcase_add_test(tests, a_host_may_go_while_its_look_up_hangs);
    tcase_add_test(tests, many_who_wait_cost_one_look_up);
    tcase_add_test(tests, only_the_permitted_ones_of_several_addresses_are_given_out);
    tcase_add_test(tests, a_name_that_turns_to_a_private_address_is_refused_from_then_on);
    tcase_add_loop_test(tests, an_answer_is_fresh_for_its_ttl_within_bounds, 0, ARRAY_SIZE(LIVES));
    tcase_add_test(tests, a_storm_on_a_name_that_does_not_resolve_is_one_look_up_a_second);
    tcase_add_test(tests, a_server_that_fails_does_not_take_the_addresses_away_but_a_denial_does);
    tcase_add_test(tests, whoever_is_told_may_take_back_another_and_free_the_host);
    tcase_add_test(tests,
                   after_its_last_address_failed_a_name_is_looked_up_again_but_once_a_second);
    tcase_add_test(tests, old_addresses_serve_while_new_ones_are_looked_up_but_not_for_ever);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
