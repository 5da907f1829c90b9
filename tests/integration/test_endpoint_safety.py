"""Where callbacks may go, and to whom: addresses, names, certificates, pins.

The list of what must not be reached is asked three times: vendctl when a URL is saved, the gateway when it reads one that
got past vendctl, and the gateway when a name turns out to mean such an address. A trap listens where it would lead: no
connection may ever reach it.
"""
import base64
import contextlib
import hashlib
import socket
import subprocess
import threading
import time

import psycopg2
import pytest

from vendgate.api import Api
from vendgate.dns import NameServer
from vendgate.purchase import Purchase
from vendgate.site import OK, Site
from vendgate.waiting import wait_until

# The site is on an address that its integrator is permitted; the trap on one that it is not.
SITE, TRAP = "127.0.0.2", "127.0.0.1"
PERMITTED = f"{SITE}/32"
# One for each test: callbacks of an earlier one may still be looking up theirs.
LEADING, MOVING, MANY = "leading.test", "moving.test", "many.test"


@pytest.fixture(scope="module")
def names():
    made = NameServer()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def gateway_settings(names):
    return {"outbound.dns_servers": names.setting}


@pytest.fixture(scope="module")
def site_certificate(ca):
    return ca.server("site", hosts=f"{MOVING},{MANY},{SITE}")


@pytest.fixture
def make_site():
    made = []

    def make(*arguments, **more):
        made.append(Site(*arguments, **more))
        return made[-1]

    yield make
    for site in made:
        site.stop()


@pytest.fixture
def trap(make_site):
    """Must stay without a connection."""
    made = make_site(TRAP)
    yield made
    assert made.connections == 0


def settle(shop, gateway):
    """Returns when the gateway has read the integrator anew."""
    key = shop.ctl.json("key", "add", shop.name)["api_key"]
    wait_until(lambda: Api(gateway, key).search("nobody").status == 200, 10, "the gateway has read it")


def smuggle(shop, gateway, url, networks=PERMITTED):
    """Past vendctl: what an old version, a restored backup or a person with psql may have left."""
    shop.ctl.database.rows(
        "UPDATE integrator_endpoint SET callback_url = %s, allow_cidr = %s::cidr[] WHERE integrator_id = %s", url,
        "{" + networks + "}", shop.id)
    settle(shop, gateway)


def point(shop, gateway, url, *options):
    """As an operator does."""
    shop.ctl.run("integrator", "endpoint", shop.name, "--callback-url", url, "--allow-cidr", PERMITTED, *options)
    settle(shop, gateway)


@pytest.fixture
def shop(make_integrator, gateway):
    """A new one for each test: what fails at one endpoint opens its breaker for a while."""
    return make_integrator(gateway)


def ask(shop, machine):
    """A customer chooses: /txn/request is due."""
    purchase = Purchase(shop, machine)
    purchase.lock()
    machine.select(price=150)
    return purchase


def attempts(purchase, count=1):
    """The attempts of its /txn/request, in order, as soon as there are so many."""
    def recorded():
        rows = purchase.database.rows(
            "SELECT a.* FROM callback_attempt a JOIN callback c USING (callback_id) JOIN txn t USING (txn_id)"
            " WHERE t.integrator_id = %s AND t.ref = %s AND c.kind = '/txn/request' AND a.number > 0"
            " ORDER BY a.number", purchase.shop.id, purchase.ref)
        return rows if len(rows) >= count else None
    return wait_until(recorded, 15, f"{count} attempts are recorded")


def assert_refused(purchase, why):
    first = attempts(purchase)[0]
    assert why in first["error"], first
    assert first["http_status"] is None and first["connect_us"] is None, first
    assert not first["remote"], first


# --- addresses that are written in the URL

