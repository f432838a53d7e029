"""
What programs find in the sources by reading them, and by running their tests under valgrind. Prints each finding, and at
the end one line for each tool. Findings that explained.tsv explains are not counted; an explanation that explains nothing any
more is a finding. The exit code is 0 if there are none.

    analyse.py [--build=DIR] [TOOL ...]     DIR: a debug build with tests and without sanitizers, which the tools but those of
                                            QUICK need; TOOL: some of TOOLS only
"""

import argparse
import collections
import concurrent.futures
import fnmatch
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).parent
EXPLAINED = HERE / "explained.tsv"
# What they all can be made to say: a file, a line, perhaps a column, and what is wrong.
FINDING = re.compile(r"(?:\./|" + re.escape(str(ROOT)) + r"/|(?:\.\./)*)([\w./-]+):(\d+)(?::\d+)?: (?!note:)(?:\w+: )?(.*)")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[mK]")

# gcc 12 follows no memory into arrays that grow and lists that own their members: LeakSanitizer and the tests of failing
# allocations do. It does not know that a list is not empty, and takes values for uninitialised that a loop has set; memcheck
# and UndefinedBehaviorSanitizer see what happens.
FANALYZER = ("-O1", "-fanalyzer", "-Wno-analyzer-malloc-leak", "-Wno-analyzer-null-dereference", "-Wno-analyzer-null-argument",
             "-Wno-analyzer-use-of-uninitialized-value", "-Wno-maybe-uninitialized")
SCAN_BUILD = ("clang", "--analyze", "-Xclang", "-analyzer-output=text", "--analyzer-no-default-checks", "-Xclang",
              "-analyzer-checker=core,unix,deadcode,security.FloatLoopCounter,nullability")
# The words are an option that tests misspell on purpose.
CODESPELL = ("codespell", "--ignore-words-list=adress")

# The exit code of valgrind when it found something.
FAULTY = 99

# Tests of what starts threads, or changes what the loop shares with them.
THREADED = ("base/log", "web/password", "outputs/textfile", "discovery/file_sd", "discovery/http_sd", "targets/reload", "targets/access_watch",
            "process/reserve", "http/exchange", "net/dialer")


def run(command, **more):
    return subprocess.run(["nice", *map(str, command)], capture_output=True, text=True, errors="replace", check=False, cwd=more.pop("cwd", ROOT),
                          **more)


def files(*patterns):
    """The files that there are, with or without git, below the root."""
    return sorted(str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern) if path.is_file())


# --- Tools that need no build: each takes the whole tree at once ---

def cppcheck():
    """What it knows of unchanged files is kept in build/cppcheck."""
    kept = ROOT / "build/cppcheck"
    kept.mkdir(parents=True, exist_ok=True)
    return run(["cppcheck", "--enable=warning,performance,portability", "--quiet", "--template={file}:{line}: {message} [{id}]", f"-j{os.cpu_count()}",
                f"--cppcheck-build-dir={kept}", "-Isrc", "-D_GNU_SOURCE", *files("src/**/*.c")]).stderr


def shellcheck():
    return run(["shellcheck", "--format=gcc", "dev", ".ci/run"]).stdout


def codespell():
    """Words that people misspell, in what others read. Tests misspell on purpose."""
    read = [name for name in files("src/**/*", "config/**/*", "dev", "*.md", "test/**/*.md") if "/grafana/" not in name]
    return run([*CODESPELL, *read]).stdout


# --- Tools that take one source, as it is compiled ---

def sources(build):
    """(file, command, folder) of each source of the program."""
    for entry in json.loads((build / "compile_commands.json").read_text(encoding="utf-8")):
        path = os.path.normpath(os.path.join(entry["directory"], entry["file"]))
        if path.startswith(str(ROOT / "src")) and path.endswith(".c") and not path.endswith("sandbox_filter.c"):
            yield path, entry["command"], entry["directory"]


def fanalyzer(build, path, command, folder):
    words = [word for word in shlex.split(command) if word not in ("ccache", "-Werror", "-O0", "-MD")]
    for flag in ("-o", "-MQ", "-MF"):
        at = words.index(flag)
        del words[at:at + 2]
    return run([*words, *FANALYZER, "-o", "/dev/null"], cwd=folder).stderr


def tidy(build, path, command, folder):
    return run(["clang-tidy", "-p", build, "--quiet", path]).stdout


def scan_build(build, path, command, folder):
    """The analyzer behind scan-build, without its wrapper."""
    words = shlex.split(command)
    kept = [word for word in words if word.startswith(("-I", "-D", "-std"))]
    for at, word in enumerate(words):
        if word == "-isystem":
            kept += words[at:at + 2]
    return run([*SCAN_BUILD, *kept, path], cwd=folder).stderr


