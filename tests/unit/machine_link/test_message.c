/* What machines say is understood as the protocol has it, or told to be unreadable - never
 * something in between. */
#include "machine_link/message_json.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define APPROVAL "0123456789abcdef0123456789abcdef"
#define HEAD "\"event_epoch\":1,\"seq\":7,"

static void read_event(const char *text, struct event_reading *ret_reading)
{
    machine_event_read(text, strlen(text), ret_reading);
}

static const struct {
    const char *text;
    enum machine_event_kind kind;
} READABLE[] = {
    {"{\"event\":\"selection\"," HEAD
     "\"session\":3,\"request\":2,\"item\":17,\"label\":\"B4\",\"price\":150,\"time\":1700000000}",
     MACHINE_EVENT_SELECTION},
    {"{\"event\":\"withdrawn\"," HEAD "\"session\":3,\"request\":2}", MACHINE_EVENT_WITHDRAWN},
    {"{\"event\":\"session_ended\"," HEAD "\"session\":3,\"reason\":\"cash\"}",
     MACHINE_EVENT_SESSION_ENDED},
    {"{\"event\":\"session_ended\"," HEAD "\"session\":3,\"reason\":\"something new\"}",
     MACHINE_EVENT_SESSION_ENDED},
    {"{\"event\":\"dispensed\"," HEAD "\"approval\":\"" APPROVAL "\",\"item\":17,\"quantity\":1}",
     MACHINE_EVENT_DISPENSED},
    {"{\"event\":\"not_dispensed\"," HEAD "\"approval\":\"" APPROVAL "\",\"code\":5}",
     MACHINE_EVENT_NOT_DISPENSED},
    {"{\"event\":\"interrupted\"," HEAD "\"approval\":\"" APPROVAL "\",\"on_bus\":true}",
     MACHINE_EVENT_INTERRUPTED},
    {"{\"event\":\"sale\"," HEAD "\"item\":1,\"price\":100,\"quantity\":1,\"paid_with\":\"cash\"}",
     MACHINE_EVENT_SALE},
    {"{\"event\":\"refill\"," HEAD "\"items\":[{\"item\":1,\"quantity\":5}]}",
     MACHINE_EVENT_REFILL},
    {"{\"event\":\"refill\"," HEAD "\"items\":[]}", MACHINE_EVENT_REFILL},
    {"{\"event\":\"alert\"," HEAD "\"level\":\"High\",\"message\":\"door\",\"code\":4}",
     MACHINE_EVENT_ALERT},
    {"{\"event\":\"button\"," HEAD "\"button\":3}", MACHINE_EVENT_BUTTON},
    {"{\"event\":\"planogram\"," HEAD "\"coils\":[{\"code\":1,\"name\":\"Cola\",\"price\":150}]}",
     MACHINE_EVENT_PLANOGRAM},
    {"{\"event\":\"keypad\"," HEAD "\"virtual_keypad_enabled\":true,\"keypad_items\":[]}",
     MACHINE_EVENT_KEYPAD},
    {"{\"event\":\"info\"," HEAD "\"firmware\":\"1.2\"}", MACHINE_EVENT_INFO},
    {"{\"event\":\"gap\"," HEAD "\"from\":3,\"to\":6}", MACHINE_EVENT_GAP},
    {"{\"event\":\"from_the_future\"," HEAD "\"x\":[1,2]}", MACHINE_EVENT_OTHER},
};

START_TEST(each_event_is_understood)
{
    struct event_reading reading;
    read_event(READABLE[_i].text, &reading);
    ck_assert_msg(reading.event.kind == READABLE[_i].kind, "%s: %s", READABLE[_i].text,
                  reading.event.problem ? reading.event.problem : "another kind");
    ck_assert(reading.event.numbered);
    ck_assert_int_eq(reading.event.event_epoch, 1);
    ck_assert_int_eq(reading.event.seq, 7);
    ck_assert_ptr_null(reading.event.problem);
    ck_assert_ptr_nonnull(reading.event.json);
    machine_event_done(&reading);
}
END_TEST

