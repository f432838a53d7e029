"""The servers that a bench asks: real memcached up to a thousand, one simulated fleet beyond."""

import os
import random
import socket
import sys

from support.process import Process, accepts, free_port, wait_until

# Five classes of slabs have items, so that the four replies have 10 KB together. Each takes its first page of 1 MiB.
ITEM_SIZES = (20, 120, 220, 380, 620)
MEMCACHED_KIB = 9 * 1024


def set_command(name, size):
    return b"set k%d-%d 0 0 %d noreply\r\n%s\r\n" % (size, name, size, b"x" * size)


def commands_of(size):
    lines = (b"get k%d-0", b"get none-%d", b"touch k%d-1 0", b"delete k%d-2 noreply", b"incr none-%d 1")
    return [set_command(3, size), *(line % size + b"\r\n" for line in lines)]


def traffic(n):
    """Of the n-th server: not that of the others, as in a fleet. What is alike would compress better than in life."""
    chance = random.Random(n)
    choice = [command for size in ITEM_SIZES for command in commands_of(size)]
    weights = [chance.random() ** 2 for _ in choice]
    items = [set_command(name, size) for size in ITEM_SIZES for name in range(9)]
    return b"".join(items + chance.choices(choice, weights, k=chance.randrange(100, 900)) + [b"version\r\n"])


def available_kib():
    with open("/proc/meminfo", encoding="ascii") as info:
        return next(int(line.split()[1]) for line in info if line.startswith("MemAvailable:"))


def address(block, n, port):
    """Loopback has sixteen million addresses: each server has its own, all of them the same port, as in a fleet."""
    return f"127.{64 * block + n // 62500}.{n // 250 % 250}.{n % 250 + 1}:{port}"


class Real:
    """A growing fleet of memcached, filled. Those that are added together start together."""

    def __init__(self, flags=("-c", "64")):
        self.port = free_port()
        user = ["-u", "root"] if os.getuid() == 0 else []
        self.flags = ["-p", self.port, "-t", "1", "-m", "64", "-U", "0", *flags, *user]
        self.targets, self.processes = [], []

    def grow(self, count):
        have = len(self.targets)
        for n in range(have, count):
            self.targets.append(address(2, n, self.port))
            self.processes.append(Process(["memcached", "-l", self._host(n), *self.flags]))
        clients = [self._connect(n) for n in range(have, count)]
        for n, client in enumerate(clients, have):
            client.sendall(traffic(n))
        for client in clients:
            with client:
                self._read_version(client)

    def _host(self, n):
        return self.targets[n].split(":")[0]

    def _connect(self, n):
        process, where = self.processes[n], (self._host(n), self.port)
        wait_until(lambda: accepts(where) or not process.running, f"memcached on {where}", pause=0.002)
        assert process.running, process.stderr
        return socket.create_connection(where, 20)

    @staticmethod
    def _read_version(client):
        said = b""
        while not (b"VERSION " in said and said.endswith(b"\r\n")):
            more = client.recv(65536)
            assert more, "a memcached hung up while it was filled"
            said += more

    def resident_kib(self):
        """Of the first one."""
        with open(f"/proc/{self.processes[0].pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))

    def stop(self):
        for process in self.processes:
            process.popen.kill()
        for process in self.processes:
            process.kill()
        self.targets, self.processes = [], []


class Shared:
    """One memcached that has many addresses, plain or over TLS: what its clients' ends of connections cost is the same
    as with many servers."""

    def __init__(self, count, certificate=None):
        self.port = free_port()
        user = ["-u", "root"] if os.getuid() == 0 else []
        secure = []
        if certificate:
            secure = ["-Z", "-o", f"ssl_chain_cert={certificate.cert},ssl_key={certificate.key},ssl_session_cache"]
        self.process = Process(["memcached", "-l", "0.0.0.0", "-p", self.port, "-U", "0", "-t", "2", "-m", "64",
                                "-c", 3 * count + 100, *secure, *user])
        self.targets = [address(3, n, self.port) for n in range(count)]
        wait_until(lambda: accepts(("127.0.0.1", self.port)) or not self.process.running, "a shared memcached")
        assert self.process.running, self.process.stderr

    def stop(self):
        self.process.kill()


# Exporter and floor are connected at the same time: half of the descriptors that Debian lets a process have.
TARGETS_IN_PROCESS = 5000


class Simulated:
    """Any number of targets from very few processes, see fleet.c. `port` is that of the first ones."""

    def __init__(self, programs, capture, count):
        self.targets, self.processes = [], []
        try:
            while len(self.targets) < count:
                self._add(programs, capture, min(count - len(self.targets), TARGETS_IN_PROCESS))
        except BaseException:
            self.stop()
            raise
        self.port = int(self.targets[0].split(":")[1])

    def _add(self, programs, capture, count):
        port, have = free_port(), len(self.targets)
        process = Process([programs / "fleet", port, capture])
        self.processes.append(process)
        wait_until(lambda: "ready" in process.stdout or not process.running, "the simulated fleet")
        assert process.running, process.stderr
        self.targets += [address(1, n, port) for n in range(have, have + count)]

    def stop(self):
        for process in self.processes:
            if not process.running:
                print(f"the simulated fleet ended: {process.stderr}", file=sys.stderr)
            process.kill()
