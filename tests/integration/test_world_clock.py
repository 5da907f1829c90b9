"""The wall clock of the gateway's host, of PostgreSQL's, or of both jumps by a day or by ten years in the middle of
many purchases: nothing ends early, nothing stays open, no connection is lost."""
import email.utils
import threading
import time

import pytest

from conftest import connect_when_known, wait_online
from vendgate.api import Api
from vendgate.ctl import Ctl
from vendgate.database import Cluster
from vendgate.fake_clock import FakeClock
from vendgate.gateway import Gateway
from vendgate.load import Links, Load, running
from vendgate.long_lived import LongLivedCa
from vendgate.places import released
from vendgate.machine import Machine
from vendgate.purchase import Purchase
from vendgate.server import Server
from vendgate.simulator import Simulator
from vendgate.waiting import wait_until

DAY = 24 * 3600
YEARS = 10 * 365 * DAY
SETTINGS = {"timers.query_every": "1s", "timers.payment": "20s", "store.heartbeat": "200ms"}
BUYING, PROBED, SPARE = 3, 1, 1


@pytest.fixture(scope="module")
def clocks():
    made = {"gateway": FakeClock(), "database": FakeClock()}
    yield made
    for clock in made.values():
        clock.remove()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    """Certificates that are valid whatever the clock says: what else depends on it is looked at."""
    return LongLivedCa(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def cluster(clocks):
    """A cluster of this module's own, with a clock of its own."""
    made = Cluster("clock")
    server = Server(made)
    server.stop()
    server.environment = clocks["database"].environment
    server.start()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway(database, ca, clocks, tmp_path_factory):
    made = Gateway(database, ca, tmp_path_factory.mktemp("gateway"), SETTINGS)
    made.start(binary=released("vendgated"), environment=clocks["gateway"].environment)
    yield made
    made.close()


@pytest.fixture(scope="module")
def machines(gateway, ca):
    """(vm_id, files) of all."""
    ctl = Ctl(gateway.database)
    made = []
    for number in range(BUYING + PROBED + SPARE):
        ctl.run("machine", "add", f"clock-{number}")
        made.append((f"clock-{number}", ca.enroll(ctl, f"clock-{number}")))
    return made


@pytest.fixture(scope="module")
def load(gateway, shop, machines, tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    for vm_id, _ in machines[:-SPARE]:
        shop.grant(vm_id)
    simulator = Simulator(gateway, machines[:-SPARE], folder / "vendsim", "--select-after-ms", 50, "--vend-ms",
                          50).start()
    wait_until(lambda: gateway.metric("vendgate_machine_connections", phase="online") == BUYING + PROBED, 20, "online")
    vm_ids = [vm_id for vm_id, _ in machines[:-SPARE]]
    yield Load(gateway, shop, simulator, vm_ids[PROBED:], vm_ids[:PROBED], folder / "shop.jsonl")
    simulator.stop()


def cases():
    """Who jumps, how far; the two worst and two that are likely are always tried."""
    always = {("both", YEARS), ("both", -YEARS), ("database", DAY), ("gateway", -DAY)}
    for whose in ("both", "database", "gateway"):
        for seconds, name in ((DAY, "a day on"), (-DAY, "a day back"), (YEARS, "ten years on"),
                              (-YEARS, "ten years back")):
            marks = [] if (whose, seconds) in always else [pytest.mark.full]
            yield pytest.param(whose, seconds, marks=marks, id=f"{whose} {name}")


class Clocks:
    """The clocks of `whose` host: the gateway's, the database's, or both."""

    def __init__(self, clocks, gateway, whose):
        self._gateway = gateway
        self._jumping = {name: clock for name, clock in clocks.items() if whose in (name, "both")}

    def jump(self, seconds):
        """Returns the moment; both programs show the new time then."""
        for clock in self._jumping.values():
            clock.jump(seconds)
        began = time.monotonic()
        for name in self._jumping:
            shown = {"gateway": self._shown_by_the_gateway, "database": self._shown_by_the_database}[name]()
            assert abs(shown - time.time() - seconds) < 5, f"the clock of {name} did not jump"
        return began

    def _shown_by_the_database(self):
        return float(self._gateway.database.value("SELECT extract(epoch FROM clock_timestamp())"))

    def _shown_by_the_gateway(self):
        date = Api(self._gateway).send("GET", "/").headers["Date"]
        return email.utils.parsedate_to_datetime(date).timestamp()


@pytest.mark.parametrize("whose, seconds", cases())
def test_the_clock_jumps_and_comes_back(load, clocks, measured, whose, seconds):
    links = Links(load.gateway)
    slowest = 0.0
    with running(load):
        for offset in (seconds, 0):
            began = Clocks(clocks, load.gateway, whose).jump(offset)
            slowest = max(slowest, load.recovered(began))
            threading.Event().wait(1)  # several heartbeats, with which the gateway learns of it
            load.wait_bought()
            assert not load.refusals(began, time.monotonic())
        links.assert_same()
    measured(slowest)


@pytest.fixture
def machine(gateway, shop, machines):
    """One in the test's hands."""
    made = Machine(gateway, *machines[-1])
    shop.grant(made.vm_id)
    connect_when_known(made)
    wait_online(shop, made)
    yield made
    made.disconnect()


@pytest.mark.parametrize("seconds", [YEARS, -YEARS], ids=["ten years on", "ten years back"])
def test_an_open_purchase_keeps_its_time(gateway, clocks, shop, machine, seconds):
    """Also over the gateway's restart, which reads its deadline from the database."""
    purchase = Purchase(shop, machine)
    clock = Clocks(clocks, gateway, "both")
    known = gateway.log().count("store_clock_jumped")

    def left():
        answer = shop.api.lock(machine.vm_id, purchase.ref)
        return answer.body["timeout"] if answer.success else None
    try:
        assert purchase.lock().body["timeout"] == 60
        clock.jump(seconds)
        wait_until(lambda: gateway.log().count("store_clock_jumped") > known, 5, "the gateway knows")
        assert 50 <= left() <= 60
        machine.select()
        purchase.request()
        machine.withdraw()  # the time to choose begins anew
        purchase.wait_state("WITHDRAWN")
        gateway.kill()
        FakeClock.forget(gateway.process.pid)
        gateway.start(binary=released("vendgated"), environment=clocks["gateway"].environment)
        connect_when_known(machine)
        wait_online(shop, machine)
        purchase.wait_state("WITHDRAWN")
        deadline = gateway.database.value("SELECT extract(epoch FROM deadline_at - clock_timestamp()) FROM txn"
                                          " WHERE ref = %s", purchase.ref)
        assert 40 <= deadline <= 60
    finally:
        clock.jump(0)
    assert shop.api.unlock(machine.vm_id, purchase.ref).success
    purchase.assert_settled_once("CLOSED", motor=0)
