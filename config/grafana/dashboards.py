#!/usr/bin/env python3
"""
Writes the dashboards beside this file, so that all panels share one form:

    python3 config/grafana/dashboards.py            writes config/grafana/dashboards/*.json
    python3 config/grafana/dashboards.py --check    fails if a file differs from what would be written

A dashboard is a list of rows; a row is a title and its panels; a panel is a function call with its expressions. The
expressions use the exporter's metrics alone, not the recording rules, so that the dashboards work without them.
"""

import json
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "dashboards"
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}
GRID_WIDTH = 24

# The servers that the variable selects, one server, and the exporters: their own series have other instances.
# Grafana escapes for =~ what is selected where several may be, and only there.
SERVER = 'job=~"$job", instance=~"$instance"'
ONE = 'job=~"$job", instance="$instance"'
EXPORTER = 'job=~"$job", instance=~"$exporter"'
# The exporter's histograms over many servers, which have labels of groups instead of an instance.
ALL_GROUPS = 'job=~"$job"'


def thresholds(base, steps):
    """The color `base`, and from each (value, color) of `steps` on that color."""
    above = [{"color": color, "value": value} for value, color in steps]
    return {"mode": "absolute", "steps": [{"color": base, "value": None}, *above]}


def target(ref, expression, legend, **more):
    return {"refId": ref, "datasource": DATASOURCE, "expr": expression, "legendFormat": legend, **more}


def panel(kind, title, queries, width, height, unit, description="", defaults=None, options=None, overrides=(), **more):
    """`queries` are pairs of legend and expression; width and height are in cells of the grid."""
    instant = kind in ("stat", "table", "bargauge")
    targets = [target(chr(ord("A") + i), expression, legend, **({"instant": True, "range": False} if instant else {}))
               for i, (legend, expression) in enumerate(queries)]
    return {
        "type": kind, "title": title, "description": description, "datasource": DATASOURCE, "targets": targets,
        "gridPos": {"w": width, "h": height},
        "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": list(overrides)},
        "options": options or {}, **more,
    }


def stat(title, expression, unit="short", steps=(), width=4, description="", base="green"):
    return panel("stat", title, [("", expression)], width, 4, unit, description,
                 {"thresholds": thresholds(base, steps), "color": {"mode": "thresholds"}},
                 {"colorMode": "value", "graphMode": "none", "reduceOptions": {"calcs": ["lastNotNull"]}})


def graph(title, *queries, unit="short", width=8, height=8, stack=False, description="", most=None):
    """Lines over time. `most` is the top of the axis."""
    custom = {"lineWidth": 1, "fillOpacity": 20 if stack else 5, "showPoints": "never",
              "stacking": {"mode": "normal" if stack else "none", "group": "A"}}
    defaults = {"custom": custom, "min": 0, **({"max": most} if most is not None else {})}
    return panel("timeseries", title, queries, width, height, unit, description, defaults,
                 {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                  "tooltip": {"mode": "multi", "sort": "desc"}})


def table(title, by, columns, description="", height=10, link=None):
    """One line for each value of the label `by`; `columns` are (name, unit, expression)."""
    overrides = []
    for i, (name, unit, _) in enumerate(columns):
        overrides.append({"matcher": {"id": "byName", "options": f"Value #{chr(ord('A') + i)}"},
                          "properties": [{"id": "displayName", "value": name}, {"id": "unit", "value": unit}]})
    if link:
        overrides.append({"matcher": {"id": "byName", "options": by},
                          "properties": [{"id": "links", "value": [{"title": "Look at this server", "url": link}]}]})
    found = panel("table", title, [("", expression) for _, _, expression in columns], GRID_WIDTH, height, "short",
                  description, {}, {"showHeader": True, "footer": {"show": False}}, overrides,
                  transformations=[{"id": "merge", "options": {}},
                                   {"id": "organize", "options": {"excludeByName": {"Time": True}}}])
    for query in found["targets"]:
        query["format"] = "table"
    return found


def heatmap(title, expression, unit="s", width=12, description=""):
    found = panel("heatmap", title, [("{{le}}", expression)], width, 8, unit, description, {},
                  {"calculate": False, "yAxis": {"unit": unit}, "cellGap": 1,
                   "color": {"mode": "scheme", "scheme": "Blues", "steps": 64}, "tooltip": {"show": True}})
    found["targets"][0]["format"] = "heatmap"
    return found


