/* Events, commands and replies of machines that are in: order, limits, acknowledgements. */
#include "link_test.h"

#define SUITE_SECONDS 20

static struct owner owner;
static struct client client, other;

static void publish(struct client *from, unsigned int flags, uint16_t packet_id, const char *topic,
                    const char *payload)
{
    client_send_packet(from, publish_packet(from->level, flags, packet_id, topic, payload));
}

#define BUTTON "{\"event\":\"button\",\"event_epoch\":1,\"seq\":0,\"button\":1}"

/* --- events --- */

START_TEST(a_puback_comes_only_after_the_event_was_acknowledged)
{
    owner.acks = false;
    client_online(&client, &owner, V3, "a");
    publish(&client, 2, 7, "vm/1/a/ev", BUTTON);
    EXPECT_NOTE(&owner, "event a button 0\n");
    client_expect_nothing(&client);
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&client, 0x40, 2, 0, 7);
    owner_ack(&owner, EVENT_STORED); /* a second acknowledgement of the same has no effect */
    client_expect_nothing(&client);
}
END_TEST

START_TEST(events_go_up_one_at_a_time_in_order)
{
    owner.acks = false;
    client_online(&client, &owner, V5, "a");
    for (int seq = 0; seq < 8; seq++)
        client_event(&client, seq);
    settle(&owner);
    for (int seq = 0; seq < 8; seq++) {
        char expected[32];
        snprintf(expected, sizeof expected, "event a info %d\n", seq);
        EXPECT_NOTE(&owner, expected);
        settle(&owner);
        ck_assert_uint_eq(noted_times(&owner, "event a"), (size_t)seq + 1);
        owner_ack(&owner, EVENT_STORED);
        EXPECT(&client, 0x40, 2, 0, (uint8_t)(seq + 1));
    }
}
END_TEST

START_TEST(events_acknowledged_at_once_flow)
{
    client_online(&client, &owner, V3, "a");
    for (int seq = 0; seq < 200; seq++) {
        client_event(&client, seq);
        EXPECT(&client, 0x40, 2, 0, (uint8_t)(seq + 1));
    }
    ck_assert_uint_eq(noted_times(&owner, "event a"), 200);
}
END_TEST

START_TEST(a_ninth_unacknowledged_packet_closes)
{
    uint8_t level = _i ? V5 : V3;
    owner.acks = false;
    client_online(&client, &owner, level, "a");
    for (int seq = 0; seq < 9; seq++)
        client_event(&client, seq);
    if (level == V5)
        EXPECT(&client, 0xe0, 1, 0x93);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a protocol\n");
    ck_assert_uint_eq(noted_times(&owner, "event a"), 1);
    owner_ack(&owner, EVENT_STORED); /* late, of a connection that is no more */
    settle(&owner);
    ck_assert_uint_eq(noted_times(&owner, "event a"), 1);
}
END_TEST

START_TEST(a_refused_event_closes_so_that_it_comes_again)
{
    owner.acks = false;
    client_online(&client, &owner, V5, "a");
    client_event(&client, 0);
    client_event(&client, 1);
    EXPECT_NOTE(&owner, "event a info 0\n");
    owner_ack(&owner, EVENT_REFUSED);
    EXPECT(&client, 0xe0, 1, 0x89);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a closed\n");
    ck_assert(!noted(&owner, "event a info 1\n"));
}
END_TEST

START_TEST(an_event_under_way_holds_back_those_of_the_next_connection)
{
    owner.acks = false;
    client_online(&client, &owner, V3, "a");
    client_event(&client, 0);
    client_event(&client, 1);
    EXPECT_NOTE(&owner, "event a info 0\n");
    struct event_ticket former = owner.ticket;
    client_online(&other, &owner, V3, "a");
    client_event(&other, 0);
    settle(&owner);
    ck_assert_str_eq(owner.notes, "");
    owner.calling = true;
    machine_link_ack(owner.link, former, EVENT_STORED);
    owner.calling = false;
    EXPECT_NOTE(&owner, "event a info 0\n");
    ck_assert(!noted(&owner, "event a info 1\n"));
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&other, 0x40, 2, 0, 1);
}
END_TEST

