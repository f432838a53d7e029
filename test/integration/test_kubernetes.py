"""
The manifests for Kubernetes: they fit together, the exporter takes what they give it, and, where the published schemas are
installed, they are valid by these:

    npm install --prefix build/kubernetes kubernetes-models @kubernetes-models/prometheus-operator
"""

import json
import pathlib
import shutil
import subprocess

import pytest
import yaml

from support import reference
from support.exporter import run
from support.process import free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config/kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
MODELS = ROOT / "build/kubernetes/node_modules"

# Reads a list of manifests from standard input, and prints what is wrong with each.
VALIDATE = """
const fs = require("fs");
(async () => {
    for (const object of JSON.parse(fs.readFileSync(0, "utf8"))) {
        const [version, group] = object.apiVersion.split("/").reverse();
        const library = group === "monitoring.coreos.com" ? "@kubernetes-models/prometheus-operator" : "kubernetes-models";
        const module = await import([library, group, version, object.kind].filter(Boolean).join("/"));
        try {
            new module[object.kind](object).validate();
        } catch (error) {
            console.log(object.kind, object.metadata.name + ":", error.message);
        }
    }
})();
"""


def objects(file):
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def every(kind):
    return [found for file in FILES for found in objects(file) if found["kind"] == kind]


def workloads():
    return every("Deployment") + every("StatefulSet")


def exporters():
    """(workload, its exporter's container)"""
    for workload in workloads():
        for container in workload["spec"]["template"]["spec"]["containers"]:
            if container["image"] == "memcached-fleet-exporter":
                yield workload, container


def test_the_manifests_are_valid_by_the_published_schemas():
    if not MODELS.exists() or not shutil.which("node"):
        pytest.skip("the schemas are not installed, see above")
    found = [manifest for file in FILES for manifest in objects(file)]
    done = subprocess.run(["node", "-e", VALIDATE], input=json.dumps(found), capture_output=True, text=True, check=False,
                          cwd=MODELS.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""


def test_the_rules_are_those_of_prometheus():
    assert (FOLDER / "prometheusrule.yaml").read_text(encoding="utf-8") == reference.prometheus_rule(), "run ./dev reference"
    rule, = every("PrometheusRule")
    assert rule["spec"] == yaml.safe_load((ROOT / "config/prometheus/memcached.rules.yml").read_text(encoding="utf-8"))


def test_workloads_select_their_own_pods():
    for workload in workloads():
        pods = workload["spec"]["template"]["metadata"]["labels"]
        assert workload["spec"]["selector"]["matchLabels"].items() <= pods.items()


def test_exporters_are_probed_without_asking_a_memcached_and_are_bounded():
    found = list(exporters())
    assert len(found) == 3
    for workload, container in found:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        assert ports == {"metrics": 9150}
        for probe, path in (("livenessProbe", "/-/healthy"), ("readinessProbe", "/-/ready")):
            if probe in container:
                assert container[probe]["httpGet"] == {"path": path, "port": "metrics"}
        assert "livenessProbe" in container and set(container["resources"]) == {"requests", "limits"}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["enableServiceLinks"] is False, "MEMCACHED_FLEET_EXPORTER_PORT would be taken for a flag"


def test_the_exporter_takes_what_the_manifests_give_it(tmp_path):
    for file, text in ((name, text) for config in every("ConfigMap") for name, text in config["data"].items()):
        (tmp_path / file).write_text(text, encoding="utf-8")
    for _, container in exporters():
        given = [word.replace("/etc/memcached_fleet_exporter", str(tmp_path)).replace("$(POD_NAME)", "exporter-0")
                 for word in container["args"]]
        if any(word.startswith("--config.file") for word in given):
            assert run(*given, "--config.check").code == 0
        else:
            # With an address that nobody listens on: 4 says that the flags were taken.
            other = [word for word in given if not word.startswith(("--memcached.address", "--shard"))]
            assert run(*other, f"--memcached.address=127.0.0.1:{free_port()}", "--once").code == 4


def test_monitors_find_services_with_a_port_of_that_name():
    services = every("Service")
    monitors = every("ServiceMonitor")
    assert len(monitors) == 2
    for monitor in monitors:
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        selected = [service for service in services if wanted <= service["metadata"]["labels"].items()]
        assert selected, monitor["metadata"]["name"]
        for endpoint in monitor["spec"]["endpoints"]:
            for service in selected:
                assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    fleet, = [monitor for monitor in monitors if monitor["metadata"]["name"] == "memcached-fleet"]
    assert all(endpoint["honorLabels"] is True for endpoint in fleet["spec"]["endpoints"])


def test_the_probe_asks_a_service_that_there_is():
    probe, = every("Probe")
    host, _, port = probe["spec"]["prober"]["url"].partition(":")
    services = [service for service in every("Service") if service["metadata"]["name"] == host]
    assert services and all(int(port) in {at["port"] for at in service["spec"]["ports"]} for service in services)
    assert probe["spec"]["prober"]["path"] == "/scrape"
