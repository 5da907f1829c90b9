"""Stands between the daemon and PostgreSQL, and breaks the line as a network would."""
import os
import select
import socket
import tempfile
import threading
import urllib.parse

from .waiting import wait_until


class Proxy:
    """Listens on a UNIX socket and passes bytes on to the database's server. `url` leads through it.

    hold_answers(): what the server says is held back, what the daemon says goes on.
    cut(): the daemon's connections end at once; the server finishes what it was told before, unheard.
    refuse() / allow(): new connections are closed at once, or passed on again.
    """

    def __init__(self, database):
        parts = urllib.parse.urlsplit(database.url)
        query = dict(urllib.parse.parse_qsl(parts.query))
        port = query.get("port") or parts.port or 5432
        self._server = os.path.join(query["host"], f".s.PGSQL.{port}")
        self._folder = tempfile.TemporaryDirectory(prefix="vgp.", dir="/tmp")
        query["host"], query["port"] = self._folder.name, "5432"
        self.url = f"{parts.scheme}://{parts.username + '@' if parts.username else ''}{parts.path}?" \
            + urllib.parse.urlencode(query)
        self._lock = threading.Lock()
        self._pairs, self._holding, self._refusing = [], False, False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(os.path.join(self._folder.name, ".s.PGSQL.5432"))
        self._listener.listen(16)
        threading.Thread(target=self._accept, daemon=True).start()

    def hold_answers(self):
        self._holding = True

    def release(self):
        """Everything passes again."""
        self._holding = self._refusing = False

    def refuse(self):
        self._refusing = True
        self.cut()

    def allow(self):
        self._refusing = False

    def cut(self):
        self._holding = False
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            pair.cut = True
        wait_until(lambda: all(pair.ended for pair in pairs), 5, "the lines are cut")

    def stop(self):
        self.refuse()
        self._listener.close()
        self._folder.cleanup()

    def _accept(self):
        while True:
            try:
                client = self._listener.accept()[0]
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._server)
            pair = _Pair(self, client, server)
            with self._lock:
                self._pairs.append(pair)
            threading.Thread(target=pair.run, daemon=True).start()


class _Pair:
    def __init__(self, proxy, client, server):
        self._proxy, self._client, self._server = proxy, client, server
        self.cut = self.ended = False

    def run(self):
        try:
            while not self.cut and self._turn():
                pass
        except OSError:
            pass
        self._client.close()
        self.ended = True
        self._drain()

    def _turn(self):
        sources = [self._client] if self._proxy._holding else [self._client, self._server]
        for source in select.select(sources, [], [], 0.02)[0]:
            data = source.recv(65536)
            if not data:
                return False
            (self._server if source is self._client else self._client).sendall(data)
        return True

    def _drain(self):
        """The server is heard to its end, so that it does not stop in the middle for want of a listener."""
        try:
            self._server.shutdown(socket.SHUT_WR)
            while self._server.recv(65536):
                pass
        except OSError:
            pass
        self._server.close()
