/* test_data.c - machines, callbacks, people, and the news of their changes. */
#include "world.h"

#include "base/macros.h"

#include <stdio.h>
#include <string.h>

static struct world world;
static char vm_id[VM_ID_SIZE];

static void open_one(void)
{
    world_open(&world, NULL);
    machines_add(&world, 1, 1);
    vm_id_of(&world, 1, vm_id);
}

static void close_one(void)
{
    world_close(&world);
}

static struct store_machine_event event_of(int64_t seq, const char *body)
{
    return (struct store_machine_event){
        .vm_id = vm_id,
        .event_epoch = 1,
        .seq = seq,
        .name = "planogram",
        .raw = body,
        .raw_size = strlen(body),
        .state_epoch = 1,
        .mark = seq,
    };
}

static enum store_outcome save(const struct store_machine_event *event, int64_t owner_epoch,
                               const struct store_machine_effects *effects)
{
    world.waiting++;
    store_machine_event_save(world.store, event, owner_epoch, effects, count_done, &world);
    world_wait(&world);
    return world.outcome;
}

/* --- Machines --- */

static struct store_machine_owned owned;

static void keep_owned(void *arg, enum store_outcome outcome,
                       const struct store_machine_owned *machine)
{
    owned = *machine;
    count_done(arg, outcome);
}

static enum store_outcome own(const char *machine)
{
    world.waiting++;
    store_machine_own(world.store, machine, keep_owned, &world);
    world_wait(&world);
    return world.outcome;
}

START_TEST(an_owner_learns_which_events_are_stored)
{
    static const int64_t ABOVE[] = {7, 9};
    struct store_machine_event event = event_of(9, "{}");
    event.mark = 5;
    event.above = ABOVE;
    event.above_count = ARRAY_SIZE(ABOVE);
    const struct store_machine_effects effects = {
        .journal = "j-9", .scale = -1, .decimals = -1, .max_response_s = -1};
    ck_assert_int_eq(save(&event, 1, &effects), STORE_APPLIED);
    ck_assert_int_eq(own(vm_id), STORE_APPLIED);
    ck_assert_int_eq(owned.owner_epoch, 2);
    ck_assert_int_eq(owned.state_epoch, 1);
    ck_assert_int_eq(owned.mark, 5);
    ck_assert_uint_eq(owned.above_count, 2);
    ck_assert_int_eq(owned.above[1], 9);
    ck_assert_str_eq(owned.journal, "j-9");
}
END_TEST

START_TEST(only_an_enabled_machine_can_be_owned)
{
    ck_assert_int_eq(own("no-such-machine"), STORE_CONFLICT);
    admin(&world, "UPDATE machine SET enabled = false WHERE vm_id = '%s'", vm_id);
    ck_assert_int_eq(own(vm_id), STORE_CONFLICT);
}
END_TEST

START_TEST(an_event_is_stored_once_and_only_by_the_owner)
{
    const struct store_machine_event event = event_of(0, "{\"event\":\"alert\"}");
    ck_assert_int_eq(save(&event, 1, NULL), STORE_APPLIED);
    ck_assert_int_eq(save(&event, 1, NULL), STORE_CONFLICT);
    const struct store_machine_event next = event_of(1, "{}");
    ck_assert_int_eq(save(&next, 2, NULL), STORE_CONFLICT);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM machine_event WHERE vm_id = '%s'", vm_id),
                     1);
}
END_TEST

START_TEST(an_event_without_a_number_is_stored_beside_the_record)
{
    struct store_machine_event event = event_of(-1, "\xff\x00 no JSON");
    event.event_epoch = -1;
    event.raw_size = 5;
    event.problem = "not JSON";
    ck_assert_int_eq(save(&event, 1, NULL), STORE_APPLIED);
    ck_assert_int_eq(
        admin(&world, "SELECT length(raw) FROM machine_event WHERE vm_id = '%s' AND seq IS NULL",
              vm_id),
        5);
    ck_assert_int_eq(admin(&world, "SELECT mark FROM machine_link_state WHERE vm_id = '%s'", vm_id),
                     -1);
}
END_TEST