START_TEST(the_fields_of_a_selection_arrive)
{
    struct event_reading reading;
    read_event(READABLE[0].text, &reading);
    ck_assert_int_eq(reading.event.session, 3);
    ck_assert_int_eq(reading.event.request, 2);
    ck_assert_int_eq(reading.event.item, 17);
    ck_assert_int_eq(reading.event.price, 150);
    ck_assert_int_eq(reading.event.time_s, 1700000000);
    ck_assert_str_eq(reading.event.label, "B4");
    ck_assert_str_eq(reading.event.name, "selection");
    machine_event_done(&reading);
}
END_TEST

START_TEST(results_name_their_approval)
{
    struct event_reading reading;
    read_event(READABLE[5].text, &reading);
    ck_assert_str_eq(reading.event.approval, APPROVAL);
    ck_assert_int_eq(reading.event.code, 5);
    machine_event_done(&reading);
    read_event(READABLE[6].text, &reading);
    ck_assert_str_eq(reading.event.approval, APPROVAL);
    ck_assert(reading.event.on_bus);
    machine_event_done(&reading);
    read_event(READABLE[2].text, &reading);
    ck_assert_int_eq(reading.event.end, SESSION_END_CASH);
    machine_event_done(&reading);
    read_event(READABLE[3].text, &reading);
    ck_assert_int_eq(reading.event.end, SESSION_END_OTHER);
    machine_event_done(&reading);
}
END_TEST

START_TEST(a_price_below_zero_is_understood_so_that_it_can_be_refused)
{
    struct event_reading reading;
    read_event("{\"event\":\"selection\"," HEAD
               "\"session\":3,\"request\":2,\"item\":17,\"price\":-1}",
               &reading);
    ck_assert_int_eq(reading.event.kind, MACHINE_EVENT_SELECTION);
    ck_assert_int_eq(reading.event.price, -1);
    machine_event_done(&reading);
}
END_TEST

