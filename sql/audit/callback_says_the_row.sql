-- What a callback says is what the row says, byte by byte: ref, success, code, selection, price. An integrator with
-- strict_codes gets the published code for ours; the setting may have been changed since, so both are right. An unlock of
-- a ref that another took over carries the code of that other.
WITH said AS (
    SELECT c.callback_id, c.kind, c.body, t.*, coalesce(s.outcome_code, t.outcome_code)::text AS unlock_code,
           CASE t.outcome_code WHEN 0 THEN '' WHEN 201 THEN '1' WHEN 209 THEN '1' WHEN 202 THEN '3' WHEN 203 THEN '1000'
                WHEN 206 THEN '5' WHEN 207 THEN '5' ELSE t.outcome_code::text END AS strict_code,
           CASE t.outcome_code WHEN 0 THEN '' ELSE t.outcome_code::text END AS code,
           CASE WHEN c.renames THEN p.ref ELSE t.ref END AS told_ref, CASE WHEN c.renames THEN t.ref ELSE '' END AS new_ref
      FROM callback c
      JOIN txn t USING (txn_id)
      LEFT JOIN txn p ON p.txn_id = t.predecessor_id
      LEFT JOIN txn s ON s.predecessor_id = t.txn_id AND t.closed_by = 'selection_renaming'
     WHERE c.created_at >= $2 AND t.updated_at >= $1
), right_one AS (
    SELECT said.*, CASE kind
        WHEN '/txn/vend' THEN body IN (
            format('{"txn_ref":%s,"success":%s,"code":"%s"}', to_json(ref), (state = 'VENDED')::text, code),
            format('{"txn_ref":%s,"success":%s,"code":"%s"}', to_json(ref), (state = 'VENDED')::text, strict_code))
        WHEN '/txn/unlock' THEN body = format('{"txn_ref":%s,"code":"%s"}', to_json(ref), unlock_code)
        WHEN '/txn/request' THEN body = format('{"txn_ref":%s,"new_txn_ref":%s,"selection":%s,"cents":%s}',
                                               to_json(told_ref), to_json(new_ref), to_json(selection), price)
        ELSE true END AS agrees
      FROM said
)
SELECT integrator_id, txn_id, vm_id,
       CASE WHEN agrees IS NOT TRUE THEN state || ' by ' || coalesce(closed_by, 'nothing yet') || ', code ' || outcome_code
            || ', price ' || price || ', but callback ' || callback_id || ' ' || kind || ' says ' || left(body, 200) END AS wrong
  FROM right_one
