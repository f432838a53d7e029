"""The tests' own tools: a reader that took everything would let every other test pass."""

import pytest

from support.exporter import parse_logfmt
from support.exposition import Exposition, Malformed
from support.memcached import COMMANDS, Client, parse_stats

GOOD = '# HELP a_total Some help.\n# TYPE a_total counter\na_total{x="q\\"b\\\\n\\n",y=""} 18446744073709551615\na_total 1\n'


def test_exposition_is_read_exactly():
    read = Exposition(GOOD)
    assert read.value("a_total", x='q"b\\n\n', y="") == "18446744073709551615"
    assert read.value("a_total") == "1"
    assert read.types == {"a_total": "counter"}
    assert read.helps == {"a_total": "Some help."}


@pytest.mark.parametrize("text", [
    "a 1",                                              # no end of line
    "# TYPE a gauge\na 1\na 2\n",                       # a series twice
    "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\na{x=\"1\"} 2\n",  # two blocks
    "# TYPE a gauge\na 1\n# TYPE b gauge\nb 1\n# HELP a late\n",
    "# TYPE a meter\na 1\n",
    "# TYPE a gauge\na 1 1700000000000\n",              # a timestamp
    "# TYPE a gauge\na one\n",
    '# TYPE a gauge\na{x="1" y="2"} 1\n',
    '# TYPE a gauge\na{x="1",x="2"} 1\n',
    '# TYPE a gauge\na{x="\\q"} 1\n',
    "a 1\n",                                            # no family announced
])
def test_malformed_exposition_is_refused(text):
    with pytest.raises(Malformed):
        Exposition(text)


def test_invalid_utf8_is_refused():
    with pytest.raises(UnicodeDecodeError):
        Exposition(b'# TYPE a gauge\na{x="\xff"} 1\n')


def test_logfmt_is_read():
    line = 'time=2026-11-21T13:17:10.123Z level=WARN msg="a \\"b\\" c" target=c:1 err=""'
    assert parse_logfmt(line) == {"time": "2026-11-21T13:17:10.123Z", "level": "WARN", "msg": 'a "b" c', "target": "c:1",
                                  "err": ""}


def test_real_memcached_tells_every_command(memcached):
    server = memcached()
    server.traffic()
    stats = server.stats()
    assert set(stats) == set(COMMANDS)
    for key in ("get_hits", "get_misses", "cas_hits", "cas_misses", "cas_badval", "incr_hits", "decr_misses", "touch_hits",
                "delete_hits", "cmd_flush"):
        assert int(stats["stats"][key]) > 0, key
    assert "1:chunk_size" in stats["slabs"]
    assert "items:1:number" in stats["items"]


def test_fake_answers_and_remembers(fake):
    server = fake({"stats": b"STAT a 1\r\nEND\r\n"})
    client = Client(("127.0.0.1", server.port), 2)
    assert parse_stats(client.ask(b"stats\r\n", b"END\r\n")) == {"a": "1"}
    assert client.ask(b"stats other\r\n") == b"ERROR\r\n"
    assert server.requests == ["stats", "stats other"]
    assert server.connections == 1
    client.close()