SPELLINGS = [
    ("https://{trap}:{port}", "address 127.0.0.1 is refused: loopback"),
    ("https://2130706433:{port}", "a number that stands for an address"),
    ("https://017700000001:{port}", "a number that stands for an address"),
    ("https://0177.0.0.1:{port}", "a number that stands for an address"),
    ("https://0x7f000001:{port}", "a number that stands for an address"),
    ("https://0x7f.1:{port}", "a number that stands for an address"),
    ("https://127.1:{port}", "a number that stands for an address"),
    ("https://127.0.0.%31:{port}", "percent signs"),
    ("https://127.0.0.1.:{port}", "ends in a dot"),
    ("https://[::ffff:127.0.0.1]:{port}", "IPv4-mapped"),
    ("https://[::ffff:7f00:1]:{port}", "IPv4-mapped"),
    ("https://[64:ff9b::7f00:1]:{port}", "NAT64"),
    ("https://[2002:7f00:1::]:{port}", "6to4"),
    ("https://[::1]:{port}", "loopback"),
    ("https://0.0.0.0:{port}", "unspecified"),
    ("https://10.0.0.1:{port}", "private"),
    ("https://169.254.169.254/latest/meta-data", "cloud metadata"),
    ("https://[fd00:ec2::254]/latest", "cloud metadata"),
    ("http://{site}:{port}", "http, which this endpoint does not permit"),
    ("https://LOCALHOST:{port}", "lower case"),
    ("https://{site}:{port}/?to=x", "a query or fragment"),
    ("https://{site}:0", "the port is not a number"),
]


@pytest.mark.parametrize("url, why", SPELLINGS, ids=[url for url, _ in SPELLINGS])
def test_a_url_that_leads_astray_is_refused_when_saved(rival, trap, url, why):
    url = url.format(trap=TRAP, site=SITE, port=trap.port)
    refused = rival.ctl.run("integrator", "endpoint", rival.name, "--callback-url", url, "--allow-cidr", PERMITTED,
                           check=False)
    assert refused.returncode == 1 and why in refused.stderr, refused
    refused = rival.ctl.run("integrator", "add", "astray", "--callback-url", url, check=False)
    assert refused.returncode == 1, refused
    assert not rival.ctl.database.rows("SELECT FROM integrator WHERE name = 'astray'")


# Those that the database itself does not refuse.
SMUGGLED = [(url, why) for url, why in SPELLINGS if not url.startswith("http://")]


@pytest.mark.parametrize("url, why", SMUGGLED, ids=[url for url, _ in SMUGGLED])
def test_what_got_past_vendctl_is_refused_when_sent_to(gateway, shop, machine, trap, url, why):
    smuggle(shop, gateway, url.format(trap=TRAP, site=SITE, port=trap.port))
    assert_refused(ask(shop, machine), why)


def test_a_url_with_a_user_gets_nowhere(gateway, rival, trap):
    url = f"https://{MANY}@{TRAP}:{trap.port}"
    refused = rival.ctl.run("integrator", "endpoint", rival.name, "--callback-url", url, check=False)
    assert refused.returncode == 1 and "carries a user or password" in refused.stderr
    with pytest.raises(psycopg2.errors.CheckViolation):
        smuggle(rival, gateway, url)


# --- names

LEADS = [
    (TRAP, "address 127.0.0.1 is refused: loopback"),
    ("::1", "loopback"),
    ("10.1.2.3", "private"),
    ("100.64.1.1", "shared (CGNAT)"),
    ("169.254.169.254", "cloud metadata"),
    ("fd00:ec2::254", "cloud metadata"),
    ("::ffff:127.0.0.1", "IPv4-mapped"),
    ("::127.0.0.1", "IPv4-compatible"),
    ("64:ff9b::7f00:1", "NAT64"),
    ("224.0.0.1", "multicast"),
]


@pytest.mark.parametrize("address, why", LEADS, ids=[address for address, _ in LEADS])
def test_a_name_that_means_such_an_address_is_refused(gateway, shop, machine, names, trap, address, why):
    names.set(LEADING, [address])
    point(shop, gateway, f"https://{LEADING}:{trap.port}")
    assert_refused(ask(shop, machine), f"is refused: {why}" if "refused" not in why else why)
    assert names.lookups(LEADING) >= 1


