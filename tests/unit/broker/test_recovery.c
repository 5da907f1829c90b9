/* After a start what was under way goes on, before a stop what was not paid is closed. */
#include "played_calls.h"

/* The store is there, and its answer to the load of the rows is given. */
static void start(void)
{
    played.store_is_ready = true;
    played.store.ready(played.broker);
    if (played.questions)
        answer(STORE_APPLIED);
}

/* --- a start, before the store is there --- */

START_TEST(nothing_is_promised_before_everything_is_known)
{
    struct people_handlers people;
    struct fleet_directory_handlers fleet;
    broker_people_handlers(&people);
    broker_directory_handlers(&fleet);
    played.people_missing = played.directory_missing = true;
    people.loaded(played.broker); /* the store is away */
    start();
    ck_assert_ptr_null(played.questions);
    played.people_missing = false;
    people.loaded(played.broker);
    ck_assert_ptr_null(played.questions);
    played.directory_missing = false;
    fleet.loaded(played.broker);
    ck_assert_ptr_nonnull(played.questions);
    people.loaded(played.broker); /* it has begun */
    ck_assert(!broker_ready(played.broker));
    lock_asked(1, "A", 1);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    struct link_credentials credentials = {.vm_id = "vm"};
    ck_assert_int_eq(played.link.authenticate(played.broker, &credentials), LINK_UNAVAILABLE);
    answer_all();
    ck_assert(broker_ready(played.broker));
}
END_TEST

START_TEST(a_store_that_is_lost_during_the_start_begins_it_again)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    struct store_live_row row = {.txn = &played.row};
    struct question *load = played.questions;
    load->load(load->arg, STORE_APPLIED, &row); /* one row came */
    answer(STORE_UNAVAILABLE);
    ck_assert(!broker_ready(played.broker));
    played.store.ready(played.broker);
    answer(STORE_APPLIED);     /* the row again */
    answer(STORE_UNAVAILABLE); /* the outbox */
    ck_assert(!broker_ready(played.broker));
    played.store.ready(played.broker);
    answer_all();
    ck_assert(broker_ready(played.broker));
    ck_assert_int_eq(live_of_vm()->txn.id, 7);
}
END_TEST

START_TEST(a_read_that_the_database_refuses_at_the_start_is_tried_again)
{
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer(STORE_FAILED); /* the rows; the store stays connected */
    RUN_UNTIL(played.questions);
    answer(STORE_APPLIED);
    answer(STORE_FAILED); /* the outbox */
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert(broker_ready(played.broker));
}
END_TEST

START_TEST(a_locked_machine_gets_its_grace_and_is_freed_if_it_stays_away)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    start();
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
    RUN_UNTIL(asked() == TXN_LINK_LOST);
    ck_assert_str_eq(played.questions->bodies[0], "{\"txn_ref\":\"R\",\"code\":\"106\"}");
}
END_TEST

START_TEST(a_lock_whose_caller_has_gone_with_the_process_is_closed)
{
    row_in(TXN_LOCKING, TXN_TIMER_LOCK_ACK, 5000);
    start();
    answer(STORE_APPLIED); /* the outbox */
    ck_assert_int_eq(asked(), TXN_RESTART);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 0);
    ck_assert_int_eq(told.count, 0);
}
END_TEST

