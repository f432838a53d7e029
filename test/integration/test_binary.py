"""Servers that speak the binary protocol alone: with a login by SASL (memcached -S), and without."""

import contextlib
import os
import socket
import struct
import subprocess
import threading

import pytest
from support.memcached import Memcached
from support.process import wait_until
from test_access import (PASSWORD, Authority, exporter, hint_of, local, memcached, module, state_of, tls_flags,
                         write_config)

HEADER = struct.Struct(">BBHBBHIIQ")


@pytest.fixture(name="sasl", scope="module")
def make_sasl(tmp_path_factory):
    """The environment of a memcached that knows the user `exporter`."""
    folder = tmp_path_factory.mktemp("sasl")
    (folder / "memcached.conf").write_text(
        f"mech_list: plain\npwcheck_method: auxprop\nauxprop_plugin: sasldb\nsasldb_path: {folder / 'db'}\n")
    subprocess.run(["saslpasswd2", "-p", "-c", "-f", folder / "db", "-u", socket.gethostname(), "-a", "memcached",
                    "exporter"], input=PASSWORD.encode(), check=True, capture_output=True)
    return {**os.environ, "SASL_CONF_PATH": str(folder)}


def login_keys(folder, password=PASSWORD, more=""):
    (folder / "password").write_text(password + "\n")
    return f"{{auth: {{username: exporter, password_file: {folder / 'password'}}}{more}}}"


@pytest.mark.parametrize("flags", [["-S"], ["-S", "-B", "binary"], ["-B", "binary"]])
@pytest.mark.parametrize("more", ["", ", protocol: binary"])
def test_login_and_stats(sasl, tmp_path, flags, more):
    """The server without SASL wants no login, and says that it does not know what one is."""
    collectors = ", collectors: [settings, items, slabs, sizes, conns, detail, extstore]"
    with memcached(*flags, "-o", "track_sizes", env=sasl) as server:
        config = write_config(tmp_path, login_keys(tmp_path, more=more + collectors), local(server))
        with exporter(f"--config.file={config}") as program:
            for reused in ("0", "1", "1"):
                samples = program.exposition()
                assert samples.value("memcached_up", instance=local(server)) == "1"
                assert samples.value("memcached_target_connection_reused", instance=local(server)) == reused
            assert samples.value("memcached_max_connections", instance=local(server)) == "1024"
            success = {name: samples.value("memcached_target_collector_success", instance=local(server), collector=name)
                       for name in ("settings", "items", "slabs", "sizes", "conns")}
            assert success == {"settings": "1", "items": "1", "slabs": "1", "sizes": "1", "conns": "0"}
            assert not [line for line in program.log() if line["level"] in ("warn", "error")]


def test_flags(sasl, tmp_path):
    """Without a login, only a server without SASL answers; the hint names what is missing."""
    with memcached("-B", "binary") as plain, memcached("-S", env=sasl) as locked:
        with exporter("--memcached.protocol=binary", targets=[local(plain), local(locked)]) as program:
            samples = program.exposition()
            assert samples.value("memcached_up", instance=local(plain)) == "1"
            assert samples.value("memcached_up", instance=local(locked)) == "0"
            assert "--memcached.username" in hint_of(program)
        with exporter(targets=[local(plain)]) as program:
            assert state_of(program) != "up"
            assert "--memcached.protocol" in hint_of(program)
        (tmp_path / "password").write_text(PASSWORD)
        with exporter("--memcached.username=exporter", f"--memcached.password-file={tmp_path / 'password'}",
                      targets=[local(locked)]) as program:
            assert state_of(program) == "up"


def test_wrong_password_is_mended(sasl, tmp_path):
    with memcached("-S", "-B", "binary", env=sasl) as server:
        config = write_config(tmp_path, login_keys(tmp_path, "wrong"), local(server))
        with exporter(f"--config.file={config}") as program:
            assert [state_of(program) for _ in range(3)] == ["auth_failed"] * 3
            assert "check user name and password" in hint_of(program)
            (tmp_path / "password").write_text(PASSWORD)
            wait_until(lambda: state_of(program) == "up", "the new password in use")


def test_over_tls(sasl, tmp_path):
    authority = Authority(tmp_path, "ca")
    keys = module(authority)[:-1] + ", " + login_keys(tmp_path)[1:]
    with memcached("-S", *tls_flags(authority.sign("server")), env=sasl) as server:
        with exporter(f"--config.file={write_config(tmp_path, keys, local(server))}") as program:
            assert [state_of(program) for _ in range(2)] == ["up"] * 2


