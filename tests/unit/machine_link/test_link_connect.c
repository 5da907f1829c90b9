/* Who may come in, how the others are told, and that the newest connection of a machine wins. */
#include "link_test.h"

#define SUITE_SECONDS 20

static struct owner owner;
static struct client client, other;

/* --- refusals --- */

static const struct {
    const char *name;
    struct connect_options options;
    enum link_refusal verdict;
    int v3, v5; /* code of the CONNACK; -1: none, just closed; 0: let in */
} CLAIMS[] = {
    {"good", {.client_id = "a", .user = "a", .password = "t"}, LINK_ALLOWED, 0, 0},
    {"empty client id", {.client_id = "", .user = "a", .password = "t"}, LINK_ALLOWED, 2, 0x85},
    {"another's client id",
     {.client_id = "b", .user = "a", .password = "t"},
     LINK_ALLOWED,
     2,
     0x85},
    {"prefix of the identity",
     {.client_id = "ab", .user = "abc", .password = "t"},
     LINK_ALLOWED,
     2,
     0x85},
    {"longer than the identity",
     {.client_id = "a:x", .user = "a", .password = "t"},
     LINK_ALLOWED,
     2,
     0x85},
    {"no identity", {.client_id = "a"}, LINK_ALLOWED, 4, 0x86},
    {"no machine's name",
     {.client_id = "a b", .user = "a b", .password = "t"},
     LINK_ALLOWED,
     4,
     0x86},
    {"bad token", {.client_id = "a", .user = "a", .password = "t"}, LINK_BAD_TOKEN, 4, 0x86},
    {"disabled", {.client_id = "a", .user = "a", .password = "t"}, LINK_NOT_ALLOWED, 5, 0x87},
    {"store away", {.client_id = "a", .user = "a", .password = "t"}, LINK_UNAVAILABLE, 3, 0x88},
    {"flapping", {.client_id = "a", .user = "a", .password = "t"}, LINK_BUSY, 3, 0x9f},
    {"draining", {.client_id = "a", .user = "a", .password = "t"}, LINK_DRAINING, 3, 0x89},
    {"own will",
     {.client_id = "a", .user = "a", .password = "t", .will = "vm/1/me/st"},
     LINK_ALLOWED,
     0,
     0},
    {"will by name",
     {.client_id = "a", .user = "a", .password = "t", .will = "vm/1/a/st"},
     LINK_ALLOWED,
     0,
     0},
    {"foreign will",
     {.client_id = "a", .user = "a", .password = "t", .will = "vm/1/b/st"},
     LINK_ALLOWED,
     5,
     0x87},
    {"will on events",
     {.client_id = "a", .user = "a", .password = "t", .will = "vm/1/a/ev"},
     LINK_ALLOWED,
     5,
     0x87},
    {"retained will",
     {.client_id = "a", .user = "a", .password = "t", .will = "vm/1/me/st", .will_retain = true},
     LINK_ALLOWED,
     0,
     0x9a},
};

START_TEST(claims_are_judged_and_told_in_each_version)
{
    const uint8_t level = _i % 2 ? V5 : V3;
    const size_t row = (size_t)_i / 2;
    const int code = level == V5 ? CLAIMS[row].v5 : CLAIMS[row].v3;
    owner.verdict = CLAIMS[row].verdict;
    client_open(&client, &owner, level);
    client_send_packet(&client, connect_packet(level, &CLAIMS[row].options));
    if (code == 0) {
        client_expect_connack(&client);
        ck_assert(noted(&owner, "arrived a\n"));
        ck_assert(noted(&owner, "authenticate a token=t\n"));
        return;
    }
    if (level == V5)
        EXPECT(&client, 0x20, 3, 0, (uint8_t)code, 0);
    else
        EXPECT(&client, 0x20, 2, 0, (uint8_t)code);
    client_expect_end(&client);
    ck_assert(!noted(&owner, "arrived"));
    ck_assert(!noted(&owner, "gone"));
}
END_TEST

START_TEST(enhanced_authentication_is_not_offered)
{
    client_open(&client, &owner, V5);
    client_send_packet(
        &client,
        connect_packet(V5, &(struct connect_options){
                               .client_id = "a", .user = "a", .authentication_method = true}));
    EXPECT(&client, 0x20, 3, 0, 0x8c, 0);
    client_expect_end(&client);
}
END_TEST

