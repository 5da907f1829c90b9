"""One purchase in words: what tests do again and again, and what they look up on disk."""
import contextlib
import itertools

from .waiting import wait_until

_numbers = itertools.count(1)

FINAL = ("VENDED", "FAILED", "CLOSED")


def new_ref(name="ref"):
    """A txnRef that no test used before."""
    return f"{name}-{next(_numbers)}"


class Purchase:
    """A purchase of `shop` at `machine`; each step is one call and checks that it was accepted.

    Purchase(shop, machine).buy() is the whole of it.
    """

    def __init__(self, shop, machine, price=150, ref=None, api=None):
        self.shop, self.machine, self.price = shop, machine, price
        self.database = shop.ctl.database
        self.ref = ref or new_ref()
        self.api = api or shop.api

    # --- the steps

    def lock(self, **more):
        answer = self.api.lock(self.machine.vm_id, self.ref, **more)
        assert answer.success, answer
        return answer

    def select(self, **more):
        """The customer chooses, and /txn/request has arrived: its Callback."""
        self.machine.select(price=self.price, **more)
        return self.request()

    def request(self, count=1):
        return self.shop.server.wait("/txn/request", self.ref, count)

    def pay(self, discount=0, surcharge=0):
        answer = self.api.paid(self.ref, self.price, discount, surcharge)
        assert answer.success, answer
        return answer

    def pay_patiently(self, timeout=20):
        """As an integrator does after an outage: asks again while it is told to, or gets no answer."""
        def paid():
            with contextlib.suppress(OSError):
                answer = self.api.paid(self.ref, self.price)
                assert answer.success or answer.action == "retry", answer
                return answer if answer.success else None
        return wait_until(paid, timeout, f"{self.ref} is paid")

    def vend(self, timeout=10):
        """/txn/vend has arrived: its Callback."""
        return self.shop.server.wait("/txn/vend", self.ref, timeout=timeout)

    def closed(self, timeout=10):
        """/txn/unlock has arrived: its code."""
        return self.shop.server.wait("/txn/unlock", self.ref, timeout=timeout).body["code"]

    def buy(self, **figures):
        """From lock to /txn/vend; the Callback."""
        self.lock()
        self.select()
        self.pay(**figures)
        return self.vend()

    # --- what is on disk

    def row(self):
        """Its row of txn as a dict; None."""
        rows = self.database.rows("SELECT * FROM txn WHERE integrator_id = %s AND ref = %s", self.shop.id, self.ref)
        return rows[0] if rows else None

    def state(self):
        row = self.row()
        return row["state"] if row else None

    def wait_state(self, *states, timeout=10):
        wait_until(lambda: self.state() in states, timeout, f"{self.ref} is {states}; it is {self.state()}")
        return self.row()

    def events(self):
        """Its journal: (event, to_state) in order."""
        return [(row["event"], row["to_state"]) for row in self.database.rows(
            "SELECT e.event, e.to_state FROM txn_event e JOIN txn t USING (txn_id)"
            " WHERE t.integrator_id = %s AND t.ref = %s ORDER BY e.event_id", self.shop.id, self.ref)]

    def finals(self):
        """The webhook-ids of /txn/vend and /txn/unlock that the integrator received, each once."""
        return {c.id for c in self.shop.server.callbacks(ref=self.ref) if c.path in ("/txn/vend", "/txn/unlock")}

    def footprint(self):
        """All that the database holds of it and of its machine's transactions: unchanged means nothing happened."""
        return [self.database.rows(sql, self.machine.vm_id, self.ref) for sql in (
            "SELECT * FROM txn WHERE vm_id = %s OR ref = %s ORDER BY txn_id",
            "SELECT e.* FROM txn_event e JOIN txn t USING (txn_id) WHERE t.vm_id = %s OR t.ref = %s"
            " ORDER BY e.event_id",
            "SELECT c.* FROM callback c JOIN txn t USING (txn_id) WHERE t.vm_id = %s OR t.ref = %s"
            " ORDER BY c.callback_id")]

    def assert_settled_once(self, state, motor):
        """It ended as `state`; the motor ran `motor` times; the integrator heard of one end."""
        row = self.wait_state(*FINAL)
        assert row["state"] == state, (row, self.events())
        assert len(self.machine.dispensed_approvals) == motor
        if row["lock_answered"] and row["closed_by"] != "unlock":
            wait_until(self.finals, 15, f"the end of {self.ref} is told")
            undelivered = "SELECT count(*) FROM callback_queue q JOIN txn t USING (txn_id) WHERE t.txn_id = %s"
            wait_until(lambda: self.database.value(undelivered, row["txn_id"]) == 0, 15, "all callbacks are settled")
            assert len(self.finals()) == 1, self.shop.server.callbacks(ref=self.ref)
        else:
            assert not self.finals()


@contextlib.contextmanager
def writes_held_back(database):
    """Nothing can be written to table txn until the block ends (reading goes on).

    Yields a function that waits until a backend is held back, and returns the process ids of those that are.
    """
    connection = database.connection()
    try:
        connection.cursor().execute("LOCK TABLE txn IN SHARE ROW EXCLUSIVE MODE")

        def held_back(timeout=5):
            return wait_until(lambda: [row["pid"] for row in database.rows(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND %s = ANY (pg_blocking_pids(pid))", connection.info.backend_pid)], timeout, "a write is held back")
        yield held_back
    finally:
        connection.rollback()
        connection.close()
