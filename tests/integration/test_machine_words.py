"""What a machine says badly costs it nothing, and never costs an outcome."""
import time

from vendgate.waiting import wait_until


def state(database, ref):
    return database.value("SELECT state::text FROM txn WHERE ref = %s", ref)


def pay(shop, machine, ref):
    assert shop.api.lock(machine.vm_id, ref).success
    machine.select(price=150)
    shop.server.wait("/txn/request", ref)
    assert shop.api.paid(ref, 150).success
    return machine.wait_command("approve")["approval"]


def test_a_clock_in_microseconds_does_not_cost_the_outcome(shop, machine, database):
    machine.vend = None
    approval = pay(shop, machine, "micro")
    wait_until(lambda: state(database, "micro") == "VENDING")
    machine.event("dispensed", approval=approval, item=11, quantity=1, time=int(time.time() * 1e6))
    assert shop.server.wait("/txn/vend", "micro").body["success"] is True


def test_a_clock_of_the_wrong_type_does_not_cost_the_outcome(shop, machine, database):
    machine.vend = None
    approval = pay(shop, machine, "text-clock")
    wait_until(lambda: state(database, "text-clock") == "VENDING")
    machine.event("dispensed", approval=approval, item=11, quantity=1, time="noon")
    assert shop.server.wait("/txn/vend", "text-clock").body["success"] is True


def test_a_senseless_description_is_taken_and_ignored(shop, machine, database):
    machine.event("info", firmware="1", scale=0, decimals=12, max_response_s=-5)
    row = database.rows("SELECT scale, decimals, firmware FROM machine WHERE vm_id = %s", machine.vm_id)[0]
    assert row == {"scale": 1, "decimals": 2, "firmware": "1"}
    assert shop.api.lock(machine.vm_id, "after-info").success


def test_a_result_that_nobody_can_read_keeps_the_machine_for_a_person(shop, machine, database, gateway):
    machine.vend = None
    approval = pay(shop, machine, "unread")
    wait_until(lambda: state(database, "unread") == "VENDING")
    before = gateway.metric("vendgate_alerts_total", what="unreadable_evidence")
    machine.event("dispensed", approval=approval, quantity="one")
    assert gateway.metric("vendgate_alerts_total", what="unreadable_evidence") == before + 1
    assert state(database, "unread") == "VENDING"
    assert database.value("SELECT count(*) FROM txn_event JOIN txn USING (txn_id) WHERE ref = 'unread'"
                          " AND evidence ? 'unreadable'") == 1
    machine.event("dispensed", approval=approval, item=11, quantity=1)
    assert shop.server.wait("/txn/vend", "unread").body["success"] is True
