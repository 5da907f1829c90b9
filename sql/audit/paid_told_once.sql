-- A purchase that was paid and has ended was told its result exactly once.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN coalesce(c.vends, 0) <> 1 THEN t.state || ' with ' || coalesce(c.vends, 0) || ' /txn/vend callbacks' END AS wrong
  FROM txn t
  LEFT JOIN (SELECT txn_id, count(*) AS vends FROM callback
              WHERE created_at >= $2 AND kind = '/txn/vend' GROUP BY txn_id) c USING (txn_id)
 WHERE t.updated_at >= $1 AND NOT t.live AND t.paid_at IS NOT NULL
