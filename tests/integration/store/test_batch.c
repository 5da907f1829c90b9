/* test_batch.c - group commit: many share one commit, a bad one harms only itself, order is kept.
 */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define MANY 400

static struct world world;

static void open_many(void)
{
    world_open(&world, NULL);
    machines_add(&world, 1, MANY);
}

static void close_many(void)
{
    world_close(&world);
}

static double commits(void)
{
    return metric(&world,
                  "vendgate_store_batches_total{connection=\"steps\",result=\"committed\"}");
}

static void begin_all(const char *evidence_of_seventh)
{
    for (int number = 1; number <= MANY; number++) {
        const struct txn_record txn = locking(&world, number, 0);
        struct store_txn_step step = begin_step(&txn);
        step.evidence = number == 7 ? evidence_of_seventh : NULL;
        world.waiting++;
        store_txn_begin(world.store, &step, count_step, &world);
    }
}

START_TEST(what_waits_together_shares_a_commit)
{
    double before = commits();
    begin_all(NULL);
    world_wait(&world);
    ck_assert_int_eq(world.outcomes[STORE_APPLIED], MANY);
    ck_assert_int_eq((int)(commits() - before), (MANY + 127) / 128);
    ck_assert_int_eq(
        admin(&world, "SELECT count(*) FROM txn WHERE integrator_id = %ld", world.integrator_id),
        MANY);
}
END_TEST

START_TEST(a_bad_member_harms_only_itself)
{
    begin_all("no JSON");
    world_wait(&world);
    ck_assert_int_eq(world.outcomes[STORE_APPLIED], MANY - 1);
    ck_assert_int_eq(world.outcomes[STORE_FAILED], 1);
    ck_assert_int_eq(
        admin(&world, "SELECT count(*) FROM txn WHERE integrator_id = %ld", world.integrator_id),
        MANY - 1);
    ck_assert_int_eq(
        admin(&world,
              "SELECT count(*) FROM txn_event JOIN txn USING (txn_id) WHERE integrator_id = %ld",
              world.integrator_id),
        MANY - 1);
}
END_TEST

static bool inside;

static void check_not_inside(void *arg, enum store_outcome outcome,
                             const struct store_txn_result *result)
{
    ck_assert(!inside);
    count_step(arg, outcome, result);
}

START_TEST(no_answer_comes_inside_the_call)
{
    const struct txn_record txn = locking(&world, 1, 0);
    const struct store_txn_step step = begin_step(&txn);
    world.waiting = 2;
    inside = true;
    store_txn_begin(world.store, &step, check_not_inside, &world);
    world.closed = false;
    inside = false;
    admin(&world,
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
          "'vendgated %s'",
          world.instance);
    while (store_ready(world.store))
        uv_run(world.loop, UV_RUN_ONCE);
    inside = true;
    struct txn_record other = locking(&world, 2, 0);
    const struct store_txn_step refused = begin_step(&other);
    store_txn_begin(world.store, &refused, check_not_inside, &world); /* the store is away */
    inside = false;
    world_wait(&world);
    ck_assert_int_eq(world.outcomes[STORE_UNAVAILABLE], 1);
    ck_assert_int_eq(world.outcomes[STORE_APPLIED], 1);
}
END_TEST

static bool seen;

static void see(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    seen = txn != NULL;
    count_done(arg, outcome);
}

START_TEST(a_read_sees_the_writes_before_it)
{
    const struct txn_record txn = locking(&world, 1, 0);
    const struct store_txn_step step = begin_step(&txn);
    world.waiting = 2;
    store_txn_begin(world.store, &step, count_step, &world);
    store_txn_find(world.store, world.integrator_id, txn.ref, see, &world);
    world_wait(&world);
    ck_assert(seen);
}
END_TEST

static void on_closed(void *arg)
{
    ((struct world *)arg)->closed = true;
}

START_TEST(closing_answers_everything_that_was_queued)
{
    begin_all(NULL);
    store_close(world.store, 10000, on_closed, &world);
    const struct txn_record txn = locking(&world, 1, 1);
    const struct store_txn_step late = begin_step(&txn);
    world.waiting++;
    store_txn_begin(world.store, &late, count_step, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcomes[STORE_APPLIED], MANY);
    ck_assert_int_eq(world.outcomes[STORE_UNAVAILABLE], 1);
}
END_TEST

TCase *batch_tests(void)
{
    TCase *batch = tcase_create("batch");
    tcase_add_checked_fixture(batch, open_many, close_many);
    tcase_set_timeout(batch, 60);
    tcase_add_test(batch, what_waits_together_shares_a_commit);
    tcase_add_test(batch, a_bad_member_harms_only_itself);
    tcase_add_test(batch, no_answer_comes_inside_the_call);
    tcase_add_test(batch, a_read_sees_the_writes_before_it);
    tcase_add_test(batch, closing_answers_everything_that_was_queued);
    return batch;
}
