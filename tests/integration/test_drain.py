"""SIGTERM: what is not paid is closed and told, what is paid survives, and nothing leaks."""
import signal

from vendgate.purchase import Purchase, writes_held_back
from vendgate.waiting import wait_until


def test_nothing_to_do_ends_at_once(make_gateway):
    gateway = make_gateway()
    gateway.stop(timeout=10)  # fails on any exit code but 0; the sanitizers speak through it


def test_unpaid_purchases_are_closed_and_paid_ones_survive(make_gateway, make_integrator, make_machine):
    gateway = make_gateway()
    shop = make_integrator(gateway)

    def purchase():
        return Purchase(shop, make_machine(gateway, shop))
    locking, locked, requested, held, vending = (purchase() for _ in range(5))
    locked.lock()
    requested.lock()
    requested.select()
    for paid in (held, vending):
        paid.machine.vend = None
        paid.lock()
        paid.select()
    held.machine.hold("approve")
    held.pay()
    held.machine.take("approve")
    vending.pay()
    vending.wait_state("VENDING")
    locking.machine.hold("lock")
    call = shop.api.later("lock", locking.machine.vm_id, locking.ref)
    locking.machine.take("lock")

    gateway.stop()  # fails on any exit code but 0

    answer = call.answer()
    assert (answer.status, answer.success, answer.code) == (503, False, "SHUTTING_DOWN")
    assert [p.state() for p in (locking, locked, requested)] == ["CLOSED"] * 3
    assert [p.state() for p in (held, vending)] == ["PAID", "VENDING"]
    gateway.start()
    assert locked.closed() == "116" and requested.closed() == "116"
    held.machine.release()
    held.machine.vend = "dispensed"
    held.machine.connect()
    vending.machine.connect()
    vending.machine.dispensed()
    for paid in (held, vending):
        assert paid.vend(timeout=20).body["success"] is True
        paid.assert_settled_once("VENDED", motor=1)
    for unpaid in (locked, requested):
        unpaid.assert_settled_once("CLOSED", motor=0)


def test_a_callback_that_nobody_takes_is_delivered_after_the_next_start(make_gateway, make_integrator, make_machine):
    gateway = make_gateway()
    shop = make_integrator(gateway)
    purchase = Purchase(shop, make_machine(gateway, shop))
    purchase.lock()
    shop.server.stop()
    gateway.stop()
    shop.server.start()
    gateway.start()
    assert purchase.closed(timeout=20) == "116"
    purchase.assert_settled_once("CLOSED", motor=0)


def test_calls_while_it_drains_are_refused(make_gateway, make_integrator, make_machine):
    gateway = make_gateway()
    shop = make_integrator(gateway)
    machine = make_machine(gateway, shop)
    purchase = Purchase(shop, machine)
    purchase.lock()
    keep = type(shop.api)(gateway, shop.api_key, keep=True)
    assert keep.search(machine.vm_id).success
    gateway.process.send_signal(signal.SIGTERM)

    def refused():
        try:
            answer = keep.lock(machine.vm_id, "while-draining")
        except OSError:
            return True
        assert answer.code in ("SHUTTING_DOWN", "MACHINE_BUSY_SELF"), answer
        return answer.code == "SHUTTING_DOWN"
    wait_until(refused, 10, "calls are refused")
    gateway.process.wait(20)
    assert gateway.process.returncode == 0, gateway.log()[-4000:]


def test_a_lock_whose_commit_is_under_way_is_closed_too(make_gateway, make_integrator, make_machine):
    gateway = make_gateway({"timers.lock_ack": "30s"})
    shop = make_integrator(gateway)
    purchase = Purchase(shop, make_machine(gateway, shop))
    purchase.machine.hold("lock")
    with writes_held_back(gateway.database) as held_back:
        call = shop.api.later("lock", purchase.machine.vm_id, purchase.ref)
        assert held_back()
        gateway.process.send_signal(signal.SIGTERM)
        wait_until(lambda: "event=stopping" in gateway.log(), 5, "it is stopping")
    gateway.process.wait(10)
    assert gateway.process.returncode == 0, gateway.log()[-4000:]
    answer = call.answer()
    assert (answer.status, answer.code) == (503, "SHUTTING_DOWN")
    purchase.assert_settled_once("CLOSED", motor=0)
