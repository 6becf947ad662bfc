"""From series to a market: what one unit earns per hour with each option, on one grid of hours or days.

An option is a series of rates, or a sum of products of series and numbers, such as
`0.4*GLM - 0.05*power*usd_per_eur`. What is unknown at a time stays unknown, never 0.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from orch.errors import SeriesError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from orch.replay.table import Series

    Floats = NDArray[np.float64]

HOUR_S, DAY_S = 3600, 86400
DAILY_FROM_S = 20 * HOUR_S
"""Values this far apart, or further, are daily."""

CARRIED = 1.05
"""A value stands for this many times the usual distance to the next: a local day may have 25 hours."""

MOST_STEPS = 1_000_000
FACTOR = re.compile(r"\s*(?:(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)|(?P<name>[^\W\d][\w.]*))\s*")


class Term(NamedTuple):
    """A product: a number times series."""

    number: float
    series: tuple[str, ...]


class Option(NamedTuple):
    """Something that a unit can be put to: USD per hour as a sum of terms."""

    name: str
    terms: tuple[Term, ...]

    @property
    def plain(self) -> str | None:
        """The series whose rate it is, unchanged."""
        return self.terms[0].series[0] if self.terms == (Term(1.0, self.terms[0].series[:1]),) else None


class Market(NamedTuple):
    """Rates of one unit, USD per hour, by step and option; NaN where unknown.

    `starts` are seconds of the epoch, `step_s` is an hour or a day.
    """

    options: tuple[str, ...]
    starts: NDArray[np.int64]
    step_s: int
    rates: Floats

    @property
    def known(self) -> NDArray[np.bool_]:
        """The steps in which every option's rate is known: only they are counted."""
        return np.asarray(np.isfinite(self.rates).all(axis=1), dtype=np.bool_)


def parse_option(text: str) -> Option:
    """An option from `NAME=EXPRESSION`.

    >>> parse_option("compute=0.4*GLM - 0.05*power").terms
    (Term(number=0.4, series=('GLM',)), Term(number=-0.05, series=('power',)))

    Raises:
        SeriesError: It cannot be read.
    """
    name, _, expression = text.partition("=")
    terms: list[Term] = []
    at, sign = 0, 1.0
    if not name.strip() or not expression.strip():
        raise _unreadable(text, text)
    if (signed := re.match(r"\s*([+-])", expression)) is not None:
        sign, at = (-1.0 if signed[1] == "-" else 1.0), signed.end()
    while True:
        number, series = sign, []
        while True:
            found = FACTOR.match(expression, at)
            if found is None:
                raise _unreadable(text, expression[at:])
            if found["name"]:
                series.append(found["name"])
            else:
                number *= float(found["number"])
            at = found.end()
            if at >= len(expression) or expression[at] != "*":
                break
            at += 1
        terms.append(Term(number, tuple(series)))
        if at >= len(expression):
            return Option(name.strip(), tuple(terms))
        if expression[at] not in "+-":
            raise _unreadable(text, expression[at:])
        sign, at = (-1.0 if expression[at] == "-" else 1.0), at + 1


def _unreadable(text: str, where: str) -> SeriesError:
    return SeriesError(
        f"--option {text!r} cannot be read at {where.strip()[:30]!r}: write NAME=SUM, such as "
        f"compute='0.4*GLM - 0.05*power' or idle=0."
    )


