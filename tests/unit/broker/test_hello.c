/* Hello: what a machine remembers is held against what is on disk before it is online. */
#include "played_calls.h"

/* --- a machine that cannot be trusted --- */

START_TEST(a_machine_that_refuses_hello_is_cut)
{
    arrive(1);
    answer_all();
    struct machine_reply reply = reply_to(MACHINE_OP_HELLO);
    reply.ok = false;
    say_reply(reply);
    ck_assert_int_eq(played.cut, 1);
    ck_assert_int_eq(played.cut_reason, LINK_DOWN_PROTOCOL);
}
END_TEST

START_TEST(a_machine_that_has_no_journal_is_cut)
{
    arrive(1);
    answer_all();
    hello(1, -1, -1, "");
    ck_assert_int_eq(played.cut, 1);
    ck_assert(!broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(a_journal_that_is_not_on_disk_lets_nobody_in)
{
    arrive(1);
    answer_all();
    hello(1, -1, -1, "K");
    answer(STORE_CONFLICT);
    ck_assert_int_eq(played.cut, 1);
    ck_assert_int_eq(played.cut_reason, LINK_DOWN_NOT_WELCOME);
    ck_assert(!broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(a_journal_waits_for_a_store_that_is_busy)
{
    played.journal = ""; /* the first hello of a new machine */
    arrive(1);
    answer_all();
    hello(1, -1, -1, "K");
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(played.cut, 0);
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert(broker_machine_online(played.broker, "vm"));
    ck_assert_str_eq(broker_machine_find(played.broker, "vm")->journal, "K");
}
END_TEST

/* --- what it remembers --- */

START_TEST(a_session_that_nobody_knows_of_is_ended)
{
    arrive(1);
    answer_all();
    hello(1, 99, -1, "J");
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
    ck_assert_int_eq(played.last_sent.session, 99);
}
END_TEST

START_TEST(a_locked_session_goes_on_if_the_machine_knows_it_and_ends_if_not)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    played.row.request = -1;
    arrive(1);
    answer_all();
    hello(1, 7, 3, "J"); /* its choice is on the way */
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
    go(1, LINK_DOWN_RESET);
    arrive(2);
    answer_all();
    hello(2, 8, -1, "J");
    ck_assert_int_eq(asked(), TXN_HELLO_OTHER);
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_withdrawn_choice_goes_on_without_its_request)
{
    row_in(TXN_WITHDRAWN, TXN_TIMER_SELECTION, 60000);
    online(7, -1);
    ck_assert_int_eq(played.last_of[MACHINE_OP_HELLO].request, -1);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_WITHDRAWN);
}
END_TEST

START_TEST(a_request_that_the_machine_has_lost_ends)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    arrive(1);
    answer_all();
    hello(1, 7, 2, "J");
    ck_assert_int_eq(asked(), TXN_HELLO_OTHER);
}
END_TEST

START_TEST(a_payment_is_approved_again_only_for_the_same_request_and_journal)
{
    static const struct {
        int64_t request;
        const char *journal;
        enum txn_event event;
    } CASES[] = {{1, "J", TXN_HELLO_SAME}, {2, "J", TXN_HELLO_OTHER}, {1, "K", TXN_HELLO_OTHER}};
    for (uint64_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
        arrive(i + 1);
        answer_all();
        hello(i + 1, 7, CASES[i].request, CASES[i].journal);
        while (asked() == TXN_EVENT_NONE)
            answer(STORE_APPLIED); /* the new journal is on disk first */
        ck_assert_int_eq(asked(), CASES[i].event);
        answer_all();
        play_end();
        play_begin();
    }
}
END_TEST

static void hello_last(uint64_t connection, enum approval_state state, const char *approval)
{
    struct machine_reply reply = reply_to(MACHINE_OP_HELLO);
    reply.session = 7;
    reply.request = 1;
    reply.last = true;
    reply.last_state = state;
    reply.raw = "no JSON";
    reply.raw_size = strlen(reply.raw);
    snprintf(reply.last_approval, sizeof reply.last_approval, "%s", approval);
    arrive(connection);
    answer_all();
    played.link.subscribed(played.broker, "vm", connection);
    say_reply(reply);
}

START_TEST(an_outcome_in_hello_ends_the_payment_at_once)
{
    row_in(TXN_VENDING, TXN_TIMER_VEND, 120000);
    hello_last(1, APPROVAL_DISPENSED, "aa");
    ck_assert_int_eq(asked(), TXN_DISPENSED);
    ck_assert_str_eq(played.questions->evidence, "{\"hello\":null}");
    answer_all();
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(an_approval_that_hello_tells_as_void_owes_nothing)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    hello_last(1, APPROVAL_VOID, "aa");
    ck_assert_int_eq(asked(), TXN_APPROVAL_REFUSED);
    ck_assert_str_eq(played.questions->bodies[0],
                     "{\"txn_ref\":\"R\",\"success\":false,\"code\":\"201\"}");
}
END_TEST

START_TEST(a_word_in_hello_that_means_nothing_for_a_payment_does_not_keep_its_approval)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    hello_last(1, APPROVAL_NEVER_SEEN, "aa");
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}
END_TEST

