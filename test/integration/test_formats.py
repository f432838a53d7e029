"""Which format a client gets, that each of them is well-formed, and that both tell Prometheus the same."""

import http.server
import threading

import pytest

from support import http as client
from support.exposition import Exposition
from support.openmetrics import Malformed, OpenMetrics
from support.process import wait_until
from support.prometheus import Prometheus

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

# Word for word what they send.
PROMETHEUS_2_42 = ("application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                   "text/plain;version=0.0.4;q=0.5,*/*;q=0.1")
PROMETHEUS_3 = ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
                "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
                "text/plain;version=0.0.4;q=0.2,*/*;q=0.1")
PROMETHEUS_3_NATIVE = ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,"
                       + PROMETHEUS_3)

NEGOTIATION = {
    "none": (None, TEXT),
    "empty": ("", TEXT),
    "anything": ("*/*", TEXT),
    "any text": ("text/*", TEXT),
    "any application": ("application/*", OPENMETRICS),
    "a browser": ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", TEXT),
    "Prometheus 2.42": (PROMETHEUS_2_42, OPENMETRICS),
    "Prometheus 3": (PROMETHEUS_3, OPENMETRICS + "; escaping=allow-utf-8"),
    "Prometheus 3, text preferred": (
        "text/plain;version=0.0.4;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=1.0.0;q=0.5",
        TEXT + "; escaping=allow-utf-8"),
    "underscores": ("application/openmetrics-text;version=1.0.0;escaping=underscores", OPENMETRICS + "; escaping=underscores"),
    "an escaping that nobody knows": ("application/openmetrics-text;version=1.0.0;escaping=rot13", OPENMETRICS),
    "OpenMetrics": ("application/openmetrics-text", OPENMETRICS),
    "OpenMetrics 1.0.0": ("application/openmetrics-text; version=1.0.0; charset=utf-8", OPENMETRICS),
    "in capitals": ("Application/OpenMetrics-Text;Version=1.0.0", OPENMETRICS),
    "the version between quotes": ('application/openmetrics-text;version="1.0.0"', OPENMETRICS),
    "OpenMetrics in a version that there is not": ("application/openmetrics-text;version=9.0.0", TEXT),
    "OpenMetrics refused": ("application/openmetrics-text;q=0,*/*", TEXT),
    "OpenMetrics refused to three digits": ("application/openmetrics-text;q=0.000,text/plain;q=0.1", TEXT),
    "text refused": ("text/plain;q=0,*/*", OPENMETRICS),
    "text preferred": ("application/openmetrics-text;q=0.4,text/plain;q=0.5", TEXT),
    "OpenMetrics preferred": ("text/plain;q=0.4,application/openmetrics-text;q=0.5", OPENMETRICS),
    "by a thousandth": ("text/plain;q=0.499,application/openmetrics-text;q=0.5", OPENMETRICS),
    "something else": ("image/png", TEXT),
    "nonsense": (";;q=,,/;version", TEXT),
    "nonsense for a quality": ("application/openmetrics-text;q=high,text/plain;q=0.1", TEXT),
    "a quality above 1": ("application/openmetrics-text;q=1.1,text/plain;q=0.1", TEXT),
}

CONFIG = """
global:
  scrape_interval: 500ms
  scrape_timeout: 500ms
scrape_configs:
  - job_name: openmetrics
    static_configs:
      - targets: ["{direct}"]
  - job_name: text
    static_configs:
      - targets: ["{textual}"]
"""

# What Prometheus makes itself for each scrape.
OF_PROMETHEUS = ("up", "scrape_")


def headers(accept):
    return {} if accept is None else {"Accept": accept}


def read(started, accept, path="/metrics"):
    """The answer in the format that this Accept leads to, checked by its strict reader."""
    answer = started.get(path, headers(accept))
    assert answer.status == 200, answer
    return OpenMetrics(answer.body) if answer.headers["content-type"].startswith("application/") else Exposition(answer.body)


