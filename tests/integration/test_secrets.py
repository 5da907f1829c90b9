"""Secrets at rest: what signs and what is presented is sealed in the database, and never in a log."""
import base64
import pathlib
import stat
import subprocess

import pytest

from vendgate.ctl import Ctl
from vendgate.integrator import Reply, signed_rightly
from vendgate.places import program
from vendgate.purchase import Purchase
from vendgate.waiting import wait_until

PRESENTED = ("--present-api-key", "their-own-key-8c1f", "--present-basic", "us:their-own-password-5d2e")
PLAIN = """SELECT secret FROM integrator_signing_key UNION ALL SELECT present_api_key FROM integrator_endpoint
           UNION ALL SELECT present_password FROM integrator_endpoint"""


def new_key(ctl, path, *more):
    """A master key in a file: its id."""
    return ctl.json("secret", "init", "--key", path, *more)["key_id"]


def kept(database):
    """Every secret as the database has it."""
    return [row["secret"] for row in database.rows(PLAIN) if row["secret"] is not None]


def refused(ctl, *arguments, status=1):
    result = ctl.run(*arguments, check=False)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def master_key(tmp_path_factory):
    return tmp_path_factory.mktemp("master") / "key"


@pytest.fixture(scope="module")
def ctl(database, master_key):
    new_key(Ctl(database), master_key)
    return Ctl(database, master_key)


@pytest.fixture(scope="module")
def gateway_settings(ctl, master_key):
    return {"secrets.master_key_file": str(master_key), "log.level": "debug"}


@pytest.fixture
def sealed_shop(gateway, make_integrator, master_key):
    return make_integrator(gateway, *PRESENTED, master_key=master_key)


