/* From the approval to its outcome: when it is sent again, and what the machine's words about it
 * mean. */
#include "played_calls.h"

/* PAID as "R", approval "aa", number 1, online; the approval was sent on this connection. */
static void paid(void)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}

/* --- the approval is sent again --- */

static void approve_reaches_machine(void)
{
    struct machine_command command = played.last_of[MACHINE_OP_APPROVE];
    played.link.received(played.broker, "vm", &command);
}

START_TEST(an_approval_without_an_answer_is_sent_again_only_after_it_was_received)
{
    played.broker->options.approve_ack_ms = 15;
    paid();
    run_for(40);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1); /* MQTT still has it on its way */
    approve_reaches_machine();
    RUN_UNTIL(asked() == TXN_APPROVE_ACK_TIMER);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 2);
    ck_assert_str_eq(played.last_sent.approval, "aa");
}
END_TEST

START_TEST(an_approval_that_never_left_is_sent_again)
{
    played.broker->options.approve_ack_ms = 15;
    paid();
    struct machine_command command = played.last_of[MACHINE_OP_APPROVE];
    played.link.dropped(played.broker, "vm", &command, false);
    RUN_UNTIL(asked() == TXN_APPROVE_ACK_TIMER);
}
END_TEST

START_TEST(an_approval_that_the_link_had_no_room_for_is_sent_again)
{
    played.broker->options.approve_ack_ms = 15;
    played.send_error = -ENOBUFS;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    played.send_error = 0;
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}
END_TEST

START_TEST(what_becomes_of_other_commands_sends_no_approval)
{
    played.broker->options.approve_ack_ms = 15;
    paid();
    struct machine_command command = played.last_of[MACHINE_OP_APPROVE];
    played.link.dropped(played.broker, "vm", &command, true); /* it may be there */
    played.link.received(played.broker, "nobody", &command);
    played.link.dropped(played.broker, "nobody", &command, false);
    command.txn_id = 6;
    played.link.received(played.broker, "vm", &command);
    played.link.dropped(played.broker, "vm", &command, false);
    command.txn_id = 7;
    command.op = MACHINE_OP_QUERY;
    played.link.received(played.broker, "vm", &command);
    played.link.dropped(played.broker, "vm", &command, false);
    run_for(20);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
    say_reply(reply_to(MACHINE_OP_APPROVE));
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    command = played.last_of[MACHINE_OP_APPROVE]; /* whose PUBACK comes when all is over */
    played.link.received(played.broker, "vm", &command);
    played.link.dropped(played.broker, "vm", &command, false);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}
END_TEST

START_TEST(an_approval_is_not_sent_after_its_time)
{
    played.broker->options.approve_ack_ms = 15;
    paid();
    approve_reaches_machine();
    skip_ms(played.broker->options.approve_ttl_ms);
    run_for(20);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}
END_TEST

START_TEST(an_approval_is_not_sent_again_while_the_machine_is_away)
{
    played.broker->options.approve_ack_ms = 15;
    paid();
    approve_reaches_machine();
    go(1, LINK_DOWN_RESET);
    run_for(20);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
}
END_TEST

START_TEST(an_approval_without_an_answer_in_its_time_is_unknown_and_asked_about)
{
    played.broker->options.approve_ttl_ms = 20;
    paid();
    RUN_UNTIL(asked() == TXN_APPROVE_TTL_TIMER);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 1);
}
END_TEST

START_TEST(a_machine_that_stays_away_leaves_the_payment_unknown)
{
    played.broker->options.vend_ms = 60;
    row_in(TXN_PAID, TXN_TIMER_VEND, 30);
    arrive(1);
    answer_all();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(asked() == TXN_VEND_TIMER);
}
END_TEST

/* --- the machine's words --- */

START_TEST(an_approval_that_is_taken_has_time_to_vend)
{
    paid();
    say_reply(reply_to(MACHINE_OP_APPROVE));
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_VENDING);
    ck_assert_int_eq(live_of_vm()->txn.timer, TXN_TIMER_VEND);
}
END_TEST

static void refused(const char *reason)
{
    paid();
    struct machine_reply reply = reply_to(MACHINE_OP_APPROVE);
    reply.ok = false;
    snprintf(reply.reason, sizeof reply.reason, "%s", reason);
    say_reply(reply);
}

START_TEST(an_approval_that_came_too_late_owes_nothing)
{
    refused("expired");
    decided(TXN_APPROVAL_REFUSED, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"209\"}");
}
END_TEST

START_TEST(an_approval_refused_because_the_session_is_over_owes_nothing)
{
    refused("session_over");
    decided(TXN_APPROVAL_REFUSED, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"201\"}");
}
END_TEST

START_TEST(strict_integrators_hear_the_published_number_of_a_refusal)
{
    played.integrator.strict_codes = true;
    refused("stale");
    decided(TXN_APPROVAL_REFUSED, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"1\"}");
}
END_TEST

START_TEST(a_refusal_for_a_reason_that_voids_nothing_is_unknown)
{
    refused("busy");
    ck_assert_int_eq(asked(), TXN_APPROVAL_REFUSED_ELSEWHERE);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_failed_dispense_is_told_with_the_machines_code_if_it_makes_sense)
{
    static const struct {
        int64_t told;
        const char *body;
    } CODES[] = {{VEND_NO_DROP, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"206\"}"},
                 {-1, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"5\"}"},
                 {100000, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"5\"}"}};
    for (uint64_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        row_in(TXN_VENDING, TXN_TIMER_VEND, 120000);
        arrive(i + 1);
        answer_all();
        hello(i + 1, 7, 1, "J");
        answer_all();
        struct machine_event failed = event_of(MACHINE_EVENT_NOT_DISPENSED, "not_dispensed");
        snprintf(failed.approval, sizeof failed.approval, "aa");
        failed.code = CODES[i].told;
        say(failed);
        decided(TXN_NOT_DISPENSED, CODES[i].body);
    }
}
END_TEST

