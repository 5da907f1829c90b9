-- Goods came out only for a purchase of that machine that had been paid before.
WITH fell AS (
    SELECT received_at, vm_id, event_epoch, seq, sha256(raw) = body_hash AS intact,
           CASE WHEN sha256(raw) = body_hash THEN convert_from(raw, 'UTF8')::jsonb ->> 'approval' END AS approval
      FROM machine_event WHERE received_at >= $1 AND name = 'dispensed' AND problem IS NULL
)
SELECT t.integrator_id, t.txn_id, f.vm_id,
       CASE WHEN NOT f.intact THEN 'the event ' || f.event_epoch || '/' || f.seq || ' is not what its hash was made of'
            WHEN t.txn_id IS NULL THEN 'goods at ' || f.received_at || ' for approval ' || coalesce(f.approval, '(none)') || ', which no purchase has'
            WHEN t.paid_at IS NULL THEN 'goods for a purchase that is not paid'
            WHEN t.vm_id <> f.vm_id THEN 'goods of an approval that was given to ' || t.vm_id
            WHEN j.at IS NULL THEN 'goods for a purchase whose payment is not in the journal'
            WHEN j.at > f.received_at THEN 'goods at ' || f.received_at || ', before it was paid at ' || j.at END AS wrong
  FROM fell f
  LEFT JOIN txn t ON t.approval = f.approval
  LEFT JOIN txn_event j ON j.txn_id = t.txn_id AND j.event = 'paid' AND j.to_state = 'PAID'
