"""Figures in words: money, amounts, ages, evidence. Unknown is an em dash, never 0."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar

import msgspec

from orch.model.resources import RESOURCES, close

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orch.model.board import DisplayView
    from orch.model.money import EarnedUsd, Rate
    from orch.model.moves import Change, Reallocation
    from orch.model.plans import Code
    from orch.model.resources import ResourceName, Resources

T = TypeVar("T")
UNKNOWN = "—"
CONTROL = dict.fromkeys((*range(0x20), *range(0x7F, 0xA0)), " ")
"""What could give orders to a terminal: names and sentences may come from a node."""
TINY = Decimal("0.000001")
TITLES: dict[ResourceName, str] = {
    "cpu_cores": "cores",
    "memory_gb": "memory GB",
    "bandwidth_mbps": "Mbit/s",
    "storage_gb": "disk GB",
}
WORDS: dict[ResourceName, str] = {
    "cpu_cores": "cores",
    "memory_gb": "memory",
    "bandwidth_mbps": "bandwidth",
    "storage_gb": "disk",
}
MEANING: dict[Code, str] = {
    "GAIN_ABOVE_COST": "even the lower bound of the gain pays for the move",
    "GAIN_BELOW_COST": "the lower bound of the gain does not pay for the move",
    "ALREADY_BEST": "the present split is the best one found",
    "HOLD_ACTIVE": "a node was moved a short while ago and rests",
    "RATE_LIMITED": "enough moves were made within the hour",
    "RATE_UNKNOWN": "a node's income is not known, so it keeps what it has",
    "PRICE_STALE": "a token's price is too old to decide on",
    "PRICE_UNKNOWN": "a token's price is not known",
    "NODE_OFFLINE": "a node is offline",
    "NODE_STALE": "a node's last answer is too old to decide on",
    "NODE_COMMITTED": "a node cannot give back what it has promised",
    "ALLOCATION_UNKNOWN": "what a node may use now is not known",
    "LEVER_MISSING": "no lever is configured that could make the change",
    "LEVER_IN_OBSERVE_MODE": "the lever may only observe",
    "LEVER_IN_SUGGEST_MODE": "the lever may only suggest",
    "LEVER_NEEDS_APPROVAL": "the lever waits for a person's approval",
    "REALLOCATION_RUNNING": "another move is under way",
    "SAGA_STUCK": "a move is stuck and needs a person",
    "FROZEN": "the operator has frozen all levers",
    "PROTECTED_FLOOR": "a node would fall below what it needs",
    "INFEASIBLE": "no split keeps all limits",
    "SOLVER_REFUSED": "the wanted solver gave no usable answer, another one did",
    "STRATEGY_KEEPS": "the strategy keeps the present split",
    "STRATEGY_FAILED": "the strategy gave no usable advice, so nothing moves",
    "INTERVAL_RUNNING": "the strategy's interval since the last move is not over",
    "FORECAST_UNKNOWN": "no forecast reaches over the horizon yet",
    "FORECAST_UNSURE": "the forecast is not sure enough that the move pays",
    "RISK_ABOVE_TOLERANCE": "income varies more than is tolerated, and the move makes it vary less",
    "NOT_READY": "not enough is known yet",
    "MOVE_LOST": "a move has been seen to lose, and is taken back",
    "OUTSIDE_WINDOW": "no maintenance window is open",
    "DAY_BUDGET_SPENT": "enough moves were made within the day",
    "PLAN_EXPIRED": "the plan is too old to be approved",
    "PLAN_STALE": "the plan was made for a split that is no longer there",
    "ALLOCATION_CHANGED": "a node has something else than the plan was made for, perhaps set by hand",
    "LEVER_FAILED": "a lever did not answer or could not be pulled",
    "JOURNAL_FAILED": "the journal cannot be written, and nothing moves without it",
    "CALLED_OFF": "a person called it off",
    "INTERRUPTED": "orch was stopped before anything was changed",
}
"""What each reason code says."""


def harmless(value: T) -> T:
    """The same value with blanks for the control characters in its texts."""
    cleaned = _cleaned(value)
    return cleaned if isinstance(cleaned, type(value)) else value


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return value.translate(CONTROL)
    if isinstance(value, tuple):
        return tuple(_cleaned(each) for each in value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, msgspec.Struct):
        fields = {name: _cleaned(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **fields)
    return value


def usd(amount: Decimal | float | None) -> str:
    """USD: cents from a dollar on, four decimals below, six where four would say nothing."""
    if amount is None:
        return UNKNOWN
    exact = Decimal(str(amount))
    size = abs(exact)
    if size == 0:
        return "0.00"
    if size < TINY:
        return f"<{TINY}" if exact > 0 else f">-{TINY}"
    return f"{exact:,.2f}" if size >= 1 else f"{exact:.4f}" if size >= Decimal("0.001") else f"{exact:.6f}"


def usd_per_hour(amount: float | None, *, signed: bool = False) -> str:
    """USD per hour with four decimals, or six where four would say nothing."""
    if amount is None:
        return UNKNOWN
    size = abs(amount)
    text = f"{size:,.4f}" if size == 0 or size >= 0.001 else f"{size:.6f}"
    sign = "-" if amount < 0 else "+" if signed else ""
    return f"{sign}{text}"


def also(amount: Decimal | float | None, display: DisplayView | None, unit: str = "") -> str:
    """` (0.1020 EUR)`: the same in the currency that people count in; nothing where its rate is not known."""
    if amount is None or display is None or display.usd is None:
        return ""
    return f" ({usd(Decimal(str(amount)) / display.usd)} {display.currency}{unit})"


def interval(rate: Rate | None) -> str:
    """`0.1100 to 0.1350`: the 90 % interval."""
    return UNKNOWN if rate is None else f"{usd_per_hour(rate.low)} to {usd_per_hour(rate.high)}"


def percent(share: float | None) -> str:
    """Whole percents; one decimal below ten, and where almost all would look like all."""
    if share is None:
        return UNKNOWN
    if 99 < share < 100:
        return f"{min(share, 99.9):.1f} %"
    return f"{share:,.0f} %" if abs(share) >= 9.95 or share == 0 else f"{share:.1f} %"


def amount(value: float | None) -> str:
    """An amount of a resource with at most three digits after the point that still matter."""
    if value is None:
        return UNKNOWN
    size = abs(value)
    if size >= 1000:
        return f"{value:,.0f}"
    text = f"{value:.{0 if size >= 100 else 1 if size >= 10 else 2}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit."""
    if seconds < 1:
        return "0 s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= (2 * size if unit != "min" else size):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def age(seconds: float | None) -> str:
    """How old: `12 s old`."""
    return "of unknown age" if seconds is None else f"{span(seconds)} old"


