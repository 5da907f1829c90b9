-- Who held, released, skipped, replayed or acknowledged something is on record, and nothing else has these marks.
SELECT integrator_id, NULL::bigint AS txn_id, NULL::text AS vm_id,
       CASE WHEN held_at IS NOT NULL AND act IS DISTINCT FROM 'hold' THEN 'its endpoint is held, and nobody did it'
            WHEN held_at IS NULL AND act = 'hold' THEN 'its endpoint is not held any more, and nobody released it' END AS wrong
  FROM (SELECT e.integrator_id, e.held_at,
               (SELECT a.act FROM callback_act a WHERE a.integrator_id = e.integrator_id AND a.act IN ('hold', 'release')
                 ORDER BY a.act_id DESC LIMIT 1) AS act
          FROM integrator_endpoint e) endpoint
UNION ALL
SELECT c.integrator_id, c.txn_id, NULL,
       CASE WHEN q.replays <> a.replays THEN 'callback ' || c.callback_id || ' was sent again ' || a.replays || ' times, not '
                 || q.replays
            WHEN q.acknowledged_at IS NOT NULL AND a.acknowledged = 0
            THEN 'callback ' || c.callback_id || ' is acknowledged, and nobody did it'
            WHEN f.skipped > a.skipped THEN 'callback ' || c.callback_id || ' was skipped, and nobody did it' END
  FROM callback c
  LEFT JOIN callback_queue q USING (callback_id)
  LEFT JOIN (SELECT callback_id, count(*) AS skipped FROM callback_attempt
              WHERE started_at >= $1::timestamptz - interval '1 day' AND fate = 'skipped' GROUP BY 1) f USING (callback_id)
  LEFT JOIN LATERAL (SELECT count(*) FILTER (WHERE act = 'replay') AS replays, count(*) FILTER (WHERE act = 'skip') AS skipped,
                            count(*) FILTER (WHERE act = 'acknowledge') AS acknowledged
                       FROM callback_act p WHERE p.callback_id = c.callback_id) a ON true
 WHERE c.created_at >= $1 AND (q.callback_id IS NOT NULL OR f.skipped > 0)
