/* The promises of a device (machine-protocol.md, "The device's journal"), on a real journal in a
 * temporary folder. */
#include "vendsim/device.h"

#include "base/memory.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utlist.h>

static char folder[] = "/tmp/vendsim-device-XXXXXX";
static struct journal *journal;
static struct device *device;
static int commands;

static struct ledger *ledger(void)
{
    return journal_ledger(journal);
}

static void setup(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(journal_open(folder, "vm", &journal), 0);
    device = device_new(journal);
    device_boot(device);
}

static void teardown(void)
{
    _cleanup_(memory_text_free) char *path = memory_format("%s/vm.journal", folder);
    device_free(&device);
    journal_close(&journal);
    unlink(path);
    rmdir(folder);
}

/* As after kill -9: what is known comes from the file alone. */
static void restart(void)
{
    device_free(&device);
    journal_close(&journal);
    ck_assert_int_eq(journal_open(folder, "vm", &journal), 0);
    device = device_new(journal);
    device_boot(device);
}

/* Gives the command (taken), after it waited for that long; the reply has to be freed. */
static json_t *tell_late(json_t *command, int64_t waited_ms, enum device_effect *ret_effect)
{
    _cleanup_(memory_text_free) char *id = memory_format("c%d", commands++);
    json_object_set_new(command, "id", json_string(id));
    json_object_set_new(command, "ttl_ms", json_integer(1000));
    json_t *reply = device_command(device, command, waited_ms, ret_effect);
    json_decref(command);
    return reply;
}

/* A field of the reply as text; valid until the next command. */
static const char *told(json_t *command, int64_t waited_ms, const char *field)
{
    static json_t *reply;
    enum device_effect effect;
    json_decref(reply);
    reply = tell_late(command, waited_ms, &effect);
    const char *text = json_string_value(json_object_get(reply, field));
    return text ? text : "";
}

static enum device_effect effect_of(json_t *command)
{
    enum device_effect effect;
    json_decref(tell_late(command, 0, &effect));
    return effect;
}

static json_t *hello(int64_t epoch, int64_t seq, json_t *session)
{
    return json_pack("{s:s, s:[I, I], s:o, s:i}", "op", "hello", "have", (json_int_t)epoch,
                     (json_int_t)seq, "session", session, "generation", 1);
}

static json_t *lock(int64_t session)
{
    return json_pack("{s:s, s:I, s:i}", "op", "lock", "session", (json_int_t)session, "timeout_s",
                     60);
}

static json_t *approve(const char *approval, int n)
{
    return json_pack("{s:s, s:I, s:i, s:i, s:i, s:s, s:i, s:s, s:i}", "op", "approve", "session",
                     (json_int_t)7, "request", 1, "item", 11, "price", 120, "approval", approval,
                     "n", n, "journal", ledger()->journal, "amount", 130);
}

static json_t *query(const char *approval, int n)
{
    return json_pack("{s:s, s:s, s:i}", "op", "query", "approval", approval, "n", n);
}

static void choose(void)
{
    ck_assert_int_eq(effect_of(lock(7)), DEVICE_SESSION_OPENED);
    device_select(device, &(struct device_choice){.item = 11, .price = 120, .label = "A1"});
}

static size_t events_named(const char *name)
{
    size_t count = 0;
    const struct ledger_event *event;
    DL_FOREACH (ledger()->events, event)
        count +=
            strcmp(json_string_value(json_object_get(event->body, "event")), name) == 0 ? 1 : 0;
    return count;
}

START_TEST(an_approval_is_executed_once_whatever_is_resent)
{
    choose();
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_TAKEN);
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_NOTHING);
    device_put_on_bus(device);
    device_finish(device, true, 0);
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_NOTHING);
    ck_assert_str_eq(told(approve("aa", 1), 0, "state"), "dispensed");
    restart();
    ck_assert_str_eq(told(approve("aa", 1), 0, "state"), "dispensed");
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_NOTHING);
    ck_assert_uint_eq(events_named("dispensed"), 1);
}
END_TEST

START_TEST(a_refused_approval_is_void_for_ever)
{
    choose();
    ck_assert_str_eq(told(approve("aa", 1), 1000, "reason"), "expired");
    ck_assert_str_eq(told(approve("aa", 1), 0, "reason"), "expired");
    restart();
    ck_assert_str_eq(told(approve("aa", 1), 0, "reason"), "expired");
    ck_assert_str_eq(told(query("aa", 1), 0, "state"), "void");
}
END_TEST

START_TEST(an_approve_for_another_journal_voids_nothing)
{
    choose();
    json_t *foreign = approve("aa", 1);
    json_object_set_new(foreign, "journal", json_string("another"));
    ck_assert_str_eq(told(foreign, 0, "reason"), "wrong_journal");
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_TAKEN);
}
END_TEST

