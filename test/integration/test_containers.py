"""What the container files say is carried out as far as that goes without a container engine."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
import yaml

from support import http
from support.exporter import environment
from support.process import Process, accepts, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ALWAYS_THERE = {"libc6"}
REVISION = "0123456789abcdef"


def composed(name):
    """A compose file as docker-compose understands it."""
    run = subprocess.run(["docker-compose", "-f", ROOT / name, "config"], cwd=ROOT, capture_output=True, text=True,
                         stdin=subprocess.DEVNULL, check=False)
    assert run.returncode == 0, run.stderr
    return yaml.safe_load(run.stdout)["services"]


def written(name):
    """A compose file as it is written."""
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["services"]


def instructions():
    """(instruction, arguments) of the Dockerfile, one list for each of its stages."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    stages = []
    for line in text.replace("\\\n", " ").splitlines():
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            stages.append([])
        if word:
            stages[-1].append((word, rest.strip()))
    return stages


def all_of(stage, word):
    return [rest for instruction, rest in stage if instruction == word]


def apt_packages(stage):
    lists = re.findall(r"apt-get install -y --no-install-recommends([^&]*)", " && ".join(all_of(stage, "RUN")))
    return set(" ".join(lists).split())


def copied(stage):
    """What a stage takes from the checkout."""
    words = [rest.split() for rest in all_of(stage, "COPY") if not rest.startswith("--from")]
    return [source for parts in words for source in parts[:-1]]


def llhttp_share():
    """Where llhttp's sources were found when this tree was built."""
    unpacked = ROOT / "build/llhttp/usr/share"
    return unpacked if unpacked.is_dir() else pathlib.Path("/usr/share")


@pytest.fixture(scope="module")
def installed():
    """The builder's steps in a scratch directory: what it puts into /installed."""
    builder = instructions()[0]
    with tempfile.TemporaryDirectory() as scratch:
        os.chmod(scratch, 0o755)
        source, target = pathlib.Path(scratch, "source"), pathlib.Path(scratch, "installed")
        (source / "llhttp/usr").mkdir(parents=True)
        (source / "llhttp/usr/share").symlink_to(llhttp_share())
        for name in copied(builder):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, source / name)
        steps = [step for step in all_of(builder, "RUN") if "apt-get" not in step]
        assert steps, "the builder builds nothing"
        for step in steps:
            assert "/installed" in step
            run = subprocess.run(["sh", "-ec", step.replace("/installed", str(target))], cwd=source, text=True,
                                 env=dict(os.environ, REVISION=REVISION), capture_output=True, stdin=subprocess.DEVNULL,
                                 check=False)
            assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
        yield target


def as_user(user):
    """Words that run a command as the image's user, where this test may change to it."""
    uid, gid = user.split(":")
    return ["setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--no-new-privs"] if os.getuid() == 0 else []


def entry_point(installed):
    command, = json.loads(all_of(instructions()[1], "ENTRYPOINT")[0])
    taken = [rest.split() for rest in all_of(instructions()[1], "COPY") if rest.startswith("--from")]
    origin = {target: source for _, source, target in taken}[command]
    return installed / origin.removeprefix("/installed/")


def health_check(port):
    """The exit code of the image's health check, for a server on another port."""
    text = all_of(instructions()[1], "HEALTHCHECK")[0]
    command = json.loads(text[text.index("CMD") + 3:])
    return subprocess.run([word.replace("9150", str(port)) for word in command], stdin=subprocess.DEVNULL, timeout=10,
                          capture_output=True, check=False).returncode


