/* /api/paid: what is booked, what is refunded, and what is said of refs that live no more. */
#include "played_calls.h"

/* Locked as "A", with a choice for 150. */
static void chosen(void)
{
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}

/* --- what is booked --- */

START_TEST(success_means_that_the_payment_is_on_disk_and_its_approval_on_the_way)
{
    chosen();
    told.count = 0;
    struct broker_paid_call call = {
        .integrator_id = 1, .ref = "A", .price = 150, .surcharge = 20, .discount = 50};
    broker_paid(played.broker, &call, tell, NULL);
    RUN_UNTIL(asked() == TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(told.count, 0);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 0);
    answer_all();
    ck_assert(told.success);
    const struct machine_command *approve = &played.last_of[MACHINE_OP_APPROVE];
    ck_assert_int_eq(approve->price, 150);
    ck_assert_int_eq(approve->amount, 120);
    ck_assert_int_eq(approve->n, 1);
    ck_assert_str_eq(approve->journal, "J");
    ck_assert_uint_eq(strlen(approve->approval), 32);
    ck_assert_int_eq(played.implied, 1); /* the request has arrived, or it could not be paid */
}
END_TEST

START_TEST(a_payment_that_the_database_refuses_approves_nothing)
{
    chosen();
    pay_asked("A", 150);
    answer(STORE_FAILED);
    ck_assert_int_eq(told.reason, REASON_INTERNAL);
    pay_asked("A", 150);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 0);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(each_approval_has_a_higher_number_than_the_machine_ever_got)
{
    played.own_told = true;
    played.owned = (struct store_machine_owned){.mark = -1, .approval_n = 41};
    chosen();
    pay("A", 150);
    ck_assert_int_eq(played.last_of[MACHINE_OP_APPROVE].n, 42);
}
END_TEST

START_TEST(a_silent_link_is_asked_for_a_sign_of_life_before_money_is_taken)
{
    chosen();
    played.link_stale = true;
    pay("A", 150);
    ck_assert_int_eq(told.reason, REASON_MACHINE_RECONCILING);
    ck_assert_int_eq(told.action, ACTION_RETRY);
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 1);
    ck_assert_int_eq(played.last_of[MACHINE_OP_QUERY].n, 0);
    played.link_stale = false;
    pay("A", 150);
    ck_assert(told.success);
}
END_TEST

START_TEST(a_machine_that_is_away_is_not_paid_and_one_that_is_coming_soon_is)
{
    chosen();
    played.broker->options.offline_grace_ms = 60000;
    go(1, LINK_DOWN_RESET);
    pay("A", 150);
    ck_assert_int_eq(told.reason, REASON_MACHINE_OFFLINE);
    arrive(2);
    answer_all();
    pay("A", 150);
    ck_assert_int_eq(told.reason, REASON_MACHINE_RECONCILING);
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 0);
    hello(2, 7, 1, "J");
    answer_all();
    pay("A", 150);
    ck_assert(told.success);
}
END_TEST

START_TEST(the_lower_of_both_limits_bounds_a_payment)
{
    chosen();
    played.machine.price_max = 200;
    played.integrator.amount_max = 160;
    struct broker_paid_call call = {.integrator_id = 1, .ref = "A", .price = 150, .surcharge = 11};
    broker_paid(played.broker, &call, tell, NULL);
    settle();
    ck_assert_int_eq(told.reason, REASON_OVER_LIMIT);
    ck_assert_int_eq(told.action, ACTION_REFUND);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.submitted.kind, CALLBACK_UNLOCK);
}
END_TEST

START_TEST(a_higher_limit_of_the_integrator_does_not_lift_the_machines)
{
    played.machine.price_max = 140;
    played.integrator.amount_max = 1000;
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.submitted.kind, CALLBACK_UNLOCK);
}
END_TEST

