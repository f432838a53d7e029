"""Flags and arguments that the official exporter takes, and what it does with them."""

import re
import shlex
import shutil
import socket
import subprocess

import pytest

from support.exporter import binary, run
from support.process import free_port


def slab_families(exposition):
    return {name for name, labels in exposition.samples if "slab" in dict(labels)}


def test_slab_switch_of_the_official_exporter(exporter, memcached):
    server = memcached()
    server.traffic()
    with_slabs = slab_families(exporter(targets=[server.address]).exposition())
    only_items = slab_families(exporter("--collector.slab=false", "--collector.items", targets=[server.address]).exposition())
    assert len(with_slabs) > 20
    assert only_items and only_items < with_slabs


@pytest.mark.parametrize("flag", ["--no-collector.slab", "--collector.slab=false", "--no-collector.items --no-collector.slabs"])
def test_nothing_of_slabs(exporter, memcached, flag):
    """Also not of what `stats` says of them. The official exporter keeps memcached_malloced_bytes, which is no series of a
    class. The summary of all classes has a switch of its own, see test_slab_summary.py."""
    server = memcached()
    server.traffic()
    with_slabs = exporter(targets=[server.address]).exposition().names()
    without = exporter(*flag.split(), "--no-collector.slab-summary", targets=[server.address]).exposition().names()
    assert "memcached_slab_pages_moved_total" in with_slabs
    gone = {name for name in with_slabs if name.startswith("memcached_slab_")}
    if "slabs" in flag:
        gone |= {"memcached_malloced_bytes", "memcached_slabs_active"}
    assert with_slabs - without == gone


def vsock_loopback(port):
    """A connection to a socket of virtual machines on this machine, or None: few kernels have that."""
    try:
        client = socket.socket(socket.AF_VSOCK)
        client.settimeout(5)
        client.connect((getattr(socket, "VMADDR_CID_LOCAL", 1), port))
        return client
    except OSError:
        return None


def test_listens_for_virtual_machines(exporter):
    """As exporter-toolkit does, between a machine and its host."""
    try:
        socket.socket(socket.AF_VSOCK).close()
    except OSError:
        assert "vsock://:9150" in run("--web.listen-address=vsock://:9150").stderr
        return
    started = exporter("--web.listen-address=vsock://:0")
    places = [line["address"] for line in started.log() if line["msg"] == "Listening on"]
    assert len(places) == 2 and places[1].startswith("vsock://:") and int(places[1].rpartition(":")[2]) > 0
    client = vsock_loopback(int(places[1].rpartition(":")[2]))
    if client:
        client.sendall(b"GET /-/healthy HTTP/1.0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("address", ["vsock://9150", "vsock://:", "vsock://:99999999999", "vsock://:http"])
def test_malformed_place_of_virtual_machines(address):
    ended = run(f"--web.listen-address={address}")
    assert ended.code == 2
    assert ended.stderr == (f'memcached_fleet_exporter: --web.listen-address: "{address}": expected a port from 0 to '
                            "4294967294, as in vsock://:9150\n")


def test_arguments_from_a_file(exporter, memcached, tmp_path):
    file = tmp_path / "flags"
    file.write_text(f"# where\n--memcached.address\n{memcached().address}\n\n--no-collector.settings\n")
    started = exporter(f"@{file}", targets=None)
    assert started.exposition().value("memcached_up") == "1"
    process = run("@/nowhere/flags")
    assert process.code == 1
    assert process.stderr == "memcached_fleet_exporter: @/nowhere/flags: no such file or directory\n"


def test_addresses_as_go_takes_them(exporter, memcached):
    server = memcached()
    port = server.address.rsplit(":", 1)[1]
    started = exporter(targets=[f":{port}"])
    assert started.exposition().value("memcached_up") == "1"
    assert started.scrape(f":{port}").value("memcached_up") == "1"


def test_socket_below_the_working_directory(exporter, tmp_path):
    (tmp_path / "run").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "run/m.sock"))
        listener.listen()
        started = exporter("--memcached.timeout=300ms", targets=["run/m.sock"], cwd=tmp_path)
        # Nobody answers there, which is another state than that of a path where there is nothing.
        assert started.exposition().state() == "timeout"


def test_metrics_at_the_root(exporter, memcached):
    started = exporter("--web.telemetry-path=/", targets=[memcached().address])
    for path in ("/", "/metrics", "/any/other"):
        assert started.exposition(path).value("memcached_up") == "1"
    assert started.get("/-/ready").status == 200
    assert started.get("/scrape").status == 400