def variable(name, label, query, several, every=True):
    return {"type": "query", "name": name, "label": label, "datasource": DATASOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2, "sort": 1,
            "multi": several, "includeAll": every, "allValue": ".*" if every else None,
            "current": {"text": "All", "value": "$__all"} if every else {}, "options": [], "hide": 0}


SOURCE = {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus", "current": {},
          "options": [], "hide": 0, "refresh": 1, "regex": "", "multi": False, "includeAll": False}
JOB = variable("job", "Job", "label_values(memcached_up, job)", several=True)
SERVERS = variable("instance", "Servers", 'label_values(memcached_up{job=~"$job"}, instance)', several=True)
ONE_SERVER = variable("instance", "Server", 'label_values(memcached_up{job=~"$job"}, instance)', several=False, every=False)
EXPORTER_JOB = variable("job", "Job", "label_values(memcached_exporter_build_info, job)", several=True)
EXPORTERS = variable("exporter", "Exporters", 'label_values(memcached_exporter_build_info{job=~"$job"}, instance)',
                     several=True)


def laid_out(rows):
    """All panels with ids and places: from left to right, then the next line."""
    panels, top = [], 0
    for title, contents in rows:
        panels.append({"type": "row", "title": title, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": top, "w": GRID_WIDTH, "h": 1}})
        top, left, tallest = top + 1, 0, 0
        for each in contents:
            place = each["gridPos"]
            if left + place["w"] > GRID_WIDTH:
                top, left, tallest = top + tallest, 0, 0
            each["gridPos"] = {"x": left, "y": top, **place}
            left, tallest = left + place["w"], max(tallest, place["h"])
            panels.append(each)
        top += tallest
    for number, each in enumerate(panels, 1):
        each["id"] = number
    return panels


def dashboard(uid, title, description, variables, rows):
    return {
        "uid": uid, "title": title, "description": description, "tags": ["memcached"], "schemaVersion": 39, "version": 1,
        "editable": True, "graphTooltip": 1, "refresh": "30s", "time": {"from": "now-3h", "to": "now"}, "timezone": "",
        "templating": {"list": [SOURCE, *variables]},
        "links": [{"type": "dashboards", "tags": ["memcached"], "title": "memcached", "asDropdown": True,
                   "includeVars": True, "keepTime": True, "icon": "external link"}],
        "annotations": {"list": []}, "panels": laid_out(rows),
    }


def rate(metric, selector):
    return f"rate({metric}{{{selector}}}[$__rate_interval])"


def gets(selector, more=""):
    return rate("memcached_commands_total", f'{selector}, command="get"{more}')


def quantile(q, by, metric, selector):
    """Of a histogram that is a counter, told apart by these labels."""
    return f"histogram_quantile({q}, sum by ({by}) ({rate(metric + '_bucket', selector)}))"


def share(by, metric, selector):
    """What the values of the label `by` have of the whole. Windows see samples, so only shares mean something."""
    return f"sum by ({by}) ({rate(metric, selector)}) / ignoring ({by}) group_left sum ({rate(metric, selector)})"


HITS, GETS = gets(SERVER, ', status="hit"'), gets(SERVER)
HOTTEST = f'memcached_hot_key_ratio{{{SERVER}, rank="1"}}'
STATE_NOT_UP = f'memcached_target_state{{{SERVER}, memcached_target_state!="up"}}'


def fleet():
    def each(expression):
        return f"sum by (instance) ({expression})"
    server = "/d/memcached-server?${datasource:queryparam}&${job:queryparam}&var-instance=${__value.text}"
    return dashboard("memcached-fleet", "memcached: fleet", "All servers of a fleet, and which of them need a look.",
                     [JOB, SERVERS], [
        ("The fleet", [
            stat("Servers", f"count(memcached_up{{{SERVER}}})"),
            stat("Down", f"count(memcached_up{{{SERVER}}}) - sum(memcached_up{{{SERVER}}})", steps=[(1, "red")]),
            stat("Hit ratio", f"sum({HITS}) / sum({GETS})", "percentunit"),
            stat("Gets per second", f"sum({GETS})", "ops"),
            stat("Memory used", f"sum(memcached_current_bytes{{{SERVER}}}) / sum(memcached_limit_bytes{{{SERVER}}})",
                 "percentunit"),
            stat("Evictions per second", f"sum({rate('memcached_items_evicted_total', SERVER)})", "ops",
                 [(1, "orange")]),
        ]),
        ("Servers", [
            table("Servers", "instance", [
                ("up", "short", f"sum by (instance) (memcached_up{{{SERVER}}})"),
                ("uptime", "s", each(f"memcached_uptime_seconds{{{SERVER}}}")),
                ("items", "short", each(f"memcached_current_items{{{SERVER}}}")),
                ("memory used", "percentunit",
                 f"{each(f'memcached_current_bytes{{{SERVER}}}')} / {each(f'memcached_limit_bytes{{{SERVER}}}')}"),
                ("hit ratio", "percentunit", f"{each(HITS)} / {each(GETS)}"),
                ("gets per second", "ops", each(GETS)),
                ("evictions per second", "ops", each(rate("memcached_items_evicted_total", SERVER))),
                ("connections used", "percentunit", f"{each(f'memcached_current_connections{{{SERVER}}}')}"
                                                    f" / {each(f'memcached_max_connections{{{SERVER}}}')}"),
                ("last scrape took", "s", each(f"memcached_target_scrape_duration_seconds{{{SERVER}}}")),
            ], "A name leads to the dashboard of that server.", link=server),
            graph("Servers that are not up, by reason",
                  ("{{memcached_target_state}}", f"sum by (memcached_target_state) ({STATE_NOT_UP})"),
                  stack=True, width=12),
            graph("Restarts in the last hour",
                  ("{{instance}}", f"resets(memcached_uptime_seconds{{{SERVER}}}[1h])"), width=12),
        ]),
        ("Traffic", [
            graph("Commands", ("{{command}}", f"sum by (command) ({rate('memcached_commands_total', SERVER)})"),
                  unit="ops", stack=True),
            graph("Hit ratio, the ten lowest", ("{{instance}}", f"bottomk(10, {each(HITS)} / {each(GETS)})"),
                  unit="percentunit", most=1),
            graph("Gets, the ten busiest", ("{{instance}}", f"topk(10, {each(GETS)})"), unit="ops"),
            graph("Bytes sent and received", ("sent", f"sum({rate('memcached_written_bytes_total', SERVER)})"),
                  ("received", f"sum({rate('memcached_read_bytes_total', SERVER)})"), unit="Bps"),
            graph("Processor time, the ten busiest",
                  ("{{instance}}", f"topk(10, {each(rate('memcached_process_user_cpu_seconds_total', SERVER))} + "
                                   f"{each(rate('memcached_process_system_cpu_seconds_total', SERVER))})"),
                  unit="short", description="1 is one core."),
            graph("Connections used, the ten fullest",
                  ("{{instance}}", f"topk(10, {each(f'memcached_current_connections{{{SERVER}}}')} / "
                                   f"{each(f'memcached_max_connections{{{SERVER}}}')})"), unit="percentunit", most=1),
        ]),
        ("Memory", [
            graph("Memory used, the ten fullest",
                  ("{{instance}}", f"topk(10, {each(f'memcached_current_bytes{{{SERVER}}}')} / "
                                   f"{each(f'memcached_limit_bytes{{{SERVER}}}')})"), unit="percentunit", most=1),
            graph("Evictions, the ten with most",
                  ("{{instance}}", f"topk(10, {each(rate('memcached_items_evicted_total', SERVER))})"), unit="ops"),
            graph("Items", ("items", f"sum(memcached_current_items{{{SERVER}}})")),
            graph("Age at eviction, the ten youngest",
                  ("{{instance}}", f"bottomk(10, {each(f'memcached_eviction_age_seconds{{{SERVER}}}')})"), unit="s",
                  description="How long the item that was evicted last had not been used, the least of all slab classes."),
            graph("Free in some classes while others evict, the ten with most",
                  ("{{instance}}", f"topk(10, {each(f'memcached_slab_imbalance_ratio{{{SERVER}}}')})"), unit="percentunit",
                  description="As a share of the memory limit."),
            graph("Bytes that no item fills, the ten with most",
                  ("{{instance}}", f"topk(10, {each(f'memcached_slab_wasted_bytes{{{SERVER}}}')})"), unit="bytes",
                  description="In used chunks, which are larger than their items."),
        ]),
        ("Latency", [
            graph("Answers to stats by part, 99 %",
                  ("{{part}}", quantile(0.99, "le, part", "memcached_target_answer_seconds", ALL_GROUPS)), unit="s",
                  description="connect, tls and login are those of new connections."),
            graph("Whole answers by group, 99 %",
                  ("{{group}}", quantile(0.99, "le, group", "memcached_target_answer_seconds",
                                         ALL_GROUPS + ', part="whole"')), unit="s"),
            graph("Probes by operation, 99 %",
                  ("{{operation}}", quantile(0.99, "le, operation", "memcached_probe_duration_seconds", ALL_GROUPS)),
                  unit="s", description="Empty without the collector probe."),
            graph("Probes by group, median",
                  ("{{group}}", quantile(0.5, "le, group", "memcached_probe_duration_seconds", ALL_GROUPS)), unit="s"),
            graph("Servers that fail their probes",
                  ("failing", f"count(memcached_probe_success{{{SERVER}}}) - sum(memcached_probe_success{{{SERVER}}})")),
        ]),
        ("What clients do", [
            graph("The hottest key, the ten servers with the hottest",
                  ("{{instance}}", f"topk(10, {each(HOTTEST)})"),
                  unit="percentunit", description="Its share of the fetches. Empty without watch in the configuration file."),
            graph("Fetches by prefix", ("{{prefix}}", share("prefix", "memcached_prefix_fetches_total", SERVER)),
                  unit="percentunit", stack=True, most=1),
            graph("Evicted items by whether they were ever fetched",
                  ("{{fetched}}", f"sum by (fetched) (memcached_evicted_items{{{SERVER}}})"), stack=True),
            graph("Items by prefix", ("{{prefix}}", f"sum by (prefix) (memcached_census_items{{{SERVER}}})"), stack=True,
                  description="Empty without census in the configuration file."),
            graph("Memory of items by prefix", ("{{prefix}}", f"sum by (prefix) (memcached_census_bytes{{{SERVER}}})"),
                  unit="bytes", stack=True),
            graph("Windows by result",
                  ("{{result}}", f"sum by (result) ({rate('memcached_watch_windows_total', SERVER)})"), unit="ops", stack=True),
        ]),
    ])


def server():
    def by(label, metric):
        return f"sum by ({label}) ({metric}{{{ONE}}})"

    def rate_by(label, metric):
        return f"sum by ({label}) ({rate(metric, ONE)})"

    hits, misses = gets(ONE, ', status="hit"'), gets(ONE, ', status="miss"')
    slab_hits = rate("memcached_slab_commands_total", ONE + ', command="get", status="hit"')
    wasted = (f"sum by (slab) (memcached_slab_current_chunks{{{ONE}}} * memcached_slab_chunk_size_bytes{{{ONE}}}"
              f" - memcached_slab_mem_requested_bytes{{{ONE}}})")

    def stored(q, what):
        return quantile(q, "le", f"memcached_stored_item_{what}", ONE)

    def evicted(q, what):
        return quantile(q, "le", f"memcached_evicted_item_{what}", ONE)

    def counted(what):
        return f"histogram_quantile(0.5, sum by (le, prefix) (memcached_census_item_{what}_bucket{{{ONE}}}))"

    fetches = rate("memcached_prefix_fetches_total", ONE)
    found = rate("memcached_prefix_fetches_total", ONE + ', status="found"')
    return dashboard("memcached-server", "memcached: one server",
                     "One server: its slab classes, what clients do with it, and what it stores.",
                     [JOB, ONE_SERVER], [
        ("$instance", [
            stat("Up", f"memcached_up{{{ONE}}}", steps=[(1, "green")], base="red", width=3),
            panel("stat", "Version", [("{{version}}", f"memcached_version{{{ONE}}}")], 3, 4, "short",
                  options={"textMode": "name", "colorMode": "none", "graphMode": "none",
                           "reduceOptions": {"calcs": ["lastNotNull"]}}),
            stat("Uptime", f"memcached_uptime_seconds{{{ONE}}}", "s", width=3),
            stat("Items", f"memcached_current_items{{{ONE}}}", width=3),
            stat("Memory used", f"memcached_current_bytes{{{ONE}}} / memcached_limit_bytes{{{ONE}}}",
                 "percentunit", width=3),
            stat("Hit ratio", f"sum({hits}) / sum({gets(ONE)})", "percentunit", width=3),
            stat("Connections", f"memcached_current_connections{{{ONE}}}", width=3),
            stat("Scrape took", f"memcached_target_scrape_duration_seconds{{{ONE}}}", "s",
                 [(0.5, "orange"), (1, "red")], width=3),
        ]),
        ("Commands", [
            graph("Commands", ("{{command}} {{status}}",
                               f"sum by (command, status) ({rate('memcached_commands_total', ONE)})"), unit="ops"),
            graph("Hit ratio", ("get", f"sum({hits}) / sum({gets(ONE)})"), unit="percentunit", most=1),
            graph("Misses", ("all", f"sum({misses})"), ("expired", rate("memcached_get_expired_total", ONE)),
                  ("flushed", rate("memcached_get_flushed_total", ONE)), unit="ops"),
        ]),
        ("Connections and processor", [
            graph("Connections", ("open", f"memcached_current_connections{{{ONE}}}"),
                  ("most", f"memcached_max_connections{{{ONE}}}")),
            graph("Connections made and turned away", ("made", rate("memcached_connections_total", ONE)),
                  ("rejected", rate("memcached_connections_rejected_total", ONE)),
                  ("yielded", rate("memcached_connections_yielded_total", ONE)), unit="ops"),
            graph("Processor time", ("user", rate("memcached_process_user_cpu_seconds_total", ONE)),
                  ("system", rate("memcached_process_system_cpu_seconds_total", ONE)), stack=True,
                  description="1 is one core."),
        ]),
        ("Memory", [
            graph("Memory", ("items", f"memcached_current_bytes{{{ONE}}}"),
                  ("slab pages", f"memcached_malloced_bytes{{{ONE}}}"),
                  ("limit", f"memcached_limit_bytes{{{ONE}}}"), unit="bytes"),
            graph("Items stored, evicted and reclaimed", ("stored", rate("memcached_items_total", ONE)),
                  ("evicted", rate("memcached_items_evicted_total", ONE)),
                  ("evicted unread", rate("memcached_items_evicted_unfetched_total", ONE)),
                  ("reclaimed", rate("memcached_items_reclaimed_total", ONE)), unit="ops"),
            graph("Stores that failed", ("no memory", rate("memcached_item_no_memory_total", ONE)),
                  ("too large", rate("memcached_item_too_large_total", ONE)), unit="ops"),
            graph("Memory that is not used well", ("in used chunks", f"memcached_slab_wasted_bytes{{{ONE}}}"),
                  ("free while others evict", f"memcached_slab_free_while_evicting_bytes{{{ONE}}}"), unit="bytes"),
            graph("Age at eviction", ("youngest", f"memcached_eviction_age_seconds{{{ONE}}}"), unit="s",
                  description="How long the item that was evicted last had not been used, the least of all slab classes."),
            graph("Slab classes that have evicted", ("classes", f"memcached_slab_classes_evicting{{{ONE}}}")),
        ]),
        ("What clients do, as far as it was watched", [
            graph("Hot keys, share of fetches", ("{{rank}}", f"memcached_hot_key_ratio{{{ONE}}}"), unit="percentunit",
                  description="By rank. /hotkeys of the exporter shows the keys."),
            graph("Hot keys, share of fetched bytes", ("{{rank}}", f"memcached_hot_key_bytes_ratio{{{ONE}}}"),
                  unit="percentunit"),
            graph("Different keys fetched in a window", ("keys", f"memcached_fetched_distinct_keys{{{ONE}}}")),
            graph("Fetches by prefix", ("{{prefix}}", share("prefix", "memcached_prefix_fetches_total", ONE)),
                  unit="percentunit", stack=True, most=1),
            graph("Hit ratio by prefix",
                  ("{{prefix}}", f"sum by (prefix) ({found}) / sum by (prefix) ({fetches})"), unit="percentunit", most=1),
            graph("Events", ("{{stream}} {{status}}", rate("memcached_watch_events_total", ONE)), unit="ops", stack=True),
            graph("Time to live of stored items", ("median", stored(0.5, "ttl_seconds")), ("99 %", stored(0.99, "ttl_seconds")),
                  unit="s"),
            graph("Size of stored items", ("median", stored(0.5, "size_bytes")), ("99 %", stored(0.99, "size_bytes")),
                  unit="bytes"),
            graph("Evicted items", ("unused for, median", evicted(0.5, "idle_seconds")),
                  ("time left, median", evicted(0.5, "ttl_remaining_seconds")), unit="s"),
            graph("Evicted items by whether they were ever fetched", ("{{fetched}}", f"memcached_evicted_items{{{ONE}}}"),
                  stack=True),
            graph("Windows by result", ("{{result}}", rate("memcached_watch_windows_total", ONE)), unit="ops", stack=True),
            graph("Events that were not seen, by where", ("{{where}}", rate("memcached_watch_skipped_total", ONE)), unit="ops"),
            graph("Requests of a proxy to its backends, 99 %",
                  ("{{backend}} {{result}}", quantile(0.99, "le, backend, result", "memcached_proxy_request_duration_seconds",
                                                      ONE)),
                  unit="s", width=12, description="Empty without proxyreqs among the streams of watch, and on other servers."),
            graph("Probe", ("succeeds", f"memcached_probe_success{{{ONE}}}"), width=12, most=1,
                  description="Empty without the collector probe."),
        ]),
        ("What is stored, as the last census counted it", [
            graph("Items by prefix", ("{{prefix}}", f"memcached_census_items{{{ONE}}}"), stack=True),
            graph("Memory by prefix", ("{{prefix}}", f"memcached_census_bytes{{{ONE}}}"), unit="bytes", stack=True),
            graph("Size of items by prefix, median", ("{{prefix}}", counted("size_bytes")), unit="bytes"),
            graph("Time to live by prefix, median", ("{{prefix}}", counted("ttl_seconds")), unit="s"),
            graph("Idle time by prefix, median", ("{{prefix}}", counted("idle_seconds")), unit="s"),
            graph("Age of the census", ("age", f"time() - memcached_census_timestamp_seconds{{{ONE}}}"), unit="s", width=4),
            graph("Items not looked at", ("items", f"memcached_census_dropped_items{{{ONE}}}"), width=4),
        ]),
        ("Slab classes", [
            table("Slab classes", "slab", [
                ("size of a chunk", "bytes", by("slab", "memcached_slab_chunk_size_bytes")),
                ("pages", "short", by("slab", "memcached_slab_current_pages")),
                ("used chunks", "short", by("slab", "memcached_slab_chunks_used")),
                ("free chunks", "short", by("slab", "memcached_slab_chunks_free")),
                ("items", "short", by("slab", "memcached_slab_current_items")),
                ("age of the oldest", "s", by("slab", "memcached_slab_items_age_seconds")),
                ("evictions per second", "ops", rate_by("slab", "memcached_slab_items_evicted_total")),
                ("unused at eviction for", "s", by("slab", "memcached_slab_items_evicted_time_seconds")),
                ("wasted", "bytes", wasted),
            ], "Wasted is what the chunks of a class take beyond what their items asked for, free chunks among it."),
            graph("Pages", ("{{slab}}", by("slab", "memcached_slab_current_pages")), stack=True),
            graph("Items", ("{{slab}}", by("slab", "memcached_slab_current_items")), stack=True),
            graph("Evictions", ("{{slab}}", rate_by("slab", "memcached_slab_items_evicted_total")), unit="ops", stack=True),
            graph("Age of the oldest item", ("{{slab}}", by("slab", "memcached_slab_items_age_seconds")), unit="s"),
            graph("Gets that hit", ("{{slab}}", f"sum by (slab) ({slab_hits})"), unit="ops"),
            graph("Pages moved between classes", ("moved", rate("memcached_slab_pages_moved_total", ONE)), unit="ops"),
        ]),
    ])


def exporter():
    def own(metric):
        return f"memcached_exporter_{metric}"

    def quantile_of(q, metric):
        return quantile(q, "le", own(metric), EXPORTER)

    def per(label, metric):
        return f"sum by ({label}) ({rate(own(metric), EXPORTER)})"
    return dashboard("memcached-exporter", "memcached: the exporter", "memcached_fleet_exporter itself.",
                     [EXPORTER_JOB, EXPORTERS], [
        ("The exporter", [
            stat("Exporters", f"count(memcached_exporter_build_info{{{EXPORTER}}})"),
            stat("Configured servers", f"sum(memcached_exporter_targets{{{EXPORTER}}})"),
            stat("Servers dropped", f"sum(memcached_exporter_targets_dropped{{{EXPORTER}}})", steps=[(1, "orange")]),
            stat("Last reload", f"min(memcached_exporter_config_last_reload_successful{{{EXPORTER}}})", steps=[(1, "green")], base="red",
                 description="1 if the configuration file was taken when it was last read. Empty without a file."),
            stat("Uptime", f"time() - max(process_start_time_seconds{{{EXPORTER}}})", "s"),
            stat("Memory", f"sum(process_resident_memory_bytes{{{EXPORTER}}})", "bytes"),
        ]),
        ("Scrapes", [
            graph("Scrapes by result", ("{{result}}", per("result", "scrapes_total")), unit="ops", stack=True),
            graph("How long scrapes take", ("median", quantile_of(0.5, "scrape_duration_seconds")),
                  ("99 %", quantile_of(0.99, "scrape_duration_seconds")), unit="s"),
            graph("How long Prometheus waits", ("{{instance}}", f"scrape_duration_seconds{{{EXPORTER}}}"), unit="s"),
            heatmap("How long servers take",
                    f"sum by (le) ({rate(own('target_scrape_duration_seconds_bucket'), EXPORTER)})"),
            graph("Servers asked, by what came of it", ("{{state}}", per("state", "target_scrapes_total")), unit="ops",
                  stack=True, width=12),
        ]),
        ("Connections and bytes", [
            graph("Connections to servers", ("open", f"sum({own('target_open_connections')}{{{EXPORTER}}})")),
            graph("Connections made and used again",
                  ("made", f"sum({rate(own('target_connections_opened_total'), EXPORTER)})"),
                  ("used again", f"sum({rate(own('target_connections_reused_total'), EXPORTER)})"),
                  ("stalled", f"sum({rate(own('target_connections_stalled_total'), EXPORTER)})"), unit="ops"),
            graph("Bytes of servers", ("read", f"sum({rate(own('target_read_bytes_total'), EXPORTER)})"),
                  ("written", f"sum({rate(own('target_written_bytes_total'), EXPORTER)})"), unit="Bps"),
            graph("Names looked up", ("looked up", f"sum({rate(own('dns_lookups_total'), EXPORTER)})"),
                  ("asked", f"sum({rate(own('dns_queries_total'), EXPORTER)})"),
                  ("failed", f"sum({rate(own('dns_failures_total'), EXPORTER)})"), unit="ops"),
            graph("Values that could not be read", ("{{kind}}", per("kind", "parse_errors_total")), unit="ops"),
            graph("Outputs that failed", ("{{output}}", per("output", "output_failures_total")),
                  ("{{output}}, messages lost", per("output", "output_messages_dropped_total")), unit="ops"),
        ]),
        ("HTTP", [
            graph("Requests", ("{{handler}} {{code}}", per("handler, code", "http_requests_total")), unit="reqps"),
            graph("Requests turned away", ("{{reason}}", per("reason", "http_requests_rejected_total")), unit="reqps"),
            graph("Open connections", ("open", f"sum({own('http_open_connections')}{{{EXPORTER}}})"),
                  ("scrapes in flight", f"sum({own('http_requests_in_flight')}{{{EXPORTER}}})")),
        ]),
        ("Discovery", [
            graph("Servers found, by source", ("{{group}} {{kind}} {{source}}",
                  f"sum by (group, kind, source) ({own('discovery_targets')}{{{EXPORTER}}})")),
            graph("Age of what was found", ("{{group}} {{kind}} {{source}}",
                  f"time() - max by (group, kind, source) ({own('discovery_last_success_timestamp_seconds')}{{{EXPORTER}}})"),
                  unit="s"),
            graph("Failures", ("{{group}} {{kind}} {{source}}", per("group, kind, source", "discovery_failures_total")),
                  unit="ops"),
        ]),
        ("Process", [
            graph("Processor time", ("{{instance}}", rate("process_cpu_seconds_total", EXPORTER)),
                  description="1 is one core."),
            graph("Memory", ("{{instance}}", f"process_resident_memory_bytes{{{EXPORTER}}}"), unit="bytes"),
            graph("Busy turns of the event loop", ("99 %", quantile_of(0.99, "event_loop_lag_seconds")), unit="s"),
        ]),
    ])


def main(check):
    differ = 0
    for name, made in (("fleet", fleet()), ("server", server()), ("exporter", exporter())):
        file = FOLDER / f"memcached-{name}.json"
        text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        if check and (not file.exists() or file.read_text(encoding="utf-8") != text):
            print(f"{file} differs; run config/grafana/dashboards.py", file=sys.stderr)
            differ = 1
        elif not check:
            file.write_text(text, encoding="utf-8")
    return differ


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
