"""Callbacks that a gateway owes, made by SQL just as its steps would have left them, and how they were delivered."""
import collections

# The kinds are taken in turn by the lanes. Ids rise in every lane, and the lanes of all take turns, as purchases at
# many machines do.
ADD = """
WITH owner AS (SELECT instance_id, epoch FROM gateway_instance WHERE name = %(instance)s),
 lane AS (SELECT integrator_id, (%(kinds)s::text[])[(n - 1) %% cardinality(%(kinds)s) + 1] AS kind,
     nextval('txn_id_seq') AS number
   FROM unnest(%(integrators)s::bigint[]) AS integrator_id, generate_series(1, %(lanes)s) AS n),
 row AS (SELECT nextval('callback_id_seq') AS callback_id, planned.* FROM (
     SELECT integrator_id, kind, number, sequence, kind LIKE '/feed/%%' AS loose
       FROM lane, generate_series(1, %(each)s) AS sequence ORDER BY sequence, number) planned),
 made AS (INSERT INTO callback (callback_id, integrator_id, kind, webhook_id, lane, lane_sequence, expires_at, body)
   SELECT callback_id, integrator_id, kind, 'msg_' || md5('backlog ' || callback_id),
       CASE WHEN loose THEN 0 ELSE number END, CASE WHEN loose THEN 0 ELSE sequence END, now() + interval '24 h',
       CASE kind
       WHEN '/txn/vend' THEN json_build_object('txn_ref', number || '-' || sequence, 'success', true, 'code', '')
       WHEN '/txn/unlock' THEN json_build_object('txn_ref', number || '-' || sequence, 'code', '101')
       ELSE json_build_object('vm_id', 'vm-' || number, 'number', sequence) END
     FROM row RETURNING *),
 queued AS (INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, kind,
     renames)
   SELECT callback_id, created_at, instance_id, epoch, integrator_id, lane, kind, renames FROM made, owner RETURNING 1)
SELECT callback_id, integrator_id, kind, webhook_id, lane, lane_sequence, body, (SELECT count(*) FROM queued) AS queued
  FROM made ORDER BY callback_id
"""


class Owed:
    """One callback: .callback_id .integrator_id .kind .webhook_id .lane (0: no order) .lane_sequence .body (a text)."""

    def __init__(self, row):
        self.__dict__.update(row)


class Backlog:
    """The callbacks that were added, and what must hold of their arrival at a Receiver.

    `instance` is the gateway's name; it may never have been started.
    """

    def __init__(self, database, instance="vendgate"):
        self._database, self._instance = database, instance
        self.owed = {}  # webhook-id -> Owed
        database.rows("INSERT INTO gateway_instance (name) VALUES (%s) ON CONFLICT DO NOTHING", instance)

    def add(self, customers, lanes=1, each=1, kinds=("/txn/vend",), announce=False):
        """`lanes` lanes of `each` callbacks for each customer; with `announce` a running gateway hears of them."""
        with self._database.connection() as connection, connection.cursor() as cursor:
            cursor.execute(ADD, {"instance": self._instance, "integrators": [customer.id for customer in customers],
                                 "lanes": lanes, "each": each, "kinds": list(kinds)})
            names = [column.name for column in cursor.description]
            made = [Owed(dict(zip(names, row))) for row in cursor.fetchall()]
            assert len(made) == lanes * each * len(customers) and made[0].queued == len(made)
            if announce:
                cursor.execute("SELECT announce_change('callback', id::text) FROM unnest(%s) AS id",
                               ([owed.callback_id for owed in made],))
        connection.close()
        self.owed.update((owed.webhook_id, owed) for owed in made)
        return made

    def waiting(self, *customers):
        """How many callbacks of these are not delivered yet, as far as the database knows."""
        return self._database.value("SELECT count(*) FROM callback_queue WHERE integrator_id = ANY(%s)",
                                    [customer.id for customer in customers])

    def attempts(self, customer, condition="true"):
        """How many attempts are on record for this customer's callbacks."""
        return self._database.value("SELECT count(*) FROM callback_attempt a JOIN callback c USING (callback_id)"
                                    f" WHERE c.integrator_id = %s AND ({condition})", customer.id)

    def most_attempts(self, customer):
        """Of one of its callbacks, as far as they are on record."""
        return self._database.value("SELECT max(attempts) FROM callback_queue WHERE integrator_id = %s", customer.id)

    def check_arrivals(self, arrivals, owed=None):
        """All are here, byte for byte; each lane came in order, and nothing before its predecessor was answered.

        `owed`: those that must be here; without it, all.
        """
        owed = list(self.owed.values()) if owed is None else owed
        first, answered = {}, {}
        for arrival in arrivals:
            callback = self.owed.get(arrival.id)
            assert callback, f"nobody owes {arrival}"
            assert (arrival.path, arrival.raw.decode()) == (callback.kind, callback.body), "another body under this id"
            first.setdefault(arrival.id, arrival)
            if arrival.answered and arrival.id not in answered:
                answered[arrival.id] = arrival.answered
        missing = [callback.webhook_id for callback in owed if callback.webhook_id not in answered]
        assert not missing, f"{len(missing)} of {len(owed)} were not delivered: {missing[:5]}"
        for lane in self._lanes(owed):
            assert [callback.lane_sequence for callback in lane] == list(range(1, len(lane) + 1))
            for before, after in zip(lane, lane[1:]):
                assert answered[before.webhook_id] <= first[after.webhook_id].at, f"{after.body} overtook {before.body}"
                assert first[after.webhook_id].headers["webhook-lane-sequence"] == str(after.lane_sequence)

    def check_fates(self, owed=None):
        """The journal: each was delivered once for good, and every other attempt says that it was not the last."""
        owed = list(self.owed.values()) if owed is None else owed
        rows = self._database.rows("SELECT callback_id, fate, count(*) AS times FROM callback_attempt"
                                   " WHERE fate <> 'pending' AND callback_id = ANY(%s) GROUP BY 1, 2",
                                   [callback.callback_id for callback in owed])
        assert sorted((row["callback_id"], row["fate"], row["times"]) for row in rows) == sorted(
            (callback.callback_id, "delivered", 1) for callback in owed)

    @staticmethod
    def _lanes(owed):
        lanes = collections.defaultdict(list)
        for callback in owed:
            if callback.lane:
                lanes[callback.lane].append(callback)
        return [sorted(lane, key=lambda callback: callback.lane_sequence) for lane in lanes.values()]
