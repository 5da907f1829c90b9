/* What machines report: each number stored once, holes asked for, descriptions taken with care, and
 * choices and ends of sessions told to the integrator in its own terms. */
#include "played_calls.h"

/* --- numbers --- */

static struct machine_event numbered(int64_t epoch, int64_t seq)
{
    struct machine_event event = event_of(MACHINE_EVENT_SALE, "sale");
    event.event_epoch = epoch;
    event.seq = seq;
    return event;
}

static void say_as(struct machine_event event)
{
    played.link.event(played.broker, "vm", (struct event_ticket){1, 1}, &event);
}

static const struct machine *vm(void)
{
    return broker_machine_find(played.broker, "vm");
}

START_TEST(an_event_told_again_is_acknowledged_and_stored_once)
{
    online(-1, -1);
    say_as(numbered(0, 0));
    ck_assert_int_eq(played.questions->mark, 0);
    answer_all();
    say_as(numbered(0, 0));
    ck_assert(played.questions->compares);
    answer(STORE_APPLIED); /* the same body */
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
    ck_assert_ptr_null(played.questions);
}
END_TEST

START_TEST(an_event_that_is_on_disk_but_cannot_be_compared_is_acknowledged)
{
    online(-1, -1);
    say_as(numbered(0, 0));
    answer_all();
    say_as(numbered(0, 0));
    answer(STORE_FAILED);
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
}
END_TEST

START_TEST(a_repeat_waits_for_a_store_that_is_busy)
{
    online(-1, -1);
    say_as(numbered(0, 0));
    answer_all();
    say_as(numbered(0, 0));
    answer(STORE_UNAVAILABLE);
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
    RUN_UNTIL(played.questions);
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
}
END_TEST

START_TEST(a_number_used_for_two_events_is_kept_refused_and_ends_the_epoch)
{
    online(-1, -1);
    say_as(numbered(0, 0));
    answer_all();
    say_as(numbered(0, 0));
    answer(STORE_CONFLICT); /* another body */
    ck_assert_str_eq(played.questions->event_name, "sale");
    ck_assert_int_eq(played.questions->event_seq, -1); /* its number is taken */
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_REFUSED], 1);
    go(1, LINK_DOWN_RESET);
    arrive(2);
    answer_all();
    hello(2, -1, -1, "J");
    ck_assert(played.last_of[MACHINE_OP_HELLO].new_epoch);
    answer_all();
    ck_assert(!vm()->new_epoch); /* ordered once */
}
END_TEST

START_TEST(an_event_of_an_epoch_that_has_ended_is_kept_without_effect)
{
    online(-1, -1);
    say_as(numbered(5, 0));
    answer_all();
    say_as(numbered(4, 9));
    ck_assert_int_eq(played.questions->mark, 0);
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
    ck_assert_int_eq(vm()->sequence.event_epoch, 5);
}
END_TEST

START_TEST(a_hole_is_asked_for_once_and_the_record_closes_over_it)
{
    online(-1, -1);
    say_as(numbered(0, 0));
    answer_all();
    say_as(numbered(0, 3));
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_RESEND], 1);
    ck_assert_int_eq(played.last_sent.from, 1);
    ck_assert_int_eq(played.last_sent.to, 2);
    say_as(numbered(0, 4));
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_RESEND], 1);
    say_as(numbered(0, 1));
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_RESEND], 2); /* what is left of it */
    say_as(numbered(0, 2));
    answer_all();
    ck_assert_int_eq(vm()->sequence.mark, 4);
}
END_TEST

START_TEST(a_hole_that_could_not_be_asked_for_is_asked_for_with_the_next_event)
{
    online(-1, -1);
    played.send_error = -ENOBUFS;
    say_as(numbered(0, 3));
    answer_all();
    played.send_error = 0;
    say_as(numbered(0, 5));
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_RESEND], 1);
    ck_assert_int_eq(played.last_sent.from, 0);
}
END_TEST

START_TEST(what_the_machine_has_lost_for_good_is_no_hole)
{
    online(-1, -1);
    struct machine_event gap = numbered(0, 4);
    gap.kind = MACHINE_EVENT_GAP;
    gap.name = "gap";
    gap.gap_from = 0;
    gap.gap_to = 3;
    say_as(gap);
    answer_all();
    ck_assert_int_eq(vm()->sequence.mark, 4);
    ck_assert_int_eq(played.sent[MACHINE_OP_RESEND], 0);
}
END_TEST

