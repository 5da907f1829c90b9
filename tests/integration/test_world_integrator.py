"""An integrator's server fails in the middle of its purchases: its calls and everybody else's go on, what it is owed is
kept, and it is told again as soon as it listens."""
import threading
import time

import pytest

from conftest import Integrator
from vendgate.gateway import Gateway
from vendgate.integrator import IntegratorServer, Reply
from vendgate.load import Load, running
from vendgate.places import released
from vendgate.simulator import Simulator
from vendgate.tcp_line import TcpLine
from vendgate.waiting import wait_until

AWAY = 3  # seconds that a fault lasts
SETTINGS = {"timers.query_every": "1s", "timers.payment": "15s"}
BUYING, PROBED = 3, 1
PATHS = ("/txn/request", "/txn/vend", "/txn/unlock")


@pytest.fixture(scope="module")
def gateway(database, ca, tmp_path_factory):
    """The gateway as it is installed: sanitizers would be measured with it."""
    made = Gateway(database, ca, tmp_path_factory.mktemp("gateway"), SETTINGS)
    made.start(binary=released("vendgated"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def line(ca):
    """The line to the broken integrator's server; .server is what is at its end."""
    server = IntegratorServer(ca)
    made = TcpLine(server.port)
    server.url = f"https://127.0.0.1:{made.port}"
    made.server = server
    yield made
    made.stop()
    server.stop()


@pytest.fixture(scope="module")
def loads(gateway, ctl, ca, line, rival, enrolled, tmp_path_factory):
    """Those of the integrator that will be broken, and of another, each at machines of its own."""
    folder = tmp_path_factory.mktemp("load")
    broken = Integrator(ctl, gateway, ca, "broken", server=line.server)
    machines = [enrolled(gateway.database) for _ in range(2 * (BUYING + PROBED))]
    vm_ids = [vm_id for vm_id, _ in machines]
    halves = [(broken, vm_ids[:BUYING + PROBED]), (rival, vm_ids[BUYING + PROBED:])]
    for integrator, half in halves:
        for vm_id in half:
            integrator.grant(vm_id)
    simulator = Simulator(gateway, machines, folder / "vendsim", "--select-after-ms", 50, "--vend-ms", 50).start()
    wait_until(lambda: gateway.metric("vendgate_machine_connections", phase="online") == len(machines), 20, "online")
    yield [Load(gateway, integrator, simulator, half[PROBED:], half[:PROBED], folder / f"{integrator.name}.jsonl")
           for integrator, half in halves]
    simulator.stop()


class Answers:
    """What the integrator's server answers instead, while a fault lasts: `function` of (callback, what it would do)."""

    def __init__(self, load):
        self._server, self._took = load.integrator.server, load.buyer._took

    def replace(self, function):
        for path in PATHS:
            self._server.always(path, lambda callback: function(callback, self._took))

    def restore(self):
        for path in PATHS:
            self._server.always(path, self._took)
        return time.monotonic()


def slowly(callback, took):
    reply = took(callback)
    return Reply(body=reply.body, delay=1.0)


def with_500(_callback, _took):
    return Reply(status=500, body={"message": "out of order"})


def never(_callback, _took):
    return Reply(delay=AWAY, hang_up=True)


def strike(fault, line, answers):
    """Breaks the integrator; returns what mends it."""
    if fault in ("silent line", "reset"):
        {"silent line": line.silence, "reset": line.cut}[fault]()
        return line.whole
    answers.replace({"silent": never, "slow": slowly, "500": with_500}[fault])
    return answers.restore


@pytest.mark.parametrize("fault", ["silent", "silent line", "slow", "500", "reset"])
def test_an_integrator_fails(loads, line, measured, fault):
    broken, healthy = loads
    with running(*loads):
        answers = Answers(broken)
        before = healthy.buyer.vended()
        mend = strike(fault, line, answers)
        began = time.monotonic()
        try:
            threading.Event().wait(AWAY)  # the length of the fault
        finally:
            over = time.monotonic()
            ended = mend()
        heard = len(broken.integrator.server.callbacks())
        sold = healthy.buyer.vended() - before
        wait_until(lambda: len(broken.integrator.server.callbacks()) > heard, 10, "it is told something again")
        measured(time.monotonic() - ended)
        assert sold >= AWAY, f"the other integrator sold only {sold} things meanwhile"
        for load in loads:
            assert all(heard.answer.status == 200 for heard in load.answers(began, over))
            assert [heard for heard in load.answers(began, over) if heard.call == "lock" and heard.answer.success]
