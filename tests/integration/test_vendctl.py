"""vendctl: what an administrator does, and what it answers when they err."""
import base64
import hashlib
import os
import re
import stat
import subprocess

import pytest

from vendgate.places import program


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **options).stdout


def fingerprint(certificate):
    public = openssl("x509", "-in", certificate, "-noout", "-pubkey")
    return hashlib.sha256(openssl("pkey", "-pubin", "-outform", "DER", input=public)).hexdigest()


def refused(ctl, *arguments, status=1):
    result = ctl.run(*arguments, check=False)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stderr


@pytest.fixture(scope="module")
def acme(ctl):
    return ctl.json("integrator", "add", "acme", "--callback-url", "https://localhost:9/base", "--allow-private")


@pytest.fixture(scope="module")
def vm(ctl):
    ctl.run("machine", "add", "vm-1", "--operator-name", "Demo Vending")
    return "vm-1"


def test_an_integrator_gets_credentials_of_full_strength(acme):
    assert re.fullmatch(r"vg_[0-9a-f]{32}", acme["api_key"])
    assert acme["signing_secret"].startswith("whsec_")
    assert len(base64.b64decode(acme["signing_secret"][6:])) == 24
    assert acme["basic_user"] == "acme" and len(acme["basic_password"]) == 32


def test_only_digests_of_what_they_present_are_kept(database, acme):
    digests = {row["kind"]: row["digest"] for row in database.rows(
        "SELECT kind, digest FROM integrator_key WHERE integrator_id = %s", acme["id"])}
    assert digests["api_key"] == hashlib.sha256(acme["api_key"].encode()).hexdigest()
    _, n, r, p, salt, wanted = digests["basic"].split("$")
    made = hashlib.scrypt(acme["basic_password"].encode(), salt=base64.b64decode(salt), n=int(n), r=int(r), p=int(p),
                          dklen=32, maxmem=64 << 20)
    assert base64.b64encode(made).decode() == wanted


def test_given_credentials_are_taken(ctl, database):
    made = ctl.json("integrator", "add", "given", "--callback-url", "http://localhost:9", "--allow-http", "--api-key", "k-1",
                    "--basic-user", "u", "--basic-password", "p", "--present-api-key", "theirs", "--present-basic", "a:b:c")
    assert (made["api_key"], made["basic_user"], made["basic_password"]) == ("k-1", "u", "p")
    row = database.rows("SELECT * FROM integrator_endpoint WHERE integrator_id = %s", made["id"])[0]
    assert (row["present_api_key"], row["present_user"], row["present_password"]) == ("theirs", "a", "b:c")


def test_mistakes_are_told_in_the_users_terms(ctl, acme, vm):
    assert "exists already" in refused(ctl, "integrator", "add", "acme", "--callback-url", "https://a")
    assert "--allow-http" in refused(ctl, "integrator", "add", "b", "--callback-url", "http://a")
    assert "a user or password" in refused(ctl, "integrator", "add", "b", "--callback-url", "https://u:p@a")
    assert "USER:PASSWORD" in refused(ctl, "integrator", "add", "b", "--callback-url", "https://a", "--present-basic", "x",
                                      status=2)
    assert "exists already" in refused(ctl, "machine", "add", vm)
    assert "1 to 64" in refused(ctl, "machine", "add", "a b")
    assert 'no integrator "nobody"' in refused(ctl, "integrator", "show", "nobody")
    assert 'no machine "nothing"' in refused(ctl, "machine", "show", "nothing")
    assert "nothing" in refused(ctl, "grant", "acme", "nothing")
    assert "no purchase" in refused(ctl, "txn", "show", "nothing")


def test_wrong_usage_is_status_2(ctl):
    assert "unknown command" in refused(ctl, "frobnicate", status=2)
    assert "usage: vendctl grant" in refused(ctl, "grant", status=2)
    assert "needs --callback-url" in refused(ctl, "integrator", "add", "x", status=2)
    assert "no option --nonsense" in refused(ctl, "integrator", "list", "--nonsense", status=2)


