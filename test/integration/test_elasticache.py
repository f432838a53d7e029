"""The fleet that a configuration endpoint describes: what it may answer, and what becomes of the fleet then."""

import time

import pytest

from support.discovery import Source, await_failures, await_fleet, await_source, config_file, errors, fleet
from support.fake import Connection
from support.process import wait_until

ASKED, ASKED_BEFORE_1_4_14 = "config get cluster", "get AmazonElastiCache:cluster"
KEPT = "discovery failed, the targets that it found before stay in use"
NOTHING = "discovery failed, it has found no targets so far"
WORKS = "discovery works again"
EXPECTED = 'expected a configuration endpoint\'s "CONFIG cluster 0 LENGTH", found '


def payload(version, *nodes, end="\n"):
    return f"{version}{end}{' '.join(nodes)}{end}".encode()


def configuration(version, *nodes):
    """As the servers of the service say it: lines of two kinds of ends."""
    text = payload(version, *nodes)
    return b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(text), text)


def node(server, name="node.cache"):
    return f"{name}|{server.host}|{server.port}"


def up(*servers):
    return {server.address: 1 for server in servers}


def elasticache(endpoint, **more):
    return {"elasticache": {"endpoint": getattr(endpoint, "address", endpoint), "refresh": "1s"}, **more}


@pytest.fixture
def nodes(memcached):
    """Three servers on addresses of their own."""
    return [memcached(host=f"127.0.6.{n}") for n in (1, 2, 3)]


class Endpoint:
    """A configuration endpoint that says what the test tells it to, by turns."""

    def __init__(self, fake, first):
        self.script = None
        self.says(first)
        self.server = fake(script=lambda connection: self.script(connection))
        self.address = self.server.address

    def says(self, reply):
        self.script = lambda connection: connection.serve({ASKED: reply})

    def has_version(self, version, *nodes):
        self.says(configuration(version, *nodes))


@pytest.fixture
def endpoint(fake):
    return lambda first=b"": Endpoint(fake, first)


def test_nodes_are_followed(exporter, endpoint, nodes, tmp_path):
    """By their addresses, so that no name is looked up; the server that stays keeps its connection."""
    it = endpoint(configuration(1, node(nodes[0]), node(nodes[1])))
    labels = {"host": "$meta_elasticache_host", "nodes_of": "$meta_elasticache_version"}
    started = exporter(config_file(tmp_path, elasticache(it, labels=labels)), targets=None)
    await_fleet(started, up(*nodes[:2]), host="node.cache", nodes_of="1")
    before = nodes[1].stats()["stats"]["total_connections"]
    it.has_version(2, node(nodes[1]), node(nodes[2]))
    await_fleet(started, up(*nodes[1:]), nodes_of="2")
    assert nodes[1].stats()["stats"]["total_connections"] == before
    it.has_version(3, node(nodes[2]))
    await_fleet(started, up(nodes[2]), nodes_of="3")
    source = Source(started)
    assert (source.targets, source.empty, source.failures) == (1, 0, 0)
    assert set(it.server.requests) == {ASKED}


def test_nodes_are_judged_by_the_target_policy(exporter, endpoint, nodes, tmp_path):
    told = endpoint(configuration(1, node(nodes[0]), "meta|169.254.169.254|80", "public|8.8.8.8|11211"))
    started = exporter(config_file(tmp_path, elasticache(told)), targets=None)
    await_fleet(started, up(nodes[0]))
    assert started.exposition().value("memcached_exporter_targets_dropped", reason="policy") == "2"
    assert "target policy forbids" in started.process.stderr


