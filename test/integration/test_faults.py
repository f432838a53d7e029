"""Servers that are broken, hostile or no memcached at all: the right state, one log line, and the loop goes on."""

import subprocess
import time

import pytest

from support.fake import PLAIN, reply

STATS_CUT = b"STAT pid 1\r\nSTAT uptime 10\r\nSTAT curr_it"


def speaks(*pieces, wait_for_request=True, then="close"):
    """A script that says these bytes whatever it is asked."""

    def script(connection):
        if wait_for_request:
            connection.line()
        for piece in pieces:
            connection.send(piece)
        if then == "reset":
            connection.reset()
        elif then == "wait":
            connection.wait_for_end()

    return script


def endless(chunk, limit=1 << 30):
    """A script that sends up to a gigabyte; `server.sent` says how much was taken."""

    def script(connection):
        connection.line()
        connection.server.sent = 0
        while connection.server.sent < limit:
            connection.send(chunk)
            connection.server.sent += len(chunk)

    return script


def good_scrape_follows(started, memcached):
    assert started.scrape(memcached().address).value("memcached_up") == "1"


NO_MEMCACHED = {
    "HTTP": speaks(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    "HTTP that waits": speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n", then="wait"),
    "garbage": speaks(bytes(range(256)) * 4, then="wait"),
    "SMTP banner": speaks(b"220 mail.example ESMTP\r\n", wait_for_request=False, then="wait"),
    "redis": speaks(b"-ERR unknown command 'stats'\r\n", then="wait"),
    "line without end": speaks(b"STAT " + b"x" * 5000, then="wait"),
    "empty lines": speaks(b"\r\n\r\n\r\n", then="wait"),
    "a value and no end": speaks(b"STAT x " + b"1" * 5000),
    "a STAT without key": speaks(b"STAT\r\nEND\r\n", then="wait"),
    "cut in the middle": speaks(STATS_CUT),
    "cut between two lines": speaks(b"STAT pid 1\r\nSTAT uptime 10\r\n"),
    "reset in the middle": speaks(STATS_CUT, then="reset"),
    "closed without a word": speaks(),
    "END to stats": speaks(b"END\r\n" * 4, then="wait"),
    "a version alone": speaks(b"STAT version 1.6.18\r\nEND\r\nEND\r\nEND\r\nEND\r\n", then="wait"),
    "ERROR to stats": speaks(b"ERROR\r\n", then="wait"),
    "SERVER_ERROR to stats": speaks(b"SERVER_ERROR out of memory\r\n", then="wait"),
}


@pytest.mark.parametrize("script", NO_MEMCACHED.values(), ids=NO_MEMCACHED.keys())
def test_what_is_no_memcached_is_a_protocol_error_at_once(exporter, fake, memcached, script):
    server = fake(script=script)
    started = exporter("--memcached.timeout=5s", targets=[server.address])
    begin = time.monotonic()
    for _ in range(3):
        got = started.exposition()
        assert (got.value("memcached_up"), got.state()) == ("0", "protocol_error")
        assert got.find("memcached_uptime_seconds") == []
    assert time.monotonic() - begin < 3, "it waited for the deadline"
    lines = started.log_of(server.address)
    # Each reason once: a reset shows as an end, or as what it is.
    assert len(lines) == len({line["err"] for line in lines}) <= (2 if "reset" in str(lines) else 1), lines
    assert {line["level"] for line in lines} == {"WARN"}
    good_scrape_follows(started, memcached)


@pytest.mark.parametrize("script, state, words", [
    (speaks(b"\x15\x03\x01\x00\x02\x02\x46"), "tls_error", "wants TLS"),
    (speaks(b"\x16\x03\x03\x00\x7a\x02\n\x00\x00\x76\x03\x03", then="wait"), "tls_error", "TLS"),
    (speaks(then="reset"), "tls_error", "wants TLS"),
    (speaks(), "protocol_error", "proxy without stats"),
    (speaks(b"\x81\x00\x00\x00" + bytes(20), then="wait"), "protocol_error", "binary protocol"),
    (speaks(then="wait"), "timeout", "binary protocol"),
    (speaks(b"CLIENT_ERROR unauthenticated\r\n", then="wait"), "auth_failed", "login"),
    (speaks(b"HTTP/1.0 400 Bad Request\r\n\r\n"), "protocol_error", "HTTP"),
    (speaks(b"-ERR unknown command 'stats'\r\n", then="wait"), "protocol_error", "Redis"),
])
def test_what_a_server_seems_to_be(exporter, fake, script, state, words):
    server = fake(script=script)
    started = exporter("--memcached.timeout=700ms", targets=[server.address])
    assert started.exposition().state() == state
    assert words in started.log_of(server.address)[0]["err"]


@pytest.mark.parametrize("flags, state, words", [
    (["-B", "binary"], "protocol_error", "binary protocol"),
    (["-Z", "-o", "ssl_chain_cert={cert},ssl_key={key}"], "tls_error", "wants TLS"),
])
def test_what_a_real_server_seems_to_be(exporter, memcached, tmp_path, flags, state, words):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    if "-Z" in flags:
        made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                               "-keyout", key, "-out", cert], capture_output=True, check=False)
        if made.returncode:
            pytest.skip("openssl makes no certificate here")
    server = memcached(*(flag.format(cert=cert, key=key) for flag in flags))
    started = exporter("--memcached.timeout=700ms", targets=[server.address])
    assert started.exposition().state() == state
    assert words in started.log_of(server.address)[0]["err"]


