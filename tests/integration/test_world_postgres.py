"""PostgreSQL fails in the middle of many purchases: calls are told to retry, machines stay connected, and the service
is back by itself as soon as the server is."""
import contextlib
import threading
import time

import psycopg2
import pytest

from vendgate.database import Cluster
from vendgate.gateway import Gateway
from vendgate.load import Links, Load, running
from vendgate.places import released
from vendgate.server import Server
from vendgate.simulator import Simulator
from vendgate.small_disk import SmallDisk
from vendgate.waiting import wait_until

AWAY = 3  # seconds that an outage lasts
SETTINGS = {"timers.query_every": "1s", "timers.payment": "10s", "store.statement_timeout": "1s",
            "api.request_time": "1s", "timers.lock_ack": "1s"}
MACHINES, PROBED = 6, 2
CONNECTIONS = 40  # so few that a test can take them all


@pytest.fixture(scope="module")
def cluster():
    """A cluster of this module's own: nobody else's tests may feel what happens to it."""
    made = Cluster("world")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def server(cluster):
    made = Server(cluster)
    with superuser(cluster) as cursor:
        cursor.execute(f"ALTER SYSTEM SET max_connections = {CONNECTIONS}")
    made.stop()
    made.start()
    return made


@pytest.fixture(scope="module")
def disk(cluster, server):
    """The disk that holds the database and nothing else of the cluster."""
    made = SmallDisk(96, server.data.stat().st_uid)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def database(cluster, server, disk):
    if not disk.usable:
        yield cluster.database()
        return
    with superuser(cluster) as cursor:
        cursor.execute(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
    yield cluster.database("small")


@pytest.fixture(scope="module")
def gateway(database, ca, tmp_path_factory):
    """The gateway as it is installed: sanitizers would be measured with it."""
    made = Gateway(database, ca, tmp_path_factory.mktemp("gateway"), SETTINGS)
    made.start(binary=released("vendgated"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def load(gateway, shop, ctl, ca, enrolled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("load")
    machines = [enrolled(gateway.database) for _ in range(MACHINES)]
    for vm_id, _ in machines:
        shop.grant(vm_id)
    simulator = Simulator(gateway, machines, folder / "vendsim", "--select-after-ms", 50, "--vend-ms", 50).start()
    wait_until(lambda: gateway.metric("vendgate_machine_connections", phase="online") == MACHINES, 20, "all are online")
    vm_ids = [vm_id for vm_id, _ in machines]
    yield Load(gateway, shop, simulator, vm_ids[PROBED:], vm_ids[:PROBED], folder / "shop.jsonl")
    simulator.stop()


class Outage:
    """gone: when the gateway knew of it; over: when the test began to end it; ended: when the server was back."""

    gone = over = ended = None


@contextlib.contextmanager
def outage(load, measured, at_least=5):
    """The block takes PostgreSQL away under load and brings it back, and notes when.

    In between every call (`at_least` so many) is refused as a lack of storage, and no machine's connection ends.
    """
    links = Links(load.gateway)
    with running(load):
        moments = Outage()
        yield moments
        load.gateway.database.close()  # ours went with the others
        measured(load.recovered(moments.ended))
        answers = load.answers(moments.gone, moments.over)
        assert len(answers) >= at_least and answers == load.refusals(moments.gone, moments.over), answers
        links.assert_same()


def lasts(seconds=AWAY):
    """The length of the outage, not a wait for something."""
    threading.Event().wait(seconds)


def noticed(load):
    """The moment when the gateway knew that its store is gone."""
    wait_until(lambda: load.gateway.private("/readyz")[0] == 503, 15, "the gateway is not ready")
    return time.monotonic()


def test_restarted_fast(load, server, measured):
    with outage(load, measured, at_least=0) as moments:
        server.stop()
        moments.gone = moments.over = noticed(load)
        moments.ended = server.start()


def test_killed(load, server, measured):
    with outage(load, measured) as moments:
        server.kill()
        moments.gone = noticed(load)
        lasts()
        moments.over = time.monotonic()
        moments.ended = server.start()


LENGTHS = [AWAY, pytest.param(30, marks=pytest.mark.full)]


@pytest.mark.parametrize("seconds", LENGTHS)
def test_stopped(load, server, measured, seconds):
    with outage(load, measured) as moments:
        server.stop()
        moments.gone = noticed(load)
        lasts(seconds)
        moments.over = time.monotonic()
        moments.ended = server.start()


@pytest.mark.parametrize("seconds", [AWAY + 2, pytest.param(30, marks=pytest.mark.full)])
def test_silent_with_its_connections_open(load, server, measured, seconds):
    with outage(load, measured) as moments:
        server.freeze()
        try:
            moments.gone = noticed(load)
            lasts(seconds - 2)
            moments.over = time.monotonic()
        finally:
            moments.ended = server.thaw()


@contextlib.contextmanager
def superuser(cluster):
    """A connection to another database of the cluster."""
    with contextlib.closing(psycopg2.connect(cluster.url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def end_connections(cursor, database):
    """Ends all connections to the database, and returns how many there were."""
    cursor.execute("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", [database.name])
    return cursor.fetchone()[0]


def test_refusing_connections_to_the_database(load, server, cluster, measured):
    with outage(load, measured) as moments, superuser(cluster) as cursor:
        cursor.execute(f'ALTER DATABASE "{load.gateway.database.name}" ALLOW_CONNECTIONS false')
        try:
            end_connections(cursor, load.gateway.database)
            moments.gone = noticed(load)
            lasts()
            moments.over = time.monotonic()
        finally:
            cursor.execute(f'ALTER DATABASE "{load.gateway.database.name}" ALLOW_CONNECTIONS true')
        moments.ended = server.wait_accepting(load.gateway.database)


def test_refusing_clients_by_its_configuration(load, server, cluster, measured):
    hba = server.data / "pg_hba.conf"
    before = hba.read_text()
    with outage(load, measured) as moments, superuser(cluster) as cursor:
        hba.write_text(f"local {load.gateway.database.name} all reject\n" + before)
        try:
            cursor.execute("SELECT pg_reload_conf()")
            wait_until(lambda: not server.accepts(load.gateway.database), 5, "clients are refused")
            end_connections(cursor, load.gateway.database)
            moments.gone = noticed(load)
            lasts()
            moments.over = time.monotonic()
        finally:
            hba.write_text(before)
            cursor.execute("SELECT pg_reload_conf()")
        moments.ended = server.wait_accepting(load.gateway.database)


def hog(cluster):
    """Takes every connection that is left."""
    taken = []
    with contextlib.suppress(psycopg2.OperationalError):
        while True:
            taken.append(psycopg2.connect(cluster.url))
    return taken


def test_out_of_connections(load, server, cluster, measured):
    """Others hold them all at the moment when the gateway has to connect again."""
    with outage(load, measured) as moments, superuser(cluster) as cursor:
        hogs = hog(cluster)
        try:
            while True:  # until none of the gateway's was quicker than we
                ended, taken = end_connections(cursor, load.gateway.database), hog(cluster)
                hogs += taken
                if ended == 0 and not taken:
                    break
            moments.gone = noticed(load)
            lasts()
            moments.over = time.monotonic()
        finally:
            for connection in hogs:
                connection.close()
        moments.ended = server.wait_accepting(load.gateway.database)


@contextlib.contextmanager
def full_disk(load, measured, disk):
    """Under load the disk is full for a while. What needs no room may succeed, nothing else but a refusal is said."""
    if not disk.usable:
        pytest.skip("a small disk cannot be mounted here: needs root's right to mount")
    links = Links(load.gateway)
    with running(load):
        disk.fill()
        began = time.monotonic()
        wait_until(lambda: load.refusals(began, time.monotonic()), 15, "calls are refused")
        lasts()
        over = time.monotonic()
        yield
        measured(load.recovered(time.monotonic()))
        refused = load.refusals(began, over)
        assert all(heard in refused or heard.answer.success for heard in load.answers(began, over))
        links.assert_same()


def test_out_of_disk(load, disk, measured):
    with full_disk(load, measured, disk):
        disk.free()