def test_the_image_runs_as_another_user_and_its_health_check_tells_life_from_death(installed):
    runtime = instructions()[1]
    user = all_of(runtime, "USER")[0]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "Kubernetes wants a number that is not root's"
    port = free_port()
    exporter = Process([*as_user(user), entry_point(installed), "--memcached.address=",
                        f"--web.listen-address=127.0.0.1:{port}"], env=environment())
    try:
        wait_until(lambda: accepts(("127.0.0.1", port)) or not exporter.running, "the installed exporter")
        assert exporter.running, exporter.stderr
        if os.getuid() == 0:
            assert os.stat(f"/proc/{exporter.pid}").st_uid == int(user.split(":")[0])
        assert http.get(("127.0.0.1", port), "/metrics").status == 200
        assert health_check(port) == 0
        assert exporter.terminate() == 0, exporter.stderr
        assert health_check(port) != 0
    finally:
        exporter.kill()


def test_the_health_check_refuses_another_kind_of_server(memcached):
    assert health_check(memcached().port) != 0


def test_the_image_and_its_program_say_the_revision_that_they_were_given(installed):
    words = subprocess.run([entry_point(installed), "--version"], capture_output=True, text=True, check=True).stdout
    assert f"revision: {REVISION})" in words
    labels = " ".join(all_of(instructions()[1], "LABEL"))
    assert 'org.opencontainers.image.revision="$REVISION"' in labels and "org.opencontainers.image.licenses" in labels
    for stage in instructions()[:2]:
        assert "REVISION" in all_of(stage, "ARG"), "an argument holds for one stage"


def test_both_images_say_the_same_of_themselves():
    """The same program, user, port and revision. The image that is built by default has a shell."""
    stages = {word.partition(" AS ")[2]: stage for stage in instructions() for word in all_of(stage, "FROM")}
    shell, noshell = stages["shell"], stages["noshell"]
    for instruction in ("USER", "EXPOSE", "ENTRYPOINT"):
        assert all_of(shell, instruction) == all_of(noshell, instruction)
    for stage in (shell, noshell):
        labels = dict(re.findall(r'([\w.]+)="([^"]*)"', " ".join(all_of(stage, "LABEL"))))
        assert labels["org.opencontainers.image.revision"] == "$REVISION" and "REVISION" in all_of(stage, "ARG")
    assert instructions()[-1] == [("FROM", "shell")]


@pytest.fixture(scope="module")
def closure(installed, tmp_path_factory):
    """The root folder of the image without a shell, made of the libraries of this machine."""
    target = tmp_path_factory.mktemp("closure") / "root"
    command = ["sh", ROOT / "config/packaging/closure.sh", entry_point(installed), target]
    run = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    assert run.returncode == 0, run.stderr
    target.parent.chmod(0o755)
    return target


def test_the_image_without_a_shell_has_all_that_its_program_needs(closure):
    """Each library is there under the name by which it is asked for, with its license; and no other program is."""
    programs = [path.name for path in (closure / "usr/bin").iterdir()]
    assert sorted(programs) == ["memcached_exporter", "memcached_fleet_exporter"]
    assert os.readlink(closure / "bin") == "usr/bin" and (closure / "bin/memcached_exporter").resolve().exists()
    libraries = {path.name: path for path in closure.rglob("*.so*")}
    assert {"libc.so.6", "libuv.so.1", "libcurl.so.4", "libssl.so.3", "libcrypt.so.1"} <= set(libraries)
    for file in [closure / "usr/bin/memcached_fleet_exporter", *libraries.values()]:
        run = subprocess.run(["readelf", "-d", file], capture_output=True, text=True, check=True)
        for name in re.findall(r"\(NEEDED\).*\[(.+)\]", run.stdout):
            assert name in libraries, f"{file.name} needs {name}"
    assert len(list(closure.glob("usr/share/doc/*/copyright"))) > 5
    assert (closure / "etc/ssl/certs/ca-certificates.crt").stat().st_size > 100000


