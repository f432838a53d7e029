"""What the official exporter would show for given stats replies: computed from its table of series, not from our code."""

import csv
import re
from decimal import Decimal

SWITCH = {"yes": "1", "no": "0", "1": "1", "0": "0"}


def read_table(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def types(table, stats=None):
    """{family: type}, for families that come from a stat: any, or one of these {command: {key: value}}."""
    return {row["metric"]: row["type"] for row in table
            if row["stats command"] != "-" and (not stats or _keys(row, stats[row["stats command"]]))}


def _labels(text, slab, value):
    labels = dict(re.findall(r'(\w+)="([^"]*)"', text))
    if "slab" in labels:
        labels["slab"] = slab
    if text == "version=<value>":
        labels["version"] = value
    return labels


def _keys(row, stats):
    """(slab, keys) for every slab class that the server told of; slab is None for a row without one."""
    names = row["stat"].split(" - ")
    if "N:" not in row["stat"]:
        return [(None, names)] if names[0] in stats else []
    prefix = names[0].split("N:")[0]
    slabs = sorted({key[len(prefix):].split(":")[0] for key in stats if key.startswith(prefix)} - {""})
    found = [(slab, [name.replace("N:", slab + ":", 1) for name in names]) for slab in slabs if slab.isdigit()]
    return [(slab, keys) for slab, keys in found if keys[0] in stats]


def _number(row, keys, stats):
    if row["value form"] == "always 1":
        return Decimal(1)
    first = stats[keys[0]]
    if row["value form"].startswith("yes/no"):
        return Decimal(SWITCH[first])
    return Decimal(first) - sum(Decimal(stats.get(key, 0)) for key in keys[1:])


def series(table, stats):
    """{(name, frozenset of label pairs): Decimal} that these {command: {key: value}} imply."""
    result = {}
    for row in table:
        if row["stats command"] == "-":
            continue
        have = stats[row["stats command"]]
        for slab, keys in _keys(row, have):
            labels = _labels(row["labels"], slab, have[keys[0]])
            result.setdefault((row["metric"], frozenset(labels.items())), _number(row, keys, have))
    return result
