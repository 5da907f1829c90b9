/* tool_replay_sql.h - the SQL by which vendctl has callbacks sent again, rows of tool_statements.c.
 * Internal to store/.
 *
 * Laid out by hand: SQL is read by its own lines. */
#ifndef VENDGATE_STORE_TOOL_REPLAY_SQL_H
#define VENDGATE_STORE_TOOL_REPLAY_SQL_H

#include "store/tool_callback_terms.h"

// clang-format off

/* Why callback `c` (queue `q`, purchase `t`) cannot be sent again; NULL: it can. */
#define REPLAY_REFUSAL                                                                             \
    "CASE WHEN q.callback_id IS NOT NULL AND NOT q.parked THEN 'it is on its way already'"         \
    "     WHEN c.kind <> '/txn/request' THEN NULL"                                                 \
    "     WHEN t.state <> 'REQUESTED' THEN 'its purchase is ' || t.state || ', nobody waits for it any more'" \
    "     WHEN c.expires_at <= now() THEN 'the time to pay is over'"                               \
    "     WHEN EXISTS (SELECT FROM callback n WHERE n.txn_id = c.txn_id AND n.kind = c.kind AND n.callback_id > c.callback_id)" \
    "     THEN 'the customer has chosen anew since' END"
#define REPLAY_FROM                                                                                \
    " FROM callback c JOIN integrator i USING (integrator_id) LEFT JOIN txn t ON t.txn_id = c.txn_id" \
    " LEFT JOIN callback_queue q ON q.callback_id = c.callback_id"

/* callback */
#define REPLAY_FIND_SQL "SELECT c.callback_id AS callback, " REPLAY_REFUSAL " AS refusal" REPLAY_FROM " WHERE c.callback_id = $1::bigint"

/* $1 integrator, $2 kind, $3 since, $4 until, $5 outcome. What was taken back, has arrived by other proof, or was taken out by
 * a person is replayed by its number only. */
#define REPLAY_MANY                                                                                \
    REPLAY_FROM " CROSS JOIN LATERAL (SELECT " LAST_FATE " AS fate) f"                             \
    " WHERE i.name = $1 AND ($2::text IS NULL OR c.kind = $2)" MADE_FROM_TO("$3", "$4")            \
    "   AND (CASE WHEN $5::text IS NULL THEN q.parked OR f.fate IN ('delivered', 'refused', 'expired', 'parked')" \
    "        WHEN $5 = 'parked' THEN q.parked ELSE f.fate = $5 END)"                               \
    "   AND (" REPLAY_REFUSAL ") IS NULL"

#define REPLAY_COUNT_SQL "SELECT c.kind, count(*) AS callbacks" REPLAY_MANY " GROUP BY c.kind ORDER BY c.kind"

/* Each comes to a process that lives, the one that had it if it does; else it waits for the one that was seen last. Rows of
 * `again` have callback c's columns and `place`, from 0; $a operator, $b reason, $c how many a second. */
#define REPLAY_ACT(again, a, b, c)                                                                 \
    "WITH again AS MATERIALIZED (" again "),"                                                      \
    " before AS (SELECT n.*, coalesce(q.owner_instance, l.instance_id) AS instance_id, coalesce(l.number, 0) AS number, l.at," \
    "     date_trunc('milliseconds', now() + n.place * interval '1 second' / " c ") AS not_before," \
    "     (SELECT count(*) FROM callback_act p WHERE p.callback_id = n.callback_id AND p.act = 'replay') AS replays" \
    "   FROM again n LEFT JOIN callback_queue q USING (callback_id) LEFT JOIN LATERAL ("           \
    "     SELECT max(a.number) AS number, max(a.started_at) FILTER (WHERE a.number > 0) AS at,"    \
    "         (array_agg(a.instance_id ORDER BY a.started_at DESC))[1] AS instance_id"             \
    "     FROM callback_attempt a WHERE " ATTEMPT_OF("n") ") l ON true)," \
    " put AS (INSERT INTO callback_queue AS old (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane," \
    "     txn_id, kind, renames, attempts, last_attempt_at, expires_at, not_before, replays)"      \
    "   SELECT b.callback_id, b.created_at, g.instance_id, g.epoch, b.integrator_id, 0, b.txn_id, b.kind, b.renames, b.number, b.at," \
    "     CASE b.kind WHEN '/txn/request' THEN NULL WHEN '/txn/unlock' THEN b.not_before + interval '24 h'" \
    "          ELSE b.not_before + interval '72 h' END, b.not_before, b.replays + 1"               \
    "   FROM before b CROSS JOIN LATERAL (SELECT g.instance_id, g.epoch FROM gateway_instance g"   \
    "     ORDER BY g.heartbeat_at > now() - interval '15 s' DESC, g.instance_id = b.instance_id DESC, g.heartbeat_at DESC" \
    "     LIMIT 1) g ORDER BY b.place"                                                             \
    "   ON CONFLICT (callback_id) DO UPDATE SET owner_instance = excluded.owner_instance, owner_epoch = excluded.owner_epoch," \
    "     lane = 0, attempts = excluded.attempts, last_attempt_at = excluded.last_attempt_at,"     \
    "     expires_at = excluded.expires_at, not_before = excluded.not_before, replays = excluded.replays," \
    "     parked = false, parked_at = NULL, acknowledged_at = NULL, acknowledged_by = NULL"        \
    "   WHERE old.parked RETURNING old.callback_id, old.integrator_id, old.not_before, old.replays)," \
    " acts AS (INSERT INTO callback_act (act, callback_id, integrator_id, operator, reason)"       \
    "   SELECT 'replay', callback_id, integrator_id, " a ", " b " FROM put),"                      \
    " told AS MATERIALIZED (SELECT announce_change('callback', '') FROM (SELECT FROM put LIMIT 1) any_one)"

/* callback, operator, reason */
#define REPLAY_ONE_SQL                                                                             \
    REPLAY_ACT("SELECT c.*, 0 AS place" REPLAY_FROM " WHERE c.callback_id = $1::bigint AND (" REPLAY_REFUSAL ") IS NULL", \
               "$2", "$3", "1")                                                                    \
    " SELECT callback_id AS callback, replays FROM put, told"

/* As REPLAY_MANY, and operator, reason, how many a second. */
#define REPLAY_MANY_SQL                                                                            \
    REPLAY_ACT("SELECT c.*, row_number() OVER (ORDER BY c.callback_id) - 1 AS place" REPLAY_MANY, "$6", "$7", "$8::integer") \
    " SELECT count(*) AS replayed, max(not_before) AS last_at FROM put, told"

// clang-format on

#endif
