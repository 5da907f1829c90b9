-- A purchase under way ends by its deadline, and none takes longer than the longest timers allow. This warns only: while no
-- gateway runs, deadlines pass without anybody acting.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN t.deadline_at < now() - interval '15 minutes' THEN t.state || ', its deadline passed at ' || t.deadline_at
            WHEN t.state NOT IN ('PAID', 'VENDING', 'IN_DOUBT') AND t.created_at < now() - interval '1 hour'
            THEN t.state || ' since ' || t.created_at
            WHEN t.state IN ('PAID', 'VENDING') AND t.paid_at < now() - interval '4 hours' THEN t.state || ' since ' || t.paid_at
       END AS wrong
  FROM txn t WHERE t.live
