"""One integrator's server is away while much is owed to it: little is spent on it meanwhile, it is not overrun when it
is back, everything comes in order, and nobody else notices."""
import bisect
import time

import pytest

from vendgate.backlog import Backlog
from vendgate.receiver import Receiver
from vendgate.waiting import wait_until

WINDOW = 16  # outbound.connections_per_endpoint
IN_MEMORY = 200  # outbound.endpoint_queue
ANSWER_TAKES = 0.02  # seconds, so that requests overlap at the receiver
HEALTHY = 3
EVERY = 0.05  # seconds from one callback of each healthy integrator to the next
BEHIND = 40  # most callbacks of all the healthy ones together that are under way at any moment
PROBES = 100  # most attempts on an endpoint that is away, however long: nothing but those that look for its return
OF_ONE = 25  # most attempts of one urgent callback, which may ask at its own pace beside them
KEPT = 2  # places that a window always has for urgent callbacks


@pytest.fixture(scope="module")
def gateway_settings():
    return {"outbound.endpoint_queue": str(IN_MEMORY), "outbound.connections_per_endpoint": str(WINDOW)}


@pytest.fixture(scope="module")
def receiver(ca, tmp_path_factory):
    made = Receiver(ca, tmp_path_factory.mktemp("receiver"))
    yield made
    made.stop()


class Steady:
    """The healthy integrators: each is owed a callback every now and then, and must have it soon after."""

    def __init__(self, backlog, customers):
        self._backlog, self._customers = backlog, customers
        self._next = time.monotonic()
        self.owed = []

    def go_on(self):
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + EVERY
        self.owed += self._backlog.add(self._customers, kinds=["/txn/vend"], announce=True)
        waiting = self._backlog.waiting(*self._customers)
        assert waiting <= BEHIND, f"{waiting} callbacks of the healthy endpoints wait"

    def all_here(self):
        return self._backlog.waiting(*self._customers) == 0


def check_memory(gateway, broken):
    waiting = gateway.metric("vendgate_callback_endpoint_waiting", integrator=broken.id)
    pending = gateway.metric("vendgate_callbacks_pending")
    assert waiting <= IN_MEMORY * 5 // 4, f"{waiting} callbacks of one endpoint wait in memory"
    assert pending <= IN_MEMORY * 5 // 4 + BEHIND, f"{pending} callbacks are in memory"


def check_spent(backlog, broken):
    """While it is away."""
    spent = backlog.attempts(broken, "c.kind = '/txn/vend'")
    assert 0 < spent < PROBES, f"{spent} attempts were spent on an endpoint that was away"
    most = backlog.most_attempts(broken)
    assert most <= OF_ONE, f"one callback was tried {most} times"


def check_slow_start(arrivals, connections):
    """What is begun at once grows by one with each answer, from the first that it gives again."""
    answers = sorted(arrival.answered for arrival in arrivals if arrival.answered)
    for at, count in [(arrival.at, arrival.busy) for arrival in arrivals] + connections:
        before = bisect.bisect_right(answers, at)
        assert count <= 1 + KEPT + before, f"{count} at once after {before} answers"
        assert count <= WINDOW, f"{count} at once"


@pytest.mark.parametrize("outage, lanes", [
    pytest.param(6, 200, id="short"),
    pytest.param(600, 1000, id="long", marks=pytest.mark.full),
])
def test_an_outage(database, receiver, make_gateway, gateway_settings, outage, lanes):
    broken, *healthy = customers = receiver.customers(database, [f"{outage}-{n}" for n in range(1 + HEALTHY)])
    receiver.fault(*customers, delay=ANSWER_TAKES)
    receiver.fault(broken, name="refuse")
    backlog = Backlog(database)
    owed = backlog.add([broken], lanes=lanes, each=10, kinds=["/txn/vend", "/txn/vend", "/txn/unlock"])
    gateway = make_gateway(gateway_settings, database)
    steady = Steady(backlog, healthy)

    def keep_on(until):
        while not until():
            steady.go_on()
            check_memory(gateway, broken)

    began = time.monotonic()
    keep_on(lambda: time.monotonic() - began > outage)
    wait_until(steady.all_here, 10, "the others have theirs while it is away")
    assert not receiver.read().of(broken) and backlog.waiting(broken) == len(owed)
    check_spent(backlog, broken)

    receiver.fault(broken, delay=ANSWER_TAKES)
    mended = time.monotonic()
    keep_on(lambda: backlog.waiting(broken) == 0 or time.monotonic() - mended > 60 + outage / 4)
    wait_until(lambda: backlog.waiting(*customers) == 0, 10, "everything is delivered")
    arrivals = receiver.read().of(broken)
    backlog.check_arrivals(receiver.of(*customers))
    backlog.check_fates()
    check_slow_start(arrivals, receiver.accepted[broken.port])
    for customer in healthy:
        assert backlog.attempts(customer) == len(steady.owed) / HEALTHY == len(receiver.of(customer))
