"""Rules for the sources that no compiler knows. Prints one TAP line for each; a broken one names file, line and reason.

    lint.py ROOT [COMPILER ...]     the compiler checks that each header compiles alone; without one, that is left out
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import comments

# The rooms of src/ in their order, each with what it may include beside itself: folders, or one header of a folder.
# All of it stands above the room, so that the arrows never make a circle. "" is the top level.
ROOMS = {
    "base": set(),
    "document": {"base"},
    "net": {"base"},
    "metrics": {"base"},
    "memcached": {"base", "net"},
    "watch": {"base", "net", "metrics", "memcached"},
    "http": {"base", "net"},
    "discovery": {"base", "document", "net"},
    "outputs": {"base", "net"},
    "config": {"base", "document", "net", "memcached/access.h", "memcached/stats.h", "discovery/discovery_config.h", "outputs/push_config.h", "watch/watch_config.h"},
    "cli": {"base", "net", "memcached/protocol.h", "memcached/stats.h", "outputs/push_config.h"},
    "settings": {"base", "net", "outputs", "watch/watch_config.h", "config", "cli"},
    "targets": {"base", "net", "metrics", "memcached", "watch/watch_config.h", "discovery", "config", "cli", "settings"},
    "collectors": {"base", "net", "metrics", "memcached", "watch", "http", "outputs", "targets"},
    "gather": {"base", "net", "metrics", "memcached", "watch", "outputs", "cli", "settings", "targets", "collectors"},
    "web": {"base", "net", "metrics", "memcached", "watch", "http", "cli", "settings", "targets", "collectors", "gather", "config/web_config.h", "config/web_tls.h"},
    "process": {"base", "net", "cli", "config/config.h", "collectors/telemetry.h"},
    "": {"base", "net", "memcached", "watch", "config", "http", "cli", "settings", "targets", "collectors", "gather", "web", "process"},
}
# Headers of libraries, by how their names begin, that only one place may know.
PLACES = {
    "llhttp.h": "src/http/request.",
    "zlib.h": "src/http/gzip_zlib.",
    "isa-l": "src/http/gzip_isal.",
    "zstd.h": "src/http/compressor.",
    "ares.h": "src/net/dns_channel.",
    "yaml.h": "src/document/yaml.",
    "jansson.h": "src/document/json.",
    "curl/": "src/net/",
    "openssl/": "src/net/openssl.",
    "crypt.h": "src/base/bcrypt.",
    "seccomp.h": "src/process/sandbox_filter.",
}
GENERATED = {"revision.h", "openssl_names.h", "sandbox_filter.h", "page_files.h"}
LONGEST_FILE = 450

# Sources without a test of their name, each with what tests it instead. The list only gets shorter.
UNTESTED = {
    "src/main.c": "the integration tests run it",
    "src/exporter.c": "it puts the parts together; integration/test_lifecycle.py",
    "src/net/route.c": "net/test_own_listeners.c and net/test_address_order.c",
    "src/net/openssl.c": "it loads a library; net/test_tls.c calls it",
    "src/gather/report.c": "integration/test_check.py",
    "src/gather/top.c": "it needs a terminal; integration/test_top.py",
    "src/outputs/terminal.c": "it is of one process and its terminal; integration/test_top.py",
    "src/process/sandbox_filter.c": "it runs when the program is built; integration/test_sandbox.py",
    "src/base/version.c": "it holds what the build knows; collectors/test_build.c, integration/test_single.py",
    "src/http/gzip_isal.c": "http/test_gzip.c is built with each of the two",
    "src/http/gzip_zlib.c": "http/test_gzip.c is built with each of the two",
    "src/cli/values.c": "cli/test_options.c and cli/test_options_errors.c",
    "src/collectors/fleet_rows.c": "collectors/test_fleet.c and collectors/test_fleet_golden.c",
    "src/collectors/loop_lag.c": "collectors/test_telemetry_parts.c",
    "src/memcached/channel.c": "memcached/test_client.c and memcached/test_stall.c",
    "src/collectors/outcome.c": "collectors/test_fleet.c",
    "src/config/groups.c": "a part of the schema; config/test_config.c and config/test_errors.c",
    "src/config/modules.c": "a part of the schema; config/test_config.c and config/test_errors.c",
    "src/config/outputs.c": "a part of the schema; config/test_config.c and config/test_errors.c",
    "src/config/reading.c": "config/test_errors.c",
    "src/config/references.c": "config/test_config.c and config/test_errors.c",
    "src/config/sources.c": "a part of the schema; config/test_config.c and config/test_errors.c",
    "src/config/watch.c": "a part of the schema; config/test_config.c and config/test_errors.c",
    "src/config/web_config_tls.c": "config/test_web_config.c",
    "src/config/values.c": "config/test_config.c and config/test_errors.c",
    "src/memcached/snapshot_builder.c": "memcached/test_snapshot.c",
    "src/memcached/value.c": "memcached/test_snapshot.c, with every value of data/stat-values.tsv",
    "src/net/curl_loop.c": "outputs/test_push.c and discovery/test_http_sd.c",
    "src/net/dns_channel.c": "net/test_dns.c and net/test_resolver.c",
    "src/net/libcurl.c": "outputs/test_push_config.c and discovery/test_discovery_config.c",
    "src/outputs/gateway.c": "outputs/test_push.c",
    "src/process/sandbox_start.c": "integration/test_sandbox.py",
    "src/web/answer.c": "web/test_handlers.c",
    "src/web/serving.c": "it puts the parts together; integration/test_web_config.py",
}
# Headers and structs whose name is there twice, each with the reason. The list only gets shorter.
SAME_NAME = {
    "fleet.h": "memcached/ asks the fleet, collectors/ tells of it",
    "record": "a record of DNS in net/resolver.c, a stored stat in memcached/snapshot.h",
    "gzip": "private to each of the two implementations of http/gzip.h, of which the build takes one",
}
# Static helpers whose name is in more files than three, so that nobody finds the one that is meant. These numbers of
# files only get smaller, and no name is added.
REPEATED_IN_MOST = 3
REPEATED = {"fail": 4}

INCLUDE = re.compile(r'\s*#\s*include\s+([<"])([^>"]+)[>"]')
# Files that ./dev format would still wrap. The list only gets shorter.
UNWRAPPED = set("""
src/collectors/telemetry.c src/config/config.h src/config/web_config.h src/gather/publisher.h
src/http/connection_pool.h src/http/exchange.h src/main.c src/memcached/client.c src/memcached/fleet.c
src/memcached/snapshot.h src/net/tls_context.c src/net/tls_context.h src/process/sandbox.c src/process/sandbox.h src/targets/reload.c
src/targets/reload.h src/web/password.c test/support/web_world.h test/unit/settings/test_agreement.c
test/unit/web/test_scrape.c
""".split())

STRUCT = re.compile(r"(?:struct|enum|union) (\w+) \{")
HELPER = re.compile(r"^static [^;={}]*?\b(\w+)\([^;{}]*\)\n\{", re.M)
UNFINISHED = re.compile(r"\b(TO" "DO|FIX" "ME|X" r"XX)\b")
TEXT = {".c", ".h", ".inc", ".py", ".build", ".txt", ".yml", ".yaml", ".md", ".wrap", ".service", ""}


def lines(root, path):
    """(where, line) of a file."""
    name = path.relative_to(root).as_posix()
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        yield f"{name}:{number}", line


def sources(root, folder="src"):
    return sorted(path for path in (root / folder).rglob("*") if path.suffix in {".c", ".h", ".inc"})


def texts(root):
    """What people wrote: neither built files, nor data, nor unpacked dependencies, nor what git keeps."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        inputs = parts[:2] == ("test", "data") or parts[:3] in {("test", "fuzz", "corpus"), ("test", "fuzz", "found")}
        built = parts[0].startswith("build") or inputs or "__pycache__" in parts
        hidden = parts[0] in {".git", ".cache"} or parts[-1] == "LICENSE"
        unpacked = parts[0] == "deps" and len(parts) > 2 and parts[1] != "packagefiles"
        if path.is_file() and path.suffix in TEXT and not (built or hidden or unpacked):
            yield path


