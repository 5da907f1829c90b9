#include "base/macros.h"
#include "outbound/address.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char *refusal_of(const char *text, const char *allow)
{
    struct sockaddr_storage address = {0};
    struct networks *allowed = NULL;
    char again[ADDRESS_TEXT_SIZE], error[NETWORKS_ERROR_SIZE];
    ck_assert(address_parse(text, &address));
    address_text((struct sockaddr *)&address, again);
    ck_assert_str_eq(again, text);
    ck_assert_int_eq(networks_parse(allow, &allowed, error), 0);
    const char *refusal = address_refusal((struct sockaddr *)&address, allowed);
    networks_free(&allowed);
    return refusal;
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
    ck_assert_ptr_null(refusal_of(PUBLIC[_i], NULL));
    ck_assert_ptr_null(refusal_of(PUBLIC[_i], "10.0.0.0/8,fd00::/8"));
}
END_TEST

/* An address, why it is refused, and a network that lets it pass. */
struct refused {
    const char *address;
    const char *why;
    const char *allow;
};

static const struct refused REFUSED[] = {
    {"0.0.0.0", "unspecified", "0.0.0.0/32"},
    {"0.1.2.3", "reserved", "0.0.0.0/8"},
    {"10.0.0.0", "private", "10.0.0.0/8"},
    {"10.255.255.255", "private", "10.255.0.0/16"},
    {"100.64.0.1", "shared (CGNAT)", "100.64.0.0/10"},
    {"127.0.0.1", "loopback", "127.0.0.1/32"},
    {"127.255.255.255", "loopback", "127.0.0.0/8"},
    {"169.254.1.1", "link-local", "169.254.0.0/16"},
    {"172.16.0.1", "private", "172.16.0.0/12"},
    {"172.31.255.255", "private", "172.16.0.0/12"},
    {"192.0.0.8", "reserved", "192.0.0.0/24"},
    {"192.0.2.1", "documentation", "192.0.2.0/24"},
    {"192.31.196.1", "AS112", "192.31.196.0/24"},
    {"192.52.193.1", "AMT", "192.52.193.0/24"},
    {"192.88.99.1", "6to4 relay", "192.88.99.0/24"},
    {"192.168.0.1", "private", "192.168.0.0/16"},
    {"192.175.48.1", "AS112", "192.175.48.0/24"},
    {"198.18.0.1", "benchmark", "198.18.0.0/15"},
    {"198.19.255.255", "benchmark", "198.18.0.0/15"},
    {"198.51.100.1", "documentation", "198.51.100.0/24"},
    {"203.0.113.1", "documentation", "203.0.113.0/24"},
    {"224.0.0.1", "multicast", "224.0.0.0/4"},
    {"239.255.255.255", "multicast", "224.0.0.0/4"},
    {"240.0.0.1", "reserved", "240.0.0.0/4"},
    {"255.255.255.255", "broadcast", "255.255.255.255/32"},
    {"::", "unspecified", "::/128"},
    {"::1", "loopback", "::1/128"},
    {"::ffff:8.8.8.8", "IPv4-mapped", "::ffff:0:0/96"},
    {"::ffff:127.0.0.1", "IPv4-mapped", "::ffff:127.0.0.0/104"},
    {"::ffff:0:7f00:1", "IPv4-translated", "::ffff:0:0:0/96"},
    {"::127.0.0.1", "IPv4-compatible", "::/96"},
    {"64:ff9b::7f00:1", "NAT64", "64:ff9b::/96"},
    {"64:ff9b:1::1", "NAT64", "64:ff9b:1::/48"},
    {"100::1", "reserved", "100::/64"},
    {"2001::1", "Teredo", "2001::/32"},
    {"2001:2::1", "reserved", "2001:2::/48"},
    {"2001:20::1", "reserved", "2001::/23"},
    {"2001:db8::1", "documentation", "2001:db8::/32"},
    {"2002:7f00:1::1", "6to4", "2002::/16"},
    {"2620:4f:8000::1", "AS112", "2620:4f:8000::/48"},
    {"3fff::1", "documentation", "3fff::/20"},
    {"4000::1", "reserved", "4000::/3"},
    {"5f00::1", "reserved", "5f00::/16"},
    {"fc00::1", "private", "fc00::/7"},
    {"fdff::1", "private", "fd00::/8"},
    {"fe80::1", "link-local", "fe80::/10"},
    {"febf::1", "link-local", "fe80::/10"},
    {"fec0::1", "site-local", "fec0::/10"},
    {"ff02::1", "multicast", "ff00::/8"},
};

START_TEST(what_is_not_plainly_public_is_refused_unless_a_network_names_it)
{
    const struct refused *refused = &REFUSED[_i];
    ck_assert_str_eq(refusal_of(refused->address, NULL), refused->why);
    ck_assert_str_eq(refusal_of(refused->address, "198.18.99.0/32,fd99::/32"), refused->why);
    ck_assert_ptr_null(refusal_of(refused->address, refused->allow));
}
END_TEST

/* An IPv4 network, and addresses in it that are written as IPv6 ones. */
static const char *const HIDDEN[] = {
    "::ffff:10.0.0.1", "::ffff:0:a00:1", "::10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1",
};

