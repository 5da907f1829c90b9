"""A small disk that can be filled: what is written to it then fails with ENOSPC, as on any full disk."""
import errno
import os
import pathlib
import shutil
import subprocess
import tempfile


class SmallDisk:
    """A tmpfs of `megabytes` at `folder`, which belongs to `owner` (a user id). Needs the right to mount."""

    def __init__(self, megabytes, owner):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vgd.", dir="/tmp"))
        self._mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=700,uid={owner}",
                                        "vendgate-test", str(self.folder)], capture_output=True).returncode == 0
        self._ballast = self.folder / "ballast"

    @property
    def usable(self):
        return self._mounted

    def fill(self):
        """Not one byte is left."""
        with open(self._ballast, "ab", buffering=0) as ballast:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        ballast.write(bytes(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC, error

    def free(self):
        self._ballast.unlink(missing_ok=True)

    def remove(self):
        """Once nobody uses it any more."""
        if self._mounted:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)
        shutil.rmtree(self.folder, ignore_errors=True)
