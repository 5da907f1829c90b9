-- No purchase under way waits without an end.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN t.timer IS NULL OR t.deadline_at IS NULL THEN t.state || ' without a deadline' END AS wrong
  FROM txn t WHERE t.live
