"""One price from what several sources say: the median over families, and a guard against jumps.

Sources of one family may be wrong together, so a family has one voice: its newest quote. Three or more families:
those more than 5 % from the median are dropped, and the median of the rest counts. Two that differ by more are
disputed, and the lower counts. A price that jumped by more than 30 % waits until a second family agrees or three
answers in a row repeat it; until then the one before stands and grows older. Real tokens do move by 150 % in a
day, so nothing is held for ever.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.earnings.names import STABLECOINS
from orch.earnings.quotes import is_recent
from orch.model.base import Value
from orch.model.money import SCALE, Agreement, Price

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.earnings.names import Dollar
    from orch.earnings.quotes import Quote

APART = Decimal("0.05")
JUMP = Decimal("0.30")
REPEATS = 3
PEG = Decimal("0.02")


class Suspicion(Value):
    """A jump that waits: the price, and how many answers in a row have said so. `heard_at` is the last one's."""

    usd: Decimal
    times: int
    heard_at: datetime


def unpegged(quotes: Iterable[Quote], now: datetime) -> frozenset[Dollar]:
    """The stablecoins that are known to be more than 2 % off a dollar."""
    known = list(quotes)
    off = set()
    for coin in STABLECOINS:
        price = combine(coin, [each for each in known if each.token == coin], now)
        if price is not None and abs(price.usd - 1) > PEG:
            off.add(coin)
    return frozenset(off)


def combine(
    token: str, quotes: Iterable[Quote], now: datetime, off: frozenset[Dollar] = frozenset()
) -> Price | None:
    """The price that these quotes amount to, None when none of them may be used.

    Args:
        token: Whose.
        quotes: Of this token, at most one per source is used.
        now: Quotes too old for it are left out.
        off: Stablecoins off their peg: what is counted in them is left out.
    """
    usable = [each for each in quotes if is_recent(each, now) and each.dollar not in off]
    busy = [each for each in usable if not each.thin]
    voices = _one_per_family(busy or usable)
    if not any(each.observed_at for each in voices):
        return None  # witnesses only
    kept, agreement, note = _agreeing(voices)
    times = [each.observed_at for each in kept if each.observed_at is not None]
    if not times:
        return None
    if len(voices) == 1:
        agreement, note = "single_source", f"only {voices[0].source} states it"
    usd = min(each.usd for each in kept) if agreement == "disputed" and len(kept) == 2 else _median(kept)
    return Price(
        token=token,
        usd=usd,
        source="+".join(sorted(each.source for each in kept)),
        observed_at=max(times),
        fetched_at=max(each.fetched_at for each in kept),
        agreement=agreement,
        note=note,
    )


def guard(before: Price | None, found: Price, suspicion: Suspicion | None) -> tuple[Price, Suspicion | None]:
    """The price to go on with: the one found, or after a jump that nobody confirms the one before.

    Args:
        before: The last accepted price; None when none is known any more.
        found: What the quotes amount to now.
        suspicion: The jump that waits already.

    Returns:
        The accepted price, and the jump that waits now.
    """
    if before is None or not _apart(before.usd, found.usd, JUMP):
        return found, None
    if found.agreement == "agreed":
        return found, None
    if suspicion is not None and not _apart(suspicion.usd, found.usd, JUMP):
        if found.observed_at <= suspicion.heard_at:
            return _held(before, found), suspicion
        times = suspicion.times + 1
    else:
        times = 1
    if times >= REPEATS:
        return found, None
    return _held(before, found), Suspicion(usd=found.usd, times=times, heard_at=found.observed_at)


def _held(before: Price, found: Price) -> Price:
    note = f"{found.source} states {found.usd.normalize():f} USD, which waits for a second word"
    return replace(before, agreement="held", note=note)


def _one_per_family(quotes: list[Quote]) -> list[Quote]:
    """Each family's newest quote; one without a time only where there is no other."""
    voices: dict[str, Quote] = {}
    for each in quotes:
        other = voices.get(each.family)
        if other is None or _newer(each, other):
            voices[each.family] = each
    return list(voices.values())


def _newer(one: Quote, other: Quote) -> bool:
    if one.observed_at is None or other.observed_at is None:
        return one.observed_at is not None
    return one.observed_at > other.observed_at


def _agreeing(voices: list[Quote]) -> tuple[list[Quote], Agreement, str]:
    """The voices that count, whether they agree, and what they say where they do not."""
    if len(voices) == 2 and _apart(voices[0].usd, voices[1].usd, APART):
        return voices, "disputed", _said(voices)
    middle = _median(voices)
    kept = [each for each in voices if abs(each.usd - middle) <= APART * middle]
    if len(kept) >= 2 or len(voices) <= 1:
        return kept or voices, "agreed", ""
    return voices, "disputed", _said(voices)


def _said(voices: list[Quote]) -> str:
    return f"{' and '.join(f'{each.source} {each.usd.normalize():f}' for each in voices)} USD"


def _apart(one: Decimal, other: Decimal, by: Decimal) -> bool:
    return max(one, other) > min(one, other) * (1 + by)


def _median(quotes: list[Quote]) -> Decimal:
    prices = sorted(each.usd for each in quotes)
    half = len(prices) // 2
    if len(prices) % 2:
        return prices[half]
    return ((prices[half - 1] + prices[half]) / 2).quantize(SCALE).normalize()
