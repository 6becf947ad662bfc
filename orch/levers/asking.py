"""What all levers on this host share: asking, and amounts that survive being written and read back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from orch.errors import LeverError
from orch.model.resources import Resources
from orch.model.wire import CommandRun, FileRead, FileWrite, NoReply, Pause, Reply, ToolCall

if TYPE_CHECKING:
    from orch.levers.base import Task

T = TypeVar("T")
ROOM_BELOW_HARD = 0.95
"""Of a hard memory limit so much may be in use: at the limit itself the kernel kills."""
DECIMALS = 3
"""Levers speak in thousandths of a unit, as plans do: finer than that nobody plans, and it reads back the same."""


def grain(amount: float) -> float:
    """An amount as plans have it."""
    return round(amount, DECIMALS)


def content(path: str) -> Task[bytes]:
    """The content of a file. Raises LeverError with the reason when it cannot be had."""
    answer: Reply | NoReply = yield FileRead(path=path)
    return _good(answer).body


def content_if_there(path: str) -> Task[bytes | None]:
    """The content of a file, None when there is none. Raises LeverError when it is there and unreadable."""
    answer: Reply | NoReply = yield FileRead(path=path)
    if isinstance(answer, NoReply) and answer.reason == "missing_file":
        return None
    return _good(answer).body


def write(order: FileWrite) -> Task[None]:
    """Write a file, and see that it holds what was written: it may lie where nothing is kept.

    Raises LeverError with the reason when it was not written. A file of the kernel is the lever's to read back.
    """
    answer: Reply | NoReply = yield order
    _good(answer)
    if not order.in_place and (yield from content(order.path)) != order.body:
        raise LeverError(f"{order.path} does not hold what was written to it")


def run(order: CommandRun) -> Task[bytes]:
    """What a program printed. Raises LeverError with its last words when it failed."""
    answer: Reply | NoReply = yield order
    return _good(answer).body


def call(order: ToolCall, answer_type: type[T]) -> Task[T]:
    """What a manager answered. Raises LeverError with its words, also when the answer is not what it should be."""
    answer: Reply | NoReply = yield order
    try:
        return msgspec.json.decode(_good(answer).body, type=answer_type)
    except msgspec.MsgspecError as error:
        raise LeverError(f"the answer of {order.tool} is not what it should be: {error}") from error


def pause(seconds: float) -> Task[None]:
    """Let some real seconds pass."""
    answer: Reply | NoReply = yield Pause(seconds=seconds)
    _good(answer)


def refuse_below_use(what: str, used_bytes: float, limit_gb: float) -> None:
    """Raise LeverError where a hard memory limit would kill what it is meant for."""
    if used_bytes > limit_gb * 1e9 * ROOM_BELOW_HARD:
        raise LeverError(f"{what} uses {used_bytes / 1e9:.3f} GB: a limit of {limit_gb:g} GB would kill it")


def order_body(value: Any) -> bytes:
    """The JSON of an order."""
    return msgspec.json.encode(value)


def machine() -> Task[Resources]:
    """What an unlimited group has: every processor that is online, and the memory the kernel has."""
    online = (yield from content("/sys/devices/system/cpu/online")).decode()
    cores = 0
    for part in online.strip().split(","):
        first, _, last = part.partition("-")
        cores += int(last or first) - int(first) + 1
    memory = re.search(rb"MemTotal:\s+(\d+) kB", (yield from content("/proc/meminfo")))
    if memory is None:
        raise LeverError("/proc/meminfo does not say how much memory there is")
    return Resources(cpu_cores=float(cores), memory_gb=int(memory[1]) * 1024 / 1e9)


def _good(answer: Reply | NoReply) -> Reply:
    if isinstance(answer, NoReply):
        raise LeverError(answer.sentence)
    return answer