def room_of(name):
    """The room of a path relative to src/."""
    return name.split("/")[0] if "/" in name else ""


def check_arrows(root):
    """An include may only point to where its room is allowed to look."""
    for path in sources(root):
        room = room_of(path.relative_to(root / "src").as_posix())
        for where, line in lines(root, path):
            include = INCLUDE.match(line)
            if not include:
                continue
            bracket, name = include.groups()
            if bracket == "<":
                for library, place in PLACES.items():
                    if name.startswith(library) and not where.startswith(place):
                        yield f"{where}: <{name}> belongs to {place}"
                continue
            if name in GENERATED:
                continue
            if not (root / "src" / name).is_file():
                yield f"{where}: no file src/{name}; includes are relative to src/"
                continue
            if not {room_of(name), name} & {room, *ROOMS.get(room, ())}:
                yield f"{where}: {room or 'the top level'} must not include {name}"


def check_rooms(root):
    """Every folder has its place in the order, and the order has no circle."""
    above = set()
    for room, allowed in ROOMS.items():
        for name in sorted({room_of(name + "/") for name in allowed} - above):
            yield f"test/lint/lint.py: {room or 'the top level'} may include {name}, which does not stand above it"
        above.add(room)
    for path in sorted((root / "src").iterdir()):
        if path.is_dir() and path.name not in ROOMS:
            yield f"src/{path.name}: not in the table of rooms in test/lint/lint.py"


