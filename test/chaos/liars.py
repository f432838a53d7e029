"""
A Pushgateway and an HTTP discovery that misbehave at random, until they are told to be honest. Pushes and discovery
share the loop with the scrapes, which must not notice.
"""

import json
import random
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Targets that a lie names: nobody listens there, or they are no addresses at all.
NOWHERE = [f"127.255.0.{host}:{1 + host}" for host in range(1, 30)] + ["", "a b", "[::1", "127.255.1.1:99999", "x" * 300]


class Liars:
    """`url` for both; `target` is what discovery tells when it is honest, and now and then before."""

    def __init__(self, seed, target):
        liars = self
        self.honest, self.target = threading.Event(), target
        self.random, self.lock = random.Random(seed), threading.Lock()
        self.pushes = []  # whether each push that was taken was whole
        self.lies = self.asked = 0

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self):
                try:
                    super().handle_one_request()
                except OSError:
                    self.close_connection = True

            def do_GET(self):
                liars.asked += 1
                liars._choose([liars._tell, liars._tell, liars._garbage, liars._refuse, liars._reset, liars._stall, liars._drop_half,
                               liars._tell_nonsense, liars._flood] if not liars.honest.is_set() else [liars._tell])(self)

            def do_PUT(self):
                liars._choose([liars._take, liars._take, liars._refuse, liars._reset, liars._stall] if not liars.honest.is_set()
                              else [liars._take])(self)

            do_POST = do_PUT

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def _choose(self, ways):
        with self.lock:
            way = self.random.choice(ways)
            self.lies += way not in (self._tell, self._take)
            return way

    # --- Ways to answer ------------------------------------------------------------------------------------------

    @staticmethod
    def _answer(handler, body, status=200, kind="application/json", length=None):
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)

    def _tell(self, handler):
        self._answer(handler, json.dumps([{"targets": [self.target]}]).encode())

    def _tell_nonsense(self, handler):
        with self.lock:
            targets = self.random.sample(NOWHERE, self.random.randrange(len(NOWHERE)))
        self._answer(handler, json.dumps([{"targets": targets, "labels": {"a": "b" * 500}}]).encode())

    def _garbage(self, handler):
        with self.lock:
            body = self.random.randbytes(self.random.randrange(5000))
        self._answer(handler, body)

    def _flood(self, handler):
        self._answer(handler, b'[{"targets": ["' + b"x" * (20 << 20))

    def _drop_half(self, handler):
        self._answer(handler, b'[{"targets": [', length=10000)
        handler.close_connection = True

    def _refuse(self, handler):
        self._answer(handler, b"no\n", status=503, kind="text/plain")
        handler.close_connection = True

    @staticmethod
    def _reset(handler):
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        handler.close_connection = True
        handler.connection.close()

    def _stall(self, handler):
        self.honest.wait(20)
        handler.close_connection = True

    def _take(self, handler):
        body = self._read_body(handler)
        self.pushes.append(body.endswith(b"\n") and b"memcached_up{" in body)
        self._answer(handler, b"")

    @staticmethod
    def _read_body(handler):
        if "chunked" not in handler.headers.get("Transfer-Encoding", ""):
            return handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        body = b""
        while True:
            length = int(handler.rfile.readline().split(b";")[0], 16)
            body += handler.rfile.read(length)
            handler.rfile.readline()
            if length == 0:
                return body

    def close(self):
        self.honest.set()
        self.server.shutdown()
        self.server.server_close()
