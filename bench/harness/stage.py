"""The scene of a measurement: a fresh PostgreSQL, a certificate, and one run after the other on it.

    source --pipe--> sender or peer --HTTPS--> sink
                          |
                      PostgreSQL
"""
import collections
import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

from . import places
from .cpu import postgres_cpu_s
from .figures import Arrivals

from vendgate.database import Cluster  # the tests' own
from vendgate import npm

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
LEAD_S = 0.3  # from the source's start to the first event
SEEDS = places.ROOT / "bench/sql"

Phase = collections.namedtuple("Phase", "rate count")
# One run: what came to the sink, and what each party says of itself.
Run = collections.namedtuple("Run", "arrivals sender sink postgres_cpu_s start_ns")


class Sink:
    """The running sink; `fault` makes one of its endpoints ill."""

    def __init__(self, folder, endpoints):
        self.file = folder / "arrivals"
        self.process = subprocess.Popen(
            [places.program("sink"), "--cert", folder / "cert.pem", "--key", folder / "key.pem",
             "--arrivals", self.file, "--endpoints", str(endpoints)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.ready = json.loads(self.process.stdout.readline())

    def fault(self, endpoint, name):
        self.process.stdin.write(f"fault {endpoint} {name}\n")
        self.process.stdin.flush()

    def stop(self):
        """Its last words; `file` is complete then."""
        self.process.stdin.close()
        told = json.loads(self.process.stdout.readline())
        self.process.wait(10)
        return told


class Stage:
    """Use it in a `with`; what it started ends there."""

    def __init__(self, endpoints=1, lanes=16):
        self.endpoints, self.lanes = endpoints, lanes
        self._exit = contextlib.ExitStack()

    def __enter__(self):
        with self._exit as undo:
            self.folder = pathlib.Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="vendgate-bench.")))
            self._make_certificate()
            self.cluster = Cluster(named="bench")
            undo.callback(self.cluster.stop)
            self._exit = undo.pop_all()
        return self

    def __exit__(self, *error):
        self._exit.close()

    def _make_certificate(self):
        names = ",".join(["IP:127.0.0.1", *(f"DNS:endpoint-{i}.test" for i in range(self.endpoints))])
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
             "-subj", "/CN=bench", "-addext", f"subjectAltName={names}",
             "-keyout", self.folder / "key.pem", "-out", self.folder / "cert.pem"],
            check=True, capture_output=True)

    # --- the two sides ---

    def vendgate(self, phases, feeds=True, connections=32, by_name=False, patience_s=60, during=None):
        """The production store and outbound."""
        database = self.cluster.database()
        seed = (SEEDS / "vendgate.sql").read_text()
        database.rows(seed.replace(":endpoints", str(self.endpoints)).replace(":lanes", str(self.lanes)))

        def command(ready):
            ports = [word for port in ready["ports"] for word in ("--port", str(port))]
            extra = ["--feeds"] if feeds else []
            if by_name:
                extra += ["--dns", f"127.0.0.1:{ready['names_port']}"]
            return [places.program("sender"), *self._common(database), "--connections", str(connections),
                    "--patience", str(patience_s), *ports, *extra]
        return self._run(database, command, phases, during)

    def graphile(self, phases, concurrency, connections, pool):
        """graphile-worker, the same work."""
        database = self.cluster.empty_database()
        database.rows((SEEDS / "graphile.sql").read_text())
        folder = npm.install()
        subprocess.run([folder / "node_modules/.bin/graphile-worker", "--schema-only", "-c", database.url],
                       check=True, capture_output=True, cwd=folder)

        def command(ready):
            return ["node", places.ROOT / "bench/peers/node/outbound.js", *self._common(database),
                    "--port", str(ready["ports"][0]), "--concurrency", str(concurrency),
                    "--connections", str(connections), "--pool", str(pool)]
        return self._run(database, command, phases, None, cwd=folder)

    def _common(self, database):
        return ["--database", database.url, "--ca", str(self.folder / "cert.pem"), "--secret", SECRET]

    # --- one run ---

    def _run(self, database, command, phases, during, cwd=None):
        sink = Sink(self.folder, self.endpoints)
        cpu_before = postgres_cpu_s(database)
        receiving, giving = os.pipe()
        with subprocess.Popen(command(sink.ready), stdin=receiving, stdout=subprocess.PIPE, text=True,
                              cwd=cwd) as sender:
            os.close(receiving)
            if sender.stdout.readline() != "ready\n":
                raise SystemExit("the sending side did not become ready")
            start_ns = time.monotonic_ns() + int(LEAD_S * 1e9)
            source = subprocess.Popen(self._source(phases, start_ns), stdout=giving)
            os.close(giving)
            if during:
                during(sink, start_ns)
            told = sender.stdout.readline()
            sender.wait(30)
            source.wait(10)
        if not told or sender.returncode != 0 or source.returncode != 0:
            raise SystemExit("the sending side has failed")
        used_s = postgres_cpu_s(database) - cpu_before
        sink_told = sink.stop()
        self.cluster.drop(database)
        return Run(Arrivals(sink.file), json.loads(told), sink_told, used_s, start_ns)

    def _source(self, phases, start_ns):
        planned = [word for phase in phases for word in ("--phase", f"{phase.rate}:{phase.count}")]
        return [places.program("source"), "--endpoints", str(self.endpoints), "--lanes", str(self.lanes),
                "--start", str(start_ns), *planned]
