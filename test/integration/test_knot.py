"""The name server of the tests does what the tests of discovery rest on."""

import pytest

from support.knot import ZONE, Knot, Query

A, SRV = 1, 33
NXDOMAIN = 3

pytestmark = pytest.mark.skipif(not Knot.may_run(), reason="port 53 is not free to use here")


@pytest.fixture
def knot():
    server = Knot()
    yield server
    server.close()


def ask(knot, name, kind=A):
    return Query(knot.host, f"{name}.{ZONE}", kind)


def test_records_come_and_go(knot):
    assert ask(knot, "sessions").code == NXDOMAIN
    knot.set("sessions A 127.0.0.1", "sessions A 127.0.0.2", "_m._tcp SRV 0 0 11211 sessions")
    assert ask(knot, "sessions").count == 2
    assert ask(knot, "_m._tcp", SRV).count == 1
    assert ask(knot, "sessions", SRV).count == 0
    knot.set("sessions A 127.0.0.1")
    assert ask(knot, "sessions").count == 1
    assert ask(knot, "_m._tcp", SRV).code == NXDOMAIN


def test_many_records_do_not_fit(knot):
    knot.set(*(f"many A 127.1.{i // 250}.{i % 250 + 1}" for i in range(300)))
    assert ask(knot, "many").truncated


def test_it_fails_and_recovers(knot):
    knot.set("sessions A 127.0.0.1")
    knot.fail()
    knot.set("sessions A 127.0.0.1")
    assert ask(knot, "sessions").count == 1
    knot.kill()
    with pytest.raises(OSError):
        ask(knot, "sessions")
    knot.start()
    assert ask(knot, "sessions").count == 1


def test_it_pauses(knot):
    knot.pause()
    with pytest.raises(OSError):
        ask(knot, "sessions")
    knot.resume()
    assert ask(knot, "sessions").code == NXDOMAIN
