"""
The pages of config/reference, made of what the program says: its flags of --help, its metrics of an exposition of a
server that has every stat. Also the alerting rules in the form of Prometheus' operator.

    python3 test/support/reference.py PROGRAM       writes all of them
"""

import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import time

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(sys.path[0])

from support.exporter import Exporter  # noqa: E402  (needs the path above)
from support.fake import FakeMemcached, storing  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "config/reference"
NOTICE = "<!-- Written by `./dev reference`; do not change it by hand. -->"

# --- Flags ---


def parse_help(text):
    """{group: [(flag with its default, help, variable or "")]}, in the order of --help."""
    groups, group, entries = {}, "", []
    for line in text.splitlines():
        heading = re.fullmatch(r"(\S.*):", line)
        if heading:
            group, entries = heading[1], []
            groups[group] = entries
        elif re.match(r"  (-\w, |    )--", line) and group or re.match(r"  \w", line) and group == "Commands":
            flag, _, words = line.strip().partition("  ")
            entries.append([flag, words.strip()])
        elif line.startswith(" " * 33) and entries:
            entries[-1][1] = f"{entries[-1][1]} {line.strip()}".strip()
    return {name: [(flag, *split_variable(words)) for flag, words in found] for name, found in groups.items()}


def split_variable(words):
    found = re.fullmatch(r"(.*) \(\$(\w+)\)", words)
    return found.groups() if found else (words, "")


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")


def starred(text):
    """A pattern such as process_* would be emphasis in Markdown."""
    return cell(text).replace("*", "\\*").replace("_\\*", "\\_\\*")


def flags_page(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    lines = ["# Flags", "", NOTICE, "",
             "`--flag=value` and `--flag value` both work. A switch is written `--flag` or `--no-flag`. The environment variable",
             "holds when the flag is not given; its name begins with `MEMCACHED_FLEET_EXPORTER_`, which is left out below.", ""]
    groups = parse_help(text)
    lines += ["## Commands", ""]
    for command, words, _ in groups.pop("Commands"):
        lines += [f"`memcached_fleet_exporter {command}`", "", *textwrap.wrap(cell(words), 125), ""]
    for group, entries in groups.items():
        lines += [f"## {group}", "", "| flag and default | environment variable | |", "|---|---|---|"]
        for flag, words, variable in entries:
            short = variable.removeprefix("MEMCACHED_FLEET_EXPORTER_")
            lines.append(f"| `{cell(flag)}` | {f'`{short}`' if short else ''} | {starred(words)} |")
        lines.append("")
    return "\n".join(lines)


# --- Metrics ---

COMMANDS = ("sizes", "conns", "detail", "extstore", "proxy", "proxyfuncs", "proxybe", "probe")
VALUES = {"float": "0.5", "bool on/off": "on", "bool yes/no": "yes", "string": "text", "octal string": "700",
          "seconds.microseconds": "1.500000"}
CONFIG = """
watch:
  streams: [fetchers, mutations, evictions, deletions, proxyreqs]
  window: 100ms
  every: 60s
  trusted_versions: [1.6.40]
census:
  trusted_versions: [1.6.40]
groups:
  - name: reference
    targets: ["{address}"]
  - name: files
    file_sd: {{ files: ["{folder}/none*.json"] }}
"""
SUMMARY = ("memcached_slab_wasted_bytes", "memcached_slab_classes_evicting", "memcached_eviction_age_seconds",
           "memcached_slab_free_while_evicting_bytes", "memcached_slab_imbalance_ratio")
SECTIONS = (
    (("memcached_exporter_", "memcached_target_answer_seconds", "memcached_probe_duration_seconds"), "The exporter",
     "Left out by `--web.disable-exporter-metrics`, and never in an answer of `/scrape`."),
    ("process_", "The exporter's process", "As in other exporters."),
    (("memcached_target_", "memcached_probe_success"), "What the exporter saw of a server",
     "There for each server, whether it answers or not."),
    ("memcached_process_", "The process of a memcached", "Most of them with `--memcached.pid-file` alone."),
    ("memcached_settings_", "Settings of a server", "From `stats settings`: `--no-collector.settings` leaves them out."),
    (SUMMARY, "All slab classes of a server together",
     "From `stats items`, `stats slabs` and `stats`: `--no-collector.slab-summary` leaves them out, but `--no-collector.slab` "
     "does not."),
    ("memcached_slab", "Slab classes of a server", "From `stats items` and `stats slabs`: `--no-collector.slab` leaves them out."),
    ("memcached_extstore_", "External store of a server", ""),
    ("memcached_proxy_", "Proxy in a server", ""),
    ("memcached_", "Of a server", ""),
)


def answers():
    """What a memcached with all stats would say."""
    said = collections.defaultdict(dict)
    for line in (ROOT / "test/data/stats.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        command, key, form = line.split("\t")[:3]
        key = re.sub(r"\bN:", "1:", key).replace("NAME", "name")
        said[command].setdefault(key, VALUES.get(form, "1"))
    said["stats"].update(version="1.6.40", a_new_number="1", a_new_text="text")
    said["sizes"] = {"96": "5"}
    said["conns"] = {"27:addr": "tcp:127.0.0.1:1", "27:listen_addr": "tcp:127.0.0.1:2", "27:state": "conn_read",
                     "27:secs_since_last_cmd": "1"}
    lines = {f"stats {name}" if name != "stats" else name:
             b"".join(f"STAT {key} {value}\r\n".encode() for key, value in keys.items()) + b"END\r\n"
             for name, keys in said.items()}
    lines["watch fetchers mutations evictions deletions proxyreqs"] = b"OK\r\n" + b"".join(
        b"ts=1.2 gid=1 " + line + b"\n" for line in (
            b"type=item_get key=user%3A1 status=found clsid=1 cfd=3 size=10",
            b"type=item_store key=user%3A1 status=stored cmd=set ttl=60 clsid=1 cfd=3 size=10",
            b"type=eviction key=user%3A1 fetch=yes ttl=60 la=10 clsid=1 size=10",
            b"type=proxy_req elapsed=100 type=1 code=1 status=0 res=ok cfd=3 be=cache:11211 detail= req=get a",
        ))
    lines["lru_crawler metadump 1"] = b"OK\r\nkey=user%3A1 exp=-1 la=1 cas=1 fetch=no cls=1 size=60\nEND\r\n"
    lines["stats detail dump"] = b"PREFIX user get 3 hit 2 set 2 del 1\r\nEND\r\n"
    return lines


def expose():
    """The text of /metrics over that server."""
    server = FakeMemcached(script=storing(answers()))
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder, "exporter.yml")
        config.write_text(CONFIG.format(address="%s" % server.address, folder=folder), encoding="utf-8")
        pid = pathlib.Path(folder, "pid")
        pid.write_text(str(os.getpid()), encoding="utf-8")
        exporter = Exporter(f"--config.file={config}", f"--memcached.pid-file={pid}", "--memcached.timeout=10s",
                            *(f"--collector.{name}" for name in COMMANDS), targets=None)
        try:
            exporter.get("/metrics")  # what is counted by request has no series before
            end = time.monotonic() + 60
            while not {"memcached_hot_key_ratio", "memcached_census_items"} <= set(
                    re.findall(r"^([a-z_]+)\{", text := exporter.get("/metrics").text, re.MULTILINE)):
                assert time.monotonic() < end, "the server is not watched"
                time.sleep(0.05)
            return text
        finally:
            exporter.stop()
            server.close()


def families(text):
    """{name: (type, help, labels)}"""
    found, labels = {}, collections.defaultdict(dict)
    helps = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE):
        found[name] = kind
    for name, rest in re.findall(r"^([a-z_]+)(?:\{(.*)\})? \S+$", text, re.MULTILINE):
        family = name if name in found else re.sub(r"_(bucket|count|sum)$", "", name)
        for label in re.findall(r'(\w+)="(?:[^"\\]|\\.)*"', rest):
            if label not in ("instance", "le", "quantile"):
                labels[family][label] = True
    return {name: (kind, helps[name], tuple(labels[name])) for name, kind in found.items()}


