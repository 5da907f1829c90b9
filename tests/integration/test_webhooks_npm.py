"""The signatures of our callbacks, judged by the Standard Webhooks library that integrators use."""
import json

import pytest

from vendgate import npm
from vendgate.integrator import Reply
from vendgate.purchase import Purchase


@pytest.fixture(scope="module")
def node_modules():
    return npm.install()


def judged(secret, callbacks):
    told = {"secret": secret, "callbacks": [{"headers": c.headers, "body": c.raw.decode()} for c in callbacks]}
    return npm.run("node", str(npm.SOURCE / "verify.js"), stdin=json.dumps(told)).split("\n")[:-1]


def test_the_library_accepts_every_kind_of_callback_and_every_retry(node_modules, shop, rival, machine):
    shop.server.script("/txn/request", Reply(status=503))
    vended = Purchase(shop, machine)
    vended.lock()
    machine.select()
    vended.request(count=2)
    vended.pay()
    vended.vend()
    machine.vend = "not_dispensed"
    failed = Purchase(shop, machine)
    failed.buy()
    closed = Purchase(shop, machine)
    closed.lock()
    machine.end_session("customer")
    closed.closed()
    callbacks = shop.server.callbacks()
    assert {c.path for c in callbacks} == {"/txn/request", "/txn/vend", "/txn/unlock"} and len(callbacks) == 6
    assert judged(shop.secret, callbacks) == ["ok"] * 6

    callbacks[0].raw = callbacks[0].raw.replace(b"150", b"151")
    callbacks[1].headers["webhook-id"] += "x"
    assert [verdict == "ok" for verdict in judged(shop.secret, callbacks[:3])] == [False, False, True]
    assert "ok" not in judged(rival.secret, callbacks)
