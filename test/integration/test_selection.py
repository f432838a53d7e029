"""What one request may leave out: collect[] the commands, name[] the families; and fail=true, which makes a status of it."""

import threading
import time
from urllib.parse import quote

import pytest

from support.exposition import Exposition
from support.openmetrics import OpenMetrics

COLLECTORS = ("settings", "items", "slabs")
ROUTES = ("/metrics", "/scrape")


def path_of(route, server, *parameters):
    """The URL that asks for one server by this route, which /metrics does without naming it."""
    target = [f"target={server.address}"] if route == "/scrape" else []
    return route + "?" + "&".join([*target, *parameters])


def collect(*names):
    return [f"collect[]={name}" for name in names]


@pytest.fixture
def one(exporter, fake):
    """A scripted server, and the exporter that has it configured."""
    server = fake()
    return server, exporter("--web.disable-exporter-metrics", targets=[server.address])


# collect[]

@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("names, commands", [
    ([], ["stats", "stats settings", "stats items", "stats slabs"]),
    (["stats"], ["stats"]),
    (["items"], ["stats", "stats items"]),
    (["slabs", "settings"], ["stats", "stats settings", "stats slabs"]),
    (["slabs", "slabs"], ["stats", "stats slabs"]),
    (["stats", *COLLECTORS], ["stats", "stats settings", "stats items", "stats slabs"]),
], ids=str)
def test_only_these_commands_are_sent(one, route, names, commands):
    server, running = one
    got = running.exposition(path_of(route, server, *collect(*names)))
    assert sorted(server.requests) == sorted(commands)
    told = {labels["collector"]: value for labels, value in got.find("memcached_target_collector_success")}
    assert told == {command.split()[-1]: "1" for command in commands}


def test_what_was_not_asked_is_not_shown(one):
    server, running = one
    whole = running.exposition("/metrics").names()
    for name, of in (("memcached_max_connections", "settings"), ("memcached_slab_current_items", "items"),
                     ("memcached_slab_chunk_size_bytes", "slabs")):
        assert name in whole
        for asked in COLLECTORS:
            assert (name in running.exposition(f"/metrics?collect[]={asked}").names()) == (asked == of)


def test_the_next_request_asks_for_everything_again(one):
    server, running = one
    running.exposition("/metrics?collect[]=items")
    running.exposition("/metrics")
    assert server.requests[2:] == ["stats", "stats settings", "stats items", "stats slabs"]


def test_overlapping_requests_each_get_what_they_asked_for(exporter, fake):
    """Two requests at once may share a poll, but never so that one of them lacks an answer."""
    def slow(connection):
        while line := connection.line():
            time.sleep(0.15)
            connection.send(connection.server.answers[line])

    server = fake(script=slow)
    running = exporter("--memcached.timeout=5s")
    answers = {}

    def ask(name):
        answers[name] = running.exposition(path_of("/scrape", server, *collect(name)))

    threads = [threading.Thread(target=ask, args=(name,)) for name in COLLECTORS]
    for thread in threads:
        thread.start()
        time.sleep(0.05)
    for thread in threads:
        thread.join(15)
    for name in COLLECTORS:
        told = {labels["collector"]: value for labels, value in answers[name].find("memcached_target_collector_success")}
        assert told == {"stats": "1", name: "1"}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("name", ["nope", "", "Items", "reset", "items%20", "items%0d%0aflush_all", "stats%20items", "%3Cb%3E",
                                  "x" * 300])
def test_unknown_collector(one, route, name):
    server, running = one
    answer = running.get(path_of(route, server, *collect("items", name)))
    assert answer.status == 400, answer
    assert len(answer.text.splitlines()) == 1 and "collector" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    assert server.requests == []


@pytest.mark.parametrize("route", ROUTES)
def test_collector_that_is_not_enabled(exporter, fake, route):
    server = fake()
    running = exporter("--no-collector.slabs", targets=[server.address])
    answer = running.get(path_of(route, server, *collect("slabs")))
    assert answer.status == 400
    assert "slabs" in answer.text and "--collector." in answer.text
    assert server.requests == []
    running.exposition(path_of(route, server, *collect("items")))
    assert server.requests == ["stats", "stats items"]


def test_brackets_may_be_escaped(one):
    server, running = one
    running.exposition("/metrics?collect%5B%5D=items")
    assert server.requests == ["stats", "stats items"]


# name[]