START_TEST(unknown_protocol_levels_are_told_so)
{
    client_open(&client, &owner, V3);
    client_send_packet(&client, connect_packet(3, &(struct connect_options){.client_id = "a"}));
    EXPECT(&client, 0x20, 2, 0, 1);
    client_expect_end(&client);
    client_close(&client);
    client_open(&client, &owner, V5);
    client_send_packet(&client, connect_packet(6, &(struct connect_options){.client_id = "a"}));
    EXPECT(&client, 0x20, 3, 0, 0x84, 0);
    client_expect_end(&client);
}
END_TEST

static const struct {
    const char *name;
    const uint8_t *bytes;
    size_t size;
} FIRST_PACKETS[] = {
#define ROW(name_, ...)                                                               \
    {                                                                                 \
        name_, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}) \
    }
    ROW("ping", 0xc0, 0),
    ROW("publish", 0x30, 4, 0, 1, 't', 'x'),
    ROW("HTTP", 'G', 'E', 'T', ' ', '/', '\r', '\n'),
    ROW("TLS", 0x16, 3, 1, 2, 0, 1),
    ROW("reserved type", 0x00, 0),
    ROW("claims to be large", 0x10, 0x80, 0x40),
    ROW("claims to be huge", 0x10, 0xff, 0xff, 0xff, 0x7f),
    ROW("length of five bytes", 0x10, 0xff, 0xff, 0xff, 0xff, 0x01),
    ROW("empty connect", 0x10, 0),
    ROW("3.1.1, reserved flag", 0x10, 13, 0, 4, 'M', 'Q', 'T', 'T', 4, 3, 0, 60, 0, 1, 'a'),
};

START_TEST(a_stranger_is_cut_without_a_word)
{
    client_open(&client, &owner, V3);
    client_send(&client, FIRST_PACKETS[_i].bytes, FIRST_PACKETS[_i].size);
    client_expect_end(&client);
    ck_assert_str_eq(owner.notes, "");
}
END_TEST

START_TEST(a_malformed_connect_is_told_in_version_5)
{
    client_open(&client, &owner, V5);
    SEND(&client, 0x10, 14, 0, 4, 'M', 'Q', 'T', 'T', 5, 3, 0, 60, 0, 0, 1, 'a');
    EXPECT(&client, 0x20, 3, 0, 0x81, 0);
    client_expect_end(&client);
    client_close(&client);
    client_open(&client, &owner, V5);
    SEND(&client, 0x10, 17, 0, 4, 'M', 'Q', 'T', 'T', 5, 2, 0, 60, 3, 33, 0, 0, 0, 1, 'a');
    EXPECT(&client, 0x20, 3, 0, 0x82, 0);
    client_expect_end(&client);
}
END_TEST

START_TEST(the_first_packet_is_bounded)
{
    char password[1011];
    memset(password, 'x', sizeof password);
    password[480] = 0;
    const struct connect_options options = {.client_id = "a", .user = "a", .password = password};
    client_open(&client, &owner, V3);
    client_send_packet(&client, connect_packet(V3, &options));
    EXPECT(&client, 0x20, 2, 0, 4); /* read, but longer than any token */
    client_expect_end(&client);
    client_close(&client);
    password[480] = 'x';
    password[500] = 0;
    client_open(&client, &owner, V3);
    client_send_packet(&client, connect_packet(V3, &options));
    client_expect_end(&client); /* 512 bytes in 3.1.1 */
    client_close(&client);
    client_open(&client, &owner, V5);
    client_send_packet(&client, connect_packet(V5, &options));
    EXPECT(&client, 0x20, 3, 0, 0x86, 0);
    client_close(&client);
    password[500] = 'x';
    password[1010] = 0;
    client_open(&client, &owner, V5);
    client_send_packet(&client, connect_packet(V5, &options));
    client_expect_end(&client); /* 1,024 in 5.0 */
    ck_assert_str_eq(owner.notes, "");
}
END_TEST

START_TEST(a_second_connect_breaks_the_protocol)
{
    const struct connect_options options = {.client_id = "a", .user = "a", .password = "t"};
    client_open(&client, &owner, V5);
    client_send_packet(&client, connect_packet(V5, &options));
    client_expect_connack(&client);
    client_send_packet(&client, connect_packet(V5, &options));
    EXPECT(&client, 0xe0, 1, 0x82);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a protocol\n");
}
END_TEST