def test_without_a_database_it_says_where_one_is_given():
    environment = {key: value for key, value in os.environ.items() if key != "VENDGATE_DATABASE_URL"}
    result = subprocess.run([program("vendctl"), "migrate"], capture_output=True, text=True, env=environment)
    assert result.returncode == 2 and "VENDGATE_DATABASE_URL" in result.stderr


def test_grants_come_and_go(ctl, acme, vm):
    ctl.run("machine", "add", "vm-2")
    assert len(ctl.json("grant", "acme", vm, "vm-2")) == 2
    ctl.run("grant", "acme", vm)
    assert ctl.json("integrator", "show", "acme")["machines"] == [vm, "vm-2"]
    ctl.run("revoke", "acme", "vm-2")
    assert ctl.json("machine", "show", vm)["integrators"] == ["acme"]
    assert ctl.json("machine", "show", "vm-2")["integrators"] == []


def test_keys_can_be_added_and_revoked(ctl, acme):
    added = ctl.json("key", "add", "acme")
    basic = ctl.json("key", "add", "acme", "--basic-user", "second")
    assert basic["password"] and added["api_key"].startswith("vg_")
    ctl.run("key", "revoke", "acme", str(added["key"]))
    keys = {key["key"]: key["revoked_at"] for key in ctl.json("integrator", "show", "acme")["keys"]}
    assert keys[added["key"]] and not keys[basic["key"]]


def test_the_ca_signs_servers(ca, tmp_path):
    certificate, key = ca.server("server", "localhost,127.0.0.1,::1")
    openssl("verify", "-CAfile", ca.certificate, "-purpose", "sslserver", "-verify_hostname", "localhost", certificate)
    openssl("verify", "-CAfile", ca.certificate, "-verify_ip", "127.0.0.1", certificate)
    assert stat.S_IMODE(os.stat(key).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(ca.folder / "ca.key").st_mode) == 0o600


def test_a_ca_is_never_overwritten(ca):
    result = subprocess.run([program("vendctl"), "ca", "init", "--dir", str(ca.folder)], capture_output=True, text=True)
    assert result.returncode == 1 and "exists already" in result.stderr


def test_a_machine_is_enrolled_by_its_key(ctl, ca, vm):
    certificate, key = ca.enroll(ctl, vm)
    openssl("verify", "-CAfile", ca.certificate, "-purpose", "sslclient", certificate)
    assert b"URI:urn:vm:vm-1" in openssl("x509", "-in", certificate, "-noout", "-ext", "subjectAltName")
    credentials = ctl.json("machine", "show", vm)["credentials"]
    assert [c["digest"] for c in credentials if c["kind"] == "certificate"] == [fingerprint(certificate)]


def test_a_request_keeps_its_own_key_and_nothing_else(ctl, ca, tmp_path):
    ctl.run("machine", "add", "vm-csr")
    key, request, certificate = tmp_path / "m.key", tmp_path / "m.csr", tmp_path / "m.pem"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request,
            "-subj", "/CN=somebody-else", "-addext", "subjectAltName=URI:urn:vm:somebody-else")
    ctl.run("machine", "enroll", "vm-csr", "--ca-dir", ca.folder, "--csr", request, "--cert", certificate)
    text = openssl("x509", "-in", certificate, "-noout", "-text")
    assert b"somebody-else" not in text and b"urn:vm:vm-csr" in text
    public = openssl("pkey", "-in", key, "-pubout")
    assert openssl("x509", "-in", certificate, "-noout", "-pubkey") == public


