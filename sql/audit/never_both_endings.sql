-- No purchase was told both that it was sold (or failed) and that it was never paid.
SELECT integrator_id, txn_id, min(vm_id) AS vm_id,
       CASE WHEN count(DISTINCT kind) > 1 THEN '/txn/vend and /txn/unlock' END AS wrong
  FROM callback c LEFT JOIN txn USING (integrator_id, txn_id)
 WHERE c.created_at >= $2 AND kind IN ('/txn/vend', '/txn/unlock') AND txn_id IS NOT NULL
 GROUP BY integrator_id, txn_id
