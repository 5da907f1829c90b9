/* tool_callback_sql.h - the SQL of vendctl's callback and feed commands, rows of tool_statements.c.
 * Internal to store/.
 *
 * Laid out by hand: SQL is read by its own lines. */
#ifndef VENDGATE_STORE_TOOL_CALLBACK_SQL_H
#define VENDGATE_STORE_TOOL_CALLBACK_SQL_H

#include "store/tool_callback_terms.h"

// clang-format off

/* integrator, kind, state, since, until (each or NULL), limit. What is owed comes first, what needs a person before it. */
#define CALLBACK_LIST_SQL                                                                          \
    "WITH open AS (SELECT q.callback_id, q.created_at, " QUEUE_STATE " AS state"                   \
    "   FROM callback_queue q JOIN callback c USING (callback_id, created_at)"                     \
    "   JOIN integrator i ON i.integrator_id = q.integrator_id"                                    \
    "   LEFT JOIN integrator_endpoint e ON e.integrator_id = q.integrator_id"                      \
    "  WHERE ($1::text IS NULL OR i.name = $1) AND ($2::text IS NULL OR q.kind = $2)" MADE_FROM_TO("$4", "$5") ")," \
    " ended AS (SELECT c.callback_id, c.created_at, f.fate"                                        \
    "   FROM callback c JOIN integrator i USING (integrator_id), LATERAL (SELECT " LAST_FATE " AS fate) f" \
    "  WHERE ($3::text IS NULL OR $3 NOT IN ('waiting', 'parked', 'held') AND f.fate = $3)"        \
    "    AND ($1::text IS NULL OR i.name = $1) AND ($2::text IS NULL OR c.kind = $2)" MADE_FROM_TO("$4", "$5") \
    "    AND NOT EXISTS (SELECT FROM callback_queue q WHERE q.callback_id = c.callback_id)"        \
    "  ORDER BY c.callback_id DESC LIMIT $6::bigint),"                                             \
    " shown AS (SELECT row_number() OVER (ORDER BY owed DESC, state = 'parked' DESC,"              \
    "       CASE WHEN owed THEN callback_id ELSE -callback_id END) AS place, s.*"                  \
    "   FROM (SELECT *, true AS owed FROM open WHERE $3::text IS NULL OR state = $3"               \
    "         UNION ALL SELECT *, false FROM ended) s ORDER BY place LIMIT $6::bigint)"            \
    " SELECT c.callback_id AS callback, i.name AS integrator, t.ref, c.kind, s.state,"             \
    "     date_trunc('second', now() - c.created_at)::text AS age, coalesce(l.number, 0) AS attempts," \
    "     CASE WHEN NOT s.owed THEN NULL"                                                          \
    "          WHEN q.acknowledged_at IS NOT NULL THEN 'acknowledged; replay or skip'"             \
    "          WHEN q.parked THEN 'replay, skip or acknowledge'"                                   \
    "          WHEN s.state = 'held' THEN 'release of ' || i.name"                                 \
    "          WHEN q.not_before > now() THEN 'replay in ' || date_trunc('second', q.not_before - now())" \
    "          WHEN p.callback_id IS NOT NULL THEN 'after callback ' || p.callback_id"             \
    "          ELSE 'attempt ' || q.attempts + 1 END AS next_step,"                                \
    "     CASE WHEN s.state NOT IN ('delivered', 'implied')"                                       \
    "          THEN coalesce(l.error, 'HTTP ' || l.http_status || coalesce(': ' || left(l.answer, 120), '')) END AS last_error" \
    " FROM shown s JOIN callback c USING (callback_id, created_at) JOIN integrator i USING (integrator_id)" \
    " LEFT JOIN callback_queue q ON q.callback_id = c.callback_id LEFT JOIN txn t ON t.txn_id = c.txn_id" \
    " LEFT JOIN LATERAL (SELECT a.number, a.error, a.http_status, a.answer FROM callback_attempt a" \
    "     WHERE " ATTEMPT_OF("c") " AND a.number > 0" \
    "     ORDER BY a.started_at DESC, a.number DESC LIMIT 1) l ON true"                            \
    " LEFT JOIN LATERAL (SELECT max(b.callback_id) AS callback_id FROM callback_queue b"           \
    "     WHERE s.state = 'waiting' AND q.lane <> 0 AND b.integrator_id = q.integrator_id AND b.lane = q.lane AND NOT b.parked" \
    "       AND b.callback_id < q.callback_id) p ON true"                                          \
    " ORDER BY s.place"

