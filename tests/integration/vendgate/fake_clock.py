"""A wall clock that jumps when told to, for programs started with its environment. Their monotonic clock is real."""
import glob
import os
import pathlib
import shutil
import tempfile

LIBRARIES = "/usr/lib/*/faketime/libfaketimeMT.so.1"  # Debian's package `faketime`


class FakeClock:
    """`environment` is what a program needs; jump(seconds) sets its clock that far from the real one, at once."""

    def __init__(self):
        libraries = glob.glob(LIBRARIES)
        assert libraries, f"{LIBRARIES} is missing: run scripts/packages test"
        self._folder = pathlib.Path(tempfile.mkdtemp(prefix="vgc.", dir="/tmp"))
        self._folder.chmod(0o755)  # PostgreSQL runs as another user
        self._file = self._folder / "offset"
        self.environment = {"LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": str(self._file),
                            "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.jump(0)

    def jump(self, seconds):
        fresh = self._folder / "fresh"
        fresh.write_text(f"{seconds:+d}\n")
        fresh.chmod(0o644)
        os.replace(fresh, self._file)

    @staticmethod
    def forget(pid):
        """Removes what the library kept for a process that was killed."""
        for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
            pathlib.Path("/dev/shm", name).unlink(missing_ok=True)

    def remove(self):
        shutil.rmtree(self._folder)
