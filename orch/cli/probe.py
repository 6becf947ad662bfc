"""Nodes, their levers and the price source, asked once over the real network for a few seconds."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from orch.cli.badly import Seen
from orch.cli.clocks import ClockSample, clock_lines, sample
from orch.cli.findings import Line
from orch.cli.price_probe import PRICES, PriceProbe
from orch.cli.remedies import GENERAL, GRAVE, Told, health_remedy, told
from orch.cli.words import asking_in_words
from orch.errors import LeverError
from orch.levers.terms import DAY_S, terms_of
from orch.levers.together import read_all
from orch.messages import Answered
from orch.model.wire import NoReply
from orch.protocols.attend import Attended, Limits, ask, counted, report, take
from orch.system.clock import RealClock
from orch.system.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.boot.plans import FittedNode, Setting
    from orch.levers.base import LeverReading, Task
    from orch.messages.base import Message
    from orch.model.money import Price
    from orch.model.readings import Failure, Finding, Reading
    from orch.model.wire import Reply
    from orch.ports import Clock

ASK_FOR_S = 6.0
"""So long new questions are asked: enough for first contact, not for a month of history."""
WAIT_FOR_S = 20.0
"""When to give up on answers; every request has its own, shorter deadline."""
EVENNESS = 0.5
LEVER = "lever"

HEALTH_RESULT = {"online": "ok", "degraded": "warning", "offline": "failed", "unknown": "failed"}


class _Mailbox:
    """A `Directory` of which every address is the same queue."""

    def __init__(self) -> None:
        self.arrived: queue.SimpleQueue[tuple[str, Answered]] = queue.SimpleQueue()

    def tell(self, name: str, message: Message) -> bool:
        """Put an answer in the queue."""
        if isinstance(message, Answered):
            self.arrived.put((name, message))
        return True


class _NodeProbe:
    """One node, attended as the engine would."""

    def __init__(self, node: FittedNode) -> None:
        self.node = node
        self.name = node.config.name
        self.state = Attended(memory=node.spec.begin(node.config.options, node.context))
        self.ages: dict[str, datetime] = {}
        self.task: Task[LeverReading] | None = read_all(node.levers) if node.levers else None
        self.limits: LeverReading | None = None
        self.lever_fault: str | None = None

    def ask(self, transport: HttpTransport, now: datetime) -> int:
        """Ask what is due; returns how many questions are on their way."""
        self.state, endpoints = ask(self.node.spec, self.state, now, EVENNESS)
        for each in endpoints:
            transport.fetch(each.request, reply_to=self.name, key=each.key, node=self.name, lane=each.lane)
        return len(endpoints)

    def pull(self, transport: HttpTransport, reply: Reply | NoReply | None) -> int:
        """Go on reading the levers; returns how many questions are on their way."""
        if self.task is None:
            return 0
        if reply is not None:
            self.state = counted(self.state, reply)
        try:
            request = next(self.task) if reply is None else self.task.send(reply)
        except StopIteration as end:
            self.task, self.limits = None, end.value
        except LeverError as error:
            self.task, self.lever_fault = None, str(error)
        else:
            transport.fetch(request, reply_to=self.name, key=LEVER, node=self.name, lane="lever")
            return 1
        return 0

    def answered(self, answer: Answered, now: datetime) -> None:
        """Take in an answer of the node."""
        self.state, failure = take(self.node.spec, self.state, answer.key, answer.reply, now)
        if failure is None and not isinstance(answer.reply, NoReply):
            self.ages[answer.key] = answer.reply.received_at


class Probed(NamedTuple):
    """What was found, and whether the nodes that answered are emulated or real; None when none did.

    `seen` is every node as it says it is, for advice; `prices` are those accepted.
    """

    lines: tuple[Line, ...]
    kind: str | None
    seen: dict[str, Seen]
    prices: tuple[Price, ...]
    at: datetime


def probe(setting: Setting, clock: Clock | None = None) -> Probed:
    """Ask every node, lever and price source of a configuration.

    Nothing is changed. Takes as long as the slowest answer, and never more than about twenty seconds.

    Args:
        setting: The configuration with everything loaded.
        clock: Replaced in tests.
    """
    clock = clock or RealClock()
    mailbox = _Mailbox()
    transport = HttpTransport(mailbox, clock)
    probes = {node.config.name: _NodeProbe(node) for node in setting.nodes}
    prices = PriceProbe(setting)
    clocks: list[ClockSample] = []
    try:
        _converse(prices, probes, mailbox, transport, clock, clocks)
    finally:
        transport.close()
    now = clock.now()
    lines = [line for each in probes.values() for line in _node_lines(each, now)]
    answering = [each.state.emulated for each in probes.values() if each.ages]
    kind = None if not answering else "emulated" if any(answering) else "real"
    found = (*clock_lines(clocks), *lines, *prices.lines(now))
    seen = {each.name: Seen(_reading(each, now), each.state.failures) for each in probes.values()}
    return Probed(found, kind, seen, prices.prices(now), now)


def _converse(
    prices: PriceProbe,
    probes: dict[str, _NodeProbe],
    mailbox: _Mailbox,
    transport: HttpTransport,
    clock: Clock,
    clocks: list[ClockSample],
) -> None:
    """Ask and listen until nothing is on its way any more, or time is over."""
    begin = time.monotonic()
    open_questions = prices.ask(transport, clock.now())
    for each in probes.values():
        open_questions += each.pull(transport, None) + each.ask(transport, clock.now())
    while open_questions and (left := begin + WAIT_FOR_S - time.monotonic()) > 0:
        try:
            name, answer = mailbox.arrived.get(timeout=left)
        except queue.Empty:
            break
        open_questions -= 1
        if (ticked := sample(name, answer.reply)) is not None:
            clocks.append(ticked)
        if name == PRICES:
            prices.answered(answer, clock.now())
            continue
        each = probes[name]
        if answer.key == LEVER:
            open_questions += each.pull(transport, answer.reply)
            continue
        each.answered(answer, clock.now())
        if time.monotonic() - begin < ASK_FOR_S:
            open_questions += each.ask(transport, clock.now())


# -- one node ----------------------------------------------------------------------------------------------


def _node_lines(each: _NodeProbe, now: datetime) -> Iterator[Line]:
    reading = _reading(each, now)
    yield _health(each, reading)
    yield from _endpoints(each, now)
    yield from _levers(each)
    yield _observing(each)
    if each.node.config.protocol == "streamr" and getattr(each.node.config.options, "info_url", "") is None:
        yield _no_diagnostics(each.name)
    for finding in (*each.node.config.findings, *reading.findings):
        yield _finding(each.name, finding)


def _reading(each: _NodeProbe, now: datetime) -> Reading:
    if each.limits is not None:
        found = each.limits
        limits = Limits(allocation=found.allocation, committed=found.committed, used=found.used, read_at=now)
        each.state = replace(each.state, limits=limits)
    return report(each.node.spec, each.state, now)


def _health(each: _NodeProbe, reading: Reading) -> Line:
    kind = "emulated " if reading.emulated else ""
    streams = len(reading.accruals)
    reason = f": {reading.health_reason}" if reading.health_reason else ""
    said = f"{kind}{reading.protocol} node, {reading.health}{reason}; {streams} streams of income"
    result: Any = HEALTH_RESULT[reading.health]
    failing = bool(each.state.failures)
    remedy = None if result == "ok" else health_remedy(reading.protocol, reading.health_reason, failures=failing)
    return Line(subject=each.name, asked="health", result=result, sentence=said, remedy=remedy)


def _endpoints(each: _NodeProbe, now: datetime) -> Iterator[Line]:
    """What answers in one line; a line for every kind of question that does not.

    Questions about single satellites or agreements count as one kind.
    """
    groups: dict[str, list[str]] = {}
    for turn in each.state.schedule.turns.values():
        groups.setdefault(turn.key.partition("/")[0], []).append(turn.key)
    failures = {failure.endpoint: failure for failure in each.state.failures}
    if each.ages:
        good = {group: sum(key in each.ages for key in keys) for group, keys in groups.items()}
        named = (f"{group} ({count})" if count > 1 else group for group, count in good.items() if count)
        oldest = max((now - when).total_seconds() for when in each.ages.values())
        yield Line(subject=each.name, asked="answers", result="ok", sentence=", ".join(named), age_s=oldest)
    for (result, sentence, remedy), asked in _trouble(each, groups, failures).items():
        also = f" (also {', '.join(asked[1:])})" if len(asked) > 1 else ""
        yield Line(subject=each.name, asked=asked[0], result=result, sentence=f"{sentence}{also}", remedy=remedy)


def _trouble(
    each: _NodeProbe, groups: dict[str, list[str]], failures: dict[str, Failure]
) -> dict[Told, list[str]]:
    """The kinds of questions without an answer, by what is wrong with them and what to do."""
    found: dict[Told, list[str]] = {}
    for group, keys in groups.items():
        failed = [failures[key] for key in keys if key in failures]
        if failed:
            what = told(each.node.config.protocol, group, failed[0])
        elif not any(key in each.ages or _settled(each, key) for key in keys):
            what = Told("failed", f"no answer within {WAIT_FOR_S:g} s", GENERAL["timeout"])
        else:
            continue
        found.setdefault(what, []).append(group)
    return found


def _settled(each: _NodeProbe, key: str) -> bool:
    """Whether a question is done with: one that is asked to be refused needs no answer."""
    turn = each.state.schedule.turn(key)
    return turn is not None and turn.last_good_at is not None


def _levers(each: _NodeProbe) -> Iterator[Line]:
    kinds = ", ".join(f"{lever.lever.kind} ({lever.mode})" for lever in each.node.levers)
    if not kinds:
        said = "no lever: orch measures, compares and advises, and changes nothing here"
        yield Line(subject=each.name, asked="levers", result="note", sentence=said)
    elif each.limits is not None:
        told = ", ".join(f"{resource} {value:g}" for resource, value in each.limits.allocation.known())
        yield Line(
            subject=each.name, asked="levers", result="ok", sentence=f"{kinds}: {told or 'no limit stated'}"
        )
    else:
        said = each.lever_fault or f"{kinds}: no answer within {WAIT_FOR_S:g} s"
        remedy = "see the lever's options: until it answers orch moves nothing of this node"
        yield Line(subject=each.name, asked="levers", result="failed", sentence=said, remedy=remedy)
    window_s = float(getattr(each.node.spec, "verify_s", DAY_S))
    for lever in each.node.levers:
        said = terms_of(lever, window_s)
        yield Line(subject=each.name, asked=lever.lever.kind, result="note", sentence=said)


def _observing(each: _NodeProbe) -> Line:
    """What this look at the node has cost it."""
    cost = asking_in_words(each.state.requests, each.state.bytes_read, each.state.seconds_waited)
    return Line(subject=each.name, asked="observer cost", result="ok", sentence=f"this look took {cost}")


def _no_diagnostics(name: str) -> Line:
    return Line(
        subject=name,
        asked="info",
        result="note",
        sentence="local diagnostics are not configured: the chain alone is read",
        remedy='enable the node\'s info plugin ("info": {} under "plugins") and set info_url',
    )


def _finding(name: str, finding: Finding) -> Line:
    result: Any = {"info": "note", "warning": "warning", "page": "failed"}[finding.severity]
    if finding.code in GRAVE:
        result = "failed"
    return Line(subject=name, asked=finding.code, result=result, sentence=finding.sentence, remedy=finding.remedy)