def test_a_path_that_ends_in_a_slash_stands_for_all_below(exporter, memcached):
    started = exporter("--web.telemetry-path=/m/", "--web.scrape-path=/s/", targets=[memcached().address])
    for path in ("/m", "/m/", "/m/etrics"):
        assert started.exposition(path).value("memcached_up") == "1"
    assert {started.get(path).status for path in ("/s", "/s/", "/s/crape")} == {400}
    assert {started.get(path).status for path in ("/metrics", "/mm", "/ms/")} == {404}


@pytest.mark.parametrize("flag", ["--version", "--help", "--help-man", "--completion-script-bash"])
def test_output_that_cannot_be_written(flag):
    with open("/dev/full", "w", encoding="ascii") as full:
        process = subprocess.run([binary(), flag], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert process.returncode == 1
    assert process.stderr == "memcached_fleet_exporter: standard output: No space left on device\n"


SLAB_FLAGS = {"--no-collector.settings", "--no-collector.slab", "--no-collector.slab-summary", "--no-collector.slabs",
              "--no-collector.sizes"}


def shell(name, *words):
    """What a script says in a shell, or a skip where there is no such shell."""
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    return subprocess.run([name, *words], capture_output=True, text=True, check=True).stdout.split()


def test_completion_in_bash():
    script = ("eval \"$(%s --completion-script-bash)\"; COMP_WORDS=(x --no-collector.s); COMP_CWORD=1; "
              "_memcached_fleet_exporter; echo ${COMPREPLY[@]}" % shlex.quote(binary()))
    assert set(shell("bash", "-c", script)) == SLAB_FLAGS


def test_commands_in_bash():
    script = ("eval \"$(%s --completion-script-bash)\"; COMP_WORDS=(x %s); COMP_CWORD=%d; "
              "_memcached_fleet_exporter; echo ${COMPREPLY[@]}")
    program = shlex.quote(binary())
    assert shell("bash", "-c", script % (program, "''", 1)) == ["check", "top"]
    assert shell("bash", "-c", script % (program, "t", 1)) == ["top"]
    assert shell("bash", "-c", script % (program, "--once t", 2)) == []


@pytest.mark.parametrize("command", ["memcached_fleet_exporter", "memcached_exporter"])
def test_completion_in_fish(command):
    script = f"{shlex.quote(binary())} --completion-script-fish | source; complete -C '{command} --no-collector.s'"
    assert {word for word in shell("fish", "--no-config", "-c", script) if word.startswith("--")} == SLAB_FLAGS


def test_completion_in_zsh(tmp_path):
    """As a file in a folder of $fpath, where the package puts it. compadd is replaced, since it works in a terminal alone."""
    script = subprocess.run([binary(), "--completion-script-zsh"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "_memcached_fleet_exporter").write_text(script)
    words = shell("zsh", "-f", "-c", f"fpath=({tmp_path} $fpath); autoload -Uz compinit && compinit -u -d {tmp_path}/dump; "
                  "compadd() { print -- $@ }; PREFIX=--no; echo $_comps[memcached_exporter]; _memcached_fleet_exporter")
    assert words[0] == "_memcached_fleet_exporter"
    assert SLAB_FLAGS <= set(words)


def test_the_manual_is_clean():
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    manual = subprocess.run([binary(), "--help-man"], capture_output=True, check=True).stdout
    lint = subprocess.run(["mandoc", "-Tlint"], input=manual, capture_output=True, check=False)
    assert not lint.stdout and not lint.stderr, lint.stdout
    page = subprocess.run(["mandoc", "-Tascii"], input=manual, capture_output=True, check=True).stdout.decode()
    plain = re.sub(".\b", "", page)
    for section in ("FLAGS", "ENDPOINTS", "SIGNALS", "FILES", "EXIT STATUS", "EXAMPLES"):
        assert re.search(rf"^{section}$", plain, re.MULTILINE), section


@pytest.mark.parametrize("flags, expected", [
    (["--push.url=http://gateway/metrics"], "--push.url: expected a URL without /metrics"),
    (["--push.url=http://gateway", "--push.grouping=slab=1"], "--push.grouping: expected only labels that the samples do not"),
    (["--push.url=http://gateway", "--push.grouping=instance=a", "--memcached.address=a,b"], "--push.grouping: expected"),
])
def test_pushes_that_could_not_be_stored(flags, expected):
    process = run(f"--web.listen-address=127.0.0.1:{free_port()}", *flags)
    assert process.code == 2
    assert process.stderr.startswith(f"memcached_fleet_exporter: {expected}")
    assert process.stderr.count("\n") == 1
