"""Another configuration while the exporter runs: by SIGHUP and by POST, good and bad, in the middle of scrapes."""

import re
import signal
import threading

import pytest
import yaml

from support.process import wait_until

# Nobody listens there.
DEAD = [f"127.0.0.1:{port}" for port in range(1, 20)]


def instances(exposition):
    return {dict(labels)["instance"] for name, labels in exposition.samples if name == "memcached_up"}


def own(started, name):
    return next(float(value) for (key, _), value in started.exposition().samples.items() if key == "memcached_exporter_" + name)


@pytest.fixture
def configured(exporter, tmp_path):
    """A function that starts an exporter whose file has one group of these targets."""
    file = tmp_path / "exporter.yml"

    def write(targets, **config):
        file.write_text(yaml.safe_dump({"groups": [{"name": "a", "targets": targets}], **config}), encoding="utf-8")

    def start(targets, *flags, **config):
        write(targets, **config)
        started = exporter(f"--config.file={file}", "--web.enable-lifecycle", *flags, targets=None)
        wait_until(lambda: instances(started.exposition()) == set(targets), "the targets of the file")
        return started

    start.write, start.file = write, file
    return start


def reload(started, status=200):
    answer = started.get("/-/reload", method="POST")
    assert answer.status == status, answer
    return answer.body.decode()


def test_reload_by_post(configured):
    started = configured(DEAD[:2])
    first_s, first_hash = own(started, "config_last_reload_success_timestamp_seconds"), config_hash(started)
    assert own(started, "config_last_reload_successful") == 1
    configured.write(DEAD[1:4], target_label="server")
    assert reload(started) == ""
    servers = {dict(labels)["server"] for name, labels in started.exposition().samples if name == "memcached_up"}
    assert servers == set(DEAD[1:4])
    assert own(started, "config_last_reload_success_timestamp_seconds") > first_s
    assert config_hash(started) != first_hash


def config_hash(started):
    """As it is told: sixteen hexadecimal digits."""
    found = {dict(labels)["hash"] for name, labels in started.exposition().samples if name == "memcached_exporter_config_info"}
    assert len(found) == 1 and re.fullmatch("[0-9a-f]{16}", *found)
    return found.pop()


def test_reload_by_signal(configured):
    started = configured(DEAD[:1])
    configured.write(DEAD[2:5])
    started.process.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: instances(started.exposition()) == set(DEAD[2:5]), "the other targets")
    assert sum("configuration file is in force" in line["msg"] for line in started.log()) == 2


def test_bad_file_changes_nothing(configured):
    started = configured(DEAD[:2])
    before_s, before = own(started, "config_last_reload_success_timestamp_seconds"), config_hash(started)
    configured.file.write_text("groups:\n  - nmae: a\n", encoding="utf-8")
    body = reload(started, 500)
    assert body.startswith(f"{configured.file}:2:5: groups[0].nmae: unknown key (did you mean name?)"), body
    assert body.count("\n") == 1
    errors = [line["err"] for line in started.log() if line["level"] == "ERROR"]
    assert errors == [body.rstrip("\n")]
    assert instances(started.exposition()) == set(DEAD[:2])
    assert own(started, "config_last_reload_successful") == 0
    assert own(started, "config_last_reload_success_timestamp_seconds") == before_s
    assert config_hash(started) == before

    configured.file.unlink()
    assert "No such file or directory" in reload(started, 500)
    configured.write(DEAD[:3])
    assert reload(started) == ""
    assert own(started, "config_last_reload_successful") == 1
    assert instances(started.exposition()) == set(DEAD[:3])


def test_only_post_and_only_when_enabled(exporter, configured):
    started = configured(DEAD[:1])
    for method in ("GET", "HEAD", "PUT"):
        answer = started.get("/-/reload", method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    closed = exporter(f"--config.file={configured.file}", targets=None)
    answer = closed.get("/-/reload", method="POST")
    assert answer.status == 403
    assert answer.body == b"Lifecycle API is not enabled, see --web.enable-lifecycle\n"


def test_without_a_file_there_is_nothing_to_reload(exporter):
    started = exporter("--web.enable-lifecycle", targets=DEAD[:1])
    assert reload(started) == "there is nothing to reload without --config.file\n"
    started.process.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: any("nothing to reload" in line["msg"] for line in started.log()), "a line of the log")
    assert started.get("/metrics").status == 200


