"""A caller that locks and unlocks one machine all the time and notes every answer: when the service was there."""
import threading
import time

from .api import Api

PAUSE = 0.01


class Heard:
    """One answer: `began`, `at` (time.monotonic()), `call` ("lock", "unlock"), `ref`, `answer`."""

    def __init__(self, began, call, ref, answer):
        self.began, self.at, self.call, self.ref, self.answer = began, time.monotonic(), call, ref, answer

    def __repr__(self):
        return f"<{self.call} {self.ref} {self.answer} after {self.at - self.began:.3f} s>"


class Prober:
    """`heard` are its answers in order, `denied` the refs that were only ever told STORE_UNAVAILABLE.

    A ref that was denied is not used again: nothing of it may be on disk.
    """

    def __init__(self, integrator, vm_id):
        self.vm_id = vm_id
        self.heard, self.denied, self.errors = [], [], []
        self._api = Api(integrator.api.gateway, integrator.api_key, keep=True)
        self._name = f"{integrator.name}-{vm_id}-probe-{time.monotonic_ns()}"
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self, timeout=60):
        self._stopping.set()
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"a call of {self._name} does not end; {self.heard[-1:]}"

    def served(self, since):
        """The first lock that was accepted at or after `since`, or None."""
        return next((heard for heard in list(self.heard)
                     if heard.at >= since and heard.call == "lock" and heard.answer.success), None)

    def between(self, since, until):
        """The answers to what was asked and answered in this time."""
        return [heard for heard in list(self.heard) if heard.began >= since and heard.at <= until]

    def _run(self):
        number = 0
        try:
            while not self._stopping.is_set():
                number += 1
                self._probe(f"{self._name}-{number}")
                self._stopping.wait(PAUSE)
        except Exception as error:  # the test's own thread tells it
            self.errors.append(f"{self.vm_id}: {error!r}")

    def _probe(self, ref):
        unknown = False
        while True:
            answer = self._ask("lock", ref, self._api.lock)
            if answer.code == "STORE_UNAVAILABLE" and not unknown:
                self.denied.append(ref)
                return
            if answer.status != 503:
                break
            unknown = True  # it may have been done: asked for to its end, whatever else it is told meanwhile
            time.sleep(PAUSE)
        while answer.success and self._ask("unlock", ref, self._api.unlock).status == 503:
            time.sleep(PAUSE)

    def _ask(self, call, ref, function):
        began = time.monotonic()
        self.heard.append(Heard(began, call, ref, function(self.vm_id, ref)))
        return self.heard[-1].answer
