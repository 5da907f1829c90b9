"""A name server in the test's own process: UDP, answers from a table, counts its questions."""
import ipaddress
import socket
import struct
import threading

from .ports import free_port

TYPES = {1: 4, 28: 6}  # A and AAAA: the version of the address


class NameServer:
    """Listens on 127.0.0.1, `setting` is what outbound.dns_servers must say.

    `names` maps a name to a list of answers, each a list of addresses; the first answer is for the first lookup, and so
    on, the last one for all that follow. A name that is not there does not exist; `silent` names are never answered.
    """

    def __init__(self):
        self.port = free_port()
        self.setting = f"127.0.0.1:{self.port}"
        self.names, self.silent = {}, set()
        self._asked = {}
        self._lock = threading.Lock()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", self.port))
        threading.Thread(target=self._serve, daemon=True).start()

    def set(self, name, *answers):
        with self._lock:
            self.names[name] = list(answers)
            self._asked[name] = {}

    def lookups(self, name):
        """How often its addresses were asked for; a lookup asks for IPv4 and IPv6 ones."""
        with self._lock:
            return max(self._asked.get(name, {0: 0}).values(), default=0)

    def stop(self):
        self._socket.close()

    def _serve(self):
        while True:
            try:
                question, peer = self._socket.recvfrom(512)
                answer = self._answer(question)
                if answer:
                    self._socket.sendto(answer, peer)
            except OSError:
                return

    def _answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, kind = ".".join(labels), struct.unpack(">H", question[at + 1:at + 3])[0]
        with self._lock:
            asked = self._asked.setdefault(name, {})
            number = asked[kind] = asked.get(kind, 0) + 1
            if name in self.silent:
                return None
            answers = self.names.get(name)
        chosen = [] if not answers else answers[min(number, len(answers)) - 1]
        records = b""
        found = [a for a in map(ipaddress.ip_address, chosen) if a.version == TYPES.get(kind)]
        for address in found:
            records += b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(address.packed)) + address.packed
        flags = 0x8180 if answers else 0x8183
        return question[:2] + struct.pack(">HHHHH", flags, 1, len(found), 0, 0) + question[12:at + 5] + records
