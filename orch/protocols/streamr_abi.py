"""The few shapes of Ethereum's ABI that an operator's contracts answer with. Every offset is checked.

Sources: the Solidity contract ABI specification (words are 32 bytes, lists are an offset to a length and items),
and Multicall3 for its one function that runs many calls: `aggregate3((address,bool,bytes)[])` with
`(bool,bytes)[]` as its result.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orch.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

WORD = 32
MOST_ITEMS = 1000
"""More sponsorships than any operator could serve."""

MOST_TEXT = 10_000

AGGREGATE3 = "0x82ad56cb"

_ADDRESS_BITS = 160
_HEX = 2 * WORD


def call_data(selector: str, *arguments: str) -> str:
    """A call: the selector, then addresses padded to whole words."""
    return selector + "".join(argument.lower().removeprefix("0x").rjust(_HEX, "0") for argument in arguments)


def aggregate3(calls: Sequence[tuple[str, str]]) -> str:
    """The call data that runs calls, `(to, data)` in hex with 0x each; each of them may fail by itself."""
    packed: list[str] = []
    for to, data in calls:
        digits = data.removeprefix("0x")
        head = to.lower().removeprefix("0x").rjust(_HEX, "0") + _number(1) + _number(3 * WORD)
        padded = digits.ljust(-(-len(digits) // _HEX) * _HEX, "0")
        packed.append(head + _number(len(digits) // 2) + padded)
    offsets, begin = [], WORD * len(packed)
    for each in packed:
        offsets.append(_number(begin))
        begin += len(each) // 2
    return AGGREGATE3 + _number(WORD) + _number(len(packed)) + "".join((*offsets, *packed))


def _number(value: int) -> str:
    return f"{value:0{_HEX}x}"


def to_bytes(text: str, what: str) -> bytes:
    """`0x..` as bytes.

    Raises:
        ShapeError: Not an even number of hexadecimal digits after 0x.
    """
    if not text.startswith("0x"):
        raise ShapeError(f"{what}: {text[:40]!r} does not begin with 0x")
    try:
        return bytes.fromhex(text[2:])
    except ValueError as error:
        raise ShapeError(f"{what}: {text[:40]!r} is not hexadecimal") from error


def quantity(text: str, what: str, *, bits: int = 64) -> int:
    """A JSON-RPC quantity: 0x and hexadecimal digits, at most so many bits.

    Raises:
        ShapeError: It is not.
    """
    digits = text[2:]
    if not text.startswith("0x") or not digits or len(digits) > bits // 4:
        raise ShapeError(f"{what}: {text[:40]!r} is not a quantity")
    if not all(digit in "0123456789abcdefABCDEF" for digit in digits):
        raise ShapeError(f"{what}: {text[:40]!r} is not a quantity")
    return int(digits, 16)


def word(data: bytes, position: int, what: str) -> int:
    """The unsigned number in the word at a byte position.

    Raises:
        ShapeError: The data ends before it.
    """
    if position < 0 or position + WORD > len(data):
        raise ShapeError(f"{what}: the data ends at byte {len(data)}, a word at {position} is missing")
    return int.from_bytes(data[position : position + WORD], "big")


def one_word(data: bytes, what: str) -> int:
    """The only word of an answer.

    Raises:
        ShapeError: Not exactly one word; an empty answer means that there is no such contract.
    """
    if not data:
        raise ShapeError(f"{what}: an empty answer, there is no such contract on this chain")
    if len(data) != WORD:
        raise ShapeError(f"{what}: {len(data)} bytes where one word is expected")
    return word(data, 0, what)


def address(number: int, what: str) -> str:
    """A word as an address in lower case.

    Raises:
        ShapeError: More than twenty bytes.
    """
    if number >> _ADDRESS_BITS:
        raise ShapeError(f"{what}: {number:#x} is not an address")
    return f"0x{number:040x}"


def _length(data: bytes, offset: int, what: str) -> int:
    if offset % WORD:
        raise ShapeError(f"{what}: a list at byte {offset}, which is no word's begin")
    count = word(data, offset, what)
    if count > MOST_ITEMS:
        raise ShapeError(f"{what}: a list of {count} items")
    return count


def words(data: bytes, offset: int, what: str) -> tuple[int, ...]:
    """The list whose length stands at a byte offset.

    Raises:
        ShapeError: It reaches beyond the data, or is longer than can be.
    """
    count = _length(data, offset, what)
    return tuple(word(data, offset + WORD * (place + 1), what) for place in range(count))


def tuples(data: bytes, offset: int, width: int, what: str) -> tuple[tuple[int, ...], ...]:
    """The list of static tuples, `width` words each, whose length stands at a byte offset.

    Raises:
        ShapeError: It reaches beyond the data, or is longer than can be.
    """
    count = _length(data, offset, what)
    begin = offset + WORD
    return tuple(
        tuple(word(data, begin + WORD * (width * row + place), what) for place in range(width))
        for row in range(count)
    )


def results(data: bytes, count: int, what: str) -> tuple[bytes | None, ...]:
    """What each of so many calls run by `aggregate3` gave back; None for those that failed.

    Raises:
        ShapeError: Not the results of so many calls, or something of them reaches beyond the data.
    """
    begin = word(data, 0, what)
    found = _length(data, begin, what)
    if found != count:
        raise ShapeError(f"{what}: {found} results of {count} calls")
    heads = begin + WORD
    given: list[bytes | None] = []
    for place in range(count):
        at = heads + word(data, heads + WORD * place, what)
        succeeded, offset = word(data, at, what), word(data, at + WORD, what)
        size = word(data, at + offset, what)
        first = at + offset + WORD
        if succeeded > 1 or at % WORD or offset % WORD or first + -(-size // WORD) * WORD > len(data):
            raise ShapeError(f"{what}: result {place} is {size} bytes at byte {first} of {len(data)}")
        given.append(data[first : first + size] if succeeded else None)
    return tuple(given)


def text(data: bytes, position: int, what: str) -> str:
    """The string whose offset stands at a byte position; bytes that are no text are replaced.

    Raises:
        ShapeError: It reaches beyond the data, or is longer than can be.
    """
    offset = word(data, position, what)
    size = word(data, offset, what)
    begin = offset + WORD
    if size > MOST_TEXT or begin + size > len(data):
        raise ShapeError(f"{what}: a text of {size} bytes at byte {offset} of {len(data)}")
    return data[begin : begin + size].decode("utf-8", errors="replace")


def addresses_numbers_number(data: bytes, what: str) -> tuple[tuple[str, ...], tuple[int, ...], int]:
    """`(address[], uint256[], uint256)`, both lists of one length.

    Raises:
        ShapeError: It is not that.
    """
    if not data:
        raise ShapeError(f"{what}: an empty answer, there is no such contract on this chain")
    first = words(data, word(data, 0, what), what)
    second = words(data, word(data, WORD, what), what)
    if len(first) != len(second):
        raise ShapeError(f"{what}: {len(first)} addresses and {len(second)} amounts")
    return tuple(address(number, what) for number in first), second, word(data, 2 * WORD, what)
