"""Callbacks in people's hands: what vendctl shows of them, and what its acts do to the running gateway."""
import json
import re
import time

import pytest

from vendgate.ctl import Ctl
from vendgate.integrator import REFUSE, Reply
from vendgate.purchase import Purchase
from vendgate.waiting import stays, wait_until

AWAY = Reply(status=503)


@pytest.fixture(scope="module")
def gateway_settings():
    return {"store.heartbeat": "200ms"}


@pytest.fixture(autouse=True)
def obliging(shop, database):
    """Whatever a test made the receiver say, afterwards it accepts everything again, and nothing is left on its way."""
    yield
    for path in ("/txn/request", "/txn/vend", "/txn/unlock"):
        shop.server.always(path, Reply())
    all_sent(database, 40)


def all_sent(database, timeout=20):
    wait_until(lambda: database.value("SELECT count(*) FROM callback_queue WHERE NOT parked") == 0, timeout,
               lambda: f"nothing waits: {database.rows('SELECT * FROM callback_waiting WHERE NOT parked')}")


def listed(ctl, *arguments):
    return ctl.json("callback", "list", *arguments)


def shown(ctl, callback):
    return ctl.json("callback", "show", callback)


def state(ctl, callback):
    return shown(ctl, callback)["state"]


def callback_of(database, purchase, kind):
    return database.value("SELECT max(callback_id) FROM callback WHERE txn_id = %s AND kind = %s", purchase.row()["txn_id"],
                          kind)


def refused_vend(shop, machine, database, ctl):
    """A purchase whose /txn/vend was refused and is parked: (purchase, callback)."""
    purchase = Purchase(shop, machine)
    shop.server.always("/txn/vend", lambda sent: REFUSE if sent.ref == purchase.ref else Reply())
    purchase.buy()
    callback = callback_of(database, purchase, "/txn/vend")
    wait_until(lambda: state(ctl, callback) == "parked", 20, "the refused result is parked")
    shop.server.always("/txn/vend", Reply())
    return purchase, callback


# --- what is seen


def test_a_parked_result_is_listed_and_shown_with_what_happened(shop, machine, database, ctl):
    purchase, callback = refused_vend(shop, machine, database, ctl)
    (row,) = listed(ctl, "--integrator", shop.name, "--state", "parked", "--kind", "/txn/vend")[-1:]
    assert (row["callback"], row["ref"], row["attempts"]) == (callback, purchase.ref, 1)
    assert row["next_step"] == "replay, skip or acknowledge" and "no" in row["last_error"]
    assert re.fullmatch(r"00:00:\d\d", row["age"])
    whole = shown(ctl, callback)
    sent = shop.server.callbacks("/txn/vend", purchase.ref)[0]
    assert whole["body"].encode() == sent.raw
    assert whole["headers"]["webhook-id"] == sent.id and "webhook-signature" not in json.dumps(whole)
    (attempt,) = whole["attempts"]
    assert (attempt["number"], attempt["verdict"], attempt["http_status"]) == (1, "refused", 200)
    assert attempt["remote"].startswith("127.0.0.1") and 0 < attempt["first_byte_us"] <= attempt["total_us"]
    assert json.loads(attempt["answer"])["message"] == "no"
    assert whole["acts"] == [] and whole["parked_at"]
    ctl.run("callback", "skip", callback, "--because", "told by phone")


def test_what_needs_somebody_comes_first_then_what_is_owed_then_the_past(shop, machine, make_machine, gateway, database,
                                                                         ctl):
    Purchase(shop, machine).buy()
    _, parked = refused_vend(shop, make_machine(gateway, shop), database, ctl)
    shop.server.always("/txn/vend", AWAY)
    waiting = Purchase(shop, make_machine(gateway, shop))
    waiting.buy()
    rows = listed(ctl, "--integrator", shop.name)
    order = [row["state"] for row in rows]
    assert rows[0]["callback"] == parked and order[0] == "parked"
    assert order[1] == "waiting" and rows[1]["ref"] == waiting.ref
    assert set(order[2:]) <= {"delivered", "implied", "skipped"} and "delivered" in order
    assert len(listed(ctl, "--integrator", shop.name, "--limit", "1")) == 1
    assert {row["state"] for row in listed(ctl, "--state", "delivered")} == {"delivered"}
    assert listed(ctl, "--until", "1h") == [] and len(listed(ctl, "--since", "1h")) >= 4
    assert Ctl(database).run("callback", "list", "--state", "lost", check=False).returncode == 2
    assert ctl.run("callback", "show", 999999, check=False).returncode == 1
    ctl.run("callback", "skip", parked, "--because", "told by phone")


# --- replay