START_TEST(a_long_label_is_cut_between_characters)
{
    struct event_reading reading;
    read_event("{\"event\":\"selection\"," HEAD
               "\"session\":3,\"request\":2,\"item\":17,\"price\":1,"
               "\"label\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\\u00e4bc\"}",
               &reading);
    ck_assert_int_eq(reading.event.kind, MACHINE_EVENT_SELECTION);
    ck_assert_str_eq(reading.event.label, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    machine_event_done(&reading);
}
END_TEST

static const struct {
    const char *text;
    bool numbered;
    const char *approval;
} UNREADABLE[] = {
    {"", false, ""},
    {"not json", false, ""},
    {"[1,2]", false, ""},
    {"{\"event\":\"button\"," HEAD "\"button\":4}", true, ""},
    {"{\"event\":\"button\"," HEAD "\"button\":\"1\"}", true, ""},
    {"{\"event\":\"button\",\"event\":\"button\"," HEAD "\"button\":1}", false, ""},
    {"{" HEAD "\"button\":1}", true, ""},
    {"{\"event\":7," HEAD "\"button\":1}", true, ""},
    {"{\"event\":\"\"," HEAD "\"button\":1}", true, ""},
    {"{\"event\":\"button\",\"seq\":1,\"button\":1}", false, ""},
    {"{\"event\":\"button\",\"event_epoch\":1,\"button\":1}", false, ""},
    {"{\"event\":\"button\",\"event_epoch\":1,\"seq\":-1,\"button\":1}", false, ""},
    {"{\"event\":\"button\",\"event_epoch\":1,\"seq\":1.5,\"button\":1}", false, ""},
    {"{\"event\":\"button\",\"event_epoch\":1,\"seq\":9007199254740992,\"button\":1}", false, ""},
    {"{\"event\":\"selection\"," HEAD "\"session\":3,\"request\":2,\"item\":17}", true, ""},
    {"{\"event\":\"selection\"," HEAD "\"session\":3,\"request\":2,\"item\":65536,\"price\":1}",
     true, ""},
    {"{\"event\":\"selection\"," HEAD "\"session\":3,\"item\":17,\"price\":1}", true, ""},
    {"{\"event\":\"withdrawn\"," HEAD "\"session\":3}", true, ""},
    {"{\"event\":\"dispensed\"," HEAD "\"item\":17}", true, ""},
    {"{\"event\":\"dispensed\"," HEAD "\"approval\":\"" APPROVAL "\",\"quantity\":\"one\"}", true,
     APPROVAL},
    {"{\"event\":\"dispensed\"," HEAD "\"approval\":\"xyz\"}", true, ""},
    {"{\"event\":\"dispensed\",\"approval\":\"" APPROVAL "\"}", false, APPROVAL},
    {"{\"event\":\"dispensed\"," HEAD "\"approval\" : \"" APPROVAL "\"", false, APPROVAL},
    {"{\"event\":\"dispensed\"," HEAD "\"approval\":\"0123\"", false, ""},
    {"{\"event\":\"interrupted\"," HEAD "\"approval\":\"" APPROVAL "\"}", true, APPROVAL},
    {"{\"event\":\"sale\"," HEAD "\"item\":1,\"price\":100}", true, ""},
    {"{\"event\":\"refill\"," HEAD "\"items\":{}}", true, ""},
    {"{\"event\":\"refill\"," HEAD "\"items\":[{\"item\":1}]}", true, ""},
    {"{\"event\":\"refill\"," HEAD "\"items\":[7]}", true, ""},
    {"{\"event\":\"alert\"," HEAD "\"level\":\"Severe\",\"message\":\"x\"}", true, ""},
    {"{\"event\":\"planogram\"," HEAD "\"coils\":[{\"name\":\"x\"}]}", true, ""},
    {"{\"event\":\"gap\"," HEAD "\"from\":7,\"to\":6}", true, ""},
};

START_TEST(what_is_not_understood_is_told_so_with_its_approval)
{
    struct event_reading reading;
    read_event(UNREADABLE[_i].text, &reading);
    ck_assert_msg(reading.event.kind == MACHINE_EVENT_UNREADABLE, "%s", UNREADABLE[_i].text);
    ck_assert_msg(reading.event.numbered == UNREADABLE[_i].numbered, "%s", UNREADABLE[_i].text);
    ck_assert_ptr_nonnull(reading.event.problem);
    ck_assert_ptr_nonnull(reading.event.name);
    ck_assert_str_eq(reading.event.approval, UNREADABLE[_i].approval);
    ck_assert_uint_eq(reading.event.raw_size, strlen(UNREADABLE[_i].text));
    machine_event_done(&reading);
}
END_TEST

START_TEST(only_planogram_and_keypad_may_be_longer_than_4_kib)
{
    static const struct {
        const char *name, *fields;
        bool readable;
    } KINDS[] = {{"planogram", "\"coils\":[],", true}, {"keypad", "", true}, {"info", "", false}};
    for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++) {
        char *text = NULL;
        int size = asprintf(&text, "{\"event\":\"%s\"," HEAD "%s\"padding\":\"%5000s\"}",
                            KINDS[i].name, KINDS[i].fields, "x");
        struct event_reading reading;
        machine_event_read(text, (size_t)size, &reading);
        ck_assert_int_eq(reading.event.kind != MACHINE_EVENT_UNREADABLE, KINDS[i].readable);
        ck_assert(reading.event.numbered);
        machine_event_done(&reading);
        free(text);
    }
}
END_TEST

static bool read_reply(const char *text, struct machine_reply *ret_reply)
{
    struct reply_reading reading = {0};
    bool read = machine_reply_read(text, strlen(text), &reading);
    *ret_reply = reading.reply;
    return read;
}

START_TEST(replies_are_understood)
{
    struct machine_reply reply;
    ck_assert(read_reply("{\"id\":\"aa\",\"result\":\"ok\",\"state\":\"taken\",\"journal\":\"j1\"}",
                         &reply));
    ck_assert(reply.ok);
    ck_assert_int_eq(reply.state, APPROVAL_TAKEN);
    ck_assert_str_eq(reply.journal, "j1");
    ck_assert_int_eq(reply.session, -1);
    ck_assert(
        read_reply("{\"id\":\"aa\",\"result\":\"refused\",\"reason\":\"door_open\"}", &reply));
    ck_assert(!reply.ok);
    ck_assert_int_eq(reply.lock_refusal, LOCK_REFUSAL_DOOR_OPEN);
    ck_assert(read_reply(
        "{\"id\":\"aa\",\"result\":\"ok\",\"session\":null,\"request\":4,\"journal\":\"j\","
        "\"last\":{\"approval\":\"ab\",\"n\":3,\"state\":\"interrupted\",\"on_bus\":true}}",
        &reply));
    ck_assert_int_eq(reply.session, -1);
    ck_assert_int_eq(reply.request, 4);
    ck_assert(reply.last && reply.last_on_bus);
    ck_assert_int_eq(reply.last_n, 3);
    ck_assert_int_eq(reply.last_state, APPROVAL_INTERRUPTED);
    ck_assert(read_reply("{\"id\":\"aa\",\"result\":\"ok\",\"last\":null}", &reply));
    ck_assert(!reply.last);
    ck_assert(read_reply("{\"id\":\"aa\",\"result\":\"ok\",\"state\":\"not_dispensed\",\"code\":5}",
                         &reply));
    ck_assert_int_eq(reply.code, 5);
}
END_TEST

