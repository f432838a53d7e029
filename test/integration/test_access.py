"""TLS and logins to real memcached servers: what works, what each failure is called, and what heals by itself."""

import contextlib
import re
import socket
import ssl
import subprocess
import threading

import pytest
from support.exporter import Exporter, run
from support.memcached import Memcached
from support.process import wait_until

PASSWORD = "s3cret-Pass"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A CA in a folder, and the certificates that it signs."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.pem, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", self.key, "-out", self.pem, "-days", 2,
                "-subj", f"/CN={name}")

    def sign(self, name, san="DNS:localhost", expired=False):
        """Paths of certificate and key."""
        pem, key, request = (self.folder / f"{self.name}-{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        if expired:
            (self.folder / "index").write_text("")
            (self.folder / "serial").write_text("01\n")
            config = self.folder / "ca.cnf"
            config.write_text(f"[ca]\ndefault_ca=a\n[a]\ndatabase={self.folder}/index\nserial={self.folder}/serial\n"
                              f"new_certs_dir={self.folder}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
            openssl("ca", "-batch", "-config", config, "-cert", self.pem, "-keyfile", self.key, "-in", request, "-out",
                    pem, "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-extfile", extensions,
                    "-notext")
        else:
            openssl("x509", "-req", "-in", request, "-CA", self.pem, "-CAkey", self.key, "-CAcreateserial", "-out", pem,
                    "-days", 2, "-extfile", extensions)
        return pem, key


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), "ca")


@contextlib.contextmanager
def memcached(*flags, env=None):
    server = Memcached(*flags, env=env)
    try:
        yield server
    finally:
        server.kill()


def tls_flags(certificate, *more):
    return "-Z", "-o", ",".join([f"ssl_chain_cert={certificate[0]}", f"ssl_key={certificate[1]}", *more])


def auth_flags(folder):
    (folder / "auth").write_text(f"exporter:{PASSWORD}\n")
    return "-Y", folder / "auth"


def write_config(folder, module, *targets, more=""):
    path = folder / "exporter.yml"
    names = ", ".join(f'"{target}"' for target in targets)
    path.write_text(f"modules:\n  default: {module}\n{more}groups: [{{name: a, targets: [{names}]}}]\n")
    return path


@contextlib.contextmanager
def exporter(*flags, targets=None, env=None):
    program = Exporter(*map(str, flags), targets=targets, env=env)
    try:
        yield program
        program.stop()
    finally:
        if not program.ended:
            program.process.kill()


def local(server):
    return f"localhost:{server.port}"


def state_of(program, path="/metrics"):
    """The state of the one target of a scrape."""
    states = [line for line in program.get(path).body.decode().splitlines()
              if line.startswith("memcached_target_state{") and line.endswith(" 1")]
    assert len(states) == 1, states
    return states[0].split('memcached_target_state="')[1].split('"')[0]


def hint_of(program):
    """What the log said last of a target that is down."""
    return [line["err"] for line in program.log() if line["msg"].startswith(("target is down", "target is still down"))][-1]


def module(authority, *, tls=True, login=None, identity=None, more=""):
    parts = []
    if tls:
        parts.append(f"ca_file: {authority.pem}")
        if identity:
            parts += [f"cert_file: {identity[0]}", f"key_file: {identity[1]}"]
        parts.append(more) if more else None
        parts = [f"tls: {{{', '.join(parts)}}}"]
    if login:
        parts.append(f"auth: {{username: exporter, password_file: {login}}}")
    return "{" + ", ".join(parts) + "}"


def test_tls_and_login_by_flags(authority, tmp_path):
    (tmp_path / "password").write_text(PASSWORD + "\n")
    with memcached(*tls_flags(authority.sign("server")), *auth_flags(tmp_path)) as server:
        flags = ["--memcached.tls.enable", f"--memcached.tls.ca-file={authority.pem}", "--memcached.username=exporter"]
        with exporter(*flags, f"--memcached.password-file={tmp_path / 'password'}", targets=[local(server)]) as program:
            assert [state_of(program) for _ in range(3)] == ["up"] * 3
            opened = [value for (name, _), value in program.exposition().samples.items()
                      if name.endswith("target_connections_opened_total")]
            assert opened == ["1"]
            parts = {dict(labels)["part"]: int(value) for (name, labels), value in program.exposition().samples.items()
                     if name == "memcached_target_answer_seconds_count"}
            assert parts == {"connect": 1, "tls": 1, "login": 1, "first_byte": 5, "whole": 5}
        variable = {"MEMCACHED_FLEET_EXPORTER_MEMCACHED_PASSWORD": PASSWORD}
        with exporter(*flags, targets=[local(server)], env=variable) as program:
            assert state_of(program) == "up"


