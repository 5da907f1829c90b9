/* What the broker's neighbours hear from it: attempts and fates go to the store, endpoints come
 * from people, and what was changed elsewhere is read again. */
#include "played_calls.h"

/* --- outbound --- */

static struct outbound_journal journal(void)
{
    struct outbound_journal made;
    broker_outbound_journal(&made);
    return made;
}

START_TEST(every_attempt_is_recorded_as_it_ended)
{
    static const struct {
        enum attempt_result result;
        const char *word;
    } RESULTS[] = {{ATTEMPT_DELIVERED, "delivered"}, {ATTEMPT_REFUSED, "refused"},
                   {ATTEMPT_RETRY, "retry"},         {ATTEMPT_PERMANENT, "permanent"},
                   {ATTEMPT_GONE, "gone"},           {ATTEMPT_ABORTED, "aborted"}};
    for (size_t i = 0; i < ARRAY_SIZE(RESULTS); i++) {
        struct outbound_attempt attempt = {.callback_id = 5,
                                           .number = 2,
                                           .started_ms = 1000,
                                           .total_us = 77,
                                           .remote = "192.0.2.1",
                                           .http_status = 500,
                                           .result = RESULTS[i].result,
                                           .fate = CALLBACK_PENDING};
        journal().record(played.broker, &attempt);
        ck_assert_str_eq(played.attempt.result, RESULTS[i].word);
        ck_assert_int_eq(played.attempt.callback_id, 5);
        ck_assert_int_eq(played.attempt.number, 2);
        ck_assert_int_eq(played.attempt.total_us, 77);
        ck_assert_int_eq(played.attempt.http_status, 500);
        ck_assert_str_eq(played.attempt.fate, "pending");
    }
}
END_TEST

START_TEST(a_fate_without_an_attempt_is_recorded)
{
    journal().settle(played.broker, 9, CALLBACK_EXPIRED);
    ck_assert_int_eq(played.settled_callback, 9);
    ck_assert_str_eq(played.settled_fate, "expired");
    ck_assert_int_ge(journal().now_ms(played.broker), now_ms() - 1000);
}
END_TEST

START_TEST(callbacks_go_where_the_integrator_wants_them)
{
    struct outbound_directory directory;
    struct outbound_endpoint endpoint;
    broker_outbound_directory(&directory);
    ck_assert(!directory.endpoint(played.broker, 1, &endpoint)); /* it has told no address */
    played.integrator.callback_url = (char *)"https://shop.example";
    played.integrator.present_api_key = (char *)"k";
    played.integrator.signing_keys[0] = (char *)"whsec_x";
    played.integrator.allow_cidr = "10.0.0.0/8";
    ck_assert(directory.endpoint(played.broker, 1, &endpoint));
    ck_assert_str_eq(endpoint.base_url, "https://shop.example");
    ck_assert_str_eq(endpoint.api_key, "k");
    ck_assert_str_eq(endpoint.signing_keys[0].secret, "whsec_x");
    ck_assert_str_eq(endpoint.allow_cidr, "10.0.0.0/8");
    ck_assert(!endpoint.allow_http);
    played.nobody = true;
    ck_assert(!directory.endpoint(played.broker, 1, &endpoint));
}
END_TEST

/* How often people were alarmed for this reason. */
static double alerts(const char *what)
{
    return metric_value(metrics_cell(played.metrics, &BROKER_ALERTS, what));
}

START_TEST(a_result_that_could_not_be_told_alarms_a_person)
{
    played.submitted = (struct outbound_callback){.callback_id = 3, .kind = CALLBACK_VEND};
    callback_settled(CALLBACK_DELIVERED);
    ck_assert(alerts("vend_callback_parked") == 0.0);
    callback_settled(CALLBACK_PARKED);
    ck_assert(alerts("vend_callback_parked") == 1.0);
}
END_TEST

START_TEST(a_request_that_a_payment_proves_delivered_is_no_failure)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    online(7, 1);
    played.submitted = (struct outbound_callback){.txn_id = 7, .kind = CALLBACK_REQUEST};
    callback_settled(CALLBACK_IMPLIED);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(an_unlock_that_could_not_be_told_is_only_logged)
{
    played.submitted = (struct outbound_callback){.callback_id = 3, .kind = CALLBACK_UNLOCK};
    callback_settled(CALLBACK_PARKED);
    ck_assert(alerts("vend_callback_parked") == 0.0);
    ck_assert_ptr_null(played.questions);
}
END_TEST