def test_a_parked_result_is_replayed_under_its_id_and_delivered(shop, machine, database, ctl):
    purchase, callback = refused_vend(shop, machine, database, ctl)
    first = shop.server.callbacks("/txn/vend", purchase.ref)[0]
    assert "webhook-replay" not in first.headers
    made = ctl.json("callback", "replay", callback, "--because", "they have mended it")
    assert made == {"callback": callback, "replays": 1}
    second = shop.server.wait("/txn/vend", purchase.ref, 2)
    assert (second.id, second.raw) == (first.id, first.raw) and second.headers["webhook-replay"] == "1"
    wait_until(lambda: state(ctl, callback) == "delivered", 10, "it is delivered")
    whole = shown(ctl, callback)
    assert [(attempt["number"], attempt["fate"]) for attempt in whole["attempts"]] == [(1, "refused"), (2, "delivered")]
    (act,) = whole["acts"]
    assert (act["act"], act["reason"]) == ("replay", "they have mended it") and act["operator"]


def test_a_delivered_one_can_be_replayed_again_and_again(shop, machine, database, ctl):
    purchase = Purchase(shop, machine)
    purchase.buy()
    callback = callback_of(database, purchase, "/txn/vend")
    for times in (1, 2):
        wait_until(lambda: state(ctl, callback) == "delivered", 10, "it is delivered")
        assert ctl.json("callback", "replay", callback, "--because", "again")["replays"] == times
        shop.server.wait("/txn/vend", purchase.ref, times + 1)
    wait_until(lambda: state(ctl, callback) == "delivered", 10, "it is delivered")
    assert len({c.id for c in shop.server.callbacks("/txn/vend", purchase.ref)}) == 1
    assert [attempt["number"] for attempt in shown(ctl, callback)["attempts"]] == [1, 2, 3]
    assert ctl.run("audit", check=False).returncode == 0


def test_what_is_on_its_way_and_a_choice_of_the_past_are_not_replayed(shop, machine, database, ctl):
    shop.server.always("/txn/vend", AWAY)
    waiting = Purchase(shop, machine)
    waiting.buy()
    refused = ctl.run("callback", "replay", callback_of(database, waiting, "/txn/vend"), "--because", "x", check=False)
    assert refused.returncode == 1 and "on its way" in refused.stderr
    request = callback_of(database, waiting, "/txn/request")
    refused = ctl.run("callback", "replay", request, "--because", "x", check=False)
    assert refused.returncode == 1 and "its purchase is VENDED" in refused.stderr
    assert ctl.run("callback", "replay", 999999, "--because", "x", check=False).returncode == 1
    assert ctl.run("callback", "replay", 1, check=False).returncode == 2


def test_a_dry_run_counts_and_changes_nothing(shop, machine, make_machine, gateway, database, ctl):
    for each in (machine, make_machine(gateway, shop)):
        Purchase(shop, each).buy()
    all_sent(database)
    tables = ("callback_queue", "callback_act", "callback_attempt")
    before = [database.value(f"SELECT count(*) FROM {table}") for table in tables]
    heard = len(shop.server.callbacks())
    told = ctl.json("callback", "replay", "--integrator", shop.name, "--kind", "/txn/vend", "--outcome", "delivered",
                    "--rate", "1")
    assert told["dry_run"] is True and told["callbacks"] >= 2 and told["seconds"] == told["callbacks"]
    assert told["kinds"] == [{"kind": "/txn/vend", "callbacks": told["callbacks"]}]
    stays(lambda: len(shop.server.callbacks()) == heard, 1, "nothing is sent")
    assert [database.value(f"SELECT count(*) FROM {table}") for table in tables] == before
    assert "Nothing was sent" in ctl.run("callback", "replay", "--integrator", shop.name).stdout
    assert ctl.run("callback", "replay", "--integrator", shop.name, "--rate", "0", check=False).returncode == 2
    assert ctl.run("callback", "replay", check=False).returncode == 2


def test_many_are_replayed_in_order_at_their_rate(shop, machine, make_machine, gateway, database, ctl):
    since = database.value("SELECT now()::text")
    machines = [machine] + [make_machine(gateway, shop) for _ in range(2)]
    purchases = [Purchase(shop, each) for each in machines * 2]
    for purchase in purchases:
        purchase.buy()
    all_sent(database)
    heard = len(shop.server.callbacks("/txn/vend"))
    began = time.time()
    told = ctl.json("callback", "replay", "--integrator", shop.name, "--kind", "/txn/vend", "--since", since,
                    "--rate", "5", "--yes")
    assert told["replayed"] == 6
    wait_until(lambda: len(shop.server.callbacks("/txn/vend")) == heard + 6, 20, "they are sent again")
    again = shop.server.callbacks("/txn/vend")[heard:]
    assert sorted(c.ref for c in again) == sorted(purchase.ref for purchase in purchases)
    assert all(c.headers["webhook-replay"] == "1" for c in again)
    assert all(c.at >= began + place / 5 - 0.001 for place, c in enumerate(again))
    all_sent(database)
    assert ctl.run("audit", check=False).returncode == 0


