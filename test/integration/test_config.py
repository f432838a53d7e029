"""The configuration file: what is refused and how, what flags mean beside it, what it makes of groups and modules."""

import os
import shutil
import signal
import tempfile
import threading
import time

import pytest

from support import http
from support.discovery import await_fleet, fleet
from support.exporter import assert_clean, binary, environment, run
from support.process import Process, accepts, free_port, wait_until

GOOD = "groups: [{name: a, targets: ['127.0.0.1:1']}]\n"


def bomb():
    """Nine lists, each of nine times the one before: half a milliard words, if somebody wrote them all down."""
    names = "abcdefghi"
    lists = [f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in zip(names, names[1:])]
    return "\n".join(["a: &a [x]", *lists, "groups: *i"])


# What is in the file, and what the line about it has.
BAD = {
    "empty": ("", "1:1: nothing: expected a mapping"),
    "scalar": ("hello", '1:1: "hello": expected a mapping'),
    "bomb": (bomb(), "1:4: a: a list: expected no anchors, aliases and tags"),
    "tag": ("groups: !!seq []", "1:9: groups: a list: expected no anchors"),
    "deep": ("groups: " + "[" * 100000, "at most 32 levels"),
    "half": ("groups: [{name: a, targets: ['127.0.0", "expected YAML"),
    "nul": ("groups:\0", "1:8: expected YAML"),
    "twice": ("groups: []\ngroups: []", "2:9: groups: a list: expected each key once"),
    "two documents": ("groups: []\n---\ngroups: []", "expected one document"),
    "unknown key": ("groups: [{name: a, target: []}]", "1:20: groups[0].target: unknown key (did you mean targets?)"),
    "no list": ("groups: {}", "1:9: groups: a mapping: expected a list of groups"),
    "port": ("groups: [{name: a, targets: ['h:70000']}]", '1:30: groups[0].targets[0]: "h:70000": expected'),
    "port 0": ("groups: [{name: a, dns: {name: h, type: A, port: 0}}]", 'groups[0].dns.port: "0": expected'),
    "label": ("groups: [{name: a, labels: {0x: y}}]", "groups[0].labels"),
    "own label": ("groups: [{name: a, labels: {slab: y}}]", "groups[0].labels.slab"),
    "module": ("groups: [{name: a, module: x}]", 'groups[0].module: "x": expected'),
    "collector": ("modules: {a: {collectors: [reset]}}", 'modules.a.collectors[0]: "reset": expected'),
    "policy": ("scrape_policy: {allow: [10.0.0.0/33]}", "scrape_policy.allow[0]"),
    "bracket": ("groups: [{name: a, http_sd: {url: 'http://[::1'}}]", "1:35: groups[0].http_sd.url: expected a URL"),
    "URL port": ("groups: [{name: a, http_sd: {url: 'http://h:99999/x'}}]", "1:35: groups[0].http_sd.url: expected a URL"),
    "push URL": ("outputs:\n  push: {url: 'http://h:abc'}", "2:15: outputs.push.url: expected a URL"),
    "shard": ("shard: 2/2", 'shard: "2/2": expected'),
    "password": ("modules: {a: {auth: {username: x, password: 's3cret'}}}", "modules.a"),
}


@pytest.fixture(params=BAD, ids=lambda name: name.replace(" ", "-"))
def bad(request):
    return BAD[request.param]


@pytest.fixture
def started_with(tmp_path, exporter):
    """A function that starts an exporter with a text as its file, `started.file`; a reload is allowed."""
    def start(text, *flags, targets=None, **kwargs):
        file = tmp_path / "exporter.yml"
        file.write_text(text, encoding="utf-8")
        started = exporter(f"--config.file={file}", "--web.enable-lifecycle", *flags, targets=targets, **kwargs)
        started.file = file
        return started

    return start


def reload(started, text=None):
    if text is not None:
        other = started.file.with_suffix(".new")
        other.write_text(text, encoding="utf-8")
        os.rename(other, started.file)
    return started.get("/-/reload", method="POST")


def one_line(text):
    assert text.count("\n") == 1 and text.endswith("\n"), text
    return text


def own(exposition, name):
    return exposition.value("memcached_exporter_" + name)


# --- Bad files ---

def test_check_and_start_refuse_a_bad_file(tmp_path, bad):
    text, expected = bad
    file = tmp_path / "exporter.yml"
    file.write_text(text, encoding="utf-8")
    for flags in ((), ("--config.check",), ("--once",)):
        port = free_port()
        process = run(f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}", *flags)
        assert process.code == 1, flags
        assert process.stdout == ""
        line = one_line(process.stderr)
        assert f"{file}:" in line and expected in line and "s3cret" not in line, line
        assert len(line) < 2000


