"""
What servers that lie say to `watch` and to `lru_crawler metadump`: floods, lines that are cut anywhere, keys that are made to
break a page, JSON, a label or a terminal. Memory stays, and what is shown can be read.
"""

import html.parser
import json
import random
import re
import time
import urllib.parse

import pytest

from support.fake import reply
from support.openmetrics import OpenMetrics
from support.process import wait_until

CONFIG = """
watch: {{ keys: {keys}, streams: [fetchers], window: 200ms, every: 400ms }}
groups: [{{ name: a, targets: ["{address}"] }}]
"""
STATS = reply("pid 1", "version 1.6.45", "log_worker_dropped 0")

# Keys as a client can store them; the log has them percent-encoded. The last ones are made by a server that lies.
KEYS = [
    b"<script>alert(1)</script>", b"\"><img src=x onerror=alert(1)>", b"'onmouseover='x", b"&lt;b&gt;", b"</script><!--",
    b"\\\",\"x\":\"", b"{\"a\":1}", b"\xc3\xa4\xe2\x82\xac", b"\xff\xfe\xc3", b"\xed\xa0\x80", b"k" * 250, b"\xff" * 250,
    b"a\\", b"%41", b"\xe2\x80\xae\xe2\x80\xa8", b"\x7f\x1b[2J", b"line\nline", b"tab\tnul\x00end",
]


def line(key):
    return b"ts=1.2 gid=1 type=item_get key=%s status=found clsid=1 cfd=3 size=10\n" % urllib.parse.quote(key, safe="").encode()


def log_of(lines):
    return {"stats": STATS, "watch fetchers": b"OK\r\n" + lines}


@pytest.fixture
def watching(exporter, tmp_path):
    def start(server, keys="full", **settings):
        file = tmp_path / "exporter.yml"
        file.write_text(CONFIG.format(address=server.address, keys=keys), encoding="utf-8")
        return exporter(f"--config.file={file}", targets=None, **settings)
    return start


def total(running, name, **labels):
    return sum(float(value) for _, value in running.exposition().find(name, **labels))


def wait_for_windows(running, count=1, **labels):
    wait_until(lambda: total(running, "memcached_watch_windows_total", **labels) >= count, f"{count} windows {labels}")