START_TEST(an_ipv4_network_lets_no_hidden_address_pass)
{
    ck_assert_ptr_null(refusal_of("10.0.0.1", "10.0.0.0/8,0.0.0.0/0"));
    ck_assert_ptr_nonnull(refusal_of(HIDDEN[_i], "10.0.0.0/8,0.0.0.0/0"));
}
END_TEST

struct metadata {
    const char *address;
    const char *wide; /* contains it, but is not of it alone */
};

static const struct metadata METADATA[] = {
    {"169.254.169.254", "169.254.169.254/31,169.254.0.0/16,0.0.0.0/0"},
    {"169.254.170.2", "169.254.0.0/16"},
    {"192.0.0.192", "192.0.0.0/24"},
    {"100.100.100.200", "100.64.0.0/10"},
    {"168.63.129.16", "168.63.0.0/16"},
    {"fd00:ec2::254", "fd00::/8,::/0"},
    {"fd20:ce::254", "fd00::/8"},
    {"::ffff:169.254.169.254", "::ffff:0:0/96,169.254.169.254/32"},
    {"::ffff:0:a9fe:a9fe", "::/0"},
    {"::169.254.169.254", "::/0"},
    {"64:ff9b::a9fe:a9fe", "64:ff9b::/96"},
    {"64:ff9b:1::a9fe:a9fe", "64:ff9b:1::/48"},
    {"2002:a9fe:a9fe::1", "2002::/16"},
};

START_TEST(a_clouds_metadata_is_let_pass_by_its_one_address_only)
{
    const char *address = METADATA[_i].address;
    char alone[64];
    (void)snprintf(alone, sizeof(alone), "%s/%d", address, strchr(address, ':') ? 128 : 32);
    ck_assert_str_eq(refusal_of(address, NULL), "cloud metadata");
    ck_assert_str_eq(refusal_of(address, METADATA[_i].wide), "cloud metadata");
    ck_assert_ptr_null(refusal_of(address, alone));
}
END_TEST

START_TEST(other_families_are_refused)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    ck_assert_ptr_nonnull(address_refusal((struct sockaddr *)&address, NULL));
}
END_TEST

START_TEST(a_name_is_no_address)
{
    struct sockaddr_storage address;
    static const char *const NAMES[] = {"localhost", "",      "1.2.3",     "0x7f000001",
                                        "127.1",     "[::1]", "127.0.0.01"};
    for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
        ck_assert(!address_parse(NAMES[i], &address));
}
END_TEST

static const char *const NO_NETWORKS[] = {
    "10.0.0.0/8,",    ",",
    "10.0.0.0/33",    "10.0.0.0/-1",
    "10.0.0.0/08",    "10.0.0.1/8",
    "10.0.0.0/8 ",    "10.0.0.0/",
    "10/8",           "shop",
    "::/129",         "fd00::1/64",
    "fe80::1%eth0",   "[::1]/128",
    "10.0.0.0/8/",    "/8",
    "10.0.0.0/8,x",   "0x0a.0.0.0/8",
    "192.168.1.0/23", "10.0.0.0;::/0",
};

START_TEST(what_is_no_list_of_networks_is_told)
{
    struct networks *networks = NULL;
    char error[NETWORKS_ERROR_SIZE] = "";
    ck_assert_msg(networks_parse(NO_NETWORKS[_i], &networks, error) < 0, "%s", NO_NETWORKS[_i]);
    ck_assert_ptr_null(networks);
    ck_assert_str_ne(error, "");
}
END_TEST

START_TEST(a_list_has_a_limit)
{
    char text[20 * (NETWORKS_MAX + 1)] = "";
    struct networks *networks = NULL;
    char error[NETWORKS_ERROR_SIZE];
    for (int i = 0; i < NETWORKS_MAX; i++)
        strcat(text, i == 0 ? "10.0.0.0/8" : ",10.0.0.0/8");
    ck_assert_int_eq(networks_parse(text, &networks, error), 0);
    networks_free(&networks);
    strcat(text, ",10.0.0.0/8");
    ck_assert_int_lt(networks_parse(text, &networks, error), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("address");
    TCase *tests = tcase_create("address");
    tcase_add_loop_test(tests, a_public_address_may_be_called, 0, ARRAY_SIZE(PUBLIC));
    tcase_add_loop_test(tests, what_is_not_plainly_public_is_refused_unless_a_network_names_it, 0,
                        ARRAY_SIZE(REFUSED));
    tcase_add_loop_test(tests, an_ipv4_network_lets_no_hidden_address_pass, 0, ARRAY_SIZE(HIDDEN));
    tcase_add_loop_test(tests, a_clouds_metadata_is_let_pass_by_its_one_address_only, 0,
                        ARRAY_SIZE(METADATA));
    tcase_add_test(tests, other_families_are_refused);
    tcase_add_test(tests, a_name_is_no_address);
    tcase_add_loop_test(tests, what_is_no_list_of_networks_is_told, 0, ARRAY_SIZE(NO_NETWORKS));
    tcase_add_test(tests, a_list_has_a_limit);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