def test_reload_refuses_a_bad_file(started_with, bad):
    text, expected = bad
    started = started_with(GOOD)
    before = started.exposition()
    answer = reload(started, text)
    assert answer.status == 500
    assert f"{started.file}:" in one_line(answer.text) and expected in answer.text
    assert "s3cret" not in answer.text + started.process.stderr
    after = started.exposition()
    assert own(after, "config_last_reload_successful") == "0"
    assert own(after, "config_last_reload_success_timestamp_seconds") == \
        own(before, "config_last_reload_success_timestamp_seconds")
    assert fleet(after) == {"127.0.0.1:1": 0}
    assert [line["level"] for line in started.log() if expected[-20:] in line.get("err", "")] == ["ERROR"]
    assert reload(started, GOOD.replace(":1", ":2")).status == 200
    assert fleet(started.exposition()) == {"127.0.0.1:2": 0}
    assert own(started.exposition(), "config_last_reload_successful") == "1"


def spoil(file, how):
    """Puts something at the file's place that is no file to read."""
    os.unlink(file)
    if how == "directory":
        file.mkdir()
    elif how == "fifo":
        os.mkfifo(file)
    elif how == "socket":
        os.mknod(file, 0o140644)
    elif how == "loop":
        file.symlink_to(file.name)
    elif how == "100 MB":
        with file.open("wb") as big:
            big.truncate(100 << 20)
    elif how == "endless":
        file.symlink_to("/dev/zero")


@pytest.mark.parametrize("how, expected", [
    ("gone", "No such file"), ("directory", "not a directory"), ("fifo", "expected a regular file"),
    ("socket", "No such device or address"), ("loop", "Too many levels of symbolic links"),
    ("100 MB", "expected at most 16 MiB"), ("endless", "expected a regular file"),
])
def test_what_is_no_file(started_with, how, expected):
    started = started_with(GOOD, release=True)  # sanitizers keep memory that was freed
    before = started.resident_kib()
    spoil(started.file, how)
    answer = reload(started)
    assert answer.status == 500 and expected in one_line(answer.text), answer
    assert fleet(started.exposition()) == {"127.0.0.1:1": 0}
    assert started.resident_kib() < before + 32 * 1024
    for flags in ((), ("--config.check",)):
        process = run(f"--config.file={started.file}", *flags)
        assert process.code == 1 and expected in one_line(process.stderr)


