"""Exact fixed-point money: integers of 1e-18 units, so that sums never round."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal

ONE = 10**18
CONTEXT = Context(prec=80, rounding=ROUND_HALF_EVEN)


def to_fixed(amount: Decimal) -> int:
    """A decimal in whole 1e-18 units; a 19th digit is rounded half-even."""
    return int(amount.scaleb(18, CONTEXT).to_integral_value(context=CONTEXT)) if amount else 0


def to_decimal(fixed: int) -> Decimal:
    """Back to a decimal, without trailing noise."""
    return Decimal(fixed).scaleb(-18, CONTEXT) if fixed else Decimal(0)


def times(a: int, b: int) -> int:
    """The product of two fixed-point numbers, rounded half away from zero."""
    product = abs(a) * abs(b)
    rounded = (product + ONE // 2) // ONE
    return rounded if (a >= 0) == (b >= 0) else -rounded


def share(whole: int, part: int, of: int) -> int:
    """`whole * part / of`, rounded half away from zero; exact when `part == of`."""
    if part == of:
        return whole
    product = whole * part * (1 if of > 0 else -1)
    rounded = (abs(product) + abs(of) // 2) // abs(of)
    return rounded if product >= 0 else -rounded
