"""A small world that survives its programs: CA, integrators and machines in a folder, and their processes.

Everything that is known of them stands in the folder's world.json, so that a later run finds the same integrators and
machines, with their journals and logs, and the same keys. The processes end with the one that started them.
"""
import json
import pathlib
import socket
import subprocess
import time

from .ctl import Ca, Ctl
from .gateway import Gateway
from .places import program
from .ports import free_port
from .reconcile import Reconciliation
from .simulator import Simulator
from .waiting import wait_until

# Their end, should ours come by SIGKILL.
WITH_US = ("setpriv", "--pdeathsig", "KILL", "--")

# As short as the configuration lets them be: what is abandoned ends soon.
SETTINGS = {
    "timers.lock_ack": "1s",
    "timers.selection": "15s",
    "timers.payment": "5s",
    "timers.approve_ack": "2s",
    "timers.approve_ttl": "5s",
    "timers.vend": "30s",
    "timers.doubt": "1min",
    "timers.recovery_grace": "30s",
    "timers.offline_grace": "2s",
    "timers.query_every": "1s",
    "machines.takeovers": "1000",
}
# One shop buys one thing a session, the other whatever a customer can make of a session.
ALLOW = ((), ("--allow-rename", "--allow-multi-vend"))
NORMAL = 0.5  # the share of sessions in which nothing goes wrong
MISFORTUNES = [
    *(f"{misfortune}@{point}" for misfortune in ("power_loss", "reconnect") for point in (
        "lock_received", "lock_taken", "lock_replied", "selection_made", "selection_sent", "selection_acked",
        "approve_received", "approve_taken", "approve_replied", "on_bus", "fell", "result_written", "result_sent",
        "result_acked")),
    *4 * ("withdraw_select", "change_mind", "buy_again"),
    "withdraw", "repeat_selection", "give_up", "select_give_up", "cash", "door", "jam", "cancelled", "no_drop",
    "duplicate_events", "slow_dispense", "refuse_cash_in_use"]
SETTLE_TRIES = 10
QUIET = 0.8  # seconds that nothing may be under way, so that no call that is still asked begins something
END_WITHIN = 150  # seconds for everything that is under way to end
# The paces of customers, machines and integrators, milliseconds: a purchase takes about 150.
MACHINES = ("--select-after-ms", 20, "--vend-ms", 30, "--away-ms", 150, "--backoff-ms", 10, "--connect-rate", 1000,
            "--events", "/dev/null")
SHOPS = ("--retry-ms", 50, "--patience-ms", 500, "--pause-ms", 40, "--pay-all")


