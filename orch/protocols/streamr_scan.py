"""Which blocks' events to ask for: new ones forward, history backward, in ranges the RPC does not refuse.

Public endpoints limit a range, each to its own number of blocks. Ranges grow while they are answered, are
halved when one is refused, and never grow again after that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from orch.errors import ShapeError
from orch.protocols.streamr_memory import Scan, StreamrMemory

if TYPE_CHECKING:
    from orch.protocols.streamr_memory import Block, Event, StreamrOptions

GAP_DAYS = 30.0
"""Withdrawals further apart than this are not taken for neighbours; see `streamr_money`."""

AGAIN = 64
"""Blocks that are read twice: the newest ones may still be replaced."""

LARGEST = 2_000_000
SMALLEST = 16
SLOW_SMALLEST = 2000
DAY_S = 86_400.0


def gap_blocks(options: StreamrOptions) -> int:
    """Blocks in `GAP_DAYS`."""
    return int(GAP_DAYS * DAY_S / options.block_s)


def begin_scan(options: StreamrOptions, block: Block) -> Scan:
    """Nothing read yet, up to this block; wanted is the history and a gap before it."""
    wanted = int(options.history_days * DAY_S / options.block_s) + gap_blocks(options)
    return Scan(
        low=block.number + 1,
        high=block.number,
        floor=max(0, block.number - wanted),
        chunk=options.log_chunk_blocks,
    )


def forward(scan: Scan, block: Block) -> tuple[int, int] | None:
    """The next range of new blocks up to `block`, or None when they are all read."""
    if block.number <= scan.high:
        return None
    first = max(scan.low, scan.high + 1 - AGAIN)
    return first, min(block.number, first + max(scan.chunk, AGAIN + 1) - 1)


def backward(scan: Scan) -> tuple[int, int] | None:
    """The next range of history, or None when it reaches far enough back."""
    if scan.low <= scan.floor:
        return None
    return max(scan.floor, scan.low - scan.chunk), scan.low - 1


def range_of(key: str) -> tuple[int, int]:
    """The range in an endpoint's key `logs/FIRST-LAST`.

    Raises:
        ShapeError: Not such a key.
    """
    first, _, last = key.partition("/")[2].partition("-")
    if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
        raise ShapeError(f"{key}: no range of blocks")
    return int(first), int(last)


def with_events(memory: StreamrMemory, first: int, last: int, found: tuple[Event, ...]) -> StreamrMemory:
    """The memory with the events of a range; an answer that does not touch what is known is dropped."""
    scan = memory.scan
    if scan is None or first > scan.high + 1 or last < scan.low - 1:
        return memory
    size = last - first + 1
    grown = min(2 * scan.chunk, LARGEST) if size >= scan.chunk and not scan.refused else scan.chunk
    events = tuple(event for event in memory.events if not first <= event.block <= last)
    if found or len(events) < len(memory.events):
        events = tuple(sorted((*events, *found), key=lambda event: (event.block, event.index)))
    else:
        events = memory.events  # the very same: see kept_by
    return replace(
        memory,
        events=events,
        scan=replace(scan, low=min(scan.low, first), high=max(scan.high, last), chunk=grown),
    )


def with_smaller_ranges(memory: StreamrMemory, key: str, *, refused: bool) -> StreamrMemory:
    """The memory after a range was refused, or (`refused` False) took too long; small ones stay as they are."""
    scan = memory.scan
    first, last = range_of(key)
    size = last - first + 1
    if scan is None or size <= (SMALLEST if refused else SLOW_SMALLEST):
        return memory
    return replace(memory, scan=replace(scan, chunk=min(scan.chunk, size // 2), refused=scan.refused or refused))
