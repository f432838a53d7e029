"""Names what failed in a run of the tests, and counts: the last line is "N passed, M failed".

    sum_up.py STEPS TESTLOG JUNIT...

STEPS is how many steps of the run went wrong; each counts as one failure at least, so that nothing gets lost. TESTLOG is
meson's testlog.json, which knows what timed out or ended without a result; JUNIT are reports, of which any may be missing.
"""

import json
import sys
import xml.etree.ElementTree as tree


def cases(path):
    """The test cases of a report."""
    try:
        return list(tree.parse(path).iter("testcase"))
    except (OSError, tree.ParseError):
        return []


def runs(path):
    """(name, result) of each program that meson ran."""
    try:
        with open(path, encoding="utf-8") as lines:
            return [(test["name"], test["result"]) for test in map(json.loads, lines)]
    except (OSError, ValueError, KeyError):
        return []


def main(steps, testlog, *reports):
    passed, skipped, failed, named = 0, 0, [], set()
    for case in (case for path in reports for case in cases(path)):
        kinds = {child.tag for child in case}
        where = case.get("classname") or ""
        if kinds & {"failure", "error"}:
            named.add(where.split(".", 1)[-1])
            failed.append(f"FAILED {where} {case.get('name')}")
        elif "skipped" in kinds:
            skipped += 1
            print("skipped", where, case.get("name"))
        else:
            passed += 1
    for name, result in runs(testlog):
        if result == "TIMEOUT":
            failed.append(f"TIMED OUT {name}")
        elif result in ("FAIL", "ERROR", "INTERRUPT") and name not in named:
            failed.append(f"FAILED {name}, which ended without saying why")
    for line in failed:
        print(line)
    count = max(len(failed), int(steps))
    if passed + count == 0:
        count = 1
    if skipped:
        print(f"{skipped} skipped")
    print(f"{passed} passed, {count} failed")
    return count > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
