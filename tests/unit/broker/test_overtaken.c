/* Words that wait while something else is being stored: judged when their turn comes, against what
 * is true by then. */
#include "played_calls.h"

static void say_result(enum machine_event_kind kind, const char *approval)
{
    struct machine_event event = event_of(kind, machine_event_kind_name(kind));
    snprintf(event.approval, sizeof event.approval, "%s", approval);
    say(event);
}

/* --- time --- */

START_TEST(a_deadline_that_passes_while_the_choice_is_stored_ends_nothing)
{
    played.broker->options.selection_ms = 20;
    locked("A");
    select_item(1, 12, 150);
    struct question *commit = hold();
    run_for(60); /* the customer's time is up, but the choice came before */
    answer_held(commit);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(a_deadline_that_passes_while_the_end_is_stored_is_forgotten)
{
    played.broker->options.selection_ms = 20;
    locked("A");
    struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
    end.session = 7;
    end.end = SESSION_END_CUSTOMER;
    say(end);
    struct question *commit = hold();
    run_for(60);
    answer_held(commit);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(played.callbacks, 1);
}
END_TEST

START_TEST(a_deadline_of_the_sale_before_does_not_end_the_next)
{
    locked("A");
    struct machine *machine = broker_machine_find(played.broker, "vm");
    struct input *expired = input_new(INPUT_EXPIRED);
    expired->txn_id = 6;
    mailbox_post(machine, expired);
    mailbox_signal(machine, TXN_REQUEST_REFUSED, 6);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(a_doubt_whose_deadline_passed_while_the_store_was_away_gets_the_time_back)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 60);
    online(7, 1);
    played.store_is_ready = false;
    played.store.lost(played.broker);
    run_for(150);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
    ck_assert(!live_of_vm()->expiring);
    ck_assert(timer_running(live_of_vm()->deadline));
}
END_TEST

START_TEST(only_doubts_get_back_the_time_in_which_the_store_was_away)
{
    locked("A");
    int64_t deadline_ms = live_of_vm()->txn.deadline_ms;
    played.store_is_ready = false;
    played.store.lost(played.broker);
    run_for(20);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    ck_assert_int_eq(live_of_vm()->txn.deadline_ms, deadline_ms);
}
END_TEST

START_TEST(an_approval_that_was_taken_is_not_sent_again)
{
    played.broker->options.approve_ack_ms = 15;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    say_reply(reply_to(MACHINE_OP_APPROVE));
    answer_all();
    run_for(40);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 0);
}
END_TEST

START_TEST(an_outcome_that_is_being_stored_is_not_asked_about_again)
{
    played.broker->options.query_every_ms = 15;
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    online(7, 1);
    say_result(MACHINE_EVENT_DISPENSED, "aa");
    struct question *commit = hold();
    run_for(40);
    int queries = played.sent[MACHINE_OP_QUERY];
    answer_held(commit);
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], queries);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(a_link_that_is_lost_while_paid_waits_for_its_machine)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_LINK_LOST);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
    ck_assert_int_eq(live_of_vm()->txn.timer, TXN_TIMER_VEND);
    ck_assert_int_eq(live_of_vm()->approve_since_ms, 0);
}
END_TEST

START_TEST(a_clock_that_jumps_holds_no_machine_longer_than_its_timer)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 3600000);
    online(7, -1);
    ck_assert_int_le(live_of_vm()->txn.deadline_ms - now_ms(), 60000);
    lock_asked(2, "X", 1);
    ck_assert_int_eq(told.timeout_s, 60);
    skip_ms(61000);
    lock_asked(2, "X", 1);
    ck_assert_int_eq(told.timeout_s, 0);
}
END_TEST

/* --- renames --- */

START_TEST(a_refused_request_that_a_rename_overtook_ends_nothing)
{
    played.integrator.allow_rename = true;
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    struct outbound_callback first = played.submitted;
    select_item(2, 13, 200);
    struct question *commit = hold();
    played.submitted = first;
    callback_settled(CALLBACK_REFUSED);
    answer_held(commit);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.id, 8);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(a_rename_waits_for_a_store_that_is_busy)
{
    played.integrator.allow_rename = true;
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    select_item(2, 13, 200);
    answer(STORE_UNAVAILABLE);
    RUN_UNTIL(asked() == TXN_SELECTION_RENAMING);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.id, 8);
}
END_TEST

