"""An integrator's server in the test's own process: HTTPS, records every callback, answers as told."""
import base64
import hashlib
import hmac
import http.server
import json
import ssl
import threading
import time

from .ports import free_port
from .waiting import wait_until


class Callback:
    """One callback as it arrived: `path`, `headers` (names in lower case), `raw` bytes, `body` parsed, `at`."""

    def __init__(self, path, headers, raw):
        self.at = time.time()
        self.path = path
        self.headers = {name.lower(): value for name, value in headers.items()}
        self.raw = raw
        try:
            self.body = json.loads(raw)
        except ValueError:
            self.body = None

    @property
    def id(self):
        return self.headers.get("webhook-id")

    @property
    def ref(self):
        return self.body.get("txn_ref") if isinstance(self.body, dict) else None

    def __repr__(self):
        return f"<{self.path} {self.raw!r}>"


class Reply:
    """What the server answers. `delay` seconds before it; `hang_up` closes without an answer."""

    def __init__(self, status=200, body=None, headers=None, delay=0.0, hang_up=False):
        self.status = status
        self.body = json.dumps({"success": True, "message": None} if body is None else body).encode() \
            if not isinstance(body, bytes) else body
        self.headers = headers or {}
        self.delay = delay
        self.hang_up = hang_up


ACCEPT = Reply()
REFUSE = Reply(body={"success": False, "message": "no"})


class IntegratorServer:
    """Listens on https://127.0.0.1:port: a name might mean ::1 first, which would cost an attempt.

    By default every callback is accepted. `script(path, reply, ...)` gives replies for the next callbacks of that
    path, one each; `always(path, reply)` for all that follow. A reply may also be a function of the Callback.
    """

    def __init__(self, ca, port=None):
        self.port = port or free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._certificate = ca.server(f"integrator-{self.port}")
        self._lock = threading.Lock()
        self._callbacks = []
        self._scripted, self._always = {}, {}
        self._server = None
        self.start()

    def start(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self._certificate)
        self._server = _Server(("127.0.0.1", self.port), _handler_of(self), context)
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self):
        """Nothing listens any more; live connections are cut. start() brings it back on the same port."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def script(self, path, *replies):
        with self._lock:
            self._scripted.setdefault(path, []).extend(replies)

    def always(self, path, reply):
        with self._lock:
            self._always[path] = reply

    def took(self, callback):
        """For the server's threads: records the callback and says what to answer."""
        with self._lock:
            self._callbacks.append(callback)
            scripted = self._scripted.get(callback.path)
            reply = scripted.pop(0) if scripted else self._always.get(callback.path, ACCEPT)
        return reply(callback) if callable(reply) else reply

    def callbacks(self, path=None, ref=None):
        """Those received so far, in order of arrival, repeats included."""
        with self._lock:
            return [c for c in self._callbacks
                    if (path is None or c.path == path) and (ref is None or c.ref == ref)]

    def wait(self, path, ref=None, count=1, timeout=10):
        """Waits for at least `count` such callbacks and returns the last of them."""
        def enough():
            found = self.callbacks(path, ref)
            return found[count - 1] if len(found) >= count else None
        return wait_until(enough, timeout, f"{count} x {path} for {ref}; there are {self.callbacks(ref=ref)}")


def signed_rightly(callback, secret):
    """Whether a v1 signature of the callback is right (Standard Webhooks 1.0.0)."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = b".".join([callback.headers["webhook-id"].encode(), callback.headers["webhook-timestamp"].encode(),
                      callback.raw])
    right = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return right in callback.headers["webhook-signature"].split(" ")


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, address, handler, context):
        self._context = context
        self._connections = set()
        super().__init__(address, handler)

    def finish_request(self, request, client_address):
        # The handshake happens in the connection's thread, so that a stalled one delays nobody.
        self._connections.add(request)
        try:
            with self._context.wrap_socket(request, server_side=True) as stream:
                self._connections.add(stream)
                super().finish_request(stream, client_address)
                self._connections.discard(stream)
        except (ssl.SSLError, OSError):
            pass
        finally:
            self._connections.discard(request)

    def cut(self):
        for connection in list(self._connections):
            try:
                connection.shutdown(2)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        pass


def _handler_of(integrator):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = integrator.took(Callback(self.path, self.headers, raw))
            if reply.delay:
                time.sleep(reply.delay)
            if reply.hang_up:
                self.close_connection = True
                return
            self.send_response(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *arguments):
            pass

    return Handler
