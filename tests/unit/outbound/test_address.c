#include "base/macros.h"
#include "outbound/address.h"

#include <check.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char *refusal_of(const char *text, bool allow_private)
{
    struct sockaddr_storage address = {0};
    ck_assert(address_parse(text, &address));
    char again[ADDRESS_TEXT_SIZE];
    address_text((struct sockaddr *)&address, again);
    ck_assert_str_eq(again, text);
    return address_refusal((struct sockaddr *)&address, allow_private);
}

static const char *const PUBLIC[] = {
    "1.1.1.1",         "9.255.255.255",        "11.0.0.0",
    "100.63.255.255",  "100.128.0.0",          "126.255.255.255",
    "128.0.0.1",       "172.15.255.255",       "172.32.0.0",
    "192.167.255.255", "192.169.0.0",          "198.17.255.255",
    "198.20.0.0",      "223.255.255.255",      "2606:4700::1",
    "2a00:1450::8a",   "2001:4860:4860::8888", "2003::1",
};

START_TEST(a_public_address_may_be_called)
{
    ck_assert_ptr_null(refusal_of(PUBLIC[_i], false));
    ck_assert_ptr_null(refusal_of(PUBLIC[_i], true));
}
END_TEST

static const char *const PRIVATE[] = {
    "10.0.0.0",        "10.255.255.255", "100.64.0.1",     "127.0.0.1",   "127.255.255.255",
    "169.254.169.254", "172.16.0.1",     "172.31.255.255", "192.168.0.1", "::1",
    "fc00::1",         "fdff::1",        "fe80::1",        "febf::1",
};

START_TEST(our_own_network_needs_a_permission)
{
    ck_assert_ptr_nonnull(refusal_of(PRIVATE[_i], false));
    ck_assert_ptr_null(refusal_of(PRIVATE[_i], true));
}
END_TEST

static const char *const NEVER_USED[] = {
    "0.0.0.0",         "0.1.2.3",        "192.0.0.8",       "192.0.2.1",    "192.88.99.1",
    "198.18.0.1",      "198.19.255.255", "198.51.100.1",    "203.0.113.1",  "224.0.0.1",
    "239.255.255.255", "240.0.0.1",      "255.255.255.255", "::",           "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",  "::127.0.0.1",    "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "2001::1",         "2001:db8::1",    "2002:7f00:1::1",  "3fff::1",      "4000::1",
    "5f00::1",         "fec0::1",        "ff02::1",
};

START_TEST(what_hides_an_address_or_is_none_is_refused_even_with_permission)
{
    ck_assert_ptr_nonnull(refusal_of(NEVER_USED[_i], false));
    ck_assert_ptr_nonnull(refusal_of(NEVER_USED[_i], true));
}
END_TEST

START_TEST(other_families_are_refused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    ck_assert_ptr_nonnull(address_refusal((struct sockaddr *)&address, true));
}
END_TEST

START_TEST(a_name_is_no_address)
{
    struct sockaddr_storage address;
    static const char *const NAMES[] = {"localhost", "", "1.2.3", "0x7f000001", "127.1", "[::1]"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        ck_assert(!address_parse(NAMES[i], &address));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tests = tcase_create("address");
    tcase_add_loop_test(tests, a_public_address_may_be_called, 0, ARRAY_SIZE(PUBLIC));
    tcase_add_loop_test(tests, our_own_network_needs_a_permission, 0, ARRAY_SIZE(PRIVATE));
    tcase_add_loop_test(tests, what_hides_an_address_or_is_none_is_refused_even_with_permission, 0,
                        ARRAY_SIZE(NEVER_USED));
    tcase_add_test(tests, other_families_are_refused);
    tcase_add_test(tests, a_name_is_no_address);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
