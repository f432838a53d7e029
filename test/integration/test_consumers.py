"""
Charts, roles and manifests that start the official exporter start this one: their command lines, ports, users and probes,
in a network of their own, where the ports are free. `memcached_exporter` is the link that is installed.
"""

import contextlib
import os
import pathlib
import shlex
import shutil
import signal
import tempfile

import pytest

from support import http
from support.exporter import assert_clean, binary, environment
from support.memcached import Memcached
from support.network import Namespace
from support.process import Process, accepts, wait_until
from support.tls import Certificate, context, login, secure_get

KUBELET = {"User-Agent": "kube-probe/1.29", "Accept": "*/*", "Connection": "close"}
PROMETHEUS = {"User-Agent": "Prometheus/2.42.0", "Accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"}
TCP = "tcp"
AT_9150 = "--memcached.address=localhost:11211 --web.listen-address=0.0.0.0:9150"
WEB_CONFIG = """
tls_server_config:
  cert_file: {cert}
  key_file: {key}
http_server_config:
  http2: true
basic_auth_users:
  monitor: "$2b$04$abcdefghijklmnopqrstuuT.VdioudKiCP.wBnKnIyRNAu9yUSXv2"
"""
MONITOR = login("monitor", "dave123")
TO_TLS = f"memcached_exporter {AT_9150} --memcached.tls.enable=true --memcached.tls.server-name=memcached"


class Consumer:
    """`line` is what a shell would run, `probes` are paths or TCP. `refusal`: words of the one line with which it refuses to
    start instead. `tls`: memcached wants a certificate. `https`: so does Prometheus, with MONITOR."""

    def __init__(self, name, line="memcached_exporter", *probes, port=9150, memcached=11211, host="127.0.0.1", user=0,
                 read_only=False, scrape="/metrics", refusal=None, tls=False, https=False):
        self.name, self.words, self.probes = name, shlex.split(line), probes
        self.port, self.memcached, self.host, self.user = port, memcached, host, user
        self.read_only, self.scrape, self.refusal, self.tls, self.https = read_only, scrape, refusal, tls, https

    def where(self):
        return self.host, self.port

    def get(self, home, path, headers):
        if not self.https:
            return http.get(self.where(), path, headers=headers)
        return secure_get(self.where(), path, context(home.ca), {**headers, **MONITOR})

    def confinement(self):
        """Words before the command: a root that nobody can write to, a user, and no capabilities."""
        words = []
        if self.read_only:
            words += ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                      'mount -o remount,bind,ro / && exec "$@"', "sh"]
        if self.user:
            words += ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", "--no-new-privs",
                      "--bounding-set=-all", "--inh-caps=-all"]
        return words


CONSUMERS = [
    Consumer("prometheus-community chart", "memcached_exporter --memcached.address=localhost:11211 --web.listen-address=:9150 "
             "--memcached.tls.enable=false --collector.slab=true --memcached.timeout=3s --web.systemd-socket=false", "/", "/",
             user=65534, read_only=True),
    Consumer("prometheus-community chart, several targets", "memcached_exporter --memcached.address= --web.telemetry-path=/metrics",
             "/", "/", user=65534, scrape="/scrape?target=localhost:11211"),
    Consumer("mimir-distributed", f"memcached_exporter {AT_9150} --collector.slab --log.level=warn", user=65534, read_only=True),
    Consumer("loki", f"memcached_exporter {AT_9150}", "/metrics", "/metrics", user=65534, read_only=True),
    Consumer("loki with TLS to memcached", f"{TO_TLS} --memcached.tls.ca-file={{home}}/ca.crt --memcached.tls.cert-file="
             "{home}/client.crt --memcached.tls.key-file={home}/client.key", "/metrics", "/metrics", user=65534,
             read_only=True, tls=True),
    Consumer("loki with a secret that is not mounted", f"{TO_TLS} --memcached.tls.ca-file=/nowhere/ca.crt", user=65534,
             read_only=True, refusal="/nowhere/ca.crt: No such file or directory"),
    Consumer("tempo-distributed", f"memcached_exporter {AT_9150} --memcached.timeout=5s"),
    Consumer("loki-distributed", f"memcached_exporter {AT_9150}", user=65534, read_only=True),
    Consumer("enterprise-metrics and cortex charts"),
    Consumer("bitnami", "memcached_exporter", TCP, "/metrics", TCP, user=1001, read_only=True),
    Consumer("jsonnet-libs", f"memcached_exporter {AT_9150}"),
    Consumer("observatorium", "memcached_exporter --memcached.address=localhost:11211 --web.listen-address=0.0.0.0:9150",
             user=65534),
    Consumer("openstack-helm", "/bin/memcached_exporter --memcached.address=127.0.0.1:11211", "/metrics", "/metrics",
             user=65534, read_only=True),
    Consumer("atmosphere", "sh -c 'set -ex; exec /bin/memcached_exporter'", TCP),
    Consumer("kolla-ansible", "/opt/memcached_exporter/memcached_exporter --web.listen-address 127.0.0.1:9150 "
             "--memcached.address 127.0.0.1:11211"),
    Consumer("kolla-ansible on IPv6", "/opt/memcached_exporter/memcached_exporter --web.listen-address [::1]:9150 "
             "--memcached.address [::1]:11211 --log.level debug", host="::1"),
    Consumer("Debian's package at wikimedia", "memcached_exporter --memcached.address=localhost:11000", memcached=11000),
    Consumer("prometheus-community role", "/usr/local/bin/memcached_exporter --memcached.pid-file=/nowhere/memcached.pid "
             "--memcached.address=localhost:11211 --log.level=info --log.format=logfmt --web.telemetry-path=/metrics "
             "--web.listen-address=0.0.0.0:9150", user=990, read_only=True),
    Consumer("prometheus-community role with a web configuration", "/usr/local/bin/memcached_exporter "
             "--memcached.address=localhost:11211 --web.listen-address=0.0.0.0:9150 --web.config.file={home}/web.yml",
             "/", "/metrics", user=990, read_only=True, https=True),
    Consumer("prometheus-community role without its certificate", "/usr/local/bin/memcached_exporter "
             "--memcached.address=localhost:11211 --web.listen-address=0.0.0.0:9150 --web.config.file={home}/web-missing.yml",
             user=990, read_only=True, refusal="/nowhere/tls.cert: no such file or directory"),
    Consumer("voxpupuli module", "/usr/local/bin/memcached_exporter --memcached.address 'localhost:11211' --log.format=json"),
    Consumer("Google Managed Prometheus"),
    Consumer("CloudPirates", "memcached_exporter --memcached.address=localhost:11211 --web.listen-address=:9199 "
             "--no-collector.slab", "/", "/", port=9199),
    Consumer("sapcc", "memcached_exporter"),
    Consumer("memcached-operator", "memcached_exporter --memcached.address=localhost:11211", user=65532, read_only=True),
    Consumer("an image with both by PATH", "sh -c 'memcached_exporter --memcached.address=localhost:11211 "
             "--web.listen-address=:9150 & wait'"),
]


