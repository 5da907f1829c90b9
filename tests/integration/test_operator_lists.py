"""What an operator sees: outcomes that wait for a verdict, evidence that came too late, refs that took over."""
import pytest

from vendgate.purchase import Purchase
from vendgate.waiting import wait_until


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.offline_grace": "1s"}


def one(rows, ref):
    found, = [row for row in rows if row["ref"] == ref]
    return found


def test_an_unknown_outcome_waits_for_a_verdict_and_the_last_word_is_told(ctl, shop, machine):
    ctl.run("group", "add", "cellar", "--doubt-policy", "hold")
    ctl.run("machine", "set", machine.vm_id, "--group", "cellar")
    machine.vend = None
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    purchase.pay(surcharge=10)
    purchase.wait_state("VENDING")
    assert purchase.ref not in ctl.run("doubt", "list").stdout
    machine.disconnect()
    purchase.wait_state("IN_DOUBT")
    row = one(ctl.json("doubt", "list"), purchase.ref)
    assert (row["integrator"], row["vm_id"], row["amount"]) == (shop.name, machine.vm_id, 160)
    assert (row["policy"], row["last_word"]) == ("hold", "approval_taken")
    assert row["evidence"]["reply"]["state"] == "taken" and row["deadline_at"] and row["age"].startswith("00:0")
    assert purchase.ref in ctl.run("doubt", "list").stdout
    machine.connect()
    machine.dispensed()
    purchase.vend()
    assert purchase.ref not in ctl.run("doubt", "list").stdout


def test_evidence_that_came_too_late_is_listed_and_shown_with_its_purchase(ctl, shop, machine):
    machine.vend = "not_dispensed"
    purchase = Purchase(shop, machine)
    purchase.buy()
    assert one(ctl.json("txn", "show", purchase.ref), purchase.ref)["adjustments"] == []
    machine.dispensed(approval=purchase.row()["approval"])
    row = one(ctl.json("adjustment", "list"), purchase.ref)
    assert (row["vm_id"], row["amount"], row["outcome"], row["says"]) == (machine.vm_id, 150, "FAILED", "dispensed")
    shown, = one(ctl.json("txn", "show", purchase.ref), purchase.ref)["adjustments"]
    assert shown["says"] == "dispensed" and shown["adjustment"] == row["adjustment"]
    assert "says=dispensed" in ctl.run("txn", "show", purchase.ref).stdout


def test_late_evidence_is_open_until_somebody_has_settled_it(ctl, shop, machine):
    machine.vend = "not_dispensed"
    purchase = Purchase(shop, machine)
    purchase.buy()
    machine.dispensed(approval=purchase.row()["approval"])
    number = one(ctl.json("adjustment", "list", "--open"), purchase.ref)["adjustment"]
    settled = ctl.json("adjustment", "settle", number, "--because", "invoiced with March")
    assert settled["because"] == "invoiced with March" and settled["settled_by"] and settled["settled_at"]
    assert purchase.ref not in ctl.run("adjustment", "list", "--open").stdout
    assert one(ctl.json("adjustment", "list"), purchase.ref)["because"] == "invoiced with March"
    assert "settled already" in ctl.run("adjustment", "settle", number, "--because", "again", check=False).stderr
    assert "not only blanks" in ctl.run("adjustment", "settle", number, "--because", " ", check=False).stderr
    assert "no adjustment" in ctl.run("adjustment", "settle", 999, "--because", "x", check=False).stderr


def test_refs_that_follow_each_other_are_shown_with_each_other(ctl, gateway, make_integrator, make_machine):
    shop = make_integrator(gateway, "--allow-rename")
    first = Purchase(shop, make_machine(gateway, shop))
    first.lock()
    first.select()
    first.machine.select(item=12, price=90)
    second = wait_until(lambda: ctl.database.value("SELECT ref FROM txn WHERE predecessor_id = %s",
                                                   first.row()["txn_id"]), 10, "another ref takes over")
    assert one(ctl.json("txn", "show", first.ref), first.ref)["successor"] == second
    shown = one(ctl.json("txn", "show", second), second)
    assert (shown["predecessor"], shown["successor"]) == (first.ref, None)
