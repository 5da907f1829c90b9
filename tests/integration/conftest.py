"""Fixtures for tests that drive the real programs: PostgreSQL, vendgated, vendctl, vendsim, machines, integrators.

Run by scripts/test, or alone: make BUILD=asan all && /usr/bin/python3 -m pytest tests/integration -k name

    cluster   session  a private PostgreSQL (or VENDGATE_TEST_DATABASE_URL)
    ca        session  a private CA; signs servers and machines
    database  module   a fresh, migrated database: .rows(sql, ...) .value(sql, ...)
    ctl       module   vendctl on it: .run(...) .json(...)
    gateway   module   a running vendgated on it; a module that needs other settings overrides `gateway_settings`
    shop      module   an integrator: .server (its callbacks), .api (its calls), .secret, .name, .grant(vm_id)
    rival     module   another integrator, granted nothing
    machine   function a new machine, granted to shop, online, in the test's hands
    make_gateway, make_integrator, make_machine, make_simulator: the same, made by call

A purchase:

    def test_a_purchase(shop, machine):
        assert shop.api.lock(machine.vm_id, "ref-1").success
        machine.select(price=150)
        assert shop.server.wait("/txn/request", "ref-1").body["cents"] == 150
        assert shop.api.paid("ref-1", 150).success
        assert shop.server.wait("/txn/vend", "ref-1").body["success"] is True
        assert machine.dispensed_approvals == [machine.seen("approve")[0]["approval"]]

Step by step: machine.hold("approve"), command = machine.take("approve"), machine.answer(command). No test sleeps to
let something happen: wait_until(predicate, timeout) polls with a deadline.
"""
import itertools
import re

import pytest

from vendgate.api import Api
from vendgate.ctl import Ca, Ctl
from vendgate.database import Cluster
from vendgate.gateway import Gateway
from vendgate.integrator import IntegratorServer
from vendgate.machine import Machine
from vendgate.recovery import measured, pytest_terminal_summary  # noqa: F401: a fixture and a hook
from vendgate.simulator import Simulator
from vendgate.waiting import wait_until

_numbers = itertools.count(1)


def pytest_addoption(parser):
    parser.addoption("--full", action="store_true", help="run the long tests too (marked `full`)")


def pytest_configure(config):
    config.addinivalue_line("markers", "full: takes long; only with --full")


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--full"):
        for item in items:
            if "full" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="only with --full"))


