-- What an integrator owes by our rows is what it owes by what it was told: the amounts of the purchases sold, against the
-- figures of its own /api/paid for each ref that a successful /txn/vend named to it.
WITH owed AS (
    SELECT integrator_id, sum(amount) AS ours, count(*) AS sold FROM txn WHERE updated_at >= $1 AND state = 'VENDED' GROUP BY 1
), told AS (
    SELECT t.integrator_id,
           sum((j.evidence ->> 'price')::bigint + (j.evidence ->> 'surcharge')::bigint - (j.evidence ->> 'discount')::bigint) AS theirs,
           count(*) AS sold
      FROM txn t
      JOIN callback c ON c.integrator_id = t.integrator_id AND c.created_at >= $2 AND c.kind = '/txn/vend'
       AND c.body = format('{"txn_ref":%s,"success":true,"code":""}', to_json(t.ref))
      LEFT JOIN txn_event j ON j.txn_id = t.txn_id AND j.at >= $2 AND j.event = 'paid' AND j.to_state = 'PAID'
     WHERE t.updated_at >= $1 AND t.paid_at IS NOT NULL
     GROUP BY 1
)
SELECT integrator_id, NULL::bigint AS txn_id, NULL::text AS vm_id,
       CASE WHEN (o.ours, o.sold) IS DISTINCT FROM (t.theirs, t.sold)
            THEN format('%s sold for %s by our rows, %s for %s by what it paid and was told', coalesce(o.sold, 0),
                        coalesce(o.ours, 0), coalesce(t.sold, 0), coalesce(t.theirs, 0)) END AS wrong
  FROM owed o FULL JOIN told t USING (integrator_id)
