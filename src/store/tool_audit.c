#include "store/tool_audit.h"

#include "base/macros.h"
#include "base/memory.h"
#include "store/tool_internal.h"

#include <stdio.h>
#include <stdlib.h>

#define LOOK "look at `vendctl txn show REF`; "
#define MONEY LOOK "settle the difference with the integrator"
#define TAMPERED \
    "somebody changed the database by hand or restored a part of it: compare it with a backup"
#define DEFECT LOOK "then report it as a defect of vendgate with its output"

/* name, warns, promise, remedy */
#define CHECKS(CHECK)                                                                              \
    CHECK(paid_told_once, false,                                                                   \
          "A purchase that was paid and has ended was told its result exactly once.", MONEY)       \
    CHECK(unpaid_told_once, false,                                                                 \
          "A purchase that ended unpaid was told so exactly once, if its lock was answered.",      \
          DEFECT)                                                                                  \
    CHECK(never_both_endings, false, "No purchase was told both endings, sold and never paid.",    \
          MONEY)                                                                                   \
    CHECK(told_at_the_end_only, false, "No ending is told while a purchase is under way.", DEFECT) \
    CHECK(rename_closes_both, false,                                                               \
          "A new ref that nobody heard of is ended together with its old one.",                    \
          "tell the integrator that the old ref has ended; nothing is owed for it")                \
    CHECK(callback_says_the_row, false, "What a callback says is what the row says.", MONEY)       \
    CHECK(sums_agree, false,                                                                       \
          "An integrator owes by our rows what it owes by what it paid and was told.",             \
          "the other checks name the purchases that make the difference")                          \
    CHECK(amount_adds_up, false,                                                                   \
          "An amount is price + surcharge - discount, with the figures of /api/paid.", MONEY)      \
    CHECK(approvals_rise, false,                                                                   \
          "Each paid purchase has an approval of its own, and its machine's numbers rise.",        \
          TAMPERED)                                                                                \
    CHECK(goods_were_paid_for, false, "Goods come out only for a purchase that was paid before.",  \
          "ask whether the machine's identity was copied or the database restored; " MONEY)        \
    CHECK(                                                                                         \
        outcome_has_evidence, false,                                                               \
        "A paid purchase ends by its machine's word, the policy or a verdict, and that is kept.",  \
        TAMPERED)                                                                                  \
    CHECK(contrary_evidence_is_kept, false,                                                        \
          "A machine's word against the outcome has become an adjustment.", MONEY)                 \
    CHECK(journal_has_no_holes, false,                                                             \
          "The journal of a purchase has every version and ends in its state.", TAMPERED)          \
    CHECK(final_stays_final, false, "A purchase that has ended never moves again.", MONEY)         \
    CHECK(traces_have_a_purchase, false, "Journal rows and callbacks belong to a purchase.",       \
          TAMPERED)                                                                                \
    CHECK(callbacks_have_a_fate, false, "A callback waits in the queue, or its fate is known.",    \
          "the integrator may not have heard: tell it; then report a defect of vendgate")          \
    CHECK(ended_is_not_queued, false, "A callback that has ended is sent again by a person only.", \
          DEFECT)                                                                                  \
    CHECK(queue_has_callbacks, false, "Every entry of the queue leads to its callback.", TAMPERED) \
    CHECK(lanes_have_no_holes, false, "The callbacks of a session are numbered without a hole.",   \
          TAMPERED)                                                                                \
    CHECK(acts_are_on_record, false, "What people did to callbacks and endpoints is on record.",   \
          TAMPERED)                                                                                \
    CHECK(one_live_per_machine, false, "A machine serves one purchase at a time.", DEFECT)         \
    CHECK(live_has_a_deadline, false, "No purchase under way waits without an end.", DEFECT)       \
    CHECK(live_is_in_time, true, "A purchase under way ends by its deadline.",                     \
          "see whether a gateway runs (`vendctl instances`) and what it logs")                     \
    CHECK(event_numbers_are_taken_once, false, "A machine's event number is stored once.",         \
          TAMPERED)                                                                                \
    CHECK(event_mark_is_true, false,                                                               \
          "Every event number up to a machine's mark is stored, or was declared lost.", TAMPERED)  \
    CHECK(chain_is_whole, false,                                                                   \
          "Each journal row of a machine carries the hash over itself and the row before it.",     \
          TAMPERED)

/* As the migrations: the assembler reads the files, so that the SQL stays SQL. */
#define EMBED(name, warns_, promise_, remedy_)                              \
    extern const char audit_##name[];                                       \
    __asm__(".section .rodata\naudit_" #name ": .incbin \"sql/audit/" #name \
            ".sql\"\n.byte 0\n.previous\n");
CHECKS(EMBED)

