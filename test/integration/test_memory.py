"""
One allocation fails, each in its turn, from the start over scrapes to a reload: the program never aborts, and once
there is memory again no server is missing. It may end at the start with a line that says why, or refuse one request.

$FAILING_CALLS=all tries every allocation, which takes minutes; a number tries about so many, spread over all.
"""

import http.client
import json
import os
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml

from support import http as requests
from support import tls
from support.exporter import binary, environment
from support.exposition import Exposition
from support.process import Process, free_port, wait_until

SOURCE = os.path.join(os.path.dirname(__file__), "..", "support", "failing_memory.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("needs a C compiler")
    built = tmp_path_factory.mktemp("failing") / "failing_memory.so"
    subprocess.run([compiler, "-O1", "-g", "-shared", "-fPIC", "-o", built, SOURCE], check=True)
    return built


class Run:
    """The program with one allocation that fails. Its servers are in the file itself, or in one that discovery reads."""

    # How often the failing allocation may show, as a scrape that is refused or has a server down.
    LEAST_GOOD = 2

    def __init__(self, library, folder, call, servers, discovered=False):
        self.call, self.servers, self.file, self.count = call, servers, folder / "e.yml", folder / "count"
        self.found = folder / "found.json" if discovered else None
        self.where = ("127.0.0.1", free_port())
        self.write(servers[:1])
        extra = {"LD_PRELOAD": str(library), "FAILING_CALL": str(call), "FAILING_COUNT": str(self.count)}
        extra.update({key: value for key, value in os.environ.items() if key == "FAILING_TRACE"})
        # In the sandbox the preloaded library could not write its count.
        flags = ["--no-sandbox", f"--config.file={self.file}", "--web.enable-lifecycle", f"--web.listen-address=127.0.0.1:{self.where[1]}",
                 *self.more_flags()]
        self.process = Process([binary(release=True), *flags], env=environment(extra))

    def more_flags(self):
        return []

    def more_config(self, group):
        """Further parts of the file; may change the group."""
        return {}

    def write(self, servers):
        group = {"name": "a", "labels": {"team": "web"}}
        if self.found:
            group["file_sd"] = {"files": [str(self.found)], "refresh": "1s"}
            other = self.found.with_suffix(".new")
            other.write_text(json.dumps([{"targets": servers, "labels": {"zone": "eu"}}]), encoding="utf-8")
            other.rename(self.found)
        else:
            group["targets"] = servers
        self.file.write_text(yaml.safe_dump({"groups": [group], **self.more_config(group)}), encoding="utf-8")

    def answer(self, path, method="GET", headers=None):
        """None when there was none."""
        try:
            return requests.get(self.where, path, method, headers)
        except (OSError, http.client.HTTPException):
            return None

    def is_ready(self):
        """Or has ended."""
        answer = self.answer("/-/ready")
        return not self.process.running or (answer and answer.status == 200)

    def ups(self):
        """{server: memcached_up} of a scrape, None when it was refused."""
        answer = self.answer("/metrics")
        if not answer or answer.status != 200:
            return None
        return {labels["instance"]: value for labels, value in Exposition(answer.body).find("memcached_up")}

    def expect_servers(self, servers):
        """At most one scrape lacks memory: it is refused or has a server down, but none is missing from an answer."""
        wanted = dict.fromkeys(servers, "1")
        answers = [self.ups() for _ in range(3)]
        assert answers.count(wanted) >= self.LEAST_GOOD, f"{answers}, expected {wanted}"
        assert all(answer is None or answer.keys() == wanted.keys() for answer in answers), answers

    def reload(self):
        answer = self.answer("/-/reload", "POST")
        if answer is None or answer.status != 200:
            answer = self.answer("/-/reload", "POST")
        assert answer and answer.status == 200, answer

    def read_other_pages(self):
        """Any of them may be refused; all of them may take what is kept for the next scrape."""
        self.answer("/scrape?target=" + self.servers[0] + "&collect[]=stats")
        self.answer("/metrics", headers={"Accept-Encoding": "gzip"})
        self.answer("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        self.answer("/sd")
        self.answer("/")

    def check(self):
        wait_until(self.is_ready, "the exporter to be ready, or to end")
        if not self.process.running:
            assert self.process.wait() == 1
            assert self.process.stderr.strip(), "it ended without a word"
            return
        wait_until(lambda: self.ups(), "the first servers")  # discovery that failed once is tried again
        self.expect_servers(self.servers[:1])
        self.read_other_pages()
        self.write(self.servers)
        self.reload()
        if self.found:
            wait_until(lambda: len(self.ups() or {}) == len(self.servers), "what discovery found")
        self.expect_servers(self.servers)
        assert self.process.terminate() == 0

    def run(self):
        try:
            self.check()
        except BaseException as failure:
            raise AssertionError(f"allocation {self.call}: {failure}\n{self.process.stderr}") from failure
        finally:
            self.process.kill()


class Gateway(ThreadingHTTPServer):
    """Takes every push."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            while length := int(self.rfile.readline(), 16):
                self.rfile.read(length + 2)
            self.server.pushes += 1
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.pushes = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()


class SecuredRun(Run):
    """Pages by HTTPS, servers by TLS, and a push: OpenSSL and libcurl are loaded, and make handshakes."""

    def __init__(self, library, folder, call, servers, certificate, gateway):
        self.certificate, self.gateway, self.folder = certificate, gateway, folder
        super().__init__(library, folder, call, servers)

    def more_flags(self):
        web = self.folder / "web.yml"
        web.write_text(f"tls_server_config: {{cert_file: {self.certificate.cert}, key_file: {self.certificate.key}}}\n", encoding="utf-8")
        return [f"--web.config.file={web}"]

    def more_config(self, group):
        group["module"] = "m"
        return {"modules": {"m": {"tls": {"ca_file": str(self.certificate.cert), "server_name": "localhost"}}},
                "outputs": {"push": {"url": f"http://127.0.0.1:{self.gateway.server_port}", "interval": "200ms"}}}

    def answer(self, path, method="GET", headers=None):
        conn = http.client.HTTPSConnection(*self.where, timeout=15, context=tls.context())
        try:
            return requests.request(conn, path, method, headers)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            conn.close()

    def check(self):
        super().check()
        if self.process.popen.returncode == 0:
            assert self.gateway.pushes, "nothing was pushed"


def numbers(whole, wanted):
    """Of the allocations that fail: all, or so many that are spread over them."""
    count = int(whole.count.read_text(encoding="ascii"))
    assert count > 100
    wanted = os.environ.get("FAILING_CALLS", wanted)
    return range(1, count + 1, 1 if wanted == "all" else max(1, count // int(wanted)))


def try_each(make, wanted):
    whole = make(0)
    whole.run()
    failures = []
    for call in numbers(whole, wanted):
        try:
            make(call).run()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, f"{len(failures)} failures:\n" + "\n".join(failures)


@pytest.mark.parametrize("discovered", [False, True], ids=["named", "discovered"])
def test_each_allocation(library, tmp_path, fake, discovered):
    servers = [fake().address for _ in range(2)]
    try_each(lambda call: Run(library, tmp_path, call, servers, discovered), "60")


def test_each_allocation_of_tls_and_pushes(library, tmp_path, memcached):
    certificate, gateway = tls.Certificate(tmp_path, "localhost"), Gateway()
    flags = ["-Z", "-o", f"ssl_chain_cert={certificate.cert},ssl_key={certificate.key}"]
    try:
        servers = [memcached(*flags).address for _ in range(2)]
        try_each(lambda call: SecuredRun(library, tmp_path, call, servers, certificate, gateway), "12")
    finally:
        gateway.shutdown()
        gateway.server_close()
