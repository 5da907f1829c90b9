/* Where a body ends, and which chunked bodies are refused; where an answer ends. */
#include "net/http_answer.h"
#include "net/http_body.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define MAX 1000

struct sample {
    const char *what, *bytes;
    enum http_body_verdict verdict;
    size_t rest; /* bytes behind the body, when done */
};

static const struct sample CHUNKED[] = {
    {"empty body", "0\r\n\r\n", HTTP_BODY_DONE, 0},
    {"two chunks, and the next request", "5\r\nhello\r\nA\r\n0123456789\r\n0\r\n\r\nGET",
     HTTP_BODY_DONE, 3},
    {"lower-case size", "a\r\n0123456789\r\n0\r\n\r\n", HTTP_BODY_DONE, 0},
    {"leading zeros", "0005\r\nhello\r\n000\r\n\r\n", HTTP_BODY_DONE, 0},
    {"CRLF inside the data", "4\r\n\r\n\r\n\r\n0\r\n\r\n", HTTP_BODY_DONE, 0},
    {"not over", "5\r\nhel", HTTP_BODY_MORE, 0},
    {"without the last empty line", "0\r\n", HTTP_BODY_MORE, 0},
    {"as large as allowed", "3E8\r\n", HTTP_BODY_MORE, 0},
    {"one byte larger", "3E9\r\n", HTTP_BODY_TOO_LARGE, 0},
    {"size that overflows 64 bits", "10000000000000005\r\nhello\r\n", HTTP_BODY_TOO_LARGE, 0},
    {"zeros without end", "0000000000000000000", HTTP_BODY_TOO_LARGE, 0},
    {"extension", "5;a=b\r\nhello\r\n0\r\n\r\n", HTTP_BODY_BAD, 0},
    {"extension of the last chunk", "0;a\r\n\r\n", HTTP_BODY_BAD, 0},
    {"blank behind the size", "5 \r\nhello\r\n0\r\n\r\n", HTTP_BODY_BAD, 0},
    {"blank before the size", " 5\r\nhello\r\n0\r\n\r\n", HTTP_BODY_BAD, 0},
    {"0x before the size", "0x5\r\nhello\r\n0\r\n\r\n", HTTP_BODY_BAD, 0},
    {"negative size", "-5\r\nhello", HTTP_BODY_BAD, 0},
    {"no size", "\r\nhello", HTTP_BODY_BAD, 0},
    {"bare LF behind the size", "5\nhello\r\n0\r\n\r\n", HTTP_BODY_BAD, 0},
    {"CR without LF behind the size", "5\rXhello", HTTP_BODY_BAD, 0},
    {"data longer than said", "5\r\nhello!\r\n", HTTP_BODY_BAD, 0},
    {"bare LF behind the data", "5\r\nhello\n0\r\n\r\n", HTTP_BODY_BAD, 0},
    {"trailer", "0\r\nX-Forged: 1\r\n\r\n", HTTP_BODY_BAD, 0},
    {"bare LF at the end", "0\r\n\n", HTTP_BODY_BAD, 0},
};

/* Feeds `step` bytes at a time. */
static enum http_body_verdict feed(struct http_body *body, const char *bytes, size_t step,
                                   size_t *ret_used)
{
    enum http_body_verdict verdict = HTTP_BODY_MORE;
    size_t size = strlen(bytes), used = 0;
    while (used < size && verdict == HTTP_BODY_MORE) {
        size_t part = size - used < step ? size - used : step;
        used += http_body_take(body, (const uint8_t *)bytes + used, part, &verdict);
    }
    *ret_used = used;
    return verdict;
}

START_TEST(a_chunked_body_is_judged_alike_however_it_is_cut)
{
    const struct sample *sample = &CHUNKED[_i];
    for (size_t step = 1; step <= strlen(sample->bytes); step++) {
        struct http_body body;
        size_t used = 0;
        http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, MAX);
        enum http_body_verdict verdict = feed(&body, sample->bytes, step, &used);
        ck_assert_msg(verdict == sample->verdict, "%s: %d at step %zu", sample->what, verdict,
                      step);
        if (verdict == HTTP_BODY_DONE)
            ck_assert_uint_eq(strlen(sample->bytes) - used, sample->rest);
    }
}
END_TEST

