-- A paid purchase's amount is price + surcharge - discount, with the figures that its /api/paid gave.
SELECT t.integrator_id, t.txn_id, t.vm_id,
       CASE WHEN t.amount <> t.price + t.surcharge - t.discount
            THEN format('%s + %s - %s is not %s', t.price, t.surcharge, t.discount, t.amount)
            WHEN j.txn_id IS NULL THEN 'paid_at is set, but the journal knows of no payment'
            WHEN (j.evidence ->> 'price', j.evidence ->> 'surcharge', j.evidence ->> 'discount')
                 IS DISTINCT FROM (t.price::text, t.surcharge::text, t.discount::text)
            THEN format('%s + %s - %s by the row, but it was paid with %s', t.price, t.surcharge, t.discount, j.evidence) END AS wrong
  FROM txn t LEFT JOIN txn_event j ON j.txn_id = t.txn_id AND j.at >= $2 AND j.event = 'paid' AND j.to_state = 'PAID'
 WHERE t.updated_at >= $1 AND t.paid_at IS NOT NULL