/* callback. The signature is left out: it is made anew for each attempt. */
#define CALLBACK_SHOW_SQL                                                                          \
    "SELECT c.callback_id AS callback, i.name AS integrator, t.ref, c.kind,"                       \
    "     CASE WHEN q.callback_id IS NULL THEN " LAST_FATE " ELSE " QUEUE_STATE " END AS state,"   \
    "     c.created_at, coalesce(q.expires_at, c.expires_at) AS expires_at, c.lane, c.lane_sequence," \
    "     g.name AS owner, q.not_before, q.parked_at, q.acknowledged_at, q.acknowledged_by,"       \
    "     e.held_at, e.held_by, e.held_reason, e.callback_url || c.kind AS url,"                   \
    "     json_strip_nulls(json_build_object('Content-Type', 'application/json', 'webhook-id', c.webhook_id," \
    "         'webhook-lane-sequence', CASE WHEN coalesce(q.lane, c.lane) <> 0 THEN c.lane_sequence::text END," \
    "         'webhook-replay', CASE WHEN q.replays > 0 THEN '1' END)) AS headers, c.body,"        \
    "     (SELECT coalesce(json_agg(json_strip_nulls(json_build_object('number', a.number, 'at', a.started_at, 'by', o.name," \
    "           'verdict', a.result, 'fate', a.fate, 'http_status', a.http_status, 'remote', a.remote, 'dns_us', a.dns_us," \
    "           'connect_us', a.connect_us, 'tls_us', a.tls_us, 'first_byte_us', a.first_byte_us, 'total_us', a.total_us," \
    "           'error', a.error, 'answer', a.answer)) ORDER BY a.started_at, a.number), '[]')"    \
    "        FROM callback_attempt a LEFT JOIN gateway_instance o USING (instance_id)"             \
    "       WHERE " ATTEMPT_OF("c") ") AS attempts," \
    "     (SELECT coalesce(json_agg(json_strip_nulls(json_build_object('at', p.at, 'act', p.act, 'operator', p.operator," \
    "           'reason', p.reason)) ORDER BY p.act_id), '[]')"                                    \
    "        FROM callback_act p WHERE p.callback_id = c.callback_id) AS acts"                     \
    " FROM callback c JOIN integrator i USING (integrator_id) LEFT JOIN integrator_endpoint e USING (integrator_id)" \
    " LEFT JOIN txn t ON t.txn_id = c.txn_id LEFT JOIN callback_queue q ON q.callback_id = c.callback_id" \
    " LEFT JOIN lane_adoption d ON d.instance_id = q.owner_instance AND q.owner_epoch > d.above AND q.owner_epoch <= d.through" \
    " LEFT JOIN gateway_instance g ON g.instance_id = coalesce(d.adopted_by, q.owner_instance)"    \
    " WHERE c.callback_id = $1::bigint"

/* Names: an act on one callback of the queue. $1 callback, $2 operator, $3 reason. The owner hears which one it has to forget. */
#define ONE_ACT(act, changed, key)                                                                 \
    "WITH changed AS (" changed "),"                                                               \
    " act AS (INSERT INTO callback_act (act, callback_id, integrator_id, operator, reason)"        \
    "   SELECT '" act "', callback_id, integrator_id, $2, $3 FROM changed),"                       \
    " told AS MATERIALIZED (SELECT announce_change('callback', " key ") FROM changed)"

#define CALLBACK_SKIP_SQL                                                                          \
    ONE_ACT("skip", "DELETE FROM callback_queue WHERE callback_id = $1::bigint RETURNING *", "callback_id::text") \
    ", fate AS (INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)" \
    "   SELECT callback_id, 0, date_trunc('milliseconds', clock_timestamp()), owner_instance, 'skipped' FROM changed)" \
    " SELECT callback_id AS callback, kind, 'skipped' AS state FROM changed, told"

#define CALLBACK_ACKNOWLEDGE_SQL                                                                   \
    ONE_ACT("acknowledge",                                                                         \
            "UPDATE callback_queue SET acknowledged_at = now(), acknowledged_by = $2 WHERE callback_id = $1::bigint AND parked" \
            "  RETURNING *", "''")                                                                 \
    " SELECT callback_id AS callback, kind, acknowledged_at, acknowledged_by FROM changed, told"

/* integrator, operator, reason. The endpoint's own trigger announces it. */
#define ENDPOINT_HOLD_SQL                                                                          \
    "WITH held AS (UPDATE integrator_endpoint e SET held_at = now(), held_by = $2, held_reason = $3 FROM integrator i" \
    "     WHERE i.integrator_id = e.integrator_id AND i.name = $1 AND e.held_at IS NULL"           \
    "     RETURNING i.name, e.*),"                                                                 \
    " act AS (INSERT INTO callback_act (act, integrator_id, operator, reason) SELECT 'hold', integrator_id, $2, $3 FROM held)" \
    " SELECT name AS integrator, held_at, held_by, held_reason FROM held"
