/* What must survive a store that is away, refuses, or answers late, and links that come and go
 * meanwhile. */
#include "played_parts.h"

START_TEST(a_link_that_goes_while_the_journal_is_saved_is_not_online)
{
    arrive(1);
    answer_all();
    hello(1, -1, -1, "another journal");
    go(1, LINK_DOWN_RESET);
    answer_all();
    run_for(2 * OFFLINE_GRACE_MS);
    ck_assert(!broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(a_takeover_while_the_journal_is_saved_takes_the_new_connection_in)
{
    arrive(1);
    answer_all();
    hello(1, -1, -1, "another journal");
    go(1, LINK_DOWN_TAKEOVER);
    arrive(2);
    answer_all();
    ck_assert(!broker_machine_online(played.broker, "vm"));
    ck_assert_int_eq(played.owner_epoch, 2);
    hello(2, -1, -1, "another journal");
    answer_all();
    ck_assert(broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(a_paid_row_gets_its_approval_though_the_store_was_away_at_hello)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    arrive(1);
    answer_all();
    hello(1, 7, 1, "J");
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    answer(STORE_UNAVAILABLE);
    run_for(60);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}
END_TEST

START_TEST(a_doubt_is_asked_about_though_the_store_was_away_at_hello)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    arrive(1);
    answer_all();
    hello(1, 7, 1, "J");
    answer(STORE_UNAVAILABLE);
    run_for(60);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 1);
}
END_TEST

START_TEST(a_new_connection_makes_a_vend_doubtful_though_the_store_was_away)
{
    row_in(TXN_VENDING, TXN_TIMER_VEND, 120000);
    arrive(1);
    answer(STORE_APPLIED); /* owned */
    answer(STORE_APPLIED); /* its row */
    answer(STORE_APPLIED); /* its callbacks */
    ck_assert_int_eq(asked(), TXN_NEW_CONNECTION);
    answer(STORE_UNAVAILABLE);
    run_for(60);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_lost_link_frees_an_unpaid_row_though_the_store_was_away)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    arrive(1);
    answer_all();
    hello(1, 7, -1, "J");
    answer_all();
    go(1, LINK_DOWN_RESET);
    run_for(2 * OFFLINE_GRACE_MS);
    ck_assert_int_eq(asked(), TXN_LINK_LOST);
    answer(STORE_UNAVAILABLE);
    run_for(60);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
    ck_assert_int_eq(played.callbacks, 1);
}
END_TEST

START_TEST(a_deadline_that_the_database_refused_comes_again)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 30);
    arrive(1);
    answer_all();
    hello(1, 7, -1, "J");
    answer_all();
    run_for(60);
    ck_assert_int_eq(asked(), TXN_SELECTION_TIMER);
    answer(STORE_FAILED);
    run_for(STEP_RETRY_MS + 100);
    ck_assert_int_eq(asked(), TXN_SELECTION_TIMER);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_doubt_does_not_age_while_the_store_is_away)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 60);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    played.store_is_ready = false;
    played.store.lost(played.broker);
    run_for(150);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    ck_assert_int_ne(asked(), TXN_DOUBT_REFUND);
}
END_TEST

START_TEST(an_expired_doubt_always_keeps_a_timer)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 30);
    arrive(1);
    answer_all();
    run_for(60);
    ck_assert(live_of_vm()->expiring);
    hello(1, 7, 1, "J");
    answer_all();
    go(1, LINK_DOWN_RESET);
    run_for(2 * OFFLINE_GRACE_MS);
    answer_all();
    ck_assert(!live_of_vm() || timer_running(live_of_vm()->nudge) ||
              timer_running(live_of_vm()->deadline));
}
END_TEST

START_TEST(a_machine_that_comes_and_goes_gets_no_further_time)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 5000);
    arrive(1);
    answer_all();
    int64_t deadline_ms = live_of_vm()->txn.deadline_ms;
    for (uint64_t connection = 2; connection < 5; connection++) {
        go(connection - 1, LINK_DOWN_RESET);
        arrive(connection);
        answer_all();
    }
    ck_assert_int_eq(live_of_vm()->txn.deadline_ms, deadline_ms);
}
END_TEST

START_TEST(an_event_that_the_database_refuses_is_kept_raw_and_acknowledged)
{
    arrive(1);
    answer_all();
    hello(1, -1, -1, "J");
    answer_all();
    struct machine_event sale = event_of(MACHINE_EVENT_SALE, "sale");
    played.link.event(played.broker, "vm", (struct event_ticket){1, 1}, &sale);
    answer(STORE_FAILED);
    ck_assert_int_eq(played.acks[EVENT_REFUSED], 0);
    answer(STORE_APPLIED);
    ck_assert_int_eq(played.acks[EVENT_UNREADABLE], 1);
    struct machine_event again = event_of(MACHINE_EVENT_SALE, "sale");
    again.seq = 1;
    played.link.event(played.broker, "vm", (struct event_ticket){1, 2}, &again);
    answer(STORE_FAILED);
    answer(STORE_FAILED);
    ck_assert_int_eq(played.acks[EVENT_REFUSED], 1);
}
END_TEST

static void count_answer(void *arg, const struct broker_answer *answer_)
{
    ck_assert(!answer_->success);
    ++*(int *)arg;
}

START_TEST(a_call_that_waits_at_the_end_is_answered_once)
{
    static int answers;
    answers = 0;
    struct broker_lock_call call = {.integrator_id = 1, .vm_id = "vm", .ref = "X", .balance = 1};
    broker_lock(played.broker, &call, count_answer, &answers);
    ck_assert_int_eq(answers, 0);
    broker_free(&played.broker);
    ck_assert_int_eq(answers, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("broker/mailbox");
    TCase *tests = tcase_create("store and links that fail");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_link_that_goes_while_the_journal_is_saved_is_not_online);
    tcase_add_test(tests, a_takeover_while_the_journal_is_saved_takes_the_new_connection_in);
    tcase_add_test(tests, a_paid_row_gets_its_approval_though_the_store_was_away_at_hello);
    tcase_add_test(tests, a_doubt_is_asked_about_though_the_store_was_away_at_hello);
    tcase_add_test(tests, a_new_connection_makes_a_vend_doubtful_though_the_store_was_away);
    tcase_add_test(tests, a_lost_link_frees_an_unpaid_row_though_the_store_was_away);
    tcase_add_test(tests, a_deadline_that_the_database_refused_comes_again);
    tcase_add_test(tests, a_doubt_does_not_age_while_the_store_is_away);
    tcase_add_test(tests, an_expired_doubt_always_keeps_a_timer);
    tcase_add_test(tests, a_machine_that_comes_and_goes_gets_no_further_time);
    tcase_add_test(tests, an_event_that_the_database_refuses_is_kept_raw_and_acknowledged);
    tcase_add_test(tests, a_call_that_waits_at_the_end_is_answered_once);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