def test_watching_and_counting(authority, tmp_path):
    """Watchers and censuses log in over TLS as polls do; a wrong password is the reason that is logged."""
    (tmp_path / "password").write_text(PASSWORD + "\n")
    (tmp_path / "wrong").write_text("wrong\n")
    settings = "watch: {window: 200ms, every: 400ms, trusted_versions: [1.6.18]}\ncensus: {trusted_versions: [1.6.18]}\n"
    with memcached(*tls_flags(authority.sign("server")), *auth_flags(tmp_path)) as server:
        config = write_config(tmp_path, module(authority, login=tmp_path / "password"), local(server), more=settings)
        with exporter(f"--config.file={config}") as program:
            def watched():
                text = program.get("/metrics").text
                return re.search(r'watch_windows_total\{.*"complete"\} [1-9]', text) and \
                    re.search(r'census_results_total\{.*"complete"\} [1-9]', text)
            wait_until(watched, "a window and a census")
        config = write_config(tmp_path, module(authority, login=tmp_path / "wrong"), local(server), more=settings)
        with exporter(f"--config.file={config}") as program:
            wait_until(lambda: re.search(r'watch_windows_total\{.*"failed"\} [1-9]', program.get("/metrics").text), "a failure")
            reasons = [line["reason"] for line in program.log() if line["msg"].startswith("The log of a server")]
            assert reasons[0].startswith("the login failed, the server said: CLIENT_ERROR")


@pytest.mark.parametrize("idle", ["5m", "0s"])
def test_client_certificates(authority, tmp_path, idle):
    """Without kept connections each poll offers the session of the one before, which this server refuses."""
    flags = tls_flags(authority.sign("server"), "ssl_verify_mode=2", f"ssl_ca_cert={authority.pem}")
    with memcached(*flags) as server:
        config = write_config(tmp_path, module(authority, identity=authority.sign("client")), local(server))
        with exporter(f"--config.file={config}", f"--memcached.idle-timeout={idle}") as program:
            assert [state_of(program) for _ in range(4)] == ["up"] * 4
            assert not [line for line in program.log() if line["level"] == "warn"]
        config = write_config(tmp_path, module(authority), local(server))
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == "tls_error"
            assert "certificate" in hint_of(program)


def test_sessions_are_resumed(authority, tmp_path):
    with memcached(*tls_flags(authority.sign("server"), "ssl_session_cache")) as server:
        config = write_config(tmp_path, module(authority), local(server))
        with exporter(f"--config.file={config}", "--memcached.idle-timeout=0s") as program:
            assert [state_of(program) for _ in range(3)] == ["up"] * 3


@pytest.mark.parametrize("fault, hint", [
    ("ca", "not among the trusted"),
    ("name", "not for the name of the server"),
    ("expired", "expired on"),
])
def test_bad_certificates(authority, tmp_path, fault, hint):
    certificate = authority.sign(fault, expired=fault == "expired")
    trusted = Authority(tmp_path, "other") if fault == "ca" else authority
    more = "server_name: other.example" if fault == "name" else ""
    with memcached(*tls_flags(certificate)) as server:
        config = write_config(tmp_path, module(trusted, more=more), local(server))
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == "tls_error"
            assert hint in hint_of(program)
        config = write_config(tmp_path, "{tls: {insecure_skip_verify: true}}", local(server))
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == "up"


def test_server_name_is_each_target_s_own(authority, tmp_path):
    with memcached(*tls_flags(authority.sign("server"))) as server:
        config = write_config(tmp_path, module(authority), local(server), server.address)
        with exporter(f"--config.file={config}") as program:
            samples = program.exposition()
            assert samples.value("memcached_up", instance=local(server)) == "1"
            assert samples.value("memcached_up", instance=server.address) == "0"
        config = write_config(tmp_path, module(authority, more="server_name: localhost"), server.address)
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == "up"


