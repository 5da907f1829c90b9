"""Messages that cross, come twice, come late or never; links and power that fail at the worst moment."""
import json

import pytest

from vendgate.integrator import REFUSE, Reply
from vendgate.mqtt import Closed, Refused
from vendgate.purchase import Purchase, writes_held_back
from vendgate.waiting import stays, wait_until


@pytest.fixture(scope="module")
def gateway_settings():
    return {"timers.lock_ack": "2s", "timers.offline_grace": "1s", "timers.query_every": "1s",
            "timers.selection": "15s"}


@pytest.fixture
def purchase(shop, machine):
    return Purchase(shop, machine)


@pytest.fixture
def requested(purchase):
    """Waits for /api/paid."""
    purchase.lock()
    purchase.select()
    return purchase


@pytest.fixture
def vending(requested):
    """Paid and taken by the machine, whose motor the test turns."""
    requested.machine.vend = None
    requested.pay()
    requested.wait_state("VENDING")
    return requested


def quick(shop, machine):
    """A machine that waits 8 s for an answer: 5 s to pay. Returns when the gateway knows."""
    machine.event("info", model="quick", max_response_s=8)
    wait_until(lambda: shop.ctl.database.value("SELECT max_response_s FROM machine WHERE vm_id = %s", machine.vm_id) == 8)


# --- locking

def test_a_selection_that_overtakes_the_reply_to_lock_answers_it(shop, purchase):
    machine = purchase.machine
    machine.hold("lock")
    call = shop.api.later("lock", machine.vm_id, purchase.ref)
    command = machine.take("lock")
    machine.device.session = command["session"]
    machine.select()
    assert call.answer().success
    assert purchase.request().body["cents"] == 150
    machine.answer(command)
    purchase.pay()
    assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("VENDED", motor=1)


@pytest.mark.parametrize("reason, code", [
    ("cash_in_use", "MACHINE_BUSY"), ("out_of_service", "MACHINE_FAULT"), ("door_open", "MACHINE_FAULT"),
    ("reader_not_ready", "MACHINE_NOT_READY"), ("updating", "MACHINE_NOT_READY"),
    ("reason_of_tomorrow", "MACHINE_NOT_READY")])
def test_a_lock_refused_by_the_machine_says_why(shop, purchase, reason, code):
    machine = purchase.machine
    machine.refuse_lock = reason
    answer = shop.api.lock(machine.vm_id, purchase.ref)
    assert (answer.status, answer.success, answer.code) == (200, False, code)
    machine.refuse_lock = None
    again = shop.api.lock(machine.vm_id, purchase.ref)
    assert (again.success, again.code) == (False, code) and len(machine.seen("lock")) == 1
    purchase.assert_settled_once("CLOSED", motor=0)
    assert Purchase(shop, machine).buy().body["success"] is True


def test_a_lock_that_is_not_answered_in_time_is_given_up(shop, purchase):
    machine = purchase.machine
    machine.hold("lock")
    answer = shop.api.lock(machine.vm_id, purchase.ref)
    assert (answer.success, answer.code, answer.action) == (False, "MACHINE_NO_ANSWER", "new")
    command = machine.take("lock")
    assert shop.api.lock(machine.vm_id, purchase.ref).code == "MACHINE_NO_ANSWER"
    machine.answer(command)  # too late: the machine is told to let go
    machine.wait_command("unlock")
    machine.release()
    purchase.assert_settled_once("CLOSED", motor=0)
    assert Purchase(shop, machine).buy().body["success"] is True


def test_a_repeated_lock_waits_for_the_same_answer(shop, purchase):
    machine = purchase.machine
    machine.hold("lock")
    calls = [shop.api.later("lock", machine.vm_id, purchase.ref) for _ in range(3)]
    command = machine.take("lock")
    machine.answer(command)
    assert all(call.answer().success for call in calls)
    assert len(machine.seen("lock")) == 1