#define ENDPOINT_RELEASE_SQL                                                                       \
    "WITH held AS (UPDATE integrator_endpoint e SET held_at = NULL, held_by = NULL, held_reason = NULL FROM integrator i" \
    "     WHERE i.integrator_id = e.integrator_id AND i.name = $1 AND e.held_at IS NOT NULL"       \
    "     RETURNING i.name, e.*),"                                                                 \
    " act AS (INSERT INTO callback_act (act, integrator_id, operator, reason) SELECT 'release', integrator_id, $2, $3 FROM held)" \
    " SELECT name AS integrator, (SELECT count(*) FROM callback_queue q WHERE q.integrator_id = held.integrator_id"  \
    "     AND NOT q.parked) AS waiting FROM held"

/* integrator, operator, kind, body. The number of the transaction is taken before that of the callback: store_event_horizon()
 * relies on it. */
#define CALLBACK_TEST_SQL                                                                          \
    "WITH began AS MATERIALIZED (SELECT pg_current_xact_id() AS number),"                          \
    " made AS (SELECT nextval('callback_id_seq') AS callback_id, i.integrator_id, g.instance_id, g.epoch," \
    "     'msg_' || replace(gen_random_uuid()::text, '-', '') AS webhook_id"                       \
    "   FROM began, integrator i, LATERAL (SELECT instance_id, epoch FROM gateway_instance"        \
    "     WHERE heartbeat_at > now() - interval '15 s' ORDER BY heartbeat_at DESC LIMIT 1) g"      \
    "   WHERE i.name = $1 AND began.number IS NOT NULL),"                                          \
    " stored AS (INSERT INTO callback (callback_id, created_at, integrator_id, kind, webhook_id, lane, lane_sequence, expires_at," \
    "     body) SELECT callback_id, now(), integrator_id, $3, webhook_id, 0, 0, now() + interval '72 h', $4 FROM made)," \
    " queued AS (INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, kind," \
    "     renames) SELECT callback_id, now(), instance_id, epoch, integrator_id, 0, $3, false FROM made)," \
    " act AS (INSERT INTO callback_act (act, callback_id, integrator_id, operator)"                \
    "   SELECT 'test', callback_id, integrator_id, $2 FROM made),"                                 \
    " told AS MATERIALIZED (SELECT announce_change('callback', callback_id::text) FROM made)"      \
    " SELECT callback_id AS callback, $1 AS integrator, $3 AS kind, webhook_id FROM made, told"

/* Feeds that nobody took, and that nobody can want any more. */
#define FEEDS_DROP_SQL                                                                             \
    "WITH dropped AS (DELETE FROM callback_queue q USING callback c"                               \
    "     WHERE c.callback_id = q.callback_id AND c.created_at = q.created_at AND q.parked AND q.kind LIKE '/feed/%'" \
    "       AND coalesce(q.expires_at, c.expires_at) < now() - interval '7 days'"                  \
    "     RETURNING q.callback_id, q.owner_instance),"                                             \
    " fate AS (INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"  \
    "   SELECT callback_id, 0, date_trunc('milliseconds', clock_timestamp()), owner_instance, 'expired' FROM dropped)" \
    " SELECT count(*) AS feeds_dropped FROM dropped"

/* integrator or NULL */
#define FEED_LIST_SQL                                                                              \
    "SELECT i.name AS integrator, s.kind, s.created_at AS since FROM feed_subscription s JOIN integrator i USING (integrator_id)" \
    " WHERE $1::text IS NULL OR i.name = $1 ORDER BY i.name, s.kind"
/* integrator, kinds with commas between */
#define FEED_SUBSCRIBE_SQL                                                                         \
    "WITH added AS (INSERT INTO feed_subscription (integrator_id, kind)"                           \
    "     SELECT integrator_id, unnest(string_to_array($2, ',')) FROM integrator WHERE name = $1 ON CONFLICT DO NOTHING)" \
    " SELECT name AS integrator, unnest(string_to_array($2, ',')) AS kind FROM integrator WHERE name = $1"
#define FEED_UNSUBSCRIBE_SQL                                                                       \
    "DELETE FROM feed_subscription s USING integrator i"                                           \
    " WHERE i.integrator_id = s.integrator_id AND i.name = $1 AND s.kind = ANY (string_to_array($2, ','))" \
    " RETURNING i.name AS integrator, s.kind"

// clang-format on

#endif
