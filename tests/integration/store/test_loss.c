/* test_loss.c - lost connections and second processes: nothing is lost, nothing is done twice. */
#include "world.h"

#include "base/macros.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;

static void open_world(void)
{
    world_open(&world, NULL);
}

static void close_world(void)
{
    world_close(&world);
}

static void kill_steps(void)
{
    admin(&world,
          "SELECT pg_terminate_backend(a.pid) FROM gateway_instance g JOIN pg_stat_activity a ON "
          "a.pid = g.backend_pid WHERE g.name = '%s'",
          world.instance);
}

/* The timer stands on the test's stack. */
static void timer_end(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
    uv_run(world.loop, UV_RUN_NOWAIT);
}

/* A walk takes one machine's transaction through versions 1 to WALK_STEPS, again from the start of
 * a step whenever the store says that it was never sent. */
#define WALKS 60
#define WALK_STEPS 250
#define KILLS 6

struct walk {
    struct txn_record txn;
    enum txn_state from;
};

static int walks_left, kills, never_sent;

static void walk_on(struct walk *walk);

static void walked(void *arg, enum store_outcome outcome, const struct store_txn_result *result)
{
    struct walk *walk = arg;
    if (outcome == STORE_UNAVAILABLE) {
        never_sent++;
        walk->txn.version--;
        walk->txn.state = walk->from;
    } else {
        ck_assert_int_eq(outcome,
                         STORE_APPLIED); /* a conflict would be a step that was done already */
        walk->txn.id = walk->txn.session = result->txn_id;
    }
    walk_on(walk);
}

static bool all_walked(UNUSED const struct world *each)
{
    return walks_left == 0;
}

static void walk_on(struct walk *walk)
{
    if (walk->txn.version == WALK_STEPS) {
        walks_left--;
        return;
    }
    walk->from = walk->txn.state;
    enum txn_state next = walk->from == TXN_LOCKED ? TXN_WITHDRAWN : TXN_LOCKED;
    struct store_txn_step step =
        next_step(&walk->txn, walk->txn.version ? next : TXN_LOCKING, TXN_KEYS);
    if (walk->txn.id)
        store_txn_advance(world.store, &step, walked, walk);
    else
        store_txn_begin(world.store, &step, walked, walk);
}

static void on_kill(uv_timer_t *timer)
{
    if (kills == KILLS)
        uv_timer_stop(timer);
    if (kills == KILLS || world.readies == kills)
        return; /* enough, or the last kill is not healed yet */
    kills++;
    kill_steps();
}

START_TEST(killed_connections_lose_and_double_nothing)
{
    machines_add(&world, 1, WALKS);
    struct walk *walks = memory_zero(WALKS, sizeof(*walks));
    walks_left = WALKS;
    uv_timer_t killer;
    uv_timer_init(world.loop, &killer);
    uv_timer_start(&killer, on_kill, 10, 10);
    for (int i = 0; i < WALKS; i++) {
        walks[i].txn = locking(&world, i + 1, 0);
        walks[i].txn.version = 0;
        walks[i].txn.state = TXN_NONE;
        walk_on(&walks[i]);
    }
    world_until(&world, all_walked);
    timer_end(&killer);
    free(walks);
    ck_assert_int_eq(world.losses, KILLS);
    ck_assert_int_eq(admin(&world,
                           "SELECT count(*) FROM txn WHERE integrator_id = %ld AND version = %d",
                           world.integrator_id, WALK_STEPS),
                     WALKS);
    ck_assert_int_eq(
        admin(&world,
              "SELECT count(*) FROM txn_event JOIN txn USING (txn_id) WHERE integrator_id = %ld",
              world.integrator_id),
        WALKS * WALK_STEPS);
    ck_assert_int_eq(
        admin(&world,
              "SELECT count(DISTINCT (txn_id, e.version)) FROM txn_event e JOIN txn USING (txn_id)"
              " WHERE integrator_id = %ld",
              world.integrator_id),
        WALKS * WALK_STEPS);
}
END_TEST

#define HANGING_STEPS 200

/* With a synchronous standby that does not exist, COMMIT is on disk but its answer does not come.
 */
static void commits_hang(bool hang)
{
    PQclear(PQexec(world.admin, hang ? "ALTER SYSTEM SET synchronous_standby_names = 'nobody'"
                                     : "ALTER SYSTEM RESET synchronous_standby_names"));
    PQclear(PQexec(world.admin, "SET synchronous_commit = local"));
    admin(&world, "SELECT pg_reload_conf()");
}

