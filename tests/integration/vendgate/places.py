"""Where things are."""
import os
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Which build is tested: asan unless VENDGATE_BUILD says otherwise.
BUILD = ROOT / "build" / os.environ.get("VENDGATE_BUILD", "asan")


def program(name):
    """The path of one of our programs, built already."""
    path = BUILD / name
    assert path.exists(), f"{path} is not built: make BUILD={BUILD.name} all"
    return str(path)


def released(name):
    """The same of the build that is installed, whatever is tested otherwise: for what is measured in seconds."""
    path = ROOT / "build" / "release" / name
    assert path.exists(), f"{path} is not built: make BUILD=release all"
    return str(path)