def check_headers(root, compiler):
    """Each header compiles when nothing was included before it."""
    for path in sources(root):
        if path.suffix != ".h":
            continue
        with tempfile.TemporaryDirectory() as made, tempfile.NamedTemporaryFile("w", suffix=".c") as unit:
            for name in GENERATED:
                (pathlib.Path(made) / name).touch()
            unit.write(f'#include "{path.relative_to(root / "src").as_posix()}"\n')
            unit.flush()
            flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
            run = subprocess.run([*compiler, *flags, f"-I{root / 'src'}", f"-I{made}", unit.name], capture_output=True, text=True)
            if run.returncode:
                yield f"{path.relative_to(root)}: does not compile alone: {run.stderr.strip().splitlines()[0]}"


def check_guards(root):
    """The guard is the file's name, so that no two headers shut each other out."""
    for path in sources(root):
        if path.suffix == ".h":
            wish = re.sub(r"[^A-Z0-9]", "_", path.relative_to(root / "src").as_posix().upper())
            if f"#ifndef {wish}\n#define {wish}\n" not in path.read_text(encoding="utf-8"):
                yield f"{path.relative_to(root)}: the include guard is not {wish}"


def check_finished(root):
    """Nothing is left for later."""
    for path in texts(root):
        for where, line in lines(root, path):
            if UNFINISHED.search(line):
                yield f"{where}: unfinished: {line.strip()}"


