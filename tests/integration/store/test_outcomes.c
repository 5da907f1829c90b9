/* test_outcomes.c - what is kept of a purchase beyond its row: late evidence, the chain of the
 * journal, what its integrator may know, and the answers to calls. */
#include "world.h"

#include "base/macros.h"
#include "store/answer.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct world world;

static void open_two(void)
{
    world_open(&world, NULL);
    machines_add(&world, 1, 2);
}

static void close_all(void)
{
    world_close(&world);
}

/* --- Adjustments --- */

static void note(const struct txn_record *txn, const char *adjusts)
{
    const struct store_txn_step step = {.txn = txn,
                                        .from = txn->state,
                                        .event = TXN_NOT_DISPENSED,
                                        .actor = "machine",
                                        .evidence = "{\"cause\":5}",
                                        .owner_epoch = 1,
                                        .adjusts = adjusts};
    world.waiting++;
    store_txn_note(world.store, &step, count_step, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
}

static int64_t adjustments(const struct txn_record *txn)
{
    return admin(&world,
                 "SELECT count(*) FROM txn_adjustment a JOIN txn_event e USING (txn_id, step)"
                 " WHERE txn_id = %ld AND outcome = 'VENDED' AND a.evidence ->> 'cause' = '5'",
                 txn->id);
}

START_TEST(late_evidence_becomes_one_adjustment_and_edits_nothing)
{
    struct txn_record txn = vended(&world, 1, 0);
    note(&txn, NULL);
    ck_assert_int_eq(adjustments(&txn), 0);
    note(&txn, "not_dispensed");
    note(&txn, "not_dispensed");
    ck_assert_int_eq(adjustments(&txn), 1);
    ck_assert_int_eq(admin(&world,
                           "SELECT count(*) FROM txn_event WHERE txn_id = %ld AND event = '%s'",
                           txn.id, txn_event_name(TXN_NOT_DISPENSED)),
                     3);
    ck_assert_int_eq(admin(&world,
                           "SELECT count(*) FROM txn WHERE txn_id = %ld AND version = %ld"
                           " AND state = 'VENDED'",
                           txn.id, txn.version),
                     1);
    PGresult *edit = PQexec(world.admin, "UPDATE txn_adjustment SET says = 'dispensed'");
    ck_assert_str_eq(PQresultErrorField(edit, PG_DIAG_SQLSTATE), "23000");
    PQclear(edit);
}
END_TEST

/* --- The chain --- */

/* Rows whose hash is not what their content and their predecessor make it, and machines whose last
 * row is not the one that their link state names. */
static int64_t broken_links(void)
{
    return admin(
        &world,
        "SELECT (SELECT count(*) FROM (SELECT e.chain_hash, txn_event_hash(CASE WHEN e.vm_id"
        " IS NULL THEN '' ELSE coalesce(lag(e.chain_hash) OVER (PARTITION BY e.vm_id ORDER"
        " BY e.event_id), '') END, e) AS made FROM txn_event e JOIN txn t USING (txn_id)"
        " WHERE t.integrator_id = %ld) j WHERE chain_hash IS DISTINCT FROM made)"
        " + (SELECT count(*) FROM machine_link_state s WHERE s.vm_id LIKE '%s-%%' AND"
        " s.chain_hash <> coalesce((SELECT e.chain_hash FROM txn_event e WHERE e.vm_id ="
        " s.vm_id ORDER BY e.event_id DESC LIMIT 1), ''))",
        world.integrator_id, world.instance);
}

/* Steps of every kind: with and without events and callbacks, a takeover, notes, a spent ref. */
static struct txn_record write_journal(void)
{
    struct txn_record sold = vended(&world, 1, 0), old = requested(&world, 2, 0);
    note(&sold, "not_dispensed");
    enum txn_state from = give_way(&old);
    struct txn_record txn = successor(&old, "after");
    struct store_txn_step step = succeed_step(&world, &txn);
    const struct store_machine_event event = selection_event(&txn, 1);
    step.machine_event = &event;
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_APPLIED);
    const struct store_txn_step foreign = {.txn = &sold,
                                           .from = sold.state,
                                           .event = TXN_PAID_CONFLICT,
                                           .actor = "integrator",
                                           .evidence = "{\"price\":\"1.50\",\"ü\":[1e2,null]}"};
    world.waiting += 2;
    store_txn_note(world.store, &foreign, count_step, &world);
    store_txn_spend(world.store, world.integrator_id, "never", NULL, count_step, &world);
    world_wait(&world);
    ck_assert_int_eq(admin(&world,
                           "SELECT count(*) FROM txn_event e JOIN txn t USING (txn_id) WHERE"
                           " t.integrator_id = %ld AND length(e.chain_hash) = 32",
                           world.integrator_id),
                     14);
    return sold;
}

