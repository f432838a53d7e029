"""Pushing to a Pushgateway: what arrives there, and that nothing about the gateway disturbs the exporter."""

import socket
import time

import pytest

from support import http
from support.exporter import run
from support.exposition import Exposition
from support.fake import DeafListener
from support.process import free_port, wait_until
from support.pushgateway import Pushgateway, ScriptedGateway


@pytest.fixture
def gateway():
    started = []

    def start():
        started.append(Pushgateway())
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def scripted():
    started = []

    def start(*args, **kwargs):
        started.append(ScriptedGateway(*args, **kwargs))
        return started[-1]

    yield start
    for one in started:
        one.close()


def pushing(url, *flags, interval="200ms"):
    return [f"--push.url={url}", f"--push.interval={interval}", *flags]


def counted(running, what):
    return int(running.exposition().value(f"memcached_exporter_output_{what}_total", output="push"))


def told(running, message):
    return [line for line in running.log() if line["msg"] == message]


def test_reload_while_the_password_is_away(tmp_path, exporter, gateway):
    """A renewed push that cannot start is a failed push: the exporter goes on, and so does the push later."""
    there, deaf = gateway(), DeafListener()
    password, file = tmp_path / "password", tmp_path / "exporter.yml"

    def write(url, interval):
        push = f"{{url: '{url}', username: u, password_file: {password}, delete_on_exit: true, interval: {interval}}}"
        file.write_text(f"outputs: {{push: {push}}}\n", encoding="utf-8")

    password.write_text("secret\n", encoding="utf-8")
    write(f"http://{deaf.address}", "100ms")
    running = exporter(f"--config.file={file}", "--web.enable-lifecycle")
    # The old push is being closed, which its silent gateway delays; meanwhile the secret is renewed.
    time.sleep(0.3)
    write(there.url, "150ms")
    assert running.get("/-/reload", method="POST").status == 200
    password.unlink()
    wait_until(lambda: told(running, "push failed, trying again later"), "a failed push")
    assert running.get("/-/healthy").status == 200
    password.write_text("secret\n", encoding="utf-8")
    wait_until(lambda: there.labels() == [{"job": "memcached"}], "the group")
    deaf.close()


# Once

def test_once_pushes_and_tells_by_its_exit_code(memcached, dead_address, gateway):
    """What cron wants: one poll, one push, nothing on standard output; 1 if the gateway did not take it."""
    server, there = memcached(), gateway()
    process = run("--once", f"--push.url={there.url}", f"--memcached.address={server.address}")
    assert (process.code, process.stdout, process.stderr) == (0, "", "")
    assert float(there.group(job="memcached")["memcached_up"][0][1]) == 1
    process = run("--once", f"--push.url={there.url}", "--push.delete-on-exit",
                  f"--memcached.address={server.address},{dead_address}")
    assert process.code == 3
    assert "--push.delete-on-exit" in process.stderr
    assert there.labels() == [{"job": "memcached"}]
    there.kill()
    process = run("--once", f"--push.url={there.url}", f"--memcached.address={server.address}")
    assert process.code == 1
    assert "push failed" in process.stderr and "again" not in process.stderr


def test_once_writes_all_outputs(memcached, gateway, tmp_path):
    there, file = gateway(), tmp_path / "all.prom"
    process = run("--once", f"--push.url={there.url}", f"--output.textfile={file}", f"--memcached.address={memcached().address}")
    assert (process.code, process.stdout) == (0, "")
    assert "memcached_up 1" in file.read_text(encoding="utf-8")
    assert there.labels() == [{"job": "memcached"}]


# What arrives

def test_pushed_metrics_appear_with_job_and_grouping(exporter, memcached, gateway):
    server, there = memcached(), gateway()
    server.traffic()
    exporter(*pushing(there.url + "/", "--push.job=cache", "--push.grouping=site=ber", "--push.grouping=rack=r 1/2"),
             targets=[server.address])
    labels = {"job": "cache", "site": "ber", "rack": "r 1/2"}
    group = wait_until(lambda: there.group(**labels), "the group")
    pushed = dict(group["memcached_up"][0][0])
    assert {name: pushed[name] for name in labels} == labels
    assert float(group["memcached_up"][0][1]) == 1
    assert float(group["memcached_items_total"][0][1]) == float(server.stats()["stats"]["total_items"])
    assert "memcached_exporter_build_info" in group
    assert float(group["push_time_seconds"][0][1]) > time.time() - 60
    assert any(line.startswith("memcached_up{") and 'site="ber"' in line for line in there.lines())


