"""
Instructions per target for parse and for encode, which depend on compiler and libraries, not on the machine's mood.

Each is the difference of two runs under callgrind that differ in how often they do it (instructions.c), so that all
that happens once drops out. libc chooses its string functions by what the processor can: without the tunables below,
parse takes 3 % and encode 9 % fewer where there is AVX2. With them every x86-64 counts the same.

Whole scrapes are counted in the exporter itself, which also polls and compresses; what the kernel does is in no figure.
"""

import os
import pathlib
import re
import subprocess
import tempfile
import urllib.request

from support.process import Process, accepts, free_port, wait_until

HERE = pathlib.Path(__file__).resolve().parent
CAPTURE = HERE.parent / "data/samples/d18"
FIGURES = HERE / "instructions.txt"

PLAIN_X86_64 = "glibc.cpu.hwcaps=" + ",".join(
    "-" + name for name in ("AVX2", "AVX", "BMI2", "ERMS", "LZCNT", "MOVBE", "RTM", "SSE4_2", "SSE4_1", "SSSE3",
                            "AVX_Fast_Unaligned_Load", "Fast_Unaligned_Copy", "Prefer_No_VZEROUPPER"))

PARSES = (10, 60)
ENCODES = (1, 6)
ENCODE_TARGETS = 20

HEAD = """\
# What one target of the capture test/data/samples/d18 costs, in instructions under callgrind. A test holds the
# program to these figures within 5 %, if compiler and libc are those that are named here. When a change makes it
# better, or must make it worse, `./dev bench --renew` writes them anew: commit them with the change.
"""


def _count(*command):
    with tempfile.TemporaryDirectory() as place:
        run = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={place}/out", *[str(word) for word in command]],
            env=dict(os.environ, GLIBC_TUNABLES=PLAIN_X86_64), capture_output=True, text=True, timeout=120, check=False)
    found = re.search(r"Collected : (\d+)", run.stderr)
    assert run.returncode == 0 and found, run.stderr
    return int(found.group(1))


def parse(programs, how="parse"):
    """`how` is "parse" for replies as they are expected, "parse-shuffled" for those of which no line is."""
    few, many = (_count(programs / "instructions", how, CAPTURE, times) for times in PARSES)
    return (many - few) // (PARSES[1] - PARSES[0])


def encode(programs, port, how="encode"):
    """`port` is that of a simulated fleet, `how` "encode" or "encode-protobuf"."""
    few, many = (_count(programs / "instructions", how, port, ENCODE_TARGETS, times) for times in ENCODES)
    return (many - few) // (ENCODES[1] - ENCODES[0]) // ENCODE_TARGETS


# How to ask for each kind of answer.
ANSWERS = {"text": {}, "gzip": {"Accept-Encoding": "gzip"}, "zstd": {"Accept-Encoding": "zstd"},
           "protobuf": {"Accept": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"}}
SCRAPES = (3, 13)
SCRAPE_S = 120


def _scrape(binary, targets, answer, times):
    port = free_port()
    exporter = Process(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, "--log.level=error",
                        f"--web.listen-address=127.0.0.1:{port}", "--memcached.address=" + ",".join(targets),
                        "--memcached.timeout=30s"], env=dict(os.environ, GLIBC_TUNABLES=PLAIN_X86_64))
    try:
        wait_until(lambda: accepts(("127.0.0.1", port)) or not exporter.running, "the exporter", SCRAPE_S)
        for _ in range(times):
            request = urllib.request.Request(f"http://127.0.0.1:{port}/metrics", headers=ANSWERS[answer])
            with urllib.request.urlopen(request, timeout=SCRAPE_S) as response:
                response.read()
        exporter.terminate(SCRAPE_S)
        found = re.search(r"Collected : (\d+)", exporter.stderr)
        assert found, exporter.stderr
        return int(found.group(1))
    finally:
        exporter.kill()


def scrape(binary, targets, answer):
    """A whole scrape of these targets, polls and all, whose answer is of that kind: per target."""
    few, many = (_scrape(binary, targets, answer, times) for times in SCRAPES)
    return (many - few) // (SCRAPES[1] - SCRAPES[0]) // len(targets)


def made_with(programs):
    run = subprocess.run([programs / "instructions", "made-with"], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def measure(programs, port):
    return {"made-with": made_with(programs), "parse": str(parse(programs)),
            "parse-shuffled": str(parse(programs, "parse-shuffled")), "encode": str(encode(programs, port)),
            "encode-protobuf": str(encode(programs, port, "encode-protobuf"))}


def write_figures(figures):
    FIGURES.write_text(HEAD + "".join(f"{key} {value}\n" for key, value in figures.items()), encoding="ascii")


def read_figures():
    lines = FIGURES.read_text(encoding="ascii").splitlines()
    return dict(line.split(" ", 1) for line in lines if not line.startswith("#"))
