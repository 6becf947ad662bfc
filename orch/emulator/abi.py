"""Contract values as Ethereum encodes them, and the calls of Multicall3 decoded: 32-byte words in hex."""

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


def results(rows: Sequence[tuple[bool, str]]) -> str:
    """`(bool, bytes)[]`: whether each call succeeded, and what it gave back as hex with `0x`."""
    heads, tails, offset = [], [], 32 * len(rows)
    for succeeded, given in rows:
        raw = given.removeprefix("0x")
        padded = raw.ljust((len(raw) + 63) // 64 * 64, "0")
        heads.append(word(offset))
        tails.append(word(succeeded) + word(64) + word(len(raw) // 2) + padded)
        offset += len(tails[-1]) // 2
    return "0x" + word(32) + word(len(rows)) + "".join((*heads, *tails))


def calls(data: str) -> list[tuple[str, bool, str]]:
    """The argument `(address, bool, bytes)[]` of a call: contract, whether it may fail, and data as hex with `0x`.

    Raises ValueError when something of it is missing.
    """
    raw = bytes.fromhex(data[10:])

    def number(place: int) -> int:
        if place + 32 > len(raw):
            raise ValueError("call data is too short")
        return int.from_bytes(raw[place : place + 32], "big")

    heads = number(0) + 32
    found = []
    for row in range(number(heads - 32)):
        begin = heads + number(heads + 32 * row)
        held = begin + number(begin + 64)
        size = number(held)
        if held + 32 + size > len(raw):
            raise ValueError("call data is too short")
        asked = "0x" + raw[held + 32 : held + 32 + size].hex()
        found.append((f"0x{number(begin):040x}", bool(number(begin + 32)), asked))
    return found


def argument(data: str, place: int = 0) -> str:
    """An argument of a call as an address (the data is `0x`, 8 digits of selector, words).

    Raises ValueError when it is missing.
    """
    raw = data[10 + 64 * place : 74 + 64 * place]
    if len(raw) != 64:
        raise ValueError("call data is too short")
    return "0x" + raw[24:].lower()
