"""Runs the fuzzers of a build, one after the other, and keeps what they find."""

import argparse
import pathlib
import re
import resource
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# Longer inputs only take time. The whole program reads a script, which is short.
LONGEST = {"whole_program": 2048}
# An input that takes so many seconds is a finding, too.
SLOWEST_S = 30


def fuzzers(build):
    """The targets that were built, by name."""
    found = sorted(path for path in (build / "test/fuzz").glob("fuzz_*") if path.is_file())
    return {path.name.removeprefix("fuzz_"): path for path in found}


def cpu_seconds():
    """CPU time of all processes that were run and have ended. A busy machine gives a fuzzer less of it than of the clock's."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def arguments_of(name):
    dictionary = HERE / "dictionaries" / f"{name}.dict"
    yield f"-max_len={LONGEST.get(name, 4096)}"
    yield f"-timeout={SLOWEST_S}"
    yield "-rss_limit_mb=3000"
    if dictionary.is_file():
        yield f"-dict={dictionary}"


def run(name, fuzzer, work, seconds):
    """Fuzzes one target for some seconds. Returns True if nothing was found."""
    corpus, found, log = work / "corpus" / name, HERE / "found" / name, work / f"{name}.log"
    for folder in (corpus, found):
        folder.mkdir(parents=True, exist_ok=True)
    seeds = [str(folder) for folder in (HERE / "corpus" / name, found) if folder.is_dir()]
    command = [str(fuzzer), *arguments_of(name), f"-max_total_time={seconds}", f"-artifact_prefix={found}/", str(corpus), *seeds]
    before = cpu_seconds()
    with open(log, "wb") as output:
        result = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    text = log.read_text(encoding="utf-8", errors="replace")
    state = re.findall(r"#(\d+)\s.*cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)", text)
    if state:
        runs, edges, features, inputs, size = state[-1]
        print(f"{name:14} {runs:>10} runs {cpu_seconds() - before:>5.0f} s of CPU time {edges:>6} edges "
              f"{features:>7} features {inputs:>6} inputs, {size}", flush=True)
    if result.returncode:
        print(f"{name}: a fault (exit code {result.returncode}), see {log}; the input is kept in {found.relative_to(HERE.parent.parent)}")
        for line in re.findall(r"^.*(?:FAULT|ERROR: |runtime error).*$", text, re.M)[:3]:
            print("   ", line)
    if found.is_dir() and not any(found.iterdir()):
        found.rmdir()
    return result.returncode == 0


def keep(name, fuzzer, work):
    """Makes the committed corpus anew: the fewest and smallest inputs that reach all that is reached."""
    kept, merged = HERE / "corpus" / name, work / "merged" / name
    sources = [folder for folder in (kept, work / "corpus" / name) if folder.is_dir()]
    shutil.rmtree(merged, ignore_errors=True)
    merged.mkdir(parents=True)
    coarse = ["-use_value_profile=0", "-set_cover_merge=1", "-use_counters=0"]
    command = [str(fuzzer), *arguments_of(name), *coarse, str(merged), *map(str, sources)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(merged, kept)
    files = list(kept.iterdir())
    print(f"{name:14} {len(files):>5} inputs, {sum(file.stat().st_size for file in files)} bytes")


def main():
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--keep", action="store_true", help="make the committed corpus anew from what was found so far")
    parser.add_argument("target", nargs="?", help="one target; all if there is none")
    parser.add_argument("seconds", nargs="?", type=int, default=60, help="for each target")
    options = parser.parse_args()
    known = fuzzers(options.build)
    if options.target and options.target.isdigit():
        options.target, options.seconds = None, int(options.target)
    if options.target and options.target not in known:
        parser.error(f"{options.target}: expected one of {', '.join(known)}")
    chosen = [options.target] if options.target else list(known)
    work = options.build / "work"
    if options.keep:
        for name in chosen:
            keep(name, known[name], work)
        return 0
    good = [run(name, known[name], work, options.seconds) for name in chosen]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
