#include "base/clock.h"
#include "base/macros.h"
#include "outbound/address.h"
#include "outbound/host.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { POOL_THREADS = 4, HANG_MS = 400 };

static uv_loop_t loop;
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

static void setup(void)
{
    ck_assert_int_eq(uv_loop_init(&loop), 0);
}

static void teardown(void)
{
    host_free(&host);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
}

static void check_loopback(const struct sockaddr_storage *address)
{
    ck_assert_str_eq(address_refusal((const struct sockaddr *)address, false), "loopback");
}

START_TEST(a_name_is_looked_up_once_and_then_known)
{
    struct sockaddr_storage address;
    struct probe probes[3] = {0};
    host = host_new(&loop, "localhost", true);
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
    host = host_new(&loop, "127.0.0.1", true);
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
    host = host_new(&loop, OURS[_i], false);
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
    host = host_new(&loop, "no such name.invalid", true);
    wait_with(&probe, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 1);
    ck_assert_str_ne(probe.error, "");
}
END_TEST

static void hang(uv_work_t *work UNUSED)
{
    usleep(HANG_MS * 1000);
}

static void on_hung(uv_work_t *work UNUSED, int status UNUSED)
{
}

/* Every thread of the pool hangs, as it would in a resolver that gets no answer. */
static void hang_resolver(uv_work_t works[static POOL_THREADS])
{
    for (size_t i = 0; i < POOL_THREADS; i++)
        ck_assert_int_eq(uv_queue_work(&loop, &works[i], hang, on_hung), 0);
}

START_TEST(a_resolver_that_hangs_costs_only_the_waiters_deadline)
{
    uv_work_t works[POOL_THREADS];
    struct probe probe = {0};
    struct probe patient = {0};
    struct sockaddr_storage address;
    hang_resolver(works);
    host = host_new(&loop, "localhost", true);
    int64_t start = clock_monotonic_ms();
    wait_with(&probe, 30);
    wait_with(&patient, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_str_eq(probe.error, "name not resolved in time");
    ck_assert_int_lt(probe.told_ms - start, HANG_MS / 2);
    ck_assert_int_eq(probe.told, 1);
    ck_assert_str_eq(patient.error, "");
    ck_assert(host_address(host, &address));
}
END_TEST

START_TEST(a_host_may_go_while_its_look_up_hangs)
{
    uv_work_t works[POOL_THREADS];
    struct probe probe = {0};
    hang_resolver(works);
    host = host_new(&loop, "localhost", true);
    wait_with(&probe, 5000);
    host_forget_waiter(&probe.waiter);
    host_forget_waiter(&probe.waiter); /* not waiting any more: nothing happens */
    host_free(&host);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(probe.told, 0);
}
END_TEST

START_TEST(whoever_is_told_may_take_back_another_and_free_the_host)
{
    struct probe last = {0};
    struct probe first = {.forgets = &last, .frees = true};
    host = host_new(&loop, "localhost", true);
    wait_with(&first, 5000);
    wait_with(&last, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(first.told, 1);
    ck_assert_int_eq(last.told, 0);
}
END_TEST

START_TEST(after_its_last_address_failed_a_name_is_looked_up_again)
{
    struct sockaddr_storage address;
    struct probe probe = {0};
    host = host_new(&loop, "localhost", true);
    wait_with(&probe, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    int failed = 0;
    while (host_address(host, &address)) {
        ck_assert_int_lt(failed++, 8);
        host_failed(host, &address);
    }
    ck_assert_int_ge(failed, 1);
    struct probe again = {0};
    wait_with(&again, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_str_eq(again.error, "");
    ck_assert(host_address(host, &address));
}
END_TEST

static int64_t pretended_ms;

static int64_t pretended_ns(void *arg UNUSED)
{
    return pretended_ms * 1000 * 1000;
}

START_TEST(old_addresses_serve_while_new_ones_are_looked_up_but_not_for_ever)
{
    static const struct clock_source SOURCE = {.monotonic_ns = pretended_ns};
    struct sockaddr_storage address;
    struct probe probe = {0};
    pretended_ms = clock_monotonic_ms();
    clock_replace(&SOURCE);
    host = host_new(&loop, "localhost", true);
    wait_with(&probe, 5000);
    uv_run(&loop, UV_RUN_DEFAULT);
    pretended_ms += 60 * 1000;
    ck_assert(host_address(host, &address)); /* and looks it up beside */
    pretended_ms += 9 * 60 * 1000;
    ck_assert(!host_address(host, &address));
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert(host_address(host, &address));
    clock_replace(NULL);
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
    tcase_add_test(tests, a_resolver_that_hangs_costs_only_the_waiters_deadline);
    tcase_add_test(tests, a_host_may_go_while_its_look_up_hangs);
    tcase_add_test(tests, whoever_is_told_may_take_back_another_and_free_the_host);
    tcase_add_test(tests, after_its_last_address_failed_a_name_is_looked_up_again);
    tcase_add_test(tests, old_addresses_serve_while_new_ones_are_looked_up_but_not_for_ever);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
