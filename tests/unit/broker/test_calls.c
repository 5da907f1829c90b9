/* What every call is promised: one answer in time, whatever the store, the machine or other callers
 * do - and what unlock and the virtual keypad answer. */
#include "played_calls.h"

/* --- one answer, in time --- */

START_TEST(no_call_is_taken_without_a_store)
{
    static const int64_t KEY = 4;
    played.store_is_ready = false;
    lock("A");
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    pay("A", 1);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    unlock_at("vm", "A");
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    press_at("vm", "A", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    ck_assert_int_eq(told.count, 4);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(calls_beyond_the_limit_are_refused_at_once_and_the_others_are_answered)
{
    played.broker->options.calls_max = 2;
    for (int i = 0; i < 3; i++)
        pay_asked("Z", 1);
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(told.reason, REASON_RATE_LIMITED);
    answer_all();
    ck_assert_int_eq(told.count, 3);
    pay("Z", 1);
    ck_assert_int_eq(told.reason, REASON_TXN_UNKNOWN);
}
END_TEST

START_TEST(a_machine_with_too_much_waiting_refuses_further_calls)
{
    online(-1, -1);
    lock_asked(1, "A", 1); /* its commit is under way; the others wait for it */
    for (int i = 0; i <= MAILBOX_MAX; i++)
        lock_asked(2, "B", 1);
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(told.reason, REASON_RATE_LIMITED);
    answer_all();
    ck_assert_int_eq(told.count, MAILBOX_MAX + 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_BUSY);
}
END_TEST

START_TEST(a_call_that_is_not_settled_in_time_is_unknown_and_its_late_answer_goes_nowhere)
{
    pay_asked("Z", 1);
    skip_ms(played.broker->options.call_deadline_ms - 100);
    calls_sweep(played.broker);
    ck_assert_int_eq(told.count, 0);
    skip_ms(200);
    calls_sweep(played.broker);
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(told.reason, REASON_OUTCOME_UNKNOWN);
    ck_assert_int_eq(told.action, ACTION_RETRY);
    answer_all();
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(played.spent, 1); /* but its effect comes all the same */
}
END_TEST

START_TEST(calls_that_wait_when_the_store_goes_are_refused_and_choices_wait)
{
    locked("A");
    told.count = 0;
    pay_asked("A", 1);       /* no selection yet: answered */
    select_item(1, 12, 150); /* its commit is under way */
    lock_asked(1, "A", 500); /* waits for it */
    ck_assert_int_eq(told.count, 1);
    played.store_is_ready = false;
    played.store.lost(played.broker);
    played.store.lost(played.broker); /* told twice: the first counts */
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(told.count, 2);
    ck_assert_int_eq(told.reason, REASON_STORE_UNAVAILABLE);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

START_TEST(a_call_whose_commit_is_under_way_at_the_end_is_unknown)
{
    online(-1, -1);
    lock_asked(1, "A", 1);
    lock_asked(1, "B", 1);
    broker_free(&played.broker);
    ck_assert_int_eq(told.count, 2);
    ck_assert_int_eq(told.reason, REASON_OUTCOME_UNKNOWN);
    broker_free(&played.broker); /* none is left, and nothing happens */
}
END_TEST

START_TEST(a_lock_that_waits_for_its_machine_at_the_end_is_answered)
{
    online(-1, -1);
    lock("A");
    broker_free(&played.broker);
    ck_assert_int_eq(told.count, 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_NOT_READY);
}
END_TEST

/* --- unlock --- */

START_TEST(an_unlock_frees_the_machine_and_is_its_own_answer)
{
    locked("A");
    unlock_at("vm", "A");
    ck_assert(told.success);
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 0);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
    ck_assert_int_eq(played.sent[MACHINE_OP_DENY], 0);
}
END_TEST

START_TEST(an_unlock_at_another_machine_touches_nothing)
{
    locked("A");
    snprintf(played.machine.vm_id, sizeof played.machine.vm_id, "vm2");
    unlock_at("vm2", "A");
    ck_assert_int_eq(told.reason, REASON_TXN_MACHINE_MISMATCH);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(an_unlock_at_a_machine_that_is_not_granted_finds_none)
{
    played.not_granted = true;
    unlock_at("vm", "A");
    ck_assert_int_eq(told.reason, REASON_MACHINE_UNKNOWN);
}
END_TEST

START_TEST(an_unlock_does_not_take_a_payment_back_but_says_so)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    unlock_at("vm", "R");
    ck_assert_int_eq(told.reason, REASON_ALREADY_PAID);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
}
END_TEST

START_TEST(an_unlock_of_what_has_ended_explains)
{
    static struct txn_record ended;
    ended =
        (struct txn_record){.id = 5, .state = TXN_CLOSED, .closed_by = TXN_UNLOCK, .vm_id = "vm"};
    played.found = &ended;
    unlock_at("vm", "Z");
    ck_assert(told.success);
    ended.closed_by = TXN_PAYMENT_TIMER;
    unlock_at("vm", "Z");
    ck_assert_int_eq(told.reason, REASON_ALREADY_CLOSED);
    ended.closed_by = TXN_SELECTION_RENAMING; /* by whom, nobody knows any more */
    unlock_at("vm", "Z");
    ck_assert_int_eq(told.reason, REASON_REF_SUPERSEDED);
    ck_assert_str_eq(told.txn_ref, "");
    snprintf(ended.vm_id, sizeof ended.vm_id, "vm2");
    unlock_at("vm", "Z");
    ck_assert_int_eq(told.reason, REASON_TXN_MACHINE_MISMATCH);
    ended.vm_id[0] = '\0'; /* spent, never locked */
    ended.closed_by = TXN_PAID_NEVER;
    unlock_at("vm", "Z");
    ck_assert_int_eq(told.reason, REASON_ALREADY_CLOSED);
    played.found = NULL;
    unlock_at("vm", "Z");
    ck_assert_int_eq(told.reason, REASON_TXN_UNKNOWN);
}
END_TEST

/* --- the virtual keypad --- */

START_TEST(keys_are_pressed_only_as_the_keypad_has_them)
{
    static const int64_t KEYS[] = {4, 5, 6};
    locked("A");
    press_at("vm", "A", KEYS, 3);
    ck_assert_int_eq(told.reason, REASON_KEY_COUNT);
    played.unknown_key = 5;
    press_at("vm", "A", KEYS, 2);
    ck_assert_int_eq(told.reason, REASON_KEY_UNKNOWN);
    played.keypad_off = true;
    press_at("vm", "A", KEYS, 1);
    ck_assert_int_eq(told.reason, REASON_KEYPAD_OFF);
    ck_assert_int_eq(played.sent[MACHINE_OP_KEYS], 0);
    played.keypad_off = false;
    press_at("vm", "A", KEYS, 1);
    ck_assert(told.success);
    ck_assert_uint_eq(played.last_sent.key_count, 1);
    ck_assert_int_eq(played.last_sent.keys[0], 4);
}
END_TEST

START_TEST(different_keys_are_never_taken_for_a_repeat)
{
    static const int64_t KEYS[] = {4, 5};
    locked("A");
    press_at("vm", "A", KEYS, 1);
    press_at("vm", "A", KEYS, 2);
    ck_assert_int_eq(told.reason, REASON_KEYS_NOT_EXPECTED);
}
END_TEST

START_TEST(keys_at_another_machine_press_none)
{
    static const int64_t KEY = 4;
    locked("A");
    snprintf(played.machine.vm_id, sizeof played.machine.vm_id, "vm2");
    press_at("vm2", "A", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_TXN_MACHINE_MISMATCH);
    press_at("vm", "A", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_UNKNOWN);
}
END_TEST

START_TEST(keys_for_a_machine_that_is_away_are_not_kept)
{
    static const int64_t KEY = 4;
    locked("A");
    played.broker->options.offline_grace_ms = 60000;
    go(1, LINK_DOWN_RESET);
    press_at("vm", "A", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_OFFLINE);
    arrive(2);
    answer_all();
    press_at("vm", "A", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_RECONCILING);
}
END_TEST

START_TEST(keys_that_the_machine_never_answered_may_be_pressed_anew_after_a_while)
{
    static const int64_t KEY = 4;
    locked("A");
    press_at("vm", "A", &KEY, 1);
    skip_ms(KEYS_PENDING_MS);
    press_at("vm", "A", &KEY, 1);
    ck_assert(told.success);
    ck_assert_int_eq(played.last_sent.n, 2);
}
END_TEST

START_TEST(keys_for_a_ref_that_lives_no_more_explain)
{
    static const int64_t KEY = 4;
    online(-1, -1);
    static struct txn_record ended = {.id = 5, .state = TXN_CLOSED, .closed_by = TXN_UNLOCK};
    played.found = &ended;
    press_at("vm", "Z", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_ALREADY_CLOSED);
    static struct txn_record paid = {.id = 5, .state = TXN_VENDED};
    played.found = &paid;
    press_at("vm", "Z", &KEY, 1);
    ck_assert_int_eq(told.reason, REASON_ALREADY_PAID);
}
END_TEST

START_TEST(keys_pressed_before_a_restart_are_not_pressed_twice)
{
    static const int64_t KEY = 4;
    locked("A");
    press_at("vm", "A", &KEY, 1);
    int64_t digest = live_of_vm()->txn.keys_digest;
    broker_free(&played.broker);
    uv_run(&played.loop, UV_RUN_NOWAIT);
    play_end();
    play_open();
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    played.row.request = -1;
    played.row.keys_n = 1;
    played.row.keys_digest = digest;
    played.store_is_ready = true;
    played.store.ready(played.broker);
    answer_all();
    online(7, -1);
    press_at("vm", "R", &KEY, 1);
    ck_assert(told.success);
    ck_assert_int_eq(played.last_sent.n, 1); /* the machine takes each number once */
}
END_TEST

static void add_one_answer_in_time(Suite *suite)
{
    TCase *tests = tcase_create("one answer, in time");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, no_call_is_taken_without_a_store);
    tcase_add_test(tests, calls_beyond_the_limit_are_refused_at_once_and_the_others_are_answered);
    tcase_add_test(tests, a_machine_with_too_much_waiting_refuses_further_calls);
    tcase_add_test(tests,
                   a_call_that_is_not_settled_in_time_is_unknown_and_its_late_answer_goes_nowhere);
    tcase_add_test(tests, calls_that_wait_when_the_store_goes_are_refused_and_choices_wait);
    tcase_add_test(tests, a_call_whose_commit_is_under_way_at_the_end_is_unknown);
    tcase_add_test(tests, a_lock_that_waits_for_its_machine_at_the_end_is_answered);
    suite_add_tcase(suite, tests);
}

static void add_unlock(Suite *suite)
{
    TCase *tests = tcase_create("unlock");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_unlock_frees_the_machine_and_is_its_own_answer);
    tcase_add_test(tests, an_unlock_at_another_machine_touches_nothing);
    tcase_add_test(tests, an_unlock_at_a_machine_that_is_not_granted_finds_none);
    tcase_add_test(tests, an_unlock_does_not_take_a_payment_back_but_says_so);
    tcase_add_test(tests, an_unlock_of_what_has_ended_explains);
    suite_add_tcase(suite, tests);
}

static void add_the_virtual_keypad(Suite *suite)
{
    TCase *tests = tcase_create("the virtual keypad");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, keys_are_pressed_only_as_the_keypad_has_them);
    tcase_add_test(tests, different_keys_are_never_taken_for_a_repeat);
    tcase_add_test(tests, keys_at_another_machine_press_none);
    tcase_add_test(tests, keys_for_a_machine_that_is_away_are_not_kept);
    tcase_add_test(tests, keys_that_the_machine_never_answered_may_be_pressed_anew_after_a_while);
    tcase_add_test(tests, keys_for_a_ref_that_lives_no_more_explain);
    tcase_add_test(tests, keys_pressed_before_a_restart_are_not_pressed_twice);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/calls");
    add_one_answer_in_time(suite);
    add_unlock(suite);
    add_the_virtual_keypad(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
