/* Callbacks that are only in the database come into outbound, in order, once there is room: after a
 * start, after people touched them, after another process had them. */
#include "played_calls.h"

static struct store_callback_row callback_row(int64_t callback_id, const char *kind)
{
    return (struct store_callback_row){.callback_id = callback_id,
                                       .integrator_id = 1,
                                       .txn_id = 7,
                                       .lane = 7,
                                       .lane_sequence = callback_id,
                                       .kind = kind,
                                       .webhook_id = "msg_1",
                                       .body = "{}",
                                       .body_size = 2};
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void in_outbox(int64_t callback_id, const char *kind)
{
    played.outbox[0] = callback_row(callback_id, kind);
    played.outbox_count = 1;
}

static void outbox_empty(void)
{
    played.outbox_count = 0;
    played.outbox_pad = 0;
}

/* The store is there, and its answer to the load of the rows is given. */
static void start(void)
{
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer(STORE_APPLIED);
}

static void room(void)
{
    struct outbound_handlers outbound;
    broker_outbound_handlers(&outbound);
    outbound.room(played.broker, 1);
}

/* A callback of the customer's choice finds no room. */
static void left_behind(void)
{
    locked("A");
    played.submit_error = -ENOBUFS;
    select_item(1, 12, 150);
    answer_all();
    ck_assert_int_eq(played.callbacks, 0);
    played.submit_error = 0;
}

/* --- a start --- */

START_TEST(what_is_owed_is_sent_after_a_start_page_by_page)
{
    played.outbox_pad = 499;
    in_outbox(5000, "/txn/unlock");
    start();
    answer(STORE_APPLIED); /* whose callbacks there are */
    answer(STORE_APPLIED); /* the first page */
    ck_assert_int_eq(played.callbacks, 500);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_UNLOCK);
    ck_assert(!broker_ready(played.broker));
    ck_assert_int_eq(played.outbox_after, 5000);
    played.outbox_pad = 0;
    in_outbox(5001, "/txn/vend");
    answer_all();
    ck_assert_int_eq(played.callbacks, 501);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_VEND);
    ck_assert(broker_ready(played.broker));
}
END_TEST

START_TEST(a_callback_of_a_kind_that_we_do_not_know_stays_where_it_is)
{
    played.outbox[0] = callback_row(1, "/txn/newer");
    played.outbox[1] = callback_row(2, "/txn/vend");
    played.outbox_count = 2;
    start();
    answer_all();
    ck_assert_int_eq(played.callbacks, 1);
    ck_assert(broker_ready(played.broker));
}
END_TEST

START_TEST(a_start_does_not_wait_for_callbacks_that_outbound_has_no_room_for)
{
    played.outbox_pad = 500;
    played.submit_error = -ENOBUFS;
    start();
    answer_all();
    ck_assert(broker_ready(played.broker));
    ck_assert_ptr_null(played.questions);
    played.submit_error = 0;
    room();
    ck_assert_ptr_nonnull(played.questions);
    ck_assert_int_eq(played.outbox_after, 0); /* from where there was none */
    room();                                   /* it is being read already */
    played.outbox_pad = 3;
    answer(STORE_APPLIED);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(played.callbacks, 3);
    room();
    ck_assert_ptr_null(played.questions); /* nothing is left */
}
END_TEST

START_TEST(callbacks_that_outbound_has_already_are_no_reason_to_wait)
{
    played.outbox_pad = 2;
    played.submit_error = -EEXIST;
    start();
    answer_all();
    ck_assert(broker_ready(played.broker));
}
END_TEST

START_TEST(a_survey_that_fails_at_the_start_begins_it_again)
{
    start();
    answer(STORE_FAILED);
    ck_assert(!broker_ready(played.broker));
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert(broker_ready(played.broker));
}
END_TEST

START_TEST(a_start_that_is_dispossessed_reads_again_what_it_had_read)
{
    in_outbox(7, "/txn/vend");
    start();
    answer(STORE_APPLIED); /* whose callbacks there are */
    played.store.dispossessed(played.broker);
    ck_assert_int_eq(played.forgotten_all, 1);
    answer(STORE_UNAVAILABLE); /* the page: the connection is new */
    int callbacks = played.callbacks;
    RUN_UNTIL(played.questions);
    ck_assert(!broker_ready(played.broker));
    answer_all();
    ck_assert(broker_ready(played.broker));
    ck_assert_int_eq(played.claims, 1);
    ck_assert_int_eq(played.callbacks, callbacks + 1);
}
END_TEST

/* --- no room --- */

START_TEST(a_callback_that_outbound_has_no_room_for_is_read_from_disk_later)
{
    left_behind();
    in_outbox(1, "/txn/request");
    room();
    ck_assert_int_eq(played.outbox_after, 0);
    answer_all();
    ck_assert_int_eq(played.callbacks, 1);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_REQUEST);
}
END_TEST