START_TEST(a_machine_nobody_described_is_bounded_by_mdb_alone)
{
    played.machine.scale = 0;
    played.nobody = true;
    locked("A");
    select_item(1, 12, MDB_AMOUNT_MAX);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(the_payment_must_come_within_the_machines_patience)
{
    played.machine.max_response_s = 10;
    chosen();
    ck_assert_int_le(live_of_vm()->txn.deadline_ms - now_ms(), 7000);
    ck_assert_int_gt(live_of_vm()->txn.deadline_ms - now_ms(), 6000);
}
END_TEST

START_TEST(a_very_patient_machine_does_not_lengthen_the_payment)
{
    played.machine.max_response_s = 600;
    chosen();
    ck_assert_int_le(live_of_vm()->txn.deadline_ms - now_ms(), 30000);
    ck_assert_int_gt(live_of_vm()->txn.deadline_ms - now_ms(), 29000);
}
END_TEST

START_TEST(no_payment_in_time_frees_the_machine)
{
    played.broker->options.payment_ms = 20;
    chosen();
    RUN_UNTIL(asked() == TXN_PAYMENT_TIMER);
    ck_assert_str_eq(played.questions->bodies[0], "{\"txn_ref\":\"A\",\"code\":\"103\"}");
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_DENY], 1);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(a_row_that_another_process_moved_is_paid_as_it_is_now)
{
    chosen();
    pay_asked("A", 150);
    played.row = live_of_vm()->txn;
    played.row.version = 20;
    played.has_row = true;
    answer(STORE_CONFLICT);
    answer(STORE_APPLIED); /* read again */
    ck_assert_int_eq(asked(), TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(played.questions->txn.version, 21);
    answer_all();
    ck_assert(told.success);
}
END_TEST

START_TEST(a_row_that_moves_each_time_is_tried_only_so_often)
{
    chosen();
    played.row = live_of_vm()->txn;
    played.has_row = true;
    pay_asked("A", 150);
    for (int i = 0; i < STEP_TRIES_MAX; i++) {
        ck_assert_int_eq(asked(), TXN_PAID_ACCEPTABLE);
        answer(STORE_CONFLICT);
        if (i + 1 < STEP_TRIES_MAX)
            answer(STORE_APPLIED);
    }
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
    ck_assert_int_eq(told.action, ACTION_RETRY);
}
END_TEST

START_TEST(a_row_that_another_process_ended_is_answered_from_the_database)
{
    chosen();
    pay_asked("A", 150);
    answer(STORE_CONFLICT);
    static struct txn_record closed = {.id = 7, .state = TXN_CLOSED, .vm_id = "vm"};
    played.found = &closed;
    answer_all(); /* no row any more; then the ref is looked for */
    ck_assert_int_eq(told.reason, REASON_CLOSED_BEFORE_PAID);
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_row_that_cannot_be_read_again_promises_nothing)
{
    chosen();
    pay_asked("A", 150);
    answer(STORE_CONFLICT);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

/* --- refs that live no more, or never did --- */

START_TEST(a_payment_for_an_unknown_ref_is_refunded_only_once_the_ref_is_spent)
{
    pay_asked("Z", 100);
    answer(STORE_APPLIED); /* no such ref */
    ck_assert_int_eq(told.count, 0);
    ck_assert_int_eq(played.spent, 1);
    answer(STORE_APPLIED);
    ck_assert_int_eq(told.reason, REASON_TXN_UNKNOWN);
    ck_assert_int_eq(told.action, ACTION_REFUND);
}
END_TEST

START_TEST(a_ref_that_cannot_be_spent_is_not_refunded)
{
    pay_asked("Z", 100);
    answer(STORE_APPLIED);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    ck_assert_int_ne(told.action, ACTION_REFUND);
}
END_TEST

START_TEST(a_ref_that_begins_while_it_is_spent_is_looked_for_again_but_not_for_ever)
{
    pay_asked("Z", 100);
    for (int i = 0; i < 3; i++) {
        answer(STORE_APPLIED); /* not found */
        answer(STORE_CONFLICT);
    }
    ck_assert_int_eq(played.spent, 3);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
}
END_TEST

START_TEST(a_lookup_that_fails_says_so)
{
    pay_asked("Z", 100);
    answer(STORE_FAILED);
    ck_assert_int_eq(told.reason, REASON_INTERNAL);
    pay_asked("Z", 100);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
}
END_TEST

START_TEST(a_ref_of_another_gateway_is_asked_for_later)
{
    static struct txn_record live = {.id = 5, .state = TXN_REQUESTED};
    played.found = &live;
    pay("Z", 100);
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
    ck_assert_int_eq(told.action, ACTION_RETRY);
}
END_TEST

START_TEST(a_ref_that_comes_alive_during_the_lookup_is_paid)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    pay_asked("R", 100);
    struct question *lookup = played.questions;
    DL_DELETE(played.questions, lookup); /* answered last */
    online(7, 1);
    DL_APPEND(played.questions, lookup);
    played.found = &played.row;
    settle();
    settle();
    ck_assert(told.success);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
}
END_TEST

START_TEST(a_payment_that_ended_is_answered_as_it_was)
{
    static struct txn_record ended = {.id = 5, .state = TXN_VENDED, .price = 100, .vm_id = "vm"};
    played.found = &ended;
    pay("Z", 100);
    ck_assert(told.success);
    pay("Z", 101);
    ck_assert_int_eq(told.reason, REASON_PAID_CONFLICT);
}
END_TEST

START_TEST(a_sale_that_ends_while_its_payment_waits_is_refunded)
{
    chosen();
    struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
    end.session = 7;
    say(end); /* its commit is under way */
    pay_asked("A", 150);
    static struct txn_record closed = {.id = 7, .state = TXN_CLOSED};
    played.found = &closed;
    answer_all();
    settle();
    ck_assert_int_eq(told.reason, REASON_CLOSED_BEFORE_PAID);
    ck_assert_int_eq(told.action, ACTION_REFUND);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 0);
}
END_TEST

