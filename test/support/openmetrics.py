"""
A strict reader of OpenMetrics text 1.0.0. It takes what the specification's ABNF and its MUSTs allow, and less: every
family has a TYPE, no sample has a timestamp, and metadata stands before samples. Values stay text.
"""

import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:inf|infinity)|nan", re.IGNORECASE)
BOUND = re.compile(r"-?\d+\.\d+|-?\d(?:\.\d+)?e[-+]\d+|\+Inf")
HELP = re.compile(r'(?:[^"\\\n]|\\["\\n])*')

# What may follow a family's name in the names of its samples.
SUFFIXES = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "unknown": ("",),
    "info": ("_info",),
    "stateset": ("",),
    "histogram": ("_bucket", "_count", "_sum", "_created"),
    "gaugehistogram": ("_bucket", "_gcount", "_gsum"),
    "summary": ("", "_count", "_sum", "_created"),
}
EXEMPLAR_MAX = 128


class Malformed(AssertionError):
    """The text is no OpenMetrics."""


def insist(condition, what):
    if not condition:
        raise Malformed(what)


def _unescape(text):
    return re.sub(r"\\(.)", lambda m: "\n" if m.group(1) == "n" else m.group(1), text)


def _labels(text, at):
    """The labels from behind a brace, and the place behind the brace that ends them."""
    labels = {}
    while not text.startswith("}", at):
        found = LABEL.match(text, at + 1 if labels and text.startswith(",", at) else at)
        insist(found and (not labels or text[at] == ","), f"labels in {text!r}")
        insist(found.group(1) not in labels, f"a label twice in {text!r}")
        insist(not found.group(1).startswith("__"), f"a reserved label in {text!r}")
        labels[found.group(1)] = _unescape(found.group(2))
        at = found.end()
    return labels, at + 1


class Sample:
    """One line: `exemplar` is (labels, value text, timestamp text) or None."""

    def __init__(self, line):
        name = NAME.match(line)
        insist(name, f"name in {line!r}")
        self.name, self.labels, at = name.group(), {}, name.end()
        if line.startswith("{", at):
            insist(not line.startswith("{}", at), f"empty braces in {line!r}")
            self.labels, at = _labels(line, at + 1)
        value, mark, exemplar = line[at:].partition(" # ")
        insist(value.startswith(" ") and NUMBER.fullmatch(value[1:]), f"value (or a timestamp) in {line!r}")
        self.value, self.exemplar = value[1:], self._exemplar(exemplar, line) if mark else None
        self.line = line

    @staticmethod
    def _exemplar(text, line):
        insist(text.startswith("{"), f"exemplar in {line!r}")
        labels, at = _labels(text, 1)
        words = text[at:].split(" ")
        insist(words[0] == "" and len(words) in (2, 3), f"exemplar in {line!r}")
        insist(all(NUMBER.fullmatch(word) for word in words[1:]), f"exemplar in {line!r}")
        insist(sum(len(name) + len(value) for name, value in labels.items()) <= EXEMPLAR_MAX, f"long exemplar in {line!r}")
        return labels, words[1], words[2] if len(words) == 3 else None

    @property
    def number(self):
        return float(self.value)

    @property
    def key(self):
        return self.name, frozenset(self.labels.items())

    def apart_from(self, label):
        return frozenset((name, value) for name, value in self.labels.items() if name != label)


