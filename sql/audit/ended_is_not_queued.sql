-- A callback whose end is on record is not sent any more, unless a person sent it again.
SELECT c.integrator_id, c.txn_id, NULL::text AS vm_id,
       CASE WHEN q.callback_id IS NOT NULL THEN 'callback ' || c.callback_id || ' ' || c.kind || ' is still sent, though it was '
            || a.fate END AS wrong
  FROM callback c
  JOIN (SELECT callback_id, min(fate) AS fate FROM callback_attempt
         WHERE started_at >= $1::timestamptz - interval '1 day' AND fate <> 'pending' GROUP BY 1) a USING (callback_id)
  LEFT JOIN callback_queue q ON q.callback_id = c.callback_id AND NOT q.parked AND q.replays = 0
 WHERE c.created_at >= $1
