"""What an operator does by hand: decides an outcome that stays unknown, frees a machine; and how the policy of a
machine's group comes before the integrator's."""
import pytest

from vendgate.purchase import Purchase
from vendgate.waiting import wait_until


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.offline_grace": "1s"}


@pytest.fixture
def doubted(shop, machine):
    """Paid, the approval is taken, and the machine is gone."""
    machine.vend = None
    made = Purchase(shop, machine)
    made.lock()
    made.select()
    made.pay()
    made.wait_state("VENDING")
    machine.disconnect()
    made.wait_state("IN_DOUBT")
    return made


def operate(gateway, *arguments, check=True):
    return gateway.ctl(*arguments, check=check)


@pytest.mark.parametrize("outcome, state, success", [("vended", "VENDED", True), ("failed", "FAILED", False)])
def test_a_verdict_ends_the_doubt_and_names_who_gave_it(gateway, doubted, outcome, state, success):
    operate(gateway, "txn", "verdict", doubted.shop.name, doubted.ref, outcome, "--because", "looked at the camera")
    told = doubted.vend().body
    assert told["success"] is success and told["code"] == ("" if success else "203")
    assert doubted.wait_state(state)["closed_by"] == f"verdict_{outcome}"
    row, = doubted.database.rows("SELECT e.* FROM txn_event e JOIN txn t USING (txn_id) WHERE t.ref = %s"
                                 " AND e.event LIKE 'verdict%%'", doubted.ref)
    assert row["actor"] == "operator"
    assert row["evidence"]["because"] == "looked at the camera" and row["evidence"]["operator"]
    operate(gateway, "txn", "verdict", doubted.shop.name, doubted.ref, outcome, "--because", "once more")
    assert len(doubted.finals()) == 1


def test_a_verdict_cannot_be_turned_round(gateway, doubted):
    operate(gateway, "txn", "verdict", doubted.shop.name, doubted.ref, "failed", "--because", "empty tray")
    refused = operate(gateway, "txn", "verdict", doubted.shop.name, doubted.ref, "vended", "--because", "x", check=False)
    assert refused.returncode != 0 and "ALREADY_CLOSED" in refused.stderr
    assert doubted.state() == "FAILED"


def test_a_verdict_against_the_machines_later_word_becomes_an_adjustment(gateway, doubted):
    operate(gateway, "txn", "verdict", doubted.shop.name, doubted.ref, "failed", "--because", "empty tray")
    doubted.vend()
    doubted.machine.connect()
    doubted.machine.dispensed()
    says = "SELECT says FROM txn_adjustment JOIN txn USING (txn_id) WHERE ref = %s"
    assert wait_until(lambda: doubted.database.value(says, doubted.ref), 10, "an adjustment") == "dispensed"
    assert doubted.state() == "FAILED" and len(doubted.finals()) == 1
    status = doubted.api.call("/ext/txn_status", {"txnRef": doubted.ref}).body["transaction"]
    assert [a["says"] for a in status["adjustments"]] == ["dispensed"]


def test_a_release_frees_the_machine(gateway, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    operate(gateway, "machine", "release", machine.vm_id, "--because", "the display hangs")
    assert purchase.closed() == "112"
    purchase.assert_settled_once("CLOSED", motor=0)
    machine.wait_command("unlock")
    operate(gateway, "machine", "release", machine.vm_id, "--because", "once more")


def test_a_release_is_refused_once_it_is_paid(gateway, doubted):
    refused = operate(gateway, "machine", "release", doubted.machine.vm_id, "--because", "x", check=False)
    assert refused.returncode != 0 and "ALREADY_PAID" in refused.stderr
    assert doubted.state() == "IN_DOUBT"


def test_a_verdict_without_a_doubt_is_refused(gateway, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    refused = operate(gateway, "txn", "verdict", shop.name, purchase.ref, "failed", "--because", "x", check=False)
    assert refused.returncode != 0 and "NOT_IN_DOUBT" in refused.stderr
