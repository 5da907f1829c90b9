"""The daemon is killed with SIGKILL between any two steps of a purchase and started again: the purchase still ends
right. Nothing is dispensed twice, nothing paid is left without /txn/vend, and the integrator hears of one end.

Each case of WALK is a function that takes a Walk up to a step, kills the daemon there, and returns; carry_on() starts
it again, lets the machine and the integrator do what they do after an outage, and says how it must end.
"""
import contextlib

import pytest

from vendgate.integrator import ACCEPT
from vendgate.purchase import Purchase, writes_held_back
from vendgate.waiting import wait_until


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.query_every": "1s"}


class Walk(Purchase):
    """A purchase whose gateway dies."""

    def __init__(self, shop, machine, gateway):
        super().__init__(shop, machine)
        self.gateway = gateway

    def kill(self):
        self.gateway.kill()

    def kill_and(self, reply=ACCEPT):
        """A reply of the integrator's server that kills the gateway before it is sent."""
        def killing(_callback):
            self.kill()
            return reply
        return killing

    def call_cut_off(self, pending):
        """A call whose answer never came."""
        with contextlib.suppress(OSError):
            answer = pending.answer()
            raise AssertionError(f"it was answered: {answer}")

    def kill_in_commit(self, act, commits):
        """`act` begins a step; the gateway dies while its COMMIT is under way, and PostgreSQL then commits it or not."""
        with writes_held_back(self.database) as held_back:
            result = act()
            backends = held_back()
            self.kill()
            if not commits:
                for pid in backends:
                    self.database.rows("SELECT pg_terminate_backend(%s, 5000)", pid)
        return result

    # --- how far it goes before

    def locked(self):
        self.lock()

    def requested(self):
        self.lock()
        self.select()

    def paid_held(self):
        """Paid; the machine has received the approval and has not looked at it."""
        self.requested()
        self.machine.hold("approve")
        self.pay()
        return self.machine.take("approve")

    def vending(self):
        self.requested()
        self.machine.vend = None
        self.pay()
        self.wait_state("VENDING")

    def dispense_unseen(self):
        """The goods fall, and the journal says so, while nobody listens."""
        device = self.machine.device
        approval, = [a for a, entry in device.approvals.items() if entry["state"] == "taken"]
        device.approvals[approval].update(state="dispensed", on_bus=True)
        self.machine.dispensed_approvals.append(approval)
        device.event("dispensed", approval=approval, item=11, quantity=1)

    # --- after

    def carry_on(self):
        """Start, reconnect, and what an integrator and a customer do until the purchase is over."""
        self.gateway.start()
        self.machine.release()
        self.machine.vend = "dispensed"
        self.machine.connect()

    def finish_from_locked(self):
        self.carry_on()
        if self.state() == "LOCKED":
            self.machine.select(price=self.price)
        self.request()
        self.pay_patiently()
        self.vend(timeout=20)

    def finish_from_requested_when_told(self):
        """The selection is on disk, or comes (again) from the machine."""
        self.carry_on()
        self.request()
        self.pay_patiently()
        self.vend(timeout=20)

    def finish_from_requested(self):
        self.carry_on()
        self.pay_patiently()
        self.vend(timeout=20)

    def finish_from_paid(self):
        self.carry_on()
        self.vend(timeout=20)


# --- one function per step; its name is the test's. It returns how it must end and how often the motor ran.

def lock_asked_and_not_answered(walk):
    walk.machine.hold("lock")
    pending = walk.api.later("lock", walk.machine.vm_id, walk.ref)
    walk.machine.take("lock")
    walk.kill()
    walk.call_cut_off(pending)
    walk.carry_on()
    return "CLOSED", 0


def lock_being_committed(walk, commits):
    pending = walk.kill_in_commit(lambda: walk.api.later("lock", walk.machine.vm_id, walk.ref), commits)
    walk.call_cut_off(pending)
    walk.carry_on()
    if commits:
        return "CLOSED", 0
    wait_until(lambda: walk.api.lock(walk.machine.vm_id, walk.ref).success, 15, "the ref is still free")
    walk.select()
    walk.pay_patiently()
    return "VENDED", 1