def test_a_request_with_a_broken_signature_is_refused(ctl, ca, tmp_path):
    ctl.run("machine", "add", "vm-forged")
    request = tmp_path / "m.der"
    openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", tmp_path / "k",
            "-outform", "DER", "-out", request, "-subj", "/CN=x")
    forged = bytearray(request.read_bytes())
    forged[-1] ^= 1
    pem = b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(bytes(forged)) + b"-----END CERTIFICATE REQUEST-----\n"
    (tmp_path / "m.csr").write_bytes(pem)
    error = refused(ctl, "machine", "enroll", "vm-forged", "--ca-dir", ca.folder, "--csr", tmp_path / "m.csr",
                    "--cert", tmp_path / "m.pem")
    assert "possession" in error
    assert ctl.json("machine", "show", "vm-forged")["credentials"] == []


def test_two_certificates_at_once_and_no_third(ctl, ca, tmp_path):
    ctl.run("machine", "add", "vm-rotate")

    def enroll(check=True):
        return ctl.run("machine", "enroll", "vm-rotate", "--ca-dir", ca.folder, "--cert", tmp_path / "c", "--key",
                       tmp_path / "k", check=check)

    enroll(), enroll()
    before = (tmp_path / "c").read_bytes()
    assert "two live certificates" in enroll(check=False).stderr
    assert (tmp_path / "c").read_bytes() == before  # what was refused wrote nothing
    first = ctl.json("machine", "show", "vm-rotate")["credentials"][0]["credential"]
    ctl.run("machine", "revoke", "vm-rotate", str(first))
    enroll()


def test_a_token_takes_the_place_of_the_former(ctl, vm):
    first, second = ctl.json("machine", "token", vm)["token"], ctl.json("machine", "token", vm)["token"]
    assert first != second
    tokens = [c["digest"] for c in ctl.json("machine", "show", vm)["credentials"] if c["kind"] == "token"]
    assert tokens == [hashlib.sha256(second.encode()).hexdigest()]