START_TEST(the_journal_of_a_machine_is_one_chain_whatever_the_reader_s_settings)
{
    write_journal();
    ck_assert_int_eq(broken_links(), 0);
    admin(&world, "SET TimeZone = 'Asia/Kathmandu'");
    admin(&world, "SET DateStyle = 'German'");
    admin(&world, "SET bytea_output = 'escape'");
    ck_assert_int_eq(broken_links(), 0);
}
END_TEST

START_TEST(an_edit_of_the_journal_breaks_the_chain)
{
    static const struct {
        const char *edit;
        int row; /* of the machine's eight */
    } EDITS[] = {
        {"UPDATE txn_event SET evidence = '{\"cause\":6}'", 1},
        {"UPDATE txn_event SET at = at + interval '1 us'", 0},
        {"UPDATE txn_event SET actor = 'operator'", 4},
        {"DELETE FROM txn_event", 2},
        {"DELETE FROM txn_event", 7},
    };
    const struct txn_record txn = write_journal();
    admin(&world, "BEGIN");
    admin(&world, "ALTER TABLE txn_event DISABLE TRIGGER append_only");
    admin(&world,
          "%s WHERE event_id = (SELECT event_id FROM txn_event WHERE vm_id = '%s' ORDER BY event_id"
          " OFFSET %d LIMIT 1)",
          EDITS[_i].edit, txn.vm_id, EDITS[_i].row);
    ck_assert_int_eq(broken_links(), 1);
    admin(&world, "ROLLBACK");
    ck_assert_int_eq(broken_links(), 0);
}
END_TEST

/* --- What the integrator may know --- */

static json_t *status;

static void keep_status(void *arg, enum store_outcome outcome, const char *json)
{
    status = json ? json_loads(json, 0, NULL) : NULL;
    ck_assert(!json || status);
    count_done(arg, outcome);
}

