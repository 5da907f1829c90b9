/* /api/lock: who gets a machine, what everybody else is told, and what becomes of a lock that the
 * machine does not grant. */
#include "played_calls.h"

/* --- who is let in --- */

START_TEST(a_lock_reserves_the_machine_once_it_has_accepted)
{
    online(-1, -1);
    lock("A");
    ck_assert_int_eq(told.count, 0);
    ck_assert_int_eq(played.last_sent.op, MACHINE_OP_LOCK);
    ck_assert_int_eq(played.last_sent.balance, 500);
    say_reply(reply_to(MACHINE_OP_LOCK));
    answer_all();
    ck_assert_int_eq(told.count, 1);
    ck_assert(told.success);
    ck_assert_int_eq(told.timeout_s, 60);
    ck_assert(live_of_vm()->txn.lock_answered);
}
END_TEST

START_TEST(the_same_lock_again_gets_the_same_answer)
{
    locked("A");
    lock("A");
    ck_assert(told.success);
    ck_assert_int_eq(told.count, 2);
    ck_assert_int_eq(played.sent[MACHINE_OP_LOCK], 1);
    lock_asked(1, "A", 501);
    ck_assert_int_eq(told.reason, REASON_TXN_REF_REUSED);
}
END_TEST

START_TEST(a_lock_repeated_before_the_machine_answers_waits_with_the_first)
{
    online(-1, -1);
    lock("A");
    lock("A");
    ck_assert_int_eq(told.count, 0);
    ck_assert_int_eq(played.sent[MACHINE_OP_LOCK], 1);
    say_reply(reply_to(MACHINE_OP_LOCK));
    answer_all();
    ck_assert_int_eq(told.count, 2);
    ck_assert(told.success);
}
END_TEST

START_TEST(a_crashed_integrator_learns_which_of_its_refs_holds_the_machine)
{
    locked("A");
    lock("B");
    ck_assert_int_eq(told.reason, REASON_MACHINE_BUSY_SELF);
    ck_assert_str_eq(told.txn_ref, "A");
}
END_TEST

START_TEST(another_integrator_hears_that_it_is_busy_and_how_long_but_not_with_whom)
{
    locked("A");
    lock_asked(2, "B", 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_BUSY);
    ck_assert_int_eq(told.timeout_s, 60);
    ck_assert_str_eq(told.txn_ref, "");
    lock_asked(2, "A", 500);
    ck_assert_int_eq(told.reason, REASON_MACHINE_BUSY);
}
END_TEST

START_TEST(a_machine_that_is_unknown_or_not_granted_does_not_exist)
{
    online(-1, -1);
    struct broker_lock_call call = {
        .integrator_id = 1, .vm_id = "nobody", .ref = "A", .balance = 1};
    broker_lock(played.broker, &call, tell, NULL);
    ck_assert_int_eq(told.count, 0);
    run_for(3);
    ck_assert_int_eq(told.reason, REASON_MACHINE_UNKNOWN);
    played.not_granted = true;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_UNKNOWN);
}
END_TEST

START_TEST(a_machine_that_may_not_sell_is_not_locked)
{
    online(-1, -1);
    played.machine.max_response_s = MACHINE_RESPONSE_MIN_S - 1;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
    played.machine.out_of_service = true;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_FAULT);
    played.machine.enabled = false;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_DISABLED);
    ck_assert_int_eq(played.sent[MACHINE_OP_LOCK], 0);
}
END_TEST

START_TEST(a_machine_removed_while_its_lock_waits_is_unknown)
{
    online(-1, -1);
    struct broker_lock_call call = {.integrator_id = 1, .vm_id = "vm", .ref = "A", .balance = 1};
    broker_lock(played.broker, &call, tell, NULL);
    snprintf(played.machine.vm_id, sizeof played.machine.vm_id, "gone");
    run_for(3);
    ck_assert_int_eq(told.reason, REASON_MACHINE_UNKNOWN);
}
END_TEST

START_TEST(a_machine_just_patient_enough_is_locked)
{
    online(-1, -1);
    played.machine.max_response_s = MACHINE_RESPONSE_MIN_S;
    lock("A");
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKING);
}
END_TEST

START_TEST(a_machine_that_is_away_is_offline_and_one_that_is_coming_is_reconciling)
{
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_OFFLINE);
    arrive(1);
    lock_asked(1, "A", 1);
    answer_all();
    ck_assert_int_eq(told.reason, REASON_MACHINE_RECONCILING);
    hello(1, -1, -1, "J");
    answer_all();
    go(1, LINK_DOWN_RESET);
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_OFFLINE);
}
END_TEST

START_TEST(a_machine_held_by_another_gateway_is_not_ready_here)
{
    played.machine.owner_instance = 2;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
    played.machine.owner_instance = 0;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_OFFLINE);
}
END_TEST

