"""
What takes minutes of looking at the sources, and of running them under valgrind. Prints each finding, and as the last
line how many there were. Those that explained.tsv explains are not counted. The exit code is 0 if there are no others.

    analyse.py BUILD [TOOL ...]     BUILD: a debug build with tests and without sanitizers; TOOL: some of TOOLS only
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXPLAINED = pathlib.Path(__file__).with_name("explained.tsv")
FINDING = re.compile(r"(?:\S*?/)?(src/[\w/]+\.[ch]):(\d+)(?::\d+)?: (?:warning|error|style|note)?:? ?(.*)")
ESCAPES = re.compile(r"\x1b\[[0-9;]*[mK]")

# gcc 12 follows no memory into arrays that grow and lists that own their members: LeakSanitizer and the tests of failing
# allocations do. It does not know that a list is not empty, and takes values for uninitialised that a loop has set; memcheck
# and UndefinedBehaviorSanitizer see what happens.
FANALYZER = ("-O1", "-fanalyzer", "-Wno-analyzer-malloc-leak", "-Wno-analyzer-null-dereference", "-Wno-analyzer-null-argument",
             "-Wno-analyzer-use-of-uninitialized-value", "-Wno-maybe-uninitialized")
CPPCHECK = ("cppcheck", "--enable=warning,performance,portability", "--quiet", "--template={file}:{line}: {message} [{id}]")

# Those that start threads, or change what the loop shares with them.
THREADED = ("base/log", "web/password", "outputs/textfile", "discovery/file_sd", "discovery/http_sd", "targets/reload", "targets/access_watch",
            "process/reserve", "http/exchange", "net/dialer")


def run(command, **more):
    return subprocess.run(["nice", *map(str, command)], capture_output=True, text=True, errors="replace", check=False, **more)


def sources(build):
    """(file, command, folder) of each source of the program."""
    for entry in json.loads((build / "compile_commands.json").read_text()):
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


def scan(build, path, command, folder):
    """The analyzer behind scan-build, without its wrapper."""
    words = [word for word in shlex.split(command) if word.startswith(("-I", "-D", "-std", "-isystem"))]
    follow = [shlex.split(command)[at + 1] for at, word in enumerate(shlex.split(command)) if word == "-isystem"]
    words = [word for word in words if word != "-isystem"] + [word for place in follow for word in ("-isystem", place)]
    return run(["clang", "--analyze", "-Xclang", "-analyzer-output=text", "--analyzer-no-default-checks", "-Xclang",
                "-analyzer-checker=core,unix,deadcode,security.FloatLoopCounter,nullability", *words, path], cwd=folder).stderr


def cppcheck(build, path, command, folder):
    defines = [word for word in shlex.split(command) if word.startswith("-D")]
    return run([*CPPCHECK, "-I", ROOT / "src", *defines, path]).stderr


def valgrind(build, tool, test):
    """One line for each test that a tool of valgrind finds fault with."""
    program = build / "test" / ("test_" + test.replace("/", "_"))
    log = run(["valgrind", f"--tool={tool}", "--error-exitcode=99", "--fair-sched=yes", "--leak-check=full" if tool == "memcheck" else "--history-level=approx",
               f"--suppressions={EXPLAINED.with_name('valgrind.supp')}", program], env=dict(os.environ, TEST_DATA=str(ROOT / "test/data"), CMOCKA_MESSAGE_OUTPUT="TAP"))
    if log.returncode == 0:
        return ""
    return f"src/{test}.c:0: warning: {tool} finds a fault in its test: " + " | ".join(log.stderr.splitlines()[:12]) + "\n"


EACH_SOURCE = {"fanalyzer": fanalyzer, "clang-tidy": tidy, "scan-build": scan, "cppcheck": cppcheck}
TOOLS = [*EACH_SOURCE, "memcheck", "helgrind"]


def findings(text):
    for line in ESCAPES.sub("", text).splitlines():
        match = FINDING.match(line)
        if match and "note:" not in line and "[" in match[3] or match and "finds a fault" in line:
            yield match.groups()


def explained(tool, name, message, known):
    return any(row[0] == tool and row[1] == name and row[2] in message for row in known)


def jobs(build, tools):
    for tool in tools:
        if tool in EACH_SOURCE:
            yield from ((tool, EACH_SOURCE[tool], (build, *source)) for source in sources(build))
        else:
            yield from ((tool, valgrind, (build, tool, test)) for test in THREADED)


def main():
    build, tools = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:] or TOOLS
    unknown = set(tools) - set(TOOLS)
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there are {', '.join(TOOLS)}")
    known = [line.split("\t") for line in EXPLAINED.read_text(encoding="utf-8").splitlines()[1:]]
    seen = set()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = {pool.submit(call, *arguments): tool for tool, call, arguments in jobs(build, tools)}
        for done in concurrent.futures.as_completed(work):
            tool = work[done]
            for name, line, message in findings(done.result()):
                if (tool, name, line, message) in seen or explained(tool, name, message, known):
                    continue
                seen.add((tool, name, line, message))
                print(f"{tool}: {name}:{line}: {message}", flush=True)
    print(f"{len(seen)} findings of {', '.join(tools)}")
    return 1 if seen else 0


if __name__ == "__main__":
    sys.exit(main())