def test_a_name_is_not_looked_up_again_between_check_and_use(gateway, shop, machine, make_machine, names, make_site,
                                                            site_certificate, trap):
    """Rebinding: the first answer is permitted, every later one is the trap."""
    site = make_site(SITE, port=trap.port, certificate=site_certificate)
    names.set(MOVING, [SITE], [TRAP])
    point(shop, gateway, f"https://{MOVING}:{trap.port}")
    first = attempts(ask(shop, machine))[0]
    assert first["result"] == "delivered" and first["remote"] == f"{SITE}:{site.port}", first
    assert names.lookups(MOVING) == 1
    point(shop, gateway, f"https://{MOVING}:{trap.port}", "--rate", "100")  # read anew, and so looked up anew
    assert_refused(ask(shop, make_machine(gateway, shop)), "address 127.0.0.1 is refused: loopback")
    assert len(site.requests) == 1


def test_of_several_addresses_only_the_permitted_are_used(gateway, shop, machine, names, make_site, site_certificate,
                                                         trap):
    site = make_site(SITE, port=trap.port, certificate=site_certificate)
    names.set(MANY, [TRAP, "10.0.0.1", SITE, "169.254.169.254"])
    point(shop, gateway, f"https://{MANY}:{trap.port}")
    first = attempts(ask(shop, machine))[0]
    assert first["result"] == "delivered" and first["remote"] == f"{SITE}:{site.port}", first


def test_a_redirect_is_not_followed(gateway, shop, machine, make_site, site_certificate, trap):
    there = f"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://{TRAP}:{trap.port}/\r\nContent-Length: 0\r\n\r\n"
    site = make_site(SITE, certificate=site_certificate, answer=there.encode())
    point(shop, gateway, f"https://{SITE}:{site.port}")
    first = attempts(ask(shop, machine))[0]
    assert (first["http_status"], first["result"]) == (307, "permanent"), first
    assert [text.split()[1] for text in site.requests].count(b"/txn/request") == 1


def test_a_name_server_that_hangs_delays_nobody_else(gateway, shop, rival, machine, make_machine, names):
    names.silent.add("hung.test")
    point(shop, gateway, "https://hung.test")
    hung = ask(shop, machine)
    other = make_machine(gateway, rival)
    Purchase(rival, other).buy()
    for attempt in attempts(hung, 2)[:2]:
        assert attempt["error"] == "name not resolved in time", attempt


# --- who is there

def test_its_own_authority_counts_and_no_other(gateway, shop, machine, make_machine, make_site, site_certificate,
                                               tmp_path):
    site = make_site(SITE, certificate=site_certificate)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=stranger", "-keyout", tmp_path / "key.pem", "-out", tmp_path / "ca.pem"], check=True,
                   capture_output=True)
    point(shop, gateway, f"https://{SITE}:{site.port}")
    assert attempts(ask(shop, machine))[0]["result"] == "delivered"
    shop.ctl.run("integrator", "endpoint", shop.name, "--callback-ca", tmp_path / "ca.pem")
    settle(shop, gateway)
    assert "certificate" in attempts(ask(shop, make_machine(gateway, shop)))[0]["error"]
    assert len(site.requests) == 1


def pin_of(certificate):
    key = subprocess.run(["openssl", "x509", "-in", certificate, "-noout", "-pubkey"], check=True, capture_output=True)
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], check=True, capture_output=True,
                         input=key.stdout)
    return "sha256//" + base64.b64encode(hashlib.sha256(der.stdout).digest()).decode()


def test_a_pin_must_fit(gateway, shop, machine, make_machine, make_site, site_certificate, ca):
    site = make_site(SITE, certificate=site_certificate)
    right, wrong = pin_of(site_certificate[0]), pin_of(ca.certificate)
    point(shop, gateway, f"https://{SITE}:{site.port}", "--pin", f"{wrong},{right}")
    assert attempts(ask(shop, machine))[0]["result"] == "delivered"
    shop.ctl.run("integrator", "endpoint", shop.name, "--pin", wrong)
    settle(shop, gateway)
    assert "pinned" in attempts(ask(shop, make_machine(gateway, shop)))[0]["error"]
    assert len(site.requests) == 1
    refused = shop.ctl.run("integrator", "endpoint", shop.name, "--pin", "sha256//short", check=False)
    assert refused.returncode == 2 and "--pin" in refused.stderr


