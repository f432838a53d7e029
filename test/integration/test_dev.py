"""The commands of ./dev: they explain themselves, show how far they are, and count what failed."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from support.process import wait_until

ROOT = pathlib.Path(__file__).resolve().parents[2]
USAGE = subprocess.run([ROOT / "dev"], capture_output=True, text=True, check=True, timeout=60).stdout
COMMANDS = re.findall(r"^  ([a-z]+) ", USAGE, re.M)


def dev(*arguments):
    return subprocess.run([ROOT / "dev", *arguments], capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_and_starts_nothing(command):
    for arguments in ((command, "--help"), (command, "-h")):
        process = dev(*arguments)
        assert process.returncode == 0 and process.stderr == ""
        assert process.stdout.startswith(f"usage: ./dev {command}\n")
        assert f"\n  {command} " in process.stdout
        assert not [other for other in COMMANDS if other != command and f"\n  {other} " in process.stdout]


def test_each_command_that_is_explained_is_there():
    rows = (ROOT / "dev").read_text(encoding="utf-8").split("\ncase $command in\n")[1]
    assert sorted(re.findall(r"^([a-z]+)\) ", rows, re.M)) == sorted(COMMANDS)


@pytest.mark.parametrize("arguments, expected", [
    (("build", "all"), "build takes no arguments, not all"),
    (("lint", "src"), "lint takes no arguments, not src"),
    (("clean", "release"), "clean takes no arguments, not release"),
    (("format", "--chek"), "format takes --check, not --chek"),
    (("deb", "--chek"), "deb takes --check, not --chek"),
    (("demo", "once"), "demo takes --once, not once"),
    (("exhaustion", "many"), "exhaustion takes a number of allocations, not many"),
    (("test", "memcached/nothing"), "there is no test memcached/nothing"),
    (("test", "test_nothing.py"), "there is no test test_nothing.py"),
])
def test_wrong_arguments_start_nothing(arguments, expected):
    process = dev(*arguments)
    assert process.returncode == 1
    assert process.stderr.startswith(f"dev: {expected}") and process.stderr.count("\n") == 1
    assert process.stdout == ""


@pytest.fixture
def workshop(tmp_path):
    """A folder with ./dev and tools that only pretend: ninja says that it is at step 7 of 9, until the file `go` is there."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, lines in {
        "dpkg-query": "echo -n installed",
        "pkg-config": "exit 0",
        "meson": "mkdir -p build/release && touch build/release/build.ninja",
        "ninja": "echo '[7/9] Compiling 3/4 of it'; while [ ! -e go ]; do sleep 0.1; done",
    }.items():
        (tools / name).write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    shutil.copy(ROOT / "dev", tmp_path)
    return tmp_path


@pytest.mark.parametrize("terminal, expected", [
    (False, r"dev: still working, step 7 of 9, \d+ s\n"), (True, r"\r\x1b\[Kdev: step 7 of 9, \d+ s\r\x1b\[Kdev: step 7 of 9"),
])
def test_long_steps_show_how_far_they_are(workshop, terminal, expected):
    ours, theirs = os.openpty() if terminal else os.pipe()
    environment = {**os.environ, "PATH": f"{workshop / 'bin'}:{os.environ['PATH']}"}
    with subprocess.Popen(["./dev", "build"], cwd=workshop, env=environment, stdin=subprocess.DEVNULL, stdout=theirs) as process:
        os.close(theirs)
        said = [""]

        def shown():
            said[0] += os.read(ours, 4096).decode()
            return re.search(expected, said[0])

        wait_until(shown, f"the progress; said: {said}")
        (workshop / "go").touch()
        assert process.wait(60) == 0
    os.close(ours)


def report(path, *cases):
    lines = [f'<testcase classname="{where}" name="{name}">{inside}</testcase>' for where, name, inside in cases]
    path.write_text(f"<testsuites><testsuite>{''.join(lines)}</testsuite></testsuites>", encoding="utf-8")
    return path


def test_the_sum_names_what_failed_and_what_timed_out(tmp_path):
    """meson's report knows nothing of a test that timed out, and little of one that crashed."""
    unit = report(tmp_path / "unit.xml", ("exporter.a/good", "1", ""), ("exporter.a/bad", "2", "<failure/>"),
                  ("exporter.a/slow", "1", ""), ("exporter.a/good", "3", "<skipped/>"))
    integration = report(tmp_path / "integration.xml", ("test_a", "test_hangs", '<failure message="Timeout"/>'))
    runs = tmp_path / "testlog.json"
    runs.write_text("\n".join(json.dumps({"name": f"a/{name}", "result": result}) for name, result in (
        ("good", "OK"), ("bad", "ERROR"), ("slow", "TIMEOUT"), ("crash", "ERROR"))), encoding="utf-8")

    def summed(steps, *files):
        command = [sys.executable, "-B", ROOT / "test/support/sum_up.py", str(steps), *files]
        process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        return process.returncode, process.stdout.splitlines()

    assert summed(2, runs, unit, integration) == (1, [
        "skipped exporter.a/good 3", "FAILED exporter.a/bad 2", "FAILED test_a test_hangs", "TIMED OUT a/slow",
        "FAILED a/crash, which ended without saying why", "1 skipped", "2 passed, 4 failed"])
    assert summed(1, tmp_path / "nothing", tmp_path / "nothing") == (1, ["0 passed, 1 failed"])
    assert summed(0, tmp_path / "nothing", tmp_path / "nothing") == (1, ["0 passed, 1 failed"])


def test_image_builds_both_variants_with_the_first_engine_that_works(workshop):
    """Docker's client is there and its daemon is not; podman works, and is told version and revision."""
    for name, lines in {"docker": "exit 1", "podman": 'echo "$@" >>"$PODMAN_CALLS"'}.items():
        (workshop / "bin" / name).write_text(f"#!/bin/sh\n{lines}\n", encoding="utf-8")
        (workshop / "bin" / name).chmod(0o755)
    (workshop / "meson.build").write_text("project('x', 'c',\n  version: '1.2.3',\n)\n", encoding="utf-8")
    (workshop / "CHANGELOG.md").touch()
    calls = workshop / "calls"
    environment = {**os.environ, "PATH": f"{workshop / 'bin'}:{os.environ['PATH']}", "PODMAN_CALLS": str(calls),
                   "GIT_CEILING_DIRECTORIES": str(workshop.parent)}
    process = subprocess.run(["./dev", "image"], cwd=workshop, env=environment, capture_output=True, text=True, check=False,
                             stdin=subprocess.DEVNULL, timeout=60)
    assert process.returncode == 0, process.stderr
    label = "--build-arg REVISION=unknown --label org.opencontainers.image.version=1.2.3"
    assert calls.read_text(encoding="utf-8").splitlines()[1:] == [
        f"build --target shell {label} -t memcached-fleet-exporter:1.2.3 -t memcached-fleet-exporter:latest build/image",
        f"build --target noshell {label} -t memcached-fleet-exporter:1.2.3-noshell -t memcached-fleet-exporter:latest-noshell "
        "build/image",
    ]