START_TEST(version_5_is_told_what_we_can_do)
{
    client_open(&client, &owner, V5);
    client_send_packet(
        &client, connect_packet(V5, &(struct connect_options){
                                        .client_id = "a", .user = "a", .session_expiry_s = 600}));
    EXPECT(&client, 0x20, 30, 0, 0, 27, 33, 0, 8, 39, 0, 0, 0x40, 0, 19, 0, 30, 34, 0, 0, 37, 0, 40,
           0, 41, 0, 42, 0, 17, 0, 0, 0, 0);
}
END_TEST

/* --- deadlines on the way in --- */

START_TEST(silence_before_connect_is_cut)
{
    client_open(&client, &owner, V3);
    SEND(&client, 0x10, 20, 0, 4);
    client_expect_end(&client);
    ck_assert_str_eq(owner.notes, "");
}
END_TEST

START_TEST(without_a_welcome_nobody_stays)
{
    owner.welcomes = false;
    client_open(&client, &owner, V5);
    client_send_packet(
        &client, connect_packet(V5, &(struct connect_options){.client_id = "a", .user = "a"}));
    EXPECT_NOTE(&owner, "arrived a\n");
    EXPECT(&client, 0x20, 3, 0, 0x88, 0);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a not_welcome\n");
    ck_assert(!machine_link_welcome(owner.link, "a", owner.connection, 1));
}
END_TEST

START_TEST(without_a_subscription_nobody_stays)
{
    client_open(&client, &owner, V5);
    client_send_packet(
        &client, connect_packet(V5, &(struct connect_options){.client_id = "a", .user = "a"}));
    client_expect_connack(&client);
    EXPECT(&client, 0xe0, 1, 0x80);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a not_welcome\n");
}
END_TEST

START_TEST(without_an_answer_to_hello_nobody_stays)
{
    client_enter(&client, &owner, V3, "a");
    client_puback(&client, client_command(&client, "hello").packet_id);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a not_welcome\n");
    ck_assert(noted(&owner, "received a hello\n"));
}
END_TEST

START_TEST(the_owner_may_refuse_later)
{
    owner.welcomes = false;
    client_open(&client, &owner, V3);
    client_send_packet(
        &client, connect_packet(V3, &(struct connect_options){.client_id = "a", .user = "a"}));
    EXPECT_NOTE(&owner, "arrived a\n");
    owner.calling = true;
    machine_link_refuse(owner.link, "a", owner.connection, LINK_UNAVAILABLE);
    owner.calling = false;
    EXPECT(&client, 0x20, 2, 0, 3);
    client_expect_end(&client);
    EXPECT_NOTE(&owner, "gone a not_welcome\n");
    ck_assert_uint_eq(noted_times(&owner, "gone"), 1);
}
END_TEST

START_TEST(what_is_sent_before_the_welcome_waits_for_it)
{
    owner.welcomes = false;
    struct packet packet =
        connect_packet(V3, &(struct connect_options){.client_id = "a", .user = "a"});
    struct packet subscribe = subscribe_packet(V3, "vm/1/a/cmd", 1);
    add(&packet, subscribe.bytes, subscribe.size);
    client_open(&client, &owner, V3);
    client_send_packet(&client, packet);
    EXPECT_NOTE(&owner, "arrived a\n");
    client_expect_nothing(&client);
    ck_assert(!noted(&owner, "subscribed"));
    owner.calling = true;
    ck_assert(machine_link_welcome(owner.link, "a", owner.connection, 42));
    owner.calling = false;
    EXPECT(&client, 0x20, 2, 0, 0);
    EXPECT(&client, 0x90, 3, 0, 11, 1);
    EXPECT_NOTE(&owner, "subscribed a\n");
    (void)client_command(&client, "hello");
}
END_TEST

START_TEST(a_packet_may_come_byte_by_byte)
{
    struct packet packet =
        connect_packet(V3, &(struct connect_options){.client_id = "a", .user = "a"});
    client_open(&client, &owner, V3);
    for (size_t i = 0; i < packet.size; i++) {
        client_send(&client, packet.bytes + i, 1);
        pump(&owner);
    }
    client_expect_connack(&client);
}
END_TEST

