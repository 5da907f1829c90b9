"""A TCP line to a port of ours that can be cut, fall silent, become half-open, or carry a byte at a time."""
import socket
import struct
import threading
import time

from .ports import free_port

WHOLE, CUT, SILENT, HALF_OPEN, TRICKLE = "whole", "cut", "silent", "half-open", "trickle"
BYTE_PAUSE = 0.001  # between two bytes of a trickling line
CHECK = 0.05


class TcpLine:
    """Listens on `port` of 127.0.0.1 and passes bytes on to `target`.

    cut(): every connection is reset at both ends, new ones at once.
    silence(): nothing passes, but nothing is lost; new connections are accepted and as silent.
    half_open(): what is sent is lost and new connections are reset. At whole() the clients' ends are reset; those
        behind the line are never told that theirs are dead.
    trickle(): a byte at a time.
    whole(): everything passes again; the moment (time.monotonic()) is returned.
    """

    def __init__(self, target):
        self.target, self.port = target, free_port()
        self.mode = WHOLE
        self._lock = threading.Lock()
        self._pairs = []
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        self.mode = CUT
        for pair in self._taken():
            pair.reset()

    def silence(self):
        self.mode = SILENT

    def half_open(self):
        with self._lock:
            for pair in self._pairs:
                pair.dead = True
        self.mode = HALF_OPEN

    def trickle(self):
        self.mode = TRICKLE

    def whole(self):
        was, self.mode = self.mode, WHOLE
        if was == HALF_OPEN:
            for pair in self._taken():
                _reset(pair.client)
        return time.monotonic()

    def stop(self):
        self.cut()
        self._listener.close()

    def _taken(self):
        with self._lock:
            taken, self._pairs = self._pairs, []
            return taken

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            if self.mode in (CUT, HALF_OPEN):
                _reset(client)
                continue
            with self._lock:
                self._pairs.append(_Pair(self, client))


class _Pair:
    def __init__(self, line, client):
        self.line, self.client = line, client
        self.dead = False
        self.server = socket.create_connection(("127.0.0.1", line.target))
        for end in (self.client, self.server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for source, sink in ((self.client, self.server), (self.server, self.client)):
            threading.Thread(target=self._carry, args=[source, sink], daemon=True).start()

    def reset(self):
        _reset(self.client)
        _reset(self.server)

    def _carry(self, source, sink):
        try:
            while True:
                while self.line.mode == SILENT:
                    time.sleep(CHECK / 10)
                data = source.recv(65536)
                if not data:
                    break
                while self.line.mode == SILENT:
                    time.sleep(CHECK / 10)
                if not self.dead:
                    self._pass(data, sink)
        except OSError:
            pass
        if not self.dead:
            for end in (source, sink):
                _quietly(end.shutdown, socket.SHUT_RDWR)

    def _pass(self, data, sink):
        for at in range(len(data)):
            if self.line.mode != TRICKLE:
                sink.sendall(data[at:])
                return
            sink.sendall(data[at:at + 1])
            time.sleep(BYTE_PAUSE)


def _quietly(function, *arguments):
    try:
        function(*arguments)
    except OSError:
        pass


def _reset(end):
    """RST, at once: also for whoever waits in recv() of it."""
    _quietly(end.setsockopt, socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _quietly(end.shutdown, socket.SHUT_RD)
    _quietly(end.close)
