/* The queues in which callbacks wait, and the set of those that are not yet on disk. */
#include "outbound/parcel.h"
#include "outbound/recorded.h"

#include <check.h>
#include <stdlib.h>

enum { COUNT = 300 };

static struct parcel parcels[COUNT];
static struct parcel *queue;

static void put(int64_t id)
{
    parcels[id].delivery.callback.callback_id = id;
    parcel_enqueue(&queue, &parcels[id]);
}

static void check_order(int64_t step, size_t expected)
{
    size_t count = 0;
    int64_t last = -1;
    for (const struct parcel *parcel = queue; parcel; parcel = parcel->next) {
        ck_assert_int_gt(parcel->delivery.callback.callback_id, last);
        last = parcel->delivery.callback.callback_id;
        ck_assert_int_eq(last % step, 0);
        count++;
    }
    ck_assert_uint_eq(count, expected);
}

/* 7 and 300 have no common factor: each comes once, far from in order. */
START_TEST(whatever_the_order_they_come_in_the_oldest_is_first)
{
    for (int64_t i = 0; i < COUNT; i++)
        put(i * (_i ? 7 : 1) % COUNT);
    check_order(1, COUNT);
    for (int64_t id = 1; id < COUNT; id += 2)
        parcel_dequeue(&queue, &parcels[id]);
    check_order(2, COUNT / 2);
    for (int64_t id = COUNT - 1; id > 0; id -= 2)
        put(id);
    check_order(1, COUNT);
    for (int64_t id = 0; id < COUNT; id++)
        parcel_dequeue(&queue, &parcels[id]);
    ck_assert_ptr_null(queue);
}
END_TEST

/* Odd ids are /txn/unlock, older and younger ones than the requests. */
START_TEST(a_customer_goes_before_every_unlock)
{
    for (int64_t i = 0; i < COUNT; i++) {
        int64_t id = i * 7 % COUNT;
        parcels[id].delivery.callback.kind = id % 2 ? CALLBACK_UNLOCK : CALLBACK_REQUEST;
        put(id);
    }
    int64_t place = 0;
    for (const struct parcel *parcel = queue; parcel; parcel = parcel->next, place++)
        ck_assert_int_eq(parcel->delivery.callback.callback_id,
                         place < COUNT / 2 ? 2 * place : 2 * (place - COUNT / 2) + 1);
    ck_assert_int_eq(place, COUNT);
    for (int64_t id = 0; id < COUNT; id++) {
        parcel_dequeue(&queue, &parcels[id]);
        parcels[id].delivery.callback.kind = CALLBACK_KIND_NONE;
    }
}
END_TEST

START_TEST(a_callback_is_remembered_until_it_is_recorded)
{
    struct recorded *set = NULL;
    ck_assert(!recorded_has(set, 1));
    for (int64_t id = 1; id <= 100; id++)
        recorded_add(&set, id);
    recorded_add(&set, 7); /* once is enough */
    recorded_remove(&set, 7);
    recorded_remove(&set, 7);
    for (int64_t id = 1; id <= 100; id++)
        ck_assert(recorded_has(set, id) == (id != 7));
    recorded_clear(&set);
    ck_assert_ptr_null(set);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parcel");
    TCase *tests = tcase_create("parcel");
    tcase_add_loop_test(tests, whatever_the_order_they_come_in_the_oldest_is_first, 0, 2);
    tcase_add_test(tests, a_customer_goes_before_every_unlock);
    tcase_add_test(tests, a_callback_is_remembered_until_it_is_recorded);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