def test_a_replay_that_nobody_takes_is_tried_again_and_outlives_a_restart(shop, make_machine, gateway, database, ctl):
    machine = make_machine(gateway, shop)
    purchase, callback = refused_vend(shop, machine, database, ctl)
    shop.server.always("/txn/vend", AWAY)
    ctl.run("callback", "replay", callback, "--because", "again")
    shop.server.wait("/txn/vend", purchase.ref, 2)
    machine.disconnect()
    gateway.kill()
    heard = len(shop.server.callbacks("/txn/vend", purchase.ref))
    shop.server.always("/txn/vend", Reply())
    gateway.start()
    last = shop.server.wait("/txn/vend", purchase.ref, heard + 1, timeout=30)
    assert last.headers["webhook-replay"] == "1"
    wait_until(lambda: state(ctl, callback) == "delivered", 10, "it is delivered")


# --- skip, hold, acknowledge, test


def test_a_skipped_callback_lets_its_lane_go_on(shop, machine, database, ctl):
    shop.server.always("/txn/request", AWAY)
    purchase = Purchase(shop, machine)
    purchase.lock()
    machine.select(price=150)
    shop.server.wait("/txn/request", purchase.ref)
    request = callback_of(database, purchase, "/txn/request")
    machine.end_session()
    purchase.wait_state("CLOSED")
    stays(lambda: not shop.server.callbacks("/txn/unlock", purchase.ref), 1, "the unlock waits for its turn")
    assert listed(ctl, "--kind", "/txn/unlock")[0]["next_step"] == f"after callback {request}"
    ctl.run("callback", "skip", request, "--because", "the customer is gone")
    assert state(ctl, request) == "skipped"
    shop.server.wait("/txn/unlock", purchase.ref)


def test_a_skipped_result_is_not_sent_any_more(shop, machine, database, ctl):
    shop.server.always("/txn/vend", AWAY)
    purchase = Purchase(shop, machine)
    purchase.buy()
    callback = callback_of(database, purchase, "/txn/vend")
    ctl.run("callback", "skip", callback, "--because", "told by phone")
    assert state(ctl, callback) == "skipped"
    wait_until(lambda: stays_quiet(shop, purchase, len(shop.server.callbacks("/txn/vend", purchase.ref))), 20,
               "no further attempt")
    assert state(ctl, callback) == "skipped"
    assert ctl.run("callback", "skip", callback, "--because", "again", check=False).returncode == 1
    assert ctl.run("audit", check=False).returncode == 0


def stays_quiet(shop, purchase, heard, seconds=4):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if len(shop.server.callbacks("/txn/vend", purchase.ref)) != heard:
            return False
        time.sleep(0.05)
    return True


def test_a_held_endpoint_gets_nothing_and_then_everything_in_order(shop, machine, database, ctl):
    held = ctl.json("callback", "hold", shop.name, "--because", "they are moving house")
    assert held["held_reason"] == "they are moving house"
    assert ctl.run("callback", "hold", shop.name, "--because", "x", check=False).returncode == 1
    wait_until(lambda: ctl.json("callback", "test", shop.name), 10)
    heard = len(shop.server.callbacks())
    purchases = []
    for _ in range(2):
        purchase = Purchase(shop, machine)
        purchase.lock()
        machine.select(price=150)
        purchase.wait_state("REQUESTED")
        purchase.pay()
        purchase.wait_state("VENDED")
        purchases.append(purchase)
    stays(lambda: len(shop.server.callbacks()) == heard, 1, "nothing is sent while it is held")
    rows = listed(ctl, "--integrator", shop.name, "--state", "held")
    assert len(rows) >= 2 and all(row["next_step"] == f"release of {shop.name}" for row in rows)
    ctl.run("callback", "release", shop.name)
    for purchase in purchases:
        purchase.vend(timeout=20)
        mine = shop.server.callbacks(ref=purchase.ref)
        assert [int(c.headers["webhook-lane-sequence"]) for c in mine] == sorted(
            int(c.headers["webhook-lane-sequence"]) for c in mine)
    assert ctl.run("callback", "release", shop.name, check=False).returncode == 1
    all_sent(database)
    acts = [row["act"] for row in database.rows(
        "SELECT act FROM callback_act WHERE callback_id IS NULL ORDER BY act_id")]
    assert acts[-2:] == ["hold", "release"] and ctl.run("audit", check=False).returncode == 0


