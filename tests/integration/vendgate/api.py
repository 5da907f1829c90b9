"""An integrator's side of the API: plain http.client, so that every byte of a request is the test's."""
import base64
import http.client
import json
import ssl
import threading


class Answer:
    """Status, headers and parsed body of one call."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.raw = body
        try:
            self.body = json.loads(body)
        except ValueError:
            self.body = None

    @property
    def success(self):
        return bool(self.body) and self.body.get("success")

    @property
    def code(self):
        """The machine-readable reason, or None."""
        return self.body.get("code") if self.body else None

    @property
    def action(self):
        return self.body.get("action") if self.body else None

    def __repr__(self):
        return f"<{self.status} {self.raw!r}>"


class Api:
    """Calls with an API key, Basic (`user`, `password`), both or neither. One connection a call, unless `keep`."""

    def __init__(self, gateway, api_key=None, user=None, password=None, base="", keep=False):
        self.gateway = gateway
        self.base = base
        self.headers = {}
        if api_key is not None:
            self.headers["X-API-Key"] = api_key
        if user is not None:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._context = ssl.create_default_context(cafile=gateway.ca.certificate)
        self._keep = keep
        self._connection = None

    def connect(self, timeout=30):
        return http.client.HTTPSConnection("localhost", self.gateway.api_port, timeout=timeout, context=self._context)

    def send(self, method, path, body=None, headers=None, timeout=30):
        """One request, exactly as given: `body` is bytes, `headers` replaces all but the credentials."""
        connection = self._connection or self.connect(timeout)
        try:
            connection.request(method, self.base + path, body, {**self.headers, **(headers or {})})
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        except BaseException:
            connection.close()
            self._connection = None
            raise
        if self._keep:
            self._connection = connection
        else:
            connection.close()
        return answer

    def call(self, path, fields, timeout=30):
        """POST of a JSON object."""
        return self.send("POST", path, json.dumps(fields).encode(), {"Content-Type": "application/json"}, timeout)

    def lock(self, vm_id, ref, balance=65535, **more):
        return self.call("/api/lock", {"vm_id": vm_id, "txnRef": ref, "balance": balance, **more})

    def paid(self, ref, price, discount=0, surcharge=0, **more):
        return self.call("/api/paid",
                         {"txnRef": ref, "price": price, "discount": discount, "surcharge": surcharge, **more})

    def unlock(self, vm_id, ref):
        return self.call("/api/unlock", {"vm_id": vm_id, "txnRef": ref})

    def search(self, vm_id):
        return self.call("/api/vmc_search", {"vm_id": vm_id})

    def bulk_search(self, vms):
        return self.call("/api/vmc_bulk_search", {"vms": vms})

    def keys(self, vm_id, ref, keys):
        return self.call("/api/vmc_user_keys", {"vm_id": vm_id, "txnRef": ref, "keys": keys})

    def later(self, method, *arguments, **named):
        """Starts e.g. later("lock", vm_id, ref) in a thread; the result's .answer() waits for it."""
        return Pending(getattr(self, method), arguments, named)


class Pending:
    """A call under way."""

    def __init__(self, function, arguments, named):
        self._result = self._error = None
        self._thread = threading.Thread(target=self._run, args=(function, arguments, named), daemon=True)
        self._thread.start()

    def _run(self, function, arguments, named):
        try:
            self._result = function(*arguments, **named)
        except Exception as error:  # handed to the test by answer()
            self._error = error

    def done(self):
        return not self._thread.is_alive()

    def answer(self, timeout=30):
        self._thread.join(timeout)
        assert not self._thread.is_alive(), f"no answer within {timeout} s"
        if self._error:
            raise self._error
        return self._result
