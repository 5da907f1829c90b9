-- A purchase that ended unpaid was told so exactly once if its lock was answered success:true. None is told when the
-- integrator ended it itself, or when a new ref took it over: then that ref carries the promise (and if nobody may have
-- heard of it, both are told; see rename_closes_both).
WITH ended AS (
    SELECT t.integrator_id, t.txn_id, t.vm_id, t.closed_by, t.closed_by = 'selection_renaming' AS renamed,
           (t.lock_answered AND t.closed_by NOT IN ('unlock', 'selection_renaming'))::integer AS owed, coalesce(c.told, 0) AS told
      FROM txn t
      LEFT JOIN (SELECT txn_id, count(*) AS told FROM callback
                  WHERE created_at >= $2 AND kind = '/txn/unlock' GROUP BY txn_id) c USING (txn_id)
     WHERE t.updated_at >= $1 AND t.state = 'CLOSED'
)
SELECT e.integrator_id, e.txn_id, e.vm_id,
       CASE WHEN e.closed_by IS NULL THEN 'CLOSED, and nothing says by what'
            WHEN e.renamed AND s.predecessor_id IS NULL THEN 'closed by a rename, but no ref took over'
            WHEN e.renamed AND e.told > 1 OR NOT e.renamed AND e.told <> e.owed
            THEN 'closed by ' || e.closed_by || ' with ' || e.told || ' /txn/unlock callbacks, ' || e.owed || ' owed'
       END AS wrong
  FROM ended e LEFT JOIN txn s ON s.predecessor_id = e.txn_id
