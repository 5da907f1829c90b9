-- A purchase that ended unpaid under a new ref that the integrator may never have heard of was ended under its old ref too.
WITH renamed AS (
    SELECT s.txn_id AS new_id, s.ref AS new_ref, p.txn_id, p.integrator_id, p.vm_id
      FROM txn s JOIN txn p ON p.txn_id = s.predecessor_id
     WHERE s.updated_at >= $1 AND s.state = 'CLOSED' AND s.closed_by NOT IN ('unlock', 'selection_renaming')
       AND p.closed_by = 'selection_renaming'
), heard AS (
    SELECT c.txn_id FROM callback c JOIN renamed r ON r.new_id = c.txn_id
     WHERE c.created_at >= $2 AND c.kind = '/txn/request'
       AND (EXISTS (SELECT FROM callback_attempt a WHERE a.callback_id = c.callback_id AND a.started_at >= $2
                       AND a.fate IN ('delivered', 'implied'))
            OR EXISTS (SELECT FROM callback_queue q WHERE q.callback_id = c.callback_id AND NOT q.parked))
)
SELECT r.integrator_id, r.txn_id, r.vm_id,
       CASE WHEN h.txn_id IS NULL AND u.txn_id IS NULL
            THEN 'its new ref ' || r.new_ref || ' was closed without having been heard of, and this one was not told' END AS wrong
  FROM renamed r
  LEFT JOIN heard h ON h.txn_id = r.new_id
  LEFT JOIN (SELECT DISTINCT txn_id FROM callback WHERE created_at >= $2 AND kind = '/txn/unlock') u ON u.txn_id = r.txn_id