START_TEST(nothing_overtakes_its_lane)
{
    left_behind();
    struct broker_unlock_call call = {.integrator_id = 1, .vm_id = "vm", .ref = "A"};
    broker_unlock(played.broker, &call, tell, NULL);
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 0); /* /txn/unlock stays behind the request */
    in_outbox(2, "/txn/unlock");
    room();
    answer_all();
    ck_assert_int_eq(played.callbacks, 1);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_UNLOCK);
}
END_TEST

START_TEST(a_customer_does_not_wait_for_others_callbacks_that_were_left_behind)
{
    played.outbox_pad = 1;
    played.submit_error = -ENOBUFS;
    start();
    answer_all();
    outbox_empty();
    played.submit_error = 0;
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    ck_assert_int_eq(played.callbacks, 1);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_REQUEST);
}
END_TEST

START_TEST(a_page_that_fails_at_the_start_is_read_again)
{
    in_outbox(7, "/txn/vend");
    start();
    answer(STORE_APPLIED);     /* whose callbacks there are */
    answer(STORE_UNAVAILABLE); /* the page */
    ck_assert(!broker_ready(played.broker));
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert(broker_ready(played.broker));
    ck_assert_int_eq(played.submitted.callback_id, 7);
}
END_TEST

START_TEST(a_page_that_cannot_be_read_is_asked_for_again)
{
    left_behind();
    room();
    answer(STORE_UNAVAILABLE);
    played.store_is_ready = false;
    room(); /* not while it is away */
    ck_assert_ptr_null(played.questions);
    played.store_is_ready = true;
    RUN_UNTIL(played.questions);
}
END_TEST

START_TEST(a_request_that_is_being_taken_back_is_not_sent_from_disk)
{
    left_behind();
    played.cancels = true;
    struct machine_event back = event_of(MACHINE_EVENT_WITHDRAWN, "withdrawn");
    back.session = 7;
    back.request = 1;
    say(back); /* its commit is under way */
    struct question *commit = played.questions;
    DL_DELETE(played.questions, commit);
    room();
    played.outbox[0] = callback_row(1, "/txn/request");
    played.outbox[1] = callback_row(2, "/txn/request");
    played.outbox_count = 2;
    answer(STORE_APPLIED);
    ck_assert_int_eq(played.callbacks, 1);
    ck_assert_int_eq(played.submitted.callback_id, 2);
    outbox_empty();
    DL_APPEND(played.questions, commit);
    answer_all();
}
END_TEST

/* --- people --- */

START_TEST(a_callback_that_a_person_touched_is_looked_at)
{
    played.store.changed(played.broker, "callback", "12");
    in_outbox(12, "/feed/alerts");
    answer(STORE_APPLIED);
    ck_assert_int_eq(played.submitted.callback_id, 12);
    ck_assert_int_eq(played.forgotten, 0);
}
END_TEST

START_TEST(a_callback_that_a_person_took_out_is_forgotten)
{
    played.store.changed(played.broker, "callback", "12");
    answer(STORE_APPLIED);
    ck_assert_int_eq(played.callbacks, 0);
    ck_assert_int_eq(played.forgotten, 12);
}
END_TEST

START_TEST(a_look_that_fails_forgets_nothing_and_is_made_up_for)
{
    played.store.changed(played.broker, "callback", "12");
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(played.forgotten, 0);
    in_outbox(12, "/feed/alerts");
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert_int_eq(played.submitted.callback_id, 12);
}
END_TEST

START_TEST(a_purchase_whose_request_a_person_took_out_is_closed)
{
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    played.store.changed(played.broker, "callback", "1");
    answer(STORE_APPLIED);
    ck_assert_int_eq(asked(), TXN_REQUEST_UNDELIVERABLE);
    answer_all();
}
END_TEST

START_TEST(what_was_not_heard_of_while_nobody_listened_is_looked_for)
{
    played.store.changed(played.broker, "", "");
    in_outbox(12, "/feed/alerts");
    answer_all();
    ck_assert_int_eq(played.submitted.callback_id, 12);
}
END_TEST

START_TEST(replays_are_read_when_a_person_orders_them)
{
    int before = played.replays_asked;
    played.store.changed(played.broker, "callback", "");
    ck_assert_int_eq(played.replays_asked, before + 1);
}
END_TEST

/* --- other processes --- */

START_TEST(a_process_that_was_taken_for_dead_forgets_and_reads_again)
{
    played.store.dispossessed(played.broker);
    ck_assert_int_eq(played.forgotten_all, 1);
    played.store.ready(played.broker);
    ck_assert_int_eq(played.claims, 1); /* its machines' purchases first */
    locked("A");                        /* nothing of a lane is handed over until it is known */
    select_item(1, 12, 150);
    while (played.callbacks == 0 && played.questions) {
        if (played.questions->outbox)
            in_outbox(1, "/txn/request");
        answer(STORE_APPLIED);
    }
    ck_assert_int_eq(played.submitted.kind, CALLBACK_REQUEST);
}
END_TEST

START_TEST(what_was_taken_over_from_a_dead_process_is_sent)
{
    played.store.adopted(played.broker);
    in_outbox(77, "/txn/vend");
    answer_all();
    ck_assert_int_eq(played.submitted.callback_id, 77);
}
END_TEST

