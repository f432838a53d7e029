"""A real Pushgateway, and a scripted one for what the real one never does."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support import http
from support.process import Process, free_port, wait_until


class Pushgateway:
    """Keeps nothing on disk. After kill(), start() brings another one to the same port."""

    def __init__(self):
        self.where = ("127.0.0.1", free_port())
        self.process = None
        self.start()

    @property
    def url(self):
        return "http://%s:%d" % self.where

    def start(self):
        self.process = Process(["prometheus-pushgateway", "--web.listen-address=%s:%d" % self.where, "--persistence.file="])
        wait_until(self._ready, "Pushgateway to be ready")

    def _ready(self):
        assert self.process.running, self.process.stderr
        try:
            return http.get(self.where, "/-/ready").status == 200
        except OSError:
            return False

    def _groups(self):
        answer = http.get(self.where, "/api/v1/metrics")
        assert answer.status == 200, answer
        return json.loads(answer.body).get("data") or []

    def group(self, **labels):
        """{family: [(labels, value text)]} of the group with exactly these labels, or None. Plain families only."""
        for group in self._groups():
            if group["labels"] == labels:
                return {name: [(row.get("labels", {}), row.get("value")) for row in family["metrics"]]
                        for name, family in group.items() if isinstance(family, dict) and "metrics" in family}
        return None

    def labels(self):
        """The labels of every group."""
        return [group["labels"] for group in self._groups()]

    def lines(self):
        """What Prometheus would scrape, line by line."""
        answer = http.get(self.where, "/metrics")
        assert answer.status == 200, answer
        return answer.text.splitlines()

    def kill(self):
        self.process.kill()


class ScriptedGateway:
    """Answers each request with `status`; with `credentials`, "user:password", it insists on them. `requests`: what came."""

    def __init__(self, status=200, credentials=None, answer=b"", headers=None):
        gateway = self
        self.status, self.requests, self.lock = status, [], threading.Lock()
        wanted = credentials and "Basic " + base64.b64encode(credentials.encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def body(self):
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length", 0)))
                data = b""
                while size := int(self.rfile.readline(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data

            def take(self):
                body = self.body()
                status = gateway.status
                if wanted and self.headers.get("Authorization") != wanted:
                    status = 401
                with gateway.lock:
                    gateway.requests.append((self.command, self.path, dict(self.headers), body, status))
                self.send_response(status)
                for name, value in (headers or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_PUT = do_POST = do_DELETE = do_GET = take

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