START_TEST(events_before_online_wait)
{
    client_enter(&client, &owner, V3, "a");
    client_event(&client, 3);
    client_event(&client, 4);
    struct told hello = client_command(&client, "hello");
    client_expect_nothing(&client);
    ck_assert(!noted(&owner, "event"));
    client_reply(&client, hello.id);
    EXPECT(&client, 0x40, 2, 0, 4);
    EXPECT(&client, 0x40, 2, 0, 5);
    const char *reply = strstr(owner.notes, "reply a hello");
    ck_assert(reply && reply < strstr(owner.notes, "event a info 3\n"));
}
END_TEST

START_TEST(what_cannot_be_understood_is_answered_once)
{
    client_online(&client, &owner, V3, "a");
    publish(&client, 2, 7, "vm/1/me/ev", "not json");
    EXPECT(&client, 0x40, 2, 0, 7);
    client_online(&other, &owner, V5, "b");
    publish(&other, 2, 7, "vm/1/me/ev", "not json");
    EXPECT(&other, 0x40, 3, 0, 7, 0x99);
}
END_TEST

START_TEST(qos_0_events_have_no_answer)
{
    client_online(&client, &owner, V5, "a");
    publish(&client, 0, 0, "vm/1/me/ev", BUTTON);
    EXPECT_NOTE(&owner, "event a button 0\n");
    client_expect_nothing(&client);
}
END_TEST

START_TEST(qos_0_events_are_bounded_too)
{
    owner.acks = false;
    client_online(&client, &owner, V5, "a");
    for (int i = 0; i < 10; i++)
        publish(&client, 0, 0, "vm/1/me/ev", BUTTON);
    EXPECT(&client, 0xe0, 1, 0x96);
    client_expect_end(&client);
}
END_TEST

START_TEST(qos_2_is_handled_once)
{
    owner.acks = false;
    client_online(&client, &owner, V5, "a");
    publish(&client, 4, 7, "vm/1/me/ev", BUTTON);
    publish(&client, 12, 7, "vm/1/me/ev", BUTTON);
    EXPECT_NOTE(&owner, "event a button 0\n");
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&client, 0x50, 2, 0, 7);
    publish(&client, 12, 7, "vm/1/me/ev", BUTTON);
    EXPECT(&client, 0x50, 2, 0, 7);
    SEND(&client, 0x62, 2, 0, 7);
    EXPECT(&client, 0x70, 2, 0, 7);
    SEND(&client, 0x62, 2, 0, 7);
    EXPECT(&client, 0x70, 3, 0, 7, 0x92);
    ck_assert_uint_eq(noted_times(&owner, "event a"), 1);
}
END_TEST

START_TEST(acknowledgements_keep_the_order_of_arrival)
{
    owner.acks = false;
    client_online(&client, &owner, V3, "a");
    client_event(&client, 0);
    publish(&client, 2, 50, "vm/1/me/re", "{\"id\":\"aa\",\"result\":\"ok\"}");
    EXPECT_NOTE(&owner, "event a info 0\n");
    client_expect_nothing(&client);
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&client, 0x40, 2, 0, 1);
    EXPECT(&client, 0x40, 2, 0, 50);
}
END_TEST

START_TEST(a_repeat_on_the_live_connection_is_answered_once)
{
    owner.acks = false;
    client_online(&client, &owner, V3, "a");
    publish(&client, 2, 7, "vm/1/me/ev", BUTTON);
    publish(&client, 10, 7, "vm/1/me/ev", BUTTON);
    EXPECT_NOTE(&owner, "event a button 0\n");
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&client, 0x40, 2, 0, 7);
    client_expect_nothing(&client);
    publish(&client, 2, 8, "vm/1/me/ev", BUTTON);
    publish(&client, 2, 8, "vm/1/me/ev", BUTTON); /* another message with an id in use */
    client_expect_end(&client);
}
END_TEST