@pytest.fixture
def started(exporter, memcached, dead_address):
    """One server with traffic and one that is down; asked once, so that nothing counts from 0 on."""
    server = memcached()
    server.traffic()
    running = exporter(targets=[server.address, dead_address])
    for accept in (None, PROMETHEUS_2_42):
        read(running, accept)
    return running


@pytest.mark.parametrize("path", ["/metrics", "/scrape?target=127.0.0.1:1"])
@pytest.mark.parametrize("accept, expected", NEGOTIATION.values(), ids=NEGOTIATION.keys())
def test_negotiation(exporter, accept, expected, path):
    answer = exporter().get(path, headers(accept))
    assert (answer.status, answer.headers["content-type"]) == (200, expected)
    assert answer.body.endswith(b"# EOF\n") == expected.startswith(OPENMETRICS)


def test_head_negotiates_alike(exporter):
    running = exporter()
    for accept, expected in ((None, TEXT), (PROMETHEUS_2_42, OPENMETRICS)):
        answer = running.get("/metrics", headers(accept), method="HEAD")
        assert (answer.status, answer.headers["content-type"], answer.body) == (200, expected, b"")


def test_openmetrics_is_well_formed(started):
    got = read(started, PROMETHEUS_2_42)
    types = got.types
    assert types["memcached_target_state"] == "stateset"
    assert types["memcached_exporter_build"] == "info"
    assert types["memcached_commands"] == "counter"
    assert types["memcached_exporter_target_scrape_duration_seconds"] == "histogram"
    assert types["memcached_exporter_http_response_size_bytes"] == "summary"
    assert types["memcached_slab_tail_age_seconds"] == "gaugehistogram"
    assert got.families["memcached_current_bytes"].meta.get("UNIT") == "bytes"


def test_a_counter_whose_name_lacks_total_is_unknown(started):
    got, text = read(started, PROMETHEUS_2_42), read(started, None)
    assert (got.types["memcached_uptime_seconds"], text.types["memcached_uptime_seconds"]) == ("unknown", "counter")
    bare = {name for name, kind in text.types.items() if kind == "counter" and not name.endswith("_total")}
    falling = {"memcached_extstore_bytes_used", "memcached_slab_items_evicted_time_seconds", "memcached_slab_mem_requested_bytes"}
    assert bare and all(got.types[name] == ("gauge" if name in falling else "unknown") for name in bare)


def test_both_formats_make_the_same_series(started):
    text, openmetrics = set(read(started, None).samples), read(started, PROMETHEUS_2_42).series()
    assert text == openmetrics, sorted(map(str, text ^ openmetrics))
    assert len(text) > 300


def test_both_formats_make_the_same_series_of_one_target(started, memcached):
    path = f"/scrape?target={memcached().address}"
    text, openmetrics = read(started, None, path), read(started, PROMETHEUS_2_42, path)
    assert set(text.samples) == openmetrics.series()


def test_hostile_labels_in_both(exporter, fake):
    nasty = rb'a"b\c\xff' + b"\xff\x01 # {x=\"1\"} 1"
    server = fake({"stats": b"STAT version " + nasty + b"\r\nSTAT curr_items 1\r\nSTAT new} # 5\r\nEND\r\n"})
    running = exporter(targets=[server.address])
    text, openmetrics = read(running, None), read(running, "application/openmetrics-text")
    version = [labels["version"] for labels, _ in text.find("memcached_version")]
    assert version and version == [dict(labels)["version"] for name, labels in openmetrics.samples if name == "memcached_version"]


def test_no_target_at_all_is_well_formed(exporter):
    running = exporter("--web.disable-exporter-metrics")
    assert read(running, "application/openmetrics-text").samples == {}
    assert running.get("/metrics", headers("application/openmetrics-text")).body == b"# EOF\n"


def test_exemplars_stand_at_buckets_only(started):
    found = read(started, PROMETHEUS_2_42).exemplars()
    assert found
    for sample in found:
        assert sample.name == "memcached_exporter_target_scrape_duration_seconds_bucket"
        assert set(sample.exemplar[0]) == {"target"} and sample.exemplar[2]
    assert b" # {" not in started.get("/metrics").body


