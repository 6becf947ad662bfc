"""When each price source is asked, what came of it, and which prices are accepted. No clock, no network, no disk.

Sources that answer are asked again with the next cycle, all at once; after a bad answer a source waits alone: its
wait doubles from 15 s to 30 min, or is what the source asked for. One that failed five times in a row is asked one
question, not all, until it answers again. Prices are put together when nothing is on its way any more.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.earnings.agreement import combine, guard, unpegged
from orch.earnings.exchanges import unlisted
from orch.earnings.names import STABLECOINS, dollar_of
from orch.earnings.prices import UNKNOWN_AFTER_S, from_bytes, overridden
from orch.earnings.quotes import is_recent, why
from orch.earnings.sources import SOURCES
from orch.errors import ProtocolError
from orch.model.readings import Failure, Reason
from orch.model.wire import NoReply

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from decimal import Decimal

    from orch.earnings.agreement import Suspicion
    from orch.earnings.names import Dollar, Names
    from orch.earnings.quotes import Heard, Question, Quote
    from orch.earnings.sources import Source
    from orch.model.money import Price
    from orch.model.wire import Reply, Secret

FIRST_RETRY_S = 15.0
LONGEST_RETRY_S = 1800.0
BROKEN_AFTER = 5
UNLISTED_FOR = timedelta(days=1)
JITTER = 0.05
FORBIDDEN: frozenset[int | None] = frozenset({403, 418, 451})
"""Banned, or not served in this country: trying again soon helps nobody."""


@dataclass(frozen=True)
class PriceTerms:
    """What prices are wanted, and of whom. `urls` by source: those not named are not asked."""

    tokens: tuple[str, ...]
    names: Mapping[str, Names]
    urls: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Decimal] = field(default_factory=dict)
    refresh_s: float = 300.0
    unknown_after_s: float = UNKNOWN_AFTER_S
    coingecko_key: Secret | None = None


@dataclass
class Circuit:
    """How one source does. `due_at` None: at once."""

    due_at: datetime | None = None
    failures: int = 0
    on_way: dict[str, Question] = field(default_factory=dict)
    trouble: Failure | None = None
    doubt: Failure | None = None
    good: bool = False


class PriceDesk:
    """Asks, listens, and settles what each token costs."""

    def __init__(self, terms: PriceTerms) -> None:
        self._terms = terms
        self._sources: tuple[Source, ...] = tuple(SOURCES[name] for name in terms.urls)
        self._circuits = {source.name: Circuit() for source in self._sources}
        self._quotes: dict[tuple[str, str], Quote] = {}
        self._unlisted: dict[tuple[str, str], datetime] = {}
        self._suspicions: dict[str, Suspicion] = {}
        self._accepted: dict[str, Price] = {}
        self._missing: set[tuple[str, str]] = set()
        self._off: frozenset[Dollar] = frozenset()
        self._faults: list[Failure] = []
        self._cycle_at: datetime | None = None

    @property
    def accepted(self) -> tuple[Price, ...]:
        """The last accepted prices."""
        return tuple(self._accepted.values())

    def restore(self, body: bytes, now: datetime) -> None:
        """Take over what was accepted before a restart."""
        self._accepted = from_bytes(body, self._asked_for(), now)

    # -- asking ------------------------------------------------------------------------------------------

    def ask(self, now: datetime) -> tuple[Question, ...]:
        """What to ask now. Sources that are well are all asked at once: prices of one moment are compared."""
        begins = self._cycle_at is None or now >= self._cycle_at
        if begins:
            self._cycle_at = now + self._pause(now)
        asked: list[Question] = []
        for source in self._sources:
            circuit = self._circuits[source.name]
            early = timedelta(seconds=self._terms.refresh_s * JITTER if begins and not circuit.failures else 0.0)
            if circuit.on_way or (circuit.due_at is not None and circuit.due_at - early > now):
                continue
            questions = self._questions(source, now)
            if circuit.failures >= BROKEN_AFTER:
                questions = questions[:1]
            if not questions:
                circuit.due_at = self._cycle_at
            circuit.on_way = {each.key: each for each in questions}
            circuit.trouble, circuit.doubt, circuit.good = None, None, False
            asked += questions
        return tuple(asked)

    def next_at(self, now: datetime) -> datetime:
        """When to ask again."""
        waiting = [each.due_at for each in self._circuits.values() if not each.on_way and each.due_at is not None]
        return min(waiting, default=now + timedelta(seconds=self._terms.refresh_s))

    @property
    def is_listening(self) -> bool:
        """Whether an answer is still on its way."""
        return any(each.on_way for each in self._circuits.values())

    def _asked_for(self) -> tuple[str, ...]:
        """The wanted tokens that nobody has pinned, and the stablecoins that pairs are counted in."""
        tokens = [token for token in self._terms.tokens if token not in self._terms.overrides]
        pairs = [
            getattr(self._terms.names[token], source.name)
            for token in tokens
            for source in self._sources
            if source.kind == "exchange" and token in self._terms.names
        ]
        dollars = {dollar_of(pair) for pair in pairs if pair is not None}
        return tuple(dict.fromkeys((*tokens, *(coin for coin in STABLECOINS if coin in dollars))))

    def _questions(self, source: Source, now: datetime) -> tuple[Question, ...]:
        tokens = tuple(
            token for token in self._asked_for() if self._unlisted.get((source.name, token), now) <= now
        )
        key = self._terms.coingecko_key if source.name == "coingecko" else None
        return source.ask(self._terms.urls[source.name], self._terms.names, tokens, key)

    # -- listening ---------------------------------------------------------------------------------------

    def answered(self, key: str, reply: Reply | NoReply, now: datetime) -> None:
        """Take in one answer; one that was not asked for is nobody's."""
        source = next((each for each in self._sources if key in self._circuits[each.name].on_way), None)
        if source is None:
            return
        circuit = self._circuits[source.name]
        question = circuit.on_way.pop(key)
        if isinstance(reply, NoReply):
            self._refused(source, question, reply, now)
        else:
            self._read(source, question, reply, now)
        if not circuit.on_way:
            self._schedule(circuit, now)

    def _read(self, source: Source, question: Question, reply: Reply, now: datetime) -> None:
        circuit = self._circuits[source.name]
        try:
            heard = source.read(reply, question, self._terms.names, now)
        except ProtocolError as error:
            reason = why(error)
            failure = _failure(question.key, reason, str(error), now)
            self._faults.append(failure)
            if reason == "unlisted":
                self._set_aside(source, question, now)
            elif reason == "rate_limited":
                circuit.trouble = failure
            else:
                circuit.doubt = failure
            return
        circuit.good = True
        self._quotes.update({(source.name, quote.token): quote for quote in heard.quotes})
        self._faults += [
            _failure(f"{source.name}/{each.token}", each.reason, each.sentence, now) for each in heard.faults
        ]
        self._note_missing(source, question, heard, now)

    def _note_missing(self, source: Source, question: Question, heard: Heard, now: datetime) -> None:
        """A token that a good answer leaves out is told once."""
        known = {each.token for each in heard.quotes} | {each.token for each in heard.faults}
        for token in question.tokens:
            if token in known:
                self._missing.discard((source.name, token))
            elif (source.name, token) not in self._missing:
                self._missing.add((source.name, token))
                sentence = f"{source.name} knows no price of {token}"
                self._faults.append(_failure(f"{source.name}/{token}", "unlisted", sentence, now))

    def _refused(self, source: Source, question: Question, reply: NoReply, now: datetime) -> None:
        circuit = self._circuits[source.name]
        if unlisted(source.name, reply):
            sentence = f"{source.name} does not know what is asked for {', '.join(question.tokens)}"
            self._faults.append(_failure(question.key, "unlisted", sentence, now))
            self._set_aside(source, question, now)
            return
        wait_s = LONGEST_RETRY_S if reply.status in FORBIDDEN else reply.retry_after_s
        failure = replace(
            _failure(question.key, reply.reason, reply.sentence, now),
            retryable=reply.retryable,
            retry_after_s=wait_s,
        )
        self._faults.append(failure)
        circuit.trouble = _worse(circuit.trouble, failure)

    def _set_aside(self, source: Source, question: Question, now: datetime) -> None:
        self._circuits[source.name].good = True
        for token in question.tokens:
            self._unlisted[source.name, token] = now + UNLISTED_FOR
            self._quotes.pop((source.name, token), None)

    def _schedule(self, circuit: Circuit, now: datetime) -> None:
        trouble = circuit.trouble or (None if circuit.good else circuit.doubt)
        if trouble is None:
            circuit.failures = 0
            circuit.due_at = self._next_cycle(now)
            return
        circuit.failures += 1
        wait_s = min(FIRST_RETRY_S * 2.0 ** (circuit.failures - 1), LONGEST_RETRY_S)
        circuit.due_at = now + timedelta(seconds=max(wait_s, trouble.retry_after_s or 0.0))

    def _next_cycle(self, now: datetime) -> datetime | None:
        """The next cycle, or the one after it for a source that has just been asked on its own."""
        due_at, cycle_s = self._cycle_at, self._terms.refresh_s
        if due_at is not None and (due_at - now).total_seconds() < cycle_s / 2.0:
            return due_at + timedelta(seconds=cycle_s * (1.0 + JITTER))
        return due_at

    def _pause(self, now: datetime) -> timedelta:
        """A cycle, a little longer than asked for, so that not all engines ask at the same second."""
        share = zlib.crc32(now.isoformat().encode()) / 2**32
        return timedelta(seconds=self._terms.refresh_s * (1.0 + JITTER * share))

    # -- settling ----------------------------------------------------------------------------------------

    def settle(self, now: datetime) -> tuple[tuple[Price, ...], tuple[Failure, ...]]:
        """The accepted prices now, pinned ones among them, and what went wrong since the last time."""
        self._quotes = {key: quote for key, quote in self._quotes.items() if is_recent(quote, now)}
        off = unpegged(self._quotes.values(), now)
        self._faults += [_failure("peg", "absurd", _loose(coin), now) for coin in sorted(off - self._off)]
        self._off = off
        for token in self._asked_for():
            if token not in STABLECOINS or token in self._terms.tokens:
                self._settle(token, now, off)
        prices = {**self._accepted, **{each.token: each for each in overridden(self._terms.overrides, now)}}
        faults, self._faults = tuple(self._faults), []
        return tuple(prices.values()), faults

    def _settle(self, token: str, now: datetime, off: frozenset[Dollar]) -> None:
        before = self._accepted.get(token)
        if before is not None and (now - before.observed_at).total_seconds() > self._terms.unknown_after_s:
            before = None
        found = combine(token, self._of(token), now, off)
        if found is None or (before is not None and found.observed_at < before.observed_at):
            return
        price, suspicion = guard(before, found, self._suspicions.pop(token, None))
        self._accepted[token] = price
        if suspicion is not None:
            self._suspicions[token] = suspicion

    def _of(self, token: str) -> Iterator[Quote]:
        return (quote for (_, owner), quote in self._quotes.items() if owner == token)


def _failure(endpoint: str, reason: Reason, sentence: str, now: datetime) -> Failure:
    return Failure(endpoint=endpoint, reason=reason, sentence=sentence, retryable=True, failed_at=now)


def _worse(one: Failure | None, other: Failure) -> Failure:
    """The one that asks for the longer wait."""
    if one is None or (other.retry_after_s or 0.0) >= (one.retry_after_s or 0.0):
        return other
    return one


def _loose(coin: str) -> str:
    return f"{coin} is more than 2 % off a dollar: prices counted in it are not used"
