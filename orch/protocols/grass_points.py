"""From uptime to points, and, only by the operator's word, from points to an amount of GRASS.

Published formulas differ by a factor of two, so the account's own settled epochs are the measure, and a formula
is only the prior. Whether, when and at what rate points are ever paid is unknown: the interval in GRASS begins
at nothing.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from orch.model.base import Value
from orch.model.readings import Pace

if TYPE_CHECKING:
    from datetime import datetime

    from orch.protocols.grass_answers import Device, Epoch
    from orch.protocols.grass_memory import Memory

HOUR = 3600.0
TOKEN = "GRASS"  # noqa: S105 - the unit's name, no credential
INCOME_WINDOW_S = 30 * 24 * HOUR
"""Points settle when an epoch ends, about once a month."""

PRIOR_POINTS_PER_HOUR = 50.0
"""Per hour of uptime at score 100 and multiplier 1, before the account itself has shown a rate."""

PRIOR_HIGH = 2.0
"""The highest published formula gives twice the prior."""

CONVERSION_HIGH = 2.0
"""The rate of an unannounced drop: from nothing to twice what the operator expects."""

CALIBRATED_H = 24.0
"""Uptime of an epoch from which on its points tell what this account gets per hour."""

CALIBRATED_BY = 3
"""Epochs whose spread is the doubt of the newest."""

STALE_AFTER = timedelta(hours=3)
"""Without an answer for so long nothing is said of now."""


class Points(Value):
    """Points per hour of the whole account, as an interval, of each address, and how they are known."""

    low: float
    mean: float
    high: float
    by_address: tuple[tuple[str, float], ...]
    source: str


def points_per_hour(memory: Memory) -> Points | None:
    """What the addresses that are connected now bring; None when it is not known.

    Uptime counts once per address, however many devices are behind it. Published formulas differ by a factor of
    two, so the account's own epochs are believed first: their points per hour of uptime, with their spread.
    """
    devices = memory.devices
    if devices is None:
        return None
    addresses = sorted({device.address for device in devices if device.score != 0})
    shown = [_per_uptime_hour(epoch) for epoch in memory.epochs]
    known = [(rate, name) for rate, name in shown if rate is not None][-CALIBRATED_BY:]
    if known:
        rates, count = [rate for rate, _ in known], len(addresses)
        mean, name = known[-1]
        return Points(
            low=min(rates) * count,
            mean=mean * count,
            high=max(rates) * count,
            by_address=tuple((address, mean) for address in addresses),
            source=f"measured in {name}" + (f", doubt from {len(known)} epochs" if len(known) > 1 else ""),
        )
    if any(device.score is None for device in devices):
        return None
    best = tuple(
        (address, max(_prior(device) for device in devices if device.address == address)) for address in addresses
    )
    rate = sum(points for _, points in best)
    return Points(
        low=rate,
        mean=rate,
        high=PRIOR_HIGH * rate,
        by_address=best,
        source=f"prior: {PRIOR_POINTS_PER_HOUR:g} points per hour at score 100",
    )


def _per_uptime_hour(epoch: Epoch) -> tuple[float | None, str]:
    if epoch.points <= 0 or epoch.uptime_s is None or epoch.uptime_s < CALIBRATED_H * HOUR:
        return None, epoch.name
    return float(epoch.points) / (epoch.uptime_s / HOUR), epoch.name


def _prior(device: Device) -> float:
    return PRIOR_POINTS_PER_HOUR * (device.score or 0.0) / 100 * device.multiplier


def pace_of(memory: Memory, now: datetime) -> Pace | None:
    """GRASS per hour, if the operator says what a point is worth: from nothing to twice that, surely paid."""
    options, known = memory.options, points_per_hour(memory)
    if options.tokens_per_point is None or known is None or memory.devices_at is None:
        return None
    if now - memory.devices_at > STALE_AFTER:
        return None
    return Pace(
        unit=TOKEN,
        low=0.0,
        mean=known.mean * options.tokens_per_point * options.p_paid,
        high=known.high * options.tokens_per_point * CONVERSION_HIGH,
        evidence="speculative",
        window_s=INCOME_WINDOW_S,
        as_of=memory.devices_at,
    )
