"""The signatures of our callbacks, judged by the Standard Webhooks library that integrators use."""
import base64
import copy
import hashlib
import hmac
import json
import subprocess

import pytest

from conftest import wait_online
from vendgate import npm
from vendgate.integrator import Reply
from vendgate.purchase import Purchase
from vendgate.waiting import wait_until


@pytest.fixture(scope="module")
def node_modules():
    return npm.install()


def judged(secret, callbacks):
    told = {"secret": secret, "callbacks": [{"headers": c.headers, "body": c.raw.decode()} for c in callbacks]}
    return npm.run("node", str(npm.SOURCE / "verify.js"), stdin=json.dumps(told)).split("\n")[:-1]


def altered(callback, raw=None, **headers):
    """A copy with another body or other headers."""
    other = copy.copy(callback)
    other.raw = callback.raw if raw is None else raw
    other.headers = {**callback.headers, **headers}
    return other


def signed_text(callback):
    return b".".join([*(callback.headers[name].encode() for name in ("webhook-id", "webhook-timestamp")), callback.raw])


def signed_at(callback, secret, timestamp):
    """The same, sent at another time by whoever knows the secret."""
    other = altered(callback, **{"webhook-timestamp": str(timestamp)})
    digest = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), signed_text(other), hashlib.sha256).digest()
    other.headers["webhook-signature"] = "v1," + base64.b64encode(digest).decode()
    return other


def first_of(callback):
    """With its first signature only."""
    return altered(callback, **{"webhook-signature": callback.headers["webhook-signature"].split(" ")[0]})


def first_signed_twice(shop, machine):
    """A further callback, if two keys signed it."""
    vend = Purchase(shop, machine).buy()
    return vend if len(vend.headers["webhook-signature"].split(" ")) == 2 else None


def verified_v1a(folder, callback, public_key):
    """Whether openssl finds one of its v1a signatures right."""
    key, text, signature = folder / "key", folder / "text", folder / "signature"
    # What stands before the 32 bytes of an ed25519 key in a SubjectPublicKeyInfo (RFC 8410).
    key.write_bytes(bytes.fromhex("302a300506032b6570032100") + base64.b64decode(public_key.removeprefix("whpk_")))
    text.write_bytes(signed_text(callback))
    for listed in callback.headers["webhook-signature"].split(" "):
        if listed.startswith("v1a,"):
            signature.write_bytes(base64.b64decode(listed[4:]))
            if subprocess.run(["openssl", "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin",
                               "-in", text, "-sigfile", signature], capture_output=True, check=False).returncode == 0:
                return True
    return False


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


def test_the_library_refuses_a_wrong_key_an_altered_body_and_an_old_timestamp(node_modules, shop, rival, machine):
    right = Purchase(shop, machine).buy()
    assert judged(shop.secret, [right]) == ["ok"]
    assert judged(rival.secret, [right]) == ["No matching signature found"]
    assert judged(shop.secret, [altered(right, raw=right.raw + b" ")]) == ["No matching signature found"]
    at = int(right.headers["webhook-timestamp"])
    # Signed rightly, so that only the time is wrong.
    assert judged(shop.secret, [signed_at(right, shop.secret, at - 290)]) == ["ok"]
    assert judged(shop.secret, [signed_at(right, shop.secret, at - 400)]) == ["Message timestamp too old"]
    assert judged(shop.secret, [signed_at(right, shop.secret, at + 400)]) == ["Message timestamp too new"]
    assert judged(shop.secret, [altered(right, **{"webhook-signature": "garbage"})]) == ["No matching signature found"]


def test_the_library_accepts_every_callback_while_a_key_is_rotated(node_modules, ctl, shop, machine):
    """Before, during and after the overlap; whoever changes their secret during it misses nothing."""
    old = shop.secret
    rotated = ctl.json("integrator", "key", "rotate", shop.name, "--overlap", "8s")
    new = rotated["signing_secret"]
    assert rotated["kind"] == "v1" and [former["key"] for former in rotated["former"]]
    both = wait_until(lambda: first_signed_twice(shop, machine), 10, "the new key signs")
    assert judged(old, [both]) == ["ok"] and judged(new, [both]) == ["ok"]
    assert judged(new, [first_of(both)]) == ["ok"]  # the newest comes first

    def over():
        vend = Purchase(shop, machine).buy()
        return vend if judged(old, [vend]) != ["ok"] else None
    vend = wait_until(over, 20, "the overlap ends without anybody's doing")
    assert judged(new, [vend]) == ["ok"] and len(vend.headers["webhook-signature"].split(" ")) == 1
    shop.secret = new


