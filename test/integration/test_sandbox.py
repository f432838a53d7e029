"""The sandbox: what it takes away, what goes on working in it, and what it says when it is in the way."""

import json
import os
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support import http
from support.discovery import await_fleet
from support.exporter import binary, environment
from support.process import wait_until

LAYERS = ("landlock", "seccomp", "no_new_privileges")


def layers(started):
    exposition = started.exposition()
    return {layer: int(exposition.value("memcached_exporter_sandbox", layer=layer)) for layer in LAYERS}


def status_of_threads(started, field):
    """The values of a line of /proc/PID/status, of all threads."""
    values = set()
    for thread in os.listdir(f"/proc/{started.pid}/task"):
        with open(f"/proc/{started.pid}/task/{thread}/status", encoding="ascii") as status:
            values.update(line.split()[1] for line in status if line.startswith(field + ":"))
    return values


def write_config(file, **parts):
    file.write_text(json.dumps(parts), encoding="utf-8")


def reload(started):
    assert started.get("/-/reload", method="POST").status == 200


class Web:
    """An HTTP or HTTPS server that takes pushes and names one target."""

    def __init__(self, target, certificate=None):
        web = self
        self.pushes = 0

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                web.pushes += 1
                self.send_response(200)
                self.end_headers()

            def do_GET(self):
                body = json.dumps([{"targets": [target]}]).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        # By name, so that the name services are asked too.
        self.url = f"http{'s' if certificate else ''}://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def certificate(tmp_path):
    paths = str(tmp_path / "certificate.pem"), str(tmp_path / "key.pem")
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                           "-addext", "subjectAltName=DNS:localhost", "-out", paths[0], "-keyout", paths[1]],
                          capture_output=True, check=False)
    if made.returncode:
        pytest.skip("openssl makes no certificate here")
    return paths


@pytest.fixture
def web():
    made = []

    def start(*args, **kwargs):
        made.append(Web(*args, **kwargs))
        return made[-1]

    yield start
    for server in made:
        server.close()


@pytest.mark.parametrize("release", (False, True), ids=("sanitized", "release"))
def test_is_in_force_by_default(exporter, fake, release):
    started = exporter(targets=[fake().address], release=release)
    have = layers(started)
    assert have["no_new_privileges"] == 1
    assert status_of_threads(started, "NoNewPrivs") == {"1"}
    if have["seccomp"]:
        assert status_of_threads(started, "Seccomp") == {"2"}
    line = next(line for line in started.log() if line["msg"] == "the exporter has given up rights that it does not need")
    assert {layer: line[layer] for layer in LAYERS} == {layer: "yes" if have[layer] else "no" for layer in LAYERS}


def test_can_be_left_out(exporter, fake):
    started = exporter("--no-sandbox", targets=[fake().address])
    assert layers(started) == dict.fromkeys(LAYERS, 0)
    assert status_of_threads(started, "Seccomp") == {"0"}
    assert any("without its sandbox" in line["msg"] for line in started.log())


def test_leaves_a_process_to_be_looked_into(exporter, fake, tmp_path):
    file = tmp_path / "pid"
    file.write_text(str(os.getpid()), encoding="ascii")
    started = exporter(f"--memcached.pid-file={file}", targets=[fake().address])
    assert layers(started)["landlock"] == 0


def test_output_that_comes_with_a_reload(exporter, fake, tmp_path):
    file, known, unknown = tmp_path / "exporter.yml", tmp_path / "known", tmp_path / "unknown"
    groups = [{"name": "a", "targets": [fake().address]}]
    known.mkdir()
    unknown.mkdir()
    write_config(file, groups=groups, outputs={"textfile": {"path": str(known / "a.prom"), "interval": "100ms"}})
    started = exporter(f"--config.file={file}", "--web.enable-lifecycle", targets=None)
    wait_until((known / "a.prom").exists, "the textfile")

    write_config(file, groups=groups, outputs={"textfile": {"path": str(known / "b.prom"), "interval": "100ms"}})
    reload(started)
    wait_until((known / "b.prom").exists, "another textfile in the same folder")

    write_config(file, groups=groups, outputs={"textfile": {"path": str(unknown / "c.prom"), "interval": "100ms"}})
    reload(started)
    if not layers(started)["landlock"]:
        wait_until((unknown / "c.prom").exists, "a textfile in another folder")
        return
    wait_until(lambda: "use --no-sandbox" in started.process.stderr, "the reason in the log")
    line = next(line for line in started.log() if "use --no-sandbox" in line["msg"])
    assert line["path"] == str(unknown / "c.prom") and line["level"].lower() == "warn"
    assert not list(unknown.iterdir()) and started.exposition().value("memcached_up", instance=groups[0]["targets"][0]) == "1"


def test_textfile_alone(fake, tmp_path):
    file = tmp_path / "a.prom"
    command = [binary(), "--once", f"--output.textfile={file}", f"--memcached.address={fake().address}"]
    assert subprocess.run(command, env=environment(), capture_output=True, check=False, timeout=60).returncode == 0
    assert b"memcached_up 1" in file.read_bytes()


def test_unix_socket(exporter, fake, tmp_path):
    path = tmp_path / "web.sock"
    started = exporter(f"--web.listen-address=unix:{path}", targets=[fake().address])
    assert path.is_socket()
    started.stop()
    assert not path.exists()


@pytest.mark.parametrize("release", (False, True), ids=("sanitized", "release"))
@pytest.mark.parametrize("secure", (False, True), ids=("http", "https"))
def test_push_and_discovery_that_come_with_a_reload(exporter, fake, web, tmp_path, certificate, secure, release):
    """libcurl, its TLS and the name services are loaded in the sandbox."""
    file, server = tmp_path / "exporter.yml", fake()
    gateway = web(server.address, certificate if secure else None)
    write_config(file, groups=[])
    started = exporter(f"--config.file={file}", "--web.enable-lifecycle", targets=None, release=release)
    assert not any("libcurl" in line for line in open(f"/proc/{started.pid}/maps", encoding="ascii"))
    write_config(file, groups=[{"name": "a", "http_sd": {"url": gateway.url + "/sd"}}],
                 outputs={"push": {"url": gateway.url, "interval": "100ms", **({"ca_file": certificate[0]} if secure else {})}})
    reload(started)
    wait_until(lambda: gateway.pushes > 1, "pushes")
    if secure:
        # No authority can be named for it: the handshake comes as far as that.
        wait_until(lambda: "certificate problem" in started.process.stderr, "the handshake of the discovery")
    else:
        await_fleet(started, {server.address: 1})
