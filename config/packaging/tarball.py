#!/usr/bin/env python3
"""
Builds memcached_fleet_exporter-VERSION.linux-ARCH.tar.gz, laid out as that of the official exporter, its list of parts
(SPDX 2.3) and sha256sums.txt. `./dev tarball` installs what is needed, copies the sources and calls this.

The program runs on any Linux whose libc is that of Debian 12 or newer: the libraries that it needs in each scrape are
linked in, since a machine without Debian's packages has them seldom, or in another version. OpenSSL, libcrypt and libcurl
are loaded from the system when they are used, so that security updates of them count; without them there is no TLS, no
password, or no push and no discovery from URLs. zlib takes the place of ISA-L, of which Debian has no static library.

Two builds of one revision are equal byte for byte, in whatever folders: paths are cut from what the compiler writes, all
times are that of the last commit, names are sorted, and owners are root.
"""

import argparse
import datetime
import gzip
import hashlib
import io
import json
import os
import pathlib
import platform
import re
import subprocess
import sys
import tarfile

NAME = "memcached_fleet_exporter"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armv7", "ppc64le": "ppc64le", "s390x": "s390x",
                 "riscv64": "riscv64"}

# What is linked in: name, the Debian package that has the static library, its license, where it is from.
LINKED = (
    ("libuv", "libuv1-dev", "MIT", "https://libuv.org"),
    ("c-ares", "libc-ares-dev", "MIT", "https://c-ares.org"),
    ("libyaml", "libyaml-dev", "MIT", "https://pyyaml.org/wiki/LibYAML"),
    ("jansson", "libjansson-dev", "MIT", "https://github.com/akheron/jansson"),
    ("zlib", "zlib1g-dev", "Zlib", "https://zlib.net"),
    ("zstd", "libzstd-dev", "BSD-3-Clause", "https://facebook.github.io/zstd"),
    ("llhttp", "node-llhttp", "MIT", "https://github.com/nodejs/llhttp"),
)
# What is loaded from the system when it is used.
LOADED = (
    ("openssl", "Apache-2.0", "https://www.openssl.org", "TLS, and hashes of passwords"),
    ("libxcrypt", "LGPL-2.1-or-later", "https://github.com/besser82/libxcrypt", "passwords of a web configuration"),
    ("curl", "curl", "https://curl.se", "pushes, and discovery from URLs"),
)
# The libraries that the program may be linked to: those of libc.
OF_LIBC = re.compile(r"(libc|libresolv|libm|libdl|libpthread|librt|ld-linux.*)\.so.*")


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def run(*command, **more):
    subprocess.run([str(word) for word in command], check=True, stdin=subprocess.DEVNULL, **more)


# --- The program ---

def build(source, folder, llhttp, revision):
    """Configures, compiles and installs below `folder`; gives the folder that stands for /usr."""
    maps = f"-ffile-prefix-map={source}=. -ffile-prefix-map={llhttp}=llhttp -ffile-prefix-map={folder}=build"
    # A cache may hold objects with the paths of another folder.
    env = dict(os.environ, CCACHE_DISABLE="1")
    run("meson", "setup", folder / "build", source, "--buildtype=release", "--prefix=/usr", "-Dtests=disabled",
        "-Dprefer_static=true", "-Disal=disabled", f"-Dllhttp_source={llhttp}", f"-Drevision={revision}",
        "-Dbranch=HEAD", f"-Dc_args={maps}", env=env)
    run("ninja", "-C", folder / "build", env=env)
    run("meson", "install", "-C", folder / "build", "--no-rebuild", "--strip", "--quiet",
        env=dict(env, DESTDIR=str(folder / "installed")))
    program = folder / "installed/usr/bin" / NAME
    check_libraries(program)
    return folder / "installed/usr"


def check_libraries(program):
    needed = re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", str(program)))
    foreign = [library for library in needed if not OF_LIBC.fullmatch(library)]
    if foreign:
        sys.exit(f"tarball: the program needs {', '.join(foreign)}; a static library was not found")
    if "GLIBC_PRIVATE" in output("objdump", "-T", str(program)):
        sys.exit("tarball: the program uses private symbols of libc, and would not run with another one")


# --- The parts ---

def debian_version(package, llhttp):
    """Of an installed package; llhttp's is unpacked, and says its version in its header."""
    if package == "node-llhttp":
        header = (llhttp / "include/llhttp/llhttp.h").read_text(encoding="utf-8")
        return ".".join(re.search(rf"LLHTTP_VERSION_{part} (\d+)", header)[1] for part in ("MAJOR", "MINOR", "PATCH"))
    return output("dpkg-query", "-W", "-f", "${Version}", package)


def notice(versions):
    lines = [f"{NAME} has these libraries linked in. Their licenses are in the folder licenses.", ""]
    lines += [f"{name} {versions[name]}, {license_}, {url}" for name, _, license_, url in LINKED]
    return "\n".join(lines) + "\n"


def license_of(package, llhttp):
    folder = llhttp / "doc/node-llhttp" if package == "node-llhttp" else pathlib.Path("/usr/share/doc") / package
    return (folder / "copyright").read_bytes()


