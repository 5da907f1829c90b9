"""An outcome that stays unknown to its deadline is decided by the integrator's policy. Long: the shortest times that
the configuration allows are half a minute."""
import pytest

from vendgate.purchase import Purchase
from vendgate.waiting import stays, wait_until

pytestmark = pytest.mark.full


@pytest.fixture
def doubted(make_gateway, make_integrator, make_machine):
    """doubted(policy, ...): purchases of machines that went away with the approval; the gateway was killed, the
    deadline of each has passed meanwhile, and it has been started again."""
    def make(*policies):
        gateway = make_gateway({"timers.offline_grace": "1s"})
        purchases = []
        for policy in policies:
            shop = make_integrator(gateway)
            shop.ctl.database.rows("UPDATE integrator SET doubt_policy = %s WHERE integrator_id = %s", policy, shop.id)
            machine = make_machine(gateway, shop)
            machine.vend = None
            purchase = Purchase(shop, machine)
            purchase.lock()
            purchase.select()
            purchase.pay()
            purchase.wait_state("VENDING")
            machine.disconnect()
            purchase.wait_state("IN_DOUBT")
            purchases.append(purchase)
        gateway.kill()
        gateway.database.rows("UPDATE txn SET deadline_at = now() WHERE state = 'IN_DOUBT'")
        gateway.start()
        return gateway, purchases
    return make


def test_the_policy_decides_after_the_recovery_grace(doubted):
    gateway, (refund, capture, hold) = doubted("refund", "capture", "hold")
    stays(lambda: all(p.state() == "IN_DOUBT" for p in (refund, capture, hold)), 20, "the grace is kept")
    assert refund.vend(timeout=30).body == {"txn_ref": refund.ref, "success": False, "code": "203"}
    assert capture.vend(timeout=30).body == {"txn_ref": capture.ref, "success": True, "code": ""}
    wait_until(lambda: gateway.metric("vendgate_alerts_total", what="doubt_hold") > 0, 10, "an alarm")
    assert hold.state() == "IN_DOUBT" and not hold.finals()
    refund.assert_settled_once("FAILED", motor=0)
    alarms = gateway.metric("vendgate_alerts_total", what="contrary_evidence")
    refund.machine.connect()
    refund.machine.dispensed()  # it had happened after all: a matter for people, not for the integrator
    wait_until(lambda: gateway.metric("vendgate_alerts_total", what="contrary_evidence") > alarms, 10, "an alarm")
    assert refund.state() == "FAILED" and len(refund.finals()) == 1
    hold.machine.connect()
    hold.machine.dispensed()
    assert hold.vend().body["success"] is True
    hold.assert_settled_once("VENDED", motor=1)


def test_a_machine_that_is_back_is_heard_before_the_policy(doubted):
    _gateway, (purchase,) = doubted("refund")
    machine = purchase.machine
    machine.hold("query")
    machine.connect()
    machine.take("query")
    stays(lambda: purchase.state() == "IN_DOUBT", 35, "it is waited for, beyond the recovery grace")
    machine.dispensed()
    assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("VENDED", motor=1)
