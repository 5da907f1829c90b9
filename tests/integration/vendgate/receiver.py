"""Many integrators' servers in a process of their own, for thousands of callbacks a second, and what arrived there.

IntegratorServer is kinder to a test that looks at single callbacks; this one is for crowds: each port is an
integrator, each has its own fault, and what arrives is only logged (sink.py).
"""
import base64
import collections
import json
import os
import pathlib
import subprocess
import sys

from .ports import free_port

# What `vendctl integrator add` leaves there, fifty times as fast.
REGISTER = """
WITH made AS (INSERT INTO integrator (name) VALUES (%s) RETURNING integrator_id),
 endpoint AS (INSERT INTO integrator_endpoint (integrator_id, callback_url, callback_ca_file, allow_cidr)
   SELECT integrator_id, %s, %s, '{127.0.0.0/8}' FROM made)
INSERT INTO integrator_signing_key (integrator_id, secret) SELECT integrator_id, %s FROM made RETURNING integrator_id
"""
SINK = pathlib.Path(__file__).with_name("sink.py")


class Arrival:
    """One request as it arrived; `busy`: requests under way at its port then, itself included.

    `answered`: when its answer of 200 was sent, or None. Times in nanoseconds of time.monotonic_ns().
    """

    def __init__(self, at, port, busy, path, headers, raw):
        self.at, self.port, self.busy, self.path, self.headers = at, port, busy, path, headers
        self.raw = raw.encode()
        self.answered = None

    @property
    def id(self):
        return self.headers["webhook-id"]

    def __repr__(self):
        return f"<{self.path} {self.id} at {self.at}, {self.busy} busy, answered {self.answered}>"


class Customer:
    """An integrator whose callbacks go to one of the ports: .id .name .port .secret (whsec_...)."""

    def __init__(self, database, ca, name):
        self.name, self.port = name, free_port()
        self.secret = "whsec_" + base64.b64encode(os.urandom(32)).decode()
        self.id = database.value(REGISTER, name, f"https://127.0.0.1:{self.port}", ca.certificate, self.secret)


class Receiver:
    """What there was up to the last read(): `arrivals`, the requests in order, and `accepted`, by port: (when, how many
    connections were open then) for each that came."""

    def __init__(self, ca, folder, hosts="localhost,127.0.0.1"):
        self.ca = ca
        self.arrivals, self.accepted, self.killed = [], collections.defaultdict(list), []
        log = pathlib.Path(folder) / "arrivals.jsonl"
        log.touch()
        self._log, self._rest = open(log, encoding="utf-8"), ""
        self._open = {}  # (port, webhook-id) -> its arrival without an answer
        command = [sys.executable, str(SINK), *ca.server("receiver", hosts), str(log)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def customers(self, database, names):
        """New integrators in the database, each with a port of its own that takes everything."""
        made = [Customer(database, self.ca, name) for name in names]
        self._do("listen", ports=[customer.port for customer in made])
        return made

    def fault(self, *customers, name="healthy", delay=0.0, retry_after=None):
        """What these do from now on (sink.py). `delay`: seconds before an answer."""
        self._do("fault", ports=[customer.port for customer in customers], fault=name, delay=delay,
                 retry_after=retry_after)

    def kill(self, process, count, moment):
        """Kills the process with the count-th request from now, when it is here ("arrival") or answered ("answer")."""
        self._do("kill", pid=process.pid, count=count, moment=moment)

    def read(self):
        """Takes in what was logged up to now."""
        self._do("sync")
        text = self._rest + self._log.read()
        *lines, self._rest = text.split("\n")
        for line in lines:
            what, *event = json.loads(line)
            self._TAKE[what](self, *event)
        return self

    def _take_connection(self, at, port, count):
        self.accepted[port].append((at, count))

    def _take_request(self, *event):
        arrival = Arrival(*event)
        self.arrivals.append(arrival)
        self._open[arrival.port, arrival.id] = arrival

    def _take_answer(self, at, port, webhook_id, status):
        arrival = self._open.pop((port, webhook_id))
        if status == 200:
            arrival.answered = at

    def _take_kill(self, at, _port, _webhook_id):
        self.killed.append(at)

    _TAKE = {"+": _take_connection, ">": _take_request, "<": _take_answer, "!": _take_kill}

    def of(self, *customers):
        """The arrivals of these so far."""
        ports = {customer.port for customer in customers}
        return [arrival for arrival in self.arrivals if arrival.port in ports]

    def stop(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()
        self._log.close()

    def _do(self, name, **command):
        self._process.stdin.write(json.dumps({"do": name, **command}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer == "done\n", f"the receiver's process answered {answer!r}"