def spdx(name, version, archive, versions, revision, epoch):
    """The list of parts, as SPDX 2.3 has it in JSON."""
    def package(part, part_version, license_, url, **more):
        return {"name": part, "SPDXID": f"SPDXRef-Package-{part.replace('_', '-')}", "versionInfo": part_version,
                "downloadLocation": "NOASSERTION", "homepage": url, "filesAnalyzed": False, "licenseConcluded": license_,
                "licenseDeclared": license_, "copyrightText": "NOASSERTION", **more}

    def purl(locator):
        return [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": locator}]

    own = package(NAME, version, "Apache-2.0", "NOASSERTION", packageFileName=archive.name, primaryPackagePurpose="APPLICATION",
                  checksums=[{"algorithm": "SHA256", "checksumValue": sha256(archive)}],
                  externalRefs=purl(f"pkg:generic/{NAME}@{version}"))
    del own["homepage"]
    packages, relations = [own], [("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"])]
    for part, debian, license_, url in LINKED:
        packages.append(package(part, versions[part], license_, url, externalRefs=purl(
            f"pkg:deb/debian/{debian}@{versions[part]}?distro=debian-12")))
        relations.append((own["SPDXID"], "STATIC_LINK", packages[-1]["SPDXID"]))
    for part, license_, url, purpose in LOADED:
        packages.append(package(part, "NOASSERTION", license_, url, comment=f"Not part of the archive; for {purpose}."))
        relations.append((packages[-1]["SPDXID"], "OPTIONAL_DEPENDENCY_OF", own["SPDXID"]))
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": name,
        "documentNamespace": f"https://spdx.org/spdxdocs/{name}-{revision}",
        "creationInfo": {"created": datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [f"Tool: {NAME}-tarball"]},
        "packages": packages,
        "relationships": [{"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
                          for one, kind, other in relations],
    }


# --- The archive ---

def sha256(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def write_archive(file, top, contents, links, epoch):
    """`contents`: {path below top: (bytes, mode)}; `links`: {path: where it points}."""
    folders = {str(parent) for path in contents for parent in pathlib.PurePath(path).parents if str(parent) != "."}
    members = sorted([*folders, *contents, *links])
    with open(file, "wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as packed, \
            tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in ["", *members]:
            entry = tarfile.TarInfo(f"{top}/{path}".rstrip("/"))
            entry.mtime, entry.uname, entry.gname = epoch, "root", "root"
            data = None
            if path in links:
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, links[path], 0o777
            elif path in contents:
                data, entry.mode = contents[path]
                entry.size = len(data)
            else:
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry, io.BytesIO(data) if data is not None else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--source", type=pathlib.Path, required=True, help="a copy of the sources")
    parser.add_argument("--build", type=pathlib.Path, required=True, help="an empty folder for the build")
    parser.add_argument("--llhttp", type=pathlib.Path, required=True, help="where llhttp/llhttp.c is")
    parser.add_argument("--revision", required=True)
    parser.add_argument("--epoch", type=int, required=True, help="the time of all files")
    parser.add_argument("--output", type=pathlib.Path, required=True)
    given = parser.parse_args()
    source, folder, llhttp = (path.resolve() for path in (given.source, given.build, given.llhttp))

    version = re.search(r"^  version: '(.*)',", (source / "meson.build").read_text(encoding="utf-8"), re.MULTILINE)[1]
    name = f"{NAME}-{version}.linux-{ARCHITECTURES.get(platform.machine(), platform.machine())}"
    usr = build(source, folder, llhttp, given.revision)

    versions = {part: debian_version(package, llhttp) for part, package, _, _ in LINKED}
    contents = {NAME: ((usr / "bin" / NAME).read_bytes(), 0o755), "LICENSE": ((source / "LICENSE").read_bytes(), 0o644),
                "NOTICE": (notice(versions).encode(), 0o644)}
    for path in (f"share/man/man1/{NAME}.1", f"share/bash-completion/completions/{NAME}.bash",
                 f"share/zsh/site-functions/_{NAME}", f"share/fish/vendor_completions.d/{NAME}.fish"):
        kind = "man" if path.endswith(".1") else "completions"
        contents[f"{kind}/{pathlib.PurePath(path).name}"] = ((usr / path).read_bytes(), 0o644)
    for unit in sorted((source / "config/systemd").iterdir()):
        contents[f"systemd/{unit.name}"] = (unit.read_bytes(), 0o644)
    for part, package, _, _ in LINKED:
        contents[f"licenses/{part}"] = (license_of(package, llhttp), 0o644)

    given.output.mkdir(parents=True, exist_ok=True)
    archive, parts = given.output / f"{name}.tar.gz", given.output / f"{name}.spdx.json"
    write_archive(archive, name, contents, {"memcached_exporter": NAME}, given.epoch)
    parts.write_text(json.dumps(spdx(name, version, archive, versions, given.revision, given.epoch), indent=2) + "\n",
                     encoding="utf-8")
    (given.output / "sha256sums.txt").write_text("".join(f"{sha256(file)}  {file.name}\n" for file in (parts, archive)),
                                                 encoding="utf-8")
    print(archive)


if __name__ == "__main__":
    main()
