"""A Golem price in USD: how far the presets have drifted from their peg, and what they should ask. Pure.

Providers sell for GLM, whose price wanders; what they want is a price in money. The presets follow it with
hysteresis: every change withdraws all offers, and new ones take minutes to be heard, so a drift within the band is
left alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from orch.model.base import Value
from orch.model.readings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from orch.levers.golem_files import Preset, Presets
    from orch.model.money import Price

GLM = "GLM"
CPU, WALL = "golem.usage.cpu_sec", "golem.usage.duration_sec"
COEFFICIENTS = (CPU, WALL)
STALE_S = 600.0
HOUR_S = 3600.0

Drift: TypeAlias = Literal["too dear", "too cheap"]


class Peg(Value):
    """What is asked in USD per hour, how many per cent the price may be off, how long it stands at least."""

    cpu_usd_per_hour: float | None
    wall_usd_per_hour: float | None
    band_pct: float
    hold_s: float


class GlmPrice(Value):
    """USD per GLM, how old that is, and whether it is beyond doubt."""

    usd: float
    age_s: float
    sure: bool = True


class Repricing(Value):
    """New prices: `changes` are (preset, coefficient, GLM per second now, GLM per second wanted)."""

    sentence: str
    changes: tuple[tuple[str, str, float, float], ...]
    command: str = ""


def price_of(prices: Iterable[Price], now: datetime) -> GlmPrice | None:
    """GLM among accepted prices; None when it is not there. What a person has pinned is beyond doubt."""
    found = next((each for each in prices if each.token == GLM), None)
    if found is None:
        return None
    return GlmPrice(
        usd=float(found.usd),
        age_s=0.0 if found.agreement == "pinned" else (now - found.observed_at).total_seconds(),
        sure=found.agreement in ("agreed", "pinned"),
    )


def repricing(peg: Peg, presets: Presets, price: GlmPrice) -> Repricing | None:
    """What to change once some price is off its peg by more than the band; None while all are near.

    Both prices of a preset are set together, so that one change lasts as long as it can. A price of GLM that is
    old, doubtful or not positive changes nothing, and neither does a preset that is not for sale.

    Args:
        peg: What is wanted.
        presets: As the agent's file has them.
        price: Of GLM.
    """
    if not price.sure or price.age_s > STALE_S or not 0.0 < price.usd < float("inf"):
        return None
    on_sale = set(presets.active) or set(presets.paused)
    changes, said = [], []
    for preset in presets.presets:
        if preset.name not in on_sale or preset.pricing_model != "linear":
            continue
        moves = _moves(peg, preset, price.usd)
        if any(_off_pct(now, wanted) > peg.band_pct for _, now, wanted in moves):
            changes += [(preset.name, key, now, wanted) for key, now, wanted in moves if now != wanted]
            said.append(_said(preset.name, moves, price.usd))
    if not changes:
        return None
    sentence = f"{'; '.join(said)}, at {price.usd:.4g} USD per GLM."
    return Repricing(sentence=sentence, changes=tuple(changes), command=_command(changes))


def finding_of(order: Repricing) -> Finding:
    """What an operator is told of a price that is off its peg, with what to run by hand."""
    return Finding(code="price_off_peg", severity="info", sentence=_upper(order.sentence), remedy=order.command)


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _moves(peg: Peg, preset: Preset, usd: float) -> list[tuple[str, float, float]]:
    """(coefficient, now, wanted) of what is pegged and asked for at all."""
    pegged = ((CPU, peg.cpu_usd_per_hour), (WALL, peg.wall_usd_per_hour))
    return [
        (key, preset.usage_coeffs[key], wanted / usd / HOUR_S)
        for key, wanted in pegged
        if wanted is not None and key in preset.usage_coeffs
    ]


def _off_pct(now: float, wanted: float) -> float:
    return 100.0 * abs(now - wanted) / wanted


def _said(name: str, moves: list[tuple[str, float, float]], usd: float) -> str:
    parts = []
    for key, now, wanted in moves:
        drift: Drift = "too dear" if now > wanted else "too cheap"
        what = "a core-hour" if key == CPU else "an hour"
        parts.append(
            f"{what} asks {now * usd * HOUR_S:.4g} USD instead of {wanted * usd * HOUR_S:.4g} "
            f"({_off_pct(now, wanted):.0f} % {drift})"
        )
    return f"preset {name}: {', '.join(parts)}"


def _command(changes: list[tuple[str, str, float, float]]) -> str:
    """What to run by hand for the same."""
    lines: dict[str, list[str]] = {}
    for name, key, _, wanted in changes:
        lines.setdefault(name, []).append(f"--price {'CPU' if key == CPU else 'Duration'}={wanted:.6g}")
    return "; ".join(
        f"ya-provider preset update --name {name} --no-interactive {' '.join(parts)}"
        for name, parts in lines.items()
    )