def test_tables_for_people(ctl, acme, vm):
    lines = ctl.run("machine", "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["vm_id", "enabled", "online"]
    assert any(line.startswith("vm-1 ") for line in lines)
    assert ctl.run("txn", "list").stdout == "(none)\n"
    assert "callback_url:" in ctl.run("integrator", "show", "acme").stdout


def test_machines_are_grouped_and_the_group_says_what_doubt_counts_as(ctl, vm):
    assert ctl.json("group", "add", "alpine", "--doubt-policy", "hold") == {"name": "alpine", "doubt_policy": "hold"}
    ctl.run("group", "add", "valley")
    ctl.run("machine", "add", "vm-grouped", "--group", "alpine")
    ctl.run("machine", "set", vm, "--group", "alpine")
    assert ctl.json("group", "list") == [{"name": "alpine", "doubt_policy": "hold", "machines": 2},
                                         {"name": "valley", "doubt_policy": None, "machines": 0}]
    shown = ctl.json("machine", "show", vm)
    assert (shown["group"], shown["doubt_policy"]) == ("alpine", "hold")
    ctl.run("machine", "set", vm, "--group", "none")
    assert ctl.json("machine", "show", vm)["group"] is None
    ctl.run("group", "set", "alpine", "--doubt-policy", "none")
    assert ctl.json("machine", "show", "vm-grouped")["doubt_policy"] is None
    assert "exists already" in refused(ctl, "group", "add", "alpine")
    assert "refund, capture or hold" in refused(ctl, "group", "add", "c", "--doubt-policy", "keep")
    assert 'no group "moon"' in refused(ctl, "machine", "set", vm, "--group", "moon")
    assert 'no group "moon"' in refused(ctl, "machine", "add", "vm-moon", "--group", "moon")
    assert 'no group "moon"' in refused(ctl, "group", "set", "moon", "--doubt-policy", "hold")
    assert 'no machine "vm-moon"' in refused(ctl, "machine", "set", "vm-moon", "--group", "valley")


def test_a_machine_keeps_what_is_not_set_anew(ctl):
    ctl.run("machine", "add", "vm-set", "--operator-name", "Demo Vending", "--address", "1 Harbour Street")
    ctl.run("machine", "set", "vm-set", "--address", "2 Harbour Street", "--price-max", "500")
    shown = ctl.json("machine", "show", "vm-set")
    assert (shown["operator_name"], shown["address"], shown["price_max"]) == ("Demo Vending", "2 Harbour Street", 500)


def test_what_an_integrator_may_do_is_given_and_taken_back(ctl):
    def may():
        shown = ctl.json("integrator", "show", "limited")
        return [shown[name] for name in ("allow_rename", "allow_multi_vend", "strict_codes", "doubt_policy", "amount_max")]

    ctl.run("integrator", "add", "limited", "--callback-url", "https://a", "--allow-rename", "--doubt-policy", "capture")
    assert may() == [True, False, False, "capture", 0]
    ctl.run("integrator", "set", "limited", "--allow-rename", "no", "--allow-multi-vend", "yes", "--strict-codes", "yes")
    assert may() == [False, True, True, "capture", 0]
    ctl.run("integrator", "set", "limited", "--doubt-policy", "hold", "--amount-max", "900")
    assert may() == [False, True, True, "hold", 900]
    assert "yes or no" in refused(ctl, "integrator", "set", "limited", "--allow-rename", "maybe", status=2)
    assert "refund, capture or hold" in refused(ctl, "integrator", "set", "limited", "--doubt-policy", "keep")
    assert 'no integrator "nobody"' in refused(ctl, "integrator", "set", "nobody", "--strict-codes", "no")


def test_an_endpoint_is_changed_bit_by_bit_and_taken_back(ctl):
    added = ctl.json("integrator", "add", "moving", "--callback-url", "https://moving.test", "--allow-cidr", "10.1.0.0/16",
                     "--rate", "7")
    assert "moving.test" in added["checked_later"]

    def change(*options):
        changed = ctl.json("integrator", "endpoint", "moving", *options)
        shown = ctl.json("integrator", "show", "moving")
        assert all(changed[name] == shown[name] for name in changed if name in shown), (changed, shown)
        return changed

    pin = "sha256//" + "A" * 43 + "="
    first = change("--callback-url", "https://10.1.2.3:8443/x", "--client-cert", "/c.pem", "--client-key", "/k.pem",
                   "--pin", f"{pin},{pin}", "--callback-ca", "/ca.pem")
    assert "checked_later" not in first
    assert (first["callback_url"], first["allow_cidr"], first["rate_per_second"]) == \
        ("https://10.1.2.3:8443/x", "{10.1.0.0/16}", 7)
    assert (first["client_cert_file"], first["client_key_file"], first["callback_ca_file"]) == \
        ("/c.pem", "/k.pem", "/ca.pem")
    assert "is refused: private" in refused(ctl, "integrator", "endpoint", "moving", "--allow-cidr", "none")
    assert "--allow-http" in refused(ctl, "integrator", "endpoint", "moving", "--callback-url", "http://a.test")
    second = change("--callback-url", "http://a.test", "--allow-http", "yes", "--allow-cidr", "none", "--client-cert",
                    "none", "--client-key", "none", "--pin", "none", "--callback-ca", "none", "--rate", "0")
    assert (second["allow_http"], second["allow_cidr"], second["public_key_pins"], second["rate_per_second"]) == \
        (True, "{}", "{}", 0)
    assert second["client_cert_file"] is None and second["callback_ca_file"] is None
    assert "go together" in refused(ctl, "integrator", "endpoint", "moving", "--client-key", "/k.pem", status=2)
    assert "bits set" in refused(ctl, "integrator", "endpoint", "moving", "--allow-cidr", "10.1.2.3/8", status=2)
    assert "--rate" in refused(ctl, "integrator", "endpoint", "moving", "--rate", "-1", status=2)
    assert 'no integrator "nobody"' in refused(ctl, "integrator", "endpoint", "nobody", "--rate", "1")