START_TEST(an_event_of_an_ended_epoch_is_only_journalled)
{
    struct store_machine_event now = event_of(3, "{}"), old = event_of(8, "{}");
    now.event_epoch = now.state_epoch = 2;
    ck_assert_int_eq(save(&now, 1, NULL), STORE_APPLIED);
    ck_assert_int_eq(save(&old, 1, NULL), STORE_APPLIED);
    ck_assert_int_eq(admin(&world, "SELECT mark FROM machine_link_state WHERE vm_id = '%s'", vm_id),
                     3);
}
END_TEST

START_TEST(a_stored_number_with_another_body_is_told_from_a_repeat)
{
    const struct store_machine_event event = event_of(0, "{\"a\":1}"),
                                     other = event_of(0, "{\"a\":2}"), unknown = event_of(5, "{}");
    ck_assert_int_eq(save(&event, 1, NULL), STORE_APPLIED);
    const struct {
        const struct store_machine_event *event;
        enum store_outcome expected;
    } CASES[] = {{&event, STORE_APPLIED}, {&other, STORE_CONFLICT}, {&unknown, STORE_FAILED}};
    for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
        world.waiting++;
        store_machine_event_compare(world.store, CASES[i].event, count_done, &world);
        world_wait(&world);
        ck_assert_int_eq(world.outcome, CASES[i].expected);
    }
}
END_TEST

START_TEST(a_planogram_replaces_the_one_before)
{
    const struct store_machine_effects first = {
        .planogram = "[{\"code\":1,\"name\":\"Cola\",\"price\":150,\"current_stock\":3},{\"code\":"
                     "2,\"name\":\"Water\"}]",
        .keypad = "{\"virtual_keypad_enabled\":true}",
        .firmware = "1.2",
        .scale = 5,
        .decimals = -1,
        .max_response_s = 30,
    };
    const struct store_machine_effects second = {
        .planogram = "[{\"code\":2,\"name\":\"Juice\",\"placeholder\":true}]",
        .scale = -1,
        .decimals = -1,
        .max_response_s = -1};
    const struct store_machine_event event = event_of(0, "{}"), later = event_of(1, "{}");
    ck_assert_int_eq(save(&event, 1, &first), STORE_APPLIED);
    ck_assert_int_eq(save(&later, 1, &second), STORE_APPLIED);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM coil WHERE vm_id = '%s'", vm_id), 1);
    ck_assert_int_eq(
        admin(&world, "SELECT code FROM coil WHERE vm_id = '%s' AND name = 'Juice' AND placeholder",
              vm_id),
        2);
    ck_assert_int_eq(
        admin(
            &world,
            "SELECT scale * 100 + decimals * 1000 + max_response_s FROM machine WHERE vm_id = '%s'",
            vm_id),
        500 + 2000 + 30);
}
END_TEST

static struct {
    int rows;
    char fingerprints[2][65], keypad[64];
    bool token;
    char policy[16];
} loaded;

static void keep_machine(void *arg, enum store_outcome outcome, const struct store_machine_row *row)
{
    if (!row) {
        count_done(arg, outcome);
        return;
    }
    loaded.rows++;
    for (int i = 0; i < STORE_FINGERPRINTS_MAX; i++)
        snprintf(loaded.fingerprints[i], sizeof(loaded.fingerprints[i]), "%s",
                 row->fingerprints[i] ? row->fingerprints[i] : "");
    loaded.token = row->token_sha256 != NULL;
    snprintf(loaded.keypad, sizeof(loaded.keypad), "%s", row->keypad ? row->keypad : "");
    snprintf(loaded.policy, sizeof(loaded.policy), "%s",
             row->doubt_policy ? row->doubt_policy : "");
}

START_TEST(a_machine_is_loaded_with_its_live_credentials)
{
    admin(&world,
          "INSERT INTO machine_credential (vm_id, kind, digest, enabled) SELECT '%s', kind, "
          "md5(kind || n || '%s') ||"
          " md5('x'), n < 3 FROM (VALUES ('certificate', 1), ('certificate', 2), ('certificate', "
          "3), ('token', 1)) v(kind, n)",
          vm_id, vm_id);
    world.waiting = 2;
    store_machine_load(world.store, vm_id, keep_machine, &world);
    store_machine_presence_save(world.store, vm_id, 1, true, "hello", count_done, &world);
    world_wait(&world);
    ck_assert_int_eq(loaded.rows, 1);
    ck_assert(loaded.token && loaded.fingerprints[0][0] && loaded.fingerprints[1][0]);
    ck_assert_str_eq(loaded.keypad, "");
    ck_assert_int_eq(
        admin(&world, "SELECT online::int FROM machine_link_state WHERE vm_id = '%s'", vm_id), 1);
}
END_TEST