class Family:
    """A run of metadata and samples under one name; checked as a whole when it is complete."""

    def __init__(self, name):
        self.name, self.meta, self.samples = name, {}, []

    @property
    def type(self):
        return self.meta["TYPE"]

    def names(self):
        return {self.name + suffix for suffix in SUFFIXES[self.type]}

    def describe(self, word, text):
        insist(word in ("TYPE", "HELP", "UNIT") and word not in self.meta, f"{word} of {self.name}")
        insist(not self.samples, f"{word} of {self.name} stands behind its samples")
        insist(word != "TYPE" or text in SUFFIXES, f"type {text!r} of {self.name}")
        insist(word != "HELP" or HELP.fullmatch(text), f"help of {self.name}")
        insist(word != "UNIT" or (text and self.name.endswith("_" + text)), f"unit {text!r} of {self.name}")
        self.meta[word] = text

    def check(self):
        insist("TYPE" in self.meta, f"{self.name} has no type")
        insist(not (self.type in ("info", "stateset") and self.meta.get("UNIT")), f"{self.name} has a unit")
        for sample in self.samples:
            insist(sample.name in self.names(), f"{sample.line!r} in {self.type} {self.name}")
            allowed = ("_total",) if self.type == "counter" else ("_bucket",)
            insist(not sample.exemplar or sample.name.endswith(allowed), f"an exemplar may not be at {sample.line!r}")
        self._check_contiguous()
        getattr(self, "_check_" + self.type, lambda: None)()

    def _own_label(self):
        return {"stateset": self.name, "summary": "quantile"}.get(self.type, "le")

    def _metrics(self):
        """{labels: samples} with le, quantile or the state left out."""
        metrics = {}
        for sample in self.samples:
            metrics.setdefault(sample.apart_from(self._own_label()), []).append(sample)
        return metrics

    def _check_contiguous(self):
        """All samples of one metric stand together, and none of them comes twice."""
        seen, last = set(), None
        for sample in self.samples:
            metric = sample.apart_from(self._own_label())
            insist(metric == last or metric not in seen, f"{self.name}: a metric in two places: {sample.line!r}")
            seen.add(metric)
            last = metric
        keys = [sample.key for sample in self.samples]
        insist(len(keys) == len(set(keys)), f"{self.name}: a sample twice")

    def _check_counter(self):
        for labels, samples in self._metrics().items():
            insist(sum(sample.name == self.name + "_total" for sample in samples) == 1, f"{self.name}{set(labels)} has no _total")
            insist(all(sample.number >= 0 for sample in samples), f"{self.name} is not a number from 0 on")

    def _check_info(self):
        insist(all(sample.number == 1 for sample in self.samples), f"{self.name} is not 1")

    def _check_stateset(self):
        for sample in self.samples:
            insist(self.name in sample.labels and sample.number in (0, 1), f"state {sample.line!r}")

    def _check_summary(self):
        for samples in self._metrics().values():
            for sample in samples:
                is_quantile = sample.name == self.name
                insist(("quantile" in sample.labels) == is_quantile, f"quantile {sample.line!r}")
                insist(not is_quantile or 0 <= float(sample.labels["quantile"]) <= 1, f"quantile {sample.line!r}")
                insist(not sample.number < 0, f"negative {sample.line!r}")

    def _check_histogram(self):
        self._check_buckets("_count", "_sum")

    def _check_gaugehistogram(self):
        self._check_buckets("_gcount", "_gsum")

    def _check_buckets(self, count_suffix, sum_suffix):
        for labels, samples in self._metrics().items():
            where = f"{self.name}{dict(labels)}"
            buckets = [sample for sample in samples if sample.name == self.name + "_bucket"]
            insist(all("le" in sample.labels and BOUND.fullmatch(sample.labels["le"]) for sample in buckets), f"le of {where}")
            bounds = [float(sample.labels["le"]) for sample in buckets]
            counts = [sample.number for sample in buckets]
            insist(bounds and bounds == sorted(set(bounds)) and bounds[-1] == float("inf"), f"bounds of {where}: {bounds}")
            insist(all(re.fullmatch(r"\d+", sample.value) for sample in buckets), f"counts of {where}")
            insist(counts == sorted(counts), f"counts of {where} are not cumulative")
            plain = {sample.name[len(self.name):]: sample for sample in samples if sample not in buckets}
            insist((count_suffix in plain) == (sum_suffix in plain), f"{where}: count and sum come together")
            insist(count_suffix not in plain or plain[count_suffix].number == counts[-1], f"{where}: count is not +Inf's")
            self._check_exemplars(buckets, bounds)

    @staticmethod
    def _check_exemplars(buckets, bounds):
        for sample, low, high in zip(buckets, [float("-inf"), *bounds], bounds):
            insist(not sample.exemplar or low < float(sample.exemplar[1]) <= high, f"exemplar outside its bucket: {sample.line!r}")


class OpenMetrics:
    """`samples` maps (name, frozenset of label pairs) to the value's text, `families` names to families."""

    def __init__(self, body):
        text = body.decode("utf-8") if isinstance(body, bytes) else body
        insist(text.endswith("# EOF\n"), f"the end is {text[-40:]!r}")
        self.families, self.samples, self._family = {}, {}, None
        for line in text[:-len("# EOF\n")].split("\n")[:-1]:
            insist(line and line != "# EOF", f"line {line!r}")
            self._read(line)
        self._check_names()
        for family in self.families.values():
            family.check()
            self.samples.update({sample.key: sample.value for sample in family.samples})

    def _read(self, line):
        if not line.startswith("#"):
            insist(self._family, f"{line!r} has no family")
            self._family.samples.append(Sample(line))
            return
        words = line.split(" ", 3)
        insist(len(words) == 4 and words[0] == "#" and NAME.fullmatch(words[2]), f"comment {line!r}")
        if self._family is None or words[2] != self._family.name:
            insist(words[2] not in self.families, f"family {words[2]} comes in two blocks")
            self._family = self.families[words[2]] = Family(words[2])
        self._family.describe(words[1], words[3])

    def _check_names(self):
        """No family may have samples of a name that another one's could have."""
        owners = {}
        for family in self.families.values():
            insist("TYPE" in family.meta, f"{family.name} has no type")
            for name in family.names() | {family.name}:
                insist(name not in owners, f"{family.name} and {owners.get(name)} share the name {name}")
                owners[name] = family.name

    @property
    def types(self):
        return {name: family.type for name, family in self.families.items()}

    def value(self, name, **labels):
        return self.samples.get((name, frozenset(labels.items())))

    def exemplars(self):
        return [sample for family in self.families.values() for sample in family.samples if sample.exemplar]

    def series(self):
        """Every (name, labels) but the times of creation, which the other format has no place for."""
        return {key for key in self.samples if not key[0].endswith("_created")}
