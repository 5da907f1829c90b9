"""The process behind receiver.Receiver: an HTTPS server on many ports, cheap enough for thousands of requests a second.

    sink.py CERTIFICATE KEY LOG

Takes commands as lines of JSON on its standard input and answers each with "done". It ends with its input. The log
gets a line of JSON for each event, in order; times are time.monotonic_ns():

    ["+", at, port, open]                                 a connection was accepted, and so many are open now
    [">", at, port, busy, path, headers, body]            a request is here, and `busy` are now (itself included)
    ["<", at, port, webhook-id, status]                   its answer was handed to the connection
    ["!", at, port, webhook-id]                           the process to be killed was killed

Faults, by the name that the command "fault" gives them, beside "healthy": see ANSWERS, and before a request is read

    refuse   nothing listens on the port
    stall    TCP connects, but the TLS handshake is never answered
"""
import asyncio
import json
import os
import signal
import socket
import ssl
import struct
import sys
import time

OK = json.dumps({"success": True, "message": None}).encode()
NO = json.dumps({"success": False, "message": "no"}).encode()
DRIPPED = 100_000  # bytes that a dripped body would have
DRIP_EVERY = 0.1
FLUSH_EVERY = 0.02


def head(status, size, more=""):
    return f"HTTP/1.1 {status} .\r\nContent-Type: application/json\r\n{more}Content-Length: {size}\r\n\r\n".encode()


class Connection(asyncio.Protocol):
    """One client's connection: requests one after the other."""

    def __init__(self, port):
        self.port = port
        self.data = b""
        self.asked = None  # webhook-id of the request that has no answer yet
        self.timer = None

    def connection_made(self, transport):
        self.transport = transport
        self.port.connections.add(self)

    def connection_lost(self, _error):
        self.port.connections.discard(self)
        self.finish()

    def finish(self):
        if self.asked is not None:
            self.port.busy -= 1
            self.asked = None
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def abort(self):
        """Cut with a reset, as a process that dies does it."""
        raw = self.transport.get_extra_info("socket")
        if raw is not None and raw.fileno() >= 0:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def data_received(self, data):
        self.data += data
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or self.asked is not None:
            return
        first, *lines = self.data[:end].decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if ": " in line)}
        end += 4
        size = int(headers.get("content-length", 0))
        if len(self.data) < end + size:
            return
        body, self.data = self.data[end:end + size], self.data[end + size:]
        self.took(first.split(" ")[1], headers, body)

    def took(self, path, headers, body):
        port = self.port
        port.busy += 1
        self.asked = headers.get("webhook-id", "")
        port.sink.note(">", port.number, port.busy, path, headers, body.decode())
        port.sink.count("arrival", self)
        ANSWERS[port.fault](self)

    def answer(self, status=200, body=OK, more=""):
        """Now, or after the port's delay."""
        if self.port.delay:
            self.timer = asyncio.get_running_loop().call_later(self.port.delay, self.send, status, body, more)
        else:
            self.send(status, body, more)

    def send(self, status, body, more):
        if self.asked is None or self.transport.is_closing():
            return
        port, asked = self.port, self.asked
        port.sink.note("<", port.number, asked, status)
        self.transport.write(head(status, len(body), more) + body)
        self.finish()
        if status == 200:
            port.sink.count("answer", self, asked)

    def drip(self):
        self.transport.write(head(200, DRIPPED))
        self.drop()

    def drop(self):
        self.transport.write(b" ")
        self.timer = asyncio.get_running_loop().call_later(DRIP_EVERY, self.drop)

    def overloaded(self):
        after = self.port.retry_after
        self.answer(503, b"{}", "" if after is None else f"Retry-After: {after}\r\n")


ANSWERS = {
    "healthy": Connection.answer,
    "silent": lambda connection: None,
    "drip": Connection.drip,
    "503": Connection.overloaded,
    "reset": Connection.abort,
    "refused": lambda connection: connection.answer(200, NO),
    "stall": Connection.answer,  # of a connection that was there before
}


class Port:
    """One port and how it behaves."""

    def __init__(self, sink, number):
        self.sink, self.number = sink, number
        self.fault, self.delay, self.retry_after = "healthy", 0, None
        self.connections, self.handshakes, self.stalled = set(), set(), []
        self.busy = 0
        self.listener = None
        self.listen()

    def listen(self):
        self.listener = socket.create_server(("127.0.0.1", self.number), backlog=512)
        self.listener.setblocking(False)
        asyncio.get_running_loop().add_reader(self.listener, self.accept)

    def accept(self):
        try:
            stream, _ = self.listener.accept()
        except OSError:
            return
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sink.note("+", self.number, 1 + len(self.connections) + len(self.handshakes) + len(self.stalled))
        if self.fault == "stall":
            self.stalled.append(stream)
            return
        task = asyncio.get_running_loop().create_task(self.shake_hands(stream))
        self.handshakes.add(task)
        task.add_done_callback(self.handshakes.discard)

    async def shake_hands(self, stream):
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: Connection(self), stream,
                                                                     ssl=self.sink.context)
        except OSError:
            stream.close()

    def set(self, fault, delay, retry_after):
        """Connections that wait in vain are cut at each change; all are when nothing listens or TLS stalls."""
        was_refusing = self.fault == "refuse"
        self.fault, self.delay, self.retry_after = fault, delay, retry_after
        for stream in self.stalled:
            stream.close()
        self.stalled.clear()
        for connection in list(self.connections):
            if fault in ("refuse", "stall") or connection.asked is not None:
                connection.abort()
        if fault == "refuse":
            for task in list(self.handshakes):
                task.cancel()
            if not was_refusing:
                asyncio.get_running_loop().remove_reader(self.listener)
                self.listener.close()
        elif was_refusing:
            self.listen()


class Sink:
    def __init__(self, certificate, key, log):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.log = open(log, "w", buffering=1 << 20)
        self.ports = {}
        self.victim, self.left, self.moment = None, 0, None
        self.ended = asyncio.Event()

    def note(self, *event):
        self.log.write(json.dumps([event[0], time.monotonic_ns(), *event[1:]]) + "\n")

    def count(self, moment, connection, asked=None):
        """Kills when as many requests as asked for have arrived, or were answered well."""
        if self.victim is None or moment != self.moment:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(self.victim, signal.SIGKILL)
            self.note("!", connection.port.number, asked or connection.asked)
            self.victim = None

    def do(self, command):
        name = command.pop("do")
        if name == "listen":
            self.ports.update((number, Port(self, number)) for number in command["ports"])
        elif name == "fault":
            for number in command.pop("ports"):
                self.ports[number].set(**command)
        elif name == "kill":
            self.victim, self.left, self.moment = command["pid"], command["count"], command["moment"]
        self.log.flush()  # all that "sync" asks for
        print("done", flush=True)

    def flush(self):
        self.log.flush()
        asyncio.get_running_loop().call_later(FLUSH_EVERY, self.flush)

    def hear(self):
        line = sys.stdin.readline()
        if line:
            self.do(json.loads(line))
        else:
            self.ended.set()


async def main(certificate, key, log):
    sink = Sink(certificate, key, log)
    asyncio.get_running_loop().add_reader(sys.stdin, sink.hear)
    sink.flush()
    await sink.ended.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