def test_a_test_callback_arrives(shop, gateway, ctl):
    made = ctl.json("callback", "test", shop.name)
    arrived = wait_until(lambda: [c for c in shop.server.callbacks("/feed/alerts") if c.id == made["webhook_id"]], 10,
                         "the test arrives")[0]
    assert arrived.body["vm_id"] == "TEST" and arrived.body["level"] == "Low" and "est" in arrived.body["message"]
    assert abs(arrived.body["time"] - time.time()) < 60 and "webhook-lane-sequence" not in arrived.headers
    wait_until(lambda: state(ctl, made["callback"]) == "delivered", 10, "it is delivered")
    assert ctl.json("callback", "test", shop.name, "--kind", "/feed/refills")["kind"] == "/feed/refills"
    shop.server.wait("/feed/refills")
    assert ctl.run("callback", "test", shop.name, "--kind", "/txn/vend", check=False).returncode == 2
    assert ctl.run("callback", "test", "nobody", check=False).returncode == 1


def test_without_a_gateway_a_test_callback_says_so(cluster):
    database = cluster.database()
    ctl = Ctl(database)
    ctl.run("integrator", "add", "lonely", "--callback-url", "https://localhost")
    refused = ctl.run("callback", "test", "lonely", check=False)
    assert refused.returncode == 1 and "no gateway runs" in refused.stderr
    cluster.drop(database)


def alarms(gateway, callback):
    return len(re.findall(rf"event=alert .*what=vend_callback_parked callback={callback} .*age_s=", gateway.log()))


def test_a_parked_result_raises_the_alarm_until_somebody_takes_note(shop, make_machine, gateway, database, ctl):
    machine = make_machine(gateway, shop)
    _, callback = refused_vend(shop, machine, database, ctl)
    parked = lambda: gateway.metric("vendgate_callbacks_parked", kind="/txn/vend")  # noqa: E731
    others = len(listed(ctl, "--state", "parked", "--kind", "/txn/vend")) - 1
    wait_until(lambda: parked() == others + 1, 40, "the gauge shows it")
    machine.disconnect()
    before = alarms(gateway, callback)
    gateway.restart()
    wait_until(lambda: alarms(gateway, callback) > before and parked() == others + 1, 40,
               "a restart does not silence it")
    noted = ctl.json("callback", "acknowledge", callback, "--because", "we write to them")
    assert noted["callback"] == callback and noted["acknowledged_by"]
    wait_until(lambda: parked() == others, 40, "somebody has taken note")
    assert state(ctl, callback) == "parked"
    (row,) = [row for row in listed(ctl, "--state", "parked") if row["callback"] == callback]
    assert row["next_step"] == "acknowledged; replay or skip"
    ctl.run("callback", "replay", callback, "--because", "they have mended it")
    wait_until(lambda: state(ctl, callback) == "delivered", 10, "it can still be replayed")


# --- feeds


def test_feeds_are_subscribed_by_kind_and_shown(rival, ctl):
    assert ctl.json("feed", "subscribe", rival.name, "alerts", "/feed/refills") == [
        {"integrator": rival.name, "kind": "/feed/alerts"}, {"integrator": rival.name, "kind": "/feed/refills"}]
    assert ctl.json("integrator", "show", rival.name)["feeds"] == ["/feed/alerts", "/feed/refills"]
    assert ctl.run("feed", "subscribe", rival.name, "gossip", check=False).returncode == 1
    assert ctl.run("feed", "subscribe", "nobody", "alerts", check=False).returncode == 1
    assert ctl.json("feed", "unsubscribe", rival.name, "alerts") == [{"integrator": rival.name, "kind": "/feed/alerts"}]
    assert [row["kind"] for row in ctl.json("feed", "list", rival.name)] == ["/feed/refills"]
    assert ctl.run("feed", "unsubscribe", rival.name, "alerts", check=False).returncode == 1


def test_a_feed_that_nobody_took_is_dropped_a_week_after_its_end(cluster):
    """Without a gateway: what is parked and how old it is, the test says."""
    database = cluster.database()
    ctl = Ctl(database)
    ctl.run("integrator", "add", "lonely", "--callback-url", "https://localhost")
    database.rows("INSERT INTO gateway_instance (name) VALUES ('here') RETURNING 1")
    kept, dropped = ctl.json("callback", "test", "lonely")["callback"], ctl.json("callback", "test", "lonely")["callback"]
    for callback, days in ((kept, 6), (dropped, 8)):
        database.rows("UPDATE callback_queue SET parked = true, parked_at = now(), expires_at = now() - %s * interval '1 day'"
                      " WHERE callback_id = %s RETURNING 1", days, callback)
    assert ctl.json("maintain")["feeds_dropped"] == 1
    assert (state(ctl, kept), state(ctl, dropped)) == ("parked", "expired")
    assert ctl.json("maintain")["feeds_dropped"] == 0
    cluster.drop(database)
