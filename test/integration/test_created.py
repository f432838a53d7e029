"""Since when the counters of a server count: in protobuf always, in OpenMetrics as lines _created if somebody asks."""

import re
import socket
import struct

import pytest

from support.fake import PLAIN
from support.openmetrics import OpenMetrics
from support.process import wait_until

OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}
PROTOBUF = {"Accept": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}


def read(running, path="/metrics?created=true"):
    """{(name, labels): seconds} of all lines _created, in an answer that the strict reader takes."""
    answer = running.get(path, OPENMETRICS)
    assert answer.status == 200, answer
    found = OpenMetrics(answer.body)
    return {key: float(value) for key, value in found.samples.items()
            if key[0].endswith("_created") and not key[0].startswith("memcached_exporter")
            and not key[0].startswith("memcached_target")}, found


def command(server, text):
    with socket.create_connection(("127.0.0.1", server.port), 10) as client:
        client.sendall(text)
        return client.recv(65536)


def start_of(server):
    stats = dict(re.findall(rb"STAT (\w+) (\d+)\r", command(server, b"stats\r\n")))
    return int(stats[b"time"]) - int(stats[b"uptime"])


def test_lines_of_a_real_server(exporter, memcached):
    servers = [memcached(), memcached()]
    servers[0].traffic()
    running = exporter(targets=[server.address for server in servers])
    created, found = read(running)
    starts = {server.address: start_of(server) for server in servers}
    assert {dict(labels)["instance"]: seconds for (_, labels), seconds in created.items()} == starts
    counters = {(name, labels) for name, labels in found.samples if name.endswith("_total")
                and not name.startswith(("memcached_exporter", "memcached_target", "process"))}
    assert {(name.replace("_created", "_total"), labels) for name, labels in created} == counters
    assert ("memcached_commands_created", frozenset({("instance", servers[0].address), ("command", "get"),
                                                     ("status", "hit")})) in created


@pytest.mark.parametrize("flags, path, expected", [
    ((), "/metrics", False), ((), "/metrics?created=false", False), ((), "/metrics?created=true", True),
    (("--web.created-lines",), "/metrics", True), (("--web.created-lines",), "/metrics?created=false", False),
])
def test_only_if_asked_for(exporter, memcached, flags, path, expected):
    running = exporter(*flags, targets=[memcached().address])
    assert bool(read(running, path)[0]) == expected
    assert b"memcached_commands_created" not in running.get(path).body  # 0.0.4 has no such lines


def test_neither_true_nor_false(exporter):
    answer = exporter().get("/metrics?created=maybe")
    assert answer.status == 400 and b'created "maybe": expected true or false' in answer.body


def test_a_reset_ends_it_until_the_server_is_restarted(exporter, memcached):
    server = memcached()
    server.traffic()
    running = exporter("--memcached.idle-timeout=0", targets=[server.address])
    assert read(running)[0]
    assert command(server, b"stats reset\r\n") == b"RESET\r\n"
    assert not read(running)[0]
    server.traffic()
    wait_until(lambda: float(running.exposition().value("memcached_uptime_seconds")) > 5, "some uptime")
    assert not read(running)[0]
    server.kill()
    wait_until(lambda: running.exposition().value("memcached_up") == "0", "the end of the server")
    server.start()
    wait_until(lambda: read(running)[0], "its new start")
    assert set(read(running)[0].values()) == {start_of(server)}


def fields(data):
    """[(number, value)] of a protobuf message; varints as numbers, the rest as bytes."""
    at, found = 0, []

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        else:
            size = varint() if key & 7 == 2 else 8
            found.append((key >> 3, data[at:at + size]))
            at += size
    return found


def test_protobuf(exporter, memcached):
    server = memcached()
    server.traffic()
    running = exporter(targets=[server.address])
    body = running.get("/metrics", PROTOBUF).body
    starts = {}
    while body:
        size = shift = used = 0
        while True:
            byte = body[used]
            size |= (byte & 127) << shift
            shift, used = shift + 7, used + 1
            if byte < 128:
                break
        family, body = fields(body[used:used + size]), body[used + size:]
        name = dict(family)[1].decode()
        for metric in (fields(value) for number, value in family if number == 4):
            for counter in (fields(value) for number, value in metric if number == 3):
                values = dict(counter)
                struct.unpack("<d", values[1])
                starts.setdefault(name, set()).add(dict(fields(values[3]))[1] if 3 in values else None)
    of_server = {name: found for name, found in starts.items() if not name.startswith(("memcached_exporter", "memcached_target", "process"))}
    assert len(of_server) > 20
    # Counters by name alone, which may fall, count since nothing.
    assert {name: found for name, found in of_server.items() if found != {start_of(server)}} == {
        "memcached_slab_items_evicted_time_seconds": {None}, "memcached_slab_mem_requested_bytes": {None}}
    assert all(found == {None} for name, found in starts.items() if name.startswith("memcached_exporter"))


def test_a_server_without_a_clock(exporter, fake):
    """A proxy, for example."""
    server = fake()
    assert b"STAT time" not in PLAIN["stats"]
    running = exporter(targets=[server.address])
    assert not read(running)[0]