def test_job_is_memcached_unless_named(exporter, gateway):
    there = gateway()
    exporter(*pushing(there.url))
    wait_until(lambda: there.labels() == [{"job": "memcached"}], "the group")


@pytest.mark.parametrize("value", ["", "a/b", "/var/tmp", ".", "..", "Προμηθεύς", "a b%2F", "a+b%20c", "x=y", '"'])
def test_values_that_a_url_cannot_hold_as_they_are(exporter, gateway, value):
    there = gateway()
    exporter(*pushing(there.url, f"--push.grouping=site={value}", *([f"--push.job={value}"] if value else [])))
    wait_until(there.labels, "a group")
    assert there.labels() == [{"job": value or "memcached", "site": value}]


def test_pushed_values_stay_fresh(exporter, memcached, gateway):
    server, there = memcached(), gateway()
    exporter(*pushing(there.url), targets=[server.address])
    wait_until(there.labels, "the group")
    for number in (2, 5):
        for item in range(number):
            server.client.ask(b"set new%d 0 0 1\r\nx\r\n" % item)
        wait_until(lambda: float(there.group(job="memcached")["memcached_current_items"][0][1]) == number, f"{number} items")


def test_several_targets_keep_their_label(exporter, memcached, dead_address, gateway):
    server, there = memcached(), gateway()
    exporter(*pushing(there.url), targets=[server.address, dead_address])
    group = wait_until(lambda: there.group(job="memcached"), "the group")
    assert {row["instance"]: float(value) for row, value in group["memcached_up"]} == {server.address: 1, dead_address: 0}


def test_everything_of_metrics_arrives(exporter, memcached, gateway):
    server, there = memcached(), gateway()
    server.traffic()
    running = exporter(*pushing(there.url), targets=[server.address])
    group = wait_until(lambda: there.group(job="memcached"), "the group")
    served = {name for name, kind in running.exposition().types.items() if kind not in ("untyped", "histogram", "summary")}
    assert served - {"memcached_exporter_http_requests_total"} <= set(group)


# How

def leave_foreign(there, body=b"# TYPE foreign gauge\nforeign 1\n", job="memcached"):
    """Somebody else has pushed before, into the same group unless it is told otherwise."""
    head = f"PUT /metrics/job/{job} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    with http.RawClient(there.where) as client:
        client.send(head.encode() + body)
        assert client.answer().status == 200
    assert there.group(job=job)


def test_put_replaces(exporter, gateway):
    there = gateway()
    leave_foreign(there)
    exporter(*pushing(there.url))
    wait_until(lambda: "memcached_exporter_build_info" in there.group(job="memcached"), "our push")
    assert "foreign" not in there.group(job="memcached")


def test_post_merges(exporter, gateway):
    there = gateway()
    leave_foreign(there)
    exporter(*pushing(there.url, "--push.method=post"))
    wait_until(lambda: "memcached_exporter_build_info" in there.group(job="memcached"), "our push")
    assert "foreign" in there.group(job="memcached")


def test_delete_on_exit(exporter, gateway):
    there = gateway()
    running = exporter(*pushing(there.url, "--push.delete-on-exit", "--push.grouping=site=ber"))
    wait_until(there.labels, "the group")
    running.stop()
    assert there.labels() == []


def test_pushed_group_stays_otherwise(exporter, gateway):
    there = gateway()
    running = exporter(*pushing(there.url))
    wait_until(there.labels, "the group")
    running.stop()
    assert there.labels() == [{"job": "memcached"}]


def test_delete_on_exit_from_a_gateway_that_is_gone(exporter, gateway):
    there = gateway()
    running = exporter(*pushing(there.url, "--push.delete-on-exit"))
    wait_until(there.labels, "the group")
    there.kill()
    running.stop()
    assert len(told(running, "cannot delete the pushed group, it stays at the Pushgateway")) == 1


def test_what_is_sent(exporter, memcached, scripted):
    there, server = scripted(), memcached()
    exporter(*pushing(there.url + "/prefix/"), targets=[server.address])
    wait_until(lambda: there.requests, "a push")
    method, path, headers, body, _ = there.requests[0]
    assert (method, path) == ("PUT", "/prefix/metrics/job/memcached")
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert headers["User-Agent"].startswith("memcached_fleet_exporter")
    assert "Expect" not in headers
    assert Exposition(body).value("memcached_up") == "1"


def test_interval_is_kept(exporter, scripted):
    there = scripted()
    exporter(*pushing(there.url, interval="250ms"))
    wait_until(lambda: there.requests, "the first push")
    time.sleep(2)
    assert 5 <= len(there.requests) <= 10