def lock_accepted_being_committed(walk, commits):
    walk.machine.hold("lock")
    pending = walk.api.later("lock", walk.machine.vm_id, walk.ref)
    command = walk.machine.take("lock")
    walk.kill_in_commit(lambda: walk.machine.answer(command), commits)
    walk.call_cut_off(pending)
    walk.carry_on()
    if commits:  # the integrator asks again and gets the answer that it missed
        walk.lock()
        walk.select()
        walk.pay_patiently()
        return "VENDED", 1
    return "CLOSED", 0


def lock_answered(walk):
    walk.locked()
    walk.kill()
    walk.finish_from_locked()
    return "VENDED", 1


def selection_being_committed(walk, commits):
    walk.locked()
    walk.kill_in_commit(lambda: walk.machine.select(price=walk.price, wait=False), commits)
    walk.finish_from_requested_when_told()
    return "VENDED", 1


def selection_made_while_it_was_down(walk):
    walk.locked()
    walk.kill()
    with contextlib.suppress(Exception):  # nobody is there to take it; it stays in the machine's memory
        walk.machine.select(price=walk.price, wait=False)
    walk.finish_from_requested_when_told()
    return "VENDED", 1


def request_sent_and_not_answered(walk):
    walk.shop.server.script("/txn/request", walk.kill_and())
    walk.locked()
    walk.machine.select(price=walk.price, wait=False)
    walk.request()
    wait_until(lambda: not walk.gateway.running(), 5)
    walk.carry_on()
    walk.request(count=2)
    assert len({c.id for c in walk.shop.server.callbacks("/txn/request", walk.ref)}) == 1
    walk.pay_patiently()
    return "VENDED", 1


def request_answered(walk):
    walk.requested()
    walk.kill()
    walk.finish_from_requested()
    return "VENDED", 1


def payment_being_committed(walk, commits):
    walk.requested()
    pending = walk.kill_in_commit(lambda: walk.api.later("paid", walk.ref, walk.price), commits)
    walk.call_cut_off(pending)
    walk.finish_from_requested()
    return "VENDED", 1


def payment_committed_and_never_asked_again(walk):
    walk.requested()
    pending = walk.kill_in_commit(lambda: walk.api.later("paid", walk.ref, walk.price), commits=True)
    walk.call_cut_off(pending)
    walk.finish_from_paid()
    return "VENDED", 1


def approval_not_looked_at(walk):
    walk.paid_held()
    walk.kill()
    walk.finish_from_paid()
    approvals = walk.machine.seen("approve")
    assert len(approvals) >= 2 and len({a["approval"] for a in approvals}) == 1
    return "VENDED", 1


def approval_lost_with_the_machines_power(walk):
    walk.paid_held()
    walk.kill()
    walk.machine.power_cut()
    walk.carry_on()
    assert walk.vend(timeout=20).body["code"] == "202"
    return "FAILED", 0


def approval_taken_and_not_told(walk):
    command = walk.paid_held()
    walk.machine.vend = None
    walk.machine._do_approve(command)  # in the journal; the reply is not sent
    walk.kill()
    walk.gateway.start()
    walk.machine.connect()
    walk.wait_state("VENDING", "IN_DOUBT")
    walk.machine.dispensed()
    return "VENDED", 1


def approval_taken_being_committed(walk, commits):
    command = walk.paid_held()
    walk.machine.vend = None
    walk.kill_in_commit(lambda: walk.machine.answer(command), commits)
    walk.gateway.start()
    walk.machine.connect()
    walk.machine.dispensed()
    return "VENDED", 1


def approval_taken(walk):
    walk.vending()
    walk.kill()
    walk.gateway.start()
    walk.machine.connect()
    assert walk.wait_state("VENDING", "IN_DOUBT")["state"] == "IN_DOUBT"
    assert not walk.finals()
    walk.machine.dispensed()
    return "VENDED", 1


def approval_taken_and_again_while_in_doubt(walk):
    walk.vending()
    walk.kill()
    walk.gateway.start()
    walk.machine.hold("query")
    walk.machine.connect()
    walk.machine.take("query")
    walk.kill()
    walk.gateway.start()
    walk.machine.release()
    walk.machine.connect()
    assert walk.wait_state("VENDING", "IN_DOUBT") and not walk.finals()
    walk.machine.dispensed()
    return "VENDED", 1


