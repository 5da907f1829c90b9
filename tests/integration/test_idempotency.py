"""Calls with an Idempotency-Key: the first one runs, and every repeat gets its answer."""
import contextlib
import json
import uuid

import pytest

from vendgate.purchase import Purchase, new_ref
from vendgate.waiting import stays, wait_until


def lock_fields(machine, ref):
    return {"vm_id": machine.vm_id, "txnRef": ref, "balance": 65535}


def keyed(api, path, fields, key):
    return api.send("POST", path, json.dumps(fields).encode(), headers(key))


def keyed_later(api, path, fields, key):
    return api.later("send", "POST", path, json.dumps(fields).encode(), headers(key))


def headers(key):
    return {"Content-Type": "application/json", "Idempotency-Key": key}


def replayed(answer):
    return answer.headers["Idempotency-Replayed"] == "true"


def new_key():
    return str(uuid.uuid4())


def kept(database, key):
    return database.value("SELECT count(*) FROM idempotency_answer WHERE key = %s", key)


@pytest.fixture
def locked(shop, machine):
    """(fields, key, answer) of a lock that succeeded under a key."""
    fields, key = lock_fields(machine, new_ref()), new_key()
    answer = keyed(shop.api, "/api/lock", fields, key)
    assert answer.success and not replayed(answer), answer
    return fields, key, answer


def test_a_repeat_gets_the_first_answer_byte_for_byte(shop, machine, locked):
    fields, key, first = locked
    assert shop.api.unlock(machine.vm_id, fields["txnRef"]).success
    for path in ("/api/lock", "/connectivity-platform/api/lock"):
        again = keyed(shop.api, path, fields, key)
        assert (again.status, again.raw, replayed(again)) == (200, first.raw, True)
    assert len(machine.seen("lock")) == 1


def test_a_repeat_gets_it_also_after_the_gateway_was_killed(gateway, shop, machine, locked):
    fields, key, first = locked
    gateway.restart()
    machine.reconnect()
    again = keyed(shop.api, "/api/lock", fields, key)
    assert (again.raw, replayed(again)) == (first.raw, True)
    assert len(machine.seen("lock")) == 1


def test_a_final_refusal_is_repeated_too(shop, machine, locked):
    fields, key = {"txnRef": locked[0]["txnRef"] + "-never", "price": 150, "discount": 0, "surcharge": 0}, new_key()
    first, again = (keyed(shop.api, "/api/paid", fields, key) for _ in range(2))
    assert (first.code, first.action, replayed(first)) == ("TXN_UNKNOWN", "refund", False)
    assert (again.raw, replayed(again)) == (first.raw, True)


@pytest.mark.parametrize("path, change", [("/api/lock", {"balance": 1}), ("/api/lock", {"txnRef": "another"}),
                                          ("/api/unlock", {}), ("/api/vmc_search", {})])
def test_another_call_under_the_same_key_is_refused_and_changes_nothing(shop, machine, locked, path, change):
    fields, key, first = locked
    purchase = Purchase(shop, machine, ref=fields["txnRef"])
    before = purchase.footprint()
    refused = keyed(shop.api, path, {**fields, **change}, key)
    assert (refused.status, refused.code, refused.action) == (400, "IDEMPOTENCY_KEY_REUSED", "fix")
    assert not replayed(refused)
    assert purchase.footprint() == before
    assert keyed(shop.api, "/api/lock", fields, key).raw == first.raw


def test_ten_copies_of_a_lock_lock_once_and_all_get_the_same_answer(gateway, database, shop, machine):
    fields, key = lock_fields(machine, new_ref()), new_key()
    machine.hold("lock")
    calls = [keyed_later(shop.api, "/api/lock", fields, key) for _ in range(10)]
    command = machine.take("lock")
    wait_until(lambda: gateway.metric("vendgate_http_requests_waiting") == 10, 10, "all ten wait")
    machine.answer(command)
    answers = [call.answer() for call in calls]
    assert all(answer.success for answer in answers), answers
    assert len({answer.raw for answer in answers}) == 1
    assert sorted(map(replayed, answers)) == [False] + 9 * [True]
    assert len(machine.seen("lock")) == 1
    assert kept(database, key) == 1


def test_a_payment_under_a_key_is_approved_once(shop, machine):
    purchase, key = Purchase(shop, machine), new_key()
    purchase.lock()
    purchase.select()
    fields = {"txnRef": purchase.ref, "price": 150, "discount": 0, "surcharge": 0}
    answers = [call.answer() for call in [keyed_later(shop.api, "/api/paid", fields, key) for _ in range(5)]]
    purchase.vend()
    answers.append(keyed(shop.api, "/api/paid", fields, key))
    assert all(answer.success for answer in answers), answers
    assert sorted(map(replayed, answers)) == [False] + 5 * [True]
    purchase.assert_settled_once("VENDED", motor=1)


