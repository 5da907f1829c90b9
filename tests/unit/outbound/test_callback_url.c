#include "base/macros.h"
#include "outbound/callback_url.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static bool check(const char *url, bool allow_http, const char *allow, struct callback_url *ret_url,
                  char ret_fault[static CALLBACK_URL_FAULT_SIZE])
{
    struct networks *allowed = NULL;
    char error[NETWORKS_ERROR_SIZE];
    ck_assert_int_eq(networks_parse(allow, &allowed, error), 0);
    const struct callback_url_rules rules = {allow_http, allowed};
    ret_fault[0] = '\0';
    bool fine = callback_url_check(url, &rules, ret_url, ret_fault);
    networks_free(&allowed);
    return fine;
}

struct good {
    const char *url;
    const char *host;
    bool literal;
};

static const struct good GOOD[] = {
    {"https://shop.example", "shop.example", false},
    {"https://shop.example/", "shop.example", false},
    {"https://shop.example:8443/hooks/v1/", "shop.example", false},
    {"https://xn--bcher-kva.example/a%20b", "xn--bcher-kva.example", false},
    {"https://sample_integrator:1", "sample_integrator", false},
    {"https://1shop.2example", "1shop.2example", false},
    {"https://0x.example", "0x.example", false},
    {"https://a-b.c3.example:65535/x/.well-known/..y", "a-b.c3.example", false},
    {"https://1.1.1.1/x", "1.1.1.1", true},
    {"https://[2606:4700::1111]:443/x", "2606:4700::1111", true},
    {"https://10.1.2.3", "10.1.2.3", true},
    {"https://[fd00::1]", "fd00::1", true},
    {"http://shop.example", "shop.example", false},
};

START_TEST(a_plain_address_is_taken_and_its_host_told)
{
    struct callback_url url;
    char fault[CALLBACK_URL_FAULT_SIZE];
    ck_assert_msg(check(GOOD[_i].url, true, "10.0.0.0/8,fd00::/8", &url, fault), "%s: %s",
                  GOOD[_i].url, fault);
    ck_assert_str_eq(url.host, GOOD[_i].host);
    ck_assert_int_eq(url.literal, GOOD[_i].literal);
}
END_TEST

struct bad {
    const char *url;
    const char *why; /* part of it */
};

#define NUMBER "a number that stands for an address"

static const struct bad BAD[] = {
    {NULL, "missing"},
    {"", "missing"},
    {"shop.example", "not https://"},
    {"//shop.example", "not https://"},
    {"ftp://shop.example", "not https://"},
    {"HTTPS://shop.example", "not https://"},
    {"https:/shop.example", "not https://"},
    {"http://shop.example", "http, which this endpoint does not permit"},
    {"https://", "no host"},
    {"https:///x", "no host"},
    {"https://:443", "no host"},
    {"https://user@shop.example", "user or password"},
    {"https://user:secret@shop.example", "user or password"},
    {"https://shop.example@127.0.0.1", "user or password"},
    {"https://@shop.example", "user or password"},
    {"https://shop.example?a", "query or fragment"},
    {"https://shop.example/?a=b", "query or fragment"},
    {"https://shop.example/#a", "query or fragment"},
    {"https://shop.example#@127.0.0.1", "query or fragment"},
    {"https://b\xC3\xBC"
     "cher.example",
     "not ASCII"},
    {"https://shop.example/a b", "a character"},
    {"https://shop.example/a\tb", "a character"},
    {"https://shop.example\r\nX: y", "a character"},
    {"https://shop.example\\@127.0.0.1", "a character"},
    {"https://{shop}.example", "a character"},
    {"https://shop.example:0", "the port"},
    {"https://shop.example:", "the port"},
    {"https://shop.example:00443", "the port"},
    {"https://shop.example:65536", "the port"},
    {"https://shop.example:443:443", "the port"},
    {"https://shop.example:+443", "the port"},
    {"https://shop.example/a/../b", ". or .."},
    {"https://shop.example/..", ". or .."},
    {"https://shop.example/./a", ". or .."},
    {"https://shop.example/%zz", "percent"},
    {"https://shop.example/%2", "percent"},
    {"https://127.0.0.%31", "percent signs"},
    {"https://%31%32%37.0.0.1", "percent signs"},
    {"https://shop%2eexample", "percent signs"},
    {"https://[fe80::1%25eth0]", "zone"},
    {"https://[fe80::1%eth0]", "zone"},
    {"https://Shop.example", "lower case"},
    {"https://shop.example.", "ends in a dot"},
    {"https://127.0.0.1.", "ends in a dot"},
    {"https://.shop.example", "not a name"},
    {"https://shop..example", "not a name"},
    {"https://-shop.example", "not a name"},
    {"https://shop-.example", "not a name"},
    {"https://shop!example", "not a name"},
    {"https://::1/", "no host"},
    {"https://fd00::1/", "the port"},
    {"https://[]", "in brackets"},
    {"https://[", "in brackets"},
    {"https://[127.0.0.1]", "in brackets"},
    {"https://[shop.example]", "in brackets"},
    {"https://[fd00::1]x", "in brackets"},
    /* IPv4 in other forms than four decimal numbers: decimal, octal, hexadecimal, short */
    {"https://2130706433/", NUMBER},
    {"https://0177.0.0.1", NUMBER},
    {"https://017700000001", NUMBER},
    {"https://0x7f000001", NUMBER},
    {"https://0x7f.0.0.1", NUMBER},
    {"https://0x7f.1", NUMBER},
    {"https://127.1", NUMBER},
    {"https://127.0.1", NUMBER},
    {"https://127.0.0.01", NUMBER},
    {"https://127.0.0.0x1", NUMBER},
    {"https://1.2.3.4.5", NUMBER},
    {"https://256.256.256.256", NUMBER},
    {"https://0", NUMBER},
    {"https://0x", NUMBER},
    {"https://shop.0x7f", NUMBER},
    {"https://0X7F.1", "lower case"},
    /* addresses that are refused */
    {"https://127.0.0.1", "address 127.0.0.1 is refused: loopback"},
    {"https://0.0.0.0", "unspecified"},
    {"https://10.1.2.3:8443/x", "address 10.1.2.3 is refused: private"},
    {"https://100.64.0.1", "CGNAT"},
    {"https://169.254.169.254/latest", "address 169.254.169.254 is refused: cloud metadata"},
    {"https://[::1]", "loopback"},
    {"https://[::]", "unspecified"},
    {"https://[0:0:0:0:0:0:0:1]", "loopback"},
    {"https://[::ffff:127.0.0.1]", "IPv4-mapped"},
    {"https://[::ffff:7f00:1]", "IPv4-mapped"},
    {"https://[0:0:0:0:0:ffff:127.0.0.1]", "IPv4-mapped"},
    {"https://[::127.0.0.1]", "IPv4-compatible"},
    {"https://[64:ff9b::7f00:1]", "NAT64"},
    {"https://[2002:7f00:1::]", "6to4"},
    {"https://[2001:0:7f00:1::]", "Teredo"},
    {"https://[fd00:ec2::254]", "cloud metadata"},
    {"https://[fe80::1]", "link-local"},
    {"https://[2606:4700:0:0::1111]", "not written as [2606:4700::1111]"},
    {"https://[2606:4700::ABCD]", "not written as [2606:4700::abcd]"},
};

