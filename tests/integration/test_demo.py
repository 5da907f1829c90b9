"""scripts/demo, as a person uses it: from one command to a purchase by hand, and nothing left afterwards."""
import json
import os
import re
import signal
import subprocess

import pytest

from vendgate.ports import free_port
from vendgate.places import ROOT
from vendgate.waiting import wait_until


@pytest.fixture
def sandbox(tmp_path):
    """A folder for var/ of this test's own, and the arguments and environment that go with it."""
    return {"var": tmp_path / "var", "environment": {**os.environ, "VENDGATE_VAR": str(tmp_path / "var")},
            "command": [str(ROOT / "scripts/demo"), "--port-base", str(free_port())]}


def left_behind(sandbox):
    """Processes that mention the test's folder in their command line."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = open(f"/proc/{pid}/cmdline", "rb").read().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(sandbox["var"]) in line:
            found.append(line)
    return found


def readme_purchase():
    """The shell block of README.md that buys by hand."""
    return re.search(r"```sh\n(api=.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)


def test_once_tells_the_purchase_and_leaves_nothing(sandbox):
    result = subprocess.run([*sandbox["command"], "--once", "--machines", "1"], env=sandbox["environment"],
                            capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    told = [line for line in result.stdout.splitlines() if " -> " in line]
    order = ["POST /api/lock", "lock session", "lock: ok", "/api/lock: success", "selection session", "POST /txn/request",
             "POST /api/paid", "approve session", "dispensed item", "POST /txn/vend"]
    places = [next(i for i, line in enumerate(told) if text in line) for text in order]
    assert places[:6] == sorted(places[:6]) and places[-1] == max(places), "\n".join(told)
    assert "state:        VENDED" in result.stdout
    assert left_behind(sandbox) == []


def test_a_purchase_by_hand_as_the_readme_shows_it(sandbox):
    with open(sandbox["var"].parent / "output", "w+") as output:
        demo = subprocess.Popen(sandbox["command"], env=sandbox["environment"], stdout=output, stderr=output)
        try:
            wait_until(lambda: demo.poll() is not None or "Ctrl-C stops" in open(output.name).read(), 300,
                       "the demo is up")
            assert demo.poll() is None, open(output.name).read()
            described = json.loads((sandbox["var"] / "sandbox.json").read_text())
            hand = subprocess.run(["bash", "-e"], input=readme_purchase(), text=True, capture_output=True, timeout=60,
                                  cwd=sandbox["var"].parent)
            assert hand.returncode == 0, hand.stderr
            log = [json.loads(line) for line in open(described["integrators"][0]["callback_log"])]
            outcome = [json.loads(c["body"]) for c in log if c["path"] == "/txn/vend"]
            assert {"txn_ref": "mine-1", "success": True, "code": ""} in outcome, hand.stdout
            assert [m["vm_id"] for m in described["machines"]] == ["demo-1", "demo-2", "demo-3"]
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(60)
    assert demo.returncode == 130
    assert left_behind(sandbox) == []


def test_a_second_demo_of_the_clone_is_refused_and_a_killed_one_is_cleaned_up(sandbox):
    with open(sandbox["var"].parent / "first", "w") as output:
        first = subprocess.Popen(sandbox["command"], env=sandbox["environment"], stdout=output, stderr=output)
    wait_until(lambda: first.poll() is not None or (sandbox["var"] / "demo/vendsim.events").exists(), 300,
               "the first demo has machines")
    assert first.poll() is None, open(output.name).read()
    second = subprocess.run([*sandbox["command"], "--once"], env=sandbox["environment"], capture_output=True, text=True,
                            timeout=60)
    assert second.returncode == 1 and "running already" in second.stderr
    first.kill()
    first.wait()
    assert left_behind(sandbox) != []
    third = subprocess.run([*sandbox["command"], "--once"], env=sandbox["environment"], capture_output=True, text=True,
                           timeout=300)
    assert third.returncode == 0, third.stdout + third.stderr
    assert left_behind(sandbox) == []
