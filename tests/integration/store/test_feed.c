/* test_feed.c - feeds go to whoever has subscribed, is enabled, and was granted the machine. */
#include "world.h"

#include "store/feed.h"

#include <stdio.h>
#include <string.h>

static struct world world;
static char vm_id[VM_ID_SIZE];

static int made_count;
static struct store_feed_callback made;
static char made_webhook_id[40];

static void open_granted(void)
{
    world_open(&world, NULL);
    machines_add(&world, 1, 1);
    vm_id_of(&world, 1, vm_id);
    admin(&world, "INSERT INTO machine_grant (integrator_id, vm_id) VALUES (%ld, '%s')",
          world.integrator_id, vm_id);
    admin(&world,
          "INSERT INTO feed_subscription (integrator_id, kind) VALUES (%ld, '/feed/alerts')",
          world.integrator_id);
}

static void close_all(void)
{
    world_close(&world);
}

static void keep(void *arg, enum store_outcome outcome, const struct store_feed_callback *callback)
{
    if (!callback) {
        count_done(arg, outcome);
        return;
    }
    made_count++;
    made = *callback;
    snprintf(made_webhook_id, sizeof(made_webhook_id), "%s", callback->webhook_id);
}

/* How many callbacks came of it. */
static int publish(const char *kind)
{
    const char *body = "{\"level\":\"Low\"}";
    const struct store_feed feed = {
        .vm_id = vm_id, .kind = kind, .body = body, .body_size = strlen(body)};
    made_count = 0;
    world.waiting++;
    store_feed_publish(world.store, &feed, keep, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
    return made_count;
}

START_TEST(a_feed_is_owed_to_each_subscriber)
{
    ck_assert_int_eq(publish("/feed/alerts"), 1);
    ck_assert_int_eq(made.integrator_id, world.integrator_id);
    ck_assert_uint_eq(strlen(made_webhook_id), strlen("msg_") + 32);
    int64_t lifetime_ms = made.expires_ms - store_now_ms(world.store);
    ck_assert_int_le(lifetime_ms, 72 * 3600 * 1000);
    ck_assert_int_gt(lifetime_ms, 72 * 3600 * 1000 - 60000);
    ck_assert_int_eq(
        admin(&world,
              "SELECT count(*) FROM callback c JOIN callback_queue q"
              " USING (callback_id, created_at, integrator_id, kind, lane)"
              " WHERE callback_id = %ld AND q.owner_instance = %ld AND lane = 0 AND"
              " c.txn_id IS NULL AND webhook_id = '%s' AND body = '{\"level\":\"Low\"}'",
              made.callback_id, store_instance_id(world.store), made_webhook_id),
        1);
}
END_TEST

START_TEST(two_feeds_have_two_ids)
{
    char first[sizeof(made_webhook_id)];
    ck_assert_int_eq(publish("/feed/alerts"), 1);
    memcpy(first, made_webhook_id, sizeof(first));
    ck_assert_int_eq(publish("/feed/alerts"), 1);
    ck_assert_str_ne(first, made_webhook_id);
}
END_TEST

START_TEST(nobody_gets_what_he_may_not_have)
{
    ck_assert_int_eq(publish("/feed/refills"), 0); /* not subscribed */
    admin(&world, "DELETE FROM machine_grant WHERE integrator_id = %ld", world.integrator_id);
    ck_assert_int_eq(publish("/feed/alerts"), 0);
    admin(&world, "INSERT INTO machine_grant (integrator_id, vm_id) VALUES (%ld, '%s')",
          world.integrator_id, vm_id);
    admin(&world, "UPDATE integrator SET enabled = false WHERE integrator_id = %ld",
          world.integrator_id);
    ck_assert_int_eq(publish("/feed/alerts"), 0);
    admin(&world, "UPDATE integrator SET enabled = true WHERE integrator_id = %ld",
          world.integrator_id);
    ck_assert_int_eq(publish("/feed/alerts"), 1);
}
END_TEST

TCase *feed_tests(void)
{
    TCase *feed = tcase_create("feed");
    tcase_add_checked_fixture(feed, open_granted, close_all);
    tcase_set_timeout(feed, 60);
    tcase_add_test(feed, a_feed_is_owed_to_each_subscriber);
    tcase_add_test(feed, two_feeds_have_two_ids);
    tcase_add_test(feed, nobody_gets_what_he_may_not_have);
    return feed;
}
