"""What the node earns per hour and how sure that is: utilisation times busy rate times what is really paid.

Agreements come one after the other, each with the idle time after it: cycles of a renewal-reward process. The
share of time that is worked is a ratio of sums over cycles, and its uncertainty that of the regenerative method
(Law & Kelton, *Simulation Modeling and Analysis*, 9.5.3). How many threads work wants is seen only up to what
the agreement was given; where the present profile is larger than most agreements were, an exponential demand
fitted to the censored figures fills the gap until enough agreements of the present size have ended.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.kept import Alike, kept_by
from orch.model.readings import Outlook, Pace
from orch.model.resources import Resources
from orch.protocols.golem_memory import Work
from orch.protocols.golem_money import LOOK_BACK
from orch.protocols.golem_work import agreed_of, allocation_of, price_of, same_rates, started_of, threads_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from orch.protocols.golem_memory import Digest, GolemMemory

FEWEST = 3
"""With fewer finished agreements than this nothing is said about demand."""

SHORTEST_WINDOW = timedelta(hours=24)
SHORTEST_H = 1 / 60
Z_90 = 1.645
"""Of the normal distribution: 5 % lie above."""

UNSEEN = 6.0
"""Where nothing but full allocations was ever seen, demand is taken for so many times the largest of them."""

FULL = 0.97
"""An agreement whose threads were busier than that might have used more."""

GUESS_DOUBT, GUESS_WEIGHT = 0.25, 3.0
"""How far off, relatively, the fitted demand may be, and for how many agreements of the present size it counts."""

DRIFT = 0.04
"""Demand of a week ago is not that of today: a relative doubt that no number of agreements removes."""

POOLED = 4.0
"""For so many degrees of freedom the spread of the fitted demand counts beside that of the agreements."""


class _Span(Value):
    """One agreement: when, and for how much GLM; with its threads once it ended and its terms are read."""

    begin: datetime
    end: datetime
    due: float
    hours: float
    threads: float | None
    agreed: float | None


def work_of(memory: GolemMemory) -> Work:
    """Demand as far as the agreements tell it."""
    digest = memory.digest
    realised, matured, realised_doubt = _realised(digest)
    now = memory.pays_read_at
    none = Work(finished=digest.finished, read_at=now, realised=realised, matured=matured)
    if digest.finished < FEWEST or now is None:
        return none
    spans = _spans(memory, now)
    begin, repriced = _window(memory, spans, now)
    window_s = (now - begin).total_seconds()
    if window_s <= 0:
        return none
    share, share_doubt = _busy_share(spans, begin, now)
    idle_inclusive = sum(_within(each, begin, now) * each.due for each in spans) / (window_s / 3600)
    given = allocation_of(memory).cpu_cores
    threads, threads_doubt, sized = _threads(spans, given)
    seen = [min(each.threads, each.agreed) for each in spans if each.threads is not None and each.agreed]
    price = price_of(memory)
    busy_rate = None
    if price is not None and threads is not None:
        worked_h = share * window_s / 3600
        starts = sum(1 for each in spans if each.end > begin)
        busy_rate = price.cpu_hour * threads + price.wall_hour
        busy_rate += price.initial * starts / worked_h if worked_h > 0 else 0.0
    return Work(
        finished=digest.finished,
        read_at=now,
        busy_share=share,
        window_s=window_s,
        threads=threads,
        saturation=None if threads is None or not given else min(threads / given, 1.0),
        demand=max(seen) if threads is not None and seen else None,
        busy_rate=busy_rate,
        idle_inclusive=idle_inclusive,
        realised=realised,
        matured=matured,
        doubts=(share_doubt, threads_doubt, realised_doubt),
        sized=sized,
        usual_h=sum(each.hours for each in spans) / len(spans) if spans else 0.0,
        repriced=repriced,
    )


def outlook_of(memory: GolemMemory, work: Work) -> Outlook:
    """Cores as a dial: what one in full use earns, how often and how far they are used."""
    price = price_of(memory)
    return Outlook(
        form="dial",
        resource="cpu_cores",
        unit="GLM",
        per_unit_hour=None if price is None else price.cpu_hour,
        busy_share=work.busy_share,
        saturation=work.saturation,
        demand=work.demand,
        also=Resources(memory_gb=memory.options.memory_gb_per_core),
        step=1.0,
    )


def pace_of(memory: GolemMemory, work: Work) -> Pace | None:
    """Expected GLM per hour with the present profile and price; None before a day and three agreements.

    Nothing is expected while no preset is active: then the node sells nothing.
    """
    now = memory.pays_read_at
    if now is None or memory.digest.for_test_tokens == len(memory.pays) > 0:
        return None
    if memory.presets is not None and not memory.presets.active:
        return _pace(0.0, 0.0, 0.0, work, now)
    if work.busy_share is None or work.busy_rate is None or work.window_s < SHORTEST_WINDOW.total_seconds():
        return None
    as_of = work.read_at or now
    mean = work.busy_share * work.busy_rate * (1.0 if work.realised is None else work.realised)
    if not mean:
        # Nothing came in the whole window: with 90 % confidence fewer than 2.3 agreements a window are to come.
        return _pace(0.0, 0.0, work.busy_rate * min(1.0, 2.3 * work.usual_h * 3600 / work.window_s), work, as_of)
    doubt = math.hypot(*work.doubts, DRIFT) * Z_90
    return _pace(max(0.0, mean * (1 - doubt)), mean, mean * (1 + doubt), work, as_of)


def _pace(low: float, mean: float, high: float, work: Work, now: datetime) -> Pace:
    guessed = work.sized < FEWEST or work.repriced
    return Pace(
        unit="GLM",
        low=low,
        mean=mean,
        high=high,
        evidence="estimated" if guessed else "accrued",
        window_s=max(work.window_s, SHORTEST_WINDOW.total_seconds()),
        as_of=now,
    )


def _spans(memory: GolemMemory, now: datetime) -> list[_Span]:
    """The agreements that ended last and those that run, by their beginning."""
    invoices = memory.digest.invoices
    running = [_span(memory, each, now, known=False) for each in memory.running or () if each not in invoices]
    spans = [each for each in (*_ended(memory), *running) if each is not None]
    return sorted(spans, key=lambda each: each.begin)


@kept_by(
    lambda memory: (
        *(memory.digest.invoices, memory.terms, memory.no_terms, memory.profile, memory.offers, memory.presets),
        Alike([pay and (pay.due, pay.created_at) for pay in map(memory.pays.get, memory.digest.ended)]),
        Alike(memory.digest.ended),
    ),
    lambda memory: memory.context.node,
)
def _ended(memory: GolemMemory) -> list[_Span | None]:
    """The agreements that ended last: their rows are the same for days."""
    invoices, told = memory.digest.invoices, memory.terms.keys() | memory.no_terms
    return [_span(memory, each, invoices[each].issued_at, known=each in told) for each in memory.digest.ended]


def _span(memory: GolemMemory, agreement: str, end: datetime, *, known: bool) -> _Span | None:
    """One agreement until its end, or until now; None while it is not known when it began."""
    pay = memory.pays.get(agreement)
    begin = None if pay is None else started_of(memory, pay)
    if pay is None or begin is None:
        return None
    return _Span(
        begin=begin,
        end=max(begin, end),
        due=float(pay.due),
        hours=max(0.0, (end - begin).total_seconds() / 3600),
        threads=threads_of(memory, pay, end, SHORTEST_H) if known else None,
        agreed=agreed_of(memory, agreement).cpu_cores if known else None,
    )


def _window(memory: GolemMemory, spans: Iterable[_Span], now: datetime) -> tuple[datetime, bool]:
    """Since when agreements speak for the present price: a week at most; and whether some had another price."""
    first = min((each.begin for each in spans), default=now)
    begin = max(first, now - LOOK_BACK)
    present = price_of(memory)
    if present is None:
        return begin, False
    signed = sorted(
        (terms.approved_at, same_rates(terms.price, present))
        for terms in memory.terms.values()
        if terms.approved_at is not None and terms.price is not None and terms.approved_at >= begin
    )
    others = [approved_at for approved_at, same in signed if not same]
    if not others:
        return begin, False
    since = min((at for at, same in signed if same and at > others[-1]), default=now)
    return (since, False) if now - since >= SHORTEST_WINDOW else (begin, True)


def _within(span: _Span, begin: datetime, now: datetime) -> float:
    """The share of a span that lies in the window."""
    length_s = (span.end - span.begin).total_seconds()
    overlap_s = (min(span.end, now) - max(span.begin, begin)).total_seconds()
    return 1.0 if length_s <= 0 and span.begin >= begin else max(0.0, overlap_s) / length_s if length_s else 0.0


def _busy_share(spans: list[_Span], begin: datetime, now: datetime) -> tuple[float, float]:
    """The share of the window that agreements covered, each instant once, and its relative standard error."""
    pieces: list[tuple[datetime, float]] = []
    reached = begin
    for span in spans:
        start, stop = max(span.begin, reached), min(span.end, now)
        if stop > start:
            pieces.append((start, (stop - start).total_seconds()))
            reached = stop
    window_s = (now - begin).total_seconds()
    share = sum(length for _, length in pieces) / window_s
    if not pieces:
        return 0.0, 1.0
    edges = [start for start, _ in pieces] + [now]
    cycles = [(after - before).total_seconds() for before, after in pairwise(edges)]
    n = len(pieces)
    if n < FEWEST:
        return share, 1 / math.sqrt(n)
    mean_cycle_s = window_s / n
    squares = sum((busy - share * cycle) ** 2 for (_, busy), cycle in zip(pieces, cycles, strict=True))
    error = math.sqrt(squares / (n - 1) / n) / mean_cycle_s
    return share, error / share


def _threads(spans: Iterable[_Span], given: float | None) -> tuple[float | None, float, int]:
    """Mean threads that an hour of work would use of `given`, its relative doubt, and how many agreements say so.

    Only agreements that had as much say it directly; the others say how large demand is at least. The spread of
    few agreements is pooled with that of the fitted demand, and the doubt is that of Student's t for as few.
    """
    known = [each for each in spans if each.threads is not None and each.agreed and each.hours > 0]
    if len(known) < FEWEST or not given:
        return None, 0.0, 0
    used = [(each.hours, min(each.threads or 0.0, each.agreed or 0.0), each.agreed or 0.0) for each in known]
    large = [(hours, min(threads, given)) for hours, threads, agreed in used if agreed > given - 0.5]
    fitted, variance = _fitted(used, given)
    usual_h = sum(hours for hours, _, _ in used) / len(used)
    guess_h = GUESS_WEIGHT * usual_h if len(large) < len(used) else 0.0
    hours = guess_h + sum(each for each, _ in large)
    mean = (guess_h * fitted + sum(each * threads for each, threads in large)) / hours
    if mean <= 0:
        return 0.0, 0.0, len(large)
    freedom = POOLED + max(len(large) - 1, 0)
    squares = sum(each / usual_h * (threads - mean) ** 2 for each, threads in large)
    spread = math.sqrt((POOLED * variance + squares) / freedom) * (1 + 1 / freedom)
    own = spread * math.sqrt(sum(each**2 for each, _ in large)) / hours
    return mean, math.hypot(own, guess_h / hours * GUESS_DOUBT * fitted) / mean, len(large)


def _fitted(used: list[tuple[float, float, float]], given: float) -> tuple[float, float]:
    """Mean and variance of the threads used of `given` under exponential demand that explains what was seen."""
    full = sum(1 for _, threads, agreed in used if threads >= agreed * FULL)
    seen = sum(threads for _, threads, _ in used)
    demand = min(seen / max(len(used) - full, 1), UNSEEN * max(agreed for _, _, agreed in used))
    if demand <= 0:
        return 0.0, 0.0
    beyond = math.exp(-given / demand)
    mean = demand * (1 - beyond)
    return mean, max(2 * demand * (mean - given * beyond) - mean**2, 0.0)


def _realised(digest: Digest) -> tuple[float | None, int, float]:
    """The share of matured work that was paid for, how many agreements that is, and its relative standard error.

    One agreement more counts as paid, so that a single loss among few does not speak for all.
    """
    count = digest.matured
    if count < FEWEST or digest.matured_due <= 0:
        return None, count, 0.0
    usual = digest.matured_due / count
    ratio = (digest.matured_paid + usual) / (digest.matured_due + usual)
    return ratio, count, math.sqrt(max(ratio * (1 - ratio), 0.0) / (count + 1)) / ratio