def test_protocol_of_a_server_changes(sasl, tmp_path):
    """From text to binary and back, as an operator who restarts a server does."""
    (tmp_path / "users").write_text(f"exporter:{PASSWORD}\n")
    server = Memcached("-Y", tmp_path / "users", env=sasl)
    try:
        config = write_config(tmp_path, login_keys(tmp_path), local(server))
        with exporter(f"--config.file={config}") as program:
            for flags in (["-S"], ["-Y", tmp_path / "users"], ["-S"]):
                assert state_of(program) == "up"
                server.flags = flags
                server.restart()
                wait_until(lambda: state_of(program) == "up", "the server to be up in its new protocol")
    finally:
        server.kill()


def test_text_servers_and_the_wrong_choice(tmp_path):
    """A text server may be silent over the login of the other protocol, or say so."""
    (tmp_path / "users").write_text(f"exporter:{PASSWORD}\n")
    with memcached("-Y", tmp_path / "users") as server:
        keys = login_keys(tmp_path, more=", protocol: binary, timeout: 500ms")
        with exporter(f"--config.file={write_config(tmp_path, keys, local(server))}") as program:
            assert state_of(program) != "up"
            assert "--memcached.protocol" in hint_of(program)


class Recorder:
    """A server that hangs up on what is no binary request, and answers a login and stats; keeps what each connection
    was sent before the login was answered, and after."""

    def __init__(self, status=0):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.status = self.listener.getsockname()[1], status
        self.before, self.after = [], []
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(2)
                heard = connection.recv(24)
                if heard[0] == 0x80:
                    while len(heard) < 24 + HEADER.unpack(heard[:24])[6]:
                        heard += connection.recv(4096)
                else:
                    while not heard.endswith(b"\r\n") or heard.count(b"\r\n") < 2:
                        heard += connection.recv(4096)
                with contextlib.suppress(OSError):
                    connection.settimeout(0.3)
                    heard += connection.recv(4096)
                self.before.append(heard)
                if heard[0] != 0x80:
                    continue
                connection.sendall(HEADER.pack(0x81, 0x21, 0, 0, 0, self.status, 0, 0, 0))
                connection.settimeout(5)
                self.after.append(connection.recv(4096))
                stat = HEADER.pack(0x81, 0x10, 3, 0, 0, 0, 4, 0, 0) + b"pid1"
                refusal = HEADER.pack(0x81, 0x10, 0, 0, 0, 1, 0, 0, 0)
                connection.sendall(stat + HEADER.pack(0x81, 0x10, 0, 0, 0, 0, 0, 0, 0) + refusal * 3)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


@pytest.mark.parametrize("choice", ["auto", "binary"])
@pytest.mark.parametrize("status, state", [(0, "up"), (0x20, "auth_failed"), (0x81, "up")])
def test_bytes_before_a_login(tmp_path, choice, status, state):
    recorder = Recorder(status)
    try:
        keys = login_keys(tmp_path, more=f", protocol: {choice}, timeout: 10s")
        config = write_config(tmp_path, keys, f"localhost:{recorder.port}")
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == state
    finally:
        recorder.close()
    value = b"\0exporter\0" + PASSWORD.encode()
    binary = HEADER.pack(0x80, 0x21, 5, 0, 0, 0, 5 + len(value), 0, 0) + b"PLAIN" + value
    text = b"set auth 0 -1 %d\r\nexporter %s\r\n" % (len(value) - 1, PASSWORD.encode())
    assert recorder.before == ([text, binary] if choice == "auto" else [binary])
    if state == "up":
        assert recorder.after[0].startswith(HEADER.pack(0x80, 0x10, 0, 0, 0, 0, 0, 0, 0))


def test_a_url_target_gets_no_login_in_either_protocol(sasl, tmp_path):
    with memcached("-S", env=sasl) as own, memcached("-S", env=sasl) as stranger:
        config = write_config(tmp_path, login_keys(tmp_path), local(own))
        with exporter(f"--config.file={config}") as program:
            assert state_of(program) == "up"
            assert state_of(program, f"/scrape?target={local(stranger)}") != "up"
            assert stranger.process.running


def test_answers_have_bounds(tmp_path):
    """A server that sends stats without end, or one that is larger than all that may be sent."""
    endless = HEADER.pack(0x81, 0x10, 1, 0, 0, 0, 2, 0, 0) + b"kv"
    huge = HEADER.pack(0x81, 0x10, 1, 0, 0, 0, 1 << 31, 0, 0)
    for packet in (endless * 1000, huge + b"x" * 100000):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve(listener=listener, packet=packet):
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        while True:
                            connection.sendall(packet)
            threading.Thread(target=serve, daemon=True).start()
            target = f"localhost:{listener.getsockname()[1]}"
            config = write_config(tmp_path, "{protocol: binary, timeout: 10s}", target)
            with exporter(f"--config.file={config}", "--memcached.max-reply=64KiB") as program:
                assert state_of(program) == "protocol_error"
                assert "max-reply" in hint_of(program)
