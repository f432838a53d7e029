"""
A scripted memcached: it says what a test tells it to, byte for byte, and remembers what it was asked.

A script is a function of one connection. Without one, `answers` maps whole request lines ("stats items") to replies.
"""

import socket
import struct
import threading

PLAIN = {
    "stats": b"STAT pid 1\r\nSTAT uptime 10\r\nSTAT version 1.6.18\r\nSTAT curr_items 5\r\nEND\r\n",
    "stats settings": b"STAT maxconns 1024\r\nEND\r\n",
    "stats items": b"STAT items:1:number 5\r\nEND\r\n",
    "stats slabs": b"STAT 1:chunk_size 96\r\nSTAT active_slabs 1\r\nSTAT total_malloced 1048576\r\nEND\r\n",
}


def reply(*lines):
    """A stats reply of these "key value" lines, text or bytes."""
    rows = [line.encode() if isinstance(line, str) else line for line in lines]
    return b"".join(b"STAT " + row + b"\r\n" for row in rows) + b"END\r\n"


def storing(stats, answers=None):
    """
    A script of a server that takes every probe: it says what `answers` has for the first word of an operation, instead of the
    right answer, and what `stats` has for any other request, by whole lines.
    """
    def script(connection):
        while True:
            line = connection.line()
            if not line:
                return
            word = line.split(" ")[0]
            if word not in ("mn", "set", "get", "delete"):
                connection.send(stats.get(line, b"ERROR\r\n"))
                continue
            data = connection.line() if word == "set" else line.split(" ")[-1]
            usual = {"mn": "MN\r\n", "set": "STORED\r\n", "delete": "DELETED\r\n",
                     "get": f"VALUE {data} 0 {len(data)}\r\n{data}\r\nEND\r\n"}
            connection.send((answers or {}).get(word, usual[word]).encode())
    return script


class Connection:
    """The server's end of one connection, for scripts. Reads give "" at the end of it."""

    def __init__(self, server, sock):
        self.server, self.sock, self._bytes = server, sock, b""

    def line(self):
        """The next request line without its end; it is put down in server.requests."""
        while b"\n" not in self._bytes:
            data = self.sock.recv(65536)
            if not data:
                return ""
            with self.server.lock:
                self.server.writes.append(data)
            self._bytes += data
        line, _, self._bytes = self._bytes.partition(b"\n")
        text = line.rstrip(b"\r").decode("latin-1")
        with self.server.lock:
            self.server.requests.append(text)
        return text

    def send(self, data):
        self.sock.sendall(data)

    def send_slowly(self, data):
        """Every byte in a segment of its own."""
        for i in range(len(data)):
            self.sock.sendall(data[i:i + 1])

    def serve(self, answers):
        """Answers until the client hangs up."""
        while True:
            line = self.line()
            if not line:
                return
            self.send(answers.get(line, b"ERROR\r\n"))

    def reset(self):
        """Ends the connection with an RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def wait_for_end(self):
        """Stays silent until the client, or the test, ends the connection."""
        while self.sock.recv(65536):
            pass


class FakeMemcached:
    """Listens until close(). `requests`: every line so far; `writes`: each piece as it was read; `connections`: how many."""

    def __init__(self, answers=None, script=None, host="127.0.0.1", port=0):
        self.answers = dict(PLAIN, **(answers or {}))
        self.script = script or (lambda connection: connection.serve(self.answers))
        self.requests, self.writes, self.connections = [], [], 0
        self.lock = threading.Lock()
        self._open = set()
        self._listener = socket.create_server((host, port), backlog=1024)
        self.port = self._listener.getsockname()[1]
        self.address = f"{host}:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections += 1
                self._open.add(sock)
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock):
        try:
            self.script(Connection(self, sock))
        except OSError:
            pass  # the exporter hung up: what that means is for the test to say
        finally:
            with self.lock:
                self._open.discard(sock)
            sock.close()

    def count(self, line):
        with self.lock:
            return self.requests.count(line)

    def close(self):
        """Ends the listener and every connection; its threads then end by themselves."""
        with self.lock:
            sockets = [self._listener, *self._open]
        for sock in sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._listener.close()


class DeafListener:
    """Its kernel takes connections; nobody ever accepts, reads or answers. A full one does not even let them connect."""

    def __init__(self, full=False):
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0 if full else 16)
        self.where = self._listener.getsockname()
        self.address = "%s:%d" % self.where
        self._waiting = []
        while full and self._connects():
            assert len(self._waiting) < 100, "the backlog has no end"

    def _connects(self):
        sock = socket.socket()
        self._waiting.append(sock)
        sock.settimeout(0.3)
        try:
            sock.connect(self.where)
            return True
        except TimeoutError:
            return False

    def close(self):
        for sock in (*self._waiting, self._listener):
            sock.close()