# When it goes wrong

def test_gateway_that_dies_and_comes_back(exporter, gateway):
    there = gateway()
    running = exporter(*pushing(there.url))
    wait_until(there.labels, "the group")
    assert counted(running, "writes") > 0
    assert counted(running, "failures") == 0

    there.kill()
    wait_until(lambda: counted(running, "failures") >= 2, "two failures")
    said = told(running, "push failed, trying again later")
    assert len(said) == 1, said
    assert (said[0]["level"], said[0]["url"], said[0]["job"]) == ("WARN", there.url, "memcached")
    assert running.get("/metrics").status == 200

    there.start()
    wait_until(there.labels, "the group again")
    wait_until(lambda: told(running, "push works again"), "the log to say so")
    failed = counted(running, "failures")
    time.sleep(0.6)
    assert counted(running, "failures") == failed
    assert len(told(running, "push failed, trying again later")) == 1


def test_gateway_that_was_never_there(exporter):
    running = exporter(*pushing(f"http://127.0.0.1:{free_port()}", interval="100ms"))
    wait_until(lambda: told(running, "push failed, trying again later"), "the warning")
    assert running.get("/metrics").status == 200


@pytest.mark.parametrize("status", [400, 404, 500, 503, 301, 307])
def test_gateway_that_refuses(exporter, scripted, status):
    """A redirect is not followed: what was configured is where it goes."""
    elsewhere = scripted()
    there = scripted(status, answer=b"because\nof more\n", headers={"Location": elsewhere.url} if status < 400 else None)
    running = exporter(*pushing(there.url, interval="100ms"))
    said = wait_until(lambda: told(running, "push failed, trying again later"), "the warning")
    assert str(status) in said[0]["err"]
    assert status < 400 or "because" in said[0]["err"]
    there.status = 200
    wait_until(lambda: told(running, "push works again"), "it to work again")
    assert elsewhere.requests == []


def test_refusal_is_explained(exporter, gateway):
    """Somebody else's metric of the same name has another type: Pushgateway says so, and so does the log."""
    there = gateway()
    leave_foreign(there, b"# TYPE memcached_exporter_targets counter\nmemcached_exporter_targets 1\n", job="other")
    running = exporter(*pushing(there.url))
    said = wait_until(lambda: told(running, "push failed, trying again later"), "the warning")[0]
    assert said["level"] == "WARN" and said["err"].startswith("HTTP status 400: "), said
    assert "memcached_exporter_targets" in said["err"]


def test_failures_back_off(exporter, scripted):
    there = scripted(500)
    exporter(*pushing(there.url, interval="100ms"))
    wait_until(lambda: there.requests, "the first push")
    time.sleep(2)
    assert 2 <= len(there.requests) <= 8


@pytest.fixture
def silent():
    """Takes connections and what is sent, and never says a thing."""
    listener = DeafListener()
    yield listener
    listener.close()


def test_silent_gateway_delays_no_scrape(exporter, memcached, silent):
    server = memcached()
    running = exporter(*pushing(f"http://{silent.address}", "--push.timeout=1s", interval="100ms"), targets=[server.address],
                       release=True)
    end, slowest = time.monotonic() + 3, 0
    while time.monotonic() < end:
        begin = time.monotonic()
        assert running.exposition().value("memcached_up") == "1"
        slowest = max(slowest, time.monotonic() - begin)
    assert slowest < 0.2
    assert len(told(running, "push failed, trying again later")) == 1


def test_push_is_given_its_time_only(exporter, silent):
    running = exporter(*pushing(f"http://{silent.address}", "--push.timeout=300ms", interval="100ms"))
    begin = time.monotonic()
    wait_until(lambda: told(running, "push failed, trying again later"), "the time-out")
    assert time.monotonic() - begin < 1.5


def test_stop_does_not_wait_for_a_silent_gateway(exporter, silent):
    running = exporter(*pushing(f"http://{silent.address}", "--push.timeout=1h"))
    time.sleep(0.3)
    begin = time.monotonic()
    running.stop()
    assert time.monotonic() - begin < 2


def test_stop_is_bounded_also_with_a_delete(exporter, silent):
    running = exporter(*pushing(f"http://{silent.address}", "--push.timeout=1h", "--push.delete-on-exit"))
    time.sleep(0.3)
    running.stop()  # within its own limit


def test_gateway_that_resets(exporter):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        running = exporter(*pushing("http://127.0.0.1:%d" % listener.getsockname()[1], interval="100ms"))
        for _ in range(2):
            connection, _ = listener.accept()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        wait_until(lambda: told(running, "push failed, trying again later"), "the warning")
        assert running.get("/metrics").status == 200