START_TEST(a_vend_that_was_under_way_is_unknown)
{
    row_in(TXN_VENDING, TXN_TIMER_VEND, 60000);
    snprintf(played.row.vm_id, sizeof played.row.vm_id, "removed"); /* since */
    start();
    answer(STORE_APPLIED);
    ck_assert_int_eq(asked(), TXN_RESTART);
    answer_all();
    ck_assert_int_eq(broker_machine_find(played.broker, "removed")->live->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(deadlines_of_what_was_paid_wait_for_the_machine_after_a_start)
{
    played.broker->options.recovery_grace_ms = 5000;
    played.broker->options.offline_grace_ms = 60000;
    row_in(TXN_PAID, TXN_TIMER_VEND, -1000); /* passed while nobody was there */
    start();
    answer_all();
    run_for(30);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
    ck_assert_int_gt(timer_left_ms(live_of_vm()->deadline), 4000);
}
END_TEST

START_TEST(a_doubt_does_not_age_while_the_gateway_is_down)
{
    played.away_ms = 60000;
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 1000);
    start();
    answer_all();
    ck_assert_int_gt(live_of_vm()->txn.deadline_ms - now_ms(), 50000);
}
END_TEST

/* --- a stop --- */

static void count(void *arg)
{
    ++*(int *)arg;
}

START_TEST(an_idle_gateway_stops_at_once)
{
    int drained = 0;
    online(-1, -1);
    broker_drain(played.broker, count, &drained);
    ck_assert_int_eq(drained, 0);
    run_for(5);
    ck_assert_int_eq(drained, 1);
    run_for(5);
    ck_assert_int_eq(drained, 1);
}
END_TEST

START_TEST(a_stop_closes_what_was_not_paid_and_waits_for_the_disk)
{
    int drained = 0;
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    online(7, 1);
    broker_drain(played.broker, count, &drained);
    ck_assert_int_eq(asked(), TXN_DRAIN);
    ck_assert_str_eq(played.questions->bodies[0], "{\"txn_ref\":\"R\",\"code\":\"116\"}");
    run_for(5);
    ck_assert_int_eq(drained, 0);
    answer_all();
    run_for(5);
    ck_assert_int_eq(drained, 1);
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_stop_leaves_what_was_paid_as_it_is)
{
    int drained = 0;
    doubted(900000);
    broker_drain(played.broker, count, &drained);
    run_for(5);
    ck_assert_int_eq(drained, 1);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_lock_that_is_being_stored_when_the_stop_comes_is_closed_too)
{
    int drained = 0;
    online(-1, -1);
    lock_asked(1, "A", 500);
    broker_drain(played.broker, count, &drained);
    answer_all();
    run_for(5);
    answer_all();
    run_for(5);
    ck_assert_int_eq(told.reason, REASON_SHUTTING_DOWN);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(drained, 1);
}
END_TEST

START_TEST(a_stop_waits_for_the_answers_to_calls)
{
    int drained = 0;
    online(-1, -1);
    pay_asked("Z", 100);
    broker_drain(played.broker, count, &drained);
    run_for(5);
    ck_assert_int_eq(drained, 0);
    answer_all();
    RUN_UNTIL(drained == 1);
}
END_TEST

START_TEST(a_stop_waits_for_an_event_that_is_being_stored)
{
    int drained = 0;
    online(-1, -1);
    struct machine_event sale = event_of(MACHINE_EVENT_SALE, "sale");
    say(sale);
    broker_drain(played.broker, count, &drained);
    run_for(5);
    ck_assert_int_eq(drained, 0);
    answer_all();
    RUN_UNTIL(drained == 1);
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

START_TEST(a_sale_whose_goods_come_out_during_a_stop_keeps_no_session_open)
{
    played.integrator.allow_multi_vend = true;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    broker_drain(played.broker, NULL, NULL);
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

/* --- what people are shown --- */

START_TEST(the_status_page_counts_what_lives)
{
    struct broker_counts counts;
    broker_count(played.broker, &counts);
    ck_assert_uint_eq(counts.live, 0);
    ck_assert_uint_eq(counts.machines_online, 0);
    doubted(900000);
    played.broker->machines->live->txn.paid_ms = now_ms() - 90000;
    broker_count(played.broker, &counts);
    ck_assert_uint_eq(counts.live, 1);
    ck_assert_uint_eq(counts.by_state[TXN_IN_DOUBT], 1);
    ck_assert_uint_eq(counts.machines_online, 1);
    ck_assert_int_ge(counts.oldest_doubt_ms, 90000);
    size_t size;
    char *text = metrics_render(played.metrics, &size);
    ck_assert_ptr_nonnull(strstr(text, "vendgate_transactions_live{state=\"IN_DOUBT\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "vendgate_machines_online 1\n"));
    free(text);
    say_reply(answer_to_query(APPROVAL_DISPENSED));
    answer_all();
    broker_count(played.broker, &counts);
    ck_assert_uint_eq(counts.live, 0);
    ck_assert_int_eq(counts.oldest_doubt_ms, 0);
}
END_TEST

static void add_a_start_before_the_store_is_there(Suite *suite)
{
    TCase *tests = tcase_create("a start, before the store is there");
    tcase_add_checked_fixture(tests, play_open, play_end);
    tcase_add_test(tests, nothing_is_promised_before_everything_is_known);
    tcase_add_test(tests, a_store_that_is_lost_during_the_start_begins_it_again);
    tcase_add_test(tests, a_read_that_the_database_refuses_at_the_start_is_tried_again);
    tcase_add_test(tests, a_locked_machine_gets_its_grace_and_is_freed_if_it_stays_away);
    tcase_add_test(tests, a_lock_whose_caller_has_gone_with_the_process_is_closed);
    tcase_add_test(tests, a_vend_that_was_under_way_is_unknown);
    tcase_add_test(tests, deadlines_of_what_was_paid_wait_for_the_machine_after_a_start);
    tcase_add_test(tests, a_doubt_does_not_age_while_the_gateway_is_down);
    suite_add_tcase(suite, tests);
}

static void add_a_stop(Suite *suite)
{
    TCase *tests = tcase_create("a stop");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_idle_gateway_stops_at_once);
    tcase_add_test(tests, a_stop_closes_what_was_not_paid_and_waits_for_the_disk);
    tcase_add_test(tests, a_stop_leaves_what_was_paid_as_it_is);
    tcase_add_test(tests, a_lock_that_is_being_stored_when_the_stop_comes_is_closed_too);
    tcase_add_test(tests, a_stop_waits_for_the_answers_to_calls);
    tcase_add_test(tests, a_stop_waits_for_an_event_that_is_being_stored);
    tcase_add_test(tests, a_sale_whose_goods_come_out_during_a_stop_keeps_no_session_open);
    suite_add_tcase(suite, tests);
}

static void add_what_people_are_shown(Suite *suite)
{
    TCase *tests = tcase_create("what people are shown");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, the_status_page_counts_what_lives);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/recovery");
    add_a_start_before_the_store_is_there(suite);
    add_a_stop(suite);
    add_what_people_are_shown(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
