"""Contract values as Ethereum encodes them: 32-byte words in hex."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def word(value: int | str | bool) -> str:
    """One number, address or truth value as 64 hex digits."""
    number = int(value, 16) if isinstance(value, str) else int(value)
    return f"{number:064x}"


def words(*values: int | str | bool) -> str:
    """Static values one after the other, with `0x`."""
    return "0x" + "".join(word(value) for value in values)


def arrays_and_number(first: Sequence[int | str], second: Sequence[int | str], number: int) -> str:
    """`(T[], T[], uint256)`: two dynamic lists and a number."""
    head = 3 * 32
    tail = [word(len(first)), *map(word, first)]
    offset = head + 32 * len(tail)
    tail += [word(len(second)), *map(word, second)]
    return "0x" + word(head) + word(offset) + word(number) + "".join(tail)


def array(values: Sequence[int | str]) -> str:
    """`T[]` of static values."""
    return "0x" + word(32) + word(len(values)) + "".join(map(word, values))


def tuples(rows: Sequence[Sequence[int | str]]) -> str:
    """A list of static tuples."""
    return "0x" + word(32) + word(len(rows)) + "".join(word(value) for row in rows for value in row)


def text(value: str) -> str:
    """A string."""
    raw = value.encode()
    padded = raw.hex().ljust((len(raw) + 31) // 32 * 64, "0")
    return "0x" + word(32) + word(len(raw)) + padded


def argument(data: str, place: int = 0) -> str:
    """An argument of a call as an address (the data is `0x`, 8 digits of selector, words).

    Raises ValueError when it is missing.
    """
    raw = data[10 + 64 * place : 74 + 64 * place]
    if len(raw) != 64:
        raise ValueError("call data is too short")
    return "0x" + raw[24:].lower()
