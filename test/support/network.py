"""
A network of a test's own: two namespaces with a cable between them, one for who asks and one for servers, whose side
swallows what it is told to, without a word. Needs root and the program `ip`; without them, `unavailable()` says why.

A thread that has entered a namespace takes what it starts there with it: programs, and its own sockets.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import subprocess

CLONE_NEWNET = 0x40000000
CLIENT, SERVER = "10.99.0.1", "10.99.0.2"
# All of them are the servers' own, for as many servers as one likes.
MANY = "10.99.1.0/24"
ESTABLISHED = "01"

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


class Namespace:
    """Lives as long as it is open."""

    def __init__(self):
        with self._home():
            _check(_libc.unshare(CLONE_NEWNET), "unshare")
            self.fd = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            self.ip("link set lo up")

    @staticmethod
    @contextlib.contextmanager
    def _home():
        """Brings the thread back to where it is now."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            yield
        finally:
            _check(_libc.setns(home, CLONE_NEWNET), "setns")
            os.close(home)

    @contextlib.contextmanager
    def entered(self):
        with self._home():
            _check(_libc.setns(self.fd, CLONE_NEWNET), "setns")
            yield

    def ip(self, words, pass_fds=()):
        """Runs ip(8) where the thread is."""
        run = subprocess.run(["ip", *words.split()], capture_output=True, text=True, pass_fds=pass_fds, timeout=20)
        assert run.returncode == 0, f"ip {words}: {run.stderr.strip()}"

    def set(self, name, value):
        pathlib.Path("/proc/sys/net", *name.split(".")).write_text(f"{value}\n", encoding="ascii")

    def close(self):
        os.close(self.fd)


def unavailable():
    """Why there can be no network of one's own here, or None."""
    if not shutil.which("ip"):
        return "there is no program `ip`"
    try:
        Network().close()
    except (OSError, AssertionError) as error:
        return f"the kernel forbids network namespaces: {error}"
    return None


class Network:
    """`client` and `servers` are its namespaces; servers listen at SERVER, or at any address of MANY."""

    def __init__(self):
        self.client, self.servers = Namespace(), Namespace()
        with self.client.entered():
            self.client.ip(f"link add cable type veth peer name cable netns /proc/self/fd/{self.servers.fd}",
                           (self.servers.fd,))
            self.client.ip(f"addr add {CLIENT}/24 dev cable")
            self.client.ip("link set cable up")
            self.client.ip(f"route add {MANY} via {SERVER}")
        with self.servers.entered():
            self.servers.ip(f"addr add {SERVER}/24 dev cable")
            self.servers.ip("link set cable up")
            self.servers.ip(f"route add local {MANY} dev lo")
            # Rules come before the table of the own addresses, and packets of open connections are no exception.
            self.servers.ip("rule add pref 1000 lookup local")
            self.servers.ip("rule del pref 0")
            self.servers.set("ipv4.ip_early_demux", 0)
        self.rules = 0

    def swallow(self, what):
        """`what` is a selector of ip-rule(8): "to 10.99.1.7", "ipproto tcp dport 11211 sport 40000". Such packets
        vanish on their way to the servers from now on."""
        self.rules += 1
        with self.servers.entered():
            self.servers.ip(f"rule add pref {self.rules} {what} blackhole")

    def heal(self):
        """Nothing is swallowed any more."""
        with self.servers.entered():
            while self.rules:
                self.servers.ip(f"rule del pref {self.rules}")
                self.rules -= 1

    def flows(self):
        """(port of the client, address and port of the server) of the connections that are open."""
        with self.client.entered():
            rows = pathlib.Path("/proc/thread-self/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        found = []
        for row in rows:
            _, local, remote, state = row.split()[:4]
            address, port = remote.split(":")
            if state == ESTABLISHED and address[6:8] + address[4:6] == "0A63":
                host = ".".join(str(byte) for byte in bytes.fromhex(address)[::-1])
                found.append((int(local.split(":")[1], 16), host, int(port, 16)))
        return found

    def forget_flows(self):
        """As a firewall that was restarted: what belongs to an open connection vanishes, new ones are let through.
        Returns how many there were."""
        flows = self.flows()
        for port, host, server_port in flows:
            self.swallow(f"to {host} ipproto tcp sport {port} dport {server_port}")
        return len(flows)

    def close(self):
        self.client.close()
        self.servers.close()
