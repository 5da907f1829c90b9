/* An unknown outcome: how its machine is asked, who decides when nobody knows, and what is left to
 * a person. */
#include "played_calls.h"

/* --- a doubt is asked about --- */

START_TEST(a_machine_in_doubt_is_asked_again_and_again)
{
    played.broker->options.query_every_ms = 15;
    doubted(900000);
    RUN_UNTIL(played.sent[MACHINE_OP_QUERY] == 2);
}
END_TEST

START_TEST(a_query_that_the_link_had_no_room_for_is_asked_again)
{
    played.broker->options.query_every_ms = 15;
    played.send_error = -ENOBUFS;
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    online(7, 1);
    ck_assert_str_eq(live_of_vm()->query_id, "");
    played.send_error = 0;
    RUN_UNTIL(played.sent[MACHINE_OP_QUERY] >= 1);
}
END_TEST

START_TEST(the_policy_waits_for_one_answer_of_a_connected_machine)
{
    doubted(20);
    RUN_UNTIL(played.sent[MACHINE_OP_QUERY] == 2); /* asked once more, nothing decided */
    ck_assert_ptr_null(played.questions);
    struct machine_reply early = answer_to_query(APPROVAL_TAKEN);
    snprintf(early.command_id, sizeof early.command_id, "1"); /* of the former query */
    say_reply(early);
    answer_all();
    ck_assert(live_of_vm()->expiring);
    say_reply(answer_to_query(APPROVAL_TAKEN));
    ck_assert_int_eq(asked(), TXN_APPROVAL_TAKEN);
    answer(STORE_APPLIED);
    decided(TXN_DOUBT_REFUND, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"203\"}");
}
END_TEST

START_TEST(evidence_in_that_answer_comes_before_the_policy)
{
    doubted(20);
    RUN_UNTIL(live_of_vm()->expiring);
    say_reply(answer_to_query(APPROVAL_DISPENSED));
    decided(TXN_DISPENSED, "{\"txn_ref\":\"R\",\"success\":true,\"code\":\"\"}");
}
END_TEST

START_TEST(a_backlog_that_is_still_coming_is_waited_for)
{
    doubted(20);
    RUN_UNTIL(live_of_vm()->expiring);
    struct machine_event sale = event_of(MACHINE_EVENT_SALE, "sale");
    say(sale);
    answer_all();
    say_reply(answer_to_query(APPROVAL_TAKEN));
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 3); /* behind the backlog */
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
    say_reply(answer_to_query(APPROVAL_TAKEN));
    answer(STORE_APPLIED);
    ck_assert_int_eq(asked(), TXN_DOUBT_REFUND);
}
END_TEST

START_TEST(the_policy_does_not_wait_for_ever)
{
    played.broker->options.query_every_ms = 15;
    doubted(20);
    RUN_UNTIL(live_of_vm()->expiring);
    run_for(20); /* asked again meanwhile */
    ck_assert_ptr_null(played.questions);
    skip_ms(EXPIRY_PATIENCE_MS);
    RUN_UNTIL(played.questions);
    decided(TXN_DOUBT_REFUND, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"203\"}");
}
END_TEST

START_TEST(the_policy_decides_at_once_over_a_machine_that_is_away)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 4 * OFFLINE_GRACE_MS);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_DOUBT_REFUND);
}
END_TEST

START_TEST(a_link_that_breaks_for_a_moment_at_the_deadline_is_waited_for)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, OFFLINE_GRACE_MS / 2);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    run_for(OFFLINE_GRACE_MS - 5);
    ck_assert_int_ne(asked(), TXN_DOUBT_REFUND);
    arrive(2);
    answer_all();
    hello(2, 7, 1, "J");
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 1); /* its journal decides */
    ck_assert(live_of_vm()->expiring);
}
END_TEST

START_TEST(the_integrators_policy_may_hold_and_then_the_machine_is_asked_on)
{
    played.integrator.doubt_policy = (char *)"hold";
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 4 * OFFLINE_GRACE_MS);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_DOUBT_HOLD);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
    ck_assert_int_gt(live_of_vm()->txn.deadline_ms - now_ms(), 800000);
}
END_TEST

START_TEST(an_integrator_that_is_gone_is_refunded)
{
    played.nobody = true;
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 4 * OFFLINE_GRACE_MS);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_DOUBT_REFUND);
    ck_assert_str_eq(played.questions->bodies[0],
                     "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"203\"}");
}
END_TEST

/* --- what nobody can read --- */

static void say_unreadable(const char *approval)
{
    struct machine_event event = event_of(MACHINE_EVENT_UNREADABLE, "unreadable");
    event.problem = "no JSON";
    snprintf(event.approval, sizeof event.approval, "%s", approval);
    say(event);
}

START_TEST(an_unreadable_event_about_the_approval_leaves_the_decision_to_a_person)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 4 * OFFLINE_GRACE_MS);
    arrive(1);
    answer_all();
    say_unreadable("aa");
    ck_assert_int_eq(asked(), TXN_EVIDENCE_LOST);
    ck_assert_str_eq(played.questions->evidence, "{\"unreadable\":true}");
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_UNREADABLE], 1);
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_DOUBT_HOLD); /* and no refund */
}
END_TEST

START_TEST(unreadable_evidence_is_remembered_over_a_restart)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 4 * OFFLINE_GRACE_MS);
    played.unread_evidence = true;
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_DOUBT_HOLD);
}
END_TEST

START_TEST(another_unreadable_event_is_only_kept)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    online(7, 1);
    say_unreadable("zz");
    answer_all();
    say_unreadable("");
    answer_all();
    ck_assert(!live_of_vm()->needs_person);
    ck_assert_int_eq(played.acks[EVENT_UNREADABLE], 2);
}
END_TEST

static void add_a_doubt_is_asked_about(Suite *suite)
{
    TCase *tests = tcase_create("a doubt is asked about");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_machine_in_doubt_is_asked_again_and_again);
    tcase_add_test(tests, a_query_that_the_link_had_no_room_for_is_asked_again);
    tcase_add_test(tests, the_policy_waits_for_one_answer_of_a_connected_machine);
    tcase_add_test(tests, evidence_in_that_answer_comes_before_the_policy);
    tcase_add_test(tests, a_backlog_that_is_still_coming_is_waited_for);
    tcase_add_test(tests, the_policy_does_not_wait_for_ever);
    tcase_add_test(tests, the_policy_decides_at_once_over_a_machine_that_is_away);
    tcase_add_test(tests, a_link_that_breaks_for_a_moment_at_the_deadline_is_waited_for);
    tcase_add_test(tests, the_integrators_policy_may_hold_and_then_the_machine_is_asked_on);
    tcase_add_test(tests, an_integrator_that_is_gone_is_refunded);
    suite_add_tcase(suite, tests);
}

static void add_what_nobody_can_read(Suite *suite)
{
    TCase *tests = tcase_create("what nobody can read");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_unreadable_event_about_the_approval_leaves_the_decision_to_a_person);
    tcase_add_test(tests, unreadable_evidence_is_remembered_over_a_restart);
    tcase_add_test(tests, another_unreadable_event_is_only_kept);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/doubt");
    add_a_doubt_is_asked_about(suite);
    add_what_nobody_can_read(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