/* --- caches --- */

START_TEST(what_a_tool_has_changed_is_read_again)
{
    int machines = played.refreshed_machines, people = played.refreshed_people;
    played.store.changed(played.broker, "machine", "vm");
    ck_assert_int_eq(played.refreshed_machines, machines + 1);
    ck_assert_str_eq(played.refreshed_machine, "vm");
    ck_assert_int_eq(played.refreshed_people, people);
    played.store.changed(played.broker, "machine", "");
    ck_assert_str_eq(played.refreshed_machine, ""); /* all of them */
    played.store.changed(played.broker, "grant", "1:vm");
    ck_assert_int_eq(played.refreshed_people, people + 1);
    ck_assert_int_eq(played.refreshed_machines, machines + 2);
    played.store.changed(played.broker, "", "");
    ck_assert_int_eq(played.refreshed_people, people + 2);
    ck_assert_int_eq(played.refreshed_machines, machines + 3);
}
END_TEST

START_TEST(nothing_is_read_while_the_store_is_away_and_everything_when_it_is_back)
{
    int machines = played.refreshed_machines, people = played.refreshed_people;
    played.store_is_ready = false;
    played.store.changed(played.broker, "machine", "vm");
    ck_assert_int_eq(played.refreshed_machines, machines);
    played.store_is_ready = true;
    played.store.ready(played.broker);
    ck_assert_int_eq(played.refreshed_machines, machines + 1);
    ck_assert_int_eq(played.refreshed_people, people + 1);
}
END_TEST

START_TEST(a_new_endpoint_is_used_at_once)
{
    struct people_handlers people;
    broker_people_handlers(&people);
    people.integrator_changed(played.broker, 1);
    ck_assert_int_eq(played.endpoints_changed, 1);
}
END_TEST

/* --- a session that goes on --- */

/* Sold in a session that may go on. */
static void sold(void)
{
    played.integrator.allow_multi_vend = true;
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    played.has_row = false;
}

