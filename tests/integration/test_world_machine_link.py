"""The line to all machines fails in the middle of many purchases: calls hear of it from the machine's side, nothing is
lost or doubled, and machines sell again as soon as they can be reached."""
import threading
import time

import pytest

from conftest import connect_when_known
from vendgate.gateway import Gateway
from vendgate.load import Load, running
from vendgate.machine import Machine
from vendgate.mqtt import Closed, Refused
from vendgate.places import released
from vendgate.simulator import Simulator
from vendgate.tcp_line import TcpLine
from vendgate.waiting import wait_until

AWAY = 3  # seconds that a fault lasts
SETTINGS = {"timers.query_every": "1s", "timers.payment": "10s", "timers.lock_ack": "2s", "timers.offline_grace": "1s",
            "machines.command_ack": "2s", "machines.takeovers": "1000", "api.request_time": "1s"}
BUYING, PROBED = 4, 2
# What a call may hear while its machine cannot be reached.
UNREACHED = {"MACHINE_OFFLINE", "MACHINE_NO_ANSWER", "MACHINE_RECONCILING", "MACHINE_NOT_READY", "MACHINE_BUSY",
             "MACHINE_BUSY_SELF", "OUTCOME_UNKNOWN", "ALREADY_CLOSED"}


@pytest.fixture(scope="module")
def gateway(database, ca, tmp_path_factory):
    """The gateway as it is installed: sanitizers would be measured with it."""
    made = Gateway(database, ca, tmp_path_factory.mktemp("gateway"), SETTINGS)
    made.start(binary=released("vendgated"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def line(gateway):
    """The line that every machine's connection goes over."""
    made = TcpLine(gateway.link_port)
    yield made
    made.stop()


class Behind:
    """The gateway as machines find it: at the end of the line."""

    def __init__(self, gateway, line):
        self.ca, self.link_port = gateway.ca, line.port


class Insistent:
    """Connects a machine again as soon as it can be, until stop()."""

    def __init__(self, machine):
        self.machine = machine
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stopping.wait(0.02):
            if not self.machine.connected():
                try:
                    self.machine.connect(online=False)
                except (OSError, Refused, Closed):
                    pass

    def stop(self):
        self._stopping.set()
        self._thread.join(20)
        self.machine.disconnect()


@pytest.fixture(scope="module")
def load(gateway, shop, line, enrolled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    machines = [enrolled(gateway.database) for _ in range(BUYING + PROBED)]
    vm_ids = [vm_id for vm_id, _ in machines]
    for vm_id in vm_ids:
        shop.grant(vm_id)
    simulator = Simulator(gateway, machines[PROBED:], folder / "vendsim", "--select-after-ms", 50, "--vend-ms", 50,
                          "--backoff-ms", 20, port=line.port).start()
    by_hand = [Machine(Behind(gateway, line), *machine) for machine in machines[:PROBED]]
    for machine in by_hand:
        connect_when_known(machine)
    insistent = [Insistent(machine) for machine in by_hand]
    wait_until(lambda: gateway.metric("vendgate_machine_connections", phase="online") == len(machines), 20, "online")
    yield Load(gateway, shop, simulator, vm_ids[PROBED:], vm_ids[:PROBED], folder / "shop.jsonl")
    for machine in insistent:
        machine.stop()
    simulator.stop()


def lasts(seconds=AWAY):
    """The length of the fault, not a wait for something."""
    threading.Event().wait(seconds)


@pytest.mark.parametrize("fault", ["cut", "silence", "half_open"])
def test_no_machine_can_be_reached(load, line, measured, fault):
    with running(load):
        getattr(line, fault)()
        try:
            wait_until(lambda: [heard for heard in load.answers(0, time.monotonic())[-4:] if not heard.answer.success],
                       10, "a call hears of it")
            gone = time.monotonic()
            lasts()
            over = time.monotonic()
        finally:
            ended = line.whole()
        measured(load.recovered(ended))
        answers = load.answers(gone, over)
        assert len(answers) >= 2
        for heard in answers:
            assert not heard.answer.success or heard.call == "unlock", heard
            assert heard.answer.success or heard.answer.code in UNREACHED, heard


def test_bytes_come_one_by_one(load, line, measured):
    """Slowly, but it sells."""
    with running(load):
        line.trickle()
        try:
            began = time.monotonic()
            load.recovered(began + 1)
            load.wait_bought(1)
            lasts(1)
        finally:
            ended = line.whole()
        measured(load.recovered(ended))
