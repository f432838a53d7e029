"""HTTP to the exporter: whole requests for most tests, bare bytes for those about the protocol."""

import gzip
import http.client
import socket


class Answer:
    """Status, headers (names in lower case) and body of one answer."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:300]!r}>"


class UnixConnection(http.client.HTTPConnection):
    """http.client over a unix-domain socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def connection(where, timeout=15.0):
    """`where` is (host, port) or the path of a socket."""
    if isinstance(where, str):
        return UnixConnection(where, timeout)
    return http.client.HTTPConnection(where[0], where[1], timeout=timeout)


def request(conn, path, method="GET", headers=None):
    """One request on an http.client connection, which stays open if the server lets it."""
    conn.request(method, path, headers=headers or {})
    response = conn.getresponse()
    body = response.read()
    return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)


def get(where, path, method="GET", headers=None, timeout=15.0):
    """One request on a connection of its own."""
    conn = connection(where, timeout)
    try:
        return request(conn, path, method, headers)
    finally:
        conn.close()


class RawClient:
    """A socket that sends what a test says and reads answers one after the other."""

    def __init__(self, where, timeout=15.0):
        self.sock = socket.create_connection(where, timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.bytes = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def send(self, data):
        """A server that refuses may close before it has read everything: what it said is read all the same."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def _more(self):
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            data = b""
        self.bytes += data
        return bool(data)

    def _until(self, mark):
        while mark not in self.bytes:
            if not self._more():
                raise ConnectionError(f"closed after {self.bytes[:200]!r}")
        head, _, self.bytes = self.bytes.partition(mark)
        return head

    def _take(self, count):
        while len(self.bytes) < count:
            if not self._more():
                raise ConnectionError(f"closed {count - len(self.bytes)} bytes too early")
        data, self.bytes = self.bytes[:count], self.bytes[count:]
        return data

    def _chunks(self):
        body = b""
        while True:
            size = int(self._until(b"\r\n"), 16)
            body += self._take(size)
            assert self._take(2) == b"\r\n"
            if size == 0:
                return body

    def answer(self, head_only=False):
        """The next answer, its body decoded from chunks but not from gzip."""
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status = lines[0].split(" ", 2)[:2]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            assert name.lower() not in headers, f"{name} twice"
            headers[name.lower()] = value.strip()
        if head_only:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        elif "content-length" in headers:
            body = self._take(int(headers["content-length"]))
        else:
            body = self.rest()
        answer = Answer(int(status), headers, body)
        answer.version = version
        return answer

    def rest(self):
        """Everything up to the end of the connection."""
        while self._more():
            pass
        data, self.bytes = self.bytes, b""
        return data


def raw(where, data, timeout=15.0):
    """Sends bytes on a new connection and returns the first answer, with `closed`: whether the server then hung up."""
    with RawClient(where, timeout) as client:
        client.send(data)
        answer = client.answer()
        client.sock.settimeout(0.3)
        try:
            answer.closed = client.rest() == b""
        except socket.timeout:
            answer.closed = False
        return answer


def gunzip(answer):
    assert answer.headers.get("content-encoding") == "gzip", answer
    return gzip.decompress(answer.body)
