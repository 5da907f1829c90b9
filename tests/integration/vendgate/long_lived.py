"""Certificates that are valid for a century, for clocks that are wrong by years."""
import pathlib
import subprocess

from .ctl import Ca

DATED = ("faketime", "-f", "@2000-01-01 00:00:00")
DAYS = "36500"


class LongLivedCa(Ca):
    """vendctl's CA; what it signed is signed once more, with other dates."""

    def __init__(self, folder):
        super().__init__(folder)
        _replace(self.certificate, *DATED, "openssl", "x509", "-days", DAYS, "-signkey", self._key())

    def server(self, name, hosts="localhost,127.0.0.1"):
        return self._extended(super().server(name, hosts))

    def enroll(self, ctl, vm_id):
        return self._extended(super().enroll(ctl, vm_id))

    def _key(self):
        return self.folder / "ca.key"

    def _extended(self, files):
        certificate, key = files
        _replace(certificate, "openssl", "x509", "-x509toreq", "-copy_extensions", "copyall", "-signkey", key)
        _replace(certificate, *DATED, "openssl", "x509", "-req", "-days", DAYS, "-copy_extensions", "copyall",
                 "-CA", self.certificate, "-CAkey", self._key(), "-CAcreateserial")
        return files


def _replace(path, *command):
    """The file becomes what the command makes of it."""
    path = pathlib.Path(path)
    path.write_bytes(subprocess.run([*map(str, command)], input=path.read_bytes(), check=True,
                                    capture_output=True).stdout)