START_TEST(a_reply_that_says_nothing_of_the_approval_decides_nothing)
{
    doubted(900000);
    say_reply(answer_to_query(APPROVAL_UNSAID));
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_reply_about_another_approval_decides_nothing_here)
{
    doubted(900000);
    struct machine_reply reply = answer_to_query(APPROVAL_DISPENSED);
    snprintf(reply.approval, sizeof reply.approval, "zz");
    say_reply(reply);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(each_word_of_the_same_journal_decides_a_doubt)
{
    static const struct {
        enum approval_state state;
        enum txn_event event;
        const char *code;
    } WORDS[] = {{APPROVAL_DISPENSED, TXN_DISPENSED, ""},
                 {APPROVAL_NOT_DISPENSED, TXN_NOT_DISPENSED, "5"},
                 {APPROVAL_VOID, TXN_APPROVAL_REFUSED, "201"},
                 {APPROVAL_NEVER_SEEN, TXN_NEVER_SEEN, "202"},
                 {APPROVAL_INTERRUPTED, TXN_INTERRUPTED_OFF_BUS, "3"}};
    for (uint64_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
        row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
        arrive(i + 1);
        answer_all();
        hello(i + 1, 7, 1, "J");
        answer_all();
        say_reply(answer_to_query(WORDS[i].state));
        char body[100];
        snprintf(body, sizeof body, "{\"txn_ref\":\"R\",\"success\":%s,\"code\":\"%s\"}",
                 WORDS[i].code[0] ? "false" : "true", WORDS[i].code);
        decided(WORDS[i].event, body);
    }
}
END_TEST

START_TEST(a_journal_that_forgot_decides_nothing_and_is_noted)
{
    doubted(900000);
    say_reply(answer_to_query(APPROVAL_FORGOTTEN));
    ck_assert_int_eq(asked(), TXN_EVIDENCE_LOST);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_note_that_the_database_refuses_keeps_the_doubt_asking)
{
    doubted(900000);
    timer_stop(live_of_vm()->nudge);
    say_reply(answer_to_query(APPROVAL_FORGOTTEN));
    answer(STORE_FAILED);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
    ck_assert(timer_running(live_of_vm()->nudge));
}
END_TEST

START_TEST(a_power_cut_on_the_bus_is_decided_by_the_policy_at_once)
{
    paid();
    struct machine_event cut = event_of(MACHINE_EVENT_INTERRUPTED, "interrupted");
    snprintf(cut.approval, sizeof cut.approval, "aa");
    cut.on_bus = true;
    say(cut);
    ck_assert_int_eq(asked(), TXN_INTERRUPTED_ON_BUS);
    answer(STORE_APPLIED);
    decided(TXN_DOUBT_REFUND, "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"203\"}");
}
END_TEST

static void add_the_approval_is_sent_again(Suite *suite)
{
    TCase *tests = tcase_create("the approval is sent again");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_approval_without_an_answer_is_sent_again_only_after_it_was_received);
    tcase_add_test(tests, an_approval_that_never_left_is_sent_again);
    tcase_add_test(tests, an_approval_that_the_link_had_no_room_for_is_sent_again);
    tcase_add_test(tests, what_becomes_of_other_commands_sends_no_approval);
    tcase_add_test(tests, an_approval_is_not_sent_after_its_time);
    tcase_add_test(tests, an_approval_is_not_sent_again_while_the_machine_is_away);
    tcase_add_test(tests, an_approval_without_an_answer_in_its_time_is_unknown_and_asked_about);
    tcase_add_test(tests, a_machine_that_stays_away_leaves_the_payment_unknown);
    suite_add_tcase(suite, tests);
}

static void add_the_machine_s_words(Suite *suite)
{
    TCase *tests = tcase_create("the machine's words");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_approval_that_is_taken_has_time_to_vend);
    tcase_add_test(tests, an_approval_that_came_too_late_owes_nothing);
    tcase_add_test(tests, an_approval_refused_because_the_session_is_over_owes_nothing);
    tcase_add_test(tests, strict_integrators_hear_the_published_number_of_a_refusal);
    tcase_add_test(tests, a_refusal_for_a_reason_that_voids_nothing_is_unknown);
    tcase_add_test(tests, a_failed_dispense_is_told_with_the_machines_code_if_it_makes_sense);
    tcase_add_test(tests, a_reply_that_says_nothing_of_the_approval_decides_nothing);
    tcase_add_test(tests, a_reply_about_another_approval_decides_nothing_here);
    tcase_add_test(tests, each_word_of_the_same_journal_decides_a_doubt);
    tcase_add_test(tests, a_journal_that_forgot_decides_nothing_and_is_noted);
    tcase_add_test(tests, a_note_that_the_database_refuses_keeps_the_doubt_asking);
    tcase_add_test(tests, a_power_cut_on_the_bus_is_decided_by_the_policy_at_once);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/approval");
    add_the_approval_is_sent_again(suite);
    add_the_machine_s_words(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
