"""vendctl's acts at the running gateway: who may, what is refused, and what the operator is told."""
import contextlib
import os
import pwd
import socket
import subprocess
import threading

import pytest

from vendgate.places import program
from vendgate.purchase import Purchase


@pytest.fixture
def act(ctl, gateway):
    """act(*arguments): vendctl with this gateway's admin socket; the completed process."""
    return lambda *arguments: ctl.run(*arguments, "--admin-socket", gateway.admin_socket, check=False)


def evidence(database, purchase, event):
    return database.value("SELECT evidence FROM txn_event WHERE txn_id = %s AND event = %s", purchase.row()["txn_id"], event)


def test_a_release_frees_the_machine_and_tells_who_and_why(act, database, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    done = act("machine", "release", machine.vm_id, "--because", "the customer called: stück")
    assert done.returncode == 0, done.stderr
    assert purchase.closed() == "112"
    told = evidence(database, purchase, "operator_release")
    assert told["operator"] == pwd.getpwuid(os.getuid()).pw_name and told["because"] == "the customer called: stück"
    assert act("machine", "release", machine.vm_id, "--because", "again").returncode == 0
    Purchase(shop, machine).lock()


def test_a_paid_machine_needs_a_verdict(act, shop, machine):
    machine.vend = None
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    refused = act("machine", "release", machine.vm_id, "--because", "b")
    assert refused.returncode == 1 and "(ALREADY_PAID)" in refused.stderr
    refused = act("txn", "verdict", shop.name, purchase.ref, "failed", "--because", "b")
    assert refused.returncode == 1 and "(NOT_IN_DOUBT)" in refused.stderr
    assert purchase.state() == "VENDING"
    machine.dispensed()
    purchase.assert_settled_once("VENDED", motor=1)


def test_a_verdict_ends_a_doubt_and_tells_who_and_why(act, database, shop, machine):
    machine.vend = None
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    machine.disconnect()
    purchase.wait_state("IN_DOUBT", timeout=30)
    done = act("txn", "verdict", shop.name, purchase.ref, "vended", "--because", "seen on camera", "--json")
    assert done.returncode == 0, done.stderr
    assert purchase.vend().body["success"] is True and purchase.state() == "VENDED"
    told = evidence(database, purchase, "verdict_vended")
    assert told["operator"] == pwd.getpwuid(os.getuid()).pw_name and told["because"] == "seen on camera"


def test_what_is_unknown_is_told(act, shop):
    unknown = act("txn", "verdict", shop.name, "nothing", "vended", "--because", "b")
    assert unknown.returncode == 1 and f'no purchase of "{shop.name}" with the ref "nothing"' in unknown.stderr
    unknown = act("machine", "release", "nothing", "--because", "b")
    assert unknown.returncode == 1 and "(MACHINE_UNKNOWN)" in unknown.stderr


@pytest.mark.parametrize("arguments, complaint", [
    (("machine", "release", "VM"), "needs --because"),
    (("machine", "release", "VM", "--because", ""), "--because is 1 to 200 bytes"),
    (("machine", "release", "VM", "--because", "x" * 201), "--because is 1 to 200 bytes"),
    (("machine", "release", "VM", "--because", "a\nb"), "--because is 1 to 200 bytes"),
    (("machine", "release", b"VM\xff", "--because", "b"), "a vm_id is"),
    (("txn", "verdict", "shop", "ref", "eaten", "--because", "b"), "the verdict is"),
    (("txn", "verdict", "shop", "ref", "--because", "b"), "usage: vendctl txn verdict"),
], ids=["no-reason", "empty", "long", "two-lines", "no-text", "neither", "no-verdict"])
def test_wrong_usage_is_status_2(database, arguments, complaint):
    result = vendctl(*arguments, "--database", database.url)
    assert result.returncode == 2 and complaint in result.stderr


def test_without_a_gateway_it_says_where_it_looked(tmp_path):
    path = str(tmp_path / "admin.sock")
    by_option = vendctl("machine", "release", "VM", "--because", "b", "--admin-socket", path)
    by_environment = vendctl("machine", "release", "VM", "--because", "b", environment={"VENDGATE_ADMIN_SOCKET": path})
    for result in (by_option, by_environment):
        assert result.returncode == 1
        assert f"{path}: no gateway answers there: No such file or directory" in result.stderr


def test_a_socket_that_nobody_listens_at_is_no_gateway(tmp_path):
    path = str(tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(path)
    result = vendctl("machine", "release", "VM", "--because", "b", "--admin-socket", path)
    assert result.returncode == 1 and "no gateway answers there: Connection refused" in result.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_without_the_right_it_says_who_has_it(gateway):
    os.chmod(os.path.dirname(gateway.admin_socket), 0o755)
    result = vendctl("machine", "release", "VM", "--because", "b", "--admin-socket", gateway.admin_socket,
                     user="nobody", group="nogroup", extra_groups=[])
    assert result.returncode == 1 and "only root and the gateway's own user or group" in result.stderr


@pytest.mark.parametrize("answer, complaint", [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "is no vendgate"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "refused (no reason told)"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + 100000 * b" ", "admin.sock: "),
    (b"", "admin.sock: "),
], ids=["no-json", "no-envelope", "endless", "hangs-up"])
def test_somebody_else_at_the_socket_is_not_believed(tmp_path, answer, complaint):
    path = str(tmp_path / "admin.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=answer_once, args=(listener, answer))
        thread.start()
        result = vendctl("machine", "release", "VM", "--because", "b", "--admin-socket", path)
        thread.join(10)
    assert result.returncode == 1 and complaint in result.stderr, result.stderr


def answer_once(listener, answer):
    connection, _ = listener.accept()
    with connection, contextlib.suppress(OSError):
        connection.recv(65536)
        connection.sendall(answer)


def vendctl(*arguments, environment=None, **more):
    """vendctl without a gateway of the fixtures."""
    ours = {key: value for key, value in os.environ.items() if not key.startswith("VENDGATE_")}
    return subprocess.run([program("vendctl"), *arguments], capture_output=True, text=True, timeout=60,
                          env={**ours, **(environment or {})}, **more)
