/* Which addresses share one limit. */
#include "net/address_counts.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage address = {0};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)rand())};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)rand())};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        memcpy(&address, &v4, sizeof v4);
    } else {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
        memcpy(&address, &v6, sizeof v6);
    }
    return address;
}

struct pair {
    const char *first, *second;
    bool shared;
};

static const struct pair PAIRS[] = {
    {"192.0.2.1", "192.0.2.1", true},
    {"192.0.2.1", "192.0.2.2", false},
    {"192.0.2.1", "::ffff:192.0.2.1", true},           /* the same client on a dual-stack socket */
    {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true}, /* one /64 is one client */
    {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
    {"::ffff:192.0.2.1", "::1", false},
};

START_TEST(two_addresses_share_a_limit_when_one_client_holds_both)
{
    struct address_counts counts = {0};
    struct sockaddr_storage first = address_of(PAIRS[_i].first),
                            second = address_of(PAIRS[_i].second);
    ck_assert(address_counts_take(&counts, &first, 1));
    bool taken = address_counts_take(&counts, &second, 1);
    ck_assert(taken == !PAIRS[_i].shared);
    if (taken)
        address_counts_give(&counts, &second);
    address_counts_give(&counts, &first);
    ck_assert_ptr_null(counts.table);
}
END_TEST

START_TEST(a_place_given_back_can_be_taken_again)
{
    struct address_counts counts = {0};
    struct sockaddr_storage address = address_of("192.0.2.1");
    for (int i = 0; i < 3; i++)
        ck_assert(address_counts_take(&counts, &address, 3));
    ck_assert(!address_counts_take(&counts, &address, 3));
    address_counts_give(&counts, &address);
    ck_assert(address_counts_take(&counts, &address, 3));
    for (int i = 0; i < 3; i++)
        address_counts_give(&counts, &address);
    ck_assert_ptr_null(counts.table);
}
END_TEST

START_TEST(unix_sockets_are_not_counted)
{
    struct address_counts counts = {0};
    struct sockaddr_storage address = {.ss_family = AF_UNIX};
    for (int i = 0; i < 5; i++)
        ck_assert(address_counts_take(&counts, &address, 1));
    address_counts_give(&counts, &address);
    ck_assert_ptr_null(counts.table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address_counts");
    TCase *cases = tcase_create("all");
    tcase_add_loop_test(cases, two_addresses_share_a_limit_when_one_client_holds_both, 0,
                        ARRAY_SIZE(PAIRS));
    tcase_add_test(cases, a_place_given_back_can_be_taken_again);
    tcase_add_test(cases, unix_sockets_are_not_counted);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