@pytest.mark.skipif(os.getuid() != 0, reason="only root may change the root folder")
def test_the_image_without_a_shell_runs(closure, memcached):
    """As its user, below its own root: it serves, loads libcurl for a push, and OpenSSL for TLS."""
    port, server = free_port(), memcached()
    (closure / "web.yml").write_text("tls_server_config: {cert_file: nowhere, key_file: nowhere}\n", encoding="utf-8")
    chroot = ["chroot", "--userspec=65534:65534", closure, "/bin/memcached_exporter", f"--memcached.address={server.address}"]
    exporter = Process([*chroot, f"--web.listen-address=127.0.0.1:{port}"], env=environment())
    try:
        wait_until(lambda: accepts(("127.0.0.1", port)) or not exporter.running, "the exporter")
        assert exporter.running, exporter.stderr
        assert b"\nmemcached_up 1\n" in http.get(("127.0.0.1", port), "/metrics").body
        assert exporter.terminate() == 0, exporter.stderr
    finally:
        exporter.kill()
    pushed = subprocess.run([*chroot, "--once", "--push.url=http://127.0.0.1:1"], env=environment(), capture_output=True,
                            text=True, check=False, timeout=60)
    assert pushed.returncode == 1 and "Failed to connect to 127.0.0.1" in pushed.stderr
    checked = subprocess.run([*chroot, "--config.check", "--web.config.file=/web.yml"], env=environment(),
                             capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 1 and "nowhere: no such file or directory" in checked.stderr


def test_the_image_exposes_the_port_that_is_the_default(installed):
    port, = all_of(instructions()[1], "EXPOSE")
    words = subprocess.run([entry_point(installed), "--help"], capture_output=True, text=True, check=True).stdout
    assert f":{port}" in words


def test_the_image_has_every_library_that_the_program_is_linked_to(installed):
    """The program's own libraries; theirs come with their packages."""
    run = subprocess.run(["readelf", "-d", entry_point(installed)], capture_output=True, text=True, check=True)
    libraries = re.findall(r"\(NEEDED\).*\[(.+)\]", run.stdout)
    assert len(libraries) >= 3, run.stdout
    there = apt_packages(instructions()[1]) | ALWAYS_THERE
    for library in libraries:
        owners = subprocess.run(["dpkg-query", "-S", f"*/{library}"], capture_output=True, text=True, check=True).stdout
        assert {line.split(":")[0] for line in owners.splitlines()} & there, f"{library}: {owners}"


def test_the_builder_has_the_packages_that_dev_installs():
    dev = (ROOT / "dev").read_text(encoding="utf-8")
    assert apt_packages(instructions()[0]) == set(re.search(r'^build_packages="(.*)"', dev, flags=re.M).group(1).split())


def test_what_the_builder_copies_is_not_ignored():
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    names = [name for stage in instructions() for name in copied(stage)]
    assert len(names) >= 4
    for name in names:
        assert (ROOT / name).exists() and f"!{name}" in ignore, name


def test_the_name_of_the_official_exporter_is_a_link(installed):
    assert os.readlink(installed / "usr/bin/memcached_exporter") == "memcached_fleet_exporter"
    assert "ln -s memcached_fleet_exporter /usr/bin/memcached_exporter" in all_of(instructions()[1], "RUN")


def test_the_manual_is_installed(installed):
    manual = (installed / "usr/share/man/man1/memcached_fleet_exporter.1").read_text(encoding="utf-8")
    assert manual.startswith((".TH", '.\\"')) and "memcached.address" in manual.replace("\\", "")


def test_compose_has_an_exporter_over_all_memcached_and_a_prometheus_over_that():
    services = composed("compose.yaml")
    servers = [name for name, service in services.items() if service["image"].startswith("memcached:")]
    assert len(servers) == 3
    addresses = [f"--memcached.address={name}:11211" for name in servers]
    assert sorted(services["exporter"]["command"]) == sorted(addresses)
    assert services["exporter"]["build"]["context"] == str(ROOT)


def mounts(service):
    """[(file or folder of this machine, path in the container)]."""
    for volume in service.get("volumes", []):
        words = volume.split(":") if isinstance(volume, str) else [volume["source"], volume["target"]]
        yield ROOT / words[0], words[1]


COMPOSE_FILES = ["compose.yaml", *sorted(f"config/compose/{path.name}" for path in (ROOT / "config/compose").glob("*.yaml"))]


@pytest.mark.parametrize("file", COMPOSE_FILES)
def test_what_compose_mounts_is_there_and_ports_are_published_on_loopback(file):
    for name, service in composed(file).items():
        for source, _ in mounts(service):
            assert source.exists(), f"{name}: {source}"
    for name, service in written(file).items():
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), f"{name}: {port}"