#define ROW(name_, warns_, promise_, remedy_) \
    {.name = #name_,                          \
     .promise = (promise_),                   \
     .remedy = (remedy_),                     \
     .warns = (warns_),                       \
     .sql = audit_##name_},
static const struct audit_check AUDIT_CHECKS[] = {CHECKS(ROW)};

const struct audit_check *audit_checks(size_t *ret_count)
{
    *ret_count = ARRAY_SIZE(AUDIT_CHECKS);
    return AUDIT_CHECKS;
}

/* A check's rows in one row, with names instead of numbers. $3: how many offenders are told. */
#define COUNT_START                                                                         \
    "WITH counted AS ("                                                                     \
    "    SELECT count(*) AS examined, count(wrong) AS offences,"                            \
    "           (array_agg(json_build_array(integrator_id, txn_id, vm_id, wrong)"           \
    "                      ORDER BY txn_id, vm_id, wrong) FILTER (WHERE wrong IS NOT NULL)" \
    "           )[1:$3::integer] AS offenders"                                              \
    "      FROM ("
#define COUNT_END                                                                             \
    ") checked WHERE $1::timestamptz < 'infinity' AND $2::timestamptz < 'infinity')"          \
    " SELECT examined, offences,"                                                             \
    "        (SELECT coalesce(json_agg(json_build_object('integrator', i.name, 'ref', t.ref," \
    "                    'vm_id', coalesce(o.one ->> 2, t.vm_id), 'wrong', o.one ->> 3)"      \
    "                    ORDER BY o.n), '[]')"                                                \
    "           FROM unnest(offenders) WITH ORDINALITY AS o(one, n)"                          \
    "           LEFT JOIN txn t ON t.txn_id = (o.one ->> 1)::bigint"                          \
    "           LEFT JOIN integrator i"                                                       \
    "             ON i.integrator_id = coalesce((o.one ->> 0)::bigint, t.integrator_id))"     \
    "        AS offenders"                                                                    \
    "   FROM counted"

/* The result of one check, or NULL and the reason. */
static json_t *check_run(struct store_tool *tool, const struct audit_check *check,
                         const char *const window[static 2],
                         char ret_error[static STORE_ERROR_SIZE])
{
    char limit[12];
    snprintf(limit, sizeof(limit), "%d", AUDIT_OFFENDERS_MAX);
    const char *const parameters[] = {window[0], window[1], limit};
    _cleanup_(memory_text_free) char *sql =
        memory_format("%s%s%s", COUNT_START, check->sql, COUNT_END);
    char error[STORE_ERROR_SIZE];
    json_t *rows = tool_query(tool, sql, parameters, ARRAY_SIZE(parameters), error);
    if (!rows) {
        snprintf(ret_error, STORE_ERROR_SIZE, "%s: %.200s", check->name, error);
        return NULL;
    }
    json_t *result = json_pack("{s:s, s:s, s:s, s:b}", "check", check->name, "promise",
                               check->promise, "remedy", check->remedy, "warning", check->warns);
    json_object_update(result, json_array_get(rows, 0));
    json_decref(rows);
    return result;
}

/* $1 and $2 of the checks; free() both. */
static bool window_find(struct store_tool *tool, const char *since, char *ret_window[static 2],
                        char ret_error[static STORE_ERROR_SIZE])
{
    json_t *rows = tool_query(
        tool,
        "WITH since AS (SELECT CASE WHEN $1::text IS NULL THEN '-infinity'"
        "    WHEN $1::text ~ '^[0-9]+[mhd]$' THEN now() - $1::text::interval"
        "    ELSE $1::text::timestamptz END AS since)"
        " SELECT since::text, (CASE WHEN since = '-infinity' THEN since ELSE least(since,"
        "     (SELECT min(created_at) FROM txn WHERE updated_at >= since)) - interval '1 hour'"
        "     END)::text AS reach FROM since",
        &since, 1, ret_error);
    if (!rows)
        return false;
    const json_t *row = json_array_get(rows, 0);
    ret_window[0] = memory_text(json_string_value(json_object_get(row, "since")));
    ret_window[1] = memory_text(json_string_value(json_object_get(row, "reach")));
    json_decref(rows);
    return true;
}

static bool run_plain(struct store_tool *tool, const char *sql,
                      char ret_error[static STORE_ERROR_SIZE])
{
    json_t *rows = tool_query(tool, sql, NULL, 0, ret_error);
    json_decref(rows);
    return rows != NULL;
}

static json_t *checks_run(struct store_tool *tool, const char *since,
                          char ret_error[static STORE_ERROR_SIZE])
{
    char *window[2] = {NULL, NULL};
    if (!window_find(tool, since, window, ret_error))
        return NULL;
    json_t *results = json_array();
    for (size_t i = 0; results && i < ARRAY_SIZE(AUDIT_CHECKS); i++) {
        json_t *result = check_run(tool, &AUDIT_CHECKS[i], (const char *const *)window, ret_error);
        if (result) {
            json_array_append_new(results, result);
        } else {
            json_decref(results);
            results = NULL;
        }
    }
    free(window[0]);
    free(window[1]);
    return results;
}

json_t *store_tool_audit(struct store_tool *tool, const char *since,
                         char ret_error[static STORE_ERROR_SIZE])
{
    if (!run_plain(tool, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", ret_error))
        return NULL;
    /* Large joins, each run once: memory helps them, compiling them does not. */
    json_t *results = NULL;
    if (run_plain(tool, "SET LOCAL work_mem = '128MB'", ret_error) &&
        run_plain(tool, "SET LOCAL jit = off", ret_error))
        results = checks_run(tool, since, ret_error);
    char ignored[STORE_ERROR_SIZE];
    (void)run_plain(tool, "ROLLBACK", ignored);
    return results;
}
