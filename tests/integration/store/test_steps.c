/* test_steps.c - what a step leaves in the database, and what refuses it. */
#include "world.h"

#include <stdio.h>
#include <string.h>

static struct world world;

static void open_one(void)
{
    world_open(&world, NULL);
    machines_add(&world, 1, 1);
}

static void close_one(void)
{
    world_close(&world);
}

static struct txn_record kept;
static bool kept_any;
static int64_t kept_callback;

static void keep_found(void *arg, enum store_outcome outcome, const struct txn_record *txn)
{
    kept_any = txn != NULL;
    if (txn)
        kept = *txn;
    count_done(arg, outcome);
}

static void keep_row(void *arg, enum store_outcome outcome, const struct store_live_row *row)
{
    if (!row) {
        count_done(arg, outcome);
        return;
    }
    kept_any = true;
    kept = *row->txn;
    kept_callback = row->request_callback_id;
    ck_assert(!row->unread_evidence);
}

static void find(const char *ref)
{
    world.waiting++;
    store_txn_find(world.store, world.integrator_id, ref, keep_found, &world);
    world_wait(&world);
}

START_TEST(a_record_comes_back_as_it_was_stored)
{
    struct txn_record txn = requested(&world, 1, 0);
    txn.lock_answered = true;
    pay(&world, &txn);
    struct store_txn_step paid = next_step(&txn, TXN_PAID, TXN_PAID_ACCEPTABLE);
    txn.timer = TXN_TIMER_APPROVE;
    ck_assert_int_eq(advance(&world, &paid), STORE_APPLIED);
    find(txn.ref);
    ck_assert(kept_any);
    txn.created_ms = kept.created_ms; /* given by the database */
    ck_assert_int_gt(kept.created_ms, 0);
    ck_assert_mem_eq(&kept, &txn, sizeof(txn));
}
END_TEST

START_TEST(a_step_leaves_journal_callback_event_and_link_state)
{
    struct txn_record txn = requested(&world, 1, 0);
    int64_t callback_id = world.result.callback_ids[0];
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM txn_event WHERE txn_id = %ld", txn.id), 3);
    ck_assert_int_eq(
        admin(&world, "SELECT callback_ids[1] FROM txn_event WHERE txn_id = %ld AND version = 3",
              txn.id),
        callback_id);
    ck_assert_int_eq(
        admin(&world,
              "SELECT count(*) FROM callback c JOIN callback_queue q USING (callback_id, "
              "created_at) WHERE"
              " c.callback_id = %ld AND c.body = '{\"txn_ref\":\"quote \\\" brace {\"}'",
              callback_id),
        1);
    ck_assert_int_eq(admin(&world, "SELECT seq FROM machine_event WHERE txn_id = %ld", txn.id), 0);
    ck_assert_int_eq(
        admin(&world, "SELECT mark FROM machine_link_state WHERE vm_id = '%s'", txn.vm_id), 0);
    world.waiting++;
    store_txn_load_live(world.store, NULL, keep_row, &world);
    world_wait(&world);
    ck_assert_int_eq(kept.id, txn.id);
    ck_assert_int_eq(kept_callback, callback_id);
}
END_TEST

START_TEST(a_ref_is_used_up_for_ever)
{
    struct txn_record txn = locking(&world, 1, 0), again = txn;
    ck_assert_int_eq(begin(&world, &txn), STORE_APPLIED);
    struct store_txn_step closed = next_step(&txn, TXN_CLOSED, TXN_LOCK_REFUSED);
    txn.closed_by = TXN_LOCK_REFUSED;
    ck_assert_int_eq(advance(&world, &closed), STORE_APPLIED);
    ck_assert_int_eq(begin(&world, &again), STORE_CONFLICT);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM txn_event WHERE txn_id = %ld", txn.id), 2);
}
END_TEST

START_TEST(a_machine_has_one_live_transaction)
{
    struct txn_record txn = locking(&world, 1, 0), other = locking(&world, 1, 1);
    ck_assert_int_eq(begin(&world, &txn), STORE_APPLIED);
    ck_assert_int_eq(begin(&world, &other), STORE_CONFLICT);
}
END_TEST

