"""Token prices in USD: the CoinGecko `/simple/price` shape, overrides, and what a price is worth as it ages."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import msgspec

from orch.errors import AbsurdError, ShapeError
from orch.model.money import Price, PriceNow
from orch.model.wire import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from orch.model.wire import Reply

COINGECKO_IDS: dict[str, str] = {
    "STORJ": "storj",
    "GLM": "golem",
    "DATA": "streamr",
    "GRASS": "grass",
    "POL": "polygon-ecosystem-token",
}
"""Never look a token up by its symbol: symbols collide."""

STALE_AFTER_S = 600.0
UNKNOWN_AFTER_S = 24 * 3600.0
FUTURE_TOLERANCE_S = 120.0


def coingecko_request(base_url: str, tokens: Iterable[str], deadline_s: float = 15.0) -> HttpRequest:
    """One batched question for all tokens (https://docs.coingecko.com/reference/simple-price)."""
    ids = ",".join(COINGECKO_IDS[token] for token in sorted(tokens) if token in COINGECKO_IDS)
    return HttpRequest(
        url=f"{base_url.rstrip('/')}/api/v3/simple/price?ids={ids}&vs_currencies=usd"
        "&include_last_updated_at=true&precision=full",
        deadline_s=deadline_s,
        max_bytes=1_000_000,
    )


def read_coingecko(reply: Reply, tokens: Iterable[str], now: datetime) -> tuple[Price, ...]:
    """Prices of the tokens an answer really has; a missing id is unknown, never 0.

    Raises ShapeError for an answer of another shape, AbsurdError for a price that cannot be one.
    """
    try:
        body = msgspec.json.decode(reply.body, type=dict[str, dict[str, Any]])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise ShapeError(f"the price source answered something else than prices: {error}") from error
    prices = []
    for token in sorted(tokens):
        found = body.get(COINGECKO_IDS.get(token, ""), {})
        usd = found.get("usd")
        if usd is not None:
            observed = _observed(found.get("last_updated_at"), now)
            prices.append(
                Price(
                    token=token, usd=_decimal(token, usd), source="coingecko", observed_at=observed, fetched_at=now
                )
            )
    return tuple(prices)


def overridden(overrides: Mapping[str, Decimal], now: datetime) -> tuple[Price, ...]:
    """Pinned prices: always fresh, their source says that a person set them."""
    return tuple(
        Price(token=token, usd=usd, source="override", observed_at=now, fetched_at=now)
        for token, usd in sorted(overrides.items())
    )


def newest(known: Mapping[str, Price], found: Iterable[Price]) -> dict[str, Price]:
    """The known prices with newer ones taken in; an answer older than what is known changes nothing."""
    merged = dict(known)
    for price in found:
        before = merged.get(price.token)
        if before is None or price.observed_at >= before.observed_at:
            merged[price.token] = price
    return merged


def price_now(
    prices: Mapping[str, Price],
    token: str,
    now: datetime,
    *,
    stale_after_s: float = STALE_AFTER_S,
    unknown_after_s: float = UNKNOWN_AFTER_S,
) -> PriceNow:
    """A token's price with its age: fresh, stale (flagged, not decided on), unknown."""
    price = prices.get(token)
    if price is None:
        return PriceNow(token=token, state="unknown", price=None, age_s=None)
    age_s = 0.0 if price.source == "override" else max(0.0, (now - price.observed_at).total_seconds())
    if age_s > unknown_after_s:
        return PriceNow(token=token, state="unknown", price=None, age_s=age_s)
    return PriceNow(token=token, state="stale" if age_s > stale_after_s else "fresh", price=price, age_s=age_s)


def _decimal(token: str, usd: object) -> Decimal:
    try:
        price = Decimal(str(usd))
    except InvalidOperation as error:
        raise ShapeError(f"the price of {token} is not a number: {usd!r}") from error
    if not price.is_finite() or price <= 0:
        raise AbsurdError(f"the price of {token} cannot be {usd!r}")
    return price


def _observed(stamp: object, now: datetime) -> datetime:
    """When a quote was observed; one from the future is refused, one without a time counts as of now."""
    if stamp is None:
        return now
    if not isinstance(stamp, int | float) or not math.isfinite(stamp):
        raise ShapeError(f"last_updated_at is not a time: {stamp!r}")
    observed = datetime.fromtimestamp(stamp, UTC)
    if (observed - now).total_seconds() > FUTURE_TOLERANCE_S:
        raise AbsurdError(f"a price observed in the future: {observed.isoformat()}")
    return min(observed, now)
