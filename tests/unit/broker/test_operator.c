/* What operators decide, and what a machine says when it is too late. */
#include "played_parts.h"

/* --- verdicts --- */

static void verdict(int64_t txn_id, bool vended)
{
    struct broker_verdict_call call = {
        .txn_id = txn_id, .vended = vended, .operator_name = "ada", .because = "saw it"};
    broker_verdict(played.broker, &call, tell, NULL);
    settle();
}

static void doubted(void)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    online(7, 1);
}

START_TEST(a_verdict_ends_a_doubt_and_is_told)
{
    doubted();
    verdict(7, true);
    ck_assert(told.success);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 1);
    ck_assert_int_eq(played.submitted.kind, CALLBACK_VEND);
}
END_TEST

START_TEST(the_other_verdict_says_that_nothing_is_owed)
{
    doubted();
    struct broker_verdict_call call = {
        .txn_id = 7, .vended = false, .operator_name = "ada", .because = "saw it"};
    broker_verdict(played.broker, &call, tell, NULL);
    run_for(5);
    ck_assert_int_eq(asked(), TXN_VERDICT_FAILED);
    ck_assert_int_eq(told.count, 0);
    ck_assert_str_eq(played.questions->bodies[0],
                     "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"203\"}");
    answer_all();
    ck_assert(told.success);
}
END_TEST

START_TEST(a_verdict_is_only_taken_in_doubt)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    online(7, -1);
    verdict(7, false);
    ck_assert_int_eq(told.reason, REASON_NOT_IN_DOUBT);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(the_same_verdict_again_succeeds_and_another_does_not)
{
    static struct txn_record ended = {.id = 9, .state = TXN_VENDED};
    played.found = &ended;
    verdict(9, true);
    ck_assert(told.success);
    verdict(9, false);
    ck_assert_int_eq(told.reason, REASON_ALREADY_CLOSED);
    ended.state = TXN_PAID;
    verdict(9, false);
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
    played.found = NULL;
    verdict(9, false);
    ck_assert_int_eq(told.reason, REASON_TXN_UNKNOWN);
}
END_TEST

START_TEST(a_verdict_whose_lookup_fails_says_so)
{
    struct broker_verdict_call call = {.txn_id = 9, .operator_name = "ada", .because = "x"};
    broker_verdict(played.broker, &call, tell, NULL);
    run_for(5);
    answer(STORE_FAILED);
    ck_assert_int_eq(told.reason, REASON_INTERNAL);
    broker_verdict(played.broker, &call, tell, NULL);
    run_for(5);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
}
END_TEST

START_TEST(a_doubt_that_ends_while_the_verdict_waits_is_answered_from_the_database)
{
    doubted();
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out); /* its commit is under way when the verdict comes */
    struct broker_verdict_call call = {.txn_id = 7, .operator_name = "ada", .because = "x"};
    broker_verdict(played.broker, &call, tell, NULL);
    static struct txn_record ended = {.id = 7, .state = TXN_VENDED};
    played.found = &ended;
    settle();
    settle();
    ck_assert_int_eq(told.reason, REASON_ALREADY_CLOSED);
}
END_TEST

/* --- releases --- */

static void release(void)
{
    struct broker_release_call call = {
        .vm_id = "vm", .operator_name = "ada", .because = "it hangs"};
    broker_release(played.broker, &call, tell, NULL);
    settle();
}

START_TEST(a_release_frees_an_unpaid_machine)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    online(7, 1);
    release();
    ck_assert(told.success);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.submitted.kind, CALLBACK_UNLOCK);
    played.has_row = false;
    release();
    ck_assert(told.success);
}
END_TEST

START_TEST(a_release_does_not_touch_what_was_paid)
{
    doubted();
    release();
    ck_assert_int_eq(told.reason, REASON_ALREADY_PAID);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_release_of_an_unknown_machine_says_so)
{
    struct broker_release_call call = {.vm_id = "nobody", .operator_name = "a", .because = "b"};
    broker_release(played.broker, &call, tell, NULL);
    settle();
    ck_assert_int_eq(told.reason, REASON_MACHINE_UNKNOWN);
}
END_TEST

START_TEST(a_release_of_a_machine_that_another_process_holds_is_not_claimed)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000); /* on disk, and not live here */
    release();
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
}
END_TEST

START_TEST(without_a_store_nothing_is_decided)
{
    played.store_is_ready = false;
    release();
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    verdict(7, true);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
}
END_TEST

