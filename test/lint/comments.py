"""
Brings comments of C sources to the house format, which clang-format leaves alone: no line is longer than the code may
be, and what fits on one line ends on it. Diagrams, lists and whatever else is not plain prose stay as they are.

    comments.py FILE ...    rewrites the files that need it
"""

import pathlib
import re
import sys
import textwrap

WIDTH = 110

ONE_LINE = re.compile(r"( *)/\* (\S.*?) \*/")
OPENING = re.compile(r"( *)/\* (\S.*)")
PROSE = re.compile(r"( *) \* ([^\s-].*)")


def _wrap(indent, words):
    return [f"{indent} * {line}" for line in textwrap.wrap(words, WIDTH - len(indent) - 3, break_on_hyphens=False)]


def _block(indent, words):
    one = f"{indent}/* {words} */"
    return [one] if len(one) <= WIDTH else [f"{indent}/*", *_wrap(indent, words), f"{indent} */"]


def _is_prose(line, indent):
    return line.startswith(indent + " * ") and PROSE.fullmatch(line) and "*/" not in line


def _take_opening(lines, at):
    """A comment that begins with text and ends on a later line: (its new lines, where it ends), or None."""
    indent, words = OPENING.fullmatch(lines[at]).groups()
    end = at + 1
    while end < len(lines) and _is_prose(lines[end], indent):
        end += 1
    if end == len(lines) or not lines[end].endswith("*/") or not lines[end].startswith(indent + " *"):
        return None
    last = lines[end].removeprefix(indent + " ").removesuffix("*/").removeprefix("*").strip()
    short = max(map(len, lines[at:end + 1])) <= WIDTH
    if short and (last or end > at + 1):
        return None
    words = " ".join([words, *(line.strip().removeprefix("* ") for line in lines[at + 1:end]), last]).strip()
    return _block(indent, words), end + 1


def _take_paragraph(lines, at):
    """Prose of a comment, from a line that is too long to the end of its paragraph."""
    indent = PROSE.fullmatch(lines[at])[1]
    end = at
    while end < len(lines) and _is_prose(lines[end], indent):
        end += 1
    words = " ".join(line.strip().removeprefix("* ") for line in lines[at:end])
    return (_wrap(indent, words), end) if end > at else None


def rewrite(text):
    lines, at, out = text.split("\n"), 0, []
    while at < len(lines):
        line, taken = lines[at], None
        if (one := ONE_LINE.fullmatch(line)) and len(line) > WIDTH:
            taken = _block(*one.groups()), at + 1
        elif OPENING.fullmatch(line) and "*/" not in line:
            taken = _take_opening(lines, at)
        elif len(line) > WIDTH and _is_prose(line, line[:len(line) - len(line.lstrip())][:-1]):
            taken = _take_paragraph(lines, at)
        new, at = taken or ([line], at + 1)
        out += new
    return "\n".join(out)


def main(paths):
    for path in map(pathlib.Path, paths):
        before = path.read_text(encoding="utf-8")
        after = rewrite(before)
        if after != before:
            path.write_text(after, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
