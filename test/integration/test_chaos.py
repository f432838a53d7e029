"""The oracle of ./dev chaos finds each kind of fault: one that took everything would make every run a good one."""

import pytest

from chaos.behaviours import BEHAVIOURS
from chaos.oracle import History, Oracle, Scrape
from support.scripted import Answer

BY_NAME = {behaviour.name: behaviour for behaviour in BEHAVIOURS}


def text(up="1", items=7, server=0, state="up"):
    return (f'memcached_up{{instance="a:1"}} {up}\nmemcached_current_items{{instance="a:1"}} {items}\n'
            f'memcached_items_total{{instance="a:1"}} {server}\n'
            f'memcached_target_state{{instance="a:1",memcached_target_state="{state}"}} 1\n')


DOWN = text("0", state="timeout")


def faults(said, behaviour="answer", answers=((7, 100.1, 100.2),), end=101.0, slack=0.0, header=5, status=200, change=None):
    """The kinds of fault of a scrape that began at 100 s, of one server with a timeout of 2 s."""
    history = History(BY_NAME[behaviour])
    if change:
        history.change(*change[:2], BY_NAME[change[2]])
    oracle = Oracle(["a:1"], [history], [[Answer(*answer) for answer in answers]], 2)
    return [kind for kind, _ in oracle.judge(Scrape(100.0, end, header, status, said, slack))]


@pytest.mark.parametrize("case", [
    dict(said=text()),
    dict(said=text(), behaviour="drip"),
    dict(said=DOWN, behaviour="mute"),
    dict(said=text("0", state="refused"), behaviour="refuse"),
    dict(said=text(), end=107, slack=2.0),                            # late, as the machine was
    dict(said=DOWN, answers=[(7, 100.1, 101.9)]),                     # answered, but not in good time
    dict(said=DOWN, answers=[(7, 100.1, 104.0)], end=104.5, header=5),
    dict(said=DOWN, answers=[], slack=1.0),                           # nobody asked it, on a busy machine
    dict(said=DOWN, change=(99.5, 99.6, "answer"), behaviour="mute"),  # it was silent a moment before
    dict(said=DOWN, change=(100.5, 100.6, "mute")),
    dict(said=text("0", state="timeout"), behaviour="refuse", slack=1.0),
    dict(said=text(), behaviour="late", answers=[(7, 100.1, 104.5)], slack=3.0, end=105.0),  # the pause gave it the time
    dict(said=text(items=8), change=(100.5, 100.6, "refuse")),        # cut off behind the stats
    dict(said=text(), answers=[(7, 99.0, 99.5)], slack=0.5),          # an answer that the exporter could not read yet
])
def test_what_is_right(case):
    assert faults(**case) == []


@pytest.mark.parametrize("kind, case", [
    ("late answer", dict(said=text(), end=105.5)),
    ("no answer", dict(said="", status=0)),
    ("no answer", dict(said=text()[:-1])),
    ("missing server", dict(said=text().replace("a:1", "b:1"))),
    ("missing server", dict(said=text() + text())),
    ("down (timeout) while answer, answered in time", dict(said=DOWN)),
    ("down (timeout) while answer, answered in time", dict(said=DOWN, slack=3.0)),
    ("down (timeout) while answer, never asked", dict(said=DOWN, answers=[])),
    ("down (timeout) while answer, never asked", dict(said=DOWN, answers=[], change=(98.5, 98.6, "answer"), behaviour="mute")),
    ("foreign numbers", dict(said=text(server=1))),
    ("old numbers", dict(said=text(), answers=[(7, 99.0, 99.5)])),
    ("numbers that were never given", dict(said=text(items=999999999))),
    ("up while mute", dict(said=text(), behaviour="mute")),
    ("state timeout while refuse", dict(said=DOWN, behaviour="refuse")),
])
def test_what_is_wrong(kind, case):
    assert faults(**case) == [kind]
