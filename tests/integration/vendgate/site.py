"""A server on any loopback address that answers raw bytes and counts what reaches it, down to the bare connection."""
import socket
import ssl
import threading

from .ports import free_port

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{"success":true}'


class Site:
    """`certificate` (files) makes it HTTPS; with `client_ca` only to clients with a certificate of it.

    `answer` is what each request gets, or a function of (connection, number of the request from 1) that returns it and
    may write by itself; None closes the connection. `connections` and `requests` (head and body as bytes) grow.
    """

    def __init__(self, address, port=None, certificate=None, client_ca=None, answer=OK):
        self.address, self.port = address, port or free_port()
        self.answer = answer
        self.connections, self.requests, self.clients = 0, [], []
        self._context = None
        if certificate:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(*certificate)
        if client_ca:
            self._context.load_verify_locations(client_ca)
            self._context.verify_mode = ssl.CERT_REQUIRED
        self._lock = threading.Lock()
        self._listener = socket.create_server((address, self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self._listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            if self._context:
                connection = self._context.wrap_socket(connection, server_side=True)
            with connection:
                while self._serve_one(connection):
                    pass
        except (ssl.SSLError, OSError):
            connection.close()

    def _serve_one(self, connection):
        text = b""
        while b"\r\n\r\n" not in text:
            part = connection.recv(65536)
            if not part:
                return False
            text += part
        head, _, body = text.partition(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                       if line.lower().startswith(b"content-length:")), 0)
        while len(body) < length:
            body += connection.recv(65536)
        with self._lock:
            self.requests.append(head + b"\r\n\r\n" + body)
            self.clients.append(connection.getpeercert() if self._context else None)
            number = len(self.requests)
        answer = self.answer(connection, number) if callable(self.answer) else self.answer
        if answer is None:
            return False
        connection.sendall(answer)
        return True
