"""
What users of the official exporter see after a swap: every series, value, type and order of labels, computed from the
table of its series for recorded servers; what its own acceptance tests look for; and that no number is lost.
"""

import contextlib
import itertools
import re
import time
from decimal import Decimal, InvalidOperation

import pytest

from support import http, official
from support.exposition import Exposition
from support.memcached import parse_stats
from support.openmetrics import OpenMetrics
from support.process import wait_until
from support.prometheus import Prometheus

RECORDED = ("d18", "d18x", "prox24", "prox33", "v1.4.5", "v1.4.15", "v1.4.22", "v1.4.25", "v1.4.33", "v1.4.39", "v1.5.22", "v1.6.0",
            "v1.6.24", "v1.6.33", "v45x", "auth18", "tls18", "tls45")
OFFICIAL_COMMANDS = ("stats", "settings", "items", "slabs")
MORE_COMMANDS = ("extstore", "proxy", "proxyfuncs", "proxybe")
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}

# Counters of the official exporter that OpenMetrics, where a counter's samples end in _total, cannot call counters under
# the same name; the decision for each.
OTHER_IN_OPENMETRICS = {
    "memcached_uptime_seconds": "unknown",
    "memcached_slab_items_moves_to_cold": "unknown",
    "memcached_slab_items_moves_to_warm": "unknown",
    "memcached_slab_items_moves_within_lru": "unknown",
    "memcached_slab_items_evicted_time_seconds": "gauge",
    "memcached_slab_mem_requested_bytes": "gauge",
    "memcached_extstore_bytes_used": "gauge",
}
# What else a help text says: the flag or the mode that a limit comes from.
LIMITS = {
    "memcached_connections_rejected_total": ("-c", "maxconns_fast"),
    "memcached_connections_yielded_total": ("-R",),
    "memcached_item_too_large_total": ("max-item-size",),
}


@pytest.fixture
def table(data):
    return official.read_table(data / "official-metrics.tsv")


def recorded(data, server, command):
    """A reply as it came from the server, or None."""
    file = data / "samples" / (f"{server}-stats.txt" if command == "stats" else f"{server}-stats-{command}.txt")
    return file.read_bytes() if file.exists() else None


def request(command):
    return command if command == "stats" else f"stats {command}"


def replies(data, server, commands=OFFICIAL_COMMANDS):
    """Those that were recorded one by one, or together in one file, behind the answer to a login."""
    together = [*(data / "samples").glob(f"{server}-*stats[+]settings.txt"), *(data / "samples").glob(f"{server}-pipelined-auth*")]
    if together:
        parts = together[0].read_bytes().removeprefix(b"STORED\r\n").split(b"END\r\n")
        return {command: part + b"END\r\n" for command, part in itertools.zip_longest(commands, parts[:-1], fillvalue=b"")}
    return {command: reply for command in commands if (reply := recorded(data, server, command)) is not None}


def serve(fake, by_command):
    return fake({request(command): reply for command, reply in by_command.items()})


def parsed(by_command):
    return {command: parse_stats(by_command.get(command, b"")) for command in OFFICIAL_COMMANDS}


def lines_of(text, names):
    return [line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in names]


# --- Recorded servers ---

@pytest.mark.parametrize("server", RECORDED)
def test_series_values_types_and_order_of_labels(exporter, fake, data, table, server):
    by_command = replies(data, server)
    text = exporter(targets=[serve(fake, by_command).address]).get("/metrics").text
    got, stats = Exposition(text), parsed(by_command)
    expected, types = official.series(table, stats), official.types(table, stats)
    assert len(expected) > 40
    assert {key: Decimal(got.samples[key]) for key in expected if key in got.samples} == expected
    shown = {name for name, _ in expected}
    assert {name: got.types[name] for name in shown} == {name: types[name] for name in shown}
    labelled = [re.findall(r'[{,](\w+)="', line) for line in lines_of(text, shown)]
    assert (labelled or "items" not in by_command) and all(names == sorted(names) for names in labelled)


