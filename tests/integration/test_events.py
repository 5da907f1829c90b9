"""GET /ext/events: an integrator reads its own callbacks back, in order, and misses none."""
import json

import pytest

from vendgate.api import Api
from vendgate.integrator import Reply
from vendgate.purchase import Purchase, new_ref
from vendgate.waiting import stays, wait_until

COLUMNS = "(integrator_id, kind, webhook_id, lane, lane_sequence, expires_at, body)"
FIELDS = {"id", "kind", "webhook_id", "created", "lane", "lane_sequence", "txn_ref", "body", "state", "attempts"}


@pytest.fixture(scope="module")
def gateway_settings():
    return {"store.heartbeat": "200ms"}


def ask(api, after=0, limit=None):
    return api.send("GET", f"/ext/events?after={after}" + (f"&limit={limit}" if limit else ""))


def ready(answer):
    return answer if answer.status != 503 else None


def read(api, after=0, limit=None):
    """Every event from there on, page by page, and the last `next`."""
    found = []
    while True:
        answer = wait_until(lambda: ready(ask(api, after, limit)), 10, "events are told")
        assert answer.success and answer.body["next"] >= after, answer
        assert limit is None or len(answer.body["events"]) <= limit
        found += answer.body["events"]
        after = answer.body["next"]
        if not answer.body["more"]:
            return found, after


def read_until(api, count, after=0):
    def enough():
        found = read(api, after)
        return found if len(found[0]) >= count else None
    return wait_until(enough, 10, f"{count} events")


def read_through(api, last):
    """All events and `next`, once that has come to the id `last`."""
    def far_enough():
        found = read(api)
        return found if found[1] >= last else None
    return wait_until(far_enough, 10, f"the horizon is at {last}")


def newest(database):
    return database.value("SELECT max(callback_id) FROM callback") or 0


class Writer:
    """A transaction of its own that has drawn the next callback's id, and waits."""

    def __init__(self, database, integrator_id):
        self._connection = database.connection()
        with self._connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()")  # as the gateway's fence does
            cursor.execute(f"INSERT INTO callback {COLUMNS} VALUES (%s, '/feed/alerts', 'msg_late', 0, 0, now(), '{{}}')"
                           " RETURNING callback_id", [integrator_id])
            self.id = cursor.fetchone()[0]
            cursor.execute("INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"
                           " VALUES (%s, 0, now(), 1, 'expired')", [self.id])

    def end(self, commit):
        (self._connection.commit if commit else self._connection.rollback)()
        self._connection.close()


def test_callbacks_are_read_back_as_they_were_sent(shop, machine, database):
    before = newest(database)
    purchase = Purchase(shop, machine)
    purchase.buy()
    events, after = read_until(shop.api, 2, before)
    assert [event["kind"] for event in events] == ["/txn/request", "/txn/vend"]
    for event in events:
        assert set(event) == FIELDS and event["txn_ref"] == purchase.ref and event["lane"] == purchase.row()["session"]
        sent = shop.server.callbacks(event["kind"], purchase.ref)[0]
        assert (event["webhook_id"], event["body"]) == (sent.id, sent.body)
        assert event["attempts"] >= 1 and abs(event["created"] - sent.at) < 30
    assert [event["lane_sequence"] for event in events] == [1, 2]
    assert events[0]["id"] < events[1]["id"] <= after
    ended = lambda: [event["state"] for event in read(shop.api, before)[0]]  # noqa: E731
    wait_until(lambda: ended() in (["delivered"] * 2, ["implied", "delivered"]), 10, ended)
    assert read(shop.api, after) == ([], after)


def test_nobody_reads_what_is_another_s(shop, rival, machine, database):
    Purchase(shop, machine).buy()
    last = newest(database)
    assert read_through(rival.api, last)[0] == []


def test_pages_join_without_gap_and_overlap(shop, make_machine, gateway, database):
    for _ in range(3):
        Purchase(shop, make_machine(gateway, shop)).buy()
    count = database.value("SELECT count(*) FROM callback WHERE integrator_id = %s", shop.id)
    whole, _ = read_until(shop.api, count)
    ids = [event["id"] for event in whole]
    assert ids == sorted(set(ids)) and len(ids) == count
    for limit in (1, 2, 500):
        assert [event["id"] for event in read(shop.api, limit=limit)[0]] == ids
    assert [event["id"] for event in read(shop.api, ids[2])[0]] == ids[3:]