@pytest.fixture(scope="session")
def cluster():
    """A private PostgreSQL for the run: .database() makes a fresh one, .empty_database() one without migrations."""
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def ca(tmp_path_factory):
    """A private CA made by vendctl: .certificate, .server(name), .enroll(ctl, vm_id)."""
    return Ca(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def database(cluster):
    """A fresh, migrated database for this module."""
    made = cluster.database()
    yield made
    cluster.drop(made)


@pytest.fixture(scope="module")
def ctl(database):
    """vendctl on this module's database."""
    return Ctl(database)


@pytest.fixture(scope="module")
def gateway_settings():
    """Settings of this module's gateway, "section.key" -> text; override it in a module that needs others."""
    return {}


@pytest.fixture(scope="module")
def gateway(database, ca, tmp_path_factory, gateway_settings):
    """A running vendgated. .kill() .start() .restart() .stop() .metric(name, **labels) .private(path) .log()"""
    made = Gateway(database, ca, tmp_path_factory.mktemp("gateway"), gateway_settings).start()
    yield made
    made.close()


@pytest.fixture
def make_gateway(cluster, ca, tmp_path):
    """make_gateway(settings=None, database=None, start=True): further gateways, stopped after the test.

    Without a database each gets a fresh one of its own (.database).
    """
    made, databases = [], []

    def make(settings=None, database=None, start=True):
        if database is None:
            database = cluster.database()
            databases.append(database)
        made.append(Gateway(database, ca, tmp_path / f"gateway-{len(made)}", settings))
        return made[-1].start() if start else made[-1]

    yield make
    for gateway in made:
        gateway.close()
    for database in databases:
        cluster.drop(database)


class Integrator:
    """An integrator that vendctl made, with its server and its client.

    api: calls with the API key; basic: calls with user and password. server: an IntegratorServer. secret: whsec_...
    """

    def __init__(self, ctl, gateway, ca, name, *arguments, server=None):
        self.ctl = ctl
        self.name = name
        self.server = server or IntegratorServer(ca)
        made = ctl.json("integrator", "add", name, "--callback-url", self.server.url, "--callback-ca", ca.certificate,
                        "--allow-private", "--basic-user", name, "--basic-password", f"pw-{name}", *arguments)
        self.id, self.api_key, self.secret = made["id"], made["api_key"], made["signing_secret"]
        self.api = Api(gateway, self.api_key)
        self.basic = Api(gateway, user=name, password=f"pw-{name}")
        wait_until(lambda: self.api.search("nobody").status == 200, 10, f"the gateway knows {name}")

    def grant(self, vm_id):
        self.ctl.run("grant", self.name, vm_id)


@pytest.fixture
def make_integrator(ca):
    """make_integrator(gateway, *vendctl_arguments): an Integrator on any gateway, its server stopped after the test.

    With `master_key`, a file, its secrets are sealed.
    """
    made = []

    def make(gateway, *arguments, master_key=None):
        ctl = Ctl(gateway.database, master_key)
        made.append(Integrator(ctl, gateway, ca, f"integrator-{next(_numbers)}", *arguments))
        return made[-1]

    yield make
    for integrator in made:
        integrator.server.stop()


@pytest.fixture(scope="module")
def shop(ctl, gateway, ca):
    """The integrator of this module; `machine` is granted to it."""
    made = Integrator(ctl, gateway, ca, f"shop-{next(_numbers)}")
    yield made
    made.server.stop()


@pytest.fixture(scope="module")
def rival(ctl, gateway, ca):
    """Another integrator, granted nothing."""
    made = Integrator(ctl, gateway, ca, f"rival-{next(_numbers)}")
    yield made
    made.server.stop()


@pytest.fixture(scope="session")
def enrolled(ca):
    """enrolled(database): a new machine there, (vm_id, (certificate file, key file)).

    Each database is fresh, so all have the same machines: a certificate is made by vendctl once, and only registered
    in the databases that come later.
    """
    made, used = [], {}

    def enroll(database):
        number = used[database.name] = used.get(database.name, 0) + 1
        vm_id = f"shared-{number}"  # its certificate's file is named so: no other test may enroll it
        database.rows("INSERT INTO machine (vm_id) VALUES (%s)", vm_id)
        if number > len(made):
            files = ca.enroll(Ctl(database), vm_id)
            made.append((files, database.value("SELECT digest FROM machine_credential WHERE vm_id = %s", vm_id)))
        else:
            database.rows("INSERT INTO machine_credential (vm_id, kind, digest) VALUES (%s, 'certificate', %s)", vm_id,
                          made[number - 1][1])
        return vm_id, made[number - 1][0]
    return enroll


@pytest.fixture
def make_machine(ca, enrolled, request):
    """make_machine(gateway, integrator=None, version=4, online=True, vm_id=None, arguments=()): a Machine.

    Enrolled by vendctl and granted to the integrator; connected if `online`, and then the gateway says so too.
    `arguments` go to vendctl's `machine add`; without any it is one of `enrolled`.
    """
    made = []

    def make(gateway, integrator=None, version=4, online=True, vm_id=None, arguments=()):
        if vm_id is None and not arguments:
            vm_id, files = enrolled(gateway.database)
        else:
            ctl = Ctl(gateway.database)
            vm_id = vm_id or f"{re.sub('[^a-z0-9]+', '-', request.node.name.lower())[:40].strip('-')}-{next(_numbers)}"
            ctl.run("machine", "add", vm_id, *arguments)
            files = ca.enroll(ctl, vm_id)
        machine = Machine(gateway, vm_id, files, version)
        made.append(machine)
        if integrator:
            gateway.database.rows("INSERT INTO machine_grant (integrator_id, vm_id) VALUES (%s, %s)", integrator.id,
                                  vm_id)
        if online:
            connect_when_known(machine)
        if online and integrator:
            wait_online(integrator, machine)
        return machine

    yield make
    for machine in made:
        machine.disconnect()


def connect_when_known(machine, timeout=10):
    """Connects a machine that was registered a moment ago: the gateway learns of it within a second."""
    from vendgate.mqtt import Closed, Refused

    def connected():
        try:
            return machine.connect()
        except (Refused, Closed, OSError):
            return None
    wait_until(connected, timeout, f"{machine.vm_id} is let in")


def wait_online(integrator, machine, timeout=10):
    """Until the integrator sees the machine online."""
    def online():
        body = integrator.api.search(machine.vm_id).body or {}
        return (body.get("vendingMachine") or {}).get("online")
    wait_until(online, timeout, f"{machine.vm_id} is online")


@pytest.fixture
def machine(gateway, shop, make_machine):
    """A new machine, granted to shop, online."""
    return make_machine(gateway, shop)


@pytest.fixture
def make_simulator(ca, tmp_path):
    """make_simulator(gateway, integrators, count, *arguments, behaviours=()): vendsim with `count` new machines.

    They are granted to all integrators. `arguments` go to vendsim; `behaviours` to the machines one by one, those
    beyond are normal. .vm_ids are their names; started, and stopped after the test.
    """
    made = []

    def make(gateway, integrators, count, *arguments, behaviours=()):
        ctl = Ctl(gateway.database)
        machines = []
        for index in range(count):
            vm_id = f"sim-{next(_numbers)}"
            ctl.run("machine", "add", vm_id)
            machines.append((vm_id, ca.enroll(ctl, vm_id), *behaviours[index:index + 1]))
            for integrator in integrators:
                integrator.grant(vm_id)
        simulator = Simulator(gateway, machines, tmp_path / f"vendsim-{len(made)}", *arguments)
        simulator.vm_ids = [machine[0] for machine in machines]
        made.append(simulator)
        return simulator.start()

    yield make
    for simulator in made:
        simulator.stop()