START_TEST(many_small_chunks_do_not_pass_the_limit)
{
    struct http_body body;
    enum http_body_verdict verdict = HTTP_BODY_MORE;
    size_t used = 0, chunks = 0;
    http_body_start(&body, HTTP_FRAMING_CHUNKED, 0, MAX);
    for (; chunks <= MAX && verdict == HTTP_BODY_MORE; chunks++)
        verdict = feed(&body, "2\r\nab\r\n", 100, &used);
    ck_assert_int_eq(verdict, HTTP_BODY_TOO_LARGE);
    ck_assert_uint_eq(chunks, MAX / 2 + 1);
}
END_TEST

START_TEST(a_body_of_known_length_ends_where_it_says)
{
    struct http_body body;
    size_t used = 0;
    http_body_start(&body, HTTP_FRAMING_LENGTH, 5, MAX);
    ck_assert_int_eq(feed(&body, "hel", 1, &used), HTTP_BODY_MORE);
    ck_assert_int_eq(feed(&body, "loGET /", 7, &used), HTTP_BODY_DONE);
    ck_assert_uint_eq(used, 2);
}
END_TEST

struct answer_sample {
    const char *bytes;
    bool to_head, ends;
};

static const struct answer_sample ANSWERS[] = {
    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", false, true},
    {"HTTP/1.1 200 OK\r\ncontent-length:2\r\n\r\no", false, false},
    {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, true},
    {"HTTP/1.1 204 No Content\r\n\r\n", false, true},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, true},
    {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", true, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, true},
    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", false, false},
    {"HTTP/1.1 100 Continue\r\n\r\n", false, false},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1", false, true},
    {"HTTP/1.1 200 OK\r\n\r\nuntil the end", false, false},
    {"HTTP/1.1 200 OK\r\nX-Long: "
     "0123456789012345678901234567890123456789012345678901234567890123456789"
     "\r\nContent-Length: 1\r\n\r\n1",
     false, true},
};

START_TEST(an_answer_ends_where_its_framing_says)
{
    const struct answer_sample *sample = &ANSWERS[_i];
    const uint8_t *bytes = (const uint8_t *)sample->bytes;
    size_t size = strlen(sample->bytes);
    struct http_answer whole, cut;
    http_answer_start(&whole, sample->to_head);
    ck_assert(http_answer_take(&whole, bytes, size) == sample->ends);
    http_answer_start(&cut, sample->to_head);
    for (size_t i = 0; i + 1 < size; i++)
        ck_assert(!http_answer_take(&cut, bytes + i, 1));
    ck_assert(http_answer_take(&cut, bytes + size - 1, 1) == sample->ends);
}
END_TEST

START_TEST(an_interim_answer_is_no_begin_of_the_answer)
{
    static const char INTERIM[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_answer answer;
    http_answer_start(&answer, false);
    ck_assert(!http_answer_take(&answer, (const uint8_t *)INTERIM, strlen(INTERIM)));
    ck_assert(!http_answer_begun(&answer));
    ck_assert(!http_answer_take(&answer, (const uint8_t *)"H", 1));
    ck_assert(http_answer_begun(&answer));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_body");
    TCase *cases = tcase_create("all");
    tcase_add_loop_test(cases, a_chunked_body_is_judged_alike_however_it_is_cut, 0,
                        ARRAY_SIZE(CHUNKED));
    tcase_add_test(cases, many_small_chunks_do_not_pass_the_limit);
    tcase_add_test(cases, a_body_of_known_length_ends_where_it_says);
    tcase_add_loop_test(cases, an_answer_ends_where_its_framing_says, 0, ARRAY_SIZE(ANSWERS));
    tcase_add_test(cases, an_interim_answer_is_no_begin_of_the_answer);
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
