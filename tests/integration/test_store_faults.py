"""PostgreSQL goes away in the middle of purchases: calls wait for it, succeed, or say retry; purchases end right."""
import contextlib
import threading
import time

import pytest

from vendgate.purchase import Purchase, writes_held_back
from vendgate.proxy import Proxy
from vendgate.waiting import stays, wait_until


@pytest.fixture(scope="module")
def line(database):
    """The daemon's line to PostgreSQL."""
    made = Proxy(database)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway_settings(line):
    # No heartbeat may be on its way when answers are held back: what a test asks for would wait behind it.
    return {"store.url": line.url, "timers.query_every": "1s", "store.heartbeat": "60s", "store.lease": "3min"}


@pytest.fixture(autouse=True)
def whole_line(line):
    """A test that failed leaves no broken line to the next."""
    yield
    line.release()


def patient(call, timeout=20):
    """Repeats a call as its answers ask for: success, or a refusal that no repeat would change."""
    def answered():
        with contextlib.suppress(OSError):
            answer = call()
            if answer.status == 503:
                assert answer.action == "retry" and answer.code in (
                    "STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"), answer
                assert int(answer.headers["Retry-After"]) > 0
                return None
            return answer if answer.success or answer.action != "retry" else None
        return None
    return wait_until(answered, timeout, "an answer")


def accepted(call):
    answer = patient(call)
    assert answer.success, answer
    return answer


STEPS = ["lock", "select", "pay", "dispense", "tell"]


@pytest.mark.parametrize("when", STEPS)
def test_connections_ended_by_the_server_before(database, shop, machine, when):
    purchase = Purchase(shop, machine)
    machine.vend = None

    def step(name):
        if name == when:
            database.kick()
    step("lock")
    accepted(lambda: shop.api.lock(machine.vm_id, purchase.ref))
    step("select")
    machine.select()
    purchase.request()
    step("pay")
    accepted(lambda: shop.api.paid(purchase.ref, 150))
    purchase.wait_state("VENDING")
    step("dispense")
    machine.dispensed()
    step("tell")
    purchase.vend()
    purchase.assert_settled_once("VENDED", motor=1)


@pytest.mark.parametrize("call", ["lock", "paid", "unlock"])
def test_a_commit_that_was_rolled_back_is_asked_for_again(database, shop, machine, call):
    """The backend is ended inside the commit: never `refund`, and the same call again does it."""
    purchase = Purchase(shop, machine)
    calls = {"lock": lambda: shop.api.lock(machine.vm_id, purchase.ref),
             "paid": lambda: shop.api.paid(purchase.ref, 150),
             "unlock": lambda: shop.api.unlock(machine.vm_id, purchase.ref)}
    if call != "lock":
        purchase.lock()
        purchase.select()
    with writes_held_back(database) as held_back:
        first = threading.Thread(target=lambda: accepted(calls[call]), daemon=True)
        first.start()
        for pid in held_back():
            database.rows("SELECT pg_terminate_backend(%s, 5000)", pid)
    accepted(calls[call])
    first.join(20)
    assert not first.is_alive()
    if call == "lock":
        purchase.select()
        purchase.pay()
    if call != "unlock":
        assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("CLOSED" if call == "unlock" else "VENDED", motor=0 if call == "unlock" else 1)


@pytest.mark.parametrize("call", ["lock", "paid", "unlock"])
def test_a_commit_whose_answer_was_lost_is_found_out(line, shop, machine, call):
    """The line breaks after the COMMIT: what is on disk counts."""
    purchase = Purchase(shop, machine)
    states = {"lock": "LOCKING", "paid": "PAID", "unlock": "CLOSED"}
    calls = {"lock": lambda: shop.api.lock(machine.vm_id, purchase.ref),
             "paid": lambda: shop.api.paid(purchase.ref, 150),
             "unlock": lambda: shop.api.unlock(machine.vm_id, purchase.ref)}
    if call != "lock":
        purchase.lock()
        purchase.select()
    line.hold_answers()
    pending = shop.api.later(*{"lock": ("lock", machine.vm_id, purchase.ref), "paid": ("paid", purchase.ref, 150),
                               "unlock": ("unlock", machine.vm_id, purchase.ref)}[call])
    purchase.wait_state(states[call])
    assert not machine.seen("approve"), "nothing is done before the answer is known"
    line.cut()
    answer = pending.answer()
    assert answer.success or (answer.status, answer.action) == (503, "retry"), answer
    accepted(calls[call])
    if call == "lock":
        purchase.select()
        accepted(calls["paid"])
    if call != "unlock":
        assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("CLOSED" if call == "unlock" else "VENDED", motor=0 if call == "unlock" else 1)


def test_a_result_whose_commit_was_not_heard_is_told_once(line, shop, machine):
    purchase = Purchase(shop, machine)
    machine.vend = None
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    line.hold_answers()
    told = machine.dispensed(wait=False)
    purchase.wait_state("VENDED")
    assert told in machine.device.unsent and not purchase.finals()
    line.cut()
    assert purchase.vend().body["success"] is True
    wait_until(lambda: told not in machine.device.unsent, 10, "the PUBACK")
    purchase.assert_settled_once("VENDED", motor=1)


def test_without_a_database_calls_are_told_to_retry_and_machines_wait(line, gateway, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    line.refuse()
    try:
        wait_until(lambda: gateway.private("/readyz")[0] == 503, 10, "it is not ready")
        assert gateway.private("/livez")[0] == 200
        answer = shop.api.lock(machine.vm_id, "another")
        assert (answer.status, answer.code, answer.action) == (503, "STORE_UNAVAILABLE", "retry")
        assert int(answer.headers["Retry-After"]) > 0
        told = machine.select(wait=False)
        stays(lambda: told in machine.device.unsent and not shop.server.callbacks(ref=purchase.ref), 0.5)
    finally:
        line.allow()
    gateway.wait_ready()
    purchase.request()
    accepted(lambda: shop.api.paid(purchase.ref, 150))
    assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("VENDED", motor=1)


def test_purchases_go_on_while_connections_break_all_the_time(line, gateway, shop, make_machine):
    machines = [make_machine(gateway, shop) for _ in range(4)]
    ended = time.monotonic() + 8
    purchases, errors = [], []

    def buy_on(machine):
        try:
            while time.monotonic() < ended:
                purchase = Purchase(shop, machine)
                purchases.append(purchase)
                # A machine that did not hear of the lock in time is no fault of the database's.
                if not patient(lambda: shop.api.lock(machine.vm_id, purchase.ref)).success:
                    continue
                machine.select()
                purchase.request()
                accepted(lambda: shop.api.paid(purchase.ref, 150))
                assert purchase.vend(timeout=20).body["success"] is True
        except Exception as error:  # told by the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=buy_on, args=[machine], daemon=True) for machine in machines]
    for thread in threads:
        thread.start()
    cuts = 0
    while any(thread.is_alive() for thread in threads):
        (line.cut if cuts % 2 else shop.ctl.database.kick)()
        cuts += 1
        threads[0].join(1.0)
        assert time.monotonic() < ended + 40, "it does not end"
        if time.monotonic() > ended:
            for thread in threads:
                thread.join(20)
    assert not errors, errors
    dispensed = [approval for machine in machines for approval in machine.dispensed_approvals]
    vended = [purchase for purchase in purchases if purchase.state() == "VENDED"]
    assert len(set(dispensed)) == len(dispensed) == len(vended) > 4
    assert all(len(purchase.finals()) == 1 for purchase in vended)
