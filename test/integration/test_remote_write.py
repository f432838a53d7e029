"""Remote write: Prometheus gets by it what it gets by scraping, and what is kept, tried again and dropped."""

import http.server
import os
import signal
import ssl
import threading
import time

import pytest

from support.exporter import run
from support.process import wait_until
from support.prometheus import Prometheus
from support.tls import Certificate

CONFIG = """
global: { scrape_interval: 1s, scrape_timeout: 1s }
scrape_configs:
  - job_name: scraped
    honor_labels: true
    static_configs: [{ targets: ["%s:%d"] }]
"""
# What Prometheus adds to a scrape, and what only an HTTP request makes. Times of creation are only in OpenMetrics.
OF_SCRAPES = ("up", "scrape_", "memcached_exporter_http_requests_total")


class Receiver:
    """
    Answers with the statuses that a test sets, the last one for ever, and keeps the bodies and their times. `headers`: of
    each answer that is no 2xx; `certificate`: it speaks TLS.
    """

    def __init__(self, *statuses, headers=None, certificate=None):
        self.statuses, self.requests, self.lock, self.times = list(statuses), [], threading.Lock(), []
        self.scheme = "https" if certificate else "http"
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    status = receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0]
                    receiver.times.append(time.monotonic())
                    receiver.requests.append((status, dict(self.headers.items()), self.path, body))
                text = b"" if status == 204 else b"no\n"  # a 204 has no body, not even a length
                self.send_response(status)
                for name, value in (headers or {}).items() if status >= 300 else ():
                    self.send_header(name, value)
                if text:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate.cert, certificate.key)
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.server.server_port}/api/v1/write"

    def bodies(self, status=None):
        with self.lock:
            return [body for code, _, _, body in self.requests if status in (None, code)]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def receiver():
    made = []

    def start(*statuses, **settings):
        made.append(Receiver(*statuses, **settings))
        return made[-1]

    yield start
    for one in made:
        one.close()


def sends(exporter, url, *flags, targets):
    return exporter(f"--remote-write.url={url}", "--remote-write.interval=300ms", *flags, targets=targets)


def counts(running):
    return {name.removeprefix("memcached_exporter_output_"): int(value)
            for (name, labels), value in running.exposition().samples.items()
            if dict(labels).get("output") == "remote_write"}


def series_of(prometheus, job):
    """The series of a job that have a value now, without the job."""
    return {frozenset((name, value) for name, value in labels.items() if name != "job")
            for labels, _ in prometheus.query(f'{{job="{job}"}}')
            if not labels["__name__"].startswith(OF_SCRAPES) and not labels["__name__"].endswith("_created")}


@pytest.fixture
def both_ways(exporter, memcached, tmp_path):
    """Prometheus scrapes an exporter with two servers, which sends to it as well."""
    servers = [memcached(), memcached()]
    servers[0].traffic()
    started = exporter(targets=[server.address for server in servers])
    prometheus = Prometheus(tmp_path, CONFIG % started.where, "--web.enable-remote-write-receiver")
    sender = sends(exporter, "http://%s:%d/api/v1/write" % prometheus.where, "--remote-write.job=sent",
                   "--remote-write.labels=instance=%s:%d,site=far" % started.where,
                   targets=[server.address for server in servers])
    try:
        yield prometheus, servers, sender
    finally:
        prometheus.stop()


def test_same_series_as_by_scrape(both_ways):
    prometheus, servers, sender = both_ways
    wait_until(lambda: len(prometheus.query('memcached_up{job="sent"}')) == 2, "what was sent")
    wait_until(lambda: len(prometheus.query('memcached_up{job="scraped"}')) == 2, "what was scraped")

    def sent():
        return {labels - {("site", "far")} for labels in series_of(prometheus, "sent")}

    wait_until(lambda: sent() == series_of(prometheus, "scraped"), "the same series")
    assert len(sent()) > 300
    assert all(("site", "far") in labels for labels in series_of(prometheus, "sent"))
    for expression in ("memcached_current_items", "memcached_items_total", "memcached_limit_bytes"):
        values = {job: {labels["instance"]: value for labels, value in prometheus.query(f'{expression}{{job="{job}"}}')}
                  for job in ("sent", "scraped")}
        assert values["sent"] == values["scraped"] and len(values["sent"]) == 2