static bool commit_hangs(void)
{
    return admin(&world,
                 "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND "
                 "application_name = 'vendgated %s'",
                 world.instance) > 0;
}

static bool is_hanging_or_answered(const struct world *each)
{
    return each->waiting == 0 || commit_hangs();
}

/* The backend takes the setting over at a time of its own, so steps are made until one hangs; its
 * number. */
static int step_until_one_hangs(void (*queue_step)(int number))
{
    for (int number = 1; number <= HANGING_STEPS; number++) {
        world.waiting = 1;
        queue_step(number);
        world_until(&world, is_hanging_or_answered);
        if (world.waiting)
            return number;
        ck_assert_int_eq(world.outcome, STORE_APPLIED);
    }
    ck_abort_msg("no commit hung");
}

static bool is_lost(const struct world *each)
{
    return each->losses > 0;
}

/* The loop must turn while we look. */
static void keep_turning(uv_timer_t *timer)
{
    (void)timer;
}

static bool can_hang(void)
{
    if (admin(&world, "SELECT rolsuper::int FROM pg_roles WHERE rolname = current_user") == 1)
        return true;
    fputs("skipped: only a superuser can make commits hang\n", stderr);
    return false;
}

/* The connection breaks while a commit's answer is awaited; the number of that step. */
static int lose_an_answer(void (*queue_step)(int number))
{
    uv_timer_t turning;
    uv_timer_init(world.loop, &turning);
    uv_timer_start(&turning, keep_turning, 5, 5);
    commits_hang(true);
    int number = step_until_one_hangs(queue_step);
    kill_steps();
    world_until(&world, is_lost);
    commits_hang(false);
    world_wait(&world);
    timer_end(&turning);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
    ck_assert_int_eq((int)metric(&world, "vendgate_store_uncertain_total{connection=\"steps\"}"),
                     1);
    return number;
}

static void queue_begin(int number)
{
    const struct txn_record txn = locking(&world, number, 0);
    const struct store_txn_step step = begin_step(&txn);
    store_txn_begin(world.store, &step, count_step, &world);
}

START_TEST(a_commit_whose_answer_was_lost_is_found_and_answered)
{
    if (!can_hang())
        return;
    machines_add(&world, 1, HANGING_STEPS);
    int number = lose_an_answer(queue_begin);
    ck_assert_int_eq(
        world.result.txn_id,
        admin(&world, "SELECT txn_id FROM txn WHERE vm_id = '%s-%d'", world.instance, number));
    ck_assert_int_eq(
        admin(&world, "SELECT count(*) FROM txn_event WHERE txn_id = %ld", world.result.txn_id), 1);
}
END_TEST

static struct txn_record last; /* of the refs that take over from each other */

static void queue_succession(int number)
{
    char ref[40];
    snprintf(ref, sizeof(ref), "taken-%d", number);
    struct txn_record old = last;
    if (number > 1)
        old.id = world.result.txn_id;
    enum txn_state from = give_way(&old);
    last = successor(&old, ref);
    struct store_txn_step step = succeed_step(&world, &last);
    if (number == 1)
        step.cancel_callback_id = world.result.callback_ids[0];
    store_txn_succeed(world.store, &step, &old, from, count_step, &world);
}

START_TEST(a_takeover_whose_answer_was_lost_is_found_and_answered)
{
    if (!can_hang())
        return;
    machines_add(&world, 1, 1);
    last = requested(&world, 1, 0);
    int number = lose_an_answer(queue_succession);
    ck_assert_int_eq(
        world.result.txn_id,
        admin(&world, "SELECT txn_id FROM txn WHERE vm_id = '%s' AND live", last.vm_id));
    ck_assert_int_eq(
        world.result.callback_ids[0],
        admin(&world, "SELECT callback_id FROM callback WHERE txn_id = %ld", world.result.txn_id));
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM txn WHERE vm_id = '%s'", last.vm_id),
                     number + 1);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM txn_event WHERE vm_id = '%s'", last.vm_id),
                     3 + 2 * number);
}
END_TEST

