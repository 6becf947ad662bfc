"""What one source says a token costs, and whether it can be taken at its word."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import msgspec

from orch.earnings.names import Dollar
from orch.errors import AbsurdError, ProtocolError, ShapeError
from orch.model.base import Value
from orch.model.readings import Reason
from orch.model.wire import HttpRequest, Secret

if TYPE_CHECKING:
    from orch.model.wire import Reply

Family: TypeAlias = Literal["coingecko", "binance", "coinbase", "bybit"]
"""Sources that may be wrong together: DefiLlama's CoinGecko keys are CoinGecko's own prices, relayed."""

DEADLINE_S = 15.0
LARGEST = 1_000_000
FUTURE_TOLERANCE_S = 120.0
OLDEST_S = {"aggregator": 1800.0, "exchange": 900.0}
WIDEST_SPREAD = Decimal("0.03")
SMALLEST, HIGHEST = Decimal("1e-15"), Decimal("1e9")
THIN_USD = Decimal(20_000)
"""A market that turned over less in a day says little about a price."""


class Quote(Value):
    """A token's price at one source.

    `observed_at` is None where the source has no time: such a quote only witnesses what others say. `dollar` is
    what it is counted in. `volume_usd` is the market's turnover in a day, None where unknown.
    """

    token: str
    usd: Decimal
    source: str
    family: Family
    kind: Literal["aggregator", "exchange"]
    fetched_at: datetime
    observed_at: datetime | None = None
    dollar: Dollar = "USD"
    volume_usd: Decimal | None = None

    @property
    def thin(self) -> bool:
        """Whether hardly anybody trades there."""
        return self.volume_usd is not None and self.volume_usd < THIN_USD


class Fault(Value):
    """A token of an answer that cannot be used; the others of the same answer can."""

    token: str
    reason: Reason
    sentence: str


class Heard(Value):
    """What an answer says."""

    quotes: tuple[Quote, ...] = ()
    faults: tuple[Fault, ...] = ()


class Question(Value):
    """One request to one source. `tokens` are what it asks for, and `key` tells its answer from others."""

    source: str
    key: str
    tokens: tuple[str, ...]
    request: HttpRequest


class UnlistedError(ProtocolError):
    """The source does not know what it was asked for, and is well otherwise."""


class RefusedError(ProtocolError):
    """The source is well, and says in a good answer that it will not answer now."""


def why(error: ProtocolError) -> Reason:
    """The countable reason of a wrong answer."""
    if isinstance(error, UnlistedError):
        return "unlisted"
    if isinstance(error, RefusedError):
        return "rate_limited"
    return "absurd" if isinstance(error, AbsurdError) else "shape"


def is_recent(quote: Quote, now: datetime) -> bool:
    """Whether a quote still speaks of now: exchanges for 15 minutes, aggregators for 30."""
    seen = quote.observed_at or quote.fetched_at
    return (now - seen).total_seconds() <= OLDEST_S[quote.kind]


def positive(what: str, raw: object) -> Decimal:
    """An exact price or volume from JSON.

    Raises ShapeError for what is no number, AbsurdError for one that no price can be (NaN, infinite, 0, negative,
    beyond any price).
    """
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ShapeError(f"{what} is not a number: {raw!r:.60}")
    try:
        number = Decimal(str(raw))
    except InvalidOperation as error:
        raise ShapeError(f"{what} is not a number: {raw!r:.60}") from error
    if not number.is_finite() or not SMALLEST <= number <= HIGHEST:
        raise AbsurdError(f"{what} cannot be {raw!r:.60}")
    return number


def volume(raw: object) -> Decimal | None:
    """A turnover where one is stated; what is not a sensible number is not known."""
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        return None
    try:
        number = Decimal(str(raw))
    except InvalidOperation:
        return None
    return number if number.is_finite() and 0 <= number <= HIGHEST**2 else None


def from_unix(what: str, raw: object, now: datetime, per_second: int = 1) -> datetime | None:
    """A Unix time as a time, None where there is none.

    Raises ShapeError for what is no time, AbsurdError for one in the future.
    """
    if raw is None:
        return None
    if isinstance(raw, bool) or not isinstance(raw, (int, float, str)):
        raise ShapeError(f"the time of {what} is not one: {raw!r:.60}")
    try:
        seconds = float(raw) / per_second
        seen = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ShapeError(f"the time of {what} is not one: {raw!r:.60}") from error
    if not math.isfinite(seconds):
        raise ShapeError(f"the time of {what} is not one: {raw!r:.60}")
    return not_future(what, seen, now)


def from_iso(what: str, raw: object, now: datetime) -> datetime | None:
    """A time in ISO 8601; see `from_unix`."""
    if raw is None:
        return None
    try:
        seen = datetime.fromisoformat(raw) if isinstance(raw, str) else None
    except ValueError:
        seen = None
    if seen is None:
        raise ShapeError(f"the time of {what} is not one: {raw!r:.60}")
    return not_future(what, seen if seen.tzinfo else seen.replace(tzinfo=UTC), now)


def not_future(what: str, seen: datetime, now: datetime) -> datetime:
    """A time up to now; clocks may differ by two minutes. Raises AbsurdError for one beyond."""
    if seen - now > timedelta(seconds=FUTURE_TOLERANCE_S):
        raise AbsurdError(f"{what} was observed in the future: {seen.isoformat()}")
    return min(seen.astimezone(UTC), now)


def middle(what: str, last: Decimal, bid: object, ask: object) -> Decimal:
    """The middle of bid and ask where both are known, else the last trade.

    Raises AbsurdError where they lie more than 3 % apart: nobody would get that price.
    """
    low, high = volume(bid), volume(ask)
    if not low or not high:
        return last
    if high < low or (high - low) * 2 > WIDEST_SPREAD * (high + low):
        raise AbsurdError(f"{what}: bid {low:f} and ask {high:f} are too far apart")
    return (low + high) / 2


def request(url: str, secret_headers: tuple[tuple[str, Secret], ...] = ()) -> HttpRequest:
    """A question as every source is asked it."""
    return HttpRequest(url=url, deadline_s=DEADLINE_S, max_bytes=LARGEST, secret_headers=secret_headers)


def decoded(reply: Reply, kind: Any, source: str) -> Any:
    """The body of an answer. Raises ShapeError when it is something else."""
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ShapeError(f"{source} answered something else than prices: {error}") from error
