"""Files in Prometheus' own format, as they are written while somebody scrapes: at once, by halves, broken, by rename."""

import itertools
import json
import os
import random
import threading
import time

import pytest
import yaml

from support.discovery import Source, await_answers, await_failures, await_fleet, config_file, fleet
from support.process import wait_until

# Nobody listens on any of them, so that each is down at once.
ALWAYS = [f"127.0.0.1:{port}" for port in range(1, 6)]
OTHERS = [f"127.0.0.1:{port}" for port in range(6, 40)]


def down(addresses):
    return {address: 0 for address in addresses}


def write(path, entries):
    """By rename, so that nobody sees half of it."""
    text = json.dumps(entries) if path.suffix == ".json" else yaml.safe_dump(entries)
    other = path.with_name(path.name + "~")
    other.write_text(text, encoding="utf-8")
    os.rename(other, path)


def entry(targets, **labels):
    return {"targets": list(targets), "labels": labels}


@pytest.fixture
def followed(tmp_path, exporter):
    """A function that starts an exporter of what the files of the test's folder say."""
    def start(*files, labels=None, **flags):
        group = {"file_sd": {"files": [str(file) for file in files], "refresh": "60s"}, "labels": labels or {}}
        return exporter(config_file(tmp_path, group), targets=None, **flags)

    return start


class Scraper(threading.Thread):
    """Scrapes as fast as it can, and keeps which of the targets that must be there were not."""

    def __init__(self, exporter, always):
        super().__init__(daemon=True)
        self.exporter, self.always = exporter, set(always)
        self.done = threading.Event()
        self.scrapes, self.missing, self.failure = 0, [], None
        self.start()

    def run(self):
        try:
            while not self.done.is_set():
                missing = self.always - set(fleet(self.exporter.exposition("/metrics?collect[]=settings")))
                self.scrapes += 1
                if missing:
                    self.missing.append(missing)
        except Exception as failure:  # told by end(), in the test's own thread
            self.failure = failure

    def end(self):
        self.done.set()
        self.join()
        assert self.failure is None, self.failure
        assert self.scrapes > 10
        assert not self.missing, self.missing