/* Runs in the parent, whatever became of the test. */
static void end_hanging(void)
{
    PGconn *admin_connection = PQconnectdb(getenv("VENDGATE_TEST_DATABASE_URL"));
    PQclear(PQexec(admin_connection, "ALTER SYSTEM RESET synchronous_standby_names"));
    PQclear(PQexec(admin_connection, "SELECT pg_reload_conf()"));
    PQfinish(admin_connection);
}

static bool ready_again(const struct world *each)
{
    return each->losses > 0 && store_ready(each->store);
}

START_TEST(a_second_process_of_our_name_shuts_us_out_until_we_take_the_epoch_back)
{
    machines_add(&world, 1, 1);
    int64_t epoch =
        admin(&world, "SELECT epoch FROM gateway_instance WHERE name = '%s'", world.instance);
    struct world second;
    world_open(&second, &world);
    ck_assert_int_eq(store_instance_id(second.store), store_instance_id(world.store));
    struct txn_record txn = locking(&world, 1, 0);
    ck_assert_int_eq(begin(&world, &txn), STORE_APPLIED);
    ck_assert_int_eq(world.losses,
                     1); /* it was fenced first: nothing applied, then it went again */
    ck_assert_int_eq(
        admin(&world, "SELECT epoch FROM gateway_instance WHERE name = '%s'", world.instance),
        epoch + 2);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM txn_event WHERE txn_id = %ld", txn.id), 1);
    ck_assert_int_eq(
        (int)metric(&world, "vendgate_store_batches_total{connection=\"steps\",result=\"fenced\"}"),
        1);
    world_close(&second);
}
END_TEST

/* A backend that holds our row, as one does that got a batch but never its COMMIT. */
static PGconn *hang_on(void)
{
    static const char *const SQL[] = {
        ("UPDATE gateway_instance g SET backend_pid = a.pid, backend_start = a.backend_start"
         " FROM pg_stat_activity a WHERE a.pid = pg_backend_pid() AND g.name = '%s'"),
        "BEGIN",
        "SELECT FROM gateway_instance WHERE name = '%s' FOR SHARE",
    };
    PGconn *connection = PQconnectdb(getenv("VENDGATE_TEST_DATABASE_URL"));
    for (size_t i = 0; i < sizeof(SQL) / sizeof(SQL[0]); i++) {
        char sql[300];
        const char *blank = strstr(SQL[i], "%s");
        snprintf(sql, sizeof(sql), "%.*s%s%s", blank ? (int)(blank - SQL[i]) : 100, SQL[i],
                 blank ? world.instance : "", blank ? blank + 2 : "");
        PGresult *result = PQexec(connection, sql);
        ck_assert_msg(PQresultStatus(result) != PGRES_FATAL_ERROR, "%s",
                      PQresultErrorMessage(result));
        PQclear(result);
    }
    return connection;
}

START_TEST(a_hanging_backend_of_ours_is_ended)
{
    int64_t pid =
        admin(&world, "SELECT backend_pid FROM gateway_instance WHERE name = '%s'", world.instance);
    PGconn *hanging = hang_on();
    admin(&world, "SELECT pg_terminate_backend(%ld)", pid);
    world_until(&world, ready_again);
    PGresult *result = PQexec(hanging, "COMMIT");
    PQclear(result);
    ck_assert_int_eq(PQstatus(hanging), CONNECTION_BAD);
    PQfinish(hanging);
}
END_TEST

TCase *loss_tests(void)
{
    TCase *loss = tcase_create("loss");
    tcase_add_checked_fixture(loss, open_world, close_world);
    tcase_set_timeout(loss, 60);
    tcase_add_test(loss, killed_connections_lose_and_double_nothing);
    tcase_add_test(loss, a_second_process_of_our_name_shuts_us_out_until_we_take_the_epoch_back);
    tcase_add_test(loss, a_hanging_backend_of_ours_is_ended);
    return loss;
}

/* By itself, because its end must come before any other test. */
TCase *hanging_tests(void)
{
    TCase *hanging = tcase_create("hanging");
    tcase_add_unchecked_fixture(hanging, NULL, end_hanging);
    tcase_add_checked_fixture(hanging, open_world, close_world);
    tcase_set_timeout(hanging, 60);
    tcase_add_test(hanging, a_commit_whose_answer_was_lost_is_found_and_answered);
    tcase_add_test(hanging, a_takeover_whose_answer_was_lost_is_found_and_answered);
    return hanging;
}
