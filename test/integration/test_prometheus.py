"""A real Prometheus scrapes the exporter in both ways that users configure it."""

import pytest

from support.process import wait_until
from support.prometheus import Prometheus

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: fleet
    honor_labels: true
    static_configs:
      - targets: ["{exporter}"]
  - job_name: each
    metrics_path: /scrape
    static_configs:
      - targets: [{targets}]
    relabel_configs:
      - source_labels: [__address__]
        target_label: __param_target
      - source_labels: [__param_target]
        target_label: instance
      - target_label: __address__
        replacement: "{exporter}"
"""

# Series whose stat does not move while only the exporter asks.
STEADY = {
    "memcached_current_items": "curr_items",
    "memcached_items_total": "total_items",
    "memcached_current_bytes": "bytes",
    "memcached_limit_bytes": "limit_maxbytes",
    'memcached_commands_total{command="get",status="hit"}': "get_hits",
    'memcached_commands_total{command="get",status="miss"}': "get_misses",
    'memcached_commands_total{command="cas",status="badval"}': "cas_badval",
    'memcached_commands_total{command="flush",status="hit"}': "cmd_flush",
}


@pytest.fixture
def scraped(exporter, memcached, tmp_path):
    """Two live servers and one dead one; the exporter; Prometheus after both jobs were scraped."""
    servers = [memcached(), memcached()]
    servers[0].traffic()
    dead = memcached()
    dead.kill()
    addresses = [server.address for server in (*servers, dead)]
    started = exporter(targets=addresses)
    where = "%s:%d" % started.where
    prometheus = Prometheus(tmp_path, CONFIG.format(exporter=where, targets=", ".join(f'"{a}"' for a in addresses)))
    try:
        wait_until(lambda: len(prometheus.query("memcached_up")) == 6, "six memcached_up in Prometheus")
        yield prometheus, servers, dead, where
    finally:
        prometheus.stop()


def by_job_and_instance(rows):
    return {(labels["job"], labels["instance"]): value for labels, value in rows}


def test_prometheus_stores_what_stats_says(scraped):
    prometheus, servers, dead, where = scraped
    every = [server.address for server in servers] + [dead.address]

    assert {target["health"] for target in prometheus.targets()} == {"up"}, prometheus.targets()
    scrapes = {("fleet", where): "1", **{("each", address): "1" for address in every}}
    assert by_job_and_instance(prometheus.query("up")) == scrapes

    expected = {(job, address): "0" if address == dead.address else "1" for job in ("fleet", "each") for address in every}
    assert by_job_and_instance(prometheus.query("memcached_up")) == expected

    for expression, stat in STEADY.items():
        expected = {(job, server.address): server.stats()["stats"][stat] for job in ("fleet", "each") for server in servers}
        assert by_job_and_instance(prometheus.query(expression)) == expected, expression

    for server in servers:
        slabs = {key.split(":")[0]: value for key, value in server.stats()["slabs"].items() if key.endswith(":total_pages")}
        for job in ("fleet", "each"):
            rows = prometheus.query(f'memcached_slab_current_pages{{job="{job}",instance="{server.address}"}}')
            assert {labels["slab"]: value for labels, value in rows} == slabs

    assert not prometheus.query('{exported_instance!=""}')


def test_exporter_own_metrics_keep_the_exporters_instance(scraped):
    prometheus, _, _, where = scraped
    rows = prometheus.query("memcached_exporter_build_info")
    assert [(labels["job"], labels["instance"]) for labels, _ in rows] == [("fleet", where)]
