"""Two gateways on one database: whoever shows no sign of life for a lease loses its callbacks to the other, whole and in
order, and cannot end them any more."""
import os
import signal
import threading

import pytest

from conftest import Integrator, connect_when_known, wait_online
from vendgate.gateway import Gateway
from vendgate.integrator import ACCEPT, Reply, signed_rightly
from vendgate.purchase import Purchase
from vendgate.waiting import stays, wait_until

SETTINGS = {"store.heartbeat": "300ms", "store.lease": "2s", "timers.query_every": "1s"}
BUSY = Reply(status=503, body={"message": "later"})


@pytest.fixture
def pair(cluster, ca, tmp_path):
    """Two gateways, "first" and "second", on a database of their own."""
    database = cluster.database()
    made = [Gateway(database, ca, tmp_path / name, {**SETTINGS, "instance.name": name}).start()
            for name in ("first", "second")]
    yield made
    for gateway in made:
        gateway.close()
    cluster.drop(database)


@pytest.fixture
def first(pair):
    return pair[0]


@pytest.fixture
def second(pair):
    return pair[1]


@pytest.fixture
def shop(first, make_integrator):
    return make_integrator(first)


@pytest.fixture
def machine(first, shop, make_machine):
    return make_machine(first, shop)


def attempts(database, webhook_id):
    """(gateway, result, fate) of each attempt at a callback, oldest first."""
    return [tuple(row.values()) for row in database.rows("""
        SELECT g.name, a.result, a.fate FROM callback_attempt a JOIN callback c USING (callback_id)
        JOIN gateway_instance g USING (instance_id) WHERE c.webhook_id = %s ORDER BY a.started_at""", webhook_id)]


def nothing_owed(database):
    return database.value("SELECT count(*) FROM callback_queue") == 0


def dispensed(purchase, machine):
    """Bought up to the product's fall."""
    machine.vend = None
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    wait_until(lambda: machine.device.approvals, 10, "the machine has its approval")
    machine.dispensed()


def test_a_killed_gateways_callbacks_are_sent_by_the_other(first, second, shop, machine):
    shop.server.always("/txn/vend", BUSY)
    purchase = Purchase(shop, machine)
    dispensed(purchase, machine)
    told = shop.server.wait("/txn/vend", purchase.ref)
    first.kill()
    shop.server.always("/txn/vend", ACCEPT)
    wait_until(lambda: nothing_owed(second.database), 20, "the other has told everything")
    last = shop.server.callbacks("/txn/vend", purchase.ref)[-1]
    assert (last.id, last.raw) == (told.id, told.raw) and signed_rightly(last, shop.secret)
    assert attempts(second.database, told.id)[-1] == ("second", "delivered", "delivered")
    assert "callbacks_adopted" in second.log()


def owe(gateway, integrator, lane, count):
    """`count` callbacks on a lane, as the gateway would have written them, and it has heard of them."""
    ids = [row["id"] for row in gateway.database.rows("""
        WITH made AS (INSERT INTO callback (integrator_id, kind, webhook_id, lane, lane_sequence, expires_at, body)
            SELECT %s, '/txn/vend', 'msg_' || %s || 'x' || n, %s, n, now() + interval '1 h', '{"n":' || n || '}'
              FROM generate_series(1, %s) n ORDER BY n RETURNING callback_id, created_at, lane_sequence)
        INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, kind, renames)
        SELECT callback_id, created_at, instance_id, epoch, %s, %s, '/txn/vend', false FROM made, gateway_instance
         WHERE name = %s ORDER BY callback_id RETURNING callback_id AS id""",
        integrator.id, lane, lane, count, integrator.id, lane, gateway.settings["instance.name"])]
    for callback_id in ids:
        gateway.database.rows("SELECT announce_change('callback', %s)", str(callback_id))