def test_a_new_master_key_is_for_its_owner_alone_and_is_never_written_over(ctl, tmp_path):
    path = tmp_path / "key"
    key_id = new_key(ctl, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(base64.b64decode(path.read_text())) == 32
    before = path.read_text()
    assert "exists" in refused(ctl, "secret", "init", "--key", path)
    assert path.read_text() == before
    assert new_key(ctl, path, "--renew") != key_id
    assert path.read_text().splitlines()[1:] == before.splitlines()


def test_the_database_shows_no_secret_and_callbacks_carry_all(database, ctl, sealed_shop, gateway, make_machine):
    ctl.run("integrator", "key", "rotate", sealed_shop.name, "--kind", "v1a")
    assert kept(database) and all(text.startswith("sealed:") for text in kept(database))
    tables = ("integrator", "integrator_endpoint", "integrator_signing_key", "integrator_key")
    everything = "".join(str(row) for table in tables for row in database.rows(f"SELECT t::text FROM {table} t"))
    for secret in ("whsec_", "whsk_", sealed_shop.secret[6:], "their-own-key", "their-own-password"):
        assert secret not in everything
    vend = Purchase(sealed_shop, make_machine(gateway, sealed_shop)).buy()
    assert signed_rightly(vend, sealed_shop.secret)
    assert vend.headers["x-api-key"] == "their-own-key-8c1f"
    assert base64.b64decode(vend.headers["authorization"].removeprefix("Basic ")) == b"us:their-own-password-5d2e"


def test_a_secret_in_the_place_of_another_is_not_used(database, gateway, make_integrator, master_key):
    """Whoever can write to the database cannot make us sign for one integrator with what another one knows."""
    owner = make_integrator(gateway, master_key=master_key)
    thief = make_integrator(gateway, master_key=master_key)
    right = database.value("SELECT secret FROM integrator_signing_key WHERE integrator_id = %s", owner.id)
    put = """UPDATE integrator_signing_key k SET secret = %s WHERE integrator_id = %s"""
    database.rows(put, database.value("SELECT secret FROM integrator_signing_key WHERE integrator_id = %s", thief.id),
                  owner.id)
    wait_until(lambda: f"secrets_unreadable name={owner.name}" in gateway.log(), 5, "the swap was noticed")
    database.rows(put, right, owner.id)
    wait_until(lambda: f"secrets_readable name={owner.name}" in gateway.log(), 5, "it can be read again")
    assert f"secrets_unreadable name={thief.name}" not in gateway.log()


def test_a_master_key_is_rotated_under_a_running_gateway(database, ctl, master_key, gateway, sealed_shop, make_machine):
    machine = make_machine(gateway, sealed_shop)
    was = gateway.log().count("secrets_unreadable")
    newest = new_key(ctl, master_key, "--renew")
    sealed = ctl.json("secret", "seal")
    assert sealed["key_id"] == newest and sealed["resealed"] == len(kept(database))
    assert (sealed["sealed"], sealed["as_it_was"], sealed["unreadable"]) == (0, 0, 0)
    again = ctl.json("secret", "seal")
    assert (again["resealed"], again["as_it_was"]) == (0, sealed["resealed"])
    rotated = ctl.json("integrator", "key", "rotate", sealed_shop.name)["signing_secret"]

    def signed_by_the_new_one():
        vend = Purchase(sealed_shop, machine).buy()
        return signed_rightly(vend, rotated) and signed_rightly(vend, sealed_shop.secret)
    wait_until(signed_by_the_new_one, 10, "the gateway has read the new master key and the new signing key")
    master_key.write_text(master_key.read_text().splitlines()[0] + "\n")  # the old one is no longer needed
    gateway.restart()
    machine.connect()
    assert signed_by_the_new_one()
    assert gateway.log().count("secrets_unreadable") == was


def test_nothing_is_stored_that_the_gateway_could_not_open(database, ctl, sealed_shop, tmp_path):
    before = kept(database)
    other = tmp_path / "other"
    new_key(ctl, other)
    for arguments in (("integrator", "add", "further", "--callback-url", "https://a"),
                      ("integrator", "key", "rotate", sealed_shop.name)):
        assert "are sealed: give --master-key" in refused(Ctl(database), *arguments)
        assert "holds none of the keys" in refused(Ctl(database, other), *arguments)
        assert "no such file" in refused(Ctl(database, tmp_path / "none"), *arguments).lower()
    assert "holds none of the keys" in refused(Ctl(database, other), "secret", "seal")
    assert "no master key" in refused(Ctl(database), "secret", "seal", status=2)
    assert kept(database) == before
    assert "sealed:" in refused(ctl, "integrator", "add", "further", "--callback-url", "https://a", "--present-api-key",
                                "sealed:00000000:AAAA", status=2)


def test_the_log_of_the_whole_run_has_none_of_the_secrets(gateway, shop, sealed_shop, make_machine, master_key, ctl):
    sealed_shop.server.script("/txn/request", Reply(status=503))
    Purchase(sealed_shop, make_machine(gateway, sealed_shop)).buy()
    gateway.stop()
    log = gateway.log()
    assert "callback" in log and len(log) > 2000
    secrets = [*PRESENTED[1::2], "their-own-password", shop.secret, sealed_shop.secret, shop.api_key,
               sealed_shop.api_key, *master_key.read_text().split(), base64.b64encode(b"us:their-own-password-5d2e").decode(),
               f"pw-{shop.name}", base64.b64encode(f"{shop.name}:pw-{shop.name}".encode()).decode()]
    for secret in secrets:
        for form in (secret, secret.removeprefix("whsec_")):
            assert form not in log, "a secret is in the log"
    assert "whsk_" not in log and "sealed:" not in log
    gateway.start()


# --- gateways of their own


def test_secrets_in_the_clear_work_and_are_sealed_later(make_gateway, make_integrator, make_machine, tmp_path):
    gateway = make_gateway()
    shop = make_integrator(gateway, *PRESENTED)
    assert "stored in the clear" in Ctl(gateway.database).run("integrator", "key", "rotate", shop.name).stderr
    machine = make_machine(gateway, shop)
    assert signed_rightly(Purchase(shop, machine).buy(), shop.secret)
    gateway.restart()
    wait_until(lambda: "secrets_in_the_clear" in gateway.log(), 5, "the warning with its remedy")
    assert "vendctl secret seal" in gateway.log()

    key = tmp_path / "key"
    ctl = Ctl(gateway.database, key)
    new_key(ctl, key)
    gateway.settings["secrets.master_key_file"] = str(key)
    gateway.restart()
    told = ctl.json("secret", "seal")
    assert told["sealed"] == 4 and told["as_it_was"] == 0
    assert ctl.json("secret", "seal")["as_it_was"] == 4
    assert all(text.startswith("sealed:") for text in kept(gateway.database))
    machine.connect()
    vend = Purchase(shop, machine).buy()
    assert signed_rightly(vend, shop.secret) and vend.headers["x-api-key"] == "their-own-key-8c1f"


def test_under_a_wrong_master_key_callbacks_wait_and_none_is_lost(make_gateway, make_integrator, make_machine,
                                                                  tmp_path):
    key, wrong = tmp_path / "key", tmp_path / "wrong"
    gateway = make_gateway({"secrets.master_key_file": str(key)}, start=False)
    for path in (key, wrong):
        new_key(Ctl(gateway.database), path)
    gateway.start()
    rival = make_integrator(gateway)  # in the clear, so that no master key matters to it
    shop = make_integrator(gateway, master_key=key)
    machine, other = make_machine(gateway, shop), make_machine(gateway, rival)
    shop.server.always("/txn/vend", Reply(status=503))
    bought = Purchase(shop, machine)
    first = bought.buy()
    gateway.kill()

    gateway.settings["secrets.master_key_file"] = str(wrong)
    gateway.start()
    log = gateway.log()
    assert f"secrets_unreadable name={shop.name} integrator={shop.id}" in log and "another master key" in log
    before = len(shop.server.callbacks())
    tried = len(shop.server.callbacks("/txn/vend", bought.ref))
    other.connect()
    assert signed_rightly(Purchase(rival, other).buy(), rival.secret)  # everybody else is served
    assert shop.api.search(machine.vm_id).status == 200  # and it may still call us
    assert len(shop.server.callbacks()) == before
    assert gateway.database.value("SELECT count(*) FROM callback_queue WHERE NOT parked AND integrator_id = %s",
                                  shop.id) == 1

    gateway.settings["secrets.master_key_file"] = str(key)
    shop.server.always("/txn/vend", Reply())
    gateway.restart()
    vend = shop.server.wait("/txn/vend", bought.ref, count=tried + 1)
    assert vend.id == first.id and signed_rightly(vend, shop.secret)


@pytest.mark.parametrize("text, mode, told", [
    (None, None, "secret init"),
    ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", 0o640, "chmod 0400"),
    ("not a key\n", 0o600, "line 1"),
])
def test_a_gateway_does_not_start_with_a_bad_master_key_and_says_why(make_gateway, tmp_path, text, mode, told):
    path = pathlib.Path(tmp_path / "key")
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    gateway = make_gateway({"secrets.master_key_file": str(path)}, start=False)
    gateway.start(wait=False)
    assert gateway.process.wait(20) == 1
    assert "start_failed" in gateway.log() and told in gateway.log() and str(path) in gateway.log()
    assert "AAAA" not in gateway.log() and "not a key" not in gateway.log()
    checked = subprocess.run([program("vendgated"), "--config", gateway.folder / "vendgated.ini", "--check-config"],
                             capture_output=True, text=True, check=False)
    assert checked.returncode == 1 and told in checked.stderr and "valid" not in checked.stdout
