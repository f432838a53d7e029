"""
What `./dev deb` and `./dev tarball` left in build/packages. `./dev deb --check` and `./dev tarball --check` build first;
otherwise these tests are skipped where there is nothing, since a build takes a minute.
"""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile

import pytest

from support import http
from support.exporter import environment
from support.process import Process, accepts, free_port, wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ROOT / "build/packages"
BASE = ROOT / "build/debian-base.tar"
UNIT = "memcached_fleet_exporter.service"
DEFAULTS = "etc/default/memcached_fleet_exporter"


def newest(pattern, command):
    found = sorted(PACKAGES.glob(pattern), key=os.path.getmtime)
    if not found:
        pytest.skip(f"nothing was built; `./dev {command} --check` builds and tests it")
    return found[-1]


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False, **more)
    assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout


# --- The tarball ---

@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    archive = newest("*.linux-*.tar.gz", "tarball")
    folder = tmp_path_factory.mktemp("unpacked")
    run("tar", "-xzf", archive, "-C", folder)
    top, = folder.iterdir()
    assert top.name == archive.name.removesuffix(".tar.gz"), "one folder, named like the archive"
    return top


def test_the_tarball_is_laid_out_as_that_of_the_official_exporter(unpacked):
    assert re.fullmatch(r"memcached_fleet_exporter-\d+\.\d+\.\d+\.linux-[a-z0-9]+", unpacked.name)
    names = {path.name for path in unpacked.iterdir()}
    assert {"memcached_fleet_exporter", "LICENSE", "NOTICE"} <= names
    assert os.readlink(unpacked / "memcached_exporter") == "memcached_fleet_exporter"
    linked = re.findall(r"^(\S+) \S+, ", (unpacked / "NOTICE").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(linked) == sorted(path.name for path in (unpacked / "licenses").iterdir())


def test_the_program_of_the_tarball_needs_libc_alone_and_no_newer_one_than_that_of_debian_12(unpacked):
    program = unpacked / "memcached_fleet_exporter"
    needed = re.findall(r"\(NEEDED\).*\[(.+?)\]", run("readelf", "-d", program))
    assert needed and all(re.match(r"(libc|libresolv|ld-linux.*)\.so", library) for library in needed), needed
    versions = set(re.findall(r"GLIBC_([\w.]+)", run("readelf", "-V", program)))
    assert "PRIVATE" not in versions
    assert max(tuple(map(int, version.split("."))) for version in versions) <= (2, 36), versions


def test_the_program_of_the_tarball_serves(unpacked):
    port = free_port()
    exporter = Process([unpacked / "memcached_exporter", "--memcached.address=", f"--web.listen-address=127.0.0.1:{port}"],
                       env=environment())
    try:
        wait_until(lambda: accepts(("127.0.0.1", port)) or not exporter.running, "the exporter of the tarball")
        answer = http.get(("127.0.0.1", port), "/metrics", headers={"Accept-Encoding": "gzip"})
        assert answer.status == 200 and answer.headers["content-encoding"] == "gzip"
    finally:
        exporter.terminate()


def test_nothing_in_the_tarball_depends_on_who_built_it_and_when():
    with tarfile.open(newest("*.linux-*.tar.gz", "tarball")) as archive:
        entries = archive.getmembers()
    assert {(entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, "root", "root")}
    assert len({entry.mtime for entry in entries}) == 1
    assert [entry.name for entry in entries] == sorted(entry.name for entry in entries)


def test_no_path_of_the_build_is_in_the_program(unpacked):
    program = (unpacked / "memcached_fleet_exporter").read_bytes()
    assert str(ROOT).encode() not in program and b"/build/tarball/" not in program


def test_the_checksums_are_right():
    newest("*.linux-*.tar.gz", "tarball")
    lines = (PACKAGES / "sha256sums.txt").read_text(encoding="ascii").splitlines()
    assert len(lines) == 2
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((PACKAGES / name).read_bytes()).hexdigest() == checksum


def test_the_list_of_parts_names_what_is_linked_in(unpacked):
    parts = json.loads(newest("*.spdx.json", "tarball").read_text(encoding="utf-8"))
    assert parts["spdxVersion"] == "SPDX-2.3" and parts["dataLicense"] == "CC0-1.0"
    assert parts["SPDXID"] == "SPDXRef-DOCUMENT" and parts["creationInfo"]["creators"]
    packages = {package["SPDXID"]: package for package in parts["packages"]}
    assert len(packages) == len(parts["packages"])
    for package in packages.values():
        assert re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", package["SPDXID"])
        assert {"name", "versionInfo", "downloadLocation", "licenseConcluded"} <= set(package)
    relations = parts["relationships"]
    for relation in relations:
        assert {relation["spdxElementId"], relation["relatedSpdxElement"]} <= {*packages, "SPDXRef-DOCUMENT"}
    linked = {packages[relation["relatedSpdxElement"]]["name"] for relation in relations
              if relation["relationshipType"] == "STATIC_LINK"}
    assert linked == {path.name for path in (unpacked / "licenses").iterdir()}
    described, = [relation["relatedSpdxElement"] for relation in relations if relation["relationshipType"] == "DESCRIBES"]
    checksum, = packages[described]["checksums"]
    archive = newest("*.linux-*.tar.gz", "tarball")
    assert checksum["checksumValue"] == hashlib.sha256(archive.read_bytes()).hexdigest()


# --- The Debian package ---

@pytest.fixture(scope="module")
def package():
    return newest("*.deb", "deb")


def test_lintian_finds_nothing(package):
    if not shutil.which("lintian"):
        pytest.skip("lintian is not installed")
    assert run("lintian", "--allow-root", "--fail-on=error,warning", package) == ""


def test_the_package_depends_on_what_is_linked_and_on_what_is_loaded(package):
    depends = run("dpkg-deb", "-f", package, "Depends")
    for library in ("libuv1", "libc-ares2", "libssl3", "libcrypt1"):
        assert re.search(rf"\b{library}\b", depends), depends
    assert "libc6 (<<" not in depends, "private symbols of libc bind the package to one version of it"
    assert "libcurl4" in run("dpkg-deb", "-f", package, "Recommends")


class Chroot:
    """A small Debian of its own, made once by debootstrap and unpacked for each test."""

    def __init__(self, folder):
        self.folder = folder
        if not BASE.exists():
            fresh = folder.with_name("debootstrap")
            run("debootstrap", "--variant=minbase", "bookworm", fresh)
            run("tar", "-cf", BASE, "-C", fresh, ".")
            shutil.rmtree(fresh)
        folder.mkdir()
        run("tar", "-xf", BASE, "-C", folder)
        shutil.copy("/etc/resolv.conf", folder / "etc/resolv.conf")

    def run(self, *command):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
        return run("unshare", "--mount", "--pid", "--fork", "chroot", self.folder, *command, env=env)

    def install(self, deb):
        shutil.copy(deb, self.folder / "tmp")
        self.run("apt-get", "install", "-y", "--no-install-recommends", "-o", "Dpkg::Options::=--force-confold",
                 f"/tmp/{deb.name}")

    def exists(self, path):
        return os.path.lexists(self.folder / path)

    def files(self):
        """Everything that is no state of apt, dpkg, systemd or the user database."""
        passing = re.compile(r"(var/(lib|cache|log)|tmp|run|dev|proc|sys)/|etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$|"
                             r"etc/(ld\.so\.cache|resolv\.conf|\.pwd\.lock)$")
        every = (os.path.relpath(os.path.join(top, name), self.folder)
                 for top, _, names in os.walk(self.folder) for name in names)
        return {path for path in every if not passing.match(path)}


@pytest.fixture
def chroot(tmp_path):
    if os.getuid() != 0:
        pytest.skip("only root may chroot")
    for program in ("debootstrap", "unshare"):
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("no namespaces may be made here")
    return Chroot(tmp_path / "debian")


def changed(package, folder, version, name=None):
    """The same package as another version, or as an empty one of another name with a file of defaults."""
    tree = folder / f"{name or 'next'}-{version}"
    if name:
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "etc/default").mkdir(parents=True)
        (tree / f"etc/default/{name}").write_text('ARGS="--memcached.address=old:11211"\n')
        (tree / "DEBIAN/conffiles").write_text(f"/etc/default/{name}\n")
        (tree / "DEBIAN/control").write_text(f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
                                             "Maintainer: Test <test@example.com>\nDescription: stand-in\n")
    else:
        run("dpkg-deb", "-R", package, tree)
        control = tree / "DEBIAN/control"
        control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.MULTILINE))
    target = folder / f"{tree.name}.deb"
    run("dpkg-deb", "--root-owner-group", "-b", tree, target)
    return target


