"""Compares what PostgreSQL, the machines and the integrators each believe, from their own records alone.

Reads the database, the simulators' state folder (`*.goods`: what really fell; `*.journal`: what the device knew, see
src/vendsim/journal.h), the integrators' callback logs, and what they were answered to their calls. Nothing here asks
the daemon.

A long campaign compares piece by piece: a Reconciliation begins where another's `.place` ended. Nothing may be under
way at either end.
"""
import collections
import json
import pathlib

RESULTS = ("dispensed", "not_dispensed", "interrupted")
UNKNOWN_OUTCOME = 203  # the policy decided without knowing
ENDS = ("/txn/vend", "/txn/unlock")
FEEDS = "/feed/"


class Reader:
    """Reads JSON lines that were appended since `place`, a Reader's .place of an earlier time."""

    def __init__(self, place=None):
        self.before, self.place = place or {}, {}

    def lines(self, path):
        path = pathlib.Path(path)
        with open(path, "rb") as file:
            inode = path.stat().st_ino
            known, size = self.before.get(path.name, (inode, 0))
            if known == inode:  # else it was written anew
                file.seek(size)
            else:
                size = 0
            text = file.read()
        self.place[path.name] = (inode, size + len(text))
        return [json.loads(line) for line in text.splitlines()]


def read_goods(folder, reader):
    """approval -> [(vm_id, line)] of every item that fell."""
    fell = collections.defaultdict(list)
    for path in sorted(pathlib.Path(folder).glob("*.goods")):
        for line in reader.lines(path):
            fell[line["approval"]].append((path.name.removesuffix(".goods"), line))
    return fell


def read_journals(folder, reader):
    """approval -> {"vm_id", "verdict", "result", "on_bus"} as the devices knew them."""
    known = {}
    for path in sorted(pathlib.Path(folder).glob("*.journal*")):
        for line in reader.lines(path):
            if "approval" in line:
                entry = known.setdefault(line["approval"], {"vm_id": path.name.split(".journal")[0]})
                entry.update({key: line[key] for key in ("verdict", "result", "on_bus") if key in line})
                if line.get("verdict") in RESULTS:  # of a journal that was compacted: what it came to
                    entry["result"] = line["verdict"]
    return known


def read_log(path, reader):
    """webhook-id -> (path, body) of one integrator, and the ids that came with two different bodies."""
    heard, torn = {}, []
    for line in reader.lines(path):
        told = (line["path"], json.loads(line["body"]))
        if heard.setdefault(line["headers"]["webhook-id"], told) != told:
            torn.append(line["headers"]["webhook-id"])
    return heard, torn