def test_replies_as_servers_have_them(exporter, fake, nodes, tmp_path):
    """The lengths are those of two lines, or of all up to END, the ends of lines of any kind."""
    text, crlf = payload(4, node(nodes[0]), node(nodes[1])), payload(4, node(nodes[0]), node(nodes[1]), end="\r\n")
    replies = {
        "two kinds of ends": b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(text), text),
        "CRLF": b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(crlf), crlf),
        "LF": b"CONFIG cluster 0 %d\n%s\nEND\n" % (len(text), text),
        "no empty line": b"CONFIG cluster 0 %d\r\n%sEND\r\n" % (len(text), text),
        "a counted empty line": b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(text) + 2, text),
        "a line without its end": b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(text) - 1, text[:-1]),
        "other blanks": b"CONFIG cluster 0 %d\r\n%s\r\nEND\r\n" % (len(text) + 2, text[:-1] + b"  \n"),
    }
    whole = [fake({ASKED: reply}) for reply in replies.values()]
    byte_by_byte = [fake(script=lambda it, reply=reply: (it.line(), it.send_slowly(reply), it.wait_for_end()))
                    for reply in replies.values()]
    groups = [elasticache(each, labels={"reply": str(n)}) for n, each in enumerate(whole + byte_by_byte)]
    started = exporter(config_file(tmp_path, *groups), targets=None)
    for n, name in enumerate([*replies, *replies]):
        source = await_source(started, lambda now: now.refreshes >= 1, name, f"g{n}")
        assert (source.targets, source.failures) == (2, 0), (name, started.process.stderr)
        await_fleet(started, up(*nodes[:2]), reply=str(n))


def test_other_endpoints(exporter, fake, memcached, nodes, tmp_path):
    """One that knows only the old command, one by its name and with a node by its name, one whose node has none."""
    local = memcached()
    old = fake({ASKED_BEFORE_1_4_14: configuration(7, node(nodes[0])).replace(b"CONFIG c", b"VALUE AmazonElastiCache:c")})
    named = fake({ASKED: configuration(7, f"localhost||{local.port}")})
    nameless = fake({ASKED: configuration(7, f"|{nodes[2].host}|{nodes[2].port}")})
    groups = [elasticache(old), elasticache(f"localhost:{named.port}"), elasticache(nameless)]
    started = exporter(config_file(tmp_path, *groups), targets=None)
    await_fleet(started, {**up(nodes[0], nodes[2]), f"localhost:{local.port}": 1})
    assert old.requests[:2] == [ASKED, ASKED_BEFORE_1_4_14]
    assert [Source(started, f"g{n}").failures for n in range(3)] == [0, 0, 0]


def test_older_versions_wait(exporter, endpoint, nodes, tmp_path):
    """The answer of a node that lags behind is not taken; when all others are gone for three intervals, it is the cluster's."""
    it = endpoint(configuration(12, node(nodes[0]), node(nodes[1])))
    started = exporter(config_file(tmp_path, elasticache(it)), targets=None)
    await_fleet(started, up(*nodes[:2]))
    it.has_version(11, node(nodes[2]))
    source = await_failures(started, 1)
    assert (source.targets, source.empty) == (2, 0)
    assert errors(started, it.address) == [
        (KEPT, f"{it.address}: expected version 12 of the configuration or a later one, found 11")]
    it.has_version(12, node(nodes[1]))
    await_fleet(started, up(nodes[1]))
    it.has_version(2, node(nodes[2]))
    start = time.monotonic()
    await_fleet(started, up(nodes[2]))
    assert time.monotonic() - start > 3
    it.has_version(3, node(nodes[0]))
    await_fleet(started, up(nodes[0]))
    assert errors(started, it.address)[1:] == [
        (WORKS, ""), (KEPT, f"{it.address}: expected version 12 of the configuration or a later one, found 2"), (WORKS, "")]


def test_a_list_that_shrinks_to_nothing_is_kept(exporter, endpoint, nodes, tmp_path):
    """And told by a metric, until there are nodes again. Whose first list is empty has no targets."""
    it, never = endpoint(configuration(1, node(nodes[0]), node(nodes[1]))), endpoint(configuration(1))
    started = exporter(config_file(tmp_path, elasticache(it), elasticache(never)), targets=None)
    await_fleet(started, up(*nodes[:2]))
    before = Source(started)
    assert before.empty == 0
    it.has_version(2)
    source = await_failures(started)
    assert (source.targets, source.empty) == (2, 1)
    assert source.success < time.time() - 0.5
    assert errors(started, it.address) == [(KEPT, "the answer names no target")]
    assert fleet(started.exposition()) == up(*nodes[:2])
    it.has_version(3, node(nodes[1]))
    await_fleet(started, up(nodes[1]))
    source = Source(started)
    assert (source.targets, source.empty) == (1, 0) and source.success > before.success
    source = Source(started, "g1")
    assert (source.targets, source.empty, source.success) == (0, 1, 0)


def hang(connection):
    connection.line()
    connection.wait_for_end()


def answer_in_part(connection):
    connection.line()
    connection.send(b"CONFIG clus")


