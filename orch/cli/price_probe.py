"""The price sources, asked once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.boot.plans import cost_tokens, price_terms
from orch.cli.findings import Line
from orch.earnings.price_desk import PriceDesk
from orch.earnings.prices import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.boot.plans import Setting
    from orch.cli.findings import Result
    from orch.messages import Answered
    from orch.model.money import Price
    from orch.ports import Transport

PRICES = "prices"


class PriceProbe:
    """All sources of a configuration, attended as the engine would."""

    def __init__(self, setting: Setting) -> None:
        self._prices = setting.config.prices
        self._terms = price_terms(setting)
        self._only_costs = frozenset(cost_tokens(setting))
        self._desk = PriceDesk(self._terms)
        self._asked: set[str] = set()
        self._open: set[str] = set()

    def ask(self, transport: Transport, now: datetime) -> int:
        """Ask everybody; returns how many questions are on their way."""
        questions = self._desk.ask(now) if self._wanted() else ()
        for each in questions:
            self._asked.add(each.source)
            self._open.add(each.key)
            transport.fetch(
                each.request, reply_to=PRICES, key=each.key, node=f"{PRICES}.{each.source}", lane="slow"
            )
        return len(questions)

    def answered(self, answer: Answered, now: datetime) -> None:
        """Take in one answer."""
        self._open.discard(answer.key)
        self._desk.answered(answer.key, answer.reply, now)

    def lines(self, now: datetime) -> Iterator[Line]:
        """What is pinned, what each source says, and what nobody knows."""
        pinned = self._prices.override
        if pinned:
            said = ", ".join(f"{token} {usd} USD" for token, usd in sorted(pinned.items()))
            yield Line(subject=PRICES, asked="override", result="ok", sentence=f"pinned: {said}")
        wanted = self._wanted()
        if not wanted:
            return
        prices, failures = self._desk.settle(now)
        found = [each for each in prices if each.token in wanted]
        yield from self._sources(found, {each.endpoint.partition("/")[0]: each.sentence for each in failures})
        missing = set(wanted) - {each.token for each in found}
        for each in found:
            yield self._price(each, now)
        yield from _unpriced(missing - self._only_costs, "failed", "income in it stays unknown")
        less = "net income stays unknown, and nothing else changes"
        yield from _unpriced(missing & self._only_costs, "warning", less)

    def prices(self, now: datetime) -> tuple[Price, ...]:
        """What is accepted of it all; ask for `lines` before, which tell of the faults."""
        return self._desk.settle(now)[0]

    def _wanted(self) -> tuple[str, ...]:
        return tuple(token for token in self._terms.tokens if token not in self._terms.overrides)

    def _sources(self, found: list[Price], troubles: dict[str, str]) -> Iterator[Line]:
        for name in self._terms.urls:
            tokens = [each.token for each in found if name in each.source.split("+")]
            if name not in self._asked:
                said = "lists none of what is wanted"
                yield Line(subject=PRICES, asked=name, result="note", sentence=said)
            elif any(key.partition("/")[0] == name for key in self._open):
                said, remedy = "did not answer in time", "see the way to it; the other sources count without it"
                yield Line(subject=PRICES, asked=name, result="warning", sentence=said, remedy=remedy)
            elif name in troubles and not tokens:
                remedy = "see the way to it; the other sources count without it"
                yield Line(
                    subject=PRICES,
                    asked=name,
                    result="warning" if found else "failed",
                    sentence=troubles[name],
                    remedy=remedy,
                )
            else:
                said = f"counts for {', '.join(tokens)}" if tokens else "answers; others are newer or agree better"
                yield Line(subject=PRICES, asked=name, result="ok", sentence=said)

    def _price(self, price: Price, now: datetime) -> Line:
        old = max((now - price.observed_at).total_seconds(), 0.0)
        said = f"{price.token} {price.usd.normalize():f} USD by {price.source.replace('+', ', ')}"
        remedy = "it is stale: nothing is moved on it" if old > self._prices.stale_after_s else None
        if remedy is None and STATES[price.agreement] == "disputed":
            remedy = f"{price.note}; pin it under [prices.override] if you know better"
        return Line(
            subject=PRICES,
            asked=price.token,
            result="warning" if remedy else "ok",
            sentence=said,
            remedy=remedy,
            age_s=old,
        )


def _unpriced(tokens: set[str], result: Result, what: str) -> Iterator[Line]:
    if tokens:
        named = ", ".join(sorted(tokens))
        said, pin = f"no price of {named} is known: {what}", f"pin it under [prices.override]: {named}"
        yield Line(subject=PRICES, asked="all sources", result=result, sentence=said, remedy=pin)