class Reconciliation:
    """differences: every disagreement as a text; rows, vended, goods: how much was compared.

    `logs` and `calls` map an integrator's name to the file of its callbacks and to that of the answers it got.
    `since`: the .place of an earlier one; only what came later is compared, and that the former rows are as they were.
    """

    def __init__(self, database, state_folder, logs, calls=None, since=None):
        since = since or {"txn_id": 0, "callback_id": 0, "files": {}, "settled": []}
        reader = Reader(since["files"])
        self.differences = []
        self.rows = database.rows("SELECT t.*, i.name AS integrator FROM txn t JOIN integrator i USING (integrator_id)"
                                  " WHERE txn_id > %s", since["txn_id"])
        self.successors = {row["predecessor_id"]: row for row in self.rows if row.get("predecessor_id")}
        self.goods, self.journals = read_goods(state_folder, reader), read_journals(state_folder, reader)
        self.vended = [row for row in self.rows if row["state"] == "VENDED"]
        self._settled(database, since)
        self._callbacks(database, logs, reader, since["callback_id"])
        for row in self.rows:
            self._goods_of(row)
        for name, path in (calls or {}).items():
            self._answers(name, reader.lines(path))
        self._strangers(database)
        self.place = {"txn_id": max([row["txn_id"] for row in self.rows], default=since["txn_id"]),
                      "callback_id": database.value("SELECT coalesce(max(callback_id), 0) FROM callback"),
                      "files": reader.place}
        self.place["settled"] = _counts(database, self.place["txn_id"])

    def _differ(self, row, what):
        self.differences.append(f"{row['integrator']} {row['ref']} at {row['vm_id']} ({row['state']}"
                                f" by {row['closed_by']}, {row['outcome_code']}): {what}")

    def _settled(self, database, since):
        now = _counts(database, since["txn_id"])
        if since["settled"] and now != since["settled"]:
            self.differences.append(f"what had ended has changed: {since['settled']} became {now}")

    # --- what the integrators heard

    def _callbacks(self, database, logs, reader, former):
        left = database.value("SELECT count(*) FROM callback_queue")
        if left:
            self.differences.append(f"{left} callbacks are still owed")
        kept = {(row["name"], row["webhook_id"]): (row["kind"], json.loads(row["body"])) for row in database.rows(
            "SELECT i.name, c.webhook_id, c.kind, c.body FROM callback c JOIN integrator i USING (integrator_id)"
            " WHERE c.callback_id > %s", former)}
        for name, path in logs.items():
            heard, torn = read_log(path, reader)
            self.differences += [f"{name}: {webhook_id} came with two bodies" for webhook_id in torn]
            self.differences += [f"{name}: {webhook_id} is not what the database holds: {told}"
                                 for webhook_id, told in heard.items() if kept.get((name, webhook_id)) != told]
            by_ref = collections.defaultdict(list)
            for told in heard.values():
                if not told[0].startswith(FEEDS):
                    by_ref[told[1]["txn_ref"]].append(told)
            for row in (row for row in self.rows if row["integrator"] == name):
                self._heard_of(row, by_ref.pop(row["ref"], []))
            self.differences += [f"{name}: callbacks for unknown {ref}: {told}" for ref, told in by_ref.items()]
            self._owed(name, heard)

    def _heard_of(self, row, told):
        """Exactly one end of what was answered `success` on lock, and it is the row's."""
        ends = [(path, body) for path, body in told if path in ENDS]
        if row["state"] == "CLOSED" and row["txn_id"] in self.successors:
            self._heard_of_renamed(row, told, ends)
            return
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

    def _heard_of_renamed(self, row, told, ends):
        """The new ref carries the promise if the integrator heard it; if the gateway does not know, both are closed."""
        successor = self.successors[row["txn_id"]]
        knows = any(body.get("new_txn_ref") == successor["ref"] for path, body in told if path == "/txn/request")
        unlocked = [(path, body["txn_ref"]) for path, body in ends] == [("/txn/unlock", row["ref"])]
        if not unlocked and (ends or not knows):
            self._differ(row, f"became {successor['ref']}, which the integrator {'knows' if knows else 'never heard'};"
                              f" it was told {ends}")
        if unlocked and successor["state"] != "CLOSED":
            self._differ(row, f"was unlocked although it became {successor['ref']}, which is {successor['state']}")

    def _owed(self, name, heard):
        """What the integrator believes to owe is what the database says."""
        amounts = {row["ref"]: row["amount"] for row in self.rows if row["integrator"] == name}
        theirs = sum(amounts.get(body["txn_ref"], 0) for path, body in heard.values()
                     if path == "/txn/vend" and body["success"])
        ours = sum(row["amount"] for row in self.vended if row["integrator"] == name)
        if theirs != ours:
            self.differences.append(f"{name} believes to owe {theirs}, we say {ours}")

    # --- what they were answered

    def _answers(self, name, lines):
        rows = {row["ref"]: row for row in self.rows if row["integrator"] == name}
        for line in lines:
            ref, answer = line["body"]["txnRef"], line["answer"]
            row = rows.get(ref)
            false = _false_answer(line["path"], line["body"], answer, row)
            if false and row:
                self._differ(row, f"{line['path']} was answered {answer}, but {false}")
            elif false:
                self.differences.append(f"{name} {ref}: {line['path']} was answered {answer}, but {false}")

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

    def _strangers(self, database):
        """A device's journal that was written anew names approvals of former times, too."""
        approvals = {row["approval"] for row in self.rows}
        strange = [approval for approval in self.journals if approval not in approvals]
        former = {row["approval"] for row in database.rows(
            "SELECT approval FROM txn WHERE approval = ANY (%s)", strange)} if strange else set()
        self.differences += [f"{approval} fell, but the database does not know it"
                             for approval in self.goods if approval not in approvals]
        self.differences += [f"{approval} is in a journal, but the database does not know it"
                             for approval in strange if approval not in former]


def _counts(database, txn_id):
    """Numbers and sums of the rows up to this one: final states never change."""
    return [[row["state"], row["number"], row["total"]] for row in database.rows(
        "SELECT state::text, count(*) AS number, sum(amount)::bigint AS total FROM txn WHERE txn_id <= %s"
        " GROUP BY state ORDER BY 1", txn_id)]


def _false_answer(path, body, answer, row):
    """Why this answer cannot stand beside the row, None if it can."""
    if answer.get("action") == "refund" and row and row["state"] not in ("CLOSED", "FAILED"):
        return "the money was not to be given back"
    if not answer["success"]:
        return None
    if row is None:
        return "the database does not know it"
    if path == "/api/lock" and not row["lock_answered"]:
        return "no lock is on record"
    if path == "/api/paid" and (row["paid_at"] is None or row["price"] != body["price"]):
        return f"the payment on record is {row['price']} at {row['paid_at']}"
    if path == "/api/unlock" and (row["state"], row["closed_by"]) != ("CLOSED", "unlock"):
        return "it did not end so"
    return None
