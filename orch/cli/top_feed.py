"""What `orch top` shows: followed from the running engine, or read from the file that one left behind."""

from __future__ import annotations

import threading
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

from msgspec.structs import replace

from orch.cli.recorded import RecordedData, carried_on
from orch.client import Client
from orch.errors import ApiError, NotRunningError, OrchError
from orch.store import lists
from orch.store.database import open_read_only
from orch.system.paths import DATABASE_FILE, read_engine

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from orch.model.board import Dashboard
    from orch.model.plans import Decision, Plan
    from orch.web.shapes import OrderTaken

Contact: TypeAlias = Literal["live", "recorded", "lost", "none"]
RETRY_S = 2.0
MOST_DECISIONS = 100


class News(NamedTuple):
    """What is known of the engine: its newest board, or why there is none.

    `contact` is `live` (it sends its boards), `recorded` (none runs, the file is read), `lost` (one runs or ran,
    and does not answer), `none` (there is nothing to show). `now` is the board's present when it came.
    """

    contact: Contact
    board: Dashboard | None = None
    now: datetime | None = None
    sentence: str = ""


class Feed(Protocol):
    """Where boards come from and orders go. Everything but `stop` may take its time, and raises OrchError."""

    def follow(self, told: Callable[[News], object]) -> None:
        """Tell whatever is new until `stop`."""

    def stop(self) -> None:
        """Follow no more."""

    def decisions(self) -> tuple[Decision, ...]:
        """The newest decisions, newest first."""

    def plan(self) -> Plan | None:
        """The newest plan."""

    def approve(self, plan_id: str) -> OrderTaken:
        """Carry out a plan."""

    def reject(self, plan_id: str) -> OrderTaken:
        """Turn a plan down."""

    def freeze(self, lasting: timedelta) -> OrderTaken:
        """Begin no move for a while."""

    def unfreeze(self) -> OrderTaken:
        """Moves may begin again."""


class DataDirFeed:
    """The feed of a data directory: of the engine that runs on it, whenever one does."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._over = threading.Event()
        self._read: tuple[float, News] | None = None

    def follow(self, told: Callable[[News], object]) -> None:
        """Boards as they are made; after a loss it tries again every two seconds."""
        while not self._over.is_set():
            try:
                with Client.of(self._data_dir) as client:
                    for board in client.boards():
                        told(News("live", board, board.as_of))
                        if self._over.is_set():
                            return
                told(News("lost", sentence="orch is stopping"))
            except NotRunningError as error:
                told(self._recorded() if read_engine(self._data_dir) is None else _lost(error))
            except ApiError as error:
                told(_lost(error))
            self._over.wait(RETRY_S)

    def stop(self) -> None:
        """Follow no more; a stream that waits is left to the end of the process."""
        self._over.set()

    def decisions(self) -> tuple[Decision, ...]:
        """From the engine, or from the file."""
        if read_engine(self._data_dir) is None:
            with open_read_only(self._data_dir / DATABASE_FILE) as connection:
                return lists.decisions(connection, MOST_DECISIONS).items
        with Client.of(self._data_dir) as client:
            return tuple(islice(client.decisions(), MOST_DECISIONS))

    def plan(self) -> Plan | None:
        """From the engine: a plan that nobody can carry out is of no use here."""
        with Client.of(self._data_dir) as client:
            try:
                return client.plan()
            except ApiError as error:
                if error.status == 404:
                    return None
                raise

    def approve(self, plan_id: str) -> OrderTaken:
        """Carry out a plan."""
        with Client.of(self._data_dir) as client:
            return client.approve(plan_id)

    def reject(self, plan_id: str) -> OrderTaken:
        """Turn a plan down."""
        with Client.of(self._data_dir) as client:
            return client.reject(plan_id)

    def freeze(self, lasting: timedelta) -> OrderTaken:
        """Begin no move for a while."""
        with Client.of(self._data_dir) as client:
            return client.freeze(lasting.total_seconds())

    def unfreeze(self) -> OrderTaken:
        """Moves may begin again."""
        with Client.of(self._data_dir) as client:
            return client.unfreeze()

    def _recorded(self) -> News:
        """The file's board; read again only when the file has changed."""
        file = self._data_dir / DATABASE_FILE
        try:
            changed = file.stat().st_mtime
            if self._read is None or self._read[0] != changed:
                source = RecordedData(file)
                self._read = changed, News("recorded", source.board(), source.now())
        except OSError:
            return News(
                "none", sentence=f"Nothing is recorded in {self._data_dir}: start orch, this waits for it."
            )
        except OrchError as error:
            return News("none", sentence=str(error))
        return self._read[1]


class Picture(NamedTuple):
    """What is drawn: a board as old as it is by now, and how it came to be known."""

    contact: Contact
    board: Dashboard | None
    now: datetime | None
    silent_s: float
    """Since when nothing new came, in real seconds."""
    sentence: str


def picture(known: News | None, latest: News | None, silent_s: float) -> Picture:
    """The last board that is known, aged by the time that has passed since.

    Args:
        known: The news that brought the last board.
        latest: The last news of all.
        silent_s: Real seconds since `known` came.
    """
    contact, sentence = (
        (latest.contact, latest.sentence) if latest is not None else ("none", "Looking for orch ...")
    )
    if known is None or known.board is None or known.now is None:
        return Picture(contact, None, None, silent_s, sentence)
    board = known.board
    # The world of emulated nodes runs at its own speed, and stands still without an engine.
    speed = board.engine.speed if board.engine.running else 0.0 if board.engine.kind == "emulated" else 1.0
    now = known.now + timedelta(seconds=silent_s * speed)
    if known.contact == "recorded":
        # Its ages were carried on up to the time at which it was read.
        aged = carried_on(replace(board, as_of=known.now), now)
        return Picture(contact, replace(aged, as_of=board.as_of), now, silent_s, sentence)
    return Picture(contact, replace(carried_on(board, now), engine=board.engine), now, silent_s, sentence)


def _lost(error: OrchError) -> News:
    return News("lost", sentence=str(error))
