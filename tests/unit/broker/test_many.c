/* A gateway that restarts with many sales under way: each is found, told and ended alone. */
#include "played_parts.h"

/* --- many sales, before the store is there --- */

#define MANY 700

static void many_rows_are_loaded(void)
{
    played.any_machine = true;
    struct question *load = hold();
    for (int i = 0; i < MANY; i++) {
        row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
        played.row.id = 100 + i;
        snprintf(played.row.ref, sizeof played.row.ref, "ref-%d", i);
        snprintf(played.row.vm_id, sizeof played.row.vm_id, "vm-%d", i);
        struct store_live_row row = {.txn = &played.row};
        load->load(load->arg, STORE_APPLIED, &row);
    }
    load->load(load->arg, STORE_APPLIED, NULL);
    free(load);
    played.has_row = false;
    answer_all();
}

static void restarted_with_many(void)
{
    played.broker->options.offline_grace_ms = 60000;
    played.broker->options.calls_max = MANY;
    played.store_is_ready = true;
    played.store.ready(played.broker);
    many_rows_are_loaded();
    ck_assert(broker_ready(played.broker));
}

START_TEST(each_of_many_sales_is_found_by_its_ref_and_ends_alone)
{
    restarted_with_many();
    for (int i = 0; i < MANY; i += 3) {
        char ref[20], vm_id[20];
        snprintf(ref, sizeof ref, "ref-%d", i);
        snprintf(vm_id, sizeof vm_id, "vm-%d", i);
        ck_assert(broker_machine_busy(played.broker, vm_id));
        struct broker_unlock_call call = {.integrator_id = 1, .vm_id = vm_id, .ref = ref};
        broker_unlock(played.broker, &call, tell, NULL);
    }
    run_for(3);
    answer_all();
    ck_assert_int_eq(told.count, (MANY + 2) / 3);
    ck_assert(told.success);
    for (int i = 0; i < MANY; i++) {
        char vm_id[20];
        snprintf(vm_id, sizeof vm_id, "vm-%d", i);
        ck_assert_int_eq(broker_machine_busy(played.broker, vm_id), i % 3 != 0);
        ck_assert_int_eq(live_find_id(played.broker, 100 + i) != NULL, i % 3 != 0);
    }
    struct broker_counts counts;
    broker_count(played.broker, &counts);
    ck_assert_uint_eq(counts.by_state[TXN_LOCKED], MANY - (MANY + 2) / 3);
}
END_TEST

START_TEST(a_stop_closes_every_one_of_many)
{
    restarted_with_many();
    broker_drain(played.broker, NULL, NULL);
    answer_all();
    ck_assert_int_eq(played.callbacks, MANY);
    struct broker_counts counts;
    broker_count(played.broker, &counts);
    ck_assert_uint_eq(counts.live, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker/many");
    TCase *tests = tcase_create("many sales, before the store is there");
    tcase_add_checked_fixture(tests, play_open, play_end);
    tcase_add_test(tests, each_of_many_sales_is_found_by_its_ref_and_ends_alone);
    tcase_add_test(tests, a_stop_closes_every_one_of_many);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