def say(reply):
    """A script that says this and hangs up when the exporter does."""
    def script(connection):
        connection.line()
        connection.send(reply)
        connection.wait_for_end()

    return script


NODE = "a|127.0.0.1|11211"
BAD = {
    "HTTP": (say(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), EXPECTED + '"HTTP/1.1 400 Bad Request"'),
    "a plain memcached": (lambda connection: connection.serve({}),
                          'expected a configuration endpoint, found a server without "config get cluster"'),
    "no configuration": (say(b"END\r\n"), 'the server has no cluster configuration, found "END"'),
    "hangs": (hang, "no answer within 5000 ms, while its reply was read"),
    "hangs within": (say(configuration(2, NODE)[:-8]), "no answer within 5000 ms, while its reply was read"),
    "closes": (Connection.line, "the connection ended without a reply"),
    "closes within": (answer_in_part, "the connection ended within the reply"),
    "resets": (lambda connection: (connection.line(), connection.reset()), "connection reset by peer"),
    "rubbish": (say(b"\0\xff\n"), EXPECTED + '"\\u0000\ufffd"'),
    "endless": (say(b"x" * 100000), EXPECTED + '"' + "x" * 80 + '"'),
    "huge": (say(b"CONFIG cluster 0 99999999999\r\n1\n"),
             'expected a configuration of at most 64 KiB, found "CONFIG cluster 0 99999999999"'),
    "no version": (say(configuration("x", NODE)), 'expected the version of the configuration, a number, found "x"'),
    "a bad node": (say(configuration(2, NODE, "b|127.0.0.1|0")), 'expected nodes as host|ip|port, found "b|127.0.0.1|0"'),
    "too long": (say(configuration(2, NODE)[:-5] + b"MORE\r\n"), 'expected END behind the nodes, found "MORE"'),
}


def test_bad_endpoints_change_nothing(exporter, endpoint, nodes, tmp_path):
    """Each answers well at first, then as its name says, then well again; all at the same time."""
    all_of_them = {name: endpoint(configuration(1, node(nodes[0]))) for name in BAD}
    groups = [elasticache(it, labels={"n": str(n)}) for n, it in enumerate(all_of_them.values())]
    started = exporter(config_file(tmp_path, *groups), targets=None)
    for n in range(len(BAD)):
        await_fleet(started, up(nodes[0]), n=str(n))
    for name, it in all_of_them.items():
        it.script = BAD[name][0]
    for n, (name, it) in enumerate(all_of_them.items()):
        source = await_source(started, lambda now: now.failures, f"its failure: {name}", f"g{n}")
        assert (source.targets, source.empty) == (1, 0), name
        assert errors(started, it.address) == [(KEPT, f"{it.address}: {BAD[name][1]}")], name
        assert fleet(started.exposition(), n=str(n)) == up(nodes[0])
        it.has_version(2, node(nodes[1]))
    for n in range(len(BAD)):
        await_fleet(started, up(nodes[1]), n=str(n))


def test_a_memcached_is_no_endpoint(exporter, memcached, dead_address, nodes, tmp_path):
    """Nor is nobody; what else is known is scraped from the beginning."""
    wrong = memcached()
    groups = [elasticache(wrong, targets=[nodes[0].address]), elasticache(dead_address)]
    started = exporter(config_file(tmp_path, *groups), targets=None)
    await_fleet(started, up(nodes[0]))
    for group in ("g0", "g1"):
        source = await_failures(started, 1, group)
        assert (source.targets, source.success) == (0, 0)
    assert errors(started, wrong.address) == [(NOTHING, f'{wrong.address}: the server has no cluster configuration, found "END"')]
    assert errors(started, dead_address) == [(NOTHING, f"{dead_address}: connection refused")]


def test_a_silent_endpoint_holds_up_nothing(exporter, endpoint, nodes, tmp_path):
    """No scrape, and no end."""
    it = endpoint(configuration(1, node(nodes[0])))
    started = exporter(config_file(tmp_path, elasticache(it), {"targets": [nodes[1].address]}), targets=None)
    await_fleet(started, up(*nodes[:2]))
    it.script = hang
    asked = len(it.server.requests)
    wait_until(lambda: len(it.server.requests) > asked, "the next question")
    start = time.monotonic()
    assert fleet(started.exposition()) == up(*nodes[:2])
    assert time.monotonic() - start < 1
    started.stop()