START_TEST(an_event_too_far_ahead_is_not_acknowledged)
{
    online(-1, -1);
    for (int64_t i = 0; i < EVENT_SEQUENCE_ABOVE_MAX; i++) {
        say_as(numbered(0, 2 + 2 * i));
        answer_all();
    }
    say_as(numbered(0, 1000));
    ck_assert_ptr_null(played.questions);
    ck_assert_int_eq(played.acks[EVENT_REFUSED], 1);
    go(1, LINK_DOWN_PROTOCOL);
    arrive(2);
    answer_all();
    hello(2, -1, -1, "J");
    ck_assert(played.last_of[MACHINE_OP_HELLO].new_epoch); /* else it would come so far again */
    answer_all();
}
END_TEST

START_TEST(the_record_of_a_machine_is_taken_from_disk)
{
    played.own_told = true;
    played.owned = (struct store_machine_owned){
        .state_epoch = 3, .mark = 10, .above = {12, 14}, .above_count = 2};
    online(-1, -1);
    ck_assert_int_eq(played.last_of[MACHINE_OP_HELLO].have_epoch, 3);
    ck_assert_int_eq(played.last_of[MACHINE_OP_HELLO].have_seq, 10);
    ck_assert_int_eq(played.last_sent.op, MACHINE_OP_RESEND);
    ck_assert_int_eq(played.last_sent.from, 11);
    say_as(numbered(3, 12));
    ck_assert(played.questions->compares);
    answer_all();
}
END_TEST

START_TEST(an_event_without_a_number_is_kept)
{
    online(-1, -1);
    struct machine_event event = numbered(0, 0);
    event.numbered = false;
    say_as(event);
    ck_assert_int_eq(played.questions->event_seq, -1);
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
    ck_assert_int_eq(vm()->sequence.mark, -1);
}
END_TEST

/* --- choices --- */

START_TEST(a_choice_that_is_nobodys_is_ended)
{
    online(-1, -1);
    select_item(1, 12, 150);
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
    ck_assert_int_eq(played.last_sent.session, 7);
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

START_TEST(a_choice_of_another_session_is_ended_and_ours_goes_on)
{
    locked("A");
    struct machine_event event = event_of(MACHINE_EVENT_SELECTION, "selection");
    event.session = 8;
    event.request = event.item = 1;
    event.price = 100;
    say(event);
    answer_all();
    ck_assert_int_eq(played.sent[MACHINE_OP_UNLOCK], 1);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

START_TEST(a_choice_is_told_with_its_label_and_its_price)
{
    locked("A");
    select_item(1, 12, 150);
    ck_assert_str_eq(played.questions->bodies[0],
                     "{\"txn_ref\":\"A\",\"new_txn_ref\":\"\",\"selection\":\"12\",\"cents\":150}");
    answer_all();
    select_item(1, 12, 150); /* told again, under another number */
    ck_assert_uint_eq(played.questions->callback_count, 0);
    answer_all();
    ck_assert_int_eq(played.callbacks, 1);
}
END_TEST

START_TEST(a_price_that_nobody_can_pay_ends_the_session)
{
    played.machine.scale = 10;
    locked("A");
    select_item(1, 12, 155);
    ck_assert_str_eq(played.questions->bodies[0], "{\"txn_ref\":\"A\",\"code\":\"114\"}");
}
END_TEST

START_TEST(only_the_open_choice_can_be_taken_back)
{
    locked("A");
    select_item(1, 12, 150);
    answer_all();
    struct machine_event back = event_of(MACHINE_EVENT_WITHDRAWN, "withdrawn");
    back.session = 7;
    back.request = 9;
    say(back);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    back.session = 8;
    back.request = 1;
    say(back);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_REQUESTED);
    back.session = 7;
    say(back);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_WITHDRAWN);
}
END_TEST

START_TEST(the_end_of_a_session_is_told_with_the_machines_reason)
{
    static const struct {
        enum session_end end;
        const char *code;
    } ENDS[] = {{SESSION_END_CUSTOMER, "101"}, {SESSION_END_CASH, "109"},
                {SESSION_END_VMC, "105"},      {SESSION_END_RESET, "107"},
                {SESSION_END_DOOR, "113"},     {SESSION_END_TIMEOUT, "102"},
                {SESSION_END_OTHER, "199"}};
    for (uint64_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
        row_in(TXN_LOCKED, TXN_TIMER_SELECTION, 60000);
        arrive(i + 1);
        answer_all();
        hello(i + 1, 7, -1, "J");
        answer_all();
        struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
        end.session = 7;
        end.end = ENDS[i].end;
        say(end);
        char body[100];
        snprintf(body, sizeof body, "{\"txn_ref\":\"R\",\"code\":\"%s\"}", ENDS[i].code);
        ck_assert_str_eq(played.questions->bodies[0], body);
        answer_all();
        ck_assert_ptr_null(live_of_vm());
    }
}
END_TEST

