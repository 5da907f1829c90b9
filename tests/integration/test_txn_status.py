"""/ext/txn_status: what an integrator may know of a transaction of its own."""
import time

import pytest

from vendgate.api import Api
from vendgate.integrator import Reply
from vendgate.purchase import Purchase, new_ref
from vendgate.waiting import wait_until

FIELDS = {"txnRef", "vm_id", "state", "final", "selection", "item", "price", "surcharge", "discount", "amount", "balance",
          "created", "paid", "deadline", "timer", "code", "predecessor_ref", "new_txn_ref", "adjustments", "callbacks",
          "timeline"}


def ask(api, ref):
    return api.call("/ext/txn_status", {"txnRef": ref})


def status(purchase, **expected):
    """The transaction as it is told, once it is as expected."""
    def told():
        answer = ask(purchase.shop.api, purchase.ref)
        assert answer.success and set(answer.body["transaction"]) == FIELDS, answer
        transaction = answer.body["transaction"]
        return transaction if expected.items() <= transaction.items() else None
    return wait_until(told, 10, f"{purchase.ref} is told as {expected}")


def is_now(unix_s):
    return isinstance(unix_s, int) and abs(unix_s - time.time()) < 60


def test_a_purchase_is_told_from_lock_to_outcome(shop, machine):
    machine.vend = None
    purchase = Purchase(shop, machine)
    purchase.lock(balance=1000)
    locked = status(purchase, state="LOCKED")
    assert (locked["txnRef"], locked["vm_id"], locked["balance"]) == (purchase.ref, machine.vm_id, 1000)
    assert locked["final"] is False and locked["paid"] is None and locked["code"] == "" and locked["callbacks"] == []
    assert locked["timer"] == "selection" and 0 < locked["deadline"] - time.time() <= 60 and is_now(locked["created"])

    request = purchase.select(label="B3", item=23)
    chosen = status(purchase, state="REQUESTED")
    assert (chosen["selection"], chosen["item"], chosen["price"]) == ("B3", 23, 150)
    assert chosen["timer"] == "payment" and 0 < chosen["deadline"] - time.time() <= 30

    purchase.pay(discount=50, surcharge=7)
    paid = status(purchase, state="VENDING")
    assert (paid["surcharge"], paid["discount"], paid["amount"]) == (7, 50, 107)
    assert paid["final"] is False and is_now(paid["paid"]) and paid["timer"] == "vend"

    machine.dispensed()
    vend = purchase.vend()
    status(purchase, state="VENDED", final=True, deadline=None, timer="none", code="", amount=107)
    told = lambda: [(c["kind"], c["webhook_id"], c["state"]) for c in status(purchase)["callbacks"]]  # noqa: E731
    # the payment may come before the answer to /txn/request, and proves as much
    wait_until(lambda: told() in [[("/txn/request", request.id, arrived), ("/txn/vend", vend.id, "delivered")]
                                  for arrived in ("delivered", "implied")], 10,
               lambda: f"both callbacks are told as delivered: {told()}")
    assert all(callback["attempts"] >= 1 for callback in status(purchase)["callbacks"])


def test_the_timeline_tells_every_step_in_order(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.buy()
    timeline = status(purchase, state="VENDED")["timeline"]
    assert [(step["from"], step["to"]) for step in timeline if step["from"] != step["to"]] == [
        (None, "LOCKING"), ("LOCKING", "LOCKED"), ("LOCKED", "REQUESTED"), ("REQUESTED", "PAID"), ("PAID", "VENDING"),
        ("VENDING", "VENDED")]
    assert [(step["event"], step["to"]) for step in timeline] == purchase.events()
    assert all(is_now(step["time"]) for step in timeline)
    assert timeline[0]["actor"] == "integrator" and timeline[-1]["actor"] == "machine"


def test_an_end_before_payment_tells_its_code(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    machine.end_session()
    assert purchase.closed() == "101"
    status(purchase, state="CLOSED", final=True, code="101", paid=None, amount=0, timer="none")


def test_a_callback_that_is_not_taken_is_told_as_waiting(shop, machine):
    purchase = Purchase(shop, machine)
    shop.server.always("/txn/vend", Reply(status=503))
    try:
        purchase.buy()
        vend = wait_until(lambda: [c for c in status(purchase, state="VENDED")["callbacks"]
                                   if c["kind"] == "/txn/vend" and c["attempts"] > 0], 10, "an attempt is told")[0]
        assert vend["state"] == "waiting"
    finally:
        shop.server.always("/txn/vend", Reply())
    wait_until(lambda: status(purchase)["callbacks"][-1]["state"] == "delivered", 30, "it is told as delivered")


def test_a_renamed_transaction_names_its_neighbours(gateway, make_integrator, make_machine):
    shop = make_integrator(gateway, "--allow-rename")
    machine = make_machine(gateway, shop)
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    machine.withdraw()
    machine.select(price=170)
    successor = Purchase(shop, machine, ref=purchase.request(count=2).body["new_txn_ref"])
    status(purchase, state="CLOSED", new_txn_ref=successor.ref, predecessor_ref=None)
    status(successor, state="REQUESTED", predecessor_ref=purchase.ref, new_txn_ref=None, price=170)
    for superseded, action in ((shop.api.unlock(machine.vm_id, purchase.ref), "wait"),
                               (shop.api.paid(purchase.ref, 150), "refund")):
        assert (superseded.code, superseded.action) == ("REF_SUPERSEDED", action)
        assert superseded.body["txn_ref"] == successor.ref
    assert shop.api.unlock(machine.vm_id, successor.ref).success


@pytest.mark.parametrize("base", ["", "/connectivity-platform"])
def test_it_is_told_for_ever_and_under_both_bases(gateway, shop, make_machine, base):
    machine = make_machine(gateway, shop)
    purchase = Purchase(shop, machine)
    purchase.buy()
    machine.disconnect()
    gateway.restart()
    answer = ask(Api(gateway, shop.api_key, base=base), purchase.ref)
    assert answer.success and answer.body["transaction"]["state"] == "VENDED"


def test_an_unknown_ref_is_no_reason_to_refund_and_is_not_spent(shop, machine):
    purchase = Purchase(shop, machine)
    unknown = ask(shop.api, purchase.ref)
    assert (unknown.status, unknown.success, unknown.code, unknown.action) == (200, False, "TXN_UNKNOWN", None)
    assert "transaction" not in unknown.body
    assert purchase.row() is None
    purchase.buy()


def test_a_transaction_of_somebody_else_is_unknown(shop, rival, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    assert ask(rival.api, purchase.ref).body == ask(rival.api, new_ref("nobodys")).body


def test_a_ref_that_was_paid_without_a_lock_is_told_as_closed(shop):
    ref = new_ref()
    assert shop.api.paid(ref, 150).action == "refund"
    told = ask(shop.api, ref).body["transaction"]
    assert (told["state"], told["final"], told["vm_id"], told["paid"]) == ("CLOSED", True, "", None)


def test_the_ref_must_be_given(shop):
    assert shop.api.call("/ext/txn_status", {}).code == "MISSING_FIELD"
    assert shop.api.call("/ext/txn_status", {"txnRef": 7}).code == "BAD_FIELD"