def test_a_server_that_wants_a_certificate_is_shown_ours(gateway, shop, machine, make_machine, make_site,
                                                         site_certificate, ca):
    site = make_site(SITE, certificate=site_certificate, client_ca=ca.certificate)
    shop.ctl.run("machine", "add", "pretends-to-be-us")
    certificate, key = ca.enroll(shop.ctl, "pretends-to-be-us")
    point(shop, gateway, f"https://{SITE}:{site.port}")
    assert attempts(ask(shop, machine))[0]["http_status"] is None
    assert site.requests == []
    shop.ctl.run("integrator", "endpoint", shop.name, "--client-cert", certificate, "--client-key", key)
    settle(shop, gateway)
    assert attempts(ask(shop, make_machine(gateway, shop)))[0]["result"] == "delivered"
    assert site.clients[-1]["subject"]
    refused = shop.ctl.run("integrator", "endpoint", shop.name, "--client-key", "none", check=False)
    assert refused.returncode == 2 and "go together" in refused.stderr


# --- through the operator's proxy

def pump(source, sink):
    with contextlib.suppress(OSError):
        while part := source.recv(65536):
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def test_with_a_proxy_it_resolves_and_we_connect_to_nothing_else(make_gateway, names, make_integrator, make_machine,
                                                                 make_site, site_certificate, ca):
    site = make_site(SITE, certificate=site_certificate)

    def tunnel(connection, _number):
        with socket.create_connection((SITE, site.port)) as onward:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(onward, connection), daemon=True)
            back.start()
            pump(connection, onward)
            back.join()

    proxy = make_site(TRAP, answer=tunnel)
    gateway = make_gateway({"outbound.dns_servers": names.setting, "outbound.proxy": f"http://{TRAP}:{proxy.port}"})
    shop = make_integrator(gateway, "--callback-ca", ca.certificate)
    point(shop, gateway, f"https://{MANY}:{site.port}")
    before = names.lookups(MANY)
    first = attempts(ask(shop, make_machine(gateway, shop)))[0]
    assert first["result"] == "delivered" and first["remote"] == f"{TRAP}:{proxy.port}", first
    assert proxy.requests[0].split(b"\r\n")[0] == f"CONNECT {MANY}:{site.port} HTTP/1.1".encode()
    assert names.lookups(MANY) == before
    smuggle(shop, gateway, "https://10.0.0.1")
    assert_refused(ask(shop, make_machine(gateway, shop)), "address 10.0.0.1 is refused: private")


# --- what is on the wire

def test_a_request_is_never_sent_again_unseen(gateway, shop, machine, make_machine, make_site, site_certificate):
    """The site closes a kept connection after it has read a request: libcurl alone would send it again."""
    used, closing = set(), []

    def answer(connection, _number):
        if closing and connection in used:
            closing.clear()
            return None
        used.add(connection)
        return OK

    site = make_site(SITE, certificate=site_certificate, answer=answer)
    point(shop, gateway, f"https://{SITE}:{site.port}")
    assert attempts(ask(shop, machine))[0]["result"] == "delivered"
    while site.connections == len(site.requests):  # nothing is kept in the first seconds after a change of the endpoint
        assert len(site.requests) < 20
        assert attempts(ask(shop, make_machine(gateway, shop)))[0]["result"] == "delivered"
    requests, connections = len(site.requests), site.connections
    closing.append(True)
    both = attempts(ask(shop, make_machine(gateway, shop)), 2)
    assert [row["result"] for row in both] == ["retry", "delivered"]
    assert both[0]["error"] == "the kept connection was closed before an answer"
    assert len(site.requests) == requests + 2 and site.connections == connections + 1


def drip(connection, _number):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    for _ in range(600):
        connection.sendall(b" ")
        time.sleep(0.1)


def test_an_answer_that_drips_ends_with_the_time(gateway, shop, machine, make_site, site_certificate):
    site = make_site(SITE, certificate=site_certificate, answer=drip)
    point(shop, gateway, f"https://{SITE}:{site.port}")
    first = attempts(ask(shop, machine))[0]
    assert first["result"] == "retry" and "timed out" in first["error"], first
    assert 2_500_000 < first["total_us"] < 10_000_000, first  # of 60 s
    assert b"accept-encoding" not in site.requests[0].lower()
