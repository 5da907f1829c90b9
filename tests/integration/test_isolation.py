"""50 integrators, and one of them fails in every way there is: the others have their callbacks meanwhile, each lane in
order, and it has its own as soon as it is mended. How long that takes is measured by a benchmark."""
import pytest

from vendgate.backlog import Backlog
from vendgate.dns import NameServer
from vendgate.gateway import Gateway
from vendgate.places import released
from vendgate.receiver import Receiver
from vendgate.waiting import wait_until

ENDPOINTS = 50
LANES, EACH = 3, 6
KINDS = ["/txn/vend", "/txn/unlock", "/feed/alerts"]
NAME = "integrator.test"
CASES = ["dns", "silent", "stall", "drip", "503", "reset"]  # first the one that a warm connection would get over


@pytest.fixture(scope="module")
def names():
    made = NameServer()
    made.set(NAME, ["127.0.0.1"])
    yield made
    made.stop()


@pytest.fixture(scope="module")
def receiver(ca, tmp_path_factory):
    made = Receiver(ca, tmp_path_factory.mktemp("receiver"), f"localhost,127.0.0.1,{NAME}")
    yield made
    made.stop()


@pytest.fixture(scope="module")
def customers(receiver, database):
    """All of them; one is reached by a name, the others by an address."""
    made = receiver.customers(database, [f"endpoint-{n}" for n in range(ENDPOINTS)])
    named = made[CASES.index("dns")]
    database.rows("UPDATE integrator_endpoint SET callback_url = %s WHERE integrator_id = %s",
                  f"https://{NAME}:{named.port}", named.id)
    return made


@pytest.fixture(scope="module")
def backlog(database):
    return Backlog(database)


@pytest.fixture(scope="module")
def gateway(database, ca, tmp_path_factory, names, customers, backlog):
    """As it is installed: with sanitizers, 50 endpoints' handshakes at once might take more than their time."""
    made = Gateway(database, ca, tmp_path_factory.mktemp("gateway"), {"outbound.dns_servers": names.setting})
    yield made.start(binary=released("vendgated"))
    made.close()


class Broken:
    """One of the customers, in the case's way."""

    def __init__(self, case, customer, receiver, names, backlog):
        self.case, self.customer = case, customer
        self._receiver, self._names, self._backlog = receiver, names, backlog

    def strike(self):
        if self.case == "dns":
            self._asked = self._names.lookups(NAME)
            self._names.silent.add(NAME)
        else:
            self._met = self._meetings()
            self._receiver.fault(self.customer, name=self.case)

    def _meetings(self):
        receiver = self._receiver.read()
        return len(receiver.accepted[self.customer.port] if self.case == "stall" else receiver.of(self.customer))

    def felt(self):
        """The gateway has met with it."""
        if self.case == "dns":
            return self._names.lookups(NAME) > self._asked
        return self._meetings() > self._met

    def mend(self):
        self._names.silent.discard(NAME)
        self._receiver.fault(self.customer)


@pytest.mark.parametrize("case", CASES)
def test_one_endpoint_is_not_felt_by_the_others(gateway, receiver, customers, names, backlog, case):
    broken = Broken(case, customers[CASES.index(case)], receiver, names, backlog)
    healthy = [customer for customer in customers if customer is not broken.customer]
    broken.strike()
    try:
        its_own = backlog.add([broken.customer], 5 * LANES, EACH, KINDS, announce=True)
        wait_until(broken.felt, 10, f"the endpoint is met: {case}")
        others = backlog.add(healthy, LANES, EACH, KINDS, announce=True)
        wait_until(lambda: backlog.waiting(*healthy) == 0, 30, "the others have theirs")
        assert backlog.waiting(broken.customer) == len(its_own)
        backlog.check_arrivals(receiver.read().arrivals, others)
    finally:
        broken.mend()
    wait_until(lambda: backlog.waiting(broken.customer) == 0, 40, "it has its own, too")
    backlog.check_arrivals(receiver.read().arrivals, its_own)
    backlog.check_fates(its_own + others)
