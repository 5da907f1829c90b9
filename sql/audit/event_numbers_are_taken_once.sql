-- While an epoch of a machine's event numbers runs, each number is stored once. (An event of an epoch that has ended may be
-- told and stored again; it has no effect.)
WITH epoch AS (
    SELECT vm_id, event_epoch, lead(min(received_at)) OVER (PARTITION BY vm_id ORDER BY event_epoch) AS ended_at
      FROM machine_event WHERE received_at >= $1 AND event_epoch IS NOT NULL GROUP BY vm_id, event_epoch
), numbers AS (
    SELECT vm_id, event_epoch, count(*) AS events, count(*) - count(DISTINCT seq) AS repeats
      FROM machine_event JOIN epoch USING (vm_id, event_epoch)
     WHERE received_at >= $1 AND received_at < coalesce(ended_at, 'infinity')
     GROUP BY vm_id, event_epoch
)
SELECT NULL::bigint AS integrator_id, NULL::bigint AS txn_id, vm_id,
       CASE WHEN repeats > 0 THEN repeats || ' event numbers of epoch ' || event_epoch || ' are stored more than once' END AS wrong
  FROM numbers