def test_help_names_the_stat_and_the_flag(exporter, fake, data, table):
    helps = {}
    for server in RECORDED:
        helps.update(exporter(targets=[serve(fake, replies(data, server)).address]).exposition().helps)
    for row in table:
        if row["metric"] in helps and row["stats command"] != "-":
            stat = row["stat"].split(" - ")[0].split("N:")[-1]
            family = [other["stat"] for other in table if other["metric"] == row["metric"]]
            assert len(family) > 1 or stat in helps[row["metric"]], (row["metric"], helps[row["metric"]])
    for name, words in LIMITS.items():
        assert all(word in helps[name] for word in words), helps[name]


# --- No number is lost ---

def numbered(by_command):
    """The replies with each number replaced by one that is there once; and {that number: (command, key)}. What is stored
    is much more than what is taken off it."""
    places = {}

    def replace(command):
        def number(match):
            key = match.group(1).decode()
            value = (30000000 + 7 * len(places)) * (1000 if key.endswith("cmd_set") else 1)
            places[value] = command, key
            return b"STAT %s %d" % (match.group(1), value)
        return number

    replaced = {command: re.sub(rb"^STAT (?!version |libevent )(\S+) \d+(?:\.\d+)?(?=\r)", replace(command), reply, flags=re.M)
                for command, reply in by_command.items()}
    return replaced, places


def shown_numbers(exposition):
    """In values, and in labels, as which octal settings are told."""
    labels = [value for _, pairs in exposition.samples for _, value in pairs]
    for value in [*exposition.samples.values(), *labels]:
        with contextlib.suppress(InvalidOperation):
            yield Decimal(value)


@pytest.mark.parametrize("server", RECORDED)
def test_every_number_is_found_in_a_sample(exporter, fake, data, table, server):
    """As it is, or in seconds and bytes where the server counts in microseconds and KiB."""
    by_command, places = numbered(replies(data, server, OFFICIAL_COMMANDS + MORE_COMMANDS))
    assert len(places) > 80
    flags = [f"--collector.{command}" for command in MORE_COMMANDS]
    got = exporter(*flags, targets=[serve(fake, by_command).address]).exposition()
    expected = official.series(table, parsed(by_command))
    assert {key: Decimal(got.samples[key]) for key in expected if key in got.samples} == expected
    shown = set(shown_numbers(got))
    # Two stats say how many connections there may be; the official exporter shows the one of the settings.
    said_twice = {("stats", "max_connections")} if ("settings", "maxconns") in places.values() else set()
    lost = {place for value, place in places.items()
            if not {Decimal(value), Decimal(value) / 1000000, Decimal(value) * 1024} & shown}
    assert {place for place in lost - said_twice if not place[1].endswith("cmd_set")} == set()


@pytest.mark.parametrize("server", [server for server in RECORDED if server not in ("prox24", "prox33", "auth18", "tls18", "tls45")])
def test_every_number_of_prefixes_is_found(exporter, fake, data, server):
    values = iter(range(70000000, 80000000, 7))
    numbers = []

    def number(match):
        numbers.append(next(values))
        return b" %s %d" % (match.group(1), numbers[-1])
    dump = re.sub(rb" (get|hit|set|del) \d+", number, recorded(data, server, "detail-dump"))
    server = serve(fake, {"detail dump": dump})
    shown = set(shown_numbers(exporter("--collector.detail", targets=[server.address]).exposition()))
    assert {number for number in numbers if Decimal(number) not in shown} == set()


@pytest.mark.parametrize("server", ["d18x", "v1.4.5", "v1.4.15", "v1.4.22", "v1.4.25", "v45x"])
def test_every_number_of_sizes_is_found(exporter, fake, data, server):
    """As what a bucket has beyond the one below it. The version of a server that may be asked stands in for old ones."""
    values = iter(range(1000, 1000000, 7))
    counts = {}

    def number(match):
        counts[int(match.group(1))] = next(values)
        return b"STAT %s %d" % (match.group(1), counts[int(match.group(1))])
    sizes = re.sub(rb"STAT (\d+) \d+", number, recorded(data, server, "sizes"))
    got = exporter("--collector.sizes", targets=[serve(fake, {"sizes": sizes}).address]).exposition()
    below, found = 0, {}
    for labels, value in sorted(got.find("memcached_item_size_bytes_bucket"), key=lambda bucket: float(bucket[0]["le"])):
        found[float(labels["le"])] = int(value) - below
        below = int(value)
    assert counts and found == {**{float(size): count for size, count in counts.items()}, float("inf"): 0}


