"""What a client says comes back escaped: in answers, in their headers, and in the log in both formats."""

import json
import random
import socket
from urllib.parse import quote_from_bytes

import pytest

from support.fake import reply

HOSTILE = (b"\x1b[2J\x1b[31mred", b"a\r\nSet-Cookie: x=1\r\n\r\n<b>", b"\n level=error msg=forged", b'"} 1\nforged_metric{x="',
           b"<script>alert(1)</script>", b"\xff\xfe\x80", b"\xc2\x9b31m", b"\xe2\x80\xae\xe2\x80\xa8", b"\x01\x7f\x08", b"\\\"'`%s%n", b"\x00")
PLACES = ("/scrape?target=%s", "/probe?target=%s", "/scrape?target=127.0.0.1&module=%s", "/metrics?collect[]=%s", "/metrics?name[]=%s",
          "/metrics?fail=%s", "/metrics?shard=%s", "/metrics?%s=1", "/sd?group=%s", "/sd?%s=1", "/?from=%s", "/?%s=1",
          "/-/healthy?%s=1", "/-/%s", "/%s", "/debug/%s")


def samples():
    """The known ones, and others of random bytes that are the same in each run."""
    chance = random.Random(1)
    return (*HOSTILE, *(bytes(chance.randrange(256) for _ in range(chance.randrange(1, 60))) for _ in range(12)))


def raw(started, head):
    """All bytes of the answer to a request as it stands."""
    with socket.create_connection(started.where, timeout=30) as connection:
        connection.sendall(head)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def assert_escaped(answer, what):
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), what
    lines = head.split(b"\r\n")
    assert all(0x20 <= byte < 0x7f for line in lines for byte in line), (what, head)
    assert not any(line.lower().startswith(b"set-cookie") for line in lines), (what, head)
    text = body.decode("utf-8")
    assert not [char for char in text if ord(char) < 0x20 and char != "\n" or 0x7f <= ord(char) < 0xa0], (what, text)
    assert not any(line.startswith(("forged_metric", " level=error")) for line in text.split("\n")), (what, text)
    if b"text/html" in head:
        assert "<script>alert" not in text, what


@pytest.mark.parametrize("log_format", ("logfmt", "json"))
def test_hostile_bytes_come_back_escaped(exporter, log_format):
    started = exporter("--log.level=debug", f"--log.format={log_format}", "--memcached.timeout=200ms")
    for sample in samples():
        for place in PLACES:
            path = (place % quote_from_bytes(sample, safe="")).encode()
            assert_escaped(raw(started, b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path), (place, sample))
        for name in (b"X-Prometheus-Scrape-Timeout-Seconds", b"Accept", b"Accept-Encoding", b"Authorization", b"Host", b"User-Agent"):
            value = sample.translate(None, b"\r\n\x00")
            head = b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s: %s\r\n\r\n" % (name, value)
            assert_escaped(raw(started, head), (name, sample))
        assert_escaped(raw(started, b"GET /%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % sample.translate(None, b" \r\n")),
                       ("path", sample))
    for line in started.process.stderr.splitlines():
        assert "\x1b" not in line and "\x7f" not in line and not any(ord(char) < 0x20 for char in line), repr(line)
        if log_format == "json":
            assert isinstance(json.loads(line), dict)
        else:
            assert line.startswith("time="), line


def test_what_a_server_says_is_not_acted_upon(exporter, fake):
    """Names and values that a terminal would act upon are shown as replacement characters, and stay apart from others."""
    texts = [sample.translate(None, b"\r\n\x00 ") for sample in HOSTILE]
    unknown = [b"odd%d" % n + text + b" " + text for n, text in enumerate(texts)] + [b"num%d" % n + text + b" 7" for n, text in enumerate(texts)]
    server = fake({"stats": reply("pid 1", "uptime 5", b"version 1.6.18\x1b[2J", b"libevent 2\xe2\x80\xae1", *unknown)})
    started = exporter(targets=[server.address])
    for path in ("/metrics", "/scrape?target=" + server.address, "/"):
        answer = started.get(path)
        assert answer.status == 200
        shown = [char for char in answer.text if ord(char) < 0x20 and char != "\n" or 0x7f <= ord(char) < 0xa0 or char in "\u202e\u2028"]
        assert not shown, (path, shown)
    exposition = started.exposition()
    assert exposition.value("memcached_up") == "1"
    assert sum("num" in str(sample) for sample in exposition.samples) >= len(texts)
