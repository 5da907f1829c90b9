"""A customer changes the choice while the session is open: the purchase goes on under a new ref (`new_txn_ref`) if the
integrator allows it, and each ref that it may know of has exactly one ending."""
import uuid

import pytest

from vendgate.integrator import Reply
from vendgate.purchase import Purchase
from vendgate.waiting import wait_until


@pytest.fixture
def shop(gateway, make_integrator):
    """An integrator that understands new_txn_ref."""
    made = make_integrator(gateway)
    made.ctl.database.rows("UPDATE integrator SET allow_rename = true WHERE integrator_id = %s", made.id)
    return made


@pytest.fixture
def purchase(gateway, shop, make_machine):
    """Locked, and the first choice has been told."""
    made = Purchase(shop, make_machine(gateway, shop))
    made.lock()
    made.select()
    return made


def choose_again(purchase, item=12, price=275):
    """The customer chooses something else: the Purchase under its new ref, as /txn/request has told it."""
    told = len(purchase.shop.server.callbacks("/txn/request"))
    purchase.machine.select(item=item, price=price)
    wait_until(lambda: len(purchase.shop.server.callbacks("/txn/request")) > told, 10, "the new choice is told")
    body = purchase.shop.server.callbacks("/txn/request")[-1].body
    assert body["txn_ref"] == purchase.ref and body["cents"] == price
    assert str(uuid.UUID(body["new_txn_ref"])) == body["new_txn_ref"]
    return Purchase(purchase.shop, purchase.machine, price, ref=body["new_txn_ref"])


def wait_confirmed(purchase):
    """The integrator's answer to the /txn/request of this ref is on disk."""
    undelivered = ("SELECT count(*) FROM callback_queue q JOIN txn t USING (txn_id) WHERE t.ref = %s"
                   " AND q.kind = '/txn/request'")
    wait_until(lambda: purchase.database.value(undelivered, purchase.ref) == 0, 10, f"{purchase.ref} is heard")


def test_another_choice_is_sold_under_its_new_ref(purchase):
    new = choose_again(purchase)
    new.pay()
    assert new.vend().body == {"txn_ref": new.ref, "success": True, "code": ""}
    new.assert_settled_once("VENDED", motor=1)
    old = purchase.row()
    assert (old["state"], old["closed_by"]) == ("CLOSED", "selection_renaming") and not purchase.finals()
    assert new.row()["predecessor_id"] == old["txn_id"] and new.row()["session"] == old["session"]
    approve, = purchase.machine.seen("approve")
    assert (approve["item"], approve["price"], approve["amount"]) == (12, 275, 275)


def test_a_choice_taken_back_is_followed_by_another(purchase):
    purchase.machine.withdraw()
    assert purchase.wait_state("WITHDRAWN")
    refused = purchase.api.paid(purchase.ref, purchase.price)
    assert (refused.code, refused.action) == ("NO_SELECTION", "wait")
    new = choose_again(purchase)
    new.pay()
    new.vend()
    new.assert_settled_once("VENDED", motor=1)


def test_the_old_ref_says_which_took_over_and_that_the_money_goes_back(purchase):
    new = choose_again(purchase)
    for answer in (purchase.api.paid(purchase.ref, purchase.price),
                   purchase.api.unlock(purchase.machine.vm_id, purchase.ref),
                   purchase.api.lock(purchase.machine.vm_id, purchase.ref)):
        assert (answer.success, answer.code, answer.body["txn_ref"]) == (False, "REF_SUPERSEDED", new.ref), answer
    assert purchase.api.paid(purchase.ref, purchase.price).action == "refund"
    new.pay()
    new.vend()
    purchase.machine.wait_command("unlock")
    assert purchase.api.paid(purchase.ref, purchase.price).code == "REF_SUPERSEDED"


def test_a_customer_may_change_the_choice_again_and_again(purchase):
    chain = [purchase]
    for number in range(4):
        wait_confirmed(chain[-1])
        chain.append(choose_again(chain[-1], item=20 + number, price=100 + number))
    assert len({link.ref for link in chain}) == 5
    chain[-1].pay()
    chain[-1].vend()
    chain[-1].assert_settled_once("VENDED", motor=1)
    assert not any(link.finals() for link in chain[:-1])


def test_a_rename_that_nobody_heard_of_closes_both_refs(purchase):
    shop, machine = purchase.shop, purchase.machine
    shop.server.always("/txn/request", Reply(status=503))
    machine.select(item=12, price=275)
    new = Purchase(shop, machine, 275, ref=wait_until(
        lambda: purchase.database.value("SELECT ref FROM txn WHERE predecessor_id = %s", purchase.row()["txn_id"]),
        10, "the second choice is on disk"))
    machine.select(item=13, price=300)
    row = new.wait_state("CLOSED")
    assert row["closed_by"] == "selection_changed"
    shop.server.always("/txn/request", Reply())
    assert purchase.closed(timeout=40) == "104" and new.closed(timeout=40) == "104"
    endings = [callback.ref for callback in shop.server.callbacks("/txn/unlock")]
    assert endings.index(purchase.ref) < endings.index(new.ref), "in the order of the lane"
    assert len(purchase.finals()) == len(new.finals()) == 1
    machine.wait_command("unlock")


def test_an_integrator_that_knows_no_renames_hears_the_end_of_its_ref(gateway, make_integrator, make_machine):
    shop = make_integrator(gateway)
    purchase = Purchase(shop, make_machine(gateway, shop))
    purchase.lock()
    purchase.select()
    purchase.machine.select(item=12, price=275)
    assert purchase.closed() == "104"
    purchase.assert_settled_once("CLOSED", motor=0)


def test_the_new_ref_lives_on_after_a_crash(gateway, purchase):
    new = choose_again(purchase)
    wait_confirmed(new)
    gateway.kill()
    gateway.start()
    purchase.machine.reconnect()
    new.pay_patiently()
    assert new.vend().body["success"] is True
    new.assert_settled_once("VENDED", motor=1)
    assert not purchase.finals()


def test_the_same_choice_told_twice_changes_nothing(purchase):
    new = choose_again(purchase)
    device = purchase.machine.device
    before = new.row()["version"]
    purchase.machine.event("selection", **device.waiting, label="12")
    assert new.row()["version"] == before and new.state() == "REQUESTED"
    assert len(purchase.shop.server.callbacks("/txn/request", purchase.ref)) == 2