@pytest.mark.parametrize("server", ["d18", "d18x", "udp18", "unix18", "prox24", "prox33", "v1.5.22", "v1.6.0", "v1.6.24",
                                    "v1.6.33", "v45x"])
def test_every_number_of_connections_counts(exporter, fake, data, server):
    """How long a client is idle decides on its bucket. Sockets that listen and those of UDP are in none."""
    idle = {}

    def number(match):
        idle[match.group(1)] = 2 * len(idle)
        return b"STAT %s:secs_since_last_cmd %d" % (match.group(1), idle[match.group(1)])
    reply = re.sub(rb"STAT (\d+):secs_since_last_cmd \d+", number, recorded(data, server, "conns"))
    connections = {}
    for connection, key, value in re.findall(rb"STAT (\d+):(\w+) ([^\r]*)", reply):
        connections.setdefault(connection, {})[key] = value
    clients = [idle[connection] for connection, told in connections.items()
               if told[b"state"] != b"conn_listening" and not told[b"addr"].startswith(b"udp")]
    got = exporter("--collector.conns", targets=[serve(fake, {"conns": reply}).address]).exposition()
    buckets = {labels["le"]: int(value) for labels, value in got.find("memcached_connection_idle_seconds_bucket")}
    assert clients and buckets == {le: sum(seconds <= float(le) for seconds in clients) for le in buckets}
    assert sum(int(value) for _, value in got.find("memcached_connections_by_state")) == len(connections)


# --- Its acceptance tests, with a real memcached ---

CONTAINED = """
memcached_current_connections |memcached_up 1|memcached_commands_total{command="get",status="hit"} 2
memcached_commands_total{command="get",status="miss"} 1|memcached_commands_total{command="set",status="hit"} 3
memcached_commands_total{command="cas",status="hit"} 1|memcached_current_bytes 262|memcached_max_connections 1024
memcached_current_items 2|memcached_items_total 4
memcached_slab_current_items{slab="1"} 1|memcached_slab_current_items{slab="5"} 1
memcached_slab_commands_total{command="set",slab="1",status="hit"} 2
memcached_slab_commands_total{command="cas",slab="1",status="hit"} 1
memcached_slab_commands_total{command="set",slab="5",status="hit"} 1
memcached_slab_commands_total{command="cas",slab="5",status="hit"} 0
memcached_slab_current_chunks{slab="1"} 10922|memcached_slab_current_chunks{slab="5"} 4369
memcached_slab_mem_requested_bytes{slab="1"} 68|memcached_slab_mem_requested_bytes{slab="5"} 194
memcached_slab_lru_hits_total{lru="temporary",slab="1"}|memcached_slab_lru_hits_total{lru="temporary",slab="5"}
memcached_slab_temporary_items{slab="1"}|memcached_slab_temporary_items{slab="5"}
"""
BY_CLASS = ('lru_hits_total{lru="hot",slab="N"}', 'lru_hits_total{lru="cold",slab="N"}', 'lru_hits_total{lru="warm",slab="N"}',
            'hot_items{slab="N"}', 'warm_items{slab="N"}', 'cold_items{slab="N"}', 'hot_age_seconds{slab="N"}',
            'warm_age_seconds{slab="N"}')


def warm_up(client):
    client.ask(b"stats reset\r\n")
    for _ in range(2):
        client.ask(b"set foo 0 0 3\r\nbar\r\n")
    client.ask(b"get foo\r\n", b"END\r\n")
    client.ask(b"get qux\r\n", b"END\r\n")
    unique = client.ask(b"gets foo\r\n", b"END\r\n").split()[4]
    assert client.ask(b"cas foo 0 0 6 %s\r\nbanana\r\n" % unique) == b"STORED\r\n"
    client.ask(b"set large 0 0 130\r\n%s\r\n" % (b"." * 130))