def goods_fell_while_it_was_down(walk):
    walk.vending()
    walk.kill()
    walk.dispense_unseen()
    walk.finish_from_paid()
    return "VENDED", 1


def power_lost_while_it_was_down(walk):
    walk.vending()
    walk.kill()
    walk.machine.power_cut()
    walk.carry_on()
    assert walk.vend(timeout=20).body["code"] == "3"
    return "FAILED", 0


def goods_did_not_fall_while_it_was_down(walk):
    walk.vending()
    walk.kill()
    device = walk.machine.device
    approval, = device.approvals
    device.approvals[approval].update(state="not_dispensed", on_bus=True, code=5)
    device.event("not_dispensed", approval=approval, code=5)
    walk.carry_on()
    assert walk.vend(timeout=20).body["code"] == "5"
    return "FAILED", 0


def result_being_committed(walk, commits):
    walk.vending()
    walk.kill_in_commit(lambda: walk.machine.dispensed(wait=False), commits)
    walk.finish_from_paid()
    return "VENDED", 1


def vend_sent_and_not_answered(walk):
    walk.shop.server.script("/txn/vend", walk.kill_and())
    walk.vending()
    walk.machine.dispensed(wait=False)
    walk.vend()
    wait_until(lambda: not walk.gateway.running(), 5)
    walk.carry_on()
    walk.shop.server.wait("/txn/vend", walk.ref, count=2, timeout=20)
    return "VENDED", 1


def vend_answered(walk):
    walk.buy()
    walk.kill()
    walk.carry_on()
    return "VENDED", 1


def unlock_being_committed(walk, commits):
    walk.requested()
    pending = walk.kill_in_commit(lambda: walk.api.later("unlock", walk.machine.vm_id, walk.ref), commits)
    walk.call_cut_off(pending)
    walk.carry_on()
    wait_until(lambda: walk.api.unlock(walk.machine.vm_id, walk.ref).success, 10, "unlocked")
    return "CLOSED", 0


def end_sent_and_not_answered(walk):
    walk.shop.server.script("/txn/unlock", walk.kill_and())
    walk.requested()
    walk.machine.end_session("customer", wait=False)
    walk.closed()
    wait_until(lambda: not walk.gateway.running(), 5)
    walk.carry_on()
    walk.shop.server.wait("/txn/unlock", walk.ref, count=2, timeout=20)
    return "CLOSED", 0


WHOLE = [lock_asked_and_not_answered, lock_answered, selection_made_while_it_was_down, request_sent_and_not_answered,
         request_answered, payment_committed_and_never_asked_again, approval_not_looked_at,
         approval_lost_with_the_machines_power, approval_taken_and_not_told, approval_taken,
         approval_taken_and_again_while_in_doubt,
         goods_fell_while_it_was_down, power_lost_while_it_was_down, goods_did_not_fall_while_it_was_down,
         vend_sent_and_not_answered, vend_answered, end_sent_and_not_answered]
TORN = [lock_being_committed, lock_accepted_being_committed, selection_being_committed, payment_being_committed,
        approval_taken_being_committed, result_being_committed, unlock_being_committed]


def _name(step):
    return step.__name__.replace("_", "-")


def check(walk, outcome):
    state, motor = outcome
    walk.assert_settled_once(state, motor)
    wait_until(lambda: Purchase(walk.shop, walk.machine).api.search(walk.machine.vm_id).body["vendingMachine"]["busy"]
               is False, 5, "the machine is free")
    walk.machine.release()
    walk.machine.vend = "dispensed"
    assert Purchase(walk.shop, walk.machine).buy().body["success"] is True  # and it can be sold through again


@pytest.mark.parametrize("step", WHOLE, ids=_name)
def test_killed_when(gateway, shop, machine, step):
    walk = Walk(shop, machine, gateway)
    check(walk, step(walk))


@pytest.mark.parametrize("commits", [True, False], ids=["that-commits", "that-does-not-commit"])
@pytest.mark.parametrize("step", TORN, ids=_name)
def test_killed_in_the_commit_of(gateway, shop, machine, step, commits):
    walk = Walk(shop, machine, gateway)
    check(walk, step(walk, commits))