def test_unlock_while_locking_ends_both_calls(shop, purchase):
    machine = purchase.machine
    machine.hold("lock")
    call = shop.api.later("lock", machine.vm_id, purchase.ref)
    machine.take("lock")
    assert shop.api.unlock(machine.vm_id, purchase.ref).success
    answer = call.answer()
    assert not answer.success and answer.code
    machine.wait_command("unlock")
    purchase.assert_settled_once("CLOSED", motor=0)
    assert shop.api.unlock(machine.vm_id, purchase.ref).success


def test_a_link_lost_while_locking_refuses_the_lock(shop, purchase):
    machine = purchase.machine
    machine.hold("lock")
    call = shop.api.later("lock", machine.vm_id, purchase.ref)
    machine.take("lock")
    machine.disconnect()
    answer = call.answer()
    assert (answer.success, answer.code) == (False, "MACHINE_OFFLINE")
    purchase.assert_settled_once("CLOSED", motor=0)


# --- choosing

def test_a_selection_told_twice_is_one_selection(shop, purchase):
    machine = purchase.machine
    purchase.lock()
    first = machine.select()
    purchase.request()
    fields = {name: first[name] for name in ("session", "request", "item", "label", "price")}
    machine.event("selection", **fields)     # a new event that tells the same choice
    machine.send_event(first)                # the same event again
    stays(lambda: len(shop.server.callbacks("/txn/request", purchase.ref)) == 1, 0.5)
    purchase.pay()
    assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("VENDED", motor=1)


def test_a_withdrawn_selection_cannot_be_paid(shop, requested):
    machine = requested.machine
    machine.withdraw()
    assert requested.wait_state("WITHDRAWN")
    answer = shop.api.paid(requested.ref, 150)
    assert (answer.success, answer.code, answer.action) == (False, "NO_SELECTION", "wait")
    machine.end_session("customer")
    assert requested.closed() == "105"
    requested.assert_settled_once("CLOSED", motor=0)
    assert not machine.seen("approve")


def test_another_selection_after_a_withdrawal_closes_the_purchase_without_renames(shop, requested):
    requested.machine.withdraw()
    requested.machine.select(item=12, price=200)
    assert requested.closed() == "104"
    requested.assert_settled_once("CLOSED", motor=0)


def test_a_withdrawn_session_may_be_unlocked(shop, requested):
    requested.machine.withdraw()
    requested.wait_state("WITHDRAWN")
    assert shop.api.unlock(requested.machine.vm_id, requested.ref).success
    requested.assert_settled_once("CLOSED", motor=0)


def test_another_selection_closes_the_purchase_without_renames(shop, requested):
    requested.machine.select(item=12, price=200)
    assert requested.closed() == "104"
    requested.assert_settled_once("CLOSED", motor=0)
    requested.machine.wait_command("unlock")


@pytest.mark.parametrize("reason, code", [
    ("customer", "101"), ("cash", "109"), ("vmc", "105"), ("door", "113"), ("timeout", "102"), ("reset", "107")])
@pytest.mark.parametrize("selected", [False, True], ids=["locked", "requested"])
def test_a_session_that_the_machine_ends_is_told_with_its_reason(shop, purchase, reason, code, selected):
    purchase.lock()
    if selected:
        purchase.select()
    purchase.machine.end_session(reason)
    assert purchase.closed() == code
    purchase.assert_settled_once("CLOSED", motor=0)
    assert shop.api.paid(purchase.ref, 150).action == "refund"


@pytest.mark.parametrize("price", [-1, 65535, 10**9])
def test_a_price_that_no_vend_can_carry_ends_the_session(shop, purchase, price):
    purchase.lock()
    purchase.machine.select(price=price)
    assert purchase.closed() == "114"
    purchase.assert_settled_once("CLOSED", motor=0)


