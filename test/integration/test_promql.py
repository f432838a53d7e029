"""
Dashboards, alerts and rules that were written for the official exporter find data: every expression of test/data/promql.tsv,
asked of a real Prometheus in the three ways of scraping.
"""

import csv
import re

import pytest

from conftest import TEST
from support.process import wait_until
from support.prometheus import Prometheus

SCRAPE = "scrape_configs: [{{job_name: default/memcached, scrape_interval: 1s, {how}}}]"
RELABEL = ("relabel_configs: [{source_labels: [__address__], target_label: __param_target}, {source_labels: [__param_target], "
           "target_label: instance}, {target_label: __address__, replacement: '%s'}]")


@pytest.fixture(scope="module")
def expressions():
    with open(TEST / "data/promql.tsv", encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))[1:]


def evaluable(expression):
    """Variables take all there is. What is compared is what has to have data, whether an alert fires or not."""
    expression = re.sub(r"label_values\((.*), *\w+\)$", r"\1", expression)
    expression = re.sub(r"\[\$\{?__(rate_)?interval\}?\]", "[1m]", expression)
    expression = re.sub(r"\$\{\w+\}(,\$\{\w+\})*", 'cluster=~".*"', expression)
    expression = re.sub(r"""(\w+) *=~? *(["'])[^"']*\$[^"']*\2""", r'\1=~".*"', expression)
    expression = re.sub(r" (==|!=|>=|<=|>|<) ", r" \1 bool ", expression)
    return expression.removesuffix(" or vector(0)")


def single(exporter, servers):
    where = ["%s:%d" % exporter(targets=[server.address]).where for server in servers]
    return SCRAPE.format(how=f"static_configs: [{{targets: {where}}}]")


def by_target(exporter, servers):
    started = exporter(targets=[])
    how = RELABEL % "%s:%d" % started.where
    return SCRAPE.format(how=f"metrics_path: /scrape, static_configs: [{{targets: {[s.address for s in servers]}}}], {how}")


def fleet(exporter, servers):
    started = exporter(targets=[server.address for server in servers])
    return SCRAPE.format(how="honor_labels: true, static_configs: [{targets: ['%s:%d']}]" % started.where)


@pytest.mark.parametrize("mode", [single, by_target, fleet], ids=["single", "by target", "fleet"])
def test_public_expressions_have_data(exporter, memcached, tmp_path, expressions, mode):
    servers = [memcached(), memcached()]
    for server in servers:
        server.traffic()
    prometheus = Prometheus(tmp_path, mode(exporter, servers))
    try:
        wait_until(lambda: len(prometheus.query("count_over_time(memcached_up[1m]) > 2")) == 2, "three scrapes of each")
        has_data = {expression: prometheus.query(evaluable(expression)) != [] for _, expression, _ in expressions}
    finally:
        prometheus.stop()
    assert len(has_data) > 150
    assert has_data == {expression: not why for _, expression, why in expressions}
