"""The fleet that a real name server describes: it is followed when records change, and kept when the server is ill."""

import time

import pytest

from support.discovery import Source, await_answers, await_failures, await_fleet, await_source, config_file, errors, fleet
from support.knot import ZONE, Knot, Query
from support.process import free_port, wait_until

# Of its own, so that it does not meet the name server of another test.
NAME_SERVER = "127.0.0.78"

NAME = f"sessions.{ZONE}"
SERVICE = f"_memcached._tcp.{ZONE}"
KEPT = "discovery failed, the targets that it found before stay in use"
NOTHING = "discovery failed, it has found no targets so far"
WORKS = "discovery works again"

pytestmark = [
    pytest.mark.skipif(not Knot.may_run(NAME_SERVER), reason="port 53 is not free to use here"),
    pytest.mark.skipif(not Knot.may_mount(), reason="no resolv.conf can be mounted here"),
]


@pytest.fixture
def knot():
    server = Knot(NAME_SERVER)
    yield server
    server.close()


@pytest.fixture
def port():
    """That all servers of a test listen on: a name stands for addresses with one port."""
    return free_port()


@pytest.fixture
def nodes(memcached, port):
    """Three servers on addresses of their own."""
    return [memcached(host=f"127.0.5.{n}", port=port) for n in (1, 2, 3)]


def addresses(*hosts, name="sessions"):
    return [f"{name} {'AAAA' if ':' in host else 'A'} {host}" for host in hosts]


def up(*servers):
    return {server.address: 1 for server in servers}


def dns(name=NAME, kind="A", **more):
    return {"dns": {"name": name, "type": kind, "refresh": "1s", **more}}


def connections(server, kind="total"):
    return int(server.stats()["stats"][f"{kind}_connections"])


def test_addresses_are_followed(knot, exporter, nodes, port, tmp_path):
    """The server that stays keeps its connection; the one that goes is let go of."""
    alone = [connections(server, "curr") for server in nodes[:2]]
    knot.set(*addresses("127.0.5.1", "127.0.5.2"))
    group = dict(dns(port=port), labels={"team": "web", "service": "$meta_dns_name"})
    started = exporter(config_file(tmp_path, group), targets=None, wrapper=knot.wrapper)
    await_fleet(started, up(*nodes[:2]), team="web", service=NAME)
    before = connections(nodes[1])
    knot.set(*addresses("127.0.5.2", "127.0.5.3"))
    await_fleet(started, up(*nodes[1:]))
    assert connections(nodes[1]) == before
    assert started.exposition().value("memcached_exporter_discovery_targets", group="g0", kind="dns", source=NAME) == "2"
    knot.set(*addresses("127.0.5.3"))
    await_fleet(started, up(nodes[2]))
    source = Source(started)
    assert (source.targets, source.empty, source.failures) == (1, 0, 0)
    wait_until(lambda: [connections(server, "curr") for server in nodes[:2]] == alone, "their connections to be closed")


def test_a_short_name_is_looked_for_in_the_search_domains(knot, exporter, nodes, port, tmp_path):
    knot.set(*addresses("127.0.5.1"))
    started = exporter(config_file(tmp_path, dns("sessions", port=port)), targets=None, wrapper=knot.wrapper)
    await_fleet(started, up(nodes[0]))


def test_ipv6_addresses_come_and_go(knot, exporter, memcached, port, tmp_path):
    """A group of AAAA records takes no others; without any left it keeps what it had."""
    six, _ = memcached(host="::1", port=port), memcached(host="127.0.5.1", port=port)
    knot.set(*addresses("127.0.5.1"))
    started = exporter(config_file(tmp_path, dns(kind="AAAA", port=port)), targets=None, wrapper=knot.wrapper)
    source = await_failures(started, 1)
    assert (source.targets, source.empty, source.success) == (0, 1, 0)
    assert errors(started, NAME) == [(NOTHING, f"AAAA {NAME}: the name has no address")]
    assert fleet(started.exposition()) == {}
    knot.set(*addresses("127.0.5.1", "::1"))
    await_fleet(started, up(six))
    knot.set(*addresses("127.0.5.1"))
    source = await_failures(started, 1)
    assert (source.targets, source.empty) == (1, 1)
    assert fleet(started.exposition()) == up(six)