def test_a_selection_that_makes_no_sense_is_kept_raw_and_blocks_nothing(shop, purchase):
    machine = purchase.machine
    purchase.lock()
    nonsense = machine.event("selection", session=machine.device.session, request=1, item=11, price="150", label="11")
    stored = shop.ctl.database.rows("SELECT problem FROM machine_event WHERE vm_id = %s AND seq = %s", machine.vm_id,
                                    nonsense["seq"])
    assert "price" in stored[0]["problem"]
    purchase.select()
    purchase.pay()
    assert purchase.vend().body["success"] is True


def test_a_selection_in_a_session_that_is_over_is_unlocked(shop, requested):
    machine = requested.machine
    session = machine.device.session
    machine.hold("unlock", "deny")
    shop.api.unlock(machine.vm_id, requested.ref)
    machine.wait_command("unlock")
    machine.event("selection", session=session, request=9, item=11, price=150, label="11")
    machine.wait_command("unlock", count=2)
    assert not shop.server.callbacks("/txn/unlock", requested.ref)


# --- the integrator

def test_an_integrator_that_refuses_the_request_frees_the_machine(shop, purchase):
    shop.server.script("/txn/request", REFUSE)
    purchase.lock()
    purchase.machine.select()
    assert purchase.closed() == "110"
    purchase.machine.wait_command("unlock")
    purchase.assert_settled_once("CLOSED", motor=0)


def test_a_request_that_cannot_be_delivered_frees_the_machine(gateway, make_integrator, make_machine):
    deaf = make_integrator(gateway)
    machine = make_machine(gateway, deaf)
    quick(deaf, machine)
    purchase = Purchase(deaf, machine)
    purchase.lock()
    deaf.server.stop()
    machine.select()
    machine.wait_command("unlock", timeout=8)
    assert purchase.wait_state("CLOSED")["outcome_code"] == 111
    deaf.server.start()
    assert purchase.closed(timeout=20) == "111"
    purchase.assert_settled_once("CLOSED", motor=0)
    assert not deaf.server.callbacks("/txn/request", purchase.ref)


def test_the_end_is_told_after_a_request_that_is_still_being_retried(gateway, make_integrator, make_machine):
    deaf = make_integrator(gateway)
    purchase = Purchase(deaf, make_machine(gateway, deaf))
    purchase.lock()
    deaf.server.stop()
    purchase.machine.select()
    attempts = "SELECT count(*) FROM callback_attempt JOIN callback USING (callback_id) WHERE integrator_id = %s"
    wait_until(lambda: purchase.database.value(attempts, deaf.id) > 0, 10, "an attempt has failed")
    purchase.machine.end_session("customer")
    deaf.server.start()
    assert purchase.closed(timeout=20) == "101"
    assert [c.path for c in deaf.server.callbacks(ref=purchase.ref)] == ["/txn/request", "/txn/unlock"]
    assert deaf.api.paid(purchase.ref, 150).action == "refund"
    purchase.assert_settled_once("CLOSED", motor=0)


def test_a_result_that_the_integrator_refuses_is_parked_with_an_alarm(gateway, shop, requested):
    alarms = gateway.metric("vendgate_alerts_total", what="vend_callback_parked")
    shop.server.script("/txn/vend", REFUSE)
    requested.pay()
    requested.vend()
    wait_until(lambda: gateway.metric("vendgate_alerts_total", what="vend_callback_parked") == alarms + 1, 5, "an alarm")
    parked = "SELECT parked FROM callback_queue WHERE txn_id = %s"
    wait_until(lambda: requested.database.value(parked, requested.row()["txn_id"]), 5, "it is parked")
    assert requested.state() == "VENDED" and len(requested.finals()) == 1


def test_a_request_refused_for_good_by_status_frees_the_machine(shop, purchase):
    shop.server.script("/txn/request", Reply(status=404, body={"success": False}))
    purchase.lock()
    purchase.machine.select()
    assert purchase.closed() == "111"
    purchase.assert_settled_once("CLOSED", motor=0)


