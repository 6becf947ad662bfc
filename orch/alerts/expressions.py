"""Thresholds as an operator writes them: `used_share_storage > 0.95 and usd_per_hour < 0.5 * usual_usd_per_hour`.

Python's own grammar, of which only numbers, names, `+ - * /`, comparisons, `and`, `or` and `not` are understood;
nothing is ever executed. What is unknown makes a figure unknown, and a condition unknown unless its other half
decides it alone (Kleene's three values).
"""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Known: TypeAlias = "float | bool | None"

LONGEST = 500
LARGEST = 1e15
ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class ExpressionError(ValueError):
    """An expression that cannot be used; says where and why."""


class Expression:
    """A parsed expression. `metrics` are the names in it, in their order; `is_condition`: it is true or false.

    Raises:
        ExpressionError: It cannot be read, or mixes figures and conditions.
    """

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise ExpressionError(f"it is longer than {LONGEST} characters")
        try:
            self._tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = getattr(error, "text", None) and f" near {str(getattr(error, 'text', '')).strip()[:40]!r}"
            raise ExpressionError(f"it cannot be read{where or ''}: write such as usd_per_hour < 0.01") from None
        names: dict[str, None] = {}
        self.text = text.strip()
        self.is_condition = _check(self._tree, names)
        self.metrics = tuple(names)

    def evaluate(self, known: Mapping[str, float | None]) -> Known:
        """Its value from the metrics' values; None where that is unknown."""
        return _value(self._tree, known)


def _check(node: ast.expr, names: dict[str, None]) -> bool:
    """Whether a part is a condition; collects its names. Raises ExpressionError."""
    match node:
        case ast.Constant(value=bool() | None) | ast.Constant(value=str() | bytes()):
            raise ExpressionError(f"{node.value!r} is no number")
        case ast.Constant(value=int() | float() as number):
            if abs(number) > LARGEST:
                raise ExpressionError("a number in it is too large")
            return False
        case ast.Name(id=name):
            names[name] = None
            return False
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _figure(operand, names)
            return False
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            _figure(left, names)
            _figure(right, names)
            return False
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in COMPARISONS for op in ops):
            for each in (left, *others):
                _figure(each, names)
            return True
        case ast.BoolOp(values=values):
            for each in values:
                _condition(each, names)
            return True
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _condition(operand, names)
            return True
    raise ExpressionError(
        f"{ast.unparse(node)[:40]!r} is not understood: there are + - * /, comparisons, and, or, not"
    )


def _figure(node: ast.expr, names: dict[str, None]) -> None:
    if _check(node, names):
        raise ExpressionError(f"{ast.unparse(node)[:40]!r} is a condition where a figure is needed")


def _condition(node: ast.expr, names: dict[str, None]) -> None:
    if not _check(node, names):
        raise ExpressionError(f"{ast.unparse(node)[:40]!r} is a figure where a condition is needed")


def _value(node: ast.expr, known: Mapping[str, float | None]) -> Known:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return known.get(name)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            found = _value(operand, known)
            return None if found is None else not found
        case ast.UnaryOp(op=op, operand=operand):
            found = _value(operand, known)
            return None if found is None else -found if isinstance(op, ast.USub) else found
        case ast.BinOp(left=left, op=op, right=right):
            one, two = _value(left, known), _value(right, known)
            if one is None or two is None or (isinstance(op, ast.Div) and two == 0):
                return None
            return ARITHMETIC[type(op)](one, two)
        case ast.Compare(left=left, ops=ops, comparators=others):
            figures = [_value(each, known) for each in (left, *others)]
            return _all(
                None if one is None or two is None else COMPARISONS[type(op)](one, two)
                for op, one, two in zip(ops, figures[:-1], figures[1:], strict=True)
            )
        case ast.BoolOp(op=ast.And(), values=values):
            return _all(_value(each, known) for each in values)
        case ast.BoolOp(values=values):
            found = _all(None if (each := _value(value, known)) is None else not each for value in values)
            return None if found is None else not found
    raise AssertionError(ast.dump(node))


def _all(found: object) -> bool | None:
    """False when any is, unknown when none is and some are unknown."""
    values = list(found)  # type: ignore[call-overload]
    if any(each is not None and not each for each in values):
        return False
    return None if None in values else True