def check_version(root):
    """The version is said once, in meson.build; CHANGELOG.md has a section for it."""
    version = re.search(r"version: '([0-9.]+)'", (root / "meson.build").read_text(encoding="utf-8")).group(1)
    number = re.compile(r"(?<![\w.])v?" + re.escape(version) + r"(?![\w.])")
    for path in texts(root):
        if path.relative_to(root).parts[0] in {"CHANGELOG.md", "deps", "test"} or path == root / "meson.build":
            continue
        for where, line in lines(root, path):
            if number.search(line):
                yield f"{where}: the version belongs to meson.build alone: {line.strip()}"
    if f"## [{version}]" not in (root / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield f"CHANGELOG.md: no section for {version}"


def check_listed(root):
    """A source file that the build does not know is never compiled, a test never run, a table never read."""
    included = {match[2] for path in sources(root) for _, line in lines(root, path) if (match := INCLUDE.match(line))}
    built = (root / "meson.build").read_text(encoding="utf-8")
    tested = (root / "test/meson.build").read_text(encoding="utf-8")
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        if path.suffix == ".c" and f"'{name}'" not in built:
            yield f"{name}: not in meson.build"
        if path.suffix == ".inc" and name.removeprefix("src/") not in included:
            yield f"{name}: included by nothing"
    for path in sources(root, "test/unit"):
        if path.name.startswith("test_") and path.suffix == ".c":
            folder = path.parent.relative_to(root / "test/unit")
            name = (folder / path.stem[len("test_"):]).as_posix()
            if f"'{name}'" not in tested:
                yield f"{path.relative_to(root)}: not in test/meson.build"


def check_length(root):
    """A file fits a reader's head."""
    for path in sources(root):
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > LONGEST_FILE:
            yield f"{path.relative_to(root)}: {count} lines, more than {LONGEST_FILE}"


def check_tests(root):
    """Every source has its test, or a place in the table that says where its tests are."""
    for path in sources(root):
        name = path.relative_to(root).as_posix()
        test = root / "test/unit" / path.parent.relative_to(root / "src") / f"test_{path.name}"
        if path.suffix == ".c" and not test.is_file() and name not in UNTESTED:
            yield f"{name}: no {test.relative_to(root)}, and not in the table UNTESTED of test/lint/lint.py"
        elif test.is_file() and name in UNTESTED:
            yield f"{name}: has a test, and no need of the table UNTESTED of test/lint/lint.py"
    for name in UNTESTED:
        if not (root / name).is_file():
            yield f"{name}: in the table UNTESTED of test/lint/lint.py, but gone"


def check_names(root):
    """A header or a struct is found by its name alone."""
    places = {}
    for path in sources(root):
        if path.suffix == ".h":
            places.setdefault(path.name, []).append(path.relative_to(root).as_posix())
        for where, line in lines(root, path):
            if struct := STRUCT.match(line):
                places.setdefault(struct[1], []).append(where)
    for name, found in places.items():
        if len(found) > 1 and name not in SAME_NAME:
            yield f"{found[-1]}: {name} is the name of another one in {found[0]}"
    for name in SAME_NAME:
        if len(places.get(name, [])) < 2:
            yield f"test/lint/lint.py: {name} is not there twice any more, take it out of SAME_NAME"


def check_helpers(root):
    """A static helper is found by its name, too. Callbacks are named after their event, which may be the same."""
    places = {}
    for path in sources(root):
        for name in set(HELPER.findall(path.read_text(encoding="utf-8"))):
            if not name.startswith("on_"):
                places.setdefault(name, []).append(path.relative_to(root).as_posix())
    for name, found in sorted(places.items()):
        if len(found) > REPEATED.get(name, REPEATED_IN_MOST):
            yield f"{found[-1]}: {name}() is a helper in {len(found)} files: {', '.join(found)}"


def check_lines(root):
    """Lines fit the window, and what fits on one line ends on it."""
    for folder in ("src", "test"):
        for path in sources(root, folder):
            name, text = path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
            long = [number for number, line in enumerate(text.split("\n"), 1) if len(line) > comments.WIDTH]
            if name in UNWRAPPED:
                continue
            if long:
                yield f"{name}:{long[0]}: more than {comments.WIDTH} columns"
            elif comments.rewrite(text) != text:
                yield f"{name}: comments to be wrapped by ./dev format"


RULES = [
    check_arrows, check_rooms, check_guards, check_finished, check_version, check_listed, check_length, check_tests, check_names,
    check_helpers, check_lines,
]


def main(root, *compiler):
    root = pathlib.Path(root).resolve()
    results = [(rule, list(rule(root))) for rule in RULES]
    if compiler:
        results.append((check_headers, list(check_headers(root, compiler))))
    print(f"1..{len(results)}")
    for number, (rule, faults) in enumerate(results, 1):
        print(f"{'not ok' if faults else 'ok'} {number} - {rule.__name__}")
        for fault in faults:
            print("#", fault)
            print(fault, file=sys.stderr)
    return any(faults for _, faults in results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
