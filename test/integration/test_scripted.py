"""The scripted servers behave as they are told: a script that did nothing would let every other test pass."""

import socket
import time

import pytest

from support.process import wait_until

ANSWER = b"STAT pid 1\r\nSTAT uptime 10\r\nSTAT version 1.6.18\r\nSTAT curr_items %d\r\nSTAT total_items %d\r\nEND\r\n"


class Asker:
    """A connection to a scripted server."""

    def __init__(self, address):
        host, port = address.split(":")
        self.sock = socket.create_connection((host, int(port)), 10)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, line=b"stats\r\n"):
        self.sock.sendall(line)
        return self

    def read(self, count):
        data = b""
        while len(data) < count and (more := self.sock.recv(count - len(data))):
            data += more
        return data

    def is_silent(self, seconds=0.3):
        self.sock.settimeout(seconds)
        try:
            return not self.sock.recv(1) and False
        except TimeoutError:
            return True
        finally:
            self.sock.settimeout(10)

    def close(self):
        self.sock.close()


def whole(number=1, server=0):
    return ANSWER % (number, server)


def answers(address, want, line=b"stats\r\n"):
    asker = Asker(address)
    got = asker.ask(line).read(len(want))
    assert got == want
    return asker


def test_each_answer_has_its_numbers(scripted):
    servers = scripted(3)
    asker = answers(servers.addresses[2], whole(1, 2) + b"END\r\nERROR\r\n", b"stats\r\nstats items\r\nget a\r\n")
    assert asker.ask().read(len(whole(2, 2))) == whole(2, 2)
    answers(servers.addresses[2], whole(3, 2)).close()
    servers.wait_for_answers(3, 2)
    assert [answer.number for answer in servers.answers[2]] == [1, 2, 3]
    assert servers.answers[0] == []
    first = servers.answers[2][0]
    assert first.asked <= first.answered <= time.monotonic()


@pytest.mark.parametrize("line", ["answer", "delay 100", "split 7", "drip 1"])
def test_whole_answers(scripted, line):
    servers = scripted()
    servers.do(line)
    asker = answers(servers.addresses[0], whole(1))
    assert asker.ask().read(len(whole(2))) == whole(2)


@pytest.mark.parametrize("line, want", [("cut 30", whole()[:30]), ("mute", b"")])
def test_silence(scripted, line, want):
    servers = scripted()
    servers.do(line)
    asker = answers(servers.addresses[0], want)
    assert asker.is_silent() and asker.ask().is_silent()
    servers.do("answer")
    assert asker.ask().is_silent(), "it came back"
    answers(servers.addresses[0], whole(servers_next(servers)))


def servers_next(servers):
    """The number of the next answer, by asking for one."""
    asker = Asker(servers.addresses[0])
    text = asker.ask().read(len(whole(1)))
    return int(text.split(b"curr_items ")[1].split()[0]) + 1


@pytest.mark.parametrize("line, want", [("fin 30", whole()[:30]), ("fin 0", b""), ("fin 9999", whole()), ("halfclose", whole())])
def test_ends(scripted, line, want):
    servers = scripted()
    servers.do(line)
    asker = Asker(servers.addresses[0]).ask()
    assert asker.read(9999) == want


def test_reset(scripted):
    servers = scripted()
    servers.do("rst 0")
    with pytest.raises(ConnectionResetError):
        Asker(servers.addresses[0]).ask().read(1)


def test_garbage_and_flood(scripted):
    servers = scripted(2)
    servers.do("garbage", 0)
    servers.do("flood", 1)
    assert b"STAT" not in Asker(servers.addresses[0]).ask().read(100)
    assert Asker(servers.addresses[1]).ask().read(100000).count(b"STAT flood_") > 3000


def test_more_than_was_asked_for(scripted):
    servers = scripted(2)
    servers.do("twice 50", 0)
    servers.do("unasked 50", 1)
    assert Asker(servers.addresses[0]).ask().read(2 * len(whole())) == 2 * whole()
    assert b"curr_items 999999999" in Asker(servers.addresses[1]).ask().read(len(whole(1, 1)) + 60)


def test_say(scripted):
    servers = scripted()
    servers.do(r"say STAT a 1\r\nEND\r\n")
    answers(servers.addresses[0], b"STAT a 1\r\nEND\r\n")


def connects(address, seconds=0.3):
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), seconds).close()
        return "connected"
    except ConnectionRefusedError:
        return "refused"
    except TimeoutError:
        return "timeout"


@pytest.mark.parametrize("line, want", [("refuse", "refused"), ("deaf", "connected"), ("full", "timeout")])
def test_out_of_reach_and_back(scripted, line, want):
    servers = scripted()
    before = answers(servers.addresses[0], whole(1))
    servers.do(line)
    assert before.read(1) == b""
    assert connects(servers.addresses[0]) == want
    asker = Asker(servers.addresses[0]).ask() if line == "deaf" else None
    if asker:
        assert asker.is_silent()
    servers.do("answer")
    wait_until(lambda: connects(servers.addresses[0]) == "connected", "a server that is back")
    if asker:
        assert asker.read(len(whole(2))) == whole(2)


def test_what_happens_to_connections_once(scripted):
    servers = scripted()
    lost = answers(servers.addresses[0], whole(1))
    servers.do("lose")
    assert lost.ask().is_silent()
    dropped = answers(servers.addresses[0], whole(2))
    servers.do("drop")
    assert dropped.read(1) == b""
    reset = answers(servers.addresses[0], whole(3))
    servers.do("reset")
    with pytest.raises(ConnectionResetError):
        reset.read(1)


def test_what_is_no_script_is_said(scripted):
    servers = scripted()
    with pytest.raises(AssertionError, match="a number"):
        servers.do("delay soon")
    servers.bad.clear()
    with pytest.raises(AssertionError, match="a behaviour"):
        servers.do("dance")
