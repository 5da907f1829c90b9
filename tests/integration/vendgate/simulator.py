"""vendsim, our own simulated machines on a foreign MQTT client, as a process."""
import json
import pathlib
import signal
import subprocess

from .places import program


class Simulator:
    """Plays `machines`, a list of (vm_id, (certificate file, key file)) or the same with a behaviour's name behind.

    `arguments` go to vendsim as they are. `lines()` is what it said so far; the state folder survives kill(). They
    connect to `port`, or else to the gateway itself.
    """

    def __init__(self, gateway, machines, folder, *arguments, port=None):
        self.gateway = gateway
        self.port = port or gateway.link_port
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.events_file = self.folder / "events"
        self.state = self.folder / "state"  # journals and goods, as src/vendsim/journal.h describes them
        self.log_file = self.folder / "vendsim.log"
        self._arguments = arguments
        self._machines_file = self.folder / "machines.json"
        self._machines_file.write_text(json.dumps(
            [{"vm_id": vm_id, "cert_file": files[0], "key_file": files[1], **({"behaviour": more[0]} if more else {})}
             for vm_id, files, *more in machines]))
        self.process = None

    def start(self, prefix=()):
        """`prefix` is a command to run it under."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*prefix, program("vendsim"), "--host", "localhost", "--port", str(self.port),
                 "--ca", self.gateway.ca.certificate, "--machines", str(self._machines_file),
                 "--state-dir", str(self.state), "--events", str(self.events_file),
                 *map(str, self._arguments)], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def lines(self):
        return self.events_file.read_text().splitlines() if self.events_file.exists() else []

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def kill(self):
        """SIGKILL: a power cut of every machine."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=20):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"vendsim did not stop:\n{self.log()[-4000:]}") from None
        assert self.process.returncode == 0, f"vendsim exit {self.process.returncode}:\n{self.log()[-4000:]}"
