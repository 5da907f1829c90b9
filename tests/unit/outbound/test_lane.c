#include "outbound/lane.h"

#include <check.h>
#include <stdlib.h>

static struct lane_book *book;
static struct delivery deliveries[16];

static void setup(void)
{
    book = lane_book_new();
}

static void teardown(void)
{
    lane_book_free(&book);
}

static struct delivery *add(size_t index, int64_t lane, int64_t sequence)
{
    struct delivery *delivery = &deliveries[index];
    delivery->callback = (struct outbound_callback){
        .callback_id = (int64_t)index + 100, .lane = lane, .lane_sequence = sequence};
    lane_add(book, delivery);
    return delivery;
}

START_TEST(one_goes_at_a_time_and_the_next_is_told_when_it_ends)
{
    struct delivery *first = add(0, 7, 1);
    struct delivery *second = add(1, 7, 2);
    ck_assert(lane_is_front(first));
    ck_assert(!lane_is_front(second));
    ck_assert_uint_eq(lane_book_count(book), 2);
    ck_assert_ptr_eq(lane_remove(book, first), second);
    ck_assert(lane_is_front(second));
    ck_assert_ptr_null(lane_remove(book, second));
    ck_assert_uint_eq(lane_book_count(book), 0);
}
END_TEST

START_TEST(lanes_are_independent)
{
    struct delivery *here = add(0, 7, 1);
    struct delivery *there = add(1, 8, 1);
    ck_assert(lane_is_front(here) && lane_is_front(there));
    ck_assert_ptr_null(lane_remove(book, here));
    ck_assert_ptr_null(lane_remove(book, there));
}
END_TEST

START_TEST(without_a_lane_nobody_waits_for_anybody)
{
    struct delivery *one = add(0, 0, 0);
    struct delivery *other = add(1, 0, 0);
    ck_assert(lane_is_front(one) && lane_is_front(other));
    ck_assert_ptr_null(lane_remove(book, one));
    ck_assert_ptr_null(lane_remove(book, other));
}
END_TEST

/* Loaded from the database in whatever order; only the first may be on its way already. */
START_TEST(the_lanes_sequence_orders_them_behind_the_first)
{
    struct delivery *under_way = add(0, 7, 5);
    add(1, 7, 9);
    add(2, 7, 3);
    add(3, 7, 7);
    static const int64_t EXPECTED[] = {3, 7, 9};
    struct delivery *next = lane_remove(book, under_way);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_nonnull(next);
        ck_assert_int_eq(next->callback.lane_sequence, EXPECTED[i]);
        next = lane_remove(book, next);
    }
    ck_assert_ptr_null(next);
}
END_TEST

START_TEST(a_lanes_youngest_is_found_and_taken_without_releasing_anybody)
{
    struct delivery *first = add(0, 7, 1);
    struct delivery *last = add(1, 7, 2);
    add(2, 8, 1);
    ck_assert_ptr_eq(lane_last(book, 7), last);
    ck_assert_ptr_null(lane_remove(book, last));
    ck_assert_ptr_eq(lane_last(book, 7), first);
    ck_assert_ptr_null(lane_remove(book, first));
    ck_assert_ptr_null(lane_last(book, 7));
    ck_assert_ptr_null(lane_remove(book, lane_last(book, 8)));
}
END_TEST

START_TEST(taking_one_from_the_middle_releases_nobody)
{
    struct delivery *first = add(0, 7, 1);
    struct delivery *second = add(1, 7, 2);
    struct delivery *third = add(2, 7, 3);
    ck_assert_ptr_null(lane_remove(book, second));
    ck_assert(lane_is_front(first));
    ck_assert_ptr_eq(lane_remove(book, first), third);
    ck_assert_ptr_null(lane_remove(book, third));
}
END_TEST

START_TEST(a_delivery_is_found_by_its_number_until_it_is_removed)
{
    struct delivery *delivery = add(0, 7, 1);
    ck_assert_ptr_eq(lane_find(book, 100), delivery);
    ck_assert_ptr_null(lane_find(book, 101));
    ck_assert_ptr_null(lane_remove(book, delivery));
    ck_assert_ptr_null(lane_find(book, 100));
}
END_TEST

static void remove_visited(void *arg, struct delivery *delivery)
{
    (*(int *)arg)++;
    (void)lane_remove(book, delivery);
}

START_TEST(each_is_visited_once_and_may_go_meanwhile)
{
    for (size_t i = 0; i < ARRAY_SIZE(deliveries); i++)
        add(i, (int64_t)(i % 3), (int64_t)i);
    int visits = 0;
    lane_each(book, remove_visited, &visits);
    ck_assert_int_eq(visits, ARRAY_SIZE(deliveries));
    ck_assert_uint_eq(lane_book_count(book), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lane");
    TCase *tests = tcase_create("order");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, one_goes_at_a_time_and_the_next_is_told_when_it_ends);
    tcase_add_test(tests, lanes_are_independent);
    tcase_add_test(tests, without_a_lane_nobody_waits_for_anybody);
    tcase_add_test(tests, the_lanes_sequence_orders_them_behind_the_first);
    tcase_add_test(tests, a_lanes_youngest_is_found_and_taken_without_releasing_anybody);
    tcase_add_test(tests, taking_one_from_the_middle_releases_nobody);
    tcase_add_test(tests, a_delivery_is_found_by_its_number_until_it_is_removed);
    tcase_add_test(tests, each_is_visited_once_and_may_go_meanwhile);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
