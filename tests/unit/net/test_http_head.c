/* What the check of request heads lets through, and what it refuses. */
#include "net/http_head.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: api.example\r\n"

struct sample {
    const char *what, *head;
    size_t size; /* 0: strlen */
    enum http_head_verdict verdict;
    enum http_framing framing;
    uint64_t length;
};

#define GOOD(what_, head_, framing_, length_)            \
    {                                                    \
        what_, head_, 0, HTTP_HEAD_OK, framing_, length_ \
    }
#define BAD(what_, head_)                    \
    {                                        \
        what_, head_, 0, HTTP_HEAD_BAD, 0, 0 \
    }
#define BAD_NUL(what_, head_)                                \
    {                                                        \
        what_, head_, sizeof(head_) - 1, HTTP_HEAD_BAD, 0, 0 \
    }
#define METHOD(what_, head_)                    \
    {                                           \
        what_, head_, 0, HTTP_HEAD_METHOD, 0, 0 \
    }
#define FIELD(line) "POST /api/lock HTTP/1.1\r\n" HOST line "\r\n"
#define LINE(line) line "\r\n" HOST "\r\n"

static const struct sample SAMPLES[] = {
    GOOD("plain GET", LINE("GET / HTTP/1.1"), HTTP_FRAMING_NONE, 0),
    GOOD("query", LINE("GET /livez?full=1&x=%20 HTTP/1.1"), HTTP_FRAMING_NONE, 0),
    GOOD("HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", HTTP_FRAMING_NONE, 0),
    GOOD("OPTIONS of the server", LINE("OPTIONS * HTTP/1.1"), HTTP_FRAMING_NONE, 0),
    GOOD("length", FIELD("Content-Length: 42\r\n"), HTTP_FRAMING_LENGTH, 42),
    GOOD("length, other case, blanks around", FIELD("cOnTeNt-LeNgTh:\t 7 \t\r\n"),
         HTTP_FRAMING_LENGTH, 7),
    GOOD("length 0", FIELD("Content-Length: 0\r\n"), HTTP_FRAMING_NONE, 0),
    GOOD("length beyond all limits", FIELD("Content-Length: 99999999999999999999999\r\n"),
         HTTP_FRAMING_LENGTH, UINT64_MAX),
    GOOD("chunked", FIELD("Transfer-Encoding: chunked\r\n"), HTTP_FRAMING_CHUNKED, 0),
    GOOD("chunked, other case", FIELD("transfer-encoding: Chunked\r\n"), HTTP_FRAMING_CHUNKED, 0),
    GOOD("empty value", FIELD("X-Empty:\r\n"), HTTP_FRAMING_NONE, 0),
    GOOD("obs-text in a value", FIELD("X-Name: J\xc3\xb6rg\r\n"), HTTP_FRAMING_NONE, 0),
    GOOD("every token character in a name", FIELD("a!#$%&'*+-.^_`|~9: x\r\n"), HTTP_FRAMING_NONE,
         0),
    GOOD("IPv6 host with port", "GET / HTTP/1.1\r\nHost: [::1]:8443\r\n\r\n", HTTP_FRAMING_NONE, 0),
    GOOD("no blank after the colon", "GET / HTTP/1.1\r\nHost:x\r\n\r\n", HTTP_FRAMING_NONE, 0),

    BAD("length and chunked", FIELD("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n")),
    BAD("chunked and length", FIELD("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")),
    BAD("two different lengths", FIELD("Content-Length: 4\r\nContent-Length: 5\r\n")),
    BAD("two equal lengths", FIELD("Content-Length: 4\r\nContent-Length: 4\r\n")),
    BAD("list of equal lengths", FIELD("Content-Length: 4, 4\r\n")),
    BAD("two encodings", FIELD("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
    BAD("encoding other than chunked", FIELD("Transfer-Encoding: gzip\r\n")),
    BAD("encoding list", FIELD("Transfer-Encoding: gzip, chunked\r\n")),
    BAD("identity", FIELD("Transfer-Encoding: identity\r\n")),
    BAD("chunked with a parameter", FIELD("Transfer-Encoding: chunked;q=1\r\n")),
    BAD("vertical tab before chunked", FIELD("Transfer-Encoding: \vchunked\r\n")),
    BAD("empty encoding", FIELD("Transfer-Encoding:\r\n")),
    BAD("chunked in HTTP/1.0", "POST / HTTP/1.0\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"),
    BAD("signed length", FIELD("Content-Length: +4\r\n")),
    BAD("negative length", FIELD("Content-Length: -4\r\n")),
    BAD("hexadecimal length", FIELD("Content-Length: 0x4\r\n")),
    BAD("length with a blank inside", FIELD("Content-Length: 4 2\r\n")),
    BAD("empty length", FIELD("Content-Length:\r\n")),
    BAD("folded line", FIELD("X-A: 1\r\n Transfer-Encoding: chunked\r\n")),
    BAD("line folded by a tab", FIELD("X-A: 1\r\n\tContent-Length: 3\r\n")),
    BAD("fold right after the request line", "GET / HTTP/1.1\r\n " HOST "\r\n"),
    BAD("blank before the colon", FIELD("Content-Length : 4\r\n")),
    BAD("blank in a name", FIELD("Content Length: 4\r\n")),
    BAD("empty name", FIELD(": 4\r\n")),
    BAD("name that is no token", FIELD("X(A): 4\r\n")),
    BAD("name with obs-text", FIELD("X\xc3\xb6: 4\r\n")),
    BAD("line without a colon", FIELD("Content-Length\r\n")),
    BAD("bare CR in a value", FIELD("X-A: 1\rContent-Length: 3\r\n")),
    BAD("two CRs at the end of a line", FIELD("X-A: 1\r\r\n")),
    BAD("control byte in a value", FIELD("X-A: \x01\r\n")),
    BAD("DEL in a value", FIELD("X-A: \x7f\r\n")),
    BAD_NUL("NUL in a value", FIELD("X-A: a\0b\r\n")),
    BAD_NUL("NUL in a name", FIELD("X\0A: b\r\n")),
    BAD_NUL("NUL in the target", LINE("GET /\0 HTTP/1.1")),
    BAD("no Host", "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n"),
    BAD("two Hosts", FIELD("Host: other\r\n")),
    BAD("two equal Hosts", FIELD(HOST)),
    BAD("two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n"),
    BAD("empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
    BAD("Host list", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    BAD("Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    BAD("Host with user information", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"),
    BAD("HTTP/2.0", LINE("GET / HTTP/2.0")),
    BAD("the HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\n"),
    BAD("HTTP/1.2", LINE("GET / HTTP/1.2")),
    BAD("HTTP/1.10", LINE("GET / HTTP/1.10")),
    BAD("HTTP/0.9", "GET /\r\n\r\n"),
    BAD("lower-case version", LINE("GET / http/1.1")),
    BAD("blank behind the version", LINE("GET / HTTP/1.1 ")),
    BAD("two blanks", LINE("GET  / HTTP/1.1")),
    BAD("two blanks before the version", LINE("GET /  HTTP/1.1")),
    BAD("tab for a blank", LINE("GET\t/ HTTP/1.1")),
    BAD("blank before the method", LINE(" GET / HTTP/1.1")),
    BAD("blank in the target", LINE("GET /a b HTTP/1.1")),
    BAD("fragment in the target", LINE("GET /a#b HTTP/1.1")),
    BAD("relative target", LINE("GET api/lock HTTP/1.1")),
    BAD("asterisk for another method", LINE("GET * HTTP/1.1")),
    BAD("authority form", LINE("CONNECT a:443 HTTP/1.1")),
    BAD("obs-text in the target", LINE("GET /\xc3\xb6 HTTP/1.1")),
    BAD("encoded NUL", LINE("GET /api/lock%00.txt HTTP/1.1")),
    BAD("escape cut short", LINE("GET /% HTTP/1.1")),
    BAD("escape that is not hexadecimal", LINE("GET /%zz HTTP/1.1")),
    BAD("method that is no token", LINE("GE(T / HTTP/1.1")),
    BAD("empty line only", "\r\n"),
    BAD("absolute form of another scheme", LINE("GET ftp://a/ HTTP/1.1")),
    BAD("absolute form without a path", LINE("GET http://a HTTP/1.1")),
    BAD("absolute form without an authority", LINE("GET http:///x HTTP/1.1")),
    BAD("absolute form with user information", LINE("GET http://u@a/x HTTP/1.1")),

    METHOD("lower-case method", LINE("get / HTTP/1.1")),
    METHOD("method that nobody knows", LINE("BREW / HTTP/1.1")),
    METHOD("extended known method", LINE("GETS / HTTP/1.1")),
};

START_TEST(a_head_is_judged_as_the_table_says)
{
    const struct sample *sample = &SAMPLES[_i];
    size_t size = sample->size ? sample->size : strlen(sample->head);
    struct http_head head = {0};
    enum http_head_verdict verdict = http_head_check((const uint8_t *)sample->head, size, &head);
    ck_assert_msg(verdict == sample->verdict, "%s: verdict %d", sample->what, verdict);
    if (verdict != HTTP_HEAD_OK)
        return;
    ck_assert_msg(head.framing == sample->framing, "%s: framing %d", sample->what, head.framing);
    ck_assert_msg(head.length == sample->length, "%s: length", sample->what);
}
END_TEST

START_TEST(no_prefix_of_a_good_head_passes)
{
    static const char HEAD[] = FIELD("Content-Length: 42\r\nX-API-Key: k\r\n");
    struct http_head head;
    for (size_t size = 0; size < strlen(HEAD); size++)
        ck_assert_int_eq(http_head_check((const uint8_t *)HEAD, size, &head), HTTP_HEAD_BAD);
}
END_TEST

START_TEST(an_absolute_target_goes_on_in_origin_form)
{
    static const char HEAD[] = LINE("POST https://api.example:8443/api/lock?x HTTP/1.1");
    struct http_head head;
    ck_assert_int_eq(http_head_check((const uint8_t *)HEAD, strlen(HEAD), &head), HTTP_HEAD_OK);
    ck_assert_uint_eq(head.skip_at, strlen("POST "));
    ck_assert_uint_eq(head.skip_size, strlen("https://api.example:8443"));
}
END_TEST

START_TEST(only_an_answer_to_head_has_no_body)
{
    struct http_head head;
    static const char HEAD[] = LINE("HEAD / HTTP/1.1"), GET[] = LINE("GET / HTTP/1.1");
    ck_assert_int_eq(http_head_check((const uint8_t *)HEAD, strlen(HEAD), &head), HTTP_HEAD_OK);
    ck_assert(head.response_has_no_body);
    ck_assert_int_eq(http_head_check((const uint8_t *)GET, strlen(GET), &head), HTTP_HEAD_OK);
    ck_assert(!head.response_has_no_body);
}
END_TEST

static enum http_head_end end_of(const char *text, size_t *ret_size)
{
    size_t scanned = 0;
    return http_head_find_end((const uint8_t *)text, strlen(text), &scanned, ret_size);
}

START_TEST(the_end_is_found_wherever_the_bytes_are_cut)
{
    static const char HEAD[] = FIELD("X-A: 1\r\n");
    size_t size = 0, scanned = 0;
    const uint8_t *bytes = (const uint8_t *)HEAD;
    for (size_t i = 0; i < strlen(HEAD); i++)
        ck_assert_int_eq(http_head_find_end(bytes, i, &scanned, &size), HTTP_HEAD_END_MISSING);
    ck_assert_int_eq(http_head_find_end(bytes, strlen(HEAD), &scanned, &size), HTTP_HEAD_END_FOUND);
    ck_assert_uint_eq(size, strlen(HEAD));
}
END_TEST

START_TEST(what_follows_the_head_is_not_part_of_it)
{
    size_t size = 0;
    ck_assert_int_eq(end_of("GET / HTTP/1.1\r\n\r\nbody\nmore", &size), HTTP_HEAD_END_FOUND);
    ck_assert_uint_eq(size, strlen("GET / HTTP/1.1\r\n\r\n"));
    ck_assert_int_eq(end_of("\r\nGET", &size), HTTP_HEAD_END_FOUND);
    ck_assert_uint_eq(size, 2);
}
END_TEST

START_TEST(a_bare_line_feed_is_refused_before_the_head_is_complete)
{
    static const char *const HEADS[] = {"GET / HTTP/1.1\n", "\n", "GET / HTTP/1.1\r\nHost: x\n",
                                        "GET / HTTP/1.1\r\n\n"};
    size_t size = 0;
    ck_assert_int_eq(end_of(HEADS[_i], &size), HTTP_HEAD_END_NEVER);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_head");
    TCase *cases = tcase_create("all");
    tcase_add_loop_test(cases, a_head_is_judged_as_the_table_says, 0, ARRAY_SIZE(SAMPLES));
    tcase_add_test(cases, no_prefix_of_a_good_head_passes);
    tcase_add_test(cases, an_absolute_target_goes_on_in_origin_form);
    tcase_add_test(cases, only_an_answer_to_head_has_no_body);
    tcase_add_test(cases, the_end_is_found_wherever_the_bytes_are_cut);
    tcase_add_test(cases, what_follows_the_head_is_not_part_of_it);
    tcase_add_loop_test(cases, a_bare_line_feed_is_refused_before_the_head_is_complete, 0, 4);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
