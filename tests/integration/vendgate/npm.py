"""Foreign tools from npm, installed once from tests/npm/package-lock.json into the build folder."""
import fcntl
import hashlib
import os
import shutil
import subprocess

from .places import ROOT

SOURCE = ROOT / "tests/npm"
FOLDER = ROOT / "build/npm"
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1",
         "NO_UPDATE_NOTIFIER": "1"}


def install():
    """The folder that holds node_modules as the lock file says. Does nothing if it is there already."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = hashlib.sha256((SOURCE / "package-lock.json").read_bytes()).hexdigest()
        stamp = FOLDER / "installed"
        if stamp.exists() and stamp.read_text() == wanted:
            return FOLDER
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCE / name, FOLDER / name)
        run("npm", "ci", "--omit=dev", "--no-audit", "--no-fund", "--ignore-scripts", timeout=300)
        stamp.write_text(wanted)
    return FOLDER


def run(*command, stdin=None, timeout=60):
    """Runs a command in that folder; what it printed. A failure is an AssertionError with it."""
    result = subprocess.run(command, cwd=FOLDER, input=stdin, capture_output=True, text=True, timeout=timeout,
                            env={**os.environ, **QUIET})
    assert result.returncode == 0, f"{' '.join(command)}:\n{result.stdout}\n{result.stderr}"
    return result.stdout
