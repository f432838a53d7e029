"""A real name server (Knot DNS) with one zone that a test changes while it runs. Port 53, since resolv.conf names no other."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from support.process import Process, wait_until

ZONE = "cache.test"

CONFIG = """
server:
    listen: {host}@53
    rundir: {directory}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    version: ""
    identity: ""
log:
  - target: stderr
    any: warning
database:
    storage: {directory}
zone:
  - domain: {zone}
    file: {directory}/zone
    zonefile-load: whole
    journal-content: none
"""


def program():
    """Its path: servers lie in sbin, which users do not have in their PATH."""
    places = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which("knotd", path=os.pathsep.join([*places, *(place.removesuffix("bin") + "sbin" for place in places)]))
    assert found, "knotd is missing"
    return found


class Query:
    """One question by UDP, to see that the server has taken over a zone: its response code and number of answers."""

    def __init__(self, host, name, kind):
        labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
        question = labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(1)
            udp.connect((host, 53))
            udp.send(b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + question)
            answer = udp.recv(4096)
        self.code = answer[3] & 15
        self.truncated = bool(answer[2] & 2)
        self.count = int.from_bytes(answer[6:8], "big")
        self.tail = answer[12 + len(question):]


class Knot:
    """`host` is a loopback address of its own, so that several may run. `may_run()` tells whether this user may."""

    def __init__(self, host="127.0.0.77"):
        self.host, self.serial, self.process = host, 0, None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="knot-"))
        (self.directory / "conf").write_text(CONFIG.format(host=host, directory=self.directory, zone=ZONE))
        (self.directory / "resolv.conf").write_text(f"nameserver {host}\nsearch {ZONE}\n")
        self._write([], 60)
        self.start()

    @staticmethod
    def may_run(host="127.0.0.77"):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, 53))
                return True
            except OSError:
                return False

    @staticmethod
    def may_mount():
        """Whether the wrapper works: it does not for a user who may not mount, nor in a folder that is no mount's root."""
        return subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode == 0

    @property
    def wrapper(self):
        """What stands before a command that is to ask this server: a mount that it alone sees."""
        mount = f'mount --bind "{self.directory}/resolv.conf" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", mount, "sh"]

    def start(self):
        """After kill() too, on the same address, with the records that it had."""
        self.process = Process([program(), "-c", self.directory / "conf"])
        wait_until(self._answers, "the name server to answer")

    def _answers(self):
        assert self.process.running, self.process.stderr
        try:
            return self._serves()
        except OSError:
            return False

    def _serves(self):
        """Whether it has the zone that was written last: its SOA ends with the serial and four more numbers."""
        soa = Query(self.host, ZONE, 6)
        return soa.count == 1 and int.from_bytes(soa.tail[-20:-16], "big") == self.serial

    def _write(self, records, ttl):
        self.serial += 1
        lines = [f"$ORIGIN {ZONE}.", f"$TTL {ttl}", f"@ SOA ns mail {self.serial} 60 60 60 {ttl}", "@ NS ns", f"ns A {self.host}"]
        self._replace("\n".join(lines + records) + "\n")

    def _replace(self, text):
        (self.directory / "new").write_text(text)
        os.replace(self.directory / "new", self.directory / "zone")

    def set(self, *records, ttl=60):
        """These records and no others, as in a zone file: "sessions A 127.0.0.1", "_m._tcp SRV 0 0 11211 node-1"."""
        self._write(list(records), ttl)
        self.process.signal(signal.SIGHUP)
        wait_until(self._answers, "the name server to take over its zone")

    def fail(self):
        """From now on it answers SERVFAIL, until set()."""
        self.kill()
        self._replace("this is no zone\n")
        self.process = Process([program(), "-c", self.directory / "conf"])
        wait_until(self._fails, "the name server to fail")

    def _fails(self):
        assert self.process.running, self.process.stderr
        try:
            return Query(self.host, ZONE, 6).code == 2
        except OSError:
            return False

    def pause(self):
        """It is there and silent, until resume(). Each of its threads stops when it notices."""
        self.process.signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        wait_until(lambda: all("State:\tT" in (task / "status").read_text() for task in tasks.iterdir()), "it to stop")

    def resume(self):
        self.process.signal(signal.SIGCONT)

    def kill(self):
        self.process.kill()

    def close(self):
        self.kill()
        shutil.rmtree(self.directory)
