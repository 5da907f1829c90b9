"""A whole purchase, on every way that the contract offers."""
import pytest

from vendgate.api import Api
from vendgate.integrator import ACCEPT, Reply, signed_rightly
from vendgate.purchase import Purchase
from vendgate.waiting import stays, wait_until

BASES = ["", "/connectivity-platform"]


@pytest.mark.parametrize("base", BASES, ids=["root", "published-base"])
@pytest.mark.parametrize("credentials", ["key", "basic"])
@pytest.mark.parametrize("version", [4, 5])
def test_lock_select_pay_dispense(gateway, shop, make_machine, version, credentials, base):
    machine = make_machine(gateway, shop, version=version)
    api = Api(gateway, shop.api_key, base=base) if credentials == "key" else \
        Api(gateway, user=shop.name, password=f"pw-{shop.name}", base=base)
    purchase = Purchase(shop, machine, api=api)

    locked = purchase.lock()
    assert locked.status == 200 and locked.body["message"] is None
    assert 55 <= locked.body["timeout"] <= 60
    request = purchase.select(label="B3", item=23)
    assert request.body == {"txn_ref": purchase.ref, "new_txn_ref": "", "selection": "B3", "cents": 150}
    purchase.pay()
    vend = purchase.vend()
    assert vend.body == {"txn_ref": purchase.ref, "success": True, "code": ""}
    assert signed_rightly(request, shop.secret) and signed_rightly(vend, shop.secret)
    assert request.headers["content-type"] == "application/json"
    approve, = machine.seen("approve")
    assert machine.dispensed_approvals == [approve["approval"]]
    assert (approve["item"], approve["price"], approve["amount"]) == (23, 150, 150)
    purchase.assert_settled_once("VENDED", motor=1)


@pytest.mark.parametrize("discount, surcharge, amount", [(0, 25, 175), (50, 0, 100), (150, 0, 0), (10, 30, 170)])
def test_surcharge_and_discount_reach_the_machine_as_the_amount(shop, machine, discount, surcharge, amount):
    purchase = Purchase(shop, machine)
    purchase.buy(discount=discount, surcharge=surcharge)
    approve, = machine.seen("approve")
    assert (approve["price"], approve["amount"]) == (150, amount)
    row = purchase.row()
    assert (row["price"], row["discount"], row["surcharge"], row["amount"]) == (150, discount, surcharge, amount)


def test_a_free_product_goes_the_same_way(shop, machine):
    purchase = Purchase(shop, machine, price=0)
    assert purchase.buy().body["success"] is True
    assert machine.seen("approve")[0]["amount"] == 0
    assert shop.server.wait("/txn/request", purchase.ref).body["cents"] == 0


@pytest.mark.parametrize("balance, told", [(65535, None), (1000, 1000), (70000, 65534)])
def test_the_machine_hears_the_balance_unless_it_is_unknown(shop, machine, balance, told):
    purchase = Purchase(shop, machine)
    purchase.lock(balance=balance)
    assert machine.seen("lock")[0].get("balance") == told


def test_the_older_field_name_id_still_works(shop, machine):
    purchase = Purchase(shop, machine)
    fields = {"id": machine.vm_id, "txnRef": purchase.ref}
    assert shop.api.call("/api/lock", {**fields, "balance": 65535, "field_of_tomorrow": [1]}).success
    assert shop.api.call("/api/unlock", fields).success


def test_retries_carry_the_same_webhook_id_and_a_signature_of_their_own(shop, machine):
    shop.server.script("/txn/request", Reply(status=503), Reply(hang_up=True))
    shop.server.script("/txn/vend", Reply(status=500), ACCEPT)
    purchase = Purchase(shop, machine)
    purchase.lock()
    machine.select()
    purchase.request(count=3)
    purchase.pay()
    shop.server.wait("/txn/vend", purchase.ref, count=2)
    for path, count in (("/txn/request", 3), ("/txn/vend", 2)):
        attempts = shop.server.callbacks(path, purchase.ref)
        assert len(attempts) == count and len({c.id for c in attempts}) == 1
        assert len({c.raw for c in attempts}) == 1
        assert all(signed_rightly(c, shop.secret) for c in attempts)
    assert len({c.id for c in shop.server.callbacks(ref=purchase.ref)}) == 2
    purchase.assert_settled_once("VENDED", motor=1)


def test_the_timeline_tells_every_step_callback_and_attempt(ctl, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.buy()
    purchase.assert_settled_once("VENDED", motor=1)

    def complete():
        told = ctl.json("txn", "show", purchase.ref)
        text = str(told)
        wanted = ["'lock'", "lock_accepted", "selection", "'paid'", "dispensed", "/txn/request", "/txn/vend"]
        return all(word in text for word in wanted) and text.count("delivered") >= 2
    wait_until(complete, 10, lambda: ctl.run("txn", "show", purchase.ref).stdout)
    assert [event for event, _ in purchase.events() if event != "approval_taken"] == [
        "lock", "lock_accepted", "selection", "paid", "dispensed"]
    assert purchase.ref in ctl.run("txn", "show", purchase.ref).stdout


def test_post_billing_pays_from_within_the_request(shop, machine):
    """The integrator books at once and deducts after /txn/vend: /api/paid comes before /txn/request is answered."""
    purchase = Purchase(shop, machine)

    def pay_first(callback):
        purchase.pay()
        return ACCEPT
    shop.server.script("/txn/request", pay_first)
    purchase.lock()
    machine.select()
    assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("VENDED", motor=1)


def test_reference_payment_may_take_its_time(shop, machine):
    """The integrator asks its customer first: nothing moves until it has paid."""
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    stays(lambda: not machine.seen("approve") and purchase.state() == "REQUESTED", 1.5)
    purchase.pay()
    assert purchase.vend().body["success"] is True


def test_the_machine_is_free_again_after_a_purchase(shop, machine):
    for _ in range(3):
        purchase = Purchase(shop, machine)
        assert purchase.buy().body["success"] is True
    assert len(set(machine.dispensed_approvals)) == 3
    assert shop.api.search(machine.vm_id).body["vendingMachine"]["busy"] is False


@pytest.mark.parametrize("code", [5, 4, 206, 207])
def test_a_failed_dispense_is_told_with_the_machines_code(shop, machine, code):
    machine.vend = None
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    machine.not_dispensed(code=code)
    assert purchase.vend().body == {"txn_ref": purchase.ref, "success": False, "code": str(code)}
    purchase.assert_settled_once("FAILED", motor=0)


def test_two_integrators_may_use_the_same_ref(ctl, shop, rival, gateway, make_machine):
    mine, theirs = make_machine(gateway, shop), make_machine(gateway, rival)
    first = Purchase(shop, mine)
    second = Purchase(rival, theirs, ref=first.ref)
    first.lock()
    second.lock()
    first.select()
    second.select()
    first.pay()
    second.pay()
    assert first.vend().body["success"] and second.vend().body["success"]
    first.assert_settled_once("VENDED", motor=1)
    second.assert_settled_once("VENDED", motor=1)