def test_nobody_pays_and_nobody_chooses(gateway, shop, make_machine):
    """Both timers in one test, because they take their time: payment 5 s, selection 15 s."""
    chooser = Purchase(shop, make_machine(gateway, shop))
    locked = chooser.lock()
    assert locked.body["timeout"] == 15
    payer = Purchase(shop, make_machine(gateway, shop))
    quick(shop, payer.machine)
    payer.lock()
    payer.select()
    assert payer.closed(timeout=8) == "103"
    payer.assert_settled_once("CLOSED", motor=0)
    assert chooser.closed(timeout=18) == "102"
    chooser.machine.wait_command("unlock")
    chooser.assert_settled_once("CLOSED", motor=0)


# --- the link

@pytest.mark.parametrize("selected", [False, True], ids=["locked", "requested"])
def test_a_link_lost_before_payment_ends_the_purchase_after_the_grace(shop, purchase, selected):
    purchase.lock()
    if selected:
        purchase.select()
    purchase.machine.disconnect()
    assert purchase.closed() == "106"
    purchase.assert_settled_once("CLOSED", motor=0)
    purchase.machine.connect()
    assert purchase.machine.device.session is None
    assert Purchase(shop, purchase.machine).buy().body["success"] is True


@pytest.mark.parametrize("how", ["lost", "reset", "takeover"])
def test_a_connection_that_comes_back_in_time_keeps_the_purchase(shop, requested, how):
    machine = requested.machine
    old = machine.link
    if how == "lost":
        machine.disconnect()
    elif how == "reset":
        old.reset()
    machine.connect()
    assert old.closed.wait(5)
    requested.pay_patiently()
    assert requested.vend().body["success"] is True
    requested.assert_settled_once("VENDED", motor=1)


def test_a_machine_that_comes_back_without_its_session_ends_the_purchase(shop, requested):
    requested.machine.power_cut()
    requested.machine.connect()
    assert requested.closed() == "107"
    requested.assert_settled_once("CLOSED", motor=0)


def test_a_takeover_tells_the_old_connection_and_no_offline(shop, gateway, make_machine):
    machine = make_machine(gateway, shop, version=5)
    old = machine.link
    machine.connect()
    assert old.closed.wait(5) and old.disconnect_code == 0x8E
    assert shop.api.search(machine.vm_id).body["vendingMachine"]["online"] is True


def test_a_machine_that_flaps_is_kept_out_for_a_while(gateway, shop, make_machine):
    machine = make_machine(gateway, shop)

    def refused():
        try:
            machine.connect()
        except (Refused, Closed):
            return True
        return False
    assert any(refused() for _ in range(8))


def test_a_reply_of_an_old_connection_counts_for_nothing(shop, purchase):
    machine = purchase.machine
    purchase.lock()
    purchase.select()
    machine.hold("approve")
    purchase.pay()
    command = machine.take("approve")
    machine.connect()  # takes over; the gateway sends the approval again
    again = machine.take("approve")
    assert again["approval"] == command["approval"] and again["id"] != command["id"]
    machine.reply(command, "refused", reason="stale", journal=machine.device.journal)
    stays(lambda: purchase.state() == "PAID", 0.5)
    machine.answer(again)
    assert purchase.vend().body["success"] is True
    purchase.assert_settled_once("VENDED", motor=1)


# --- the approval

def test_an_approval_that_is_not_answered_is_sent_again_and_executed_once(shop, requested):
    machine = requested.machine
    machine.hold("approve")
    requested.pay()
    first = machine.take("approve")
    second = machine.take("approve", timeout=5)  # approve_ack is 2 s
    assert first["id"] != second["id"] and first["approval"] == second["approval"] and first["n"] == second["n"]
    machine.answer(second)
    machine.answer(first)
    assert requested.vend().body["success"] is True
    requested.assert_settled_once("VENDED", motor=1)