# --- Tools that run one test ---

def build_hints(build):
    """What test/analysis/helgrind_hints.c makes."""
    made = build / "helgrind_hints.so"
    subprocess.run(["cc", "-O1", "-g", "-shared", "-fPIC", "-o", made, HERE / "helgrind_hints.c"], check=True)
    return made


def valgrind(build, test, *options, **environment):
    """One finding for a test that a tool of valgrind finds fault with. A test may fail because valgrind makes it slow: only a crash counts."""
    program = build / "test" / ("test_" + test.replace("/", "_"))
    log = run(["valgrind", f"--error-exitcode={FAULTY}", "--fair-sched=yes", f"--suppressions={HERE / 'valgrind.supp'}", *options, program],
              env=dict(os.environ, TEST_DATA=str(ROOT / "test/data"), CMOCKA_MESSAGE_OUTPUT="TAP", **environment))
    if log.returncode != FAULTY and log.returncode >= 0:
        return ""
    faults = [line.split("== ", 1)[-1].strip() for line in log.stderr.splitlines()[5:] if "Thread-Announcement" not in line]
    return f"test/unit/{os.path.dirname(test)}/test_{os.path.basename(test)}.c:1: " + " | ".join(faults[:30]) + "\n"


def memcheck(build, test):
    return valgrind(build, test, "--tool=memcheck", "--leak-check=full")


def helgrind(build, test):
    return valgrind(build, test, "--tool=helgrind", "--history-level=approx", LD_PRELOAD=str(build / "helgrind_hints.so"))


QUICK = {"cppcheck": cppcheck, "shellcheck": shellcheck, "codespell": codespell}
EACH_SOURCE = {"fanalyzer": fanalyzer, "clang-tidy": tidy, "scan-build": scan_build}
EACH_TEST = {"memcheck": memcheck, "helgrind": helgrind}
TOOLS = [*QUICK, *EACH_SOURCE, *EACH_TEST]


def jobs(build, tools):
    """(tool, source or None, function, arguments) of each run."""
    for tool in tools:
        if tool in QUICK:
            yield tool, None, QUICK[tool], ()
        elif tool in EACH_SOURCE:
            yield from ((tool, os.path.relpath(source[0], ROOT), EACH_SOURCE[tool], (build, *source)) for source in sources(build))
        else:
            yield from ((tool, None, EACH_TEST[tool], (build, test)) for test in THREADED)


def findings(text, source):
    """(file, line, message) of each line that is one; the message names the source if that is not the file."""
    for line in ESCAPES.sub("", text).splitlines():
        match = FINDING.match(line)
        if match and (ROOT / match[1]).is_file():
            name, number, message = match.groups()
            yield name, number, message if source in (None, name) else f"{message} (seen from {source})"


def explanation(tool, name, message, known):
    """The row that explains a finding, or None. A row may say * for parts of the file's name."""
    return next((row for row in known if row[0] == tool and fnmatch.fnmatchcase(name, row[1]) and row[2] in message), None)


def read_explained():
    return [tuple(line.split("\t")) for line in EXPLAINED.read_text(encoding="utf-8").splitlines()[1:]]


def analyse(build, tools):
    """Prints what there is to say. Returns how many findings nobody has explained."""
    known = [row for row in read_explained() if row[0] in tools]
    found, used = collections.defaultdict(set), collections.defaultdict(set)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = {pool.submit(call, *arguments): (tool, source) for tool, source, call, arguments in jobs(build, tools)}
        for done in concurrent.futures.as_completed(work):
            tool, source = work[done]
            for name, line, message in findings(done.result(), source):
                row = explanation(tool, name, message, known)
                if row:
                    used[tool].add(row)
                elif (name, line, message) not in found[tool]:
                    found[tool].add((name, line, message))
                    print(f"{tool}: {name}:{line}: {message}", flush=True)
    for row in known:
        if row not in used[row[0]]:
            found[row[0]].add(row)
            print(f"{row[0]}: {EXPLAINED.relative_to(ROOT)}: explains nothing any more: {row[1]}: {row[2]}")
    for tool in tools:
        print(f"{'not ok' if found[tool] else 'ok'} - {tool}: {len(found[tool])} findings, {len(used[tool])} kinds explained")
    return sum(map(len, found.values()))


def main():
    parser = argparse.ArgumentParser(prog="./dev analyse", description="what programs find in the sources")
    parser.add_argument("--build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(TOOLS))
    options = parser.parse_args()
    tools = options.tools or TOOLS
    unknown = set(tools) - set(TOOLS)
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    if "helgrind" in tools:
        build_hints(options.build)
    return 1 if analyse(options.build, tools) else 0


if __name__ == "__main__":
    sys.exit(main())