@pytest.mark.parametrize("by_url", [False, True], ids=["single instance", "scraper"])
def test_acceptance(exporter, memcached, by_url):
    server = memcached("-o", "temporary_ttl=60")
    started = exporter(targets=None if by_url else [server.address], *(["--memcached.address", ""] if by_url else []))
    assert started.get("/").status == 200
    warm_up(server.client)
    body = started.get(f"/scrape?target={server.address}" if by_url else "/metrics").text
    wanted = [part for line in CONTAINED.splitlines() for part in line.split("|")]
    wanted += ["memcached_slab_" + part.replace("N", slab) for slab in "15" for part in BY_CLASS]
    assert [part for part in wanted if part not in body] == []


def test_acceptance_of_a_scrape_without_a_target(exporter):
    assert exporter().get("/scrape").status == 400


# --- Types, as those who store by type see them ---

def opentelemetry(kind):
    """What the Prometheus receiver of OpenTelemetry makes of a type."""
    return {"counter": "monotonic sum", "histogram": "histogram", "summary": "summary"}.get(kind, "gauge")


def test_types_in_openmetrics(exporter, fake, data, table):
    """Each family keeps its type, or is decided upon above; OpenTelemetry makes the same of all others."""
    types = official.types(table)
    for server in RECORDED:
        started = exporter(targets=[serve(fake, replies(data, server)).address])
        strict = OpenMetrics(started.get("/metrics", OPENMETRICS).body)
        kinds = {name: family.type for family in strict.families.values() for name in family.names()}
        for name in types.keys() & kinds.keys():
            kind = "gauge" if kinds[name] == "info" else kinds[name]
            assert kind == OTHER_IN_OPENMETRICS.get(name, types[name]), name
            assert name in OTHER_IN_OPENMETRICS or opentelemetry(kind) == opentelemetry(types[name])
        started.stop()


def test_types_that_prometheus_stores(exporter, memcached, table, tmp_path):
    server = memcached()
    server.traffic()
    where = "%s:%d" % exporter(targets=[server.address]).where
    prometheus = Prometheus(tmp_path, "scrape_configs: [{job_name: a, scrape_interval: 1s, static_configs: "
                                      f"[{{targets: ['{where}']}}]}}]")
    try:
        wait_until(lambda: prometheus.query("memcached_up"), "a scrape")
        stored = prometheus.metadata()
        seen = 0
        for name, kind in official.types(table).items():
            told = stored.get(name) or stored.get(name.removesuffix("_total")) or stored.get(name.removesuffix("_info"))
            if told and prometheus.query(name):
                seen += 1
                assert told[0]["type"] in (OTHER_IN_OPENMETRICS.get(name, kind), "info"), name
        assert seen > 60
    finally:
        prometheus.stop()


# --- Probes ---

def test_probes_of_kubelets_cost_memcached_nothing(exporter, memcached):
    """Counters of the server itself; what a connection of the test adds, `stats` does not count as a command of clients."""
    server = memcached()
    started = exporter("--memcached.idle-timeout=0", targets=[server.address])
    server.traffic()
    names = ("total_connections", "bytes_read", "curr_connections", "cmd_meta", "get_hits")
    server.stats()  # the connection of the test is there
    first = server.stats()["stats"]
    second = server.stats()["stats"]
    own = {name: int(second[name]) - int(first[name]) for name in names}
    for _ in range(100):
        for path in ("/metrics", "/"):
            assert started.get(path, {"User-Agent": "kube-probe/1.29"}).status == 200
    third = server.stats()["stats"]
    assert {name: int(third[name]) - int(second[name]) for name in names} == own
    assert started.exposition().value("memcached_exporter_kubelet_probes_total") == "100"
    assert int(server.stats()["stats"]["total_connections"]) == int(third["total_connections"]) + 1


def test_the_page_for_probes_is_cheap_with_ten_thousand_servers(exporter):
    """Of many answers the fastest, as the machine may be busy; none of them waits for servers, which all are dead."""
    targets = [",".join(f"127.1.{high}.{low}:1" for low in range(250)) for high in range(40)]
    started = exporter(targets=targets, release=True)
    assert http.get(started.where, "/", headers={"User-Agent": "kube-probe/1.29"}).status == 200
    seconds = []
    for _ in range(40):
        before = time.monotonic()
        assert started.get("/").status == 200
        seconds.append(time.monotonic() - before)
    assert min(seconds) < 0.05, seconds
