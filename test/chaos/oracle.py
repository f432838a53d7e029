"""
Judges scrapes by what the scripted servers really did.

A machine that is busy delays all programs alike, which is nobody's fault: `slack` is how long the exporter and the
servers were ready to run and did not, or were stopped, while a scrape went on. It is added to every time that is
allowed; and what nobody can tell after a long delay is not judged.
"""

import collections
import re

SAMPLE = re.compile(r'^memcached_(up|current_items|items_total|target_truncated)\{[^}]*?instance="([^"]+)"[^}]*\} (\S+)$', re.M)
STATE = re.compile(r'^memcached_target_state\{([^}]*)\} 1$', re.M)
INSTANCE = re.compile(r'instance="([^"]+)"')
STATE_NAME = re.compile(r'memcached_target_state="([^"]+)"')

# The time that an answer takes on loopback beside all that is measured.
GRACE_S = 0.25
# A connection or a poll of a moment before may serve a scrape: how long a server has been as it is, before a scrape
# can be blamed for what it says of it.
YOUNG_S = 1.0
# With more slack than this, only what cannot be true is a fault: not what came too late.
CALM_S = 0.5


class Scrape:
    """One answer. `begin` and `end` by the clock of the scraper; `header`: the seconds it gave."""

    def __init__(self, begin, end, header, status, text, slack):
        self.begin, self.end, self.header, self.status, self.text, self.slack = begin, end, header, status, text, slack


class History:
    """Which behaviour a server has had. Between `told` and `followed` it may have been either."""

    def __init__(self, behaviour):
        self.changes = [(0.0, 0.0, behaviour)]

    def change(self, told, followed, behaviour):
        self.changes.append((told, followed, behaviour))

    def describe(self, begin):
        """The last changes, in seconds from that time on."""
        return ", ".join(f"{followed - begin:+.2f} s {behaviour.name}" for _, followed, behaviour in self.changes[-3:])

    def during(self, begin, end):
        """The one behaviour of that time, or None."""
        current = None
        for told, followed, behaviour in self.changes:
            if followed <= begin:
                current = behaviour
            elif told <= end:
                return None
        return current


def read(text):
    """{address: {family: value, "state": name}} of an answer; None for an address that comes twice."""
    servers = collections.defaultdict(dict)
    for family, address, value in SAMPLE.findall(text):
        servers[address][family] = None if family in servers[address] else value
    for labels in STATE.findall(text):
        servers[INSTANCE.search(labels)[1]]["state"] = STATE_NAME.search(labels)[1]
    return servers


class Oracle:
    """`histories` and `answers` by server; `timeout`: the seconds that one server is given."""

    def __init__(self, addresses, histories, answers, timeout):
        self.addresses, self.histories, self.answers = addresses, histories, answers
        self.timeout = timeout

    def judge(self, scrape):
        """Yields (kind, detail) of each fault."""
        took = scrape.end - scrape.begin
        if took > scrape.header + scrape.slack + GRACE_S:
            yield "late answer", f"{took:.2f} s of {scrape.header} s, slack {scrape.slack:.2f} s"
        if scrape.status != 200 or not scrape.text.endswith("\n"):
            yield "no answer", f"status {scrape.status}, {len(scrape.text)} bytes"
            return
        said = read(scrape.text)
        for number, address in enumerate(self.addresses):
            for kind, detail in self._judge_server(scrape, number, said.get(address, {})):
                yield kind, f"server {number}, {address}: {detail}; {self._describe(scrape, number)}"

    def _describe(self, scrape, number):
        """What the server did lately, in seconds from the begin of the scrape on."""
        answers = [f"asked {answer.asked - scrape.begin:+.2f} answered {answer.answered - scrape.begin:+.2f}"
                   for answer in self.answers[number][-6:] if answer.answered > scrape.begin - 10]
        return f"slack {scrape.slack:.2f}, {self.histories[number].describe(scrape.begin)}, {', '.join(answers)}"

    def _judge_server(self, scrape, number, said):
        behaviour = self.histories[number].during(scrape.begin - YOUNG_S, scrape.end)
        what = f"{behaviour.name if behaviour else 'between two behaviours'}, {said}, scrape of {scrape.end - scrape.begin:.2f} s"
        if said.get("up") not in ("0", "1") or "state" not in said:
            yield "missing server", what
        elif said["up"] == "1":
            yield from self._judge_up(scrape, number, said, behaviour, what)
            settled = self.histories[number].during(scrape.begin - self.timeout - YOUNG_S, scrape.end)
            if settled and not settled.healthy and scrape.slack < CALM_S:
                yield f"up while {settled.name}", what
        elif behaviour and behaviour.healthy:
            yield from self._judge_down(scrape, number, said, behaviour, what)
        elif behaviour and scrape.slack < CALM_S and said["state"] not in behaviour.states:
            settled = self.histories[number].during(scrape.begin - self.timeout - YOUNG_S, scrape.end)
            if settled:
                yield f"state {said['state']} while {behaviour.name}", what

    def _judge_up(self, scrape, number, said, behaviour, what):
        """An answer is the server's own, and was given since the scrape began. One that a change of behaviour cut off
        behind its stats is none to the server. One without numbers has to say that it was cut, for want of time."""
        if "items_total" not in said and said.get("target_truncated", "0") != "0":
            return
        if said.get("items_total") != str(number):
            yield "foreign numbers", what
            return
        sequence = int(said["current_items"])
        answer = self._find(number, sequence)
        if not answer and not behaviour:
            return
        if not answer:
            yield "numbers that were never given", what
        elif answer.answered < scrape.begin - GRACE_S - scrape.slack:
            yield "old numbers", f"{scrape.begin - answer.answered:.2f} s before the scrape, {what}"

    def _judge_down(self, scrape, number, said, behaviour, what):
        """A healthy server is up, if it was asked and answered in good time, or if nobody asked it without a reason."""
        due = scrape.begin + (scrape.header - GRACE_S) * 0.7
        asked = [answer for answer in self.answers[number] if scrape.begin <= answer.asked <= scrape.end]
        in_time = [answer for answer in asked
                   if answer.answered - answer.asked < self.timeout / 2 and answer.answered < due]
        if in_time:
            yield f"down ({said['state']}) while {behaviour.name}, answered in time", what
        elif not asked and scrape.slack < CALM_S:
            yield f"down ({said['state']}) while {behaviour.name}, never asked", what

    def _find(self, number, sequence):
        """Answers come in their order, but for slow ones, which others overtake."""
        for answer in reversed(self.answers[number]):
            if answer.number == sequence:
                return answer
        return None
