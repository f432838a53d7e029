"""One fleet, several exporters: by --shard, by ?shard=, by Prometheus' hashmod; each server is scraped by exactly one."""

import pathlib

import pytest
import yaml

from support.exporter import run
from support.exposition import Exposition
from support.process import free_port, wait_until
from support.prometheus import Prometheus

CONFIG = pathlib.Path(__file__).resolve().parent.parent.parent / "config"
EXPORTERS = 3

# Nobody listens there, so they answer at once; what matters is who asks.
SERVERS = [f"127.0.0.1:{port}" for port in range(1, 13)]


def instances(exposition):
    return [dict(labels)["instance"] for name, labels in exposition.samples if name == "memcached_up"]


def assert_divided(parts, whole):
    """Nothing twice, nothing missing, nobody idle."""
    assert sorted(instance for part in parts for instance in part) == sorted(whole)
    assert all(parts), parts


@pytest.fixture
def prometheus(tmp_path):
    """A function that starts one; its jobs are as in a file of config/prometheus, changed as a test needs it, and quicker."""
    started = []

    def start(name, change):
        config = yaml.safe_load((CONFIG / "prometheus" / name).read_text(encoding="utf-8"))
        for job in config["scrape_configs"]:
            change(job)
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        started.append(Prometheus(tmp_path, yaml.safe_dump(config)))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def test_shards_of_the_exporters_make_up_the_fleet(exporter, prometheus):
    started = [exporter(f"--shard={n}/{EXPORTERS}", targets=SERVERS) for n in range(EXPORTERS)]
    assert_divided([instances(each.exposition()) for each in started], SERVERS)

    def change(job):
        job["static_configs"] = [{"targets": ["%s:%d" % each.where for each in started]}]

    server = prometheus("sharded.yml", change)
    wait_until(lambda: len(server.query("memcached_up")) == len(SERVERS), "every server in Prometheus")
    assert sorted(labels["instance"] for labels, _ in server.query("memcached_up")) == sorted(SERVERS)


def test_one_server_of_a_shard_still_has_its_label(exporter):
    """Which server it is must not depend on how many others there are in the shard."""
    started = [exporter(f"--shard={n}/2", targets=SERVERS[:1]) for n in range(2)]
    assert [instance for each in started for instance in instances(each.exposition())] == SERVERS[:1]


def test_one_server_of_a_shard_still_has_its_label_in_what_is_written():
    runs = [run("--once", f"--shard={n}/2", f"--memcached.address={SERVERS[0]}") for n in range(2)]
    assert [instance for each in runs for instance in instances(Exposition(each.stdout))] == SERVERS[:1]


def test_a_request_may_ask_for_a_shard(exporter):
    started = exporter(targets=SERVERS)
    parts = [instances(started.exposition(f"/metrics?shard={n}/{EXPORTERS}")) for n in range(EXPORTERS)]
    assert_divided(parts, SERVERS)
    assert parts == [instances(exporter(f"--shard={n}/{EXPORTERS}", targets=SERVERS).exposition()) for n in range(EXPORTERS)]
    assert instances(started.exposition("/metrics?shard=0/1")) == SERVERS
    answer = started.get("/metrics?shard=3/3")
    assert answer.status == 400 and b'shard "3/3": expected a shard I/N' in answer.body
    answer = started.get(f"/scrape?target={SERVERS[0]}&shard=0/1")
    assert answer.status == 400 and b"only configured targets are divided into shards" in answer.body


def test_an_empty_shard_is_no_error(exporter):
    """A fleet that is smaller than the number of its exporters."""
    started = [exporter(f"--shard={n}/{EXPORTERS}", targets=SERVERS[:1]) for n in range(EXPORTERS)]
    assert sorted(len(instances(each.exposition())) for each in started) == [0, 0, 1]


def test_a_bad_shard_ends_the_start():
    process = run("--shard=3/3")
    assert process.code == 2
    assert '--shard: "3/3": expected a shard I/N' in process.stderr


def test_prometheus_divides_the_servers_by_hashmod(exporter, prometheus):
    port = free_port()
    hosts = [f"127.0.1.{n}" for n in range(EXPORTERS)]
    for host in hosts:
        exporter(f"--web.listen-address={host}:{port}", targets=(), listen=False, where=(host, port))

    def change(job):
        job["static_configs"] = [{"targets": SERVERS}]
        last = job["relabel_configs"][-1]
        assert last["replacement"] == "exporter-$1:9150"
        last["replacement"] = f"127.0.1.$1:{port}"

    server = prometheus("hashmod.yml", change)
    wait_until(lambda: len(server.query("memcached_up")) == len(SERVERS), "every server in Prometheus")
    assert sorted(labels["instance"] for labels, _ in server.query("memcached_up")) == sorted(SERVERS)
    targets = server.targets()
    parts = [[t["labels"]["instance"] for t in targets if f"//{host}:{port}/scrape" in t["scrapeUrl"]] for host in hosts]
    assert_divided(parts, SERVERS)


def test_the_pods_of_the_stateful_set_divide_its_servers(exporter):
    documents = yaml.safe_load_all((CONFIG / "kubernetes/statefulset.yaml").read_text(encoding="utf-8"))
    by_kind = {document["kind"]: document for document in documents}
    stateful_set, service = by_kind["StatefulSet"], by_kind["Service"]
    pod = stateful_set["spec"]["template"]
    container, = pod["spec"]["containers"]
    assert stateful_set["spec"]["serviceName"] == service["metadata"]["name"]
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()

    servers = [flag.partition("=")[2] for flag in container["args"] if flag.startswith("--memcached.address=")]
    parts = []
    for n in range(stateful_set["spec"]["replicas"]):
        name = f"{stateful_set['metadata']['name']}-{n}"
        flags = [flag.replace("$(POD_NAME)", name) for flag in container["args"]]
        started = exporter(*flags, "--memcached.timeout=100ms", targets=None)
        parts.append(instances(started.exposition()))
        for probe in ("livenessProbe", "readinessProbe"):
            assert started.get(container[probe]["httpGet"]["path"]).status == 200
    assert_divided(parts, servers)