class Home:
    """A folder where any user finds the program, its link, and what consumers mount."""

    def __init__(self, path):
        self.path = path
        path.chmod(0o755)
        shutil.copy(binary(), path / "memcached_fleet_exporter")
        (path / "memcached_exporter").symlink_to("memcached_fleet_exporter")
        self.ca = Certificate(path, "ca", san=None, is_ca=True)
        self.server = Certificate(path, "server", ca=self.ca)
        self.memcached = Certificate(path, "memcached", san="DNS:memcached", ca=self.ca)
        self.client = Certificate(path, "client", ca=self.ca)
        for file, cert, key in (("web.yml", "server.crt", "server.key"), ("web-missing.yml", "/nowhere/tls.cert", "/nowhere/tls.key")):
            (path / file).write_text(WEB_CONFIG.format(cert=cert, key=key), encoding="ascii")
        for file in path.glob("*.key"):
            file.chmod(0o644)

    def flags_of_memcached(self):
        """That clients have to show a certificate."""
        return "-Z", "-o", (f"ssl_chain_cert={self.memcached.cert},ssl_key={self.memcached.key},ssl_verify_mode=2,"
                            f"ssl_ca_cert={self.ca.cert}")


@pytest.fixture(scope="module")
def home():
    with tempfile.TemporaryDirectory() as folder:
        yield Home(pathlib.Path(folder))


@pytest.fixture
def apart(no_network):
    """A network of the test's own, which it is in."""
    if no_network:
        pytest.skip(no_network)
    namespace = Namespace()
    try:
        with namespace.entered():
            yield
    finally:
        namespace.close()


@contextlib.contextmanager
def started(consumer, home):
    """Absolute paths, which are the image's, become the folder's."""
    words = [str(home.path / pathlib.Path(word).name) if word.endswith("/memcached_exporter") else word for word in consumer.words]
    words = [word.replace("/bin/memcached_exporter", str(home.path / "memcached_exporter")) for word in words]
    words = [word.format(home=home.path) for word in words]
    env = environment({"PATH": f"{home.path}:{os.environ['PATH']}"})
    process = Process([*consumer.confinement(), *words], env=env, cwd="/", start_new_session=True)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def refuses_in_one_line(process, consumer):
    process.wait()
    said = process.stderr.splitlines()
    return len(said) == 1 and consumer.refusal in said[0] and process.popen.returncode in (1, 2)


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda consumer: consumer.name)
def test_a_consumer_starts_it_and_is_answered(apart, home, consumer):
    server = Memcached(*(home.flags_of_memcached() if consumer.tls else ()), host=consumer.host, port=consumer.memcached)
    if not consumer.tls:
        server.traffic()
    try:
        with started(consumer, home) as process:
            wait_until(lambda: accepts(consumer.where(), server._family) or not process.running, "the exporter")
            if consumer.refusal:
                assert refuses_in_one_line(process, consumer), process.stderr
                return
            for path in consumer.probes:
                if path != TCP:
                    assert consumer.get(home, path, KUBELET).status == 200
            answer = consumer.get(home, consumer.scrape, PROMETHEUS)
            assert answer.status == 200
            assert "\nmemcached_up 1\n" in answer.text, answer.text[:2000]
            filled = not consumer.tls and "--no-collector.slab" not in consumer.words
            assert ("memcached_slab_current_pages" in answer.text) == filled
        assert_clean(process)
        assert process.popen.returncode in (0, -signal.SIGTERM), process.stderr
    finally:
        server.kill()
