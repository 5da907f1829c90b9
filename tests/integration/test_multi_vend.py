"""Several purchases in one session, for integrators that allow it: the machine stays with the customer after the goods
came out, and the next choice goes on under a new ref."""
import pytest

from vendgate.integrator import Reply
from vendgate.purchase import Purchase, new_ref
from vendgate.waiting import stays, wait_until


@pytest.fixture
def shop(gateway, make_integrator):
    made = make_integrator(gateway)
    made.ctl.database.rows("UPDATE integrator SET allow_multi_vend = true WHERE integrator_id = %s", made.id)
    return made


@pytest.fixture
def first(gateway, shop, make_machine):
    """The first purchase, whose goods came out and whose result the integrator has."""
    made = Purchase(shop, make_machine(gateway, shop))
    made.buy()
    made.wait_state("VENDED")
    wait_until(lambda: made.database.value("SELECT count(*) FROM callback_queue q JOIN txn t USING (txn_id)"
                                           " WHERE t.ref = %s", made.ref) == 0, 10, "the result is acknowledged")
    return made


def choose_next(purchase, item=12, price=90):
    told = len(purchase.shop.server.callbacks("/txn/request"))
    purchase.machine.select(item=item, price=price)
    wait_until(lambda: len(purchase.shop.server.callbacks("/txn/request")) > told, 10, "the next choice is told")
    body = purchase.shop.server.callbacks("/txn/request")[-1].body
    assert body["txn_ref"] == purchase.ref and body["cents"] == price and body["new_txn_ref"]
    return Purchase(purchase.shop, purchase.machine, price, ref=body["new_txn_ref"])


def test_three_purchases_in_one_session(first):
    second = choose_next(first)
    second.pay()
    second.vend()
    wait_until(lambda: not first.database.value("SELECT count(*) FROM callback_queue"), 10, "all is acknowledged")
    third = choose_next(second, item=13, price=70)
    third.pay()
    third.vend()
    for purchase in (first, second, third):
        assert purchase.state() == "VENDED" and len(purchase.finals()) == 1
    assert len(first.machine.dispensed_approvals) == 3
    assert len({purchase.row()["session"] for purchase in (first, second, third)}) == 1
    assert not first.machine.seen("unlock")


def test_the_machine_is_kept_for_the_customer(first, gateway, make_integrator):
    rival = make_integrator(gateway)
    rival.grant(first.machine.vm_id)
    wait_until(lambda: rival.api.search(first.machine.vm_id).success, 10, "the grant is known")
    busy = rival.api.lock(first.machine.vm_id, new_ref())
    assert busy.code == "MACHINE_BUSY" and 0 < busy.body["timeout"] <= 60 and "txn_ref" not in busy.body
    assert rival.api.search(first.machine.vm_id).body["vendingMachine"]["busy"] is True
    first.machine.end_session()
    assert rival.api.lock(first.machine.vm_id, new_ref()).success


def test_its_own_integrator_may_begin_anew(first):
    again = Purchase(first.shop, first.machine)
    again.buy()
    again.assert_settled_once("VENDED", motor=2)


def test_a_choice_before_the_result_was_heard_ends_the_session(gateway, shop, make_machine):
    shop.server.always("/txn/vend", Reply(status=503))
    purchase = Purchase(shop, make_machine(gateway, shop))
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDED")
    purchase.machine.select(item=12, price=90)
    purchase.machine.wait_command("unlock")
    assert purchase.database.value("SELECT count(*) FROM txn WHERE vm_id = %s", purchase.machine.vm_id) == 1
    shop.server.always("/txn/vend", Reply())
    purchase.vend(timeout=30)


def test_the_machine_is_free_when_the_time_to_choose_is_over(make_gateway, make_integrator, make_machine):
    gateway = make_gateway({"timers.selection": "15s"})
    shop = make_integrator(gateway)
    shop.ctl.database.rows("UPDATE integrator SET allow_multi_vend = true WHERE integrator_id = %s", shop.id)
    purchase = Purchase(shop, make_machine(gateway, shop))
    wait_until(lambda: shop.ctl.database.value("SELECT allow_multi_vend FROM integrator"), 5, "it is allowed")
    purchase.buy()
    purchase.wait_state("VENDED")
    stays(lambda: not purchase.machine.seen("unlock"), 5, "the customer has time")
    purchase.machine.wait_command("unlock", timeout=20)
    assert shop.api.search(purchase.machine.vm_id).body["vendingMachine"]["busy"] is False


def test_without_permission_the_session_ends_with_the_goods(gateway, make_integrator, make_machine):
    shop = make_integrator(gateway)
    purchase = Purchase(shop, make_machine(gateway, shop))
    purchase.buy()
    purchase.machine.wait_command("unlock")
