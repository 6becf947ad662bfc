"""The border between Python values and DuckDB's: times, money, JSON.

DuckDB converts an aware time to the machine's own zone and rounds a 19th digit in silence, so both are
settled here before a value gets there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

import msgspec

from orch.errors import StoreError
from orch.model.money import SCALE

CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN)
LIMIT = Decimal(10) ** 20
"""What DECIMAL(38, 18) can hold, exclusive."""


def to_stored_time(when: datetime) -> datetime:
    """An aware time as naive UTC, the way tables keep it.

    Raises:
        StoreError: The time has no zone.
    """
    if when.tzinfo is None:
        message = f"A time without a zone cannot be recorded: {when.isoformat()}."
        raise StoreError(message)
    return when.astimezone(UTC).replace(tzinfo=None)


def from_stored_time(when: datetime) -> datetime:
    """A time of a table as aware UTC."""
    return when.replace(tzinfo=UTC)


def to_stored_money(amount: Decimal) -> Decimal:
    """An amount quantised to 18 places (half-even).

    Raises:
        StoreError: The amount is not a finite number below 1e20.
    """
    if not amount.is_finite() or abs(amount) >= LIMIT:
        message = f"An amount of {amount} cannot be recorded: it is not a finite number below 1e20."
        raise StoreError(message)
    return amount.quantize(SCALE, context=CONTEXT)


def to_stored(value: Any) -> Any:
    """A scalar as DuckDB should get it."""
    if isinstance(value, datetime):
        return to_stored_time(value)
    if isinstance(value, Decimal):
        return to_stored_money(value)
    return value


def from_stored(value: Any) -> Any:
    """A scalar as DuckDB gave it, for a Struct."""
    return from_stored_time(value) if isinstance(value, datetime) else value


def to_json(value: Any) -> str:
    """A nested shape as JSON text; decimals become strings."""
    return msgspec.json.encode(value).decode()
