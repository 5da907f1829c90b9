"""Where things are; makes the tests' helpers importable."""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
os.environ["VENDGATE_BUILD"] = "release"  # what is measured is what is installed
sys.path.insert(0, str(ROOT / "tests/integration"))
PROGRAMS = ROOT / "build/release/bench"


def program(name):
    path = PROGRAMS / name / name
    if not path.exists():
        sys.exit(f"{path} is not built: make bench-programs")
    return str(path)
