"""Secrets after they were used: in no core, and in memory only where they are still needed."""

import os
import re
import resource
import signal
import time

import pytest

from support import http
from support.process import wait_until
from support.tls import Certificate, Guarded, login
from test_access import auth_flags, memcached, tls_flags

WEB_PASSWORD, WRONG_PASSWORD, MEMCACHED_PASSWORD = "Web-s3cret-9137", "Guess-s3cret-5521", "Cache-s3cret-7745"
HASH = "$2y$04$"


def bcrypt(password):
    """A hash of little cost, by the library that the exporter uses."""
    import ctypes
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return crypt(password.encode(), b"$2y$04$abcdefghijklmnopqrstuu").decode()


def memory_of(pid):
    """All that the process can write, which is all that a core would hold of it."""
    pieces = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            start, end, rights = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S+)", line).groups()
            if not rights.startswith("rw") or "[vvar]" in line:
                continue
            try:
                memory.seek(int(start, 16))
                pieces.append(memory.read(int(end, 16) - int(start, 16)))
            except OSError:
                continue
    return b"".join(pieces)


def pem_lines(path):
    return [line for line in path.read_text().splitlines() if len(line) == 64]


@pytest.fixture(name="guarded")
def start_guarded(tmp_path):
    """An exporter that holds every kind of secret, and has used each; and the texts of its keys."""
    ca = Certificate(tmp_path, "ca", is_ca=True)
    web, cache, own = (Certificate(tmp_path, name, ca=ca) for name in ("web", "cache", "own"))
    users = tmp_path / "users"
    users.mkdir()
    (users / "auth").write_text(f"exporter:{MEMCACHED_PASSWORD}\n")
    (tmp_path / "password").write_text(MEMCACHED_PASSWORD + "\n")
    (tmp_path / "web.yml").write_text(
        f"tls_server_config: {{cert_file: {web.cert}, key_file: {web.key}}}\n"
        f"basic_auth_users: {{prometheus: '{bcrypt(WEB_PASSWORD)}'}}\n")
    flags = tls_flags((cache.cert, cache.key), "ssl_verify_mode=2", f"ssl_ca_cert={ca.cert}")
    with memcached(*flags, "-Y", users / "auth") as server:
        (tmp_path / "exporter.yml").write_text(
            f"modules: {{default: {{tls: {{ca_file: {ca.cert}, cert_file: {own.cert}, key_file: {own.key}}},\n"
            f"  auth: {{username: exporter, password_file: {tmp_path / 'password'}}}}}}}\n"
            f"groups: [{{name: a, targets: ['localhost:{server.port}']}}]\n")
        started = Guarded(tmp_path / "web.yml", f"--config.file={tmp_path / 'exporter.yml'}", release=True,
                          targets=None)
        try:
            for _ in range(3):
                answer = started.secure("/metrics", headers=login("prometheus", WEB_PASSWORD))
                assert answer.status == 200 and "memcached_up{" in answer.text
                assert started.secure("/metrics", headers=login("prometheus", WRONG_PASSWORD)).status == 401
                assert started.secure("/metrics", headers=login("nobody", WRONG_PASSWORD)).status == 401
            assert re.search(r"^memcached_up\{.*\} 1$", answer.text, re.M)
            yield started, [*pem_lines(web.key), *pem_lines(own.key)]
        finally:
            started.process.kill()


def test_no_core(guarded):
    started, _ = guarded
    assert resource.prlimit(started.pid, resource.RLIMIT_CORE) == (0, 0)
    started.process.signal(signal.SIGABRT)
    _, status = os.waitpid(started.pid, 0)
    assert os.WIFSIGNALED(status) and not os.WCOREDUMP(status)


def test_memory(guarded):
    """The password of memcached is needed again; the others are not."""
    if os.getuid() != 0:
        pytest.skip("only root can read the memory of a process that leaves no core")
    started, keys = guarded
    assert keys
    memory = memory_of(started.pid)
    assert b"basic_auth" in memory or b"prometheus" in memory, "this is the process's memory"
    found = [secret for secret in (WEB_PASSWORD, WRONG_PASSWORD, *keys) if secret.encode() in memory]
    encoded = [login("prometheus", secret)["Authorization"].split()[1] for secret in (WEB_PASSWORD, WRONG_PASSWORD)]
    found += [secret for secret in encoded if secret.encode() in memory]
    assert not found
    assert memory.count(MEMCACHED_PASSWORD.encode()) == 1
