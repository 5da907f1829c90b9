"""`vendctl audit`: clean over purchases with every ending; and each promise, broken by a lie in a copy of the database, is
found by its check, by the ref, and by no other check."""
import json

import psycopg2.extensions
import pytest

from vendgate.ctl import Ctl
from vendgate.integrator import REFUSE, Reply
from vendgate.places import ROOT
from vendgate.purchase import Purchase, new_ref
from vendgate.waiting import wait_until


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.payment": "10s", "timers.offline_grace": "1s"}


class Story:
    """Purchases by name, each with another ending; the gateway is gone, what was under way is still so."""

    def __init__(self, gateway, make_integrator, make_machine):
        self.gateway, self.database, self.purchases = gateway, gateway.database, {}
        self._make_integrator, self._make_machine = make_integrator, make_machine
        self.shop = make_integrator(gateway)

    def begin(self, name, shop=None, machine=None):
        """Locked."""
        shop = shop or self.shop
        purchase = Purchase(shop, machine or self._make_machine(self.gateway, shop), ref=new_ref(name))
        purchase.lock()
        self.purchases[name] = purchase
        return purchase

    def unpaid(self):
        self.begin("own_unlock").api.unlock(self.purchases["own_unlock"].machine.vm_id, self.purchases["own_unlock"].ref)
        gave_up = self.begin("gave_up")
        gave_up.select()
        gave_up.machine.end_session()
        gave_up.closed()
        cut = self.begin("cut")
        cut.machine.disconnect()
        cut.closed()
        self.shop.server.script("/txn/request", REFUSE)
        refused = self.begin("refused")
        refused.machine.select()
        refused.closed()
        stubborn = self._make_machine(self.gateway, self.shop)
        stubborn.refuse_lock = "door_open"
        assert not self.shop.api.lock(stubborn.vm_id, new_ref("stubborn")).success
        self.spent = new_ref("spent")
        assert self.shop.api.paid(self.spent, 100).action == "refund"

    def paid(self):
        self.begin("vended").select(label='Brötchen "7" \\ /')
        self.purchases["vended"].pay(surcharge=25, discount=5)
        self.purchases["vended"].vend()
        failed = self.begin("failed")
        failed.machine.vend = "not_dispensed"
        failed.select()
        failed.pay()
        failed.vend()
        late = self.begin("late")
        late.machine.vend = "not_dispensed"
        late.select()
        late.pay()
        late.vend()
        late.machine.dispensed(approval=late.row()["approval"])
        strict = self.begin("strict", self._make_integrator(self.gateway, "--strict-codes"))
        strict.machine.vend = None
        strict.select()
        strict.pay()
        strict.wait_state("VENDING")
        strict.machine.not_dispensed(code=206)
        assert strict.vend().body["code"] == "5" and strict.row()["outcome_code"] == 206
        doubted = self.begin("doubted")
        doubted.machine.vend = None
        doubted.select()
        doubted.pay()
        doubted.wait_state("VENDING")
        doubted.machine.disconnect()
        doubted.wait_state("IN_DOUBT")

    def follow(self, name, first):
        """Another selection in the session of `first`: the Purchase under its new ref."""
        first.machine.select(item=12, price=90)
        row = wait_until(lambda: self.database.rows("SELECT * FROM txn WHERE predecessor_id = %s", first.row()["txn_id"]),
                         10, "another ref takes over")[0]
        self.purchases[name] = Purchase(first.shop, first.machine, 90, ref=row["ref"])
        return self.purchases[name]

    def settled(self):
        return self.database.value("SELECT count(*) FROM callback_queue") == 0

    def renamed(self):
        shop = self._make_integrator(self.gateway, "--allow-rename", "--allow-multi-vend")
        first = self.begin("renamed", shop)
        first.select()
        second = self.follow("renaming", first)
        second.pay()
        second.vend()
        wait_until(self.settled, 10, "the result is heard")
        third = self.follow("further", second)
        third.pay()
        third.vend()
        wait_until(self.settled, 10, "the result is heard")
        unheard = self.begin("unheard", shop)
        unheard.select()
        shop.server.always("/txn/request", Reply(status=503))
        self.follow("unheard_new", unheard)
        unheard.machine.select(item=13, price=300)
        self.purchases["unheard_new"].wait_state("CLOSED")
        shop.server.always("/txn/request", Reply())

    def tell(self):
        late = self.begin("unpaid_in_time")
        late.select()
        self.unpaid()
        self.paid()
        self.renamed()
        assert late.closed(timeout=30) == "103"
        assert self.purchases["unheard_new"].closed(timeout=30) == "104"
        self.begin("choosing")
        wait_until(self.settled, 30, "every callback is told")
        assert Ctl(self.database).run("audit").returncode == 0
        self.gateway.kill()
        return self


