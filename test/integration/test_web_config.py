"""--web.config.file: what clients see of TLS, logins, headers and the rate limit, and how files are read again."""

import os
import re
import shutil
import socket
import ssl
import threading
import time

import pytest

from conftest import starter
from support import http
from support.exporter import run
from support.process import Process, free_port, wait_until
from support.prometheus import Prometheus
from support.tls import Certificate, Guarded, context, login, openssl

DAVE = "$2b$04$abcdefghijklmnopqrstuuT.VdioudKiCP.wBnKnIyRNAu9yUSXv2"  # dave123
CAROL = "$2y$10$abcdefghijklmnopqrstuuHtNH6CDtzX9TUkSmtCGb5L1Fz5zavIm"  # dave123, too
USERS = f'basic_auth_users: {{dave: "{DAVE}", carol: "{CAROL}"}}\n'


class World:
    """A folder with certificates, and web.yml in it."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / "web.yml"
        self.ca = Certificate(folder, "ca", san=None, is_ca=True)
        self.server = Certificate(folder, "server", ca=self.ca)
        self.known = Certificate(folder, "known", san="DNS:test3,email:a@b.example,IP:10.1.2.3,URI:spiffe://x/y", ca=self.ca)
        self.stranger = Certificate(folder, "stranger", san="DNS:test3")

    def write(self, text="", tls=""):
        pair = f"tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n{tls}\n" if tls is not None else ""
        new = self.folder / "web.new"
        new.write_text(pair + text)
        os.replace(new, self.file)
        return self.file


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return World(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def world(made, tmp_path):
    """The certificates in a folder of the test's own."""
    for file in made.folder.iterdir():
        shutil.copy(file, tmp_path)
    copy = object.__new__(World)
    copy.folder, copy.file = tmp_path, tmp_path / "web.yml"
    for name in ("ca", "server", "known", "stranger"):
        there = object.__new__(Certificate)
        there.cert, there.key = tmp_path / f"{name}.crt", tmp_path / f"{name}.key"
        setattr(copy, name, there)
    return copy


@pytest.fixture
def guarded():
    yield from starter(Guarded, lambda one: None if one.ended else one.stop())


# --- Client certificates ---


@pytest.mark.parametrize("kind, taken", [
    ("", "none stranger known"),
    ("NoClientCert", "none stranger known"),
    ("RequestClientCert", "none stranger known"),
    ("RequireAnyClientCert", "stranger known"),
    ("RequireClientCert", "stranger known"),
    ("VerifyClientCertIfGiven", "none known"),
    ("RequireAndVerifyClientCert", "known"),
])
def test_client_certificates(world, guarded, kind, taken):
    ca = "  client_ca_file: ca.crt\n" if kind not in ("", "NoClientCert") else ""
    started = guarded(world.write(tls=f"  client_auth_type: \"{kind}\"\n{ca}"))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for name in ("none", "stranger", "known"):
            client = None if name == "none" else getattr(world, name)
            refused = started.refuses(context(world.ca, client, version))
            assert refused == (name not in taken.split()), (kind, name, version)


@pytest.mark.parametrize("sans, good", [
    ("[one, test3, two]", True), ("[10.1.2.3]", True), ("[\"a@b.example\"]", True), ("[\"spiffe://x/y\"]", True),
    ("[bad]", False), ("[]", False), ("[TEST3]", False), ("[\"*\"]", False), ("[known]", False),
])
def test_allowed_names(world, guarded, sans, good):
    started = guarded(world.write(tls="  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt\n"
                                      f"  client_allowed_sans: {sans}\n"))
    assert started.refuses(context(client=world.known)) != good
    assert started.refuses(context())  # none at all has no name either
    if not good:
        text = started.connect("-cert", world.known.cert, "-key", world.known.key, "-tls1_2")
        assert "bad certificate" in text, text


def test_without_a_pool_the_system_decides(world, guarded):
    """The configuration is mended while the exporter runs, and the next connection works."""
    started = guarded(world.write(tls="  client_auth_type: RequireAndVerifyClientCert\n"))
    assert started.refuses(context(client=world.known))
    world.write(tls="  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.crt\n")
    assert not started.refuses(context(client=world.known))


# --- Versions, ciphers, curves ---

RSA_128, RSA_256 = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"


