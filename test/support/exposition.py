"""A strict reader of the Prometheus text format 0.0.4. Values stay text: a double would hide lost digits."""

import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
VALUE = re.compile(r"[-+]?(\d+(\.\d*)?([eE][-+]?\d+)?|Inf)|NaN")
TYPES = {"counter", "gauge", "untyped", "histogram", "summary"}

# How the names in a block of these types end; in any other, every sample has the family's own name.
SUFFIXES = {
    "histogram": ("_bucket", "_sum", "_count"),
    "summary": ("", "_sum", "_count"),
}


class Malformed(AssertionError):
    """The text is no exposition."""


def _unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def _labels(text):
    """The labels between the braces, as a dictionary."""
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        if not found or found.group(1) in labels:
            raise Malformed(f"labels {text!r}")
        labels[found.group(1)] = _unescape(found.group(2))
        at = found.end()
        if at < len(text):
            if text[at] != ",":
                raise Malformed(f"labels {text!r}")
            at += 1
    return labels


def _sample(line):
    """Name, labels and value of one sample line. The last brace ends the labels: a value holds none."""
    name = NAME.match(line)
    if not name:
        raise Malformed(f"name in {line!r}")
    rest, labels = line[name.end():], {}
    if rest.startswith("{"):
        end = rest.rindex("}")
        labels, rest = _labels(rest[1:end]), rest[end + 1:]
    if not rest.startswith(" ") or not VALUE.fullmatch(rest[1:]):
        raise Malformed(f"value (or a timestamp) in {line!r}")
    return name.group(), labels, rest[1:]


class Exposition:
    """`samples` maps (name, frozenset of label pairs) to the value's text."""

    def __init__(self, body):
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        if text and not text.endswith("\n"):
            raise Malformed("the last line has no end")
        self.samples, self.types, self.helps = {}, {}, {}
        family, seen = None, set()
        for line in text.split("\n")[:-1]:
            if line.startswith("# "):
                family = self._comment(line, family, seen)
            elif line:
                self._add(line, family)

    def _comment(self, line, family, seen):
        word, name, text = (line[2:].split(" ", 2) + [""])[:3]
        if word not in ("HELP", "TYPE") or not NAME.fullmatch(name):
            raise Malformed(f"comment {line!r}")
        if name != family and name in seen:
            raise Malformed(f"family {name} comes in two blocks")
        seen.add(name)
        into = self.helps if word == "HELP" else self.types
        if name in into or (word == "TYPE" and text not in TYPES):
            raise Malformed(f"comment {line!r}")
        into[name] = text
        return name

    def _add(self, line, family):
        name, labels, value = _sample(line)
        if family is None or name not in [family + suffix for suffix in SUFFIXES.get(self.types.get(family), ("",))]:
            raise Malformed(f"{line!r} stands in the block of {family}")
        key = (name, frozenset(labels.items()))
        if key in self.samples:
            raise Malformed(f"twice: {line!r}")
        self.samples[key] = value

    def value(self, name, **labels):
        """The value's text of exactly this series, or None."""
        return self.samples.get((name, frozenset(labels.items())))

    def find(self, name, **labels):
        """[(labels, value text)] of the family's series that have at least these labels."""
        wanted = set(labels.items())
        return [(dict(have), value) for (n, have), value in self.samples.items() if n == name and wanted <= have]

    def names(self):
        return {name for name, _ in self.samples}

    def state(self, **labels):
        """The one state of a target that is 1; insists on a whole state set."""
        states = {have["memcached_target_state"]: value for have, value in self.find("memcached_target_state", **labels)}
        on = [name for name, value in states.items() if value == "1"]
        if len(states) != 10 or len(on) != 1 or set(states.values()) != {"0", "1"}:
            raise Malformed(f"state set {states}")
        return on[0]
