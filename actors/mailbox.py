"""An inbox with two lanes: what must not be lost goes first, data that repairs itself is bounded.

Pykka's own inbox is one unbounded queue: a stop waits behind everything that was sent before it, and a slow
actor under a stream of samples grows without end. A plain bounded queue would make senders wait, and two
full actors that tell each other would wait for ever. So nobody ever waits here; old data gives way.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from orch.messages import (
    AreYouReady,
    NodeHeard,
    OpportunitiesFound,
    PollFailed,
    ReadingTaken,
    SnapshotPublished,
)

if TYPE_CHECKING:
    from pykka._envelope import Envelope

T = TypeVar("T")

DATA_LIMIT: Final = 10_000
"""Data messages that wait for one actor before the oldest gives way."""

DATA: Final[frozenset[type]] = frozenset(
    {SnapshotPublished, ReadingTaken, NodeHeard, PollFailed, OpportunitiesFound}
)
"""Messages that carry a whole state, so that the next one of the kind repairs the loss of this one.

`PollFailed` and `NodeHeard` are among them to stay in order with the `ReadingTaken` of the same node.
`RecordBoard` is not: none repairs the last one before a stop.
"""

_SECOND_LANE: Final = DATA | {AreYouReady}


class Lanes(Generic[T]):
    """The two lanes as a plain, unsynchronised structure; shared by live inboxes and the stage.

    * The control lane holds commands, events, questions and Pykka's stop. It goes first, is in order and is
      never shortened.
    * The data lane holds `DATA`, in order, and is served while the control lane is empty. Beyond `limit` data
      messages the oldest one is dropped and counted.
    * `AreYouReady` waits in the data lane and is never dropped. As that lane is served only when the other is
      empty, its answer proves that everything sent before it, in either lane, has been handled (or was
      dropped as data).
    """

    __slots__ = ("_control", "_data", "_loose", "dropped", "limit")

    def __init__(self, limit: int = DATA_LIMIT) -> None:
        if limit < 1:
            raise ValueError("the data lane needs room for one message")
        self.limit = limit
        self.dropped = 0
        self._control: deque[T] = deque()
        self._data: deque[tuple[T, bool]] = deque()
        self._loose = 0  # data messages that may be dropped: those that nobody awaits an answer to

    def __bool__(self) -> bool:
        return bool(self._control or self._data)

    def __len__(self) -> int:
        return len(self._control) + len(self._data)

    def put(self, item: T, kind: type, *, asked: bool = False) -> None:
        """Append to the lane of messages of this `kind`; an `asked` item has an asker and is never dropped."""
        if kind not in _SECOND_LANE:
            self._control.append(item)
            return
        loose = not asked and kind in DATA
        self._data.append((item, loose))
        if loose:
            self._loose += 1
            if self._loose > self.limit:
                self._drop_oldest()

    def get(self) -> T:
        """Take the next item. Raises IndexError when both lanes are empty."""
        if self._control:
            return self._control.popleft()
        item, loose = self._data.popleft()
        self._loose -= loose
        return item

    def clear(self) -> None:
        """Forget everything that waits."""
        self._control.clear()
        self._data.clear()
        self._loose = 0

    def _drop_oldest(self) -> None:
        index = next(index for index, (_, loose) in enumerate(self._data) if loose)
        del self._data[index]
        self._loose -= 1
        self.dropped += 1


class LaneInbox:
    """A `Lanes` for threads, with the three methods Pykka asks of an inbox: `put`, `get`, `empty`.

    `put` never blocks; `get` waits for an item. One reader, any number of writers.
    """

    def __init__(self, limit: int = DATA_LIMIT) -> None:
        self.lanes: Lanes[Envelope[Any]] = Lanes(limit)
        self._filled = threading.Condition(threading.Lock())

    def put(self, envelope: Envelope[Any], /) -> None:
        """Append to the lane of the envelope's message."""
        with self._filled:
            self.lanes.put(envelope, type(envelope.message), asked=envelope.reply_to is not None)
            self._filled.notify()

    def get(self) -> Envelope[Any]:
        """Take the next envelope, waiting for one if need be."""
        with self._filled:
            while not self.lanes:
                self._filled.wait()
            return self.lanes.get()

    def empty(self) -> bool:
        """Whether nothing waits now."""
        with self._filled:
            return not self.lanes
