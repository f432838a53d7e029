"""The ways out that are no HTTP: standard output with --once, and a file for node_exporter's textfile collector."""

import os
import subprocess
import threading
import time

import pytest

from support import http
from support.exporter import assert_clean, binary, environment, run
from support.exposition import Exposition
from support.node_exporter import NodeExporter
from support.process import PATIENCE_S, Process, accepts, free_port, wait_until

OWN = ("memcached_exporter_", "process_")


def once(*flags, targets, **popen):
    return run("--once", *(f"--memcached.address={target}" for target in targets or [""]), *flags, **popen)


def failures(exposition):
    return exposition.value("memcached_exporter_output_failures_total", output="textfile")


def writes(exposition):
    return exposition.value("memcached_exporter_output_writes_total", output="textfile")


@pytest.fixture
def quiet():
    """Starts the exporter without HTTP; it is held to a clean end."""
    started = []

    def start(*flags, targets):
        addresses = [f"--memcached.address={target}" for target in targets]
        started.append(Process([binary(), "--no-web", *addresses, *flags], env=environment()))
        return started[-1]

    yield start
    for process in started:
        process.terminate()
        assert_clean(process)


# --once

def test_once_to_standard_output(memcached):
    server = memcached()
    server.traffic()
    process = once(targets=[server.address])
    got = Exposition(process.stdout)
    assert (process.code, process.stderr) == (0, "")
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_items_total") == server.stats()["stats"]["total_items"]
    assert got.find("memcached_exporter_build_info") and got.find("process_open_fds")


def test_once_says_what_metrics_says(memcached, exporter):
    server, dead = memcached(), f"127.0.0.1:{free_port()}"
    said = Exposition(once(targets=[server.address, dead]).stdout)
    served = exporter(targets=[server.address, dead]).exposition()

    def theirs(exposition):
        return {key for key in exposition.samples if not key[0].startswith(OWN)}

    assert theirs(said) == theirs(served)


@pytest.mark.parametrize("up, down, code", [(1, 0, 0), (3, 0, 0), (1, 1, 3), (2, 1, 3), (0, 1, 4), (0, 2, 4), (0, 0, 0)])
def test_once_tells_by_its_exit_code_how_many_were_up(memcached, up, down, code):
    live = [memcached().address for _ in range(up)]
    dead = [f"127.0.0.1:{free_port()}" for _ in range(down)]
    process = once(targets=live + dead)
    assert process.code == code
    values = [value for _, value in Exposition(process.stdout).find("memcached_up")]
    assert sorted(values) == ["0"] * down + ["1"] * up


