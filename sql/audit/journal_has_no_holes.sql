-- The journal of a purchase has every version once or more, from the first to the row's own, each beginning in the state
-- where the one before it ended, and the last in the row's state.
WITH j AS (
    SELECT txn_id, version, from_state, to_state, event_id,
           lag(to_state) OVER w AS former_state, lag(version) OVER w AS former_version, lead(event_id) OVER w IS NULL AS last
      FROM txn_event
     WHERE at >= $2
    WINDOW w AS (PARTITION BY txn_id ORDER BY version, event_id)
), judged AS (
    SELECT txn_id,
           count(*) FILTER (WHERE version > coalesce(former_version, 0) + 1) AS holes,
           min(coalesce(former_version, 0) + 1) FILTER (WHERE version > coalesce(former_version, 0) + 1) AS first_hole,
           min(event_id) FILTER (WHERE from_state IS DISTINCT FROM former_state) AS torn,
           max(version) AS version, max(to_state::text) FILTER (WHERE last) AS state
      FROM j GROUP BY txn_id
)
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN j.txn_id IS NULL THEN 'it has no journal'
            WHEN j.holes > 0 THEN 'version ' || j.first_hole || ' is missing'
            WHEN j.torn IS NOT NULL THEN 'event ' || j.torn || ' does not begin where the one before it ended'
            WHEN j.version <> t.version THEN 'version ' || t.version || ', but the journal ends at ' || j.version
            WHEN j.state <> t.state THEN t.state || ', but the journal ends in ' || j.state END AS wrong
  FROM txn t LEFT JOIN judged j USING (txn_id)
 WHERE t.updated_at >= $1