START_TEST(a_tools_events_join_the_machines_order)
{
    owner.acks = false;
    client_open(&other, &owner, V3);
    client_send_packet(
        &other, connect_packet(V3, &(struct connect_options){.client_id = "a:tool", .user = "a"}));
    client_expect_connack(&other);
    client_event(&other, 0);
    settle(&owner);
    ck_assert(!noted(&owner, "event")); /* the machine is not online yet */
    client_online(&client, &owner, V3, "a");
    client_event(&client, 1);
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&other, 0x40, 2, 0, 1);
    EXPECT_NOTE(&owner, "event a info 1\n");
    owner_ack(&owner, EVENT_STORED);
    EXPECT(&client, 0x40, 2, 0, 2);
    /* What a tool has sent at QoS 0 counts even if it hangs up at once. */
    client_event(&client, 2);
    EXPECT_NOTE(&owner, "event a info 2\n");
    publish(&other, 0, 0, "vm/1/a/ev", BUTTON);
    SEND(&other, 0xe0, 0);
    client_expect_end(&other);
    owner_ack(&owner, EVENT_STORED);
    EXPECT_NOTE(&owner, "event a button 0\n");
}
END_TEST

/* --- topics and publishing --- */

static const struct {
    const char *topic;
    unsigned int flags;
    int v3, v5; /* reason in the PUBACK; -1: closed (5.0: with the reason in `v5_end`) */
    uint8_t v5_end;
} PUBLISHES[] = {
    {"vm/1/b/ev", 2, -1, 0x87, 0},  {"other", 2, -1, 0x87, 0},     {"vm/1/me/xx", 2, 0, 0x90, 0},
    {"vm/1/me/cmd", 2, 0, 0x90, 0}, {"vm/1/a/xx", 3, 0, -1, 0x9a}, {"vm/1/+/ev", 2, -1, -1, 0x90},
    {"vm/1/me/#", 2, -1, -1, 0x90}, {"", 2, -1, -1, 0x82},         {"vm/1/me/ev", 6, -1, -1, 0x81},
    {"vm/1/me/st", 2, 0, 0, 0},
};

START_TEST(what_is_published_elsewhere_is_refused)
{
    const uint8_t level = _i % 2 ? V5 : V3;
    const size_t row = (size_t)_i / 2;
    const int code = level == V5 ? PUBLISHES[row].v5 : PUBLISHES[row].v3;
    client_online(&client, &owner, level, "a");
    publish(&client, PUBLISHES[row].flags, 7, PUBLISHES[row].topic, "{}");
    if (code == 0)
        EXPECT(&client, 0x40, 2, 0, 7);
    else if (code > 0)
        EXPECT(&client, 0x40, 3, 0, 7, (uint8_t)code);
    else if (level == V5)
        EXPECT(&client, 0xe0, 1, PUBLISHES[row].v5_end);
    if (code >= 0) {
        client_expect_nothing(&client);
        return;
    }
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a protocol\n");
}
END_TEST

START_TEST(a_topic_alias_is_refused)
{
    client_online(&client, &owner, V5, "a");
    SEND(&client, 0x30, 7, 0, 1, 't', 3, 35, 0, 1);
    EXPECT(&client, 0xe0, 1, 0x94);
    client_expect_end(&client);
}
END_TEST

START_TEST(a_packet_that_is_too_large_is_refused_by_its_claim)
{
    client_online(&client, &owner, V5, "a");
    SEND(&client, 0x30, 0xfe, 0x7f); /* 16,382 + 3 */
    EXPECT(&client, 0xe0, 1, 0x95);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a protocol\n");
}
END_TEST

START_TEST(the_largest_packet_is_taken)
{
    static char body[16000];
    memset(body, ' ', sizeof body - 1);
    memcpy(body, BUTTON, strlen(BUTTON) - 1);
    body[sizeof body - 2] = '}';
    client_online(&client, &owner, V5, "a");
    publish(&client, 2, 7, "vm/1/me/ev", body);
    EXPECT(&client, 0x40, 3, 0, 7, 0x99); /* a button may not be that long */
}
END_TEST

START_TEST(status_goes_up_and_a_bad_one_does_not)
{
    client_online(&client, &owner, V3, "a");
    publish(&client, 0, 0, "vm/1/a/st", "{\"signal\":-70,\"door\":false}");
    EXPECT_NOTE(&owner, "status a 2\n");
    publish(&client, 0, 0, "vm/1/a/st", "nonsense");
    settle(&owner);
    ck_assert_uint_eq(noted_times(&owner, "status"), 1);
    client_expect_nothing(&client);
}
END_TEST

