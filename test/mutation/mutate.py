"""
Changes one operator of a source after the other, and runs the unit tests of that source on each: a change that no test
minds, a surviving mutant, shows what is not tested. Sources are changed in a copy below build/.

    mutate.py FILE ... [--lines=FROM-TO]     FILE as in src/net/policy.c

Prints each survivor, and as the last line how many there were. Those that explained.tsv explains are not counted. The
exit code is 0 if there are no others.
"""

import argparse
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COPY = ROOT / "build/mutation/source"
BUILD = ROOT / "build/mutation/build"
EXPLAINED = pathlib.Path(__file__).with_name("explained.tsv")
TEST_S = 60

# Unit tests that a source has beside those of its own name.
MORE_TESTS = {
    "src/memcached/reply.c": ["memcached/session", "memcached/sizes", "memcached/client"],
    "src/memcached/fan_out.c": ["memcached/fleet"],
    "src/http/request.c": ["http/connection"],
    "src/net/policy.c": ["net/policy_rule", "web/parameters"],
    "src/net/policy_rule.c": ["net/policy"],
    "src/gather/gather.c": ["gather/expose"],
}

# What becomes of each token. Longer tokens come first, so that "<=" is no "<".
TOKENS = [("<<=", None), (">>=", None), ("<<", ">>"), (">>", "<<"), ("->", None), ("++", "--"), ("--", "++"), ("+=", "-="), ("-=", "+="),
          ("<=", "<"), (">=", ">"), ("==", "!="), ("!=", "=="), ("&&", "||"), ("||", "&&"), ("&=", None), ("|=", None), ("*=", None),
          ("<", "<="), (">", ">="), (" + ", " - "), (" - ", " + "), (" * ", " / "), (" / ", " * "), (" % ", " * "), (" & ", " | "),
          (" | ", " & "), ("!", "")]
WORDS = {"true": "false", "false": "true", "continue": "break"}
TOKEN = re.compile("|".join(re.escape(token) for token, _ in TOKENS) + r"|\b(?:" + "|".join(WORDS) + r")\b|\b\d+u?\b")
# Nothing is changed in these: comments, texts, directives, asserts, declarations of types.
SKIPPED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|^[ \t]*#(?:[^\n]*\\\n)*[^\n]*$|\b_?(?:Static_)?assert\([^;]*;|\bsizeof\b'
                     r'|^(?:static )?(?:const )?(?:struct|enum|union) \w+ \{.*?^\}', re.S | re.M)


class Mutant:
    def __init__(self, text, start, end, new):
        self.text = text[:start] + new + text[end:]
        self.line = text.count("\n", 0, start) + 1
        self.source = text.splitlines()[self.line - 1].strip()
        column = start - text.rfind("\n", 0, start) - 1
        self.old, self.new, self.column = text[start:end].strip(), new.strip(), column
        # How many such tokens the line has before it, so that a table finds it again.
        before = text[text.rfind("\n", 0, start) + 1:start]
        self.turn = len([token for token in TOKEN.findall(before) if token.strip() == self.old]) + 1

    def __str__(self):
        return f"{self.line}: `{self.old}` no. {self.turn} becomes `{self.new}` in: {self.source}"

    def key(self):
        return (self.source, self.old, str(self.turn))


def mutants(text):
    skipped = [match.span() for match in SKIPPED.finditer(text)]
    for match in TOKEN.finditer(text):
        if any(begin <= match.start() < end for begin, end in skipped):
            continue
        token = match.group()
        if token in WORDS:
            new = WORDS[token]
        elif token[0].isdigit():
            new = re.sub(r"\d+", lambda digits: str(int(digits.group()) + 1), token)
        else:
            new = dict(TOKENS)[token]
        if new is not None and not is_pointer(text, match, token):
            yield Mutant(text, match.start(), match.end(), new)


def is_pointer(text, match, token):
    """`*` and `&` between blanks are operators here; a `<` of an include is skipped as a directive."""
    return token == "!" and text[match.end()] == "="


def quietly(command, **more):
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)


