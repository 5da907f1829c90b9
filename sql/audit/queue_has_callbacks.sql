-- Every entry of the queue leads to its callback.
SELECT c.integrator_id, q.txn_id, NULL::text AS vm_id,
       CASE WHEN c.callback_id IS NULL THEN 'callback ' || q.callback_id || ' ' || q.kind || ' is queued, but not there'
            WHEN (c.kind, c.txn_id) IS DISTINCT FROM (q.kind, q.txn_id)
            THEN 'the queue has ' || q.kind || ' for callback ' || q.callback_id || ', which is ' || c.kind END AS wrong
  FROM callback_queue q LEFT JOIN callback c USING (callback_id, created_at)
 WHERE q.created_at >= $1