@pytest.fixture(scope="module")
def story(request, gateway, ca, enrolled):
    """Told once for all tests: its helpers are functions of this module, not of a test."""
    from conftest import Integrator, connect_when_known, wait_online
    from vendgate.machine import Machine
    integrators, machines = [], []

    def make_integrator(on, *arguments):
        integrators.append(Integrator(Ctl(on.database), on, ca, f"audited-{len(integrators)}", *arguments))
        return integrators[-1]

    def make_machine(on, integrator):
        vm_id, files = enrolled(on.database)
        on.database.rows("INSERT INTO machine_grant (integrator_id, vm_id) VALUES (%s, %s)", integrator.id, vm_id)
        machines.append(Machine(on, vm_id, files))
        connect_when_known(machines[-1])
        wait_online(integrator, machines[-1])
        return machines[-1]
    yield Story(gateway, make_integrator, make_machine).tell()
    for machine in machines:
        machine.disconnect()
    for integrator in integrators:
        integrator.server.stop()


@pytest.fixture
def copy(cluster, story):
    """A copy of the story's database, in which a test may lie: .lie(sql, ...)."""
    made = cluster.copy(story.database)

    def lie(*statements):
        connection = made.connection()
        with connection, connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # no trigger and no foreign key hinders it
            for statement in statements:
                cursor.execute(statement)
                assert cursor.rowcount != 0, f"changed nothing: {statement}"
        connection.close()
    made.lie = lie
    yield made
    cluster.drop(made)


def audit(database, *arguments):
    """Exit status, and what was found by check: [offender, ...]."""
    result = Ctl(database).run("audit", "--json", *arguments, check=False)
    assert result.returncode in (0, 1), result.stderr
    return result.returncode, {one["check"]: one["offenders"] for one in json.loads(result.stdout) if one["offences"]}


def test_purchases_of_every_ending_are_clean(story, copy):
    states = {(row["state"], row["closed_by"]) for row in copy.rows("SELECT state, closed_by FROM txn")}
    assert states == {("CLOSED", "unlock"), ("CLOSED", "session_ended"), ("CLOSED", "link_lost"),
                      ("CLOSED", "request_refused"), ("CLOSED", "lock_refused"), ("CLOSED", "paid_never"),
                      ("CLOSED", "payment_timer"), ("CLOSED", "selection_renaming"), ("CLOSED", "selection_changed"),
                      ("VENDED", "dispensed"), ("FAILED", "not_dispensed"), ("IN_DOUBT", None), ("LOCKED", None)}
    assert audit(copy) == (0, {})
    assert audit(copy, "--since", "24h") == (0, {})


def test_every_check_has_looked_at_something(copy):
    result = json.loads(Ctl(copy).run("audit", "--json").stdout)
    assert not [one["check"] for one in result if one["examined"] == 0 and one["check"] != "queue_has_callbacks"]
    assert {one["check"] for one in result} == {path.stem for path in (ROOT / "sql/audit").glob("*.sql")}
    documented = (ROOT / "docs/operators.md").read_text()
    assert all(f"| `{one['check']}` | {one['promise']} |" in documented and one["remedy"] for one in result)


