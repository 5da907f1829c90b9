#include "base/base64.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* RFC 4648, section 10. */
static const struct {
    const char *bytes, *text;
} VECTORS[] = {
    {"f", "Zg=="},        {"fo", "Zm8="},        {"foo", "Zm9v"},
    {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

START_TEST(text_and_bytes_become_each_other)
{
    char text[BASE64_TEXT_SIZE(6)], bytes[6];
    size_t size = strlen(VECTORS[_i].bytes), got = 0;
    base64_write(VECTORS[_i].bytes, size, text);
    ck_assert_str_eq(text, VECTORS[_i].text);
    ck_assert_int_eq(base64_read(text, bytes, sizeof(bytes), &got), 0);
    ck_assert_uint_eq(got, size);
    ck_assert_mem_eq(bytes, VECTORS[_i].bytes, size);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    char bytes[6] = "......";
    size_t got = 77;
    ck_assert_int_eq(base64_read("Zm9vYmFy", bytes, 5, &got), -EINVAL);
    ck_assert_int_eq(base64_read("Zm9vYmFyZm9v", bytes, 6, &got), -EINVAL);
    ck_assert_mem_eq(bytes, "......", 6);
    ck_assert_uint_eq(got, 77);
    ck_assert_int_eq(base64_read("Zm9vYmE=", bytes, 5, &got), 0);
    ck_assert_mem_eq(bytes, "fooba.", 6);
}
END_TEST

static const char *const BAD[] = {
    "",     "Zg",   "Zg=",  "Zg==\n",   " Zg=", "Zg= ",     "Z===",
    "====", "Zh==", "Zm9=", "Zg==Zg==", "Zm9-", "Zm9v Zm9",
};

START_TEST(one_value_has_one_text)
{
    char bytes[64];
    size_t got = 0;
    ck_assert_int_eq(base64_read(BAD[_i], bytes, sizeof(bytes), &got), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("base64");
    TCase *tests = tcase_create("base64");
    tcase_add_loop_test(tests, text_and_bytes_become_each_other, 0, ARRAY_SIZE(VECTORS));
    tcase_add_test(tests, what_does_not_fit_is_refused);
    tcase_add_loop_test(tests, one_value_has_one_text, 0, ARRAY_SIZE(BAD));
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