def relative(when: datetime | None, now: datetime) -> str:
    """`3 min ago`, `in 12 s`, `now`."""
    if when is None:
        return UNKNOWN
    seconds = (when - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def stamp(when: datetime) -> str:
    """`2026-11-22 14:03:05 UTC`."""
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"


def earned_in_words(earned: EarnedUsd) -> str:
    """`12.30 settled · 3.20 accrued · 0.10 estimated USD`."""
    parts = (("settled", earned.settled), ("accrued", earned.accrued), ("estimated", earned.estimated))
    return f"{' · '.join(f'{usd(part)} {name}' for name, part in parts)} USD"


def earned_sum(earned: EarnedUsd) -> Decimal:
    """All income so far, whatever its evidence."""
    return earned.settled + earned.accrued + earned.estimated


def differences(before: Resources, after: Resources) -> Iterator[tuple[ResourceName, float | None, float]]:
    """The resources of which `after` says something else: name, before, after."""
    for name in RESOURCES:
        goal = after.get(name)
        if goal is not None and not close(before.get(name), goal):
            yield name, before.get(name), goal


def change_in_words(change: Change, *, over: bool = True) -> str:
    """`disk 1,000 → 1,500`, and once the move is over what was read back where that differs."""
    text = f"{WORDS[change.resource]} {amount(change.from_value)} → {amount(change.to_value)}"
    if not over or close(change.read_back, change.to_value, 1e-3):
        return text
    return f"{text} (read back {amount(change.read_back)})"


def moved_in_words(move: Reallocation) -> str:
    """All changes of a move, by node: `compute cores 2 → 3, memory 4 → 6; disk cores 2 → 1`."""
    over = move.state in ("settled", "rolled_back", "stuck")
    by_node: dict[str, list[str]] = {}
    for change in move.changes:
        by_node.setdefault(change.node, []).append(change_in_words(change, over=over))
    return "; ".join(f"{node} {', '.join(parts)}" for node, parts in by_node.items()) or "no change"


def octets(count: float) -> str:
    """An amount of data in decimal units: `512 B`, `1.2 kB`, `3.4 MB`."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 999.5:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 99.5 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def asking_in_words(requests: float, size: float, seconds: float) -> str:
    """What asking a node costs it: requests, data, time waited."""
    count = f"{requests:.0f} request{'' if round(requests) == 1 else 's'}"
    return f"{count}, {octets(size)}, {seconds:.1f} s"
