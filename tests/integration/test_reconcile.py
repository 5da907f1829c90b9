"""Ten machines and two integrators buy at once for a minute; then everybody's own records must agree exactly."""
import json
import random
import threading

import pytest

from vendgate.buyers import Buyer
from vendgate.reconcile import Reconciliation
from vendgate.waiting import wait_until

SECONDS = 60
# Those beyond the list behave. Misfortunes strike in every session of their machine.
BEHAVIOURS = ["reconnect_after_approve", "power_loss_before_bus", "reconnect_before_dispensed_ack", "duplicate_events",
              "jam", "power_loss_after_fall", "give_up"]


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.query_every": "1s", "timers.payment": "10s", "machines.takeovers": "1000"}


def buy_and_reconcile(gateway, integrators, make_simulator, folder, meanwhile):
    """Ten machines, all integrators at each, while `meanwhile` runs; then the Reconciliation, without a difference."""
    database = gateway.database
    simulator = make_simulator(gateway, integrators, 10, "--select-after-ms", 100, "--vend-ms", 100,
                               "--away-ms", 500, behaviours=BEHAVIOURS)

    def online():
        return sum(vm["online"] for vm in integrators[0].api.bulk_search(simulator.vm_ids).body["vendingMachines"])
    wait_until(lambda: online() == 10, 20, "ten machines are online")
    logs = {integrator.name: folder / f"{integrator.name}.jsonl" for integrator in integrators}
    buyers = [Buyer(integrator, simulator.vm_ids, logs[integrator.name], surcharge=7 * index)
              for index, integrator in enumerate(integrators)]
    try:
        meanwhile()
    finally:
        for buyer in buyers:
            buyer.stop()
    assert not [error for buyer in buyers for error in buyer.errors]
    wait_until(lambda: database.value("SELECT count(*) FROM txn WHERE live") == 0, 60, "every transaction has ended")
    wait_until(lambda: database.value("SELECT count(*) FROM callback_queue") == 0, 30, "every callback is told")
    simulator.stop()
    result = Reconciliation(database, simulator.state, logs)
    assert not result.differences, "\n".join(result.differences)
    assert {row["vm_id"] for row in result.rows} == set(simulator.vm_ids)
    assert all(buyer.locked for buyer in buyers)
    return result


def test_a_minute_of_buying_reconciles(gateway, shop, rival, make_simulator, tmp_path):
    # The length of the test, not a wait for something.
    result = buy_and_reconcile(gateway, [shop, rival], make_simulator, tmp_path,
                               lambda: threading.Event().wait(SECONDS))
    states = {state: sum(row["state"] == state for row in result.rows) for state in ("VENDED", "FAILED", "CLOSED")}
    assert all(count >= 10 for count in states.values()) and len(result.vended) >= 100, states


@pytest.mark.full
@pytest.mark.parametrize("victim", ["gateway", "database"])
def test_a_minute_of_buying_reconciles_whoever_is_killed_all_the_time(victim, make_gateway, make_integrator,
                                                                      make_simulator, tmp_path):
    gateway = make_gateway({"timers.query_every": "1s", "timers.payment": "10s", "machines.takeovers": "1000"})
    kill = {"gateway": gateway.restart, "database": gateway.database.kick}[victim]

    def kill_and_kill():
        for _ in range(12):
            threading.Event().wait(random.uniform(2, 6))
            kill()
    result = buy_and_reconcile(gateway, [make_integrator(gateway), make_integrator(gateway)], make_simulator, tmp_path,
                               kill_and_kill)
    assert len(result.vended) >= 50


def test_the_reconciler_sees_what_does_not_agree(database, gateway, shop, make_simulator, tmp_path):
    """One purchase, then one lie at a time."""
    simulator = make_simulator(gateway, [shop], 1, "--select-after-ms", 10, "--vend-ms", 10)
    vm_id, = simulator.vm_ids
    wait_until(lambda: shop.api.search(vm_id).body["vendingMachine"]["online"], 20, "it is online")
    log = tmp_path / "shop.jsonl"
    buyer = Buyer(shop, [vm_id], log)
    wait_until(lambda: database.value("SELECT count(*) FROM txn WHERE vm_id = %s AND state = 'VENDED'", vm_id) > 0, 20)
    buyer.stop()
    wait_until(lambda: database.value("SELECT count(*) FROM callback_queue") == 0, 10)
    simulator.stop()

    def differences():
        found = Reconciliation(database, simulator.state, {shop.name: log}).differences
        return [text for text in found if vm_id in text or "believes" in text or "does not know" in text]
    assert not [text for text in differences() if vm_id in text]
    goods = simulator.state / f"{vm_id}.goods"
    fell, told = goods.read_text(), log.read_text()
    goods.write_text(fell + fell.splitlines()[0] + "\n")
    assert any("2 items fell" in text for text in differences())
    goods.write_text("")
    assert any("0 items fell" in text for text in differences())
    goods.write_text(fell)
    log.write_text("".join(line + "\n" for line in told.splitlines() if "/txn/vend" not in line))
    assert any("should have been told" in text for text in differences())
    log.write_text(told)
    _sees_false_answers(database, simulator.state, shop.name, log, tmp_path / "calls.jsonl")
    _sees_what_came_later(database, simulator.state, {shop.name: log}, vm_id)


def _sees_false_answers(database, state, name, log, calls):
    """What the integrator was answered cannot stand beside its only purchase, which is VENDED."""
    row, = database.rows("SELECT ref, price FROM txn JOIN integrator USING (integrator_id)"
                         " WHERE name = %s AND state = 'VENDED' LIMIT 1", name)

    def differences(path, ref, price, **answer):
        calls.write_text(json.dumps({"path": path, "body": {"txnRef": ref, "price": price}, "answer": answer}) + "\n")
        return "".join(Reconciliation(database, state, {name: log}, {name: calls}).differences)
    assert "was answered" not in differences("/api/paid", row["ref"], row["price"], success=True)
    assert "does not know it" in differences("/api/paid", "never-heard-of", 5, success=True)
    assert "the payment on record is" in differences("/api/paid", row["ref"], row["price"] + 1, success=True)
    assert "not to be given back" in differences("/api/paid", row["ref"], 1, success=False, action="refund")
    assert "it did not end so" in differences("/api/unlock", row["ref"], 0, success=True)


def _sees_what_came_later(database, state, logs, vm_id):
    """A comparison that begins where another ended sees goods that fall again, callbacks that come again, lost rows."""
    place = Reconciliation(database, state, logs).place
    later = Reconciliation(database, state, logs, since=place)
    assert not later.rows and not later.differences
    goods = state / f"{vm_id}.goods"
    fell = goods.read_text()
    goods.write_text(fell + fell.splitlines()[0] + "\n")
    assert any("fell, but" in text for text in Reconciliation(database, state, logs, since=place).differences)
    goods.write_text(fell)
    log, = logs.values()
    log.write_text(log.read_text() + log.read_text().splitlines()[-1] + "\n")
    assert any("not what the database holds" in text
               for text in Reconciliation(database, state, logs, since=place).differences)
    place["settled"][0][1] += 1
    assert any("has changed" in text for text in Reconciliation(database, state, logs, since=place).differences)
