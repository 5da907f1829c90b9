-- While a purchase is under way, no ending of it was told.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN c.kinds IS NOT NULL THEN t.state || ', but told ' || c.kinds END AS wrong
  FROM txn t
  LEFT JOIN (SELECT txn_id, string_agg(kind, ', ') AS kinds FROM callback
              WHERE created_at >= $2 AND kind IN ('/txn/vend', '/txn/unlock') GROUP BY txn_id) c USING (txn_id)
 WHERE t.updated_at >= $1 AND t.live