def test_services_are_followed(knot, exporter, memcached, tmp_path):
    """Each record is a target with a port of its own; its name is looked up where it is connected to."""
    servers = [memcached(host=f"127.0.5.{n}") for n in (1, 2, 3)]
    hosts = [f"node-{n} A 127.0.5.{n}" for n in (1, 2, 3)]

    def records(*chosen):
        return [f"_memcached._tcp SRV {n} 0 {servers[n - 1].port} node-{n}" for n in chosen]

    def names(*chosen):
        return {f"node-{n}.{ZONE}:{servers[n - 1].port}": 1 for n in chosen}

    knot.set(*hosts, *records(1, 2))
    group = dict(dns(SERVICE, "SRV"), labels={"node": "$meta_dns_srv_record_target", "port": "$meta_dns_srv_record_port"})
    started = exporter(config_file(tmp_path, group), targets=None, wrapper=knot.wrapper)
    await_fleet(started, names(1, 2))
    await_fleet(started, names(2), node=f"node-2.{ZONE}.", port=str(servers[1].port))
    knot.set(*hosts, *records(3, 2))
    await_fleet(started, names(2, 3))
    knot.set(*hosts, *records(3), f"_memcached._tcp SRV 0 0 {servers[0].port} node-3")
    await_fleet(started, {**names(3), f"node-3.{ZONE}:{servers[0].port}": 0})
    assert Source(started).failures == 0


def test_an_address_stands_for_all_records(knot, exporter, memcached, nodes, port):
    """Unlike a plain name, which sticks to one of its servers; the TTL of 1 s says when to ask again."""
    six = memcached(host="::1", port=port)
    service = [f"_memcached._tcp SRV 0 0 {port} node-3", "node-3 A 127.0.5.3"]
    knot.set(*addresses("127.0.5.1", "127.0.5.2"), *service, ttl=1)
    targets = [f"dns+{NAME}:{port}", f"dnssrv+{SERVICE}", f"{NAME}:{port}"]
    started = exporter(targets=targets, wrapper=knot.wrapper)
    plain = {f"node-3.{ZONE}:{port}": 1, f"{NAME}:{port}": 1}
    await_fleet(started, {**up(*nodes[:2]), **plain})
    before = [connections(server) for server in nodes[:2]]
    for _ in range(10):
        assert fleet(started.exposition()) == {**up(*nodes[:2]), **plain}
    assert [connections(server) for server in nodes[:2]] == before
    knot.set(*addresses("127.0.5.2", "::1"), *service, ttl=1)
    await_fleet(started, {**up(nodes[1], six), **plain})


def test_an_address_without_a_port(knot, exporter, memcached):
    server = memcached(host="127.0.5.1", port=11211)
    knot.set(*addresses("127.0.5.1"))
    started = exporter(targets=[f"dns+{NAME}"], wrapper=knot.wrapper)
    await_fleet(started, up(server))


def test_the_records_say_when_they_are_asked_for_again(knot, exporter, port):
    knot.set("long 600 A 127.0.5.1", "short 1 A 127.0.5.1")
    long, short = (f"{name}.{ZONE}" for name in ("long", "short"))
    started = exporter(targets=[f"dns+{long}:{port}", f"dns+{short}:{port}"], wrapper=knot.wrapper)

    def refreshes(name):
        return started.exposition().value("memcached_exporter_discovery_refreshes_total", group="", kind="dns", source=name)

    wait_until(lambda: refreshes(short) == "3", "the short one to be asked for again")
    assert refreshes(long) == "1"


def two_sources(port):
    """The same servers by both kinds of records, each kind in a group of its own."""
    return [dns(port=port), dns(SERVICE, "SRV")]


def records(port, *numbers):
    services = [f"_memcached._tcp SRV 0 0 {port} node-{n}" for n in numbers]
    return addresses(*(f"127.0.5.{n}" for n in numbers)) + services + NODES


NODES = [f"node-{n} A 127.0.5.{n}" for n in (1, 2, 3)]


def both(port, *numbers):
    return {name: 1 for n in numbers for name in (f"127.0.5.{n}:{port}", f"node-{n}.{ZONE}:{port}")}


# How it falls ill, what is said of it, and whether that is an answer without targets.
ILLNESSES = {
    "it is dead": (Knot.kill, "no name server could answer", "no name server could answer", 0),
    "it says SERVFAIL": (Knot.fail, "no name server could answer", "no name server could answer", 0),
    "it is silent": (Knot.pause, "the name servers do not answer", "the name servers do not answer", 0),
    "there is no such name": (lambda knot: knot.set(*NODES), "name not found", "name not found", 1),
    "there is no such record": (lambda knot: knot.set("sessions TXT a", "_memcached._tcp TXT a", *NODES),
                                "the name has no address", "the name has no SRV record", 1),
}


def recover(knot, *records):
    knot.resume()
    if not knot.process.running:
        knot.start()
    knot.set(*records)


