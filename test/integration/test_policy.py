"""Which servers a URL may name: rules of the file, judged on what names resolve to; what is configured may be scraped."""

import json
import os
import socket
import threading

import pytest

from support import http
from support.discovery import await_fleet, fleet
from support.exporter import assert_clean, binary, environment, run
from support.process import Process, accepts, free_port, wait_until


@pytest.fixture
def started_with(tmp_path, exporter):
    """A function that starts an exporter with a policy, and with these targets as its only group."""
    def start(policy, *targets):
        file = tmp_path / "exporter.yml"
        file.write_text(json.dumps({"scrape_policy": policy, "groups": [{"name": "a", "targets": targets}]}), encoding="utf-8")
        started = exporter(f"--config.file={file}", "--web.enable-lifecycle", targets=None)
        started.file = file
        return started

    return start


@pytest.fixture
def unix_memcached(tmp_path):
    """A path on which somebody answers every request like an empty memcached."""
    path = tmp_path / "m.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(16)

    def serve(connection):
        with connection, connection.makefile("rb") as lines:
            for _ in lines:
                connection.sendall(b"STAT pid 1\r\nEND\r\n")

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield str(path)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def asked(started, target, path="/scrape"):
    return started.get(f"{path}?target={target}")


def assert_forbidden(started, target, reason):
    """By its address alone, before anybody is asked."""
    answer = asked(started, target)
    assert answer.status == 403 and answer.text.count("\n") == 1, answer
    assert reason in answer.text, answer.text
    assert asked(started, target, "/probe").status == 403


def assert_forbidden_when_resolved(started, target):
    """The reason says what the name has led to."""
    assert_forbidden(started, target, f"{target} (")


def test_flags(exporter, fake):
    server = fake()
    started = exporter("--scrape.allow=any", "--scrape.deny=loopback")
    assert_forbidden(started, server.address, "denies loopback")
    assert server.connections == 0
    open_to_all = exporter("--scrape.allow=metadata,link-local")
    assert_forbidden(open_to_all, server.address, "no rule")
    ended = run("--scrape.deny=10.0.0.0/33")
    assert ended.code == 2 and '--scrape.deny: "10.0.0.0/33": expected a network' in ended.stderr


def test_what_is_denied(started_with, fake):
    server = fake()
    started = started_with({"deny": ["127.0.0.0/8", "::1", "169.254.0.0/16", "fd00::/8"]})
    for target in (server.address, "169.254.169.254:80", "[fd00::1]:11211", "[::ffff:127.0.0.1]:%d" % server.port,
                   "0.0.0.0:%d" % server.port):
        assert_forbidden(started, target, "scrape_policy denies")
    assert_forbidden_when_resolved(started, f"localhost:{server.port}")
    assert server.connections == 0


def test_what_is_allowed(started_with, fake):
    server, other = fake(), fake(host="127.0.0.9")
    started = started_with({"allow": ["127.0.0.1/32"]})
    assert started.scrape(server.address).value("memcached_up") == "1"
    assert started.scrape(f"localhost:{server.port}").value("memcached_up") == "1"
    assert_forbidden(started, other.address, "no rule of scrape_policy allows")
    assert other.connections == 0


def test_ports_and_names(started_with, fake):
    server, other = fake(), fake()
    started = started_with({"allow": [f"local*:{server.port}"], "deny": ["localdomain"]})
    assert started.scrape(f"localhost:{server.port}").value("memcached_up") == "1"
    assert started.scrape(f"LOCALHOST:{server.port}").value("memcached_up") == "1"
    assert_forbidden(started, f"localhost:{other.port}", "no rule of scrape_policy allows")
    assert_forbidden(started, server.address, "no rule of scrape_policy allows")
    assert_forbidden(started, f"localdomain:{server.port}", "scrape_policy denies")
    assert other.connections == 0


