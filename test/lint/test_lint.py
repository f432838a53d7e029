"""The lint is shown to fail: each rule is given a small tree that breaks it, and one that does not. TAP."""

import pathlib
import sys
import tempfile
import traceback
from unittest import mock

import lint

UNFINISHED = "TO" "DO"

# The tables of the lint that name files, as they are for the small tree.
TABLES = {"UNTESTED": {"src/main.c": "the tests run it"}, "SAME_NAME": {}, "REPEATED": {}, "UNWRAPPED": {"src/net/long.c"}}
STRUCT = "struct twice {\n    int i;\n};\n"
HELPER = "static void help(void)\n{\n}\n"
IN_FOUR = {f"src/net/h{n}.c": HELPER for n in range(4)}


def tree(files):
    """A tree in a temporary directory, sound but for `files`."""
    sound = {
        "meson.build": "project('x', version: '1.2.3')\n'src/main.c'\n'src/net/a.c'\n",
        "test/meson.build": "'net/a'\n",
        "CHANGELOG.md": "## [1.2.3]\n",
        "src/main.c": '#include "net/a.h"\n',
        "src/base/b.h": "#ifndef BASE_B_H\n#define BASE_B_H\nstruct b {\n    int i;\n};\n#endif\n",
        "src/net/a.h": '#ifndef NET_A_H\n#define NET_A_H\n#include "base/b.h"\nstruct a {\n    struct b b;\n};\n#endif\n',
        "src/net/a.c": '#include "net/a.h"\n',
        "test/unit/net/test_a.c": "\n",
    }
    place = tempfile.TemporaryDirectory()
    root = pathlib.Path(place.name)
    for name, text in {**sound, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return place, root


CASES = [
    # rule, what is wrong (files, or in capitals a table of the lint), the file that the complaint must name
    (lint.check_arrows, {"src/base/b.c": '#include "net/a.h"\n'}, "src/base/b.c:1"),
    (lint.check_arrows, {"src/net/a.c": '#include "net/a.h"\n#include "http/h.h"\n', "src/http/h.h": ""}, "src/net/a.c:2"),
    (lint.check_arrows, {"src/http/h.c": '#include "memcached/m.h"\n', "src/memcached/m.h": ""}, "src/http/h.c:1"),
    (lint.check_arrows, {"src/memcached/m.c": ' # include "http/h.h"\n', "src/http/h.h": ""}, "src/memcached/m.c:1"),
    (lint.check_arrows, {"src/metrics/m.c": '#include "net/a.h"\n'}, "src/metrics/m.c:1"),
    (lint.check_arrows, {"src/config/c.c": '#include "memcached/m.h"\n', "src/memcached/m.h": ""}, "src/config/c.c:1"),
    (lint.check_arrows, {"src/base/b.c": "#include <yaml.h>\n"}, "src/base/b.c:1"),
    (lint.check_arrows, {"src/discovery/d.c": '#include "memcached/m.h"\n', "src/memcached/m.h": ""}, "src/discovery/d.c:1"),
    (lint.check_arrows, {"src/outputs/o.c": '#include "metrics/m.h"\n', "src/metrics/m.h": ""}, "src/outputs/o.c:1"),
    (lint.check_arrows, {"src/net/a.c": '#include "web/scrape.h"\n', "src/web/scrape.h": ""}, "src/net/a.c:1"),
    (lint.check_arrows, {"src/net/a.c": '#include "a.h"\n'}, "src/net/a.c:1"),
    (lint.check_arrows, {"src/net/t.inc": '#include "http/h.h"\n', "src/http/h.h": ""}, "src/net/t.inc:1"),
    (lint.check_arrows, {"src/http/server.c": "#include <llhttp.h>\n"}, "src/http/server.c:1"),
    (lint.check_arrows, {"src/gather/publisher.c": "#include <curl/curl.h>\n"}, "src/gather/publisher.c:1"),
    (lint.check_arrows, {"src/main.c": '#include "document/d.h"\n', "src/document/d.h": ""}, "src/main.c:1"),
    (lint.check_arrows, {"src/collectors/c.c": '#include "web/w.h"\n', "src/web/w.h": ""}, "src/collectors/c.c:1"),
    (lint.check_arrows, {"src/http/server.c": "#include <openssl/ssl.h>\n"}, "src/http/server.c:1"),
    (lint.check_rooms, {"src/odd/o.h": ""}, "src/odd"),
    (lint.check_rooms, {"ROOMS": {"base": set(), "net": {"base", "http"}, "http": {"net"}}}, "test/lint/lint.py: net may"),
    (lint.check_rooms, {"ROOMS": {"base": {"net/a.h"}, "net": {"base"}}}, "test/lint/lint.py: base may"),
    (lint.check_guards, {"src/net/a.h": "#ifndef A_H\n#define A_H\n#endif\n"}, "src/net/a.h"),
    (lint.check_finished, {"src/net/a.c": f"/* {UNFINISHED}: more */\n"}, "src/net/a.c:1"),
    (lint.check_version, {"src/main.c": 'const char *version = "1.2.3";\n'}, "src/main.c:1"),
    (lint.check_version, {"CHANGELOG.md": "## [1.2.2]\n"}, "CHANGELOG.md"),
    (lint.check_listed, {"src/net/new.c": ""}, "src/net/new.c"),
    (lint.check_listed, {"src/net/new.inc": ""}, "src/net/new.inc"),
    (lint.check_listed, {"test/unit/net/test_new.c": ""}, "test/unit/net/test_new.c"),
    (lint.check_length, {"src/net/a.c": "\n" * (lint.LONGEST_FILE + 1)}, "src/net/a.c"),
    (lint.check_tests, {"src/net/new.c": ""}, "src/net/new.c"),
    (lint.check_tests, {"test/unit/test_main.c": ""}, "src/main.c"),
    (lint.check_tests, {"UNTESTED": {"src/main.c": "", "src/net/old.c": ""}}, "src/net/old.c"),
    (lint.check_names, {"src/net/b.h": ""}, "src/net/b.h"),
    (lint.check_names, {"src/net/c.c": STRUCT, "src/net/d.c": STRUCT}, "src/net/d.c:1"),
    (lint.check_names, {"src/net/c.c": STRUCT, "src/net/d.c": "enum twice { A };\n"}, "src/net/d.c:1"),
    (lint.check_names, {"SAME_NAME": {"b.h": ""}}, "test/lint/lint.py"),
    (lint.check_helpers, IN_FOUR, "src/net/h3.c"),
    (lint.check_helpers, {**IN_FOUR, "src/net/h4.c": HELPER, "REPEATED": {"help": 4}}, "src/net/h4.c"),
    (lint.check_lines, {"src/net/a.c": f"int {'x' * 110};\n", "src/net/long.c": f"int {'x' * 110};\n"}, "src/net/a.c:1"),
    (lint.check_lines, {"test/unit/net/test_a.c": f"/* {'x ' * 60}*/\n"}, "test/unit/net/test_a.c:1"),
    (lint.check_lines, {"src/net/a.c": "/* Short.\n */\n"}, "src/net/a.c"),
    (lint.check_lines, {"src/net/a.c": f"/*\n * {'x ' * 60}\n *\n * y\n */\n"}, "src/net/a.c:2"),
    (lint.check_headers, {"src/net/c.h": "struct c {\n    struct b b;\n};\n"}, "src/net/c.h"),
]


WORDS = " ".join(["word"] * 30)
LINES = [" * " + " ".join(["word"] * 21), " * " + " ".join(["word"] * 9)]
WRAPPED = [
    # a comment, and how it is wrapped
    (f"/* {WORDS} */", "\n".join(["/*", *LINES, " */"])),
    (f"/* {WORDS}\n */", "\n".join(["/*", *LINES, " */"])),
    ("    /* A word.\n     */", "    /* A word. */"),
    ("/* A word.\n * Another. */", "/* A word.\n * Another. */"),
    (f"/*\n * {WORDS}\n *\n *     kept: {WORDS}\n * - {WORDS}\n */",
     "\n".join(["/*", *LINES, f" *\n *     kept: {WORDS}\n * - {WORDS}\n */"])),
    (f'text("{WORDS}{WORDS}");', f'text("{WORDS}{WORDS}");'),
]


def faults(rule, wrong, compiler):
    tables = {**TABLES, **{name: value for name, value in wrong.items() if name.isupper()}}
    place, root = tree({name: text for name, text in wrong.items() if not name.isupper()})
    with place, mock.patch.multiple(lint, **tables):
        return list(rule(root, compiler) if rule is lint.check_headers else rule(root))


def check(rule, files, named, compiler):
    assert faults(rule, {}, compiler) == [], "complains about a sound tree"
    found = faults(rule, files, compiler)
    assert len(found) == 1 and found[0].startswith(named), f"{found} should be one complaint about {named}"


def check_wrapped():
    for text, want in WRAPPED:
        got = lint.comments.rewrite(text)
        assert got == want, f"{text}\nbecame\n{got}"
        assert lint.comments.rewrite(got) == got, f"{got}\nis not wrapped for good"


def main(*compiler):
    print(f"1..{len(CASES) + 1}")
    failed = False
    for number, (rule, files, named) in enumerate(CASES, 1):
        try:
            check(rule, files, named, compiler)
            print(f"ok {number} - {rule.__name__} finds {named}")
        except AssertionError:
            failed = True
            print(f"not ok {number} - {rule.__name__} finds {named}")
            traceback.print_exc()
    try:
        check_wrapped()
        print(f"ok {len(CASES) + 1} - comments are wrapped")
    except AssertionError:
        failed = True
        print(f"not ok {len(CASES) + 1} - comments are wrapped")
        traceback.print_exc()
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