def make_market(
    series: Sequence[Series],
    options: Sequence[Option] = (),
    *,
    scale: float = 1.0,
    carry_s: Mapping[str, float] | None = None,
) -> Market:
    """The rates of all options over the time in which all of them have begun and none has ended.

    Args:
        series: What the files hold.
        options: What a unit can be put to; without any, every series is one.
        scale: All rates are multiplied by it.
        carry_s: For how many seconds a value of a series stands at most; by default until the next is usual.

    Raises:
        SeriesError: Fewer than two options, an unknown series, a negative rate, or nothing is left.
    """
    known = _by_name(series)
    wanted = tuple(options) or tuple(Option(name, (Term(1.0, (name,)),)) for name in known)
    _refuse(wanted, known)
    used = [
        known[name] for name in dict.fromkeys(each for o in wanted for term in o.terms for each in term.series)
    ]
    step_s = DAY_S if min(each.spacing_s for each in used) >= DAILY_FROM_S else HOUR_S
    first = max(each.starts[0] for each in used) // step_s
    last = min(each.starts[-1] + each.spacing_s for each in used)
    count = -(-last // step_s) - first
    if count < 2:
        raise SeriesError("The series have less than two steps in common: they do not cover the same time.")
    if count > MOST_STEPS:
        raise SeriesError(f"The series span {count:,} steps, more than {MOST_STEPS:,}: is a year mistyped?")
    starts = (first + np.arange(count, dtype=np.int64)) * step_s
    grid = {each.name: _on_grid(each, starts, step_s, (carry_s or {}).get(each.name)) for each in used}
    rates = np.stack([_rate(option, grid, count) for option in wanted], axis=1) * scale
    found = Market(tuple(each.name for each in wanted), starts, step_s, rates)
    if found.known.sum() < 2:
        raise SeriesError(
            "There are not two steps in which the rates of all options are known: is a gap to be bridged by "
            "--carry, or an option to be left out with --option?"
        )
    return found


def _by_name(series: Sequence[Series]) -> dict[str, Series]:
    known: dict[str, Series] = {}
    for each in series:
        if each.name in known:
            raise SeriesError(
                f"Two series are called {each.name!r} (in {known[each.name].source} and {each.source}): give the "
                f"file a name of its own, as NAME={each.source}."
            )
        known[each.name] = each
        if len(each.starts) < 2:
            raise SeriesError(
                f"{each.source}: the series {each.name!r} has one row only: a backtest needs at least two, for "
                f"one is known beforehand and one comes after it."
            )
    return known


def _refuse(options: Sequence[Option], known: Mapping[str, Series]) -> None:
    names = [each.name for each in options]
    if len(names) < 2:
        raise SeriesError(
            f"There is only one option ({', '.join(names) or 'none'}), so nothing to choose: give another "
            f"file, or --option idle=0."
        )
    if len(set(names)) < len(names):
        raise SeriesError(f"Two options have one name: {', '.join(names)}.")
    for option in options:
        for each in (name for term in option.terms for name in term.series):
            if each not in known:
                raise SeriesError(f"--option {option.name}: no series {each!r}; there are {', '.join(known)}.")
        if option.plain is not None and option.terms:
            _refuse_negative(known[option.plain])
    if not any(term.series for option in options for term in option.terms):
        raise SeriesError("No option depends on a series: there is nothing to go by.")


def _refuse_negative(series: Series) -> None:
    for value, line in zip(series.values, series.lines, strict=True):
        if value is not None and value < 0.0:
            raise SeriesError(
                f"{series.source}, line {line}: {series.name} earns {value * series.per_h:g}, and a rate is never "
                f"negative. Where costs are taken off, name gross and cost apart: --option "
                f"{series.name}=GROSS-COST."
            )


def _on_grid(series: Series, starts: NDArray[np.int64], step_s: int, carry_s: float | None) -> Floats:
    """A series by step: means of what is finer, values carried on until the next where it is coarser."""
    own = np.asarray(series.starts, dtype=np.int64)
    values = np.asarray([math.nan if value is None else value for value in series.values], dtype=np.float64)
    if series.spacing_s < step_s and carry_s is None:
        place = own // step_s - starts[0] // step_s
        inside = (place >= 0) & (place < len(starts)) & np.isfinite(values)
        count = np.bincount(place[inside], minlength=len(starts))
        sums = np.bincount(place[inside], weights=values[inside], minlength=len(starts))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(count > 0, sums / count, np.nan)
    if carry_s is not None:
        known = np.isfinite(values)
        own, values = own[known], values[known]
    usual_s = CARRIED * series.spacing_s if series.spacing_s > step_s else step_s
    reach = usual_s if carry_s is None else carry_s
    # A value that begins within a step speaks of that step: days of a zone do not begin at midnight UTC.
    place = np.searchsorted(own, starts + (step_s - 1), side="right") - 1
    age = starts - own[np.maximum(place, 0)]
    return np.where((place >= 0) & (age < reach), values[np.maximum(place, 0)], np.nan)


def _rate(option: Option, grid: Mapping[str, Floats], count: int) -> Floats:
    total = np.zeros(count)
    for term in option.terms:
        product = np.full(count, term.number)
        for name in term.series:
            product = product * grid[name]
        total = total + product
    return total