def test_an_allowed_name_that_leads_to_what_is_denied(started_with, fake):
    server = fake()
    started = started_with({"allow": ["localhost"], "deny": ["127.0.0.1", "::1"]})
    assert_forbidden_when_resolved(started, f"localhost:{server.port}")
    assert server.connections == 0


def test_a_name_that_is_forbidden_beside_another_target(started_with, fake):
    """What is wrong with one is found while the other is asked: it is a state, not the answer of both."""
    server, other = fake(), fake(host="127.0.0.9")
    started = started_with({"deny": ["127.0.0.1", "::1"]})
    exposition = started.scrape(f"localhost:{server.port}", other.address)
    assert fleet(exposition) == {f"localhost:{server.port}": 0, other.address: 1}
    assert exposition.state(instance=f"localhost:{server.port}") == "forbidden"
    assert server.connections == 0


def test_one_forbidden_target_among_others(started_with, fake):
    """Nobody is asked: the answer would be half of what was wanted."""
    server = fake()
    started = started_with({"deny": ["10.0.0.0/8"]})
    answer = started.get(f"/scrape?target={server.address}&target=10.1.2.3:11211")
    assert answer.status == 403 and "10.1.2.3" in answer.text
    assert server.connections == 0


def test_configured_targets_are_always_allowed(started_with, fake, unix_memcached):
    servers = [fake(), fake()]
    targets = [servers[0].address, f"localhost:{servers[1].port}", f"unix:{unix_memcached}"]
    started = started_with({"deny": ["any", "unix:/*"]}, *targets)
    assert fleet(started.exposition()) == dict.fromkeys(targets, 1)
    for target in targets:
        assert started.scrape(target).value("memcached_up") == "1", target
    assert_forbidden(started, servers[1].address, "scrape_policy denies any")
    # Written in another way it is the same server.
    assert started.scrape(f"LOCALHOST:{servers[1].port}").value("memcached_up") == "1"
    # When they are configured no more, they are as any other.
    started.file.write_text(json.dumps({"scrape_policy": {"deny": ["any"]}, "groups": []}), encoding="utf-8")
    assert started.get("/-/reload", method="POST").status == 200
    assert_forbidden(started, targets[0], "scrape_policy denies any")
    assert_forbidden(started, targets[2], "unix socket")


def test_what_discovery_found_is_configured_too(tmp_path, exporter, fake):
    server = fake()
    (tmp_path / "sd.json").write_text(json.dumps([{"targets": [server.address]}]), encoding="utf-8")
    file = tmp_path / "exporter.yml"
    file.write_text(json.dumps({"scrape_policy": {"deny": ["any"]},
                                "groups": [{"name": "a", "file_sd": {"files": ["*.json"]}}]}), encoding="utf-8")
    started = exporter(f"--config.file={file}", targets=None)
    await_fleet(started, {server.address: 1})
    entries = json.loads(started.get("/sd").text)
    for entry in entries:
        for target in entry["targets"]:
            module = entry["labels"]["__param_module"]
            assert started.exposition(f"/scrape?target={target}&module={module}").value("memcached_up") == "1"
    os.rename(tmp_path / "sd.json", tmp_path / "gone")
    await_fleet(started, {})
    assert_forbidden(started, server.address, "scrape_policy denies any")