START_TEST(a_gateway_that_stops_locks_nothing)
{
    online(-1, -1);
    broker_drain(played.broker, NULL, NULL);
    lock("A");
    ck_assert_int_eq(told.reason, REASON_SHUTTING_DOWN);
}
END_TEST

START_TEST(a_balance_that_the_bus_cannot_carry_is_cut)
{
    online(-1, -1);
    lock_asked(1, "A", 5000000);
    answer_all();
    ck_assert_int_eq(played.last_sent.balance, MDB_AMOUNT_MAX);
}
END_TEST

START_TEST(an_unknown_balance_stays_unknown)
{
    online(-1, -1);
    lock_asked(1, "A", TXN_BALANCE_UNKNOWN);
    answer_all();
    ck_assert_int_eq(played.last_sent.balance, TXN_BALANCE_UNKNOWN);
}
END_TEST

/* --- what the database says --- */

static void begin_conflicts(void)
{
    online(-1, -1);
    lock_asked(1, "A", 500);
    ck_assert_ptr_nonnull(played.questions);
    answer(STORE_CONFLICT);
}

START_TEST(a_ref_that_was_used_before_is_refused)
{
    begin_conflicts();
    static struct txn_record used = {.id = 3, .state = TXN_CLOSED};
    played.found = &used;
    answer(STORE_APPLIED);
    ck_assert_int_eq(told.reason, REASON_TXN_REF_REUSED);
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_machine_that_was_taken_meanwhile_is_not_ready)
{
    begin_conflicts();
    answer(STORE_APPLIED);
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
}
END_TEST

START_TEST(a_used_ref_that_cannot_be_looked_for_promises_nothing)
{
    begin_conflicts();
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
}
END_TEST

START_TEST(a_lock_that_is_not_on_disk_does_not_reach_the_machine)
{
    online(-1, -1);
    lock_asked(1, "A", 500);
    answer(STORE_FAILED);
    ck_assert_int_eq(told.reason, REASON_INTERNAL);
    lock_asked(1, "A", 500);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    ck_assert_int_eq(played.sent[MACHINE_OP_LOCK], 0);
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

/* --- locks that are not granted --- */

START_TEST(a_machines_refusal_is_told_in_its_own_words_and_repeated_for_a_minute)
{
    static const struct {
        enum lock_refusal refusal;
        enum reason reason;
    } CASES[] = {{LOCK_REFUSAL_OTHER, REASON_MACHINE_NOT_READY},
                 {LOCK_REFUSAL_CASH_IN_USE, REASON_MACHINE_BUSY},
                 {LOCK_REFUSAL_OUT_OF_SERVICE, REASON_MACHINE_FAULT},
                 {LOCK_REFUSAL_DOOR_OPEN, REASON_MACHINE_FAULT},
                 {LOCK_REFUSAL_READER_NOT_READY, REASON_MACHINE_NOT_READY},
                 {LOCK_REFUSAL_UPDATING, REASON_MACHINE_NOT_READY}};
    online(-1, -1);
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        char ref[8];
        snprintf(ref, sizeof ref, "R%zu", i);
        lock(ref);
        struct machine_reply reply = reply_to(MACHINE_OP_LOCK);
        reply.ok = false;
        reply.lock_refusal = CASES[i].refusal;
        say_reply(reply);
        answer_all();
        ck_assert_int_eq(told.reason, CASES[i].reason);
        ck_assert_ptr_null(live_of_vm());
        told.reason = REASON_NONE;
        lock(ref);
        ck_assert_int_eq(told.reason, CASES[i].reason);
    }
    ck_assert_int_eq(played.callbacks, 0);
}
END_TEST

START_TEST(a_repeat_of_another_or_an_old_refusal_asks_the_machine_again)
{
    online(-1, -1);
    lock("A");
    struct machine_reply reply = reply_to(MACHINE_OP_LOCK);
    reply.ok = false;
    say_reply(reply);
    answer_all();
    lock_asked(2, "A", 500); /* another integrator's ref of the same name */
    ck_assert_int_eq(played.questions != NULL, 1);
    answer(STORE_CONFLICT);
    answer(STORE_APPLIED);
    skip_ms(REFUSAL_REPEATED_MS);
    lock_asked(1, "A", 500);
    ck_assert_ptr_nonnull(played.questions); /* the database knows the ref as used */
    answer_all();
}
END_TEST

/* Asked of the machine, which has not answered. */
static void locking(void)
{
    online(-1, -1);
    lock("A");
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKING);
}

static void lock_failed(enum reason reason)
{
    answer_all();
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(told.reason, reason);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 0);
}

