"""An integrator that buys all the time, and keeps a log of the callbacks that it received."""
import http.client
import itertools
import json
import random
import threading

from .api import Api
from .waiting import wait_until
from .integrator import ACCEPT


_numbers = itertools.count(1)


class Buyer:
    """Buys for one integrator at many machines at once, a thread each, until stop().

    `log` is the file of its callbacks as var/sandbox.json describes one: a JSON object a line with path, headers and
    body. `surcharge` makes the amount differ from the price. `locked` counts the locks that were accepted.
    """

    def __init__(self, integrator, vm_ids, log, surcharge=0):
        self.integrator, self.log, self.surcharge = integrator, log, surcharge
        self.locked = 0
        self._name = f"{integrator.name}-{next(_numbers)}"  # of its refs: an earlier buyer has used others
        self.errors = []
        self._stopping = threading.Event()
        self._news = threading.Condition()
        self._heard = {}  # txn_ref -> {path: body}
        self._file = open(log, "a")
        for path in ("/txn/request", "/txn/vend", "/txn/unlock"):
            integrator.server.always(path, self._took)
        self._threads = [threading.Thread(target=self._shop_at, args=[vm_id], daemon=True) for vm_id in vm_ids]
        for thread in self._threads:
            thread.start()

    def stop(self, timeout=120):
        """No new purchase; waits for the end of those under way."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(timeout)
            assert not thread.is_alive(), f"a purchase of {self.integrator.name} does not end"
        self._file.close()

    def vended(self):
        """How many purchases it was told to have ended in goods."""
        return sum(path == "/txn/vend" and body["success"] for heard in list(self._heard.values())
                   for path, body in list(heard.items()))

    def _took(self, callback):
        with self._news:
            self._file.write(json.dumps({"path": callback.path, "headers": callback.headers,
                                         "body": callback.raw.decode()}) + "\n")
            self._file.flush()
            self._heard.setdefault(callback.ref, {})[callback.path] = callback.body
            self._news.notify_all()
        return ACCEPT

    def _wait(self, ref, *paths, timeout=100):
        """The first of these that came for this ref: (path, body)."""
        def come():
            heard = self._heard.get(ref, {})
            return next(((path, heard[path]) for path in paths if path in heard), None)
        with self._news:
            assert self._news.wait_for(come, timeout), f"none of {paths} for {ref} within {timeout} s"
            return come()

    def _shop_at(self, vm_id):
        api = Api(self.integrator.api.gateway, self.integrator.api_key, keep=True)
        number = 0
        try:
            while not self._stopping.is_set():
                number += 1
                if not self._buy(api, vm_id, f"{self._name}-{vm_id}-{number}"):
                    self._stopping.wait(random.uniform(0.05, 0.3))  # somebody else's turn at this machine
        except Exception as error:  # the test's own thread tells it
            self.errors.append(f"{vm_id}: {error!r}")

    @staticmethod
    def _asked(call, *arguments, timeout=60, **named):
        """The answer to a call, asked again while there is none: the gateway may be away."""
        def answered():
            try:
                answer = call(*arguments, **named)
            except (OSError, http.client.HTTPException):
                return None
            return answer if answer.status != 503 else None
        return wait_until(answered, timeout, f"an answer to {arguments}")

    def _buy(self, api, vm_id, ref):
        """One purchase to its end. False: the machine could not be locked."""
        if not self._asked(api.lock, vm_id, ref).success:
            return False
        self.locked += 1
        path, body = self._wait(ref, "/txn/request", "/txn/unlock")
        while path == "/txn/request":
            answer = self._asked(api.paid, ref, body["cents"], surcharge=self.surcharge)
            if answer.success or answer.action not in ("retry", "wait"):
                break
            if self._heard[ref].get("/txn/unlock"):
                break
            threading.Event().wait(0.1)  # as it was told: the same call later
        self._wait(ref, "/txn/vend", "/txn/unlock")
        return True
