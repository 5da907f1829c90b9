"""scripts/cluster: a private PostgreSQL that is durable, unreachable for others, and leaves nothing behind."""
import os
import pathlib
import subprocess
import urllib.parse

import psycopg2
import pytest

from vendgate.places import ROOT

SCRIPT = str(ROOT / "scripts/cluster")


def run(*arguments):
    return subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, timeout=120)


@pytest.fixture
def name():
    """A name of this test's own, stopped afterwards whatever happened."""
    name = f"try-{os.getpid()}"
    yield name
    run("stop", name)


def socket_folder(url):
    return pathlib.Path(urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)["host"][0])


def setting(url, name):
    connection = psycopg2.connect(url)
    try:
        cursor = connection.cursor()
        cursor.execute(f"SHOW {name}")
        return cursor.fetchone()[0]
    finally:
        connection.close()


def test_it_is_durable_and_reachable_by_its_owner_only(name):
    url = run("start", name, "--owner", str(os.getpid())).stdout.strip()
    assert {key: setting(url, key) for key in
            ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "listen_addresses")} == {
                "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "data_checksums": "on",
                "listen_addresses": ""}
    assert socket_folder(url).stat().st_mode & 0o077 == 0
    assert run("url", name).stdout.strip() == url
    again = run("start", name, "--owner", str(os.getpid()))
    assert again.returncode != 0 and "in use" in again.stderr
    run("stop", name)
    assert not socket_folder(url).exists()
    assert run("url", name).returncode != 0


def test_what_a_killed_run_left_behind_is_gone_at_the_next_start(name):
    owner = subprocess.Popen(["sleep", "60"])
    url = run("start", name, "--owner", str(owner.pid)).stdout.strip()
    owner.kill()
    owner.wait()
    assert setting(url, "fsync") == "on"  # it still runs: nobody stopped it
    second = run("start", name, "--owner", str(os.getpid())).stdout.strip()
    assert second and second != url
    assert not socket_folder(url).exists()
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(url)