START_TEST(a_machine_that_does_not_answer_in_time_fails_the_lock)
{
    played.broker->options.lock_ack_ms = 20;
    locking();
    RUN_UNTIL(played.questions);
    lock_failed(REASON_MACHINE_NO_ANSWER);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(a_link_that_is_lost_fails_the_lock)
{
    locking();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(played.questions);
    lock_failed(REASON_MACHINE_OFFLINE);
}
END_TEST

START_TEST(a_new_connection_fails_the_lock)
{
    locking();
    go(1, LINK_DOWN_TAKEOVER);
    arrive(2);
    lock_failed(REASON_MACHINE_OFFLINE);
}
END_TEST

START_TEST(a_door_that_opens_fails_the_lock)
{
    locking();
    struct fleet_directory_handlers fleet;
    broker_directory_handlers(&fleet);
    played.machine.out_of_service = true;
    fleet.changed(played.broker, &played.machine);
    lock_failed(REASON_MACHINE_FAULT);
}
END_TEST

START_TEST(a_gateway_that_stops_fails_the_lock)
{
    locking();
    broker_drain(played.broker, NULL, NULL);
    lock_failed(REASON_SHUTTING_DOWN);
}
END_TEST

START_TEST(a_session_that_ends_at_once_fails_the_lock)
{
    locking();
    struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
    end.session = 7;
    end.end = SESSION_END_CUSTOMER;
    say(end);
    lock_failed(REASON_MACHINE_NOT_READY);
}
END_TEST

START_TEST(an_unlock_that_overtakes_the_machines_answer_ends_the_lock)
{
    locking();
    unlock_at("vm", "A");
    ck_assert_int_eq(told.count, 2); /* the lock says no, the unlock success */
    ck_assert(told.success);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 0);
}
END_TEST

START_TEST(a_selection_that_overtakes_the_reply_answers_the_lock_first)
{
    locking();
    select_item(1, 12, 150);
    answer_all();
    ck_assert_int_eq(told.count, 1);
    ck_assert(told.success);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_REQUEST);
}
END_TEST

static void add_who_is_let_in(Suite *suite)
{
    TCase *tests = tcase_create("who is let in");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_lock_reserves_the_machine_once_it_has_accepted);
    tcase_add_test(tests, the_same_lock_again_gets_the_same_answer);
    tcase_add_test(tests, a_lock_repeated_before_the_machine_answers_waits_with_the_first);
    tcase_add_test(tests, a_crashed_integrator_learns_which_of_its_refs_holds_the_machine);
    tcase_add_test(tests, another_integrator_hears_that_it_is_busy_and_how_long_but_not_with_whom);
    tcase_add_test(tests, a_machine_that_is_unknown_or_not_granted_does_not_exist);
    tcase_add_test(tests, a_machine_that_may_not_sell_is_not_locked);
    tcase_add_test(tests, a_machine_removed_while_its_lock_waits_is_unknown);
    tcase_add_test(tests, a_machine_just_patient_enough_is_locked);
    tcase_add_test(tests, a_machine_that_is_away_is_offline_and_one_that_is_coming_is_reconciling);
    tcase_add_test(tests, a_machine_held_by_another_gateway_is_not_ready_here);
    tcase_add_test(tests, a_gateway_that_stops_locks_nothing);
    tcase_add_test(tests, a_balance_that_the_bus_cannot_carry_is_cut);
    tcase_add_test(tests, an_unknown_balance_stays_unknown);
    suite_add_tcase(suite, tests);
}

static void add_what_the_database_says(Suite *suite)
{
    TCase *tests = tcase_create("what the database says");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_ref_that_was_used_before_is_refused);
    tcase_add_test(tests, a_machine_that_was_taken_meanwhile_is_not_ready);
    tcase_add_test(tests, a_used_ref_that_cannot_be_looked_for_promises_nothing);
    tcase_add_test(tests, a_lock_that_is_not_on_disk_does_not_reach_the_machine);
    suite_add_tcase(suite, tests);
}

static void add_locks_that_are_not_granted(Suite *suite)
{
    TCase *tests = tcase_create("locks that are not granted");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_machines_refusal_is_told_in_its_own_words_and_repeated_for_a_minute);
    tcase_add_test(tests, a_repeat_of_another_or_an_old_refusal_asks_the_machine_again);
    tcase_add_test(tests, a_machine_that_does_not_answer_in_time_fails_the_lock);
    tcase_add_test(tests, a_link_that_is_lost_fails_the_lock);
    tcase_add_test(tests, a_new_connection_fails_the_lock);
    tcase_add_test(tests, a_door_that_opens_fails_the_lock);
    tcase_add_test(tests, a_gateway_that_stops_fails_the_lock);
    tcase_add_test(tests, a_session_that_ends_at_once_fails_the_lock);
    tcase_add_test(tests, an_unlock_that_overtakes_the_machines_answer_ends_the_lock);
    tcase_add_test(tests, a_selection_that_overtakes_the_reply_answers_the_lock_first);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/lock");
    add_who_is_let_in(suite);
    add_what_the_database_says(suite);
    add_locks_that_are_not_granted(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