static const struct {
    const uint8_t *bytes;
    size_t size;
    uint8_t v5;
} BREAKS[] = {
#define BREAK(v5_, ...)                                                             \
    {                                                                               \
        (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), v5_ \
    }
    BREAK(0x81, 0x00, 0),       BREAK(0x82, 0x20, 2, 0, 0), BREAK(0x82, 0xd0, 0),
    BREAK(0x82, 0x50, 2, 0, 1), BREAK(0x82, 0x70, 2, 0, 1), BREAK(0x82, 0xf0, 0),
    BREAK(0x81, 0xc0, 1, 0),    BREAK(0x81, 0x63, 2, 0, 1), BREAK(0x81, 0x82, 2, 0, 1),
    BREAK(0x82, 0x40, 2, 0, 0), BREAK(0x81, 0x30, 0x80, 0), BREAK(0x81, 0x40, 1, 0),
};

START_TEST(what_breaks_the_protocol_ends_the_connection)
{
    const uint8_t level = _i % 2 ? V5 : V3;
    const size_t row = (size_t)_i / 2;
    client_online(&client, &owner, level, "a");
    client_send(&client, BREAKS[row].bytes, BREAKS[row].size);
    if (level == V5)
        EXPECT(&client, 0xe0, 1, BREAKS[row].v5);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a protocol\n");
}
END_TEST

START_TEST(a_ping_is_answered)
{
    client_online(&client, &owner, V3, "a");
    SEND(&client, 0xc0, 0);
    EXPECT(&client, 0xd0, 0);
}
END_TEST

START_TEST(a_flood_is_paused_not_obeyed)
{
    client_online(&client, &owner, V3, "a");
    static uint8_t pings[2 * 3000];
    for (size_t i = 0; i < sizeof pings; i += 2)
        pings[i] = 0xc0;
    client_send(&client, pings, sizeof pings);
    settle(&owner);
    client_read(&client);
    ck_assert_uint_gt(client.size, 2 * 900);
    ck_assert_uint_lt(client.size, 2 * 1500);
    ck_assert(!client.ended);
    size_t before = client.size;
    PUMP_UNTIL(&owner,
               (client_read(&client), client.size > before)); /* and goes on after a while */
}
END_TEST

/* --- subscriptions --- */

static const struct {
    const char *filter;
    unsigned int qos;
    uint8_t v3, v5;
} FILTERS[] = {
    {"vm/1/me/cmd", 0, 0, 0},      {"vm/1/a/cmd", 1, 1, 1},
    {"vm/1/a/cmd", 2, 1, 1},       {"vm/1/b/cmd", 1, 0x80, 0x87},
    {"vm/1/me/ev", 1, 0x80, 0x87}, {"vm/1/me/#", 1, 0x80, 0x87},
    {"#", 1, 0x80, 0x87},          {"vm/1/+/cmd", 1, 0x80, 0x87},
    {"$SYS/#", 1, 0x80, 0x87},     {"$share/g/vm/1/me/cmd", 1, 0x80, 0x9e},
};

START_TEST(only_the_own_commands_can_be_subscribed)
{
    const uint8_t level = _i % 2 ? V5 : V3;
    const size_t row = (size_t)_i / 2;
    client_open(&client, &owner, level);
    client_send_packet(
        &client, connect_packet(level, &(struct connect_options){.client_id = "a", .user = "a"}));
    client_expect_connack(&client);
    client_send_packet(&client, subscribe_packet(level, FILTERS[row].filter, FILTERS[row].qos));
    if (level == V5)
        EXPECT(&client, 0x90, 4, 0, 11, 0, FILTERS[row].v5);
    else
        EXPECT(&client, 0x90, 3, 0, 11, FILTERS[row].v3);
    settle(&owner);
    ck_assert_int_eq(noted(&owner, "subscribed a\n"), FILTERS[row].v3 < 0x80);
}
END_TEST

