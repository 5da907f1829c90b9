-- Every journal row and every callback belongs to a purchase that is there, and to its integrator.
SELECT t.integrator_id, x.txn_id, t.vm_id,
       CASE WHEN t.txn_id IS NULL THEN 'there is no purchase ' || x.txn_id || ' for ' || x.what
            WHEN x.integrator_id <> t.integrator_id THEN x.what || ' is another integrator''s' END AS wrong
  FROM (SELECT txn_id, NULL::bigint AS integrator_id, 'event ' || min(event_id) AS what FROM txn_event WHERE at >= $1 GROUP BY txn_id
        UNION ALL
        SELECT txn_id, integrator_id, 'callback ' || callback_id FROM callback WHERE created_at >= $1 AND txn_id IS NOT NULL) x
  LEFT JOIN txn t USING (txn_id)