@pytest.mark.parametrize("terminal", [False, True])
def test_once_tells_how_far_it_is(fake, memcached, terminal):
    """From the third second on: in one line of a terminal, which is cleared at the end, or in the log."""
    held = fake(script=lambda connection: connection.wait_for_end())
    ours, theirs = os.openpty() if terminal else os.pipe()
    command = [binary(), "--once", "--memcached.timeout=4s", f"--memcached.address={held.address},{memcached().address}"]
    with subprocess.Popen(command, env=environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        assert b"memcached_up" in process.stdout.read()
        assert process.wait() == 3
    said = os.read(ours, 65536).decode()
    os.close(ours)
    if terminal:
        assert "\r\x1b[K1 of 2 servers are done\r" in said and said.endswith("\r\x1b[K")
    else:
        assert 'msg="the scrape goes on" done=1 targets=2' in said and "\x1b" not in said


def test_once_keeps_the_timeout(fake):
    held = fake(script=lambda connection: connection.wait_for_end())
    begin = time.monotonic()
    process = once("--memcached.timeout=300ms", targets=[held.address])
    assert process.code == 4
    assert 0.25 < time.monotonic() - begin < 2
    assert Exposition(process.stdout).state() == "timeout"


def test_once_without_the_exporters_own(memcached):
    process = once("--web.disable-exporter-metrics", targets=[memcached().address])
    assert not [name for name in Exposition(process.stdout).names() if name.startswith(OWN)]


def test_once_listens_nowhere(fake):
    port = free_port()
    held = fake(script=lambda connection: connection.wait_for_end())
    process = Process([binary(), "--once", "--memcached.timeout=1s", f"--memcached.address={held.address}",
                       f"--web.listen-address=127.0.0.1:{port}"], env=environment())
    wait_until(lambda: held.requests or held.connections, "the exporter to connect")
    assert not accepts(("127.0.0.1", port))
    assert process.wait() == 4
    assert_clean(process)


def to_file(*command, path):
    """Runs it with its standard output in that file; its exit code and what it said."""
    script = 'out=$1; shift; exec "$@" >"$out"'
    process = Process(["sh", "-c", script, "sh", path, *command], env=environment())
    code = process.wait()
    assert_clean(process)
    return code, process.stderr


def test_once_to_a_full_disk(memcached):
    code, said = to_file(binary(), "--once", f"--memcached.address={memcached().address}", path="/dev/full")
    assert code == 1
    assert len(said.splitlines()) == 1 and "no space left on device" in said


def test_once_into_a_pipe_that_is_closed(memcached):
    """The code is the program's own: a SIGPIPE would make it 141."""
    command = f'{{ "$0" --once --memcached.address={memcached().address}; echo $? >&2; }} | true'
    process = Process(["bash", "-c", f"{{ sleep 0.2; {command[2:]}", binary()], env=environment())
    process.wait()
    assert process.stderr.splitlines()[-1] in ("0", "1")
    assert_clean(process)


def test_once_to_a_file(memcached, tmp_path):
    path = tmp_path / "memcached.prom"
    dead = f"127.0.0.1:{free_port()}"
    process = once(f"--output.textfile={path}", targets=[memcached().address, dead])
    assert (process.code, process.stdout) == (3, "")
    got = Exposition(path.read_bytes())
    assert got.value("memcached_up", instance=dead) == "0"
    assert os.listdir(tmp_path) == ["memcached.prom"]


def test_once_to_a_file_that_cannot_be(memcached, tmp_path):
    process = once(f"--output.textfile={tmp_path}/missing/memcached.prom", targets=[memcached().address])
    assert process.code == 1
    assert len(process.stderr.splitlines()) == 1 and "no such file or directory" in process.stderr


def test_once_ends_at_a_signal(fake):
    held = fake(script=lambda connection: connection.wait_for_end())
    process = Process([binary(), "--once", "--memcached.timeout=1m", f"--memcached.address={held.address}"], env=environment())
    wait_until(lambda: held.connections, "the exporter to connect")
    process.terminate(5)
    assert process.stdout == ""
    assert_clean(process)


# The textfile

@pytest.fixture
def written(exporter, memcached, tmp_path):
    """A running exporter that writes every 100 ms, after its first file."""
    server = memcached()
    folder = tmp_path / "textfiles"
    folder.mkdir()
    path = folder / "memcached.prom"
    running = exporter(f"--output.textfile={path}", "--output.interval=100ms", targets=[server.address])
    wait_until(path.exists, "the first file")
    return running, path, server


def test_file_is_what_metrics_says(written):
    running, path, _ = written
    assert {key for key in Exposition(path.read_bytes()).samples if not key[0].startswith(OWN)} == {
        key for key in running.exposition().samples if not key[0].startswith(OWN)}


def test_file_is_rewritten(written):
    running, path, server = written
    ask = server.client.ask
    for number in (3, 7):
        for item in range(number):
            ask(b"set new%d 0 0 1\r\nx\r\n" % item)
        wait_until(lambda: Exposition(path.read_bytes()).value("memcached_current_items") == str(number), f"{number} items")
    assert int(writes(running.exposition())) >= 3
    assert failures(running.exposition()) == "0"


def test_http_is_served_beside_the_file(written):
    running, _, _ = written
    assert running.exposition().value("memcached_up") == "1"


@pytest.mark.parametrize("umask", [0o077, 0o000, 0o777])
def test_everybody_may_read_the_file(memcached, tmp_path, umask):
    path = tmp_path / "memcached.prom"
    assert once(f"--output.textfile={path}", targets=[memcached().address], umask=umask).code == 0
    assert path.stat().st_mode & 0o7777 == 0o644


def test_first_file_comes_at_once(exporter, memcached, tmp_path):
    path = tmp_path / "memcached.prom"
    exporter(f"--output.textfile={path}", "--output.interval=1h", targets=[memcached().address])
    wait_until(path.exists, "the first file", seconds=3)


def test_interval_is_kept(written):
    running, _, _ = written
    before, begin = int(writes(running.exposition())), time.monotonic()
    time.sleep(2)
    count, seconds = int(writes(running.exposition())) - before, time.monotonic() - begin
    assert seconds * 10 * 0.5 <= count <= seconds * 10 + 2


def test_a_slow_server_does_not_pile_up_writes(exporter, fake, tmp_path):
    """A tick that finds a collection under way is skipped."""
    held = fake(script=lambda connection: connection.wait_for_end())
    path = tmp_path / "memcached.prom"
    running = exporter(f"--output.textfile={path}", "--output.interval=50ms", "--memcached.timeout=400ms",
                       "--web.disable-exporter-metrics", targets=[held.address])
    time.sleep(2)
    assert held.connections <= 6
    assert Exposition(path.read_bytes()).state() == "timeout"
    assert running.get("/-/healthy").status == 200


def test_a_bad_folder_is_told_once_and_counted(written):
    running, path, _ = written
    away = path.parent.with_name("away")
    path.parent.rename(away)
    wait_until(lambda: int(failures(running.exposition())) >= 3, "three failures")
    told = [line for line in running.log() if line["level"] == "WARN"]
    assert len(told) == 1, told
    assert told[0]["path"] == str(path) and told[0]["err"] == "no such file or directory"

    away.rename(path.parent)
    path.unlink()
    wait_until(path.exists, "the file to come back")
    wait_until(lambda: "writing the textfile works again" in running.process.stderr, "the log to say so")
    failed = failures(running.exposition())
    time.sleep(0.5)
    assert failures(running.exposition()) == failed
    assert len([line for line in running.log() if line.get("path")]) == 2


def test_a_folder_that_is_missing_from_the_start_is_waited_for(exporter, memcached, tmp_path):
    path = tmp_path / "later" / "memcached.prom"
    running = exporter(f"--output.textfile={path}", "--output.interval=100ms", targets=[memcached().address])
    wait_until(lambda: failures(running.exposition()) != "0", "a failure")
    path.parent.mkdir()
    wait_until(path.exists, "the file")


def test_a_full_disk_leaves_the_old_file(memcached, tmp_path):
    """A limit of file sizes stands for the disk: the write fails in the middle."""
    path = tmp_path / "memcached.prom"
    path.write_text("# old\n")
    command = [binary(), "--once", f"--memcached.address={memcached().address}", f"--output.textfile={path}"]
    process = Process(["bash", "-c", 'ulimit -f 2; exec "$0" "$@"', *command], env=environment())
    assert process.wait() == 1, process.stderr
    assert_clean(process)
    assert path.read_text() == "# old\n"
    assert os.listdir(tmp_path) == ["memcached.prom"]


LAST_LINE = b'memcached_exporter_targets_dropped{reason="policy"} 0\n'


class Reader:
    """Reads the file as fast as it can; `bad` collects what was not a whole exposition."""

    def __init__(self, path):
        self.path, self.reads, self.bad, self._end = path, 0, [], False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._end:
            try:
                body = self.path.read_bytes()
                self.reads += 1
                if "memcached_up" not in Exposition(body).names() or not body.endswith(LAST_LINE):
                    self.bad.append(body)
            except (OSError, AssertionError, UnicodeDecodeError) as error:
                self.bad.append(error)

    def stop(self):
        self._end = True
        self._thread.join(PATIENCE_S)


def test_never_half_a_file_also_when_killed(memcached, tmp_path):
    path = tmp_path / "memcached.prom"
    servers = [memcached() for _ in range(3)]
    flags = [f"--memcached.address={server.address}" for server in servers]
    flags += ["--no-web", f"--output.textfile={path}", "--output.interval=1ms"]
    assert run("--once", *(flag for flag in flags if flag != "--no-web")).code == 0
    reader = Reader(path)
    try:
        for round_ in range(20):
            process = Process([binary(release=True), *flags], env=environment())
            before = path.stat().st_ino
            wait_until(lambda: path.stat().st_ino != before, "a new file")
            time.sleep(0.005 * round_)
            process.kill()
            assert_clean(process)
    finally:
        reader.stop()
    assert not reader.bad, reader.bad[:3]
    assert reader.reads > 50
    assert not [name for name in os.listdir(tmp_path) if not name.startswith(".") and name != "memcached.prom"]


def test_leaves_no_temporary_file_after_a_signal(quiet, memcached, tmp_path):
    path = tmp_path / "memcached.prom"
    process = quiet(f"--output.textfile={path}", "--output.interval=1ms", targets=[memcached().address])
    wait_until(path.exists, "the first file")
    time.sleep(0.1)
    assert process.terminate() == 0
    assert os.listdir(tmp_path) == ["memcached.prom"]


# node_exporter

@pytest.fixture
def node_exporter():
    started = []

    def start(folder):
        started.append(NodeExporter(folder))
        return started[-1]

    yield start
    for node in started:
        node.stop()


def test_node_exporter_serves_the_file(exporter, memcached, node_exporter, tmp_path):
    server, dead = memcached(), f"127.0.0.1:{free_port()}"
    server.traffic()
    path = tmp_path / "memcached.prom"
    exporter(f"--output.textfile={path}", "--output.interval=1s", targets=[server.address, dead])
    wait_until(path.exists, "the first file")
    node = node_exporter(tmp_path)
    lines = node.lines()
    assert f'memcached_up{{instance="{server.address}"}} 1' in lines
    assert f'memcached_up{{instance="{dead}"}} 0' in lines
    assert "node_textfile_scrape_error 0" in lines
    hits = server.stats()["stats"]["get_hits"]
    assert f'memcached_commands_total{{command="get",instance="{server.address}",status="hit"}} {hits}' in lines

    server.client.ask(b"get k3\r\n", b"END\r\n")
    line = f'memcached_commands_total{{command="get",instance="{server.address}",status="hit"}} {int(hits) + 1}'
    wait_until(lambda: line in node.lines(), "the next file")


def test_node_exporter_has_nothing_to_complain_about(memcached, node_exporter, tmp_path):
    """Its own process_* metrics must not meet ours, which would be an error in its log at every scrape."""
    node = node_exporter(tmp_path)
    before = node.complaints()  # that it runs as root
    once(f"--output.textfile={tmp_path}/memcached.prom", targets=[memcached().address])
    lines = node.lines()
    assert any(line.startswith("memcached_exporter_build_info{") for line in lines)
    assert node.complaints() == before


def test_node_exporter_never_reads_half_a_file(memcached, node_exporter, tmp_path):
    path = tmp_path / "memcached.prom"
    server = memcached()
    once(f"--output.textfile={path}", targets=[server.address])
    node = node_exporter(tmp_path)
    flags = [f"--memcached.address={server.address}", "--no-web", f"--output.textfile={path}", "--output.interval=1ms",
             "--web.disable-exporter-metrics"]
    for _ in range(5):
        process = Process([binary(release=True), *flags], env=environment())
        for _ in range(20):
            lines = node.lines()
            assert "node_textfile_scrape_error 0" in lines
            assert "memcached_up 1" in lines
        process.kill()
        assert_clean(process)
    assert [line for line in node.complaints() if "memcached.prom" in line] == []


# --no-web

def test_no_web_serves_nothing(quiet, memcached, tmp_path):
    port, path = free_port(), tmp_path / "memcached.prom"
    process = quiet(f"--output.textfile={path}", f"--web.listen-address=127.0.0.1:{port}", targets=[memcached().address])
    wait_until(path.exists, "the first file")
    assert process.running
    assert not accepts(("127.0.0.1", port))
    with pytest.raises(OSError):
        http.get(("127.0.0.1", port), "/metrics")
    assert process.terminate() == 0


def test_no_web_and_nothing_else_is_refused():
    process = run("--no-web", "--memcached.address=")
    assert process.code == 2
    assert len(process.stderr.splitlines()) == 1 and "--no-web" in process.stderr and "--push.url" in process.stderr


@pytest.mark.parametrize("flag, value", [("--output.interval", "0s"), ("--output.interval", "soon"), ("--output.interval", "-1s"),
                                         ("--output.textfile", "x.txt"), ("--output.textfile", "folder/")])
def test_bad_flags(tmp_path, flag, value):
    """node_exporter would never look at a file of another name."""
    process = run(f"{flag}={value}", "--once", "--memcached.address=", cwd=tmp_path)
    assert process.code == 2
    assert len(process.stderr.splitlines()) == 1 and flag in process.stderr and value in process.stderr