static void ask_status(int64_t integrator_id, const char *ref)
{
    world.waiting++;
    store_txn_status(world.store, integrator_id, ref, keep_status, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
}

static json_int_t number_of(const char *key)
{
    ck_assert_msg(json_is_integer(json_object_get(status, key)), "%s", key);
    return json_integer_value(json_object_get(status, key));
}

static const char *text_of(const char *key)
{
    ck_assert_msg(json_is_string(json_object_get(status, key)), "%s", key);
    return json_string_value(json_object_get(status, key));
}

START_TEST(an_integrator_sees_its_own_transaction)
{
    struct txn_record txn = vended(&world, 1, 0);
    note(&txn, "not_dispensed");
    ask_status(world.integrator_id, txn.ref);
    ck_assert_str_eq(text_of("txnRef"), txn.ref);
    ck_assert_str_eq(text_of("vm_id"), txn.vm_id);
    ck_assert_str_eq(text_of("state"), "VENDED");
    ck_assert_str_eq(text_of("selection"), txn.selection);
    ck_assert_str_eq(text_of("code"), "");
    ck_assert_str_eq(text_of("timer"), "none");
    ck_assert_int_eq(number_of("price"), 150);
    ck_assert_int_eq(number_of("amount"), 150);
    ck_assert_int_eq(number_of("paid"), txn.paid_ms / 1000);
    ck_assert(json_is_true(json_object_get(status, "final")));
    ck_assert(json_is_null(json_object_get(status, "deadline")));
    ck_assert(json_is_null(json_object_get(status, "predecessor_ref")));
    ck_assert(json_is_null(json_object_get(status, "new_txn_ref")));
    const json_t *callback = json_array_get(json_object_get(status, "callbacks"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(callback, "kind")), "/txn/request");
    ck_assert_str_eq(json_string_value(json_object_get(callback, "state")), "waiting");
    ck_assert_int_eq(json_integer_value(json_object_get(callback, "attempts")), 0);
    const json_t *timeline = json_object_get(status, "timeline");
    ck_assert_uint_eq(json_array_size(timeline), 7);
    const json_t *second = json_array_get(timeline, 1);
    ck_assert_str_eq(json_string_value(json_object_get(second, "from")), "LOCKING");
    ck_assert_str_eq(json_string_value(json_object_get(second, "to")), "LOCKED");
    const json_t *adjusted = json_array_get(json_object_get(status, "adjustments"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(adjusted, "says")), "not_dispensed");
    json_decref(status);
}
END_TEST

START_TEST(nobody_sees_another_s_transaction)
{
    const struct txn_record txn = requested(&world, 1, 0);
    ask_status(world.integrator_id + 1, txn.ref);
    ck_assert_ptr_null(status);
    ask_status(world.integrator_id, "no such ref");
    ck_assert_ptr_null(status);
}
END_TEST

START_TEST(a_status_leads_from_a_ref_to_the_one_that_took_over)
{
    struct txn_record old = requested(&world, 1, 0);
    int64_t request = world.result.callback_ids[0];
    enum txn_state from = give_way(&old);
    const struct txn_record txn = successor(&old, "after");
    struct store_txn_step step = succeed_step(&world, &txn);
    step.cancel_callback_id = request;
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_APPLIED);
    ask_status(world.integrator_id, old.ref);
    ck_assert_str_eq(text_of("new_txn_ref"), "after");
    const json_t *callback = json_array_get(json_object_get(status, "callbacks"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(callback, "state")), "cancelled");
    json_decref(status);
    ask_status(world.integrator_id, "after");
    ck_assert_str_eq(text_of("predecessor_ref"), old.ref);
    ck_assert_str_eq(text_of("timer"), "payment");
    ck_assert_int_eq(number_of("deadline"), txn.deadline_ms / 1000);
    json_decref(status);
}
END_TEST

START_TEST(a_timeline_ends_with_the_newest_of_at_most_200_entries)
{
    struct txn_record txn = vended(&world, 1, 0);
    for (int i = 0; i < 200; i++)
        note(&txn, NULL);
    ask_status(world.integrator_id, txn.ref);
    const json_t *timeline = json_object_get(status, "timeline");
    ck_assert_uint_eq(json_array_size(timeline), 200);
    const json_t *first = json_array_get(timeline, 0);
    ck_assert_str_eq(json_string_value(json_object_get(first, "event")),
                     txn_event_name(TXN_NOT_DISPENSED));
    json_decref(status);
}
END_TEST

START_TEST(a_callback_may_belong_to_the_row_before)
{
    struct txn_record old = requested(&world, 1, 0);
    enum txn_state from = give_way(&old);
    struct txn_record txn = successor(&old, "after");
    const struct store_txn_step step = succeed_step(&world, &txn);
    ck_assert_int_eq(succeed(&world, &step, &old, from), STORE_APPLIED);
    txn.id = world.result.txn_id;
    struct store_txn_step closed = next_step(&txn, TXN_CLOSED, TXN_SESSION_ENDED);
    put_callback(&world, &closed, "/txn/unlock", "{}")->txn_id = old.id;
    put_callback(&world, &closed, "/txn/unlock", "{}");
    ck_assert_int_eq(advance(&world, &closed), STORE_APPLIED);
    const int64_t expected[] = {old.id, txn.id};
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        ck_assert_int_eq(
            admin(
                &world,
                "SELECT c.txn_id FROM callback c JOIN callback_queue q USING (callback_id, txn_id)"
                " WHERE callback_id = %ld",
                world.result.callback_ids[i]),
            expected[i]);
}
END_TEST

/* --- Answers --- */