class Tags(html.parser.HTMLParser):
    """The tags of a page with their attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = set(), set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def is_shown_safely(text):
    return not re.search("[\x00-\x08\x0b-\x1f\x7f\u202e\u2028]", text)


def test_keys_are_escaped_on_the_page_and_in_json(watching, fake):
    """Ten at a time: the page shows no more. None makes a tag, an attribute or a member, and none is in the metrics."""
    plain = watching(fake(log_of(line(b"plain") * 10)))
    wait_for_windows(plain, result="complete")
    usual = Tags(plain.get("/hotkeys").text)
    plain.stop()
    for some in (KEYS[:9], KEYS[9:]):
        running = watching(fake(log_of(b"".join(line(key) for key in some) * 20)))
        wait_for_windows(running, result="complete")
        page = running.get("/hotkeys")
        found = Tags(page.body.decode("utf-8"))
        assert found.tags <= usual.tags and found.attributes <= usual.attributes
        assert is_shown_safely(found.text), found.text
        said = json.loads(running.get("/hotkeys?format=json").body.decode("utf-8"))
        keys = said["servers"][0]["keys"]
        assert len(keys) > 5 and all(set(key) == set(keys[0]) for key in keys)
        metrics = running.get("/metrics").body.decode("utf-8")
        assert "<script" not in metrics and "alert(" not in metrics and "onerror" not in metrics and "kkkk" not in metrics
        running.stop()


def test_prefixes_cannot_break_a_label(watching, fake):
    """The exposition is read strictly; a prefix is what is left of a key, up to the separator."""
    running = watching(fake(log_of(b"".join(line(key[:240] + b":1") for key in KEYS) * 20)), keys="prefix")
    wait_for_windows(running, result="complete")
    openmetrics = OpenMetrics(running.get("/metrics", {"Accept": "application/openmetrics-text;version=1.0.0"}).body)
    for series in (running.exposition().samples, openmetrics.samples):
        prefixes = {dict(labels)["prefix"] for name, labels in series if name == "memcached_prefix_fetches_total"}
        assert 1 < len(prefixes) <= 21 and all(is_shown_safely(prefix) for prefix in prefixes), prefixes
    text = running.get("/hotkeys").body.decode("utf-8")
    assert "<script>alert" not in text and "<img src" not in text


@pytest.mark.parametrize("seed", range(3))
def test_lines_cut_anywhere(fake, watching, seed):
    """In pieces of any size, the same events are counted."""
    draw = random.Random(seed)
    lines = b"OK\r\n" + b"".join(line(b"user:%d" % n) for n in range(50)) + line(b"cut off")[:-20]

    def script(connection):
        while request := connection.line():
            if request != "watch fetchers":
                connection.send(STATS)
                continue
            at = 0
            while at < len(lines):
                size = draw.choice([1, 1, 2, 7, 60])
                connection.send(lines[at:at + size])
                at += size
                time.sleep(0.0002)
            connection.wait_for_end()

    running = watching(fake(script=script))
    wait_for_windows(running, result="complete")
    windows = total(running, "memcached_watch_windows_total", result="complete")
    events = total(running, "memcached_watch_events_total", stream="fetchers", status="found")
    assert events >= 50 * windows and events % 50 == 0
    assert total(running, "memcached_watch_skipped_total", where="exporter") == 0


FLOODS = {
    "keys that are all new": b"".join(line(b"%06d" % n + b"k" * 240) for n in range(60000)),
    "prefixes that are all new": b"".join(line(b"p%06d:x" % n) for n in range(200000)),
    "no end of a line": b"ts=1.2 gid=1 type=item_get key=" + b"x" * 20_000_000,
    "no key": b"\n" * 20_000_000,
    "zeros": b"\x00" * 20_000_000,
}


@pytest.mark.parametrize("name", FLOODS)
def test_memory_in_a_flood(fake, watching, name):
    """Several windows of it, against the memory before: generously bounded, and the exporter answers."""
    server = fake(log_of(FLOODS[name]))
    running = watching(server, release=True)
    before = running.resident_kib()
    wait_until(lambda: server.count("watch fetchers") >= 3, "three windows", 60)
    assert running.resident_kib() < 2 * before + 8 * 1024
    exposition = running.exposition()
    assert len(exposition.find("memcached_prefix_fetches_total")) <= 21 * 4  # statuses
    assert len(exposition.find("memcached_hot_key_ratio")) <= 10
    assert total(running, "memcached_up") == 1


def item(key, size=65):
    return b"key=%s exp=-1 la=1 cas=5 fetch=no cls=1 size=%d\n" % (urllib.parse.quote(key, safe="").encode(), size)


DUMPS = {
    "hostile keys": b"".join(item(key[:240] + b":1") for key in KEYS) * 20 + b"END\r\n",
    "prefixes that are all new": b"".join(item(b"p%06d:x" % n) for n in range(200000)) + b"END\r\n",
    "no end of a line": b"key=" + b"x" * 20_000_000 + b"\nEND\r\n",
    "numbers without end": b"key=a exp=9999999999999999999999 la=-9223372036854775808 size=18446744073709551615\n" * 100 +
                           item(b"b", 18446744073709551615) * 9 + b"END\r\n",
    "no end": b"".join(item(b"a:%d" % n) for n in range(1000)),
}


@pytest.mark.parametrize("name", DUMPS)
def test_dumps(fake, exporter, tmp_path, name):
    server = fake({"stats": STATS, "lru_crawler metadump 1": b"OK\r\n" + DUMPS[name]})
    file = tmp_path / "exporter.yml"
    file.write_text(f'census: {{ time: 2s }}\ngroups: [{{ name: a, targets: ["{server.address}"] }}]\n', encoding="utf-8")
    running = exporter(f"--config.file={file}", targets=None, release=True)
    before = running.resident_kib()
    wait_until(lambda: total(running, "memcached_census_results_total"), "the end of the census", 60)
    assert running.resident_kib() < 2 * before + 8 * 1024
    exposition = running.exposition()
    prefixes = {dict(labels)["prefix"] for labels, _ in exposition.find("memcached_census_items")}
    assert len(prefixes) <= 21 and all(is_shown_safely(prefix) for prefix in prefixes), prefixes
    assert server.connections < 20 and total(running, "memcached_up") == 1