def test_v1a_comes_beside_v1_and_alone_only_where_that_was_said(node_modules, ctl, shop, machine, tmp_path):
    made = ctl.json("integrator", "key", "rotate", shop.name, "--kind", "v1a")
    assert made["public_key"].startswith("whpk_") and "whsk_" not in json.dumps(made)
    both = wait_until(lambda: first_signed_twice(shop, machine), 10, "the v1a key signs")
    assert judged(shop.secret, [both]) == ["ok"]  # the library knows v1 only, and passes over the other
    assert [s.partition(",")[0] for s in both.headers["webhook-signature"].split(" ")] == ["v1a", "v1"]
    assert verified_v1a(tmp_path, both, made["public_key"])
    assert not verified_v1a(tmp_path, altered(both, raw=both.raw + b" "), made["public_key"])

    ctl.run("integrator", "set", shop.name, "--v1a-only", "yes")

    def alone():
        vend = Purchase(shop, machine).buy()
        signatures = vend.headers["webhook-signature"].split(" ")
        return vend if len(signatures) == 1 and signatures[0].startswith("v1a,") else None
    vend = wait_until(alone, 10, "v1 is left out")
    assert verified_v1a(tmp_path, vend, made["public_key"])
    ctl.run("integrator", "set", shop.name, "--v1a-only", "no")
    wait_until(lambda: first_signed_twice(shop, machine), 10, "v1 is back")


def test_the_keys_of_an_integrator_are_listed_and_ended_but_never_the_last(ctl, rival):
    def refused(*arguments, status=1):
        result = ctl.run("integrator", "key", *arguments, check=False)
        assert result.returncode == status, result.stdout + result.stderr
        return result.stderr

    def keys():
        return ctl.json("integrator", "key", "list", rival.name)

    first = keys()[0]["key"]
    assert "last key" in refused("retire", rival.name, first)
    second = ctl.json("integrator", "key", "rotate", rival.name, "--overlap", "7d")["key"]
    assert "last key" in refused("retire", rival.name, second)  # the first one has an end
    listed = {key["key"]: key for key in keys()}
    assert listed[first]["live"] and listed[first]["ends_at"] and not listed[second]["ends_at"]
    assert listed[second]["kind"] == "v1" and "whsec_" not in json.dumps(keys())
    ctl.run("integrator", "key", "retire", rival.name, first)
    assert "no live signing key" in refused("retire", rival.name, first)
    assert [key["live"] for key in keys()] == [True, False]

    asymmetric = ctl.json("integrator", "key", "rotate", rival.name, "--kind", "v1a")
    assert {key["public_key"] for key in keys() if key["kind"] == "v1a"} == {asymmetric["public_key"]}
    for _ in range(2):
        ctl.run("integrator", "key", "rotate", rival.name)
    before = keys()
    assert "4" in refused("rotate", rival.name) and keys() == before
    ctl.run("integrator", "key", "rotate", rival.name, "--overlap", "0s")  # those of v1 end at once, so there is room
    assert sum(key["live"] for key in keys()) == 2

    assert "v1 or v1a" in refused("rotate", rival.name, "--kind", "v2", status=2)
    assert "30m, 24h, 7d" in refused("rotate", rival.name, "--overlap", "soon", status=2)
    assert 'no integrator "nobody"' in refused("rotate", "nobody")
    assert 'no integrator "nobody"' in refused("list", "nobody")


def test_v1a_only_needs_a_key_that_can_sign(ctl):
    name = ctl.json("integrator", "add", "without-v1a", "--callback-url", "https://a")["name"]
    result = ctl.run("integrator", "set", name, "--v1a-only", "yes", check=False)
    assert result.returncode == 1 and "--kind v1a" in result.stderr
    ctl.run("integrator", "key", "rotate", name, "--kind", "v1a")
    ctl.run("integrator", "set", name, "--v1a-only", "yes")
    v1 = [key["key"] for key in ctl.json("integrator", "key", "list", name) if key["kind"] == "v1"]
    ctl.run("integrator", "key", "retire", name, *v1)  # it is no longer needed
    result = ctl.run("integrator", "set", name, "--v1a-only", "no", check=False)
    assert result.returncode == 1 and "no live v1 key" in result.stderr


def test_an_endpoint_is_never_left_without_a_signature(node_modules, gateway, make_integrator, make_machine, database):
    """Keys that were ended by hand: the newest signs on, across a restart too, and the log says so."""
    shop = make_integrator(gateway)
    machine = make_machine(gateway, shop)
    database.rows("UPDATE integrator_signing_key SET retired_at = now() WHERE integrator_id = %s", shop.id)
    gateway.restart()
    machine.connect()
    wait_online(shop, machine)
    assert judged(shop.secret, [Purchase(shop, machine).buy()]) == ["ok"]
    told = [line for line in gateway.log().splitlines() if f"signing_key_over integrator={shop.id} " in line]
    assert len(told) == 1 and "key rotate" in told[0]