static const char *policy_loaded(void)
{
    world.waiting++;
    store_machine_load(world.store, vm_id, keep_machine, &world);
    world_wait(&world);
    return loaded.policy;
}

START_TEST(a_machine_has_the_policy_of_its_group)
{
    ck_assert_str_eq(policy_loaded(), "");
    admin(&world,
          "WITH g AS (INSERT INTO machine_group (name) VALUES ('%s') RETURNING group_id)"
          " UPDATE machine m SET group_id = g.group_id FROM g WHERE vm_id = '%s'",
          world.instance, vm_id);
    ck_assert_str_eq(policy_loaded(), "");
    admin(&world, "UPDATE machine_group SET doubt_policy = 'hold' WHERE name = '%s'",
          world.instance);
    ck_assert_str_eq(policy_loaded(), "hold");
}
END_TEST

/* --- Callbacks --- */

static int64_t callback_ids[4];
static int callback_count, callback_attempts;

static void keep_callback(void *arg, enum store_outcome outcome,
                          const struct store_callback_row *row)
{
    if (!row) {
        count_done(arg, outcome);
        return;
    }
    ck_assert_uint_eq(row->body_size, strlen(row->body));
    callback_attempts = row->attempts;
    callback_ids[callback_count++] = row->callback_id;
}

static int load_callbacks(int64_t after)
{
    callback_count = 0;
    world.waiting++;
    const struct store_callback_page_order order = {world.integrator_id, true, after, 10};
    store_callback_page(world.store, &order, keep_callback, &world);
    world_wait(&world);
    return callback_count;
}