START_TEST(a_query_for_an_unseen_number_voids_the_id)
{
    choose();
    ck_assert_str_eq(told(query("aa", 5), 0, "state"), "never_seen");
    ck_assert_str_eq(told(approve("aa", 5), 0, "result"), "refused");
    ck_assert_str_eq(told(query("bb", 5), 0, "state"), "forgotten");
    ck_assert_str_eq(told(query("bb", 4), 0, "state"), "forgotten");
    ck_assert_str_eq(told(approve("cc", 4), 0, "reason"), "stale");
}
END_TEST

START_TEST(other_figures_than_the_choice_are_stale)
{
    static const char *const FIELDS[] = {"request", "item", "price"};
    choose();
    json_t *command = approve("aa", 1);
    json_object_set_new(command, FIELDS[_i], json_integer(99));
    ck_assert_str_eq(told(command, 0, "reason"), "stale");
}
END_TEST

START_TEST(a_power_cut_tells_how_far_the_approval_came)
{
    choose();
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_TAKEN);
    if (_i == 1)
        device_put_on_bus(device);
    restart();
    const struct ledger_approval *approval = ledger_find(ledger(), "aa");
    ck_assert_int_eq(approval->state, LEDGER_INTERRUPTED);
    ck_assert_int_eq(approval->on_bus, _i == 1);
    ck_assert_uint_eq(events_named("interrupted"), 1);
    ck_assert_uint_eq(events_named("session_ended"), 1);
    ck_assert_str_eq(told(query("aa", 1), 0, "state"), "interrupted");
    restart();
    ck_assert_uint_eq(events_named("interrupted"), 1);
}
END_TEST

START_TEST(a_session_that_was_unlocked_is_never_locked_again)
{
    choose();
    ck_assert_int_eq(effect_of(json_pack("{s:s, s:i}", "op", "unlock", "session", 7)),
                     DEVICE_SESSION_CLOSED);
    ck_assert_str_eq(told(lock(7), 0, "result"), "refused");
    ck_assert_str_eq(told(approve("aa", 1), 0, "reason"), "session_over");
    restart();
    ck_assert_str_eq(told(lock(7), 0, "result"), "refused");
    ck_assert_str_eq(told(json_pack("{s:s, s:i}", "op", "unlock", "session", 8), 0, "result"),
                     "ok");
    ck_assert_str_eq(told(lock(8), 0, "result"), "refused");
    ck_assert_str_eq(told(lock(9), 0, "result"), "ok");
}
END_TEST

START_TEST(unlock_lets_an_approval_that_was_taken_finish)
{
    choose();
    ck_assert_int_eq(effect_of(approve("aa", 1)), DEVICE_TAKEN);
    ck_assert_int_eq(effect_of(json_pack("{s:s, s:i}", "op", "unlock", "session", 7)),
                     DEVICE_NOTHING);
    device_finish(device, false, 5);
    ck_assert_uint_eq(events_named("not_dispensed"), 1);
    ck_assert_int_eq(ledger()->session, LEDGER_NONE);
    ck_assert_str_eq(told(lock(7), 0, "result"), "refused");
}
END_TEST

