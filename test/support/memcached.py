"""Real memcached servers on loopback, and what they say to a plain socket."""

import os
import socket

from support.process import PATIENCE_S, Process, accepts, free_port, wait_until

COMMANDS = ("stats", "settings", "items", "slabs")


def request_line(command):
    return b"stats\r\n" if command == "stats" else b"stats " + command.encode() + b"\r\n"


def parse_stats(reply):
    """{key: value} of a stats reply as bytes."""
    stats = {}
    for line in reply.decode("latin-1").split("\r\n"):
        if line.startswith("STAT "):
            key, _, value = line[5:].partition(" ")
            stats[key] = value
    return stats


class Client:
    """One plain connection that stays open, so that asking does not move total_connections."""

    def __init__(self, address, family):
        self.sock = socket.socket(family, socket.SOCK_STREAM)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(address)

    def send(self, data):
        self.sock.sendall(data)

    def read_to(self, end):
        data = b""
        while not data.endswith(end):
            more = self.sock.recv(65536)
            if not more:
                raise ConnectionError(f"memcached hung up after {data!r}")
            data += more
        return data

    def ask(self, line, end=b"\r\n"):
        self.send(line)
        return self.read_to(end)

    def stats(self):
        """{command: {key: value}} of the commands that the exporter asks."""
        return {command: parse_stats(self.ask(request_line(command), b"END\r\n")) for command in COMMANDS}

    def close(self):
        self.sock.close()


class Memcached:
    """A server on `host`, or on a unix-domain socket at `path`. `address` is as a user would configure it."""

    def __init__(self, *flags, host="127.0.0.1", path=None, port=None, env=None):
        self.flags, self.host, self.path, self.env = flags, host, path, env
        self.port = None if path else port or free_port(host)
        self.process = None
        self._client = None
        self.start()

    @property
    def address(self):
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def _family(self):
        if self.path:
            return socket.AF_UNIX
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def _where(self):
        return self.path or (self.host, self.port)

    def start(self):
        where = ["-s", self.path] if self.path else ["-l", self.host, "-p", self.port, "-U", "0"]
        user = ["-u", "root"] if os.getuid() == 0 else []
        self.process = Process(["memcached", *where, *user, "-t", "1", "-m", "16", *self.flags], env=self.env)
        wait_until(lambda: accepts(self._where, self._family) or not self.process.running, f"memcached {where}")
        assert self.process.running, self.process.stderr

    def connect(self):
        return Client(self._where, self._family)

    @property
    def client(self):
        if self._client is None:
            self._client = self.connect()
        return self._client

    def stats(self):
        return self.client.stats()

    def fill(self):
        """Takes every connection that -c leaves, and returns them: the next client is turned away."""
        held = []
        for _ in range(200):
            client = self.connect()
            said = client.ask(b"version\r\n")
            if said.startswith(b"ERROR Too many"):
                client.close()
                return held
            held.append(client)
        raise AssertionError("this memcached has no connection limit")

    def kill(self):
        if self._client:
            self._client.close()
            self._client = None
        self.process.kill()

    def restart(self):
        """On the same port: connections to the old one are dead."""
        self.kill()
        self.start()

    def traffic(self):
        """Every kind of command, hit and miss, so that few of its counters stay at 0."""
        ask = self.client.ask
        ask(b"flush_all\r\n")
        for i in range(20):
            ask(b"set k%d 0 0 %d\r\n%s\r\n" % (i, 50 * i, b"x" * 50 * i))
            ask(b"get k%d\r\n" % i, b"END\r\n")
        ask(b"set n 0 0 2\r\n10\r\n")
        for line in (b"incr n 1", b"incr none 1", b"decr n 1", b"decr none 1", b"touch n 100", b"touch none 1",
                     b"delete k1", b"delete none"):
            ask(line + b"\r\n")
        for _ in range(3):
            ask(b"get none\r\n", b"END\r\n")
        unique = ask(b"gets n\r\n", b"END\r\n").split()[4]
        ask(b"cas n 0 0 1 %s\r\n1\r\n" % unique)
        ask(b"cas n 0 0 1 %s\r\n1\r\n" % unique)
        ask(b"cas none 0 0 1 1\r\n1\r\n")