START_TEST(a_subscription_identifier_is_refused)
{
    client_online(&client, &owner, V5, "a");
    SEND(&client, 0x82, 9, 0, 1, 2, 11, 1, 0, 1, 'a', 1);
    EXPECT(&client, 0xe0, 1, 0xa1);
    client_expect_end(&client);
}
END_TEST

START_TEST(unsubscribed_commands_wait_for_the_next_subscription)
{
    client_online(&client, &owner, V5, "a");
    struct packet unsubscribe = {0};
    add_u16(&unsubscribe, 12);
    add_u8(&unsubscribe, 0);
    add_text(&unsubscribe, "vm/1/me/cmd");
    add_text(&unsubscribe, "other");
    finish(&unsubscribe, 0xa2);
    client_send_packet(&client, unsubscribe);
    EXPECT(&client, 0xb0, 5, 0, 12, 0, 0, 0x11);
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), 0);
    client_expect_nothing(&client);
    client_send_packet(&client, subscribe_packet(V5, "vm/1/me/cmd", 1));
    EXPECT(&client, 0x90, 4, 0, 11, 0, 1);
    (void)client_command(&client, "unlock");
    ck_assert(!noted(&owner, "subscribed")); /* it was told once, before */
}
END_TEST

/* --- commands --- */

START_TEST(a_command_is_received_then_answered)
{
    client_online(&client, &owner, V5, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), 0);
    struct told told = client_command(&client, "lock");
    ck_assert_uint_eq(told.qos, 1);
    ck_assert_uint_eq(strlen(told.id), 32);
    client_puback(&client, told.packet_id);
    EXPECT_NOTE(&owner, "received a lock\n");
    client_reply(&client, told.id);
    EXPECT_NOTE(&owner, "reply a lock ok txn=9\n");
    client_reply(&client, told.id); /* the machine repeats itself */
    settle(&owner);
    ck_assert_uint_eq(noted_times(&owner, "reply"), 1);
    ck_assert(!noted(&owner, "dropped"));
}
END_TEST

START_TEST(a_reply_may_overtake_the_puback)
{
    client_online(&client, &owner, V3, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), 0);
    struct told told = client_command(&client, "lock");
    client_reply(&client, told.id);
    EXPECT_NOTE(&owner, "reply a lock ok txn=9\n");
    client_puback(&client, told.packet_id);
    EXPECT_NOTE(&owner, "received a lock\n");
    client_close(&client);
    EXPECT_NOTE(&owner, "gone a");
    ck_assert(!noted(&owner, "dropped"));
}
END_TEST

START_TEST(a_tool_may_answer_for_the_machine)
{
    client_online(&client, &owner, V3, "a");
    client_open(&other, &owner, V3);
    client_send_packet(
        &other, connect_packet(V3, &(struct connect_options){.client_id = "a:tool", .user = "a"}));
    client_expect_connack(&other);
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), 0);
    struct told told = client_command(&client, "lock");
    client_reply(&other, told.id);
    EXPECT_NOTE(&owner, "reply a lock ok txn=9\n");
}
END_TEST

START_TEST(four_commands_are_in_flight_and_the_rest_waits)
{
    client_online(&client, &owner, V3, "a");
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_RESEND), 0);
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_RESEND), -ENOBUFS);
    struct told told[4];
    for (size_t i = 0; i < 4; i++)
        told[i] = client_command(&client, "resend");
    client_expect_nothing(&client);
    client_puback(&client, told[1].packet_id);
    struct told fifth = client_command(&client, "resend");
    for (size_t i = 0; i < 4; i++)
        ck_assert_str_ne(fifth.id, told[i].id);
    client_expect_nothing(&client);
    client_close(&client);
    EXPECT_NOTE(&owner, "gone a");
    ck_assert_uint_eq(noted_times(&owner, "received a resend\n"), 1);
    ck_assert_uint_eq(noted_times(&owner, "dropped a resend sent\n"), 4);
    ck_assert_uint_eq(noted_times(&owner, "dropped a resend unsent\n"), 15);
}
END_TEST