def test_exemplar_of_a_long_name_keeps_the_limit(exporter):
    running = exporter("--memcached.timeout=100ms")
    name = ".".join(["x" * 60] * 4)
    assert running.get(f"/scrape?target={name}.invalid").status == 200
    read(running, PROMETHEUS_2_42)  # the reader insists on 128 characters


@pytest.mark.parametrize("accept", [None, PROMETHEUS_2_42])
def test_gzip(started, accept):
    answer = started.get("/metrics", {**headers(accept), "Accept-Encoding": "gzip"})
    body = client.gunzip(answer)
    assert answer.headers["vary"] == "Accept, Accept-Encoding"
    assert answer.headers["content-type"] == (OPENMETRICS if accept else TEXT)
    series = OpenMetrics(body).series() if accept else set(Exposition(body).samples)
    assert series == set(read(started, None).samples)


class TextOnly:
    """Passes requests on to the exporter as from a client that knows the text format only; keeps what it was asked with."""

    def __init__(self, where):
        proxy = self
        self.accepts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                proxy.accepts.append(self.headers["Accept"])
                answer = client.get(where, self.path, headers={"Accept": "text/plain;version=0.0.4"})
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.headers["content-type"])
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "127.0.0.1:%d" % self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def stored(exporter, memcached, tmp_path):
    """A Prometheus that has scraped one server's metrics in both formats, twice; and what it asked for."""
    server = memcached()
    server.traffic()
    running = exporter(targets=[server.address])
    proxy = TextOnly(running.where)
    config = CONFIG.format(direct="%s:%d" % running.where, textual=proxy.address)
    prometheus = Prometheus(tmp_path, config, "--enable-feature=exemplar-storage")
    try:
        wait_until(lambda: len(prometheus.query("count_over_time(memcached_up[1m]) > 2")) == 2, "three scrapes of both jobs")
        yield prometheus, proxy, server
    finally:
        prometheus.stop()
        proxy.close()


def series_of(prometheus, job):
    """{(name, other labels): value text} of what came by this job."""
    result = {}
    for labels, value in prometheus.query(f'{{job="{job}"}}'):
        name = labels.pop("__name__")
        if not name.startswith(OF_PROMETHEUS) and not name.endswith("_created"):
            result[name, frozenset((k, v) for k, v in labels.items() if k not in ("job", "instance"))] = value
    return result


def test_prometheus_stores_the_same_from_both_formats(stored):
    prometheus, proxy, server = stored
    assert {target["health"] for target in prometheus.targets()} == {"up"}, prometheus.targets()
    assert set(proxy.accepts) == {PROMETHEUS_2_42}
    openmetrics, text = series_of(prometheus, "openmetrics"), series_of(prometheus, "text")
    assert set(openmetrics) == set(text), sorted(map(str, set(openmetrics) ^ set(text)))
    assert len(text) > 300
    for name, stat in (("memcached_items_total", "total_items"), ("memcached_limit_bytes", "limit_maxbytes")):
        assert float(openmetrics[name, frozenset()]) == float(text[name, frozenset()]) == float(server.stats()["stats"][stat])
    assert prometheus.query('{__name__=~".+_created",job="openmetrics"}'), "OpenMetrics was not what Prometheus read"


def test_prometheus_stores_exemplars(stored):
    prometheus, _, server = stored
    found = prometheus.exemplars("memcached_exporter_target_scrape_duration_seconds_bucket")
    assert {exemplar["labels"]["target"] for _, exemplar in found} == {server.address}
    assert {labels["job"] for labels, _ in found} == {"openmetrics"}


# The reader that all of this stands on.

GOOD = ('# HELP a Some \\"help\\".\n# TYPE a counter\na_total{x="1"} 5 # {t="q"} 2 1.5\na_created{x="1"} 1.5\n'
        '# TYPE h_bytes histogram\n# UNIT h_bytes bytes\nh_bytes_bucket{le="1.0"} 1 # {t="} # {"} 0.5\n'
        'h_bytes_bucket{le="+Inf"} 2\nh_bytes_count 2\nh_bytes_sum 3.5\n# EOF\n')