@pytest.mark.parametrize("reason, code", [("stale", "201"), ("session_over", "201"), ("expired", "209")])
def test_an_approval_refused_for_good_is_a_failed_vend(shop, requested, reason, code):
    machine = requested.machine
    machine.hold("approve")
    requested.pay()
    command = machine.take("approve")
    machine.device.remember(command["approval"], command["n"], "void")
    machine.reply(command, "refused", reason=reason, journal=machine.device.journal)
    assert requested.vend().body == {"txn_ref": requested.ref, "success": False, "code": code}
    requested.assert_settled_once("FAILED", motor=0)


def test_an_approval_that_never_arrived_is_a_failed_vend(shop, requested):
    """It got lost, and the machine says after its return that it never saw it."""
    machine = requested.machine
    machine.hold("approve")
    requested.pay()
    machine.take("approve")
    machine.power_cut()
    machine.connect()
    assert requested.vend().body["code"] == "202"
    assert machine.seen("query")[-1]["approval"] == machine.seen("approve")[-1]["approval"]
    requested.assert_settled_once("FAILED", motor=0)


def test_silence_after_the_approval_is_doubt_never_failure(shop, requested):
    machine = requested.machine
    machine.hold("approve", "query")
    requested.pay()
    requested.wait_state("IN_DOUBT", timeout=12)  # approve_ttl is 5 s
    assert not requested.finals()
    answer = shop.api.lock(machine.vm_id, "while-in-doubt")
    assert (answer.success, answer.code) == (False, "MACHINE_BUSY_SELF")
    machine.answer(machine.take("approve"))  # it had come after all
    assert requested.vend().body["success"] is True
    requested.assert_settled_once("VENDED", motor=1)


def test_another_journal_is_doubt_and_an_alarm(gateway, shop, requested):
    machine = requested.machine
    machine.hold("approve", "query")
    alarms = gateway.metric("vendgate_alerts_total")
    requested.pay()
    command = machine.take("approve")
    machine.reply(command, "refused", reason="wrong_journal", journal="another")
    requested.wait_state("IN_DOUBT")
    wait_until(lambda: gateway.metric("vendgate_alerts_total") > alarms, 5, "an alarm")
    query = machine.take("query")
    machine.reply(query, state="never_seen", journal="another")  # proves nothing
    stays(lambda: requested.state() == "IN_DOUBT" and not requested.finals(), 0.5)
    machine.reply(machine.take("query"), state="never_seen", journal=machine.device.journal)
    assert requested.vend().body["code"] == "202"
    requested.assert_settled_once("FAILED", motor=0)


def test_an_approval_answered_with_its_result_at_once(shop, requested):
    machine = requested.machine
    machine.hold("approve")
    requested.pay()
    command = machine.take("approve")
    machine.vend = None
    machine.device.remember(command["approval"], command["n"], "taken")
    machine.device.waiting = None
    machine.dispensed(command["approval"], wait=False)
    machine.reply(command, state="dispensed", journal=machine.device.journal)
    assert requested.vend().body["success"] is True
    requested.assert_settled_once("VENDED", motor=1)


def test_a_result_that_cannot_be_read_keeps_the_machine_reserved(gateway, shop, vending):
    machine = vending.machine
    alarms = gateway.metric("vendgate_alerts_total", what="unreadable_evidence")
    approval = machine.seen("approve")[0]["approval"]
    machine.event("dispensed", approval=approval, item="eleven", quantity=1)  # acknowledged all the same
    assert gateway.metric("vendgate_alerts_total", what="unreadable_evidence") == alarms + 1
    assert vending.state() == "VENDING" and not vending.finals()
    machine.dispensed()
    assert vending.vend().body["success"] is True
    vending.assert_settled_once("VENDED", motor=1)


# --- power