class Shop:
    """A sample integrator as a process; its records are `callbacks` and `calls`."""

    def __init__(self, folder, known):
        self.name, self.vm_ids, self._known = known["name"], known["vm_ids"], known
        self.callbacks, self.calls = folder / f"{self.name}.callbacks.jsonl", folder / f"{self.name}.calls.jsonl"
        self.story = folder / f"{self.name}.log"
        self._process = self._control = None

    def start(self, gateway, sockets):
        for path in (self.callbacks, self.calls):
            path.touch()
        path = pathlib.Path(sockets) / f"{self.name}.sock"
        with open(self.story, "ab") as log:
            self._process = subprocess.Popen(
                [*WITH_US, program("sample_integrator"), "--port", str(self._known["port"]),
                 "--cert", self._known["certificate"], "--key", self._known["key"],
                 "--callback-log", str(self.callbacks), "--call-log", str(self.calls),
                 "--api-url", f"https://localhost:{gateway.api_port}", "--api-ca", gateway.ca.certificate,
                 "--api-key", self._known["api_key"], "--signing-secret", self._known["secret"],
                 "--control", str(path), *map(str, SHOPS)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._control = wait_until(lambda: _connected(path), 10, f"{self.name} takes commands")

    def buy(self, prefix):
        """From now on, at all its machines, under refs that begin so."""
        for vm_id in self.vm_ids:
            self._tell(f"come {vm_id} {self.name}.{prefix}.{vm_id}")

    def rest(self):
        self._tell("stay_away")

    def _tell(self, line):
        self._control.sendall(line.encode() + b"\n")
        answer = self._control.recv(200)
        assert answer == b"ok\n", f"{self.name} says {answer} to {line}"

    def running(self):
        return self._process.poll() is None

    def stop(self):
        if self._process:
            self._control.close()
            self._process.terminate()
            self._process.wait(20)


class World:
    """Gateway (not started), simulator, shops. `allow`: for each shop options of `vendctl integrator add`."""

    def __init__(self, folder, database, allow=ALLOW, machines=6, settings=None):
        self.folder, self.database = pathlib.Path(folder), database
        self._ctl = Ctl(database)
        self.ca = Ca(self.folder / "ca")
        self._file = self.folder / "world.json"
        if not self._file.exists():
            self._create(allow, machines)
        known = json.loads(self._file.read_text())
        self.gateway = Gateway(database, self.ca, self.folder, {**SETTINGS, **(settings or {})})
        self.shops = [Shop(self.folder, shop) for shop in known["shops"]]
        self.vm_ids = [vm_id for vm_id, _ in known["machines"]]
        self.simulator = Simulator(self.gateway, known["machines"], self.folder / "machines", *MACHINES, "--control",
                                   f"{pathlib.Path(self.gateway.admin_socket).parent}/machines.sock")
        self._orders = None

    def _create(self, allow, count):
        """Each shop sells at two thirds of the machines, so that some are wanted by both."""
        vm_ids = [f"vm-{number}" for number in range(1, count + 1)]
        machines, shops = [], []
        for vm_id in vm_ids:
            self._ctl.run("machine", "add", vm_id)
            machines.append((vm_id, self.ca.enroll(self._ctl, vm_id)))
        for number, options in enumerate(allow):
            first = number * (count // 3)
            shops.append(self._add_shop(f"shop-{number + 1}", (vm_ids + vm_ids)[first:first + 2 * count // 3], options))
        self._file.write_text(json.dumps({"machines": machines, "shops": shops}))

    def _add_shop(self, name, vm_ids, options):
        port = free_port()
        certificate, key = self.ca.server(name)
        made = self._ctl.json("integrator", "add", name, "--callback-url", f"https://127.0.0.1:{port}",
                              "--callback-ca", self.ca.certificate, "--allow-private", *options)
        for vm_id in vm_ids:
            self._ctl.run("grant", name, vm_id)
        return {"name": name, "vm_ids": vm_ids, "port": port, "certificate": certificate, "key": key,
                "api_key": made["api_key"], "secret": made["signing_secret"]}

    def start(self):
        """Machines and shops; the gateway is the caller's."""
        sockets = pathlib.Path(self.gateway.admin_socket).parent
        self.simulator.start(WITH_US)
        for shop in self.shops:
            shop.start(self.gateway, sockets)
        self._orders = wait_until(lambda: _connected(sockets / "machines.sock"), 10, "vendsim takes orders")

    def buy(self, prefix):
        """All shops, from now on, under refs that have `prefix` in them."""
        for shop in self.shops:
            shop.buy(prefix)

    def befall(self, chance):
        """Something for the next session of each machine; `chance` is a random.Random."""
        for vm_id in self.vm_ids:
            if chance.random() > NORMAL:
                self.order(vm_id, chance.choice(MISFORTUNES))

    def order(self, vm_id, behaviour):
        """The next session of this machine goes so."""
        self._orders.sendall(json.dumps({"vm_id": vm_id, "behaviour": behaviour, "times": 1}).encode() + b"\n")
        answer = json.loads(self._orders.recv(1000))
        assert answer["success"], f"vendsim says {answer} to {behaviour}"

    def start_gateway(self, environment=None):
        self.gateway.start(wait=False, prefix=WITH_US, environment=environment)

    def all_running(self):
        return self.simulator.process.poll() is None and all(shop.running() for shop in self.shops)

    def quiet(self):
        """Nothing is under way as far as the database knows."""
        return not self.database.value("SELECT (SELECT count(*) FROM txn WHERE live)"
                                       " + (SELECT count(*) FROM callback_queue)")

    def settle(self, place):
        """Nobody buys; everything ends; the records agree: a Reconciliation of what came after `place`."""
        for shop in self.shops:
            shop.rest()
        for _ in range(SETTLE_TRIES):
            self._wait_for_the_end()
            before = self._progress()
            result = Reconciliation(self.database, self.simulator.state,
                                    {shop.name: shop.callbacks for shop in self.shops},
                                    {shop.name: shop.calls for shop in self.shops}, place)
            if self._progress() == before and self.quiet():
                break  # else a call that was asked again began something while the records were read
        assert not result.differences, "\n".join(["the records differ:", *result.differences])
        return result

    def audit(self):
        """What an operator would be told of all that is stored; a finding fails."""
        self._ctl.run("audit")

    def _progress(self):
        """Grows with everything that is begun or answered."""
        return (self.database.value("SELECT max(event_id) FROM txn_event"),
                [shop.calls.stat().st_size for shop in self.shops])

    def _wait_for_the_end(self):
        last_busy = time.monotonic()

        def ended():
            nonlocal last_busy
            assert self.all_running(), f"a machine or an integrator has ended: see {self.folder}"
            if not self.quiet():
                last_busy = time.monotonic()
            return time.monotonic() - last_busy > QUIET
        wait_until(ended, END_WITHIN, Left(self.database))

    def stop(self):
        for shop in self.shops:
            shop.stop()
        self.simulator.stop()
        self.gateway.close()


class Left:
    """As a text: what is under way."""

    def __init__(self, database):
        self._database = database

    def __str__(self):
        rows = self._database.rows("SELECT * FROM txn_live") + self._database.rows("SELECT * FROM callback_waiting")
        return "\n".join(["the end of", *map(str, rows)])


def _connected(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(10)
    try:
        connection.connect(str(path))
        return connection
    except OSError:
        connection.close()
        return None
