/* Another selection in the same session: the customer's new choice goes on under a new ref, or the
 * session ends - and each ref that the integrator may know has exactly one ending. */
#include "played_parts.h"

static void requested(bool allow_rename)
{
    played.integrator.allow_rename = allow_rename;
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    online(7, 1);
}

/* The customer has chosen anew, and the store has both rows. */
static void renamed(void)
{
    requested(true);
    select_item(2, 12, 200);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.id, 8);
}

START_TEST(another_selection_goes_on_under_a_new_ref)
{
    requested(true);
    select_item(2, 12, 200);
    const struct question *asked_ = played.questions;
    ck_assert_int_eq(asked(), TXN_SELECTION_RENAMING);
    ck_assert_int_eq(asked_->old.state, TXN_CLOSED);
    ck_assert_int_eq(asked_->old.version, 6);
    ck_assert_int_eq(asked_->old.closed_by, TXN_SELECTION_RENAMING);
    ck_assert_int_eq(asked_->txn.state, TXN_REQUESTED);
    ck_assert_int_eq(asked_->txn.price, 200);
    ck_assert_int_eq(asked_->txn.session, 7);
    ck_assert_str_eq(asked_->txn.predecessor_ref, "R");
    char body[300];
    snprintf(body, sizeof body,
             "{\"txn_ref\":\"R\",\"new_txn_ref\":\"%s\",\"selection\":\"12\",\"cents\":200}",
             asked_->txn.ref);
    ck_assert_str_eq(asked_->bodies[0], body);
    answer_all();
    ck_assert(played.submitted.renames);
    ck_assert_int_eq(played.submitted.txn_id, 8);
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK] + played.sent[MACHINE_OP_DENY], 0);
}
END_TEST

START_TEST(an_integrator_that_knows_no_renames_hears_the_end)
{
    requested(false);
    select_item(2, 12, 200);
    ck_assert_int_eq(asked(), TXN_SELECTION_CHANGED);
    ck_assert_str_eq(played.questions->bodies[0], "{\"txn_ref\":\"R\",\"code\":\"104\"}");
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(an_unconfirmed_rename_ends_both_refs_the_old_one_first)
{
    renamed();
    char body[300];
    snprintf(body, sizeof body, "{\"txn_ref\":\"%s\",\"code\":\"104\"}", live_of_vm()->txn.ref);
    select_item(3, 13, 300);
    const struct question *asked_ = played.questions;
    ck_assert_int_eq(asked(), TXN_SELECTION_CHANGED);
    ck_assert_uint_eq(asked_->callback_count, 2);
    ck_assert_str_eq(asked_->bodies[0], "{\"txn_ref\":\"R\",\"code\":\"104\"}");
    ck_assert_int_eq(asked_->callback_txns[0], 7);
    ck_assert_str_eq(asked_->bodies[1], body);
    ck_assert_int_eq(asked_->callback_txns[1], 0);
    ck_assert_int_eq(asked_->txn.lane_sequence, 3);
    answer_all();
    ck_assert_int_eq(played.callbacks, 3);
}
END_TEST

static void request_delivered(void)
{
    struct outbound_handlers outbound;
    broker_outbound_handlers(&outbound);
    outbound.settled(played.broker, &played.submitted, CALLBACK_DELIVERED, NULL);
}

START_TEST(a_delivered_rename_ends_only_the_new_ref)
{
    renamed();
    request_delivered();
    struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
    end.session = 7;
    end.end = SESSION_END_CUSTOMER;
    say(end);
    ck_assert_uint_eq(played.questions->callback_count, 1);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_delivered_rename_can_be_followed_by_another)
{
    renamed();
    request_delivered();
    select_item(3, 13, 300);
    ck_assert_int_eq(asked(), TXN_SELECTION_RENAMING);
}
END_TEST

START_TEST(a_rename_that_was_not_delivered_before_a_restart_ends_both_refs)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    played.row.predecessor_id = 6;
    played.row.predecessor_closed = played.rename_unconfirmed = true;
    snprintf(played.row.predecessor_ref, sizeof played.row.predecessor_ref, "Q");
    online(-1, -1); /* hello names another session: closed */
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 2);
}
END_TEST