def spoil(path, text, how):
    """What a writer in a hurry leaves behind, for a moment."""
    if how == "half":
        path.write_text(text[:len(text) // 2], encoding="utf-8")
    elif how == "empty":
        path.write_text("", encoding="utf-8")
    elif how == "rubbish":
        path.write_text(text + "]", encoding="utf-8")
    elif how == "target":
        path.write_text(text.replace('["', '["127.0.0.1:70000", "', 1), encoding="utf-8")
    else:
        path.write_bytes(os.urandom(100))


def test_files_that_are_rewritten_all_the_time(tmp_path, followed):
    """A scrape never lacks a target that was always there, though the file was broken between any two good ones."""
    path = tmp_path / "sd.json"
    write(path, [entry(ALWAYS)])
    started = followed("*.json")
    await_fleet(started, down(ALWAYS))
    scraper, chance = Scraper(started, ALWAYS), random.Random(1)
    for n in range(500):
        targets = ALWAYS + chance.sample(OTHERS, chance.randrange(10))
        chance.shuffle(targets)
        if n % 2:
            spoil(path, json.dumps([entry(targets)]), chance.choice(["half", "empty", "rubbish", "target", "bytes"]))
        elif n % 4:
            path.write_text(json.dumps([entry(targets)]), encoding="utf-8")
        else:
            write(path, [entry(targets)])
        time.sleep(chance.random() * 0.02)
    write(path, [entry(ALWAYS + OTHERS[:2])])
    await_fleet(started, down(ALWAYS + OTHERS[:2]))
    scraper.end()
    assert fleet(started.exposition()) == down(ALWAYS + OTHERS[:2])


def test_yaml_that_is_written_by_halves(tmp_path, followed):
    """Half of a YAML list is a list too; what rests for a moment is taken to be whole."""
    path = tmp_path / "sd.yml"
    write(path, [entry([address], n=str(n)) for n, address in enumerate(ALWAYS)])
    started = followed("sd.yml")
    await_fleet(started, down(ALWAYS))
    scraper = Scraper(started, ALWAYS)
    for n in range(30):
        text = yaml.safe_dump([entry([address], n=str(n)) for address in ALWAYS])
        with path.open("w", encoding="utf-8") as file:
            for line in text.splitlines(keepends=True):
                file.write(line)
                file.flush()
                time.sleep(0.003)
    write(path, [entry(ALWAYS + OTHERS[:1])])
    await_fleet(started, down(ALWAYS + OTHERS[:1]))
    scraper.end()


def test_labels_of_files(tmp_path, followed):
    """Their own are kept, those that begin with __ only serve the group's, which win."""
    write(tmp_path / "sd.json", [
        entry(ALWAYS[:1], zone="eu-1", team="theirs", __meta_rack="r7", __x="y"),
        entry(ALWAYS[1:2], rack="r8"),
        entry(ALWAYS[2:3]) | {"labels": {"empty": ""}},
    ])
    started = followed("sd.json", labels={"team": "web", "rack": "$meta_rack"})
    await_fleet(started, down(ALWAYS[:3]))
    samples = dict(zip(ALWAYS, [labels for labels, _ in started.exposition().find("memcached_up")]))
    assert samples == {
        ALWAYS[0]: {"instance": ALWAYS[0], "team": "web", "rack": "r7", "zone": "eu-1"},
        ALWAYS[1]: {"instance": ALWAYS[1], "team": "web"},
        ALWAYS[2]: {"instance": ALWAYS[2], "team": "web"},
    }


def test_labels_that_collide(tmp_path, followed):
    """A label that some metric has itself would make two series one: such a target is left out, and that is told."""
    write(tmp_path / "sd.json", [
        entry(ALWAYS[:1], slab="1"), entry(ALWAYS[1:2], instance="other"), entry(ALWAYS[2:3], zone="eu-1"),
    ])
    started = followed("sd.json")
    await_fleet(started, down(ALWAYS[2:3]))
    assert started.exposition().value("memcached_exporter_targets_dropped", reason="label") == "2"
    lines = [line for line in started.log() if "a label that metrics use" in line["msg"]]
    assert [line["targets"] for line in lines] == ["2"] and lines[0]["target"] in ALWAYS


def test_a_server_in_several_files(tmp_path, followed):
    write(tmp_path / "a.json", [entry(ALWAYS[:2], file="a")])
    write(tmp_path / "b.yml", [entry(ALWAYS[1:3], file="b")])
    started = followed("*.json", "*.yml")
    await_fleet(started, down(ALWAYS[:3]))
    assert started.exposition().value("memcached_exporter_targets_dropped", reason="duplicate") == "1"
    os.unlink(tmp_path / "a.json")
    await_fleet(started, down(ALWAYS[1:3]))
    write(tmp_path / "c.json", [entry(ALWAYS[3:4])])
    await_fleet(started, down(ALWAYS[1:4]))


def test_globs_that_match_nothing_yet(tmp_path, followed):
    started = followed("later/*.json")
    assert started.get("/-/ready").status == 200
    assert fleet(started.exposition()) == {}
    (tmp_path / "later").mkdir()
    write(tmp_path / "later" / "sd.json", [entry(ALWAYS[:1])])
    await_fleet(started, down(ALWAYS[:1]))


@pytest.mark.parametrize("text", [
    "{}", "[1]", '[{"targets": "127.0.0.1:1"}]', '[{"targets": 1}]',
    '[{"targets": [], "labels": {"0": ""}}]', '[{"targets": []}] x', '[{"targets": []}', "[" * 100000, "\0",
])
def test_a_file_that_is_bad_from_the_start(tmp_path, followed, text):
    """It is no fleet, and no reason to end; the good file beside it counts, and its own time comes when it is mended."""
    bad = tmp_path / "bad.json"
    bad.write_text(text, encoding="utf-8")
    write(tmp_path / "good.json", [entry(ALWAYS[:1])])
    started = followed("*.json")
    await_fleet(started, down(ALWAYS[:1]))
    assert Source(started).failures >= 1
    write(bad, [entry(ALWAYS[1:2])])
    await_fleet(started, down(ALWAYS[:2]))


def test_a_bad_target_costs_itself_alone(tmp_path, followed):
    write(tmp_path / "sd.json", [entry(["a b", *ALWAYS[:1], "http://a"]), entry([*ALWAYS[1:2], "127.0.0.1:99999", ""])])
    started = followed("*.json")
    await_fleet(started, down(ALWAYS[:2]))
    assert started.exposition().value("memcached_exporter_targets_dropped", reason="address") == "4"
    assert Source(started).failures == 0
    assert '"a b"' in next(line["target"] for line in started.log() if "addresses that are not valid" in line["msg"])


def test_aliases_and_an_empty_file(tmp_path, followed):
    (tmp_path / "sd.yml").write_text(f"- targets: [{ALWAYS[0]}]\n  labels: &shared {{zone: a}}\n"
                                     f"- targets: [{ALWAYS[1]}]\n  labels: *shared\n", encoding="utf-8")
    (tmp_path / "empty.json").write_text("", encoding="utf-8")
    (tmp_path / "sd-empty.yml").write_text("", encoding="utf-8")
    started = followed("*.json", "sd*.yml")
    await_fleet(started, down(ALWAYS[:2]))
    assert Source(started).failures == 0


def test_what_is_no_file(tmp_path, followed):
    """A FIFO would have the exporter wait, a directory cannot be read: both are failures of the source alone."""
    os.mkfifo(tmp_path / "a.json")
    (tmp_path / "b.json").mkdir()
    write(tmp_path / "c.json", [entry(ALWAYS[:1])])
    started = followed("*.json")
    await_fleet(started, down(ALWAYS[:1]))
    assert Source(started).failures >= 1
    assert started.get("/-/healthy").status == 200


def test_a_fleet_that_shrinks_to_nothing(tmp_path, followed):
    """An empty list is an answer: it holds, and a metric says so."""
    path = tmp_path / "sd.json"
    write(path, [entry(ALWAYS)])
    started = followed("sd.json")
    await_fleet(started, down(ALWAYS))
    assert Source(started).empty == 0
    write(path, [])
    await_fleet(started, {})
    assert Source(started).empty == 1 and Source(started).failures == 0


def test_a_folder_that_goes_and_comes_back(tmp_path, followed):
    """What a file says is gone with it, and comes back with it, though the folder is another."""
    folder = tmp_path / "sd"
    folder.mkdir()
    write(folder / "a.json", [entry(ALWAYS[:1])])
    started = followed("sd/*.json")
    await_fleet(started, down(ALWAYS[:1]))
    os.unlink(folder / "a.json")
    folder.rmdir()
    await_fleet(started, {})
    folder.mkdir()
    write(folder / "a.json", [entry(ALWAYS[1:2])])
    await_fleet(started, down(ALWAYS[1:2]))


def test_links_as_kubernetes_makes_them(tmp_path, followed):
    """A mounted ConfigMap changes by the rename of a link to a folder, on the way to the file."""
    for n in (1, 2):
        (tmp_path / f"..v{n}").mkdir()
        (tmp_path / f"..v{n}" / "sd.json").write_text(json.dumps([entry(ALWAYS[:n])]), encoding="utf-8")
    (tmp_path / "..data").symlink_to("..v1")
    (tmp_path / "sd.json").symlink_to("..data/sd.json")
    started = followed("sd.json")
    await_fleet(started, down(ALWAYS[:1]))
    (tmp_path / "..next").symlink_to("..v2")
    os.rename(tmp_path / "..next", tmp_path / "..data")
    await_fleet(started, down(ALWAYS[:2]))


def test_many_files_that_change_all_the_time(tmp_path, exporter):
    """One file's change comes into force, though others change faster than a list of the whole fleet is made."""
    folders = [tmp_path / str(n) for n in range(40)]

    def change(n, port):
        write(folders[n] / "sd.json", [entry(f"127.1.{n}.{host}:{port}" for host in range(1, 201))])

    for n, folder in enumerate(folders):
        folder.mkdir()
        change(n, 1)
    groups = [{"file_sd": {"files": [f"{folder}/*.json"]}} for folder in folders]
    started = exporter(config_file(tmp_path, *groups), targets=None)
    wait_until(lambda: started.get("/sd").text.count("127.1.") == 8000, "all files")
    done = threading.Event()

    def keep_changing():
        for n in itertools.count():
            change(n % 39, 2 + n % 1000)
            if done.wait(0.002):
                return

    writer = threading.Thread(target=keep_changing, daemon=True)
    writer.start()
    try:
        for port in range(2, 6):
            change(39, port)
            wait_until(lambda: f"127.1.39.1:{port}\"" in started.get("/sd").text, "the change of one file")
    finally:
        done.set()
        writer.join()


def test_nothing_is_left_open(tmp_path, followed):
    write(tmp_path / "sd.json", [entry(ALWAYS)])
    started = followed("*.json")
    await_fleet(started, down(ALWAYS))
    before = started.descriptors()
    for n in range(20):
        write(tmp_path / f"more{n}.json", [entry(OTHERS[n:n + 1])])
        await_answers(started, 1)
    await_fleet(started, down(ALWAYS + OTHERS[:20]))
    for n in range(20):
        os.unlink(tmp_path / f"more{n}.json")
    await_fleet(started, down(ALWAYS))
    assert started.descriptors() <= before + 2
    (tmp_path / "sd.json").write_text("[", encoding="utf-8")
    await_failures(started, 1)
    assert fleet(started.exposition()) == down(ALWAYS)
