"""Purchases all the time, so that what breaks, breaks in the middle of some; and what must be true afterwards."""
import contextlib
import time

from .buyers import Buyer
from .prober import Prober
from .reconcile import Reconciliation
from .waiting import wait_until

WITHIN = 1.0  # seconds: the service is back so soon after the cause has ended


class Load:
    """One integrator buys at `vm_ids`, machines of `simulator`; at those of `probed` a Prober locks and unlocks.

    `log` keeps the integrator's callbacks; it, the database and the simulator may have served earlier loads.
    """

    def __init__(self, gateway, integrator, simulator, vm_ids, probed, log):
        self.gateway, self.integrator, self.simulator, self.log = gateway, integrator, simulator, log
        self._vm_ids, self._probed = vm_ids, probed
        self.buyer, self.probers = None, []

    def start(self):
        began = time.monotonic()
        self.buyer = Buyer(self.integrator, self._vm_ids, self.log, surcharge=7)
        self.probers = [Prober(self.integrator, vm_id) for vm_id in self._probed]
        self.wait_bought()
        self.recovered(began)

    def stop(self):
        for worker in (*self.probers, self.buyer):
            worker.stop()

    def wait_bought(self, count=None, timeout=30):
        """So many further purchases (one a machine) end in goods."""
        wanted = self.buyer.vended() + (count or len(self._vm_ids))
        wait_until(lambda: self.buyer.vended() >= wanted or self.errors(), timeout, f"{count} purchases")

    def errors(self):
        return [error for worker in (*self.probers, self.buyer) for error in worker.errors]

    def recovered(self, ended, timeout=20):
        """Waits until every prober was served after `ended`, and returns how many seconds that took at most."""
        wait_until(lambda: all(prober.served(ended) for prober in self.probers) or self.errors(), timeout,
                   f"locks are accepted again; {[prober.heard[-1:] for prober in self.probers]}")
        assert not self.errors()
        return max(prober.served(ended).at - ended for prober in self.probers)

    def answers(self, since, until):
        """What was asked and answered in this time."""
        return [heard for prober in self.probers for heard in prober.between(since, until)]

    def refusals(self, since, until):
        """Those answered 503: each names a reason, asks for a retry and says when."""
        refused = [heard for heard in self.answers(since, until) if heard.answer.status == 503]
        for heard in refused:
            assert heard.answer.code in ("STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"), heard
            assert heard.answer.action == "retry" and int(heard.answer.headers["Retry-After"]) > 0, heard
        return refused

    def denied(self):
        """The refs that were only ever told that nothing can be stored."""
        return [ref for prober in self.probers for ref in prober.denied]


@contextlib.contextmanager
def running(*loads):
    """All of them are under way at the start of the block, go on through it, and are reconciled at its end."""
    gateway = loads[0].gateway
    pid = gateway.process.pid
    try:
        for load in loads:
            load.start()
        yield
        for load in loads:
            load.wait_bought()
    finally:
        for load in loads:
            load.stop()
    assert gateway.running() and gateway.process.pid == pid, "nobody has restarted the gateway"
    assert not [error for load in loads for error in load.errors()]
    reconcile(loads)


def still_owed(database):
    """The callbacks that are still in the queue, with what became of each attempt."""
    return database.rows("""
        SELECT q.callback_id, q.kind, q.parked, q.attempts, now() - c.created_at, (
            SELECT string_agg(concat_ws(' ', a.started_at::time, a.total_us / 1000, 'ms', a.result, a.fate, a.error), '; ' ORDER BY a.number)
            FROM callback_attempt a WHERE a.callback_id = q.callback_id)
        FROM callback_queue q JOIN callback c USING (callback_id)""")


def reconcile(loads):
    """Nothing is under way any more: everybody's records agree, and what was denied is not on disk."""
    database, simulator = loads[0].gateway.database, loads[0].simulator
    wait_until(lambda: database.value("SELECT count(*) FROM txn WHERE live") == 0, 60, "every purchase has ended")
    wait_until(lambda: database.value("SELECT count(*) FROM callback_queue") == 0, 60,
               lambda: f"every callback is told: {still_owed(database)}")
    result = Reconciliation(database, simulator.state, {load.integrator.name: load.log for load in loads})
    assert not result.differences, "\n".join(result.differences)
    denied = [ref for load in loads for ref in load.denied()]
    kept = database.rows("SELECT ref FROM txn WHERE ref = ANY(%s)", denied)
    assert not kept, f"told that nothing was stored, but it was: {kept}"


class Links:
    """The machines' connections to the gateway, counted: assert_same() fails if one was lost or made since."""

    def __init__(self, gateway):
        self._gateway = gateway
        self._counts = self._count()

    def _count(self):
        return (self._gateway.metric("vendgate_machine_links_down_total"),
                self._gateway.metric("vendgate_net_accepted_total", listener="machines"),
                self._gateway.metric("vendgate_machine_connections", phase="online"))

    def assert_same(self):
        assert self._counts == self._count() and self._counts[2] > 0, (self._counts, self._count())