def test_wrong_sides(authority, tmp_path):
    """Each side expects something else, and the hint says which key helps."""
    (tmp_path / "password").write_text(PASSWORD)
    certificate = authority.sign("server")
    with memcached(*tls_flags(certificate)) as secure, memcached() as plain, memcached(*auth_flags(tmp_path)) as locked:
        for target, kind, state, hint in (
                (secure, "{}", "tls_error", "--memcached.tls.enable"),
                (secure, module(authority, tls=False, login=tmp_path / "password"), "tls_error", "tls of the module"),
                (plain, module(authority), "tls_error", "TLS"),
                (locked, "{}", "auth_failed", "--memcached.username"),
                (plain, module(authority, tls=False, login=tmp_path / "password"), "up", "")):
            with exporter(f"--config.file={write_config(tmp_path, kind, local(target))}") as program:
                assert state_of(program) == state
                assert not hint or hint in hint_of(program)
        assert plain.client.ask(b"get auth\r\n") == b"END\r\n", "nobody can read a login that was not wanted"


def test_silence_in_the_handshake(authority, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"localhost:{listener.getsockname()[1]}"
        config = write_config(tmp_path, module(authority)[:-1] + ", timeout: 300ms}", target)
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == "tls_error"
            assert "may speak no TLS" in hint_of(program)


def test_files_are_mended(authority, tmp_path):
    """Wrong at first, right later, without a restart or a reload; a broken file changes nothing."""
    password, ca = tmp_path / "password", tmp_path / "ca.pem"
    password.write_text("wrong\n")
    ca.write_text(Authority(tmp_path, "other").pem.read_text())
    with memcached(*tls_flags(authority.sign("server")), *auth_flags(tmp_path)) as server:
        kind = f"{{tls: {{ca_file: {ca}}}, auth: {{username: exporter, password_file: {password}}}}}"
        with exporter(f"--config.file={write_config(tmp_path, kind, local(server))}") as program:
            assert state_of(program) == "tls_error"
            ca.write_text(authority.pem.read_text())
            wait_until(lambda: state_of(program) == "auth_failed", "the new CA in use")
            assert "check user name and password" in hint_of(program)
            password.write_text("")
            wait_until(lambda: [line for line in program.log() if "stay in use" in line["msg"]], "a line about it")
            assert state_of(program) == "auth_failed"
            password.write_text(PASSWORD)
            wait_until(lambda: state_of(program) == "up", "the new password in use")
            password.unlink()
            assert program.get("/-/reload", method="POST").status in (403, 404, 405)
            assert state_of(program) == "up"
            said = [(line["msg"], line.get("state")) for line in program.log() if line["msg"].startswith("target is")]
            assert said == [("target is down", "tls_error"), ("target is still down, for another reason", "auth_failed"),
                            ("target is up again", None)]


class Recorder:
    """A server that answers a login and then stats, and keeps every byte that it was sent, with who waited."""

    def __init__(self, answer=b"STORED\r\n"):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.before, self.after, self.answer = [], [], answer
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                heard = b""
                with contextlib.suppress(OSError):
                    while heard.count(b"\r\n") < 2:
                        heard += connection.recv(4096)
                with contextlib.suppress(OSError):
                    connection.settimeout(0.3)
                    heard += connection.recv(4096)
                self.before.append(heard)
                with contextlib.suppress(OSError):
                    connection.settimeout(5)
                    connection.sendall(self.answer)
                    self.after.append(connection.recv(4096))
                    connection.sendall(b"STAT pid 1\r\nSTAT version 1.6.18\r\nEND\r\n" + b"ERROR\r\n" * 3)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def test_bytes_before_a_login(tmp_path):
    (tmp_path / "password").write_text(PASSWORD)
    recorder = Recorder()
    try:
        kind = f"{{timeout: 10s, auth: {{username: exporter, password_file: {tmp_path / 'password'}}}}}"
        with exporter(f"--config.file={write_config(tmp_path, kind, f'localhost:{recorder.port}')}") as program:
            assert state_of(program) == "up"
    finally:
        recorder.close()
    login = f"exporter {PASSWORD}".encode()
    assert recorder.before == [b"set auth 0 -1 %d\r\n%s\r\n" % (len(login), login)]
    assert recorder.after[0].startswith(b"stats\r\n")


def test_logins_and_url_targets(tmp_path):
    """A server that only a URL names gets no login, unless the module says so."""
    (tmp_path / "password").write_text(PASSWORD)
    login = f"auth: {{username: exporter, password_file: {tmp_path / 'password'}}}"
    with memcached(*auth_flags(tmp_path)) as stranger, memcached(*auth_flags(tmp_path)) as own:
        config = write_config(tmp_path, f"{{{login}}}", local(own), more=f"  open: {{{login}, url_targets: true}}\n")
        with exporter(f"--config.file={config}") as program:
            assert state_of(program, f"/scrape?target={local(stranger)}") == "auth_failed"
            assert state_of(program, f"/scrape?target={local(stranger)}&module=open") == "up"
            assert state_of(program, f"/scrape?target={local(own)}") == "up"
            assert state_of(program) == "up"


def test_certificates_and_url_targets(authority, tmp_path):
    """A server that only a URL names does not learn who asks, unless the module or the flags say so."""
    certificate, identity = authority.sign("server"), authority.sign("client")
    flags = tls_flags(certificate, "ssl_verify_mode=2", f"ssl_ca_cert={authority.pem}")
    with memcached(*flags) as stranger, memcached(*flags) as own:
        kind = module(authority, identity=identity)
        config = write_config(tmp_path, kind, local(own), more=f"  open: {kind[:-1]}, url_targets: true}}\n")
        with exporter(f"--config.file={config}") as program:
            for _ in range(2):
                assert state_of(program, f"/scrape?target={local(stranger)}") == "tls_error"
                assert state_of(program, f"/scrape?target={local(stranger)}&module=open") == "up"
                assert state_of(program, f"/scrape?target={local(own)}") == "up"
                assert state_of(program) == "up"
        with exporter("--memcached.tls.enable", f"--memcached.tls.ca-file={authority.pem}",
                      f"--memcached.tls.cert-file={identity[0]}", f"--memcached.tls.key-file={identity[1]}",
                      targets=[local(own)]) as program:
            assert state_of(program, f"/scrape?target={local(stranger)}") == "up"


def test_only_stats_is_answered(authority, tmp_path):
    """As ElastiCache Serverless does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.sign("server"))

    def serve(listener):
        while True:
            try:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True) as secure:
                    while lines := secure.recv(4096):
                        for line in lines.splitlines():
                            secure.sendall(b"STAT pid 1\r\nSTAT version 1.6.6\r\nSTAT cmd_get 7\r\nEND\r\n"
                                           if line == b"stats" else b"ERROR\r\n")
            except OSError:
                if listener.fileno() < 0:
                    return

    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    try:
        target = f"localhost:{listener.getsockname()[1]}"
        with exporter(f"--config.file={write_config(tmp_path, module(authority), target)}") as program:
            for _ in range(3):
                assert state_of(program) == "up"
            assert [line for line in program.log() if line["level"] in ("warn", "error")] == []
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def test_secrets_are_nowhere(authority, tmp_path):
    (tmp_path / "password").write_text(PASSWORD)
    identity = authority.sign("client")
    key_line = identity[1].read_text().splitlines()[3]
    kind = module(authority, login=tmp_path / "password", identity=identity)
    with memcached(*tls_flags(authority.sign("server"))) as server, memcached(*auth_flags(tmp_path)) as locked:
        config = write_config(tmp_path, kind, local(server), local(locked))
        checked = run("--config.check", f"--config.file={config}")
        assert checked.code == 0
        assert "TLS" in checked.stdout and '"exporter"' in checked.stdout
        said = [checked.stdout, checked.stderr]
        for level in ("debug", "info", "warn", "error"):
            with exporter(f"--config.file={config}", f"--log.level={level}", "--log.format=json") as program:
                for path in ("/metrics", "/", "/sd", f"/scrape?target={local(locked)}", "/-/ready", "/nowhere"):
                    said.append(program.get(path).body.decode())
                with open(f"/proc/{program.pid}/cmdline", encoding="utf-8") as line:
                    said.append(line.read())
            said.append(program.process.stderr)
        (tmp_path / "password").write_text(PASSWORD + "\nmore")
        checked = run("--config.check", f"--config.file={config}")
        assert checked.code == 1 and "one line" in checked.stderr
        said += [checked.stdout, checked.stderr]
    for text in said:
        assert PASSWORD not in text and key_line not in text
