"""Which branches of src/ the unit tests and the kept inputs of the fuzz targets reach, file by file, and which not."""

import argparse
import json
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOAL = 95
# A failed assertion ends the process, so no test that passes takes that branch.
NOT_COUNTED = r".*\bassert\(.*"


def measure(build):
    """What gcov says of each file, as gcovr's JSON."""
    command = ["gcovr", "--root", str(ROOT), "--object-directory", str(build), "--filter", "src/", "--json", "-",
               "--exclude-branches-by-pattern", NOT_COUNTED, "-j", "2", str(build)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return json.loads(run.stdout)["files"]


def branches_of(file):
    """(line, taken) of each branch of a file. A branch counts once, however many programs have it."""
    for line in file["lines"]:
        for branch in line.get("branches", ()):
            yield line["line_number"], branch["count"] > 0


def ranges(numbers):
    """1, 2, 3, 7 as 1-3 7."""
    parts = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return " ".join(str(first) if first == last else f"{first}-{last}" for first, last in parts)


def main():
    parser = argparse.ArgumentParser(prog="./dev coverage", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--all", action="store_true", help="show files with nothing left, too")
    options = parser.parse_args()
    total = reached = 0
    for file in sorted(measure(options.build), key=lambda file: file["file"]):
        found = list(branches_of(file))
        missed = [line for line, taken in found if not taken]
        total += len(found)
        reached += len(found) - len(missed)
        if missed or options.all:
            share = 100 * (len(found) - len(missed)) / len(found) if found else 100
            print(f"{file['file']:40} {share:5.1f} %  {len(missed):4} of {len(found):4} branches not reached, in lines {ranges(missed)}")
    share = 100 * reached / total
    print(f"{reached} of {total} branches: {share:.1f} %; the goal is {GOAL} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