START_TEST(a_small_receive_maximum_is_respected)
{
    client_open(&client, &owner, V5);
    client_send_packet(&client,
                       connect_packet(V5, &(struct connect_options){
                                              .client_id = "a", .user = "a", .receive_max = 1}));
    client_expect_connack(&client);
    client_send_packet(&client, subscribe_packet(V5, "vm/1/me/cmd", 1));
    EXPECT(&client, 0x90, 4, 0, 11, 0, 1);
    struct told hello = client_command(&client, "hello");
    client_reply(&client, hello.id);
    EXPECT_NOTE(&owner, "reply a hello");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), 0);
    client_expect_nothing(&client);
    client_puback(&client, hello.packet_id);
    (void)client_command(&client, "unlock");
}
END_TEST

START_TEST(a_command_larger_than_the_client_takes_is_dropped)
{
    client_open(&client, &owner, V5);
    client_send_packet(&client,
                       connect_packet(V5, &(struct connect_options){
                                              .client_id = "a", .user = "a", .packet_max = 64}));
    client_expect_connack(&client);
    client_send_packet(&client, subscribe_packet(V5, "vm/1/me/cmd", 1));
    EXPECT(&client, 0x90, 4, 0, 11, 0, 1);
    EXPECT_NOTE(&owner, "dropped a hello unsent\n");
    client_expect_nothing(&client);
}
END_TEST

START_TEST(a_command_the_client_rejects_is_dropped)
{
    client_online(&client, &owner, V5, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), 0);
    struct told told = client_command(&client, "unlock");
    SEND(&client, 0x40, 3, (uint8_t)(told.packet_id >> 8), (uint8_t)told.packet_id, 0x97);
    EXPECT_NOTE(&owner, "dropped a unlock sent\n");
    ck_assert(!noted(&owner, "received"));
}
END_TEST

START_TEST(commands_at_qos_0_count_as_received)
{
    client_open(&client, &owner, V3);
    client_send_packet(
        &client, connect_packet(V3, &(struct connect_options){.client_id = "a", .user = "a"}));
    client_expect_connack(&client);
    client_send_packet(&client, subscribe_packet(V3, "vm/1/a/cmd", 0));
    EXPECT(&client, 0x90, 3, 0, 11, 0);
    struct told hello = client_command(&client, "hello");
    ck_assert_uint_eq(hello.qos, 0);
    EXPECT_NOTE(&owner, "received a hello\n");
    client_reply(&client, hello.id);
    EXPECT_NOTE(&owner, "reply a hello ok txn=9\n");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), 0);
    (void)client_command(&client, "unlock");
    EXPECT_NOTE(&owner, "received a unlock\n");
}
END_TEST

START_TEST(a_command_that_is_no_longer_wanted_is_taken_out)
{
    client_online(&client, &owner, V3, "a");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_RESEND), 0);
    char id[COMMAND_ID_SIZE];
    struct machine_command lock = command_of(MACHINE_OP_LOCK);
    ck_assert_int_eq(machine_link_send(owner.link, "a", &lock, id), 0);
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), 0);
    machine_link_cancel(owner.link, "a", id);
    for (int i = 0; i < 4; i++)
        client_puback(&client, client_command(&client, "resend").packet_id);
    struct told unlock = client_command(&client, "unlock");
    machine_link_cancel(owner.link, "a", unlock.id); /* sent already: no effect */
    client_reply(&client, unlock.id);
    EXPECT_NOTE(&owner, "reply a unlock ok txn=9\n");
    ck_assert(!noted(&owner, "dropped"));
}
END_TEST

START_TEST(nothing_is_sent_after_its_time)
{
    client_online(&client, &owner, V3, "a");
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_RESEND), 0);
    struct machine_command lock = command_of(MACHINE_OP_LOCK);
    lock.ttl_ms = 30;
    ck_assert_int_eq(machine_link_send(owner.link, "a", &lock, NULL), 0);
    EXPECT_NOTE(&owner, "dropped a lock unsent\n");
    for (int i = 0; i < 4; i++)
        client_puback(&client, client_command(&client, "resend").packet_id);
    client_expect_nothing(&client);
}
END_TEST

