"""The only writer of the database: collects what happens, commits it, and acknowledges what is safe."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never

from actors.base import Actor, House
from orch.errors import StoreError
from orch.messages import (
    AlertRaised,
    AlertResolved,
    AreYouReady,
    BooksRestored,
    CommitBatch,
    DecisionMade,
    ForecastsRestored,
    HowMuchWork,
    PricesAccepted,
    ReallocationChanged,
    RecordBoard,
    RecorderInbox,
    RecorderStarted,
    RecordForecasts,
    RecordingFailed,
    RecordTick,
    RestoreBooks,
    RestoreForecasts,
    TickRecorded,
    TidyStore,
)
from orch.store.books import restore_books
from orch.store.maintenance import checkpoint, forget, roll_up

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from orch.store.shelf import Shelf
    from orch.store.writer import Writer

COORDINATOR = "coordinator"
MONITOR = "monitor"


@dataclass(frozen=True)
class RecorderPlan:
    """What the recorder is told. `commit_every_s` 0 commits every tick; `keep` is how long raw rows stay."""

    open_writer: Callable[[datetime], Writer]
    shelf: Shelf
    commit_every_s: float = 0.0
    tidy_every_s: float = 3600.0
    keep: timedelta = timedelta(days=30)


class Recorder(Actor):
    """Writes; nobody else does."""

    def __init__(self, name: str, house: House, plan: RecorderPlan) -> None:
        super().__init__(name, house)
        self._plan = plan
        self._writer: Writer | None = None
        self._committed_at: datetime | None = None
        self._commit_told = False
        self._tidy_at: datetime | None = None

    def ready(self) -> None:
        """Open the database and say so: whoever was not heard meanwhile says again what is not recorded."""
        now = self.house.clock.now()
        self._writer = self._plan.open_writer(now)
        self._plan.shelf.put(self._writer)
        self._arm(now + timedelta(seconds=self._plan.tidy_every_s))
        for name in (COORDINATOR, MONITOR):
            self.tell(name, RecorderStarted())

    def handle(self, message: RecorderInbox) -> object:
        """Collect; commit when it is time."""
        writer = self._open_writer()
        match message:
            case RecordTick():
                writer.add_tick(message.snapshot, message.entries, message.sequence)
                self._commit_when_due()
            case RecordBoard():
                writer.add_board(message.taken_at, message.body, message.kpis)
            case DecisionMade():
                self._decided(writer, message)
            case ReallocationChanged():
                writer.add_reallocation(message.reallocation, message.step)
            case PricesAccepted():
                writer.add_prices(() if message.restored else message.prices, message.failures)
            case AlertRaised() | AlertResolved():
                writer.add_alert(message.alert)
            case RestoreBooks(reply_to=reply_to):
                self._commit(writer)
                books = restore_books(writer.connection, self.house.clock.now())
                self.tell(reply_to, BooksRestored(books=books))
            case RecordForecasts() | RestoreForecasts():
                self._forecasts(writer, message)
            case CommitBatch():
                self._commit_told = False
                self._commit(writer)
            case TidyStore(due_at=due_at):
                self._tidy(writer, due_at)
            case AreYouReady() | HowMuchWork():
                pass
            case _:
                assert_never(message)
        return None

    def close(self) -> None:
        """Commit what is open, and let go of the file."""
        if self._writer is None:
            return
        self._plan.shelf.clear()
        writer, self._writer = self._writer, None
        try:
            writer.commit()
        finally:
            writer.close()

    def _decided(self, writer: Writer, made: DecisionMade) -> None:
        writer.add_decision(made.decision, made.plan, made.inputs)
        if made.decision.verdict == "move":
            # A move that begins now must not outlive the reasons for it.
            self._commit_soon()

    def _forecasts(self, writer: Writer, message: RecordForecasts | RestoreForecasts) -> None:
        if isinstance(message, RecordForecasts):
            writer.add_forecasts(message.body)
        else:
            self.tell(message.reply_to, ForecastsRestored(body=writer.forecasts))

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise StoreError("The recorder has no database open")
        return self._writer

    def _commit_when_due(self) -> None:
        now = self.house.clock.now()
        last = self._committed_at
        if last is None or now - last >= timedelta(seconds=self._plan.commit_every_s):
            self._commit_soon()

    def _commit_soon(self) -> None:
        """Commit behind whatever waits already: ticks that come faster than the disk takes them share a commit."""
        if not self._commit_told:
            self._commit_told = True
            self.tell(self.name, CommitBatch())

    def _commit(self, writer: Writer) -> None:
        now = self.house.clock.now()
        try:
            sequence = writer.commit()
        except StoreError as error:
            self.tell(MONITOR, RecordingFailed(failed_at=now, sentence=str(error)))
            return
        self._committed_at = now
        if sequence is not None:
            self.tell(COORDINATOR, TickRecorded(sequence=sequence))

    def _tidy(self, writer: Writer, due_at: datetime) -> None:
        if due_at != self._tidy_at:
            return
        now = self.house.clock.now()
        self._arm(now + timedelta(seconds=self._plan.tidy_every_s))
        self._commit(writer)
        try:
            roll_up(writer.connection, now)
            forget(writer.connection, now, self._plan.keep)
            checkpoint(writer.connection)
        except StoreError as error:
            self.tell(MONITOR, RecordingFailed(failed_at=now, sentence=str(error)))

    def _arm(self, when: datetime) -> None:
        self._tidy_at = when
        self.house.timers.at(when, self.name, TidyStore(due_at=when))