START_TEST(the_end_of_another_session_ends_nothing)
{
    struct machine_event end = event_of(MACHINE_EVENT_SESSION_ENDED, "session_ended");
    end.session = 8;
    online(-1, -1);
    say(end);
    answer_all();
    lock("A");
    say_reply(reply_to(MACHINE_OP_LOCK));
    answer_all();
    say(end);
    answer_all();
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
    ck_assert_int_eq(played.acks[EVENT_STORED], 2);
}
END_TEST

START_TEST(an_event_that_moves_a_row_but_not_on_disk_is_told_again)
{
    locked("A");
    select_item(1, 12, 150);
    for (int i = 0; i < STEP_TRIES_MAX - 1; i++) {
        answer(STORE_CONFLICT);
        played.row = live_of_vm()->txn;
        played.has_row = true;
        answer(STORE_APPLIED);
    }
    answer(STORE_CONFLICT);
    ck_assert_int_eq(played.acks[EVENT_REFUSED], 1);
    ck_assert_int_eq(live_of_vm()->txn.state, TXN_LOCKED);
}
END_TEST

/* --- what machines say of themselves --- */

static void describe(enum machine_event_kind kind, const char *text)
{
    struct machine_event event = event_of(kind, "");
    json_t *json = json_loads(text, 0, NULL);
    ck_assert_ptr_nonnull(json);
    event.json = json;
    event.name = json_string_value(json_object_get(json, "event"));
    say(event);
    json_decref(json);
    ck_assert(played.questions->effects);
}

START_TEST(a_machine_describes_itself)
{
    online(-1, -1);
    int refreshed = played.refreshed_machines;
    describe(MACHINE_EVENT_INFO,
             "{\"event\":\"info\",\"firmware\":\"2.1\",\"scale\":5,\"decimals\":2,"
             "\"max_response_s\":30}");
    const struct question *asked_ = played.questions;
    ck_assert_str_eq(asked_->event_name, "info");
    ck_assert_str_eq(asked_->firmware, "2.1");
    ck_assert_int_eq(asked_->scale, 5);
    ck_assert_int_eq(asked_->decimals, 2);
    ck_assert_int_eq(asked_->max_response_s, 30);
    answer_all();
    ck_assert_int_eq(played.refreshed_machines, refreshed + 1);
}
END_TEST

START_TEST(figures_that_make_no_sense_count_as_not_told)
{
    static const char *const ODD[] = {
        "{\"event\":\"info\",\"scale\":0,\"decimals\":-1,\"max_response_s\":-5}",
        "{\"event\":\"info\",\"scale\":256,\"decimals\":10,\"max_response_s\":86401}",
        "{\"event\":\"info\",\"scale\":\"5\",\"decimals\":2.5,\"max_response_s\":null}",
        "{\"event\":\"info\",\"firmware\":7}"};
    online(-1, -1);
    for (size_t i = 0; i < ARRAY_SIZE(ODD); i++) {
        describe(MACHINE_EVENT_INFO, ODD[i]);
        ck_assert_int_eq(played.questions->scale, -1);
        ck_assert_int_eq(played.questions->decimals, -1);
        ck_assert_int_eq(played.questions->max_response_s, -1);
        ck_assert_str_eq(played.questions->firmware, "");
        answer_all();
    }
}
END_TEST

START_TEST(a_keypad_is_kept_as_told_without_its_envelope)
{
    online(-1, -1);
    describe(MACHINE_EVENT_KEYPAD, "{\"event\":\"keypad\",\"event_epoch\":1,\"seq\":2,\"time\":3,"
                                   "\"enabled\":true}");
    ck_assert_str_eq(played.questions->keypad, "{\"enabled\":true}");
    answer_all();
}
END_TEST

START_TEST(a_planogram_is_kept_as_told)
{
    online(-1, -1);
    describe(MACHINE_EVENT_PLANOGRAM, "{\"event\":\"planogram\",\"coils\":[{\"item\":1}]}");
    ck_assert_str_eq(played.questions->planogram, "[{\"item\":1}]");
    answer_all();
}
END_TEST