/* Two callbacks on one lane. */
static void owe_two(void)
{
    struct txn_record txn = locking(&world, 1, 0);
    struct store_txn_step step = begin_step(&txn);
    for (int i = 0; i < 2; i++)
        step.callbacks[step.callback_count++] = (struct store_new_callback){
            .kind = i ? "/txn/vend" : "/txn/request",
            .webhook_id = "msg_1",
            .lane = 1,
            .lane_sequence = i + 1,
            .body = "{}",
            .body_size = 2,
            .expires_ms = store_now_ms(world.store),
        };
    world.waiting++;
    store_txn_begin(world.store, &step, count_step, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
}

static bool outcomes_are_written(const struct world *each)
{
    return store_pending(each->store) == 0;
}

static struct store_callback_attempt attempt_of(int64_t callback_id, int number, const char *fate)
{
    return (struct store_callback_attempt){
        .callback_id = callback_id,
        .number = number,
        .started_ms = store_now_ms(world.store),
        .dns_us = 10,
        .connect_us = 20,
        .tls_us = -1,
        .first_byte_us = -1,
        .total_us = 30,
        .remote = "127.0.0.1:443",
        .result = "retry",
        .error = "",
        .answer = "cut \xe2\x82", /* in the middle of a character */
        .http_status = 503,
        .fate = fate,
    };
}

START_TEST(callbacks_are_owed_until_their_fate_is_known)
{
    owe_two();
    ck_assert_int_eq(load_callbacks(0), 2);
    int64_t first = callback_ids[0], second = callback_ids[1];
    ck_assert_int_eq(load_callbacks(first), 1);
    struct store_callback_attempt tried = attempt_of(first, 1, "pending");
    store_callback_attempt_save(world.store, &tried, count_recorded, &world);
    tried = attempt_of(first, 2, "delivered");
    store_callback_attempt_save(world.store, &tried, count_recorded, &world);
    tried = attempt_of(second, 1, "pending");
    store_callback_attempt_save(world.store, &tried, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    ck_assert_int_eq(load_callbacks(0), 1);
    ck_assert_int_eq(callback_ids[0], second);
    ck_assert_int_eq(callback_attempts, 1);
    ck_assert_int_eq(admin(&world,
                           "SELECT count(*) FROM callback_attempt WHERE callback_id = %ld AND "
                           "answer LIKE 'cut __'",
                           first),
                     2);
}
END_TEST

/* A lost connection makes the last seconds' outcomes be told again; a person may have been quicker.
 */
START_TEST(an_outcome_that_is_told_again_does_not_undo_a_replay)
{
    owe_two();
    ck_assert_int_eq(load_callbacks(0), 2);
    struct store_callback_attempt told = attempt_of(callback_ids[0], 1, "delivered");
    store_callback_attempt_save(world.store, &told, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    ck_assert_int_eq(load_callbacks(0), 1);
    admin(&world,
          "INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch,"
          " integrator_id, lane, txn_id, kind, renames, attempts, not_before, replays)"
          " SELECT callback_id, created_at, instance_id, epoch, integrator_id, 0, txn_id, kind, "
          "renames, 1, now(), 1"
          " FROM callback, gateway_instance WHERE callback_id = %ld AND name = '%s'",
          told.callback_id, world.instance);
    store_callback_attempt_save(world.store, &told, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    ck_assert_int_eq(world.recorded[STORE_RECORDED], 2);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM callback_queue WHERE callback_id = %ld",
                           told.callback_id),
                     1);
}
END_TEST

/* The process before this one may have counted an attempt after we had read the row. */
START_TEST(an_outcome_counts_though_its_number_is_taken)
{
    owe_two();
    ck_assert_int_eq(load_callbacks(0), 2);
    admin(&world, "UPDATE callback_queue SET attempts = 5 WHERE callback_id = %ld",
          callback_ids[0]);
    struct store_callback_attempt told = attempt_of(callback_ids[0], 1, "delivered");
    store_callback_attempt_save(world.store, &told, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    ck_assert_int_eq(world.recorded[STORE_RECORDED], 1);
    ck_assert_int_eq(load_callbacks(0), 1);
}
END_TEST

START_TEST(a_parked_callback_stays_but_is_not_loaded)
{
    owe_two();
    ck_assert_int_eq(load_callbacks(0), 2);
    store_callback_settle(world.store, callback_ids[0], "implied", count_recorded, &world);
    store_callback_settle(world.store, callback_ids[1], "parked", count_recorded, &world);
    world_until(&world, outcomes_are_written);
    ck_assert_int_eq(load_callbacks(0), 0);
    ck_assert_int_eq(admin(&world,
                           "SELECT count(*) FROM callback_queue WHERE callback_id = %ld AND parked",
                           callback_ids[1]),
                     1);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM callback_queue WHERE callback_id = %ld",
                           callback_ids[0]),
                     0);
}
END_TEST

START_TEST(outcomes_wait_while_the_database_is_away)
{
    owe_two();
    ck_assert_int_eq(load_callbacks(0), 2);
    admin(&world,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
          "'vendgated %s'",
          world.instance);
    struct store_callback_attempt tried = attempt_of(callback_ids[0], 1, "delivered");
    store_callback_attempt_save(world.store, &tried, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    world_until(&world, is_ready);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM callback_attempt WHERE callback_id = %ld",
                           callback_ids[0]),
                     1);
}
END_TEST

/* --- People --- */

static int integrators, keys, grants;
static char signing[2][40];

static void keep_integrator(void *arg, enum store_outcome outcome,
                            const struct store_integrator_row *row)
{
    if (!row) {
        count_done(arg, outcome);
        return;
    }
    integrators++;
    for (int i = 0; i < 2; i++)
        snprintf(signing[i], sizeof(signing[i]), "%s", row->signing_keys[i].secret);
    ck_assert_int_gt(row->signing_keys[2].until_ms, 0); /* is over, and comes last */
    ck_assert_str_eq(row->callback_url, "https://localhost/x");
    ck_assert_str_eq(row->doubt_policy, "refund");
}

static void keep_key(void *arg, enum store_outcome outcome, const struct store_key_row *row)
{
    if (!row)
        count_done(arg, outcome);
    else if (row->integrator_id == world.integrator_id)
        keys++;
}

static void keep_grant(void *arg, enum store_outcome outcome, int64_t integrator_id,
                       const char *machine)
{
    if (!machine)
        count_done(arg, outcome);
    else if (integrator_id == world.integrator_id && !strcmp(machine, vm_id))
        grants++;
}