def test_series_of_a_server_that_goes_are_stale(both_ways):
    """Long before the five minutes for which Prometheus looks back."""
    prometheus, servers, sender = both_ways
    gone = f'memcached_current_items{{job="sent",instance="{servers[1].address}"}}'
    stays = f'memcached_current_items{{job="sent",instance="{servers[0].address}"}}'
    wait_until(lambda: prometheus.query(gone), "the server that goes")
    servers[1].kill()
    wait_until(lambda: not prometheus.query(gone), "its end")
    assert prometheus.query(stays)
    assert prometheus.query(f'memcached_up{{job="sent",instance="{servers[1].address}"}}')[0][1] == "0"
    servers[1].start()
    wait_until(lambda: prometheus.query(gone), "its return")


def test_what_is_sent(exporter, memcached, receiver, tmp_path):
    (tmp_path / "password").write_text("secret\n")
    taker = receiver(204)
    running = sends(exporter, taker.url + "?tenant=a", "--remote-write.username=me",
                    f"--remote-write.password-file={tmp_path / 'password'}", targets=[memcached().address])
    wait_until(lambda: len(taker.bodies()) >= 2, "two messages")
    _, headers, path, body = taker.requests[0]
    assert path == "/api/v1/write?tenant=a"
    assert headers["Content-Encoding"] == "snappy" and headers["Content-Type"] == "application/x-protobuf"
    assert headers["X-Prometheus-Remote-Write-Version"] == "0.1.0"
    assert headers["Authorization"].startswith("Basic ")
    assert b"memcached_up" in body
    now = counts(running)
    assert now["writes_total"] >= 2 and now["failures_total"] == now["messages_dropped_total"] == 0


@pytest.mark.parametrize("status", [500, 503, 429])
def test_tried_again(exporter, memcached, receiver, status):
    """The same message, until it is taken; what comes meanwhile waits behind it."""
    taker = receiver(status, status, 200)
    running = sends(exporter, taker.url, targets=[memcached().address])
    wait_until(lambda: len(taker.bodies(200)) >= 3, "messages after the failures")
    bodies = taker.bodies()
    assert bodies[0] == bodies[1] == bodies[2] and len(set(bodies[2:])) == len(bodies[2:])
    now = counts(running)
    assert now["failures_total"] == 2 and now["messages_dropped_total"] == 0
    assert [line["msg"] for line in running.log() if "remote write" in line["msg"]] == \
        ["remote write failed, trying again later", "remote write works again"]


@pytest.mark.parametrize("status", [400, 404, 413])
def test_not_tried_again(exporter, memcached, receiver, status):
    taker = receiver(status, 200)
    running = sends(exporter, taker.url, targets=[memcached().address])
    wait_until(lambda: taker.bodies(200), "the message after the refused one")
    bodies = taker.bodies()
    assert bodies[0] not in bodies[1:]
    now = counts(running)
    assert now["failures_total"] == now["messages_dropped_total"] == 1


@pytest.mark.parametrize("status", [429, 503])
def test_waits_as_long_as_it_is_asked_to(exporter, memcached, receiver, status):
    """What comes meanwhile waits, too. Without the header, the second try would come after a second."""
    taker = receiver(status, 200, headers={"Retry-After": "3"})
    running = sends(exporter, taker.url, targets=[memcached().address])
    wait_until(lambda: len(taker.bodies(200)) >= 3, "messages after the pause")
    bodies = taker.bodies()
    assert bodies[0] == bodies[1] and taker.times[1] - taker.times[0] >= 2.9
    now = counts(running)
    assert now["failures_total"] == 1 and now["messages_dropped_total"] == 0