@pytest.mark.parametrize("commit", [True, False])
def test_nothing_is_shown_that_an_older_write_may_still_overtake(shop, machine, database, commit):
    before = newest(database)
    _, start = read_through(shop.api, before)
    late = Writer(database, shop.id)
    Purchase(shop, machine).buy()
    assert newest(database) > late.id
    stays(lambda: read(shop.api, start) == ([], start), 2, "nothing above the open write is shown")
    late.end(commit)
    events, _ = read_until(shop.api, 3 if commit else 2, start)
    assert [event["id"] for event in events] == sorted(event["id"] for event in events)
    assert (late.id in [event["id"] for event in events]) is commit


def test_what_was_read_is_complete_while_many_write(shop, make_machine, gateway, database):
    """Read while purchases run: every reading goes on where the last one ended, and together they have everything."""
    _, after = read(shop.api)
    start, seen = after, []
    machines = [make_machine(gateway, shop) for _ in range(3)]
    refs = [new_ref() for _ in range(9)]
    writers = []
    for index, ref in enumerate(refs):
        purchase = Purchase(shop, machines[index % 3], ref=ref)
        writers.append(Writer(database, shop.id))
        purchase.lock()
        purchase.machine.select(price=150)
        purchase.request()
        purchase.pay()
        purchase.vend()
        if index % 2:
            writers.pop(0).end(commit=True)
        found, after = read(shop.api, after)
        seen += found
    for writer in writers:
        writer.end(commit=False)
    last = newest(database)
    while after < last:
        found, after = read(shop.api, after)
        seen += found
    stored = [row["callback_id"] for row in database.rows(
        "SELECT callback_id FROM callback WHERE integrator_id = %s AND callback_id > %s ORDER BY 1", shop.id, start)]
    assert [event["id"] for event in seen] == stored


def test_what_is_owed_is_told_as_waiting_and_what_was_given_up_as_parked(shop, machine, database):
    before = newest(database)
    shop.server.always("/txn/vend", Reply(status=503))
    purchase = Purchase(shop, machine)
    purchase.buy()
    events, _ = read_until(shop.api, 2, before)
    assert events[1]["state"] == "waiting"
    shop.server.always("/txn/vend", Reply(body={"success": False, "message": "no such purchase"}))
    wait_until(lambda: read(shop.api, before)[0][1]["state"] == "parked", 20, "the refused one is parked")
    shop.server.always("/txn/vend", Reply())


def test_a_small_integrator_among_big_ones_is_led_on(shop, rival, machine, database):
    """One call looks at 5,000 callbacks at most; `next` tells how far."""
    _, before = read_through(rival.api, newest(database))
    database.rows(f"WITH c AS (INSERT INTO callback {COLUMNS}"
                  " SELECT %s, '/feed/alerts', 'msg_' || n, 0, 0, now(), '{}' FROM generate_series(1, 6000) n RETURNING *)"
                  " INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"
                  " SELECT callback_id, 0, now(), 1, 'expired' FROM c RETURNING 1", shop.id)
    last = newest(database)
    read_through(rival.api, last)
    first = ask(rival.api, before).body
    assert first["events"] == [] and first["more"] is True and before < first["next"] < last
    assert read(rival.api, first["next"]) == ([], last)


def test_big_bodies_make_small_pages(rival, database):
    before = newest(database)
    body = json.dumps({"planogram": "x" * 50000})
    for _ in range(6):
        database.rows(f"WITH c AS (INSERT INTO callback {COLUMNS}"
                      " VALUES (%s, '/feed/refills', 'msg_big', 0, 0, now(), %s) RETURNING *)"
                      " INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"
                      " SELECT callback_id, 0, now(), 1, 'expired' FROM c RETURNING 1", rival.id, body)
    events, _ = read_until(rival.api, 6, before)
    assert len(events) == 6
    first = ask(rival.api, before).body
    assert len(first["events"]) == 3 and first["more"] is True


def test_it_is_served_under_both_bases_and_only_to_who_is_known(gateway, shop):
    assert wait_until(lambda: shop.api.send("GET", "/connectivity-platform/ext/events").success, 10, "it is served")
    assert shop.basic.send("GET", "/ext/events").success
    assert Api(gateway).send("GET", "/ext/events").status == 401
    assert Api(gateway, "nonsense").send("GET", "/ext/events").status == 401
    assert shop.api.send("GET", "/ext/events?after=x").code == "BAD_FIELD"
    head = shop.api.send("HEAD", "/ext/events")
    assert head.status == 200 and head.raw == b""


def test_after_a_restart_it_goes_on(shop, machine, gateway, database):
    Purchase(shop, machine).buy()
    known, after = read_through(shop.api, newest(database))
    machine.disconnect()
    gateway.restart()
    again, next_after = read(shop.api)
    assert [event["id"] for event in again] == [event["id"] for event in known] and next_after >= after