def test_lanes_are_taken_over_whole_and_in_order(first, second, shop):
    shop.server.always("/txn/vend", BUSY)
    lanes = range(900001, 900006)
    for lane in lanes:
        owe(first, shop, lane, 4)
    wait_until(lambda: len(shop.server.callbacks("/txn/vend")) >= len(lanes), 10, "the first tries")
    first.kill()
    shop.server.always("/txn/vend", ACCEPT)
    heard = len(shop.server.callbacks())
    wait_until(lambda: nothing_owed(second.database), 20, "the other has told everything")
    for lane in lanes:
        told = [callback.id for callback in shop.server.callbacks()[heard:] if f"msg_{lane}x" in callback.id]
        assert list(dict.fromkeys(told)) == [f"msg_{lane}x{n}" for n in range(1, 5)], told


def test_what_a_stopped_gateway_ends_late_is_refused(first, second, shop, machine):
    released = threading.Event()
    calls = []

    def slow_once(callback):
        calls.append(callback)
        if len(calls) == 1:
            released.wait(30)
        return ACCEPT

    shop.server.always("/txn/vend", slow_once)
    purchase = Purchase(shop, machine)
    dispensed(purchase, machine)
    told = shop.server.wait("/txn/vend", purchase.ref)
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        again = shop.server.wait("/txn/vend", purchase.ref, count=2, timeout=20)
        wait_until(lambda: nothing_owed(second.database), 10, "the other has told it")
        released.set()  # the first answer lies in the stopped gateway's socket
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    assert (again.id, again.raw) == (told.id, told.raw)
    wait_until(lambda: "callback_completion_refused" in first.log(), 10, "its completion is refused")
    rows = attempts(second.database, told.id)
    assert ("second", "delivered", "delivered") in rows
    assert [fate for name, _, fate in rows if name == "first"] == ["pending"], rows
    assert len([fate for _, _, fate in rows if fate == "delivered"]) == 1


def test_a_stopped_gateway_goes_on_with_its_machines(first, second, shop, machine):
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        shop.server.always("/txn/vend", ACCEPT)
        wait_until(lambda: second.database.value("SELECT count(*) FROM lane_adoption") == 1, 20, "it is taken for dead")
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    wait_until(lambda: "callbacks_taken_over" in first.log(), 10, "it has noticed")
    wait_online(shop, machine, 20)
    machine.vend = "dispensed"
    for _ in range(2):
        Purchase(shop, machine).buy()
    wait_until(lambda: nothing_owed(first.database), 10, "everything is told")


def test_no_attempt_begins_without_a_lease(first, second, shop, machine):
    """While the first is stopped the second owns the callback; when the first wakes it must not send it once more."""
    shop.server.always("/txn/vend", BUSY)
    purchase = Purchase(shop, machine)
    dispensed(purchase, machine)
    shop.server.wait("/txn/vend", purchase.ref)
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        shop.server.always("/txn/vend", ACCEPT)
        wait_until(lambda: nothing_owed(second.database), 20, "the other has told it")
        heard = len(shop.server.callbacks("/txn/vend", purchase.ref))
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    wait_until(lambda: "callbacks_taken_over" in first.log(), 10, "it has noticed")
    stays(lambda: len(shop.server.callbacks("/txn/vend", purchase.ref)) == heard, 2, "it is not told again")


def test_the_callbacks_of_a_purchase_follow_its_machine(first, second, shop, machine):
    """A machine that moves to the other gateway takes its purchase's lane along, though the first lives."""
    shop.server.always("/txn/request", BUSY)
    purchase = Purchase(shop, machine)
    purchase.lock()
    request = purchase.select()
    machine.disconnect()
    machine.gateway = second
    connect_when_known(machine)
    wait_until(lambda: second.metric("vendgate_machines_online") == 1, 10, "the machine is there")
    shop.server.always("/txn/request", ACCEPT)
    wait_until(lambda: attempts(second.database, request.id)[-1:] == [("second", "delivered", "delivered")], 20,
               lambda: f"the other has told it: {attempts(second.database, request.id)}")
    assert first.running()