@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("names, families", [
    (["memcached_up"], ["memcached_up"]),
    (["memcached_up", "memcached_version"], ["memcached_up", "memcached_version"]),
    (["memcached_up", "memcached_up"], ["memcached_up"]),
    (["memcached_no_such_thing"], []),
    (["memcached_up", "memcached_no_such_thing"], ["memcached_up"]),
    (["memcached_u"], []),
    (["memcached_upp"], []),
    (["memcached_target_state"], ["memcached_target_state"]),
], ids=str)
def test_only_these_families_are_shown(one, route, names, families):
    server, running = one
    got = running.exposition(path_of(route, server, *(f"name[]={name}" for name in names)))
    assert got.names() == set(families)
    assert set(got.types) == set(got.helps) == set(families)


HISTOGRAM = "memcached_exporter_scrape_duration_seconds"
SUMMARY = "memcached_exporter_http_response_size_bytes"


@pytest.mark.parametrize("family, names", [
    (HISTOGRAM, {HISTOGRAM + end for end in ("_bucket", "_count", "_sum")}),
    (SUMMARY, {SUMMARY + end for end in ("", "_count", "_sum")}),
])
def test_a_name_of_several_samples_shows_the_whole_family(exporter, family, names):
    running = exporter()
    for name in {family, *names}:
        assert running.exposition("/metrics?name[]=" + name).names() == names
    assert running.exposition("/metrics?name[]=" + family + "_max").names() == set()


def test_names_are_the_same_in_openmetrics(exporter):
    running = exporter()
    for name in ("process_cpu_seconds_total", "memcached_exporter_build_info", HISTOGRAM + "_count"):
        path = "/metrics?name[]=" + name
        text = running.get(path)
        openmetrics = running.get(path, {"Accept": "application/openmetrics-text"})
        assert set(Exposition(text.body).samples) == OpenMetrics(openmetrics.body).series() != set()
        assert len(OpenMetrics(openmetrics.body).families) == 1


def test_name_does_not_change_what_is_asked(one):
    server, running = one
    running.exposition("/metrics?name[]=memcached_up")
    assert server.requests == ["stats", "stats settings", "stats items", "stats slabs"]


def test_names_and_collectors_together(one):
    server, running = one
    got = running.exposition("/metrics?name[]=memcached_slab_current_items&name[]=memcached_max_connections&collect[]=items")
    assert got.names() == {"memcached_slab_current_items"}
    assert server.requests == ["stats", "stats items"]


def test_many_names(one):
    _, running = one
    names = "&".join(f"name[]=n{number}" for number in range(300))
    assert running.exposition(f"/metrics?{names}&name[]=memcached_up").names() == {"memcached_up"}


# fail=true

@pytest.mark.parametrize("route", ROUTES)
def test_fail_is_502_when_nothing_is_up(exporter, fake, dead_address, route):
    running = exporter(targets=[dead_address])
    path = route + "?" + (f"target={dead_address}&" if route == "/scrape" else "")
    assert running.get(path).status == 200
    assert running.get(path + "fail=false").status == 200
    answer = running.get(path + "fail=true")
    assert answer.status == 502
    got = Exposition(answer.body)
    assert (got.value("memcached_up"), got.state()) == ("0", "refused"), "the answer still says why"


@pytest.mark.parametrize("route", ROUTES)
def test_fail_is_200_when_it_is_up(one, route):
    server, running = one
    assert running.exposition(path_of(route, server, "fail=true")).value("memcached_up") == "1"


def test_fail_needs_all_of_several_to_be_down(exporter, fake, dead_address):
    server = fake()
    running = exporter(targets=[server.address, dead_address])
    assert running.get("/metrics?fail=true").status == 200
    assert running.get(f"/scrape?fail=true&target={server.address}&target={dead_address}").status == 200
    assert running.get(f"/scrape?fail=true&target={dead_address}&target=127.0.0.1:1").status == 502


def test_nothing_failed_where_nothing_was_asked(exporter):
    assert exporter().get("/metrics?fail=true").status == 200


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("value", ["", "1", "yes", "TRUE", "truefalse"])
def test_fail_that_is_no_truth(one, route, value):
    server, running = one
    answer = running.get(path_of(route, server, "fail=" + value))
    assert answer.status == 400
    assert len(answer.text.splitlines()) == 1 and "true" in answer.text
    assert server.requests == []


def test_unknown_module(one):
    server, running = one
    answer = running.get(path_of("/scrape", server, "module=" + quote("no such")))
    assert answer.status == 400 and "module" in answer.text
