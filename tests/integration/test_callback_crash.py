"""The daemon is killed while 1,000 callbacks are under way, again and again: none is lost, a repeat is the same
callback, and no lane gets out of order - as the receiver's log has it."""
import random
import signal
import threading

import pytest

from vendgate.backlog import Backlog
from vendgate.integrator import signed_rightly
from vendgate.receiver import Receiver
from vendgate.waiting import wait_until

INTEGRATORS, LANES, EACH = 10, 20, 5
KINDS = ["/txn/vend", "/txn/unlock"]
MOMENTS = ["start", "arrival", "answer"]  # of a kill: soon after the start, when a request is here, when it is answered
STARTING = 0.5  # seconds
ANSWER_TAKES = 0.01


@pytest.fixture(scope="module")
def receiver(ca, tmp_path_factory):
    made = Receiver(ca, tmp_path_factory.mktemp("receiver"))
    yield made
    made.stop()


def kill_while_draining(gateway, receiver, backlog, customers, rng, kills):
    """Started and killed that often, at drawn moments; they are drawn so that something is left for the last."""
    for left in range(kills, 0, -1):
        count = rng.randint(1, backlog.waiting(*customers) // (left + 1))
        moment = rng.choice(MOMENTS)
        gateway.start(wait=False)
        if moment == "start":
            threading.Event().wait(rng.uniform(0, STARTING))
            gateway.kill()
            continue
        receiver.kill(gateway.process, count, moment)
        assert gateway.process.wait(60) == -signal.SIGKILL, gateway.log()[-4000:]


def check_signatures(customers, backlog, arrivals):
    """Each came to its own integrator, signed with that one's key."""
    secrets = {customer.port: customer.secret for customer in customers}
    assert all(signed_rightly(arrival, secrets[arrival.port]) for arrival in arrivals)
    integrators = {customer.port: customer.id for customer in customers}
    assert all(backlog.owed[arrival.id].integrator_id == integrators[arrival.port] for arrival in arrivals)


@pytest.mark.parametrize("kills", [5, pytest.param(30, marks=pytest.mark.full)])
def test_killed_while_delivering(database, receiver, make_gateway, kills):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    customers = receiver.customers(database, [f"killed-{kills}-{n}" for n in range(INTEGRATORS)])
    receiver.fault(*customers, delay=ANSWER_TAKES)
    backlog = Backlog(database)
    owed = backlog.add(customers, LANES, EACH, KINDS)
    assert len(owed) == 1000
    gateway = make_gateway(database=database, start=False)
    kill_while_draining(gateway, receiver, backlog, customers, random.Random(seed), kills)
    assert backlog.waiting(*customers) > 0, "the last kill came too late"
    gateway.start()
    wait_until(lambda: backlog.waiting(*customers) == 0, 60, "everything is delivered")
    arrivals = receiver.read().of(*customers)
    print(len(arrivals) - len(owed), "repeats")
    backlog.check_arrivals(arrivals)
    backlog.check_fates()
    check_signatures(customers, backlog, arrivals)
    assert database.value("SELECT count(*) FROM callback_queue") == 0