START_TEST(an_unknown_or_damaged_reply_is_no_reply)
{
    client_online(&client, &owner, V5, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), 0);
    struct told told = client_command(&client, "lock");
    publish(&client, 2, 5, "vm/1/me/re", "{\"id\":\"00\",\"result\":\"ok\"}");
    EXPECT(&client, 0x40, 2, 0, 5);
    char text[128];
    snprintf(text, sizeof text, "{\"id\":\"%s\",\"result\":\"perhaps\"}", told.id);
    publish(&client, 2, 6, "vm/1/me/re", text);
    EXPECT(&client, 0x40, 3, 0, 6, 0x99);
    ck_assert_str_eq(owner.notes, "");
    client_reply(&client, told.id);
    EXPECT_NOTE(&owner, "reply a lock ok txn=9\n");
}
END_TEST

START_TEST(a_reply_to_the_former_connection_is_dropped)
{
    client_online(&client, &owner, V3, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), 0);
    struct told told = client_command(&client, "lock");
    client_online(&other, &owner, V3, "a");
    client_reply(&other, told.id);
    settle(&owner);
    ck_assert(!noted(&owner, "reply"));
}
END_TEST

START_TEST(a_command_to_an_absent_machine_is_refused)
{
    ck_assert_int_eq(owner_send(&owner, "nobody", MACHINE_OP_LOCK), -ENOTCONN);
    machine_link_cancel(owner.link, "nobody", "aa");
    machine_link_cut(owner.link, "nobody", LINK_DOWN_REVOKED);
    machine_link_online(owner.link, "nobody");
    ck_assert(!machine_link_fresh(owner.link, "nobody"));
    client_enter(&client, &owner, V3, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), -ENOTCONN);
    ck_assert(machine_link_fresh(owner.link, "a"));
}
END_TEST

START_TEST(traffic_is_counted)
{
    client_online(&client, &owner, V3, "a");
    publish(&client, 2, 7, "vm/1/me/ev", BUTTON);
    EXPECT(&client, 0x40, 2, 0, 7);
    size_t size;
    char *text = metrics_render(owner.metrics, &size);
    ck_assert_ptr_nonnull(strstr(text, "vendgate_machine_connections{phase=\"online\"} 1\n"));
    ck_assert_ptr_nonnull(strstr(text, "vendgate_machine_events_total{kind=\"button\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "vendgate_machine_packets_total{direction=\"in\",type=\"connect\"} 1\n"));
    ck_assert_ptr_nonnull(
        strstr(text, "vendgate_machine_commands_total{op=\"hello\",outcome=\"ok\"} 1\n"));
    free(text);
}
END_TEST

/* --- silence --- */

START_TEST(a_command_without_a_puback_closes_the_connection)
{
    client_online(&client, &owner, V5, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_LOCK), 0);
    (void)client_command(&client, "lock");
    EXPECT(&client, 0xe0, 1, 0x80);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a no_puback\n");
    const char *dropped = strstr(owner.notes, "dropped a lock sent\n");
    ck_assert(dropped && dropped < strstr(owner.notes, "gone a"));
}
END_TEST

START_TEST(a_silent_machine_is_cut_at_one_and_a_half_keep_alives)
{
    client_open(&client, &owner, V3);
    client_send_packet(&client,
                       connect_packet(V3, &(struct connect_options){
                                              .client_id = "a", .user = "a", .keep_alive_s = 1}));
    client_expect_connack(&client);
    client_send_packet(&client, subscribe_packet(V3, "vm/1/me/cmd", 0));
    EXPECT(&client, 0x90, 3, 0, 11, 0);
    client_reply(&client, client_command(&client, "hello").id);
    EXPECT_NOTE(&owner, "reply");
    int64_t start_ms = clock_monotonic_ms();
    while (clock_monotonic_ms() < start_ms + 1000)
        pump(&owner);
    SEND(&client, 0xc0, 0);
    EXPECT(&client, 0xd0, 0);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a keep_alive\n");
    ck_assert_int_ge(clock_monotonic_ms() - start_ms, 2400);
}
END_TEST

/* --- set-up --- */

static void set_up(void)
{
    owner_init(&owner);
    owner_open(&owner);
}

