-- A machine serves one purchase at a time.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN count(*) OVER (PARTITION BY t.vm_id) > 1
            THEN count(*) OVER (PARTITION BY t.vm_id) || ' purchases are under way at ' || t.vm_id END AS wrong
  FROM txn t WHERE t.live