@pytest.mark.parametrize("file", [file for file in COMPOSE_FILES if "prom/prometheus" in (ROOT / file).read_text()])
def test_the_prometheus_of_compose_scrapes_the_exporter_and_has_the_alerts(file, tmp_path):
    for source, inside in mounts(composed(file)["prometheus"]):
        copy = tmp_path / pathlib.Path(inside).relative_to("/etc/prometheus")
        copy.parent.mkdir(exist_ok=True)
        shutil.copy(source, copy)
    config = tmp_path / "prometheus.yml"
    job, = yaml.safe_load(config.read_text(encoding="utf-8"))["scrape_configs"]
    assert job["honor_labels"] is True
    assert job["static_configs"][0]["targets"] == ["exporter:9150"]
    run = subprocess.run(["promtool", "check", "config", config], capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "rules found" in run.stdout, run.stdout + run.stderr


def test_the_grafana_of_compose_is_provisioned():
    services = composed("compose.yaml")
    inside = {path: source for source, path in mounts(services["grafana"])}

    def provisioned(kind, entries):
        file, = inside[f"/etc/grafana/provisioning/{kind}"].iterdir()
        entry, = yaml.safe_load(file.read_text(encoding="utf-8"))[entries]
        return entry

    source = provisioned("datasources", "datasources")
    assert source["type"] == "prometheus" and source["isDefault"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    ports = written("compose.yaml")[host]["ports"]
    assert any(published.endswith(f":{port}") for published in ports), "the data source's URL is no service of this file"

    folder = provisioned("dashboards", "providers")["options"]["path"]
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home.startswith(folder + "/")
    assert (inside[folder] / pathlib.PurePath(home).name).exists()


def test_the_fleet_by_dns_is_found_by_the_name_of_its_service(exporter):
    services = composed("config/compose/dns.yaml")
    assert services["exporter"]["command"] == ["--memcached.address=dns+memcached:11211"]
    assert "container_name" not in services["memcached"] and "ports" not in services["memcached"], "these forbid to scale"
    assert exporter(*services["exporter"]["command"], targets=None).get("/-/healthy").status == 200


def test_the_sidecar_shares_its_servers_network_and_is_set_by_the_environment(exporter):
    services = composed("config/compose/sidecar.yaml")
    sidecar = services["exporter"]
    assert sidecar["network_mode"] == "service:memcached"
    assert "ports" not in sidecar and services["memcached"]["ports"], "the port is that of the shared namespace"
    variables = {name: str(value) for name, value in sidecar["environment"].items()}
    started = exporter(targets=None, env=variables)
    assert started.get("/metrics").status == 200
    json.loads(started.process.stderr.splitlines()[0])  # --log.format=json was taken
    words = subprocess.run([os.environ["EXPORTER"], "--help"], capture_output=True, text=True, check=True).stdout
    for name in variables:
        assert name in words, "the environment names a flag that there is not"


@pytest.mark.parametrize("file", sorted(str(path.relative_to(ROOT)) for path in (ROOT / "config").rglob("*.yml")
                                        if "scrape_configs:" in path.read_text(encoding="utf-8")))
def test_prometheus_understands_its_configuration(file):
    run = subprocess.run(["promtool", "check", "config", file], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
