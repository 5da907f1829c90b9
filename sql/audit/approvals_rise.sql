-- Each paid purchase has an approval id of its own, and a number that no other of its machine has and that rises.
WITH given AS (
    SELECT integrator_id, txn_id, vm_id, approval, approval_n, updated_at,
           lag(approval_n) OVER (PARTITION BY vm_id ORDER BY txn_id) AS former_n,
           count(*) OVER (PARTITION BY approval) AS holders
      FROM txn WHERE approval IS NOT NULL
)
SELECT g.integrator_id, g.txn_id, g.vm_id,
       CASE WHEN g.holders > 1 THEN g.holders || ' purchases have approval ' || g.approval
            WHEN g.approval_n <= coalesce(g.former_n, 0)
            THEN 'approval number ' || g.approval_n || ' does not rise above ' || coalesce(g.former_n, 0)
            WHEN g.approval_n > l.approval_n
            THEN 'approval number ' || g.approval_n || ', but its machine was given only ' || l.approval_n END AS wrong
  FROM given g JOIN machine_link_state l USING (vm_id)
 WHERE g.updated_at >= $1
