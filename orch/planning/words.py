"""Numbers and moves in words: the one sentence of a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.model.resources import RESOURCES, TOLERANCE, close

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from orch.model.money import Rate
    from orch.model.plans import Blocker
    from orch.model.resources import ResourceName, Resources

UNITS: dict[ResourceName, tuple[str, str, str]] = {
    "cpu_cores": ("core", "cores", ""),
    "memory_gb": ("GB", "GB", " of memory"),
    "bandwidth_mbps": ("Mbit/s", "Mbit/s", ""),
    "storage_gb": ("GB", "GB", " of storage"),
}


def number(value: float) -> str:
    """Up to three decimals, no trailing zeros."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def usd(value: float | Decimal) -> str:
    """Four decimals; two significant digits below that; cents from 100 dollars on."""
    amount = float(value)
    size = abs(amount)
    if size >= 100.0:
        text = f"{size:.2f}"
    elif size >= 0.0005 or size < 1e-12:
        text = f"{size:.4f}"
    else:
        text = f"{size:.2g}" if size >= 1e-4 else f"{size:.1e}"
    return f"{'-' if amount < 0.0 else ''}${text}"


def amount_of(name: ResourceName, value: float) -> str:
    """An amount with its unit, such as `12 GB of memory`."""
    one, many, what = UNITS[name]
    return f"{number(value)} {one if number(value) == '1' else many}{what}"


def listed(parts: Sequence[str]) -> str:
    """`a, b and c`."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def duration(hours: float) -> str:
    """A length of time in the unit that reads best."""
    if hours < 1.0 / 60.0:
        return f"{max(hours * 3600.0, 0.0):.0f} s"
    if hours < 2.0:
        return f"{hours * 60.0:.0f} min"
    return f"{hours:.0f} h" if hours < 48.0 else f"{hours / 24.0:.0f} days"


def what_moves(before: Mapping[str, Resources], after: Mapping[str, Resources]) -> str:
    """What goes from whom to whom: `10 cores and 12 GB of memory from disk and relay to compute`."""
    givers: dict[str, None] = {}
    takers: dict[str, None] = {}
    parts: list[str] = []
    for name in RESOURCES:
        up = down = 0.0
        for node, allocation in after.items():
            was, now = before[node].get(name), allocation.get(name)
            if was is None or now is None or close(was, now, TOLERANCE):
                continue
            if now > was:
                up += now - was
                takers.setdefault(node)
            else:
                down += was - now
                givers.setdefault(node)
        if up or down:
            parts.append(amount_of(name, up or down))
    whence = f" from {listed(list(givers))}" if givers else " from what is free" if takers else ""
    whither = f" to {listed(list(takers))}" if takers else ""
    return f"{listed(parts)}{whence}{whither}"


def gain_in_words(gain: Rate) -> str:
    """The gain with its interval: `+$0.0213/h (90 %: 0.0120 to 0.0310)`."""
    sign = "+" if gain.mean >= 0.0 else ""
    low, high = usd(gain.low).replace("$", ""), usd(gain.high).replace("$", "")
    return f"{sign}{usd(gain.mean)}/h (90 %: {low} to {high})"


def move_sentence(moves: str, gain: Rate | None, cost: Decimal | None) -> str:
    """What a move does, gains and costs, and how soon it pays back."""
    said = [f"Move {moves}: {'gain unknown' if gain is None else gain_in_words(gain)}"]
    if cost is not None:
        said.append(f"cost {usd(cost)}")
        if gain is not None and gain.mean > 0.0:
            said.append(f"pays back in {duration(float(cost) / gain.mean)}" if cost > 0 else "pays back at once")
    return ", ".join(said) + "."


def stay_sentence(why: str, moves: str = "") -> str:
    """Why nothing is moved, and what would have been."""
    would = f" Best found: move {moves}." if moves else ""
    return f"Stay: {why[:1].lower() + why[1:] if why[:2].istitle() else why}{would}"


def blocked_by(blockers: Sequence[Blocker]) -> str:
    """The first obstacle in full, and how many more there are."""
    more = f" And {len(blockers) - 1} more." if len(blockers) > 1 else ""
    return f"{blockers[0].sentence}{more}"