def test_install_upgrade_remove_purge(package, chroot, tmp_path):
    chroot.run("apt-get", "update")
    chroot.install(changed(package, tmp_path, "0.14", "prometheus-memcached-exporter"))

    chroot.install(package)
    there = chroot.files()
    for name in ("memcached_fleet_exporter", "memcached_exporter"):
        assert "version" in chroot.run(f"/bin/{name}", "--version")
    assert "not found" not in chroot.run("ldd", "/usr/bin/memcached_fleet_exporter")
    assert "_memcached-exporter:" in (chroot.folder / "etc/passwd").read_text()
    wanted = f"etc/systemd/system/multi-user.target.wants/{UNIT}"
    assert chroot.exists(wanted), "the service starts at boot"
    assert not chroot.exists("etc/systemd/system/timers.target.wants/memcached_fleet_exporter-textfile.timer"), \
        "the others wait to be enabled"
    unit = (chroot.folder / f"lib/systemd/system/{UNIT}").read_text()
    assert "ExecStart=/usr/bin/memcached_fleet_exporter $ARGS\n" in unit
    assert re.search(r"^ARGS=", (chroot.folder / DEFAULTS).read_text(), re.MULTILINE)
    assert chroot.exists("etc/default/prometheus-memcached-exporter"), "the old flags are still in force"
    chroot.run("dpkg", "--verify", "memcached-fleet-exporter")

    (chroot.folder / DEFAULTS).write_text('ARGS="--memcached.address=mine:11211"\n')
    chroot.install(changed(package, tmp_path, "99.0"))
    assert "99.0" in chroot.run("dpkg-query", "-W", "memcached-fleet-exporter")
    assert "mine:11211" in (chroot.folder / DEFAULTS).read_text()
    assert chroot.exists(wanted)

    chroot.run("apt-get", "remove", "-y", "memcached-fleet-exporter")
    assert not chroot.exists("usr/bin/memcached_fleet_exporter")
    assert "mine:11211" in (chroot.folder / DEFAULTS).read_text()

    chroot.run("apt-get", "purge", "-y", "memcached-fleet-exporter", "prometheus-memcached-exporter")
    left = {path for path in chroot.files() if re.search(r"memcached[-_](fleet[-_])?exporter", path)}
    assert left == set(), left
    assert any("memcached_fleet_exporter" in path for path in there)