START_TEST(how_a_code_is_written_never_decides_whether_a_result_is_understood)
{
    static const struct {
        const char *text;
        int64_t code;
    } CODES[] = {{"206", 206}, {"\"206\"", 206}, {"\"\"", -1},      {"\"5x\"", -1},
                 {"-1", -1},   {"65536", -1},    {"\"65536\"", -1}, {"\"-5\"", -1},
                 {"null", -1}, {"[5]", -1},      {"5.0", -1}};
    for (size_t i = 0; i < ARRAY_SIZE(CODES); i++) {
        struct event_reading reading;
        struct machine_reply reply;
        char text[256];
        snprintf(text, sizeof text,
                 "{\"event\":\"not_dispensed\"," HEAD "\"approval\":\"" APPROVAL "\",\"code\":%s}",
                 CODES[i].text);
        read_event(text, &reading);
        ck_assert_int_eq(reading.event.kind, MACHINE_EVENT_NOT_DISPENSED);
        ck_assert_int_eq(reading.event.code, CODES[i].code);
        machine_event_done(&reading);
        snprintf(text, sizeof text,
                 "{\"id\":\"aa\",\"result\":\"ok\",\"state\":\"not_dispensed\",\"code\":%s}",
                 CODES[i].text);
        ck_assert(read_reply(text, &reply));
        ck_assert_int_eq(reply.code, CODES[i].code);
    }
}
END_TEST

static const char *const BAD_REPLIES[] = {
    "",
    "[]",
    "{\"result\":\"ok\"}",
    "{\"id\":\"aa\"}",
    "{\"id\":\"aa\",\"result\":\"yes\"}",
    "{\"id\":\"not hex\",\"result\":\"ok\"}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"state\":\"perhaps\"}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"on_bus\":1}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"journal\":\"j\\\"1\"}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"session\":\"1\"}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"last\":[]}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"last\":{\"n\":1}}",
    "{\"id\":\"aa\",\"result\":\"ok\",\"last\":{\"approval\":\"ab\",\"state\":\"odd\"}}",
};

START_TEST(a_damaged_reply_is_no_verdict)
{
    struct machine_reply reply;
    ck_assert_msg(!read_reply(BAD_REPLIES[_i], &reply), "%s", BAD_REPLIES[_i]);
}
END_TEST

START_TEST(a_reply_takes_over_what_its_command_knows)
{
    const struct machine_command command = {
        .op = MACHINE_OP_APPROVE, .txn_id = 9, .n = 4, .approval = APPROVAL};
    struct machine_reply reply = {0};
    machine_reply_bind(&reply, &command);
    ck_assert_int_eq(reply.op, MACHINE_OP_APPROVE);
    ck_assert_int_eq(reply.txn_id, 9);
    ck_assert_int_eq(reply.n, 4);
    ck_assert_str_eq(reply.approval, APPROVAL);
}
END_TEST

#define STAMPED(op_) "{\"id\":\"c0\",\"op\":\"" op_ "\",\"generation\":6,\"ttl_ms\":900"

