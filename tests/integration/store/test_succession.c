/* test_succession.c - a ref that takes over from another: both rows or none. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static struct world world;
static struct txn_record kept;
static bool kept_any, kept_unconfirmed;

static void open_two(void)
{
    world_open(&world, NULL);
    machines_add(&world, 1, 2);
}

static void close_all(void)
{
    world_close(&world);
}

static void keep_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    kept_any = txn != NULL;
    if (txn)
        kept = *txn;
    count_done(arg, outcome);
}

static void find_id(int64_t txn_id)
{
    world.waiting++;
    store_txn_find_id(world.store, txn_id, keep_found, &world);
    world_wait(&world);
}

static void keep_row(void *arg, enum store_outcome outcome, const struct store_live_row *row)
{
    if (!row) {
        count_done(arg, outcome);
        return;
    }
    kept = *row->txn;
    kept_unconfirmed = row->rename_unconfirmed;
}

static void load_live(const char *vm_id)
{
    world.waiting++;
    store_txn_load_live(world.store, vm_id, keep_row, &world);
    world_wait(&world);
}

/* What is on disk of machine 1 and its transactions. */
static int64_t written(void)
{
    return admin(&world,
                 "SELECT (SELECT count(*) FROM txn WHERE vm_id = v) * 1000000"
                 " + (SELECT count(*) FROM txn_event WHERE vm_id = v) * 10000"
                 " + (SELECT count(*) FROM machine_event WHERE vm_id = v) * 100"
                 " + (SELECT count(*) FROM callback WHERE integrator_id = %ld)"
                 "   FROM (VALUES ('%s-1')) m(v)",
                 world.integrator_id, world.instance);
}

START_TEST(a_ref_takes_over_with_all_that_belongs_to_it)
{
    struct txn_record old = requested(&world, 1, 0);
    int64_t request = world.result.callback_ids[0];
    enum txn_state from = give_way(&old);
    struct txn_record txn = successor(&old, "after");
    struct store_txn_step step = succeed_step(&world, &txn);
    const struct store_machine_event event = selection_event(&txn, 1);
    step.machine_event = &event;
    step.cancel_callback_id = request;
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_APPLIED);
    ck_assert(world.result.cancelled);
    txn.id = world.result.txn_id;
    txn.predecessor_closed = true;
    find_id(txn.id);
    ck_assert(kept_any);
    txn.created_ms = kept.created_ms;
    ck_assert_mem_eq(&kept, &txn, sizeof(txn));
    find_id(old.id);
    snprintf(old.successor_ref, sizeof(old.successor_ref), "after");
    old.created_ms = kept.created_ms;
    ck_assert_mem_eq(&kept, &old, sizeof(old));
    ck_assert_int_eq(
        admin(&world,
              "SELECT count(*) FROM txn_event n JOIN txn_event o USING (step, at) WHERE"
              " n.txn_id = %ld AND o.txn_id = %ld AND n.from_state IS NULL AND"
              " n.to_state = 'REQUESTED' AND n.callback_ids = '{%ld}' AND"
              " o.from_state = 'REQUESTED' AND o.to_state = 'CLOSED' AND"
              " o.version = 4 AND o.cancelled_callback_id = %ld AND"
              " o.event_id < n.event_id",
              txn.id, old.id, world.result.callback_ids[0], request),
        1);
    ck_assert_int_eq(admin(&world,
                           "SELECT txn_id FROM callback WHERE callback_id = %ld AND renames",
                           world.result.callback_ids[0]),
                     txn.id);
    ck_assert_int_eq(
        admin(&world, "SELECT mark FROM machine_link_state WHERE vm_id = '%s'", old.vm_id), 1);
}
END_TEST

static bool outcomes_are_written(const struct world *each)
{
    return store_pending(each->store) == 0;
}

START_TEST(a_takeover_is_unconfirmed_until_the_integrator_has_heard_of_it)
{
    struct txn_record old = requested(&world, 1, 0);
    load_live(old.vm_id);
    ck_assert(!kept_unconfirmed);
    enum txn_state from = give_way(&old);
    const struct txn_record txn = successor(&old, "after");
    const struct store_txn_step step = succeed_step(&world, &txn);
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_APPLIED);
    load_live(old.vm_id);
    ck_assert(kept_unconfirmed && kept.predecessor_closed);
    struct store_callback_attempt attempt = {.callback_id = world.result.callback_ids[0],
                                             .number = 1,
                                             .started_ms = store_now_ms(world.store),
                                             .fate = "pending"};
    store_callback_attempt_save(world.store, &attempt, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    load_live(old.vm_id);
    ck_assert(kept_unconfirmed);
    attempt.number = 2;
    attempt.fate = "delivered";
    store_callback_attempt_save(world.store, &attempt, count_recorded, &world);
    world_until(&world, outcomes_are_written);
    load_live(old.vm_id);
    ck_assert(!kept_unconfirmed);
}
END_TEST