def test_a_lost_journal_proves_nothing(gateway, shop, vending):
    machine = vending.machine
    machine.disconnect()
    machine.device.lose_flash()
    alarms = gateway.metric("vendgate_alerts_total")
    machine.connect()
    wait_until(lambda: machine.seen("query") and gateway.metric("vendgate_alerts_total") > alarms, 5, "an alarm")
    stays(lambda: vending.state() == "IN_DOUBT" and not vending.finals(), 0.5)
    assert shop.api.paid(vending.ref, 150).success
    assert shop.api.unlock(machine.vm_id, vending.ref).code == "ALREADY_PAID"

def test_power_lost_with_the_approval_taken_and_nothing_on_the_bus(shop, vending):
    machine = vending.machine
    machine.power_cut()
    machine.connect()
    assert vending.vend().body == {"txn_ref": vending.ref, "success": False, "code": "3"}
    vending.assert_settled_once("FAILED", motor=0)


def test_power_lost_while_the_motor_ran_is_refunded_by_policy(gateway, shop, vending):
    machine = vending.machine
    alarms = gateway.metric("vendgate_alerts_total")
    machine.device.approvals[machine.seen("approve")[0]["approval"]]["on_bus"] = True
    machine.power_cut()
    machine.connect()
    assert vending.vend().body == {"txn_ref": vending.ref, "success": False, "code": "203"}
    assert gateway.metric("vendgate_alerts_total") > alarms
    vending.assert_settled_once("FAILED", motor=0)


@pytest.mark.parametrize("policy, state", [("capture", "VENDED"), ("hold", "IN_DOUBT")])
def test_power_lost_while_the_motor_ran_is_decided_by_the_integrators_policy(gateway, make_integrator, make_machine,
                                                                             policy, state):
    careful = make_integrator(gateway)
    change = "UPDATE integrator SET enabled = %s, doubt_policy = %s WHERE integrator_id = %s"
    for enabled in (False, True):  # which shows when the change is in force
        careful.ctl.database.rows(change, enabled, policy, careful.id)
        wait_until(lambda: (careful.api.search("x").status == 200) == enabled, 5, "the change is in force")
    machine = make_machine(gateway, careful)
    machine.vend = None
    purchase = Purchase(careful, machine)
    purchase.lock()
    purchase.select()
    purchase.pay()
    purchase.wait_state("VENDING")
    machine.device.approvals[machine.seen("approve")[0]["approval"]]["on_bus"] = True
    alarms = gateway.metric("vendgate_alerts_total")
    machine.power_cut()
    machine.connect()
    wait_until(lambda: gateway.metric("vendgate_alerts_total") > alarms, 5, "an alarm")
    purchase.wait_state(state)
    if state == "VENDED":
        assert purchase.vend().body == {"txn_ref": purchase.ref, "success": True, "code": ""}
    else:
        stays(lambda: purchase.state() == "IN_DOUBT" and not purchase.finals(), 0.5)


def test_goods_that_fell_while_the_link_was_down_are_told_on_return(shop, vending):
    machine = vending.machine
    machine.disconnect()
    with machine._lock:
        approval = machine._taken()
        machine.device.approvals[approval].update(state="dispensed", on_bus=True)
        machine.dispensed_approvals.append(approval)
        machine.device.event("dispensed", approval=approval, item=11, quantity=1)
    vending.wait_state("IN_DOUBT")
    machine.connect()
    assert vending.vend().body["success"] is True
    vending.assert_settled_once("VENDED", motor=1)


def test_contrary_evidence_after_the_end_changes_nothing_and_alarms(gateway, shop, vending):
    machine = vending.machine
    machine.not_dispensed(code=5)
    vending.vend()
    vending.assert_settled_once("FAILED", motor=0)
    before, alarms = vending.row(), gateway.metric("vendgate_alerts_total")
    approval = machine.seen("approve")[0]["approval"]
    machine.event("dispensed", approval=approval, item=11, quantity=1)
    wait_until(lambda: gateway.metric("vendgate_alerts_total") > alarms, 5, "an alarm")
    assert vending.row() == before
    assert len(vending.finals()) == 1


# --- events

