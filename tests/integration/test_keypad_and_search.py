"""Searches, and the virtual keypad in the integrator's app."""
import pytest

from vendgate.purchase import Purchase
from vendgate.waiting import wait_until

KEYPAD = {"virtual_keypad_enabled": True, "total_action_needed": 2, "total_column_number": 3, "total_row_number": 1,
          "keypad_items": [{"id": 10, "display_value": "A", "x": 0, "y": 0, "w": 1, "h": 1},
                           {"id": 11, "display_value": "1", "x": 1, "y": 0, "w": 2, "h": 1}]}
NO_KEYPAD = {"virtual_keypad_enabled": False, "total_action_needed": 0, "total_column_number": 0,
             "total_row_number": 0, "keypad_items": []}
DESCRIPTION = {"address": "Main Street 1", "business_address": "Business Park 2", "company_external_name": "Snacks Ltd",
               "operator_name": "Operator", "operator_contact_number": "+1 555 0100",
               "photo_url": "https://example.com/vm.jpg"}


def search(integrator, machine):
    answer = integrator.api.search(machine.vm_id)
    assert answer.success and answer.body["message"] is None, answer
    return answer.body["vendingMachine"]


def describe(database, machine):
    database.rows("UPDATE machine SET " + ", ".join(f"{column} = %s" for column in DESCRIPTION) + " WHERE vm_id = %s",
                  *DESCRIPTION.values(), machine.vm_id)


def told_keypad(shop, machine, keypad=None):
    """The machine tells its keypad; returns when searches show it."""
    machine.event("keypad", **(keypad or KEYPAD))
    wait_until(lambda: search(shop, machine)["keypad_configuration"] == (keypad or KEYPAD), 5, "the keypad is known")


def test_a_search_shows_what_the_contract_names(database, shop, machine):
    describe(database, machine)
    expected = {"id": machine.vm_id, "busy": False, "online": True, "keypad_configuration": NO_KEYPAD, **DESCRIPTION}
    wait_until(lambda: search(shop, machine) == expected, 5, "the description is known")


def test_busy_and_online_are_of_this_moment(shop, machine):
    purchase = Purchase(shop, machine)
    assert search(shop, machine)["busy"] is False
    purchase.lock()
    assert search(shop, machine)["busy"] is True
    assert shop.api.unlock(machine.vm_id, purchase.ref).success
    assert search(shop, machine)["busy"] is False
    machine.disconnect()
    wait_until(lambda: search(shop, machine)["online"] is False, 5, "it is offline")
    machine.connect()
    wait_until(lambda: search(shop, machine)["online"] is True, 5, "it is online")


def test_what_was_not_granted_is_unknown(shop, rival, machine):
    theirs, unknown = rival.api.search(machine.vm_id), rival.api.search("no-such-machine")
    assert (theirs.status, theirs.code) == (200, "MACHINE_UNKNOWN")
    assert theirs.body == unknown.body and "vendingMachine" not in theirs.body


def test_a_bulk_search_leaves_out_what_is_unknown_or_not_granted(gateway, shop, rival, make_machine):
    mine = [make_machine(gateway, shop), make_machine(gateway, shop, online=False)]
    theirs = make_machine(gateway, rival)
    asked = [mine[1].vm_id, theirs.vm_id, "no-such-machine", mine[0].vm_id, mine[1].vm_id]

    def found():
        answer = shop.api.bulk_search(asked)
        return answer.success and [(vm["id"], vm["online"]) for vm in answer.body["vendingMachines"]]
    wait_until(lambda: found() == [(mine[1].vm_id, False), (mine[0].vm_id, True)], 5, found)


def test_a_bulk_search_has_a_limit(shop):
    assert shop.api.bulk_search(["x"] * 500).success
    answer = shop.api.bulk_search(["x"] * 501)
    assert (answer.status, answer.code) == (200, "TOO_MANY_IDS")


def test_the_keypad_is_shown_as_the_machine_told_it(gateway, shop, machine):
    told_keypad(shop, machine)
    told_keypad(shop, machine, {**KEYPAD, "total_action_needed": 3})
    gateway.restart()
    wait_until(lambda: search(shop, machine)["keypad_configuration"]["total_action_needed"] == 3, 5)


def test_keys_reach_the_machine_and_select(shop, machine):
    told_keypad(shop, machine)
    purchase = Purchase(shop, machine)
    purchase.lock()
    before = purchase.row()["state"]
    assert shop.api.keys(machine.vm_id, purchase.ref, [10, 11]).success
    pressed = machine.wait_command("keys")
    assert (pressed["keys"], pressed["session"]) == ([10, 11], machine.device.session)
    assert purchase.row()["state"] == before == "LOCKED"
    purchase.select(label="A1")
    purchase.pay()
    assert purchase.vend().body["success"] is True


def test_each_pressing_has_a_number_of_its_own(shop, machine):
    told_keypad(shop, machine)
    purchase = Purchase(shop, machine)
    purchase.lock()
    for count in (1, 2):
        wait_until(lambda: shop.api.keys(machine.vm_id, purchase.ref, [10]).success, 5, "the last keys were answered")
        machine.wait_command("keys", count)
    first, second = machine.seen("keys")
    assert first["n"] < second["n"]


@pytest.mark.parametrize("keys, code, action", [
    ([12], "KEY_UNKNOWN", "fix"), ([10, 99], "KEY_UNKNOWN", "fix"), ([10, 11, 10], "KEY_COUNT", "fix")], ids=str)
def test_keys_that_the_keypad_does_not_have(shop, machine, keys, code, action):
    told_keypad(shop, machine)
    purchase = Purchase(shop, machine)
    purchase.lock()
    before = purchase.footprint()
    answer = shop.api.keys(machine.vm_id, purchase.ref, keys)
    assert (answer.status, answer.success, answer.code, answer.action) == (200, False, code, action)
    assert purchase.footprint() == before and not machine.seen("keys")


@pytest.mark.parametrize("keypad", [None, {**KEYPAD, "virtual_keypad_enabled": False}], ids=["never-told", "switched-off"])
def test_a_machine_without_a_keypad(shop, machine, keypad):
    if keypad:
        told_keypad(shop, machine, keypad)
    purchase = Purchase(shop, machine)
    purchase.lock()
    answer = shop.api.keys(machine.vm_id, purchase.ref, [10])
    assert (answer.status, answer.code, answer.action) == (200, "KEYPAD_OFF", "fix")


def test_keys_are_not_expected_after_the_choice_or_while_others_are_pending(shop, machine):
    told_keypad(shop, machine)
    purchase = Purchase(shop, machine)
    purchase.lock()
    machine.hold("keys")
    assert shop.api.keys(machine.vm_id, purchase.ref, [10]).success
    answer = shop.api.keys(machine.vm_id, purchase.ref, [11])
    assert (answer.code, answer.action) == ("KEYS_NOT_EXPECTED", "wait")
    machine.answer(machine.take("keys"))
    purchase.select()
    answer = shop.api.keys(machine.vm_id, purchase.ref, [11])
    assert (answer.code, answer.action) == ("KEYS_NOT_EXPECTED", "wait")
    assert len(machine.seen("keys")) == 1


def test_keys_for_a_transaction_that_is_unknown_or_over(shop, machine):
    told_keypad(shop, machine)
    assert shop.api.keys(machine.vm_id, "never-locked", [10]).code == "TXN_UNKNOWN"
    purchase = Purchase(shop, machine)
    purchase.lock()
    assert shop.api.unlock(machine.vm_id, purchase.ref).success
    assert shop.api.keys(machine.vm_id, purchase.ref, [10]).code == "ALREADY_CLOSED"