START_TEST(what_can_be_read_in_two_ways_or_leads_astray_is_refused_with_its_reason)
{
    struct callback_url url;
    char fault[CALLBACK_URL_FAULT_SIZE];
    ck_assert_msg(!check(BAD[_i].url, false, NULL, &url, fault), "%s is taken", BAD[_i].url);
    ck_assert_msg(strstr(fault, BAD[_i].why) != NULL, "%s: %s", BAD[_i].url, fault);
}
END_TEST

START_TEST(a_network_permits_a_literal_address_but_no_other_spelling_of_it)
{
    struct callback_url url;
    char fault[CALLBACK_URL_FAULT_SIZE];
    ck_assert(check("https://127.0.0.1", false, "127.0.0.0/8", &url, fault));
    ck_assert(!check("https://127.1", false, "127.0.0.0/8", &url, fault));
    ck_assert(!check("https://[::ffff:127.0.0.1]", false, "127.0.0.0/8", &url, fault));
    ck_assert(check("https://[::ffff:127.0.0.1]", false, "::ffff:0:0/96", &url, fault));
    ck_assert(!check("https://[::ffff:7f00:1]", false, "::ffff:0:0/96", &url, fault));
}
END_TEST

START_TEST(the_length_is_bounded)
{
    char text[CALLBACK_URL_MAX + 2] = "https://shop.example/";
    struct callback_url url;
    char fault[CALLBACK_URL_FAULT_SIZE];
    size_t size = strlen(text);
    memset(text + size, 'a', CALLBACK_URL_MAX - size);
    ck_assert(check(text, false, NULL, &url, fault));
    text[CALLBACK_URL_MAX] = 'a';
    ck_assert(!check(text, false, NULL, &url, fault));
    ck_assert_ptr_nonnull(strstr(fault, "longer than"));
}
END_TEST

START_TEST(a_name_is_no_longer_than_dns_allows)
{
    char text[CALLBACK_URL_MAX] = "https://";
    struct callback_url url;
    char fault[CALLBACK_URL_FAULT_SIZE];
    memset(text + 8, 'a', 64);
    strcpy(text + 8 + 64, ".example");
    ck_assert(!check(text, false, NULL, &url, fault)); /* a label of 64 */
    for (size_t i = 8; i < 8 + 254; i++)
        text[i] = i % 10 == 9 ? '.' : 'a';
    text[8 + 254] = '\0';
    ck_assert(!check(text, false, NULL, &url, fault));
    text[8 + 253] = '\0';
    ck_assert_msg(check(text, false, NULL, &url, fault), "%s", fault);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("callback_url");
    TCase *tests = tcase_create("callback_url");
    tcase_add_loop_test(tests, a_plain_address_is_taken_and_its_host_told, 0, ARRAY_SIZE(GOOD));
    tcase_add_loop_test(tests,
                        what_can_be_read_in_two_ways_or_leads_astray_is_refused_with_its_reason, 0,
                        ARRAY_SIZE(BAD));
    tcase_add_test(tests, a_network_permits_a_literal_address_but_no_other_spelling_of_it);
    tcase_add_test(tests, the_length_is_bounded);
    tcase_add_test(tests, a_name_is_no_longer_than_dns_allows);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
