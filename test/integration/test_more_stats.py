"""The stats commands that are off unless asked for, against real servers that keep such stats."""

import collections
import threading
import time

import pytest

from support.exposition import Exposition
from support.fake import PLAIN, reply
from support.openmetrics import OpenMetrics
from support.process import wait_until

OFF = ("sizes", "conns", "detail", "extstore", "proxy", "proxyfuncs", "proxybe")
WHOLE = [f"--collector.{name}" for name in OFF]

# Words that the exporter must never say, whatever is enabled.
NEVER = ("reset", "detail on", "detail off", "sizes_enable", "sizes_disable", "cachedump", "flush_all")


def success(exposition):
    return {labels["collector"]: value for labels, value in exposition.find("memcached_target_collector_success")}


def buckets(exposition, family):
    """{bound: count of that bucket alone}, of those that are not empty, and the count of all."""
    rows = sorted((float(labels["le"]), int(value)) for labels, value in exposition.find(family + "_bucket"))
    alone = {bound: count - before for (bound, count), before in zip(rows, [0, *(count for _, count in rows)])}
    return {bound: count for bound, count in alone.items() if count}, rows[-1][1]


def well_formed(running):
    """Whatever the text says, OpenMetrics says it too, and is strictly well-formed."""
    answer = running.get("/metrics", {"Accept": "application/openmetrics-text"})
    assert set(Exposition(running.get("/metrics").body).samples) == OpenMetrics(answer.body).series()


# Off, on, and for one request

def test_all_are_off(exporter, fake):
    server = fake()
    running = exporter(targets=[server.address])
    assert set(success(running.exposition())) == {"stats", "settings", "items", "slabs"}
    assert server.requests == ["stats", "stats settings", "stats items", "stats slabs"]
    for name in OFF:
        assert running.get("/metrics?collect[]=" + name).status == 400


@pytest.mark.parametrize("name", sorted(set(OFF) - {"detail", "extstore"}))
def test_each_is_asked_when_enabled(exporter, fake, name):
    server = fake()
    running = exporter(f"--collector.{name}", targets=[server.address])
    told = success(running.exposition())
    assert told == {"stats": "1", "settings": "1", "items": "1", "slabs": "1", name: "0"}  # the script knows none of them
    assert server.requests[-1] == f"stats {name}"
    assert running.exposition().value("memcached_up") == "1"


def test_each_can_be_asked_for_alone(exporter, fake):
    server = fake()
    running = exporter(*WHOLE, targets=[server.address])
    running.exposition("/metrics?collect[]=conns")
    assert server.requests == ["stats", "stats conns"]


def test_nothing_that_changes_the_server_is_ever_sent(exporter, fake):
    server = fake({"stats": PLAIN["stats"][:-5] + b"STAT extstore_limit_maxbytes 1\r\nEND\r\n"})
    running = exporter(*WHOLE, targets=[server.address])
    for _ in range(2):
        running.exposition()
    assert {line for line in server.requests} == {
        "stats", "stats settings", "stats items", "stats slabs", "stats sizes", "stats conns", "stats detail dump",
        "stats extstore", "stats proxy", "stats proxyfuncs", "stats proxybe"}
    assert not [line for line in server.requests if any(word in line for word in NEVER)]


@pytest.mark.parametrize("version, asked", [("1.4.26", False), ("1.4.27", True), ("1.5.0", True), ("1.6.40", True), ("1.2.8", False)])
def test_sizes_only_where_they_are_cheap(exporter, fake, version, asked):
    """Before 1.4.27 the server walks its whole cache under a lock to answer."""
    server = fake({"stats": reply(f"version {version}", "curr_items 5")})
    got = exporter("--collector.sizes", targets=[server.address]).exposition()
    assert ("stats sizes" in server.requests) == asked
    assert ("sizes" in success(got)) == asked
    assert got.value("memcached_up") == "1"


@pytest.mark.parametrize("has", [True, False])
def test_extstore_only_where_there_is_one(exporter, fake, has):
    """From 1.5.4 to 1.6.9 a server without one dies of the question."""
    lines = ["version 1.6.9", *(["extstore_limit_maxbytes 67108864"] if has else [])]
    server = fake({"stats": reply(*lines)})
    running = exporter("--collector.extstore", targets=[server.address])
    for _ in range(2):
        running.exposition()
    assert server.count("stats extstore") == (2 if has else 0)
    assert ("extstore" in success(running.exposition())) == has