START_TEST(paying_the_new_ref_shows_that_it_was_heard)
{
    renamed();
    struct broker_paid_call call = {.integrator_id = 1, .ref = live_of_vm()->txn.ref, .price = 200};
    broker_paid(played.broker, &call, tell, NULL);
    settle();
    ck_assert(told.success);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
    ck_assert(!live_of_vm()->rename_unconfirmed);
    ck_assert_int_ge(played.implied, 1);
    ck_assert_int_eq(played.last_sent.request, 2);
}
END_TEST

START_TEST(the_old_ref_is_answered_with_the_one_that_took_over)
{
    renamed();
    static struct txn_record old;
    old = (struct txn_record){
        .id = 7, .state = TXN_CLOSED, .closed_by = TXN_SELECTION_RENAMING, .vm_id = "vm"};
    snprintf(old.successor_ref, sizeof old.successor_ref, "%s", live_of_vm()->txn.ref);
    played.found = &old;
    struct broker_paid_call paid = {.integrator_id = 1, .ref = "R", .price = 100};
    broker_paid(played.broker, &paid, tell, NULL);
    settle();
    ck_assert_int_eq(told.reason, REASON_REF_SUPERSEDED);
    ck_assert_int_eq(told.action, ACTION_REFUND);
    ck_assert_str_eq(told.txn_ref, old.successor_ref);
    struct broker_unlock_call unlock = {.integrator_id = 1, .ref = "R", .vm_id = "vm"};
    broker_unlock(played.broker, &unlock, tell, NULL);
    settle();
    ck_assert_int_eq(told.reason, REASON_REF_SUPERSEDED);
    struct broker_lock_call lock = {.integrator_id = 1, .ref = "R", .vm_id = "vm", .balance = 1};
    broker_lock(played.broker, &lock, tell, NULL);
    settle();
    ck_assert_int_eq(told.reason, REASON_REF_SUPERSEDED);
    ck_assert_str_eq(told.txn_ref, old.successor_ref);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(unlocking_the_new_ref_ends_the_session_without_a_callback)
{
    renamed();
    int callbacks = played.callbacks;
    struct broker_unlock_call call = {
        .integrator_id = 1, .ref = live_of_vm()->txn.ref, .vm_id = "vm"};
    broker_unlock(played.broker, &call, tell, NULL);
    settle();
    ck_assert(told.success);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, callbacks);
    ck_assert_int_eq(played.implied, 1);
}
END_TEST

START_TEST(a_rename_that_the_database_refuses_leaves_the_old_choice)
{
    requested(true);
    select_item(2, 12, 200);
    answer(STORE_FAILED);
    ck_assert_int_eq(live_of_vm()->txn.id, 7);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(a_rename_on_a_row_that_moved_is_decided_again)
{
    requested(true);
    select_item(2, 12, 200);
    played.row.state = TXN_WITHDRAWN;
    played.row.version = 9;
    answer(STORE_CONFLICT);
    answer(STORE_APPLIED); /* the row as it is */
    ck_assert_int_eq(asked(), TXN_SELECTION_RENAMING);
    ck_assert_int_eq(played.questions->old.version, 10);
}
END_TEST

/* --- several purchases in one session --- */

static void vended(void)
{
    played.integrator.allow_multi_vend = true;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    played.has_row = false;
}

START_TEST(a_session_that_goes_on_keeps_the_machine_for_its_integrator)
{
    vended();
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 0);
    ck_assert(broker_machine_busy(played.broker, "vm"));
    struct broker_lock_call call = {.integrator_id = 2, .ref = "X", .vm_id = "vm", .balance = 1};
    broker_lock(played.broker, &call, tell, NULL);
    settle();
    ck_assert_int_eq(told.reason, REASON_MACHINE_BUSY);
    call.integrator_id = 1;
    broker_lock(played.broker, &call, tell, NULL);
    settle();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKING);
}
END_TEST

START_TEST(a_further_choice_is_sold_once_the_last_result_is_told)
{
    vended();
    request_delivered();
    select_item(2, 12, 200);
    ck_assert_int_eq(asked(), TXN_SELECTION_RENAMING);
    ck_assert_int_eq(played.questions->old.state, TXN_VENDED);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    select_item(3, 13, 300); /* unconfirmed: the end, and the old ref has had its own */
    ck_assert_uint_eq(played.questions->callback_count, 1);
}
END_TEST

