-- The callbacks of a session are numbered from 1 without a hole, so that a receiver can see a loss.
SELECT min(c.integrator_id) AS integrator_id, c.lane AS txn_id, NULL::text AS vm_id,
       CASE WHEN count(*) <> max(c.lane_sequence) OR min(c.lane_sequence) <> 1 OR count(DISTINCT c.lane_sequence) <> count(*)
            THEN 'its session''s ' || count(*) || ' callbacks are numbered ' || min(c.lane_sequence) || ' to ' || max(c.lane_sequence) END AS wrong
  FROM callback c
 WHERE c.created_at >= $2 AND c.txn_id IS NOT NULL
   AND c.lane IN (SELECT session FROM txn WHERE created_at >= $1)
 GROUP BY c.lane