@pytest.fixture
def for_everybody():
    """The program where others may run it too, whoever's the folder is in which it was built."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o755)
        yield shutil.copy(binary(), place)


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become somebody who may not read")
def test_a_file_that_may_not_be_read(tmp_path, for_everybody):
    file = tmp_path / "exporter.yml"
    file.write_text(GOOD, encoding="utf-8")
    file.chmod(0)
    with file.open(encoding="utf-8") as held:
        # By way of a descriptor, since nobody else may enter the folder either.
        process = Process([for_everybody, f"--config.file=/proc/self/fd/{held.fileno()}", "--config.check"], env=environment(),
                          user=65534, group=65534, extra_groups=[], pass_fds=[held.fileno()])
        assert process.wait() == 1
    assert_clean(process)
    assert "Permission denied" in one_line(process.stderr)


# --- Checking ---

def test_check_prints_what_would_be_scraped(tmp_path):
    file = tmp_path / "exporter.yml"
    file.write_text("modules: {quick: {timeout: 200ms, collectors: []}}\n"
                    "groups:\n"
                    "- {name: a, labels: {team: web}, targets: [h-1, 'unix:/run/m.sock']}\n"
                    "- {name: b, module: quick, file_sd: {files: [x/*.json]}}\n", encoding="utf-8")
    process = run(f"--config.file={file}", "--config.check", "--memcached.timeout=3s", "--shard=0/1")
    assert process.code == 0 and process.stderr == ""
    for part in ('"a"', "team", "h-1", "unix:/run/m.sock", '"b"', "quick", "0.2s", "x/*.json", "timeout 3s"):
        assert part in process.stdout, (part, process.stdout)


def test_check_needs_a_file():
    process = run("--config.check")
    assert process.code == 2 and "--config.file" in one_line(process.stderr)


def test_check_listens_nowhere_and_asks_nobody(tmp_path, fake):
    server = fake()
    file = tmp_path / "exporter.yml"
    file.write_text(f"groups: [{{name: a, targets: ['{server.address}']}}]", encoding="utf-8")
    assert run(f"--config.file={file}", "--config.check").code == 0
    assert server.connections == 0


# --- Beside flags ---

def test_the_file_wins_for_what_it_names(started_with):
    started = started_with("target_label: server\n" + GOOD, "--web.target-label=node", "--shard=0/2",
                           targets=["127.0.0.1:7", "127.0.0.1:8"])
    assert [labels for labels, _ in started.exposition("/metrics?shard=0/1").find("memcached_up")] in (
        [{"server": "127.0.0.1:1"}], [])
    told = [line["flag"] for line in started.log() if "overrides this flag" in line["msg"]]
    assert any("--web.target-label" in flag for flag in told) and any("--memcached.address" in flag for flag in told)
    assert not any("--shard" in flag for flag in told)
    assert reload(started).status == 200
    assert [line["flag"] for line in started.log() if "overrides this flag" in line["msg"]] == told


def test_flags_name_the_targets_of_a_file_without_groups(started_with):
    started = started_with("modules: {default: {collectors: []}}", targets=["127.0.0.1:7", "127.0.0.1:8"])
    assert fleet(started.exposition()) == {"127.0.0.1:7": 0, "127.0.0.1:8": 0}
    assert reload(started, GOOD).status == 200
    assert fleet(started.exposition()) == {"127.0.0.1:1": 0}
    assert reload(started, "modules: {}").status == 200
    assert fleet(started.exposition()) == {"127.0.0.1:7": 0, "127.0.0.1:8": 0}


def test_shards_of_file_and_sources(tmp_path, started_with):
    addresses = [f"127.0.0.1:{port}" for port in range(1, 21)]
    (tmp_path / "sd.yml").write_text(f"- targets: {addresses[10:]}", encoding="utf-8")
    text = f"groups: [{{name: a, targets: {addresses[:10]}}}, {{name: b, file_sd: {{files: [sd.yml]}}}}]\n"
    started = started_with(text)
    await_fleet(started, dict.fromkeys(addresses, 0))
    parts = [fleet(started.exposition(f"/metrics?shard={n}/3")) for n in range(3)]
    assert all(parts) and sorted(address for part in parts for address in part) == sorted(addresses)
    for n in range(3):
        assert reload(started, f"shard: {n}/3\n{text}").status == 200
        assert fleet(started.exposition()) == parts[n]


# --- Modules ---

def test_each_group_is_asked_as_its_module_says(started_with, fake):
    quick, plain = fake(), fake()
    started = started_with("modules:\n"
                           "  default: {collectors: [settings]}\n"
                           "  quick: {collectors: [items]}\n"
                           "groups:\n"
                           f"- {{name: a, targets: ['{plain.address}']}}\n"
                           f"- {{name: b, module: quick, targets: ['{quick.address}']}}\n")
    assert fleet(started.exposition()) == {plain.address: 1, quick.address: 1}
    assert plain.requests == ["stats", "stats settings"] and quick.requests == ["stats", "stats items"]
    # What one group's module has, the other's need not have.
    assert fleet(started.exposition("/metrics?collect[]=items")) == {plain.address: 1, quick.address: 1}
    assert plain.requests[2:] == ["stats"] and quick.requests[2:] == ["stats", "stats items"]
    answer = started.get("/metrics?collect[]=slabs")
    assert answer.status == 400 and b'"slabs"' in answer.body


def test_scrape_with_a_module(started_with, fake):
    server = fake()
    started = started_with("modules: {quick: {collectors: [items]}, full: {collectors: [settings, items, slabs]}}")
    url = f"/scrape?target={server.address}"
    assert started.exposition(url + "&module=quick").value("memcached_up") == "1"
    assert server.requests == ["stats", "stats items"]
    assert started.exposition("/scrape?module=full&collect[]=slabs&target=" + server.address).value("memcached_up") == "1"
    assert server.requests[2:] == ["stats", "stats slabs"]
    for query, said in (("&module=none", b'unknown module "none"'), ("&module=quick&collect[]=slabs", b'"slabs"'),
                        ("&collect[]=slabs&module=quick", b'"slabs"')):
        answer = started.get(url + query)
        assert answer.status == 400 and said in answer.body, answer
    assert len(server.requests) == 4
    # Only the file names modules.
    assert reload(started, "groups: []").status == 200
    assert started.get(url + "&module=quick").status == 400
    assert started.get(url + "&module=default").status == 200


def test_each_group_has_its_own_time(started_with, deaf, fake):
    """A server that hangs costs its own module's time, and the answer waits for the longest."""
    quick, slow, good = deaf(), deaf(), fake()
    started = started_with("modules: {default: {timeout: 1s}, quick: {timeout: 200ms}}\n"
                           "groups:\n"
                           f"- {{name: a, module: quick, targets: ['{quick.address}']}}\n"
                           f"- {{name: b, targets: ['{slow.address}', '{good.address}']}}\n")
    begun = time.monotonic()
    exposition = started.exposition()
    took = time.monotonic() - begun
    assert fleet(exposition) == {quick.address: 0, slow.address: 0, good.address: 1}
    durations = {labels["instance"]: float(value)
                 for labels, value in exposition.find("memcached_target_scrape_duration_seconds")}
    assert 0.15 < durations[quick.address] < 0.7
    assert 0.95 < durations[slow.address] <= took < 3
    # The scrape's own deadline ends both.
    begun = time.monotonic()
    started.exposition(headers={"X-Prometheus-Scrape-Timeout-Seconds": "0.35"})
    assert time.monotonic() - begun < 0.9
    for module, least, most in (("quick", 0.15, 0.9), ("default", 0.95, 3)):
        begun = time.monotonic()
        started.exposition(f"/scrape?target={slow.address}&module={module}")
        assert least < time.monotonic() - begun < most