START_TEST(a_step_from_a_stale_version_or_state_changes_nothing)
{
    struct txn_record txn = locking(&world, 1, 0);
    ck_assert_int_eq(begin(&world, &txn), STORE_APPLIED);
    struct txn_record stale = txn;
    stale.version = 5;
    struct store_txn_step late = next_step(&stale, TXN_LOCKED, TXN_LOCK_ACCEPTED);
    put_callback(&world, &late, "/txn/unlock", "{}");
    ck_assert_int_eq(advance(&world, &late), STORE_CONFLICT);
    struct txn_record other = txn;
    other.state = TXN_LOCKED;
    struct store_txn_step wrong = next_step(&other, TXN_REQUESTED, TXN_SELECTION);
    ck_assert_int_eq(advance(&world, &wrong), STORE_CONFLICT);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM txn_event WHERE txn_id = %ld", txn.id), 1);
    ck_assert_int_eq(admin(&world, "SELECT count(*) FROM callback WHERE txn_id = %ld", txn.id), 0);
}
END_TEST

START_TEST(a_former_owner_writes_nothing)
{
    struct txn_record txn = locking(&world, 1, 0);
    ck_assert_int_eq(begin(&world, &txn), STORE_APPLIED);
    admin(&world, "UPDATE machine SET owner_epoch = owner_epoch + 1 WHERE vm_id = '%s'", txn.vm_id);
    struct store_txn_step step = next_step(&txn, TXN_LOCKED, TXN_LOCK_ACCEPTED);
    ck_assert_int_eq(advance(&world, &step), STORE_CONFLICT);
    step.owner_epoch = 2;
    ck_assert_int_eq(advance(&world, &step), STORE_APPLIED);
}
END_TEST

START_TEST(a_repeated_event_number_has_no_effect)
{
    struct txn_record txn = requested(&world, 1, 0);
    struct store_txn_step step = next_step(&txn, TXN_WITHDRAWN, TXN_SELECTION_WITHDRAWN);
    const struct store_machine_event repeated = selection_event(&txn, 0);
    step.machine_event = &repeated;
    ck_assert_int_eq(advance(&world, &step), STORE_CONFLICT);
    ck_assert_int_eq(
        admin(&world, "SELECT count(*) FROM machine_event WHERE vm_id = '%s'", txn.vm_id), 1);
}
END_TEST

START_TEST(a_note_leaves_the_row_alone)
{
    struct txn_record txn = requested(&world, 1, 0);
    struct store_txn_step note = {.txn = &txn,
                                  .from = txn.state,
                                  .event = TXN_PAID_NOT_YET,
                                  .actor = "integrator",
                                  .evidence = "{\"price\":1}"};
    world.waiting++;
    store_txn_note(world.store, &note, count_step,
                   &world); /* without an owner epoch: no machine is needed */
    world_wait(&world);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
    ck_assert_int_eq(admin(&world, "SELECT version FROM txn WHERE txn_id = %ld", txn.id),
                     txn.version);
    ck_assert_int_eq(
        admin(
            &world,
            "SELECT (evidence ->> 'price')::int FROM txn_event WHERE txn_id = %ld AND event = '%s'",
            txn.id, txn_event_name(TXN_PAID_NOT_YET)),
        1);
}
END_TEST

START_TEST(an_unsent_callback_is_cancelled_with_the_step)
{
    struct txn_record txn = requested(&world, 1, 0);
    int64_t callback_id = world.result.callback_ids[0];
    struct store_txn_step step = next_step(&txn, TXN_CLOSED, TXN_SESSION_ENDED);
    txn.closed_by = TXN_SESSION_ENDED;
    step.cancel_callback_id = callback_id;
    put_callback(&world, &step, "/txn/unlock", "{\"code\":\"105\"}");
    ck_assert_int_eq(advance(&world, &step), STORE_APPLIED);
    ck_assert(world.result.cancelled);
    ck_assert_int_gt(world.result.callback_ids[0], callback_id);
    ck_assert_int_eq(
        admin(&world, "SELECT count(*) FROM callback_queue WHERE txn_id = %ld", txn.id), 1);
    ck_assert_int_eq(
        admin(
            &world,
            "SELECT count(*) FROM callback_attempt WHERE callback_id = %ld AND fate = 'cancelled'",
            callback_id),
        1);
}
END_TEST

