"""Token prices in USD: pinned ones, what a price is worth as it ages, and how prices survive a restart."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from orch.earnings.quotes import FUTURE_TOLERANCE_S
from orch.model.base import Value
from orch.model.money import Agreement, Price, PriceNow, PriceState

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from decimal import Decimal

STALE_AFTER_S = 600.0
UNKNOWN_AFTER_S = 24 * 3600.0

PINNED = "override"
"""The source of a price that a person has set."""

STATES: dict[Agreement, PriceState] = {
    "agreed": "fresh",
    "pinned": "fresh",
    "single_source": "single_source",
    "disputed": "disputed",
    "held": "disputed",
}
"""The state of a price that is not old."""


def overridden(overrides: Mapping[str, Decimal], now: datetime) -> tuple[Price, ...]:
    """Pinned prices: always fresh, their source says that a person set them."""
    return tuple(
        Price(token=token, usd=usd, source=PINNED, observed_at=now, fetched_at=now, agreement="pinned")
        for token, usd in sorted(overrides.items())
    )


def price_now(
    prices: Mapping[str, Price],
    token: str,
    now: datetime,
    *,
    stale_after_s: float = STALE_AFTER_S,
    unknown_after_s: float = UNKNOWN_AFTER_S,
    only_costs: bool = False,
) -> PriceNow:
    """A token's price with its age: fresh or doubtful, then stale (flagged, not decided on), then unknown."""
    price = prices.get(token)
    if price is None:
        return PriceNow(token=token, state="unknown", price=None, age_s=None, only_costs=only_costs)
    age_s = 0.0 if price.source == PINNED else max(0.0, (now - price.observed_at).total_seconds())
    if age_s > unknown_after_s:
        return PriceNow(token=token, state="unknown", price=None, age_s=age_s, only_costs=only_costs)
    state = "stale" if age_s > stale_after_s else STATES[price.agreement]
    return PriceNow(token=token, state=state, price=price, age_s=age_s, only_costs=only_costs)


# -- kept over a restart -----------------------------------------------------------------------------------


class _Kept(Value):
    schema: int
    prices: tuple[Price, ...]


def to_bytes(prices: Iterable[Price]) -> bytes:
    """Prices as they are kept on disk, with their source and both times."""
    kept = tuple(sorted(prices, key=lambda each: each.token))
    return msgspec.json.format(msgspec.json.encode(_Kept(schema=1, prices=kept)), indent=1) + b"\n"


def from_bytes(body: bytes, tokens: Iterable[str], now: datetime) -> dict[str, Price]:
    """The kept prices that can still be believed, by token; none of a file that cannot be read.

    Left out: tokens not wanted any more, prices pinned then, from the future, or that no price can be.
    """
    wanted = set(tokens)
    try:
        kept = msgspec.json.decode(body, type=_Kept)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return {}
    latest = now + timedelta(seconds=FUTURE_TOLERANCE_S)
    return {
        each.token: each
        for each in kept.prices
        if each.token in wanted
        and each.agreement != "pinned"
        and each.usd.is_finite()
        and each.usd > 0
        and each.observed_at <= latest
        and each.observed_at.tzinfo is not None
    }
