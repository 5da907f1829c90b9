"""What is refused, with status, code, action and words; and that a refused call changes nothing."""
import json

import pytest

from vendgate.api import Api
from vendgate.purchase import Purchase, new_ref
from vendgate.waiting import stays, wait_until

JSON = {"Content-Type": "application/json"}


def refused(answer, status, code, action):
    """The envelope of a refusal."""
    assert (answer.status, answer.code, answer.action) == (status, code, action), answer
    assert answer.body["success"] is False
    assert isinstance(answer.body["message"], str) and answer.body["message"]
    assert answer.headers["Content-Type"].startswith("application/json")
    return answer


@pytest.fixture
def unchanged(database):
    """Fails the test if it left anything in the transaction tables."""
    tables = ("txn", "txn_event", "callback", "callback_queue")

    def counts():
        return [database.value(f"SELECT count(*) FROM {table}") for table in tables]
    # What an earlier test caused must have come to its end first.
    wait_until(lambda: database.value("SELECT count(*) FROM callback_queue") == 0, 10, "the outbox is empty")
    before = counts()
    yield
    assert counts() == before


# --- calls that never reach the business

@pytest.mark.parametrize("headers", [
    {}, {"X-API-Key": "wrong"}, {"X-API-Key": ""}, {"Authorization": "Basic d3Jvbmc6d3Jvbmc="},
    {"Authorization": "Basic !!!"}, {"Authorization": "Bearer x"},
], ids=["none", "wrong-key", "empty-key", "wrong-basic", "broken-basic", "other-scheme"])
def test_no_or_wrong_credentials(gateway, unchanged, headers):
    answer = Api(gateway).send("POST", "/api/lock", b"{}", {**JSON, **headers})
    refused(answer, 401, "UNAUTHENTICATED", "fix")


def test_a_right_key_with_a_wrong_password_is_refused(gateway, shop, unchanged):
    both = Api(gateway, shop.api_key, user=shop.name, password="wrong")
    refused(both.search("x"), 401, "UNAUTHENTICATED", "fix")
    other_way_round = Api(gateway, "wrong", user=shop.name, password=f"pw-{shop.name}")
    refused(other_way_round.search("x"), 401, "UNAUTHENTICATED", "fix")


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b"1", b'{"vm_id":"a"} x', b'{"vm_id":"a","vm_id":"a"}', b'{"vm_id":"\xff"}',
    b"{'vm_id':'a'}", b'{"vm_id":"a",}', b'{"x":' * 200 + b"1" + b"}" * 200, b'{"vm_id":"a","x":NaN}',
], ids=["empty", "cut", "array", "null", "number", "trailing", "duplicate-key", "bad-utf8", "quotes", "comma", "deep",
        "nan"])
def test_malformed_json(shop, unchanged, body):
    refused(shop.api.send("POST", "/api/lock", body, JSON), 400, "BAD_JSON", "fix")


GOOD = {
    "/api/lock": {"vm_id": "m", "txnRef": "r", "balance": 1},
    "/api/paid": {"txnRef": "r", "price": 1, "discount": 0, "surcharge": 0},
    "/api/unlock": {"vm_id": "m", "txnRef": "r"},
    "/api/vmc_search": {"vm_id": "m"},
    "/api/vmc_bulk_search": {"vms": ["m"]},
    "/api/vmc_user_keys": {"vm_id": "m", "txnRef": "r", "keys": [1]},
}


@pytest.mark.parametrize("path, field", [(path, field) for path, body in GOOD.items() for field in body])
def test_a_missing_field_is_named(shop, unchanged, path, field):
    body = {name: value for name, value in GOOD[path].items() if name != field}
    for without in (body, {**body, field: None}):
        answer = refused(shop.api.call(path, without), 400, "MISSING_FIELD", "fix")
        assert field in answer.body["message"]


WRONG = {"vm_id": [1, True, {}, [], "", "a b", "x" * 65, "ä"],
         "txnRef": [1, "", "x" * 129, "tab\t", "ü"],
         "balance": ["1", 1.5, True, -1, 2**62],
         "price": ["1", 1.5, True, 2**62], "discount": ["0", 0.5], "surcharge": ["0", False],
         "vms": ["m", [1], [""], ["a b"], {}],
         "keys": [1, [], ["1"], [1.5], [1] * 33, [-1]]}


@pytest.mark.parametrize("path, field", [(path, field) for path, body in GOOD.items() for field in body])
def test_a_field_of_the_wrong_type_or_form_is_named(gateway, shop, unchanged, path, field):
    api = Api(gateway, shop.api_key, keep=True)
    for value in WRONG[field]:
        answer = refused(api.call(path, {**GOOD[path], field: value}), 400, "BAD_FIELD", "fix")
        assert field in answer.body["message"], (value, answer)


