"""The alerting rules and the dashboards: promtool takes them, and each expression finds data in a real Prometheus."""

import itertools
import json
import pathlib
import re
import subprocess
import sys
import threading

import pytest
import yaml

from support.fake import FakeMemcached, reply
from support.process import wait_until
from support.prometheus import Prometheus

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "config/prometheus/memcached.rules.yml"
RULE_TESTS = ROOT / "config/prometheus/memcached.rules.test.yml"
RUNBOOK = ROOT / "config/prometheus/README.md"
GRAFANA = ROOT / "config/grafana"
DASHBOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))

PROMETHEUS = """
global: {{ scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: memcached
    honor_labels: true
    static_configs:
      - targets: ["{exporter}"]
"""
EXPORTER = """
modules: {{ probed: {{ collectors: [settings, items, slabs, probe] }} }}
watch:
  streams: [fetchers, mutations, evictions, proxyreqs]
  window: 500ms
  every: 1s
  trusted_versions: ["{version}"]
census: {{ trusted_versions: ["{version}"] }}
groups:
  - name: proxies
    targets: ["{proxy}"]
  - name: sessions
    module: probed
    labels: {{ team: web }}
    targets: [{targets}]
  - name: files
    file_sd: {{ files: ["{file}"] }}
"""

# A metric, or a recorded series, with its matchers; words before a parenthesis are functions.
SELECTOR = re.compile(r"\b((?:instance:|job:)?(?:memcached|process|scrape)_[a-z0-9_:]+|up\b)(\{[^}]*\})?")


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def promtool(*words, cwd=ROOT):
    run = subprocess.run(["promtool", *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def load(file):
    return json.loads(file.read_text(encoding="utf-8"))


def expressions(file):
    """Each expression of a dashboard, with its variables at All or at the value that Grafana would put there."""
    for panel in panels(load(file)):
        for target in panel["targets"]:
            yield panel["title"], target["expr"]


# --- Files ---

def test_the_rules_are_valid_and_do_what_their_tests_say():
    promtool("check", "rules", RULES)
    promtool("test", "rules", RULE_TESTS.name, cwd=RULE_TESTS.parent)


def test_each_alert_is_tested_for_firing_and_for_not_firing():
    tested = [case for group in yaml.safe_load(RULE_TESTS.read_text(encoding="utf-8"))["tests"]
              for case in group.get("alert_rule_test", [])]
    for fires in (True, False):
        assert {case["alertname"] for case in tested if bool(case["exp_alerts"]) == fires} == set(alerts())


def test_each_recording_rule_is_tested():
    text = RULE_TESTS.read_text(encoding="utf-8")
    for rule in rules():
        if "record" in rule:
            assert re.search(rf"- labels: {rule['record']}\b", text), rule["record"]


def test_each_alert_has_a_severity_and_a_paragraph_of_the_runbook():
    headings = re.findall(r"^### (Memcached\w+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(alerts()), "the runbook and the rules differ"
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in ("info", "warning", "critical"), name
        assert set(rule["annotations"]) == {"summary", "description", "runbook"}, name
        assert rule["annotations"]["runbook"] == f"config/prometheus/README.md#{name.lower()}"


def test_the_dashboards_are_what_their_generator_writes():
    subprocess.run([sys.executable, "-B", GRAFANA / "dashboards.py", "--check"], check=True)


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_can_be_provisioned_as_it_is(file):
    board = load(file)
    assert board["uid"] == file.stem and board["title"]
    assert "__inputs" not in board and "id" not in board, "Grafana gives the id; inputs are asked for by hand"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids))
    names = {variable["name"] for variable in board["templating"]["list"]} | {"__rate_interval"}
    for panel in panels(board):
        assert panel["targets"] and panel["title"], panel
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
        for part in (panel, *panel["targets"]):
            assert part["datasource"] == {"type": "prometheus", "uid": "${datasource}"}, panel["title"]
        for target in panel["targets"]:
            assert set(re.findall(r"\$(\w+)", target["expr"])) <= names, target["expr"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_panels_do_not_cover_each_other(file):
    cells = set()
    for panel in load(file)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        own = set(itertools.product(range(place["x"], place["x"] + place["w"]),
                                    range(place["y"], place["y"] + place["h"])))
        assert not cells & own, panel["title"]
        cells |= own


def test_the_dashboards_have_names_and_uids_of_their_own_and_link_to_each_other():
    boards = [load(file) for file in DASHBOARDS]
    assert len(boards) == 3
    for key in ("uid", "title"):
        assert len({board[key] for board in boards}) == len(boards)
    linked = set(re.findall(r'"/d/([a-z-]+)\?', "".join(file.read_text(encoding="utf-8") for file in DASHBOARDS)))
    assert linked and linked <= {board["uid"] for board in boards}


# --- A real Prometheus ---

# What comes last: windows, in which something was evicted and a proxy was asked, and censuses.
SLOW = [f"rate({counter}[1m]) > 0" for counter in (
    "memcached_evicted_item_idle_seconds_count", "memcached_stored_item_ttl_seconds_count",
    'memcached_prefix_fetches_total{status="found"}', "memcached_proxy_request_duration_seconds_count",
    "memcached_probe_duration_seconds_count")]
SLOW += ["memcached_census_items", 'memcached_hot_key_ratio{rank="10"}', "memcached_eviction_age_seconds"]

REQUEST_OF_PROXY = b"ts=1.2 gid=7 type=proxy_req elapsed=120 type=105 code=17 status=0 res=ok cfd=3 be=10.0.0.1:11211 detail=a req=get a\n"
PROXY = {"stats": reply("pid 1", "version 1.6.45", "log_worker_dropped 0"),
         "watch fetchers mutations evictions proxyreqs": b"OK\r\n" + REQUEST_OF_PROXY * 10}


class Traffic:
    """Commands of every kind to the servers, without end, and more items to the first than it has memory for."""

    def __init__(self, servers):
        self._servers, self._ended, self._error, self.rounds = servers, threading.Event(), None, 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        try:
            while not self._ended.wait(0.2):
                for server in self._servers:
                    server.traffic()
                    for key in (b"user:1", b"user:2", b"none:1"):
                        server.client.ask(b"get %s\r\n" % key, b"END\r\n")
                self._servers[0].client.send(b"".join(
                    b"set user:%d 0 600 50000 noreply\r\n%s\r\n" % (n, b"x" * 50000) for n in range(120)))
                self._servers[0].client.ask(b"version\r\n")
                self.rounds += 1
        except OSError as error:
            self._error = error

    def going(self):
        assert self._error is None, self._error
        return True

    def stop(self):
        self._ended.set()
        self._thread.join(30)


@pytest.fixture(scope="module")
def scraped(tmp_path_factory):
    """
    Prometheus with the rules, over two live servers with traffic and a dead one, one of them from a file, and a proxy with a
    log. All are watched and counted; two are probed.
    """
    from support.exporter import Exporter
    from support.memcached import Memcached

    folder = tmp_path_factory.mktemp("prometheus")
    # Censuses go by address, and are spread over an hour: the only one is that of the first server.
    servers = [Memcached("-m", "4"), Memcached(host="127.0.0.2"), Memcached(host="127.0.0.2")]
    servers[2].kill()
    version = servers[0].stats()["stats"]["version"]
    proxy = FakeMemcached(PROXY, host="127.0.0.2")
    discovered = folder / "targets.json"
    discovered.write_text(json.dumps([{"targets": [servers[1].address]}]))
    config = folder / "exporter.yml"
    config.write_text(EXPORTER.format(targets=f'"{servers[0].address}", "{servers[2].address}"', file=discovered, version=version,
                                      proxy=proxy.address))
    exporter = prometheus = None
    traffic = Traffic(servers[:2])
    try:
        # A census of an empty server would be the only one for an hour.
        wait_until(lambda: traffic.going() and traffic.rounds, "items")
        exporter = Exporter(f"--config.file={config}", f"--output.textfile={folder / 'memcached.prom'}",
                            "--output.interval=1s", targets=None)
        prometheus = Prometheus(folder, PROMETHEUS.format(rules=RULES, exporter="%s:%d" % exporter.where),
                                "--enable-feature=extra-scrape-metrics")

        def filled():
            return traffic.going() and len(prometheus.query("instance:memcached_get_hit:ratio_rate5m")) == 2

        wait_until(filled, "rates of both servers", 60, pause=0.5)
        for expression in SLOW:
            wait_until(lambda: traffic.going() and prometheus.query(expression), expression, 60, pause=0.5)
        yield prometheus
    finally:
        if prometheus:
            prometheus.stop()
        if exporter:
            exporter.stop()
        traffic.stop()
        proxy.close()
        for server in servers:
            server.kill()


def test_prometheus_evaluates_every_rule(scraped):
    def evaluated():
        found = [rule for group in scraped.api("rules")["groups"] for rule in group["rules"]]
        return found if all(rule["health"] != "unknown" for rule in found) else None

    found = wait_until(evaluated, "every rule to be evaluated", 60)
    assert len(found) == len(rules())
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}


def test_every_series_that_a_rule_looks_at_is_there(scraped):
    """An alert whose metric has another name would never fire, and nobody would know."""
    for rule in rules():
        selectors = {name + matchers for name, matchers in SELECTOR.findall(rule["expr"])}
        assert selectors, rule
        for selector in selectors:
            assert scraped.query(selector), f"{rule.get('alert') or rule['record']}: nothing is found for {selector}"


def test_the_alert_names_the_reason_for_which_a_server_is_down(scraped):
    def pending():
        return [alert for alert in scraped.api("alerts")["alerts"] if alert["labels"]["alertname"] == "MemcachedDown"]

    alert, = wait_until(pending, "MemcachedDown for the dead server", 60)
    assert alert["labels"]["team"] == "web"
    assert "The reason is now refused." in alert["annotations"]["description"]


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_every_expression_of_a_dashboard_finds_data(scraped, file):
    instances = [labels["instance"] for labels, value in scraped.query("memcached_up == 1")]
    seen = 0
    for title, expression in expressions(file):
        text = re.sub(r"\$\w+", ".*", expression.replace('="$instance"', '="INSTANCE"').replace("$__rate_interval", "1m"))
        rows = [row for each in instances for row in scraped.query(text.replace("INSTANCE", each))]
        assert any(value != "NaN" for _, value in rows), f"{title}: nothing is found for {text}"
        seen += 1
    assert seen > 10


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_the_variables_of_a_dashboard_have_values(scraped, file):
    for variable in load(file)["templating"]["list"]:
        if variable["type"] == "query":
            selector, label = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"]).groups()
            rows = scraped.query(re.sub(r"\$\w+", ".*", selector))
            assert rows and all(label in labels for labels, _ in rows), variable["name"]


# The forms in which dashboards, mixins and alert collections for the official exporter ask for its series.
OF_OTHERS = [
    'memcached_up{job=~"$job", instance=~"$instance"}',
    "count by (version) (memcached_version)",
    'max by (instance) (memcached_uptime_seconds{job=~"$job"})',
    "memcached_uptime_seconds < 3600",
    'sum(memcached_current_bytes{job=~"$job"}) / sum(memcached_limit_bytes{job=~"$job"})',
    "(memcached_current_bytes / memcached_limit_bytes) * 100",
    'sum by (instance) (memcached_current_items{job=~"$job"})',
    "sum(rate(memcached_items_total[5m])) by (instance)",
    "sum(rate(memcached_items_evicted_total[5m])) / sum(rate(memcached_items_total[5m]))",
    "rate(memcached_items_reclaimed_total[5m])",
    "max by (job, instance) (memcached_current_connections / memcached_max_connections * 100)",
    "sum(increase(memcached_connections_total[5m]))",
    "rate(memcached_connections_yielded_total[5m]) * 60",
    "rate(memcached_connections_listener_disabled_total[5m])",
    "irate(memcached_read_bytes_total[5m])",
    "irate(memcached_written_bytes_total[5m])",
    'sum(rate(memcached_commands_total{command="get", status="hit"}[5m])) / sum(rate(memcached_commands_total{command="get"}[5m]))',
    'sum(memcached_commands_total{instance=~"$instance", status="miss"}) / sum(memcached_commands_total{instance=~"$instance"})',
    "sum by (command) (rate(memcached_commands_total[5m]))",
    "sum without (job) (rate(memcached_commands_total[5m]))",
    'rate(memcached_commands_total{command=~"cas|set|delete|incr|decr|touch|flush"}[5m])',
    "sum by (slab) (memcached_slab_current_items)",
    "memcached_slab_chunks_used / memcached_slab_current_chunks",
    "sum by (slab) (memcached_slab_current_pages * memcached_slab_chunks_per_page * memcached_slab_chunk_size_bytes)",
    'rate(memcached_slab_commands_total{command="set", status="hit"}[5m])',
    "sum(rate(memcached_slab_lru_hits_total[5m])) by (lru)",
    "max by (slab) (memcached_slab_items_age_seconds)",
    "rate(memcached_slab_items_evicted_unfetched_total[5m])",
    "memcached_malloced_bytes",
    "memcached_exporter_build_info",
    "process_resident_memory_bytes",
    "rate(process_cpu_seconds_total[5m])",
    "process_open_fds / process_max_fds",
]


@pytest.mark.parametrize("expression", OF_OTHERS)
def test_what_others_ask_of_the_official_exporter_finds_data(scraped, expression):
    assert scraped.query(re.sub(r"\$\w+", ".*", expression))