def test_a_reader_may_check_and_nothing_is_written(cluster, copy):
    copy.rows("DO $$ BEGIN CREATE ROLE vendgate_reader; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    Ctl(copy).run("migrate")
    try:
        assert copy.value("SELECT has_table_privilege('vendgate_reader', 'txn', 'UPDATE')") is False
        copy.url = psycopg2.extensions.make_dsn(copy.url, options="-c role=vendgate_reader")
        assert audit(copy) == (0, {})
    finally:
        copy.rows("DROP OWNED BY vendgate_reader")
        copy.rows("DROP ROLE vendgate_reader")


def vend_body(name, success, code):
    return f"""'{{{{"txn_ref":"' || (SELECT ref FROM txn WHERE txn_id = {{{name}}}) || '","success":{success},"code":"{code}"}}}}'"""


def callback(name, kind):
    return f"(SELECT min(callback_id) FROM callback WHERE txn_id = {{{name}}} AND kind = '{kind}')"


# check, the purchases that are named, what is done to the database; {name} is the txn_id of that purchase.
LIES = [
    ("paid_told_once", "failed", ["UPDATE callback SET kind = '/x' WHERE txn_id = {failed} AND kind = '/txn/vend'"]),
    ("unpaid_told_once", "gave_up", ["UPDATE callback SET kind = '/x' WHERE txn_id = {gave_up} AND kind = '/txn/unlock'"]),
    ("unpaid_told_once", "own_unlock", ["UPDATE txn SET closed_by = 'selection_timer' WHERE txn_id = {own_unlock}"]),
    ("unpaid_told_once", "renamed", ["UPDATE txn SET predecessor_id = NULL WHERE txn_id = {renaming}",
                                     "UPDATE callback SET kind = '/x' WHERE renames AND txn_id = {renaming}"]),
    ("never_both_endings", "gave_up", [
        f"UPDATE callback SET kind = '/txn/vend', body = {vend_body('gave_up', 'false', 101)}"
        f" WHERE callback_id = {callback('gave_up', '/txn/request')}"]),
    ("told_at_the_end_only", "doubted", [
        f"UPDATE callback SET kind = '/txn/vend', body = {vend_body('doubted', 'false', '')}"
        f" WHERE callback_id = {callback('doubted', '/txn/request')}"]),
    ("rename_closes_both", "unheard", ["UPDATE callback SET kind = '/x' WHERE txn_id = {unheard} AND kind = '/txn/unlock'",
                                       "UPDATE callback_attempt SET fate = 'expired' WHERE callback_id ="
                                       " (SELECT callback_id FROM callback WHERE txn_id = {unheard_new} AND renames)"]),
    ("callback_says_the_row", "failed", ["""UPDATE callback SET body = replace(body, '"5"', '"6"')
                                             WHERE txn_id = {failed} AND kind = '/txn/vend'"""]),
    ("callback_says_the_row", "gave_up", ["UPDATE callback SET body = '{{' WHERE txn_id = {gave_up}"]),
    ("callback_says_the_row", "vended", ["""UPDATE callback SET body = replace(body, '150', '149')
                                             WHERE txn_id = {vended} AND kind = '/txn/request'"""]),
    ("amount_adds_up", "failed", ["UPDATE txn SET surcharge = 1, amount = amount + 1 WHERE txn_id = {failed}"]),
    ("amount_adds_up", "vended", ["ALTER TABLE txn DROP CONSTRAINT txn_amount_adds_up",
                                  "UPDATE txn SET discount = 6 WHERE txn_id = {vended}"]),
    ("approvals_rise", "further", ["UPDATE txn SET approval_n = 1 WHERE txn_id = {further}"]),
    ("approvals_rise", "vended", ["UPDATE txn SET approval_n = 2 WHERE txn_id = {vended}"]),
    ("goods_were_paid_for", None, [
        "INSERT INTO machine_event (vm_id, name, raw, body_hash, step) SELECT vm_id, 'dispensed', raw, sha256(raw), 1"
        """  FROM (SELECT vm_id, convert_to('{{"approval":"00"}}', 'UTF8') AS raw FROM txn WHERE txn_id = {vended}) x"""]),
    ("goods_were_paid_for", "vended", [
        "INSERT INTO machine_event (received_at, vm_id, name, raw, body_hash, step)"
        " SELECT received_at - interval '1 minute', vm_id, name, raw, body_hash, 1 FROM machine_event"
        "  WHERE txn_id = {vended} AND name = 'dispensed'"]),
    ("outcome_has_evidence", "failed", ["UPDATE txn SET closed_by = 'doubt_refund' WHERE txn_id = {failed}"]),
    ("outcome_has_evidence", "vended", ["UPDATE machine_event SET name = 'sale' WHERE txn_id = {vended}"
                                        " AND name = 'dispensed'"]),
    ("contrary_evidence_is_kept", "late", ["DELETE FROM txn_adjustment WHERE txn_id = {late}"]),
    ("journal_has_no_holes", "vended", ["UPDATE txn SET version = version + 1 WHERE txn_id = {vended}"]),
    ("journal_has_no_holes", "spent", ["DELETE FROM txn_event WHERE txn_id = {spent}"]),
    ("final_stays_final", "spent", [
        "INSERT INTO txn_event (txn_id, version, from_state, to_state, event, actor, step, instance_id)"
        " VALUES ({spent}, 2, 'CLOSED', 'PAID', 'paid', 'gateway', 1, 1), ({spent}, 3, 'PAID', 'CLOSED', 'drain', 'gateway', 2, 1)",
        "UPDATE txn_event e SET chain_hash = txn_event_hash('', e) WHERE txn_id = {spent}",
        "UPDATE txn SET version = 3 WHERE txn_id = {spent}"]),
    ("traces_have_a_purchase", None, ["UPDATE callback SET txn_id = 999999 WHERE txn_id = {vended} AND kind = '/txn/request'"]),
    ("callbacks_have_a_fate", "vended", [
        f"DELETE FROM callback_attempt WHERE callback_id = {callback('vended', '/txn/vend')}"]),
    ("ended_is_not_queued", "vended", [
        "INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, txn_id, kind, renames)"
        " SELECT callback_id, created_at, 1, 1, integrator_id, lane, txn_id, kind, renames FROM callback"
        f" WHERE callback_id = {callback('vended', '/txn/vend')}"]),
    ("acts_are_on_record", "vended", [
        "INSERT INTO callback_attempt (callback_id, number, started_at, instance_id, fate)"
        f" VALUES ({callback('vended', '/txn/vend')}, 0, now(), 1, 'skipped')"]),
    ("acts_are_on_record", "failed", [
        "INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, txn_id, kind, renames,"
        " replays, not_before) SELECT callback_id, created_at, 1, 1, integrator_id, 0, txn_id, kind, renames, 1, now() FROM callback"
        f" WHERE callback_id = {callback('failed', '/txn/vend')}"]),
    ("acts_are_on_record", "failed", [
        "INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, txn_id, kind, renames,"
        " parked, parked_at, acknowledged_at, acknowledged_by) SELECT callback_id, created_at, 1, 1, integrator_id, lane, txn_id, kind,"
        f" renames, true, now(), now(), 'x' FROM callback WHERE callback_id = {callback('failed', '/txn/vend')}"]),
    ("acts_are_on_record", None, ["UPDATE integrator_endpoint SET held_at = now(), held_by = 'x', held_reason = 'y'"]),
    ("acts_are_on_record", None, [
        "INSERT INTO callback_act (act, integrator_id, operator) SELECT 'hold', min(integrator_id), 'x' FROM integrator"]),
    ("queue_has_callbacks", "vended", [
        "INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, txn_id, kind, renames)"
        " VALUES (999999, now(), 1, 1, 1, 1, {vended}, '/txn/vend', false)"]),
    ("lanes_have_no_holes", "vended", ["UPDATE callback SET lane_sequence = 7 WHERE txn_id = {vended}"
                                       " AND kind = '/txn/request'"]),
    ("one_live_per_machine", "choosing doubted", ["DROP INDEX txn_one_live",
                                          "UPDATE txn SET vm_id = (SELECT vm_id FROM txn WHERE txn_id = {doubted})"
                                          " WHERE txn_id = {choosing}"]),
    ("live_has_a_deadline", "doubted", ["UPDATE txn SET deadline_at = NULL WHERE txn_id = {doubted}"]),
    ("event_numbers_are_taken_once", None, ["INSERT INTO machine_event SELECT * FROM machine_event"
                                            " WHERE txn_id = {vended} AND name = 'selection'"]),
    ("event_mark_is_true", None, ["DELETE FROM machine_event WHERE txn_id = {vended} AND name = 'selection'"]),
    ("event_mark_is_true", None, ["UPDATE machine_link_state SET mark = mark - 1"
                                  " WHERE vm_id = (SELECT vm_id FROM txn WHERE txn_id = {vended})"]),
    ("chain_is_whole", "vended", ["""UPDATE txn_event SET evidence = evidence || '{{"x": 1}}' WHERE txn_id = {vended}
                                      AND event = 'selection'"""]),
    ("chain_is_whole", "vended", ["UPDATE txn_event SET chain_hash = NULL WHERE txn_id = {vended} AND event = 'paid'"]),
    ("chain_is_whole", None, ["UPDATE machine_link_state SET chain_hash = sha256('')"
                              " WHERE vm_id = (SELECT vm_id FROM txn WHERE txn_id = {vended})"]),
]


@pytest.mark.parametrize("check, names, statements", LIES, ids=[f"{lie[0]}-{lie[1]}" for lie in LIES])
def test_a_lie_is_found_by_its_check_and_named(copy, story, check, names, statements):
    refs = {purchase: story.purchases[purchase].ref for purchase in story.purchases} | {"spent": story.spent}
    ids = {purchase: copy.value("SELECT txn_id FROM txn WHERE ref = %s", ref) for purchase, ref in refs.items()}
    copy.lie(*(statement.format(**ids) for statement in statements))
    status, found = audit(copy)
    assert status == 1 and list(found) == [check], found
    if names:
        assert {one["ref"] for one in found[check]} == {refs[name] for name in names.split()}, found
    assert all(one["wrong"] for one in found[check])


def test_a_lost_sale_is_missing_in_the_sums(copy, story):
    """What was told differs from the row, so the check of the callback's words sees it too."""
    copy.lie("""UPDATE callback SET body = replace(body, 'true', 'false')
                 WHERE kind = '/txn/vend' AND txn_id = (SELECT txn_id FROM txn WHERE ref = '%s')"""
             % story.purchases["vended"].ref)
    status, found = audit(copy)
    assert status == 1 and set(found) == {"callback_says_the_row", "sums_agree"}
    assert found["sums_agree"][0]["integrator"] == story.shop.name
    assert "1 sold for 170 by our rows, 0 for 0" in found["sums_agree"][0]["wrong"]


def test_a_deadline_that_passed_is_a_warning(copy, story):
    copy.lie("UPDATE txn SET deadline_at = now() - interval '1 hour' WHERE state = 'IN_DOUBT'")
    status, found = audit(copy)
    assert status == 0 and [one["ref"] for one in found["live_is_in_time"]] == [story.purchases["doubted"].ref]


def test_a_row_taken_out_of_the_journal_is_found_by_the_chain_and_by_its_version(copy, story):
    copy.lie("DELETE FROM txn_event WHERE event = 'selection' AND txn_id = (SELECT txn_id FROM txn WHERE ref = '%s')"
             % story.purchases["vended"].ref)
    status, found = audit(copy)
    assert status == 1 and {"journal_has_no_holes", "chain_is_whole"} <= set(found)
    assert "is missing" in found["journal_has_no_holes"][0]["wrong"]


def test_what_is_older_than_asked_for_is_left_alone(copy, story):
    copy.lie("UPDATE txn SET updated_at = now() - interval '2 days', created_at = now() - interval '2 days',"
             " surcharge = 1, amount = amount + 1 WHERE ref = '%s'" % story.purchases["failed"].ref)
    assert "amount_adds_up" in audit(copy)[1]
    assert "amount_adds_up" in audit(copy, "--since", "3d")[1]
    assert audit(copy, "--since", "24h") == (0, {})


def test_for_people_it_says_what_is_wrong_and_what_to_do(copy, story):
    ref = story.purchases["failed"].ref
    copy.lie("UPDATE txn SET surcharge = 1, amount = amount + 1 WHERE ref = '%s'" % ref)
    result = Ctl(copy).run("audit", check=False)
    assert result.returncode == 1
    lines = result.stdout.splitlines()
    assert any(line.startswith("paid_told_once ") and line.endswith(" ok") for line in lines)
    assert any(line.startswith("amount_adds_up ") and line.endswith("1 BROKEN") for line in lines)
    assert any(ref in line and story.shop.name in line and story.purchases["failed"].machine.vm_id in line
               for line in lines)
    assert any("What to do:" in line for line in lines)


def test_no_more_than_twenty_are_named(copy):
    copy.lie("UPDATE callback SET lane_sequence = lane_sequence + 1",
             "INSERT INTO callback_queue (callback_id, created_at, owner_instance, owner_epoch, integrator_id, lane, kind, renames)"
             " SELECT 900000 + n, now(), 1, 1, 1, 1, '/txn/vend', false FROM generate_series(1, 30) n")
    result = {one["check"]: one for one in json.loads(Ctl(copy).run("audit", "--json", check=False).stdout)}
    assert result["queue_has_callbacks"]["offences"] == 30 and len(result["queue_has_callbacks"]["offenders"]) == 20
    assert "and 10 more" in Ctl(copy).run("audit", check=False).stdout


def test_what_cannot_be_checked_is_not_called_clean(cluster, copy):
    empty = cluster.empty_database()
    refused = Ctl(empty).run("audit", check=False)
    assert refused.returncode == 2 and "vendctl migrate" in refused.stderr
    cluster.drop(empty)
    assert Ctl(copy).run("audit", "--since", "some day", check=False).returncode == 2
    empty.url = empty.url.replace(empty.name, "no_such_database")
    assert Ctl(empty).run("audit", check=False).returncode == 2
