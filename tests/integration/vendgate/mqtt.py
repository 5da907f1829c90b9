"""A small MQTT client, 3.1.1 and 5.0, over TLS: every packet is the test's, broken ones too.

A thread of its own reads; what comes in is kept for the test. Only what the tests need is served.
"""
import collections
import select
import socket
import ssl
import struct
import threading
import time

from .waiting import wait_until

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, \
    PINGRESP, DISCONNECT, AUTH = range(1, 16)

# Value types of the version 5 properties.
_BYTE, _TWO, _FOUR, _VARIABLE, _TEXT, _BINARY, _PAIR = range(7)
_PROPERTIES = {
    0x01: _BYTE, 0x02: _FOUR, 0x03: _TEXT, 0x08: _TEXT, 0x09: _BINARY, 0x0B: _VARIABLE, 0x11: _FOUR, 0x12: _TEXT,
    0x13: _TWO, 0x15: _TEXT, 0x16: _BINARY, 0x17: _BYTE, 0x18: _FOUR, 0x19: _BYTE, 0x1A: _TEXT, 0x1C: _TEXT,
    0x1F: _TEXT, 0x21: _TWO, 0x22: _TWO, 0x23: _TWO, 0x24: _BYTE, 0x25: _BYTE, 0x26: _PAIR, 0x27: _FOUR,
    0x28: _BYTE, 0x29: _BYTE, 0x2A: _BYTE,
}

Packet = collections.namedtuple("Packet", "kind flags body")
Message = collections.namedtuple("Message", "topic body qos dup packet_id properties at")
Ack = collections.namedtuple("Ack", "packet_id code properties")


class Refused(Exception):
    """CONNACK with a code other than 0; `code` is it."""

    def __init__(self, code, properties):
        super().__init__(f"CONNACK {code:#x}")
        self.code = code
        self.properties = properties


class Closed(Exception):
    """The connection has ended."""


def variable(number):
    """A variable-length integer."""
    out = bytearray()
    while True:
        number, byte = divmod(number, 128)
        out.append(byte | (0x80 if number else 0))
        if not number:
            return bytes(out)


def text(value):
    """A length-prefixed UTF-8 text, or the bytes given."""
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("!H", len(raw)) + raw


def packet(kind, flags, body):
    """A whole packet."""
    return bytes([kind << 4 | flags]) + variable(len(body)) + body


def properties(*pairs):
    """Version 5 properties from (id, value) pairs, with their length; a value is encoded by its id's type."""
    out = bytearray()
    for name, value in pairs:
        out.append(name)
        out += _ENCODE[_PROPERTIES[name]](value)
    return variable(len(out)) + bytes(out)


_ENCODE = {
    _BYTE: lambda v: struct.pack("!B", v), _TWO: lambda v: struct.pack("!H", v), _FOUR: lambda v: struct.pack("!I", v),
    _VARIABLE: variable, _TEXT: text, _BINARY: text, _PAIR: lambda v: text(v[0]) + text(v[1]),
}


def tls_context(ca_file, certificate=None):
    """A client's TLS context; `certificate` is (certificate file, key file)."""
    context = ssl.create_default_context(cafile=ca_file)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