def metrics_page(text):
    lines = ["# Metrics", "", NOTICE, "",
             "With several servers in one answer, every series of a server has the label `instance` too, or the one that",
             "`--web.target-label` names, and the labels of its group. Types are those of the text format 0.0.4.", ""]
    every = families(text)
    sections = collections.defaultdict(list)
    for name in every:
        sections[next(prefix for prefix, _, _ in SECTIONS if name.startswith(prefix))].append(name)
    for prefix, title, about in reversed(SECTIONS):
        lines += [f"## {title}", "", *([about, ""] if about else []), "| metric | type | labels | |", "|---|---|---|---|"]
        for name in sections[prefix]:
            kind, words, labels = every[name]
            lines.append(f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {starred(words)} |")
        lines.append("")
    return "\n".join(lines)


def pages(program):
    return {"flags.md": flags_page(program), "metrics.md": metrics_page(expose())}


# --- Rules for Prometheus' operator ---

RULES = ROOT / "config/prometheus/memcached.rules.yml"
PROMETHEUS_RULE = ROOT / "config/kubernetes/prometheusrule.yaml"
PROMETHEUS_RULE_HEAD = """\
# For Prometheus' operator: the rules of config/prometheus/memcached.rules.yml. Written by `./dev reference`; do not change it
# by hand. Your Prometheus may select rules by a label (often `release`): add it.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: memcached
  labels:
    app.kubernetes.io/name: memcached-fleet-exporter
spec:
"""


def prometheus_rule():
    text = RULES.read_text(encoding="utf-8")
    lines = text[text.index("groups:\n"):].splitlines()
    return PROMETHEUS_RULE_HEAD + "".join(f"  {line}\n" if line else "\n" for line in lines)


def main(program):
    os.environ["EXPORTER"] = program
    for name, text in pages(program).items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    PROMETHEUS_RULE.write_text(prometheus_rule(), encoding="utf-8")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]))
