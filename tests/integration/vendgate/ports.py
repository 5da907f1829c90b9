"""TCP ports for servers of tests, below the kernel's ephemeral range so that no outgoing connection takes one."""
import random
import socket

_given = set()


def free_port():
    """A port that nothing listens on now and that this run gives only once."""
    while True:
        port = random.randrange(20000, 30000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