class Mqtt:
    """One connection. `version` is 4 (3.1.1) or 5.

    auto_ack: QoS 1 messages are acknowledged as they come; else the test calls ack(message).
    on_message: called in the reader's thread for each message; without it they wait for receive().
    on_ack: called there as on_ack(self, ack) for each PUBACK.
    """

    def __init__(self, host, port, context, version=4, auto_ack=True, on_message=None, on_ack=None):
        self.version = version
        self.auto_ack = auto_ack
        self.on_message, self.on_ack = on_message, on_ack
        self.closed = threading.Event()
        self.disconnect_code = None  # of a DISCONNECT from the other side, version 5
        self.connack = None
        self._news = threading.Condition()
        self._packets, self._messages, self._acks = [], collections.deque(), {}
        self._next_id = 0
        self._sent_at = time.monotonic()
        self._ping_s = None
        self._write_lock = threading.Lock()
        raw = socket.create_connection((host, port), timeout=15)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(raw, server_hostname=host) if context else raw
        self.socket.setblocking(False)
        threading.Thread(target=self._read, daemon=True).start()

    # --- bytes

    def send_raw(self, data):
        """Sends bytes as they are."""
        with self._write_lock:
            self._sent_at = time.monotonic()
            view = memoryview(data)
            while view:
                try:
                    view = view[self.socket.send(view):]
                except (ssl.SSLWantWriteError, ssl.SSLWantReadError, BlockingIOError):
                    select.select([], [self.socket], [], 0.05)
                except (OSError, ValueError) as error:
                    raise Closed(str(error)) from error

    def close(self):
        """Ends the TCP connection without DISCONNECT, as a lost modem with a FIN would."""
        with self._write_lock:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except (OSError, ValueError):
                pass
        self.closed.wait(5)

    def reset(self):
        """Ends it with a TCP reset."""
        with self._write_lock:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.socket.close()
        self.closed.wait(5)

    # --- packets

    def connect(self, client_id, keepalive=60, clean=True, user=None, password=None, will=None, more=b"\x00",
                timeout=15):
        """CONNECT and its answer. Raises Refused or Closed. `more`: version 5 properties with their length.

        `will` is (topic, body).
        """
        flags = (2 if clean else 0) | (4 if will else 0) | (0x80 if user is not None else 0) \
            | (0x40 if password is not None else 0)
        body = text("MQTT") + bytes([self.version, flags]) + struct.pack("!H", keepalive)
        body += more if self.version == 5 else b""
        body += text(client_id)
        if will:
            body += (b"\x00" if self.version == 5 else b"") + text(will[0]) + text(will[1])
        for part in (user, password):
            body += text(part) if part is not None else b""
        self.send_raw(packet(CONNECT, 0, body))
        answer = self.expect(CONNACK, timeout)
        self.connack = answer
        code = answer.body[1]
        found = self._properties(answer.body, 2)[0]
        if code:
            raise Refused(code, found)
        keepalive = found.get(0x13, [keepalive])[0]
        self._ping_s = keepalive / 2 if keepalive else None
        return found

    def subscribe(self, topic, qos=1, timeout=15):
        """SUBSCRIBE; the code of the SUBACK."""
        packet_id = self.next_id()
        body = struct.pack("!H", packet_id) + (b"\x00" if self.version == 5 else b"") + text(topic) + bytes([qos])
        self.send_raw(packet(SUBSCRIBE, 2, body))
        return self.expect(SUBACK, timeout).body[-1]

    def publish(self, topic, body, qos=1, dup=False, retain=False, packet_id=None, more=b"\x00"):
        """PUBLISH without waiting; the packet id (None for QoS 0)."""
        packet_id = None if qos == 0 else packet_id or self.next_id()
        with self._news:
            self._acks.pop(packet_id, None)
        head = text(topic) + (struct.pack("!H", packet_id) if qos else b"") + (more if self.version == 5 else b"")
        raw = body if isinstance(body, bytes) else body.encode()
        self.send_raw(packet(PUBLISH, (8 if dup else 0) | qos << 1 | (1 if retain else 0), head + raw))
        return packet_id

    def acked(self, packet_id):
        """The Ack of a PUBLISH if it has come, else None."""
        with self._news:
            return self._acks.get(packet_id)

    def wait_ack(self, packet_id, timeout=10):
        """The Ack of a PUBLISH; Closed if the connection ends first."""
        def come():
            ack = self.acked(packet_id)
            if not ack and self.closed.is_set():
                raise Closed(f"before the PUBACK of {packet_id}")
            return ack
        return wait_until(come, timeout, f"PUBACK of {packet_id}")

    def ack(self, message, code=None):
        """PUBACK for a message that was received."""
        self.send_raw(packet(PUBACK, 0, struct.pack("!H", message.packet_id) + (bytes([code]) if code else b"")))

    def receive(self, timeout=10):
        """The next message; fails after `timeout`, Closed if the connection ends first."""
        with self._news:
            if not self._news.wait_for(lambda: self._messages or self.closed.is_set(), timeout):
                raise AssertionError(f"no message within {timeout} s")
            if not self._messages:
                raise Closed("before a message")
            return self._messages.popleft()

    def expect(self, kind, timeout=10):
        """The next packet of this kind that is no PUBLISH or PUBACK; others before it stay."""
        def find():
            for index, candidate in enumerate(self._packets):
                if candidate.kind == kind:
                    return self._packets.pop(index)
            return None
        with self._news:
            found = []
            self._news.wait_for(lambda: found.append(find()) or found[-1] or self.closed.is_set(), timeout)
            if found[-1]:
                return found[-1]
        if self.closed.is_set():
            raise Closed(f"before packet {kind}")
        raise AssertionError(f"no packet {kind} within {timeout} s")

    def ping(self, timeout=10):
        self.send_raw(packet(PINGREQ, 0, b""))
        self.expect(PINGRESP, timeout)

    def disconnect(self):
        """DISCONNECT, then the end."""
        self.send_raw(packet(DISCONNECT, 0, b""))
        self.close()

    def next_id(self):
        self._next_id = self._next_id % 65535 + 1
        return self._next_id

    # --- the reader's thread

    def _read(self):
        buffer = bytearray()
        try:
            while True:
                data = self._receive_some()
                if data == b"":
                    break
                buffer += data or b""
                for found in _take_packets(buffer):
                    self._took(found)
                self._keep_alive()
        except (OSError, ValueError, Closed):
            pass
        finally:
            with self._news:
                self.closed.set()
                self._news.notify_all()
            with self._write_lock:
                self.socket.close()

    def _receive_some(self):
        """Bytes; b"" at the end; None if there was nothing for 50 ms."""
        pending = isinstance(self.socket, ssl.SSLSocket) and self.socket.pending()
        if not pending and not select.select([self.socket], [], [], 0.05)[0]:
            return None
        with self._write_lock:
            try:
                return self.socket.recv(65536)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError, BlockingIOError):
                return None

    def _keep_alive(self):
        if self._ping_s and time.monotonic() - self._sent_at > self._ping_s:
            self.send_raw(packet(PINGREQ, 0, b""))

    def _took(self, found):
        if found.kind == PUBLISH:
            self._took_message(found)
        elif found.kind == PUBACK:
            packet_id, = struct.unpack_from("!H", found.body)
            code = found.body[2] if len(found.body) > 2 else 0
            known = self._properties(found.body, 3)[0] if len(found.body) > 3 else {}
            ack = Ack(packet_id, code, known)
            if self.on_ack:
                self.on_ack(self, ack)
            with self._news:
                self._acks[packet_id] = ack
                self._news.notify_all()
        else:
            if found.kind == DISCONNECT:
                self.disconnect_code = found.body[0] if found.body else 0
            with self._news:
                self._packets.append(found)
                self._news.notify_all()

    def _took_message(self, found):
        qos = found.flags >> 1 & 3
        size, = struct.unpack_from("!H", found.body)
        topic, at = found.body[2:2 + size].decode(), 2 + size
        packet_id = None
        if qos:
            packet_id, = struct.unpack_from("!H", found.body, at)
            at += 2
        known, at = self._properties(found.body, at)
        message = Message(topic, bytes(found.body[at:]), qos, bool(found.flags & 8), packet_id, known, time.time())
        if qos == 1 and self.auto_ack:
            self.ack(message)
        if self.on_message:
            self.on_message(message)
            return
        with self._news:
            self._messages.append(message)
            self._news.notify_all()

    def _properties(self, body, at):
        """({id: [values]}, where they end); nothing in 3.1.1."""
        found = {}
        if self.version != 5 or at >= len(body):
            return found, at
        size, at = _variable_at(body, at)
        end = at + size
        while at < end:
            name = body[at]
            value, at = _value_at(body, at + 1, _PROPERTIES[name])
            found.setdefault(name, []).append(value)
        return found, end


def _variable_at(body, at):
    number = shift = 0
    while True:
        byte = body[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return number, at


def _text_at(body, at):
    size, = struct.unpack_from("!H", body, at)
    return bytes(body[at + 2:at + 2 + size]), at + 2 + size


def _value_at(body, at, kind):
    if kind == _VARIABLE:
        return _variable_at(body, at)
    if kind in (_BYTE, _TWO, _FOUR):
        form = {_BYTE: "!B", _TWO: "!H", _FOUR: "!I"}[kind]
        return struct.unpack_from(form, body, at)[0], at + struct.calcsize(form)
    value, at = _text_at(body, at)
    if kind == _PAIR:
        second, at = _text_at(body, at)
        return (value.decode(), second.decode()), at
    return (value.decode() if kind == _TEXT else value), at


def _take_packets(buffer):
    """Takes the whole packets out of the front of the buffer."""
    while len(buffer) >= 2:
        size, at, shift = 0, 1, 0
        while True:
            if at >= len(buffer):
                return
            byte = buffer[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if not byte & 0x80:
                break
        if len(buffer) < at + size:
            return
        head, body = buffer[0], bytes(buffer[at:at + size])
        del buffer[:at + size]
        yield Packet(head >> 4, head & 15, body)