/* --- takeover, cut, drain --- */

START_TEST(the_newest_connection_wins)
{
    client_online(&client, &owner, V5, "a");
    client_enter(&other, &owner, V3, "a");
    EXPECT(&client, 0xe0, 1, 0x8e);
    client_expect_end(&client);
    const char *gone = strstr(owner.notes, "gone a takeover\n");
    const char *arrived = strstr(owner.notes, "arrived a\n");
    ck_assert(gone && arrived && gone < arrived);
    ck_assert_uint_eq(noted_times(&owner, "gone"), 1);
    (void)client_command(&other, "hello");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), -ENOTCONN);
}
END_TEST

START_TEST(a_hello_of_the_former_connection_lets_nobody_in)
{
    owner.greets = false;
    client_enter(&client, &owner, V3, "a");
    EXPECT_NOTE(&owner, "subscribed a\n");
    machine_link_online(owner.link, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), -ENOTCONN);
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_HELLO), 0);
    client_reply(&client, client_command(&client, "hello").id);
    EXPECT_NOTE(&owner, "reply a hello ok txn=9\n");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), -ENOTCONN);
    machine_link_online(owner.link, "a");
    ck_assert_int_eq(owner_send(&owner, "a", MACHINE_OP_UNLOCK), 0);
}
END_TEST

START_TEST(two_devices_with_one_name_do_not_throw_each_other_out_for_ever)
{
    static struct client clients[8];
    for (size_t i = 0; i < 6; i++) { /* the first, and five takeovers */
        client_open(&clients[i], &owner, V3);
        client_send_packet(&clients[i], connect_packet(V3, &(struct connect_options){
                                                               .client_id = "a", .user = "a"}));
        client_expect_connack(&clients[i]);
    }
    for (size_t i = 6; i < 8; i++) {
        client_open(&clients[i], &owner, V5);
        client_send_packet(&clients[i], connect_packet(V5, &(struct connect_options){
                                                               .client_id = "a", .user = "a"}));
        EXPECT(&clients[i], 0x20, 3, 0, 0x9f, 0);
        client_expect_end(&clients[i]);
    }
    ck_assert_uint_eq(noted_times(&owner, "arrived a\n"), 6);
    ck_assert_uint_eq(noted_times(&owner, "gone a takeover\n"), 5);
    client_expect_nothing(&clients[5]);
}
END_TEST

START_TEST(a_revoked_machine_is_cut_with_its_tools)
{
    client_online(&client, &owner, V5, "a");
    client_open(&other, &owner, V5);
    client_send_packet(
        &other, connect_packet(V5, &(struct connect_options){.client_id = "a:tool", .user = "a"}));
    client_expect_connack(&other);
    owner.calling = true;
    machine_link_cut(owner.link, "a", LINK_DOWN_REVOKED);
    owner.calling = false;
    EXPECT(&client, 0xe0, 1, 0x98);
    client_expect_end(&client);
    EXPECT(&other, 0xe0, 1, 0x98);
    client_expect_end(&other);
    EXPECT_NOTE(&owner, "gone a revoked\n");
    ck_assert_uint_eq(noted_times(&owner, "gone"), 1);
}
END_TEST

START_TEST(draining_says_goodbye_to_all)
{
    client_online(&client, &owner, V5, "a");
    client_online(&other, &owner, V3, "b");
    owner.calling = true;
    machine_link_drain(owner.link);
    owner.calling = false;
    EXPECT(&client, 0xe0, 1, 0x8b);
    client_expect_end(&client);
    client_expect_end(&other);
    EXPECT_NOTE(&owner, "gone a drain\n");
    EXPECT_NOTE(&owner, "gone b drain\n");
    client_close(&client);
    client_close(&other);
    PUMP_UNTIL(&owner, machine_link_connections(owner.link) == 0);
}
END_TEST

START_TEST(the_end_of_a_connection_is_told_with_its_reason)
{
    client_online(&client, &owner, V3, "a");
    SEND(&client, 0xe0, 0);
    EXPECT_NOTE(&owner, "gone a closed\n");
    client_expect_end(&client);
    client_close(&client);
    client_online(&client, &owner, V3, "a");
    struct linger now = {.l_onoff = 1};
    ck_assert_int_eq(setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &now, sizeof now), 0);
    client_close(&client);
    EXPECT_NOTE(&owner, "gone a reset\n");
    ck_assert(!machine_link_fresh(owner.link, "a"));
}
END_TEST

