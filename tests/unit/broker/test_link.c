/* Machines that come and go: who is let in, and what becomes of a link that an operator does not
 * want any more. */
#include "played_calls.h"

#include "people/secret.h"

/* --- who is let in --- */

static enum link_refusal knock(const char *fingerprint, const char *token, bool tool)
{
    struct link_credentials credentials = {
        .vm_id = "vm", .fingerprint = fingerprint, .token = token, .tool = tool};
    return played.link.authenticate(played.broker, &credentials);
}

/* The machine has a token and a certificate. */
static void credentials_known(void)
{
    secret_sha256_hex("secret", strlen("secret"), played.machine.token_sha256);
    memset(played.machine.fingerprints[1], 'b', 64);
}

static const char *of_letters(char letter)
{
    static char fingerprint[65];
    memset(fingerprint, letter, 64);
    return fingerprint;
}

START_TEST(a_machine_is_let_in_with_its_certificate_or_its_token)
{
    credentials_known();
    ck_assert_int_eq(knock(of_letters('b'), NULL, false), LINK_ALLOWED);
    ck_assert_int_eq(knock(NULL, "secret", false), LINK_ALLOWED);
}
END_TEST

START_TEST(a_machine_is_not_let_in_with_anything_else)
{
    credentials_known();
    ck_assert_int_eq(knock(of_letters('c'), "secret", false), LINK_NOT_ALLOWED);
    ck_assert_int_eq(knock(NULL, "Secret", false), LINK_BAD_TOKEN);
    ck_assert_int_eq(knock(NULL, NULL, false), LINK_BAD_TOKEN);
    played.machine.token_sha256[0] = '\0';
    ck_assert_int_eq(knock(NULL, "secret", false), LINK_NOT_ALLOWED);
}
END_TEST

START_TEST(a_machine_that_is_unknown_or_disabled_stays_outside)
{
    credentials_known();
    played.machine.enabled = false;
    ck_assert_int_eq(knock(NULL, "secret", false), LINK_NOT_ALLOWED);
    played.machine.enabled = true;
    snprintf(played.machine.vm_id, sizeof played.machine.vm_id, "other");
    ck_assert_int_eq(knock(NULL, "secret", false), LINK_NOT_ALLOWED);
}
END_TEST

START_TEST(tools_need_an_operators_permission)
{
    credentials_known();
    ck_assert_int_eq(knock(NULL, "secret", true), LINK_NOT_ALLOWED);
    played.machine.allow_tool = true;
    ck_assert_int_eq(knock(NULL, "secret", true), LINK_ALLOWED);
}
END_TEST

START_TEST(a_gateway_that_cannot_serve_lets_nobody_in)
{
    credentials_known();
    played.store_is_ready = false;
    ck_assert_int_eq(knock(NULL, "secret", false), LINK_UNAVAILABLE);
    played.store_is_ready = true;
    broker_drain(played.broker, NULL, NULL);
    ck_assert_int_eq(knock(NULL, "secret", false), LINK_DRAINING);
}
END_TEST

/* --- arrival --- */

