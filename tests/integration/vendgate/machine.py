"""A vending machine in the test's hands: lawful by itself, and stoppable at every step.

`Device` is what survives a lost link and a power cut: the journal, the events not yet acknowledged. `Machine` is the
device with a connection. By default every command is answered as machine-protocol.md asks; `hold("approve")` keeps
such commands back, so that a test takes them with `take("approve")` and answers with `answer(command)` (lawfully)
or `reply(command, ...)` (as it likes), or never.
"""
import collections
import json
import secrets
import threading
import time

from .mqtt import Closed, Mqtt, tls_context
from .waiting import wait_until

KEPT_APPROVALS = 16


class Device:
    """Non-volatile memory, and the session, which a power cut ends.

    approvals: approval id -> {"n", "state", "on_bus", "code"}; state is taken, dispensed, not_dispensed,
    interrupted or void. unsent: events without a PUBACK, oldest first.
    """

    def __init__(self):
        self.journal = secrets.token_hex(8)
        self.approvals = collections.OrderedDict()
        self.highest_n = 0
        self.event_epoch, self.seq = 1, -1  # the next event is number 0
        self.unsent = []
        self.session = self.request = None
        self.waiting = None  # the selection that waits for its approval
        self.requests = 0
        self.ended_sessions = set()

    def lose_power(self):
        """What is left after a power cut. An approval taken without a result becomes `interrupted`."""
        self.end_session()
        for approval, entry in self.approvals.items():
            if entry["state"] == "taken":
                entry["state"] = "interrupted"
                self.event("interrupted", approval=approval, on_bus=entry["on_bus"])

    def lose_flash(self):
        """A new journal: nothing is remembered."""
        self.__init__()

    def end_session(self):
        if self.session is not None:
            self.ended_sessions.add(self.session)
        self.session = self.request = self.waiting = None

    def event(self, name, **fields):
        """Writes an event to the memory and returns it; Machine sends it."""
        self.seq += 1
        body = {"event": name, "event_epoch": self.event_epoch, "seq": self.seq, "time": int(time.time()), **fields}
        self.unsent.append(body)
        return body

    def catch_up(self, have, new_epoch=False):
        """Drops events up to `have`; if the own pair is below it or it is told to, begins a new epoch. Whether it did."""
        epoch, mark = have
        if not new_epoch and (self.event_epoch, self.seq) >= (epoch, mark):
            self.unsent = [e for e in self.unsent if (e["event_epoch"], e["seq"]) > (epoch, mark)]
            return False
        self.event_epoch, self.seq = epoch + 1, -1
        self.journal = secrets.token_hex(8)
        for body in self.unsent:
            self.seq += 1
            body["event_epoch"], body["seq"] = self.event_epoch, self.seq
        return True

    def last(self):
        """The newest approval, as the hello reply tells it; None without one."""
        if not self.approvals:
            return None
        approval, entry = next(reversed(self.approvals.items()))
        return {"approval": approval, "n": entry["n"], "state": entry["state"], "on_bus": entry["on_bus"]}

    def remember(self, approval, n, state):
        self.approvals[approval] = {"n": n, "state": state, "on_bus": False, "code": None}
        while len(self.approvals) > KEPT_APPROVALS:
            self.approvals.popitem(last=False)
        self.highest_n = max(self.highest_n, n)


