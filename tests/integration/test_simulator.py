"""The simulator's behaviours against the real gateway: what an integrator is told when a machine, its customer or the
world misbehaves in each of those ways - and what fell, by the simulator's record of the goods."""
import json
import socket

import pytest

from vendgate.purchase import new_ref
from vendgate.waiting import wait_until


class Steered:
    """A running simulator, its orders and its goods."""

    def __init__(self, simulator, control):
        self.simulator, self.control = simulator, control
        self.vm_id = simulator.vm_ids[0]

    def order(self, **fields):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self.control))
            client.sendall((json.dumps({"vm_id": self.vm_id, **fields}) + "\n").encode())
            answer = json.loads(client.makefile().readline())
        assert answer["success"], answer

    def fallen(self):
        file = self.simulator.folder / "state" / f"{self.vm_id}.goods"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


@pytest.fixture(params=["311", "5"])
def steered(gateway, shop, make_simulator, tmp_path, request):
    control = tmp_path / "control"
    simulator = make_simulator(gateway, [shop], 1, "--control", control, "--mqtt", request.param,
                               "--select-after-ms", 50, "--vend-ms", 50, "--away-ms", 200)
    made = Steered(simulator, control)

    def online():
        return (shop.api.search(made.vm_id).body.get("vendingMachine") or {}).get("online")
    wait_until(online, 20, f"{made.vm_id} is online")
    return made


def done(answer):
    """Whether it succeeded; if not, we were told to try again: the machine is on its way back from a misfortune."""
    assert answer.success or answer.action == "retry", answer
    return answer.success


def buy(shop, steered, **order):
    """Locks, pays for what is chosen; the ref."""
    ref = new_ref("sim")
    before = len(steered.fallen())
    steered.order(times=1, **order)
    wait_until(lambda: done(shop.api.lock(steered.vm_id, ref)), 20, f"{steered.vm_id} is locked for {order}")
    request = shop.server.wait("/txn/request", ref)
    wait_until(lambda: done(shop.api.paid(ref, request.body["cents"])), 20, f"{ref} is paid")
    return ref, before


def wait_until_free(shop, steered):
    def free():
        return not shop.api.search(steered.vm_id).body["vendingMachine"]["busy"]
    wait_until(free, 20, f"{steered.vm_id} is free")


# behaviour, success and code of /txn/vend, items that fell
OUTCOMES = [
    ("normal", True, "", 1),
    ("duplicate_events", True, "", 1),
    ("repeat_selection", True, "", 1),
    ("slow_dispense", True, "", 1),
    ("jam", False, "5", 0),
    ("cancelled", False, "4", 0),
    ("no_drop", False, "206", 0),
    ("reconnect@approve_received", True, "", 1),
    ("reconnect_after_approve", True, "", 1),
    ("reconnect@approve_replied", True, "", 1),
    ("reconnect@fell", True, "", 1),
    ("reconnect@result_written", True, "", 1),
    ("reconnect_before_dispensed_ack", True, "", 1),
    ("reconnect@selection_sent", True, "", 1),
    ("silent_after_approval", True, "", 1),
    ("power_loss_before_bus", False, None, 0),
    ("power_loss_on_bus", False, "203", 0),
    # Nobody can know: the operator's policy (here: refund) decides against the goods that fell.
    ("power_loss_after_fall", False, "203", 1),
]

# behaviour, code of /txn/unlock
ENDS = [
    ("give_up", "101"),
    ("select_give_up", "101"),
    ("cash", "109"),
    ("door", "113"),
]

# behaviour, code of the refused /api/lock
REFUSALS = [
    ("refuse_cash_in_use", "MACHINE_BUSY"),
    ("refuse_out_of_service", "MACHINE_FAULT"),
    ("refuse_door_open", "MACHINE_FAULT"),
    ("refuse_reader_not_ready", "MACHINE_NOT_READY"),
    ("refuse_updating", "MACHINE_NOT_READY"),
    ("mute_lock", "MACHINE_NO_ANSWER"),
]


def test_every_purchase_ends_as_the_machine_behaved(shop, steered):
    for behaviour, success, code, fell in OUTCOMES:
        ref, before = buy(shop, steered, behaviour=behaviour)
        vend = shop.server.wait("/txn/vend", ref, timeout=40)
        assert vend.body["success"] == success, (behaviour, vend)
        assert code is None or (vend.body["code"] or "") == code, (behaviour, vend)
        assert len(steered.fallen()) - before == fell, behaviour

        wait_until_free(shop, steered)


def test_every_session_that_is_not_paid_ends_with_its_reason(shop, steered):
    for behaviour, code in ENDS:
        ref = new_ref("sim")
        steered.order(times=1, behaviour=behaviour)
        wait_until(lambda: done(shop.api.lock(steered.vm_id, ref)), 20, f"{steered.vm_id} is locked for {behaviour}")
        assert shop.server.wait("/txn/unlock", ref).body["code"] == code, behaviour
        wait_until_free(shop, steered)
    assert steered.fallen() == []


def test_every_refused_lock_says_why(shop, steered):
    for behaviour, code in REFUSALS:
        steered.order(times=1, behaviour=behaviour)
        answer = shop.api.lock(steered.vm_id, new_ref("sim"))
        assert not answer.success and answer.code == code, (behaviour, answer)
        wait_until_free(shop, steered)


def test_a_killed_simulator_is_a_power_cut_of_every_machine(shop, steered):
    ref, _ = buy(shop, steered, behaviour="never_done")
    wait_until(lambda: any('"motor runs"' in line for line in steered.simulator.lines()), 10, "the motor runs")
    steered.simulator.kill()
    steered.simulator.start()
    assert shop.server.wait("/txn/vend", ref, timeout=40).body["success"] is False
    assert steered.fallen() == []
