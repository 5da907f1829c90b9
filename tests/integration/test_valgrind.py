"""valgrind judges the release build: no memory error and no lost byte over a purchase."""
import subprocess

import pytest

from vendgate.api import Api
from vendgate.places import ROOT
from vendgate.purchase import Purchase

VALGRIND = ["valgrind", "-q", "--error-exitcode=97", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect",
            "--show-leak-kinds=definite,indirect", "--num-callers=20"]


@pytest.fixture(scope="module")
def release():
    """The release build's daemon, made if it is not there or out of date."""
    subprocess.run(["make", "-s", "-j2", "BUILD=release", "build/release/vendgated"], cwd=ROOT, check=True, timeout=300)
    return str(ROOT / "build/release/vendgated")


def test_no_memory_error_and_no_leak_over_purchases(release, make_gateway, make_integrator, make_machine):
    gateway = make_gateway({"timers.lock_ack": "30s", "timers.payment": "120s"}, start=False)
    gateway.start(prefix=VALGRIND, binary=release)
    shop = make_integrator(gateway)
    for version in (4, 5):
        machine = make_machine(gateway, shop, version=version)
        assert Purchase(shop, machine).buy(surcharge=5).body["success"] is True
        machine.vend = "not_dispensed"
        assert Purchase(shop, machine).buy().body["success"] is False
        with_password = Purchase(shop, machine, api=shop.basic)
        with_password.lock()
        assert Api(gateway, "wrong").lock(machine.vm_id, "x").status == 401
        assert shop.api.send("POST", "/api/lock", b"{", {"Content-Type": "application/json"}).status == 400
        assert gateway.private("/metrics")[0] == 200
        machine.end_session("customer")
        with_password.closed()
    gateway.stop(timeout=60)  # fails on 97: valgrind's exit code for any error or lost byte
    assert "ERROR SUMMARY" not in gateway.log() and "definitely lost" not in gateway.log()