static const struct {
    struct machine_command command;
    const char *text;
} COMMANDS[] = {
    {{.op = MACHINE_OP_HELLO,
      .have_epoch = 1,
      .have_seq = -1,
      .session = -1,
      .request = -1,
      .new_epoch = true},
     STAMPED("hello") ",\"have\":[1,-1],\"new_epoch\":true,\"now_ms\":77,\"keepalive_s\":30,"
                      "\"session\":null,"
                      "\"request\":null}"},
    {{.op = MACHINE_OP_LOCK, .session = 5, .timeout_s = 60, .balance = 250},
     STAMPED("lock") ",\"session\":5,\"timeout_s\":60,\"balance\":250}"},
    {{.op = MACHINE_OP_LOCK, .session = 5, .timeout_s = 60, .balance = TXN_BALANCE_UNKNOWN},
     STAMPED("lock") ",\"session\":5,\"timeout_s\":60}"},
    {{.op = MACHINE_OP_KEYS, .session = 5, .n = 2, .keys = {4, 11}, .key_count = 2},
     STAMPED("keys") ",\"session\":5,\"n\":2,\"keys\":[4,11]}"},
    {{.op = MACHINE_OP_APPROVE,
      .session = 5,
      .request = 1,
      .item = 17,
      .price = 150,
      .amount = 140,
      .n = 3,
      .approval = APPROVAL,
      .journal = "j-1"},
     STAMPED("approve") ",\"session\":5,\"request\":1,\"item\":17,\"price\":150,\"approval\":"
                        "\"" APPROVAL "\",\"n\":3,\"journal\":\"j-1\",\"amount\":140}"},
    {{.op = MACHINE_OP_DENY, .session = 5, .request = 1},
     STAMPED("deny") ",\"session\":5,\"request\":1}"},
    {{.op = MACHINE_OP_UNLOCK, .session = 5}, STAMPED("unlock") ",\"session\":5}"},
    {{.op = MACHINE_OP_QUERY, .approval = APPROVAL, .n = 3},
     STAMPED("query") ",\"approval\":\"" APPROVAL "\",\"n\":3}"},
    {{.op = MACHINE_OP_RESEND, .from = 3, .to = 9}, STAMPED("resend") ",\"from\":3,\"to\":9}"},
    {{.op = MACHINE_OP_CONFIG}, STAMPED("config") "}"},
    {{.op = MACHINE_OP_REBOOT}, STAMPED("reboot") "}"},
};

START_TEST(each_command_is_written_as_the_protocol_has_it)
{
    const struct command_stamp stamp = {
        .id = "c0", .generation = 6, .ttl_ms = 900, .now_ms = 77, .keep_alive_s = 30};
    char text[COMMAND_TEXT_SIZE];
    size_t size = machine_command_write(&COMMANDS[_i].command, &stamp, text);
    ck_assert_str_eq(text, COMMANDS[_i].text);
    ck_assert_uint_eq(size, strlen(text));
}
END_TEST

START_TEST(the_longest_command_fits)
{
    struct machine_command command = {
        .op = MACHINE_OP_KEYS, .session = INT64_MAX, .n = INT64_MAX, .key_count = 32};
    for (size_t i = 0; i < 32; i++)
        command.keys[i] = INT64_MIN;
    const struct command_stamp stamp = {
        .id = APPROVAL, .generation = INT64_MAX, .ttl_ms = INT64_MAX};
    char text[COMMAND_TEXT_SIZE];
    ck_assert_uint_gt(machine_command_write(&command, &stamp, text), 32 * 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("message");
    TCase *tcase = tcase_create("events");
    tcase_add_loop_test(tcase, each_event_is_understood, 0, ARRAY_SIZE(READABLE));
    tcase_add_test(tcase, the_fields_of_a_selection_arrive);
    tcase_add_test(tcase, results_name_their_approval);
    tcase_add_test(tcase, a_price_below_zero_is_understood_so_that_it_can_be_refused);
    tcase_add_test(tcase, a_long_label_is_cut_between_characters);
    tcase_add_loop_test(tcase, what_is_not_understood_is_told_so_with_its_approval, 0,
                        ARRAY_SIZE(UNREADABLE));
    tcase_add_test(tcase, only_planogram_and_keypad_may_be_longer_than_4_kib);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("replies");
    tcase_add_test(tcase, replies_are_understood);
    tcase_add_test(tcase, how_a_code_is_written_never_decides_whether_a_result_is_understood);
    tcase_add_loop_test(tcase, a_damaged_reply_is_no_verdict, 0, ARRAY_SIZE(BAD_REPLIES));
    tcase_add_test(tcase, a_reply_takes_over_what_its_command_knows);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("commands");
    tcase_add_loop_test(tcase, each_command_is_written_as_the_protocol_has_it, 0,
                        ARRAY_SIZE(COMMANDS));
    tcase_add_test(tcase, the_longest_command_fits);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
