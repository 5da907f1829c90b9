"""On what was measured."""
import json
import os
import platform
import statistics
import subprocess
import time

from . import places

from vendgate import npm  # the tests' own

COMMITS = 50


def _first(path, key):
    with open(path) as lines:
        return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "unknown")


def _commit_ms(database):
    """What a durable commit of one small row takes when nothing else is done."""
    database.rows("CREATE TABLE commit_time (n integer)")
    times = []
    for n in range(COMMITS):
        began = time.monotonic()
        database.rows("INSERT INTO commit_time VALUES (%s)", n)
        times.append((time.monotonic() - began) * 1000)
    return statistics.median(times)


def describe(stage):
    """A dict of texts and numbers, for people and for the JSON."""
    database = stage.cluster.empty_database()
    told = {
        "processor": f"{os.cpu_count()} x {_first('/proc/cpuinfo', 'model name')}",
        "memory": _first("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "postgresql": database.value("SHOW server_version"),
        **{name: database.value(f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")},
        "commit_ms": round(_commit_ms(database), 3),
    }
    stage.cluster.drop(database)
    return told


def describe_peer():
    folder = npm.install()
    versions = {name: json.loads((folder / "node_modules" / name / "package.json").read_text())["version"]
                for name in ("graphile-worker", "pg", "undici")}
    node = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()
    return {"node": node.removeprefix("v"), **versions}


def print_description(told):
    for name, value in told.items():
        print(f"  {name:20} {value}")
