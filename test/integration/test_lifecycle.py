"""Start, limits of the system, a long life, and the end."""

import json
import resource
import signal
import socket
import sys
import threading
import time

import pytest

from support import http
from support.exporter import EXIT_S, run
from support.exposition import Exposition
from support.fake import PLAIN
from support.process import PATIENCE_S, free_port, wait_until

# Resident memory may wander by a few pages of the allocator, not grow with the number of scrapes.
TOLERANCE_KIB = 64

PREFIX = "MEMCACHED_FLEET_EXPORTER_"

# The exporter behind a socket that somebody else opened: descriptor 3, as systemd hands it over.
SOCKET_ACTIVATION = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.argv[2], sys.argv[2:])
"""


def slow(seconds):
    """A script that thinks for a while before each answer to `stats`."""

    def script(connection):
        while line := connection.line():
            if line == "stats":
                time.sleep(seconds)
            connection.send(PLAIN[line])

    return script


# Starting.

def refused(process, code, *words):
    """It ended with this code and one line on stderr that holds all the words."""
    assert process.code == code, process.stderr
    lines = process.stderr.splitlines()
    assert len(lines) == 1 and process.stdout == "", (process.stdout, process.stderr)
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize("flag", ["--nonsense", "--nonsense=1", "-x", "--memcached.timeou=1s", "word"])
def test_unknown_flag(flag):
    refused(run(flag), 2, flag.split("=")[0])


@pytest.mark.parametrize("flag,value", [
    ("--memcached.timeout", "soon"), ("--memcached.timeout", "-1s"), ("--web.max-requests", "many"),
    ("--web.max-connections", "0"), ("--memcached.max-reply", "x"), ("--log.level", "loud"), ("--log.format", "xml"),
    ("--memcached.max-connecting", "0"), ("--web.telemetry-path", "metrics"),
])
def test_bad_value(flag, value):
    refused(run(f"{flag}={value}"), 2, flag, value)


@pytest.mark.parametrize("address", ["a b:1", "host:99999", "[::1", "http://x"])
def test_bad_address(address):
    refused(run(f"--memcached.address={address}"), 2, "--memcached.address", address)


def test_flag_without_its_value():
    refused(run("--memcached.timeout"), 2, "--memcached.timeout")


def test_official_flags_at_their_defaults_are_taken(exporter, memcached):
    started = exporter("--memcached.timeout=1s", "--memcached.pid-file=", "--no-memcached.tls.enable",
                       "--memcached.tls.cert-file=", "--memcached.tls.key-file=", "--memcached.tls.ca-file=",
                       "--no-memcached.tls.insecure-skip-verify", "--memcached.tls.server-name=", "--web.config.file=",
                       "--no-web.systemd-socket", "--web.telemetry-path=/metrics", "--web.scrape-path=/scrape",
                       "--log.level", "info", "--log.format", "logfmt", targets=[memcached().address])
    assert started.exposition().value("memcached_up") == "1"


def test_version_and_help():
    version = run("--version")
    assert version.code == 0 and version.stderr == ""
    assert version.stdout.startswith("memcached_fleet_exporter, version ")
    for flag in ("--help", "-h"):
        text = run(flag)
        assert text.code == 0 and text.stderr == ""
        for name in ("--memcached.address", "--web.listen-address", "--scrape.timeout-offset", "collector.slabs",
                     PREFIX):
            assert name in text.stdout


def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        refused(run(f"--web.listen-address={address}"), 1, address)


def test_one_bad_listener_of_two_starts_nothing(tmp_path):
    refused(run(f"--web.listen-address=127.0.0.1:{free_port()}", f"--web.listen-address=unix:{tmp_path}/none/s"), 1,
            f"{tmp_path}/none/s")


def test_a_live_unix_socket_is_not_taken_over(exporter, tmp_path):
    path = str(tmp_path / "web.sock")
    started = exporter(f"--web.listen-address=unix:{path}")
    refused(run(f"--web.listen-address=unix:{path}"), 1, path)
    assert http.get(path, "/-/healthy").status == 200
    assert started.process.running


def test_a_stale_unix_socket_is_replaced(exporter, tmp_path):
    path = str(tmp_path / "web.sock")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    exporter(f"--web.listen-address=unix:{path}")
    assert http.get(path, "/-/healthy").status == 200


def test_flags_by_environment(exporter, memcached):
    servers, port = [memcached(), memcached()], free_port()
    env = {"MEMCACHED_ADDRESS": ",".join(server.address for server in servers), "WEB_LISTEN_ADDRESS": f"127.0.0.1:{port}",
           "WEB_TARGET_LABEL": "box", "COLLECTOR_SLABS": "false", "SCRAPE_ENDPOINT": "false", "LOG_FORMAT": "json"}
    started = exporter(listen=False, targets=None, where=("127.0.0.1", port),
                       env={PREFIX + name: value for name, value in env.items()})
    got = started.exposition()
    assert {labels["box"]: value for labels, value in got.find("memcached_up")} == {s.address: "1" for s in servers}
    assert got.find("memcached_slab_chunk_size_bytes") == []
    assert started.get("/scrape?target=" + servers[0].address).status == 404
    assert json.loads(started.process.stderr.splitlines()[0])["level"]


def test_the_command_line_wins(exporter, memcached):
    server = memcached()
    env = {PREFIX + "MEMCACHED_ADDRESS": "127.0.0.1:1", PREFIX + "WEB_TELEMETRY_PATH": "/env"}
    started = exporter("--web.telemetry-path=/flag", targets=[server.address], env=env)
    assert started.exposition("/flag").value("memcached_up") == "1"
    assert started.get("/env").status == 404


def test_bad_environment_variable():
    name = PREFIX + "MEMCACHED_TIMEOUT"
    refused(run(env={name: "soon"}), 2, name, "soon")


def test_logs_as_json(exporter, memcached, dead_address):
    started = exporter("--log.format=json", "--log.level=debug", targets=[memcached().address, dead_address])
    started.exposition()
    started.stop()
    lines = [json.loads(line) for line in started.process.stderr.splitlines()]
    assert all({"time", "level", "msg"} <= set(line) for line in lines)
    assert [line for line in lines if line.get("target") == dead_address and line["level"] == "WARN" and line["err"]]


def test_logs_as_logfmt(exporter, memcached):
    started = exporter(targets=[memcached().address])
    started.stop()
    assert all({"time", "level", "msg"} <= set(line) for line in started.log())
    said = [(line["level"], line["msg"], line["address"]) for line in started.log() if "address" in line]
    address = f"127.0.0.1:{started.port}"
    assert said == [("INFO", "Listening on", address), ("INFO", "TLS is disabled.", address)]


def test_log_level(exporter, dead_address):
    started = exporter("--log.level=error", targets=[dead_address])
    started.exposition()
    started.stop()
    assert started.process.stderr == ""


def limits(soft, hard):
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_files(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return next(line.split()[3:5] for line in file if line.startswith("Max open files"))


def test_file_limit_is_raised(exporter, memcached):
    started = exporter(targets=[memcached().address], preexec_fn=limits(64, 2048))
    assert open_files(started.pid) == ["2048", "2048"]
    assert [line for line in started.log() if line["level"] == "WARN"] == []


def test_a_file_limit_too_low_for_the_fleet_is_told(exporter):
    started = exporter(targets=[f"127.0.0.1:{port}" for port in range(1, 301)], preexec_fn=limits(64, 128))
    warnings = [line for line in started.log() if line["level"] == "WARN"]
    assert len(warnings) == 1 and "file" in warnings[0]["msg"], started.log()


def test_scrapes_go_on_when_descriptors_run_out(exporter, memcached, fake):
    """More targets than descriptors: some are down, none hangs, and the exporter answers."""
    good = memcached()
    held = fake(host="0.0.0.0", script=lambda connection: connection.wait_for_end())
    started = exporter("--memcached.timeout=500ms", preexec_fn=limits(48, 48))
    many = [f"127.0.0.{host}:{held.port}" for host in range(1, 61)]
    for _ in range(3):
        got = started.scrape(*many)
        assert [value for _, value in got.find("memcached_up")] == ["0"] * 60
    assert started.scrape(good.address).value("memcached_up") == "1"


def test_socket_from_systemd(exporter, memcached):
    port = free_port()
    started = exporter("--web.systemd-socket", listen=False, targets=[memcached().address], where=("127.0.0.1", port),
                       wrapper=[sys.executable, "-c", SOCKET_ACTIVATION, port])
    assert started.exposition().value("memcached_up") == "1"
    started.stop()


def test_systemd_socket_without_one():
    refused(run("--web.systemd-socket"), 1, "--web.systemd-socket")


# A long life.

def session(started, count, path="/metrics"):
    conn = http.connection(started.where)
    for i in range(count):
        if i % 10 == 0:  # a new connection now and then, and gzip now and then
            conn.close()
        answer = http.request(conn, path, headers={"Accept-Encoding": "gzip"} if i % 3 else {})
        assert answer.status == 200
    conn.close()


def test_a_thousand_scrapes_leave_nothing_behind(exporter, memcached, fake, dead_address):
    servers = [memcached() for _ in range(3)]
    for server in servers:
        server.traffic()
    broken = fake(script=lambda connection: connection.send(b"220 hello\r\n"))
    started = exporter(release=True, targets=[*(server.address for server in servers), dead_address, broken.address])
    session(started, 300)  # by then malloc has seen the largest blocks, and keeps as much as it ever will
    descriptors, memory = started.descriptors(), started.resident_kib()
    session(started, 700)
    wait_until(lambda: started.descriptors() <= descriptors, "descriptors to be given back", 3)
    assert started.resident_kib() - memory <= TOLERANCE_KIB


def test_ever_new_targets_by_url_leave_nothing_behind(exporter):
    """Targets that were asked once are remembered for a while, at most --scrape.max-targets of them."""
    started = exporter("--scrape.max-targets=50", release=True)

    def ask(ports):
        conn = http.connection(started.where)
        for port in ports:
            assert http.request(conn, f"/scrape?target=127.0.0.1:{port}").status == 200
        conn.close()

    ask(range(1, 501))
    descriptors, memory = started.descriptors(), started.resident_kib()
    ask(range(501, 3001))
    wait_until(lambda: started.descriptors() <= descriptors, "descriptors to be given back", 3)
    assert started.resident_kib() - memory <= TOLERANCE_KIB


def test_valgrind_is_quiet(exporter, memcached, fake, dead_address, tmp_path):
    report = tmp_path / "valgrind.txt"
    good = memcached()
    good.traffic()
    faults = [fake(script=lambda connection: connection.send(b"220 hello\r\n")),
              fake(script=lambda connection: connection.send(b"STAT pid 1\r\nSTAT cur")),
              fake({"stats items": b"ERROR\r\n", "stats": PLAIN["stats"][:-5] + b"STAT version \xff\"\r\nEND\r\n"}),
              fake(script=lambda connection: connection.wait_for_end())]
    started = exporter("--memcached.timeout=1s", release=True,
                       targets=[good.address, f"localhost:{good.port}", dead_address, *(f.address for f in faults)],
                       wrapper=["valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible",
                                "--errors-for-leak-kinds=definite,indirect,possible", "--track-fds=no",
                                "--error-exitcode=99", f"--log-file={report}"])
    session(started, 3)
    for path, status in (("/scrape", 400), ("/scrape?target=%", 400), ("/none", 404), ("/", 200), ("/-/healthy", 200),
                         (f"/scrape?target={good.address}", 200), ("/scrape?target=no-such-host.invalid", 200)):
        assert started.get(path).status == status
    assert http.raw(started.where, b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n").status == 431
    half = http.RawClient(started.where)
    half.send(b"GET / HTTP/1.1\r\nHost")
    started.process.signal(signal.SIGTERM)
    code = started.process.wait(PATIENCE_S)
    started.ended = True
    half.close()
    assert code == 0, report.read_text() + started.process.stderr


# The end.

@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_at_once_when_nothing_runs(exporter, memcached, number):
    started = exporter(targets=[memcached().address])
    started.exposition()
    begin = time.monotonic()
    started.process.signal(number)
    assert started.process.wait(EXIT_S) == 0
    assert time.monotonic() - begin < 2


def in_background(started, path="/metrics"):
    answers = []

    def ask():
        try:
            answers.append(started.get(path))
        except (OSError, http.http.client.HTTPException) as failure:
            answers.append(failure)

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, answers


def test_sigterm_lets_a_running_scrape_finish(exporter, fake):
    server = fake(script=slow(1.5))
    started = exporter("--memcached.timeout=4s", targets=[server.address])
    thread, answers = in_background(started)
    wait_until(lambda: server.count("stats"), "the scrape to be under way")
    started.process.signal(signal.SIGTERM)
    wait_until(lambda: "msg=stopping" in started.process.stderr, "the signal")
    assert [started.get(path).status for path in ("/-/ready", "/metrics", "/scrape?target=127.0.0.1:1")] == [503] * 3
    started.stop(asked=True)
    thread.join(10)
    assert answers[0].status == 200
    assert Exposition(answers[0].body).value("memcached_up") == "1"


def test_a_scrape_that_takes_too_long_does_not_keep_it(exporter, fake):
    server = fake(script=lambda connection: connection.wait_for_end())
    started = exporter("--memcached.timeout=60s", targets=[server.address])
    thread, _ = in_background(started)
    wait_until(lambda: server.connections, "the scrape to be under way")
    begin = time.monotonic()
    started.stop()
    assert time.monotonic() - begin < EXIT_S
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(exporter, fake, second):
    server = fake(script=lambda connection: connection.wait_for_end())
    started = exporter("--memcached.timeout=60s", targets=[server.address])
    thread, _ = in_background(started)
    wait_until(lambda: server.connections, "the scrape to be under way")
    started.process.signal(signal.SIGTERM)
    wait_until(lambda: "msg=stopping" in started.process.stderr, "the first signal")
    begin = time.monotonic()
    started.process.signal(second)
    assert started.process.wait() == 128 + second
    assert time.monotonic() - begin < 3
    started.ended = True
    thread.join(10)


def test_idle_clients_do_not_hold_the_end(exporter, memcached):
    started = exporter(targets=[memcached().address])
    idle = http.connection(started.where)
    assert http.request(idle, "/metrics").status == 200
    half = http.RawClient(started.where)
    half.send(b"GET / HTTP/1.1\r\n")
    time.sleep(0.1)
    started.stop()
    idle.close()
    half.close()


def test_sigterm_while_a_name_is_looked_up(exporter):
    started = exporter("--memcached.timeout=30s", targets=["no-such-host.invalid:1"])
    thread, _ = in_background(started)
    time.sleep(0.1)
    started.stop()
    thread.join(10)


def test_sigpipe_does_not_end_it(exporter, memcached):
    started = exporter(targets=[memcached().address])
    started.process.signal(signal.SIGPIPE)
    assert started.exposition().value("memcached_up") == "1"
