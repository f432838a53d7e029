"""Which branches of src/ the unit tests and the kept inputs of the fuzz targets reach, file by file, and which not."""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOAL = 95
# A failed assertion ends the process, so no test that passes takes that branch.
NOT_COUNTED = r".*\bassert\(.*"

# Why a branch may be missed: the reason, and which files and which lines it is about. The first that fits counts. These are
# guesses from the text of the line; what fits none is a gap to be closed by a test.
REASONS = (
    ("gcov's counts are lost: a signal ends the process, or the sandbox keeps it from writing them",
     r"src/process/(crash|sandbox\w*)\.c$", r""),
    ("only an assertion calls the function, which therefore says yes", r"src/metrics/(histogram|summary)\.c$",
     r"return false;$"),
    ("memory runs out, in that line or below it", r"",
     r"alloc|ENOMEM|memory|strdup|arena|_new\(|_reserve|_copy\(|_add\(|failed|!copy|^\s*if \(!\w+(->\w+)?\) (return|goto|break|continue)"),
    ("a call of the system or of a library fails", r"",
     r"CURLE_OK|uv_fileno|gmtime|errno|(result|status|error|code|fd|written|descriptor|n|number|len|outcome) (<|!=|==|>=) 0|< 0\b"),
    ("a value that its enum does not have", r"", r"^\s*(switch|case|default)"),
)
NO_REASON = "none of these"


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


def reason_of(name, text):
    """Why a branch in that line of that file may be missed."""
    for reason, files, lines in REASONS:
        if re.search(files, name) and re.search(lines, text):
            return reason
    return NO_REASON


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
    parser.add_argument("--gaps", action="store_true", help="show each line that is missed without a reason")
    options = parser.parse_args()
    total = reached = 0
    reasons = collections.Counter()
    for file in sorted(measure(options.build), key=lambda file: file["file"]):
        found = list(branches_of(file))
        missed = [line for line, taken in found if not taken]
        texts = (ROOT / file["file"]).read_text(encoding="utf-8").splitlines()
        why = [reason_of(file["file"], texts[line - 1]) for line in missed]
        reasons.update(why)
        total += len(found)
        reached += len(found) - len(missed)
        if missed or options.all:
            share = 100 * (len(found) - len(missed)) / len(found) if found else 100
            print(f"{file['file']:40} {share:5.1f} %  {len(missed):4} of {len(found):4} branches not reached, in lines {ranges(missed)}")
        for line in sorted({line for line, reason in zip(missed, why) if options.gaps and reason == NO_REASON}):
            print(f"    {line}: {texts[line - 1].strip()}")
    for reason, count in reasons.most_common():
        print(f"{count:5} not reached, {100 * count / total:4.1f} %: {reason}")
    share = 100 * reached / total
    print(f"{reached} of {total} branches: {share:.1f} %; the goal is {GOAL} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
