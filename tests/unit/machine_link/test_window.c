/* Acknowledgements leave in the order in which the packets came; topics are the machine's own. */
#include "machine_link/topic.h"
#include "machine_link/window.h"

#include <check.h>
#include <string.h>

static enum window_verdict take(struct window *window, uint16_t packet_id, uint8_t qos, bool dup)
{
    const struct mqtt_publish publish = {.packet_id = packet_id, .qos = qos, .dup = dup};
    return window_take(window, &publish);
}

static void expect(struct window *window, enum mqtt_type type, uint16_t packet_id)
{
    enum mqtt_type got_type = MQTT_AUTH;
    struct mqtt_ack ack = {0};
    ck_assert(window_next(window, &got_type, &ack));
    ck_assert_int_eq(got_type, type);
    ck_assert_uint_eq(ack.packet_id, packet_id);
}

static void expect_nothing(struct window *window)
{
    enum mqtt_type type;
    struct mqtt_ack ack;
    ck_assert(!window_next(window, &type, &ack));
}

START_TEST(an_answer_that_is_ready_waits_for_those_before_it)
{
    struct window window = {0};
    ck_assert_int_eq(take(&window, 1, 1, false), WINDOW_TAKEN);
    ck_assert_int_eq(take(&window, 2, 2, false), WINDOW_TAKEN);
    ck_assert_int_eq(take(&window, 3, 1, false), WINDOW_TAKEN);
    ck_assert(window_answer(&window, 3, MQTT_SUCCESS));
    ck_assert(window_answer(&window, 2, MQTT_SUCCESS));
    expect_nothing(&window);
    ck_assert(window_answer(&window, 1, MQTT_SUCCESS));
    expect(&window, MQTT_PUBACK, 1);
    expect(&window, MQTT_PUBREC, 2);
    expect(&window, MQTT_PUBACK, 3);
    expect_nothing(&window);
    ck_assert_uint_eq(window.count, 1);
}
END_TEST

START_TEST(qos_2_is_held_until_its_release)
{
    struct window window = {0};
    ck_assert_int_eq(take(&window, 9, 2, false), WINDOW_TAKEN);
    ck_assert_int_eq(take(&window, 9, 2, true), WINDOW_REPEAT);
    ck_assert(!window_release(&window, 9));
    ck_assert(window_answer(&window, 9, MQTT_SUCCESS));
    ck_assert(!window_answer(&window, 9, MQTT_SUCCESS));
    expect(&window, MQTT_PUBREC, 9);
    ck_assert_int_eq(take(&window, 9, 2, false), WINDOW_RECEIVED);
    ck_assert(window_release(&window, 9));
    ck_assert(!window_release(&window, 9));
    ck_assert_int_eq(take(&window, 9, 2, false), WINDOW_TAKEN);
}
END_TEST

START_TEST(a_refused_qos_2_packet_is_done_with_its_pubrec)
{
    struct window window = {0};
    ck_assert_int_eq(take(&window, 9, 2, false), WINDOW_TAKEN);
    ck_assert(window_answer(&window, 9, MQTT_NOT_AUTHORIZED));
    expect(&window, MQTT_PUBREC, 9);
    ck_assert_uint_eq(window.count, 0);
}
END_TEST

START_TEST(a_ninth_packet_and_a_reused_id_are_noticed)
{
    struct window window = {0};
    for (uint16_t id = 1; id <= WINDOW_MAX; id++)
        ck_assert_int_eq(take(&window, id, id % 2 ? 1 : 2, false), WINDOW_TAKEN);
    ck_assert_int_eq(take(&window, 9, 1, false), WINDOW_FULL);
    ck_assert_int_eq(take(&window, 1, 1, true), WINDOW_REPEAT);
    ck_assert_int_eq(take(&window, 1, 1, false), WINDOW_IN_USE);
    ck_assert_int_eq(take(&window, 1, 2, true), WINDOW_IN_USE);
}
END_TEST

static const struct {
    const char *topic;
    enum topic_leaf leaf;
    bool me;
} TOPICS[] = {
    {"vm/1/abc/ev", TOPIC_EVENT, false},
    {"vm/1/me/ev", TOPIC_EVENT, true},
    {"vm/1/abc/re", TOPIC_REPLY, false},
    {"vm/1/abc/st", TOPIC_STATUS, false},
    {"vm/1/me/cmd", TOPIC_COMMAND, true},
    {"vm/1/abc/other", TOPIC_UNKNOWN, false},
    {"vm/1/abc/", TOPIC_UNKNOWN, false},
    {"vm/1/abc/ev/x", TOPIC_UNKNOWN, false},
    {"vm/1/abcd/ev", TOPIC_FOREIGN, false},
    {"vm/1/ab/ev", TOPIC_FOREIGN, false},
    {"vm/1//ev", TOPIC_FOREIGN, false},
    {"vm/2/abc/ev", TOPIC_FOREIGN, false},
    {"vm/1/abc", TOPIC_FOREIGN, false},
    {"/vm/1/abc/ev", TOPIC_FOREIGN, false},
    {"", TOPIC_FOREIGN, false},
    {"#", TOPIC_FOREIGN, false},
    {"vm/1/+/cmd", TOPIC_FOREIGN, false},
    {"vm/1/me/#", TOPIC_UNKNOWN, true},
    {"$share/g/vm/1/me/cmd", TOPIC_FOREIGN, false},
};

START_TEST(a_topic_is_the_machines_own_or_foreign)
{
    struct mqtt_text topic = {.bytes = TOPICS[_i].topic, .size = strlen(TOPICS[_i].topic)};
    bool me = false;
    ck_assert_int_eq(topic_read(topic, "abc", &me), TOPICS[_i].leaf);
    if (TOPICS[_i].leaf != TOPIC_FOREIGN)
        ck_assert_int_eq(me, TOPICS[_i].me);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *tcase = tcase_create("window");
    tcase_add_test(tcase, an_answer_that_is_ready_waits_for_those_before_it);
    tcase_add_test(tcase, qos_2_is_held_until_its_release);
    tcase_add_test(tcase, a_refused_qos_2_packet_is_done_with_its_pubrec);
    tcase_add_test(tcase, a_ninth_packet_and_a_reused_id_are_noticed);
    tcase_add_loop_test(tcase, a_topic_is_the_machines_own_or_foreign, 0, ARRAY_SIZE(TOPICS));
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