START_TEST(a_choice_made_after_the_payment_changes_nothing)
{
    played.integrator.allow_rename = true;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    select_item(2, 13, 200);
    ck_assert_uint_eq(played.questions->callback_count, 0);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
    ck_assert_int_eq(live_of_vm()->txn.request, 1);
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

/* --- calls --- */

/* "A" is locked at "vm" while its calls wait at another machine. */
static struct question *other_machine_busy(void)
{
    played.any_machine = true;
    struct broker_lock_call call = {.integrator_id = 2, .vm_id = "vm2", .ref = "X", .balance = 1};
    played.link.arrived(played.broker, "vm2", 9, NULL); /* being taken in: its calls wait */
    broker_lock(played.broker, &call, tell, NULL);
    run_for(3);
    return hold();
}

START_TEST(calls_that_waited_at_another_machine_are_told_the_mismatch)
{
    static const int64_t KEY = 4;
    struct question *busy = other_machine_busy();
    struct broker_unlock_call unlock = {.integrator_id = 1, .vm_id = "vm2", .ref = "A"};
    broker_unlock(played.broker, &unlock, tell, NULL);
    struct broker_keys_call keys = {
        .integrator_id = 1, .vm_id = "vm2", .ref = "A", .keys = &KEY, .count = 1};
    broker_keys(played.broker, &keys, tell, NULL);
    run_for(3);
    locked("A");
    told.count = 0;
    played.found = &live_of_vm()->txn;
    answer_held(busy);
    settle();
    settle();
    ck_assert_int_eq(told.reason, REASON_TXN_MACHINE_MISMATCH);
    ck_assert_int_eq(told.count, 3);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(a_sale_that_another_process_ended_makes_room_for_the_next)
{
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    pay_asked("A", 150);
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    played.row.id = 9;
    static struct txn_record closed = {.id = 7, .state = TXN_CLOSED, .vm_id = "vm"};
    played.found = &closed;
    answer(STORE_CONFLICT);
    answer_all();
    ck_assert_int_eq(told.reason, REASON_CLOSED_BEFORE_PAID);
    ck_assert_int_eq(live_of_vm()->txn.id, 9);
    ck_assert_str_eq(live_of_vm()->txn.ref, "R");
}
END_TEST

/* --- machines --- */

START_TEST(replies_to_commands_of_a_former_sale_move_nothing)
{
    locked("A");
    struct machine_reply reply = reply_to(MACHINE_OP_LOCK);
    reply.txn_id = 6;
    reply.ok = false;
    say_reply(reply);
    reply.op = MACHINE_OP_KEYS;
    say_reply(reply);
    reply.op = MACHINE_OP_UNLOCK;
    reply.txn_id = 7;
    say_reply(reply);
    reply.op = MACHINE_OP_QUERY; /* the probe of a silent link */
    reply.txn_id = 0;
    say_reply(reply);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(a_reply_that_is_no_json_is_still_evidence)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    struct machine_reply reply = reply_to(MACHINE_OP_APPROVE);
    reply.raw = "\xff";
    reply.raw_size = 1;
    say_reply(reply);
    ck_assert_int_eq(asked(), TXN_APPROVAL_TAKEN);
    ck_assert_str_eq(played.questions->evidence, "{\"op\":\"approve\",\"reply\":null}");
}
END_TEST

START_TEST(the_result_of_an_earlier_sale_does_not_end_this_one)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    say_result(MACHINE_EVENT_DISPENSED, "bb");
    answer_all(); /* nobody knows of it */
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

START_TEST(late_evidence_waits_for_a_store_that_is_busy)
{
    static struct txn_record ended = {.id = 5, .state = TXN_FAILED, .vm_id = "vm"};
    played.found = &ended;
    online(-1, -1);
    say_result(MACHINE_EVENT_DISPENSED, "bb");
    answer(STORE_UNAVAILABLE);
    RUN_UNTIL(played.questions);
    answer(STORE_APPLIED);
    ck_assert_str_eq(played.questions->adjusts, "dispensed");
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

START_TEST(a_power_cut_told_after_a_refund_is_only_journalled)
{
    static struct txn_record ended = {.id = 5, .state = TXN_FAILED, .vm_id = "vm"};
    played.found = &ended;
    online(-1, -1);
    say_result(MACHINE_EVENT_INTERRUPTED, "bb");
    answer(STORE_APPLIED);
    ck_assert_ptr_null(played.questions->adjusts);
    answer_all();
}
END_TEST

START_TEST(a_machine_removed_under_a_sale_is_bounded_by_mdb_and_our_own_time)
{
    locked("A");
    snprintf(played.machine.vm_id, sizeof played.machine.vm_id, "gone");
    select_item(1, 12, 150);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    ck_assert_int_gt(live_of_vm()->txn.deadline_ms - now_ms(), 29000);
}
END_TEST

START_TEST(a_machine_removed_while_its_review_waits_is_left_alone)
{
    struct fleet_directory_handlers fleet;
    broker_directory_handlers(&fleet);
    locked("A");
    select_item(1, 12, 150); /* its commit is under way */
    played.machine.enabled = false;
    fleet.changed(played.broker, &played.machine);
    snprintf(played.machine.vm_id, sizeof played.machine.vm_id, "gone");
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    ck_assert_int_eq(played.cut, 0);
}
END_TEST

static void add_time(Suite *suite)
{
    TCase *tests = tcase_create("time");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_deadline_that_passes_while_the_choice_is_stored_ends_nothing);
    tcase_add_test(tests, a_deadline_that_passes_while_the_end_is_stored_is_forgotten);
    tcase_add_test(tests, a_deadline_of_the_sale_before_does_not_end_the_next);
    tcase_add_test(tests,
                   a_doubt_whose_deadline_passed_while_the_store_was_away_gets_the_time_back);
    tcase_add_test(tests, only_doubts_get_back_the_time_in_which_the_store_was_away);
    tcase_add_test(tests, an_approval_that_was_taken_is_not_sent_again);
    tcase_add_test(tests, an_outcome_that_is_being_stored_is_not_asked_about_again);
    tcase_add_test(tests, a_link_that_is_lost_while_paid_waits_for_its_machine);
    tcase_add_test(tests, a_clock_that_jumps_holds_no_machine_longer_than_its_timer);
    suite_add_tcase(suite, tests);
}

static void add_renames(Suite *suite)
{
    TCase *tests = tcase_create("renames");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_refused_request_that_a_rename_overtook_ends_nothing);
    tcase_add_test(tests, a_rename_waits_for_a_store_that_is_busy);
    tcase_add_test(tests, a_choice_made_after_the_payment_changes_nothing);
    suite_add_tcase(suite, tests);
}

static void add_calls(Suite *suite)
{
    TCase *tests = tcase_create("calls");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, calls_that_waited_at_another_machine_are_told_the_mismatch);
    tcase_add_test(tests, a_sale_that_another_process_ended_makes_room_for_the_next);
    suite_add_tcase(suite, tests);
}

static void add_machines(Suite *suite)
{
    TCase *tests = tcase_create("machines");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, replies_to_commands_of_a_former_sale_move_nothing);
    tcase_add_test(tests, a_reply_that_is_no_json_is_still_evidence);
    tcase_add_test(tests, the_result_of_an_earlier_sale_does_not_end_this_one);
    tcase_add_test(tests, late_evidence_waits_for_a_store_that_is_busy);
    tcase_add_test(tests, a_power_cut_told_after_a_refund_is_only_journalled);
    tcase_add_test(tests, a_machine_removed_under_a_sale_is_bounded_by_mdb_and_our_own_time);
    tcase_add_test(tests, a_machine_removed_while_its_review_waits_is_left_alone);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/overtaken");
    add_time(suite);
    add_renames(suite);
    add_calls(suite);
    add_machines(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