def test_extstore_is_not_asked_of_another_server_behind_the_same_address(exporter, fake):
    """What one connection said does not hold for the next one."""
    first = fake({"stats": reply("version 1.6.9", "extstore_limit_maxbytes 67108864")})
    running = exporter("--collector.extstore", "--memcached.timeout=500ms", targets=[first.address])
    running.exposition()
    assert first.count("stats extstore") == 1
    first.close()
    second = fake({"stats": reply("version 1.6.9", "pid 1")}, port=first.port)
    wait_until(lambda: running.exposition().value("memcached_up") == "1", "the second server")
    assert second.count("stats extstore") == 0


def test_real_server_knows_most_and_lives(exporter, memcached):
    """A plain server, of which everything is asked."""
    server = memcached()
    running = exporter(*WHOLE, targets=[server.address])
    for _ in range(3):
        got = running.exposition()
        assert got.value("memcached_up") == "1"
        told = success(got)
        assert (told["sizes"], told["conns"], told["detail"], told["proxy"]) == ("1", "1", "1", "0")
        assert "extstore" not in told
        assert got.value("memcached_target_parse_errors") == "0"
    assert got.find("memcached_unmapped_stat") == []
    assert server.process.running
    settings = server.stats()["settings"]
    assert (settings["detail_enabled"], settings["track_sizes"]) == ("no", "no")
    well_formed(running)


# sizes

def test_sizes_of_a_server_that_tracks_them(exporter, memcached):
    server = memcached("-o", "track_sizes")
    lengths = [10, 10, 100, 100, 100, 5000, 100000]
    for number, length in enumerate(lengths):
        server.client.ask(b"set key%d 0 0 %d\r\n%s\r\n" % (number, length, b"x" * length))
    running = exporter("--collector.sizes", targets=[server.address])
    got = running.exposition()
    assert got.value("memcached_item_sizes_enabled") == "1"
    counts, count = buckets(got, "memcached_item_size_bytes")
    assert count == len(lengths)
    assert sorted(counts.values()) == [1, 1, 2, 3]
    # An item is its value, its key and some 50 to 60 bytes; the server counts in steps of 32.
    for bound, length in zip(sorted(counts), sorted(set(lengths))):
        assert length + 48 < bound < length + 128
    told = server.client.ask(b"stats sizes\r\n", b"END\r\n").decode().split("\r\n")
    assert {float(line.split()[1]): int(line.split()[2]) for line in told if line.startswith("STAT")} == counts
    well_formed(running)


def test_sizes_of_a_server_that_does_not(exporter, memcached):
    running = exporter("--collector.sizes", targets=[memcached().address])
    got = running.exposition()
    assert got.value("memcached_item_sizes_enabled") == "0"
    assert got.find("memcached_item_size_bytes_bucket") == []
    assert success(got)["sizes"] == "1"


def test_sizes_of_an_empty_cache(exporter, memcached):
    running = exporter("--collector.sizes", targets=[memcached("-o", "track_sizes").address])
    got = running.exposition()
    assert got.value("memcached_item_sizes_enabled") == "1"
    assert buckets(got, "memcached_item_size_bytes") == ({}, 0)
    well_formed(running)


# conns

def test_connections_by_state_and_idle_time(exporter, memcached):
    server = memcached()
    idle = [server.connect() for _ in range(5)]
    for client in idle:
        client.ask(b"version\r\n")
    time.sleep(2.2)
    running = exporter("--collector.conns", targets=[server.address])
    got = running.exposition()
    states = collections.Counter()
    for labels, value in got.find("memcached_connections_by_state"):
        states[labels["state"]] += int(value)
        assert labels["listener"] in ("", f"tcp:{server.address}"), "a client's address would make a series per connection"
    assert states["conn_listening"] == 1
    assert sum(states.values()) == 1 + 5 + 1  # the listener, ours, the exporter's own
    counts, count = buckets(got, "memcached_connection_idle_seconds")
    assert count == 6
    assert counts[5.0] == 5, counts
    for client in idle:
        client.close()
    wait_until(lambda: buckets(running.exposition(), "memcached_connection_idle_seconds")[1] == 1, "the connections to go")
    well_formed(running)


