"""Watching: what is hot and what is evicted on a real memcached, hostile logs, and that nothing is sent when it is off.

The real memcached may be one that the exporter leaves alone by default (before 1.6.45), so its version is trusted here.
"""

import collections
import itertools
import json
import random
import re
import time

import pytest

from support.exporter import binary, environment, run
from support.process import Process, wait_until

KEYS = 5000

CONFIG = """
watch:
  {settings}
  window: 1s
  every: 2s
  trusted_versions: ["{version}"]
groups:
  - name: watched
    targets: ["{address}"]
"""


@pytest.fixture
def watching(exporter, tmp_path):
    """Starts an exporter that watches the server."""
    def start(address, version, *settings):
        file = tmp_path / "exporter.yml"
        file.write_text(CONFIG.format(address=address, version=version, settings="\n  ".join(settings or ["servers: 8"])))
        return exporter(f"--config.file={file}", targets=None)
    return start


def total(running, name, **labels):
    """The sum of the samples with these labels, or None if there is none."""
    samples = running.exposition().find(name, **labels)
    return sum(float(value) for _, value in samples) if samples else None


def wait_for_windows(running, count, result="complete"):
    wait_until(lambda: total(running, "memcached_watch_windows_total", result=result) >= count, f"windows: {result}")


def load(client, keys, seconds, seen):
    """Fetches keys for some seconds, fifty at a time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        batch = [next(keys) for _ in range(50)]
        seen.update(batch)
        client.send(b"".join(b"get user:%d\r\n" % key for key in batch) + b"version\r\n")
        while not (data := client.sock.recv(65536)).endswith(b"\r\n") or b"VERSION" not in data[-40:]:
            pass


def store(client, items):
    client.send(b"".join(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value) for key, value in items))
    client.read_to(b"STORED\r\n" * len(items))


def version_of(server):
    return server.stats()["stats"]["version"]


def zipf(exponent=1.1, seed=1):
    """Keys 0, 1, 2 ... so that key n comes with 1 / (n + 1)^exponent."""
    draw = random.Random(seed)
    shares, total = [], 0.0
    for n in range(KEYS):
        total += (n + 1) ** -exponent
        shares.append(total)
    while True:
        yield from draw.choices(range(KEYS), cum_weights=shares, k=1000)


def test_the_hottest_keys(watching, memcached):
    server = memcached()
    client = server.connect()
    for start in range(0, KEYS, 500):
        store(client, [(b"user:%d" % key, b"x" * 10) for key in range(start, start + 500)])
    running = watching(server.address, version_of(server), "keys: full", "streams: [fetchers]")
    keys, seen = zipf(), collections.Counter()
    while not total(running, "memcached_hot_key_ratio", rank="10"):
        load(client, keys, 0.2, seen)
    client.close()
    ratios = [total(running, "memcached_hot_key_ratio", rank=str(rank)) for rank in range(1, 11)]
    truth = [count / sum(seen.values()) for _, count in seen.most_common(10)]
    assert ratios == sorted(ratios, reverse=True)
    for ratio, true in zip(ratios, truth):
        assert ratio == pytest.approx(true, abs=1 / 1024 + 0.05)
    shown = json.loads(running.get("/hotkeys?format=json").body)["servers"][0]["keys"]
    assert [key["key"] for key in shown[:3]] == ["user:0", "user:1", "user:2"]
    assert "user:0" in running.get("/hotkeys").text and "user:0" not in running.get("/metrics").text
    assert total(running, "memcached_watch_skipped_total", where="exporter") == 0
    assert 10 < total(running, "memcached_fetched_distinct_keys") < KEYS * 1.06


def figures(running):
    """{(name, rank, or stream and status): number} of what a window of fetches and stores changes."""
    names = {"memcached_stored_item_size_bytes_count", "memcached_stored_item_size_bytes_sum",
             "memcached_stored_item_ttl_seconds_count", "memcached_stored_item_ttl_seconds_sum",
             "memcached_watch_events_total", "memcached_fetched_distinct_keys", "memcached_hot_key_ratio",
             "memcached_hot_key_bytes_ratio"}
    found = {}
    for (name, labels), value in running.exposition().samples.items():
        if name in names:
            labels = {key: text for key, text in labels if key != "instance"}
            found[name.removeprefix("memcached_"), labels.get("rank") or labels.get("stream", "") + labels.get("status", "")] = float(value)
    return found


def test_figures_by_hand(watching, memcached):
    """One window of a real server: 30, 10 and 5 fetches, and three stores, each of which looks its key up first."""
    server = memcached()
    client, stats, numbers = server.connect(), server.connect(), itertools.count()
    store(client, [(b"user:1", b"x" * 100), (b"page:1", b"x" * 300)])
    running = watching(server.address, version_of(server), "streams: [fetchers, mutations]")

    def is_watched():
        return b"STAT log_watchers 0\r\n" not in stats.ask(b"stats\r\n", b"END\r\n")

    def fill_a_window():
        """True if no window ended meanwhile."""
        wait_until(lambda: not is_watched(), "the end of a window", pause=0.01)
        wait_until(is_watched, "a window", pause=0.01)
        for key in [b"user:1"] * 30 + [b"page:1"] * 10 + [b"none:1"] * 5:
            client.ask(b"get %s\r\n" % key, b"END\r\n")
        for ttl in (0, 100, 200):
            client.ask(b"set new:%d 0 %d 20\r\n%s\r\n" % (next(numbers), ttl, b"x" * 20))
        return is_watched()

    wait_for_windows(running, 1)
    before = figures(running)
    while not fill_a_window():
        before = figures(running)
    wait_until(lambda: figures(running).get(("fetched_distinct_keys", "")), "the figures of the window")
    after = figures(running)
    for key, expected in {
        ("watch_events_total", "fetchersfound"): 40, ("watch_events_total", "fetchersnot_found"): 5 + 3,
        ("watch_events_total", "mutationsstored"): 3,
        ("stored_item_size_bytes_count", ""): 3, ("stored_item_size_bytes_sum", ""): 60,
        ("stored_item_ttl_seconds_count", ""): 2, ("stored_item_ttl_seconds_sum", ""): 300,
    }.items():
        assert after[key] - before.get(key, 0) == expected, key
    for key, expected in {
        ("hot_key_ratio", "1"): 30 / 48, ("hot_key_ratio", "2"): 10 / 48, ("hot_key_ratio", "3"): 5 / 48,
        ("hot_key_bytes_ratio", "1"): 1 / 2, ("hot_key_bytes_ratio", "2"): 1 / 2,
        ("fetched_distinct_keys", ""): 6,
    }.items():
        assert after[key] == pytest.approx(expected), key


def test_what_is_evicted(watching, memcached):
    server = memcached("-m", "4")
    client = server.connect()
    running = watching(server.address, version_of(server), "streams: [evictions, mutations]")
    numbers = itertools.count()

    def store_until_evicted():
        for _ in range(10):
            store(client, [(b"big:%d" % next(numbers), b"x" * 50000) for _ in range(20)])
        return total(running, "memcached_evicted_items", fetched="no")
    wait_until(store_until_evicted, "evictions")
    client.close()
    assert total(running, "memcached_watch_events_total", stream="evictions", status="unfetched") > 0
    assert total(running, "memcached_evicted_item_idle_seconds_count") > 0
    assert total(running, "memcached_stored_item_size_bytes_bucket", le="16384.0") == 0
    assert total(running, "memcached_stored_item_size_bytes_bucket", le="65536.0") > 0
    assert "big:" not in running.get("/metrics").text


def stats(version="1.6.45"):
    return f"STAT version {version}\r\nSTAT log_worker_dropped 0\r\nEND\r\n".encode()


def line(key, status=b"found"):
    return b"ts=1.2 gid=1 type=item_get key=%s status=%s clsid=1 cfd=3 size=10\n" % (key, status)


HOSTILE = [
    b"a\"b", b"%22%7D", b"%0A", b"%zz", b"%", b"%C3%A4%3A1", b"secretkey%3A1", b"x" * 251, b"x" * 250, b"%FF" * 250,
    b"a=b", b"", b"\x00", b"\xff", b"secretkey%00",
]


def test_a_hostile_log(watching, fake):
    """Whatever the log holds: the exporter stands, and no part of a key is in the metrics, but for a prefix."""
    log = b"OK\r\n" + b"".join(line(key) for key in HOSTILE) * 20 + b"\n\n" + b"y" * 100000 + b"\n" + b"\x00\xff\r\n" * 50
    server = fake({"stats": stats(), "watch fetchers mutations evictions": log + line(b"lastkey")[:-5]})
    running = watching(server.address, "0.0.1", "keys: full")
    wait_for_windows(running, 1)
    text = running.get("/metrics").text
    assert "lastkey" not in text and "yyy" not in text and "xxx" not in text
    assert set(re.findall(r'prefix="([^"]*)"', text)) <= {"other", "secretkey"}
    assert total(running, "memcached_watch_skipped_total", where="exporter") > 20 * 8
    assert total(running, "memcached_up") == 1


def test_a_flood(watching, fake):
    """A server that sends without end, keys that are all new: the window ends at its budget, and memory stays."""
    flood = b"OK\r\n" + b"".join(line(b"k%d%%3A%d" % (n, n)) for n in range(100000))
    server = fake({"stats": stats(), "watch fetchers mutations evictions": flood})
    running = watching(server.address, "0.0.1", "bytes_per_second: 1000000")
    wait_for_windows(running, 2, result="budget")
    exposition = running.exposition()
    assert len(exposition.find("memcached_prefix_fetches_total")) == 2
    assert len(exposition.find("memcached_hot_key_ratio")) == 10
    assert running.resident_kib() < 200 * 1024  # with sanitizers


def test_drops_end_a_window(watching, fake):
    server = fake({"stats": stats(), "watch fetchers mutations evictions": b"OK\r\n" + line(b"a") + b"skipped=7\n"})
    running = watching(server.address, "0.0.1")
    wait_for_windows(running, 1, result="dropped")
    assert total(running, "memcached_watch_skipped_total", where="watcher") >= 7


def test_old_servers_are_left_alone(watching, fake):
    server = fake({"stats": stats("1.6.44")})
    running = watching(server.address, "1.6.43")
    wait_for_windows(running, 1, result="unsupported")
    assert not [request for request in server.requests if request.startswith("watch")]


def test_nothing_is_sent_when_it_is_off(exporter, fake):
    server = fake({"stats": stats()})
    running = exporter(targets=[server.address])
    running.exposition()
    time.sleep(0.5)
    assert set(server.requests) == {"stats", "stats settings", "stats items", "stats slabs"}
    assert len(server.requests) == 4
    assert "memcached_watch" not in running.get("/metrics").text


def test_url_targets_are_never_watched(watching, fake):
    configured, other = fake({"stats": stats(), "watch fetchers mutations evictions": b"OK\r\n"}), fake({"stats": stats()})
    running = watching(configured.address, "0.0.1")
    wait_for_windows(running, 1)
    text = running.get(f"/scrape?target={other.address}").text
    assert "memcached_up" in text and "memcached_watch" not in text
    assert "memcached_watch" not in running.get(f"/scrape?target={configured.address}").text
    assert not [request for request in other.requests if request.startswith("watch")]


# The census

def test_a_census(exporter, memcached, tmp_path):
    server = memcached()
    client = server.connect()
    store(client, [(b"user:%d" % n, b"x" * 100) for n in range(300)])
    store(client, [(b"session:%d" % n, b"x" * 3000) for n in range(50)])
    store(client, [(b"plain%d" % n, b"x") for n in range(20)])
    client.close()
    file = tmp_path / "exporter.yml"
    file.write_text(f'census: {{trusted_versions: ["{version_of(server)}"]}}\ngroups: [{{name: a, targets: ["{server.address}"]}}]\n')
    running = exporter(f"--config.file={file}", targets=None)
    wait_until(lambda: total(running, "memcached_census_items"), "a census")
    items = {prefix: total(running, "memcached_census_items", prefix=prefix) for prefix in ("user", "session", "other")}
    assert items == {"user": 300, "session": 50, "other": 20}
    assert total(running, "memcached_census_bytes", prefix="session") > 50 * 3000
    assert total(running, "memcached_census_item_size_bytes_bucket", prefix="user", le="256.0") == 300
    assert total(running, "memcached_census_results_total", result="complete") == 1
    text = running.get("/metrics").text
    assert "user:" not in text and "plain1" not in text and "memcached_watch_" not in text


def test_a_census_of_an_old_server(exporter, fake, tmp_path):
    server = fake({"stats": stats("1.6.43")})
    file = tmp_path / "exporter.yml"
    file.write_text(f'census: {{}}\ngroups: [{{name: a, targets: ["{server.address}"]}}]\n')
    running = exporter(f"--config.file={file}", targets=None)
    wait_until(lambda: total(running, "memcached_census_results_total", result="unsupported"), "a refusal")
    assert not [request for request in server.requests if request.startswith("lru_crawler")]


# The commands

def write_watching(tmp_path, address):
    file = tmp_path / "exporter.yml"
    file.write_text(CONFIG.format(address=address, version="1.6.44", settings="keys: full") + "census: {}\n")
    return f"--config.file={file}"


@pytest.mark.parametrize("command", [["--once"], ["check"], ["top", "--interval=100ms"]], ids=lambda words: words[0])
def test_commands_watch_nothing(fake, tmp_path, command):
    server = fake({"stats": stats()})
    process = Process([binary(), *command, write_watching(tmp_path, server.address)], env=environment())
    if command[0] == "top":
        wait_until(lambda: server.count("stats") > 3, "polls")
        process.terminate()
    process.wait()
    assert not [request for request in server.requests if request.startswith(("watch", "lru_crawler", "stats slabs 1"))]


def test_top_shows_keys(fake, tmp_path):
    server = fake({"stats": stats(), "watch fetchers": b"OK\r\n" + line(b"user%3A1") * 3 + line(b"user%3A2") + line(b"%1B%5B2J")})
    process = Process([binary(), "top", "--keys", "--interval=300ms", write_watching(tmp_path, server.address)], env=environment())
    wait_until(lambda: "user:1" in process.stdout, "keys")
    process.terminate()
    process.wait()
    assert "   1  60.00 %          3            0  user:1" in process.stdout
    assert "\x1b" not in process.stdout


@pytest.mark.parametrize("words", [["--keys"], ["check", "--keys"]])
def test_keys_are_for_top(words):
    process = run(*words)
    assert process.code == 2 and "--keys: expected the command top" in process.stderr
