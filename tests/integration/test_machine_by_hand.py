"""docs/machine-protocol.md, as a person follows it: mosquitto_sub listens as the machine, mosquitto_pub speaks for it."""
import json
import os
import re
import signal
import subprocess

import pytest

from vendgate.ctl import Ctl
from vendgate.places import ROOT
from vendgate.waiting import wait_until

TEXT = (ROOT / "docs/machine-protocol.md").read_text()


@pytest.fixture(scope="module")
def gateway_settings():
    return {"machines.welcome": "120s", "timers.lock_ack": "30s", "timers.approve_ack": "15s",
            "timers.approve_ttl": "60s"}


def block(beginning):
    """The shell block below the paragraph that begins so."""
    return re.search(re.escape(beginning) + r".*?```sh\n(.*?)```", TEXT, re.S).group(1)


class Sandbox:
    """A folder with the var/sandbox.json that the documentation reads, and a machine to play."""

    def __init__(self, folder, gateway, shop, ca, vm_id):
        ctl = Ctl(gateway.database)
        ctl.run("machine", "add", vm_id, "--allow-tool")
        certificate, key = ca.enroll(ctl, vm_id)
        shop.grant(vm_id)
        self.vm_id, self.folder, self.shop = vm_id, folder, shop
        (folder / "var").mkdir()
        (folder / "var/sandbox.json").write_text(json.dumps({
            "ca_file": ca.certificate, "machine_link": {"host": "localhost", "port": gateway.link_port},
            "spare_machine": {"vm_id": vm_id, "cert_file": certificate, "key_file": key}}))
        wait_until(lambda: shop.api.search(vm_id).success, 10, f"{vm_id} is known")

    def online(self):
        return self.shop.api.search(self.vm_id).body["vendingMachine"]["online"]

    def terminal(self, script, *arguments, **more):
        return subprocess.Popen(["bash", "-c", script, "bash", *arguments], cwd=self.folder, text=True,
                                start_new_session=True, **more)


@pytest.fixture
def sandbox(tmp_path, gateway, shop, ca, request):
    return Sandbox(tmp_path, gateway, shop, ca, re.sub("[^a-z0-9]+", "-", request.node.name)[:50].strip("-"))


def end(process):
    """Ends a terminal and what runs in it."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize("version", ["311", "5"])
def test_the_machine_in_a_shell_loop_sells(sandbox, version):
    loop = block("### A whole machine in a shell loop")
    assert len(loop.splitlines()) <= 18
    terminal = sandbox.terminal(loop, version)
    try:
        wait_until(sandbox.online, 20, "the shell loop's machine is online")
        for number in (1, 2):
            ref = f"loop-{version}-{number}"
            assert sandbox.shop.api.lock(sandbox.vm_id, ref).success
            assert sandbox.shop.server.wait("/txn/request", ref).body["cents"] == 150
            assert sandbox.shop.api.paid(ref, 150).success
            assert sandbox.shop.server.wait("/txn/vend", ref).body == {"txn_ref": ref, "success": True, "code": ""}
            wait_until(lambda: not sandbox.shop.api.search(sandbox.vm_id).body["vendingMachine"]["busy"])
    finally:
        end(terminal)


@pytest.mark.parametrize("version", ["311", "5"])
def test_three_terminals_make_a_purchase(sandbox, version):
    listen = block("First terminal").replace("-V 5", f"-V {version}")
    define, answer_hello = block("Second terminal").replace("-V 5", f"-V {version}").split("\n\n")
    answer_lock, select, _, take, dispense = block("Third terminal").splitlines()
    first = sandbox.terminal(listen, stdout=subprocess.PIPE)

    def next_command(op):
        command = json.loads(first.stdout.readline())
        assert command["op"] == op
        return command

    def say(line, **values):
        for name, value in values.items():
            line = re.sub(rf"<{name}[^>]*>", str(value), line)
        done = sandbox.terminal(f"{define}\n{line}")
        assert done.wait(20) == 0, line

    ref = f"hand-{version}"
    try:
        say(answer_hello, id=next_command("hello")["id"])
        wait_until(sandbox.online, 10, "the machine is online")
        locked = sandbox.shop.api.later("lock", sandbox.vm_id, ref)
        lock = next_command("lock")
        say(answer_lock, id=lock["id"])
        assert locked.answer().success
        say(select, session=lock["session"])
        assert sandbox.shop.server.wait("/txn/request", ref).body["cents"] == 150
        assert sandbox.shop.api.paid(ref, 150).success
        approve = next_command("approve")
        say(take, id=approve["id"])
        say(dispense, approval=approve["approval"])
        assert sandbox.shop.server.wait("/txn/vend", ref).body["success"] is True
        assert next_command("unlock")["session"] == lock["session"]
    finally:
        end(first)