def test_both_names_of_a_field_must_agree(shop, unchanged):
    answer = shop.api.call("/api/vmc_search", {"vm_id": "a", "id": "b"})
    refused(answer, 400, "BAD_FIELD", "fix")


def test_a_huge_body(shop, unchanged):
    body = json.dumps({"vm_id": "m", "txnRef": "r", "balance": 1, "x": "y" * 70000}).encode()
    refused(shop.api.send("POST", "/api/lock", body, JSON), 413, "BODY_TOO_LARGE", "fix")


def test_a_body_that_is_not_json_by_its_type(shop, unchanged):
    body = json.dumps(GOOD["/api/lock"]).encode()
    refused(shop.api.send("POST", "/api/lock", body, {"Content-Type": "text/plain"}), 415, "BAD_MEDIA_TYPE", "fix")


@pytest.mark.parametrize("path", ["/", "/api", "/api/lock/", "/api/Lock", "/connectivity-platform", "/api/lock/x"])
def test_an_unknown_path(shop, unchanged, path):
    refused(shop.api.send("POST", path, b"{}", JSON), 404, "NOT_FOUND", "fix")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_told_which_is_allowed(shop, unchanged, method):
    answer = refused(shop.api.send(method, "/api/lock"), 405, "METHOD_NOT_ALLOWED", "fix")
    assert answer.headers["Allow"] == "POST"


# --- the machine

@pytest.mark.parametrize("call", ["lock", "unlock", "keys"])
def test_an_unknown_machine(shop, unchanged, call):
    refused(call_on(shop, call, "no-such-machine"), 200, "MACHINE_UNKNOWN", "fix")


@pytest.mark.parametrize("call", ["lock", "unlock", "keys"])
def test_another_integrators_machine_does_not_exist(shop, rival, machine, call):
    purchase = Purchase(shop, machine)
    purchase.lock()
    before = purchase.footprint()
    theirs = refused(call_on(rival, call, machine.vm_id, purchase.ref), 200, "MACHINE_UNKNOWN", "fix")
    unknown = call_on(rival, call, "no-such-machine", purchase.ref)
    assert theirs.body == unknown.body
    assert purchase.footprint() == before


def call_on(integrator, call, vm_id, ref=None):
    ref = ref or new_ref()
    return {"lock": lambda: integrator.api.lock(vm_id, ref), "unlock": lambda: integrator.api.unlock(vm_id, ref),
            "keys": lambda: integrator.api.keys(vm_id, ref, [1])}[call]()


def test_a_machine_that_never_connected_is_offline(gateway, shop, make_machine, unchanged):
    machine = make_machine(gateway, shop, online=False)
    wait_until(lambda: shop.api.search(machine.vm_id).success, 5, "the gateway knows the machine")
    refused(shop.api.lock(machine.vm_id, new_ref()), 200, "MACHINE_OFFLINE", "retry")


def test_a_machine_that_lost_its_link_is_offline(shop, machine, unchanged):
    machine.disconnect()
    wait_until(lambda: not shop.api.search(machine.vm_id).body["vendingMachine"]["online"], 5, "it is offline")
    refused(shop.api.lock(machine.vm_id, new_ref()), 200, "MACHINE_OFFLINE", "retry")


def test_a_machine_that_has_not_answered_hello_is_reconciled_first(gateway, shop, make_machine, unchanged):
    machine = make_machine(gateway, shop)
    machine.hold("hello")
    machine.disconnect()
    machine.connect(online=False)
    machine.take("hello")
    refused(shop.api.lock(machine.vm_id, new_ref()), 200, "MACHINE_RECONCILING", "retry")


def test_a_disabled_machine(ctl, shop, machine, unchanged):
    ctl.database.rows("UPDATE machine SET enabled = false WHERE vm_id = %s", machine.vm_id)
    assert machine.link.closed.wait(5)
    refused(shop.api.lock(machine.vm_id, new_ref()), 200, "MACHINE_DISABLED", "retry")


def test_a_machine_out_of_service(ctl, shop, machine):
    ctl.database.rows("UPDATE machine SET out_of_service = true WHERE vm_id = %s", machine.vm_id)
    refused(lock_refused(shop, machine), 200, "MACHINE_FAULT", "retry")


def test_an_impatient_machine_cannot_be_sold_through(shop, machine):
    machine.event("info", model="old", max_response_s=7)
    refused(lock_refused(shop, machine), 200, "MACHINE_NOT_READY", "retry")