START_TEST(a_session_without_a_further_choice_ends_in_time)
{
    played.broker->options.selection_ms = 20;
    sold();
    ck_assert(broker_machine_busy(played.broker, "vm"));
    RUN_UNTIL(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(a_reservation_that_is_over_has_no_seconds_left)
{
    sold();
    skip_ms(61000);
    lock_asked(2, "X", 1);
    ck_assert_int_eq(told.reason, REASON_MACHINE_BUSY);
    ck_assert_int_eq(told.timeout_s, 0);
}
END_TEST

START_TEST(a_machine_that_is_lost_for_good_has_no_session)
{
    sold();
    go(1, LINK_DOWN_RESET);
    RUN_UNTIL(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 0);
}
END_TEST

START_TEST(a_disabled_machine_sells_no_further_choice)
{
    struct fleet_directory_handlers fleet;
    broker_directory_handlers(&fleet);
    sold();
    played.machine.out_of_service = true;
    fleet.changed(played.broker, &played.machine);
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(a_further_choice_that_nobody_can_pay_ends_the_session)
{
    sold();
    callback_settled(CALLBACK_DELIVERED);
    select_item(2, 13, -1);
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
}
END_TEST

START_TEST(a_choice_in_another_session_is_not_the_open_ones)
{
    sold();
    struct machine_event event = event_of(MACHINE_EVENT_SELECTION, "selection");
    event.session = 8;
    event.request = 2;
    event.price = 100;
    say(event);
    answer_all();
    ck_assert(broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.last_sent.session, 8);
}
END_TEST

START_TEST(an_integrator_that_may_not_go_on_sells_no_further_choice)
{
    sold();
    callback_settled(CALLBACK_DELIVERED);
    played.integrator.allow_multi_vend = false;
    select_item(2, 12, 200);
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(an_integrator_that_is_gone_sells_no_further_choice)
{
    sold();
    callback_settled(CALLBACK_DELIVERED);
    played.nobody = true;
    select_item(2, 12, 200);
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(a_machine_out_of_service_ends_with_its_sale)
{
    played.machine.out_of_service = true;
    sold();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(an_integrator_that_buys_once_gets_its_machine_freed)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    played.nobody = true;
    online(7, 1);
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(an_operator_frees_a_machine_that_is_away_by_its_next_hello)
{
    sold();
    go(1, LINK_DOWN_RESET);
    struct broker_release_call call = {
        .vm_id = "vm", .operator_name = "ada", .because = "it hangs"};
    broker_release(played.broker, &call, tell, NULL);
    settle();
    ck_assert(told.success);
    ck_assert(!broker_machine_busy(played.broker, "vm"));
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 0);
    arrive(2);
    answer_all();
    hello(2, 7, -1, "J");
    ck_assert_int_eq(played.last_of[MACHINE_OP_HELLO].session, -1);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
}
END_TEST

START_TEST(a_further_choice_that_another_process_began_is_its_own)
{
    sold();
    callback_settled(CALLBACK_DELIVERED);
    answer_all(); /* the outbox, which is read since the machine came */
    select_item(2, 12, 200);
    ck_assert_int_eq(asked(), TXN_SELECTION_RENAMING);
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    played.row.id = 11;
    answer(STORE_CONFLICT);
    answer(STORE_APPLIED);
    ck_assert_int_eq(live_of_vm()->txn.id, 11);
    answer_all();
}
END_TEST

START_TEST(the_result_of_another_sale_does_not_open_the_session)
{
    sold();
    played.submitted.callback_id = 99;
    callback_settled(CALLBACK_DELIVERED);
    played.submitted.txn_id = 99;
    callback_settled(CALLBACK_DELIVERED);
    select_item(2, 12, 200);
    ck_assert_int_ne(asked(), TXN_SELECTION_RENAMING);
}
END_TEST

START_TEST(a_verdict_or_a_policy_opens_no_session)
{
    played.integrator.allow_multi_vend = true;
    doubted(900000);
    struct broker_verdict_call call = {
        .txn_id = 7, .vended = true, .operator_name = "ada", .because = "seen"};
    broker_verdict(played.broker, &call, tell, NULL);
    settle();
    ck_assert(told.success);
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(a_broken_gateway_does_not_remember_the_session)
{
    sold();
    broker_free(&played.broker);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 0); /* the next hello names none */
}
END_TEST

static void add_outbound(Suite *suite)
{
    TCase *tests = tcase_create("outbound");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, every_attempt_is_recorded_as_it_ended);
    tcase_add_test(tests, a_fate_without_an_attempt_is_recorded);
    tcase_add_test(tests, callbacks_go_where_the_integrator_wants_them);
    tcase_add_test(tests, a_result_that_could_not_be_told_alarms_a_person);
    tcase_add_test(tests, a_request_that_a_payment_proves_delivered_is_no_failure);
    tcase_add_test(tests, an_unlock_that_could_not_be_told_is_only_logged);
    suite_add_tcase(suite, tests);
}

static void add_caches(Suite *suite)
{
    TCase *tests = tcase_create("caches");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, what_a_tool_has_changed_is_read_again);
    tcase_add_test(tests, nothing_is_read_while_the_store_is_away_and_everything_when_it_is_back);
    tcase_add_test(tests, a_new_endpoint_is_used_at_once);
    suite_add_tcase(suite, tests);
}

static void add_a_session_that_goes_on(Suite *suite)
{
    TCase *tests = tcase_create("a session that goes on");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_session_without_a_further_choice_ends_in_time);
    tcase_add_test(tests, a_reservation_that_is_over_has_no_seconds_left);
    tcase_add_test(tests, a_machine_that_is_lost_for_good_has_no_session);
    tcase_add_test(tests, a_disabled_machine_sells_no_further_choice);
    tcase_add_test(tests, a_further_choice_that_nobody_can_pay_ends_the_session);
    tcase_add_test(tests, a_choice_in_another_session_is_not_the_open_ones);
    tcase_add_test(tests, an_integrator_that_may_not_go_on_sells_no_further_choice);
    tcase_add_test(tests, an_integrator_that_is_gone_sells_no_further_choice);
    tcase_add_test(tests, a_machine_out_of_service_ends_with_its_sale);
    tcase_add_test(tests, an_integrator_that_buys_once_gets_its_machine_freed);
    tcase_add_test(tests, an_operator_frees_a_machine_that_is_away_by_its_next_hello);
    tcase_add_test(tests, a_further_choice_that_another_process_began_is_its_own);
    tcase_add_test(tests, the_result_of_another_sale_does_not_open_the_session);
    tcase_add_test(tests, a_verdict_or_a_policy_opens_no_session);
    tcase_add_test(tests, a_broken_gateway_does_not_remember_the_session);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/bindings");
    add_outbound(suite);
    add_caches(suite);
    add_a_session_that_goes_on(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