START_TEST(no_attempt_begins_without_a_sign_of_life)
{
    played.store.alive(played.broker, 4711);
    ck_assert_int_eq(played.lease_until_ms, 4711);
}
END_TEST

START_TEST(a_purchase_whose_machine_has_gone_to_another_process_is_left_to_it)
{
    locked("A");
    played.has_row = true;
    played.row = live_of_vm()->txn;
    played.elsewhere = true;
    int drained = 0;
    broker_drain(played.broker, count, &drained); /* would close it */
    RUN_UNTIL(played.questions);
    answer(STORE_CONFLICT);
    answer(STORE_APPLIED); /* the row, and who holds its machine */
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.forgotten_lane, 7);
    RUN_UNTIL(drained == 1);
}
END_TEST

/* --- the end of a callback --- */

START_TEST(a_callback_that_is_no_longer_ours_is_forgotten)
{
    struct outbound_journal journal;
    broker_outbound_journal(&journal);
    journal.settle(played.broker, 9, CALLBACK_EXPIRED); /* played: another process has it */
    ck_assert_int_eq(played.forgotten, 9);
    ck_assert_int_eq(played.forgotten_lane, 0);
    played.lane_elsewhere = 7; /* and with it what waits behind it */
    journal.settle(played.broker, 9, CALLBACK_EXPIRED);
    ck_assert_int_eq(played.forgotten_lane, 7);
    RUN_UNTIL(played.questions); /* and what of it is ours after all is found again */
    answer_all();
    journal.record(played.broker, &(struct outbound_attempt){.callback_id = 5,
                                                             .result = ATTEMPT_RETRY,
                                                             .fate = CALLBACK_PENDING});
    ck_assert_int_eq(played.recorded, 0); /* its end is still to come */
    journal.record(played.broker, &(struct outbound_attempt){.callback_id = 5,
                                                             .result = ATTEMPT_DELIVERED,
                                                             .fate = CALLBACK_DELIVERED});
    ck_assert_int_eq(played.recorded, 5);
}
END_TEST

START_TEST(an_endpoint_that_is_gone_is_held_for_a_person)
{
    struct outbound_handlers outbound;
    broker_outbound_handlers(&outbound);
    outbound.gone(played.broker, 1);
    ck_assert_int_eq(played.holds, 1);
}
END_TEST

static void add_a_start(Suite *suite)
{
    TCase *tests = tcase_create("a start");
    tcase_add_checked_fixture(tests, play_open, play_end);
    tcase_add_test(tests, what_is_owed_is_sent_after_a_start_page_by_page);
    tcase_add_test(tests, a_callback_of_a_kind_that_we_do_not_know_stays_where_it_is);
    tcase_add_test(tests, a_start_does_not_wait_for_callbacks_that_outbound_has_no_room_for);
    tcase_add_test(tests, callbacks_that_outbound_has_already_are_no_reason_to_wait);
    tcase_add_test(tests, a_survey_that_fails_at_the_start_begins_it_again);
    tcase_add_test(tests, a_customer_does_not_wait_for_others_callbacks_that_were_left_behind);
    tcase_add_test(tests, a_page_that_fails_at_the_start_is_read_again);
    tcase_add_test(tests, a_start_that_is_dispossessed_reads_again_what_it_had_read);
    suite_add_tcase(suite, tests);
}

static void add_no_room(Suite *suite)
{
    TCase *tests = tcase_create("no room");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_callback_that_outbound_has_no_room_for_is_read_from_disk_later);
    tcase_add_test(tests, nothing_overtakes_its_lane);
    tcase_add_test(tests, a_page_that_cannot_be_read_is_asked_for_again);
    tcase_add_test(tests, a_request_that_is_being_taken_back_is_not_sent_from_disk);
    suite_add_tcase(suite, tests);
}

static void add_people(Suite *suite)
{
    TCase *tests = tcase_create("people");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_callback_that_a_person_touched_is_looked_at);
    tcase_add_test(tests, a_callback_that_a_person_took_out_is_forgotten);
    tcase_add_test(tests, a_look_that_fails_forgets_nothing_and_is_made_up_for);
    tcase_add_test(tests, a_purchase_whose_request_a_person_took_out_is_closed);
    tcase_add_test(tests, what_was_not_heard_of_while_nobody_listened_is_looked_for);
    tcase_add_test(tests, replays_are_read_when_a_person_orders_them);
    suite_add_tcase(suite, tests);
}

static void add_other_processes(Suite *suite)
{
    TCase *tests = tcase_create("other processes");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_process_that_was_taken_for_dead_forgets_and_reads_again);
    tcase_add_test(tests, what_was_taken_over_from_a_dead_process_is_sent);
    tcase_add_test(tests, no_attempt_begins_without_a_sign_of_life);
    tcase_add_test(tests, a_purchase_whose_machine_has_gone_to_another_process_is_left_to_it);
    tcase_add_test(tests, a_callback_that_is_no_longer_ours_is_forgotten);
    tcase_add_test(tests, an_endpoint_that_is_gone_is_held_for_a_person);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/outbox");
    add_a_start(suite);
    add_no_room(suite);
    add_people(suite);
    add_other_processes(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