START_TEST(people_are_loaded_as_they_are_now)
{
    long id = world.integrator_id;
    admin(&world,
          "INSERT INTO integrator_endpoint (integrator_id, callback_url) VALUES (%ld, "
          "'https://localhost/x')",
          id);
    admin(&world,
          "INSERT INTO integrator_signing_key (integrator_id, secret, created_at, retired_at) "
          "VALUES (%ld, 'whsec_old',"
          " now() - interval '1 h', NULL), (%ld, 'whsec_new', now(), NULL), (%ld, 'whsec_gone', "
          "now(), now())",
          id, id, id);
    admin(&world,
          "INSERT INTO integrator_key (integrator_id, kind, digest, revoked_at) VALUES (%ld, "
          "'api_key', '%s-a', NULL),"
          " (%ld, 'api_key', '%s-b', now())",
          id, vm_id, id, vm_id);
    admin(&world, "INSERT INTO machine_grant VALUES (%ld, '%s')", id, vm_id);
    world.waiting = 3;
    store_integrator_load(world.store, id, keep_integrator, &world);
    store_key_load(world.store, keep_key, &world);
    store_grant_load(world.store, keep_grant, &world);
    world_wait(&world);
    ck_assert_int_eq(integrators, 1);
    ck_assert_int_eq(keys, 1);
    ck_assert_int_eq(grants, 1);
    ck_assert_str_eq(signing[0], "whsec_new");
    ck_assert_str_eq(signing[1], "whsec_old");
}
END_TEST

static bool machine_news(const struct world *each)
{
    return !strncmp(each->changed, "machine ", 8) && !strcmp(each->changed + 8, vm_id);
}

static bool any_news(const struct world *each)
{
    return each->changed[0] != '\0';
}

START_TEST(a_change_by_hand_is_heard)
{
    world_until(&world, any_news); /* listening */
    admin(&world, "UPDATE machine SET out_of_service = true WHERE vm_id = '%s'", vm_id);
    world.changed[0] = '\0';
    world_until(&world, machine_news);
}
END_TEST

static bool every_machine_news(const struct world *each)
{
    return !strcmp(each->changed, "machine ");
}

START_TEST(a_change_of_a_group_is_heard_by_its_machines)
{
    world_until(&world, any_news);
    world.changed[0] = '\0';
    admin(&world, "INSERT INTO machine_group (name) VALUES ('%s')", world.instance);
    admin(&world,
          "UPDATE machine SET group_id = (SELECT group_id FROM machine_group WHERE name = '%s') "
          "WHERE vm_id = '%s'",
          world.instance, vm_id);
    world_until(&world, machine_news);
    admin(&world, "UPDATE machine_group SET doubt_policy = 'capture' WHERE name = '%s'",
          world.instance);
    world_until(&world, every_machine_news);
}
END_TEST

TCase *data_tests(void)
{
    TCase *data = tcase_create("data");
    tcase_add_checked_fixture(data, open_one, close_one);
    tcase_set_timeout(data, 60);
    tcase_add_test(data, an_owner_learns_which_events_are_stored);
    tcase_add_test(data, only_an_enabled_machine_can_be_owned);
    tcase_add_test(data, an_event_is_stored_once_and_only_by_the_owner);
    tcase_add_test(data, an_event_without_a_number_is_stored_beside_the_record);
    tcase_add_test(data, an_event_of_an_ended_epoch_is_only_journalled);
    tcase_add_test(data, a_stored_number_with_another_body_is_told_from_a_repeat);
    tcase_add_test(data, a_planogram_replaces_the_one_before);
    tcase_add_test(data, a_machine_is_loaded_with_its_live_credentials);
    tcase_add_test(data, callbacks_are_owed_until_their_fate_is_known);
    tcase_add_test(data, an_outcome_that_is_told_again_does_not_undo_a_replay);
    tcase_add_test(data, an_outcome_counts_though_its_number_is_taken);
    tcase_add_test(data, a_parked_callback_stays_but_is_not_loaded);
    tcase_add_test(data, outcomes_wait_while_the_database_is_away);
    tcase_add_test(data, people_are_loaded_as_they_are_now);
    tcase_add_test(data, a_change_by_hand_is_heard);
    tcase_add_test(data, a_machine_has_the_policy_of_its_group);
    tcase_add_test(data, a_change_of_a_group_is_heard_by_its_machines);
    return data;
}
