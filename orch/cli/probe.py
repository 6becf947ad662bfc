"""Nodes, their levers and the price source, asked once over the real network for a few seconds."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec.structs import replace

from orch.cli.findings import Line
from orch.earnings.prices import coingecko_request, read_coingecko
from orch.errors import LeverError, ProtocolError
from orch.levers.together import read_all
from orch.messages import Answered
from orch.model.wire import NoReply
from orch.protocols.attend import Attended, Limits, ask, report, take
from orch.system.clock import RealClock
from orch.system.transport import HttpTransport

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.boot.plans import FittedNode, Setting
    from orch.levers.base import LeverReading, Task
    from orch.messages.base import Message
    from orch.model.readings import Failure, Finding, Reading, Reason
    from orch.model.wire import Reply
    from orch.ports import Clock

ASK_FOR_S = 6.0
"""So long new questions are asked: enough for first contact, not for a month of history."""
WAIT_FOR_S = 20.0
"""When to give up on answers; every request has its own, shorter deadline."""
EVENNESS = 0.5
PRICES = "prices"
LEVER = "lever"

REMEDY: dict[Reason, str] = {
    "refused": "start the node, or correct its url: nobody listens there",
    "timeout": "see whether the node hangs, and whether the url is the right one",
    "unreachable": "correct the url, or the way there",
    "http_status": "see the node's own log: it refuses to answer this",
    "unauthorised": "give orch a valid key or token for this node",
    "rate_limited": "wait: the other side wants to be asked less often",
    "content_type": "correct the url: something else than the node answers there",
    "too_large": "correct the url: no node answers with so much",
    "redirect": "give the address itself: orch does not follow to other hosts",
    "malformed": "see what answers there: it is not what the node says",
    "shape": "update orch, or the node: its answer has another shape",
    "absurd": "see the node's own log: its figures cannot be",
    "unlisted": "correct what it is called there, or do without",
    "missing_file": "correct the path, or let the node write the file first",
    "permission": "let the user that runs orch read it",
    "conflict": "leave it alone for a moment: something else changes it",
    "failed": "see what it says of itself, and run it by hand",
}
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
    """What was found, and whether the nodes that answered are emulated or real; None when none did."""

    lines: tuple[Line, ...]
    kind: str | None


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
    try:
        prices = _converse(setting, probes, mailbox, transport, clock)
    finally:
        transport.close()
    now = clock.now()
    lines = [line for each in probes.values() for line in _node_lines(each, now)]
    answering = [each.state.emulated for each in probes.values() if each.ages]
    kind = None if not answering else "emulated" if any(answering) else "real"
    return Probed((*lines, *_price_lines(setting, prices, now)), kind)


def _converse(
    setting: Setting, probes: dict[str, _NodeProbe], mailbox: _Mailbox, transport: HttpTransport, clock: Clock
) -> Reply | NoReply | None:
    """Ask and listen until nothing is on its way any more, or time is over; returns what the prices are."""
    prices: Reply | NoReply | None = None
    begin = time.monotonic()
    open_questions = _ask_prices(setting, transport)
    for each in probes.values():
        open_questions += each.pull(transport, None) + each.ask(transport, clock.now())
    while open_questions and (left := begin + WAIT_FOR_S - time.monotonic()) > 0:
        try:
            name, answer = mailbox.arrived.get(timeout=left)
        except queue.Empty:
            break
        open_questions -= 1
        if name == PRICES:
            prices = answer.reply
            continue
        each = probes[name]
        if answer.key == LEVER:
            open_questions += each.pull(transport, answer.reply)
            continue
        each.answered(answer, clock.now())
        if time.monotonic() - begin < ASK_FOR_S:
            open_questions += each.ask(transport, clock.now())
    return prices


# -- prices ------------------------------------------------------------------------------------------------


def wanted_tokens(setting: Setting) -> tuple[str, ...]:
    """The tokens whose price must be asked for: those that nobody has pinned."""
    tokens = {token for node in setting.nodes for token in node.tokens}
    return tuple(sorted(tokens - set(setting.config.prices.override) - {"USD"}))


def _ask_prices(setting: Setting, transport: HttpTransport) -> int:
    tokens, prices = wanted_tokens(setting), setting.config.prices
    if not tokens or "coingecko" not in prices.sources:
        return 0
    request = coingecko_request(prices.coingecko_url, tokens)
    transport.fetch(request, reply_to=PRICES, key=PRICES, node=PRICES, lane="slow")
    return 1


def _price_lines(setting: Setting, reply: Reply | NoReply | None, now: datetime) -> Iterator[Line]:
    pinned = setting.config.prices.override
    if pinned:
        said = ", ".join(f"{token} {usd} USD" for token, usd in sorted(pinned.items()))
        yield Line(subject=PRICES, asked="override", result="ok", sentence=f"pinned: {said}")
    tokens = wanted_tokens(setting)
    if not tokens:
        return
    pin = f"pin them under [prices.override]: {', '.join(tokens)}"
    if reply is None or isinstance(reply, NoReply):
        why = reply.sentence if reply is not None else "no built price source is configured, or it did not answer"
        yield Line(subject=PRICES, asked="coingecko", result="failed", sentence=why, remedy=pin)
        return
    try:
        found = read_coingecko(reply, tokens, now)
    except ProtocolError as error:
        yield Line(subject=PRICES, asked="coingecko", result="failed", sentence=str(error), remedy=pin)
        return
    stale = setting.config.prices.stale_after_s
    for price in found:
        old = max((now - price.observed_at).total_seconds(), 0.0)
        late = "it is stale: nothing is moved on it" if old > stale else None
        said = f"{price.token} {price.usd} USD"
        yield Line(
            subject=PRICES,
            asked="coingecko",
            result="warning" if late else "ok",
            sentence=said,
            remedy=late,
            age_s=old,
        )
    missing = sorted(set(tokens) - {price.token for price in found})
    if missing:
        said = f"knows no price of {', '.join(missing)}: income in it stays unknown"
        remedy = "pin it under [prices.override]"
        yield Line(subject=PRICES, asked="coingecko", result="failed", sentence=said, remedy=remedy)


# -- one node ----------------------------------------------------------------------------------------------


def _node_lines(each: _NodeProbe, now: datetime) -> Iterator[Line]:
    reading = _reading(each, now)
    yield _health(each, reading)
    yield from _endpoints(each, now)
    yield from _levers(each)
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
    remedy = None if result == "ok" else "see the lines below" if each.state.failures else "see the node's own log"
    return Line(subject=each.name, asked="health", result=result, sentence=said, remedy=remedy)


def _endpoints(each: _NodeProbe, now: datetime) -> Iterator[Line]:
    """What answers in one line; a line for every kind of question that does not.

    Questions about single satellites or agreements count as one kind.
    """
    groups: dict[str, list[str]] = {}
    for turn in each.state.schedule.turns:
        groups.setdefault(turn.key.partition("/")[0], []).append(turn.key)
    failures = {failure.endpoint: failure for failure in each.state.failures}
    if each.ages:
        good = {group: sum(key in each.ages for key in keys) for group, keys in groups.items()}
        named = (f"{group} ({count})" if count > 1 else group for group, count in good.items() if count)
        oldest = max((now - when).total_seconds() for when in each.ages.values())
        yield Line(subject=each.name, asked="answers", result="ok", sentence=", ".join(named), age_s=oldest)
    for (sentence, remedy), asked in _trouble(each, groups, failures).items():
        also = f" (also {', '.join(asked[1:])})" if len(asked) > 1 else ""
        yield Line(subject=each.name, asked=asked[0], result="failed", sentence=f"{sentence}{also}", remedy=remedy)


def _trouble(
    each: _NodeProbe, groups: dict[str, list[str]], failures: dict[str, Failure]
) -> dict[tuple[str, str], list[str]]:
    """The kinds of questions without an answer, by what is wrong with them and what to do."""
    found: dict[tuple[str, str], list[str]] = {}
    for group, keys in groups.items():
        failed = [failures[key] for key in keys if key in failures]
        if failed:
            what = (failed[0].sentence, REMEDY[failed[0].reason])
        elif not any(key in each.ages for key in keys):
            what = (f"no answer within {WAIT_FOR_S:g} s", REMEDY["timeout"])
        else:
            continue
        found.setdefault(what, []).append(group)
    return found


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


def _finding(name: str, finding: Finding) -> Line:
    result: Any = {"info": "note", "warning": "warning", "page": "failed"}[finding.severity]
    return Line(subject=name, asked=finding.code, result=result, sentence=finding.sentence, remedy=finding.remedy)