def test_many_connections_make_few_series(exporter, memcached):
    server = memcached("-c", "500")
    few = len(exporter("--collector.conns", targets=[server.address]).exposition().samples)
    clients = [server.connect() for _ in range(300)]
    for client in clients:
        client.ask(b"version\r\n")
    got = exporter("--collector.conns", targets=[server.address]).exposition()
    assert buckets(got, "memcached_connection_idle_seconds")[1] >= 301
    assert abs(len(got.samples) - few) < 5
    for client in clients:
        client.close()


# detail

@pytest.fixture
def detailed(memcached):
    """A server that counts by prefix, which its owner has told it to."""
    server = memcached()
    assert server.client.ask(b"stats detail on\r\n") == b"OK\r\n"
    return server


def use(server, prefix, sets, hits, misses, deletes):
    ask = server.client.ask
    for number in range(sets):
        ask(b"set %s:%d 0 0 1\r\nx\r\n" % (prefix, number))
    for _ in range(hits):
        ask(b"get %s:0\r\n" % prefix, b"END\r\n")
    for _ in range(misses):
        ask(b"get %s:none\r\n" % prefix, b"END\r\n")
    for number in range(deletes):
        ask(b"delete %s:%d\r\n" % (prefix, number))


def commands(exposition, prefix):
    return {labels["command"]: int(value) for labels, value in exposition.find("memcached_prefix_commands_total", prefix=prefix)}


def test_commands_by_prefix(exporter, detailed):
    use(detailed, b"user", 5, 3, 4, 2)
    use(detailed, b'a"b\\\xc3\xbc', 1, 0, 2, 0)
    running = exporter("--collector.detail", targets=[detailed.address])
    got = running.exposition()
    assert commands(got, "user") == {"get": 7, "set": 5, "delete": 2}
    assert got.value("memcached_prefix_get_hits_total", prefix="user") == "3"
    assert commands(got, 'a"b\\ü') == {"get": 2, "set": 1, "delete": 0}
    assert got.value("memcached_prefixes_dropped") == "0"
    well_formed(running)


def test_prefixes_beyond_the_cap_are_added_up(exporter, detailed):
    for number in range(20):
        use(detailed, b"p%02d" % number, 2, 1, 1, 1)
    running = exporter("--collector.detail", "--collector.detail.max-prefixes=5", targets=[detailed.address])
    got = running.exposition()
    told = {labels["prefix"] for labels, _ in got.find("memcached_prefix_get_hits_total")}
    assert len(told) == 6 and "" in told
    assert got.value("memcached_prefixes_dropped") == "15"
    assert commands(got, "") == {"get": 30, "set": 30, "delete": 15}
    assert got.value("memcached_prefix_get_hits_total", prefix="") == "15"
    total = sum(int(value) for labels, value in got.find("memcached_prefix_commands_total", command="set"))
    assert total == 40, "nothing is lost"
    well_formed(running)


def test_told_prefixes_stay_the_same(exporter, detailed):
    """A prefix that comes and goes would be a counter that resets."""
    for number in range(20):
        use(detailed, b"p%02d" % number, 1, 0, 0, 0)
    running = exporter("--collector.detail", "--collector.detail.max-prefixes=5", targets=[detailed.address])

    def told():
        return {labels["prefix"] for labels, _ in running.exposition().find("memcached_prefix_get_hits_total")}

    first = told()
    for number in range(20, 40):
        use(detailed, b"p%02d" % number, 1, 0, 0, 0)
    assert told() == first


def test_detail_that_is_off_is_empty(exporter, memcached):
    server = memcached()
    running = exporter("--collector.detail", targets=[server.address])
    got = running.exposition()
    assert success(got)["detail"] == "1"
    assert got.find("memcached_prefix_commands_total") == []
    assert server.stats()["settings"]["detail_enabled"] == "no", "it stays as its owner wants it"


# extstore