def test_reader_takes_what_is_good():
    got = OpenMetrics(GOOD)
    assert got.value("a_total", x="1") == "5"
    assert [sample.exemplar for sample in got.exemplars()] == [({"t": "q"}, "2", "1.5"), ({"t": "} # {"}, "0.5", None)]
    assert len(got.series()) == 5


@pytest.mark.parametrize("text", [
    GOOD[:-6],                                                       # no end
    GOOD + "\n",
    GOOD.replace("# EOF\n", "# EOF\n# EOF\n"),
    "\n# EOF\n",
    "a 1\n# EOF\n",                                                  # no family
    "# HELP a b\na 1\n# EOF\n",                                      # no type
    "# TYPE a untyped\na 1\n# EOF\n",
    "# TYPE a  gauge\na 1\n# EOF\n",
    "# TYPE a gauge\na 1\n# HELP a late\n# EOF\n",
    "# TYPE a gauge\n# TYPE a gauge\n# EOF\n",
    "# TYPE a gauge\na 1\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n",  # two blocks
    "# TYPE a counter\na 1\n# EOF\n",
    "# TYPE a counter\na_created 1\n# EOF\n",
    "# TYPE a counter\na_total -1\n# EOF\n",
    "# TYPE a counter\na_total NaN\n# EOF\n",
    "# TYPE a_total counter\na_total 1\n# EOF\n",
    "# TYPE a counter\n# TYPE a_total gauge\n# EOF\n",               # names that clash
    "# TYPE a gauge\na 1\na 1\n# EOF\n",
    "# TYPE a gauge\na{} 1\n# EOF\n",
    '# TYPE a gauge\na{x="1",} 1\n# EOF\n',
    '# TYPE a gauge\na{x="1",x="2"} 1\n# EOF\n',
    '# TYPE a gauge\na{x="\\q"} 1\n# EOF\n',
    '# TYPE a gauge\na{__x="1"} 1\n# EOF\n',
    "# TYPE a gauge\na 1 1.5\n# EOF\n",                              # a timestamp
    '# TYPE a gauge\na 1 # {x="1"} 1\n# EOF\n',                      # an exemplar at a gauge
    '# TYPE a counter\na_total 1 # {x="%s"} 1\n# EOF\n' % ("y" * 128),
    "# TYPE a gauge\n# UNIT a bytes\na 1\n# EOF\n",
    "# TYPE a info\na_info 2\n# EOF\n",
    '# TYPE a stateset\na{b="x"} 1\n# EOF\n',
    '# TYPE a stateset\na{a="x"} 2\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="1.0"} 1\na_count 1\na_sum 1\n# EOF\n',              # no +Inf
    '# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\n# EOF\n',             # 1 for 1.0
    '# TYPE a histogram\na_bucket{le="1.0"} 2\na_bucket{le="+Inf"} 1\n# EOF\n',           # not cumulative
    '# TYPE a histogram\na_bucket{le="2.0"} 1\na_bucket{le="1.0"} 1\na_bucket{le="+Inf"} 1\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 2\na_sum 1\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="+Inf"} 1\na_count 1\n# EOF\n',
    '# TYPE a histogram\na_bucket{le="1.0"} 1 # {x="y"} 2\na_bucket{le="+Inf"} 1\n# EOF\n',
    '# TYPE a gaugehistogram\na_bucket{le="+Inf"} 1\na_count 1\na_sum 1\n# EOF\n',
    '# TYPE a summary\na{quantile="1.5"} 1\n# EOF\n',
    '# TYPE a gauge\na{x="1"} 1\na{x="2"} 1\na{x="1"} 1\n# EOF\n',
    '# TYPE a summary\na_count{x="1"} 1\na_count{x="2"} 1\na_sum{x="1"} 1\n# EOF\n',      # a metric in two places
])
def test_reader_refuses_what_is_not(text):
    with pytest.raises(Malformed):
        OpenMetrics(text)