/* --- tools --- */

START_TEST(a_tool_is_no_link)
{
    client_open(&client, &owner, V3);
    client_send_packet(
        &client, connect_packet(V3, &(struct connect_options){.client_id = "a:tool", .user = "a"}));
    client_expect_connack(&client);
    ck_assert_str_eq(owner.notes, "authenticate a tool token=-\n");
    client_send_packet(&client, subscribe_packet(V3, "vm/1/me/cmd", 1));
    EXPECT(&client, 0x90, 3, 0, 11, 0x80);
    client_send_packet(&client, publish_packet(V3, 2, 5, "vm/1/me/st", "{}"));
    client_expect_end(&client);
    ck_assert(!noted(&owner, "status"));
    ck_assert(!noted(&owner, "gone"));
}
END_TEST

START_TEST(tools_are_few_and_have_no_will)
{
    static struct client tools[3];
    const struct connect_options options = {.client_id = "a:tool", .user = "a"};
    for (size_t i = 0; i < 2; i++) {
        client_open(&tools[i], &owner, V5);
        client_send_packet(&tools[i], connect_packet(V5, &options));
        client_expect_connack(&tools[i]);
    }
    client_open(&tools[2], &owner, V5);
    client_send_packet(&tools[2], connect_packet(V5, &options));
    EXPECT(&tools[2], 0x20, 3, 0, 0x9f, 0);
    client_expect_end(&tools[2]);
    client_close(&tools[1]);
    settle(&owner);
    client_open(&client, &owner, V5);
    client_send_packet(
        &client, connect_packet(V5, &(struct connect_options){
                                        .client_id = "a:tool", .user = "a", .will = "vm/1/me/st"}));
    EXPECT(&client, 0x20, 3, 0, 0x87, 0);
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
    owner.options.connect_ms = owner.options.welcome_ms = 60;
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
    Suite *suite = suite_create("link_connect");
    TCase *tcase = tcase_create("connect");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, SUITE_SECONDS);
    tcase_add_loop_test(tcase, claims_are_judged_and_told_in_each_version, 0,
                        2 * (int)ARRAY_SIZE(CLAIMS));
    tcase_add_test(tcase, enhanced_authentication_is_not_offered);
    tcase_add_test(tcase, unknown_protocol_levels_are_told_so);
    tcase_add_loop_test(tcase, a_stranger_is_cut_without_a_word, 0, ARRAY_SIZE(FIRST_PACKETS));
    tcase_add_test(tcase, a_malformed_connect_is_told_in_version_5);
    tcase_add_test(tcase, the_first_packet_is_bounded);
    tcase_add_test(tcase, a_second_connect_breaks_the_protocol);
    tcase_add_test(tcase, version_5_is_told_what_we_can_do);
    tcase_add_test(tcase, the_owner_may_refuse_later);
    tcase_add_test(tcase, what_is_sent_before_the_welcome_waits_for_it);
    tcase_add_test(tcase, a_packet_may_come_byte_by_byte);
    tcase_add_test(tcase, the_newest_connection_wins);
    tcase_add_test(tcase, a_hello_of_the_former_connection_lets_nobody_in);
    tcase_add_test(tcase, two_devices_with_one_name_do_not_throw_each_other_out_for_ever);
    tcase_add_test(tcase, a_revoked_machine_is_cut_with_its_tools);
    tcase_add_test(tcase, draining_says_goodbye_to_all);
    tcase_add_test(tcase, the_end_of_a_connection_is_told_with_its_reason);
    tcase_add_test(tcase, a_tool_is_no_link);
    tcase_add_test(tcase, tools_are_few_and_have_no_will);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("deadlines");
    tcase_add_checked_fixture(tcase, set_up_impatient, tear_down);
    tcase_set_timeout(tcase, SUITE_SECONDS);
    tcase_add_test(tcase, silence_before_connect_is_cut);
    tcase_add_test(tcase, without_a_welcome_nobody_stays);
    tcase_add_test(tcase, without_a_subscription_nobody_stays);
    tcase_add_test(tcase, without_an_answer_to_hello_nobody_stays);
    suite_add_tcase(suite, tcase);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? 0 : 1;
}