/* --- /txn/request --- */

START_TEST(an_integrator_that_refuses_the_request_frees_the_machine)
{
    chosen();
    callback_settled(CALLBACK_REFUSED);
    ck_assert_int_eq(asked(), TXN_REQUEST_REFUSED);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_request_that_cannot_be_delivered_frees_the_machine)
{
    chosen();
    callback_settled(CALLBACK_EXPIRED);
    ck_assert_int_eq(asked(), TXN_REQUEST_UNDELIVERABLE);
    answer_all();
    callback_settled(CALLBACK_EXPIRED); /* of the unlock: nothing lives any more */
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(the_fate_of_a_request_that_was_replaced_ends_nothing)
{
    chosen();
    played.submitted.callback_id = 99;
    callback_settled(CALLBACK_REFUSED);
    callback_settled(CALLBACK_DELIVERED);
    ck_assert_ptr_null(played.questions);
    played.submitted.txn_id = 99;
    callback_settled(CALLBACK_REFUSED);
    callback_settled(CALLBACK_DELIVERED);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(a_choice_taken_back_takes_its_unsent_request_back_in_the_same_commit)
{
    chosen();
    played.cancels = true;
    struct machine_event back = event_of(MACHINE_EVENT_WITHDRAWN, "withdrawn");
    back.session = 7;
    back.request = 1;
    say(back);
    ck_assert_int_eq(asked(), TXN_SELECTION_WITHDRAWN);
    ck_assert_int_eq(played.questions->cancelled, 1);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_WITHDRAWN);
}
END_TEST

START_TEST(a_request_taken_back_stays_taken_back_over_an_outage)
{
    chosen();
    played.cancels = true;
    struct machine_event back = event_of(MACHINE_EVENT_WITHDRAWN, "withdrawn");
    back.session = 7;
    back.request = 1;
    say(back);
    played.store_is_ready = false;
    played.store.lost(played.broker);
    answer(STORE_UNAVAILABLE);
    played.cancels = false; /* outbound has it no more */
    played.store_is_ready = true;
    played.store.ready(played.broker);
    while (asked() != TXN_SELECTION_WITHDRAWN)
        answer(STORE_APPLIED);
    ck_assert_int_eq(played.questions->cancelled, 1); /* so that nothing overtakes it */
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_WITHDRAWN);
}
END_TEST