def test_slow_memcached_delays_only_its_own_push(exporter, fake, scripted):
    held, there = fake(script=lambda connection: connection.wait_for_end()), scripted()
    exporter(*pushing(there.url, "--memcached.timeout=300ms", interval="100ms"), targets=[held.address])
    wait_until(lambda: len(there.requests) >= 2, "two pushes")
    assert Exposition(there.requests[0][3]).state() == "timeout"


# Proxies

def test_push_through_a_proxy(exporter, scripted):
    proxy = scripted()
    exporter(*pushing("http://gateway.invalid:9091"), env={"HTTP_PROXY": proxy.url, "NO_PROXY": "other.invalid"})
    wait_until(lambda: proxy.requests, "a push by way of the proxy")
    assert proxy.requests[0][1] == "http://gateway.invalid:9091/metrics/job/memcached"


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
def test_loopback_is_never_reached_through_a_proxy(exporter, scripted, tmp_path, variable):
    proxy, there = scripted(), scripted()
    password = tmp_path / "password"
    password.write_text("s3cret")
    exporter(*pushing(there.url, "--push.username=u", f"--push.password-file={password}"), env={variable: proxy.url})
    wait_until(lambda: there.requests, "a push to the gateway itself")
    assert not proxy.requests


# Credentials

def test_basic_auth(exporter, scripted, tmp_path):
    there = scripted(credentials="monitor:s3:cret")
    file = tmp_path / "password"
    file.write_text("wrong\n")
    running = exporter(*pushing(there.url, "--push.username=monitor", f"--push.password-file={file}", interval="100ms"))
    said = wait_until(lambda: told(running, "push failed, trying again later"), "a refusal")
    assert "401" in said[0]["err"]
    file.write_text("s3:cret\n")
    wait_until(lambda: there.requests[-1][4] == 200, "a push with the new password")
    wait_until(lambda: told(running, "push works again"), "the log to say so")
    for secret in ("s3:cret", "wrong"):
        assert secret not in running.process.stderr
        assert secret not in running.get("/metrics").text


def test_no_credentials_unless_told(exporter, scripted):
    there = scripted()
    exporter(*pushing(there.url))
    wait_until(lambda: there.requests, "a push")
    assert "Authorization" not in there.requests[0][2]


@pytest.mark.parametrize("flags, named", [
    (["--push.url=gateway:9091"], "--push.url"),
    (["--push.url=ftp://gateway"], "--push.url"),
    (["--push.url=http://"], "--push.url"),
    (["--push.url=http://gateway:99999"], "--push.url"),
    (["--push.url=http://gateway/?a=b"], "--push.url"),
    (["--push.url=http://monitor:s3cret@gateway:9091"], "--push.url"),
    (["--push.url=http://monitor@gateway:9091"], "--push.url"),
    (["--push.url=http://gateway", "--push.job="], "--push.job"),
    (["--push.url=http://gateway", "--push.grouping=site"], "--push.grouping"),
    (["--push.url=http://gateway", "--push.grouping=1site=x"], "--push.grouping"),
    (["--push.url=http://gateway", "--push.grouping=job=x"], "--push.grouping"),
    (["--push.url=http://gateway", "--push.grouping=a=1", "--push.grouping=a=2"], "--push.grouping"),
    (["--push.url=http://gateway", "--push.method=patch"], "--push.method"),
    (["--push.url=http://gateway", "--push.interval=0s"], "--push.interval"),
    (["--push.url=http://gateway", "--push.timeout=never"], "--push.timeout"),
    (["--push.url=http://gateway", "--push.username=monitor"], "--push.username"),
    (["--push.url=http://gateway", "--push.username=m", "--push.password-file=/nonexistent"], "--push.password-file"),
    (["--push.url=http://gateway", "--push.tls.ca-file=/nonexistent"], "--push.tls.ca-file"),
    (["--push.url=http://gateway", "--push.tls.cert-file=/dev/null"], "--push.tls"),
], ids=lambda value: value[-1] if isinstance(value, list) else "")
def test_bad_settings(flags, named):
    """One line that names the flag; 2 for what is wrong in itself, 1 for what is not there."""
    process = run("--memcached.address=", f"--web.listen-address=127.0.0.1:{free_port()}", *flags)
    assert process.code == (1 if "/nonexistent" in flags[-1] else 2), process.stderr
    assert len(process.stderr.splitlines()) == 1, process.stderr
    assert named in process.stderr and "expected" in process.stderr
    assert "s3cret" not in process.stderr