class Machine:
    """One machine. `vend`: what happens after an approval is taken: "dispensed", "not_dispensed", or None (the test
    calls dispensed() or not_dispensed() itself). `refuse_lock`: a reason with which locks are refused."""

    def __init__(self, gateway, vm_id, certificate, version=4, device=None):
        self.gateway, self.vm_id, self.version = gateway, vm_id, version
        self.certificate = certificate
        self.device = device or Device()
        self.vend = "dispensed"
        self.refuse_lock = None
        self.link = None
        self.answered_hello = threading.Event()
        self.commands = []  # every command seen on any connection, in order of arrival
        self.dispensed_approvals = []  # what the motor did: one entry for each item that fell
        self._held, self._holding = collections.deque(), set()
        self._answers = collections.OrderedDict()  # command id -> reply, for repeats
        self._in_flight = {}  # (link, packet id) -> event
        self._lock = threading.RLock()

    # --- the link

    def context(self):
        return tls_context(self.gateway.ca.certificate, self.certificate)

    def connect(self, online=True, **more):
        """Connects and subscribes; with `online`, waits until hello was answered and the unsent events were
        taken. `more` goes to Mqtt.connect()."""
        self.answered_hello.clear()
        link = Mqtt("localhost", self.gateway.link_port, self.context(), self.version, on_message=self._took,
                    on_ack=self._acked)
        link.connect(self.vm_id, **more)
        self.link = link
        code = link.subscribe(self.topic("cmd"))
        assert code in (0, 1), f"SUBACK {code:#x}"
        if online:
            assert self.answered_hello.wait(10), "no hello, or its backlog was not taken, within 10 s"
        return self

    def disconnect(self):
        """The link is lost: TCP ends without a DISCONNECT."""
        if self.link:
            self.link.close()

    def reconnect(self, **more):
        self.disconnect()
        return self.connect(**more)

    def power_cut(self):
        """Link and session are gone; the device's memory stays. connect() is the boot."""
        self.disconnect()
        with self._lock:
            self.device.lose_power()
            self._held.clear()
            self._answers.clear()

    def connected(self):
        return self.link is not None and not self.link.closed.is_set()

    def topic(self, leaf):
        return f"vm/1/{self.vm_id}/{leaf}"

    # --- up: events

    def send_event(self, body, wait=True, timeout=10):
        """Publishes an event as it is; with `wait`, until its PUBACK. The packet id."""
        link = self.link
        packet_id = link.next_id()
        with self._lock:
            self._in_flight[link, packet_id] = body
        link.publish(self.topic("ev"), json.dumps(body), packet_id=packet_id)
        if wait:
            link.wait_ack(packet_id, timeout)
        return packet_id

    def _acked(self, link, ack):
        """In the reader's thread: an event that is on the gateway's disk need not be sent again."""
        with self._lock:
            body = self._in_flight.pop((link, ack.packet_id), None)
            self.device.unsent = [e for e in self.device.unsent if e is not body]

    def event(self, name, wait=True, **fields):
        """A new event, kept until its PUBACK; its body."""
        with self._lock:
            body = self.device.event(name, **fields)
        self.send_event(body, wait)
        return body

    def select(self, item=11, price=150, label=None, wait=True):
        """The customer chooses; the event's body."""
        with self._lock:
            device = self.device
            assert device.session is not None, "no session: the machine is not locked"
            device.requests += 1
            device.request = device.requests
            device.waiting = {"session": device.session, "request": device.request, "item": item, "price": price}
            fields = {**device.waiting, "label": label or str(item)}
        return self.event("selection", wait, **fields)

    def withdraw(self, wait=True):
        """The customer takes the choice back."""
        with self._lock:
            session, request = self.device.session, self.device.request
            self.device.request = self.device.waiting = None
        return self.event("withdrawn", wait, session=session, request=request)

    def end_session(self, reason="customer", wait=True):
        with self._lock:
            session = self.device.session
            self.device.end_session()
        return self.event("session_ended", wait, session=session, reason=reason)

    def dispensed(self, approval=None, wait=True):
        """The goods came out: journal first, then the event."""
        with self._lock:
            approval = approval or self._taken()
            entry = self.device.approvals[approval]
            entry.update(state="dispensed", on_bus=True)
            self.dispensed_approvals.append(approval)
        return self.event("dispensed", wait, approval=approval, item=entry.get("item", 11), quantity=1)

    def not_dispensed(self, code=5, approval=None, wait=True):
        """They did not."""
        with self._lock:
            approval = approval or self._taken()
            self.device.approvals[approval].update(state="not_dispensed", on_bus=True, code=code)
        return self.event("not_dispensed", wait, approval=approval, code=int(code))

    def _taken(self):
        taken = [a for a, entry in self.device.approvals.items() if entry["state"] == "taken"]
        assert taken, "no approval waits for its result"
        return taken[-1]

    # --- down: commands

    def hold(self, *ops):
        """These commands wait for the test from now on. No op given: all."""
        with self._lock:
            self._holding.update(ops or {"hello", "lock", "keys", "approve", "deny", "unlock", "query", "resend",
                                         "config", "reboot"})

    def release(self, *ops):
        """These (or all) are answered by themselves again; those held back already still wait for the test."""
        with self._lock:
            self._holding.difference_update(ops or set(self._holding))

    def take(self, op=None, timeout=10):
        """The oldest command held back (of this op)."""
        def find():
            for command in self._held:
                if op is None or command["op"] == op:
                    self._held.remove(command)
                    return command
            return None
        return wait_until(lambda: self._locked(find), timeout, f"a {op or 'command'} for {self.vm_id}")

    def seen(self, op):
        """The commands of this op so far."""
        with self._lock:
            return [c for c in self.commands if c["op"] == op]

    def wait_command(self, op, count=1, timeout=10):
        """Waits until `count` commands of this op came (held back or not); the last of them."""
        return wait_until(lambda: self.seen(op)[count - 1:count], timeout, f"{count} x {op} at {self.vm_id}")[0]

    def answer(self, command):
        """Does what the protocol asks for and replies; the reply."""
        with self._lock:
            if command["id"] in self._answers:
                reply = self._answers[command["id"]]
            else:
                reply = getattr(self, "_do_" + command["op"])(command)
        return self.reply(command, **reply)

    def reply(self, command, result="ok", **fields):
        """Replies as the test likes; repeated for the same id if the command comes again."""
        body = {"id": command["id"], "result": result, **fields}
        with self._lock:
            self._answers[command["id"]] = {"result": result, **fields}
            while len(self._answers) > 16:
                self._answers.popitem(last=False)
        self.link.publish(self.topic("re"), json.dumps(body))
        self._after(command, body)
        return body

    def _locked(self, function):
        with self._lock:
            return function()

    def _took(self, message):
        """In the reader's thread."""
        command = json.loads(message.body)
        with self._lock:
            self.commands.append(command)
            if command["op"] in self._holding:
                self._held.append(command)
                return
        try:
            self.answer(command)
        except Closed:
            pass  # the link went while the answer was on its way; the next hello tells

    def _after(self, command, body):
        """What follows a reply: the backlog after hello, the motor after an approval."""
        if command["op"] == "hello":
            with self._lock:
                backlog = list(self.device.unsent)
            threading.Thread(target=self._send_backlog, args=(backlog,), daemon=True).start()
        elif command["op"] == "approve" and body.get("state") == "taken" and self.vend:
            with self._lock:
                if self.device.approvals[command["approval"]]["state"] != "taken":
                    return
            getattr(self, self.vend)(approval=command["approval"], wait=False)
        elif command["op"] == "resend":
            with self._lock:
                wanted = [e for e in self.device.unsent if command["from"] <= e["seq"] <= command["to"]]
            threading.Thread(target=self._send_backlog, args=(wanted,), daemon=True).start()

    def _send_backlog(self, events):
        """One at a time, in order; a lost link leaves the rest for the next hello."""
        try:
            for event in events:
                self.send_event(event)
        except (Closed, AssertionError):
            return
        self.answered_hello.set()

    # --- the duties of machine-protocol.md, one a command; each returns the reply's fields

    def _do_hello(self, command):
        device = self.device
        reset = device.catch_up(command["have"], command.get("new_epoch", False))
        if device.session != command.get("session"):
            device.end_session()
        if reset:
            device.event("info", reset=True)
        return {"session": device.session, "request": device.request, "journal": device.journal,
                "last": device.last()}

    def _do_lock(self, command):
        if self.refuse_lock:
            return {"result": "refused", "reason": self.refuse_lock}
        if command["session"] in self.device.ended_sessions:
            return {"result": "refused", "reason": "reader_not_ready"}
        if self.device.session != command["session"]:
            self.device.end_session()
        self.device.session = command["session"]
        return {}

    def _do_keys(self, command):
        return {}

    def _do_approve(self, command):
        device, approval = self.device, command["approval"]
        if command["journal"] != device.journal:
            return {"result": "refused", "reason": "wrong_journal", "journal": device.journal}
        known = device.approvals.get(approval)
        if known:
            return self._known(known)
        asked = {key: command[key] for key in ("session", "request", "item", "price")}
        if device.waiting != asked:
            device.remember(approval, command["n"], "void")
            reason = "session_over" if device.session is None else "stale"
            return {"result": "refused", "reason": reason, "journal": device.journal}
        device.remember(approval, command["n"], "taken")
        device.approvals[approval]["item"] = command["item"]
        device.waiting = None
        return {"state": "taken", "journal": device.journal}

    def _known(self, entry):
        if entry["state"] == "void":
            return {"result": "refused", "reason": "stale", "journal": self.device.journal}
        return {"journal": self.device.journal, **_told(entry)}

    def _do_deny(self, command):
        if (self.device.session, self.device.request) == (command["session"], command["request"]):
            self.device.waiting = None
        return {}

    def _do_unlock(self, command):
        if self.device.session == command["session"]:
            self.device.end_session()
        self.device.ended_sessions.add(command["session"])
        return {}

    def _do_query(self, command):
        device, approval = self.device, command["approval"]
        known = device.approvals.get(approval)
        if known:
            return {"journal": device.journal, **_told(known)}
        if command["n"] > device.highest_n:
            device.remember(approval, command["n"], "void")
            return {"state": "never_seen", "journal": device.journal}
        return {"state": "forgotten", "journal": device.journal}

    def _do_resend(self, command):
        return {}

    def _do_config(self, command):
        return {}

    def _do_reboot(self, command):
        return {}


def _told(entry):
    """State, and what belongs to it."""
    told = {"state": entry["state"]}
    if entry["state"] == "not_dispensed":
        told["code"] = int(entry["code"])
    if entry["state"] == "interrupted":
        told["on_bus"] = entry["on_bus"]
    return told