def test_a_long_value_costs_its_sample_alone(exporter, fake):
    server = fake({"stats": reply("new_thing " + "1" * 100000, "curr_items 5"),
                   "stats settings": reply("maxconns 7", "inter " + "x" * 3000, "tcpport 11211")})
    started = exporter(targets=[server.address])
    for _ in range(2):
        got = started.exposition()
        assert (got.value("memcached_up"), got.value("memcached_current_items")) == ("1", "5")
        assert (got.value("memcached_max_connections"), got.value("memcached_target_parse_errors")) == ("7", "2")
    assert server.connections == 1


@pytest.mark.parametrize("chunk", [
    b"STAT get_hits 12345678901234567890\r\n" * 1000,
    b"".join(b"STAT unknown_%d 1\r\n" % i for i in range(3000)),
    b"STAT words and words and words\r\n" * 1000,
])
def test_a_gigabyte_of_stats_is_cut_at_max_reply(exporter, fake, memcached, chunk):
    server = fake(script=endless(chunk))
    started = exporter("--memcached.timeout=20s", "--memcached.max-reply=100000", targets=[server.address])
    got = started.exposition()
    assert (got.value("memcached_up"), got.state()) == ("0", "protocol_error")
    assert server.sent < 32 << 20
    good_scrape_follows(started, memcached)


def test_a_flood_in_a_later_command_costs_that_collector(exporter, fake, memcached):
    def script(connection):
        connection.line()
        connection.send(PLAIN["stats"] + PLAIN["stats settings"])
        for _ in range(2000):
            connection.send(b"STAT items:1:number 5\r\n" * 1000)

    started = exporter("--memcached.timeout=20s", "--memcached.max-reply=100000", targets=[fake(script=script).address])
    got = started.exposition()
    assert (got.value("memcached_up"), got.state()) == ("1", "up")
    assert success(got) == {"settings": "1", "items": "0", "slabs": "0"}
    assert got.find("memcached_slab_current_items") == []
    good_scrape_follows(started, memcached)


def success(got):
    found = {labels["collector"]: value for labels, value in got.find("memcached_target_collector_success")}
    return {name: found.get(name) for name in ("settings", "items", "slabs")}


@pytest.mark.parametrize("then", ["close", "reset"])
def test_cut_in_a_later_command(exporter, fake, memcached, then):
    server = fake(script=speaks(PLAIN["stats"] + PLAIN["stats settings"] + b"STAT items:1:number 5\r\nSTAT items:1:ag",
                                then=then))
    started = exporter(targets=[server.address])
    got = started.exposition()
    assert (got.value("memcached_up"), got.state()) == ("1", "up")
    assert success(got) == {"settings": "1", "items": "0", "slabs": "0"}
    assert got.find("memcached_slab_current_items") == []
    assert got.value("memcached_max_connections") == "1024"
    good_scrape_follows(started, memcached)


def test_silence_after_stats(exporter, fake, memcached):
    server = fake(script=speaks(PLAIN["stats"], then="wait"))
    started = exporter("--memcached.timeout=300ms", targets=[server.address])
    got = started.exposition()
    assert (got.value("memcached_up"), got.state()) == ("1", "up")
    assert success(got) == {"settings": "0", "items": "0", "slabs": "0"}
    assert got.value("memcached_uptime_seconds") == "10"
    good_scrape_follows(started, memcached)


