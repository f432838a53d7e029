"""Certificates made by the openssl program, clients that use them, and the exporter behind a web configuration."""

import base64
import http.client
import ssl
import subprocess

from support import http as plain
from support.exporter import Exporter


def openssl(*words, **popen):
    """One run of the program, to its end; both outputs are in `stdout`."""
    return subprocess.run(["openssl", *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                          text=True, errors="replace", **popen)


class Certificate:
    """`name`.crt and `name`.key in a folder; signed by `ca` or by itself. `kind` is what openssl's -newkey takes."""

    def __init__(self, folder, name, san="DNS:localhost,IP:127.0.0.1", ca=None, is_ca=False, kind="ec"):
        self.cert, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        new = ["-newkey", "rsa:2048"] if kind == "rsa" else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        words = ["req", "-x509", "-nodes", *new, "-keyout", self.key, "-out", self.cert, "-days", "2",
                 "-subj", f"/CN={name}", "-addext", f"basicConstraints=critical,CA:{'TRUE' if is_ca else 'FALSE'}"]
        if san:
            words += ["-addext", f"subjectAltName={san}"]
        if ca:
            words += ["-CA", ca.cert, "-CAkey", ca.key]
        made = openssl(*words)
        assert made.returncode == 0, made.stdout


def context(ca=None, client=None, version=None):
    """For clients; `ca` None: any server is taken. `version` is the only one that is spoken."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if ca:
        made.load_verify_locations(ca.cert)
        made.verify_mode = ssl.CERT_REQUIRED
    if client:
        made.load_cert_chain(client.cert, client.key)
    if version:
        made.minimum_version = made.maximum_version = version
    return made


def secure_get(where, path, tls=None, headers=None, timeout=15.0):
    """One request over TLS, on a connection of its own. What the handshake comes to shows as ssl.SSLError or OSError."""
    conn = http.client.HTTPSConnection(*where, timeout=timeout, context=tls or context())
    try:
        return plain.request(conn, path, headers=headers)
    finally:
        conn.close()


def login(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Guarded(Exporter):
    """An exporter with the web configuration file `file`; ready when it listens."""

    def __init__(self, file, *flags, **kwargs):
        super().__init__(f"--web.config.file={file}", *flags, **kwargs)

    def _ready(self):
        assert self.process.running, f"the exporter ended with {self.process.popen.returncode}: {self.process.stderr}"
        return self.listening()

    def secure(self, path="/-/ready", tls=None, headers=None, timeout=15.0):
        return secure_get(self.where, path, tls, headers, timeout)

    def refuses(self, tls):
        """Whether the handshake fails, or what comes right after it: in TLS 1.3 a client has ended it before."""
        try:
            self.secure(tls=tls)
            return False
        except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
            return True

    def connect(self, *words):
        """openssl s_client, which asks for /-/ready."""
        request = "GET /-/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        return openssl("s_client", "-connect", "%s:%d" % self.where, "-ign_eof", *words, input=request).stdout
