"""The daemon under test: started, stopped, killed, restarted on the same ports and database."""
import http.client
import os
import pathlib
import signal
import subprocess
import tempfile

from .places import program
from .ports import free_port
from .waiting import wait_until

# Short enough for tests, within the ranges of transaction.md.
TEST_TIMERS = {
    "timers.lock_ack": "5s",
    "timers.selection": "60s",
    "timers.payment": "30s",
    "timers.approve_ack": "2s",
    "timers.approve_ttl": "5s",
    "timers.vend": "30s",
    "timers.recovery_grace": "30s",
}


class Gateway:
    """One vendgated. `settings` maps "section.key" to a text and wins over everything here."""

    def __init__(self, database, ca, folder, settings=None):
        self.database = database
        self.ca = ca
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.api_port, self.link_port, self.private_port = free_port(), free_port(), free_port()
        # Folders of tests are deep, and a socket's path has at most 107 bytes.
        self._sockets = tempfile.TemporaryDirectory(prefix="vgt.", dir="/tmp")
        self.admin_socket = os.path.join(self._sockets.name, "admin.sock")
        self.log_file = self.folder / "vendgated.log"
        self.process = None
        self.settings = {**self._standard(), **TEST_TIMERS, **(settings or {})}

    def _standard(self):
        certificate, key = self.ca.server("gateway")
        return {
            "store.url": self.database.url,
            "api.address": "127.0.0.1",
            "api.port": str(self.api_port),
            "api.certificate": certificate,
            "api.key": key,
            "machines.address": "127.0.0.1",
            "machines.port": str(self.link_port),
            "machines.certificate": certificate,
            "machines.key": key,
            "machines.client_ca": self.ca.certificate,
            "private.address": "127.0.0.1",
            "private.port": str(self.private_port),
            "admin.socket": self.admin_socket,
        }

    def _config_file(self):
        """Writes the settings as the ini file that an operator would write."""
        sections = {}
        for name, value in self.settings.items():
            section, key = name.split(".", 1)
            sections.setdefault(section, []).append(f"{key} = {value}")
        path = self.folder / "vendgated.ini"
        path.write_text("".join(f"[{section}]\n" + "\n".join(lines) + "\n\n" for section, lines in sections.items()))
        return str(path)

    def start(self, wait=True, prefix=(), binary=None, environment=None):
        """Starts the daemon and, with `wait`, waits until /readyz says 200.

        `prefix` is a command to run it under, such as ["valgrind", ...]; `binary` the program of another build;
        `environment` is added to it.
        """
        assert self.process is None or self.process.poll() is not None, "it runs already"
        log = open(self.log_file, "ab")
        command = [*prefix, binary or program("vendgated"), "--config", self._config_file()]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                        env={**_environment(), **(environment or {})})
        log.close()
        if wait:
            self.wait_ready(120 if prefix else 20)
        return self

    def wait_ready(self, timeout=20):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"vendgated ended with {self.process.returncode}:\n{self.log()[-4000:]}")
            return self.private("/readyz")[0] == 200
        wait_until(ready, timeout, "the gateway is ready")

    def private(self, path):
        """GET on the private listener: (status, text); (0, "") if it does not answer."""
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.private_port, timeout=5)
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def metric(self, name, **labels):
        """The sum of the samples of a metric that carry these labels."""
        total = 0.0
        for line in self.private("/metrics")[1].splitlines():
            head, _, value = line.rpartition(" ")
            if head.split("{")[0] == name and all(f'{key}="{text}"' in head for key, text in labels.items()):
                total += float(value)
        return total

    def kill(self):
        """SIGKILL, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=20):
        """SIGTERM; waits for the end and fails if it was not clean (sanitizers speak through the exit code)."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"vendgated did not stop within {timeout} s:\n{self.log()[-4000:]}") from None
        assert self.process.returncode == 0, f"exit {self.process.returncode}:\n{self.log()[-4000:]}"

    def restart(self):
        """Kills it and starts it again."""
        self.kill()
        return self.start()

    def running(self):
        return self.process is not None and self.process.poll() is None

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def close(self):
        """For the fixture: stops it, and fails the test if a sanitizer spoke."""
        try:
            self.stop()
        finally:
            self._sockets.cleanup()
        spoken = [line for line in self.log().splitlines() if "Sanitizer" in line or "runtime error:" in line]
        assert not spoken, "\n".join(spoken) + "\n" + self.log()[-8000:]


def _environment():
    """Ours without what would reach the daemon's configuration, and with sanitizers that end the process."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("VENDGATE_")}
    environment.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:exitcode=99")
    environment.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    return environment
