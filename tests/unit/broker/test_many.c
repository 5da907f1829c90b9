/* A gateway that restarts with many sales under way: each is found, told and ended alone. */
#include "played_parts.h"

/* --- many sales, before the store is there --- */

#define MANY 700

static enum txn_state state; /* of each */

static const char *name(const char *kind, int number)
{
    static char text[20];
    snprintf(text, sizeof text, "%s-%d", kind, number);
    return text;
}

static void many_rows_are_loaded(void)
{
    played.any_machine = true;
    struct question *load = hold();
    for (int i = 0; i < MANY; i++) {
        row_in(state, state == TXN_PAID ? TXN_TIMER_VEND : TXN_TIMER_SELECTION, 60000);
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
    state = TXN_LOCKED;
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
    state = TXN_LOCKED;
    restarted_with_many();
    broker_drain(played.broker, NULL, NULL);
    answer_all();
    ck_assert_int_eq(played.callbacks, MANY);
    struct broker_counts counts;
    broker_count(played.broker, &counts);
    ck_assert_uint_eq(counts.live, 0);
}
END_TEST

/* Every one of them is online, and its goods come out in a session that may go on. */
static void all_sold(void)
{
    played.integrator.allow_multi_vend = true;
    for (int i = 0; i < MANY; i++) {
        const char *vm_id = name("vm", i);
        played.link.arrived(played.broker, vm_id, 1, NULL);
        answer_all();
        struct machine_reply reply = {.op = MACHINE_OP_HELLO,
                                      .ok = true,
                                      .session = 7,
                                      .request = 1,
                                      .last = true,
                                      .last_state = APPROVAL_DISPENSED,
                                      .last_approval = "aa",
                                      .journal = "J",
                                      .raw = "{}",
                                      .raw_size = 2};
        played.link.subscribed(played.broker, vm_id, 1);
        played.link.reply(played.broker, vm_id, &reply);
        answer_all();
    }
}

START_TEST(each_of_many_sessions_goes_on_until_its_own_end)
{
    state = TXN_PAID;
    restarted_with_many();
    all_sold();
    for (int i = 0; i < MANY; i += 2) {
        struct broker_release_call call = {
            .vm_id = name("vm", i), .operator_name = "ada", .because = "closing time"};
        broker_release(played.broker, &call, tell, NULL);
    }
    run_for(3);
    answer_all(); /* nothing of theirs is on disk */
    ck_assert_int_eq(told.count, MANY / 2);
    for (int i = 0; i < MANY; i++)
        ck_assert_int_eq(broker_machine_busy(played.broker, name("vm", i)), i % 2 != 0);
    for (int i = 0; i < MANY; i++)
        open_session_vend_delivered(played.broker, 1, 100 + i);
    for (int i = 1; i < MANY; i += 2)
        ck_assert(broker_machine_find(played.broker, name("vm", i))->open->vend_delivered);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker/many");
    TCase *tests = tcase_create("many sales, before the store is there");
    tcase_add_checked_fixture(tests, play_open, play_end);
    tcase_add_test(tests, each_of_many_sales_is_found_by_its_ref_and_ends_alone);
    tcase_add_test(tests, a_stop_closes_every_one_of_many);
    tcase_add_test(tests, each_of_many_sessions_goes_on_until_its_own_end);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
