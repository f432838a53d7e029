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

import pytest
import yaml

from support import http as requests
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

    def __init__(self, library, folder, call, servers, discovered=False):
        self.call, self.servers, self.file, self.count = call, servers, folder / "e.yml", folder / "count"
        self.found = folder / "found.json" if discovered else None
        self.where = ("127.0.0.1", free_port())
        self.write(servers[:1])
        extra = {"LD_PRELOAD": str(library), "FAILING_CALL": str(call), "FAILING_COUNT": str(self.count)}
        extra.update({key: value for key, value in os.environ.items() if key == "FAILING_TRACE"})
        # In the sandbox the preloaded library could not write its count.
        flags = ["--no-sandbox", f"--config.file={self.file}", "--web.enable-lifecycle", f"--web.listen-address=127.0.0.1:{self.where[1]}"]
        self.process = Process([binary(release=True), *flags], env=environment(extra))

    def write(self, servers):
        group = {"name": "a", "labels": {"team": "web"}}
        if self.found:
            group["file_sd"] = {"files": [str(self.found)], "refresh": "1s"}
            other = self.found.with_suffix(".new")
            other.write_text(json.dumps([{"targets": servers, "labels": {"zone": "eu"}}]), encoding="utf-8")
            other.rename(self.found)
        else:
            group["targets"] = servers
        self.file.write_text(yaml.safe_dump({"groups": [group]}), encoding="utf-8")

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
        assert answers.count(wanted) >= 2, f"{answers}, expected {wanted}"
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


@pytest.mark.parametrize("discovered", [False, True], ids=["named", "discovered"])
def test_each_allocation(library, tmp_path, fake, discovered):
    servers = [fake().address for _ in range(2)]
    whole = Run(library, tmp_path, 0, servers, discovered)
    whole.run()
    count = int(whole.count.read_text(encoding="ascii"))
    assert count > 100
    wanted = os.environ.get("FAILING_CALLS", "60")
    step = 1 if wanted == "all" else max(1, count // int(wanted))
    failures = []
    for call in range(1, count + 1, step):
        try:
            Run(library, tmp_path, call, servers, discovered).run()
        except AssertionError as failure:
            failures.append(str(failure))
    assert not failures, f"{len(failures)} of {count}:\n" + "\n".join(failures)