def test_bearer_token(exporter, memcached, receiver, tmp_path):
    """It is read again for each request, and neither the log nor the metrics have it."""
    taker, file = receiver(200), tmp_path / "token"
    file.write_text("first-token\n")
    running = sends(exporter, taker.url, f"--remote-write.bearer-token-file={file}", targets=[memcached().address])
    wait_until(lambda: taker.requests, "a message")
    assert taker.requests[0][1]["Authorization"] == "Bearer first-token"
    file.write_text("second-token\n")
    wait_until(lambda: taker.requests[-1][1]["Authorization"] == "Bearer second-token", "the renewed token")
    file.write_text("evil\r\nX-Evil: 1\n")
    wait_until(lambda: counts(running)["failures_total"] >= 1, "a failure")
    file.write_text("third-token\n")
    wait_until(lambda: taker.requests[-1][1]["Authorization"] == "Bearer third-token", "the mended token")
    assert not any("X-Evil" in headers for _, headers, _, _ in taker.requests)
    for token in ("first-token", "second-token", "evil"):
        assert token not in running.process.stderr and token not in running.get("/metrics").text


def test_own_authority(exporter, memcached, receiver, tmp_path):
    authority, other = (Certificate(tmp_path, name, is_ca=True) for name in ("ca", "other"))
    taker = receiver(200, certificate=Certificate(tmp_path, "receiver", ca=authority))
    running = sends(exporter, taker.url, f"--remote-write.tls.ca-file={other.cert}", targets=[memcached().address])
    wait_until(lambda: counts(running)["failures_total"] >= 1, "a failure")
    assert not taker.requests
    sends(exporter, taker.url, f"--remote-write.tls.ca-file={authority.cert}", targets=[memcached().address])
    wait_until(lambda: taker.bodies(200), "a message")


def test_receiver_that_comes_late(exporter, memcached, receiver):
    taker = receiver(200)
    taker.close()
    running = sends(exporter, taker.url, targets=[memcached().address])
    wait_until(lambda: counts(running)["failures_total"] >= 1, "a failure")
    assert counts(running)["messages_dropped_total"] == 0
    os.kill(running.process.popen.pid, signal.SIGTERM)
    assert running.process.popen.wait(10) == 0


def test_once(memcached, receiver):
    taker = receiver(200)
    server = memcached()
    process = run("--once", f"--remote-write.url={taker.url}", f"--memcached.address={server.address}")
    assert process.code == 0 and process.stdout == "" and len(taker.bodies()) == 1
    refusing = receiver(503)
    process = run("--once", f"--remote-write.url={refusing.url}", f"--memcached.address={server.address}")
    assert process.code == 1 and "remote write failed" in process.stderr and len(refusing.bodies()) == 1


def test_configuration_file(exporter, memcached, receiver, tmp_path):
    """As flags do; a reload begins to send, and faults are named by their place."""
    taker, server = receiver(200), memcached()
    config = tmp_path / "exporter.yml"
    groups = f"groups: [{{ name: g, targets: ['{server.address}'] }}]\n"
    config.write_text(groups, encoding="utf-8")
    running = exporter(f"--config.file={config}", targets=None)
    config.write_text(groups + f"outputs: {{ remote_write: {{ url: '{taker.url}', job: j, labels: {{ site: far }}, "
                               "interval: 300ms } }\n", encoding="utf-8")
    os.kill(running.process.popen.pid, signal.SIGHUP)
    wait_until(lambda: taker.bodies(), "a message")
    config.write_text(groups + "outputs: { remote_write: { url: 'ftp://x' } }\n", encoding="utf-8")
    process = run("--config.check", f"--config.file={config}")
    assert process.code == 1 and ":2:" in process.stderr and "outputs.remote_write.url" in process.stderr