/* --- the group's policy --- */

START_TEST(the_policy_of_the_machines_group_comes_before_the_integrators)
{
    played.machine.doubt_policy = (char *)"capture";
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 4 * OFFLINE_GRACE_MS);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    run_for(6 * OFFLINE_GRACE_MS);
    while (asked() != TXN_DOUBT_CAPTURE) {
        ck_assert_ptr_nonnull(played.questions);
        answer(STORE_APPLIED);
    }
}
END_TEST

/* --- late evidence --- */

static struct txn_record ended;

/* A transaction of approval "bb" that has ended so. */
static void ended_as(enum txn_state state)
{
    ended = (struct txn_record){.id = 5, .state = state, .vm_id = "vm", .journal = "J"};
    snprintf(ended.approval, sizeof ended.approval, "bb");
    played.found = &ended;
    online(-1, -1);
}

static void say_result(enum machine_event_kind kind)
{
    struct machine_event event = event_of(kind, machine_event_kind_name(kind));
    snprintf(event.approval, sizeof event.approval, "bb");
    say(event);
    answer(STORE_APPLIED); /* found, or not */
}

START_TEST(goods_of_a_failed_transaction_become_an_adjustment)
{
    ended_as(TXN_FAILED);
    say_result(MACHINE_EVENT_DISPENSED);
    ck_assert_str_eq(played.questions->adjusts, "dispensed");
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
    ck_assert_int_eq(ended.state, TXN_FAILED);
    ck_assert_int_eq(played.callbacks, 0);
}
END_TEST

START_TEST(a_vend_that_did_not_happen_after_all_becomes_an_adjustment)
{
    ended_as(TXN_VENDED);
    say_result(MACHINE_EVENT_NOT_DISPENSED);
    ck_assert_str_eq(played.questions->adjusts, "not_dispensed");
    answer_all();
}
END_TEST

START_TEST(late_evidence_that_agrees_is_only_journalled)
{
    ended_as(TXN_VENDED);
    say_result(MACHINE_EVENT_DISPENSED);
    ck_assert_ptr_null(played.questions->adjusts);
    ck_assert_int_eq(asked(), TXN_DISPENSED);
    answer_all();
}
END_TEST