START_TEST(a_repeated_command_id_repeats_its_reply_without_effect)
{
    json_t *command = lock(7);
    enum device_effect effect;
    json_object_set_new(command, "id", json_string("same"));
    json_t *first = device_command(device, command, 0, &effect);
    ck_assert_int_eq(effect, DEVICE_SESSION_OPENED);
    device_refuse_locks(device, "door_open");
    json_t *second = device_command(device, command, 0, &effect);
    ck_assert_int_eq(effect, DEVICE_NOTHING);
    ck_assert(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    json_decref(command);
}
END_TEST

START_TEST(a_command_of_an_older_generation_is_dropped)
{
    enum device_effect effect;
    json_t *command = lock(7);
    ck_assert_int_eq(effect_of(hello(0, -1, json_null())), DEVICE_ONLINE);
    json_object_set_new(command, "generation", json_integer(0));
    ck_assert_ptr_null(tell_late(command, 0, &effect));
    ck_assert_int_eq(ledger()->session, LEDGER_NONE);
}
END_TEST

START_TEST(hello_ends_every_session_but_the_one_it_names)
{
    choose();
    ck_assert_int_eq(effect_of(hello(0, -1, json_integer(7))), DEVICE_ONLINE);
    ck_assert_int_eq(ledger()->session, 7);
    ck_assert_int_eq(effect_of(hello(0, -1, json_null())), DEVICE_ONLINE);
    ck_assert_int_eq(ledger()->session, LEDGER_NONE);
}
END_TEST

START_TEST(events_up_to_have_are_forgotten_and_the_rest_is_sent_again)
{
    effect_of(hello(0, -1, json_null()));
    device_acknowledged(device, 0, 2);
    ck_assert_uint_eq(ledger()->event_count, 3);
    effect_of(hello(0, 0, json_null()));
    ck_assert_uint_eq(ledger()->event_count, 2);
    ck_assert_int_eq(ledger()->events->seq, 1);
    ck_assert_uint_eq(ledger()->acked_count, 0);
}
END_TEST

START_TEST(numbers_go_on_after_a_restart)
{
    int64_t seq = ledger()->seq;
    restart();
    ck_assert_int_gt(ledger()->seq, seq);
    ck_assert_int_eq(ledger()->epoch, 0);
}
END_TEST

/* have, and whether the journal had been welcomed before. */
START_TEST(a_journal_behind_the_gateway_begins_a_new_epoch)
{
    static const struct {
        bool welcomed;
        int64_t epoch, seq;
        bool renewed;
    } CASES[] = {
        {true, 0, 100, true}, {true, 3, 0, true},    {true, 0, 1, false},
        {false, 0, 1, true},  {false, 0, -1, false},
    };
    char before[LEDGER_JOURNAL_SIZE];
    if (CASES[_i].welcomed)
        effect_of(hello(0, -1, json_null()));
    strcpy(before, ledger()->journal);
    effect_of(hello(CASES[_i].epoch, CASES[_i].seq, json_null()));
    ck_assert_int_eq(strcmp(before, ledger()->journal) != 0, CASES[_i].renewed);
    ck_assert_int_eq(ledger()->epoch, CASES[_i].renewed ? CASES[_i].epoch + 1 : 0);
    if (!CASES[_i].renewed)
        return;
    ck_assert_int_eq(ledger()->events->seq, 0);
    ck_assert_int_eq(ledger()->seq, (int64_t)ledger()->event_count - 1);
    ck_assert_uint_eq(events_named("info"), 2);
}
END_TEST

START_TEST(holes_are_filled_with_what_is_kept_or_with_a_gap)
{
    effect_of(hello(0, -1, json_null()));
    effect_of(hello(0, 1, json_null())); /* 0 and 1 are forgotten, 2 is kept */
    device_acknowledged(device, 0, 2);
    json_t *resend = json_pack("{s:s, s:i, s:i}", "op", "resend", "from", 0, "to", 2);
    ck_assert_int_eq(effect_of(resend), DEVICE_RESEND);
    const struct ledger_event *last = ledger()->events->prev;
    ck_assert_uint_eq(events_named("gap"), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(last->body, "from")), 0);
    ck_assert_int_eq(json_integer_value(json_object_get(last->body, "to")), 1);
    ck_assert_int_eq(ledger()->events->seq, 2);
    ck_assert(!ledger()->events->acked);
}
END_TEST

START_TEST(keys_with_the_same_number_are_pressed_once)
{
    json_t *keys =
        json_pack("{s:s, s:i, s:i, s:[i]}", "op", "keys", "session", 7, "n", 1, "keys", 5);
    json_t *again = json_copy(keys);
    effect_of(lock(7));
    ck_assert_int_eq(effect_of(keys), DEVICE_KEYS_PRESSED);
    ck_assert_int_eq(effect_of(again), DEVICE_NOTHING);
}
END_TEST

START_TEST(a_planogram_is_told_until_it_was_acknowledged)
{
    ck_assert_uint_eq(events_named("planogram"), 1);
    device_acknowledged(device, 0, 1);
    restart();
    ck_assert_uint_eq(events_named("planogram"), 1);
    ck_assert_uint_eq(events_named("info"), 2);
}
END_TEST

static TCase *promises(void)
{
    TCase *tests = tcase_create("approvals and sessions");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, an_approval_is_executed_once_whatever_is_resent);
    tcase_add_test(tests, a_refused_approval_is_void_for_ever);
    tcase_add_test(tests, an_approve_for_another_journal_voids_nothing);
    tcase_add_test(tests, a_query_for_an_unseen_number_voids_the_id);
    tcase_add_loop_test(tests, other_figures_than_the_choice_are_stale, 0, 3);
    tcase_add_loop_test(tests, a_power_cut_tells_how_far_the_approval_came, 0, 2);
    tcase_add_test(tests, a_session_that_was_unlocked_is_never_locked_again);
    tcase_add_test(tests, unlock_lets_an_approval_that_was_taken_finish);
    tcase_add_test(tests, keys_with_the_same_number_are_pressed_once);
    return tests;
}

static TCase *numbers(void)
{
    TCase *tests = tcase_create("commands and events");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_repeated_command_id_repeats_its_reply_without_effect);
    tcase_add_test(tests, a_command_of_an_older_generation_is_dropped);
    tcase_add_test(tests, hello_ends_every_session_but_the_one_it_names);
    tcase_add_test(tests, events_up_to_have_are_forgotten_and_the_rest_is_sent_again);
    tcase_add_test(tests, numbers_go_on_after_a_restart);
    tcase_add_loop_test(tests, a_journal_behind_the_gateway_begins_a_new_epoch, 0, 5);
    tcase_add_test(tests, holes_are_filled_with_what_is_kept_or_with_a_gap);
    tcase_add_test(tests, a_planogram_is_told_until_it_was_acknowledged);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("vendsim/device");
    suite_add_tcase(suite, promises());
    suite_add_tcase(suite, numbers());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
