-- A paid purchase ended by what its machine said, by the operator's policy or by an operator's word, and the journal keeps
-- what that was: for goods that came out, the machine's own message.
WITH ended AS (
    SELECT t.integrator_id, t.txn_id, t.vm_id, t.state, t.closed_by, j.step, j.at, j.evidence, j.txn_id IS NOT NULL AS journalled
      FROM txn t
      LEFT JOIN txn_event j ON j.txn_id = t.txn_id AND j.at >= $2 AND j.event = t.closed_by
       AND j.to_state = t.state AND j.from_state IN ('PAID', 'VENDING', 'IN_DOUBT')
     WHERE t.updated_at >= $1 AND t.state IN ('VENDED', 'FAILED')
)
SELECT e.integrator_id, e.txn_id, e.vm_id,
       CASE WHEN NOT e.journalled THEN e.state || ' by ' || coalesce(e.closed_by, 'nothing') || ', which the journal does not know'
            WHEN e.state = 'VENDED' AND e.closed_by NOT IN ('dispensed', 'doubt_capture', 'verdict_vended')
            THEN 'VENDED by ' || e.closed_by
            WHEN e.closed_by = 'dispensed' AND e.evidence ? 'event' AND m.step IS NULL
            THEN 'VENDED by an event that is not among those of the machine'
            WHEN e.closed_by = 'dispensed' AND 'dispensed' NOT IN (coalesce(e.evidence #>> '{event,event}', ''),
                     coalesce(e.evidence #>> '{reply,state}', ''), coalesce(e.evidence #>> '{hello,last,state}', ''))
            THEN 'VENDED without the machine''s word: ' || left(e.evidence::text, 200)
            WHEN e.closed_by LIKE 'verdict_%' AND NOT e.evidence ?& '{operator,because}' THEN 'a verdict of nobody' END AS wrong
  FROM ended e
  LEFT JOIN machine_event m ON m.vm_id = e.vm_id AND m.received_at = e.at AND m.step = e.step AND m.name = 'dispensed'
