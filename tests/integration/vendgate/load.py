"""Purchases all the time, so that what breaks, breaks in the middle of some; and what must be true afterwards."""
import contextlib
import time

from .buyers import Buyer
from .prober import Prober
from .reconcile import Reconciliation
from .waiting import wait_until

WITHIN = 1.0  # the service is back so soon after the cause has ended


class Load:
    """One integrator buys at `vm_ids`, machines of `simulator`; at the last two a Prober locks and unlocks.

    with load.running(): all of it is under way at the start of the block; at its end it is stopped and reconciled.
    The database, the simulator and `log`, the integrator's callbacks, may be those of earlier loads.
    """

    def __init__(self, gateway, integrator, simulator, vm_ids, log):
        self.gateway, self.integrator, self.simulator, self.log = gateway, integrator, simulator, log
        self.database = gateway.database
        self._buying_at, self._probing_at = vm_ids[:-2], vm_ids[-2:]
        self.buyer, self.probers = None, []

    @contextlib.contextmanager
    def running(self):
        pid = self.gateway.process.pid
        self.buyer = Buyer(self.integrator, self._buying_at, self.log, surcharge=7)
        self.probers = [Prober(self.integrator, vm_id) for vm_id in self._probing_at]
        try:
            began = time.monotonic()
            self.wait_bought(len(self._buying_at))
            wait_until(lambda: all(prober.served(began) for prober in self.probers), 20, "locks are accepted")
            yield self
            self.wait_bought(len(self._buying_at))
        finally:
            for worker in (*self.probers, self.buyer):
                worker.stop()
        assert self.gateway.process.pid == pid and self.gateway.running(), "nobody has restarted the gateway"
        self._reconcile()

    def wait_bought(self, count, timeout=30):
        """So many further purchases end in goods."""
        wanted = self.buyer.vended() + count
        wait_until(lambda: self.buyer.vended() >= wanted or self.errors(), timeout, f"{count} purchases")

    def errors(self):
        return [error for worker in (*self.probers, self.buyer) for error in worker.errors]

    def recovered(self, ended, timeout=20):
        """Waits until every prober was served after `ended`, and returns how many seconds that took at most."""
        wait_until(lambda: all(prober.served(ended) for prober in self.probers) or self.errors(), timeout,
                   f"locks are accepted again; {[prober.heard[-1:] for prober in self.probers]}")
        assert not self.errors()
        return max(prober.served(ended).at - ended for prober in self.probers)

    def refusals(self, since, until):
        """What was answered 503 in this time; each asks for a retry and says when."""
        answers = [heard for prober in self.probers for heard in prober.between(since, until)]
        refused = [heard for heard in answers if heard.answer.status == 503]
        for heard in refused:
            assert heard.answer.code in ("STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"), heard
            assert heard.answer.action == "retry" and int(heard.answer.headers["Retry-After"]) > 0, heard
        return answers, refused

    def _reconcile(self):
        assert not self.errors()
        wait_until(lambda: self.database.value("SELECT count(*) FROM txn WHERE live") == 0, 60, "every one has ended")
        wait_until(lambda: self.database.value("SELECT count(*) FROM callback_queue") == 0, 30, "every callback told")
        result = Reconciliation(self.database, self.simulator.state, {self.integrator.name: self.log})
        assert not result.differences, "\n".join(result.differences)
        denied = [ref for prober in self.probers for ref in prober.denied]
        kept = self.database.rows("SELECT ref FROM txn WHERE ref = ANY(%s)", denied)
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