@pytest.mark.parametrize("refusal", [b"ERROR\r\n", b"CLIENT_ERROR bad command line format\r\n", b"SERVER_ERROR \r\n"])
@pytest.mark.parametrize("command", ["settings", "items", "slabs"])
def test_a_refused_command_costs_only_that_collector(exporter, fake, command, refusal):
    server = fake({"stats " + command: refusal})
    started = exporter(targets=[server.address])
    for _ in range(2):
        got = started.exposition()
        assert (got.value("memcached_up"), got.state()) == ("1", "up")
        assert success(got) == {name: "0" if name == command else "1" for name in ("settings", "items", "slabs")}
        assert got.value("memcached_target_parse_errors") == "0"
    assert server.connections == 1


def test_all_but_stats_refused(exporter, fake):
    server = fake({"stats " + command: b"ERROR\r\n" for command in ("settings", "items", "slabs")})
    got = exporter(targets=[server.address]).exposition()
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_current_items") == "5"


def test_numbers_out_of_range_cost_their_sample(exporter, fake):
    server = fake({"stats": reply("get_hits 18446744073709551616", "get_misses 99999999999999999999999999", "cmd_flush 1.5",
                                  "incr_hits x", "bytes", "evictions 0x10", "reclaimed  7", "curr_items 5")})
    got = exporter(targets=[server.address]).exposition()
    assert (got.value("memcached_up"), got.state()) == ("1", "up")
    assert got.value("memcached_target_parse_errors") == "7"
    assert got.value("memcached_current_items") == "5"
    assert got.find("memcached_commands_total", command="get") == []
    for name in ("memcached_current_bytes", "memcached_items_evicted_total", "memcached_items_reclaimed_total"):
        assert got.find(name) == []


def test_parse_errors_flood_no_log(exporter, fake):
    server = fake({"stats": reply("get_hits x", "curr_items 5")})
    started = exporter(targets=[server.address])
    for _ in range(5):
        started.exposition()
    assert len(started.log_of(server.address)) <= 1


def test_minus_one_is_not_known(exporter, fake):
    """Dragonfly says so of limits that it does not have."""
    server = fake({"stats": reply("limit_maxbytes -1", "rejected_connections -1", "curr_items 5")})
    got = exporter(targets=[server.address]).exposition()
    assert got.find("memcached_limit_bytes") == []
    assert got.find("memcached_connections_rejected_total") == []
    assert got.value("memcached_target_parse_errors") == "0"


def test_a_stat_twice(exporter, fake):
    server = fake({"stats": reply("curr_items 5", "curr_items 6", "new_thing 1", "new_thing 2", "version 1", "version 2")})
    got = exporter(targets=[server.address]).exposition()
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_current_items") == "5"
    assert got.value("memcached_unmapped_stat", command="stats", stat="new_thing") == "1"
    assert [labels["version"] for labels, _ in got.find("memcached_version")] == ["1"]
    assert got.value("memcached_target_parse_errors") == "0"


def test_quotes_backslashes_and_bad_utf8_in_labels(exporter, fake, memcached):
    server = fake({"stats": reply(b'version 1"\\\xff\xc3\xa9\x01', b'we"ird\\\xfe 5')})
    started = exporter(targets=[server.address])
    got = started.exposition()
    (labels, value), = got.find("memcached_version")
    assert (value, labels["version"]) == ("1", '1"\\\ufffd\xe9\ufffd')
    (labels, value), = got.find("memcached_unmapped_stat")
    assert (value, labels["stat"]) == ("5", 'we"ird\\\ufffd')
    good_scrape_follows(started, memcached)


def test_strange_slab_numbers(exporter, fake, memcached):
    server = fake({"stats items": reply("items:99999999999999999999:number 1", "items::number 2", "items:x:number 3",
                                        "items:1 4", "items:-1:number 5", "items:7:number 6"),
                   "stats slabs": reply(":chunk_size 1", "1: 2", "x:chunk_size 3", "7:chunk_size 96")})
    started = exporter(targets=[server.address])
    got = started.exposition()
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_slab_current_items", slab="7") == "6"
    assert [labels["slab"] for labels, _ in got.find("memcached_slab_current_items")] == ["7"]
    good_scrape_follows(started, memcached)


def test_bare_newlines_are_taken(exporter, fake):
    server = fake({line: text.replace(b"\r\n", b"\n") for line, text in PLAIN.items()})
    got = exporter(targets=[server.address]).exposition()
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_current_items") == "5"