@pytest.mark.parametrize("tls, words, expected", [
    ("", ["-tls1_3"], "Protocol version: TLSv1.3"),
    ("", ["-tls1_2"], "Protocol version: TLSv1.2"),
    ("", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "protocol version"),
    ("  min_version: TLS10", ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], "Protocol version: TLSv1.1"),
    ("  min_version: TLS10", ["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], "Protocol version: TLSv1\n"),
    ("  min_version: TLS13", ["-tls1_2"], "protocol version"),
    ("  max_version: TLS12", ["-tls1_3"], "protocol version"),
    ("  min_version: TLS13\n  max_version: TLS12", [], "alert"),
    (f"  max_version: TLS12\n  cipher_suites: [{RSA_128}, {RSA_256}]", ["-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
     "Ciphersuite: ECDHE-RSA-AES128-GCM-SHA256"),
    (f"  max_version: TLS12\n  cipher_suites: [{RSA_128}, {RSA_256}]", ["-cipher", "ECDHE-RSA-AES256-SHA"],
     "handshake failure"),
    (f"  max_version: TLS12\n  cipher_suites: [{RSA_256}, {RSA_128}]\n  prefer_server_cipher_suites: false",
     ["-cipher", "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-RSA-AES128-GCM-SHA256"],
     "Ciphersuite: ECDHE-RSA-AES128-GCM-SHA256"),
    ("  cipher_suites: [TLS_AES_128_GCM_SHA256]", ["-tls1_2"], "protocol version"),
    ("  min_version: TLS13\n  curve_preferences: [CurveP521]", ["-groups", "P-521"], "Protocol version: TLSv1.3"),
    ("  min_version: TLS13\n  curve_preferences: [CurveP521]", ["-groups", "P-384"], "handshake failure"),
    ("", ["-alpn", "h2,http/1.1"], "HTTP/1.1 200 OK"),
    ("", ["-alpn", "h2"], "HTTP/1.1 200 OK"),
])
def test_versions_and_ciphers(world, guarded, tls, words, expected):
    Certificate(world.folder, "server", kind="rsa")
    started = guarded(world.write(tls=tls))
    text = started.connect("-brief", *words)
    assert expected in text, text
    if expected[0].isupper():
        assert "HTTP/1.1 200 OK" in text, text


def test_plain_http_where_tls_is_spoken(world, guarded):
    started = guarded(world.write())

    def said(request):
        with socket.create_connection(started.where, timeout=10) as client:
            client.sendall(request)
            return b"".join(iter(lambda: client.recv(4096), b""))

    for method in (b"GET", b"HEAD", b"POST", b"PUT", b"OPTIONS", b"DELETE", b"PATCH", b"CONNECT", b"TRACE"):
        answer = said(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer == b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n", method
    for other in (b"stats\r\n", b"SSH-2.0-x\r\n", b"HELLO\r\n", b"get /", b"\0" * 64):
        assert not said(other).startswith(b"HTTP"), other
    assert started.secure().status == 200


def test_tls_where_plain_http_is_spoken(world, guarded):
    started = guarded(world.write(tls=None))
    assert started.refuses(context())
    assert started.get("/-/ready").status == 200


# --- Logins, headers, rates ---


@pytest.mark.parametrize("tls", ["", None])
def test_logins(world, guarded, tls):
    started = guarded(world.write(USERS, tls))

    def status(*credentials, path="/-/healthy"):
        headers = login(*credentials) if credentials else {}
        return (started.get(path, headers) if tls is None else started.secure(path, headers=headers)).status

    for path in ("/", "/metrics", "/scrape", "/sd", "/hotkeys", "/-/healthy", "/-/ready", "/nowhere"):
        assert status(path=path) == 401
    for _ in range(2):  # with nothing remembered, and with that
        assert status("dave", "dave123") == 200
        assert status("carol", "dave123") == 200
        assert status("dave", "bad") == 401
        assert status("nonexistent", "nonexistent") == 401
        assert status("dave" + DAVE, "dave123") == 401
        assert status("dave", DAVE + "dave123") == 401
        assert status("dave:" + DAVE, "dave123") == 401
    assert status("dave", "dave123\0") == 401
    assert status("", "dave123") == 401


def test_many_logins_at_once(world, guarded):
    started = guarded(world.write(USERS, None))
    results = []

    def ask(password):
        results.append((password, started.get("/-/ready", login("carol", password)).status))

    threads = [threading.Thread(target=ask, args=(password,)) for password in ("dave123", "dave1234") for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(results) == [("dave123", 200)] * 100 + [("dave1234", 401)] * 100


def test_a_login_holds_up_nobody_else(world, guarded):
    """A hash of cost 14 takes more than a second; health checks by somebody known go on meanwhile."""
    slow = "$2b$14" + DAVE[6:]
    started = guarded(world.write(f'basic_auth_users: {{slow: "{slow}", dave: "{DAVE}"}}\n', None))
    assert started.get("/-/ready", login("dave", "dave123")).status == 200
    asking = threading.Thread(target=started.get, args=("/-/ready", login("slow", "x")))
    asking.start()
    time.sleep(0.2)
    fastest = 60.0
    for _ in range(5):
        begun = time.monotonic()
        assert started.get("/-/ready", login("dave", "dave123")).status == 200
        fastest = min(fastest, time.monotonic() - begun)
    assert asking.is_alive()
    assert fastest < 0.5
    asking.join(60)


def test_a_rate_of_one_a_second(world, guarded):
    started = guarded(world.write("rate_limit: {interval: 1s, burst: 1}\n", None))
    statuses = []
    begun = time.monotonic()
    while time.monotonic() - begun < 3.2:
        statuses.append(started.get("/-/ready").status)
        time.sleep(0.05)
    lasted = time.monotonic() - begun
    assert set(statuses) == {200, 429}
    assert 2 <= statuses.count(200) <= lasted + 2
    assert started.get("/-/ready").text in ("Too Many Requests\n", "Memcached Fleet Exporter is Ready.\n")


def test_the_log_at_the_start(world, guarded):
    started = guarded(world.write("rate_limit: {interval: 1s, burst: 5}\n"))
    said = wait_until(lambda: {line["msg"]: line for line in started.log() if "Rate" in started.process.stderr}, "the log")
    assert said["TLS is enabled."]["address"] == "%s:%d" % started.where
    assert said["TLS is enabled."]["http2"] == "false"
    assert said["Rate Limiter is enabled."]["burst"] == "5"


# --- Files that change ---


def test_files_are_read_again(world, guarded):
    started = guarded(world.write())
    kept = context()
    conn = __import__("http.client").client.HTTPSConnection(*started.where, timeout=15, context=kept)
    assert http.request(conn, "/-/ready").status == 200
    world.write(USERS)
    assert http.request(conn, "/-/ready").status == 401  # the connection goes on, the users are new
    world.file.write_text("junk: [\n")
    answer = http.request(conn, "/-/ready", headers=login("dave", "dave123"))
    assert (answer.status, answer.body) == (500, b"Internal Server Error\n")
    assert started.refuses(context())
    assert "Unable to parse configuration" in started.process.stderr
    world.write(USERS)
    assert http.request(conn, "/-/ready", headers=login("dave", "dave123")).status == 200
    assert not started.refuses(context())
    conn.close()


def test_certificates_change_under_load(world, guarded):
    """Written one after the other and in place, as a careless script does."""
    started = guarded(world.write())
    pairs = [[(file.read_bytes()) for file in (one.cert, one.key)]
             for one in (world.server, Certificate(world.folder, "second", ca=world.ca))]
    failures, scrapes, end = [], [0], threading.Event()

    def scrape():
        while not end.is_set():
            try:
                assert started.secure("/metrics", context(world.ca)).status == 200
                scrapes[0] += 1
            except Exception as failure:  # pylint: disable=broad-except
                failures.append(failure)

    threads = [threading.Thread(target=scrape) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen = set()
    for n in range(10):
        for file, content in zip((world.server.cert, world.server.key), pairs[(n + 1) % 2]):
            file.write_bytes(content)
        time.sleep(0.3)
        seen.add(ssl.get_server_certificate(started.where))
    end.set()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert scrapes[0] > 20
    assert len(seen) == 2


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_sessions_outlive_new_files_but_not_new_rules(world, guarded, version):
    started = guarded(world.write(tls="  client_auth_type: RequestClientCert\n"))
    session = world.folder / "session"
    assert "New, TLS" in started.connect(version, "-sess_out", session)
    assert "Reused, TLS" in started.connect(version, "-sess_in", session)
    second = Certificate(world.folder, "second", ca=world.ca)
    for old, new in ((world.server.cert, second.cert), (world.server.key, second.key)):
        os.replace(new, old)
    assert "Reused, TLS" in started.connect(version, "-sess_in", session)
    world.write(tls="  client_auth_type: RequireAnyClientCert\n")
    assert "Reused, TLS" not in started.connect(version, "-sess_in", session)
    assert "HTTP/1.1 200" not in started.connect(version, "-sess_in", session)


# --- Refused at the start ---


@pytest.mark.parametrize("text, why", [
    (None, "no such file"),
    ("junk\nlines: [\n", "yaml"),
    ("tls_server_config: {cert_filse: a}", "yaml"),
    ("tls_server_config: {cert_file: '', key_file: server.key}", "missing one of cert or cert_file"),
    ("tls_server_config: {cert_file: server.crt, key_file: somefile}", "no such file"),
    ("tls_server_config: {cert_file: server.crt, key_file: server.key, client_ca_file: /dev/null}",
     "client CA's have been configured without a Client Auth Policy"),
    ("basic_auth_users: {john: SECRETSECRET}", "hashedSecret too short"),
    ("http_server_config: {headers: {A: b}}", "can not be configured"),
])
def test_bad_files(world, text, why):
    if text is not None:
        world.file.write_text(text)
    flags = [f"--web.config.file={world.file}", "--memcached.address=", f"--web.listen-address=127.0.0.1:{free_port()}"]
    for more in ([], ["--config.check"]):
        ended = run(*flags, *more)
        assert ended.code == 1 and why in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
        assert "SECRET" not in ended.stderr


def test_the_check(world):
    checked = run("--config.check", f"--web.config.file={world.write(USERS)}")
    assert checked.code == 0 and checked.stderr == ""
    assert "web configuration: TLS on, 2 users" in checked.stdout
    assert DAVE not in checked.stdout


def test_secrets_are_told_to_nobody(world, guarded):
    started = guarded(world.write(USERS), "--log.level=debug")
    pages = [started.secure(path, headers=login("dave", "dave123")).text for path in ("/", "/metrics", "/sd", "/x")]
    started.secure("/", headers=login("dave", "hunter2hunter2"))
    world.file.write_text(f"basic_auth_users: {{dave: [{DAVE}]}}\n")
    started.refuses(context())
    world.file.write_text("tls_server_config: {key: [hunter2hunter2]}")
    started.refuses(context())
    key = world.server.key.read_text().splitlines()[1]
    for text in [*pages, started.process.stderr]:
        for secret in (DAVE, DAVE[7:], "dave123", "hunter2hunter2", key):
            assert secret not in text


# --- Cost ---


def test_handshakes_leave_no_memory(world, guarded):
    started = guarded(world.write(), release=True)
    tls = context()
    for _ in range(300):
        started.secure(tls=tls)
    before = started.resident_kib()
    for _ in range(1000):
        started.secure(tls=tls)
    assert started.resident_kib() - before < 1024
    assert started.descriptors() < 40


def test_clients_that_stall_are_closed(world, guarded):
    started = guarded(world.write())
    hello = ssl.MemoryBIO()
    speaking = context().wrap_bio(ssl.MemoryBIO(), hello)
    with pytest.raises(ssl.SSLWantReadError):
        speaking.do_handshake()
    hello = hello.read()
    clients = [socket.create_connection(started.where, timeout=30) for _ in range(4)]
    secured = context().wrap_socket(clients.pop())
    begun = time.monotonic()
    for client, length in zip(clients, (0, 7, len(hello))):
        client.sendall(hello[:length])
    for client in (*clients, secured):
        try:
            while client.recv(4096):
                pass
        except OSError:
            pass
    assert 5 < time.monotonic() - begun < 25
    for client in (*clients, secured):
        client.close()


# --- Others ---


def test_prometheus(world, guarded, memcached, tmp_path):
    started = guarded(world.write(USERS, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"),
                      targets=[memcached().address])
    prometheus = Prometheus(tmp_path / "prometheus", f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: fleet
    scheme: https
    basic_auth: {{username: dave, password: dave123}}
    tls_config: {{ca_file: {world.ca.cert}, cert_file: {world.known.cert}, key_file: {world.known.key}, server_name: localhost}}
    static_configs: [{{targets: ["{started.where[0]}:{started.where[1]}"]}}]
""")
    try:
        wait_until(lambda: prometheus.query("memcached_up == 1"), "a scrape")
        assert prometheus.query("up") and prometheus.query("up")[0][1] == "1"
    finally:
        prometheus.stop()


NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder}; uwsgi_temp_path {folder};
  scgi_temp_path {folder};
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {server.cert}; ssl_certificate_key {server.key};
    location / {{
      proxy_pass https://127.0.0.1:{behind};
      proxy_ssl_certificate {client.cert}; proxy_ssl_certificate_key {client.key};
      proxy_ssl_trusted_certificate {ca.cert}; proxy_ssl_verify on; proxy_ssl_name localhost;
      proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not there")
def test_behind_nginx(world, guarded, memcached):
    started = guarded(world.write(USERS, "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n"),
                      targets=[memcached().address])
    port = free_port()
    file = world.folder / "nginx.conf"
    file.write_text(NGINX.format(folder=world.folder, port=port, behind=started.where[1], server=world.server,
                                 client=world.known, ca=world.ca))
    nginx = Process(["nginx", "-c", file, "-p", world.folder, "-e", "stderr"])
    try:
        started_at = ("127.0.0.1", port)
        direct = started.where
        wait_until(lambda: openssl("s_client", "-connect", "127.0.0.1:%d" % port, input="").returncode == 0, "nginx")
        started.where = started_at
        for _ in range(3):
            answer = started.secure("/metrics", context(world.ca), login("dave", "dave123"))
            assert answer.status == 200 and re.search(r"^memcached_up\S* 1$", answer.text, re.M)
        assert started.secure("/metrics", context(world.ca)).status == 401
        started.where = direct
    finally:
        nginx.terminate()
