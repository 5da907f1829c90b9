"""A name server for tests: says 127.0.0.1 for every name, or hangs."""
import socket
import threading

HEADER, TYPE_A = 12, 1
ADDRESS = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x01\x00\x04\x7f\x00\x00\x01"  # of the name asked for: A IN, 1 s


class NameServer:
    """`address` is "127.0.0.1:port". While `hangs` it takes questions, `asked` counts them, and answers none."""

    def __init__(self):
        self.hangs, self.asked = False, 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            question, asker = self._socket.recvfrom(512)
            if not question:
                return
            self.asked += 1
            if not self.hangs:
                self._socket.sendto(_answer(question), asker)

    def stop(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()


def _answer(question):
    """The question back, with one address if it asks for IPv4's, else with none."""
    end = question.index(b"\0", HEADER) + 5
    kind = int.from_bytes(question[end - 4:end - 2], "big")
    found = ADDRESS if kind == TYPE_A else b""
    counts = (b"\0\1" + (b"\0\1" if found else b"\0\0")) + b"\0\0\0\0"
    return question[:2] + b"\x81\x80" + counts + question[HEADER:end] + found
