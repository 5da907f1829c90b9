"""An operator's verdict on an outcome that stays unknown: it is told once, stands for ever, and the machine's own later
word is noted beside it."""
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


@pytest.fixture
def judge(ctl, gateway, doubted):
    """judge(outcome, because): vendctl's verdict on `doubted`; the completed process."""
    return lambda outcome, because="looked": ctl.run("txn", "verdict", doubted.shop.name, doubted.ref, outcome, "--because",
                                                     because, "--admin-socket", gateway.admin_socket, check=False)


@pytest.mark.parametrize("outcome, state, success", [("vended", "VENDED", True), ("failed", "FAILED", False)])
def test_a_verdict_ends_the_doubt_and_names_who_gave_it(judge, doubted, outcome, state, success):
    assert judge(outcome, "looked at the camera").returncode == 0
    told = doubted.vend().body
    assert told["success"] is success and told["code"] == ("" if success else "203")
    assert doubted.wait_state(state)["closed_by"] == f"verdict_{outcome}"
    row, = doubted.database.rows("SELECT e.* FROM txn_event e JOIN txn t USING (txn_id) WHERE t.ref = %s"
                                 " AND e.event LIKE 'verdict%%'", doubted.ref)
    assert row["actor"] == "operator"
    assert row["evidence"]["because"] == "looked at the camera" and row["evidence"]["operator"]
    assert judge(outcome, "once more").returncode == 0
    assert len(doubted.finals()) == 1


def test_a_verdict_cannot_be_turned_round(judge, doubted):
    assert judge("failed").returncode == 0
    refused = judge("vended")
    assert refused.returncode != 0 and "ALREADY_CLOSED" in refused.stderr
    assert doubted.state() == "FAILED"


def test_a_verdict_against_the_machines_later_word_becomes_an_adjustment(judge, doubted):
    assert judge("failed").returncode == 0
    doubted.vend()
    doubted.machine.connect()
    doubted.machine.dispensed()
    says = "SELECT says FROM txn_adjustment JOIN txn USING (txn_id) WHERE ref = %s"
    assert wait_until(lambda: doubted.database.value(says, doubted.ref), 10, "an adjustment") == "dispensed"
    assert doubted.state() == "FAILED" and len(doubted.finals()) == 1
    status = doubted.api.call("/ext/txn_status", {"txnRef": doubted.ref}).body["transaction"]
    assert [a["says"] for a in status["adjustments"]] == ["dispensed"]
