-- A purchase that has ended never moves again.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN bool_or(e.to_state <> e.from_state)
            THEN 'it ended, and then ' || string_agg(e.event || ' made it ' || e.to_state, ', ' ORDER BY e.event_id)
                                           FILTER (WHERE e.to_state <> e.from_state) END AS wrong
  FROM txn_event e LEFT JOIN txn t USING (txn_id)
 WHERE e.at >= $2 AND e.from_state IN ('VENDED', 'FAILED', 'CLOSED')
 GROUP BY 1, 2, 3