def test_a_start_that_waits_for_a_source(tmp_path, fake, deaf):
    """The policy holds from the first request on, and so do labels and modules."""
    server, port = fake(), free_port()
    file = tmp_path / "exporter.yml"
    file.write_text(json.dumps({
        "target_label": "server", "modules": {"m": {}}, "scrape_policy": {"deny": ["any"]},
        "groups": [{"name": "a", "module": "m", "http_sd": {"url": f"http://{deaf().address}/"}, "targets": ["127.0.0.1:1"]}],
    }), encoding="utf-8")
    process = Process([binary(), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"], env=environment())
    try:
        where = ("127.0.0.1", port)
        wait_until(lambda: accepts(where), "the start")
        assert http.get(where, "/-/ready").status == 503
        assert http.get(where, f"/scrape?target={server.address}").status == 403
        wait_until(lambda: http.get(where, "/-/ready").status == 503 and b"127.0.0.1:1" in http.get(where, "/sd").body,
                   "the targets that are known")
        assert json.loads(http.get(where, "/sd").body)[0]["labels"] == {
            "__meta_memcached_group": "a", "__meta_memcached_module": "m", "__param_module": "m"}
        assert http.get(where, "/scrape?target=127.0.0.1:1&module=m").status == 200
        assert server.connections == 0
        assert process.terminate() == 0
        assert_clean(process)
    finally:
        process.kill()


def test_unix_sockets(started_with, unix_memcached, tmp_path):
    """Only where a rule names them, and by no way around its folder."""
    assert_forbidden(started_with({"allow": ["any"]}), f"unix:{unix_memcached}", "unix socket")
    started = started_with({"allow": [f"unix:{tmp_path}/*.sock"]})
    for target in (f"unix:{unix_memcached}", unix_memcached):
        assert started.scrape(target).value("memcached_up") == "1"
    (tmp_path / "in").mkdir()
    for path in (f"{tmp_path}/in/../m.sock", f"{tmp_path}/./m.sock", f"{tmp_path}/in/x.sock", "/run/other.sock"):
        assert_forbidden(started, f"unix:{path}", "path")


def test_without_a_policy(exporter, fake, unix_memcached):
    """As the official exporter: every server, but no unix socket."""
    server = fake()
    started = exporter(targets=())
    assert started.scrape(server.address).value("memcached_up") == "1"
    assert_forbidden(started, f"unix:{unix_memcached}", "unix socket")


def test_a_reload_changes_the_policy(started_with, fake):
    """A connection that was made under the one before is not used under the next."""
    server = fake()
    started = started_with({"allow": ["private"]})
    assert started.scrape(f"localhost:{server.port}").value("memcached_up") == "1"
    for policy, allowed in (({"deny": ["127.0.0.1", "::1"]}, False), ({"allow": ["any"]}, True), ({"allow": ["10.0.0.0/8"]}, False)):
        started.file.write_text(json.dumps({"scrape_policy": policy, "groups": []}), encoding="utf-8")
        assert started.get("/-/reload", method="POST").status == 200
        if allowed:
            assert started.scrape(f"localhost:{server.port}").value("memcached_up") == "1"
        else:
            assert_forbidden_when_resolved(started, f"localhost:{server.port}")
            assert started.get(f"/scrape?target={server.address}").status == 403


def test_a_reload_that_leaves_the_policy_as_it_is(started_with, fake):
    """It keeps the connections of servers that URLs name; one that changes it does not."""
    server = fake()
    started = started_with({"allow": ["private"]})
    for policy, targets, connections in (("private", [], 1), ("private", ["127.0.0.1:1"], 1), ("any", [], 2)):
        text = {"scrape_policy": {"allow": [policy]}, "groups": [{"name": "b", "targets": targets}]}
        assert started.scrape(server.address).value("memcached_up") == "1"
        started.file.write_text(json.dumps(text), encoding="utf-8")
        assert started.get("/-/reload", method="POST").status == 200
        assert started.scrape(server.address).value("memcached_up") == "1"
        assert server.connections == connections


@pytest.mark.parametrize("target", ["2130706433:%d", "0x7f.1:%d", "0177.0.0.1:%d", "127.1:%d", "[::127.0.0.1]:%d"])
def test_odd_spellings_of_an_address(started_with, fake, target):
    """They reach nobody who is denied, whatever else becomes of them."""
    server = fake()
    started = started_with({"deny": ["127.0.0.0/8"]})
    answer = asked(started, target % server.port)
    assert answer.status in (400, 403) or b"\nmemcached_up 0\n" in answer.body, answer
    assert server.connections == 0


def test_metadata_services_are_not_private(started_with):
    started = started_with({"allow": ["private"]})
    port = free_port()
    assert_forbidden(started, f"169.254.169.254:{port}", "a metadata address of a cloud may not be scraped by URL")
    assert_forbidden(started, f"8.8.8.8:{port}", "no rule of scrape_policy allows")
    assert started.scrape(f"127.0.0.1:{port}").state() == "refused"


def test_without_a_policy_private_addresses_alone(exporter):
    started = exporter(targets=None)
    port = free_port()
    assert_forbidden(started, f"8.8.8.8:{port}", "only private addresses may be scraped by URL")
    for target in ("169.254.169.254", "[fe80::1%25lo]", "224.0.0.1", "255.255.255.255", "0.0.0.0", "[::]", "[64:ff9b::a9fe:a9fe]",
                   "[2002:a9fe:a9fe::]", "[::ffff:169.254.169.254]", "100.100.100.200", "[fd00:ec2::254]"):
        assert_forbidden(started, f"{target}:{port}", "may not be scraped by URL")
    assert_forbidden(started, "unix:/run/m.sock", "unix socket")
    assert started.scrape(f"127.0.0.1:{port}").state() == "refused"
    assert started.scrape(f"localhost:{port}").state() == "refused"


def refused(started):
    """The counter of refused targets by rule, without zeroes."""
    return {dict(labels)["rule"]: int(value) for (name, labels), value in started.exposition().samples.items()
            if name == "memcached_exporter_scrape_refused_total" and value != "0"}


@pytest.mark.parametrize("listen, own", [
    ("127.0.0.1", ["127.0.0.1", "[::ffff:127.0.0.1]", "[::127.0.0.1]"]),
    ("0.0.0.0", ["127.0.0.1", "127.0.0.2", "127.255.255.254", "[::ffff:127.0.0.1]", "[::ffff:7f00:3]", "localhost", "own"]),
    ("[::]", ["127.0.0.1", "127.0.0.2", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "localhost", "own"]),
])
def test_the_exporter_itself(exporter, listen, own):
    """No spelling leads there, and no rule opens the way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            address = probe.getsockname()[0]
        except OSError:
            address = "127.0.0.1"
    port = free_port()
    started = exporter("--scrape.allow=any", targets=None, listen=False, where=("127.0.0.1", port),
                       env={"MEMCACHED_FLEET_EXPORTER_WEB_LISTEN_ADDRESS": f"{listen}:{port}"})
    targets = [f"{address if host == 'own' else host}:{port}" for host in own]
    for target in targets:
        assert_forbidden(started, target, "the exporter itself")
    assert refused(started) == {"listener": 2 * len(targets)}
    # Of the addresses of a name, those that lead elsewhere may be tried.
    assert asked(started, f"localhost:{port}").status == 403 or started.scrape(f"localhost:{port}").state() == "refused"
    assert started.scrape(f"127.0.0.1:{free_port()}").state() == "refused"


def test_the_exporter_s_own_unix_socket(exporter, tmp_path):
    path = tmp_path / "own.sock"
    (tmp_path / "link.sock").symlink_to(path)
    started = exporter(f"--scrape.allow=unix:{tmp_path}/*", f"--web.listen-address=unix:{path}", targets=None)
    for name in ("own.sock", "link.sock"):
        assert_forbidden(started, f"unix:{tmp_path / name}", "the exporter itself")


def test_refusals_are_counted(exporter):
    started = exporter("--scrape.deny=10.0.0.0/8", "--scrape.deny=fd00::/8", targets=None)
    asked_for = {"allow": ["8.8.8.8", "[2001:4860:4860::8888]"], "deny": ["10.0.0.1"], "metadata": ["169.254.169.254"],
                 "link_local": ["169.254.0.1", "[fe80::1]"], "special": ["224.0.0.1"], "unix": ["unix:/run/a"]}
    for targets in asked_for.values():
        for target in targets:
            assert asked(started, target).status == 403
    assert refused(started) == {rule: len(targets) for rule, targets in asked_for.items()}