def set_up():
    """A copy of the sources, and a sanitized build of it."""
    COPY.mkdir(parents=True, exist_ok=True)
    listed = quietly(["git", "-C", ROOT, "ls-files", "-z"]).stdout.split("\0")
    for name in filter(None, listed):
        old, new = ROOT / name, COPY / name
        if old.is_file() and (not new.exists() or old.read_bytes() != new.read_bytes()):
            new.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(old, new)
    if not (BUILD / "build.ninja").exists():
        llhttp = os.environ.get("LLHTTP_SOURCE", "/usr/share")
        made = quietly(["meson", "setup", BUILD, COPY, f"-Dllhttp_source={llhttp}", "--buildtype=debug", "-Db_lto=false",
                        "-Db_sanitize=address,undefined", "-Dtests=enabled", "-Drevision=mutant", "-Dbranch=mutant"])
        assert made.returncode == 0, made.stdout


def tests_of(name):
    """The names of the executables."""
    room, module = pathlib.PurePath(name).relative_to("src").with_suffix("").parts[-2:]
    wanted = [f"{room}/{module}", *MORE_TESTS.get(name, [])]
    files = [path.relative_to(ROOT / "test/unit") for path in (ROOT / "test/unit" / room).glob(f"test_{module}_*.c")]
    wanted += [f"{file.parent}/{file.stem.removeprefix('test_')}" for file in files]
    known = quietly(["ninja", "-C", BUILD, "-t", "targets", "all"]).stdout
    return [target for target in ("test/test_" + test.replace("/", "_") for test in dict.fromkeys(wanted)) if f"\n{target}:" in known]


def build(targets):
    return quietly(["ninja", "-C", BUILD, *targets]).returncode == 0


def passes(target):
    """In a group of its own, so that a mutant that hangs is ended with its children."""
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", TEST_DATA=str(COPY / "test/data"), ASAN_OPTIONS="detect_leaks=1")
    process = subprocess.Popen([BUILD / target], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        return process.wait(TEST_S) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return False


def optimised(name, text):
    """The assembler of an optimised build: a mutant with the same one is the same program."""
    entries = json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8"))
    command = next(entry["command"] for entry in entries if entry["file"].endswith("/" + name))
    words = [word for word in shlex.split(command) if not word.startswith(("-fsanitize", "-M")) and word != "-g"]
    output = words.index("-o")
    del words[output:output + 2]
    words = [word for word in words if not word.endswith((".o.d", ".o"))]
    (COPY / name).write_text(text, encoding="utf-8")
    return quietly([*words, "-O2", "-g0", "-DNDEBUG", "-S", "-o", "-"], cwd=BUILD).stdout


def read_explained(name):
    """{(line's text, token, turn): reason}"""
    rows = [line.split("\t") for line in EXPLAINED.read_text(encoding="utf-8").splitlines()[1:]]
    return {(source, old, turn): reason for file, source, old, turn, reason in rows if file == name}


def run(name, lines):
    """The survivors that nobody has explained."""
    original = (ROOT / name).read_text(encoding="utf-8")
    targets = tests_of(name)
    (COPY / name).write_text(original, encoding="utf-8")
    assert targets and build(targets) and all(map(passes, targets)), f"the tests of {name} fail as it is: {targets}"
    print(f"{name}: {', '.join(target.removeprefix('test/test_') for target in targets)}", flush=True)
    explained, left, killed, unbuilt, same = read_explained(name), [], 0, 0, 0
    for mutant in mutants(original):
        if lines and not lines[0] <= mutant.line <= lines[1]:
            continue
        (COPY / name).write_text(mutant.text, encoding="utf-8")
        if not build(targets[:1]):
            unbuilt += 1
        elif not all(build([target]) and passes(target) for target in targets):  # most are killed by the first
            killed += 1
        elif mutant.key() in explained or optimised(name, mutant.text) == optimised(name, original):
            same += 1
        else:
            left.append(mutant)
            print(f"{name}:{mutant}", flush=True)
    (COPY / name).write_text(original, encoding="utf-8")
    print(f"{name}: {killed} killed, {same} the same program or explained, {unbuilt} no program, {len(left)} survived", flush=True)
    return left


def main():
    parser = argparse.ArgumentParser(prog="./dev mutate", description="changes that no test minds")
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--lines", help="only mutants of these lines, as in 10-25")
    options = parser.parse_args()
    lines = [int(word) for word in options.lines.split("-")] if options.lines else None
    set_up()
    survivors = sum(len(run(name, lines)) for name in options.files)
    print(f"{survivors} survived")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