START_TEST(a_request_taken_back_by_a_step_that_failed_is_owed_again)
{
    chosen();
    played.cancels = true;
    struct machine_event back = event_of(MACHINE_EVENT_WITHDRAWN, "withdrawn");
    back.session = 7;
    back.request = 1;
    say(back);
    answer(STORE_UNAVAILABLE);
    played.outbox[0] = (struct store_callback_row){.callback_id = 1,
                                                   .integrator_id = 1,
                                                   .txn_id = 7,
                                                   .kind = "/txn/request",
                                                   .webhook_id = "msg_1",
                                                   .body = "{}",
                                                   .body_size = 2};
    played.outbox_count = 1;
    int callbacks = played.callbacks;
    ck_assert_ptr_nonnull(played.questions->outbox); /* the outbox is read again */
    ck_assert_int_eq(played.outbox_after, 0);
    answer(STORE_APPLIED);
    ck_assert_int_eq(played.callbacks, callbacks + 1);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_REQUEST);
}
END_TEST

static void add_what_is_booked(Suite *suite)
{
    TCase *tests = tcase_create("what is booked");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, success_means_that_the_payment_is_on_disk_and_its_approval_on_the_way);
    tcase_add_test(tests, a_payment_that_the_database_refuses_approves_nothing);
    tcase_add_test(tests, each_approval_has_a_higher_number_than_the_machine_ever_got);
    tcase_add_test(tests, a_silent_link_is_asked_for_a_sign_of_life_before_money_is_taken);
    tcase_add_test(tests, a_machine_that_is_away_is_not_paid_and_one_that_is_coming_soon_is);
    tcase_add_test(tests, the_lower_of_both_limits_bounds_a_payment);
    tcase_add_test(tests, a_higher_limit_of_the_integrator_does_not_lift_the_machines);
    tcase_add_test(tests, a_machine_nobody_described_is_bounded_by_mdb_alone);
    tcase_add_test(tests, the_payment_must_come_within_the_machines_patience);
    tcase_add_test(tests, a_very_patient_machine_does_not_lengthen_the_payment);
    tcase_add_test(tests, no_payment_in_time_frees_the_machine);
    tcase_add_test(tests, a_row_that_another_process_moved_is_paid_as_it_is_now);
    tcase_add_test(tests, a_row_that_moves_each_time_is_tried_only_so_often);
    tcase_add_test(tests, a_row_that_another_process_ended_is_answered_from_the_database);
    tcase_add_test(tests, a_row_that_cannot_be_read_again_promises_nothing);
    suite_add_tcase(suite, tests);
}

static void add_refs_that_live_no_more_or_never_did(Suite *suite)
{
    TCase *tests = tcase_create("refs that live no more, or never did");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_payment_for_an_unknown_ref_is_refunded_only_once_the_ref_is_spent);
    tcase_add_test(tests, a_ref_that_cannot_be_spent_is_not_refunded);
    tcase_add_test(tests, a_ref_that_begins_while_it_is_spent_is_looked_for_again_but_not_for_ever);
    tcase_add_test(tests, a_lookup_that_fails_says_so);
    tcase_add_test(tests, a_ref_of_another_gateway_is_asked_for_later);
    tcase_add_test(tests, a_ref_that_comes_alive_during_the_lookup_is_paid);
    tcase_add_test(tests, a_payment_that_ended_is_answered_as_it_was);
    tcase_add_test(tests, a_sale_that_ends_while_its_payment_waits_is_refunded);
    suite_add_tcase(suite, tests);
}

static void add_txn_request(Suite *suite)
{
    TCase *tests = tcase_create("/txn/request");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_integrator_that_refuses_the_request_frees_the_machine);
    tcase_add_test(tests, a_request_that_cannot_be_delivered_frees_the_machine);
    tcase_add_test(tests, the_fate_of_a_request_that_was_replaced_ends_nothing);
    tcase_add_test(tests, a_choice_taken_back_takes_its_unsent_request_back_in_the_same_commit);
    tcase_add_test(tests, a_request_taken_back_stays_taken_back_over_an_outage);
    tcase_add_test(tests, a_request_taken_back_by_a_step_that_failed_is_owed_again);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/payment");
    add_what_is_booked(suite);
    add_refs_that_live_no_more_or_never_did(suite);
    add_txn_request(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
