"""The tests' own tools: what the other tests trust."""
import http.client
import json
import ssl
import subprocess

import pytest

from vendgate import mqtt
from vendgate.integrator import REFUSE, Callback, IntegratorServer, Reply, signed_rightly
from vendgate.machine import Device


def test_a_right_signature_is_accepted_and_a_wrong_one_is_not():
    """Vectors of Standard Webhooks 1.0.0."""
    headers = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
               "webhook-signature": "v1,bad v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert signed_rightly(Callback("/txn/vend", headers, b'{"test": 2432232314}'), secret)
    assert not signed_rightly(Callback("/txn/vend", headers, b'{"test": 2432232315}'), secret)


def test_a_device_that_is_behind_begins_a_new_epoch():
    device = Device()
    journal = device.journal
    first, second = device.event("button", button=1), device.event("button", button=2)
    assert (first["seq"], second["seq"]) == (0, 1)
    assert not device.catch_up([1, 0])
    assert device.unsent == [second] and device.journal == journal
    assert device.catch_up([1, 9])
    assert (second["event_epoch"], second["seq"]) == (2, 0) and device.journal != journal


def test_a_power_cut_turns_a_taken_approval_into_an_interrupted_one():
    device = Device()
    device.session = 7
    device.remember("a1", 3, "taken")
    device.lose_power()
    assert device.session is None and device.last()["state"] == "interrupted"
    assert device.unsent[-1]["event"] == "interrupted" and device.unsent[-1]["on_bus"] is False


@pytest.mark.parametrize("number", [0, 127, 128, 16383, 16384, 268435455])
def test_packet_lengths_survive_the_way_there_and_back(number):
    assert mqtt._variable_at(mqtt.variable(number), 0) == (number, len(mqtt.variable(number)))


class OpensslCa:
    """Signs the test server with openssl, so that this test needs none of our programs."""

    def __init__(self, folder):
        self.folder = folder
        self.certificate = str(folder / "server.pem")

    def server(self, _name):
        key = str(self.folder / "server.key")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-days", "2",
                        "-keyout", key, "-out", self.certificate], check=True, capture_output=True)
        return self.certificate, key


def test_the_integrators_server_records_and_answers_as_scripted(tmp_path):
    ca = OpensslCa(tmp_path)
    server = IntegratorServer(ca)
    server.script("/txn/request", Reply(status=503), REFUSE)
    context = ssl.create_default_context(cafile=ca.certificate)
    connection = http.client.HTTPSConnection("localhost", server.port, context=context, timeout=10)

    def post(path):
        connection.request("POST", path, json.dumps({"txn_ref": "r1"}), {"Webhook-Id": "m1"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    assert [post("/txn/request")[0] for _ in range(3)] == [503, 200, 200]
    assert post("/txn/vend") == (200, {"success": True, "message": None})
    assert [c.path for c in server.callbacks(ref="r1")] == ["/txn/request"] * 3 + ["/txn/vend"]
    assert server.wait("/txn/vend", "r1").id == "m1"
    server.stop()
    connection.close()
    with pytest.raises(OSError):
        connection.request("POST", "/txn/vend", "{}")
    connection.close()
    server.start()
    assert post("/txn/vend")[0] == 200
    server.stop()