START_TEST(a_further_choice_before_the_result_is_told_ends_the_session)
{
    vended();
    select_item(2, 12, 200);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(the_served_choice_told_again_is_no_further_one)
{
    vended();
    request_delivered();
    select_item(1, 1, 100);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    ck_assert(broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(a_further_choice_that_the_store_does_not_take_ends_the_session)
{
    vended();
    request_delivered();
    select_item(2, 12, 200);
    answer(STORE_CONFLICT);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK],
                     2); /* of the session, and of the stray choice */
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
}
END_TEST

static void session_ends(void)
{
    struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
    end.session = 7;
    end.end = SESSION_END_CUSTOMER;
    say(end);
    answer_all();
}

START_TEST(the_customer_ends_the_session)
{
    vended();
    session_ends();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 0);
}
END_TEST

START_TEST(a_session_that_is_over_when_the_goods_come_out_does_not_go_on)
{
    played.integrator.allow_multi_vend = true;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    session_ends();
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(a_machine_that_comes_back_without_the_session_has_ended_it)
{
    vended();
    go(1, LINK_DOWN_RESET);
    arrive(2);
    answer_all();
    hello(2, -1, -1, "J");
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(a_machine_that_comes_back_with_the_session_keeps_it)
{
    vended();
    go(1, LINK_DOWN_RESET);
    arrive(2);
    answer_all();
    hello(2, 7, -1, "J");
    ck_assert_int_eq(played.last_sent.op, MACHINE_OP_HELLO);
    ck_assert_int_eq(played.last_sent.session, 7);
    answer_all();
    ck_assert(broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(a_shutdown_ends_the_session)
{
    vended();
    broker_drain(played.broker, NULL, NULL);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker/succession");
    TCase *renames = tcase_create("renames");
    tcase_add_checked_fixture(renames, play_begin, play_end);
    tcase_add_test(renames, another_selection_goes_on_under_a_new_ref);
    tcase_add_test(renames, an_integrator_that_knows_no_renames_hears_the_end);
    tcase_add_test(renames, an_unconfirmed_rename_ends_both_refs_the_old_one_first);
    tcase_add_test(renames, a_delivered_rename_ends_only_the_new_ref);
    tcase_add_test(renames, a_delivered_rename_can_be_followed_by_another);
    tcase_add_test(renames, a_rename_that_was_not_delivered_before_a_restart_ends_both_refs);
    tcase_add_test(renames, paying_the_new_ref_shows_that_it_was_heard);
    tcase_add_test(renames, the_old_ref_is_answered_with_the_one_that_took_over);
    tcase_add_test(renames, unlocking_the_new_ref_ends_the_session_without_a_callback);
    tcase_add_test(renames, a_rename_that_the_database_refuses_leaves_the_old_choice);
    tcase_add_test(renames, a_rename_on_a_row_that_moved_is_decided_again);
    suite_add_tcase(suite, renames);
    TCase *vends = tcase_create("several purchases in a session");
    tcase_add_checked_fixture(vends, play_begin, play_end);
    tcase_add_test(vends, a_session_that_goes_on_keeps_the_machine_for_its_integrator);
    tcase_add_test(vends, a_further_choice_is_sold_once_the_last_result_is_told);
    tcase_add_test(vends, a_further_choice_before_the_result_is_told_ends_the_session);
    tcase_add_test(vends, the_served_choice_told_again_is_no_further_one);
    tcase_add_test(vends, a_further_choice_that_the_store_does_not_take_ends_the_session);
    tcase_add_test(vends, the_customer_ends_the_session);
    tcase_add_test(vends, a_session_that_is_over_when_the_goods_come_out_does_not_go_on);
    tcase_add_test(vends, a_machine_that_comes_back_without_the_session_has_ended_it);
    tcase_add_test(vends, a_machine_that_comes_back_with_the_session_keeps_it);
    tcase_add_test(vends, a_shutdown_ends_the_session);
    suite_add_tcase(suite, vends);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