START_TEST(a_spent_ref_cannot_be_locked)
{
    struct txn_record txn = locking(&world, 1, 0);
    world.waiting += 2;
    store_txn_spend(world.store, world.integrator_id, txn.ref, "{\"price\":1}", count_step, &world);
    store_txn_spend(world.store, world.integrator_id, txn.ref, NULL, count_step, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcomes[STORE_APPLIED], 1);
    ck_assert_int_eq(world.outcomes[STORE_CONFLICT], 1);
    ck_assert_int_eq(begin(&world, &txn), STORE_CONFLICT);
    find(txn.ref);
    ck_assert(kept_any && kept.state == TXN_CLOSED && kept.closed_by == TXN_PAID_NEVER &&
              kept.vm_id[0] == '\0');
}
END_TEST

START_TEST(the_database_itself_refuses_what_must_never_be)
{
    struct txn_record txn = requested(&world, 1, 0);
    struct store_txn_step unpaid = next_step(&txn, TXN_VENDING, TXN_APPROVAL_TAKEN);
    ck_assert_int_eq(advance(&world, &unpaid), STORE_FAILED); /* goods without a payment */
    PGresult *edit = PQexec(world.admin, "UPDATE txn_event SET event = 'x'");
    ck_assert_str_eq(PQresultErrorField(edit, PG_DIAG_SQLSTATE), "23000");
    PQclear(edit);
    edit = PQexec(world.admin, "DELETE FROM callback");
    ck_assert_str_eq(PQresultErrorField(edit, PG_DIAG_SQLSTATE), "23000");
    PQclear(edit);
    edit = PQexec(world.admin, "DELETE FROM txn");
    ck_assert_str_eq(PQresultErrorField(edit, PG_DIAG_SQLSTATE), "23000");
    PQclear(edit);
}
END_TEST

START_TEST(a_final_row_stays_final)
{
    struct txn_record txn = locking(&world, 1, 0);
    ck_assert_int_eq(begin(&world, &txn), STORE_APPLIED);
    struct store_txn_step closed = next_step(&txn, TXN_CLOSED, TXN_LOCK_REFUSED);
    ck_assert_int_eq(advance(&world, &closed), STORE_APPLIED);
    struct store_txn_step revived = next_step(&txn, TXN_LOCKED, TXN_LOCK_ACCEPTED);
    ck_assert_int_eq(advance(&world, &revived), STORE_FAILED);
}
END_TEST

START_TEST(an_approval_leads_to_its_transaction)
{
    struct txn_record txn = requested(&world, 1, 0);
    pay(&world, &txn);
    struct store_txn_step paid = next_step(&txn, TXN_PAID, TXN_PAID_ACCEPTABLE);
    ck_assert_int_eq(advance(&world, &paid), STORE_APPLIED);
    world.waiting++;
    store_txn_find_approval(world.store, txn.vm_id, txn.approval, keep_found, &world);
    world_wait(&world);
    ck_assert(kept_any && kept.id == txn.id);
    ck_assert_int_eq(
        admin(&world, "SELECT approval_n FROM machine_link_state WHERE vm_id = '%s'", txn.vm_id),
        4);
}
END_TEST

TCase *steps_tests(void)
{
    TCase *steps = tcase_create("steps");
    tcase_add_checked_fixture(steps, open_one, close_one);
    tcase_set_timeout(steps, 60);
    tcase_add_test(steps, a_record_comes_back_as_it_was_stored);
    tcase_add_test(steps, a_step_leaves_journal_callback_event_and_link_state);
    tcase_add_test(steps, a_ref_is_used_up_for_ever);
    tcase_add_test(steps, a_machine_has_one_live_transaction);
    tcase_add_test(steps, a_step_from_a_stale_version_or_state_changes_nothing);
    tcase_add_test(steps, a_former_owner_writes_nothing);
    tcase_add_test(steps, a_repeated_event_number_has_no_effect);
    tcase_add_test(steps, a_note_leaves_the_row_alone);
    tcase_add_test(steps, an_unsent_callback_is_cancelled_with_the_step);
    tcase_add_test(steps, a_spent_ref_cannot_be_locked);
    tcase_add_test(steps, the_database_itself_refuses_what_must_never_be);
    tcase_add_test(steps, a_final_row_stays_final);
    tcase_add_test(steps, an_approval_leads_to_its_transaction);
    return steps;
}