def test_an_ill_server_changes_nothing(knot, exporter, nodes, port, tmp_path):
    """And when it is well again, what it says counts."""
    knot.set(*records(port, 1, 2))
    started = exporter(config_file(tmp_path, *two_sources(port)), targets=None, wrapper=knot.wrapper)
    await_fleet(started, both(port, 1, 2))
    told = {NAME: [], SERVICE: []}
    for what, (fall_ill, *whys, empty) in ILLNESSES.items():
        before = [Source(started, group) for group in ("g0", "g1")]
        fall_ill(knot)
        for n, (name, kind) in enumerate(((NAME, "A"), (SERVICE, "SRV"))):
            source = await_failures(started, 1, f"g{n}")
            assert (source.targets, source.empty) == (2, empty), what
            assert source.success >= before[n].success
            told[name] += [(KEPT, f"{kind} {name}: {whys[n]}"), (WORKS, "")]
            assert errors(started, name) == told[name][:-1], what
        assert fleet(started.exposition()) == both(port, 1, 2), what
        recover(knot, *records(port, 1, 2))
        for n in range(2):
            failed = Source(started, f"g{n}")
            await_source(started, lambda now: now.success > failed.success, f"its recovery: {what}", f"g{n}")
            assert Source(started, f"g{n}").empty == 0
    assert {name: errors(started, name) for name in told} == told
    knot.set(*records(port, 2, 3))
    await_fleet(started, both(port, 2, 3))


def test_a_slow_answer_is_an_answer(knot, exporter, nodes, port, tmp_path):
    """No scrape waits for it. Every question of 1 s falls into the silence, and is answered after it."""
    knot.set(*records(port, 1, 2))
    started = exporter(config_file(tmp_path, *two_sources(port)), targets=None, wrapper=knot.wrapper)
    await_fleet(started, both(port, 1, 2))
    before = [Source(started, group) for group in ("g0", "g1")]
    knot.pause()
    end, longest = time.monotonic() + 1.5, 0
    while time.monotonic() < end:
        start = time.monotonic()
        assert fleet(started.exposition()) == both(port, 1, 2)
        longest = max(longest, time.monotonic() - start)
        time.sleep(0.02)
    knot.resume()
    assert longest < 1
    for n in range(2):
        after = await_answers(started, 2, f"g{n}")
        assert after.failures == before[n].failures == 0


def test_it_stops_while_it_waits_for_an_answer(knot, exporter, nodes, port, tmp_path):
    knot.set(*records(port, 1, 2))
    started = exporter(config_file(tmp_path, *two_sources(port)), targets=None, wrapper=knot.wrapper)
    await_fleet(started, both(port, 1, 2))
    knot.pause()
    time.sleep(1)
    started.stop()


def test_it_starts_without_a_server(knot, exporter, nodes, port, tmp_path):
    """What is known is scraped; the rest comes when the name server does."""
    knot.set(*records(port, 2, 3))
    knot.kill()
    groups = two_sources(port)
    groups[0]["targets"] = [nodes[0].address]
    started = exporter(config_file(tmp_path, *groups), targets=None, wrapper=knot.wrapper)
    await_fleet(started, up(nodes[0]))
    source = await_failures(started, 1, "g1")
    assert (source.targets, source.success, source.empty) == (0, 0, 0)
    knot.start()
    await_fleet(started, {**both(port, 2, 3), **up(nodes[0])})


def test_three_hundred_records(knot, exporter, nodes, port, tmp_path):
    """They do not fit into a datagram, so the name server truncates and is asked by TCP."""
    hosts = [f"127.0.{5 + n // 250}.{n % 250 + 1}" for n in range(300)]
    services = [f"_memcached._tcp SRV 0 0 {port} node-{n}" for n in range(1, 301)]
    names = [f"node-{n} A {host}" for n, host in enumerate(hosts, 1)]
    knot.set(*addresses(*hosts), *services, *names)
    assert Query(NAME_SERVER, NAME, 1).truncated and Query(NAME_SERVER, SERVICE, 33).truncated
    started = exporter(config_file(tmp_path, *two_sources(port)), targets=None, wrapper=knot.wrapper)
    found = [f"{host}:{port}" for host in hosts] + [f"node-{n}.{ZONE}:{port}" for n in range(1, 301)]
    real = both(port, 1, 2, 3)
    await_fleet(started, {instance: real.get(instance, 0) for instance in found})
    assert [Source(started, group).targets for group in ("g0", "g1")] == [300, 300]


def test_a_server_that_is_named_twice_is_scraped_once(knot, exporter, nodes, port, tmp_path):
    """Once in each group, and the exporter says how often it was so."""
    knot.set(*addresses("127.0.5.1", "127.0.5.2"))
    group = dict(dns(port=port), targets=[nodes[0].address])
    started = exporter(config_file(tmp_path, group), targets=None, wrapper=knot.wrapper)
    await_fleet(started, up(*nodes[:2]))
    assert started.exposition().value("memcached_exporter_targets_dropped", reason="duplicate") == "1"