# --- Reloads while something is under way ---

def test_targets_that_go_while_they_hang(started_with, fake):
    """A scrape that waits for them goes on to its end; then their connections are closed."""
    hanging = [fake(script=lambda connection: connection.wait_for_end()) for _ in range(3)]
    addresses = [server.address for server in hanging]
    started = started_with("modules: {default: {timeout: 2s}}\n" f"groups: [{{name: a, targets: {addresses}}}]\n")
    answers = []
    scrapes = [threading.Thread(target=lambda: answers.append(fleet(started.exposition()))) for _ in range(3)]
    for scrape in scrapes:
        scrape.start()
    wait_until(lambda: all(server.connections for server in hanging), "the polls")
    assert reload(started, "groups: []").status == 200
    assert fleet(started.exposition()) == {}
    assert not answers
    assert reload(started, f"groups: [{{name: b, targets: {addresses[:1]}}}]\n").status == 200
    for scrape in scrapes:
        scrape.join()
    assert answers == [dict.fromkeys(addresses, 0)] * 3
    assert reload(started, "groups: []").status == 200
    wait_until(lambda: own(started.exposition(), "upstream_connections") in ("0", None), "the connections' end")


def test_reloads_and_scrapes_that_are_given_up(started_with, fake, deaf):
    servers, hanging = [fake() for _ in range(4)], deaf()
    texts = [f"groups: [{{name: a, targets: {[each.address for each in servers[:n]] + [hanging.address]}}}]\n"
             for n in range(5)] + ["groups: [", "groups: []\n"]
    started = started_with(texts[0], "--memcached.timeout=300ms")
    descriptors, done = started.descriptors(), threading.Event()

    def scrape():
        while not done.is_set():
            with http.RawClient(started.where) as client:
                client.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                time.sleep(0.01)

    scrapers = [threading.Thread(target=scrape, daemon=True) for _ in range(4)]
    for each in scrapers:
        each.start()
    for n in range(100):
        text = texts[n % len(texts)]
        if n % 3 == 0:
            started.process.signal(signal.SIGHUP)
        assert reload(started, text).status == (500 if text == "groups: [" else 200)
    done.set()
    for each in scrapers:
        each.join()
    assert reload(started, texts[0]).status == 200
    wait_until(lambda: started.descriptors() <= descriptors + 2, "the end of what the scrapes had opened")
    assert fleet(started.exposition()) == {hanging.address: 0}


def test_outputs_that_change_with_each_reload(tmp_path, started_with, fake, deaf):
    """Back and forth while the one before is being written; the last one is what is written from then on."""
    server, gateway = fake(), deaf()
    groups = f"groups: [{{name: a, targets: ['{server.address}']}}]\n"
    textfiles = [f"outputs: {{textfile: {{path: '{tmp_path}/{n}.prom', interval: 1s}}}}\n" for n in range(2)]
    push = f"outputs: {{push: {{url: 'http://{gateway.address}', interval: 1s, timeout: 5s}}}}\n"
    started = started_with(groups + textfiles[0])
    for n in range(40):
        assert reload(started, groups + (textfiles[0], push, textfiles[1], "")[n % 4]).status == 200
        time.sleep(0.02 * (n % 3))
    assert reload(started, groups + textfiles[1]).status == 200
    path = tmp_path / "1.prom"
    path.unlink(missing_ok=True)
    wait_until(path.exists, "the textfile")
    before = path.stat().st_mtime_ns
    wait_until(lambda: path.stat().st_mtime_ns != before, "the next one")
    assert not [name for name in os.listdir(tmp_path) if name not in ("0.prom", "1.prom", "exporter.yml")]


