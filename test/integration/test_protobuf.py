"""Prometheus asks for protobuf when it stores native histograms, and stores the same as of the text."""

import math

import pytest

from support.process import wait_until
from support.prometheus import Prometheus

PROTOBUF = "application/vnd.google.protobuf"
CONTENT_TYPE = PROTOBUF + "; proto=io.prometheus.client.MetricFamily; encoding=delimited"
# What Prometheus 2.42 sends with --enable-feature=native-histograms.
ACCEPT = (PROTOBUF + ";proto=io.prometheus.client.MetricFamily;encoding=delimited,"
          "application/openmetrics-text;version=1.0.0;q=0.8,application/openmetrics-text;version=0.0.1;q=0.75,"
          "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")

CONFIG = """
global:
  scrape_interval: 1s
  scrape_timeout: 1s
scrape_configs:
  - job_name: fleet
    honor_labels: true
    static_configs:
      - targets: ["{exporter}"]
"""

NATIVE = ("memcached_exporter_scrape_duration_seconds", "memcached_exporter_target_scrape_duration_seconds",
          "memcached_exporter_event_loop_lag_seconds", "memcached_target_answer_seconds")
COLLECTORS = ("--collector.sizes", "--collector.conns")


def is_native(name):
    return name.startswith(NATIVE)


def series(prometheus):
    """{labels: value} of what a scrape stored. Times of creation are series of OpenMetrics alone."""
    rows = prometheus.query('{job="fleet",__name__!~"up|scrape_.*|.*_created"}')
    return {frozenset(labels.items()): value for labels, value in rows}


def name_of(labels):
    return dict(labels)["__name__"]


@pytest.fixture
def stored(exporter, memcached, tmp_path):
    """The exporter's server, and Prometheus in both ways after some scrapes."""
    servers = [memcached("-o", "track_sizes"), memcached()]
    servers[0].traffic()
    started = exporter(*COLLECTORS, targets=[server.address for server in servers])
    config = CONFIG.format(exporter="%s:%d" % started.where)
    made = []
    try:
        for name, flags in (("text", ()), ("protobuf", ("--enable-feature=native-histograms",))):
            made.append(Prometheus(tmp_path / name, config, *flags))
        for prometheus in made:
            wait_until(lambda: len(prometheus.query("memcached_up")) == 2, "two memcached_up in Prometheus")
        # So that series that come with the first scrapes are in both.
        for prometheus in made:
            wait_until(lambda: float(prometheus.query("count_over_time(up[1m])")[0][1]) >= 4, "four scrapes")
        yield made
    finally:
        for prometheus in made:
            prometheus.stop()


def test_prometheus_stores_the_same_of_both(stored):
    text, protobuf = (series(prometheus) for prometheus in stored)
    assert {name_of(labels) for labels in protobuf if is_native(name_of(labels))} == set(NATIVE)
    plain = [{labels: value for labels, value in one.items() if not is_native(name_of(labels))} for one in (text, protobuf)]
    assert set(plain[0]) == set(plain[1])
    names = {name_of(labels) for labels in plain[1]}
    assert names >= {"memcached_slab_tail_age_seconds_bucket", "memcached_item_size_bytes_bucket",
                     "memcached_exporter_http_response_size_bytes", "memcached_exporter_http_response_size_bytes_count",
                     "memcached_exporter_http_response_size_bytes_sum", "memcached_malloced_bytes",
                     "memcached_commands_total", "memcached_target_state", "memcached_exporter_build_info"}

    steady = ("memcached_up", "memcached_target_state", "memcached_commands_total", "memcached_current_bytes",
              "memcached_settings_", "memcached_item_size_bytes_bucket", "memcached_slab_current", "memcached_setting_info")
    for labels, value in plain[0].items():
        if name_of(labels).startswith(steady):
            assert plain[1][labels] == value, labels


def test_native_histograms(stored):
    _, prometheus = stored
    for name in NATIVE:
        rows = prometheus.query(f"histogram_quantile(0.9, sum({name}))")
        assert len(rows) == 1
        assert 0 < float(rows[0][1]) < 10, rows
        assert not prometheus.query(name + "_bucket")
    [(_, count)] = prometheus.query("histogram_count(memcached_exporter_target_scrape_duration_seconds)")
    [(_, total)] = prometheus.query("sum(memcached_exporter_target_scrapes_total)")
    assert math.isclose(float(count), float(total), abs_tol=4)


# --- Negotiation ---

@pytest.mark.parametrize("accept, content_type", [
    (ACCEPT, CONTENT_TYPE),
    (PROTOBUF + ";proto=io.prometheus.client.MetricFamily;encoding=delimited;escaping=allow-utf-8,*/*;q=0.1",
     CONTENT_TYPE + "; escaping=allow-utf-8"),
    (PROTOBUF + ";proto=io.prometheus.client.MetricFamily;encoding=text", "text/plain; version=0.0.4; charset=utf-8"),
    (PROTOBUF + ";proto=other.Message;encoding=delimited", "text/plain; version=0.0.4; charset=utf-8"),
    (PROTOBUF + ";proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.5,text/plain",
     "text/plain; version=0.0.4; charset=utf-8"),
    ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
])
def test_protobuf_is_sent_only_when_it_is_preferred(exporter, accept, content_type):
    started = exporter()
    answer = started.get("/metrics", {"Accept": accept})
    assert (answer.status, answer.headers["content-type"]) == (200, content_type)
    assert answer.body.startswith(b"# ") == content_type.startswith("text/")
