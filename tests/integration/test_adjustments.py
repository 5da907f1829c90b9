"""Evidence that comes after the end never edits it: it becomes an adjustment, a person is told, and the integrator
hears nothing twice."""
import pytest

from vendgate.purchase import Purchase
from vendgate.waiting import stays, wait_until


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.query_every": "1s"}


def adjustments(purchase):
    return [(row["says"], row["outcome"]) for row in purchase.database.rows(
        "SELECT a.* FROM txn_adjustment a JOIN txn USING (txn_id) WHERE ref = %s ORDER BY adjustment_id", purchase.ref)]


def alarms(gateway):
    return gateway.metric("vendgate_alerts_total", what="contrary_evidence")


@pytest.fixture
def failed(shop, machine):
    """A purchase that the machine said had failed."""
    machine.vend = None
    made = Purchase(shop, machine)
    made.lock()
    made.select()
    made.pay()
    made.wait_state("VENDING")
    machine.not_dispensed()
    made.vend()
    made.wait_state("FAILED")
    return made


def test_goods_that_came_out_after_all(gateway, failed):
    before = alarms(gateway)
    approval, = failed.machine.device.approvals
    failed.machine.dispensed(approval)
    wait_until(lambda: adjustments(failed) == [("dispensed", "FAILED")], 10, "an adjustment")
    failed.machine.event("dispensed", approval=approval, item=11, quantity=1)
    wait_until(lambda: alarms(gateway) >= before + 2, 10, "each such word is told to a person")
    assert adjustments(failed) == [("dispensed", "FAILED")], "but noted once"
    assert failed.state() == "FAILED" and len(failed.finals()) == 1


def test_a_vend_that_did_not_happen_after_all(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.buy()
    purchase.wait_state("VENDED")
    approval, = machine.device.approvals
    machine.event("not_dispensed", approval=approval, code=5)
    wait_until(lambda: adjustments(purchase) == [("not_dispensed", "VENDED")], 10, "an adjustment")
    assert purchase.state() == "VENDED" and len(purchase.finals()) == 1


def test_what_agrees_is_only_journalled(gateway, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.buy()
    purchase.wait_state("VENDED")
    approval, = machine.device.approvals
    before, events = alarms(gateway), len(purchase.events())
    machine.event("dispensed", approval=approval, item=11, quantity=1)
    wait_until(lambda: len(purchase.events()) == events + 1, 10, "it is journalled")
    assert not adjustments(purchase) and alarms(gateway) == before


def test_a_journal_that_says_otherwise_at_hello(gateway, failed):
    """The flash remembers what the event did not say."""
    approval, = failed.machine.device.approvals
    failed.machine.disconnect()
    failed.machine.device.approvals[approval].update(state="dispensed", on_bus=True)
    failed.machine.connect()
    wait_until(lambda: adjustments(failed) == [("dispensed", "FAILED")], 10, "an adjustment")
    before = alarms(gateway)
    failed.machine.reconnect()
    stays(lambda: alarms(gateway) == before, 2, "looked into once")
    assert failed.state() == "FAILED" and len(failed.finals()) == 1