def test_a_result_told_many_times_has_one_effect(shop, vending):
    machine = vending.machine
    told = machine.dispensed()
    for _ in range(3):
        machine.send_event(told)                                     # the same event again
    machine.event("dispensed", approval=told["approval"], item=11, quantity=1)  # as a new event
    machine.reconnect()
    machine.send_event(told)                                         # and on another connection
    assert vending.vend().body["success"] is True
    vending.assert_settled_once("VENDED", motor=1)
    assert len(shop.server.callbacks("/txn/vend", vending.ref)) == 1
    stored = shop.ctl.database.value("SELECT count(*) FROM machine_event WHERE vm_id = %s AND seq = %s",
                                     machine.vm_id, told["seq"])
    assert stored == 1


def test_events_out_of_order_leave_no_hole(shop, vending):
    machine = vending.machine
    with machine._lock:
        alert = machine.device.event("alert", level="Low", message="first", code=1)
    machine.dispensed()  # overtakes the alert
    assert vending.vend().body["success"] is True
    wanted = machine.wait_command("resend")
    assert wanted["from"] <= alert["seq"] <= wanted["to"]

    def whole():
        state = shop.ctl.database.rows("SELECT * FROM machine_link_state WHERE vm_id = %s", machine.vm_id)[0]
        return state["mark"] == machine.device.seq and state["above"] == []
    wait_until(whole, 5, "the hole is filled")
    vending.assert_settled_once("VENDED", motor=1)


def test_a_hole_that_cannot_be_filled_is_declared(shop, vending):
    machine = vending.machine
    machine.hold("resend")
    with machine._lock:
        machine.device.event("alert", level="Low", message="lost for good", code=1)
        lost = machine.device.unsent.pop()["seq"]
    machine.dispensed()
    command = machine.take("resend")
    machine.reply(command)
    machine.event("gap", **{"from": lost, "to": lost})
    mark = "SELECT mark FROM machine_link_state WHERE vm_id = %s"
    wait_until(lambda: shop.ctl.database.value(mark, machine.vm_id) == machine.device.seq, 5, "the hole is filled")
    vending.assert_settled_once("VENDED", motor=1)


def test_a_number_used_for_two_events_orders_a_new_epoch(gateway, shop, requested):
    machine = requested.machine
    told = machine.event("alert", level="Low", message="one", code=1)
    link = machine.link
    with pytest.raises((Closed, AssertionError)):
        machine.send_event({**told, "message": "another"}, timeout=3)
    assert link.closed.wait(5)
    machine.connect()
    assert machine.seen("hello")[-1]["new_epoch"] is True
    assert machine.device.event_epoch == told["event_epoch"] + 1
    kept, = shop.ctl.database.rows("SELECT * FROM machine_event WHERE vm_id = %s AND problem IS NOT NULL", machine.vm_id)
    assert json.loads(bytes(kept["raw"]))["message"] == "another" and kept["seq"] is None


def test_an_event_is_acknowledged_only_when_it_is_on_disk(shop, vending):
    """PostgreSQL is held back: no PUBACK, no callback; then both."""
    machine = vending.machine
    with writes_held_back(vending.database) as held_back:
        told = machine.dispensed(wait=False)
        assert held_back()
        stays(lambda: machine.device.unsent and not vending.finals(), 1.0, "nothing is acknowledged or told")
    assert vending.vend().body["success"] is True
    wait_until(lambda: told not in machine.device.unsent, 5, "the PUBACK")
    vending.assert_settled_once("VENDED", motor=1)


def test_a_payment_is_answered_only_when_it_is_on_disk(shop, requested):
    machine = requested.machine
    with writes_held_back(requested.database) as held_back:
        call = shop.api.later("paid", requested.ref, 150)
        assert held_back()
        stays(lambda: not call.done() and not machine.seen("approve"), 1.0, "nothing is answered or approved")
    assert call.answer().success
    assert requested.vend().body["success"] is True
    requested.assert_settled_once("VENDED", motor=1)