START_TEST(an_approval_that_nobody_gave_is_kept_and_told)
{
    ended_as(TXN_VENDED);
    played.found = NULL;
    say_result(MACHINE_EVENT_DISPENSED);
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

static void hello_with_last(uint64_t connection, enum approval_state state)
{
    struct machine_reply reply = {.op = MACHINE_OP_HELLO,
                                  .ok = true,
                                  .session = -1,
                                  .request = -1,
                                  .last = true,
                                  .last_state = state,
                                  .journal = "J",
                                  .raw = "{}",
                                  .raw_size = 2};
    snprintf(reply.last_approval, sizeof reply.last_approval, "bb");
    go(connection - 1, LINK_DOWN_RESET);
    arrive(connection);
    answer_all();
    played.link.subscribed(played.broker, "vm", connection);
    played.link.reply(played.broker, "vm", &reply);
    run_for(5);
}

START_TEST(hello_that_contradicts_an_outcome_is_noted_once)
{
    ended_as(TXN_FAILED);
    hello_with_last(2, APPROVAL_DISPENSED);
    answer(STORE_APPLIED);
    ck_assert_str_eq(played.questions->adjusts, "dispensed");
    answer_all();
    hello_with_last(3, APPROVAL_DISPENSED);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(hello_that_agrees_is_not_noted)
{
    ended_as(TXN_VENDED);
    hello_with_last(2, APPROVAL_DISPENSED);
    answer(STORE_APPLIED);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(an_answer_to_a_query_that_comes_too_late_is_evidence_too)
{
    ended_as(TXN_FAILED);
    struct machine_reply reply = {.op = MACHINE_OP_QUERY,
                                  .ok = true,
                                  .txn_id = 5,
                                  .approval = "bb",
                                  .state = APPROVAL_DISPENSED,
                                  .journal = "J",
                                  .raw = "{}",
                                  .raw_size = 2};
    played.link.reply(played.broker, "vm", &reply);
    answer(STORE_UNAVAILABLE);
    run_for(60);
    answer(STORE_APPLIED);
    ck_assert_str_eq(played.questions->adjusts, "dispensed");
    answer_all();
    reply.state = APPROVAL_TAKEN;
    played.link.reply(played.broker, "vm", &reply);
    ck_assert_ptr_null(played.questions);
}
END_TEST

/* --- keys --- */

static void press(int64_t key)
{
    struct broker_keys_call call = {
        .integrator_id = 1, .vm_id = "vm", .ref = "R", .keys = &key, .count = 1};
    broker_keys(played.broker, &call, tell, NULL);
    settle();
}

static void keypad_ready(void)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    played.row.request = -1;
    online(7, -1);
}

START_TEST(keys_are_numbered_and_a_repeat_presses_none)
{
    keypad_ready();
    press(4);
    ck_assert(told.success);
    ck_assert_int_eq(played.last_sent.n, 1);
    ck_assert_int_eq(live_of_vm()->txn.version, 6);
    press(4);
    ck_assert(told.success);
    ck_assert_int_eq(played.last_sent.n, 1);
    ck_assert_int_eq(live_of_vm()->txn.version, 6);
    press(5);
    ck_assert_int_eq(told.reason, REASON_KEYS_NOT_EXPECTED);
}
END_TEST

START_TEST(keys_that_led_to_a_selection_are_repeated_with_success)
{
    keypad_ready();
    press(4);
    select_item(1, 4, 100);
    answer_all();
    press(4);
    ck_assert(told.success);
    ck_assert_int_eq(played.sent[MACHINE_OP_KEYS], 1);
    press(5);
    ck_assert_int_eq(told.reason, REASON_KEYS_NOT_EXPECTED);
}
END_TEST

START_TEST(the_same_keys_after_an_answer_are_new_ones)
{
    keypad_ready();
    press(4);
    struct machine_reply reply = {
        .op = MACHINE_OP_KEYS, .ok = true, .txn_id = 7, .raw = "{}", .raw_size = 2};
    played.link.reply(played.broker, "vm", &reply);
    press(4);
    ck_assert_int_eq(played.last_sent.n, 2);
}
END_TEST

static void tests_of_people(Suite *suite)
{
    TCase *tests = tcase_create("verdicts, releases, policies");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_verdict_ends_a_doubt_and_is_told);
    tcase_add_test(tests, the_other_verdict_says_that_nothing_is_owed);
    tcase_add_test(tests, a_verdict_is_only_taken_in_doubt);
    tcase_add_test(tests, the_same_verdict_again_succeeds_and_another_does_not);
    tcase_add_test(tests, a_verdict_whose_lookup_fails_says_so);
    tcase_add_test(tests, a_doubt_that_ends_while_the_verdict_waits_is_answered_from_the_database);
    tcase_add_test(tests, a_release_frees_an_unpaid_machine);
    tcase_add_test(tests, a_release_does_not_touch_what_was_paid);
    tcase_add_test(tests, a_release_of_an_unknown_machine_says_so);
    tcase_add_test(tests, a_release_of_a_machine_that_another_process_holds_is_not_claimed);
    tcase_add_test(tests, without_a_store_nothing_is_decided);
    tcase_add_test(tests, the_policy_of_the_machines_group_comes_before_the_integrators);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/operator");
    tests_of_people(suite);
    TCase *late = tcase_create("late evidence");
    tcase_add_checked_fixture(late, play_begin, play_end);
    tcase_add_test(late, goods_of_a_failed_transaction_become_an_adjustment);
    tcase_add_test(late, a_vend_that_did_not_happen_after_all_becomes_an_adjustment);
    tcase_add_test(late, late_evidence_that_agrees_is_only_journalled);
    tcase_add_test(late, an_approval_that_nobody_gave_is_kept_and_told);
    tcase_add_test(late, hello_that_contradicts_an_outcome_is_noted_once);
    tcase_add_test(late, hello_that_agrees_is_not_noted);
    tcase_add_test(late, an_answer_to_a_query_that_comes_too_late_is_evidence_too);
    suite_add_tcase(suite, late);
    TCase *keys = tcase_create("keys");
    tcase_add_checked_fixture(keys, play_begin, play_end);
    tcase_add_test(keys, keys_are_numbered_and_a_repeat_presses_none);
    tcase_add_test(keys, keys_that_led_to_a_selection_are_repeated_with_success);
    tcase_add_test(keys, the_same_keys_after_an_answer_are_new_ones);
    suite_add_tcase(suite, keys);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