static struct {
    bool any;
    int status;
    char path[40], body[40], digest[65];
} answered;

static void keep_answer(void *arg, enum store_outcome outcome, const struct store_answer *answer)
{
    answered.any = answer != NULL;
    if (answer) {
        answered.status = answer->status;
        ck_assert_uint_eq(answer->body_size, strlen(answer->body));
        snprintf(answered.path, sizeof(answered.path), "%s", answer->path);
        snprintf(answered.body, sizeof(answered.body), "%s", answer->body);
        snprintf(answered.digest, sizeof(answered.digest), "%s", answer->body_sha256);
    }
    count_done(arg, outcome);
}

static enum store_outcome save_answer(const struct store_answer *answer)
{
    world.waiting++;
    store_answer_save(world.store, answer, keep_answer, &world);
    world_wait(&world);
    return world.outcome;
}

static bool answer_stands(int64_t integrator_id, const char *key)
{
    world.waiting++;
    store_answer_find(world.store, integrator_id, key, keep_answer, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcome, STORE_APPLIED);
    return answered.any;
}

static struct store_answer an_answer(const char *body)
{
    return (struct store_answer){
        .integrator_id = world.integrator_id,
        .key = "key 'a\\",
        .path = "/api/lock",
        .body_sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        .status = 200,
        .body = body,
        .body_size = strlen(body),
    };
}

START_TEST(the_first_answer_under_a_key_stands)
{
    const struct store_answer first = an_answer("{\"success\":true}"), second = an_answer("{}");
    ck_assert(!answer_stands(world.integrator_id, first.key));
    ck_assert_int_eq(save_answer(&first), STORE_APPLIED);
    ck_assert_int_eq(save_answer(&first), STORE_APPLIED); /* a repeat after a lost connection */
    ck_assert_int_eq(save_answer(&second), STORE_CONFLICT);
    ck_assert_str_eq(answered.body, first.body);
    memset(&answered, 0, sizeof(answered));
    ck_assert(answer_stands(world.integrator_id, first.key));
    ck_assert_int_eq(answered.status, 200);
    ck_assert_str_eq(answered.path, first.path);
    ck_assert_str_eq(answered.digest, first.body_sha256);
    ck_assert_str_eq(answered.body, first.body);
    ck_assert(!answer_stands(world.integrator_id + 1, first.key));
}
END_TEST

START_TEST(of_two_answers_at_once_one_stands)
{
    const struct store_answer first = an_answer("{\"n\":1}"), second = an_answer("{\"n\":2}");
    world.waiting = 2;
    store_answer_save(world.store, &first, keep_answer, &world);
    store_answer_save(world.store, &second, keep_answer, &world);
    world_wait(&world);
    ck_assert_int_eq(world.outcomes[STORE_APPLIED], 1);
    ck_assert_int_eq(world.outcomes[STORE_CONFLICT], 1);
    ck_assert_str_eq(answered.body, first.body);
}
END_TEST

TCase *outcomes_tests(void)
{
    TCase *outcomes = tcase_create("outcomes");
    tcase_add_checked_fixture(outcomes, open_two, close_all);
    tcase_set_timeout(outcomes, 60);
    tcase_add_test(outcomes, late_evidence_becomes_one_adjustment_and_edits_nothing);
    tcase_add_test(outcomes, the_journal_of_a_machine_is_one_chain_whatever_the_reader_s_settings);
    tcase_add_loop_test(outcomes, an_edit_of_the_journal_breaks_the_chain, 0, 5);
    tcase_add_test(outcomes, an_integrator_sees_its_own_transaction);
    tcase_add_test(outcomes, nobody_sees_another_s_transaction);
    tcase_add_test(outcomes, a_status_leads_from_a_ref_to_the_one_that_took_over);
    tcase_add_test(outcomes, a_timeline_ends_with_the_newest_of_at_most_200_entries);
    tcase_add_test(outcomes, a_callback_may_belong_to_the_row_before);
    tcase_add_test(outcomes, the_first_answer_under_a_key_stands);
    tcase_add_test(outcomes, of_two_answers_at_once_one_stands);
    return outcomes;
}
