"""Node ids as a storage node reads them: base58 with a version byte before and a checksum behind."""

from __future__ import annotations

from hashlib import sha256

ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SIZE = 32


def wrong_id(text: str) -> str | None:
    """What the node says of an id that it cannot read; None of one that it can."""
    raw = _decode(text)
    if len(raw) < 5:
        return "node ID: invalid format: version and/or checksum bytes missing"
    if sha256(sha256(raw[:-4]).digest()).digest()[:4] != raw[-4:]:
        return "node ID: checksum error"
    if len(raw) != SIZE + 5:
        return f"node ID: not enough bytes to make a node id; have {len(raw) - 5}, need {SIZE}"
    return None


def _decode(text: str) -> bytes:
    number = 0
    for letter in text:
        place = ALPHABET.find(letter)
        if place < 0:
            return b""
        number = number * 58 + place
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + number.to_bytes((number.bit_length() + 7) // 8, "big")
