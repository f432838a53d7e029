"""debug=true of /scrape: what a person reads of each target, of those that fail too, and what nobody reads."""

import re

import pytest
from support.process import free_port
from test_access import PASSWORD, auth_flags, authority, exporter as started_exporter, local, memcached as started, module, \
    tls_flags, write_config

__all__ = ["authority"]


def look(running, *targets, more=""):
    """The text of each target by its name, and the samples."""
    answer = running.get("/scrape?" + "&".join(f"target={target}" for target in targets) + "&debug=true" + more, timeout=30)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    *texts, samples = re.split(r"\n\n|(?<=\n)(?=Samples:\n)", answer.text)
    return answer.status, {text.partition("\n")[0]: text for text in texts if text}, samples


def test_a_server_that_is_up(exporter, memcached):
    server = memcached()
    running = exporter(targets=[server.address])
    status, texts, samples = look(running, f"localhost:{server.port}")
    text = texts[f"localhost:{server.port}"]
    assert status == 200
    steps = ["looking up localhost", f"resolved to 127.0.0.1:{server.port}", f"connecting to 127.0.0.1:{server.port}",
             f"connected to 127.0.0.1:{server.port}", "sent 49 bytes", "> stats settings", "received ", "< STAT pid ",
             "verdict: up, after ", "answered: stats settings items slabs"]
    places = [text.find(step) for step in steps]
    assert -1 not in places and places == sorted(places), text
    assert re.search(r"< \.\.\. and \d+ bytes more", text), "a long answer is cut"
    times = [float(time) for time in re.findall(r"^ +([\d.]+) ms  ", text, re.M)]
    assert times == sorted(times)
    assert "\nmemcached_up 1\n" in samples
    assert samples.startswith("Samples:\n# HELP memcached_up ")


def test_servers_that_fail(exporter, fake, deaf):
    def garbage(connection):
        connection.line()
        connection.send(b"HTTP/1.1 400 \x1b[31mBad\r\n\r\n<html>")
        connection.wait_for_end()
    dead, silent, web = f"127.0.0.1:{free_port()}", deaf().address, fake(script=garbage).address
    running = exporter("--memcached.timeout=500ms", targets=[])
    status, texts, samples = look(running, dead, silent, web, "nowhere.invalid")
    assert status == 200
    assert f"no connection to {dead}: connection refused" in texts[dead]
    assert "verdict: refused" in texts[dead]
    assert f"connected to {silent}" in texts[silent]
    assert "verdict: timeout" in texts[silent]
    assert "< HTTP/1.1 400 \\u001b[31mBad\n" in texts[web]
    assert "verdict: protocol_error" in texts[web]
    assert "no address: name not found" in texts["nowhere.invalid"]
    assert "verdict: unresolved" in texts["nowhere.invalid"]
    assert samples.count("\nmemcached_up{") == 4
    assert look(running, dead, more="&fail=true")[0] == 502


def test_tls(authority, tmp_path):
    with started(*tls_flags(authority.sign("debug"))) as server:
        with started_exporter(f"--config.file={write_config(tmp_path, module(authority), local(server))}") as running:
            text = look(running, local(server))[1][local(server)]
            assert "TLS handshake: begins, for the name localhost" in text
            assert "TLS handshake: done" in text and "verdict: up" in text and "TLS: yes" in text
            text = look(running, f"127.0.0.1:{server.port}")[1][f"127.0.0.1:{server.port}"]
            assert "TLS handshake: the" in text and "verdict: tls_error" in text


def test_a_login_is_not_shown(tmp_path):
    """Of a configured server, which sees the login, and of another one in the URL, which does not."""
    with started(*auth_flags(tmp_path)) as server, started(*auth_flags(tmp_path)) as other:
        login = f"{{auth: {{username: exporter, password_file: {tmp_path / 'pw'}}}}}"
        (tmp_path / "pw").write_text(PASSWORD)
        with started_exporter(f"--config.file={write_config(tmp_path, login, local(server))}") as running:
            _, texts, samples = look(running, local(server), local(other))
            text = texts[local(server)]
            assert "login: yes, not shown" in text and "sent the login, which is not shown" in text
            assert "verdict: up" in text and "\nmemcached_up{" in samples
            assert "login: not for servers that a URL names" in texts[local(other)]
            assert "verdict: auth_failed" in texts[local(other)]
            assert PASSWORD not in str(texts) + samples


@pytest.mark.parametrize("answer", [b"CLIENT_ERROR %s\r\n", b"STORED\r\nSTAT x %s\r\nEND\r\n", b"STORED\r\nERROR %s\r\n"])
@pytest.mark.parametrize("slowly", [False, True])
def test_a_server_that_repeats_the_password(fake, tmp_path, answer, slowly):
    def script(connection):
        connection.line()
        connection.line()
        (connection.send_slowly if slowly else connection.send)(answer % PASSWORD.encode())
        connection.wait_for_end()
    server = fake(script=script)
    (tmp_path / "pw").write_text(PASSWORD)
    login = f"{{timeout: 500ms, auth: {{username: exporter, password_file: {tmp_path / 'pw'}}}}}"
    with started_exporter(f"--config.file={write_config(tmp_path, login, server.address)}") as running:
        texts = look(running, server.address)[1]
        assert "sent the login" in texts[server.address]
        assert PASSWORD not in texts[server.address]


def test_a_long_answer_is_bounded(exporter, fake):
    """A server that answers byte for byte, and never ends."""
    def script(connection):
        connection.line()
        while True:
            connection.send_slowly(b"STAT a 1\r\n")
    running = exporter("--memcached.timeout=2s", targets=[])
    address = fake(script=script).address
    text = look(running, address)[1][address]
    assert len(text) < 40 * 1024
    assert re.search(r"and \d+ steps more\n  verdict: ", text)


def test_it_leaves_the_server_alone(exporter, fake):
    """A look opens a connection of its own, and closes it; scrapes go on over theirs."""
    server = fake()
    running = exporter(targets=[server.address])
    running.get("/metrics")
    for looks in range(1, 4):
        look(running, server.address)
        assert server.connections == 1 + looks
    running.get("/metrics")
    assert server.connections == 4
    opened = running.exposition("/metrics").value("memcached_exporter_target_open_connections")
    assert opened == "1"


@pytest.mark.parametrize("path, said", [
    ("/scrape?target=a&debug=1", 'debug "1": expected true or false'),
    ("/metrics?debug=true", 'debug "true": it is for targets in the URL of /scrape'),
    ("/scrape?debug=true&" + "&".join(f"target=127.0.0.1:{n}" for n in range(1, 34)), "too many targets for debug=true"),
    ("/scrape?target=169.254.169.254&debug=true", None),
])
def test_what_is_refused(exporter, path, said):
    answer = exporter(targets=[]).get(path)
    assert answer.status == (400 if said else 403)
    assert said is None or said in answer.text


def test_the_page_leads_there(exporter, memcached):
    server = memcached()
    running = exporter(targets=[server.address])
    link = re.search(r'href="(/scrape\?target=[^"]*)">Debug', running.get("/").text).group(1).replace("&amp;", "&")
    assert "verdict: up" in running.get(link).text
