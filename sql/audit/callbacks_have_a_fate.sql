-- Every callback is waiting in the queue, or its fate is on record.
SELECT c.integrator_id, c.txn_id, NULL::text AS vm_id,
       CASE WHEN a.callback_id IS NULL AND q.callback_id IS NULL
            THEN 'callback ' || c.callback_id || ' ' || c.kind || ' is not queued, and nothing says what became of it' END AS wrong
  FROM callback c
  LEFT JOIN callback_queue q USING (callback_id)
  LEFT JOIN (SELECT DISTINCT callback_id FROM callback_attempt
              WHERE started_at >= $1::timestamptz - interval '1 day' AND fate <> 'pending') a USING (callback_id)
 WHERE c.created_at >= $1
