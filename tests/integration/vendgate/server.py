"""The PostgreSQL server of a private cluster: stopped, killed, frozen, and started again."""
import os
import pathlib
import signal
import subprocess
import time

import psycopg2

from .places import ROOT

# The first argument are assignments: only what runs as the server's user may see them.
_PG_CTL = ('. "$0/scripts/lib/common.sh"; . "$0/scripts/lib/cluster.sh"; IFS=" " read -ra more <<<"$1"; shift;'
           ' as_server env "${more[@]}" "$(postgres_program pg_ctl)" "$@"')


class Server:
    """`data` is its folder. What ends an outage returns the moment (time.monotonic()) when it let clients in again.

    `environment` is added to the server's when it is started.
    """

    def __init__(self, cluster):
        self.cluster = cluster
        self.environment = {}
        with psycopg2.connect(cluster.url) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW data_directory")
            self.data = pathlib.Path(cursor.fetchone()[0])
        connection.close()

    def _pg_ctl(self, *arguments, check=True):
        more = " ".join(f"{name}={value}" for name, value in self.environment.items())
        command = ["bash", "-c", _PG_CTL, str(ROOT), more, "-D", str(self.data), "-s", *arguments]
        return subprocess.run(command, check=check, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=60)

    def pid(self):
        """The postmaster's, or None."""
        try:
            return int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return None

    def _processes(self):
        """The postmaster first, then its children."""
        postmaster = self.pid()
        children = []
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has just ended
            if int(fields[1]) == postmaster:
                children.append(int(stat.parent.name))
        return [postmaster, *children]

    def stop(self):
        """As an operator does: connections are ended, transactions rolled back."""
        self._pg_ctl("-w", "-m", "fast", "stop")

    def kill(self):
        """SIGKILL of the postmaster; its children notice and end."""
        os.kill(self.pid(), signal.SIGKILL)

    def start(self):
        """Also while the last children of a killed server have not quite ended."""
        end = time.monotonic() + 30
        while self._pg_ctl("-W", "-l", str(self.data / "server.log"), "start", check=False).returncode != 0:
            assert time.monotonic() < end, "PostgreSQL does not start"
        return self.wait_accepting()

    def freeze(self):
        """SIGSTOP of every process: connections stay, nothing answers."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self):
        pids = self._processes()
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        return time.monotonic()

    def accepts(self, database=None):
        """Whether a client is let in now."""
        try:
            psycopg2.connect((database or self.cluster).url, connect_timeout=2).close()
            return True
        except psycopg2.OperationalError:
            return False

    def wait_accepting(self, database=None, timeout=30):
        end = time.monotonic() + timeout
        while not self.accepts(database):
            assert time.monotonic() < end, "PostgreSQL lets nobody in"
            time.sleep(0.002)
        return time.monotonic()

    def running(self):
        """Whether the postmaster lives."""
        return self.pid() is not None and pathlib.Path(f"/proc/{self.pid()}").exists()
