"""The page at "/": the fleet as the last scrapes saw it."""

import re

import yaml

from support.process import free_port


def rows(page):
    """The text of each cell of each server, by the server's name."""
    found = {}
    for row in re.findall(r"<tr data-s=.*?</tr>", page, re.S):
        name = re.search(r"<th scope=\"row\">(.*?)</th>", row).group(1)
        cells = re.findall(r"<td data-l=\"([^\"]*)\"[^>]*>(.*?)</td>", row, re.S)
        found[name] = {label: re.sub(r"<[^>]*>", "", cell) for label, cell in cells}
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