def test_a_client_that_hangs_up_finds_the_answer_when_it_calls_again(database, shop, machine):
    fields, key = lock_fields(machine, new_ref()), new_key()
    machine.hold("lock")
    connection = shop.api.connect()
    connection.request("POST", "/api/lock", json.dumps(fields).encode(), {**shop.api.headers, **headers(key)})
    command = machine.take("lock")
    connection.close()
    copy = keyed_later(shop.api, "/api/lock", fields, key)
    stays(lambda: not copy.done(), 0.3, "the copy waits for the first call")
    machine.answer(command)
    assert copy.answer().success and replayed(copy.answer())
    again = keyed(shop.api, "/api/lock", fields, key)
    assert (again.raw, replayed(again)) == (copy.answer().raw, True)
    assert len(machine.seen("lock")) == 1 and kept(database, key) == 1


def test_nobody_hears_an_answer_that_is_not_on_disk(gateway, database, shop, machine):
    """While it cannot be saved nobody is told. Killed there, it may have been saved or not: the repeat finds what was
    done either way."""
    fields, key = lock_fields(machine, new_ref()), new_key()
    with saving_held_back(database) as held_back:
        call = keyed_later(shop.api, "/api/lock", fields, key)
        held_back()
        assert not call.done()
        gateway.kill()
    with pytest.raises(OSError):
        call.answer()
    gateway.start()
    machine.reconnect()
    again = keyed(shop.api, "/api/lock", fields, key)
    assert again.success and len(machine.seen("lock")) == 1, again
    last = keyed(shop.api, "/api/lock", fields, key)
    assert (last.raw, replayed(last)) == (again.raw, True)


def test_an_answer_that_asks_to_come_back_is_not_frozen(gateway, database, shop, make_machine):
    machine = make_machine(gateway, shop, online=False)
    fields, key = lock_fields(machine, new_ref()), new_key()
    wait_until(lambda: shop.api.search(machine.vm_id).success, 10, "the machine is known")
    for _ in range(2):
        offline = keyed(shop.api, "/api/lock", fields, key)
        assert (offline.code, offline.action, replayed(offline)) == ("MACHINE_OFFLINE", "retry", False)
    assert kept(database, key) == 0
    machine.connect()

    def locked():
        answer = keyed(shop.api, "/api/lock", fields, key)
        assert answer.success or answer.action == "retry", answer
        return answer if answer.success else None
    assert not replayed(wait_until(locked, 10, "the machine can be locked"))
    assert replayed(keyed(shop.api, "/api/lock", fields, key))


def test_a_malformed_call_may_be_mended_under_its_key(database, shop, machine):
    fields, key = lock_fields(machine, new_ref()), new_key()
    refused = keyed(shop.api, "/api/lock", {**fields, "balance": "much"}, key)
    assert (refused.status, refused.code) == (400, "BAD_FIELD")
    answer = keyed(shop.api, "/api/lock", fields, key)
    assert answer.success and not replayed(answer)


def test_a_key_belongs_to_one_integrator(shop, rival, machine, locked):
    fields, key, _ = locked
    theirs = keyed(rival.api, "/api/lock", fields, key)
    assert (theirs.code, replayed(theirs)) == ("MACHINE_UNKNOWN", False)


def test_without_the_header_every_call_runs(database, shop, machine):
    before = database.value("SELECT count(*) FROM idempotency_answer")
    ref = new_ref()
    answers = [shop.api.lock(machine.vm_id, ref), shop.api.lock(machine.vm_id, ref), shop.api.unlock(machine.vm_id, ref),
               shop.api.unlock(machine.vm_id, ref)]
    assert all(answer.success for answer in answers), answers
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
    assert database.value("SELECT count(*) FROM idempotency_answer") == before


@pytest.mark.parametrize("key", ["", "x" * 256, "schl\u00fcssel", "a\tb"], ids=["empty", "long", "latin", "tab"])
def test_what_cannot_be_a_key_is_refused(shop, machine, key):
    purchase = Purchase(shop, machine)
    refused = keyed(shop.api, "/api/lock", lock_fields(machine, purchase.ref), key)
    assert (refused.status, refused.code, refused.action) == (400, "BAD_FIELD", "fix")
    assert "Idempotency-Key" in refused.body["message"]
    assert purchase.row() is None


@contextlib.contextmanager
def saving_held_back(database):
    """No answer can be kept until the block ends. Yields a function that waits until one is held back."""
    connection = database.connection()
    try:
        connection.cursor().execute("LOCK TABLE idempotency_answer IN SHARE ROW EXCLUSIVE MODE")

        def held_back(timeout=5):
            wait_until(lambda: database.rows(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND %s = ANY (pg_blocking_pids(pid))", connection.info.backend_pid), timeout, "a save is held back")
        yield held_back
    finally:
        connection.rollback()
        connection.close()
