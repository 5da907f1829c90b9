/* test_adoption.c - a process that shows no sign of life loses its callbacks to another, whole and
 * once, and cannot end them any more. */
#include "world.h"

#include <stdio.h>
#include <string.h>

#define QUICK_MS 200
#define LANE 77

static struct world silent, quick, third; /* the first is alive, but shows it once a minute */
static bool quick_is_open;
static int64_t callback_ids[2];
static int rows;
static bool surveyed;

static void open_two(void)
{
    world_open(&silent, NULL);
    machines_add(&silent, 1, 2);
    quick_is_open = false;
}

static void close_all(void)
{
    if (quick_is_open)
        world_close(&quick);
    world_close(&silent);
}

static void heir_open(struct world *heir, const char *word)
{
    char name[40];
    snprintf(name, sizeof(name), "%.30s-%s", silent.instance, word);
    world_open_as(heir, &silent, name, QUICK_MS);
}

static void quick_open(void)
{
    heir_open(&quick, "quick");
    quick_is_open = true;
}

/* Both for `silent`'s integrator, on one lane of its own. */
static void owe_two(int machine)
{
    struct txn_record txn = locking(&silent, machine, 0);
    struct store_txn_step step = begin_step(&txn);
    put_callback(&silent, &step, "/txn/request", "{}")->lane = LANE;
    put_callback(&silent, &step, "/txn/vend", "{}")->lane = LANE;
    silent.waiting++;
    store_txn_begin(silent.store, &step, count_step, &silent);
    world_wait(&silent);
    ck_assert_int_eq(silent.outcome, STORE_APPLIED);
    callback_ids[0] = silent.result.callback_ids[0];
    callback_ids[1] = silent.result.callback_ids[1];
}

static void keep_row(void *arg, enum store_outcome outcome, const struct store_callback_row *row)
{
    if (row)
        rows++;
    else
        count_done(arg, outcome);
}

static int owed_to(struct world *world)
{
    rows = 0;
    world->waiting++;
    const struct store_callback_page_order order = {silent.integrator_id, true, 0, 10};
    store_callback_page(world->store, &order, keep_row, world);
    world_wait(world);
    ck_assert_int_eq(world->outcome, STORE_APPLIED);
    return rows;
}

static void keep_survey(void *arg, enum store_outcome outcome, int64_t integrator_id,
                        bool with_lane)
{
    if (integrator_id == silent.integrator_id)
        surveyed = with_lane;
    if (integrator_id == 0)
        count_done(arg, outcome);
}

/* It may find others dead too: those of earlier tests. */
static void until_adopted_by(struct world *heir)
{
    while (owed_to(heir) == 0)
        uv_run(heir->loop, UV_RUN_ONCE);
    ck_assert_int_gt(heir->adoptions, 0);
}

static bool is_dispossessed(const struct world *world)
{
    return world->dispossessions > 0 && store_ready(world->store);
}

static bool is_recorded(const struct world *world)
{
    return store_pending(world->store) == 0;
}

static void delivered(struct world *world, int64_t callback_id)
{
    const struct store_callback_attempt attempt = {.callback_id = callback_id,
                                                   .number = 1,
                                                   .started_ms = store_now_ms(world->store),
                                                   .result = "delivered",
                                                   .fate = "delivered"};
    store_callback_attempt_save(world->store, &attempt, count_recorded, world);
    world_until(world, is_recorded);
}

static void adopted_by_quick(void)
{
    owe_two(1);
    quick_open();
    ck_assert_int_eq(owed_to(&quick), 0);
    until_adopted_by(&quick);
}

START_TEST(a_process_without_a_heartbeat_loses_its_callbacks_whole)
{
    adopted_by_quick();
    ck_assert_int_eq(owed_to(&quick), 2);
    ck_assert_int_eq(owed_to(&silent), 0);
    surveyed = false;
    quick.waiting++;
    store_callback_survey(quick.store, keep_survey, &quick);
    world_wait(&quick);
    ck_assert(surveyed);
}
END_TEST

START_TEST(what_it_ends_afterwards_is_refused)
{
    adopted_by_quick();
    delivered(&silent, callback_ids[0]);
    ck_assert_int_eq(silent.recorded[STORE_NOT_OURS], 1);
    ck_assert_int_eq(silent.lane, LANE); /* which it loses whole */
    ck_assert_int_eq(owed_to(&quick), 2);
    ck_assert_int_eq(admin(&silent,
                           "SELECT count(*) FROM callback_attempt WHERE callback_id = %ld AND"
                           " result = 'delivered' AND fate = 'pending'",
                           callback_ids[0]),
                     1); /* it was made, and settles nothing */
    delivered(&quick, callback_ids[0]);
    ck_assert_int_eq(quick.recorded[STORE_RECORDED], 1);
    ck_assert_int_eq(owed_to(&quick), 1);
}
END_TEST

START_TEST(what_it_writes_afterwards_is_its_own)
{
    adopted_by_quick();
    int64_t first = callback_ids[0];
    owe_two(2); /* its commit is shut out, it takes its epoch anew and commits then */
    world_until(&silent, is_dispossessed);
    ck_assert_int_eq(silent.dispossessions, 1);
    ck_assert_int_gt(callback_ids[0], first);
    ck_assert_int_eq(owed_to(&silent), 2);
    ck_assert_int_eq(owed_to(&quick), 2);
}
END_TEST

START_TEST(of_two_survivors_one_gets_them)
{
    owe_two(1);
    quick_open();
    heir_open(&third, "third");
    while (owed_to(&quick) + owed_to(&third) == 0)
        uv_run(silent.loop, UV_RUN_ONCE);
    ck_assert_int_eq(owed_to(&quick) + owed_to(&third), 2);
    ck_assert_int_eq(admin(&silent,
                           "SELECT count(*) FROM lane_adoption a JOIN gateway_instance USING"
                           " (instance_id) WHERE name = '%s'",
                           silent.instance),
                     1);
    world_close(&third);
}
END_TEST

START_TEST(an_heir_that_dies_too_is_inherited_from)
{
    adopted_by_quick();
    world_close(&quick);
    quick_is_open = false;
    heir_open(&third, "third");
    until_adopted_by(&third);
    ck_assert_int_eq(owed_to(&third), 2);
    delivered(&third, callback_ids[0]);
    ck_assert_int_eq(third.recorded[STORE_RECORDED], 1);
    world_close(&third);
}
END_TEST

START_TEST(a_lease_is_told_with_each_sign_of_life)
{
    quick_open();
    int64_t first = quick.alive_until_ms;
    ck_assert_int_gt(first, 0);
    while (quick.alive_until_ms == first)
        uv_run(silent.loop, UV_RUN_ONCE);
    ck_assert_int_gt(quick.alive_until_ms, first);
}
END_TEST

TCase *adoption_tests(void)
{
    TCase *adoption = tcase_create("adoption");
    tcase_add_checked_fixture(adoption, open_two, close_all);
    tcase_set_timeout(adoption, 60);
    tcase_add_test(adoption, a_process_without_a_heartbeat_loses_its_callbacks_whole);
    tcase_add_test(adoption, what_it_ends_afterwards_is_refused);
    tcase_add_test(adoption, what_it_writes_afterwards_is_its_own);
    tcase_add_test(adoption, of_two_survivors_one_gets_them);
    tcase_add_test(adoption, an_heir_that_dies_too_is_inherited_from);
    tcase_add_test(adoption, a_lease_is_told_with_each_sign_of_life);
    return adoption;
}