def extstore(folder):
    """Sixteen pages, which take whatever is half a kilobyte and a second old."""
    return f"ext_page_size=4,ext_wbuf_size=2,ext_path={folder}/ext:64m,ext_item_size=512,ext_item_age=1"


def test_extstore_pages(exporter, memcached, tmp_path):
    server = memcached("-m", "64", "-o", extstore(tmp_path))
    running = exporter("--collector.extstore", targets=[server.address])
    got = running.exposition()
    assert success(got)["extstore"] == "1"
    said = server.client.ask(b"stats extstore\r\n", b"END\r\n").decode().split("\r\n")
    stats = dict(line.split()[1:3] for line in said if line.startswith("STAT"))
    pages = {key.split(":")[0] for key in stats}
    assert len(pages) == 16
    for page in pages:
        assert got.value("memcached_extstore_page_version", page=page) == stats[page + ":version"]
        assert got.value("memcached_extstore_page_bytes", page=page) == stats[page + ":bytes"]
    assert got.value("memcached_extstore_bytes_limit") == server.stats()["stats"]["extstore_limit_maxbytes"]
    assert got.value("memcached_target_parse_errors") == "0"
    well_formed(running)


def test_extstore_moves_what_is_written(exporter, memcached, tmp_path):
    server = memcached("-m", "8", "-o", extstore(tmp_path))
    running = exporter("--collector.extstore", targets=[server.address])

    def written():
        for number in range(100):
            server.client.ask(b"set %d.%d 0 0 20000\r\n%s\r\n" % (time.monotonic_ns(), number, b"x" * 20000))
        got = running.exposition()
        used = sum(int(value) for _, value in got.find("memcached_extstore_page_bytes"))
        return used and int(got.value("memcached_extstore_objects_written_total"))

    wait_until(written, "items in external storage", pause=0.3)


# The proxy, from captures of a real one

@pytest.fixture
def proxy(fake, data):
    """Says what was captured from a real proxy, of whose commands the plain server knows none."""
    found = {}
    for name in ("proxy", "proxyfuncs", "proxybe"):
        for file in sorted((data / "samples").glob(f"*{name}.txt")):
            found[f"stats {name}"] = file.read_bytes()
    return fake(found), found


def test_proxy_captures(exporter, proxy):
    server, found = proxy
    assert set(found) == {"stats proxy", "stats proxyfuncs", "stats proxybe"}
    running = exporter(*WHOLE, targets=[server.address])
    got = running.exposition()
    told = success(got)
    assert (told["proxy"], told["proxyfuncs"], told["proxybe"]) == ("1", "1", "1")
    assert got.value("memcached_target_parse_errors") == "0"
    assert [name for name in got.names() if name.startswith("memcached_proxy_")]
    well_formed(running)


def test_several_targets_are_told_apart(exporter, memcached, detailed):
    """Families that are made of counts keep targets apart."""
    use(detailed, b"user", 3, 0, 0, 0)
    other = memcached("-o", "track_sizes")
    other.client.ask(b"set key 0 0 1\r\nx\r\n")
    running = exporter(*WHOLE, targets=[detailed.address, other.address])
    got = running.exposition()
    assert {labels["instance"] for labels, _ in got.find("memcached_prefix_commands_total")} == {detailed.address}
    assert {labels["instance"] for labels, _ in got.find("memcached_item_size_bytes_bucket")} == {other.address}
    assert {labels["instance"] for labels, _ in got.find("memcached_connection_idle_seconds_bucket")} == {
        detailed.address, other.address}
    well_formed(running)


def test_scrapes_that_overlap_share_polls_only_of_the_same_commands(exporter, memcached):
    server = memcached("-o", "track_sizes")
    running = exporter(*WHOLE)
    failures = []

    def ask(name, family):
        for _ in range(15):
            got = running.exposition(f"/scrape?target={server.address}&collect[]={name}")
            if not got.find(family) or set(success(got)) != {"stats", name}:
                failures.append((name, success(got)))

    families = {"sizes": "memcached_item_sizes_enabled", "conns": "memcached_connections_by_state",
                "detail": "memcached_prefixes_dropped", "items": "memcached_up"}
    threads = [threading.Thread(target=ask, args=pair) for pair in families.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert not failures, failures[:3]
