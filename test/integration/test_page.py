"""The page at "/": the fleet as the last scrapes saw it."""

import re

import yaml

from support import http
from support.process import free_port, wait_until


def rows(page):
    """The text of each cell of each server, by the server's name."""
    titles = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", page)[1:]
    found = {}
    for row in re.findall(r"<tr data-s=.*?</tr>", page, re.S):
        name = re.search(r"<th scope=\"row\">(.*?)</th>", row).group(1)
        cells = re.findall(r"<td>(.*?)</td>", row, re.S)
        found[name] = {title: re.sub(r"<[^>]*>", "", cell) for title, cell in zip(titles, cells, strict=True)}
    return found


def test_what_the_last_scrapes_saw(exporter, memcached, tmp_path):
    server, dead = memcached("-m", "8"), f"127.0.0.1:{free_port()}"
    file = tmp_path / "exporter.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "<script>alert(1)</script>", "targets": [server.address, dead]}]}))
    started = exporter(f"--config.file={file}", targets=None)

    before = rows(started.get("/").text)
    assert set(before) == {server.address, dead}
    assert all(cells["State"] == "not asked yet" for cells in before.values())

    client = server.client
    for key in range(40):
        client.ask(b"set key%d 0 0 5\r\nvalue\r\n" % key)
        client.ask(b"get key%d\r\n" % key, b"END\r\n")
    started.get("/metrics")
    page = started.get("/").text
    cells = rows(page)[server.address]
    assert cells["State"].startswith("up for ")
    assert cells["Version"] == server.stats()["stats"]["version"]
    assert cells["Items"] == "40"
    assert cells["Memory"].endswith(" of 8.0 MiB")
    assert cells["Hit ratio"] == "100.0 %"
    assert rows(page)[dead]["State"].startswith("refused")
    assert "Connection refused".lower() in rows(page)[dead]["State"].lower()
    assert "<script>alert" not in page


def test_a_link_leads_to_the_server(exporter, memcached):
    server = memcached()
    started = exporter(targets=[server.address])
    page = started.get("/").text
    link = re.search(r'href="(/scrape\?target=[^"]*)">Metrics', page).group(1).replace("&amp;", "&")
    assert started.exposition(link).value("memcached_up") == "1"
    link = re.search(r'href="(/scrape\?target=[^"]*)">Settings', page).group(1).replace("&amp;", "&")
    assert int(started.exposition(link).value("memcached_max_connections")) > 0


def test_nothing_to_show(exporter):
    page = exporter("--memcached.address=", targets=None).get("/").text
    assert "No server is configured" in page


def test_names_of_others_are_escaped(exporter, tmp_path):
    file = tmp_path / "exporter.yml"
    path = f"unix:{tmp_path}/a\"><img/src=x/onerror=alert(1)>"
    file.write_text(yaml.safe_dump({"groups": [{"name": "a", "targets": [path]}]}))
    started = exporter(f"--config.file={file}", targets=None)
    started.get("/metrics")
    page = started.get("/").text
    assert "<img" not in page
    assert "&lt;img/src=x/onerror" in page


def refresh(started, path="/"):
    with http.RawClient(started.where) as client:
        client.send(f"POST {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n".encode())
        return client.answer()


def test_only_the_button_asks_the_servers(exporter, fake):
    server, dead = fake(), f"127.0.0.1:{free_port()}"
    started = exporter(targets=[server.address, dead])
    form = re.search(r'<form id="refresh" method="post" action="([^"]*)">', started.get("/").text).group(1)
    for path in "/", form, "/?refresh=true":
        started.get(path)
    assert {cells["State"] for cells in rows(started.get("/").text).values()} == {"not asked yet"}
    assert server.connections == 0

    answer = refresh(started, form)
    assert (answer.status, answer.headers["location"]) == (303, "./?from=0")
    found = rows(started.get("/").text)
    assert found[server.address]["State"].startswith("up for ")
    assert found[dead]["State"].startswith("refused for ")
    metrics = started.exposition("/metrics")
    assert metrics.value("memcached_exporter_http_requests_in_flight") == "1", "the refresh has given back its place"


def test_a_refresh_is_bounded_as_any_scrape_is(exporter, deaf):
    started = exporter("--memcached.timeout=20s", "--web.max-requests=1", targets=[deaf().address])
    with http.RawClient(started.where) as client:
        client.send(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
        wait_until(lambda: refresh(started).status == 503, "a refresh without a place")


def test_a_row_is_small(exporter, memcached, tmp_path):
    """A browser renders a thousand rows in a moment, if each has few elements and few bytes."""
    server = memcached()
    started = exporter(targets=[server.address])
    for _ in range(65):
        started.get("/metrics")
    row = re.search(r"<tr data-s=.*?</tr>", started.get("/").text, re.S).group(0)
    assert len(row) < 1100
    assert len(re.findall(r"<\w", row)) <= 24


def test_pages_of_a_large_fleet(exporter):
    """Whatever `from` is, there is a page."""
    started = exporter("--memcached.timeout=10ms", targets=[f"127.0.0.{host}:{port}" for host in (1, 2) for port in range(1, 651)])
    first, second = rows(started.get("/").text), rows(started.get("/?from=1000").text)
    assert len(first) == 1000 and len(second) == 300 and not set(first) & set(second)
    for query in ("from=", "from=x", "from=-1", "from=99999999999999999999", "from=0", "a=b&from=0", "from=1&from=0", "&", "=", "%zz"):
        assert set(rows(started.get("/?" + query).text)) == set(first), query


def test_discovery(exporter, tmp_path):
    (tmp_path / "<b>.json").write_text('[{"targets": ["127.0.0.1:1", "127.0.0.1:2"]}]')
    file = tmp_path / "exporter.yml"
    file.write_text(yaml.safe_dump({"groups": [
        {"name": "a", "file_sd": {"files": [f"{tmp_path}/<b>*.json"]}},
        {"name": "b", "dns": {"name": "nowhere.invalid", "type": "A", "port": 11211}}]}))
    started = exporter(f"--config.file={file}", targets=None)
    wait_until(lambda: "Discovery: 2 sources, 1 failed" in started.get("/").text, "the sources")
    page = started.get("/").text
    assert re.search(r"<li>file_sd \S+&lt;b&gt;\*\.json: 2 servers, answered \d+ s ago</li>", page)
    assert re.search(r"<li>dns nowhere\.invalid\S*: 0 servers\. <strong>The last question failed:</strong> ", page)
