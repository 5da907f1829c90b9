#include "base/buffer.h"
#include "base/memory.h"

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

START_TEST(a_copy_has_a_nul_behind_it)
{
    _cleanup_(memory_text_free) char *copy = memory_bytes("ab\0cd", 5);
    ck_assert_mem_eq(copy, "ab\0cd", 6);
    ck_assert_ptr_null(memory_text(NULL));
}
END_TEST

START_TEST(nothing_is_still_something_to_free)
{
    _cleanup_(memory_text_free) char *none = memory_zero(0, 8);
    ck_assert_ptr_nonnull(none);
    none = memory_grow(none, 0, 0);
    ck_assert_ptr_nonnull(none);
}
END_TEST

START_TEST(a_format_gives_a_text_of_its_own)
{
    _cleanup_(memory_text_free) char *text = memory_format("%s-%d", "vm", 7);
    ck_assert_str_eq(text, "vm-7");
    memory_text_free(&text);
    ck_assert_ptr_null(text);
}
END_TEST

START_TEST(an_overflowing_size_aborts)
{
    (void)memory_grow(NULL, SIZE_MAX / 2, 3);
}
END_TEST

START_TEST(a_buffer_takes_all_or_nothing_up_to_its_limit)
{
    struct buffer buffer;
    buffer_init(&buffer, 10);
    ck_assert_int_eq(buffer_add(&buffer, "12345678", 8), 0);
    ck_assert_int_eq(buffer_add(&buffer, "abc", 3), -ENOBUFS);
    ck_assert_int_eq(buffer_format(&buffer, "%d", 123), -ENOBUFS);
    ck_assert_uint_eq(buffer.size, 8);
    ck_assert_int_eq(buffer_add_text(&buffer, "90"), 0);
    ck_assert_int_eq(buffer_add(&buffer, NULL, 0), 0);
    ck_assert_int_eq(buffer_add(&buffer, "x", 1), -ENOBUFS);
    ck_assert_mem_eq(buffer.bytes, "1234567890", 10);
    ck_assert_uint_le(buffer.capacity, buffer.limit);
    buffer_done(&buffer);
}
END_TEST

START_TEST(a_buffer_is_usable_after_done)
{
    struct buffer buffer;
    buffer_init(&buffer, 4);
    ck_assert_int_eq(buffer_add_text(&buffer, "abcd"), 0);
    buffer_done(&buffer);
    ck_assert_uint_eq(buffer.size, 0);
    ck_assert_int_eq(buffer_add_text(&buffer, "efgh"), 0);
    ck_assert_int_eq(buffer_add_text(&buffer, "i"), -ENOBUFS);
    buffer_done(&buffer);
}
END_TEST

START_TEST(dropping_keeps_the_rest_and_never_more_than_all)
{
    struct buffer buffer;
    buffer_init(&buffer, SIZE_MAX);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(buffer_format(&buffer, "%03d", i), 0);
    buffer_drop(&buffer, 2994);
    ck_assert_uint_eq(buffer.size, 6);
    ck_assert_mem_eq(buffer.bytes, "998999", 6);
    buffer_drop(&buffer, 100);
    ck_assert_uint_eq(buffer.size, 0);
    buffer_done(&buffer);
}
END_TEST

START_TEST(reserved_room_counts_only_when_committed)
{
    struct buffer buffer;
    uint8_t *room;
    buffer_init(&buffer, 600);
    ck_assert_int_eq(buffer_reserve(&buffer, 500, &room), 0);
    memcpy(room, "hello", 5);
    ck_assert_uint_eq(buffer.size, 0);
    buffer_commit(&buffer, 5);
    ck_assert_uint_eq(buffer.size, 5);
    ck_assert_mem_eq(buffer.bytes, "hello", 5);
    ck_assert_int_eq(buffer_reserve(&buffer, 596, &room), -ENOBUFS);
    ck_assert_int_eq(buffer_reserve(&buffer, 595, &room), 0);
    buffer_done(&buffer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memory");
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, a_copy_has_a_nul_behind_it);
    tcase_add_test(memory, nothing_is_still_something_to_free);
    tcase_add_test(memory, a_format_gives_a_text_of_its_own);
    tcase_add_test_raise_signal(memory, an_overflowing_size_aborts, SIGABRT);
    suite_add_tcase(suite, memory);
    TCase *buffer = tcase_create("buffer");
    tcase_add_test(buffer, a_buffer_takes_all_or_nothing_up_to_its_limit);
    tcase_add_test(buffer, a_buffer_is_usable_after_done);
    tcase_add_test(buffer, dropping_keeps_the_rest_and_never_more_than_all);
    tcase_add_test(buffer, reserved_room_counts_only_when_committed);
    suite_add_tcase(suite, buffer);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_FORK); /* Each case has its own process: some abort it. */
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