def lock_refused(integrator, machine):
    """Locks and unlocks until a lock is refused: the gateway learns of a change within a second."""
    def told():
        ref = new_ref()
        answer = integrator.api.lock(machine.vm_id, ref)
        if answer.success:
            integrator.api.unlock(machine.vm_id, ref)
        return not answer.success and answer.code != "MACHINE_BUSY_SELF" and answer
    return wait_until(told, 5, "a lock is refused")


def test_a_purchase_that_is_under_way_ends_when_its_machine_goes_out_of_service(ctl, shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    ctl.database.rows("UPDATE machine SET out_of_service = true WHERE vm_id = %s", machine.vm_id)
    assert purchase.closed() == "113"
    purchase.assert_settled_once("CLOSED", motor=0)


def test_a_disabled_machine_keeps_its_link_until_a_paid_purchase_has_ended(ctl, shop, machine):
    machine.vend = None
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    ctl.database.rows("UPDATE machine SET enabled = false WHERE vm_id = %s", machine.vm_id)
    stays(machine.connected, 1.5, "it keeps its link")
    machine.dispensed()
    assert purchase.vend().body["success"] is True
    assert machine.link.closed.wait(5)
    purchase.assert_settled_once("VENDED", motor=1)


# --- busy

def test_a_machine_held_by_another_integrator(shop, rival, machine):
    rival.grant(machine.vm_id)
    purchase = Purchase(shop, machine)
    purchase.lock()
    wait_until(lambda: rival.api.search(machine.vm_id).success, 5, "the grant is known")
    before = purchase.footprint()
    answer = refused(rival.api.lock(machine.vm_id, new_ref()), 200, "MACHINE_BUSY", "retry")
    assert 50 <= answer.body["timeout"] <= 60
    assert shop.name not in answer.raw.decode() and purchase.ref not in answer.raw.decode()
    assert purchase.footprint() == before


def test_a_machine_held_by_an_own_transaction_names_it(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    before = purchase.footprint()
    answer = refused(shop.api.lock(machine.vm_id, new_ref()), 200, "MACHINE_BUSY_SELF", "retry")
    assert answer.body["txn_ref"] == purchase.ref and 50 <= answer.body["timeout"] <= 60
    assert purchase.footprint() == before
    assert shop.api.unlock(machine.vm_id, answer.body["txn_ref"]).success  # so that a crashed caller gets on


def test_the_same_lock_again_is_the_same_answer(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock(balance=500)
    before = purchase.footprint()
    again = purchase.lock(balance=500)
    assert 50 <= again.body["timeout"] <= 60
    assert len(machine.seen("lock")) == 1
    refused(shop.api.lock(machine.vm_id, purchase.ref, balance=501), 200, "TXN_REF_REUSED", "new")
    assert purchase.footprint() == before


def test_a_ref_is_used_up_by_a_finished_purchase(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.buy()
    purchase.assert_settled_once("VENDED", motor=1)
    before = purchase.footprint()
    refused(shop.api.lock(machine.vm_id, purchase.ref), 200, "TXN_REF_REUSED", "new")
    assert purchase.footprint() == before


# --- paying

@pytest.fixture
def requested(shop, machine):
    """A purchase that waits for /api/paid."""
    purchase = Purchase(shop, machine)
    purchase.lock()
    purchase.select()
    return purchase


@pytest.mark.parametrize("figures, code", [
    ((149, 0, 0), "PRICE_MISMATCH"), ((151, 0, 0), "PRICE_MISMATCH"), ((0, 0, 0), "PRICE_MISMATCH"),
    ((150, 151, 0), "BAD_AMOUNT"), ((150, -1, 0), "BAD_AMOUNT"), ((150, 0, -1), "BAD_AMOUNT"),
], ids=str)
def test_wrong_figures_can_be_mended(shop, requested, figures, code):
    price, discount, surcharge = figures
    before = requested.footprint()
    refused(shop.api.paid(requested.ref, price, discount, surcharge), 200, code, "fix")
    assert requested.footprint() == before
    requested.pay()
    assert requested.vend().body["success"] is True


def test_an_amount_over_the_limit_ends_the_purchase_with_a_refund(database, shop, requested):
    refused(shop.api.paid(requested.ref, 150, surcharge=65536), 200, "OVER_LIMIT", "refund")
    assert requested.closed() == "114"
    requested.assert_settled_once("CLOSED", motor=0)


def test_paying_twice_is_paying_once(shop, requested):
    requested.pay(surcharge=10)
    requested.vend()
    requested.assert_settled_once("VENDED", motor=1)
    before = requested.footprint()
    assert shop.api.paid(requested.ref, 150, surcharge=10).success
    assert requested.footprint() == before
    assert len(requested.machine.seen("approve")) == 1


def test_paying_twice_with_other_figures_is_a_conflict(shop, requested):
    machine = requested.machine
    machine.vend = None
    requested.pay()
    requested.wait_state("VENDING")
    before = requested.footprint()
    refused(shop.api.paid(requested.ref, 150, surcharge=1), 200, "PAID_CONFLICT", "fix")
    assert shop.api.paid(requested.ref, 150).success
    assert requested.footprint() == before
    machine.dispensed()
    requested.vend()
    requested.assert_settled_once("VENDED", motor=1)
    refused(shop.api.paid(requested.ref, 149), 200, "PAID_CONFLICT", "fix")


def test_paying_too_late_is_refunded(shop, machine):
    """A machine that waits 8 s for an answer leaves 5 s to pay."""
    machine.event("info", model="quick", max_response_s=8)
    purchase = Purchase(shop, machine)
    wait_until(lambda: shop.ctl.json("machine", "show", machine.vm_id), 5)
    purchase.lock()
    purchase.select()
    assert purchase.closed(timeout=8) == "103"
    before = purchase.footprint()
    refused(shop.api.paid(purchase.ref, 150), 200, "CLOSED_BEFORE_PAID", "refund")
    assert purchase.footprint() == before
    purchase.assert_settled_once("CLOSED", motor=0)
    assert not machine.seen("approve")


def test_paying_an_unknown_ref_is_refunded_and_the_ref_is_spent(shop, machine):
    ref = new_ref("never-locked")
    refused(shop.api.paid(ref, 150), 200, "TXN_UNKNOWN", "refund")
    refused(shop.api.lock(machine.vm_id, ref), 200, "TXN_REF_REUSED", "new")
    refused(shop.api.paid(ref, 150), 200, "CLOSED_BEFORE_PAID", "refund")
    assert not machine.seen("lock")


def test_paying_before_the_selection_has_to_wait(shop, machine):
    purchase = Purchase(shop, machine)
    purchase.lock()
    before = purchase.footprint()
    refused(shop.api.paid(purchase.ref, 150), 200, "NO_SELECTION", "wait")
    assert purchase.footprint() == before


def test_another_integrators_ref_is_unknown(rival, shop, requested):
    before = requested.row()
    refused(rival.api.paid(requested.ref, 150), 200, "TXN_UNKNOWN", "refund")
    assert requested.row() == before
    requested.pay()
    assert requested.vend().body["success"] is True


def test_paying_while_the_machine_is_away_may_be_repeated(shop, requested):
    machine = requested.machine
    machine.disconnect()
    wait_until(lambda: not shop.api.search(machine.vm_id).body["vendingMachine"]["online"], 5, "it is offline")
    before = requested.footprint()
    refused(shop.api.paid(requested.ref, 150), 200, "MACHINE_OFFLINE", "retry")
    assert requested.footprint() == before
    machine.connect()
    requested.pay_patiently()
    assert requested.vend().body["success"] is True


# --- unlocking

def test_unlock_after_paid_has_no_effect_and_says_why(shop, requested):
    machine = requested.machine
    machine.vend = None
    requested.pay()
    requested.wait_state("VENDING")
    before = requested.footprint()
    refused(shop.api.unlock(machine.vm_id, requested.ref), 200, "ALREADY_PAID", "wait")
    assert requested.footprint() == before
    machine.dispensed()
    assert requested.vend().body["success"] is True
    requested.assert_settled_once("VENDED", motor=1)
    refused(shop.api.unlock(machine.vm_id, requested.ref), 200, "ALREADY_PAID", "wait")


def test_unlock_before_paid_ends_it_and_may_be_repeated(shop, requested):
    assert shop.api.unlock(requested.machine.vm_id, requested.ref).success
    assert requested.state() == "CLOSED"
    before = requested.footprint()
    assert shop.api.unlock(requested.machine.vm_id, requested.ref).success
    refused(shop.api.paid(requested.ref, 150), 200, "CLOSED_BEFORE_PAID", "refund")
    assert requested.footprint() == before
    requested.machine.wait_command("unlock")
    requested.assert_settled_once("CLOSED", motor=0)


def test_unlock_of_what_ended_otherwise_says_so(shop, requested):
    requested.machine.end_session("customer")
    assert requested.closed() == "101"
    refused(shop.api.unlock(requested.machine.vm_id, requested.ref), 200, "ALREADY_CLOSED", "new")


def test_unlock_with_an_unknown_ref(shop, machine, unchanged):
    refused(shop.api.unlock(machine.vm_id, new_ref()), 200, "TXN_UNKNOWN", "fix")


def test_unlock_at_another_machine(gateway, shop, make_machine, requested):
    other = make_machine(gateway, shop)
    before = requested.footprint()
    refused(shop.api.unlock(other.vm_id, requested.ref), 200, "TXN_MACHINE_MISMATCH", "fix")
    assert requested.footprint() == before
