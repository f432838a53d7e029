"""Fixtures: each gives a function that starts one more, and ends all of them after the test."""

import pathlib
import sys

import pytest

TEST = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TEST))
sys.dont_write_bytecode = True

from support.exporter import Exporter  # noqa: E402  (needs the path above)
from support.fake import DeafListener, FakeMemcached  # noqa: E402
from support.memcached import Memcached  # noqa: E402
from support.network import Network, unavailable  # noqa: E402
from support.process import free_port  # noqa: E402
from support.scripted import ScriptedServers  # noqa: E402


def starter(make, end):
    """Yields a function that makes things, then ends each, and only then reports the first that ended badly."""
    made, failures = [], []

    def start(*args, **kwargs):
        made.append(make(*args, **kwargs))
        return made[-1]

    yield start
    for thing in reversed(made):
        try:
            end(thing)
        except AssertionError as failure:
            failures.append(failure)
    if failures:
        raise failures[0]


@pytest.fixture
def memcached():
    yield from starter(Memcached, Memcached.kill)


@pytest.fixture
def fake():
    yield from starter(FakeMemcached, FakeMemcached.close)


@pytest.fixture
def deaf():
    yield from starter(DeafListener, DeafListener.close)


@pytest.fixture(scope="session")
def no_network():
    return unavailable()


@pytest.fixture
def network(no_network):
    """Two network namespaces; a test that asks for them is skipped where there can be none."""
    if no_network:
        pytest.skip(no_network)
    made = Network()
    yield made
    made.close()


@pytest.fixture
def scripted():
    yield from starter(ScriptedServers, ScriptedServers.close)


@pytest.fixture
def exporter(memcached, fake, deaf, scripted):
    """Takes the servers' fixtures, so that exporters end before what they are connected to."""
    yield from starter(Exporter, lambda started: None if started.ended else started.stop())


@pytest.fixture
def dead_address():
    """Nobody listens there."""
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def data():
    return TEST / "data"
