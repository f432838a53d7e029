"""/scrape and /probe: the targets of the URL, and nothing of the exporter itself."""

import pytest

from support.process import free_port


@pytest.fixture
def started(exporter):
    return exporter()


@pytest.mark.parametrize("route", ["/scrape", "/probe"])
def test_one_target_has_no_label(started, memcached, route):
    server = memcached()
    got = started.exposition(f"{route}?target={server.address}")
    assert got.value("memcached_up") == "1"
    assert got.value("memcached_current_items") == "0"
    assert not [key for key in got.samples if "instance" in dict(key[1])]


def test_several_targets_are_labelled(started, memcached, dead_address):
    servers = [memcached() for _ in range(3)]
    got = started.scrape(*(server.address for server in servers), dead_address)
    expected = {**{server.address: "1" for server in servers}, dead_address: "0"}
    assert {labels["instance"]: value for labels, value in got.find("memcached_up")} == expected


def test_the_same_target_twice(started, memcached):
    address = memcached().address
    assert [value for _, value in started.scrape(address, address).find("memcached_up")] == ["1"]


def test_nothing_of_the_exporter_itself(started, memcached):
    got = started.scrape(memcached().address)
    assert [name for name in got.names() if name.startswith(("memcached_exporter_", "process_"))] == []
    assert started.exposition().find("memcached_exporter_build_info") != []


def test_configured_targets_stay_out(exporter, memcached):
    configured, asked = memcached(), memcached()
    got = exporter(targets=[configured.address]).scrape(asked.address)
    assert len(got.find("memcached_up")) == 1


@pytest.mark.parametrize("query", ["", "?", "?other=1", "?target=", "?target=&target="])
def test_no_target(started, query):
    answer = started.get("/scrape" + query)
    assert answer.status == 400
    assert answer.text.rstrip("\n") == "'target' parameter must be specified"


@pytest.mark.parametrize("target", [
    "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:", "[::1", "[::1]x", "[zz]:1", "a%20b:1", "a%0Ab:1", "a%0Db",
    "a%00b", "%FF:1", "user:secret@host:1", "http://localhost:1", "a" * 300, "%3Cscript%3E", "dns+localhost:1"
])
def test_malformed_target(started, target):
    answer = started.get("/scrape?target=" + target)
    assert answer.status == 400, answer
    assert len(answer.text.splitlines()) == 1
    assert "<script>" not in answer.text or answer.headers["content-type"].startswith("text/plain")


def test_one_malformed_target_among_good_ones(started, memcached):
    assert started.get(f"/scrape?target={memcached().address}&target=a%20b").status == 400


def test_percent_encoding(started, memcached):
    server = memcached(host="::1")
    got = started.scrape(f"%5B%3A%3A1%5D%3A{server.port}")
    assert got.value("memcached_up") == "1"


def test_port_can_be_left_out(started):
    """Whatever listens on 11211, or nobody: the form is taken."""
    assert started.get("/scrape?target=127.0.0.1").status == 200


def test_a_target_that_is_down_is_no_http_error(started):
    got = started.scrape(f"127.0.0.1:{free_port()}")
    assert (got.value("memcached_up"), got.state()) == ("0", "refused")


def test_route_can_be_switched_off(exporter, memcached):
    off = exporter("--no-scrape.endpoint")
    for route in ("/scrape", "/probe"):
        assert off.get(f"{route}?target={memcached().address}").status == 404


def test_route_can_be_moved(exporter, memcached):
    moved = exporter("--web.scrape-path=/ask")
    assert moved.exposition(f"/ask?target={memcached().address}").value("memcached_up") == "1"
    assert moved.get("/scrape?target=127.0.0.1:1").status == 404


def test_too_many_targets(exporter, memcached):
    address = memcached().address
    limited = exporter("--scrape.max-targets=2")
    assert limited.get(f"/scrape?target={address}&target=127.0.0.1:1").status == 200
    answer = limited.get(f"/scrape?target={address}&target=127.0.0.1:1&target=127.0.0.1:2")
    assert answer.status == 400
    assert "2" in answer.text


@pytest.mark.parametrize("form", ["unix:{}", "{}", "unix%3A{}"])
def test_unix_sockets_are_refused_by_url(started, memcached, tmp_path, form):
    server = memcached(path=str(tmp_path / "m.sock"))
    before = server.stats()["stats"]["total_connections"]
    answer = started.get("/scrape?target=" + form.format(server.path))
    assert answer.status == 403, answer
    assert len(answer.text.splitlines()) == 1
    assert server.stats()["stats"]["total_connections"] == before, "it was asked all the same"


def test_a_configured_unix_socket_may_be_asked_for(exporter, memcached, tmp_path):
    server = memcached(path=str(tmp_path / "m.sock"))
    got = exporter(targets=[server.address]).scrape(server.address)
    assert got.value("memcached_up") == "1"


def test_connections_to_url_targets_are_kept(started, memcached):
    server = memcached()
    assert started.scrape(server.address).value("memcached_target_connection_reused") == "0"
    assert started.scrape(server.address).value("memcached_target_connection_reused") == "1"


def test_unknown_parameters_are_no_error(started, memcached):
    assert started.get(f"/scrape?target={memcached().address}&x=1").status == 200