static void set_up_impatient(void)
{
    owner_init(&owner);
    owner.options.command_ack_ms = 60;
    owner_open(&owner);
}

static void tear_down(void)
{
    client_close(&client);
    client_close(&other);
    owner_close(&owner);
}

int main(void)
{
    Suite *suite = suite_create("link_traffic");
    TCase *tcase = tcase_create("events");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, SUITE_SECONDS);
    tcase_add_test(tcase, a_puback_comes_only_after_the_event_was_acknowledged);
    tcase_add_test(tcase, events_go_up_one_at_a_time_in_order);
    tcase_add_test(tcase, events_acknowledged_at_once_flow);
    tcase_add_loop_test(tcase, a_ninth_unacknowledged_packet_closes, 0, 2);
    tcase_add_test(tcase, a_refused_event_closes_so_that_it_comes_again);
    tcase_add_test(tcase, an_event_under_way_holds_back_those_of_the_next_connection);
    tcase_add_test(tcase, events_before_online_wait);
    tcase_add_test(tcase, what_cannot_be_understood_is_answered_once);
    tcase_add_test(tcase, qos_0_events_have_no_answer);
    tcase_add_test(tcase, qos_0_events_are_bounded_too);
    tcase_add_test(tcase, qos_2_is_handled_once);
    tcase_add_test(tcase, acknowledgements_keep_the_order_of_arrival);
    tcase_add_test(tcase, a_repeat_on_the_live_connection_is_answered_once);
    tcase_add_test(tcase, a_tools_events_join_the_machines_order);
    tcase_add_loop_test(tcase, what_is_published_elsewhere_is_refused, 0,
                        2 * (int)ARRAY_SIZE(PUBLISHES));
    tcase_add_test(tcase, a_topic_alias_is_refused);
    tcase_add_test(tcase, a_packet_that_is_too_large_is_refused_by_its_claim);
    tcase_add_test(tcase, the_largest_packet_is_taken);
    tcase_add_test(tcase, status_goes_up_and_a_bad_one_does_not);
    tcase_add_loop_test(tcase, what_breaks_the_protocol_ends_the_connection, 0,
                        2 * (int)ARRAY_SIZE(BREAKS));
    tcase_add_test(tcase, a_ping_is_answered);
    tcase_add_test(tcase, a_flood_is_paused_not_obeyed);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("commands");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, SUITE_SECONDS);
    tcase_add_loop_test(tcase, only_the_own_commands_can_be_subscribed, 0,
                        2 * (int)ARRAY_SIZE(FILTERS));
    tcase_add_test(tcase, a_subscription_identifier_is_refused);
    tcase_add_test(tcase, unsubscribed_commands_wait_for_the_next_subscription);
    tcase_add_test(tcase, a_command_is_received_then_answered);
    tcase_add_test(tcase, a_reply_may_overtake_the_puback);
    tcase_add_test(tcase, a_tool_may_answer_for_the_machine);
    tcase_add_test(tcase, four_commands_are_in_flight_and_the_rest_waits);
    tcase_add_test(tcase, a_small_receive_maximum_is_respected);
    tcase_add_test(tcase, a_command_larger_than_the_client_takes_is_dropped);
    tcase_add_test(tcase, a_command_the_client_rejects_is_dropped);
    tcase_add_test(tcase, commands_at_qos_0_count_as_received);
    tcase_add_test(tcase, a_command_that_is_no_longer_wanted_is_taken_out);
    tcase_add_test(tcase, nothing_is_sent_after_its_time);
    tcase_add_test(tcase, an_unknown_or_damaged_reply_is_no_reply);
    tcase_add_test(tcase, a_reply_to_the_former_connection_is_dropped);
    tcase_add_test(tcase, a_command_to_an_absent_machine_is_refused);
    tcase_add_test(tcase, traffic_is_counted);
    tcase_add_test(tcase, a_silent_machine_is_cut_at_one_and_a_half_keep_alives);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("deadlines");
    tcase_add_checked_fixture(tcase, set_up_impatient, tear_down);
    tcase_set_timeout(tcase, SUITE_SECONDS);
    tcase_add_test(tcase, a_command_without_a_puback_closes_the_connection);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