START_TEST(a_machine_that_the_database_does_not_give_us_is_refused)
{
    arrive(1);
    answer(STORE_CONFLICT);
    ck_assert_int_eq(played.refused, 1);
    ck_assert_int_eq(played.refusal, LINK_NOT_ALLOWED);
    hello(1, -1, -1, "J");
    ck_assert(!broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(an_arrival_waits_for_a_store_that_is_busy)
{
    arrive(1);
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(played.refused, 0);
    RUN_UNTIL(played.questions);
    answer_all();
    hello(1, -1, -1, "J");
    answer_all();
    ck_assert(broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(a_row_that_another_process_left_behind_waits_for_a_store_that_is_busy)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    arrive(1);
    answer(STORE_APPLIED); /* ours */
    answer(STORE_UNAVAILABLE);
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(a_row_that_was_read_before_the_store_failed_is_adopted_once)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    arrive(1);
    answer(STORE_APPLIED);
    struct question *load = played.questions;
    struct store_live_row row = {.txn = &played.row};
    load->load(load->arg, STORE_APPLIED, &row);
    answer(STORE_UNAVAILABLE);
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.id, 7);
}
END_TEST

START_TEST(a_connection_that_goes_while_it_is_taken_in_is_not_welcomed)
{
    arrive(1);
    go(1, LINK_DOWN_RESET);
    answer_all();
    int hellos = played.sent[MACHINE_OP_HELLO];
    hello(1, -1, -1, "J");
    ck_assert_int_eq(played.sent[MACHINE_OP_HELLO], hellos);
    ck_assert(!broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(a_connection_that_the_link_has_lost_is_not_greeted)
{
    played.welcome_lost = true;
    arrive(1);
    answer_all();
    hello(1, -1, -1, "J");
    ck_assert_int_eq(played.sent[MACHINE_OP_HELLO], 0);
    ck_assert(!broker_machine_online(played.broker, "vm"));
}
END_TEST

START_TEST(an_arrival_that_was_replaced_before_its_turn_takes_nothing)
{
    arrive(1);
    arrive(2); /* waits for the first */
    go(2, LINK_DOWN_RESET);
    answer_all();
    ck_assert_int_eq(played.owner_epoch, 1);
    arrive(3);
    arrive(4);
    answer_all();
    ck_assert_int_eq(live_of_vm() == NULL, 1);
    ck_assert_int_eq(played.owner_epoch, 3); /* 3 and 4 */
}
END_TEST

START_TEST(words_of_connections_that_are_no_more_are_not_heard)
{
    online(-1, -1);
    int hellos = played.sent[MACHINE_OP_HELLO];
    played.link.subscribed(played.broker, "nobody", 1);
    played.link.subscribed(played.broker, "vm", 9);
    played.link.subscribed(played.broker, "vm", 1); /* online already */
    ck_assert_int_eq(played.sent[MACHINE_OP_HELLO], hellos);
    go(9, LINK_DOWN_RESET);
    played.link.gone(played.broker, "nobody", 1, LINK_DOWN_RESET);
    played.link_is_up = true;
    ck_assert(broker_machine_online(played.broker, "vm"));
    ck_assert(!broker_machine_online(played.broker, "nobody"));
    ck_assert(!broker_machine_busy(played.broker, "nobody"));
    ck_assert(!broker_machine_busy(played.broker, "vm"));
}
END_TEST

START_TEST(a_machine_that_is_back_within_the_grace_was_never_away)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    played.row.request = -1;
    online(7, -1);
    go(1, LINK_DOWN_RESET);
    select_item(1, 12, 100);       /* of the former connection; its commit is under way */
    run_for(2 * OFFLINE_GRACE_MS); /* the grace is over, but its word waits */
    arrive(2);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
}
END_TEST

/* --- what an operator takes back --- */

static void directory_says_changed(void)
{
    struct fleet_directory_handlers fleet;
    broker_directory_handlers(&fleet);
    fleet.changed(played.broker, &played.machine);
}

START_TEST(a_change_that_takes_nothing_back_cuts_nothing)
{
    directory_says_changed(); /* of a machine that never came */
    online(-1, -1);
    directory_says_changed();
    ck_assert_int_eq(played.cut, 0);
}
END_TEST

START_TEST(a_disabled_machine_is_cut)
{
    online(-1, -1);
    played.machine.enabled = false;
    directory_says_changed();
    ck_assert_int_eq(played.cut, 1);
    ck_assert_int_eq(played.cut_reason, LINK_DOWN_REVOKED);
}
END_TEST

START_TEST(a_machine_whose_token_is_taken_back_is_cut)
{
    online(-1, -1);
    played.machine.token_sha256[0] = '\0';
    directory_says_changed();
    ck_assert_int_eq(played.cut, 1);
}
END_TEST

START_TEST(a_machine_whose_certificate_is_revoked_is_cut)
{
    memset(played.machine.fingerprints[1], 'b', 64);
    played.link.arrived(played.broker, "vm", 1, of_letters('b'));
    answer_all();
    directory_says_changed();
    ck_assert_int_eq(played.cut, 0);
    played.machine.fingerprints[1][0] = '\0';
    directory_says_changed();
    ck_assert_int_eq(played.cut, 1);
}
END_TEST

START_TEST(a_disabled_machine_frees_an_unpaid_customer_first)
{
    row_in(TXN_REQUESTED, TXN_TIMER_PAYMENT, 30000);
    online(7, 1);
    played.machine.enabled = false;
    directory_says_changed();
    ck_assert_int_eq(asked(), TXN_OUT_OF_SERVICE);
    ck_assert_str_eq(played.questions->bodies[0], "{\"txn_ref\":\"R\",\"code\":\"113\"}");
    answer_all();
    RUN_UNTIL(played.cut == 1);
    ck_assert_ptr_null(live_of_vm());
}
END_TEST

START_TEST(a_disabled_machine_keeps_its_link_while_money_may_be_owed)
{
    row_in(TXN_PAID, TXN_TIMER_VEND, 120000);
    online(7, 1);
    played.machine.enabled = false;
    directory_says_changed();
    run_for(5);
    ck_assert_int_eq(played.cut, 0);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_PAID);
    struct machine_event out = event_of(MACHINE_EVENT_DISPENSED, "dispensed");
    snprintf(out.approval, sizeof out.approval, "aa");
    say(out);
    answer_all();
    RUN_UNTIL(played.cut == 1);
}
END_TEST

START_TEST(a_machine_out_of_service_keeps_its_link)
{
    row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
    online(7, -1);
    played.machine.out_of_service = true;
    directory_says_changed();
    ck_assert_int_eq(asked(), TXN_OUT_OF_SERVICE);
    answer_all();
    run_for(5);
    ck_assert_int_eq(played.cut, 0);
}
END_TEST

START_TEST(a_machine_that_is_gone_already_is_not_cut)
{
    online(-1, -1);
    go(1, LINK_DOWN_RESET);
    played.machine.enabled = false;
    directory_says_changed();
    ck_assert_int_eq(played.cut, 0);
}
END_TEST

static void add_who_is_let_in(Suite *suite)
{
    TCase *tests = tcase_create("who is let in");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_machine_is_let_in_with_its_certificate_or_its_token);
    tcase_add_test(tests, a_machine_is_not_let_in_with_anything_else);
    tcase_add_test(tests, a_machine_that_is_unknown_or_disabled_stays_outside);
    tcase_add_test(tests, tools_need_an_operators_permission);
    tcase_add_test(tests, a_gateway_that_cannot_serve_lets_nobody_in);
    suite_add_tcase(suite, tests);
}

static void add_arrival(Suite *suite)
{
    TCase *tests = tcase_create("arrival");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_machine_that_the_database_does_not_give_us_is_refused);
    tcase_add_test(tests, an_arrival_waits_for_a_store_that_is_busy);
    tcase_add_test(tests, a_row_that_another_process_left_behind_waits_for_a_store_that_is_busy);
    tcase_add_test(tests, a_row_that_was_read_before_the_store_failed_is_adopted_once);
    tcase_add_test(tests, a_connection_that_goes_while_it_is_taken_in_is_not_welcomed);
    tcase_add_test(tests, a_connection_that_the_link_has_lost_is_not_greeted);
    tcase_add_test(tests, an_arrival_that_was_replaced_before_its_turn_takes_nothing);
    tcase_add_test(tests, words_of_connections_that_are_no_more_are_not_heard);
    tcase_add_test(tests, a_machine_that_is_back_within_the_grace_was_never_away);
    suite_add_tcase(suite, tests);
}

static void add_what_an_operator_takes_back(Suite *suite)
{
    TCase *tests = tcase_create("what an operator takes back");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_change_that_takes_nothing_back_cuts_nothing);
    tcase_add_test(tests, a_disabled_machine_is_cut);
    tcase_add_test(tests, a_machine_whose_token_is_taken_back_is_cut);
    tcase_add_test(tests, a_machine_whose_certificate_is_revoked_is_cut);
    tcase_add_test(tests, a_disabled_machine_frees_an_unpaid_customer_first);
    tcase_add_test(tests, a_disabled_machine_keeps_its_link_while_money_may_be_owed);
    tcase_add_test(tests, a_machine_out_of_service_keeps_its_link);
    tcase_add_test(tests, a_machine_that_is_gone_already_is_not_cut);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/link");
    add_who_is_let_in(suite);
    add_arrival(suite);
    add_what_an_operator_takes_back(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
