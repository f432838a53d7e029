"""The command check: what it says of servers, to people and to scripts."""

import json

import pytest

from support.exporter import run
from support.fake import reply
from support.process import free_port


def check(*arguments, **popen):
    return run("check", *arguments, **popen)


def warnings(process):
    return {found["target"]: found.get("warnings", []) for found in json.loads(process.stdout)}


def test_text_for_people(memcached):
    server, dead = memcached("-m", "8"), f"127.0.0.1:{free_port()}"
    process = check(server.address, dead)
    assert process.code == 3, process.stderr
    lines = process.stdout.splitlines()
    version = server.stats()["stats"]["version"]
    assert lines[0].startswith(f"{server.address}  up  memcached {version}  connected in ")
    assert any(line.split() == ["connections", "1", "of", "1024"] for line in lines)
    assert any("of 8.0 MiB" in line for line in lines)
    assert f"{dead}  refused: connection refused" in lines
    assert lines[-1] == "1 of 2 servers up"
    assert "\x1b" not in process.stdout
    assert process.stderr == ""


def test_json_for_scripts(memcached):
    server = memcached()
    process = check("--json", server.address)
    assert process.code == 0
    found, = json.loads(process.stdout)
    assert found["target"] == server.address and found["state"] == "up"
    assert found["version"] == server.stats()["stats"]["version"]
    assert 0 <= found["connect_seconds"] <= found["answer_seconds"]
    assert found["limit_bytes"] == int(server.stats()["stats"]["limit_maxbytes"]) and found["max_connections"] == 1024


def test_none_is_up():
    dead = f"127.0.0.1:{free_port()}"
    process = check("--json", dead)
    assert process.code == 4
    assert json.loads(process.stdout) == [{"target": dead, "state": "refused", "error": "connection refused"}]


def test_targets_of_a_file(memcached, tmp_path):
    server = memcached()
    file = tmp_path / "exporter.yml"
    file.write_text(f"groups: [{{name: a, targets: ['{server.address}']}}]")
    assert check(f"--config.file={file}").stdout.startswith(f"{server.address}  up")
    both = check(f"--config.file={file}", server.address)
    assert both.code == 2 and "expected no targets" in both.stderr


SLABS = ("1:chunk_size 96", "1:free_chunks 0", "1:total_chunks 100", "2:chunk_size 1024", "2:free_chunks {}",
         "2:total_chunks 1000", "active_slabs 2", "total_malloced 1048576")


@pytest.mark.parametrize("stats, slabs, items, expected", [
    (["version 1.6.45"], (), (), []),
    (["version 1.6.20"], (), (), ["published security holes: CVE-2023-46852, CVE-2023-46853; fixed in 1.6.22"]),
    (["version 1.6.45", "bytes 95", "limit_maxbytes 100"], (), (), ["memory is at 95 % of the limit"]),
    (["version 1.6.45", "bytes 89", "limit_maxbytes 100"], (), (), []),
    (["version 1.6.45", "curr_connections 1000", "max_connections 1024"], (), (), ["connections are at 98 % of the limit"]),
    (["version 1.6.45", "get_hits 400", "get_misses 600"], (), (), ["the hit ratio is only 40.0 %"]),
    (["version 1.6.45", "get_hits 4", "get_misses 6"], (), (), []),
    (["version 1.6.45", "limit_maxbytes 1048576"], [line.format(900) for line in SLABS], ["items:1:evicted 7"],
     ["slabs are out of balance: 1 classes have evicted while 900 KiB lie free in others"]),
    (["version 1.6.45", "limit_maxbytes 1048576"], [line.format(9) for line in SLABS], ["items:1:evicted 7"], []),
    (["version 1.6.45", "limit_maxbytes 1048576"], [line.format(900) for line in SLABS], ["items:1:evicted 0"], []),
])
def test_warnings(fake, stats, slabs, items, expected):
    server = fake({"stats": reply("pid 1", *stats), "stats settings": reply(), "stats slabs": reply(*slabs),
                   "stats items": reply(*items)})
    process = check("--json", server.address)
    assert process.code == 0, process.stderr
    assert warnings(process) == {server.address: expected}
    text = check(server.address).stdout
    assert [line.strip() for line in text.splitlines() if "warning" in line] == [f"warning: {one}" for one in expected]


def test_what_a_server_says_is_escaped(fake):
    server = fake({"stats": reply("pid 1", b"version 1\x1b[2J\"<b>")})
    assert "\x1b" not in check(server.address).stdout
    found, = json.loads(check("--json", server.address).stdout)
    assert "\x1b" not in found["version"]


@pytest.mark.parametrize("arguments, expected", [
    (("check", "--output.textfile=/tmp/x.prom", "a:1"), "--output.textfile"),
    (("check", "--push.url=http://g", "a:1"), "--push.url: check and top push nothing"),
    (("--json",), "expected the command check"),
    (("check", "a:99999"), "99999"),
    (("a:1", "check"), "unexpected argument"),
])
def test_bad_command_lines(arguments, expected):
    process = run(*arguments)
    assert process.code in (1, 2)
    assert expected in process.stderr and process.stderr.count("\n") == 1