START_TEST(the_last_word_of_an_earlier_sale_does_not_concern_an_unpaid_one)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    hello_last(1, APPROVAL_DISPENSED, "");
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    answer_all();
    run_for(5);
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

START_TEST(the_last_word_on_another_sale_is_looked_into_once_for_each)
{
    static struct txn_record ended = {.id = 5, .state = TXN_FAILED, .vm_id = "vm"};
    played.found = &ended;
    hello_last(1, APPROVAL_DISPENSED, "bb");
    RUN_UNTIL(played.questions);
    answer_all();
    go(1, LINK_DOWN_RESET);
    hello_last(2, APPROVAL_DISPENSED, "cc");
    RUN_UNTIL(played.questions);
    answer(STORE_APPLIED);
    ck_assert_str_eq(played.questions->adjusts, "dispensed");
    answer_all();
    go(2, LINK_DOWN_RESET);
    hello_last(3, APPROVAL_FORGOTTEN, "cc"); /* contradicts nothing: nobody is asked */
    run_for(5);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(a_word_in_hello_that_decides_nothing_leaves_the_query)
{
    row_in(TXN_IN_DOUBT, TXN_TIMER_DOUBT, 900000);
    hello_last(1, APPROVAL_TAKEN, "aa");
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_QUERY], 1);
    go(1, LINK_DOWN_RESET);
    hello_last(2, APPROVAL_UNSAID, "aa");
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    answer_all();
    run_for(5); /* what is said of the live approval is no late word */
    ck_assert_ptr_null(played.questions);
    go(2, LINK_DOWN_RESET);
    hello_last(3, APPROVAL_DISPENSED, "zz"); /* another's */
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_IN_DOUBT);
}
END_TEST

START_TEST(a_hello_decided_again_after_a_conflict_brings_the_machine_online_once)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    arrive(1);
    answer_all();
    hello(1, 7, 1, "J");
    ck_assert_int_eq(asked(), TXN_HELLO_SAME);
    int presences = played.presences;
    played.row.version = 9;
    answer(STORE_CONFLICT);
    answer_all();
    ck_assert_int_eq(played.presences, presences);
    ck_assert_int_eq(played.sent[MACHINE_OP_APPROVE], 1);
}
END_TEST

START_TEST(status_that_machines_tell_is_only_for_the_log)
{
    online(-1, -1);
    json_t *snapshot = json_pack("{s:s}", "state", "idle");
    played.link.status(played.broker, "vm", snapshot);
    json_decref(snapshot);
    ck_assert_ptr_null(played.questions);
}
END_TEST

static void add_a_machine_that_cannot_be_trusted(Suite *suite)
{
    TCase *tests = tcase_create("a machine that cannot be trusted");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_machine_that_refuses_hello_is_cut);
    tcase_add_test(tests, a_machine_that_has_no_journal_is_cut);
    tcase_add_test(tests, a_journal_that_is_not_on_disk_lets_nobody_in);
    tcase_add_test(tests, a_journal_waits_for_a_store_that_is_busy);
    suite_add_tcase(suite, tests);
}

static void add_what_it_remembers(Suite *suite)
{
    TCase *tests = tcase_create("what it remembers");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_session_that_nobody_knows_of_is_ended);
    tcase_add_test(tests, a_locked_session_goes_on_if_the_machine_knows_it_and_ends_if_not);
    tcase_add_test(tests, a_withdrawn_choice_goes_on_without_its_request);
    tcase_add_test(tests, a_request_that_the_machine_has_lost_ends);
    tcase_add_test(tests, a_payment_is_approved_again_only_for_the_same_request_and_journal);
    tcase_add_test(tests, an_outcome_in_hello_ends_the_payment_at_once);
    tcase_add_test(tests, an_approval_that_hello_tells_as_void_owes_nothing);
    tcase_add_test(tests,
                   a_word_in_hello_that_means_nothing_for_a_payment_does_not_keep_its_approval);
    tcase_add_test(tests, the_last_word_of_an_earlier_sale_does_not_concern_an_unpaid_one);
    tcase_add_test(tests, the_last_word_on_another_sale_is_looked_into_once_for_each);
    tcase_add_test(tests, a_word_in_hello_that_decides_nothing_leaves_the_query);
    tcase_add_test(tests, a_hello_decided_again_after_a_conflict_brings_the_machine_online_once);
    tcase_add_test(tests, status_that_machines_tell_is_only_for_the_log);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/hello");
    add_a_machine_that_cannot_be_trusted(suite);
    add_what_it_remembers(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