START_TEST(a_description_that_is_not_on_disk_is_not_believed)
{
    online(-1, -1);
    int refreshed = played.refreshed_machines;
    describe(MACHINE_EVENT_INFO, "{\"event\":\"info\",\"scale\":5}");
    answer(STORE_CONFLICT);
    ck_assert_int_eq(played.refreshed_machines, refreshed);
    ck_assert_int_eq(played.acks[EVENT_REFUSED], 1);
}
END_TEST

START_TEST(an_event_of_an_unknown_kind_is_kept_with_what_it_said)
{
    locked("A");
    struct machine_event event = event_of(MACHINE_EVENT_OTHER, "coffee_spilled");
    json_t *json = json_pack("{s:s}", "event", "coffee_spilled");
    event.json = json;
    say(event);
    json_decref(json);
    ck_assert_str_eq(played.questions->event_name, "coffee_spilled");
    answer_all();
    ck_assert_int_eq(played.acks[EVENT_STORED], 1);
}
END_TEST

START_TEST(a_choice_is_journalled_with_what_the_machine_said)
{
    locked("A");
    struct machine_event event = event_of(MACHINE_EVENT_SELECTION, "selection");
    json_t *json = json_pack("{s:s, s:i}", "event", "selection", "item", 12);
    event.json = json;
    event.session = 7;
    event.request = 1;
    event.item = 12;
    event.price = 150;
    say(event);
    json_decref(json);
    ck_assert_str_eq(played.questions->evidence,
                     "{\"event\":{\"event\":\"selection\",\"item\":12}}");
    answer_all();
}
END_TEST

static void add_numbers(Suite *suite)
{
    TCase *tests = tcase_create("numbers");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, an_event_told_again_is_acknowledged_and_stored_once);
    tcase_add_test(tests, an_event_that_is_on_disk_but_cannot_be_compared_is_acknowledged);
    tcase_add_test(tests, a_repeat_waits_for_a_store_that_is_busy);
    tcase_add_test(tests, a_number_used_for_two_events_is_kept_refused_and_ends_the_epoch);
    tcase_add_test(tests, an_event_of_an_epoch_that_has_ended_is_kept_without_effect);
    tcase_add_test(tests, a_hole_is_asked_for_once_and_the_record_closes_over_it);
    tcase_add_test(tests, a_hole_that_could_not_be_asked_for_is_asked_for_with_the_next_event);
    tcase_add_test(tests, what_the_machine_has_lost_for_good_is_no_hole);
    tcase_add_test(tests, an_event_too_far_ahead_is_not_acknowledged);
    tcase_add_test(tests, the_record_of_a_machine_is_taken_from_disk);
    tcase_add_test(tests, an_event_without_a_number_is_kept);
    suite_add_tcase(suite, tests);
}

static void add_choices(Suite *suite)
{
    TCase *tests = tcase_create("choices");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_choice_that_is_nobodys_is_ended);
    tcase_add_test(tests, a_choice_of_another_session_is_ended_and_ours_goes_on);
    tcase_add_test(tests, a_choice_is_told_with_its_label_and_its_price);
    tcase_add_test(tests, a_price_that_nobody_can_pay_ends_the_session);
    tcase_add_test(tests, only_the_open_choice_can_be_taken_back);
    tcase_add_test(tests, the_end_of_a_session_is_told_with_the_machines_reason);
    tcase_add_test(tests, the_end_of_another_session_ends_nothing);
    tcase_add_test(tests, an_event_that_moves_a_row_but_not_on_disk_is_told_again);
    suite_add_tcase(suite, tests);
}

static void add_what_machines_say_of_themselves(Suite *suite)
{
    TCase *tests = tcase_create("what machines say of themselves");
    tcase_add_checked_fixture(tests, play_begin, play_end);
    tcase_add_test(tests, a_machine_describes_itself);
    tcase_add_test(tests, figures_that_make_no_sense_count_as_not_told);
    tcase_add_test(tests, a_keypad_is_kept_as_told_without_its_envelope);
    tcase_add_test(tests, a_planogram_is_kept_as_told);
    tcase_add_test(tests, a_description_that_is_not_on_disk_is_not_believed);
    tcase_add_test(tests, an_event_of_an_unknown_kind_is_kept_with_what_it_said);
    tcase_add_test(tests, a_choice_is_journalled_with_what_the_machine_said);
    suite_add_tcase(suite, tests);
}

int main(void)
{
    Suite *suite = suite_create("broker/events");
    add_numbers(suite);
    add_choices(suite);
    add_what_machines_say_of_themselves(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
