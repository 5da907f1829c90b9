"""Ten machines and two integrators buy at once for a minute; then everybody's own records must agree exactly."""
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


def test_a_minute_of_buying_reconciles(database, gateway, shop, rival, make_simulator, tmp_path):
    simulator = make_simulator(gateway, [shop, rival], 10, "--select-after-ms", 100, "--vend-ms", 100,
                               "--away-ms", 500, behaviours=BEHAVIOURS)
    bulk = lambda: shop.api.bulk_search(simulator.vm_ids).body["vendingMachines"]  # noqa: E731
    wait_until(lambda: sum(machine["online"] for machine in bulk()) == 10, 20, "ten machines are online")
    logs = {shop.name: tmp_path / "shop.jsonl", rival.name: tmp_path / "rival.jsonl"}
    buyers = [Buyer(shop, simulator.vm_ids, logs[shop.name]),
              Buyer(rival, simulator.vm_ids, logs[rival.name], surcharge=7)]
    try:
        threading.Event().wait(SECONDS)  # the length of the test, not a wait for something
    finally:
        for buyer in buyers:
            buyer.stop()
    assert not [error for buyer in buyers for error in buyer.errors]
    wait_until(lambda: database.value("SELECT count(*) FROM txn WHERE live") == 0, 30, "every transaction has ended")
    wait_until(lambda: database.value("SELECT count(*) FROM callback_queue") == 0, 30, "every callback is told")
    simulator.stop()

    result = Reconciliation(database, simulator.state, logs)
    assert not result.differences, "\n".join(result.differences)
    states = {state: sum(row["state"] == state for row in result.rows) for state in ("VENDED", "FAILED", "CLOSED")}
    assert all(count >= 10 for count in states.values()), states
    assert len(result.vended) >= 100 and all(buyer.locked > 100 for buyer in buyers), states
    assert {row["vm_id"] for row in result.rows} == set(simulator.vm_ids)


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
