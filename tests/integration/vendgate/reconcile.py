"""Compares what PostgreSQL, the machines and the integrators each believe, from their own records alone.

Reads the database, the simulators' state folder (`*.goods`: what really fell; `*.journal`: what the device knew, see
src/vendsim/journal.h) and the integrators' callback logs. Nothing here asks the daemon.
"""
import collections
import json
import pathlib

UNKNOWN_OUTCOME = 203  # the policy decided without knowing


def _lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def read_goods(folder):
    """approval -> [(vm_id, line)] of every item that fell."""
    fell = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("*.goods")):
        for line in _lines(path):
            fell[line["approval"]].append((path.name.removesuffix(".goods"), line))
    return fell


def read_journals(folder):
    """approval -> {"vm_id", "verdict", "result", "on_bus"} as the devices knew them."""
    known = {}
    for path in sorted(pathlib.Path(folder).glob("*.journal*")):
        for line in _lines(path):
            if "approval" in line:
                entry = known.setdefault(line["approval"], {"vm_id": path.name.split(".journal")[0]})
                entry.update({key: line[key] for key in ("verdict", "result", "on_bus") if key in line})
    return known


def read_log(path):
    """webhook-id -> (path, body) of one integrator, and the ids that came with two different bodies."""
    heard, torn = {}, []
    for line in _lines(pathlib.Path(path)):
        told = (line["path"], json.loads(line["body"]))
        if heard.setdefault(line["headers"]["webhook-id"], told) != told:
            torn.append(line["headers"]["webhook-id"])
    return heard, torn


def read_transactions(database):
    return database.rows("SELECT t.*, i.name AS integrator FROM txn t JOIN integrator i USING (integrator_id)")


class Reconciliation:
    """differences: every disagreement as a text; rows, vended, fell: how much was compared."""

    def __init__(self, database, state_folder, logs):
        self.differences = []
        self.rows = read_transactions(database)
        self.goods, self.journals = read_goods(state_folder), read_journals(state_folder)
        self.vended = [row for row in self.rows if row["state"] == "VENDED"]
        self._callbacks(database, logs)
        for row in self.rows:
            self._goods_of(row)
        self._strangers()

    def _differ(self, row, what):
        self.differences.append(f"{row['integrator']} {row['ref']} at {row['vm_id']} ({row['state']}"
                                f" by {row['closed_by']}, {row['outcome_code']}): {what}")

    # --- what the integrators heard

    def _callbacks(self, database, logs):
        left = database.value("SELECT count(*) FROM callback_queue")
        if left:
            self.differences.append(f"{left} callbacks are still owed")
        kept = {(row["name"], row["webhook_id"]): (row["kind"], json.loads(row["body"])) for row in database.rows(
            "SELECT i.name, c.* FROM callback c JOIN integrator i USING (integrator_id)")}
        for name, path in logs.items():
            heard, torn = read_log(path)
            self.differences += [f"{name}: {webhook_id} came with two bodies" for webhook_id in torn]
            self.differences += [f"{name}: {webhook_id} is not what the database holds: {told}"
                                 for webhook_id, told in heard.items() if kept.get((name, webhook_id)) != told]
            by_ref = collections.defaultdict(list)
            for told in heard.values():
                by_ref[told[1]["txn_ref"]].append(told)
            for row in (row for row in self.rows if row["integrator"] == name):
                self._heard_of(row, by_ref.pop(row["ref"], []))
            self.differences += [f"{name}: callbacks for unknown {ref}: {told}" for ref, told in by_ref.items()]
            self._owed(name, heard)

    def _heard_of(self, row, told):
        """Exactly one end of what was answered `success` on lock, and it is the row's."""
        ends = [(path, body) for path, body in told if path != "/txn/request"]
        owed = row["lock_answered"] and row["closed_by"] != "unlock"
        if not owed and ends:
            self._differ(row, f"nothing was owed, told {ends}")
        if not owed:
            return
        code = str(row["outcome_code"]) if row["outcome_code"] else ""
        right = ("/txn/unlock", {"txn_ref": row["ref"], "code": code}) if row["state"] == "CLOSED" else \
            ("/txn/vend", {"txn_ref": row["ref"], "success": row["state"] == "VENDED", "code": code})
        if ends != [right]:
            self._differ(row, f"should have been told {right}, was told {ends}")

    def _owed(self, name, heard):
        """What the integrator believes to owe is what the database says."""
        amounts = {row["ref"]: row["amount"] for row in self.rows if row["integrator"] == name}
        theirs = sum(amounts.get(body["txn_ref"], 0) for path, body in heard.values()
                     if path == "/txn/vend" and body["success"])
        ours = sum(row["amount"] for row in self.vended if row["integrator"] == name)
        if theirs != ours:
            self.differences.append(f"{name} believes to owe {theirs}, we say {ours}")

    # --- what the machines did

    def _goods_of(self, row):
        fell = self.goods.get(row["approval"], []) if row["approval"] else []
        device = self.journals.get(row["approval"], {}) if row["approval"] else {}
        if row["state"] not in ("VENDED", "FAILED", "CLOSED"):
            self._differ(row, "has not ended")
        if row["state"] == "VENDED" and (len(fell) != 1 or device.get("result") != "dispensed"):
            self._differ(row, f"{len(fell)} items fell, the device says {device}")
        if row["state"] == "FAILED":
            unknown = row["outcome_code"] == UNKNOWN_OUTCOME and device.get("result") == "interrupted"
            if device.get("result") == "dispensed" or (fell and not unknown):
                self._differ(row, f"{len(fell)} items fell, the device says {device}")
        if row["state"] == "CLOSED" and (fell or row["paid_at"]):
            self._differ(row, f"was never paid, but {len(fell)} items fell")
        for vm_id, line in fell:
            if (vm_id, line["amount"], line["item"], line["price"]) != (
                    row["vm_id"], row["amount"], row["item"], row["price"]):
                self._differ(row, f"another thing fell: {vm_id} {line}")
            if row["paid_at"] is None:
                self._differ(row, "goods without a payment")

    def _strangers(self):
        approvals = {row["approval"] for row in self.rows}
        for what, known in (("fell", self.goods), ("is in a journal", self.journals)):
            self.differences += [f"{approval} {what}, but the database does not know it"
                                 for approval in known if approval not in approvals]