START_TEST(a_sold_ref_keeps_its_outcome_and_gives_way_once)
{
    struct txn_record old = vended(&world, 1, 0);
    enum txn_state from = give_way(&old);
    const struct txn_record txn = successor(&old, "second");
    const struct store_txn_step step = succeed_step(&world, &txn);
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_APPLIED);
    find_id(world.result.txn_id);
    ck_assert(!kept.predecessor_closed && kept.session == old.session);
    find_id(old.id);
    ck_assert(kept.state == TXN_VENDED && kept.version == old.version && kept.amount == 150 &&
              kept.paid_ms == old.paid_ms && kept.closed_by == TXN_DISPENSED);
    admin(&world, "UPDATE txn SET state = 'CLOSED' WHERE ref = 'second' AND vm_id = '%s'",
          old.vm_id);
    give_way(&old);
    const struct txn_record other = successor(&old, "third");
    const struct store_txn_step again = succeed_step(&world, &other);
    ck_assert_int_eq(succeed(&world, &again, &old, from), STORE_CONFLICT);
}
END_TEST

/* Each makes the takeover of machine 1's transaction by "after" impossible. */
static void ref_exists(struct txn_record *old)
{
    struct txn_record other = locking(&world, 2, 0);
    (void)old;
    snprintf(other.ref, sizeof(other.ref), "after");
    ck_assert_int_eq(begin(&world, &other), STORE_APPLIED);
}

static void version_is_stale(struct txn_record *old)
{
    old->version++;
}

static void state_is_another(struct txn_record *old)
{
    old->state = TXN_WITHDRAWN;
}

static void owner_is_another(struct txn_record *old)
{
    admin(&world, "UPDATE machine SET owner_epoch = owner_epoch + 1 WHERE vm_id = '%s'",
          old->vm_id);
}

static void event_is_stored(struct txn_record *old)
{
    admin(&world, "UPDATE machine_link_state SET mark = 1 WHERE vm_id = '%s'", old->vm_id);
}

static void session_is_another(struct txn_record *old)
{
    old->session++;
}

static void (*const REFUSALS[])(struct txn_record *old) = {ref_exists,       version_is_stale,
                                                           state_is_another, owner_is_another,
                                                           event_is_stored,  session_is_another};

START_TEST(a_refused_takeover_changes_nothing)
{
    struct txn_record old = requested(&world, 1, 0);
    const int64_t id = old.id, request = world.result.callback_ids[0];
    REFUSALS[_i](&old);
    int64_t before = written();
    enum txn_state from = give_way(&old);
    const struct txn_record txn = successor(&old, "after");
    struct store_txn_step step = succeed_step(&world, &txn);
    const struct store_machine_event event = selection_event(&txn, 1);
    step.machine_event = &event;
    step.cancel_callback_id = request;
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_CONFLICT);
    ck_assert_int_eq(written(), before);
    find_id(id);
    ck_assert(kept.state == TXN_REQUESTED && kept.version == 3 && !kept.successor_ref[0]);
    ck_assert_int_eq(
        admin(&world, "SELECT count(*) FROM callback_queue WHERE callback_id = %ld", request), 1);
}
END_TEST

static bool is_blocked(const struct world *each)
{
    (void)each;
    return admin(&world,
                 "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND "
                 "application_name = 'vendgated %s'",
                 world.instance) > 0;
}

static void keep_turning(uv_timer_t *timer)
{
    (void)timer;
}

START_TEST(a_ref_that_another_is_just_using_up_changes_nothing)
{
    struct txn_record old = requested(&world, 1, 0);
    int64_t before = written();
    uv_timer_t turning;
    uv_timer_init(world.loop, &turning);
    uv_timer_start(&turning, keep_turning, 5, 5);
    admin(&world, "BEGIN");
    admin(
        &world,
        "INSERT INTO txn (integrator_id, ref, session, state, version, balance, request, item,"
        " selection, price, surcharge, discount, amount, approval_n, journal, lane_sequence,"
        " lock_answered, outcome_code, last_step)"
        " VALUES (%ld, 'after', 1, 'CLOSED', 1, 0, -1, -1, '', 0, 0, 0, 0, 0, '', 0, false, 0, 1)",
        world.integrator_id);
    enum txn_state from = give_way(&old);
    const struct txn_record txn = successor(&old, "after");
    const struct store_txn_step step = succeed_step(&world, &txn);
    world.waiting++;
    store_txn_succeed(world.store, &step, &old, from, count_step, &world);
    world_until(&world, is_blocked);
    admin(&world, "COMMIT");
    world_wait(&world);
    uv_close((uv_handle_t *)&turning, NULL);
    uv_run(world.loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(world.outcome, STORE_CONFLICT);
    ck_assert_int_eq(written(), before);
}
END_TEST

TCase *succession_tests(void)
{
    TCase *succession = tcase_create("succession");
    tcase_add_checked_fixture(succession, open_two, close_all);
    tcase_set_timeout(succession, 60);
    tcase_add_test(succession, a_ref_takes_over_with_all_that_belongs_to_it);
    tcase_add_test(succession, a_takeover_is_unconfirmed_until_the_integrator_has_heard_of_it);
    tcase_add_test(succession, a_sold_ref_keeps_its_outcome_and_gives_way_once);
    tcase_add_loop_test(succession, a_refused_takeover_changes_nothing, 0,
                        sizeof(REFUSALS) / sizeof(REFUSALS[0]));
    tcase_add_test(succession, a_ref_that_another_is_just_using_up_changes_nothing);
    return succession;
}
