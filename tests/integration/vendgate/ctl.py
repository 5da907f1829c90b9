"""vendctl as the tests use it."""
import json
import pathlib
import subprocess

from .places import program


class Ctl:
    """Runs vendctl on one database. A failure is an AssertionError with what it printed.

    `master_key` is a file that secrets are sealed with.
    """

    def __init__(self, database, master_key=None):
        self.database = database
        self.master_key = master_key

    def run(self, *arguments, check=True):
        """The completed process; `stdout` and `stderr` are texts."""
        key = ["--master-key", str(self.master_key)] if self.master_key else []
        result = subprocess.run([program("vendctl"), *map(str, arguments), "--database", self.database.url, *key],
                                capture_output=True, text=True, timeout=60)
        if check and result.returncode != 0:
            raise AssertionError(f"vendctl {' '.join(map(str, arguments))}: {result.stdout}{result.stderr}")
        return result

    def json(self, *arguments):
        """What it prints with --json, parsed."""
        return json.loads(self.run(*arguments, "--json").stdout)


class Ca:
    """A private CA in a folder, made if it is not there, and what it signs."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = str(self.folder / "ca.pem")
        if not pathlib.Path(self.certificate).exists():
            _plain("ca", "init", "--dir", self.folder)

    def server(self, name, hosts="localhost,127.0.0.1"):
        """A server's certificate: (certificate file, key file)."""
        files = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        _plain("ca", "server", "--dir", self.folder, "--host", hosts, "--cert", files[0], "--key", files[1])
        return tuple(map(str, files))

    def enroll(self, ctl, vm_id):
        """Registers a new key of a machine: (certificate file, key file)."""
        files = self.folder / f"vm-{vm_id}.pem", self.folder / f"vm-{vm_id}.key"
        ctl.run("machine", "enroll", vm_id, "--ca-dir", self.folder, "--cert", files[0], "--key", files[1])
        return tuple(map(str, files))


def _plain(*arguments):
    result = subprocess.run([program("vendctl"), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    if result.returncode != 0:
        raise AssertionError(f"vendctl {' '.join(map(str, arguments))}: {result.stdout}{result.stderr}")
