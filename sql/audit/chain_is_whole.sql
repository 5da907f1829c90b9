-- Each journal row of a machine carries a hash over itself and the row before it, and the machine's link state keeps the
-- last: a row that was changed, taken out or slipped in breaks the chain. The first row since a given time is trusted to
-- follow its predecessor. Rows without a hash are older than the chain.
WITH linked AS (
    SELECT e.vm_id, e.txn_id, e.event_id, e.chain_hash,
           lag(e.event_id) OVER w IS NULL AS first, lead(e.event_id) OVER w IS NULL AS last,
           txn_event_hash(CASE WHEN e.vm_id IS NULL THEN '' ELSE lag(e.chain_hash, 1, '') OVER w END, e) AS right_hash,
           min(e.event_id) FILTER (WHERE e.chain_hash IS NOT NULL) OVER () AS first_ever
      FROM txn_event e
     WHERE e.at >= $1
    WINDOW w AS (PARTITION BY e.vm_id ORDER BY e.event_id)
), judged AS (
    SELECT vm_id, txn_id, event_id, last, chain_hash,
           CASE WHEN chain_hash IS NULL THEN event_id > first_ever
                WHEN first AND vm_id IS NOT NULL AND $1::timestamptz > '-infinity' THEN false
                ELSE chain_hash <> right_hash END AS broken
      FROM linked
), chains AS (
    SELECT vm_id, count(*) AS links, count(*) FILTER (WHERE broken) AS broken,
           min(event_id) FILTER (WHERE broken) AS first_broken,
           (array_agg(txn_id ORDER BY event_id) FILTER (WHERE broken))[1] AS txn_id, (array_agg(chain_hash) FILTER (WHERE last))[1] AS head
      FROM judged GROUP BY vm_id
)
SELECT t.integrator_id, c.txn_id, coalesce(c.vm_id, l.vm_id) AS vm_id,
       CASE WHEN c.broken > 0 THEN 'event ' || c.first_broken || ' is not what its hash was made of, or does not follow its predecessor; '
                                   || c.broken || ' of ' || c.links || ' links are broken'
            WHEN l.vm_id IS NOT NULL AND c.links IS NULL AND l.chain_hash <> '' AND $1::timestamptz = '-infinity'
            THEN 'its whole journal is missing'
            WHEN l.vm_id IS NOT NULL AND c.links IS NOT NULL AND l.chain_hash <> coalesce(c.head, '')
            THEN 'the journal does not end with the hash that the machine''s link state keeps: its end is missing' END AS wrong
  FROM chains c
  FULL JOIN machine_link_state l ON l.vm_id = c.vm_id
  LEFT JOIN txn t ON t.txn_id = c.txn_id