@pytest.mark.parametrize("delay", [0, 0.002, 0.01, 0.05])
def test_stop_during_a_reload(started_with, delay):
    addresses = [f"127.2.{n // 250}.{n % 250 + 1}:1" for n in range(5000)]
    started = started_with(f"groups: [{{name: a, targets: {addresses}}}]")
    started.process.signal(signal.SIGHUP)
    time.sleep(delay)
    started.stop()


def test_stop_while_a_reload_waits_for_a_source(started_with, deaf):
    """What is in force stays so until the source has answered; who asked is told that it will not come."""
    started = started_with(GOOD)
    answers = []
    silent = f"groups: [{{name: b, http_sd: {{url: 'http://{deaf().address}/'}}}}]"
    asking = threading.Thread(target=lambda: answers.append(reload(started, silent)))
    asking.start()
    time.sleep(0.3)
    assert not answers and fleet(started.exposition()) == {"127.0.0.1:1": 0}
    started.stop()
    asking.join()
    assert [answer.status for answer in answers] == [503]


@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1])
def test_hangups_during_the_start(tmp_path, delay):
    """A signal before the program has asked for it would end it, as it ends any program; later ones are reloads."""
    file = tmp_path / "exporter.yml"
    file.write_text(GOOD, encoding="utf-8")
    port = free_port()
    process = Process([binary(), f"--config.file={file}", f"--web.listen-address=127.0.0.1:{port}"],
                      env=environment(), preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    try:
        time.sleep(delay)
        for _ in range(5):
            process.signal(signal.SIGHUP)
        wait_until(lambda: accepts(("127.0.0.1", port)), "the start")
        assert process.terminate() == 0
        assert_clean(process)
    finally:
        process.kill()


# --- Once ---

def test_once_waits_for_its_sources(tmp_path, fake):
    server = fake()
    (tmp_path / "sd.json").write_text(f'[{{"targets": ["{server.address}"]}}]', encoding="utf-8")
    file = tmp_path / "exporter.yml"
    file.write_text("groups: [{name: a, file_sd: {files: [sd.json]}, labels: {team: web}}]", encoding="utf-8")
    process = run("--once", f"--config.file={file}")
    assert process.code == 0
    assert f'memcached_up{{instance="{server.address}",team="web"}} 1' in process.stdout


# --- One source, several groups ---

@pytest.mark.parametrize("found, code", [("[]", 0), ("[", 4)])
def test_once_tells_whether_there_is_nothing_or_nothing_was_found(tmp_path, found, code):
    (tmp_path / "found.json").write_text(found)
    file = tmp_path / "exporter.yml"
    file.write_text("groups: [{name: a, file_sd: {files: [found.json]}}]")
    assert run("--once", f"--config.file={file}").code == code


def test_one_source_for_two_groups(tmp_path, started_with):
    """It is asked once; each group makes its own targets of it. It may go, and come back."""
    (tmp_path / "sd.yml").write_text("- targets: ['127.0.0.1:1']", encoding="utf-8")
    source = "file_sd: {files: [sd.yml]}"
    both = f"groups: [{{name: a, labels: {{g: a}}, {source}}}, {{name: b, labels: {{g: b}}, {source}}}]\n"
    started = started_with(both)
    labels = [labels["g"] for labels, _ in started.exposition().find("memcached_up")]
    assert labels == ["a", "b"]
    for text, expected in ((f"groups: [{{name: b, labels: {{g: b}}, {source}}}]\n", ["b"]), ("groups: []\n", []),
                           (both, ["a", "b"])):
        assert reload(started, text).status == 200
        assert [labels["g"] for labels, _ in started.exposition().find("memcached_up")] == expected


def test_the_same_server_with_the_same_labels_in_two_groups(started_with):
    started = started_with("groups: [{name: a, targets: ['127.0.0.1:1']}, {name: b, targets: ['127.0.0.1:1']}]\n")
    assert fleet(started.exposition()) == {"127.0.0.1:1": 0}
    assert started.exposition().value("memcached_exporter_targets_dropped", reason="duplicate") == "1"