def test_outputs_of_the_file(configured, tmp_path):
    """A textfile comes, moves and goes with the file. The sandbox would leave no folder writable that is not named at
    the start."""
    started = configured(DEAD[:1], "--no-sandbox")
    one, two = tmp_path / "one.prom", tmp_path / "two.prom"
    configured.write(DEAD[:1], outputs={"textfile": {"path": str(one), "interval": "50ms"}})
    reload(started)
    wait_until(one.exists, "the textfile")
    configured.write(DEAD[:1], outputs={"textfile": {"path": "two.prom", "interval": "50ms"}})
    reload(started)
    wait_until(two.exists, "the other textfile")
    configured.write(DEAD[:1])
    reload(started)
    wait_until(lambda: not list(tmp_path.glob(".*")), "the end of what was being written")
    two.unlink()
    one.unlink()
    assert instances(started.exposition()) == set(DEAD[:1])
    assert not one.exists() and not two.exists()


def test_stop_while_reloading(configured):
    """Who waits for a reload is answered, also when the end comes first."""
    started = configured(DEAD[:1])
    configured.write(DEAD, groups=[{"name": "a", "elasticache": {"endpoint": "127.0.0.1:1"}}])
    answers = []
    waiting = [threading.Thread(target=lambda: answers.append(started.get("/-/reload", method="POST").status)) for _ in range(4)]
    for thread in waiting:
        thread.start()
    started.process.popen.send_signal(signal.SIGHUP)
    wait_until(lambda: started.get("/metrics").status == 200, "a scrape")
    started.stop()
    for thread in waiting:
        thread.join()
    assert len(answers) == 4 and set(answers) <= {200, 503}, answers


class Storm:
    """Threads that scrape all the time, and keep what was wrong."""

    def __init__(self, started, always, threads=4):
        self.started, self.always = started, set(always)
        self.done, self.scrapes, self.wrong = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self._run, args=(n,)) for n in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, n):
        try:
            while not self.done.is_set():
                if n % 2:
                    exposition = self.started.exposition()
                    up = {dict(labels)["instance"] for (name, labels), value in exposition.samples.items()
                          if name == "memcached_up" and value == "1"}
                    if not self.always <= up:
                        self.wrong.append(self.always - up)
                else:
                    exposition = self.started.scrape(*self.always)
                self.scrapes += 1
        except Exception as failure:  # told by end(), in the test's own thread
            self.wrong.append(failure)

    def end(self):
        self.done.set()
        for thread in self.threads:
            thread.join()
        assert not self.wrong, self.wrong[:3]
        assert self.scrapes > 20


def test_hundred_reloads_in_a_storm_of_scrapes(configured, memcached):
    """No scrape fails or lacks a server that stays, no connection to one is made anew, and none is left over."""
    kept, others = [memcached(), memcached()], [memcached() for _ in range(3)]
    stay = [server.address for server in kept]
    come_and_go = [server.address for server in others]
    started = configured(stay)
    for _ in range(2):
        started.scrape(*stay)
    descriptors = started.descriptors()
    connections = [server.stats()["stats"]["total_connections"] for server in kept]
    storm = Storm(started, stay)
    for n in range(100):
        configured.write(stay + come_and_go[:n % 4], target_label="instance")
        if n % 10 == 9:
            configured.file.write_text("groups: [", encoding="utf-8")
        reload(started, 500 if n % 10 == 9 else 200)
    configured.write(stay)
    reload(started)
    storm.end()
    assert instances(started.exposition()) == set(stay)
    assert [server.stats()["stats"]["total_connections"] for server in kept] == connections
    wait_until(lambda: started.descriptors() <= descriptors, "no more descriptors than before")
    wait_until(lambda: all(int(server.stats()["stats"]["curr_connections"]) <= 3 for server in others), "connections to end")