def test_answers_in_single_bytes(exporter, fake):
    def script(connection):
        while line := connection.line():
            connection.send_slowly(PLAIN[line])

    started = exporter("--memcached.timeout=5s", targets=[fake(script=script).address])
    for reused in ("0", "1"):
        got = started.exposition()
        assert (got.value("memcached_up"), got.value("memcached_target_connection_reused")) == ("1", reused)
        assert success(got) == {"settings": "1", "items": "1", "slabs": "1"}


def test_a_drip_does_not_outlive_the_deadline(exporter, fake):
    def script(connection):
        connection.line()
        connection.send(b"STAT x ")
        while True:
            connection.send(b"1")
            time.sleep(0.05)

    started = exporter("--memcached.timeout=400ms", targets=[fake(script=script).address])
    begin = time.monotonic()
    assert started.exposition().state() == "timeout"
    assert 0.35 < time.monotonic() - begin < 1


def test_more_than_was_asked_for(exporter, fake, memcached):
    """Bytes behind the last reply: the connection is out of step and may not be used again."""
    server = fake({"stats slabs": PLAIN["stats slabs"] + b"STAT pid 1\r\nEND\r\n"})
    started = exporter(targets=[server.address])
    for _ in range(3):
        got = started.exposition()
        assert got.value("memcached_up") == "1"
        assert got.value("memcached_current_items") == "5"
    good_scrape_follows(started, memcached)


UNAUTHENTICATED = b"CLIENT_ERROR unauthenticated\r\n"


def test_login_wanted(exporter, fake, memcached):
    server = fake(dict.fromkeys(PLAIN, UNAUTHENTICATED))
    started = exporter(targets=[server.address])
    got = started.exposition()
    assert (got.value("memcached_up"), got.state()) == ("0", "auth_failed")
    good_scrape_follows(started, memcached)


def test_login_wanted_by_a_real_server(exporter, memcached, tmp_path):
    file = tmp_path / "auth"
    file.write_text("user:secret\n")
    server = memcached("-Y", str(file))
    assert exporter(targets=[server.address]).exposition().state() == "auth_failed"


def test_overloaded_by_the_words_of_memcached(exporter, fake, memcached):
    for then in ("close", "reset"):
        server = fake(script=speaks(b"ERROR Too many open connections\r\n", wait_for_request=False, then=then))
        started = exporter()
        got = started.scrape(server.address)
        assert got.value("memcached_up") == "0"
        if then == "close":  # an RST may overtake the text
            assert got.state() == "overloaded"
        good_scrape_follows(started, memcached)


def test_unknown_host(exporter, memcached):
    started = exporter("--memcached.timeout=1s", targets=["no-such-host.invalid:11211", memcached().address])
    for _ in range(2):
        begin = time.monotonic()
        got = started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "1"})
        assert time.monotonic() - begin < 1
        assert got.state(instance="no-such-host.invalid:11211") == "unresolved"
        assert [value for labels, value in got.find("memcached_up") if "invalid" not in labels["instance"]] == ["1"]


def test_names_that_cannot_be_looked_up(exporter, memcached):
    started = exporter("--memcached.timeout=500ms")
    for name in ("a" * 63 + ".invalid", ".".join(["a" * 60] * 4), "-"):
        answer = started.get(f"/scrape?target={name}:1")
        assert answer.status in (200, 400)
    good_scrape_follows(started, memcached)


def test_no_route(exporter, memcached):
    """Port 1 of a broadcast address: connecting fails at once, whatever this machine's network is."""
    started = exporter("--memcached.timeout=500ms", targets=["255.255.255.255:1"])
    assert started.exposition().state() == "unreachable"
    good_scrape_follows(started, memcached)


def test_one_line_for_each_transition(exporter, memcached):
    server = memcached()
    started = exporter(targets=[server.address])
    seen = []
    for step in (server.kill, server.start, server.kill):
        for _ in range(3):
            started.exposition()
        before = len(started.log_of(server.address))
        step()
        for _ in range(3):
            started.exposition()
        seen.append(started.log_of(server.address)[before:])
    assert [len(lines) for lines in seen] == [1, 1, 1], seen
    assert [lines[0]["level"] for lines in seen] == ["WARN", "INFO", "WARN"]
    assert seen[0][0]["err"] and seen[2][0]["err"]


def test_faults_side_by_side(exporter, fake, memcached):
    """All of them in one answer, and the one good server among them."""
    good = memcached()
    servers = [fake(script=script) for script in NO_MEMCACHED.values()]
    started = exporter("--memcached.timeout=1s", targets=[*(server.address for server in servers), good.address])
    for _ in range(3):
        got = started.exposition()
        assert {labels["instance"] for labels, value in got.find("memcached_up") if value == "1"} == {good.address}
