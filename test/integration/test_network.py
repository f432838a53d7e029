"""Servers behind a network that swallows packets; and the network itself, which must swallow what it is told to."""

import socket
import time

import pytest

from support.exporter import Exporter
from support.network import SERVER
from support.scripted import PORT, ScriptedServers


def connect(host, seconds=5.0):
    return socket.create_connection((host, PORT), seconds)


def ask(sock):
    sock.sendall(b"stats\r\n")
    data = b""
    while not data.endswith(b"END\r\n"):
        data += sock.recv(4096)
    return data


@pytest.fixture
def three(network):
    """Three scripted servers at the far end of the cable."""
    with network.servers.entered():
        servers = ScriptedServers(3, first="10.99.1.1")
    yield servers
    servers.close()


def test_swallowed_connections(network, three):
    network.swallow("to 10.99.1.2")
    with network.client.entered():
        connect("10.99.1.1").close()
        with pytest.raises(TimeoutError):
            connect("10.99.1.2", 0.5)
        network.heal()
        connect("10.99.1.2").close()


def test_forgotten_flows(network, three):
    with network.client.entered(), connect("10.99.1.1") as old:
        assert b"STAT pid" in ask(old)
        assert network.flows() and network.forget_flows() == 1
        old.settimeout(0.5)
        with pytest.raises(TimeoutError):
            ask(old)
        with connect("10.99.1.1") as new:
            assert b"STAT pid" in ask(new)


def test_nobody_is_at_the_address_of_the_cable(network):
    with network.client.entered(), pytest.raises(ConnectionRefusedError):
        connect(SERVER)


def test_healthy_servers_beside_one_that_swallows(network, three):
    network.swallow("to 10.99.1.1")
    with network.client.entered():
        exporter = Exporter(targets=three.addresses)
        try:
            begin = time.monotonic()
            got = exporter.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "10"})
            assert time.monotonic() - begin < 10
            assert [got.value("memcached_up", instance=address) for address in three.addresses] == ["0", "1", "1"]
            assert got.state(instance=three.addresses[0]) == "timeout"
            network.heal()
            got = exporter.exposition()
            assert got.value("memcached_up", instance=three.addresses[0]) == "1"
        finally:
            exporter.stop()
