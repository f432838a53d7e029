"""/sd: what is configured, in Prometheus' own JSON; and a Prometheus that scrapes the fleet by it."""

import json
import pathlib

import yaml

from support.process import wait_until
from support.prometheus import Prometheus

CONFIG = pathlib.Path(__file__).resolve().parent.parent.parent / "config"


def start(exporter, tmp_path, config, *flags):
    file = tmp_path / "exporter.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    return exporter(f"--config.file={file}", *flags, targets=None)


def discovered(started, path="/sd"):
    answer = started.get(path)
    assert answer.status == 200, answer
    assert answer.headers["content-type"] == "application/json"
    return json.loads(answer.body)


def meta(group, module="default", **labels):
    return {**labels, "__meta_memcached_group": group, "__meta_memcached_module": module, "__param_module": module}


def wait_for_targets(started, count):
    wait_until(lambda: sum(len(entry["targets"]) for entry in discovered(started)) == count, f"{count} targets")


def test_what_is_configured(exporter, tmp_path):
    (tmp_path / "found.json").write_text('[{"targets": ["127.0.0.1:4"], "labels": {"zone": "b", "__meta_x": "y"}}]')
    started = start(exporter, tmp_path, {
        "modules": {"quick": {"timeout": "100ms"}},
        "groups": [
            {"name": "web", "labels": {"team": 'w"\\'}, "targets": ["127.0.0.1:1", "unix:/run/nobody.sock"]},
            {"name": "files", "module": "quick", "targets": ["127.0.0.1:3"], "file_sd": {"files": ["found.json"]}},
        ],
    })
    wait_for_targets(started, 4)
    web = {"targets": ["127.0.0.1:1", "unix:/run/nobody.sock"], "labels": meta("web", team='w"\\')}
    files = [{"targets": ["127.0.0.1:3"], "labels": meta("files", "quick")},
             {"targets": ["127.0.0.1:4"], "labels": meta("files", "quick", zone="b")}]
    assert discovered(started) == [web, *files]
    assert discovered(started, "/sd?group=web") == [web]
    assert discovered(started, "/sd?group=files&other=1") == files

    unknown = started.get("/sd?group=nobody%22")
    assert (unknown.status, unknown.body) == (404, b'unknown group "nobody\\""\n')
    assert started.get("/sd?group=%").status == 400
    head = started.get("/sd", method="HEAD")
    assert (head.status, head.headers["content-type"], head.body) == (200, "application/json", b"")
    post = started.get("/sd", method="POST")
    assert (post.status, post.headers["allow"]) == (405, "GET, HEAD")
    assert b'href="/sd"' in started.get("/").body


def test_flags_alone(exporter):
    started = exporter(targets=["127.0.0.1:1", "127.0.0.1:2"])
    wait_for_targets(started, 2)
    assert discovered(started) == [{"targets": ["127.0.0.1:1", "127.0.0.1:2"], "labels": {}}]


def test_nothing_is_configured(exporter):
    assert exporter().get("/sd").body == b"[]\n"


def test_a_shard_tells_its_own(exporter, tmp_path):
    every = [f"127.0.0.1:{port}" for port in range(1, 40)]
    started = [start(exporter, tmp_path, {"groups": [{"name": "a", "targets": every}]}, f"--shard={n}/2") for n in range(2)]
    told = []
    for each in started:
        wait_until(lambda: discovered(each), "targets")
        told.append(discovered(each)[0]["targets"])
    assert all(told) and sorted(told[0] + told[1]) == sorted(every)


def test_prometheus_scrapes_what_it_discovers(exporter, memcached, tmp_path):
    """As the example has it: every server is scraped on its own, with its group's labels, by its group's module."""
    servers = [memcached() for _ in range(3)]
    started = start(exporter, tmp_path, {
        "modules": {"brief": {"collectors": []}},
        "groups": [
            {"name": "web", "labels": {"team": "web"}, "targets": [server.address for server in servers[:2]]},
            {"name": "other", "module": "brief", "labels": {"team": "other"}, "targets": [servers[2].address]},
        ],
    })
    config = yaml.safe_load((CONFIG / "prometheus" / "discovered.yml").read_text(encoding="utf-8"))
    where = "%s:%d" % started.where
    job, = config["scrape_configs"]
    job["http_sd_configs"] = [{"url": f"http://{where}/sd", "refresh_interval": "1s"}]
    job["relabel_configs"][-1]["replacement"] = where
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    prometheus = Prometheus(tmp_path / "prometheus", yaml.safe_dump(config))
    try:
        wait_until(lambda: len(prometheus.query("memcached_up == 1")) == 3, "three servers that are up")
        teams = {labels["instance"]: labels["team"] for labels, _ in prometheus.query("memcached_up")}
        assert teams == {servers[0].address: "web", servers[1].address: "web", servers[2].address: "other"}
        settings = prometheus.query('memcached_target_collector_success{collector="settings"}')
        assert {labels["instance"] for labels, _ in settings} == {server.address for server in servers[:2]}
        assert {target["health"] for target in prometheus.targets()} == {"up"}
    finally:
        prometheus.stop()
