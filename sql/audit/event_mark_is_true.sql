-- Every number of a machine's running epoch up to the mark is stored, or was declared lost by a gap event; none is stored
-- that mark and list do not know.
WITH stored AS (
    SELECT m.vm_id, l.event_epoch, l.mark, l.above, m.seq,
           m.seq - lag(m.seq, 1, CASE WHEN $1::timestamptz = '-infinity' THEN -1 ELSE m.seq - 1 END)
                       OVER (PARTITION BY m.vm_id ORDER BY m.seq) - 1 AS missing
      FROM machine_link_state l JOIN machine_event m ON m.vm_id = l.vm_id AND m.event_epoch = l.event_epoch
     WHERE m.received_at >= $1
), machines AS (
    SELECT vm_id, event_epoch, mark, max(seq) FILTER (WHERE seq <= mark) AS highest,
           sum(missing) FILTER (WHERE seq <= mark AND missing > 0) AS missing,
           count(*) FILTER (WHERE seq > mark AND seq <> ALL (above)) AS unknown
      FROM stored GROUP BY vm_id, event_epoch, mark
), lost AS (
    SELECT m.vm_id, sum(least((b.body ->> 'to')::bigint, l.mark) - (b.body ->> 'from')::bigint + 1) AS numbers
      FROM machine_link_state l JOIN machine_event m ON m.vm_id = l.vm_id AND m.event_epoch = l.event_epoch,
           LATERAL (SELECT convert_from(m.raw, 'UTF8')::jsonb AS body) b
     WHERE m.name = 'gap' AND m.problem IS NULL AND (b.body ->> 'from')::bigint <= l.mark
     GROUP BY m.vm_id
)
SELECT NULL::bigint AS integrator_id, NULL::bigint AS txn_id, vm_id,
       CASE WHEN unknown > 0 THEN unknown || ' stored event numbers of epoch ' || event_epoch || ' are above the mark ' || mark
            WHEN coalesce(missing, 0) + (mark - highest) > coalesce(lost.numbers, 0)
            THEN (missing + mark - highest) || ' event numbers of epoch ' || event_epoch || ' below the mark ' || mark || ' are missing' END AS wrong
  FROM machines LEFT JOIN lost USING (vm_id)
