-- When a machine's word contradicts the outcome, an adjustment says so: goods of a purchase that failed, none of one sold.
WITH word AS (
    SELECT received_at, vm_id, name, convert_from(raw, 'UTF8')::jsonb ->> 'approval' AS approval
      FROM machine_event
     WHERE received_at >= $2 AND name IN ('dispensed', 'not_dispensed') AND problem IS NULL AND body_hash = sha256(raw)
)
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN a.txn_id IS NULL AND (t.state = 'FAILED') = (w.name = 'dispensed')
            THEN t.state || ', but the machine said ' || w.name || ' at ' || w.received_at || ', and no adjustment says so' END AS wrong
  FROM word w
  JOIN txn t ON t.approval = w.approval AND t.vm_id = w.vm_id
  LEFT JOIN txn_adjustment a ON a.txn_id = t.txn_id AND a.says = w.name
 WHERE (t.updated_at >= $1 OR w.received_at >= $1) AND NOT t.live
